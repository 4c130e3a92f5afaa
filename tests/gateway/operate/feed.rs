//! Tests of those who follow what happens: over WebSocket through the gateway's ends, and as webhooks by line.

use super::bench::Bench;
use crate::support::http::{Backend, Post};
use crate::support::{PATIENCE, free_port, wait_until};
use hotline::record::signature::Keys;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::TcpStream;
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

const PLAN: &str = r#"
[plan]
name = "lines of their own"
area = "691"

[tickets.orders]
[tickets.tax]
[tickets.elsewhere]

[[line]]
number = "12345"
name = "front"
mode = "front"
tickets = "orders"

[[line]]
number = "12366"
name = "tax"
mode = "parallel"
tickets = "tax"

[[line]]
number = "12315"
name = "both"
mode = "parallel"
tickets = ["orders", "tax"]

[[line]]
number = "12348"
name = "neither's"
mode = "parallel"
tickets = "elsewhere"
"#;

const NUMBERS: [&str; 4] = ["12345", "12366", "12315", "12348"];

struct Follower(WebSocket<TcpStream>);

impl Follower {
    fn new(bench: &Bench, since: u64) -> Follower {
        let stream = TcpStream::connect(bench.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("ws://{}/api/v1/events?since={since}", bench.http).into_client_request().unwrap();
        Follower(tungstenite::client(request, stream).unwrap().0)
    }

    /// The next event with its number; none: with this code the gateway has closed, or without one.
    fn next(&mut self) -> Result<(u64, Value), Option<CloseCode>> {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => {
                    let mut message: Value = serde_json::from_str(&text).unwrap();
                    return Ok((message["number"].as_u64().unwrap(), message["event"].take()));
                }
                Ok(Message::Close(frame)) => return Err(frame.map(|frame| frame.code)),
                Ok(_) => {}
                Err(_) => return Err(None),
            }
        }
    }

    /// All events until so many final records have come.
    fn until_records(&mut self, many: usize) -> Vec<Value> {
        let mut events: Vec<Value> = Vec::new();
        while events.iter().filter(|event| event["type"] == "call.record").count() < many {
            events.push(self.next().unwrap().1);
        }
        events
    }
}

fn is_for(event: &Value, numbers: &[&str]) -> bool {
    numbers.iter().any(|number| event["data"]["hotline"]["number"] == *number)
}

/// By call, in the order in which they came.
fn ids<'a>(events: impl IntoIterator<Item = &'a Value>) -> BTreeMap<String, Vec<String>> {
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    events.into_iter().for_each(|event| ids.entry(text(&event["subject"])).or_default().push(text(&event["id"])));
    ids
}

fn signed(post: &Post, keys: &Keys) -> bool {
    let header = |name| post.header(name).unwrap_or_default();
    keys.verify(header("webhook-id"), header("webhook-timestamp"), &post.body, header("webhook-signature"))
}

#[test]
fn each_webhook_gets_every_event_of_the_lines_that_name_it_and_of_no_other() {
    let secrets = ["whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY4"];
    let backends = secrets.map(|_| Backend::start(free_port()));
    let backend = |name: &str, of: usize| {
        let (url, keys) = (backends[of].address, secrets[of]);
        format!("[records.backends.{name}]\nprofile = 'webhook'\nurl = 'http://{url}/'\ncredentials = {{ keys = '{keys}' }}\n")
    };
    let site = format!("[plan]\nfile = 'plan.toml'\n{}{}", backend("orders", 0), backend("tax", 1));
    let mut bench = Bench::new().site(&site);
    std::fs::write(bench.folder.path().join("plan.toml"), PLAN).unwrap();
    bench.restart();
    let _seat = bench.seat();
    let calls: Vec<_> = NUMBERS.iter().map(|number| bench.call(number, &["-m", "3", "-r", "5", "-d", "200"])).collect();
    calls.into_iter().for_each(|mut call| assert!(call.wait().unwrap().success()));

    let told = Follower::new(&bench, 0).until_records(12);
    for (i, numbers) in [["12345", "12315"], ["12366", "12315"]].iter().enumerate() {
        let wanted: Vec<&Value> = told.iter().filter(|event| is_for(event, numbers)).collect();
        let mut posts: Vec<Post> = Vec::new();
        wait_until("every event", || {
            posts.extend(backends[i].rest());
            posts.len() >= wanted.len()
        });
        assert_eq!(ids(posts.iter().map(|post| &post.event)), ids(wanted), "backend {i}");
        assert!(posts.iter().all(|post| signed(post, &Keys::parse(secrets[i]).unwrap())), "backend {i}: signatures");
        assert!(!posts.iter().any(|post| signed(post, &Keys::parse(secrets[1 - i]).unwrap())), "backend {i}: the other's");
        let one = ids(posts.iter().map(|post| &post.event));
        assert!(one.len() == 6 && one.values().all(|events| events.len() >= 4), "backend {i}: {one:?}");
    }
    assert_eq!(bench.kill("-TERM"), Some(0));
    assert!(backends.iter().all(|backend| backend.rest().is_empty()), "and nothing else");
}

#[test]
fn who_follows_is_told_the_end_and_misses_nothing_through_restarts() {
    let mut bench = Bench::new().set("LOG__DRAIN", "1s").start();
    let _seat = bench.seat();
    let mut follower = Follower::new(&bench, 0);
    let mut call = bench.call("12345", &["-m", "1", "-d", "60000"]);
    wait_until("answered", || bench.metric("calls_answered_total") == 1);
    assert_eq!(bench.metric("feed_followers"), 1);
    assert_eq!(bench.kill("-TERM"), Some(0));
    let _ = call.wait();
    let mut last = 0;
    let mut kinds = Vec::new();
    let code = loop {
        match follower.next() {
            Ok((n, event)) => {
                assert_eq!(n, last + 1);
                last = n;
                kinds.push(event["type"].as_str().unwrap().to_owned());
            }
            Err(code) => break code,
        }
    };
    assert_eq!((code, kinds.last().map(String::as_str)), (Some(CloseCode::Away), Some("call.record")), "{kinds:?}");

    bench.restart();
    let mut follower = Follower::new(&bench, last);
    let mut call = bench.call("12345", &["-m", "1", "-d", "60000"]);
    wait_until("answered", || bench.metric("calls_answered_total") == 1);
    let (first, event) = follower.next().unwrap();
    assert_eq!((first, event["type"].as_str()), (last + 1, Some("call.offered")));
    bench.kill("-KILL");
    let _ = (call.kill(), call.wait());
    let mut told = first;
    while let Ok((n, _)) = follower.next() {
        told = n;
    }
    bench.restart();
    let (n, event) = Follower::new(&bench, told).next().unwrap();
    assert_eq!((n, event["data"]["result"].as_str()), (told + 1, Some("interrupted")), "{event:#}");
}
