//! Keys for SRTP in a leg's life: what is taken, what is refused and why, what stays.

use super::one::*;
use crate::base::{LegId, MasterKey, Suite};
use crate::dialog::*;
use crate::sip::{Crypto, Message, Method, Name, Request, Response, Status};

const KEYS: &str = "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20\r\n";
const OTHER: &str = "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n";

fn sealed(keys: &str) -> String {
    OFFER.replace("RTP/AVP", "RTP/SAVP") + keys
}

fn media(required: bool) -> LocalMedia {
    let key = |(suite, tag)| Crypto { tag, suite, key: MasterKey::new(suite, &[7; 46]) };
    let keys = Suite::ALL.into_iter().zip(1..).map(key).collect();
    LocalMedia { srtp: Some(Arc::new(LocalSrtp { required, else_plain: !required, keys })), ..local() }
}

/// An INVITE with this body, to a leg with this media.
fn invited(one: &mut One, body: &str, local: LocalMedia) -> (LegId, Request) {
    let invite = fresh("INVITE", "", body);
    one.receive(Message::Request(invite.clone()));
    let leg = one.incoming().leg;
    one.sent.clear();
    one.command(Command::Release { leg });
    one.command(Command::Attach { leg, local });
    (leg, invite)
}

/// The same, answered and acknowledged.
fn session(one: &mut One, body: &str, local: LocalMedia) -> (Media, Response, Request) {
    let (leg, invite) = invited(one, body, local);
    let media = one.media();
    one.command(Command::Answer { leg });
    let ok = one.response();
    assert_eq!(ok.status, Status(200));
    let dialog = within(&invite, &ok);
    one.receive(Message::Request(next(&dialog, Method::Ack, 1)));
    one.events.clear();
    one.sent.clear();
    (media, ok, dialog)
}

fn refused_for(one: &mut One, body: &str, local: LocalMedia, warning: &str) {
    invited(one, body, local);
    assert_eq!(one.ended(), (EndedBy::Us, Some(488)), "{body}");
    let response = one.response();
    let said = response.headers.text(&Name::Warning).unwrap_or_default();
    assert!(response.status == Status(488) && said.contains(warning), "{said}");
}

fn reinvited(one: &mut One, dialog: &Request, seq: u32, body: &str) -> Response {
    one.receive(Message::Request(with(next(dialog, Method::Invite, seq), body)));
    let response = one.response();
    one.receive(Message::Request(next(dialog, Method::Ack, seq)));
    one.sent.clear();
    response
}

#[test]
fn the_answer_has_our_key_for_the_suite_that_was_offered() {
    for (body, required) in [(sealed(KEYS), false), (sealed(KEYS), true), (OFFER.to_owned() + KEYS, false)] {
        let mut one = One::new();
        let (settled, ok, _) = session(&mut one, &body, media(required));
        let keys = settled.srtp.unwrap();
        assert_eq!((keys.suite, keys.received.bytes()), (Suite::Counter80, &b"YS___semctl () {\t220;}\n}\nunles"[..]));
        let answer = sdp(&ok.body);
        assert_eq!(answer.crypto, [Crypto { tag: 4, suite: Suite::Counter80, key: keys.sent }]);
        assert_eq!(answer.secure(), body.contains("SAVP"));
    }
}

#[test]
fn a_key_that_stays_is_told_once_and_a_new_one_anew() {
    let mut one = One::new();
    let (settled, ok, dialog) = session(&mut one, &sealed(KEYS), media(true));
    let again = reinvited(&mut one, &dialog, 2, &sealed(KEYS));
    assert_eq!(sdp(&again.body).crypto, sdp(&ok.body).crypto);
    one.quiet();
    reinvited(&mut one, &dialog, 3, &sealed(OTHER));
    let (before, after) = (settled.srtp.unwrap(), one.media().srtp.unwrap());
    assert_eq!(after.sent, before.sent, "ours stays: so does its counter");
    assert_ne!(after.received, before.received);
    let plain = reinvited(&mut one, &dialog, 4, OFFER);
    assert_eq!(plain.status, Status(488), "nothing takes the seal off");
    one.quiet();
}

#[test]
fn what_does_not_fit_is_refused_with_the_reason() {
    let unknown = "a=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA\r\n";
    let over_udp =
        LocalMedia { srtp: Some(Arc::new(LocalSrtp { required: true, else_plain: false, keys: Vec::new() })), ..local() };
    for (body, local, warning) in [
        (sealed(KEYS), local(), "302 hotline \"Only RTP/AVP and RTP/AVPF\""),
        (OFFER.to_owned(), media(true), "302 hotline \"Only SRTP with a=crypto, over TLS\""),
        (sealed(KEYS), over_udp.clone(), "302 hotline \"Only SRTP with a=crypto, over TLS\""),
        (String::new(), over_udp, "302 hotline \"Only SRTP with a=crypto, over TLS\""),
        (sealed(unknown), media(false), "302 hotline \"SRTP wants a=crypto"),
        (sealed(""), media(true), "302 hotline \"SRTP wants a=crypto"),
    ] {
        let mut one = One::new();
        refused_for(&mut one, &body, local, warning);
        one.gone();
    }
}

#[test]
fn of_two_streams_the_one_is_taken_that_the_leg_may_have() {
    let plain = "m=audio 4002 RTP/AVP 8\r\nc=IN IP4 198.51.100.7\r\n";
    let mut one = One::new();
    let (settled, ok, dialog) = session(&mut one, &(sealed(KEYS) + plain), local());
    assert_eq!((settled.srtp, settled.rtp.unwrap().port()), (None, 4002));
    let ports = |ok: &Response| {
        let text = String::from_utf8_lossy(&ok.body).into_owned();
        text.lines().filter(|l| l.starts_with("m=")).map(|l| l.split(' ').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ports(&ok), ["0", "20000"]);
    assert_eq!(ports(&reinvited(&mut one, &dialog, 2, &(sealed(KEYS) + plain))), ["0", "20000"], "and is kept");
}

#[test]
fn a_called_party_takes_the_keys_or_passes_them_over() {
    for (required, answered, suite) in [
        (false, OFFER.to_owned(), Some(None)),
        (false, OFFER.to_owned() + &KEYS.replace("crypto:4", "crypto:3"), Some(Some(Suite::Counter80))),
        (true, sealed(&KEYS.replace("crypto:4", "crypto:3")), Some(Some(Suite::Counter80))),
        (true, OFFER.to_owned(), None),
        (true, sealed(KEYS), None),
    ] {
        let mut one = One::new();
        let leg = one.legs.next_id();
        let dial = Dial { local: media(required), ..party(leg, one.flow) };
        one.command(Command::Dial(Box::new(dial)));
        let invite = one.request();
        let offer = sdp(&invite.body);
        assert_eq!((offer.secure(), offer.crypto.len()), (required, 4));
        one.receive(Message::Response(answer(&invite, 200, "theirs", Some(&answered))));
        match suite {
            Some(suite) => assert_eq!(one.media().srtp.map(|keys| keys.suite), suite),
            None => assert_eq!(one.ended(), (EndedBy::Peer, Some(488)), "{answered}"),
        }
    }
}

#[test]
fn a_party_that_refuses_keys_is_called_once_more_without_where_it_may() {
    for status in [415, 488, 606, 486] {
        for (required, else_plain) in [(false, true), (true, true), (true, false)] {
            let mut one = One::new();
            let leg = one.legs.next_id();
            let keys = media(required).srtp.unwrap().keys.clone();
            let local = LocalMedia { srtp: Some(Arc::new(LocalSrtp { required, else_plain, keys })), ..local() };
            one.command(Command::Dial(Box::new(Dial { local, ..party(leg, one.flow) })));
            let invite = one.request();
            one.sent.clear();
            one.receive(Message::Response(answer(&invite, status, "theirs", None)));
            if status == 486 || !else_plain {
                assert_eq!(one.ended(), (EndedBy::Peer, Some(status)));
                continue;
            }
            let invites = one.sent.iter().filter_map(|(_, message)| match message {
                Message::Request(request) if request.method == Method::Invite => Some(request.clone()),
                _ => None,
            });
            let again = invites.last().expect("it is called once more");
            let offer = sdp(&again.body);
            assert!(offer.crypto.is_empty() && !offer.secure(), "{required}");
            one.sent.clear();
            one.receive(Message::Response(answer(&again, 200, "theirs", Some(OFFER))));
            assert_eq!(one.media().srtp, None);
        }
    }
}
