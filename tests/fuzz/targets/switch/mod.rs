//! Datagrams as the switch receives them, while two parties talk: whatever others send, the two are not touched, each request
//! has an answer, and nothing of it is left when time has passed.
//!
//! A case is a list of datagrams, each behind a line that says by whom: `>>> other`. Words in braces stand for values that the
//! sender knows: `{via}` of the last message it was sent, `{caller.from}` of the dialog of the two who talk.

mod world;

use super::work::counted;
use bytes::Bytes;
use hotline::base::{Flow, Proto};
use hotline::sip::{Message, Method};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use world::{CALLER, NUMBER, SEAT, World, address};

/// Datagrams of a case, and how long it waits between them in all.
const MOST: usize = 60;
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// After so long no call and no transaction of the case may be left: `calls.max_duration` and more.
const OVER: Duration = Duration::from_secs(5 * 3600);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// A trunk that may place calls, by UDP and by TCP.
    Other(Proto),
    /// The trunk that our own calls go to.
    Target,
    /// Somebody who writes the caller's address on a datagram, and knows nothing of the dialog.
    Forger,
    Stranger,
}

pub fn target(data: &[u8]) {
    let log = Log::default();
    let filter = EnvFilter::new("debug,hotline::sip=trace");
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_env_filter(filter).with_ansi(false).finish();
    tracing::subscriber::with_default(subscriber, || run(data));
    let text = log.0.lock().unwrap_or_else(PoisonError::into_inner);
    let text = std::str::from_utf8(&text).expect("text");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    for line in text.lines() {
        // A whole message shows what a peer wrote for a number in the place of a tag or a branch; `sip` looks at those.
        let message = line.contains(" TRACE hotline::sip: ");
        assert!(line.starts_with("20") && (message || !line.contains(NUMBER)), "{line}");
    }
}

fn run(data: &[u8]) {
    let mut world = World::talking();
    let before = world.view();
    let (mut owed, mut waited) = (BTreeSet::new(), Duration::ZERO);
    for (sender, text) in datagrams(data).take(MOST) {
        match sender {
            Ok(sender) => one(&mut world, sender, &text, &mut owed),
            Err(wait) => {
                let wait = wait.min(LONGEST_WAIT.saturating_sub(waited));
                waited += wait;
                world.pass(wait);
            }
        }
        untouched(&mut world);
    }
    world.pass(Duration::from_secs(1));
    untouched(&mut world);
    let unanswered: Vec<_> = owed.iter().filter(|keys| !keys.iter().any(|key| world.answered.contains(key))).collect();
    assert!(unanswered.is_empty(), "no answer to {}", unanswered[0][0].escape_ascii());
    assert_eq!(world.view(), before, "the two who talk");
    world.caller_hangs_up();
    world.pass(OVER);
    assert!(world.gauges().idle(), "something is left: {:?}", world.gauges());
}

fn one(world: &mut World, sender: Sender, text: &[u8], owed: &mut BTreeSet<world::Keys>) {
    let flow = flow(sender);
    let knows = sender != Sender::Forger;
    let data = Bytes::from(world.filled(text, flow.remote, knows));
    match Message::parse(data.clone()) {
        _ if sender == Sender::Stranger => {}
        Ok(Message::Request(request)) if request.method != Method::Ack => owed.extend([world::keys(&request.headers)]),
        Ok(_) => {}
        Err(error) => owed.extend(error.answer.map(|answer| world::keys(&answer.headers))),
    }
    let sent = world.sent.len();
    let length = data.len();
    let ((), work) = counted(|| world.receive(flow, data));
    work.is_at_most(length, (30_000, 8), (8 << 20, 400));
    let sent = &world.sent[sent..];
    assert!(sent.len() <= 16, "{} messages for one", sent.len());
    assert!(sender != Sender::Stranger || sent.is_empty(), "a stranger is answered");
}

/// Nothing was sent to the two who talk, nothing done with their media and nothing written of their call; but whoever writes the
/// caller's address on a datagram may have it an answer.
fn untouched(world: &mut World) {
    let call_id = world.call_id.clone();
    for (to, message) in std::mem::take(&mut world.sent) {
        let to_them = to.ip() == address(CALLER).ip() || to.ip() == address(SEAT).ip();
        let to_the_forger = matches!(&message, Message::Response(answer) if answer.headers.call_id() != Some(&call_id));
        assert!(!to_them || to.ip() == address(CALLER).ip() && to_the_forger, "to {to}: {message:?}");
    }
    assert!(world.touched.is_empty(), "{:?}", world.touched);
}

fn flow(sender: Sender) -> Flow {
    let (proto, remote) = match sender {
        Sender::Other(Proto::Udp) => (Proto::Udp, address(4)),
        Sender::Other(proto) => (proto, SocketAddr::new(address(4).ip(), 40_001)),
        Sender::Target => (Proto::Udp, address(3)),
        Sender::Forger => (Proto::Udp, address(CALLER)),
        Sender::Stranger => (Proto::Udp, SocketAddr::from(([203, 0, 113, 66], 5060))),
    };
    Flow { proto, local: address(1), remote }
}

/// The datagrams of a case, and by whom; or how long nothing comes.
fn datagrams(data: &[u8]) -> impl Iterator<Item = (Result<Sender, Duration>, Vec<u8>)> {
    let mut found: Vec<(Result<Sender, Duration>, Vec<u8>)> = Vec::new();
    for line in data.split_inclusive(|b| *b == b'\n') {
        if let Some(word) = line.strip_prefix(b">>> ") {
            found.push((sender(&String::from_utf8_lossy(word)), Vec::new()));
        } else if let Some((_, text)) = found.last_mut() {
            text.extend_from_slice(line);
        }
    }
    found.into_iter()
}

fn sender(word: &str) -> Result<Sender, Duration> {
    match word.trim() {
        "other" => Ok(Sender::Other(Proto::Udp)),
        "tcp" => Ok(Sender::Other(Proto::Tcp)),
        "target" => Ok(Sender::Target),
        "forger" => Ok(Sender::Forger),
        word => word
            .strip_prefix("wait ")
            .and_then(|ms| ms.parse().ok())
            .map_or(Ok(Sender::Stranger), |ms| Err(Duration::from_millis(ms))),
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}
