//! No source takes the room of another, and no host gets more than it can have asked for.

use crate::base::{Flow, Proto, Rate, Source};
use crate::sip::{Message, Name, Status, tag};
use crate::transaction::testing::{Out, flow, from_peer, now, run, tick, with};
use crate::transaction::{Config, Event, ServerId, Transactions};

const FLOOD: Source = Source::Trunk(0);
const OTHER: Source = Source::Trunk(1);

fn shares() -> Config {
    Config { max_transactions: 1000, max_per_source: 400, ..Config::default() }
}

fn branch(n: u32) -> String {
    format!("z9hG4bK{n}")
}

fn from(t: &mut Transactions, source: Source, method: &str, n: u32, to: &str) -> (Message, Out) {
    let request = from_peer(method, &branch(n), n, to);
    let out = run(|out| t.received(now(0), flow(Proto::Udp), source, request.clone(), out));
    (request, out)
}

fn asked(out: Out) -> Option<ServerId> {
    match out.events.into_iter().next()? {
        Event::Request { id, .. } => Some(id),
        other => panic!("{other:?}"),
    }
}

fn respond(t: &mut Transactions, id: ServerId, request: &Message, status: u16, tag: &str) -> Out {
    let Message::Request(request) = request else { panic!() };
    run(|out| t.respond(now(0), id, request.reply(Status(status), Some(tag)), out))
}

fn to_tag(out: &Out) -> String {
    let to = out.response().headers.get(&Name::To).unwrap();
    String::from_utf8(tag(to).unwrap().to_vec()).unwrap()
}

/// INVITEs that are refused and never acknowledged: 32 s each, were they all kept.
#[test]
fn refusals_of_a_source_beyond_its_share_leave_nothing_and_others_keep_theirs() {
    let mut t = with(shares());
    for n in 1..=3000 {
        let (invite, out) = from(&mut t, FLOOD, "INVITE", n, "");
        let id = asked(out).expect("each is looked at: it may be a call for help");
        assert_eq!(respond(&mut t, id, &invite, 503, "any").response().status, Status(503));
    }
    assert_eq!(t.len().1, 50, "an eighth of its share, and no more");
    // A source within its share is repeated its refusal until it acknowledges it.
    let (invite, out) = from(&mut t, OTHER, "INVITE", 9000, "");
    let id = asked(out).unwrap();
    assert!(!t.crowded(id));
    respond(&mut t, id, &invite, 486, "any");
    assert_eq!(t.len().1, 51);
    let again = run(|out| t.received(now(1), flow(Proto::Udp), OTHER, invite, out));
    assert_eq!((again.response().status, again.events.len()), (Status(486), 0));
}

#[test]
fn an_invite_refused_without_state_is_refused_alike_each_time_and_its_ack_is_silent() {
    let mut t = with(Config { max_per_source: 8, ..shares() });
    (1..=2).for_each(|n| drop(from(&mut t, FLOOD, "INVITE", n, "")));
    let mut tags = Vec::new();
    for _ in 0..2 {
        let (invite, out) = from(&mut t, FLOOD, "INVITE", 3, "");
        let id = asked(out).unwrap();
        assert!(t.crowded(id));
        tags.push(to_tag(&respond(&mut t, id, &invite, 503, &format!("leg{}", tags.len()))));
        assert_eq!(t.len().1, 2);
    }
    assert_eq!(tags[0], tags[1]);
    let ack = run(|out| {
        let ack = from_peer("ACK", &branch(3), 3, &format!(";tag={}", tags[0]));
        t.received(now(2), flow(Proto::Udp), FLOOD, ack, out);
    });
    assert!(ack.sent.is_empty());
    // A dialog's own tag is nobody's to change.
    let (bye, out) = from(&mut t, FLOOD, "BYE", 4, ";tag=ours");
    let id = asked(out).unwrap();
    assert_eq!(to_tag(&respond(&mut t, id, &bye, 200, "never")), "ours");
}

/// It repeats its INVITE no more once it has a provisional response, so the final one must be repeated to it.
#[test]
fn a_refusal_after_ringing_is_kept_however_crowded_it_is() {
    let mut t = with(Config { max_per_source: 8, ..shares() });
    let calls: Vec<_> = (1..=4).map(|n| from(&mut t, FLOOD, "INVITE", n, "")).collect();
    for (invite, out) in calls {
        let id = asked(out).unwrap();
        assert_eq!(t.len().1, 4);
        respond(&mut t, id, &invite, 180, "a");
        respond(&mut t, id, &invite, 486, "a");
    }
    assert_eq!((t.len().1, tick(&mut t, 500).sent.len()), (4, 4));
}

#[test]
fn a_source_takes_its_share_and_not_the_table() {
    let mut t = with(shares());
    // Each is answered 2xx, which is kept for the ACK.
    let mut take = |source, method: &str, range: std::ops::Range<u32>, to: &str| {
        range.filter(|n| from(&mut t, source, method, *n, to).1.events.len() == 1).count()
    };
    assert_eq!(take(FLOOD, "INVITE", 0..2000, ""), 400);
    assert_eq!(take(FLOOD, "INVITE", 2000..4000, ";tag=ours"), 100, "what belongs to its calls has a quarter more");
    assert_eq!(take(FLOOD, "BYE", 4000..4100, ";tag=ours"), 0);
    assert_eq!(take(OTHER, "INVITE", 5000..5300, ""), 300);
    assert_eq!(take(OTHER, "BYE", 6000..6100, ";tag=ours"), 100);
}

/// An INVITE in another's name has 200 and its repetitions sent there (RFC 3261 §13.3.1.4).
#[test]
fn one_host_gets_so_many_repeated_responses_and_others_get_theirs() {
    let mut t = with(Config { repeats: Rate { per_second: 1, burst: 5, max_sources: 10 }, ..Config::default() });
    for n in 1..=20 {
        let (invite, out) = from(&mut t, FLOOD, "INVITE", n, "");
        respond(&mut t, asked(out).unwrap(), &invite, 486, "a");
    }
    let victim = flow(Proto::Udp);
    let other = Flow { remote: "192.0.2.10:5060".parse().unwrap(), ..victim };
    let Message::Request(mut invite) = from_peer("INVITE", &branch(99), 99, "") else { panic!() };
    invite.headers.set(Name::Via, "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK99");
    let message = Message::Request(invite.clone());
    let id = asked(run(|out| t.received(now(0), other, OTHER, message, out))).unwrap();
    let ok = invite.reply(Status(200), Some("b"));
    assert_eq!(run(|out| t.respond(now(0), id, ok.clone(), out)).sent.len(), 1);
    let sent = tick(&mut t, 500).sent;
    assert_eq!(sent.iter().filter(|(to, _)| *to == victim).count(), 5);
    assert_eq!(t.withheld(), 15);
    assert_eq!(run(|out| t.repeat(now(501), id, ok, out)).sent.len(), 1, "another host has its own");
    // They end in their time, as if the network had lost what was not sent.
    let gone = tick(&mut t, 32_000).events;
    assert_eq!(gone.iter().filter(|event| matches!(event, Event::Unacknowledged { .. })).count(), 20);
}
