//! A dialog is with its peer: requests of others are not its, ours go nowhere else, and nobody is written to for long who
//! never said a word.

use super::one::*;
use crate::dialog::*;
use crate::sip::{Message, Method, Name};

/// A host of the peer's networks, and one that is not.
const NEIGHBOUR: &str = "10.0.0.9:5060";
const STRANGER: &str = "203.0.113.66:5060";

#[test]
fn requests_count_from_the_peer_s_networks_alone() {
    let methods = [
        Method::Info,
        Method::Update,
        Method::Invite,
        Method::Refer,
        Method::Options,
        Method::Bye,
        Method::Prack,
        Method::Notify,
        Method::Subscribe,
        Method::Message,
    ];
    for (seq, method) in (2..).zip(methods) {
        let mut one = One::new();
        let (_, dialog) = one.session(&fresh("INVITE", "", OFFER));
        one.flow.remote = STRANGER.parse().unwrap();
        one.receive(Message::Request(next(&dialog, method.clone(), seq)));
        assert_eq!(one.statuses(), [403], "{method:?}");
        one.quiet();
        one.flow.remote = NEIGHBOUR.parse().unwrap();
        one.receive(Message::Request(next(&dialog, Method::Bye, seq + 1)));
        assert_eq!(one.statuses(), [200], "its number is no later for the stranger's");
        assert_eq!(one.ended(), (EndedBy::Peer, None));
    }
}

#[test]
fn a_stranger_ends_no_call_that_rings() {
    let mut one = One::new();
    let invite = fresh("INVITE", "", OFFER);
    let leg = one.invited(&invite);
    one.command(Command::Progress { leg, status: Status(180), media: false });
    let dialog = within(&invite, &one.response());
    one.flow.remote = STRANGER.parse().unwrap();
    one.receive(Message::Request(next(&dialog, Method::Bye, 2)));
    assert_eq!(one.statuses(), [403]);
    one.quiet();
}

#[test]
fn an_ack_of_a_stranger_is_none() {
    let mut one = One::new();
    let invite = fresh("INVITE", "", OFFER);
    let leg = one.invited(&invite);
    one.command(Command::Answer { leg });
    let dialog = within(&invite, &one.response());
    let ours = one.flow;
    one.flow.remote = STRANGER.parse().unwrap();
    one.receive(Message::Request(next(&dialog, Method::Ack, 1)));
    one.quiet();
    one.flow = ours;
    one.receive(Message::Request(next(&dialog, Method::Ack, 1)));
    assert!(matches!(one.event(), Event::Established { .. }));
}

#[test]
fn ours_go_to_the_peer_wherever_its_contact_points() {
    let contacts = ["<sip:a@203.0.113.66:6379;transport=tcp>", "<sip:a@127.0.0.1:8080>", "<sip:a@192.0.2.1>"];
    for (n, contact) in contacts.into_iter().enumerate() {
        for routed in [false, true] {
            let mut one = One::new();
            let mut invite = fresh("INVITE", "", OFFER);
            match routed {
                true => invite.headers.push(Name::RecordRoute, contact.replace('>', ";lr>")),
                false => invite.headers.set(Name::Contact, contact),
            }
            let (leg, dialog) = one.session(&invite);
            if n == 0 {
                let mut moved = with(next(&dialog, Method::Update, 2), OFFER);
                moved.headers.set(Name::Contact, contact);
                one.receive(Message::Request(moved));
                one.sent.clear();
            }
            one.command(Command::Hangup { leg, cause: Cause::default() });
            let (flow, _) = one.sent.pop_front().unwrap();
            assert_eq!(flow, one.flow, "{contact}");
        }
    }
}

/// Counts the datagrams of either kind that an INVITE draws whose sender says nothing more.
fn drawn(hang_up: bool) -> (usize, usize) {
    let mut one = One::new();
    let leg = one.invited(&fresh("INVITE", "", OFFER));
    one.command(Command::Answer { leg });
    if hang_up {
        one.command(Command::Hangup { leg, cause: Cause::default() });
    }
    one.pass(200.0);
    let byes = one.sent.iter().filter(|(_, m)| matches!(m, Message::Request(r) if r.method == Method::Bye)).count();
    let all = one.sent.len();
    one.gone();
    (all, byes)
}

#[test]
fn one_invite_that_nobody_sent_draws_a_bounded_number() {
    // RFC 3261 §13.3.1.4 asks for eleven copies of the 200; a BYE to nobody need not be repeated.
    assert_eq!(drawn(false), (12, 1));
    assert_eq!(drawn(true), (12, 1));
}

/// A branch can be seen or guessed: a CANCEL ends a call only from the host that its INVITE came from.
#[test]
fn a_cancel_of_a_stranger_ends_no_call() {
    let mut one = One::new();
    let invite = fresh("INVITE", "", OFFER);
    one.invited(&invite);
    let mut cancel = invite.clone();
    cancel.method = Method::Cancel;
    cancel.headers.set(Name::CSeq, "1 CANCEL");
    cancel.body = Default::default();
    let ours = one.flow;
    for elsewhere in [STRANGER, NEIGHBOUR] {
        one.flow.remote = elsewhere.parse().unwrap();
        one.receive(Message::Request(cancel.clone()));
        assert_eq!(one.statuses(), [481], "{elsewhere}");
        one.quiet();
    }
    one.flow = ours;
    one.receive(Message::Request(cancel));
    assert_eq!(one.statuses(), [200, 487]);
    assert_eq!(one.ended(), (EndedBy::Peer, Some(487)));
}
