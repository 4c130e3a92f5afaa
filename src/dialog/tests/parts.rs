//! A body's parts count in every message that has one (RFC 5621): what is looked for is found beside others, what may be
//! ignored is, and a call is not refused over a part that nobody needs.

use super::one::*;
use crate::dialog::*;
use crate::sip::{Message, Method, Name, Request};

const LOCATION: &str = "Content-Type: application/pidf+xml\r\nContent-ID: <l@x>\r\n\r\n<presence/>";
const ISUP: &str = "Content-Type: application/isup\r\nContent-Disposition: signal;handling=required\r\n\r\n\u{1}\u{0}\u{11}";
const UNKNOWN: &str = "Content-Type: application/x-new\r\nContent-Disposition: aib;handling=required\r\n\r\nx";

/// The body with that part before and after it.
fn beside(kind: &str, body: &str, part: &str) -> [String; 2] {
    let ours = format!("Content-Type: {kind}\r\n\r\n{body}");
    [[part, &ours], [&ours, part]].map(|[a, b]| format!("--b\r\n{a}\r\n--b\r\n{b}\r\n--b--\r\n"))
}

fn multi(request: Request, body: &str) -> Request {
    request.with_body("multipart/mixed;boundary=b", bytes::Bytes::copy_from_slice(body.as_bytes()))
}

fn bodies(description: &str) -> Vec<String> {
    [LOCATION, ISUP, UNKNOWN].iter().flat_map(|part| beside("application/sdp", description, part)).collect()
}

#[test]
fn an_invite_is_taken_with_its_location() {
    for body in bodies(OFFER) {
        let mut one = One::new();
        let (_, dialog) = one.session(&multi(fresh("INVITE", "", ""), &body));
        for method in [Method::Invite, Method::Update] {
            for (seq, held_body) in (2..).zip(bodies(&format!("{OFFER}a=sendonly\r\n"))) {
                let seq = if method == Method::Update { seq + 50 } else { seq };
                one.receive(Message::Request(multi(next(&dialog, method.clone(), seq), &held_body)));
                let ok = one.response();
                assert_eq!(ok.status, Status(200));
                assert_eq!(sdp(&ok.body).direction, Direction::RecvOnly);
            }
        }
    }
}

#[test]
fn an_ack_and_a_prack_bring_the_answer_beside_others() {
    for body in bodies(OFFER) {
        let mut one = One::new();
        let invite = fresh("INVITE", "", "");
        let leg = one.invited(&invite);
        one.command(Command::Answer { leg });
        let dialog = within(&invite, &one.response());
        one.receive(Message::Request(multi(next(&dialog, Method::Ack, 1), &body)));
        assert_eq!(one.media().codec, Codec::Pcma);
        let mut one = One::new();
        let invite = fresh("INVITE", "Require: 100rel\r\n", "");
        let leg = one.invited(&invite);
        one.command(Command::Progress { leg, status: Status(183), media: true });
        let early = one.response();
        let mut prack = next(&within(&invite, &early), Method::Prack, 2);
        prack.headers.set(Name::RAck, format!("{} 1 INVITE", early.headers.rseq().unwrap()));
        one.receive(Message::Request(multi(prack, &body)));
        assert_eq!((one.media().codec, one.response().status), (Codec::Pcma, Status(200)));
    }
}

#[test]
fn responses_bring_it_too() {
    for body in bodies(OFFER) {
        for status in [183, 200] {
            let mut one = One::new();
            let (_, invite) = one.dial();
            let response = answer(&invite, status, "theirs", None);
            one.receive(Message::Response(response.with_body("multipart/mixed;boundary=b", body.clone().into())));
            assert_eq!(one.media().codec, Codec::Pcma);
        }
    }
}

#[test]
fn what_may_be_ignored_is_in_every_request() {
    let alone = |part: &str| format!("--b\r\n{part}\r\n--b--\r\n");
    let optional = UNKNOWN.replace("required", "optional");
    let mut one = One::new();
    let (_, dialog) = one.session(&fresh("INVITE", "", OFFER));
    let mut seq = 1;
    for method in [Method::Update, Method::Info, Method::Options, Method::Invite] {
        for (part, served) in [(&*optional, true), (UNKNOWN, false), (LOCATION, method != Method::Info)] {
            seq += 1;
            one.receive(Message::Request(multi(next(&dialog, method.clone(), seq), &alone(part))));
            let expected = if served || method == Method::Options { 200 } else { 415 };
            assert_eq!(one.response().status.0, expected, "{method:?} {part}");
            one.receive(Message::Request(with(next(&dialog, Method::Ack, seq), OFFER)));
            one.sent.clear();
        }
    }
    seq += 1;
    let mut plain = next(&dialog, Method::Info, seq).with_body("text/plain", "hello".into());
    plain.headers.push(Name::ContentDisposition, "render;handling=optional");
    one.receive(Message::Request(plain));
    assert_eq!(one.statuses(), [200]);
    one.quiet();
    for part in [UNKNOWN, LOCATION] {
        for body in beside("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", part) {
            seq += 1;
            one.receive(Message::Request(multi(next(&dialog, Method::Info, seq), &body)));
            assert_eq!(one.statuses(), [200]);
            assert!(matches!(one.event(), Event::Key { key: '5', .. }));
        }
    }
    one.receive(Message::Request(multi(next(&dialog, Method::Bye, seq + 1), &alone(ISUP))));
    assert_eq!(one.statuses(), [200], "nobody stays for a part");
}

#[test]
fn a_late_offer_with_a_location_is_one() {
    for part in [LOCATION, ISUP, &UNKNOWN.replace("required", "optional")] {
        let mut one = One::new();
        one.receive(Message::Request(multi(fresh("INVITE", "", ""), &format!("--b\r\n{part}\r\n--b--\r\n"))));
        assert_eq!(one.incoming().offer, None);
    }
    let mut one = One::new();
    one.receive(Message::Request(multi(fresh("INVITE", "", ""), &format!("--b\r\n{UNKNOWN}\r\n--b--\r\n"))));
    assert_eq!(one.response().status, Status(415));
}
