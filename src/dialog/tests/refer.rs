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
        Event::Refer { refer, .. } => *refer,
        other => panic!("{other:?}"),
    }
}

/// The words of a NOTIFY: Event, Subscription-State without its seconds, the line in its body.
fn said(notify: &Request) -> (String, String, String) {
    assert_eq!(notify.method, Method::Notify);
    assert!(notify.headers.get(&Name::Contact).is_some());
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
const EXPIRED: &str = "terminated;reason=timeout";
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

#[test]
fn what_has_not_left_gives_way_to_the_newer() {
    let mut one = One::new();
    let (leg, _, first) = referred(&mut one);
    for status in [180, 183, 486, 200] {
        one.command(Command::Notify { leg, id: 2, status: Status(status) });
    }
    one.quiet();
    reply(&mut one, &first, 200);
    let last = notified(&mut one, OVER, "SIP/2.0 486 Busy Here");
    reply(&mut one, &last, 200);
    one.quiet();
}

/// RFC 3515 §2.4.4: a phone that has a BYE refuses the NOTIFY behind it.
#[test]
fn how_it_came_out_is_told_before_our_bye() {
    let mut one = One::new();
    let (leg, _, first) = referred(&mut one);
    one.command(Command::Notify { leg, id: 2, status: Status(200) });
    one.quiet();
    one.command(Command::Hangup { leg, cause: Cause::default() });
    let last = notified(&mut one, OVER, "SIP/2.0 200 OK");
    let bye = one.request();
    let seq = |request: &Request| request.headers.cseq().unwrap().seq;
    assert_eq!((bye.method.clone(), seq(&last), seq(&bye)), (Method::Bye, seq(&first) + 1, seq(&first) + 2));
    one.ended();
    [first, last, bye].iter().for_each(|request| reply(&mut one, request, 200));
    one.quiet();
    one.gone();

    let mut one = One::new();
    let (leg, ..) = referred(&mut one);
    one.command(Command::Notify { leg, id: 2, status: Status(180) });
    one.command(Command::Hangup { leg, cause: Cause::default() });
    assert_eq!(one.request().method, Method::Bye, "how far it is can wait");
}

#[test]
fn one_at_a_time_and_the_next_goes_by_its_number() {
    let mut one = One::new();
    let (leg, dialog, first) = referred(&mut one);
    one.receive(Message::Request(refer(&dialog, 3, &to("<tel:110>"))));
    assert_eq!(one.statuses(), [491]);
    reply(&mut one, &first, 200);
    one.command(Command::Notify { leg, id: 2, status: Status(603) });
    notified(&mut one, OVER, "SIP/2.0 603 Decline");
    one.receive(Message::Request(refer(&dialog, 4, &to("<tel:110>"))));
    let second = asked(&mut one);
    assert_eq!((second.id, second.to.to_string().as_str()), (4, "tel:110"));
    one.command(Command::AcceptRefer { leg, id: 2 });
    one.quiet();
    one.command(Command::AcceptRefer { leg, id: 4 });
    one.sent.pop_front();
    assert_eq!(said(&one.request()).0, "refer;id=4");
}

#[test]
fn a_refer_that_is_repeated_is_asked_once() {
    let mut one = One::new();
    let (leg, dialog) = one.session(&invite());
    let refer = refer(&dialog, 2, &to("<sip:12366@192.0.2.1>"));
    one.receive(Message::Request(refer.clone()));
    one.receive(Message::Request(refer.clone()));
    let id = asked(&mut one).id;
    one.quiet();
    one.command(Command::AcceptRefer { leg, id });
    one.command(Command::AcceptRefer { leg, id });
    one.command(Command::RefuseRefer { leg, id, status: Status(403) });
    one.receive(Message::Request(refer));
    assert_eq!(one.statuses(), [202, 202]);
    assert!(one.events.is_empty());
}

#[test]
fn what_makes_no_sense_is_refused_and_the_session_untouched() {
    let good = || (Name::ReferTo, "<sip:12366@192.0.2.1>");
    let cases: [(&[(Name, &str)], u16); 11] = [
        (&[], 400),
        (&[good(), good()], 400),
        (&[(Name::ReferTo, "<sip:a@h>, <sip:b@h>")], 400),
        (&[(Name::ReferTo, "12366")], 400),
        (&[(Name::ReferTo, "<sips:12366@192.0.2.1>")], 416),
        (&[(Name::ReferTo, "<http://192.0.2.1/>")], 416),
        (&[(Name::ReferTo, "<sip:12366@192.0.2.1;method=BYE>")], 603),
        (&[(Name::ReferTo, "<sip:a@h?Replaces=c1%3Bto-tag%3Dx>")], 400),
        (&[(Name::ReferTo, "<sip:a@h?Replaces=c%3Bto-tag%3Dx%3Bfrom-tag%3Dy&replaces=c%3Bto-tag%3Dx%3Bfrom-tag%3Dy>")], 400),
        (&[good(), (Name::Replaces, "c1;to-tag=x;from-tag=y")], 400),
        (&[good(), (Name::Require, "multiple-refer")], 420),
    ];
    for (headers, status) in cases {
        let mut one = One::new();
        let (_, dialog) = one.session(&invite());
        one.receive(Message::Request(refer(&dialog, 2, headers)));
        assert_eq!(one.statuses(), [status], "{headers:?}");
        one.quiet();
        one.receive(Message::Request(refer(&dialog, 3, &[good()])));
        assert_eq!(asked(&mut one).id, 3);
    }
}

#[test]
fn who_asks_is_told_to_the_call() {
    let mut one = One::new();
    let (_, dialog) = one.session(&invite());
    let by = (Name::ReferredBy, "\"Seat\" <sip:8001@192.0.2.1>");
    one.receive(Message::Request(refer(&dialog, 2, &[(Name::ReferTo, "<sip:12366@h;user=phone?Subject=x>"), by])));
    let refer = asked(&mut one);
    assert_eq!((refer.to.to_string().as_str(), refer.replaces), ("sip:12366@h;user=phone", None));
    assert_eq!(refer.referred_by.unwrap().uri.user.as_deref(), Some("8001"));
}

#[test]
fn refused_forgotten_or_overtaken_by_the_end() {
    let asked_of = |one: &mut One| {
        let (leg, dialog) = one.session(&invite());
        one.receive(Message::Request(refer(&dialog, 2, &to("<sip:12366@192.0.2.1>"))));
        (leg, dialog, asked(one).id)
    };
    for (status, wire) in [(403, 403), (202, 603)] {
        let mut one = One::new();
        let (leg, _, id) = asked_of(&mut one);
        one.command(Command::RefuseRefer { leg, id: id + 1, status: Status(404) });
        one.quiet();
        one.command(Command::RefuseRefer { leg, id, status: Status(status) });
        assert_eq!(one.statuses(), [wire]);
        one.command(Command::Notify { leg, id, status: Status(200) });
        one.quiet();
    }
    let mut one = One::new();
    let (leg, ..) = asked_of(&mut one);
    one.pass(10.0);
    assert_eq!(one.statuses(), [480]);
    one.command(Command::Hangup { leg, cause: Cause::default() });
    let mut one = One::new();
    let (leg, dialog, id) = asked_of(&mut one);
    one.receive(Message::Request(next(&dialog, Method::Bye, 3)));
    let mut statuses = one.statuses();
    statuses.sort();
    assert_eq!(statuses, [200, 487]);
    one.command(Command::AcceptRefer { leg, id });
    assert_eq!(one.ended(), (EndedBy::Peer, None));
    one.quiet();
    one.gone();
}

#[test]
fn a_referrer_that_wants_silence_has_it() {
    let mut one = One::new();
    let (leg, dialog) = one.session(&invite());
    let silent = [(Name::ReferTo, "<sip:12366@192.0.2.1>"), (Name::ReferSub, "False"), (Name::Require, "norefersub")];
    one.receive(Message::Request(refer(&dialog, 2, &silent)));
    asked(&mut one);
    one.command(Command::AcceptRefer { leg, id: 2 });
    let accepted = one.response();
    assert_eq!((accepted.status.0, accepted.headers.text(&Name::ReferSub).as_deref()), (202, Some("false")));
    one.command(Command::Notify { leg, id: 2, status: Status(180) });
    one.receive(Message::Request(refer(&dialog, 3, &to("<tel:110>"))));
    assert_eq!(one.statuses(), [491]);
    one.command(Command::Notify { leg, id: 2, status: Status(200) });
    one.quiet();
    one.receive(Message::Request(refer(&dialog, 4, &to("<tel:110>"))));
    assert_eq!(asked(&mut one).id, 4);
}

#[test]
fn the_referrer_hangs_up_and_still_learns_the_end() {
    for by_us in [false, true] {
        let mut one = One::new();
        let (leg, dialog, first) = referred(&mut one);
        if by_us {
            one.command(Command::Hangup { leg, cause: Cause::default() });
            let bye = one.request();
            reply(&mut one, &bye, 200);
        } else {
            one.receive(Message::Request(next(&dialog, Method::Bye, 3)));
            assert_eq!(one.statuses(), [200]);
        }
        one.ended();
        reply(&mut one, &first, 200);
        one.pass(100.0);
        one.quiet();
        one.command(Command::Notify { leg, id: 2, status: Status(200) });
        let last = notified(&mut one, OVER, "SIP/2.0 200 OK");
        assert_eq!(one.legs.gauges().0, 1);
        reply(&mut one, &last, 200);
        assert_eq!(one.legs.gauges().0, 0);
        one.quiet();
        one.gone();
    }
}

#[test]
fn a_transfer_that_never_ends_is_told_to_have_timed_out() {
    let mut one = One::new();
    let (leg, dialog, first) = referred(&mut one);
    reply(&mut one, &first, 200);
    one.command(Command::Notify { leg, id: 2, status: Status(180) });
    let second = one.request();
    reply(&mut one, &second, 200);
    one.pass(599.0);
    one.quiet();
    one.pass(1.0);
    let last = notified(&mut one, EXPIRED, "SIP/2.0 180 Ringing");
    reply(&mut one, &last, 200);
    one.command(Command::Notify { leg, id: 2, status: Status(200) });
    one.quiet();
    one.receive(Message::Request(next(&dialog, Method::Bye, 3)));
    one.sent.clear();
    one.ended();
    one.gone();
    // After the leg's end sooner, and also where nobody answers.
    let mut one = One::new();
    let (_, dialog, first) = referred(&mut one);
    reply(&mut one, &first, 200);
    one.receive(Message::Request(next(&dialog, Method::Bye, 3)));
    one.sent.clear();
    one.ended();
    one.pass(180.0);
    notified(&mut one, EXPIRED, "SIP/2.0 100 Trying");
    one.gone();
}

#[test]
fn a_refused_or_lost_notify_ends_the_subscription_quietly() {
    for lost in [false, true] {
        let mut one = One::new();
        let (leg, dialog, first) = referred(&mut one);
        match lost {
            false => reply(&mut one, &first, 481),
            true => one.pass(33.0),
        }
        one.sent.clear();
        one.command(Command::Notify { leg, id: 2, status: Status(200) });
        one.quiet();
        one.receive(Message::Request(refer(&dialog, 3, &to("<tel:110>"))));
        assert_eq!(asked(&mut one).id, 3);
        one.receive(Message::Request(next(&dialog, Method::Bye, 4)));
        assert_eq!(one.statuses().len(), 2);
        one.ended();
        one.gone();
    }
}

#[test]
fn a_late_answer_to_an_old_notify_says_nothing_about_the_new_refer() {
    let mut one = One::new();
    let (leg, dialog, first) = referred(&mut one);
    reply(&mut one, &first, 200);
    one.command(Command::Notify { leg, id: 2, status: Status(200) });
    let last = one.request();
    one.receive(Message::Request(refer(&dialog, 3, &to("<tel:110>"))));
    let id = asked(&mut one).id;
    one.command(Command::AcceptRefer { leg, id });
    one.sent.clear();
    reply(&mut one, &last, 481);
    one.command(Command::Notify { leg, id: 3, status: Status(180) });
    one.quiet();
    one.receive(Message::Request(refer(&dialog, 4, &to("<tel:110>"))));
    assert_eq!(one.statuses(), [491], "the second REFER lives on");
}

#[test]
fn a_refer_meets_our_reinvite() {
    let mut one = One::new();
    let (leg, dialog) = one.session(&invite());
    one.command(Command::Attach { leg, local: LocalMedia { rtp: "192.0.2.1:30000".parse().unwrap(), ..local() } });
    let reinvite = one.request();
    let mut moved = refer(&dialog, 2, &to("<sip:12366@192.0.2.1>"));
    moved.headers.set(Name::Contact, "<sip:phone@198.51.100.7:5099>");
    one.receive(Message::Request(moved));
    asked(&mut one);
    one.command(Command::AcceptRefer { leg, id: 2 });
    assert_eq!(one.response().status.0, 202);
    let notify = notified(&mut one, ACTIVE, "SIP/2.0 100 Trying");
    let seq = |request: &Request| request.headers.cseq().unwrap().seq;
    assert_eq!((seq(&notify), notify.uri.to_string().as_str()), (seq(&reinvite) + 1, "sip:phone@198.51.100.7:5099"));
    one.receive(Message::Response(answer(&reinvite, 491, "theirs", None)));
    assert_eq!(one.request().method, Method::Ack);
    reply(&mut one, &notify, 200);
    one.pass(4.1);
    let again = one.request();
    assert_eq!((again.method.clone(), sdp(&again.body).rtp.port()), (Method::Invite, 30000));
    one.sent.clear();
    one.command(Command::Notify { leg, id: 2, status: Status(200) });
    one.receive(Message::Response(answer(&again, 200, "theirs", Some(OFFER))));
    assert_eq!(one.methods(), [Method::Notify, Method::Ack]);
}

#[test]
fn a_refer_that_crosses_our_bye_is_too_late() {
    let mut one = One::new();
    let (leg, dialog) = one.session(&invite());
    one.command(Command::Hangup { leg, cause: Cause::default() });
    let bye = one.request();
    one.receive(Message::Request(refer(&dialog, 2, &to("<sip:12366@192.0.2.1>"))));
    assert_eq!(one.statuses(), [481]);
    reply(&mut one, &bye, 200);
    assert_eq!(one.ended().0, EndedBy::Us);
    one.quiet();
    one.gone();
}

#[test]
fn nobody_is_told_where_the_peer_is_out_of_reach() {
    let mut one = One::new();
    let (leg, _, first) = referred(&mut one);
    reply(&mut one, &first, 200);
    one.command(Command::Attach { leg, local: LocalMedia { rtp: "192.0.2.1:30000".parse().unwrap(), ..local() } });
    let reinvite = one.request();
    one.receive(Message::Response(answer(&reinvite, 481, "theirs", None)));
    assert_eq!(one.ended(), (EndedBy::Network, Some(481)));
    one.sent.clear();
    one.command(Command::Notify { leg, id: 2, status: Status(200) });
    one.quiet();
    one.gone();
}

#[test]
fn before_the_ack_of_our_200_a_refer_outlives_a_hangup() {
    let mut one = One::new();
    let leg = one.invited(&invite());
    one.command(Command::Answer { leg });
    let dialog = within(&invite(), &one.response());
    one.receive(Message::Request(refer(&dialog, 2, &to("<tel:110>"))));
    asked(&mut one);
    one.command(Command::AcceptRefer { leg, id: 2 });
    one.sent.pop_front();
    let first = notified(&mut one, ACTIVE, "SIP/2.0 100 Trying");
    one.command(Command::Hangup { leg, cause: Cause::default() });
    assert_eq!(one.ended().0, EndedBy::Us);
    one.quiet();
    reply(&mut one, &first, 200);
    one.command(Command::Notify { leg, id: 2, status: Status(180) });
    let second = notified(&mut one, ACTIVE, "SIP/2.0 180 Ringing");
    one.receive(Message::Request(next(&dialog, Method::Ack, 1)));
    assert_eq!(one.request().method, Method::Bye);
    reply(&mut one, &second, 200);
    one.command(Command::Notify { leg, id: 2, status: Status(200) });
    notified(&mut one, OVER, "SIP/2.0 200 OK");
    one.gone();
}

#[test]
fn before_the_answer_there_is_nobody_to_move() {
    let mut one = One::new();
    let leg = one.invited(&invite());
    one.command(Command::Progress { leg, status: Status(180), media: false });
    let dialog = within(&invite(), &one.response());
    one.receive(Message::Request(refer(&dialog, 2, &to("<tel:110>"))));
    assert_eq!(one.statuses(), [603]);
    one.quiet();
}

#[test]
fn we_have_subscribed_to_nothing() {
    let mut one = One::new();
    let (_, dialog) = one.session(&invite());
    let mut notify = |seq: u32, event: &'static str| {
        let mut notify = next(&dialog, Method::Notify, seq);
        notify.headers.push(Name::Event, event);
        one.receive(Message::Request(notify));
        one.response()
    };
    assert_eq!(notify(2, "refer").status.0, 481);
    let other = notify(3, "talk");
    assert_eq!((other.status.0, other.headers.text(&Name::AllowEvents).as_deref()), (489, Some("refer")));
    one.quiet();
}
