use super::one::*;
use crate::dialog::*;
use crate::sip::{Message, Method, Name, Request, Response};

fn required(body: &str) -> Request {
    fresh("INVITE", "Require: 100rel\r\n", body)
}

fn progress(one: &mut One, leg: LegId, status: u16, media: bool) {
    one.command(Command::Progress { leg, status: Status(status), media });
}

/// The PRACK for a reliable provisional of ours.
fn prack(dialog: &Request, response: &Response, seq: u32) -> Request {
    let mut prack = next(dialog, Method::Prack, seq);
    prack.headers.set(Name::RAck, format!("{} 1 INVITE", response.headers.rseq().unwrap()));
    prack
}

#[test]
fn provisionals_wait_for_each_other_and_the_200_for_all() {
    let mut one = One::new();
    let leg = one.invited(&required(OFFER));
    progress(&mut one, leg, 180, false);
    let ringing = one.response();
    assert!(ringing.headers.lists(&Name::Require, "100rel"));
    progress(&mut one, leg, 183, true);
    one.command(Command::Answer { leg });
    one.quiet();
    let dialog = within(&required(OFFER), &ringing);
    let mut wrong = prack(&dialog, &ringing, 2);
    wrong.headers.set(Name::RAck, "1 1 INVITE");
    one.receive(Message::Request(wrong));
    assert_eq!((one.statuses(), one.confirmed), (vec![481], 1), "it knows our tag");
    one.receive(Message::Request(prack(&dialog, &ringing, 3)));
    assert_eq!(one.confirmed, 1, "and is told once");
    assert_eq!(one.statuses(), [200, 200], "the PRACK, then the INVITE: who answers need not ring");
    one.receive(Message::Request(next(&dialog, Method::Ack, 1)));
    assert!(matches!(one.event(), Event::Established { .. }));
}

#[test]
fn each_has_the_next_number_and_the_answer_goes_once() {
    let mut one = One::new();
    let leg = one.invited(&required(OFFER));
    progress(&mut one, leg, 180, false);
    progress(&mut one, leg, 183, true);
    let ringing = one.response();
    let dialog = within(&required(OFFER), &ringing);
    one.receive(Message::Request(prack(&dialog, &ringing, 2)));
    assert_eq!(one.response().status, Status(200));
    let early = one.response();
    assert_eq!(early.headers.rseq().unwrap(), ringing.headers.rseq().unwrap() + 1);
    assert!(!early.body.is_empty());
    one.receive(Message::Request(prack(&dialog, &early, 3)));
    one.sent.clear();
    one.command(Command::Answer { leg });
    assert!(one.response().body.is_empty(), "the answer was delivered reliably");
}

#[test]
fn without_a_prack_it_is_repeated_and_then_refused() {
    let mut one = One::new();
    let leg = one.invited(&required(OFFER));
    progress(&mut one, leg, 183, true);
    one.pass(31.9);
    assert_eq!(one.statuses(), [183; 7], "0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s");
    one.pass(0.2);
    assert_eq!(one.ended(), (EndedBy::Network, Some(504)));
    assert_eq!(one.response().status, Status(504));
    one.gone();
}

#[test]
fn a_late_offer_goes_in_the_first_reliable_one() {
    let mut one = One::new();
    let leg = one.invited(&required(""));
    progress(&mut one, leg, 180, false);
    let ringing = one.response();
    assert_eq!(sdp(&ringing.body).payloads.len(), 2);
    one.command(Command::Answer { leg });
    let dialog = within(&required(""), &ringing);
    one.receive(Message::Request(with(prack(&dialog, &ringing, 2), OFFER)));
    assert_eq!(one.media().codec, Codec::Pcma);
    assert_eq!(one.response().status, Status(200));
    let ok = one.response();
    assert!(ok.status == Status(200) && ok.body.is_empty());
    one.receive(Message::Request(next(&dialog, Method::Ack, 1)));
    assert!(matches!(one.event(), Event::Established { .. }));
}

#[test]
fn offers_after_the_answer_and_before_the_200() {
    let mut one = One::new();
    let leg = one.invited(&required(OFFER));
    progress(&mut one, leg, 180, false);
    let ringing = one.response();
    let dialog = within(&required(OFFER), &ringing);
    one.receive(Message::Request(with(next(&dialog, Method::Update, 2), OFFER)));
    assert_eq!(one.statuses(), [500], "the first offer has no answer yet");
    one.receive(Message::Request(prack(&dialog, &ringing, 3)));
    progress(&mut one, leg, 183, true);
    one.sent.pop_front();
    let early = one.response();
    one.receive(Message::Request(with(prack(&dialog, &early, 4), &format!("{OFFER}a=sendonly\r\n"))));
    assert!(held(&one.media()));
    assert!(!one.response().body.is_empty(), "a PRACK may offer");
    one.receive(Message::Request(with(next(&dialog, Method::Update, 5), OFFER)));
    assert!(!held(&one.media()));
    assert_eq!(sdp(&one.response().body).session.1, 3);
    one.quiet();
}

#[test]
fn a_caller_that_only_supports_it_gets_unreliable_ones() {
    let mut one = One::new();
    let leg = one.invited(&fresh("INVITE", "Supported: 100rel\r\n", OFFER));
    progress(&mut one, leg, 183, true);
    let early = one.response();
    assert!(early.headers.rseq().is_none() && !early.body.is_empty());
    one.pass(40.0);
    one.quiet();
}

#[test]
fn one_that_supports_it_gets_reliable_ones_where_we_want_them() {
    for (supported, body) in [("Supported: timer, 100rel\r\n", OFFER), ("Supported: 100rel\r\n", ""), ("", OFFER), ("", "")] {
        let mut one = One::new();
        let leg = one.invited(&fresh("INVITE", supported, body));
        one.command(Command::Reliable { leg });
        progress(&mut one, leg, 183, true);
        let early = one.response();
        assert_eq!(early.headers.rseq().is_some(), !supported.is_empty());
        assert_eq!(early.body.is_empty(), supported.is_empty() && body.is_empty(), "an offer of ours only in a reliable one");
    }
}

#[test]
fn a_hangup_and_a_bye_do_not_wait_for_the_prack() {
    let mut one = One::new();
    let leg = one.invited(&required(OFFER));
    progress(&mut one, leg, 180, false);
    let ringing = one.response();
    one.receive(Message::Request(next(&within(&required(OFFER), &ringing), Method::Bye, 2)));
    assert_eq!(one.statuses(), [200, 487]);
    assert_eq!(one.ended(), (EndedBy::Peer, Some(487)));
    one.gone();
}

/// A reliable provisional of the peer's.
fn reliable(invite: &Request, status: u16, tag: &str, rseq: u32, body: Option<&str>) -> Message {
    let mut response = answer(invite, status, tag, body);
    response.headers.push(Name::Require, "100rel");
    response.headers.push(Name::RSeq, rseq.to_string());
    Message::Response(response)
}

#[test]
fn each_branch_of_a_fork_gets_its_own_pracks() {
    let mut one = One::new();
    let (_, invite) = one.dial();
    one.receive(reliable(&invite, 180, "a", 10, None));
    one.receive(reliable(&invite, 180, "b", 77, None));
    one.receive(reliable(&invite, 183, "a", 12, Some(OFFER)));
    one.receive(reliable(&invite, 183, "a", 11, Some(OFFER)));
    one.receive(reliable(&invite, 183, "a", 11, Some(OFFER)));
    let shape: Vec<_> =
        one.requests().iter().map(|r| (r.uri.user.clone().unwrap(), r.headers.text(&Name::RAck).unwrap())).collect();
    let expected = [("a", "10 1 INVITE"), ("b", "77 1 INVITE"), ("a", "11 1 INVITE")];
    assert_eq!(shape, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    assert!(matches!(one.event(), Event::Progress { status: Status(180), .. }));
    one.media();
    assert!(matches!(one.event(), Event::EarlyMedia { sends: true, .. }));
    assert!(matches!(one.event(), Event::Progress { status: Status(183), .. }));
    one.receive(Message::Response(answer(&invite, 200, "a", None)));
    let ack = one.request();
    assert_eq!((ack.method, ack.uri.user.as_deref()), (Method::Ack, Some("a")));
    assert!(matches!(one.event(), Event::Answered { .. }));
    let bye = {
        one.command(Command::Hangup { leg: LegId(1), cause: Cause::default() });
        one.request()
    };
    assert_eq!(bye.headers.text(&Name::CSeq).unwrap(), "4 BYE", "after INVITE and two PRACKs");
}

#[test]
fn the_other_branch_that_answers_late_is_byed_beyond_its_pracks() {
    let mut one = One::new();
    let (_, invite) = one.dial();
    one.receive(reliable(&invite, 180, "b", 1, None));
    let prack = one.request();
    one.receive(Message::Response(answer(&invite, 200, "a", Some(OFFER))));
    one.sent.clear();
    one.receive(Message::Response(answer(&invite, 200, "b", Some(OFFER))));
    let bye = one.requests().remove(1);
    assert!(bye.headers.cseq().unwrap().seq > prack.headers.cseq().unwrap().seq);
    assert_eq!(bye.headers.to().unwrap().tag(), Some("b"));
}

#[test]
fn an_update_in_an_early_dialog_of_ours_is_answered() {
    let mut one = One::new();
    let (_, invite) = one.dial();
    one.receive(reliable(&invite, 183, "a", 1, Some(OFFER)));
    one.events.clear();
    one.sent.clear();
    let mut update = with(next(&fresh("UPDATE", "", ""), Method::Update, 1), &format!("{OFFER}a=sendonly\r\n"));
    let headers = &mut update.headers;
    headers.set(Name::To, invite.headers.get(&Name::From).unwrap().clone());
    headers.set(Name::CallId, invite.headers.call_id().unwrap().clone());
    headers.set(Name::From, "<sip:seat@198.51.100.7>;tag=a");
    one.receive(Message::Request(update.clone()));
    assert!(held(&one.media()));
    assert_eq!(one.response().status, Status(200));
    update.headers.set(Name::From, "<sip:seat@198.51.100.7>;tag=nobody");
    update.headers.set(Name::Via, "SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKother");
    update.headers.set(Name::CSeq, "2 UPDATE");
    one.receive(Message::Request(update));
    assert_eq!(one.statuses(), [481]);
}
