//! Tests of Replaces: in an INVITE, and in the Refer-To of an attended transfer.

use super::one::*;
use crate::base::LegId;
use crate::dialog::*;
use crate::sip::{Message, Method, Name, Request, Status};

/// An INVITE of another call of the peer's.
fn invite(call: &str, extra: &str) -> Request {
    let mut invite = fresh("INVITE", extra, OFFER);
    invite.headers.set(Name::Via, format!("SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-{call}"));
    invite.headers.set(Name::From, format!("<sip:8001@198.51.100.7>;tag=tag-{call}"));
    invite.headers.set(Name::CallId, format!("{call}@198.51.100.7"));
    invite
}

/// The Replaces that names the dialog in which the peer would send this request.
fn names(dialog: &Request) -> String {
    let tag = |party: Option<NameAddr>| party.unwrap().tag().unwrap().to_owned();
    let call = dialog.headers.text(&Name::CallId).unwrap();
    format!("{call};to-tag={};from-tag={}", tag(dialog.headers.to()), tag(dialog.headers.from()))
}

/// The same for a call of ours that the peer has answered, provisionally perhaps.
fn names_ours(invite: &Request, tag: &str) -> String {
    let call = invite.headers.text(&Name::CallId).unwrap();
    format!("{call};to-tag={};from-tag={tag}", invite.headers.from().unwrap().tag().unwrap())
}

fn ringing(one: &mut One, call: &str) -> (LegId, Request) {
    let invite = invite(call, "");
    let leg = one.invited(&invite);
    one.command(Command::Progress { leg, status: Status(180), media: false });
    let dialog = within(&invite, &one.response());
    (leg, dialog)
}

fn ringing_there(one: &mut One) -> (LegId, Request) {
    let (leg, invite) = one.dial();
    one.receive(Message::Response(answer(&invite, 180, "theirs", None)));
    assert!(matches!(one.event(), Event::Progress { .. }));
    (leg, invite)
}

/// Escaped as a phone does within Refer-To.
fn refer_to(replaces: &str) -> String {
    let escaped = replaces.replace('@', "%40").replace(';', "%3B").replace('=', "%3D");
    format!("<sip:12366@192.0.2.1?Replaces={escaped}&Require=replaces>")
}

fn named_by_refer(one: &mut One, dialog: &Request, seq: u32, replaces: &str) -> Option<Replaced> {
    let mut refer = next(dialog, Method::Refer, seq);
    refer.headers.set(Name::Via, format!("SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-refer-{seq}"));
    refer.headers.push(Name::ReferTo, refer_to(replaces));
    one.receive(Message::Request(refer));
    match one.event() {
        Event::Refer { refer, leg } => {
            assert_eq!(refer.to.to_string(), "sip:12366@192.0.2.1");
            one.command(Command::RefuseRefer { leg, id: refer.id, status: Status(603) });
            assert_eq!(one.statuses(), [603]);
            refer.replaces
        }
        other => panic!("{other:?}"),
    }
}

/// The leg that an INVITE with this Replaces names, or its refusal.
fn named_by_invite(one: &mut One, call: &str, extra: &str) -> Result<Option<LegId>, u16> {
    one.receive(Message::Request(invite(call, extra)));
    let refused = one.statuses().pop().filter(|status| *status > 100);
    match refused {
        Some(status) => Err(status),
        None => Ok(one.incoming().replaces),
    }
}

#[test]
fn an_attended_transfer_names_the_other_leg() {
    let mut one = One::new();
    let (caller, first) = one.session(&invite("a", ""));
    let (consult, second) = one.session(&invite("b", ""));
    let replaces = names(&second);
    let named = |one: &mut One, seq, replaces: &str| named_by_refer(one, &first, seq, replaces);
    assert_eq!(named(&mut one, 2, &replaces), Some(Replaced::Leg(consult)));
    assert_eq!(named(&mut one, 3, &names(&first)), Some(Replaced::Leg(caller)));
    assert_eq!(named(&mut one, 4, &format!("{replaces};early-only")), Some(Replaced::Unknown));
    let wrong = [
        replaces.replace("b@", "c@"),
        replaces.replace("from-tag=tag-b", "from-tag=tag-a"),
        replaces.replace("to-tag=", "to-tag=x"),
    ];
    for (seq, wrong) in (5..).zip(wrong) {
        assert_eq!(named(&mut one, seq, &wrong), Some(Replaced::Unknown), "{wrong}");
    }
    one.receive(Message::Request(next(&second, Method::Bye, 2)));
    one.sent.clear();
    one.ended();
    assert_eq!(named(&mut one, 9, &replaces), Some(Replaced::Unknown));
}

#[test]
fn a_transfer_may_name_a_leg_that_rings_at_either_end() {
    let mut one = One::new();
    let (_, first) = one.session(&invite("a", ""));
    let (here, early) = ringing(&mut one, "b");
    assert_eq!(named_by_refer(&mut one, &first, 2, &names(&early)), Some(Replaced::Leg(here)));
    let (there, dialled) = ringing_there(&mut one);
    let replaces = names_ours(&dialled, "theirs");
    assert_eq!(named_by_refer(&mut one, &first, 3, &format!("{replaces};early-only")), Some(Replaced::Leg(there)));
    assert_eq!(named_by_refer(&mut one, &first, 4, &names_ours(&dialled, "other")), Some(Replaced::Unknown));
}

#[test]
fn an_invite_takes_the_place_of_a_session() {
    let mut one = One::new();
    let (leg, dialog) = one.session(&invite("a", ""));
    let header = format!("Require: replaces\r\nReplaces: {}\r\n", names(&dialog));
    assert_eq!(named_by_invite(&mut one, "b", &header), Ok(Some(leg)));
    let header = format!("Replaces: {};early-only\r\n", names(&dialog));
    assert_eq!(named_by_invite(&mut one, "c", &header), Err(486));
    assert_eq!(named_by_invite(&mut one, "d", ""), Ok(None));
}

#[test]
fn an_invite_takes_the_place_of_a_ringing_leg_only_where_we_call() {
    let mut one = One::new();
    let (leg, dialled) = ringing_there(&mut one);
    let header = format!("Replaces: {};early-only\r\n", names_ours(&dialled, "theirs"));
    assert_eq!(named_by_invite(&mut one, "a", &header), Ok(Some(leg)));
    let mut one = One::new();
    let (_, early) = ringing(&mut one, "b");
    assert_eq!(named_by_invite(&mut one, "c", &format!("Replaces: {}\r\n", names(&early))), Err(481));
}

#[test]
fn an_invite_that_names_nothing_is_refused() {
    let mut one = One::new();
    let (leg, dialog) = one.session(&invite("a", ""));
    let replaces = names(&dialog);
    let twice = format!("Replaces: {replaces}\r\nReplaces: {replaces}\r\n");
    assert_eq!(named_by_invite(&mut one, "b", &twice), Err(400));
    assert_eq!(named_by_invite(&mut one, "c", "Replaces: a@198.51.100.7;to-tag=x\r\n"), Err(400));
    assert_eq!(named_by_invite(&mut one, "d", "Replaces: a@198.51.100.7;to-tag=x;from-tag=y\r\n"), Err(481));
    one.quiet();
    let mut bye = next(&dialog, Method::Bye, 2);
    bye.headers.push(Name::Replaces, replaces.clone());
    one.receive(Message::Request(bye));
    assert_eq!(one.statuses(), [400], "only an INVITE replaces");
    one.command(Command::Hangup { leg, cause: Cause::default() });
    one.sent.clear();
    assert_eq!(named_by_invite(&mut one, "e", &format!("Replaces: {replaces}\r\n")), Err(603));
    one.pass(400.0);
    one.sent.clear();
    assert_eq!(named_by_invite(&mut one, "f", &format!("Replaces: {replaces}\r\n")), Err(481));
}

#[test]
fn zero_names_a_peer_without_a_tag() {
    let mut one = One::new();
    let mut old = invite("a", "");
    old.headers.set(Name::From, "<sip:8001@198.51.100.7>");
    let (leg, dialog) = one.session(&old);
    let ours = dialog.headers.to().unwrap().tag().unwrap().to_owned();
    let header = format!("Replaces: a@198.51.100.7;to-tag={ours};from-tag=0\r\n");
    assert_eq!(named_by_invite(&mut one, "b", &header), Ok(Some(leg)));
}
