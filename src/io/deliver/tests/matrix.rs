//! Every fault at every stage, against a ticket system that acts as real ones do: the outcome is what the contract says,
//! and never is there more than one ticket.

use super::*;
use crate::base::CallId;
use crate::io::config;
use crate::io::journal::dead_letters::{DeadLetter, Decision, Replay, Selection};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PROFILE: &str = r#"
settle = "400ms"
events = ["call.record"]
[find]
method = "GET"
path = "/find?call={{ data.call_id | url }}"
ok = "status == 200 and body.items is sequence"
id = "/items/0"
[create]
method = "POST"
path = "/tickets"
body = '{ "call": {{ data.call_id }}, "result": {{ data.result }} }'
ok = "status == 200 and body.ok is true"
id = "/id"
[update.default]
method = "PUT"
path = "/tickets/{{ ticket | url }}"
body = '{ "result": {{ data.result }} }'
ok = "status == 200 and body.ok is true"
"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Find,
    Create,
    Update,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Answered so, and nothing done.
    Status(u16),
    /// Closed before the request was looked at.
    ResetBefore,
    /// Done, and closed without an answer.
    ResetAfter,
    /// Done, and closed in the middle of the answer.
    HalfBody,
    /// Done, and the answer comes a byte at a time, for longer than anybody waits.
    SlowLoris,
    /// Done, and a proxy's page under a 200.
    Page,
    /// Done, and JSON that breaks off under a 200.
    Torn,
    /// Nothing done, and a 200 that says so.
    Refusal,
}

const FAULTS: &[Fault] =
    &[Fault::ResetBefore, Fault::ResetAfter, Fault::HalfBody, Fault::SlowLoris, Fault::Page, Fault::Torn, Fault::Refusal];

const STATUSES: &[u16] = &[
    301, 302, 307, 400, 401, 403, 404, 405, 407, 408, 409, 410, 412, 413, 421, 422, 423, 425, 429, 495, 500, 501, 502, 503, 504,
    507,
];

/// The fate of the record, when the fault happens once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Delivered,
    Dead,
    /// Set aside, and tried again later.
    Aside,
}

fn fate(stage: Stage, fault: Fault) -> Fate {
    match (stage, fault) {
        (_, Fault::Status(300..=399 | 401 | 403)) => Fate::Aside,
        (_, Fault::Status(407 | 408 | 421 | 423 | 425 | 429 | 495 | 500..)) => Fate::Delivered,
        (Stage::Find, Fault::Status(404)) | (Stage::Update, Fault::Status(404 | 410)) => Fate::Delivered,
        (_, Fault::Status(_)) => Fate::Dead,
        // A search's refusal is no word about the event.
        (Stage::Find, Fault::Refusal) => Fate::Delivered,
        (_, Fault::Refusal) => Fate::Dead,
        _ => Fate::Delivered,
    }
}

/// Tickets by their number: call and result.
#[derive(Default)]
struct System {
    fault: Option<(Stage, Fault)>,
    tickets: BTreeMap<u64, (String, String)>,
}

type Shared = Arc<Mutex<System>>;

async fn system(fault: Option<(Stage, Fault)>) -> (SocketAddr, Shared) {
    let shared = Shared::new(Mutex::new(System { fault, ..System::default() }));
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let (address, known) = (listener.local_addr().unwrap(), shared.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, known.clone()));
        }
    });
    (address, shared)
}

async fn serve(mut stream: TcpStream, system: Shared) -> Option<()> {
    let mut read = Vec::new();
    loop {
        let (line, body) = request(&mut stream, &mut read).await?;
        let stage = match line.split(' ').next()? {
            "GET" => Stage::Find,
            "POST" => Stage::Create,
            _ => Stage::Update,
        };
        let fault = system.lock().unwrap().fault.take_if(|(at, _)| *at == stage).map(|(_, fault)| fault);
        let done =
            matches!(fault, None | Some(Fault::ResetAfter | Fault::HalfBody | Fault::SlowLoris | Fault::Page | Fault::Torn));
        let body = if done { system.lock().unwrap().act(stage, &line, &body) } else { String::new() };
        match fault {
            None => say(&mut stream, 200, body.as_bytes()).await?,
            Some(Fault::Status(code)) => say(&mut stream, code, b"{}").await?,
            Some(Fault::Page) => say(&mut stream, 200, b"<html>").await?,
            Some(Fault::Torn) => say(&mut stream, 200, b"{\"id\": 1, \"o").await?,
            Some(Fault::Refusal) => say(&mut stream, 200, b"{\"ok\": false}").await?,
            Some(Fault::ResetBefore | Fault::ResetAfter) => return None,
            Some(Fault::HalfBody) => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{body}");
                stream.write_all(head.as_bytes()).await.ok()?;
                return None;
            }
            Some(Fault::SlowLoris) => {
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                for byte in answer.into_bytes() {
                    stream.write_all(&[byte]).await.ok()?;
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

async fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<(String, Value)> {
    loop {
        let text = String::from_utf8_lossy(read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                let line = head.lines().next()?.to_owned();
                let body = serde_json::from_str(&body[..length]).unwrap_or(Value::Null);
                read.drain(..head.len() + 4 + length);
                return Some((line, body));
            }
        }
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
}

async fn say(stream: &mut TcpStream, code: u16, body: &[u8]) -> Option<()> {
    let head = format!("HTTP/1.1 {code} so\r\nlocation: /elsewhere\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).await.ok()
}

impl System {
    fn act(&mut self, stage: Stage, line: &str, body: &Value) -> String {
        let path = line.split(' ').nth(1).unwrap();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        match stage {
            Stage::Find => {
                let call = path.rsplit('=').next().unwrap();
                let found: Vec<_> = self.tickets.iter().filter(|(_, ticket)| ticket.0 == call).map(|(id, _)| *id).collect();
                serde_json::json!({ "items": found }).to_string()
            }
            Stage::Create => {
                let id = self.tickets.len() as u64 + 1;
                self.tickets.insert(id, (text("call"), text("result")));
                serde_json::json!({ "ok": true, "id": id }).to_string()
            }
            Stage::Update => {
                let ticket = path.rsplit('/').next().and_then(|id| self.tickets.get_mut(&id.parse().ok()?));
                ticket.unwrap().1 = text("result");
                serde_json::json!({ "ok": true }).to_string()
            }
        }
    }
}

fn target(dir: &TempDir, url: String, profile: &str) -> Target {
    let file = dir.path().join("profile.toml");
    std::fs::write(&file, profile).unwrap();
    let backend = config::Backend {
        profile: file.display().to_string(),
        url,
        timeout: Duration::from_millis(1_500),
        credentials: BTreeMap::from([("id".to_owned(), "hotline".to_owned()), ("secret".to_owned(), "s".to_owned())]),
        ..config::Backend::default()
    };
    Target::backend("main", &backend, Zone::default()).unwrap()
}

/// A ticket that is there already makes the first request after the search an update.
fn known(system: &Shared, call: CallId) {
    system.lock().unwrap().tickets.insert(1, (call.to_string(), String::new()));
}

async fn case(stage: Stage, fault: Fault) {
    let dir = tempfile::tempdir().unwrap();
    let (address, system) = system(Some((stage, fault))).await;
    if stage == Stage::Update {
        known(&system, call(1));
    }
    let gateway = gateway_with(&dir, target(&dir, format!("http://{address}"), PROFILE));
    gateway.one_call(1);
    let fate = fate(stage, fault);
    match fate {
        Fate::Delivered => gateway.settled(1, "done").await,
        Fate::Dead => gateway.settled(1, "dead").await,
        Fate::Aside => {
            gateway.until(1, |d| d.state == "pending" && d.attempts == 1).await;
            // Nobody else waits for it.
            gateway.one_call(2);
            gateway.settled(2, "done").await;
            system.lock().unwrap().tickets.clear();
        }
    }
    gateway.stop().await;
    let tickets: Vec<_> = system.lock().unwrap().tickets.values().cloned().collect();
    assert!(tickets.len() <= 1, "{stage:?} {fault:?}: {tickets:?}");
    if fate == Fate::Delivered {
        assert_eq!(tickets, [(call(1).to_string(), "rejected".to_owned())], "{stage:?} {fault:?}");
    }
}

const AT_ONCE: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_fault_at_every_stage_ends_as_the_table_says() {
    let faults: Vec<Fault> = FAULTS.iter().copied().chain(STATUSES.iter().map(|code| Fault::Status(*code))).collect();
    let stages = [Stage::Find, Stage::Create, Stage::Update];
    let all: Vec<_> = stages.iter().flat_map(|stage| faults.iter().map(|fault| (*stage, *fault))).collect();
    assert_eq!(all.len(), 99);
    let mut cases = JoinSet::new();
    for (stage, fault) in all {
        // Each has a gateway with a journal: a slow machine runs so many within their time.
        if cases.len() == AT_ONCE {
            cases.join_next().await.unwrap().unwrap();
        }
        cases.spawn(case(stage, fault));
    }
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway_with(&dir, target(&dir, "http://nobody.invalid".to_owned(), PROFILE));
    gateway.one_call(1);
    gateway.until(1, |d| d.state == "pending" && d.attempts > 0).await;
    gateway.stop().await;
}

/// A delivery that is set aside is listed, tried again before its time, and given up; the call's later events go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_decides_about_what_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (address, system) = system(Some((Stage::Create, Fault::Status(403)))).await;
    let gateway = gateway_with(&dir, target(&dir, format!("http://{address}"), PROFILE));
    gateway.one_call(1);
    gateway.until(1, |d| d.state == "pending" && d.attempts == 1).await;
    let refused = gateway.refused();
    assert_eq!((refused.len(), refused[0].state.as_str(), refused[0].error.as_deref()), (1, "aside", Some("HTTP 403: {}")));
    let waiting = || gateway.journal.reader(Zone::default()).unwrap().backlog(clock::now().wall).unwrap();
    assert_eq!(waiting().iter().map(|b| (b.backend.as_str(), b.calls, b.aside, b.dead)).collect::<Vec<_>>(), [("main", 1, 1, 0)]);
    assert!(waiting()[0].oldest_seconds > 1_000_000);
    assert_eq!(gateway.decide(Decision::Retry(Selection::default())), 1);
    assert!(gateway.refused().is_empty());
    // The gateway finds it when it looks next.
    gateway.one_call(2);
    gateway.settled(1, "done").await;
    gateway.settled(2, "done").await;
    system.lock().unwrap().fault = Some((Stage::Create, Fault::Status(401)));
    gateway.one_call(3);
    gateway.until(3, |d| d.state == "pending" && d.attempts == 1).await;
    assert_eq!(gateway.decide(Decision::Drop(Selection { backend: None, call: Some(call(2)) })), 0);
    assert_eq!(gateway.decide(Decision::Drop(Selection { backend: Some("main".into()), call: None })), 1);
    gateway.until(3, |d| d.state == "dropped").await;
    assert!(gateway.refused().is_empty() && waiting().is_empty());
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_retried_dropped_and_records_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let (address, system) = system(Some((Stage::Create, Fault::Status(422)))).await;
    let gateway = gateway_with(&dir, target(&dir, format!("http://{address}"), PROFILE));
    gateway.one_call(1);
    gateway.settled(1, "dead").await;
    let dead = gateway.refused();
    assert_eq!((dead.len(), dead[0].error.as_deref()), (1, Some("HTTP 422: {}")));
    assert_eq!(gateway.decide(Decision::Retry(Selection { backend: Some("other".into()), call: None })), 0);
    assert_eq!(gateway.decide(Decision::Retry(Selection { backend: None, call: Some(call(1)) })), 1);
    gateway.one_call(2);
    gateway.settled(1, "done").await;
    gateway.settled(2, "done").await;

    let since = Wall(0);
    assert_eq!(gateway.own(since).len(), 2);
    gateway.until(1, |d| d.state == "done").await;
    system.lock().unwrap().fault = Some((Stage::Update, Fault::Refusal));
    assert_eq!(gateway.decide(Decision::Replay(Replay { backend: "main".into(), calls: gateway.own(since) })), 2);
    gateway.one_call(3);
    gateway.settled(3, "done").await;
    let both = async {
        while gateway.refused().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), both).await.unwrap();
    assert_eq!(gateway.decide(Decision::Drop(Selection::default())), 1);
    assert!(gateway.refused().is_empty());
    gateway.stop().await;
    assert_eq!(system.lock().unwrap().tickets.len(), 3);
}

impl Gateway {
    fn decide(&self, decision: Decision) -> usize {
        let (done, decided) = std::sync::mpsc::channel();
        self.journal.settler().decide(decision, move |count| done.send(count).unwrap());
        decided.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    fn refused(&self) -> Vec<DeadLetter> {
        self.journal.reader(Zone::default()).unwrap().dead_letters(&Selection::default()).unwrap()
    }

    /// Calls of the backend `main` that have ended.
    fn own(&self, since: Wall) -> Vec<CallId> {
        let ended = self.journal.reader(Zone::default()).unwrap().ended_calls("main", since).unwrap();
        ended.into_iter().filter(|ended| ended.its_own).map(|ended| ended.call).collect()
    }
}

/// A token system: each token holds for two requests.
#[derive(Clone, Default)]
struct Tokens(Arc<Mutex<(u32, u32)>>);

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_asked_for_anew_and_nothing_waits() {
    let tokens = Tokens::default();
    let give = |State(tokens): State<Tokens>, body: String| async move {
        assert_eq!(body, "grant_type=client_credentials&client_id=hotline&client_secret=s");
        let mut tokens = tokens.0.lock().unwrap();
        *tokens = (tokens.0 + 1, 0);
        format!("{{\"access_token\": \"t{}\"}}", tokens.0)
    };
    let take = |State(tokens): State<Tokens>, headers: HeaderMap| async move {
        let mut tokens = tokens.0.lock().unwrap();
        tokens.1 += 1;
        let good = headers["authorization"] == format!("Bearer t{}", tokens.0) && tokens.1 <= 2;
        if good { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
    };
    let routes = Router::new().route("/token", post(give)).route("/records", post(take)).with_state(tokens.clone());
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let profile = "[auth]\nkind = 'oauth2'\nurl = '{{ base }}/token'\nid = '{{ secret.id }}'\nsecret = '{{ secret.secret }}'\n\
                   [create]\nmethod = 'POST'\npath = '/records'\n";
    let dir = tempfile::tempdir().unwrap();
    let mut backend = target(&dir, format!("http://{address}"), profile);
    (backend.limits.in_flight, backend.timeout) = (1, Duration::from_secs(10));
    let gateway = gateway_with(&dir, backend);
    for n in 1..=6 {
        gateway.one_call(n);
        gateway.settled(n, "done").await;
    }
    gateway.stop().await;
    assert_eq!(tokens.0.lock().unwrap().0, 3, "two requests a token");
}
