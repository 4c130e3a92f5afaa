//! A session has one live audio stream that we can reach (RFC 3264 §6, RFC 3261 §14.2), whoever describes it.

use super::one::*;
use crate::dialog::*;
use crate::sip::{Message, Method, Name, Response};

/// Descriptions without such a stream, and what a refusal says of each.
fn dead() -> Vec<(String, u16)> {
    let ip6 = |ip: &str| OFFER.replace("IP4 198.51.100.7", &format!("IP6 {ip}"));
    vec![
        (OFFER.replace("audio 4000", "audio 0"), 304),
        (OFFER.replace("audio 4000", "audio 0") + "m=image 4020 udptl t38\r\n", 304),
        (OFFER.replace("audio 4000", "audio 0") + "m=video 4020 RTP/AVP 96\r\n", 304),
        (OFFER.replace("audio 4000", "video 4000"), 304),
        (OFFER.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF"), 302),
        (OFFER.replace("8 0 101", "18 101"), 305),
        (OFFER.replace("8 0 101", "101"), 305),
        (ip6("2001:db8::7"), 300),
        (ip6("::ffff:198.51.100.7"), 300),
        (OFFER.replace("c=IN IP4 198.51.100.7", "c=IN IP4 127.0.0.1"), 301),
        (OFFER.replace("c=IN IP4 198.51.100.7", "c=IN IP4 224.2.1.1/127"), 301),
        (OFFER.replace("c=IN IP4 198.51.100.7", "c=IN IP4 phone.example"), 301),
    ]
}

fn refused_for(response: &Response, warning: u16) {
    let said = response.headers.text(&Name::Warning).unwrap_or_default();
    assert_eq!((response.status.0, said.starts_with(&format!("{warning} "))), (488, true), "{said}");
}

#[test]
fn an_invite_without_one_is_refused() {
    for (body, warning) in dead() {
        let mut one = One::new();
        let invite = fresh("INVITE", "", &body);
        one.receive(Message::Request(invite));
        let incoming = one.incoming();
        assert_eq!(incoming.offer, Some(vec![]), "{body}");
        one.sent.clear();
        one.command(Command::Release { leg: incoming.leg });
        one.command(Command::Attach { leg: incoming.leg, local: local() });
        assert_eq!(one.ended(), (EndedBy::Us, Some(488)));
        refused_for(&one.response(), warning);
        one.gone();
    }
}

#[test]
fn a_session_that_is_offered_none_stays_as_it_was() {
    for method in [Method::Invite, Method::Update] {
        let mut one = One::new();
        let (_, dialog) = one.session(&fresh("INVITE", "", OFFER));
        for (seq, (body, warning)) in (2..).zip(dead()) {
            one.receive(Message::Request(with(next(&dialog, method.clone(), seq), &body)));
            refused_for(&one.response(), warning);
            let mut ack = next(&dialog, Method::Ack, seq);
            ack.headers.set(Name::Via, format!("SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-INVITE-{seq}"));
            one.receive(Message::Request(ack));
        }
        one.quiet();
        one.receive(Message::Request(with(next(&dialog, method.clone(), 99), OFFER)));
        let ok = one.response();
        assert_eq!((ok.status.0, sdp(&ok.body).session.1), (200, 1));
        one.quiet();
    }
}

#[test]
fn a_party_whose_answer_has_none_is_no_party() {
    for (body, _) in dead() {
        let mut one = One::new();
        let (_, invite) = one.dial();
        one.receive(Message::Response(answer(&invite, 200, "theirs", Some(&body))));
        assert_eq!(one.methods(), [Method::Ack, Method::Bye], "{body}");
        assert_eq!(one.ended(), (EndedBy::Peer, Some(488)));
        one.gone();
        // Said reliably beforehand it comes to the same, but for a better one in the 2xx.
        for better in [false, true] {
            let mut one = One::new();
            let (_, invite) = one.dial();
            let mut early = answer(&invite, 183, "theirs", Some(&body));
            early.headers.push(Name::Require, "100rel");
            early.headers.push(Name::RSeq, "1");
            one.receive(Message::Response(early));
            one.sent.clear();
            one.receive(Message::Response(answer(&invite, 200, "theirs", better.then_some(OFFER))));
            let expected: &[Method] = if better { &[Method::Ack] } else { &[Method::Ack, Method::Bye] };
            assert_eq!(one.methods(), expected);
        }
    }
}

#[test]
fn a_late_offer_that_is_answered_so_ends() {
    for (body, _) in dead() {
        let mut one = One::new();
        let invite = fresh("INVITE", "", "");
        let leg = one.invited(&invite);
        one.command(Command::Answer { leg });
        let dialog = within(&invite, &one.response());
        one.receive(Message::Request(with(next(&dialog, Method::Ack, 1), &body)));
        assert_eq!(one.ended(), (EndedBy::Peer, Some(488)), "{body}");
        assert_eq!(one.methods(), [Method::Bye]);
        one.gone();
    }
}

#[test]
fn one_beside_others_is_enough() {
    let mut one = One::new();
    let dead = "m=image 4020 udptl t38\r\nm=audio 0 RTP/AVP 8\r\nm=audio 4002 RTP/AVP 8\r\nc=IN IP6 2001:db8::7\r\n";
    let leg = one.invited(&fresh("INVITE", "", &OFFER.replace("m=audio", &format!("{dead}m=audio"))));
    one.command(Command::Answer { leg });
    let ok = one.response();
    assert_eq!(ok.status, Status(200));
    let text = String::from_utf8_lossy(&ok.body).into_owned();
    let ports: Vec<_> = text.lines().filter(|l| l.starts_with("m=")).map(|l| l.split(' ').nth(1).unwrap()).collect();
    assert_eq!(ports, ["0", "0", "0", "20000"]);
}
