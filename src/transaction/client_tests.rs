//! Our requests, through the methods of [`Transactions`].

use crate::base::{Flow, Now, Proto};
use crate::sip::{Header, Message, Method, Name, Status};
use crate::transaction::testing::{
    answer, at, flow, from_peer, new, now, ours, peer, receive, respond, run, start, tick, values,
};
use crate::transaction::{ClientId, Event, Failure, Output, Transactions};
use bytes::Bytes;
use std::net::SocketAddr;

#[test]
fn a_request_gets_our_via_and_its_response_comes_back_to_it() {
    let mut t = new();
    let (id, sent) = start(&mut t, flow(Proto::Udp), "OPTIONS");
    let via = sent.headers.via().unwrap();
    assert!(values(&sent, Name::Via)[0].starts_with("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"));
    assert_eq!(via.param("rport").as_deref(), Some(""));
    match answer(&mut t, 10, &sent, 200, "t").event() {
        Event::Response { id: got, response, .. } => assert_eq!((got, response.status), (id, Status(200))),
        other => panic!("{other:?}"),
    }
    answer(&mut t, 20, &sent, 200, "t").nothing();
    assert_eq!(t.deadline(), Some(at(5010)));
    tick(&mut t, 5010).nothing();
    assert!(t.is_empty());
}

#[test]
fn a_response_must_be_ours() {
    let mut t = new();
    let (_, sent) = start(&mut t, flow(Proto::Udp), "INVITE");
    let via = values(&sent, Name::Via).remove(0);
    let last = if via.contains("0;rport") { "1;rport" } else { "0;rport" };
    for foreign in [
        via.replace("192.0.2.1:5060", "192.0.2.1:5062"),
        via.replace("192.0.2.1:5060", "192.0.2.7:5060"),
        via.replace("z9hG4bK", "z9hG4bKx"),
        via.replace("z9hG4bK", "x"),
        "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK00112233445566778899aabbccddeeff".to_owned(),
        format!("{}{last}", &via[..via.len() - last.len()]),
    ] {
        for status in [100, 200, 486] {
            let mut reply = sent.reply(Status(status), Some("t"));
            reply.headers.set(Name::Via, foreign.clone());
            receive(&mut t, 1, Message::Response(reply)).nothing();
        }
    }
    // A branch that a peer has seen is good for its own call alone.
    for (name, other) in [(Name::CallId, "e@192.0.2.1"), (Name::From, "<sip:a@192.0.2.1>;tag=g")] {
        let mut reply = sent.reply(Status(200), Some("t"));
        reply.headers.set(name, other);
        receive(&mut t, 1, Message::Response(reply)).nothing();
    }
    let mut two = sent.reply(Status(200), Some("t"));
    two.headers.push(Name::Via, "SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKother");
    receive(&mut t, 1, Message::Response(two)).nothing();
}

#[test]
fn only_an_answer_to_a_request_of_ours_says_whose_it_is() {
    let mut t = new();
    let (_, sent) = start(&mut t, flow(Proto::Udp), "OPTIONS");
    let mut answered = |from: Flow, change: &dyn Fn(&mut crate::sip::Response)| {
        let mut reply = sent.reply(Status(200), Some("t"));
        change(&mut reply);
        t.received(now(1), from, peer(), Message::Response(reply), &mut Vec::new())
    };
    let ours = flow(Proto::Udp);
    let other = |remote: &str| Flow { remote: remote.parse().unwrap(), ..ours };
    let same = |_: &mut crate::sip::Response| ();
    assert_eq!(answered(ours, &|reply| reply.headers.set(Name::CSeq, "314 INVITE")), None);
    assert_eq!(answered(ours, &|reply| reply.headers.set(Name::CallId, "another")), None);
    assert_eq!(answered(ours, &same), Some(ours));
    let port = SocketAddr::new(ours.remote.ip(), 40_000);
    assert_eq!(answered(other(&port.to_string()), &same), Some(ours), "a host may answer from another port");
    assert_eq!(answered(ours, &same), Some(ours), "and more than once");
}

#[test]
fn an_ipv6_address_is_ours_in_brackets() {
    let mut t = new();
    let v6 = Flow { local: "[2001:db8::1]:5070".parse().unwrap(), ..flow(Proto::Udp) };
    let (_, sent) = start(&mut t, v6, "OPTIONS");
    assert!(values(&sent, Name::Via)[0].starts_with("SIP/2.0/UDP [2001:db8::1]:5070;"));
    let reply = Message::Response(sent.reply(Status(200), Some("t")));
    assert!(matches!(run(|out| t.received(now(1), v6, peer(), reply, out)).event(), Event::Response { .. }));
}

#[test]
fn a_response_of_another_method_does_not_match() {
    let mut t = new();
    let (_, sent) = start(&mut t, flow(Proto::Udp), "INVITE");
    for method in ["314 CANCEL", "314 BYE"] {
        let mut reply = sent.reply(Status(200), Some("t"));
        reply.headers.set(Name::CSeq, method);
        receive(&mut t, 1, Message::Response(reply)).nothing();
    }
    assert_eq!(t.len(), (1, 0));
}

#[test]
fn a_refused_invite_is_acknowledged_as_17_1_1_3_says() {
    let mut t = new();
    let (id, sent) = start(&mut t, flow(Proto::Udp), "INVITE");
    let out = answer(&mut t, 10, &sent, 486, "theirs");
    let ack = match &out.sent[..] {
        [(to, Message::Request(ack))] if *to == flow(Proto::Udp) => ack.clone(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(out.event(), Event::Response { id: got, .. } if got == id));
    assert_eq!((&ack.method, &ack.uri), (&Method::Ack, &sent.uri));
    for same in [Name::Via, Name::Route, Name::From, Name::CallId, Name::MaxForwards] {
        assert_eq!(values(&ack, same.clone()), values(&sent, same));
    }
    assert_eq!(values(&ack, Name::To), ["<sip:seat@192.0.2.9>;tag=theirs"]);
    assert_eq!(values(&ack, Name::CSeq), ["314 ACK"]);
    assert!(ack.body.is_empty() && ack.headers.contact().is_none());

    let again = answer(&mut t, 900, &sent, 486, "theirs");
    assert!(again.events.is_empty());
    assert_eq!(again.request(), ack);
    tick(&mut t, 32_010).nothing();
    assert!(t.is_empty());
}

#[test]
fn forked_and_repeated_2xx_all_reach_the_user() {
    let mut t = new();
    let (id, sent) = start(&mut t, flow(Proto::Udp), "INVITE");
    for (ms, tag) in [(10, "a"), (20, "b"), (510, "a"), (32_009, "b")] {
        let out = answer(&mut t, ms, &sent, 200, tag);
        assert!(out.sent.is_empty(), "the ACK of a 2xx is the dialog's");
        assert!(matches!(out.event(), Event::Response { id: got, .. } if got == id));
    }
    tick(&mut t, 32_010).nothing();
    assert!(t.is_empty());
    assert!(matches!(answer(&mut t, 32_011, &sent, 200, "a").event(), Event::Stray { .. }));
}

#[test]
fn an_unanswered_invite_fails_and_a_2xx_after_it_is_stray() {
    let mut t = new();
    let (id, sent) = start(&mut t, flow(Proto::Udp), "INVITE");
    let mut sends = 0;
    while let Some(mono) = t.deadline() {
        let out = run(|out| t.tick(Now { mono, ..Now::default() }, out));
        sends += out.sent.len();
        if let [Event::Failed { id: got, cause }] = out.events[..] {
            assert_eq!((got, cause, mono), (id, Failure::Timeout, at(32_000)));
        }
    }
    assert_eq!(sends, 6);
    assert!(t.is_empty());
    assert!(matches!(answer(&mut t, 40_000, &sent, 200, "a").event(), Event::Stray { .. }));
}

#[test]
fn cancel_waits_for_the_first_provisional_and_copies_the_invite() {
    let mut t = new();
    let (id, sent) = start(&mut t, flow(Proto::Udp), "INVITE");
    let reason = Header { name: Name::Reason, value: "SIP;cause=200".into() };
    run(|out| t.cancel(now(5), id, &[reason], out)).nothing();
    let out = answer(&mut t, 10, &sent, 180, "t");
    assert_eq!(out.events.len(), 1);
    assert_eq!(out.sent[0].0, flow(Proto::Udp));
    let cancel = out.request();
    assert_eq!((&cancel.method, &cancel.uri), (&Method::Cancel, &sent.uri));
    for same in [Name::Via, Name::Route, Name::From, Name::To, Name::CallId] {
        assert_eq!(values(&cancel, same.clone()), values(&sent, same));
    }
    assert_eq!(values(&cancel, Name::CSeq), ["314 CANCEL"]);
    assert_eq!(values(&cancel, Name::Reason), ["SIP;cause=200"]);
    assert!(cancel.body.is_empty());
    assert_eq!(t.len(), (2, 0));

    run(|out| t.cancel(now(20), id, &[], out)).nothing();
    assert_eq!(tick(&mut t, 510).request().method, Method::Cancel);
    answer(&mut t, 520, &cancel, 200, "t").nothing();
    let refused = answer(&mut t, 530, &sent, 487, "t");
    assert!(matches!(refused.event(), Event::Response { id: got, .. } if got == id));
    tick(&mut t, 60_000).nothing();
    assert!(t.is_empty());
}

#[test]
fn cancel_after_or_crossing_a_final_response_sends_nothing() {
    for status in [200, 486] {
        let mut t = new();
        let (id, sent) = start(&mut t, flow(Proto::Udp), "INVITE");
        run(|out| t.cancel(now(5), id, &[], out)).nothing();
        let crossing = answer(&mut t, 10, &sent, status, "t");
        assert!(crossing.sent.iter().all(|(_, m)| matches!(m, Message::Request(r) if r.method == Method::Ack)));
        run(|out| t.cancel(now(20), id, &[], out)).nothing();
    }
}

#[test]
fn a_cancelled_invite_that_stays_silent_fails_64_t1_later() {
    let mut t = new();
    let (id, sent) = start(&mut t, flow(Proto::Udp), "INVITE");
    answer(&mut t, 10, &sent, 180, "t");
    let cancel = run(|out| t.cancel(now(1000), id, &[], out)).request();
    answer(&mut t, 1010, &cancel, 200, "t").nothing();
    assert!(tick(&mut t, 32_999).events.is_empty());
    assert!(matches!(tick(&mut t, 33_000).event(), Event::Failed { cause: Failure::Timeout, .. }));
    assert!(t.is_empty());
}

#[test]
fn a_dead_flow_fails_its_requests_and_no_others() {
    let mut t = new();
    let (dead, _) = start(&mut t, flow(Proto::Tcp), "INVITE");
    start(&mut t, flow(Proto::Udp), "INVITE");
    let out = run(|out| t.flow_failed(now(10), flow(Proto::Tcp), out));
    assert!(matches!(out.event(), Event::Failed { id, cause: Failure::Transport } if id == dead));
    assert_eq!(t.len(), (1, 0));
    // The next request to the same peer goes out as if nothing had happened.
    start(&mut t, flow(Proto::Tcp), "OPTIONS");
    run(|out| t.flow_failed(now(20), flow(Proto::Tcp), out));
    assert_eq!(t.len(), (1, 0));
}

#[test]
fn a_peer_that_ended_is_asked_no_more_and_still_answered() {
    let mut t = new();
    let (dead, _) = start(&mut t, flow(Proto::Tcp), "INVITE");
    let theirs = from_peer("INVITE", "z9hG4bK1", 1, "");
    let id = run(|out| t.received(now(5), flow(Proto::Tcp), peer(), theirs.clone(), out)).id();
    let out = run(|out| t.peer_ended(flow(Proto::Tcp), out));
    assert!(matches!(out.event(), Event::Failed { id, cause: Failure::Transport } if id == dead));
    assert_eq!(respond(&mut t, 10, id, &theirs, 486).response().status, Status(486));
}

/// The bytes of a request of ours, as the edge hands them back.
fn sent_bytes(t: &mut Transactions, flow: Flow, method: &str, long: usize) -> (ClientId, Bytes) {
    let mut out = Vec::new();
    let mut request = ours(method);
    request.headers.push(Name::HistoryInfo, "h".repeat(long));
    let id = t.request(now(0), flow, request, &mut out);
    match out.remove(0) {
        Output::Send { data, .. } => (id, data),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_that_cannot_be_sent_fails_alone() {
    for proto in [Proto::Udp, Proto::Tcp] {
        let mut t = new();
        let flow = flow(proto);
        for _ in 0..20 {
            start(&mut t, flow, "INVITE");
        }
        for method in ["INVITE", "OPTIONS", "BYE"] {
            let (id, data) = sent_bytes(&mut t, flow, method, 1);
            let out = run(|out| t.unsent(flow, &data, false, out));
            assert!(matches!(out.event(), Event::Failed { id: got, cause: Failure::Transport } if got == id));
            run(|out| t.unsent(flow, &data, false, out)).nothing();
        }
        assert_eq!(t.len(), (20, 0));
    }
}

#[test]
fn a_request_that_no_datagram_holds_goes_by_tcp() {
    for method in ["INVITE", "OPTIONS"] {
        let mut t = new();
        let (id, data) = sent_bytes(&mut t, flow(Proto::Udp), method, 70_000);
        start(&mut t, flow(Proto::Udp), "INVITE");
        let mut out = Vec::new();
        t.unsent(flow(Proto::Udp), &data, true, &mut out);
        let again = match &out[..] {
            [Output::Send { flow: by, data }] if *by == flow(Proto::Tcp) => data.clone(),
            other => panic!("{other:?}"),
        };
        let text = String::from_utf8(again.to_vec()).unwrap();
        assert_eq!(text.replacen("SIP/2.0/TCP", "SIP/2.0/UDP", 1), String::from_utf8(data.to_vec()).unwrap());
        assert!(tick(&mut t, 600).sent.iter().all(|(by, _)| *by == flow(Proto::Udp)), "timers A and E are off");
        // No connection, or one that does not take it: that request has failed, and the other has not.
        let failed = match method {
            "INVITE" => run(|out| t.flow_failed(now(700), flow(Proto::Tcp), out)),
            _ => run(|out| t.unsent(flow(Proto::Tcp), &again, false, out)),
        };
        assert!(matches!(failed.event(), Event::Failed { id: got, cause: Failure::Transport } if got == id));
        assert_eq!(t.len(), (1, 0));
    }
}

#[test]
fn a_long_invite_is_answered_acknowledged_and_cancelled_by_tcp() {
    let mut t = new();
    let (id, data) = sent_bytes(&mut t, flow(Proto::Udp), "INVITE", 100);
    let sent = run(|out| t.unsent(flow(Proto::Udp), &data, true, out)).request();
    let by_tcp = |t: &mut Transactions, status: u16| {
        let reply = Message::Response(sent.reply(Status(status), Some("t")));
        run(|out| t.received(now(10), flow(Proto::Tcp), peer(), reply, out))
    };
    by_tcp(&mut t, 180).event();
    let cancel = run(|out| t.cancel(now(20), id, &[], out));
    assert_eq!(cancel.sent[0].0, flow(Proto::Tcp));
    assert_eq!(values(&cancel.request(), Name::Via), values(&sent, Name::Via));
    let refused = by_tcp(&mut t, 487);
    assert_eq!(refused.sent[0].0, flow(Proto::Tcp));
    assert!(values(&sent, Name::Via)[0].starts_with("SIP/2.0/TCP 192.0.2.1:5060;"));
    // Too late for another way: it was answered.
    run(|out| t.unsent(flow(Proto::Udp), &data, true, out)).nothing();
}

#[test]
fn an_ack_of_ours_has_a_branch_of_its_own() {
    let mut t = new();
    let (_, sent) = start(&mut t, flow(Proto::Udp), "INVITE");
    let mut bytes = Bytes::new();
    let ack = run(|out| bytes = t.send_once(flow(Proto::Udp), ours("ACK"), out)).request();
    assert_eq!(Message::parse(bytes).unwrap(), Message::Request(ack.clone()));
    assert_ne!(ack.headers.via().unwrap().branch(), sent.headers.via().unwrap().branch());
    assert_eq!(t.len(), (1, 0));
}
