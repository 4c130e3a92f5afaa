//! Figures over HTTP: whatever is asked wrongly gets a clear answer.

use super::*;
use crate::base::CallId;
use crate::event::{Entry, Mode, Offered, What};
use crate::figure::Table;
use crate::io::journal::Added;

#[tokio::test]
async fn figures_are_shown_with_their_shares_and_only_those_that_are_asked_for() {
    let state = state();
    let offered = Offered { leg: 1, number: "12345".into(), mode: Mode::Front, ..Offered::default() };
    let (call, now) = (CallId(uuid::Uuid::from_u128(1)), clock::now());
    let entry = |seq, what| Added::Entry(Entry { call, seq, wall: now.wall, mono: now.mono, what });
    state.figures.take(vec![entry(1, What::Offered(Box::new(offered))), entry(2, What::Queued { queue: "front".into() })]);
    for window in ["15m", "24h", "day"] {
        let answer = ask(&state, "GET", &format!("/api/v1/figures?window={window}"), None).await;
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (answer.status, &body["hotlines"]["12345"]["offered"], &body["queues"]["front"]["undecided"]),
            (200, &json!(1), &json!(1))
        );
        assert_eq!((&body["all"]["answered_share"], &body["within_ms"]), (&Value::Null, &json!(15_000)));
        let read: Table = serde_json::from_value(body).unwrap();
        assert_eq!(read.all.offered, 1, "the command line reads it");
    }
    let answer = ask(&state, "GET", "/api/v1/figures?by=queue", None).await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((&body["hotlines"], &body["queues"]["front"]["handed"]), (&json!({}), &json!(1)));
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told() {
    let state = state();
    for (query, told) in [
        ("by=caller", "by is hotline, queue or seat"),
        ("window=1h", "window is 15m, 24h or day"),
        ("window=15m&day=2026-01-01", "exclude each other"),
        ("day=2026-13-01", "is no date"),
        ("day=9999-12-31", "not come yet"),
        ("seat=zhang", "unknown field"),
    ] {
        let answer = ask(&state, "GET", &format!("/api/v1/figures?{query}"), None).await;
        assert!(answer.status == 400 && answer.body.contains(told), "{query}: {} {}", answer.status, answer.body);
    }
}
