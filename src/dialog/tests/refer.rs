use super::one::*;
use crate::base::LegId;
use crate::dialog::*;
use crate::sip::{Message, Method, Name, Request, Status};

fn invite() -> Request {
    fresh("INVITE", "", OFFER)
}

/// The phone's REFER in its dialog; `extra` are headers.
fn refer(dialog: &Request, seq: u32, extra: &[(Name, &str)]) -> Request {
    let mut refer = next(dialog, Method::Refer, seq);
    extra.iter().for_each(|(name, value)| refer.headers.push(name.clone(), (*value).to_owned()));
    refer
}

fn to(uri: &str) -> [(Name, &str); 1] {
    [(Name::ReferTo, uri)]
}

fn asked(one: &mut One) -> Refer {
    match one.event() {
        Event::Refer { refer, .. } => refer,
        other => panic!("{other:?}"),
    }
}

/// What a NOTIFY says: Event, Subscription-State without its seconds, the line in its body.
fn said(notify: &Request) -> (String, String, String) {
    assert_eq!(notify.method, Method::Notify);
    assert!(notify.headers.get(&Name::Contact).is_some(), "RFC 6665 §8.2.1: mandatory");
    assert_eq!(notify.headers.text(&Name::ContentType).unwrap(), "message/sipfrag;version=2.0");
    let state = notify.headers.text(&Name::SubscriptionState).unwrap();
    let state = state.split("expires=").next().unwrap().to_owned();
    let line = String::from_utf8(notify.body.to_vec()).unwrap();
    (notify.headers.text(&Name::Event).unwrap(), state, line)
}

fn notified(one: &mut One, state: &str, line: &str) -> Request {
    let notify = one.request();
    let (_, said_state, said_line) = said(&notify);
    assert_eq!((said_state.as_str(), said_line.trim_end()), (state, line));
    notify
}

const ACTIVE: &str = "active;";
const OVER: &str = "terminated;reason=noresource";

fn reply(one: &mut One, request: &Request, status: u16) {
    one.receive(Message::Response(answer(request, status, "theirs", None)));
}

/// A session whose REFER has been accepted; its first NOTIFY, not yet answered.
fn referred(one: &mut One) -> (LegId, Request, Request) {
    let (leg, dialog) = one.session(&invite());
    one.receive(Message::Request(refer(&dialog, 2, &to("<sip:12366@192.0.2.1>"))));
    let id = asked(one).id;
    one.quiet();
    one.command(Command::AcceptRefer { leg, id });
    let accepted = one.response();
    assert_eq!((accepted.status, accepted.headers.get(&Name::Contact).is_some()), (Status(202), true));
    let first = notified(one, ACTIVE, "SIP/2.0 100 Trying");
    one.quiet();
    (leg, dialog, first)
}

#[test]
fn a_blind_transfer_is_told_step_by_step() {
    let mut one = One::new();
    let (leg, dialog, first) = referred(&mut one);
    assert_eq!(said(&first).0, "refer");
    assert!(first.headers.text(&Name::SubscriptionState).unwrap().ends_with("expires=600"));
    one.command(Command::Notify { leg, id: 2, status: Status(180) });
    one.quiet();
    reply(&mut one, &first, 200);
    let second = notified(&mut one, ACTIVE, "SIP/2.0 180 Ringing");
    assert_eq!(second.headers.cseq().unwrap().seq, first.headers.cseq().unwrap().seq + 1);
    assert_eq!(second.headers.text(&Name::To), dialog.headers.text(&Name::From));
    reply(&mut one, &second, 200);
    one.quiet();
    one.command(Command::Notify { leg, id: 2, status: Status(200) });
    let last = notified(&mut one, OVER, "SIP/2.0 200 OK");
    reply(&mut one, &last, 200);
    one.command(Command::Notify { leg, id: 2, status: Status(486) });
    one.quiet();
    one.receive(Message::Request(next(&dialog, Method::Bye, 3)));
    assert_eq!(one.statuses(), [200]);
    assert_eq!(one.ended(), (EndedBy::Peer, None));
    one.gone();
}
