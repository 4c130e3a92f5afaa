//! Tests of the verbs of seats' toolbars, by requests.

use super::*;
use crate::base::Wall;
use crate::control::seat::{DeviceState, PreviewView, SeatView};
use crate::control::{CallView, QueueView, SeatRefusal, SeatVerb};
use crate::event::fact::{CallbackFact, CallbackLease};
use crate::event::seat::{Author, AuthorKind, Device};
use crate::event::{CallDirection, DialledFrom, Intent};
use serde_json::json;

pub(super) const SEAT: &str = "toolbar-of-zhang";
pub(super) const CHIEF: &str = "supervisor-of-12345";

/// Zhang's toolbar, and a supervisor of one queue.
pub(super) fn tokens() -> Http {
    let seat = Token { roles: vec![Role::Seat], seat: "zhang".to_owned(), secret: SEAT.to_owned(), ..Token::default() };
    let queues = vec!["12345".to_owned()];
    let chief = Token { roles: vec![Role::Supervisor], queues, secret: CHIEF.to_owned(), ..Token::default() };
    Http { tokens: [("toolbar".to_owned(), seat), ("chief".to_owned(), chief)].into(), ..Http::default() }
}

pub(super) fn view(seat: &str, queue: &str) -> SeatView {
    SeatView {
        seat: seat.into(),
        label: Some("张敏".into()),
        intent: Intent::Ready,
        since: Duration::from_secs(60),
        left: None,
        overdue: false,
        next: None,
        by: Author::seat(&seat.into()),
        device: DeviceState::Idle,
        phone: Device::Sip,
        skills: Default::default(),
        auto_answer: false,
        missed: Default::default(),
        queues: vec![queue.into()],
        preview: None,
        calls: Vec::new(),
        n: 41,
    }
}

/// All that the switch was asked to change.
#[derive(Default)]
pub(super) struct Asked {
    pub verbs: Vec<(Arc<str>, Author, SeatVerb)>,
    /// The toolbars that were said to be there.
    pub heard: Vec<(Arc<str>, Author)>,
}

type Desk = tokio::task::JoinHandle<Asked>;

/// Knows two seats of two queues, one that is to call somebody, and any call, and refuses verbs with `refuse`.
pub(super) fn desk(state: &ApiState, outlet: Outlet, refuse: Option<SeatRefusal>) -> Desk {
    let requests = state.requests.clone();
    tokio::spawn(async move {
        let mut asked = Asked::default();
        loop {
            match outlet.take() {
                Some(Input::Command { command: Command::Heard { seat, by }, .. }) => asked.heard.push((seat, by)),
                Some(Input::Command { id, command: Command::Seat { seat, by, verb } }) => {
                    requests.answer(id, refuse.map_or_else(|| seat_of(&seat), |why| Reply::Refused(Why::Seat(why))));
                    asked.verbs.push((seat, by, *verb));
                }
                Some(Input::Command { id, command }) => requests.answer(id, looked(command)),
                Some(Input::End) => return asked,
                _ => tokio::task::yield_now().await,
            }
        }
    })
}

fn seat_of(seat: &str) -> Reply {
    match seat {
        "zhang" => Reply::Seat(Box::new(view("zhang", "12345"))),
        "li" => Reply::Seat(Box::new(view("li", "12366"))),
        "wang" => {
            let (to, left) = ("13800138000".to_owned(), Duration::from_secs(30));
            let preview = PreviewView { to, hotline: "12345".into(), callback: None, ticket: None, left };
            Reply::Seat(Box::new(SeatView { preview: Some(preview), ..view("wang", "12345") }))
        }
        _ => Reply::Refused(Why::Seat(SeatRefusal::UnknownSeat)),
    }
}

fn looked(command: Command) -> Reply {
    let queue = |name: &str| QueueView {
        queue: name.into(),
        strategy: Default::default(),
        waiting: 3,
        longest: Duration::from_secs(9),
        seats: 1,
        ready: 1,
        free: 0,
        talking: 1,
        on_break: 0,
    };
    match command {
        Command::SeatOf(seat) => seat_of(&seat),
        Command::Seats { .. } => Reply::Seats(vec![view("zhang", "12345"), view("li", "12366")]),
        Command::Queues => Reply::Queues(vec![queue("12345"), queue("12366")]),
        Command::CallOf { call: id, numbers, .. } => Reply::Call(Box::new(CallView {
            id,
            direction: CallDirection::Inbound,
            line: "政务服务便民热线".to_owned(),
            number: "12345".to_owned(),
            dialled_from: DialledFrom::RequestUri,
            dialled_by_rules: Vec::new(),
            caller: Some(if numbers == Numbers::Full { "13800138000" } else { "138******00" }.to_owned()),
            state: "ringing",
            legs: Vec::new(),
            recording: "masked",
            data: vec![("ticket".to_owned(), (numbers == Numbers::Full).then(|| "T-7".to_owned()))],
        })),
        Command::Callbacks { .. } => Reply::Callbacks(vec![row("a", Some("zhang")), row("b", Some("li")), row("c", None)]),
        Command::Callback { id, seat, .. } => Reply::Callbacks(vec![row(&id, seat.as_deref())]),
        other => panic!("{other:?}"),
    }
}

/// A caller who is to be rung back; `seat`: has taken the row.
fn row(id: &str, seat: Option<&str>) -> CallbackFact {
    let lease = seat.map(|seat| CallbackLease { seat: seat.into(), until: Wall(9), attempt: None });
    CallbackFact {
        id: id.into(),
        caller: "13800138000".into(),
        hotline: "12345".into(),
        line: "政务服务便民热线".into(),
        calls: 1,
        first: Wall(1),
        last: Wall(1),
        call: "01890000-0000-7000-8000-000000000000".parse().unwrap(),
        loss: crate::event::Result::NoSeat,
        wanted: false,
        messages: Vec::new(),
        lease,
        tried: 0,
        attempts: Vec::new(),
    }
}

pub(super) async fn post(state: &ApiState, who: &str, path: &str, body: &str) -> (u16, Value) {
    put(state, "POST", &format!("/api/v1/seats/{path}"), &[("authorization", &format!("Bearer {who}"))], body).await
}

pub(super) async fn get(state: &ApiState, who: &str, path: &str) -> (u16, Value) {
    put(state, "GET", &format!("/api/v1/{path}"), &[("authorization", &format!("Bearer {who}"))], "").await
}

/// Ends the desk.
pub(super) async fn asked(state: &ApiState, desk: Desk) -> Asked {
    while state.inbox.try_send(Input::End).is_err() {
        tokio::task::yield_now().await;
    }
    desk.await.unwrap()
}

#[tokio::test]
async fn a_toolbar_gives_verbs_to_its_own_seat_and_each_reply_has_a_number() {
    let (state, outlet) = desk_of(&tokens());
    let desk = desk(&state, outlet, None);
    for (verb, body) in [
        ("login", ""),
        ("login", r#"{"force": true, "device": "pstn", "skills": {"english": 3}, "busy": "培训"}"#),
        ("ready", "{}"),
        ("not-ready", r#"{"reason": "会议"}"#),
        ("break", r#"{"minutes": 10, "reason": "午餐"}"#),
        ("extend-wrap-up", r#"{"seconds": 30}"#),
        ("call", r#"{"to": "13800138000", "hotline": "12345", "ticket": "T-1"}"#),
        ("dtmf", r#"{"digits": "12*#A"}"#),
        ("transfer", r#"{"to": "queue:12366"}"#),
        ("data", r#"{"key": "order.id", "value": "第 7 号\n加急"}"#),
        ("record", r#"{"action": "mask"}"#),
        ("pick-up", r#"{"seat": "li"}"#),
    ] {
        let (status, seat) = post(&state, SEAT, &format!("zhang/{verb}"), body).await;
        assert_eq!((status, &seat["n"], &seat["seat"]), (200, &json!(41), &json!("zhang")), "{verb}: {seat}");
    }
    let verbs = asked(&state, desk).await.verbs;
    assert_eq!(verbs.len(), 12);
    assert!(
        verbs.iter().all(|(seat, by, _)| **seat == *"zhang" && *by == Author { kind: AuthorKind::Seat, name: "toolbar".into() })
    );
    let SeatVerb::Login { force: true, device: Device::Pstn, skills: Some(skills), busy: Some(busy) } = &verbs[1].2 else {
        panic!("{:?}", verbs[1])
    };
    assert_eq!((skills.get("english"), &**busy), (Some(&3), "培训"));
    assert!(matches!(&verbs[0].2, SeatVerb::Login { force: false, device: Device::Sip, skills: None, busy: None }));
}

#[tokio::test]
async fn a_request_that_comes_twice_is_carried_out_once_by_either_way_of_naming_it() {
    let (state, outlet) = desk_of(&tokens());
    let desk = desk(&state, outlet, None);
    for _ in 0..3 {
        assert_eq!(post(&state, SEAT, "zhang/ready", r#"{"request_id": "r1"}"#).await.0, 200);
    }
    let token = format!("Bearer {SEAT}");
    let headers = [("authorization", token.as_str()), ("idempotency-key", "r1")];
    assert_eq!(put(&state, "POST", "/api/v1/seats/zhang/ready", &headers, "").await.0, 200);
    let (status, problem) = put(&state, "POST", "/api/v1/seats/zhang/hold", &headers, "").await;
    assert_eq!(status, 422, "{problem}");
    let (status, problem) = put(&state, "POST", "/api/v1/seats/zhang/ready", &headers, r#"{"request_id": "r2"}"#).await;
    assert!(status == 400 && problem["detail"].as_str().unwrap().contains("not the same"), "{problem}");
    assert_eq!(asked(&state, desk).await.verbs.len(), 1);
}

#[tokio::test]
async fn a_token_reaches_no_seat_but_those_that_it_should() {
    let (state, outlet) = desk_of(&tokens());
    let desk = desk(&state, outlet, None);
    for (who, path, body, status, code) in [
        (SEAT, "li/ready", "", 403, "not_yours"),
        (SEAT, "nobody/ready", "", 403, "not_yours"),
        (CHIEF, "li/logout", "", 403, "not_yours"),
        (CHIEF, "nobody/logout", "", 404, "unknown_seat"),
        (CHIEF, "zhang/monitor", r#"{"seat": "li"}"#, 403, "not_yours"),
        (CHIEF, "zhang/intercept", r#"{"seat": "li"}"#, 403, "not_yours"),
    ] {
        let (found, problem) = post(&state, who, path, body).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{who} {path}: {problem}");
        assert_eq!((&problem["fault"], &problem["retry"]), (&json!("request"), &json!(false)));
    }
    for verb in ["monitor", "whisper", "barge", "intercept", "switch", "stop", "force-drop"] {
        let (status, problem) = post(&state, SEAT, &format!("zhang/{verb}"), r#"{"seat": "zhang"}"#).await;
        assert_eq!((status, &problem["needs"]), (403, &json!(["supervisor"])), "{verb}");
    }
    assert_eq!(post(&state, CHIEF, "zhang/logout", "").await.0, 200);
    assert_eq!(post(&state, CHIEF, "zhang/monitor", r#"{"seat": "zhang"}"#).await.0, 200);
    let seats = |answer: &Value| answer["seats"].as_array().unwrap().iter().map(|it| it["seat"].clone()).collect::<Vec<_>>();
    for who in [SEAT, CHIEF] {
        assert_eq!(seats(&get(&state, who, "seats").await.1), [json!("zhang")], "{who}");
        assert_eq!(get(&state, who, "seats/li").await.0, 403, "{who}");
    }
    assert_eq!(get(&state, CHIEF, "queues").await.1["queues"].as_array().unwrap().len(), 1);
    assert_eq!(get(&state, CHIEF, "queues/12366").await.0, 404);
    let (status, snapshot) = get(&state, SEAT, "seats/zhang").await;
    assert_eq!((status, &snapshot["seat"]["intent"], &snapshot["queues"][0]["waiting"]), (200, &json!("ready"), &json!(3)));
    let verbs = asked(&state, desk).await.verbs;
    let by = |kind| Author { kind, name: "chief".into() };
    assert_eq!(verbs.iter().map(|(_, by, _)| by.clone()).collect::<Vec<_>>(), vec![by(AuthorKind::Supervisor); 2]);
}

/// A toolbar sees there its colleagues, to consult, to transfer to, to pick up for; a board on the wall sees nobody.
#[tokio::test]
async fn who_may_look_at_seats_sees_those_of_each_queue_and_nothing_of_their_calls() {
    let li = json!({ "seat": "li", "label": "张敏", "intent": "ready", "device": "idle" });
    let (state, outlet) = desk_of(&one_for_each_role());
    let switch = desk(&state, outlet, None);
    for role in Role::ALL {
        let (status, queue) = get(&state, &secret(role), "queues/12366").await;
        let members = queue.get("members");
        match role {
            Role::Seat | Role::Supervisor => assert_eq!((status, members), (200, Some(&json!([li]))), "{role:?}"),
            Role::Wallboard => assert_eq!((status, members, &queue["free"]), (200, None, &json!(0))),
            _ => assert_eq!(status, 403, "{role:?}"),
        }
    }
    asked(&state, switch).await;
    let (state, outlet) = desk_of(&tokens());
    let switch = desk(&state, outlet, None);
    let named = |queue: &Value| queue["members"][0]["seat"].clone();
    assert_eq!(named(&get(&state, CHIEF, "queues/12345").await.1), "zhang");
    assert_eq!(get(&state, CHIEF, "queues/12366").await.0, 404, "it is none of the token's");
    assert_eq!(named(&get(&state, SEAT, "queues/12366").await.1), "li", "another queue's seat may be consulted");
    assert_eq!(get(&state, SEAT, "queues/nowhere").await.0, 404);
    asked(&state, switch).await;
    let (state, outlet) = desk_of(&Http::default());
    let switch = desk(&state, outlet, None);
    let (status, queue) = put(&state, "GET", "/api/v1/queues/12366", &[], "").await;
    assert_eq!((status, named(&queue)), (200, json!("li")));
    asked(&state, switch).await;
}

#[tokio::test]
async fn the_callback_list_is_read_by_seats_with_the_numbers_of_their_own_rows_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (mut state, outlet) = desk_of(&one_for_each_role());
    state.audit = Arc::new(Audit::of(folder.path()));
    let switch = desk(&state, outlet, None);
    let (full, masked) = ("13800138000", "138******00");
    for (role, own) in [(Role::Seat, full), (Role::Supervisor, masked), (Role::Viewer, masked), (Role::Operator, masked)] {
        let (status, list) = get(&state, &secret(role), "callback-list").await;
        let callers: Vec<&str> =
            list["callbacks"].as_array().unwrap().iter().map(|row| row["caller"].as_str().unwrap()).collect();
        assert_eq!((status, callers), (200, vec![own, masked, masked]), "{role:?}");
        assert_eq!(get(&state, &secret(role), "callback-list?unmasked=true").await.0, 403, "{role:?}");
    }
    for (role, seat, number) in [(Role::Seat, "zhang", full), (Role::Supervisor, "li", masked)] {
        let token = format!("Bearer {}", secret(role));
        let headers = [("authorization", token.as_str())];
        let body = format!(r#"{{"seat": "{seat}"}}"#);
        let (status, row) = put(&state, "POST", "/api/v1/callback-list/c/take", &headers, &body).await;
        assert_eq!((status, &row["caller"]), (200, &json!(number)), "{role:?}");
    }
    let noted = std::fs::read_to_string(folder.path().join("audit.log")).unwrap();
    assert!(noted.lines().next().is_some_and(|line| line.contains("own seat") && line.contains("callbacks a")), "{noted}");
    assert!(noted.lines().count() == 3 && !noted.contains(full), "{noted}");
    std::fs::remove_file(folder.path().join("audit.log")).unwrap();
    std::fs::create_dir(folder.path().join("audit.log")).unwrap();
    assert_eq!(get(&state, &secret(Role::Seat), "callback-list").await.0, 503, "a number that cannot be noted");
    assert_eq!(get(&state, &secret(Role::Supervisor), "callback-list").await.0, 200, "it is shown none");
    asked(&state, switch).await;
}

/// The audit has who hears whom, and who ends whose call, before it is done; ceasing to hear is never refused.
#[tokio::test]
async fn each_act_of_supervision_is_noted_first_and_none_is_done_that_cannot_be() {
    let verbs = [
        ("monitor", r#"{"seat": "zhang"}"#),
        ("whisper", r#"{"seat": "zhang"}"#),
        ("barge", r#"{"seat": "zhang"}"#),
        ("switch", r#"{"mode": "whisper"}"#),
        ("intercept", r#"{"seat": "zhang"}"#),
        ("force-drop", ""),
        ("stop", ""),
    ];
    let folder = tempfile::tempdir().unwrap();
    let (mut state, outlet) = desk_of(&tokens());
    state.audit = Arc::new(Audit::of(folder.path()));
    let switch = desk(&state, outlet, None);
    let path = folder.path().join("audit.log");
    for (n, (verb, body)) in verbs.into_iter().enumerate() {
        assert_eq!(post(&state, CHIEF, &format!("wang/{verb}"), body).await.0, 200, "{verb}");
        let noted = std::fs::read_to_string(&path).unwrap();
        let line: Value = serde_json::from_str(noted.lines().last().unwrap()).unwrap();
        assert_eq!((noted.lines().count(), &line["who"], &line["did"]), (n + 1, &json!("chief"), &json!(verb)));
        assert!(line["what"].as_str().unwrap().starts_with("seat wang: "), "{line}");
        assert!(body.is_empty() || verb == "switch" || line["what"].as_str().unwrap().contains("zhang"), "{line}");
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    for (verb, body) in verbs {
        let (status, problem) = post(&state, CHIEF, &format!("wang/{verb}"), body).await;
        assert_eq!(status, if verb == "stop" { 200 } else { 503 }, "{verb}: {problem}");
    }
    let given = asked(&state, switch).await.verbs;
    let names: Vec<&str> = given.iter().map(|(_, _, verb)| verb.name()).collect();
    assert_eq!(names, ["monitor", "whisper", "barge", "switch", "intercept", "force-drop", "stop", "stop"]);
}

#[tokio::test]
async fn without_tokens_seats_are_worked_and_nobody_is_overheard() {
    let (state, outlet) = desk_of(&Http::default());
    let desk = desk(&state, outlet, None);
    let ask = async |path: &str, body: &str| put(&state, "POST", &format!("/api/v1/seats/{path}"), &[], body).await.0;
    assert_eq!(ask("li/ready", "").await, 200);
    assert_eq!(ask("li/monitor", r#"{"seat": "zhang"}"#).await, 403);
    let verbs = asked(&state, desk).await.verbs;
    assert_eq!(verbs[0].1, Author { kind: AuthorKind::Operator, name: "anybody".into() });
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_told_at_its_place_and_changes_nothing() {
    let (state, outlet) = desk_of(&tokens());
    let long = "长".repeat(65);
    let cases = [
        ("ready", "[]".to_owned(), 422, ""),
        ("ready", "{".to_owned(), 400, ""),
        ("ready", r#"{"redy": 1}"#.to_owned(), 422, ""),
        ("login", r#"{"device": "fax"}"#.to_owned(), 422, "#/device"),
        ("login", r#"{"skills": {"english": 10}}"#.to_owned(), 422, "#/skills/english"),
        ("login", r#"{"skills": {"": 1}}"#.to_owned(), 422, "#/skills"),
        ("not-ready", format!(r#"{{"reason": "{long}"}}"#), 422, "#/reason"),
        ("not-ready", r#"{"reason": "a\u0007b"}"#.to_owned(), 422, "#/reason"),
        ("break", r#"{"reason": "x"}"#.to_owned(), 422, ""),
        ("break", r#"{"minutes": 0}"#.to_owned(), 422, "#/minutes"),
        ("break", r#"{"minutes": 1441}"#.to_owned(), 422, "#/minutes"),
        ("break", r#"{"minutes": -1}"#.to_owned(), 422, "#/minutes"),
        ("call", r#"{"to": ""}"#.to_owned(), 422, "#/to"),
        ("call", r#"{"to": "138 0013 8000"}"#.to_owned(), 422, "#/to"),
        ("call", format!(r#"{{"to": "{}"}}"#, "1".repeat(65)), 422, "#/to"),
        ("dtmf", r#"{"digits": "12x"}"#.to_owned(), 422, "#/digits"),
        ("transfer", r#"{"to": "12366", "mode": "return"}"#.to_owned(), 422, "#/mode"),
        ("notice", format!(r#"{{"text": "{}"}}"#, "x".repeat(901)), 422, "#/text"),
        ("data", r#"{"key": "a b", "value": ""}"#.to_owned(), 422, "#/key"),
        ("record", r#"{"action": "erase"}"#.to_owned(), 422, "#/action"),
        ("ready", format!(r#"{{"request_id": "{}"}}"#, "r".repeat(129)), 422, "#/request_id"),
        ("notice", format!(r#"{{"text": "{}"}}"#, "x".repeat(20_000)), 413, ""),
    ];
    for (verb, body, status, place) in cases {
        let (found, problem) = post(&state, SEAT, &format!("zhang/{verb}"), &body).await;
        assert_eq!(found, status, "{verb} {body:.60}: {problem}");
        if !place.is_empty() {
            assert_eq!(problem["errors"][0]["pointer"], place, "{verb} {body:.60}: {problem}");
        }
        assert!(!problem.to_string().contains("0013"), "a value is told: {problem}");
    }
    let token = format!("Bearer {SEAT}");
    let headers = [("authorization", token.as_str()), ("accept-language", "zh-CN")];
    let (_, problem) = put(&state, "POST", "/api/v1/seats/zhang/break", &headers, r#"{"minutes": 0}"#).await;
    assert!(problem["detail"].as_str().unwrap().contains("请求内容不符合其模式"), "{problem}");
    assert!(outlet.take().is_none(), "the switch was told");
}

#[tokio::test]
async fn a_refusal_says_why_whose_fault_and_whether_to_ask_again() {
    for (why, status, fault, retry) in [
        (SeatRefusal::UnknownSeat, 404, "request", false),
        (SeatRefusal::SignedOut, 409, "state", false),
        (SeatRefusal::Taken, 409, "state", false),
        (SeatRefusal::NotOnBreak, 409, "state", false),
        (SeatRefusal::NotInWrapUp, 409, "state", false),
        (SeatRefusal::TooLong, 422, "request", false),
        (SeatRefusal::UnknownSkill, 422, "request", false),
        (SeatRefusal::NoCall, 409, "state", true),
        (SeatRefusal::NotAnswered, 409, "state", true),
        (SeatRefusal::InCall, 409, "state", true),
        (SeatRefusal::Gone, 409, "state", true),
        (SeatRefusal::BadDigits, 422, "request", false),
        (SeatRefusal::BadData, 422, "request", false),
        (SeatRefusal::Unsupported, 422, "request", false),
    ] {
        let (state, outlet) = desk_of(&tokens());
        let desk = desk(&state, outlet, Some(why));
        let (found, problem) = post(&state, SEAT, "zhang/ready", "").await;
        assert_eq!(found, status, "{problem}");
        assert_eq!((&problem["code"], &problem["fault"], &problem["retry"]), (&json!(why.name()), &json!(fault), &json!(retry)));
        asked(&state, desk).await;
    }
    let (state, outlet) = desk_of(&tokens());
    while state.inbox.try_send(Input::End).is_ok() {}
    let (status, problem) = post(&state, SEAT, "zhang/ready", "").await;
    assert_eq!((status, &problem["fault"], &problem["retry"]), (503, &json!("gateway"), &json!(true)));
    drop(outlet);
}
