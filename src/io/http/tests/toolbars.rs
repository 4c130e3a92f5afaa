//! Tests of what toolbars follow, and of those that were made for another gateway.

use super::seats::{CHIEF, SEAT, asked, desk, get, post, tokens, view};
use super::*;
use crate::base::{CallId, Mono, Wall};
use crate::control::SeatVerb;
use crate::event::seat::{Author, AuthorKind, MissCause};
use crate::event::{SeatEntry, SeatWhat};
use crate::io::config::Adapter;
use crate::io::http::sessions::Sessions;
use crate::io::seat_log::SeatLog;
use serde_json::json;
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn line(n: u64, seat: &str, what: SeatWhat) -> SeatEntry {
    SeatEntry { n, seat: seat.into(), wall: Wall(1_638_288_000_000_000), mono: Mono(n), what }
}

fn call() -> CallId {
    "01890000-0000-7000-8000-000000000000".parse().unwrap()
}

fn missed() -> SeatWhat {
    SeatWhat::Missed { call: call(), cause: MissCause::NoAnswer }
}

fn ready() -> SeatWhat {
    SeatWhat::Ready { by: Author::gateway() }
}

/// As the journal has it.
fn told(what: Value) -> SeatWhat {
    serde_json::from_value(what).unwrap()
}

/// A stream of server-sent events, read one by one.
struct Reading {
    response: reqwest::Response,
    text: String,
}

impl Reading {
    async fn of(address: SocketAddr, path: &str, who: &str, last: Option<u64>) -> Reading {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let request = reqwest::Client::new().get(format!("http://{address}{path}")).bearer_auth(who);
        let request = last.into_iter().fold(request, |request, last| request.header("last-event-id", last));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Reading { response, text: String::new() }
    }

    /// (id, kind, data) of the next event; heartbeats are skipped.
    async fn next(&mut self) -> (u64, String, Value) {
        loop {
            while let Some((frame, rest)) = self.text.split_once("\n\n") {
                let of = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let found = of("data: ").map(|data| (of("id: ").unwrap().parse().unwrap(), of("event: ").unwrap(), data));
                self.text = rest.to_owned();
                if let Some((id, kind, data)) = found {
                    return (id, kind, serde_json::from_str(&data).unwrap());
                }
            }
            let more = tokio::time::timeout(Duration::from_secs(60), self.response.chunk()).await.expect("nothing came");
            self.text += std::str::from_utf8(&more.unwrap().expect("the stream ended")).unwrap();
        }
    }
}

#[tokio::test]
async fn a_seat_s_stream_tells_its_own_events_and_goes_on_where_its_reader_was() {
    let folder = tempfile::tempdir().unwrap();
    let (mut state, outlet) = desk_of(&tokens());
    state.audit = Arc::new(Audit::of(folder.path()));
    let desk = desk(&state, outlet, None);
    let address = serve(&state).await;
    let mut first = Reading::of(address, "/api/v1/seats/zhang/events?after=0", SEAT, None).await;
    state.seat_log.push(None, line(10, "zhang", ready()));
    state.seat_log.push(None, line(11, "li", ready()));
    let ringing = told(json!({ "ringing": { "call": call(), "leg": 1, "cause": "queue", "queue": "12345" } }));
    state.seat_log.push(None, line(12, "zhang", ringing));
    let (n, kind, event) = first.next().await;
    assert_eq!((n, kind.as_str(), &event["seat"]), (10, "ready", &json!("zhang")));
    assert_eq!(event["at"], "2021-12-01T00:00:00.000+08:00");
    let (n, kind, event) = first.next().await;
    assert_eq!((n, kind.as_str(), &event["data"]["cause"]), (12, "ringing", &json!("queue")));
    assert_eq!(event["call"]["caller"], "13800138000", "the seat rings back");
    drop(first);
    for n in 13..=20 {
        state.seat_log.push(None, line(n, "zhang", missed()));
    }
    let mut again = Reading::of(address, "/api/v1/seats/zhang/events", SEAT, Some(12)).await;
    for n in 13..=20 {
        assert_eq!(again.next().await.0, n);
    }
    let noted = std::fs::read_to_string(folder.path().join("audit.log")).unwrap();
    assert!(noted.lines().count() == 2 && noted.contains("own seat"), "{noted}");
    let asked = asked(&state, desk).await;
    assert!(asked.heard.iter().all(|(seat, by)| **seat == *"zhang" && *by.name == *"toolbar") && asked.heard.len() >= 2);
}

#[tokio::test]
async fn a_supervisor_follows_the_seats_of_its_queues_with_callers_masked() {
    let (state, outlet) = desk_of(&tokens());
    let desk = desk(&state, outlet, None);
    let address = serve(&state).await;
    let mut all = Reading::of(address, "/api/v1/seats/events?after=0", CHIEF, None).await;
    state.seat_log.push(None, line(1, "li", ready()));
    state.seat_log.push(None, line(2, "zhang", told(json!({ "talking": { "call": call(), "leg": 1 } }))));
    let (n, _, event) = all.next().await;
    assert_eq!((n, &event["seat"], &event["call"]["caller"]), (2, &json!("zhang"), &json!("138******00")));
    let ask = async |path: &str, who: &str| ask(&state, "GET", path, Some(who)).await.status;
    assert_eq!(ask("/api/v1/seats/li/events", CHIEF).await, 403);
    assert_eq!(ask("/api/v1/seats/nobody/events", CHIEF).await, 404);
    assert_eq!(ask("/api/v1/seats/events", SEAT).await, 403);
    assert_eq!(ask("/api/v1/seats/li/events", SEAT).await, 403);
    assert_eq!(ask("/api/v1/seats/events?unmasked=true", CHIEF).await, 403);
    assert_eq!(ask("/api/v1/seats/events?after=x", CHIEF).await, 400);
    let mut queues = Reading::of(address, "/api/v1/queues/events", CHIEF, None).await;
    let (_, kind, event) = queues.next().await;
    assert_eq!((kind.as_str(), event["queues"].as_array().unwrap().len()), ("queues", 1));
    assert_eq!(event["queues"][0]["waiting"], 3);
    assert!(asked(&state, desk).await.heard.is_empty(), "a supervisor is no toolbar");
}

#[tokio::test]
async fn one_that_was_away_for_too_long_is_told_of_the_gap_and_nobody_waits_for_it() {
    let (mut state, outlet) = desk_of(&tokens());
    state.seat_log = Arc::new(SeatLog::new(None, 0, 5));
    let _desk = desk(&state, outlet, None);
    for n in 1..=20 {
        state.seat_log.push(None, line(n, "zhang", missed()));
    }
    let address = serve(&state).await;
    let mut away = Reading::of(address, "/api/v1/seats/zhang/events", SEAT, Some(3)).await;
    let (n, kind, event) = away.next().await;
    assert_eq!((n, kind.as_str()), (3, "gap"));
    assert!(event["data"]["detail"].as_str().unwrap().contains("请先取快照"), "{event}");
    for n in 16..=20 {
        assert_eq!(away.next().await.0, n);
    }
    let mut close = Reading::of(address, "/api/v1/seats/zhang/events", SEAT, Some(15)).await;
    assert_eq!(close.next().await.1, "missed", "nothing was missed");
}

/// Its events fill all room on the way to it; what is left unread stays in the log.
#[tokio::test]
async fn one_that_reads_nothing_is_let_go_with_a_word_from_where_to_go_on() {
    const ALL: u64 = 12_000;
    let (mut state, outlet) = desk_of(&tokens());
    state.seat_log = Arc::new(SeatLog::new(None, 0, 20_000));
    let _desk = desk(&state, outlet, None);
    let text = "x".repeat(900);
    for n in 1..=ALL {
        let what = SeatWhat::Notice { text: text.as_str().into(), by: Author::gateway() };
        state.seat_log.push(None, line(n, "zhang", what));
    }
    let address = serve(&state).await;
    let mut stuck = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /api/v1/seats/zhang/events?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {SEAT}\r\nConnection: close\r\n\r\n"
    );
    stuck.write_all(request.as_bytes()).await.unwrap();
    tokio::time::pause();
    while state.intake.followers.cut_offs() == 0 {
        tokio::time::advance(Duration::from_millis(100)).await;
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1))).await.unwrap();
    }
    tokio::time::resume();
    let mut heard = String::new();
    stuck.read_to_string(&mut heard).await.unwrap();
    let ids: Vec<u64> = heard.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
    let (last, before) = ids.split_last().unwrap();
    assert!(heard.contains("event: end\ndata: ") && heard.contains("续接"), "{}", &heard[heard.len() - 300..]);
    assert!(*last < ALL && before.last() == Some(last), "{before:?} {last}");
    let mut again = Reading::of(address, "/api/v1/seats/zhang/events", SEAT, Some(*last)).await;
    assert_eq!(again.next().await.0, last + 1, "nothing is missing");
}

/// A number leaves in full to the seat that is to dial it and to nobody else, by whichever way it leaves, and it is noted.
#[tokio::test]
async fn the_number_of_a_preview_follows_one_rule_wherever_it_leaves() {
    const WANG: &str = "toolbar-of-wang-of-12345";
    const BOARD: &str = "the-board-on-the-wall";
    let folder = tempfile::tempdir().unwrap();
    let mut http = tokens();
    let wang = Token { roles: vec![Role::Seat], seat: "wang".to_owned(), secret: WANG.to_owned(), ..Token::default() };
    let board = Token { roles: vec![Role::Wallboard], secret: BOARD.to_owned(), ..Token::default() };
    http.tokens.extend([("wang".to_owned(), wang), ("board".to_owned(), board)]);
    let (mut state, outlet) = desk_of(&http);
    state.audit = Arc::new(Audit::of(folder.path()));
    let agents = BTreeMap::from([("1001".to_owned(), "wang".to_owned())]);
    Arc::get_mut(&mut state.intake).unwrap().adapter = Some(Sessions::of(&Adapter { enabled: true, agents }));
    let desk = desk(&state, outlet, None);
    let address = serve(&state).await;
    let preview = json!({ "preview": { "callback": null, "ticket": null, "hotline": "12345", "seconds": 30 } });
    state.seat_log.push(None, line(7, "wang", told(preview)));
    for (who, number) in [(WANG, "13800138000"), (CHIEF, "138******00")] {
        let number = json!(number);
        for times in 0..2 {
            let (status, reply) = post(&state, who, "wang/ready", r#"{"request_id": "one"}"#).await;
            assert_eq!((status, &reply["preview"]["to"]), (200, &number), "the verb's reply, {times}");
        }
        let (status, snapshot) = get(&state, who, "seats/wang").await;
        assert_eq!((status, &snapshot["seat"]["preview"]["to"]), (200, &number), "the snapshot");
        let mut stream = Reading::of(address, "/api/v1/seats/wang/events?after=0", who, None).await;
        let event = loop {
            match stream.next().await {
                (_, kind, event) if kind == "preview" => break event,
                (_, kind, _) => assert_eq!(kind, "gap"),
            }
        };
        assert_eq!(event["preview"]["to"], number, "the stream");
        let mut bar = Toolbar { state: &state, guid: String::new() };
        let password = format!(r#"{{"password": "{who}", "phonenum": "40038"}}"#);
        let signed_in = bar.code("PUT", "onlineagent/1001", &password).await == "0";
        assert_eq!(signed_in, who == WANG, "no other speaks there in the seat's place");
        if signed_in {
            state.seat_log.push(None, line(8, "wang", told(json!({ "talking": { "call": call(), "leg": 1 } }))));
            assert_eq!(bar.event().await["content"]["caller"], number, "the other gateway's words");
        }
    }
    let (status, queues) = get(&state, BOARD, "queues").await;
    assert!(status == 200 && !queues.to_string().contains("138"), "{queues}");
    for path in ["seats/wang", "seats", "seats/events", "calls", "callback-list", "records"] {
        assert_eq!(get(&state, BOARD, path).await.0, 403, "{path}");
    }
    let noted = std::fs::read_to_string(folder.path().join("audit.log")).unwrap();
    assert!(
        noted.lines().count() == 5 && noted.lines().all(|line| line.contains("wang") && line.contains("own seat")),
        "{noted}"
    );
    assert!(!noted.contains("13800138000"), "{noted}");
    asked(&state, desk).await;
}

/// A toolbar that was made for the other gateway.
struct Toolbar<'a> {
    state: &'a ApiState,
    guid: String,
}

impl Toolbar<'_> {
    async fn ask(&mut self, method: &str, path: &str, body: &str) -> Value {
        let address = serve(self.state).await;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("http://{address}/agentgateway/resource/{path}");
        let request = reqwest::Client::new().request(method.parse().unwrap(), url).header("guid", &self.guid);
        let response = request.body(body.to_owned()).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        if let Some(guid) = response.headers().get("set-guid") {
            self.guid = guid.to_str().unwrap().trim_start_matches("JSESSIONID=").to_owned();
        }
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    async fn code(&mut self, method: &str, path: &str, body: &str) -> String {
        self.ask(method, path, body).await["retcode"].as_str().unwrap().to_owned()
    }

    async fn event(&mut self) -> Value {
        self.ask("GET", "agentevent/1001", "").await["event"].clone()
    }
}

/// Each poll has one event, in the words of the other gateway.
async fn tells_of_a_call(bar: &mut Toolbar<'_>) {
    let by = Author { kind: AuthorKind::Seat, name: "toolbar".into() };
    let ringing = told(json!({ "ringing": { "call": call(), "leg": 1, "cause": "queue", "queue": "12345" } }));
    let lines = [
        SeatWhat::Ready { by },
        ringing,
        told(json!({ "talking": { "call": call(), "leg": 1 } })),
        told(json!({ "held": { "call": call(), "leg": 1 } })),
    ];
    for (n, what) in (1..).zip(lines) {
        bar.state.seat_log.push(None, line(n, "zhang", what));
    }
    let expected = ["AgentState_Ready", "AgentEvent_Ringing", "AgentEvent_Talking", "AgentEvent_Hold"];
    for (i, expected) in expected.into_iter().enumerate() {
        let event = bar.event().await;
        assert_eq!((&event["eventType"], &event["workNo"]), (&json!(expected), &json!("1001")), "{event}");
        if i == 2 {
            let content = json!({ "callid": call().to_string(), "caller": "13800138000", "called": "12345", "feature": "7",
                "type": "main", "mediaAbility": "1" });
            assert_eq!(event["content"], content);
        }
    }
}

#[tokio::test]
async fn a_toolbar_of_the_other_gateway_works_a_shift() {
    let (mut state, outlet) = desk_of(&tokens());
    let agents = BTreeMap::from([("1001".to_owned(), "zhang".to_owned()), ("1002".to_owned(), "li".to_owned())]);
    Arc::get_mut(&mut state.intake).unwrap().adapter = Some(Sessions::of(&Adapter { enabled: true, agents }));
    let desk = desk(&state, outlet, None);
    let mut bar = Toolbar { state: &state, guid: String::new() };
    assert_eq!(bar.code("POST", "onlineagent/1001/sayfree", "").await, "100-006", "it is not signed in");
    assert_eq!(bar.code("PUT", "onlineagent/1001", r#"{"password": "wrong", "phonenum": "40038"}"#).await, "000-003");
    assert_eq!(bar.code("PUT", "onlineagent/1001", r#"{"phonenum": "40038"}"#).await, "000-003");
    let password = format!(r#"{{"password": "{SEAT}", "phonenum": "40038", "status": 4, "autoanswer": false}}"#);
    assert_eq!(bar.code("PUT", "onlineagent/1002", &password).await, "000-001", "another's seat");
    let chief = password.replace(SEAT, CHIEF);
    assert_eq!(bar.code("PUT", "onlineagent/1001", &chief).await, "000-001", "a supervisor is not the person at the seat");
    assert!(bar.guid.is_empty());
    assert_eq!(bar.code("PUT", "onlineagent/1001", &password).await, "0");
    assert!(!bar.guid.is_empty());

    tells_of_a_call(&mut bar).await;
    for (method, path, body) in [
        ("POST", "onlineagent/1001/resetskill/true?phonelinkage=1", ""),
        ("POST", "onlineagent/1001/saybusy?reason=201", ""),
        ("POST", "onlineagent/1001/rest/601/3", ""),
        ("POST", "onlineagent/1001/cancelrest", ""),
        ("PUT", "voicecall/1001/answer", ""),
        ("POST", "voicecall/1001/hold", ""),
        ("POST", "voicecall/1001/gethold?callid=1", ""),
        ("POST", "voicecall/1001/transfer", r#"{"devicetype": 2, "address": "1002", "mode": 0}"#),
        ("POST", "voicecall/1001/transfer", r#"{"devicetype": "1", "address": "12366", "mode": "0"}"#),
        ("PUT", "voicecall/1001/callout", r#"{"called": "13900139000"}"#),
        ("DELETE", "voicecall/1001/release", ""),
        ("POST", "onlineagent/1001/work", ""),
        ("POST", "onlineagent/1001/cancelwork", ""),
        ("DELETE", "onlineagent/1001/logout", ""),
    ] {
        assert_eq!(bar.code(method, path, body).await, "0", "{method} {path}");
    }
    assert_eq!(bar.code("POST", "voicecall/1001/hold", "").await, "100-006", "signed out");
    assert_eq!(bar.code("POST", "onlineagent/1001/nonsense", "").await, "000-001");
    let asked = asked(&state, desk).await;
    let names: Vec<&str> = asked.verbs.iter().map(|(_, _, verb)| verb.name()).collect();
    let expected = [
        "login",
        "not-ready",
        "break",
        "end-break",
        "answer",
        "hold",
        "retrieve",
        "transfer",
        "transfer",
        "call",
        "hang-up",
        "wrap-up",
        "end-wrap-up",
        "logout",
    ];
    assert_eq!(names, expected);
    assert!(matches!(&asked.verbs[2].2, SeatVerb::Break { minutes: 11, reason } if **reason == *"3"));
    assert!(matches!(&asked.verbs[7].2, SeatVerb::Transfer { to, .. } if to == "seat:li"));
    assert!(matches!(&asked.verbs[8].2, SeatVerb::Transfer { to, .. } if to == "queue:12366"));
    assert_eq!(asked.heard.len(), 4, "each poll is a heartbeat");
}

#[tokio::test]
async fn a_toolbar_of_the_other_gateway_is_out_when_its_token_is_taken_away() {
    let (mut state, outlet) = desk_of(&tokens());
    let agents = BTreeMap::from([("1001".to_owned(), "zhang".to_owned())]);
    Arc::get_mut(&mut state.intake).unwrap().adapter = Some(Sessions::of(&Adapter { enabled: true, agents }));
    let _desk = desk(&state, outlet, None);
    let mut bar = Toolbar { state: &state, guid: String::new() };
    let password = format!(r#"{{"password": "{SEAT}", "phonenum": "40038", "status": 4, "autoanswer": false}}"#);
    assert_eq!(bar.code("PUT", "onlineagent/1001", &password).await, "0");
    assert_eq!(bar.code("POST", "voicecall/1001/hold", "").await, "0");
    let mut others = tokens();
    state.tokens.set(&others).unwrap();
    assert_eq!(bar.code("POST", "voicecall/1001/hold", "").await, "0", "a reload that leaves it alone ends nothing");
    others.tokens.remove("toolbar");
    state.tokens.set(&others).unwrap();
    assert_eq!(bar.code("POST", "voicecall/1001/hold", "").await, "100-006");
    state.tokens.set(&tokens()).unwrap();
    assert_eq!(bar.code("POST", "voicecall/1001/hold", "").await, "100-006", "it has to sign in again");
}

/// Its request waits for an event when the token goes: the event that comes then is not for it.
#[tokio::test]
async fn a_toolbar_of_the_other_gateway_that_waits_when_its_token_is_taken_away_is_told_nothing_more() {
    let (mut state, outlet) = desk_of(&tokens());
    let agents = BTreeMap::from([("1001".to_owned(), "zhang".to_owned())]);
    Arc::get_mut(&mut state.intake).unwrap().adapter = Some(Sessions::of(&Adapter { enabled: true, agents }));
    let switch = serve_switch(&state, outlet, Reply::Seat(Box::new(view("zhang", "12345"))));
    let mut bar = Toolbar { state: &state, guid: String::new() };
    let password = format!(r#"{{"password": "{SEAT}", "phonenum": "40038"}}"#);
    assert_eq!(bar.code("PUT", "onlineagent/1001", &password).await, "0");
    let before = switch.asked();
    let taken_away = async {
        // The heartbeat of the request that waits.
        while switch.asked() == before {
            tokio::task::yield_now().await;
        }
        let mut others = tokens();
        others.tokens.remove("toolbar");
        state.tokens.set(&others).unwrap();
        state.seat_log.push(None, line(1, "zhang", ready()));
    };
    let (answer, ()) = tokio::join!(bar.ask("GET", "agentevent/1001", ""), taken_away);
    assert_eq!((&answer["retcode"], &answer["event"]), (&json!("100-006"), &Value::Null), "{answer}");
}

#[tokio::test]
async fn a_toolbar_of_the_other_gateway_is_told_once_that_it_may_have_missed_something() {
    let (mut state, outlet) = desk_of(&tokens());
    state.seat_log = Arc::new(SeatLog::new(None, 0, 5));
    let agents = BTreeMap::from([("1001".to_owned(), "zhang".to_owned())]);
    Arc::get_mut(&mut state.intake).unwrap().adapter = Some(Sessions::of(&Adapter { enabled: true, agents }));
    let _desk = desk(&state, outlet, None);
    let mut bar = Toolbar { state: &state, guid: String::new() };
    let password = format!(r#"{{"password": "{SEAT}", "phonenum": "40038"}}"#);
    assert_eq!(bar.code("PUT", "onlineagent/1001", &password).await, "0");
    for n in 1..=20 {
        state.seat_log.push(None, line(n, "zhang", missed()));
    }
    let gap = bar.event().await;
    assert_eq!(gap["eventType"], "AgentOther_EventsMissed");
    assert!(gap["content"]["detail"].as_str().unwrap().contains("请先取快照"), "{gap}");
    for _ in 16..=20 {
        assert_eq!(bar.event().await["eventType"], "AgentEvent_No_Answer");
    }
    // Lines of others that come and go are none that it misses.
    for n in 21..=24 {
        state.seat_log.push(None, line(n, "li", missed()));
    }
    state.seat_log.push(None, line(25, "zhang", ready()));
    assert_eq!(bar.event().await["eventType"], "AgentState_Ready");
}

/// By a token that is a seat's and a supervisor's.
#[tokio::test]
async fn a_supervisor_s_toolbar_of_the_other_gateway_hears_and_is_told_what_there_is_to_tell() {
    let mut http = tokens();
    http.tokens.get_mut("toolbar").unwrap().roles.push(Role::Supervisor);
    let (mut state, outlet) = desk_of(&http);
    let folder = tempfile::tempdir().unwrap();
    state.audit = Arc::new(Audit::of(folder.path()));
    let agents = BTreeMap::from([("1001".to_owned(), "zhang".to_owned()), ("1002".to_owned(), "li".to_owned())]);
    Arc::get_mut(&mut state.intake).unwrap().adapter = Some(Sessions::of(&Adapter { enabled: true, agents }));
    let desk = desk(&state, outlet, None);
    let mut bar = Toolbar { state: &state, guid: String::new() };
    let password = format!(r#"{{"password": "{SEAT}", "phonenum": "40038"}}"#);
    assert_eq!(bar.code("PUT", "onlineagent/1001", &password).await, "0");
    let by = json!({ "kind": "supervisor", "name": "chief" });
    for (n, what, theirs) in [
        (1, json!("device_back"), "AgentOther_PhoneRelease"),
        (2, json!({ "supervised": { "call": call(), "mode": "whisper", "by": by } }), "AgentOther_Supervised"),
        (3, json!({ "preview": { "callback": null, "ticket": null, "hotline": "12345", "seconds": 30 } }), "AgentEvent_Preview"),
        (4, json!({ "preview_ended": { "why": "expired" } }), "AgentEvent_Preview_End"),
    ] {
        state.seat_log.push(None, line(n, "zhang", told(what)));
        assert_eq!(bar.event().await["eventType"], theirs);
    }
    for (method, path, body) in [
        ("PUT", "qualitycontrol/1001/addsupervise/1002", ""),
        ("POST", "qualitycontrol/1001/requestwhisperagent?whisperagentid=1002", ""),
        ("POST", "qualitycontrol/1001/requestswitchinsertwhisperagent?whisperagentid=1002&switchtype=1", ""),
        ("DELETE", "qualitycontrol/1001/1002", ""),
        ("PUT", "qualitycontrol/1001/intercept/1002/7-1", ""),
        ("POST", "qualitycontrol/1001/forcelogout/1002", ""),
        ("PUT", "recordplay/1001/record", ""),
        ("PUT", "calldata/1001/setcalldataex", r#"{"calldata": "工单 7"}"#),
        ("POST", "voicecall/1001/confleave", ""),
        ("PUT", "voicecall/1001/previewCallout", r#"{"called": "13800138000", "callcontrolid": 3}"#),
    ] {
        assert_eq!(bar.code(method, path, body).await, "0", "{method} {path}");
    }
    let verbs = asked(&state, desk).await.verbs;
    let given: Vec<String> = verbs.iter().skip(1).map(|(seat, _, verb)| format!("{seat} {}", verb.name())).collect();
    let expected = ["monitor", "whisper", "switch", "stop", "intercept"].map(|verb| format!("zhang {verb}"));
    let others = ["li logout", "zhang record", "zhang data", "zhang leave", "zhang call"].map(str::to_owned);
    assert_eq!(given, [expected, others].concat());
    assert!(matches!(&verbs[1].2, SeatVerb::Supervise { seat, .. } if **seat == *"li"));
}

#[tokio::test]
async fn the_other_gateway_s_paths_are_not_there_unless_they_are_wanted() {
    let answer = ask(&state(), "PUT", "/agentgateway/resource/onlineagent/1001", None).await;
    assert_eq!(answer.status, 404);
}
