//! Tests over real connections of what others follow, hand in and tell.

mod websocket;

use super::*;
use crate::base::{CallId, Mono, Wall};
use crate::control::Role;
use crate::event::{By, Entry, Offered, Result as Outcome, What};
use crate::io::config::plans::Loaded;
use crate::io::config::setup;
use crate::io::config::{Backend, Config, Http, Layers, Token};
use crate::io::http::intake::NotTaken;
use crate::io::journal::{self, Acceptance, Journal, Options, Outbox, Report};
use crate::io::{clock, inbox};
use crate::plan::Plan;
use crate::record::signature::Keys;
use crate::record::zone::Zone;
use axum::http::HeaderMap;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

mod found;
mod tags;

const SOON: Duration = Duration::from_secs(60);
const KEY: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
const NEXT_KEY: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY4";
const TOKEN: &str = "a-token-of-this-role-";

struct Bench {
    folder: PathBuf,
    journal: Journal,
    state: ApiState,
    address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
}

fn config(folder: PathBuf) -> Config {
    let mut config = Layers::new(None, BTreeMap::new()).merge().unwrap();
    config.node.state = folder;
    let keys = BTreeMap::from([("callback_keys".to_owned(), format!("{KEY} {NEXT_KEY}"))]);
    let backend =
        Backend { profile: "webhook".into(), url: "http://127.0.0.1:9".into(), credentials: keys, ..Backend::default() };
    config.records.backends = BTreeMap::from([("tickets".to_owned(), backend)]);
    config.records.feed_keep = 10_000;
    config.records.inbound_rate = 1000;
    config
}

fn open(config: &Config) -> (Journal, Arc<Intake>) {
    let (fed, newest) = watch::channel(0);
    let outbox = Outbox { backends: Vec::new(), feed: config.records.feed_keep };
    let report = move |report| {
        if let Report::Fed(newest) = report {
            fed.send_replace(newest);
        }
    };
    let options = Options { outbox, ..Options::new(config.journal()) };
    let (journal, _) = Journal::open(options, clock::now().wall, report).unwrap();
    let text = include_str!("../../../dialplans/xishuangbanna.toml");
    let plan = Plan::parse("xishuangbanna.toml", text, &crate::plan::built_in::load).unwrap();
    let loaded = Loaded { plan, prompts: Default::default(), warnings: Vec::new() };
    let live = Arc::new(setup::live(config, loaded).unwrap());
    let intake = Intake::new(config, &journal, newest, Arc::new(move || live.clone())).unwrap();
    (journal, Arc::new(intake))
}

/// For an interface at which nobody asks for it.
pub(super) fn intake() -> Arc<Intake> {
    let folder = tempfile::tempdir().unwrap();
    open(&config(folder.path().to_path_buf())).1
}

impl Bench {
    async fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap().keep();
        Bench::of(config(folder)).await
    }

    async fn of(config: Config) -> Bench {
        let (journal, intake) = open(&config);
        let seat = |role| if role == Role::Seat { "zhang".to_owned() } else { String::new() };
        let token = |role: Role| Token {
            roles: vec![role],
            seat: seat(role),
            secret: format!("{TOKEN}{}", role.name()),
            ..Token::default()
        };
        let mut tokens: BTreeMap<_, _> = Role::ALL.into_iter().map(|role| (role.name().to_owned(), token(role))).collect();
        tokens.insert(
            "both".into(),
            Token { roles: vec![Role::Feed, Role::Unmasked], secret: format!("{TOKEN}both"), ..Token::default() },
        );
        let http = Http { tokens, ..Http::default() };
        let (inbox, outlet) = inbox::inbox(4).unwrap();
        std::mem::forget(outlet);
        let state = ApiState {
            switch_figures: Arc::default(),
            inbox,
            requests: Arc::default(),
            done: Arc::default(),
            more: Arc::new(Vec::new),
            reload: Arc::new(|| Box::pin(async { Err(NotReloaded::Gone) })),
            tokens: Arc::new(Tokens::of(&http).unwrap()),
            intake,
            disk: Arc::new(crate::io::journal::disk::Disk::of("var/journal.db".into(), 0, 0, Arc::default())),
            audit: Arc::new(Audit::of(&config.node.state)),
            deliveries: Arc::default(),
            seat_log: Arc::default(),
            figures: Arc::default(),
            recordings: Arc::new(RecordingStore::of(&config).unwrap()),
            patience: SOON,
            fit: Default::default(),
            shortage: || None,
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = router(state.clone());
        let server = tokio::spawn(async move { axum::serve(listener, served).await.unwrap() });
        let _ = rustls::crypto::ring::default_provider().install_default();
        Bench { folder: config.node.state, journal, state, address, server }
    }

    /// The same journal under another process.
    async fn restarted(self) -> Bench {
        self.server.abort();
        self.journal.close();
        Bench::of(config(self.folder)).await
    }

    /// Adds calls of three events each, the odd ones of 12366.
    fn calls(&self, numbers: std::ops::Range<u64>) {
        for n in numbers {
            let number = if n % 2 == 0 { "12345" } else { "12366" }.to_owned();
            let caller = Some("13800138000".to_owned());
            let withheld = vec!["tourism".to_owned()];
            let offered = What::Offered(Box::new(Offered { number, caller, withheld, ..Offered::default() }));
            let ended = What::Ended { result: Outcome::Rejected, by: By::Gateway, status: Some(410), q850: Some(22) };
            for (seq, what) in (1..).zip([offered, ended]) {
                assert!(self.journal.appender().append(n, Entry { call: call(n), seq, wall: Wall(1), mono: Mono(0), what }));
            }
        }
    }

    async fn fed(&self, n: u64) {
        let mut newest = self.state.intake.feed.newest();
        timeout(SOON, newest.wait_for(|newest| *newest >= n)).await.unwrap().unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn follow(&self, path: &str, role: &str) -> Reader {
        let response = Client::new().get(self.url(path)).bearer_auth(format!("{TOKEN}{role}")).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        Reader { response, text: String::new() }
    }

    async fn refused(&self, path: &str, role: &str) -> (u16, String) {
        let response = Client::new().get(self.url(path)).bearer_auth(format!("{TOKEN}{role}")).send().await.unwrap();
        // The feed itself has no end.
        assert_ne!(response.status(), 200, "{path}");
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn hand_in(&self, record: &Value) -> (u16, Value) {
        let request = Client::new().post(self.url("/api/v1/records")).bearer_auth(format!("{TOKEN}source"));
        said(request.body(record.to_string())).await
    }

    async fn call_back(&self, id: &str, at: i64, key: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let sign = Keys::parse(key).unwrap().sign(id, at, body.as_bytes()).unwrap();
        let request = Client::new().post(self.url("/api/v1/callbacks/tickets")).header("webhook-id", id);
        said(request.header("webhook-timestamp", at).header("webhook-signature", sign).body(body)).await
    }

    fn reader(&self) -> journal::Reader {
        journal::Reader::open(self.journal.path(), Zone::default()).unwrap()
    }
}

async fn said(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

struct Reader {
    response: Response,
    text: String,
}

impl Reader {
    /// (id, type, data) of the next event; heartbeats are skipped.
    async fn next(&mut self) -> (u64, String, Value) {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let line = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let event = (line("id: "), line("event: "), line("data: "));
                self.text = rest.to_owned();
                let (Some(id), Some(kind), Some(data)) = event else { continue };
                return (id.parse().unwrap(), kind, serde_json::from_str(&data).unwrap());
            }
            let chunk = timeout(SOON, self.response.chunk()).await.unwrap().unwrap().expect("the feed has ended");
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn numbers(&mut self, many: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.len() < many {
            numbers.push(self.next().await.0);
        }
        numbers
    }
}

fn call(n: u64) -> CallId {
    CallId(Uuid::from_u128(0x7000_8000_0000_0000_0000 | u128::from(n)))
}

fn seconds() -> i64 {
    clock::now().wall.0 / 1_000_000
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_as_they_happen_of_the_lines_that_are_wanted_and_masked() {
    let bench = Bench::new().await;
    let mut all = bench.follow("/api/v1/events", "feed").await;
    let mut some = bench.follow("/api/v1/events?lines=12366,12315", "both").await;
    bench.calls(0..2);
    assert_eq!(all.numbers(5).await, [1, 2, 3, 4, 5]);
    let (n, kind, data) = all.next().await;
    assert_eq!((n, kind.as_str(), data["type"].as_str()), (6, "call.record", Some("call.record")));
    assert_eq!(data["data"]["caller"], "138******00");
    let (n, kind, data) = some.next().await;
    assert_eq!((n, kind.as_str(), data["data"]["caller"].as_str()), (4, "call.offered", Some("13800138000")));
    assert_eq!(bench.refused("/api/v1/events", "viewer").await.0, 403);
    assert_eq!(bench.refused("/api/v1/events?sinze=1", "feed").await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_misses_nothing_also_after_a_restart() {
    let bench = Bench::new().await;
    bench.calls(0..1000);
    bench.fed(3000).await;
    let mut first = bench.follow("/api/v1/events?since=0", "feed").await;
    assert_eq!(first.numbers(1500).await, (1..=1500).collect::<Vec<_>>());
    drop(first);
    let bench = bench.restarted().await;
    bench.calls(1000..1100);
    let request = Client::new().get(bench.url("/api/v1/events?since=7")).bearer_auth(format!("{TOKEN}feed"));
    let response = request.header("last-event-id", "1500").send().await.unwrap();
    let mut again = Reader { response, text: String::new() };
    assert_eq!(again.numbers(1800).await, (1501..=3300).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_gone_or_never_was_is_refused_with_what_to_do() {
    let mut config = config(tempfile::tempdir().unwrap().keep());
    config.records.feed_keep = 300;
    let bench = Bench::of(config).await;
    bench.calls(0..200);
    bench.fed(600).await;
    let (status, why) = bench.refused("/api/v1/events?since=5", "feed").await;
    assert!(status == 410 && why.contains("the oldest event that is kept is 213"), "{why}");
    let (status, why) = bench.refused("/api/v1/events?since=601", "feed").await;
    assert!(status == 410 && why.contains("its newest is 600"), "{why}");
    assert_eq!(bench.follow("/api/v1/events?since=0", "feed").await.next().await.0, 213);
}

/// One reads nothing at all, one a little at a time: the third has everything at once, and the journal goes on.
#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_hold_up_nobody() {
    let bench = Bench::new().await;
    let _stuck = bench.follow("/api/v1/events", "feed").await;
    let mut slow = bench.follow("/api/v1/events", "feed").await;
    let mut quick = bench.follow("/api/v1/events", "feed").await;
    bench.calls(0..3000);
    assert_eq!(quick.numbers(9000).await, (1..=9000).collect::<Vec<_>>());
    assert_eq!(bench.state.intake.feed.places.taken(), 3);
    assert_eq!(slow.numbers(9000).await, (1..=9000).collect::<Vec<_>>(), "from the journal, where it was left behind");
}

fn report() -> Value {
    json!({ "id": "sc-1", "hotline": "12366", "caller": "+8613800138000", "area": "532800",
        "start": "2021-12-01T08:00:00+08:00", "handed_to_queue": "2021-12-01T00:00:05Z",
        "answered": "2021-12-01T08:00:12+08:00", "ended": "2021-12-01T08:03:12.500+08:00", "result": "answered",
        "hangup_by": "caller", "seat": { "id": "7", "name": "李明" }, "ticket": { "id": "T9", "url": "https://sc.example/T9" },
        "survey": { "score": 3, "scale": 3 } })
}

/// A client that gave up waiting holds its place all the same, as long as the journal holds what it was handed.
#[tokio::test]
async fn what_waits_for_a_journal_that_is_down_is_bounded() {
    let bench = Bench::new().await;
    let mut handed = Vec::new();
    loop {
        let taken = bench.state.intake.taken(|_, tell| handed.push(tell));
        tokio::select! {
            biased;
            taken = taken => {
                assert_eq!(taken, Err(NotTaken::Busy));
                break;
            }
            () = std::future::ready(()) => {}
        }
    }
    assert_eq!(handed.len(), 256);
    handed.pop().unwrap()(Acceptance::NoSuchCall);
    let taken = bench.state.intake.taken(|_, tell| tell(Acceptance::NoSuchCall)).await;
    assert_eq!(taken, Ok(Acceptance::NoSuchCall));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_from_elsewhere_is_stored_once_and_is_like_any_other() {
    let bench = Bench::new().await;
    let mut feed = bench.follow("/api/v1/events?lines=12366", "feed").await;
    let (status, answer) = bench.hand_in(&report()).await;
    assert_eq!((status, answer["status"].as_str()), (201, Some("stored")));
    let call: CallId = answer["call_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(bench.hand_in(&report()).await, (200, json!({ "call_id": call.to_string(), "status": "known" })));
    let mut other = report();
    other["ended"] = json!("2021-12-01T08:04:00+08:00");
    assert_eq!(bench.hand_in(&other).await.0, 409);

    let (_, kind, event) = feed.next().await;
    assert_eq!((kind.as_str(), event["subject"].as_str()), ("call.record", answer["call_id"].as_str()));
    assert!(crate::io::http::schemas::EVENT.faults(&event).is_empty(), "{event:#}");
    let record = bench.reader().record(call).unwrap().unwrap();
    let shown = json!(record);
    assert_eq!(shown["reported_by"], json!({ "source": "source", "id": "sc-1" }));
    assert_eq!(shown["hotline"]["mode"], "sub-center");
    assert_eq!(shown["area"], json!({ "code": "532800", "name": "西双版纳傣族自治州", "phone": null, "source": "report" }));
    assert_eq!((&shown["caller"], &shown["caller_raw"]), (&json!("13800138000"), &json!("+8613800138000")));
    assert_eq!((record.announce_ms, record.queue_ms, record.talk_ms), (5000, 7000, 180_500));
    assert_eq!(shown["handed_to_queue"], "2021-12-01T08:00:05.000+08:00");
    assert_eq!(shown["tickets"], json!([{ "backend": "source", "id": "T9", "url": "https://sc.example/T9" }]));

    let bench = bench.restarted().await;
    assert_eq!(bench.hand_in(&report()).await.0, 200, "known after a restart too");
    let count =
        |bench: &Bench| bench.state.intake.metrics().into_iter().find(|m| m.name == "records_received_total").map(|m| m.labels);
    assert_eq!(count(&bench), None);
    bench
        .hand_in(&json!({ "id": "sc-2", "hotline": "12366", "start": "2021-12-01T08:00:00+08:00",
        "ended": "2021-12-01T08:00:09+08:00", "result": "abandoned_queue" }))
        .await;
    assert_eq!(count(&bench), Some(vec![("source", "source".to_owned()), ("line", "12366".to_owned())]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_record_is_told_at_its_place() {
    let bench = Bench::new().await;
    let mut wrong = report();
    (wrong["caller"], wrong["survey"]["score"]) = (json!("138 0013"), json!("good"));
    let (status, problem) = bench.hand_in(&wrong).await;
    let pointers =
        |problem: &Value| problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect::<Vec<_>>();
    assert_eq!((status, pointers(&problem)), (422, vec![json!("#/caller"), json!("#/survey/score")]));
    assert!(!problem.to_string().contains("138 0013"));
    let mut wrong = report();
    (wrong["answered"], wrong["caller_anonymous"]) = (json!("2021-12-01T07:00:00+08:00"), json!(true));
    let (status, problem) = bench.hand_in(&wrong).await;
    assert_eq!((status, pointers(&problem)), (422, vec![json!("#/answered"), json!("#/caller")]));
    assert_eq!(bench.hand_in(&json!("x".repeat(70_000))).await.0, 413);
    let torn = Client::new().post(bench.url("/api/v1/records")).bearer_auth(format!("{TOKEN}source")).body("{\"id\":");
    assert_eq!(said(torn).await.0, 400);
    let viewer = Client::new().post(bench.url("/api/v1/records")).bearer_auth(format!("{TOKEN}viewer")).body("{}");
    assert_eq!(said(viewer).await.0, 403);
    assert_eq!(bench.reader().records(None, 10).unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_has_its_rate() {
    let mut config = config(tempfile::tempdir().unwrap().keep());
    config.records.inbound_rate = 3;
    let bench = Bench::of(config).await;
    let mut refused = 0;
    for n in 0..20 {
        let mut record = report();
        record["id"] = json!(n.to_string());
        refused += u32::from(bench.hand_in(&record).await.0 == 429);
    }
    assert!(refused > 0, "nothing was refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_links_a_work_order_and_a_survey_once() {
    let bench = Bench::new().await;
    bench.calls(0..1);
    bench.fed(3).await;
    let mut feed = bench.follow("/api/v1/events", "feed").await;
    let body = json!({ "call_id": call(0).to_string(), "ticket": { "id": "GD1", "url": "https://t/GD1" },
        "survey": { "score": 2, "scale": 3 } });
    let at = seconds();
    assert_eq!(bench.call_back("m1", at, KEY, &body).await.0, 200);
    assert_eq!(bench.call_back("m1", at, KEY, &body).await.0, 409, "replayed");
    let (status, answer) = bench.call_back("m1", at + 1, NEXT_KEY, &body).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("known")), "sent again, with the key that comes");
    assert_eq!(bench.call_back("m2", at, KEY, &body).await.0, 200, "nothing new in it");
    let (n, kind, event) = feed.next().await;
    assert_eq!((n, kind.as_str(), event["sequence"].as_str()), (4, "ticket.linked", Some("0000002002")));
    assert_eq!(event["data"]["tickets"], json!([{ "backend": "tickets", "id": "GD1", "url": "https://t/GD1" }]));
    let (n, kind, event) = feed.next().await;
    assert_eq!((n, kind.as_str(), event["data"]["survey"]["score"].as_u64()), (5, "survey.received", Some(2)));
    assert_eq!(bench.reader().feed_ends().unwrap().1, 5);

    let bench = bench.restarted().await;
    assert_eq!(bench.call_back("m1", at, KEY, &body).await.0, 409, "replayed after a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_that_is_not_believed_changes_nothing() {
    let bench = Bench::new().await;
    bench.calls(0..1);
    bench.fed(3).await;
    let body = |call: &str| json!({ "call_id": call, "ticket": { "id": "GD1" } });
    let known = call(0).to_string();
    let stranger = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY5";
    assert_eq!(bench.call_back("m1", seconds(), stranger, &body(&known)).await.0, 401);
    assert_eq!(bench.call_back("m1", seconds() - 400, KEY, &body(&known)).await.0, 401);
    assert_eq!(bench.call_back("m1", seconds() + 400, KEY, &body(&known)).await.0, 401);
    assert_eq!(bench.call_back("m1", seconds(), KEY, &body(&call(9).to_string())).await.0, 404);
    let (status, problem) = bench.call_back("m2", seconds(), KEY, &body("nonsense")).await;
    assert_eq!((status, problem["errors"][0]["pointer"].as_str()), (422, Some("#/call_id")));
    for (n, url) in
        ["javascript:alert(1)", "http://t/\r\nSet-Cookie: x=1", "https://t.example@evil.example/", "http://"].iter().enumerate()
    {
        let told = json!({ "call_id": known, "ticket": { "id": "GD1", "url": url } });
        let (status, problem) = bench.call_back(&format!("u{n}"), seconds(), KEY, &told).await;
        assert_eq!((status, problem["errors"][0]["pointer"].as_str()), (422, Some("#/ticket/url")), "{url}");
    }
    let unsigned = Client::new().post(bench.url("/api/v1/callbacks/tickets")).body(body(&known).to_string());
    assert_eq!(said(unsigned).await.0, 401);
    let unknown = Client::new().post(bench.url("/api/v1/callbacks/nobody")).body("{}");
    assert_eq!(said(unknown).await.0, 404);
    assert_eq!(bench.reader().feed_ends().unwrap().1, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seats_link_leads_to_the_ticket_once_there_is_one() {
    let bench = Bench::new().await;
    bench.calls(0..1);
    bench.fed(3).await;
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let get = async |path: String| {
        let response = client.get(bench.url(&path)).send().await.unwrap();
        let text = |headers: &HeaderMap, name| headers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        (response.status().as_u16(), text(response.headers(), "location"), response.text().await.unwrap())
    };
    let (status, _, text) = get(format!("/t/{}", call(0))).await;
    assert!(status == 503 && text.contains("no ticket yet") && text.contains("尚无工单"), "{text}");
    let (status, _, text) = get(format!("/t/{}", call(1))).await;
    assert!(status == 404 && text.contains("no such call") && text.contains("没有该通话"), "{text}");
    assert_eq!(get("/t/nonsense".to_owned()).await.0, 404);
    let body = json!({ "call_id": call(0).to_string(), "ticket": { "id": "GD1", "url": "https://t/GD1" } });
    assert_eq!(bench.call_back("m1", seconds(), KEY, &body).await.0, 200);
    let (status, location, _) = get(format!("/t/{}", call(0))).await;
    assert_eq!((status, location.as_str()), (307, "https://t/GD1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_takes_so_much_news_and_no_more() {
    let bench = Bench::new().await;
    bench.calls(0..1);
    bench.fed(3).await;
    let mut last = Acceptance::Conflict;
    for n in 0..1100 {
        let updates =
            vec![crate::record::amendment::Update::Surveyed { score: 1 + (n % 3) as u8, scale: 3, source: n.to_string() }];
        let callback = crate::io::journal::Callback {
            backend: "tickets".into(),
            id: n.to_string(),
            seal: None,
            sent: Wall(1),
            call: call(0),
            updates,
        };
        last = bench.state.intake.taken(|journal, done| journal.called_back(callback, Duration::MAX, done)).await.unwrap();
        if last != Acceptance::New(call(0)) {
            break;
        }
    }
    assert_eq!((last, bench.reader().feed_ends().unwrap().1), (Acceptance::TooMany, 3 + 998));
}
