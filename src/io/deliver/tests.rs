mod matrix;

use super::*;
use crate::base::trap::{self, Trap};
use crate::base::{CallId, Wall};
use crate::event::{By, Entry, Offered, Result as CallResult, What};
use crate::io::config::Webhook;
use crate::io::journal::{Delivery, Reader};
use crate::io::journal::{Options, Outbox, Report};
use crate::io::metrics::Metric;
use crate::record::signature::Keys;
use crate::record::zone::Zone;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use bytes::Bytes;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::timeout;
use uuid::Uuid;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

/// A ticket system that answers as scripted, and well when the script has ended.
#[derive(Clone)]
struct Stub {
    script: Arc<Mutex<VecDeque<Reply>>>,
    seen: mpsc::UnboundedSender<(HeaderMap, Bytes)>,
}

#[derive(Clone, Copy)]
enum Reply {
    Status(u16),
    Silence,
}

async fn take(State(stub): State<Stub>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let reply = stub.script.lock().unwrap().pop_front().unwrap_or(Reply::Status(200));
    stub.seen.send((headers, body)).unwrap();
    match reply {
        Reply::Status(code) => StatusCode::from_u16(code).unwrap(),
        Reply::Silence => std::future::pending().await,
    }
}

type Seen = mpsc::UnboundedReceiver<(HeaderMap, Bytes)>;

async fn stub(listen: SocketAddr, script: &[Reply]) -> (SocketAddr, Seen) {
    let (seen, requests) = mpsc::unbounded_channel();
    let stub = Stub { script: Arc::new(Mutex::new(script.iter().copied().collect())), seen };
    let listener = TcpListener::bind(listen).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", post(take)).with_state(stub)).await });
    (address, requests)
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

struct Gateway {
    journal: Journal,
    deliverers: Vec<Deliverer>,
}

fn gateway(dir: &TempDir, to: SocketAddr, all_events: bool) -> Gateway {
    let timeout = Duration::from_millis(300);
    let webhook = Webhook {
        url: format!("http://{to}/hook?token=secret"),
        timeout,
        all_events,
        secret: SECRET.into(),
        ..Webhook::default()
    };
    gateway_with(dir, Target::webhook(&webhook, Zone::default()).unwrap())
}

fn gateway_with(dir: &TempDir, target: Target) -> Gateway {
    gateway_of(dir, vec![target])
}

fn gateway_of(dir: &TempDir, targets: Vec<Target>) -> Gateway {
    let backends = targets.iter().map(Target::outbox).collect();
    let options = Options { outbox: Outbox { backends, feed: 1000 }, ..Options::new(dir.path().join("journal.db")) };
    let wakes: Vec<_> = targets.iter().map(|_| Arc::new(Notify::new())).collect();
    let posted = wakes.clone();
    let report = move |report| {
        if report == Report::Posted {
            posted.iter().for_each(|wake| wake.notify_one());
        }
    };
    let (journal, _) = Journal::open(options, clock::now().wall, report).unwrap();
    let start = |(target, wake)| Deliverer::start(&Handle::current(), &journal, target, wake, Rng::from_number(5)).unwrap();
    let deliverers = targets.into_iter().zip(wakes).map(start).collect();
    Gateway { journal, deliverers }
}

fn call(n: u128) -> CallId {
    // As old as can be, and a UUIDv7.
    CallId(Uuid::from_u128(0x7000_8000_0000_0000_0000 | n))
}

impl Gateway {
    fn one_call(&self, n: u128) {
        let offered = What::Offered(Box::new(Offered { leg: 1, node: "a".into(), ..Offered::default() }));
        let ended = What::Ended { result: CallResult::Rejected, by: By::Gateway, status: Some(410), q850: Some(22) };
        for (seq, what) in (1..).zip([offered, ended]) {
            let now = clock::now();
            assert!(
                self.journal.appender().append(seq.into(), Entry { call: call(n), seq, wall: now.wall, mono: now.mono, what })
            );
        }
    }

    async fn settled(&self, n: u128, state: &str) {
        self.until(n, |d| d.event == "call.record" && d.state == state).await;
    }

    async fn until(&self, n: u128, wanted: impl Fn(&Delivery) -> bool) {
        let reader = Mutex::new(Reader::open(self.journal.path(), Zone::default()).unwrap());
        let wanted = async {
            while !reader.lock().unwrap().deliveries(call(n)).unwrap().iter().any(&wanted) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(Duration::from_secs(60), wanted).await.unwrap();
    }

    async fn stop(self) {
        for deliverer in self.deliverers {
            deliverer.stop().await;
        }
        self.journal.close();
    }
}

async fn next(seen: &mut Seen) -> (HeaderMap, Bytes) {
    timeout(Duration::from_secs(20), seen.recv()).await.unwrap().unwrap()
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_arrives_signed_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let (address, mut seen) = stub(any_port(), &[]).await;
    let gateway = gateway(&dir, address, false);
    gateway.one_call(1);
    let (headers, raw) = next(&mut seen).await;
    let body = json(&raw);
    assert_eq!(
        (&body["type"], &body["data"]["result"], &body["data"]["sip_code"]),
        (&"call.record".into(), &"rejected".into(), &410.into())
    );
    assert_eq!(headers["content-type"], "application/cloudevents+json; charset=utf-8");
    assert_eq!(headers["webhook-id"], body["id"].as_str().unwrap());
    let seconds: i64 = headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
    let signature = Keys::parse(SECRET).unwrap().sign(body["id"].as_str().unwrap(), seconds, &raw).unwrap();
    assert!(headers["webhook-signature"] == signature.as_str() && seconds > 1_700_000_000);
    gateway.settled(1, "done").await;
    gateway.stop().await;
    assert!(seen.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_silence_are_retried_with_the_same_id() {
    let dir = tempfile::tempdir().unwrap();
    let (address, mut seen) = stub(any_port(), &[Reply::Status(503), Reply::Silence]).await;
    let gateway = gateway(&dir, address, false);
    gateway.one_call(1);
    let first = next(&mut seen).await.0["webhook-id"].clone();
    for _ in 0..2 {
        assert_eq!(next(&mut seen).await.0["webhook-id"], first);
    }
    gateway.settled(1, "done").await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_is_a_dead_letter_and_the_next_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (address, _seen) = stub(any_port(), &[Reply::Status(422)]).await;
    let gateway = gateway(&dir, address, false);
    gateway.one_call(1);
    gateway.settled(1, "dead").await;
    gateway.one_call(2);
    gateway.settled(2, "done").await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_backend_gets_everything_when_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let free = TcpListener::bind(any_port()).await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let first = gateway(&dir, address, false);
    (1..=300).for_each(|n| first.one_call(n));
    first.until(1, |d| d.attempts > 0).await;
    first.stop().await;

    let second = gateway(&dir, address, false);
    (301..=400).for_each(|n| second.one_call(n));
    let (_, mut seen) = stub(address, &[]).await;
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..400 {
        assert!(ids.insert(json(&next(&mut seen).await.1)["subject"].as_str().unwrap().to_owned()), "once each");
    }
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_events_of_a_call_come_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (address, mut seen) = stub(any_port(), &[]).await;
    let gateway = gateway(&dir, address, true);
    (1..=20).for_each(|n| gateway.one_call(n));
    for n in 1..=20 {
        gateway.settled(n, "done").await;
    }
    gateway.stop().await;
    let mut last = std::collections::BTreeMap::new();
    while let Ok((_, body)) = seen.try_recv() {
        let event = json(&body);
        let sequence = event["sequence"].as_str().unwrap().to_owned();
        assert!(last.insert(event["subject"].as_str().unwrap().to_owned(), sequence.clone()) < Some(sequence));
    }
    assert!(last.len() == 20 && last.values().all(|sequence| sequence == "0000002001"));
}

#[test]
fn an_answer_may_ask_for_patience_by_seconds_and_by_each_form_of_date() {
    let wait = |text: &str| {
        let now = Wall(784_111_777_000_000);
        sender::retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]), now).map(|wait| wait.as_secs())
    };
    assert_eq!(wait("120"), Some(120));
    assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
    assert_eq!(wait("Sunday, 06-Nov-94 08:50:37 GMT"), Some(60));
    assert_eq!(wait("Sun Nov  6 08:50:37 1994"), Some(60));
    assert_eq!(wait("Sun Nov 16 08:49:37 1994"), Some(864_000));
    assert_eq!(wait("Mon, 06 Nov 1994 08:50:37 GMT"), Some(60), "the wrong day of the week");
    assert_eq!(wait("Sunday, 06-Nov-40 08:50:37 GMT").map(|s| s / 86_400 / 365), Some(46), "2040");
    assert_eq!(wait("Sunday, 06-Nov-45 08:50:37 GMT"), None, "1945");
    for past in ["Sun, 06 Nov 1994 08:00:00 GMT", "Sunday, 06-Nov-94 08:00:00 GMT", "Sun Nov  6 08:00:00 1994"] {
        assert_eq!(wait(past), None);
    }
    assert_eq!(wait("soon"), None);
}

#[tokio::test]
async fn records_go_by_way_of_the_proxy_that_is_named() {
    // A proxy is told the whole address in the request line (RFC 9112 §3.2.2).
    let (asked, mut requests) = mpsc::unbounded_channel();
    let proxy = move |uri: axum::http::Uri, headers: HeaderMap| async move {
        let user = headers.get("proxy-authorization").map(|value| value.to_str().unwrap().to_owned());
        asked.send((uri.to_string(), user)).unwrap();
    };
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(proxy)).await });

    let dir = tempfile::tempdir().unwrap();
    let webhook = Webhook {
        url: "http://tickets.invalid/hook".into(),
        timeout: Duration::from_secs(5),
        proxy: format!("http://me:pass@{address}"),
        ..Webhook::default()
    };
    let gateway = gateway_with(&dir, Target::webhook(&webhook, Zone::default()).unwrap());
    gateway.one_call(1);
    let (uri, user) = timeout(Duration::from_secs(10), requests.recv()).await.unwrap().unwrap();
    assert_eq!((uri.as_str(), user.as_deref()), ("http://tickets.invalid/hook", Some("Basic bWU6cGFzcw==")));
    gateway.settled(1, "done").await;
}

/// A machine that was ahead or behind for years when a retry was planned, under this release and the one before.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_planned_by_a_wrong_clock_is_neither_waited_for_nor_given_up() {
    const YEAR: i64 = 365 * 86_400_000_000;
    let today = clock::now().wall.0;
    let before =
        "DROP TABLE seat_entries; DROP TABLE facts; ALTER TABLE calls RENAME COLUMN chosen TO backends; DROP TABLE recipients;
        DROP TABLE header; DROP TABLE damaged; ALTER TABLE entries DROP COLUMN sum; ALTER TABLE postscripts DROP COLUMN sum;
        PRAGMA user_version = 7; PRAGMA application_id = 0;";
    for (next_at, since, older) in [
        (today + 3 * YEAR, Some(today + 3 * YEAR), true),
        (today - 3 * YEAR, Some(today - 3 * YEAR), true),
        (1_000_000, Some(1_000_000), true),
        (today + 3 * YEAR, None, false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (address, _seen) = stub(any_port(), &[Reply::Status(503); 50]).await;
        let first = gateway(&dir, address, false);
        first.one_call(1);
        first.until(1, |d| d.attempts > 0).await;
        first.stop().await;
        let wrong = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
        let planned = "UPDATE lanes SET next_at = ?1, since = ifnull(?2, since), attempts = 0";
        assert_eq!(wrong.execute(planned, rusqlite::params![next_at, since]).unwrap(), 1);
        wrong.execute_batch(if older { before } else { "" }).unwrap();
        drop(wrong);
        let (address, _seen) = stub(any_port(), &[Reply::Status(503)]).await;
        let second = gateway(&dir, address, false);
        timeout(Duration::from_secs(30), second.settled(1, "done")).await.unwrap();
        second.stop().await;
    }
}

#[tokio::test]
async fn a_panic_about_one_call_stops_no_other_delivery() {
    let dir = tempfile::tempdir().unwrap();
    let (address, _seen) = stub(any_port(), &[Reply::Status(200); 10]).await;
    let gateway = gateway(&dir, address, false);
    // The driver runs on this thread.
    trap::set(Trap::Scheduler, 0);
    gateway.one_call(1);
    while trap::is_set() {
        sleep(Duration::from_millis(2)).await;
    }
    for n in 2..4 {
        gateway.one_call(n);
    }
    for n in 1..4 {
        gateway.settled(n, "done").await;
    }
    let counted = |name: &str| {
        let ours = |metric: &&Metric| metric.name == name && metric.labels == [("thread", "delivery".to_owned())];
        threads::metrics().iter().find(ours).map(|metric| metric.value)
    };
    assert_eq!((counted("thread_panics_total"), counted("threads_replaced_total")), (Some(1), Some(0)));
    gateway.stop().await;
}

/// As many calls as a deliverer handles at once, and more, hang at one backend: the other knows nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_never_answers_delays_no_other() {
    const CALLS: u128 = 100;
    let dir = tempfile::tempdir().unwrap();
    let (silent, mut unanswered) = stub(any_port(), &[Reply::Silence; 4 * CALLS as usize]).await;
    let (well, mut seen) = stub(any_port(), &[]).await;
    let target = |name: &str, to: SocketAddr| {
        let url = format!("http://{to}/hook");
        let webhook = Webhook { url, timeout: Duration::from_secs(300), secret: SECRET.into(), ..Webhook::default() };
        let mut target = Target::webhook(&webhook, Zone::default()).unwrap();
        target.name = name.to_owned();
        target
    };
    let gateway = gateway_of(&dir, vec![target("silent", silent), target("well", well)]);
    (0..CALLS).for_each(|n| gateway.one_call(n));
    let mut told = std::collections::BTreeSet::new();
    for _ in 0..CALLS {
        told.insert(json(&next(&mut seen).await.1)["subject"].as_str().unwrap().to_owned());
    }
    assert_eq!(told.len(), CALLS as usize);
    assert!(unanswered.try_recv().is_ok(), "the other was asked too");
    // It would wait for its answers.
    gateway.deliverers.into_iter().for_each(drop);
    gateway.journal.close();
}
