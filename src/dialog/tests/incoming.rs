use super::one::*;
use crate::base::Proto;
use crate::dialog::*;
use crate::sip::{Message, Method, Name};
use crate::ua;
use std::time::Duration;

fn invite() -> crate::sip::Request {
    fresh("INVITE", "", OFFER)
}

#[test]
fn a_call_comes_is_answered_and_ends() {
    let mut one = One::new();
    one.receive(Message::Request(fresh("INVITE", "P-Asserted-Identity: <sip:1@x>\r\nX-Other: 1\r\n", OFFER)));
    assert_eq!(one.statuses(), [100]);
    let incoming = one.incoming();
    assert_eq!(incoming.offer.as_deref(), Some(&[Codec::Pcma, Codec::Pcmu][..]));
    assert_eq!((incoming.max_forwards, incoming.reliable, incoming.headers.len()), (70, false, 1));
    let leg = incoming.leg;
    one.command(Command::Attach { leg, local: local() });
    let media = one.media();
    assert_eq!((media.codec, media.rtp.unwrap().port(), media.event_out, media.ptime), (Codec::Pcma, 4000, Some(101), 20));
    one.command(Command::Progress { leg, status: Status(183), media: true });
    let progress = one.response();
    assert_eq!(progress.status, Status(183));
    one.command(Command::Answer { leg });
    one.quiet();
    one.command(Command::Release { leg });
    let ok = one.response();
    assert_eq!((ok.status, &ok.body), (Status(200), &progress.body));
    assert_eq!(ok.headers.to().unwrap().tag(), progress.headers.to().unwrap().tag());
    assert!(ok.headers.get(&Name::Contact).is_some() && ok.headers.get(&Name::Allow).is_some());
    let dialog = within(&invite(), &ok);
    one.receive(Message::Request(next(&dialog, Method::Ack, 1)));
    assert!(matches!(one.event(), Event::Established { .. }));
    one.receive(Message::Request(next(&dialog, Method::Bye, 2)));
    assert_eq!(one.statuses(), [200]);
    assert_eq!(one.ended(), (EndedBy::Peer, None));
    one.gone();
    one.quiet();
}

#[test]
fn an_unacknowledged_200_is_repeated_on_every_transport_then_bye() {
    for proto in [Proto::Udp, Proto::Tcp] {
        let mut one = One::over(proto);
        let leg = one.invited(&invite());
        one.command(Command::Answer { leg });
        one.pass(31.9);
        assert_eq!(one.statuses(), [200; 11], "{proto:?}");
        one.pass(0.2);
        assert_eq!(one.request().method, Method::Bye);
        assert_eq!(one.ended(), (EndedBy::Network, None));
        one.gone();
    }
}

#[test]
fn a_bye_before_the_ack_is_fine() {
    let mut one = One::new();
    let leg = one.invited(&invite());
    one.command(Command::Answer { leg });
    let dialog = within(&invite(), &one.response());
    one.receive(Message::Request(next(&dialog, Method::Bye, 2)));
    assert_eq!(one.ended(), (EndedBy::Peer, None));
    assert_eq!(one.statuses(), [200]);
    one.pass(100.0);
    one.quiet();
    one.gone();
}

#[test]
fn our_hangup_before_the_ack_waits_for_it() {
    let mut one = One::new();
    let leg = one.invited(&invite());
    one.command(Command::Answer { leg });
    let dialog = within(&invite(), &one.response());
    one.command(Command::Hangup { leg, cause: Cause::default() });
    assert_eq!(one.ended(), (EndedBy::Us, None));
    one.pass(0.6);
    assert_eq!(one.statuses(), [200]);
    one.receive(Message::Request(next(&dialog, Method::Ack, 1)));
    let bye = one.request();
    assert_eq!((bye.method, bye.headers.text(&Name::Reason).unwrap()), (Method::Bye, "Q.850;cause=16".into()));
    one.gone();
    assert!(one.events.is_empty());
}

#[test]
fn a_bye_that_comes_while_ours_waits_for_the_ack_leaves_nothing_to_say() {
    let mut one = One::new();
    let leg = one.invited(&invite());
    one.command(Command::Answer { leg });
    let ok = one.response();
    one.command(Command::Hangup { leg, cause: Cause::default() });
    one.ended();
    let dialog = within(&invite(), &ok);
    one.receive(Message::Request(next(&dialog, Method::Bye, 2)));
    assert_eq!(one.response().status, Status(200));
    one.receive(Message::Request(next(&dialog, Method::Ack, 1)));
    assert_eq!(one.methods(), []);
    one.gone();
}

#[test]
fn cancel_gets_487_also_when_finals_are_kept_back() {
    for released in [true, false] {
        let mut one = One::new();
        one.receive(Message::Request(invite()));
        let leg = one.incoming().leg;
        if released {
            one.command(Command::Release { leg });
        }
        one.sent.clear();
        let mut cancel = invite();
        cancel.method = Method::Cancel;
        cancel.body = bytes::Bytes::new();
        cancel.headers.remove(&Name::ContentType);
        cancel.headers.set(Name::CSeq, "1 CANCEL");
        cancel.headers.push(Name::Reason, "Q.850;cause=16");
        one.receive(Message::Request(cancel));
        let Event::Ended { end, .. } = one.event() else { panic!() };
        assert_eq!((end.by, end.status, end.q850), (EndedBy::Peer, Some(Status(487)), Some(16)));
        assert_eq!(one.statuses(), if released { vec![200, 487] } else { vec![200] });
        one.command(Command::Release { leg });
        assert_eq!(one.statuses(), if released { vec![] } else { vec![487] });
        one.command(Command::Answer { leg });
        one.gone();
    }
}

#[test]
fn an_invitation_expires_unless_it_is_answered() {
    let invite = || fresh("INVITE", "Expires: 30\r\n", OFFER);
    for released in [true, false] {
        let mut one = One::new();
        one.receive(Message::Request(invite()));
        let leg = one.incoming().leg;
        if released {
            one.command(Command::Release { leg });
        }
        one.pass(29.9);
        assert_eq!(one.statuses(), [100]);
        one.pass(0.2);
        assert_eq!(one.ended(), (EndedBy::Peer, Some(487)));
        assert_eq!(one.statuses(), if released { vec![487] } else { vec![] });
        one.command(Command::Release { leg });
        assert_eq!(one.statuses(), if released { vec![] } else { vec![487] });
        one.gone();
    }
    let mut one = One::new();
    one.receive(Message::Request(invite()));
    let leg = one.incoming().leg;
    one.command(Command::Attach { leg, local: local() });
    one.media();
    one.pass(29.9);
    one.command(Command::Answer { leg });
    one.pass(5.0);
    one.command(Command::Release { leg });
    assert_eq!(one.statuses(), [100, 200]);
    let mut one = One::new();
    one.receive(Message::Request(invite()));
    let leg = one.incoming().leg;
    one.command(Command::NoExpiry { leg });
    one.command(Command::Release { leg });
    one.pass(100.0);
    assert!(one.events.is_empty(), "nobody waits too long for an emergency line");
    let mut one = One::new();
    one.invited(&fresh("INVITE", "Expires: soon\r\n", OFFER));
    one.pass(100.0);
    assert!(one.events.is_empty(), "what is no number says nothing");
}

/// As a carrier that speaks SIP-I sends it.
fn multipart(description: &str, handling: &str) -> crate::sip::Request {
    let body = format!(
        "--sip-i\r\nContent-Type: application/sdp\r\n\r\n{description}\r\n--sip-i\r\nContent-Type: application/isup;version=itu-t92+\r\n\
         Content-Disposition: signal;handling={handling}\r\n\r\n\u{1}\u{0}\u{11}\r\n--sip-i--\r\n"
    );
    fresh("INVITE", "Content-Type: multipart/mixed;boundary=sip-i\r\n", &body)
}

#[test]
fn a_description_beside_an_isup_message_is_taken() {
    let mut one = One::new();
    let (_, dialog) = one.session(&multipart(OFFER, "optional"));
    let held = multipart(&format!("{OFFER}a=sendonly\r\n"), "optional");
    let again = next(&dialog, Method::Invite, 3).with_body("multipart/mixed;boundary=sip-i", held.body);
    one.receive(Message::Request(again));
    assert_eq!(one.media().direction, crate::sip::Direction::RecvOnly);

    let mut one = One::new();
    one.session(&multipart(OFFER, "required"));
    let mut one = One::new();
    one.receive(Message::Request(multipart("", "required").with_body("application/x-new", "x".into())));
    let refused = one.response();
    assert_eq!(
        (refused.status, refused.headers.text(&Name::Accept).as_deref()),
        (Status(415), Some("application/sdp, multipart/mixed"))
    );
    let mut one = One::new();
    one.receive(Message::Request(fresh("INVITE", "Content-Type: multipart/mixed;boundary=other\r\n", "--sip-i\r\n\r\nx")));
    assert_eq!(one.statuses(), [400]);
}

#[test]
fn a_hangup_refuses_with_its_cause() {
    let mut one = One::new();
    let leg = one.invited(&invite());
    let cause = Cause { status: 486, q850: Some(17), retry_after: Some(Duration::from_secs(9)), elsewhere: false };
    one.command(Command::Hangup { leg, cause });
    let busy = one.response();
    assert_eq!(busy.status, Status(486));
    assert_eq!(busy.headers.text(&Name::Reason).unwrap(), "Q.850;cause=17");
    assert_eq!(busy.headers.text(&Name::RetryAfter).unwrap(), "9");
    assert_eq!(one.ended(), (EndedBy::Us, Some(486)));
    one.gone();
}

#[test]
fn a_refusal_that_is_never_released_leaves_in_the_end() {
    let mut one = One::new();
    one.receive(Message::Request(invite()));
    let leg = one.incoming().leg;
    one.sent.clear();
    one.command(Command::Hangup { leg, cause: Cause::default() });
    assert_eq!(one.ended(), (EndedBy::Us, Some(480)));
    one.pass(32.0);
    one.quiet();
    one.pass(1.0);
    assert!(one.statuses().contains(&480));
    one.gone();
}

#[test]
fn bye_from_a_caller_that_is_not_answered_ends_the_invite() {
    let mut one = One::new();
    let leg = one.invited(&invite());
    one.command(Command::Progress { leg, status: Status(180), media: false });
    let dialog = within(&invite(), &one.response());
    one.receive(Message::Request(next(&dialog, Method::Bye, 2)));
    assert_eq!(one.statuses(), [200, 487]);
    assert_eq!(one.ended(), (EndedBy::Peer, Some(487)));
    one.gone();
}

#[test]
fn what_cannot_be_served_is_refused_with_the_right_word() {
    let invite = |extra: &str, body: &str| fresh("INVITE", extra, body);
    let tel = "Content-Type: text/plain\r\n";
    let cases = [
        (invite("Require: 100rel, foo, bar\r\n", OFFER), 420, Some((Name::Unsupported, "foo, bar"))),
        (invite("Max-Forwards: 0\r\n", OFFER), 483, None),
        (invite("Session-Expires: 60\r\nSupported: timer\r\n", OFFER), 422, Some((Name::MinSe, "90"))),
        (invite("", "hello"), 400, None),
        (invite(tel, "hello"), 415, Some((Name::Accept, "application/sdp, multipart/mixed"))),
        (fresh("REGISTER", "", ""), 405, Some((Name::Allow, ua::ALLOW))),
        (fresh("REFER", "Refer-To: <sip:12366@192.0.2.1>\r\n", ""), 403, None),
        (fresh("SUBSCRIBE", "Event: refer\r\n", ""), 405, Some((Name::Allow, ua::ALLOW))),
        (fresh("NOTIFY", "Event: refer;id=1\r\n", ""), 481, None),
        (fresh("NOTIFY", "Event: message-summary\r\n", ""), 489, Some((Name::AllowEvents, "refer"))),
        (fresh("FROBNICATE", "", ""), 501, Some((Name::Allow, ua::ALLOW))),
        (fresh("BYE", "", ""), 481, None),
        (fresh("PRACK", "", ""), 481, None),
    ];
    for (request, status, header) in cases {
        let mut one = One::new();
        one.receive(Message::Request(request));
        let response = one.response();
        assert_eq!(response.status, Status(status));
        if let Some((name, value)) = header {
            assert_eq!(response.headers.text(&name).as_deref(), Some(value));
        }
        assert!(response.headers.to().unwrap().tag().is_some());
        one.quiet();
        one.gone();
    }
}

#[test]
fn an_unknown_to_tag_is_481_and_a_sips_uri_416() {
    let mut one = One::new();
    let mut request = invite();
    request.headers.set(Name::To, "<sip:12345@192.0.2.1>;tag=nobody");
    one.receive(Message::Request(request));
    assert_eq!(one.statuses(), [481]);
    let mut request = fresh("INVITE", "", "");
    request.uri = Uri::parse(b"sips:12345@192.0.2.1").unwrap();
    request.headers.set(Name::Via, "SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKx");
    request.headers.set(Name::CallId, "c2");
    one.receive(Message::Request(request));
    assert_eq!(one.statuses(), [416]);
    one.gone();
}

#[test]
fn options_says_what_we_can_or_what_is_in_an_invites_way() {
    let full = Cause { status: 503, q850: Some(42), retry_after: Some(Duration::from_secs(5)), ..Cause::default() };
    for refusal in [None, Some(full)] {
        let mut one = One::new();
        one.receive(Message::Request(fresh("OPTIONS", "Max-Forwards: 0\r\n", "")));
        assert!(one.sent.is_empty(), "it waits for the word of whoever has the calls");
        let Event::Asked(asked) = one.event() else { panic!("a question") };
        assert_eq!(asked.invite.uri.user.as_deref(), Some("12345"));
        let mut out = Vec::new();
        one.legs.tell(one.now, &asked, refusal.as_ref(), &mut out);
        one.take(out);
        let told = one.response();
        assert_eq!(told.status.0, refusal.as_ref().map_or(200, |refusal| refusal.status));
        assert_eq!(told.headers.retry_after(), refusal.and_then(|refusal| refusal.retry_after));
        for name in [Name::Allow, Name::Accept, Name::AcceptEncoding, Name::Supported, Name::Contact] {
            assert!(told.headers.get(&name).is_some(), "{name:?}");
        }
        one.gone();
    }
    let mut one = One::new();
    one.receive(Message::Request(fresh("OPTIONS", "Require: precondition\r\n", "")));
    assert_eq!((one.statuses(), one.turned_away.clone()), (vec![420], vec![420]), "as an INVITE");
}

#[test]
fn an_unknown_encoding_of_a_body_is_415_in_every_method() {
    let coded = |method: &str, how: &str| fresh(method, &format!("Content-Type: application/sdp\r\n{how}"), OFFER);
    for how in ["Content-Encoding: gzip\r\n", "e: identity, GZIP\r\n", "Content-Encoding: identity\r\nContent-Encoding: br\r\n"] {
        for method in ["INVITE", "OPTIONS", "INFO", "UPDATE", "REFER", "PRACK"] {
            let mut one = One::new();
            one.receive(Message::Request(coded(method, how)));
            let refused = one.response();
            assert_eq!(refused.status, Status(415), "{method} {how}");
            assert_eq!(refused.headers.text(&Name::AcceptEncoding).as_deref(), Some("identity"));
            assert_eq!(one.turned_away, [415]);
        }
    }
    for fine in ["Content-Encoding: Identity\r\n", "Content-Encoding: gzip\r\nContent-Disposition: x; Handling=Optional\r\n"] {
        let mut one = One::new();
        one.receive(Message::Request(coded("INVITE", fine)));
        let offer = one.incoming().offer;
        assert_eq!(offer.is_some(), !fine.contains("gzip"), "a description that we may ignore and cannot read is none: {fine}");
    }
    let mut one = One::new();
    let (leg, dialog) = one.session(&invite());
    let mut bye = with(next(&dialog, Method::Bye, 3), OFFER);
    bye.headers.push(Name::ContentEncoding, "gzip");
    one.receive(Message::Request(bye));
    assert_eq!((one.statuses(), one.ended().0), (vec![200], EndedBy::Peer), "{leg:?} ends, whatever its BYE carries");
}

#[test]
fn what_starts_nothing_leaves_nothing_behind() {
    let mut one = One::new();
    for (method, extra, status) in [
        ("BYE", "", 481),
        ("REGISTER", "", 405),
        ("SUBSCRIBE", "Event: presence\r\n", 405),
        ("NOTIFY", "Event: x\r\n", 489),
        ("PUBLISH", "", 405),
        ("FOO", "", 501),
        ("REFER", "Refer-To: <sip:a@b>\r\n", 403),
        ("INVITE", "Require: nonsense\r\n", 420),
        ("INVITE", "Max-Forwards: 0\r\n", 483),
    ] {
        let request = Message::Request(fresh(method, extra, ""));
        let mut tags = Vec::new();
        for _ in 0..2 {
            one.receive(request.clone());
            let answer = one.response();
            assert_eq!((answer.status, one.legs.gauges()), (Status(status), (0, 0, 0)), "{method} {extra}");
            tags.push(answer.headers.to().unwrap().tag().map(str::to_owned));
        }
        assert!(tags[0].is_some() && tags[0] == tags[1], "{method}: {tags:?}");
    }
}

#[test]
fn without_a_common_codec_the_leg_is_refused_at_attach() {
    for body in [OFFER.replace("8 0 101", "18"), OFFER.replace("8 0 101", "0")] {
        let mut one = One::new();
        one.receive(Message::Request(fresh("INVITE", "", &body)));
        let leg = one.incoming().leg;
        one.command(Command::Release { leg });
        one.sent.clear();
        one.command(Command::Attach { leg, local: LocalMedia { codecs: vec![Codec::Pcma], ..local() } });
        assert_eq!(one.statuses(), [488]);
        assert_eq!(one.ended(), (EndedBy::Us, Some(488)));
        one.gone();
    }
}

#[test]
fn more_legs_than_allowed_are_503() {
    let mut one = One::new();
    for i in 0..4 {
        let mut request = invite();
        request.headers.set(Name::Via, format!("SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK{i}"));
        request.headers.set(Name::CallId, format!("c{i}"));
        one.receive(Message::Request(request));
    }
    let refused = one.sent.pop_back().unwrap().1;
    let Message::Response(refused) = refused else { panic!() };
    assert_eq!(refused.status, Status(503));
    assert!(refused.headers.get(&Name::RetryAfter).is_some());
    assert_eq!((one.events.len(), one.turned_away.clone()), (3, vec![503]));
}

#[test]
fn a_late_offer_is_ours_and_the_ack_answers_it() {
    let mut one = One::new();
    let invite = fresh("INVITE", "", "");
    let leg = one.invited(&invite);
    one.command(Command::Progress { leg, status: Status(183), media: true });
    assert!(one.response().body.is_empty(), "an offer may not leave unreliably");
    one.command(Command::Answer { leg });
    let ok = one.response();
    assert_eq!(sdp(&ok.body).payloads.len(), 2);
    let ack = with(next(&within(&invite, &ok), Method::Ack, 1), &OFFER.replace("8 0 101", "0 101"));
    one.receive(Message::Request(ack));
    assert_eq!(one.media().codec, Codec::Pcmu);
    assert!(matches!(one.event(), Event::Established { .. }));
    assert_eq!(leg, LegId(1));
}

#[test]
fn a_late_offer_without_an_answer_ends_the_leg() {
    let mut one = One::new();
    let invite = fresh("INVITE", "", "");
    let leg = one.invited(&invite);
    one.command(Command::Answer { leg });
    let ok = one.response();
    one.receive(Message::Request(next(&within(&invite, &ok), Method::Ack, 1)));
    assert_eq!(one.ended(), (EndedBy::Peer, Some(488)));
    assert_eq!(one.request().method, Method::Bye);
    one.gone();
}

#[test]
fn a_long_wait_is_told_every_minute() {
    let mut one = One::new();
    let leg = one.invited(&invite());
    one.command(Command::Progress { leg, status: Status(182), media: false });
    one.sent.clear();
    one.pass(125.0);
    assert_eq!(one.statuses(), [182, 182]);
}

#[test]
fn a_dead_flow_ends_a_leg_that_it_must_still_answer() {
    let mut one = One::over(Proto::Tcp);
    one.invited(&invite());
    one.fail_flow();
    assert_eq!(one.ended(), (EndedBy::Network, None));
    one.gone();
}
