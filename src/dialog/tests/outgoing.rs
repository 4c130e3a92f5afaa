use super::one::*;
use crate::base::{LegId, Proto};
use crate::dialog::*;
use crate::sip::{Message, Method, Name, Request};

fn dialled() -> (One, LegId, Request) {
    let mut one = One::new();
    let (leg, invite) = one.dial();
    (one, leg, invite)
}

fn ringing(one: &mut One, invite: &Request) {
    one.receive(Message::Response(answer(invite, 180, "theirs", None)));
    assert!(matches!(one.event(), Event::Progress { status: Status(180), .. }));
}

#[test]
fn a_party_rings_answers_and_is_hung_up() {
    let (mut one, leg, invite) = dialled();
    assert_eq!(invite.headers.max_forwards(), Some(69));
    assert_eq!(invite.headers.text(&Name::XHotlineCallId).unwrap(), "id");
    assert_eq!(invite.headers.text(&Name::Contact).unwrap(), "<sip:192.0.2.1:5060>");
    assert!(invite.headers.lists(&Name::Supported, "100rel"));
    assert_eq!(sdp(&invite.body).telephone_event, Some(101));
    one.receive(Message::Response(answer(&invite, 100, "", None)));
    ringing(&mut one, &invite);
    one.receive(Message::Response(answer(&invite, 180, "theirs", None)));
    one.quiet();
    one.receive(Message::Response(answer(&invite, 183, "theirs", Some(OFFER))));
    assert_eq!(one.media().codec, Codec::Pcma);
    assert!(matches!(one.event(), Event::EarlyMedia { sends: true, .. }));
    assert!(matches!(one.event(), Event::Progress { status: Status(183), .. }));
    one.receive(Message::Response(answer(&invite, 200, "theirs", Some(OFFER))));
    assert!(matches!(one.event(), Event::Answered { .. }));
    let (flow, ack) = one.sent.pop_front().unwrap();
    let Message::Request(ack) = ack else { panic!() };
    assert_eq!((flow.remote.port(), ack.uri.to_string()), (5080, "sip:theirs@198.51.100.7:5080".to_owned()));
    assert_eq!(ack.headers.text(&Name::CSeq).unwrap(), "1 ACK");
    one.receive(Message::Response(answer(&invite, 200, "theirs", Some(OFFER))));
    assert_eq!(one.request(), ack, "a repeated 2xx gets the same ACK");
    one.command(Command::Hangup { leg, cause: Cause { q850: Some(31), ..Cause::default() } });
    let bye = one.request();
    assert_eq!((bye.method.clone(), bye.headers.text(&Name::CSeq).unwrap()), (Method::Bye, "2 BYE".to_owned()));
    assert_eq!(bye.headers.text(&Name::Reason).unwrap(), "Q.850;cause=31");
    assert_eq!(one.ended(), (EndedBy::Us, None));
    one.receive(Message::Response(answer(&bye, 481, "theirs", None)));
    assert_eq!(one.legs.gauges().0, 0);
    one.gone();
    one.quiet();
}

#[test]
fn an_answer_beside_an_isup_message_is_taken() {
    let (mut one, _, invite) = dialled();
    let isup = "Content-Type: application/isup;version=itu-t92+\r\n\r\n\u{6}\u{16}\u{4}";
    let body = format!("--x\r\n{isup}\r\n--x\r\nContent-Type: application/sdp\r\n\r\n{OFFER}\r\n--x--\r\n");
    let progress = answer(&invite, 183, "theirs", None).with_body("multipart/mixed;boundary=x", body.into());
    one.receive(Message::Response(progress));
    assert_eq!(one.media().codec, Codec::Pcma, "a response cannot be refused, whatever else it holds");
}

#[test]
fn a_refusal_ends_the_leg_with_its_reasons() {
    for status in [302, 401, 407, 486, 503, 603] {
        let (mut one, _, invite) = dialled();
        let mut refusal = answer(&invite, status, "theirs", None);
        refusal.headers.push(Name::Reason, "Q.850;cause=17;text=\"busy\"");
        refusal.headers.push(Name::RetryAfter, "20");
        one.receive(Message::Response(refusal));
        let Event::Ended { end, .. } = one.event() else { panic!() };
        assert_eq!((end.by, end.status, end.q850), (EndedBy::Peer, Some(Status(status)), Some(17)));
        assert_eq!(end.retry_after.unwrap().as_secs(), 20);
        assert_eq!(one.request().method, Method::Ack);
        one.gone();
        one.quiet();
    }
}

#[test]
fn a_hangup_before_the_answer_cancels() {
    for elsewhere in [false, true] {
        let (mut one, leg, invite) = dialled();
        one.command(Command::Hangup { leg, cause: Cause { elsewhere, ..Cause::default() } });
        assert_eq!(one.ended(), (EndedBy::Us, None));
        one.quiet();
        one.receive(Message::Response(answer(&invite, 180, "theirs", None)));
        let cancel = one.request();
        assert_eq!(cancel.method, Method::Cancel);
        let reason = if elsewhere { "SIP;cause=200;text=\"Call completed elsewhere\"" } else { "Q.850;cause=16" };
        assert_eq!(cancel.headers.text(&Name::Reason).unwrap(), reason);
        one.receive(Message::Response(answer(&cancel, 200, "theirs", None)));
        one.receive(Message::Response(answer(&invite, 487, "theirs", None)));
        assert_eq!(one.request().method, Method::Ack);
        assert_eq!(one.legs.gauges().0, 0);
        one.gone();
        one.quiet();
    }
}

#[test]
fn a_200_that_crosses_the_cancel_is_acked_and_byed() {
    let elsewhere = Cause { elsewhere: true, ..Cause::default() };
    let silent = Cause { q850: Some(19), ..Cause::default() };
    for (cause, reason) in [
        (Cause::default(), "Q.850;cause=16"),
        (silent, "Q.850;cause=19"),
        (elsewhere, "SIP;cause=200;text=\"Call completed elsewhere\""),
    ] {
        let (mut one, leg, invite) = dialled();
        ringing(&mut one, &invite);
        one.command(Command::Hangup { leg, cause });
        one.ended();
        assert_eq!(one.request().method, Method::Cancel);
        one.receive(Message::Response(answer(&invite, 200, "theirs", Some(OFFER))));
        let sent = one.requests();
        assert_eq!(sent.iter().map(|request| request.method.clone()).collect::<Vec<_>>(), [Method::Ack, Method::Bye]);
        assert_eq!(sent[1].headers.text(&Name::Reason).unwrap(), reason, "the phone is told what its CANCEL says");
        one.receive(Message::Response(answer(&invite, 200, "theirs", Some(OFFER))));
        assert_eq!(one.methods(), [Method::Ack]);
        one.gone();
        assert!(one.events.is_empty());
    }
}

#[test]
fn a_200_after_we_gave_up_is_acked_and_byed() {
    let (mut one, _, invite) = dialled();
    one.gone();
    assert_eq!(one.ended(), (EndedBy::Network, Some(408)));
    one.sent.clear();
    one.receive(Message::Response(answer(&invite, 200, "late", Some(OFFER))));
    let sent = one.requests();
    let methods: Vec<Method> = sent.iter().map(|r| r.method.clone()).collect();
    assert_eq!(methods, [Method::Ack, Method::Bye]);
    assert_eq!(sent[1].uri.to_string(), "sip:late@198.51.100.7:5080");
    one.gone();
    assert!(one.events.is_empty());
}

#[test]
fn a_second_branch_that_answers_is_acked_at_its_contact_and_byed() {
    let mut one = One::new();
    let (_, invite, _) = one.called();
    one.receive(Message::Response(answer(&invite, 200, "second", Some(OFFER))));
    let sent = one.requests();
    let shape: Vec<_> = sent.iter().map(|r| (r.method.clone(), r.uri.to_string())).collect();
    let uri = "sip:second@198.51.100.7:5080".to_owned();
    assert_eq!(shape, [(Method::Ack, uri.clone()), (Method::Bye, uri)]);
    assert!(sent.iter().all(|r| r.headers.to().unwrap().tag() == Some("second")));
    assert!(one.events.is_empty(), "the session with the first branch goes on");
    assert_eq!(one.legs.gauges().0, 1);
}

#[test]
fn an_invite_answered_only_by_100_ends_by_timer_c_with_a_cancel() {
    let (mut one, _, invite) = dialled();
    one.receive(Message::Response(answer(&invite, 100, "", None)));
    one.pass(180.9);
    one.quiet();
    one.pass(0.2);
    assert_eq!(one.ended(), (EndedBy::Network, Some(408)));
    assert_eq!(one.request().method, Method::Cancel);
    one.gone();
}

#[test]
fn a_dead_flow_fails_a_call_but_not_a_session() {
    let mut one = One::over(Proto::Tcp);
    one.dial();
    one.fail_flow();
    assert_eq!(one.ended(), (EndedBy::Network, Some(503)));
    one.gone();
    let (leg, ..) = one.called();
    one.pass(60.0);
    one.fail_flow();
    one.quiet();
    one.command(Command::Hangup { leg, cause: Cause::default() });
    assert_eq!(one.request().method, Method::Bye);
    one.gone();
}

#[test]
fn a_200_without_a_usable_answer_is_byed() {
    for body in [None, Some(OFFER.replace("8 0 101", "18"))] {
        let (mut one, _, invite) = dialled();
        one.receive(Message::Response(answer(&invite, 200, "theirs", body.as_deref())));
        assert_eq!(one.methods(), [Method::Ack, Method::Bye]);
        assert_eq!(one.ended(), (EndedBy::Peer, Some(488)));
        one.gone();
    }
}

#[test]
fn in_dialog_requests_follow_the_route_set() {
    let (mut one, leg, invite) = dialled();
    let mut ok = answer(&invite, 200, "theirs", Some(OFFER));
    ok.headers.push(Name::RecordRoute, "<sip:10.0.0.1;lr>");
    ok.headers.push(Name::RecordRoute, "<sip:10.0.0.2;lr>");
    one.receive(Message::Response(ok));
    one.command(Command::Hangup { leg, cause: Cause::default() });
    for (flow, message) in std::mem::take(&mut one.sent) {
        let Message::Request(request) = message else { panic!() };
        let routes: Vec<&[u8]> = request.headers.all(&Name::Route).map(|r| &r[..]).collect();
        assert_eq!(routes, [&b"<sip:10.0.0.2;lr>"[..], b"<sip:10.0.0.1;lr>"]);
        assert_eq!(flow.remote.to_string(), "10.0.0.2:5060");
        assert_eq!(request.uri.to_string(), "sip:theirs@198.51.100.7:5080");
    }
}
