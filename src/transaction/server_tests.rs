//! The peers' requests, through the methods of [`Transactions`].

use crate::base::{Flow, Now, Proto};
use crate::sip::{Message, Method, Name, Status};
use crate::transaction::testing::{
    answer, at, flow, from_peer, new, now, parse, parse_request, peer, receive, respond, run, start, tick, with,
};
use crate::transaction::{Config, Event, ServerId, Transactions};
use bytes::Bytes;

#[test]
fn a_repeated_invite_is_absorbed_and_answered_from_memory() {
    let mut t = new();
    let invite = from_peer("INVITE", "z9hG4bK1", 1, "");
    let id = receive(&mut t, 0, invite.clone()).id();
    receive(&mut t, 1, invite.clone()).nothing();
    respond(&mut t, 2, id, &invite, 180);
    assert_eq!(receive(&mut t, 3, invite.clone()).response().status, Status(180));
    respond(&mut t, 4, id, &invite, 486);
    let again = receive(&mut t, 5, invite.clone());
    assert_eq!(again.response().status, Status(486));
    assert!(again.events.is_empty());
    receive(&mut t, 6, from_peer("ACK", "z9hG4bK1", 1, ";tag=ours")).nothing();
    receive(&mut t, 7, invite).nothing();
    tick(&mut t, 5006).nothing();
    assert!(t.is_empty());
}

#[test]
fn an_unacknowledged_refusal_gives_up_after_64_t1() {
    let mut t = new();
    let invite = from_peer("INVITE", "z9hG4bK1", 1, "");
    let id = receive(&mut t, 0, invite.clone()).id();
    respond(&mut t, 0, id, &invite, 486);
    let (mut sends, mut events) = (0, Vec::new());
    while let Some(mono) = t.deadline() {
        let out = run(|out| t.tick(Now { mono, ..Now::default() }, out));
        sends += out.sent.len();
        events.extend(out.events.into_iter().map(|e| (mono, e)));
    }
    assert_eq!(sends, 10);
    assert!(matches!(events[..], [(mono, Event::Unacknowledged { id: got })] if got == id && mono == at(32_000)));
    assert!(t.is_empty());
}

#[test]
fn accepted_absorbs_the_invite_and_sends_each_2xx_of_the_user() {
    let mut t = new();
    let invite = from_peer("INVITE", "z9hG4bK1", 1, "");
    let id = receive(&mut t, 0, invite.clone()).id();
    for ms in [0, 500, 1500] {
        assert_eq!(respond(&mut t, ms, id, &invite, 200).response().status, Status(200));
    }
    receive(&mut t, 1600, invite.clone()).nothing();
    respond(&mut t, 1600, id, &invite, 500).nothing();
    for branch in ["z9hG4bK2", "z9hG4bK1"] {
        let ack = receive(&mut t, 1700, from_peer("ACK", branch, 1, ";tag=ours"));
        assert!(matches!(ack.event(), Event::Ack { .. }));
    }
    tick(&mut t, 32_000).nothing();
    assert!(t.is_empty());
}

#[test]
fn a_cancel_is_answered_and_told_once() {
    let mut t = new();
    let invite = from_peer("INVITE", "z9hG4bK1", 1, "");
    let id = receive(&mut t, 0, invite.clone()).id();
    respond(&mut t, 1, id, &invite, 180);
    let cancel = from_peer("CANCEL", "z9hG4bK1", 1, "");
    let out = receive(&mut t, 2, cancel.clone());
    assert_eq!(out.response().status, Status(200));
    assert_eq!(out.response().headers.to().unwrap().tag(), Some("ours"), "the INVITE's tag, §9.2");
    assert_eq!(out.response().headers.cseq().unwrap().method, Method::Cancel);
    assert!(matches!(out.event(), Event::Cancelled { id: got, .. } if got == id));
    let again = receive(&mut t, 3, cancel.clone());
    assert_eq!(again.response().status, Status(200));
    assert!(again.events.is_empty());
    assert_eq!(respond(&mut t, 4, id, &invite, 487).response().status, Status(487));
    assert_eq!(t.len(), (0, 1));
}

#[test]
fn a_cancel_after_the_final_response_has_no_effect() {
    for status in [200, 486] {
        let mut t = new();
        let invite = from_peer("INVITE", "z9hG4bK1", 1, "");
        let id = receive(&mut t, 0, invite.clone()).id();
        respond(&mut t, 1, id, &invite, status);
        let out = receive(&mut t, 2, from_peer("CANCEL", "z9hG4bK1", 1, ""));
        assert_eq!(out.response().status, Status(200));
        assert!(out.events.is_empty());
    }
}

#[test]
fn a_cancel_of_nothing_is_481_always_with_the_same_tag() {
    let mut t = new();
    receive(&mut t, 0, from_peer("INVITE", "z9hG4bK1", 1, ""));
    receive(&mut t, 0, from_peer("BYE", "z9hG4bK3", 2, ";tag=ours"));
    for branch in ["z9hG4bK2", "z9hG4bK3"] {
        let cancel = from_peer("CANCEL", branch, 1, "");
        let first = receive(&mut t, 2, cancel.clone());
        assert_eq!(first.response().status, Status(481));
        assert!(first.response().headers.to().unwrap().tag().is_some());
        assert_eq!(first.response(), receive(&mut t, 3, cancel).response());
        assert!(first.events.is_empty());
    }
}

#[test]
fn a_merged_request_is_482() {
    let mut t = new();
    for method in ["INVITE", "OPTIONS"] {
        receive(&mut t, 0, from_peer(method, "z9hG4bK1", 1, "")).id();
        let merged = receive(&mut t, 1, from_peer(method, "z9hG4bK2", 1, ""));
        assert_eq!(merged.response().status, Status(482));
        assert!(merged.events.is_empty());
        receive(&mut t, 2, from_peer(method, "z9hG4bK3", 2, "")).id();
    }
    receive(&mut t, 3, from_peer("INVITE", "z9hG4bK4", 1, ";tag=ours")).id();
    assert_eq!(t.len(), (0, 5));
}

#[test]
fn a_merged_request_is_only_merged_while_the_first_is_alive() {
    let mut t = new();
    let options = from_peer("OPTIONS", "z9hG4bK1", 1, "");
    let id = receive(&mut t, 0, options.clone()).id();
    respond(&mut t, 0, id, &options, 200);
    tick(&mut t, 32_000).nothing();
    receive(&mut t, 32_001, from_peer("OPTIONS", "z9hG4bK2", 1, "")).id();
}

#[test]
fn the_same_branch_from_another_sent_by_is_another_transaction() {
    let mut t = new();
    receive(&mut t, 0, from_peer("BYE", "z9hG4bK1", 1, ";tag=ours")).id();
    let mut other = parse_request(
        "BYE sip:12345@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK1\nMax-Forwards: 70\n\
         From: <sip:a@192.0.2.9>;tag=f\nTo: <sip:12345@192.0.2.1>;tag=ours\nCall-ID: c@192.0.2.9\nCSeq: 1 BYE\n\n",
    );
    receive(&mut t, 0, Message::Request(other.clone())).id();
    other.method = Method::Info;
    receive(&mut t, 0, Message::Request(other)).id();
    assert_eq!(t.len(), (0, 3));
}

/// Whoever reads the wire can copy a Via, and nothing more: the transaction stays its own host's.
#[test]
fn a_copy_from_another_host_repeats_acknowledges_and_cancels_nothing() {
    let thief = Flow { remote: "192.0.2.66:5060".parse().unwrap(), ..flow(Proto::Udp) };
    let steal = |t: &mut Transactions, message: Message| run(|out| t.received(now(5), thief, peer(), message, out));
    for method in ["INVITE", "BYE"] {
        let mut t = new();
        let request = from_peer(method, "z9hG4bK1", 1, ";tag=ours");
        let id = receive(&mut t, 0, request.clone()).id();
        // The copy is judged as a request of the thief's own, which here means that the dialog is asked.
        assert_ne!(steal(&mut t, request.clone()).id(), id);
        let cancel = steal(&mut t, from_peer("CANCEL", "z9hG4bK1", 1, ";tag=ours"));
        assert_eq!(cancel.events.len(), usize::from(method == "INVITE"), "it cancels its own INVITE at most");
        assert!(cancel.events.iter().all(|event| !matches!(event, Event::Cancelled { id: got, .. } if *got == id)));
        respond(&mut t, 6, id, &request, 486);
        let ack = steal(&mut t, from_peer("ACK", "z9hG4bK1", 1, ";tag=ours"));
        assert!(ack.sent.is_empty());
        // The refusal is sent again until its own host says that it has it.
        assert_eq!(tick(&mut t, 506).sent.len(), usize::from(method == "INVITE"));
    }
}

/// A copy that was refused is none that the real one could be a copy of.
#[test]
fn a_copy_that_comes_first_and_is_refused_takes_nobodys_place() {
    let thief = Flow { remote: "192.0.2.66:5060".parse().unwrap(), ..flow(Proto::Udp) };
    let mut t = new();
    let invite = from_peer("INVITE", "z9hG4bK1", 1, "");
    let id = run(|out| t.received(now(0), thief, peer(), invite.clone(), out)).id();
    respond(&mut t, 1, id, &invite, 503);
    let real = receive(&mut t, 2, invite.clone()).id();
    assert_ne!(real, id);
    assert_eq!(respond(&mut t, 3, real, &invite, 180).response().status, Status(180));
}

#[test]
fn a_peer_of_rfc_2543_is_matched_by_the_whole_rule() {
    let mut t = new();
    for branch in ["1", "1.1", "z9hG4bK"] {
        let invite = from_peer("INVITE", branch, 1, "");
        let id = receive(&mut t, 0, invite.clone()).id();
        receive(&mut t, 1, invite.clone()).nothing();
        let next = receive(&mut t, 2, from_peer("INVITE", branch, 2, ""));
        let next = next.id();
        assert_ne!(id, next);
        respond(&mut t, 3, id, &invite, 486);
        receive(&mut t, 4, from_peer("ACK", branch, 1, ";tag=ours")).nothing();
        let cancelled = receive(&mut t, 5, from_peer("CANCEL", branch, 2, ""));
        assert!(matches!(cancelled.event(), Event::Cancelled { id: got, .. } if got == next));
        t = new();
    }
}

#[test]
fn a_full_table_sheds_new_requests_and_serves_known_ones_and_ours() {
    let mut t = with(Config { max_transactions: 1, ..Config::default() });
    let invite = from_peer("INVITE", "z9hG4bK1", 1, "");
    let id = receive(&mut t, 0, invite.clone()).id();
    let shed = receive(&mut t, 1, from_peer("INVITE", "z9hG4bK2", 2, ""));
    assert_eq!(shed.response().status, Status(503));
    assert!(shed.response().headers.get(&Name::RetryAfter).is_some());
    assert!(shed.events.is_empty());
    // A request that belongs to a call, or starts nothing, has another quarter.
    let bye = receive(&mut t, 1, from_peer("BYE", "z9hG4bK3", 3, ";tag=ours"));
    receive(&mut t, 1, from_peer("OPTIONS", "z9hG4bK4", 4, "")).nothing();
    let (bye, ok) = match bye.event() {
        Event::Request { id, request, .. } => (id, request.reply(Status(200), None)),
        other => panic!("{other:?}"),
    };
    assert_eq!(run(|out| t.respond(now(1), bye, ok, out)).response().status, Status(200));
    assert_eq!(t.len(), (0, 1), "its answer is not kept while there is little room");
    assert_eq!(respond(&mut t, 2, id, &invite, 180).response().status, Status(180));
    assert_eq!(receive(&mut t, 3, invite).response().status, Status(180));
    assert_eq!(receive(&mut t, 3, from_peer("CANCEL", "z9hG4bK1", 1, "")).response().status, Status(200));
    start(&mut t, flow(Proto::Udp), "BYE");
    assert_eq!(t.len(), (1, 1));
}

#[test]
fn a_closed_stream_gets_its_responses_on_a_new_connection_and_then_gives_up() {
    let mut t = new();
    let arrived = Flow { remote: "192.0.2.9:49152".parse().unwrap(), ..flow(Proto::Tcp) };
    let text = "INVITE sip:12345@192.0.2.1 SIP/2.0\nVia: SIP/2.0/TCP 192.0.2.9:5080;branch=z9hG4bK1\nMax-Forwards: 70\n\
                From: <sip:a@192.0.2.9>;tag=f\nTo: <sip:12345@192.0.2.1>\nCall-ID: c\nCSeq: 1 INVITE\n\n";
    let invite = parse(text);
    let id = run(|out| t.received(now(0), arrived, peer(), invite.clone(), out)).id();
    assert_eq!(respond(&mut t, 1, id, &invite, 180).sent[0].0, arrived);
    let again = run(|out| t.flow_failed(now(2), arrived, out));
    let sent_by = Flow { remote: "192.0.2.9:5080".parse().unwrap(), ..flow(Proto::Tcp) };
    assert_eq!((again.sent[0].0, again.response().status), (sent_by, Status(180)));
    assert!(again.events.is_empty());
    let gone = run(|out| t.flow_failed(now(3), sent_by, out));
    assert!(matches!(gone.event(), Event::Unacknowledged { id: got } if got == id));
    assert!(t.is_empty());
}

#[test]
fn what_starts_nothing_is_answered_the_same_each_time_and_leaves_nothing() {
    let mut t = new();
    let options = from_peer("OPTIONS", "z9hG4bK1", 1, "");
    let Message::Request(request) = &options else { panic!() };
    let mut tags = Vec::new();
    for ms in [0, 500, 1500] {
        let id = receive(&mut t, ms, options.clone()).id();
        tags.push(t.tag(id));
        let response = request.reply(Status(200), Some(&t.tag(id)));
        assert_eq!(run(|out| t.dismiss(id, response, out)).response().status, Status(200));
        assert!(t.is_empty() && t.deadline().is_none());
    }
    assert!(tags.iter().all(|tag| *tag == tags[0] && !tag.is_empty()));
}

#[test]
fn a_response_that_cannot_be_sent_fails_its_own_transaction_alone() {
    let mut t = new();
    let invites: Vec<Message> = (1..=3).map(|n| from_peer("INVITE", &format!("z9hG4bK{n}"), n, "")).collect();
    let ids: Vec<ServerId> = invites.iter().map(|invite| receive(&mut t, 0, invite.clone()).id()).collect();
    for (id, invite) in ids.iter().zip(&invites) {
        respond(&mut t, 1, *id, invite, 180);
    }
    let Message::Request(second) = &invites[1] else { panic!() };
    let ringing = Message::Response(second.reply(Status(180), Some("ours"))).to_bytes();
    let out = run(|out| t.unsent(flow(Proto::Udp), &ringing, false, out));
    assert!(matches!(out.event(), Event::Unacknowledged { id } if id == ids[1]));
    run(|out| t.unsent(flow(Proto::Udp), &ringing, true, out)).nothing();
    assert_eq!(t.len(), (0, 2));
    run(|out| t.unsent(flow(Proto::Udp), &Bytes::from_static(b"\r\n\r\n"), true, out)).nothing();
}

#[test]
fn over_tcp_an_answered_request_leaves_nothing_behind() {
    let mut t = new();
    let bye = from_peer("BYE", "z9hG4bK1", 1, ";tag=ours");
    let id = run(|out| t.received(now(0), flow(Proto::Tcp), peer(), bye.clone(), out)).id();
    assert_eq!(t.deadline(), None);
    respond(&mut t, 1, id, &bye, 200);
    let (_, sent) = start(&mut t, flow(Proto::Tcp), "BYE");
    answer(&mut t, 2, &sent, 200, "t");
    assert!(t.is_empty());
    assert_eq!(t.deadline(), None);
}

#[test]
fn an_answer_that_comes_too_late_is_dropped() {
    let mut t = new();
    let options = from_peer("OPTIONS", "z9hG4bK1", 1, "");
    let id = receive(&mut t, 0, options.clone()).id();
    respond(&mut t, 0, id, &options, 200);
    respond(&mut t, 1, id, &options, 500).nothing();
    tick(&mut t, 32_000);
    respond(&mut t, 32_001, id, &options, 500).nothing();
}

#[test]
fn responses_go_where_the_via_says() {
    for (via, port) in [("192.0.2.9:5062", 5062), ("192.0.2.9:5062;rport", 40_000), ("192.0.2.9", 5060)] {
        let mut t = new();
        let arrived = Flow { remote: "192.0.2.9:40000".parse().unwrap(), ..flow(Proto::Udp) };
        let options = parse(&format!(
            "OPTIONS sip:12345@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP {via};branch=z9hG4bK1\nMax-Forwards: 70\n\
             From: <sip:a@192.0.2.9>;tag=f\nTo: <sip:12345@192.0.2.1>\nCall-ID: c\nCSeq: 1 OPTIONS\n\n"
        ));
        let id = run(|out| t.received(now(0), arrived, peer(), options.clone(), out)).id();
        let sent_to = respond(&mut t, 1, id, &options, 200).sent[0].0;
        assert_eq!((sent_to.proto, sent_to.local, sent_to.remote.port()), (Proto::Udp, arrived.local, port));
    }
}
