//! Tests that look for records over HTTP.

use super::*;
use crate::base::Rng;
use crate::io::http::MOST_RECORDS;

const HOUR: i64 = 3_600_000_000;
/// 2021-12-01, midnight in China.
const MIDNIGHT: Wall = Wall(1_638_288_000_000_000);

impl Bench {
    /// A call of this caller's that began then; without a result it lasts.
    async fn called(&self, at: Wall, number: &str, caller: &str, result: Option<Outcome>) -> String {
        let call = CallId::new(at, &mut Rng::from_number(at.0 as u64));
        let (line, number, caller) = (format!("{number}热线"), number.to_owned(), Some(caller.to_owned()));
        let offered = What::Offered(Box::new(Offered { line, number, caller, ..Offered::default() }));
        let ended = result.map(|result| What::Ended { result, by: By::Caller, status: None, q850: Some(16) });
        for (seq, what) in (1..).zip([Some(offered), ended].into_iter().flatten()) {
            assert!(self.journal.appender().append(1, Entry { call, seq, wall: at, mono: Mono(0), what }));
        }
        while self.reader().entries(call, 10).unwrap().len() < 1 + usize::from(result.is_some()) {
            tokio::task::yield_now().await;
        }
        call.to_string()
    }

    async fn found(&self, role: &str, query: &str) -> (u16, Value) {
        said(Client::new().get(self.url(&format!("/api/v1/records{query}"))).bearer_auth(format!("{TOKEN}{role}"))).await
    }

    /// The ids of a page.
    async fn ids(&self, query: &str) -> Vec<String> {
        let (status, page) = self.found("viewer", query).await;
        assert_eq!(status, 200, "{query}: {page}");
        let id = |record: &Value| record["call_id"].as_str().unwrap().to_owned();
        page["records"].as_array().unwrap().iter().map(id).collect()
    }
}

fn after(hours: i64) -> Wall {
    Wall(MIDNIGHT.0 + hours * HOUR)
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_found_by_line_result_and_time() {
    let bench = Bench::new().await;
    let night = bench.called(after(-1), "12345", "13800138000", Some(Outcome::Answered)).await;
    let first = bench.called(after(0), "12345", "13800138000", Some(Outcome::NoSeat)).await;
    let noon = bench.called(after(12), "12366", "13900139000", Some(Outcome::Answered)).await;
    let late = bench.called(after(23), "12345", "13900139000", Some(Outcome::AbandonedQueue)).await;
    let next = bench.called(after(24), "12345", "13800138000", None).await;
    for (query, expected) in [
        ("", vec![&next, &late, &noon, &first, &night]),
        ("?line=12345", vec![&next, &late, &first, &night]),
        ("?line=12366%E7%83%AD%E7%BA%BF", vec![&noon]),
        ("?line=1", vec![]),
        ("?result=answered", vec![&noon, &night]),
        ("?result=no_seat,abandoned_queue", vec![&late, &first]),
        ("?result=open", vec![&next]),
        ("?since=2021-12-01", vec![&next, &late, &noon, &first]),
        ("?until=2021-12-01", vec![&late, &noon, &first, &night]),
        ("?since=2021-12-01&until=2021-12-01", vec![&late, &noon, &first]),
        ("?since=2021-12-01T12:00:00%2B08:00&until=2021-12-01T15:00:00Z", vec![&noon]),
        ("?since=2021-12-01T12:00:01&until=2021-12-02T00:00:00", vec![&late]),
        ("?since=2022-01-01", vec![]),
        ("?line=12345&result=answered&until=2021-11-30", vec![&night]),
        ("?limit=2", vec![&next, &late]),
        (&format!("?before={noon}"), vec![&first, &night]),
        (&format!("?before={noon}&since=2021-12-01"), vec![&first]),
    ] {
        assert_eq!(bench.ids(query).await.iter().collect::<Vec<_>>(), expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_page_by_page_and_ends() {
    let bench = Bench::new().await;
    bench.calls(0..700);
    bench.fed(2100).await;
    for (limit, result, all) in
        [(1, "", 30), (7, "", 700), (MOST_RECORDS, "", 700), (350, "", 700), (50, "&result=rejected&line=12366", 350)]
    {
        let (mut got, mut before) = (Vec::new(), String::new());
        while got.len() < all {
            let (_, page) = bench.found("viewer", &format!("?limit={limit}{result}{before}")).await;
            let records = page["records"].as_array().unwrap();
            assert!(!records.is_empty() && records.len() <= limit as usize);
            got.extend(records.iter().map(|record| record["call_id"].as_str().unwrap().to_owned()));
            before = page["next"].as_str().map_or(String::new(), |next| format!("&before={next}"));
            assert_eq!(before.is_empty(), got.len() >= all && all >= 350, "{limit}: {} of {all}", got.len());
        }
        assert!(got.is_sorted_by(|a, b| a > b) && got.len() == all, "each once, the newest first");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_told() {
    let bench = Bench::new().await;
    for (query, why) in [
        ("?result=vanished", "result is one of answered, abandoned_announcement"),
        ("?since=soon", "`soon` is no moment"),
        ("?since=2026/10/1", "write 2026-10-01"),
        ("?until=2026-13-01", "is no moment"),
        ("?limit=0", "limit is 1 to 500"),
        ("?limit=501", "limit is 1 to 500"),
        ("?limit=-1", ""),
        ("?before=x", "a call's id is a UUID"),
        ("?sinze=2026-10-01", "sinze"),
        ("?unmasked=perhaps", ""),
    ] {
        let (status, problem) = bench.found("viewer", query).await;
        assert!(status == 400 && problem["detail"].as_str().unwrap().contains(why), "{query}: {status} {problem}");
    }
    let long = format!("?line={}", "1".repeat(200));
    assert_eq!(bench.found("viewer", &long).await.0, 400);
}

/// A masked list and a search by number would tell the number, digit by digit.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_in_full_and_searches_by_number_are_for_those_who_may_see_them_and_noted() {
    let mut config = config(tempfile::tempdir().unwrap().keep());
    config.node.name = "a".to_owned();
    let mut bench = Bench::of(config).await;
    let roles = vec![Role::Viewer, Role::Unmasked];
    let token = Token { roles, secret: format!("{TOKEN}sees"), ..Token::default() };
    let tokens = BTreeMap::from([
        ("sees".to_owned(), token),
        ("viewer".to_owned(), Token { roles: vec![Role::Viewer], secret: format!("{TOKEN}viewer"), ..Token::default() }),
    ]);
    bench.state.tokens.set(&Http { tokens, ..Http::default() }).unwrap();
    let his = bench.called(after(0), "12345", "13800138000", Some(Outcome::Answered)).await;
    bench.called(after(1), "12345", "13900139000", Some(Outcome::Answered)).await;
    let (_, page) = bench.found("viewer", "").await;
    assert!(page.to_string().contains("138******00") && !page.to_string().contains("13800138000"), "{page}");
    for query in ["?unmasked=true", "?caller=13800138000"] {
        let (status, problem) = bench.found("viewer", query).await;
        assert_eq!((status, &problem["needs"]), (403, &json!(["unmasked"])), "{query}");
    }
    let log = bench.folder.join("audit.log");
    assert!(!log.exists());
    let (_, page) = bench.found("sees", "?unmasked=true&line=12345").await;
    assert_eq!(page["records"][1]["caller"], "13800138000");
    let (_, page) = bench.found("sees", "?caller=%2B8613800138000").await;
    assert_eq!(page["records"].as_array().unwrap().len(), 1);
    assert!(page["records"][0]["call_id"] == *his && page["records"][0]["caller"] == "138******00", "{page}");
    assert_eq!(bench.found("sees", "?caller=anonymous").await.0, 400);
    let noted = std::fs::read_to_string(&log).unwrap();
    assert!(noted.contains("\"what\":\"line 12345\"") && noted.contains("caller +86*********00"), "{noted}");
    assert!(!noted.contains("138001380"), "{noted}");
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    assert_eq!(bench.found("sees", "?unmasked=true").await.0, 503, "what cannot be noted is not shown");
    bench.state.patience = SOON;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_read_at_once_and_no_more() {
    let bench = Bench::new().await;
    let places: Vec<_> = std::iter::from_fn(|| bench.state.intake.read()).take(100).collect();
    assert_eq!(places.len(), 4);
    let (status, problem) = bench.found("viewer", "").await;
    assert!(status == 503 && problem["detail"].as_str().unwrap().contains("ask again"), "{problem}");
    drop(places);
    assert_eq!(bench.found("viewer", "").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_record_is_shown_with_its_deliveries() {
    let bench = Bench::new().await;
    let call = bench.called(after(0), "12345", "13800138000", Some(Outcome::NoSeat)).await;
    let (status, shown) = bench.found("viewer", &format!("/{call}")).await;
    assert_eq!((status, &shown["record"]["call_id"], &shown["record"]["caller"]), (200, &json!(call), &json!("138******00")));
    assert!(shown["deliveries"].is_array(), "{shown}");
    let (status, problem) = bench.found("viewer", &format!("/{call}?unmasked=true")).await;
    assert_eq!((status, &problem["needs"]), (403, &json!(["unmasked"])));
    let (status, problem) = bench.found("viewer", "/0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80").await;
    assert!(status == 404 && problem["detail"].as_str().unwrap().starts_with("no call 0193583f"), "{problem}");
    for (path, role, want) in [("/x", "viewer", 400), ("/x?y=1", "viewer", 400), ("/x", "monitor", 403)] {
        assert_eq!(bench.found(role, path).await.0, want, "{path} {role}");
    }
}
