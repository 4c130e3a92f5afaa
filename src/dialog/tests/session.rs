use super::one::*;
use crate::base::LegId;
use crate::dialog::*;
use crate::sip::{Direction, Message, Method, Name, Request, Response};

fn invite() -> Request {
    fresh("INVITE", "Allow: INVITE, UPDATE\r\n", OFFER)
}

fn talking() -> (One, LegId, Request) {
    let mut one = One::new();
    let (leg, dialog) = one.session(&invite());
    (one, leg, dialog)
}

/// The peer's SDP with a line more.
fn offer(line: &str) -> String {
    format!("{OFFER}{line}\r\n")
}

fn answered(one: &mut One, request: Request) -> Response {
    one.receive(Message::Request(request));
    one.response()
}

#[test]
fn hold_and_resume_by_reinvite_and_by_update() {
    for method in [Method::Invite, Method::Update] {
        let (mut one, _, dialog) = talking();
        let mut seq = 1;
        let mut exchange = |one: &mut One, body: &str| {
            seq += 1;
            let ok = answered(one, with(next(&dialog, method.clone(), seq), body));
            assert_eq!(ok.status, Status(200));
            if method == Method::Invite {
                one.receive(Message::Request(next(&dialog, Method::Ack, seq)));
            }
            sdp(&ok.body)
        };
        let on_hold = exchange(&mut one, &offer("a=sendonly"));
        assert_eq!((on_hold.direction, on_hold.session.1), (Direction::RecvOnly, 2));
        assert!(held(&one.media()));
        assert_eq!(exchange(&mut one, &offer("a=sendonly")).session.1, 2, "nothing changed");
        one.quiet();
        exchange(&mut one, &OFFER.replace("c=IN IP4 198.51.100.7", "c=IN IP4 0.0.0.0"));
        assert_eq!(one.media().rtp, None);
        assert_eq!(exchange(&mut one, &offer("a=inactive")).direction, Direction::Inactive);
        assert!(held(&one.media()));
        let resumed = exchange(&mut one, &OFFER.replace("4000", "4444"));
        assert_eq!(resumed.direction, Direction::SendRecv);
        let media = one.media();
        assert_eq!((media.rtp.unwrap().port(), held(&media)), (4444, false));
        exchange(&mut one, &OFFER.replace("8 0 101", "0 8 101"));
        assert_eq!(one.media().codec, Codec::Pcmu);
        one.quiet();
    }
}

#[test]
fn a_late_reinvite_gets_our_offer_and_its_ack_answers() {
    let (mut one, _, dialog) = talking();
    let ok = answered(&mut one, next(&dialog, Method::Invite, 2));
    assert_eq!(sdp(&ok.body).direction, Direction::SendRecv);
    let update = answered(&mut one, with(next(&dialog, Method::Update, 3), OFFER));
    assert_eq!(update.status, Status(491), "our offer is out");
    one.receive(Message::Request(with(next(&dialog, Method::Ack, 2), &offer("a=sendonly"))));
    assert!(held(&one.media()));
    one.quiet();
}

#[test]
fn a_refused_reinvite_leaves_the_session_as_it_was() {
    let (mut one, leg, dialog) = talking();
    assert_eq!(answered(&mut one, with(next(&dialog, Method::Invite, 2), &OFFER.replace("8 0 101", "18"))).status.0, 488);
    one.receive(Message::Request(next(&dialog, Method::Ack, 2)));
    assert_eq!(answered(&mut one, with(next(&dialog, Method::Invite, 3), "nonsense")).status.0, 400);
    one.receive(Message::Request(next(&dialog, Method::Ack, 3)));
    one.quiet();
    let ok = answered(&mut one, with(next(&dialog, Method::Update, 4), OFFER));
    assert_eq!(sdp(&ok.body).session.1, 1);
    one.command(Command::Hangup { leg, cause: Cause::default() });
    assert_eq!(one.request().uri.to_string(), "sip:caller@198.51.100.7:5070");
}

#[test]
fn a_reinvite_that_overtakes_the_ack_of_a_complete_exchange_is_served() {
    let mut one = One::new();
    let leg = one.invited(&invite());
    one.command(Command::Answer { leg });
    let dialog = within(&invite(), &one.response());
    let on_hold = answered(&mut one, with(next(&dialog, Method::Invite, 2), &offer("a=sendonly")));
    assert_eq!(on_hold.status, Status(200));
    assert!(matches!(one.event(), Event::Established { .. }), "who sends it has our 200");
    assert!(held(&one.media()));
    let late = answered(&mut one, next(&dialog, Method::Invite, 3));
    assert_eq!((late.status, sdp(&late.body).direction), (Status(200), Direction::SendRecv), "without an offer too");
    let glare = answered(&mut one, with(next(&dialog, Method::Invite, 4), OFFER));
    assert_eq!(glare.status, Status(491), "our offer waits for its answer in the ACK");
    for seq in [1, 2] {
        one.receive(Message::Request(next(&dialog, Method::Ack, seq)));
    }
    one.quiet();
    one.receive(Message::Request(with(next(&dialog, Method::Ack, 3), OFFER)));
    assert!(!held(&one.media()));
    one.quiet();
}

#[test]
fn a_lower_number_is_500() {
    let (mut one, _, dialog) = talking();
    assert_eq!(answered(&mut one, with(next(&dialog, Method::Invite, 5), OFFER)).status.0, 200);
    assert_eq!(answered(&mut one, next(&dialog, Method::Info, 4)).status.0, 500);
    one.receive(Message::Request(next(&dialog, Method::Bye, 7)));
    assert_eq!(one.statuses(), [200]);
    assert_eq!(one.ended(), (EndedBy::Peer, None));
    one.gone();
}

#[test]
fn a_reinvite_moves_the_target_and_its_lost_ack_ends_the_session() {
    let (mut one, _, dialog) = talking();
    let mut moved = with(next(&dialog, Method::Invite, 2), OFFER);
    moved.headers.set(Name::Contact, "<sip:elsewhere@198.51.100.9:5090>");
    assert_eq!(answered(&mut one, moved).status.0, 200);
    one.pass(33.0);
    assert_eq!(one.ended(), (EndedBy::Network, None));
    let bye = one.requests().remove(0);
    assert_eq!(bye.uri.to_string(), "sip:elsewhere@198.51.100.9:5090");
    one.gone();
}

#[test]
fn our_other_media_go_out_by_reinvite() {
    let (mut one, leg, dialog) = talking();
    let moved = || LocalMedia { rtp: "192.0.2.1:30000".parse().unwrap(), ..local() };
    one.command(Command::Attach { leg, local: moved() });
    let ours = one.request();
    assert_eq!((ours.method.clone(), sdp(&ours.body).rtp.port(), sdp(&ours.body).session.1), (Method::Invite, 30000, 2));
    let glare = answered(&mut one, with(next(&dialog, Method::Invite, 2), OFFER));
    assert_eq!(glare.status.0, 491);
    one.receive(Message::Request(next(&dialog, Method::Ack, 2)));
    let mut ok = answer(&ours, 200, "theirs", Some(&OFFER.replace("4000", "4800")));
    ok.headers.set(Name::Contact, "<sip:there@198.51.100.7:6000>");
    one.receive(Message::Response(ok));
    let ack = one.request();
    assert_eq!((ack.method.clone(), ack.headers.text(&Name::CSeq).unwrap()), (Method::Ack, "1 ACK".to_owned()));
    assert_eq!(ack.uri.to_string(), "sip:there@198.51.100.7:6000");
    assert_eq!(one.media().rtp.unwrap().port(), 4800);
    one.quiet();
}

#[test]
fn after_glare_we_try_again_at_random_and_serve_the_peer_meanwhile() {
    for ours in [false, true] {
        let mut one = One::new();
        let (leg, dialog) = if ours {
            let (leg, request, ok) = one.called();
            let mut dialog = next(&fresh("UPDATE", "", ""), Method::Update, 1);
            dialog.headers.set(Name::From, ok.headers.get(&Name::To).unwrap().clone());
            dialog.headers.set(Name::To, request.headers.get(&Name::From).unwrap().clone());
            dialog.headers.set(Name::CallId, request.headers.call_id().unwrap().clone());
            (leg, dialog)
        } else {
            one.session(&invite())
        };
        one.command(Command::Attach { leg, local: LocalMedia { codecs: vec![Codec::Pcmu], ..local() } });
        let first = one.request();
        one.receive(Message::Response(answer(&first, 491, "theirs", None)));
        assert_eq!(one.request().method, Method::Ack);
        assert_eq!(answered(&mut one, with(next(&dialog, Method::Update, 9), OFFER)).status.0, 200);
        let before = one.now.mono;
        let at = one.legs.deadline().unwrap();
        assert!(at.since(before).as_millis() <= 4000);
        one.pass(if ours { 2.09 } else { 0.0 });
        assert!(one.sent.is_empty() || !ours, "the owner of the Call-ID waits at least 2.1 s");
        one.pass(4.0);
        let again = one.requests().remove(0);
        assert_eq!((again.method.clone(), sdp(&again.body).payloads.len()), (Method::Invite, 1));
        let seq = |r: &Request| r.headers.cseq().unwrap().seq;
        assert_eq!(seq(&again), seq(&first) + 1);
    }
}

#[test]
fn a_refusal_of_ours_keeps_the_media_and_481_ends_the_leg() {
    let (mut one, leg, dialog) = talking();
    one.command(Command::Attach { leg, local: LocalMedia { codecs: vec![Codec::Pcmu], ..local() } });
    let ours = one.request();
    one.receive(Message::Response(answer(&ours, 488, "theirs", None)));
    one.sent.clear();
    let ok = answered(&mut one, with(next(&dialog, Method::Update, 2), OFFER));
    assert_eq!(sdp(&ok.body).payloads.len(), 2);
    one.quiet();
    one.command(Command::Attach { leg, local: local() });
    let ours = one.request();
    one.receive(Message::Response(answer(&ours, 481, "theirs", None)));
    assert_eq!(one.ended(), (EndedBy::Network, Some(481)));
    one.gone();
}

#[test]
fn keys_options_and_strangers_inside_the_dialog() {
    let (mut one, _, dialog) = talking();
    let mut info = next(&dialog, Method::Info, 2);
    info = info.with_body("application/dtmf-relay", bytes::Bytes::from_static(b"Signal=5\r\nDuration=160\r\n"));
    assert_eq!(answered(&mut one, info).status.0, 200);
    assert!(matches!(one.event(), Event::Key { key: '5', .. }));
    let info = next(&dialog, Method::Info, 3).with_body("text/plain", bytes::Bytes::from_static(b"x"));
    assert_eq!(answered(&mut one, info).status.0, 415);
    assert_eq!(answered(&mut one, next(&dialog, Method::Options, 4)).status.0, 200);
    assert_eq!(answered(&mut one, next(&dialog, Method::Message, 5)).status.0, 405);
    assert_eq!(answered(&mut one, next(&dialog, Method::Subscribe, 6)).status.0, 405);
    assert_eq!(answered(&mut one, next(&dialog, Method::Prack, 7)).status.0, 481);
    let mut required = next(&dialog, Method::Update, 8);
    required.headers.push(Name::Require, "tdialog");
    assert_eq!(answered(&mut one, required).status.0, 420);
    let mut stranger = next(&dialog, Method::Bye, 9);
    stranger.headers.set(Name::From, "<sip:x@y>;tag=other");
    assert_eq!(answered(&mut one, stranger).status.0, 481);
    one.quiet();
}

#[test]
fn both_hang_up_at_once() {
    let (mut one, leg, dialog) = talking();
    one.command(Command::Hangup { leg, cause: Cause::default() });
    let bye = one.request();
    assert_eq!(answered(&mut one, next(&dialog, Method::Bye, 2)).status.0, 200);
    assert_eq!(one.ended(), (EndedBy::Us, None));
    one.receive(Message::Response(answer(&bye, 481, "theirs", None)));
    assert_eq!(one.legs.gauges().0, 0);
    one.gone();
    one.quiet();
}

#[test]
fn a_bye_is_answered_while_our_reinvite_is_out() {
    let (mut one, leg, dialog) = talking();
    one.command(Command::Attach { leg, local: LocalMedia { codecs: vec![Codec::Pcmu], ..local() } });
    let ours = one.request();
    assert_eq!(answered(&mut one, next(&dialog, Method::Bye, 2)).status.0, 200);
    assert_eq!(one.ended(), (EndedBy::Peer, None));
    one.receive(Message::Response(answer(&ours, 487, "theirs", None)));
    assert_eq!(one.legs.gauges().0, 0);
    one.gone();
}
