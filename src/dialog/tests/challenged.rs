//! Legs that go by an account of ours, whose carrier asks for proof (RFC 3261 §22).

use super::one::*;
use crate::base::{Flow, LegId};
use crate::dialog::*;
use crate::sip::{Message, Method, Name, NameAddr, Request, Response};
use crate::ua::{KnownAs, Login, Way};
use std::sync::Arc;

const PROXY: (Name, &str) = (Name::ProxyAuthenticate, "Digest realm=\"ims\", nonce=\"1\", qop=\"auth\"");
const SERVER: (Name, &str) = (Name::WwwAuthenticate, "Digest realm=\"ims\", nonce=\"s\"");

fn known_as() -> Option<Arc<KnownAs>> {
    let login = Login { user: "+8621@ims".into(), password: "secret".into(), realm: Some("ims".into()) };
    Some(Arc::new(KnownAs { login, contact: Uri::parse(b"sip:+8621@192.0.2.1:5060;ob").unwrap() }))
}

fn text(request: &Request, name: &Name) -> String {
    request.headers.text(name).unwrap_or_default()
}

impl One {
    fn dial_by_account(&mut self, known_as: Option<Arc<KnownAs>>) -> (LegId, Request) {
        let leg = self.legs.next_id();
        self.command(Command::Dial(Box::new(Dial { known_as, ..party(leg, self.flow) })));
        (leg, self.request())
    }

    /// The peer asks for proof; an INVITE gets its ACK.
    fn challenged(&mut self, request: &Request, status: u16, (name, value): (Name, &str)) {
        let mut response: Response = request.reply(Status(status), Some("proxy"));
        response.headers.push(name, value.to_owned());
        self.receive(Message::Response(response));
        if request.method == Method::Invite {
            assert_eq!(self.request().method, Method::Ack);
        }
    }

    /// A session by our account.
    fn called_by_account(&mut self) -> (LegId, Response) {
        let (leg, invite) = self.dial_by_account(known_as());
        self.challenged(&invite, 407, PROXY);
        let ok = answer(&self.request(), 200, "theirs", Some(OFFER));
        self.receive(Message::Response(ok.clone()));
        assert!(text(&self.request(), &Name::ProxyAuthorization).contains("nc=00000001"), "the ACK has the INVITE's (§22.1)");
        self.events.clear();
        (leg, ok)
    }
}

#[test]
fn an_invite_that_is_challenged_goes_out_once_more_in_the_same_leg() {
    for (status, challenge, answers) in [(407, PROXY, Name::ProxyAuthorization), (401, SERVER, Name::Authorization)] {
        let mut one = One::new();
        let (leg, first) = one.dial_by_account(known_as());
        assert_eq!((text(&first, &Name::CSeq), text(&first, &answers)), ("1 INVITE".into(), String::new()));
        assert_eq!(text(&first, &Name::Contact), "<sip:+8621@192.0.2.1:5060;ob>");
        one.challenged(&first, status, challenge);
        let second = one.request();
        assert_eq!(text(&second, &Name::CSeq), "2 INVITE");
        for name in [Name::CallId, Name::From, Name::To] {
            assert_eq!(text(&first, &name), text(&second, &name));
        }
        assert!(text(&first, &Name::Via) != text(&second, &Name::Via) && first.body == second.body);
        let proof = text(&second, &answers);
        assert!(proof.contains("username=\"+8621@ims\"") && proof.contains("uri=\"sip:seat@198.51.100.7\""), "{proof}");
        assert!(one.events.is_empty(), "its user hears nothing of it");
        one.receive(Message::Response(answer(&second, 200, "theirs", Some(OFFER))));
        assert_eq!(text(&one.request(), &Name::CSeq), "2 ACK");
        one.events.clear();
        one.command(Command::Hangup { leg, cause: Cause::default() });
        let bye = one.request();
        assert_eq!(text(&bye, &Name::CSeq), "3 BYE");
        one.receive(Message::Response(bye.reply(Status(200), None)));
        one.gone();
    }
}

#[test]
fn nobody_is_answered_who_asks_a_peer_without_an_account_or_for_another_realm() {
    let other = (Name::ProxyAuthenticate, "Digest realm=\"other\", nonce=\"1\"");
    for (known_as, challenge) in [(None, PROXY), (known_as(), other), (known_as(), (Name::ProxyAuthenticate, "Basic x"))] {
        let mut one = One::new();
        let (_, invite) = one.dial_by_account(known_as);
        one.challenged(&invite, 407, challenge);
        assert_eq!(one.ended(), (EndedBy::Peer, Some(407)));
        one.quiet();
        one.gone();
    }
}

#[test]
fn two_proxies_with_realms_of_their_own_both_get_their_proof() {
    let mut one = One::new();
    let known = known_as().unwrap();
    let anywhere = KnownAs { login: Login { realm: None, ..known.login.clone() }, contact: known.contact.clone() };
    let (_, invite) = one.dial_by_account(Some(Arc::new(anywhere)));
    one.challenged(&invite, 407, PROXY);
    let second = one.request();
    one.challenged(&second, 407, (Name::ProxyAuthenticate, "Digest realm=\"other\", nonce=\"2\""));
    let third = one.request();
    let proofs: Vec<String> =
        third.headers.all(&Name::ProxyAuthorization).map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    assert!(proofs.len() == 2 && proofs[0].contains("\"ims\"") && proofs[1].contains("\"other\""), "{proofs:?}");
}

#[test]
fn a_wrong_proof_is_given_for_one_new_nonce_and_a_stale_one_a_few_times() {
    for (next, more) in [("Digest realm=\"ims\", nonce=\"2\"", 1), (PROXY.1, 0)] {
        let mut one = One::new();
        let (_, invite) = one.dial_by_account(known_as());
        one.challenged(&invite, 407, PROXY);
        let mut asked = one.request();
        for _ in 0..more {
            one.challenged(&asked, 407, (Name::ProxyAuthenticate, next));
            asked = one.request();
        }
        one.challenged(&asked, 407, (Name::ProxyAuthenticate, "Digest realm=\"ims\", nonce=\"1\""));
        assert_eq!(one.ended(), (EndedBy::Peer, Some(407)), "the password is wrong");
        one.gone();
    }
    let mut one = One::new();
    let (_, mut invite) = one.dial_by_account(known_as());
    let mut sent = 1;
    while one.events.is_empty() {
        let stale = format!("Digest realm=\"ims\", nonce=\"{sent}\", stale=true");
        one.challenged(&invite, 407, (Name::ProxyAuthenticate, &stale));
        if one.events.is_empty() {
            invite = one.request();
            sent += 1;
        }
    }
    assert_eq!((sent, one.ended()), (4, (EndedBy::Peer, Some(407))), "never in a loop");
    one.gone();
}

#[test]
fn requests_in_a_session_prove_themselves_and_are_repeated_with_a_new_nonce() {
    let fresh = (Name::ProxyAuthenticate, "Digest realm=\"ims\", nonce=\"9\", stale=true, qop=\"auth\"");
    let mut one = One::new();
    let (leg, _) = one.called_by_account();
    one.command(Command::SendInfo { leg, key: '5' });
    let info = one.request();
    assert!(text(&info, &Name::ProxyAuthorization).contains("nc=00000002"), "{info:?}");
    one.challenged(&info, 407, fresh.clone());
    let again = one.request();
    assert_eq!((again.method.clone(), text(&again, &Name::CSeq)), (Method::Info, "4 INFO".into()));
    assert!(text(&again, &Name::ProxyAuthorization).contains("nonce=\"9\"") && again.body == info.body);
    one.receive(Message::Response(again.reply(Status(200), None)));
    one.quiet();
    // A re-INVITE, whose 2xx finds its exchange under the new number.
    let moved = LocalMedia { rtp: "192.0.2.1:20002".parse().unwrap(), ..local() };
    one.command(Command::Attach { leg, local: moved });
    let reinvite = one.request();
    one.challenged(&reinvite, 407, (Name::ProxyAuthenticate, "Digest realm=\"ims\", nonce=\"10\", stale=true"));
    let again = one.request();
    assert_eq!((text(&reinvite, &Name::CSeq), text(&again, &Name::CSeq)), ("5 INVITE".into(), "6 INVITE".into()));
    one.receive(Message::Response(answer(&again, 200, "theirs", Some(OFFER))));
    assert_eq!(text(&one.request(), &Name::CSeq), "6 ACK");
    one.events.clear();
    one.command(Command::Hangup { leg, cause: Cause::default() });
    let bye = one.request();
    one.challenged(&bye, 407, (Name::ProxyAuthenticate, "Digest realm=\"ims\", nonce=\"11\", stale=true"));
    let again = one.request();
    assert_eq!((text(&bye, &Name::CSeq), text(&again, &Name::CSeq)), ("7 BYE".into(), "8 BYE".into()));
    one.receive(Message::Response(again.reply(Status(200), None)));
    one.events.clear();
    one.gone();
}

#[test]
fn a_call_that_was_hung_up_is_not_tried_again() {
    let mut one = One::new();
    let (leg, invite) = one.dial_by_account(known_as());
    one.receive(Message::Response(invite.reply(Status(100), None)));
    one.command(Command::Hangup { leg, cause: Cause::default() });
    let cancel = one.request();
    assert_eq!(cancel.method, Method::Cancel);
    one.challenged(&invite, 407, PROXY);
    one.receive(Message::Response(cancel.reply(Status(200), None)));
    one.events.clear();
    one.quiet();
    one.gone();
}

/// A hop where we are somebody else, and one where we are nobody.
fn others(one: &One) -> Vec<Other> {
    let way = |last: u8| Way {
        flow: Flow { remote: format!("198.51.100.{last}:5060").parse().unwrap(), ..one.flow },
        uri: Uri::parse(b"sip:seat@other").unwrap(),
        routes: Vec::new(),
    };
    let login = Login { user: "+8622@ims".into(), password: "other".into(), realm: Some("ims".into()) };
    let known_as = Arc::new(KnownAs { login, contact: Uri::parse(b"sip:+8622@192.0.2.1:5060").unwrap() });
    let caller = |known_as, from: &[u8]| {
        let (from, headers) = (NameAddr::parse(from).unwrap(), Vec::new());
        Some(Box::new(Caller { known_as, from, headers }))
    };
    let by_other = Other { way: way(8), caller: caller(Some(known_as), b"<sip:+8622@ims>") };
    vec![by_other, Other { way: way(9), caller: caller(None, b"<sip:hotline@192.0.2.1>") }]
}

#[test]
fn the_next_hop_may_know_us_as_somebody_else_who_proves_himself_there() {
    let mut one = One::new();
    let leg = one.legs.next_id();
    let dial = Dial { others: others(&one), every_way: true, known_as: known_as(), ..party(leg, one.flow) };
    one.command(Command::Dial(Box::new(dial)));
    let first = one.request();
    one.challenged(&first, 407, PROXY);
    let signed = one.request();
    one.challenged(&signed, 403, (Name::Warning, "399 x \"no\""));
    let second = one.request();
    assert_eq!(
        (text(&second, &Name::Contact), text(&second, &Name::ProxyAuthorization)),
        ("<sip:+8622@192.0.2.1:5060>".into(), String::new())
    );
    assert!(text(&second, &Name::From).starts_with("<sip:+8622@ims>;tag=") && second.uri.to_string() == "sip:seat@other");
    one.challenged(&second, 407, PROXY);
    let signed = one.request();
    assert!(text(&signed, &Name::ProxyAuthorization).contains("username=\"+8622@ims\""), "{signed:?}");
    one.challenged(&signed, 404, (Name::Warning, "399 x \"no\""));
    let third = one.request();
    assert!(
        text(&third, &Name::From).starts_with("<sip:hotline@192.0.2.1>;tag=") && !text(&third, &Name::Contact).contains("862")
    );
    one.events.clear();
    one.receive(Message::Response(answer(&third, 200, "theirs", Some(OFFER))));
    assert_eq!(text(&one.request(), &Name::ProxyAuthorization), "");
}

#[test]
fn a_hop_that_answers_late_knows_us_as_it_was_called() {
    let mut one = One::new();
    let leg = one.legs.next_id();
    let dial = Dial { others: others(&one), known_as: known_as(), ..party(leg, one.flow) };
    one.command(Command::Dial(Box::new(dial)));
    let first = one.request();
    one.challenged(&first, 407, PROXY);
    let signed = one.request();
    one.pass(4.0);
    one.sent.clear();
    one.events.clear();
    one.receive(Message::Response(answer(&signed, 200, "theirs", Some(OFFER))));
    let sent = std::mem::take(&mut one.sent);
    let ack = sent.into_iter().find_map(|(_, message)| match message {
        Message::Request(request) if request.method == Method::Ack => Some(request),
        _ => None,
    });
    assert!(text(&ack.unwrap(), &Name::ProxyAuthorization).contains("+8621@ims"));
    one.command(Command::SendInfo { leg, key: '5' });
    assert!(text(&one.request(), &Name::ProxyAuthorization).contains("+8621@ims"));
}

#[test]
fn a_hop_that_says_nothing_to_one_account_is_not_asked_by_another() {
    let mut one = One::new();
    let leg = one.legs.next_id();
    let mut others = others(&one);
    others[0].way.flow = one.flow;
    let dial = Dial { others, every_way: true, known_as: known_as(), ..party(leg, one.flow) };
    one.command(Command::Dial(Box::new(dial)));
    one.pass(4.0);
    assert!(
        matches!(one.events.pop_front(), Some(Event::HopFailed { next: Some(next), .. }) if next.to_string() == "198.51.100.9:5060")
    );
}

#[test]
fn what_was_heard_before_a_challenge_is_heard_no_more_until_the_next_invite_brings_it() {
    let mut one = One::new();
    let (_, invite) = one.dial_by_account(known_as());
    one.receive(Message::Response(answer(&invite, 183, "early", Some(OFFER))));
    let heard = |one: &mut One| {
        let told: Vec<bool> = one
            .events
            .iter()
            .filter_map(|event| if let Event::EarlyMedia { sends, .. } = event { Some(*sends) } else { None })
            .collect();
        one.events.clear();
        told
    };
    assert_eq!(heard(&mut one), [true]);
    one.challenged(&invite, 407, PROXY);
    assert_eq!(heard(&mut one), [false], "its caller hears ringing meanwhile");
    let again = one.request();
    one.receive(Message::Response(answer(&again, 180, "early", None)));
    assert!(heard(&mut one).is_empty());
    one.receive(Message::Response(answer(&again, 183, "early", Some(OFFER))));
    assert_eq!(heard(&mut one), [true]);
}

#[test]
fn a_leg_that_came_by_an_account_answers_with_its_contact() {
    let mut one = One::new();
    one.receive(Message::Request(fresh("INVITE", "", OFFER)));
    let leg = one.incoming().leg;
    one.command(Command::KnownAs { leg, known_as: known_as().unwrap() });
    one.command(Command::Release { leg });
    one.command(Command::Attach { leg, local: local() });
    one.sent.clear();
    one.command(Command::Answer { leg });
    assert_eq!(one.response().headers.text(&Name::Contact).unwrap(), "<sip:+8621@192.0.2.1:5060;ob>");
}

#[test]
fn the_word_of_a_person_ends_it_and_the_last_way_does_not_hide_it() {
    let dialled = || {
        let mut one = One::new();
        let leg = one.legs.next_id();
        let dial = Dial { others: others(&one), every_way: true, known_as: known_as(), ..party(leg, one.flow) };
        one.command(Command::Dial(Box::new(dial)));
        let first = one.request();
        (one, first)
    };
    let no = (Name::Warning, "399 x \"no\"");
    for status in [486, 600, 603] {
        let (mut one, first) = dialled();
        one.challenged(&first, status, no.clone());
        assert_eq!(one.ended(), (EndedBy::Peer, Some(status)));
        one.quiet();
    }
    let (mut one, first) = dialled();
    one.receive(Message::Response(answer(&first, 180, "theirs", None)));
    one.events.clear();
    one.challenged(&first, 480, no.clone());
    assert_eq!(one.ended(), (EndedBy::Peer, Some(480)), "it has rung there");
    // It has rung by a way that failed: nobody has said a word by the next.
    let (mut one, first) = dialled();
    one.receive(Message::Response(answer(&first, 180, "theirs", None)));
    one.challenged(&first, 503, no.clone());
    let second = one.request();
    assert_eq!(text(&second, &Name::CSeq), "2 INVITE");
    one.challenged(&second, 403, no.clone());
    assert_eq!(one.request().method, Method::Invite);
    // The line does not know the number; the other ways may not be used at all.
    let (mut one, first) = dialled();
    one.challenged(&first, 404, no.clone());
    assert!(
        matches!(one.event(), Event::HopFailed { why: crate::dialog::HopEnd::Moved, next: Some(_), .. }),
        "a hop that answers is not down"
    );
    let second = one.request();
    assert_eq!(text(&second, &Name::CSeq), "2 INVITE", "§8.2.2.2: no circle of the first");
    one.challenged(&second, 403, no.clone());
    one.events.clear();
    let third = one.request();
    one.challenged(&third, 403, no);
    assert_eq!(one.ended(), (EndedBy::Peer, Some(404)));
}
