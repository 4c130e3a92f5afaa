use super::one::*;
use crate::dialog::*;
use crate::sip::{Message, Method, Name, Request};

fn invite(expires: &str, allow: &str) -> Request {
    fresh("INVITE", &format!("Supported: timer\r\nSession-Expires: {expires}\r\nAllow: {allow}\r\n"), OFFER)
}

fn established(invite: &Request) -> (One, Request, String) {
    let mut one = One::new();
    let leg = one.invited(invite);
    one.command(Command::Answer { leg });
    let ok = one.response();
    let dialog = within(invite, &ok);
    one.receive(Message::Request(next(&dialog, Method::Ack, 1)));
    one.event();
    assert!(ok.headers.lists(&Name::Require, "timer"));
    (one, dialog, ok.headers.text(&Name::SessionExpires).unwrap())
}

#[test]
fn a_session_that_the_caller_does_not_refresh_ends() {
    let (mut one, dialog, granted) = established(&invite("1800", "UPDATE"));
    assert_eq!(granted, "1800;refresher=uac");
    one.pass(1000.0);
    let mut update = next(&dialog, Method::Update, 2);
    update.headers.set(Name::SessionExpires, "1800;refresher=uac");
    one.receive(Message::Request(update));
    assert_eq!(one.response().headers.text(&Name::SessionExpires).unwrap(), "1800;refresher=uac");
    one.pass(1767.0);
    one.quiet();
    one.pass(2.0);
    assert_eq!(one.ended(), (EndedBy::Network, None));
    assert_eq!(one.request().method, Method::Bye);
    one.gone();
}

#[test]
fn we_refresh_when_asked_to_by_update_or_reinvite() {
    for allow in ["UPDATE", "INVITE"] {
        let (mut one, _, granted) = established(&invite("600;refresher=uas", allow));
        assert_eq!(granted, "600;refresher=uas");
        for _ in 0..3 {
            one.pass(301.0);
            let refresh = one.request();
            assert_eq!(refresh.headers.text(&Name::SessionExpires).unwrap(), "600;refresher=uac");
            let update = allow == "UPDATE";
            assert_eq!(
                (refresh.method.clone(), refresh.body.is_empty()),
                (if update { Method::Update } else { Method::Invite }, update)
            );
            if !update {
                assert_eq!(sdp(&refresh.body).session.1, 1, "the same description");
            }
            let mut ok = answer(&refresh, 200, "theirs", (!update).then_some(OFFER));
            ok.headers.push(Name::SessionExpires, "600;refresher=uac");
            one.receive(Message::Response(ok));
            one.sent.clear();
            assert!(one.events.is_empty());
        }
    }
}

#[test]
fn a_refresh_without_an_answer_ends_the_session_and_422_lengthens_it() {
    let (mut one, ..) = established(&invite("90;refresher=uas", "UPDATE"));
    one.pass(45.0);
    let refresh = one.request();
    let mut short = answer(&refresh, 422, "theirs", None);
    short.headers.push(Name::MinSe, "300");
    one.receive(Message::Response(short));
    assert_eq!(one.request().headers.text(&Name::SessionExpires).unwrap(), "300;refresher=uac");
    one.pass(33.0);
    assert_eq!(one.ended().0, EndedBy::Network);
    assert!(one.requests().iter().any(|r| r.method == Method::Bye));
    one.gone();
}

#[test]
fn after_glare_a_refresh_still_changes_nothing() {
    let (mut one, ..) = established(&invite("600;refresher=uas", "INVITE"));
    one.pass(301.0);
    let refresh = one.request();
    one.receive(Message::Response(answer(&refresh, 491, "theirs", None)));
    one.sent.clear();
    one.pass(2.1);
    assert_eq!(one.requests().remove(0).body, refresh.body);
}

/// A called party that is offered a session timer of half an hour, and the INVITE.
fn offered() -> (One, Request) {
    let mut one = One::new();
    let (leg, flow) = (one.legs.next_id(), one.flow);
    let timer = Interval::of(std::time::Duration::from_secs(1800));
    one.command(Command::Dial(Box::new(Dial { timer, ..party(leg, flow) })));
    let invite = one.request();
    (one, invite)
}

/// It answers, and says this of the session timer.
fn answers(one: &mut One, invite: &Request, timer: Option<&'static str>) {
    let mut ok = answer(invite, 200, "theirs", Some(OFFER));
    ok.headers.push(Name::Allow, "UPDATE");
    timer.into_iter().for_each(|timer| ok.headers.push(Name::SessionExpires, timer));
    one.receive(Message::Response(ok));
    one.sent.clear();
    one.events.clear();
}

#[test]
fn a_called_party_says_who_refreshes_and_whether_there_is_a_timer() {
    // Ours to refresh: we do so until it no longer answers.
    for timer in ["1800;refresher=uac", "1800"] {
        let (mut one, invite) = offered();
        assert_eq!(invite.headers.text(&Name::SessionExpires).unwrap(), "1800");
        assert!(invite.headers.lists(&Name::Supported, "timer") && invite.headers.get(&Name::MinSe).is_none());
        answers(&mut one, &invite, Some(timer));
        one.pass(901.0);
        let refresh = one.request();
        assert_eq!(
            (&refresh.method, refresh.headers.text(&Name::SessionExpires).unwrap().as_str()),
            (&Method::Update, "1800;refresher=uac")
        );
        one.pass(33.0);
        assert_eq!(one.ended(), (EndedBy::Network, Some(408)));
    }
    // Its own: it falls silent.
    let (mut one, invite) = offered();
    answers(&mut one, &invite, Some("600;refresher=uas"));
    one.pass(567.0);
    one.quiet();
    one.pass(2.0);
    assert_eq!((one.ended(), one.request().method), ((EndedBy::Network, None), Method::Bye));
    // It knows no session timer.
    let (mut one, invite) = offered();
    answers(&mut one, &invite, None);
    one.pass(7200.0);
    one.quiet();
}

#[test]
fn a_called_party_that_wants_a_longer_timer_is_called_once_more() {
    let (mut one, invite) = offered();
    let mut short = answer(&invite, 422, "proxy", None);
    short.headers.push(Name::MinSe, "3600");
    one.receive(Message::Response(short));
    let ack = one.request();
    let again = one.request();
    assert_eq!(ack.method, Method::Ack);
    let said = |name| again.headers.text(&name).unwrap();
    assert_eq!(
        (said(Name::SessionExpires), said(Name::MinSe), said(Name::CSeq)),
        ("3600".into(), "3600".into(), "2 INVITE".into())
    );
    assert_eq!((again.headers.text(&Name::CallId), &again.body), (invite.headers.text(&Name::CallId), &invite.body));
    answers(&mut one, &again, Some("3600;refresher=uac"));
    one.pass(1799.0);
    one.quiet();
    one.pass(2.0);
    assert_eq!(one.request().headers.text(&Name::CSeq).unwrap(), "3 UPDATE");
    // The same word again, none, and more than a day are refusals.
    for min_se in ["3600", "", "90000"] {
        let (mut one, invite) = offered();
        let refuse = |one: &mut One, invite: &Request, min_se: &'static str| {
            let mut short = answer(invite, 422, "proxy", None);
            short.headers.push(Name::MinSe, min_se);
            one.receive(Message::Response(short));
            one.sent.pop_front();
        };
        if min_se == "3600" {
            refuse(&mut one, &invite, min_se);
            let again = one.request();
            refuse(&mut one, &again, min_se);
        } else {
            refuse(&mut one, &invite, min_se);
        }
        assert_eq!(one.ended(), (EndedBy::Peer, Some(422)));
        one.quiet();
    }
}

#[test]
fn a_peer_that_forgets_the_timer_in_a_hold_is_still_looked_after() {
    for supported in ["timer", "100rel"] {
        let (mut one, dialog, _) = established(&invite("600;refresher=uas", "UPDATE"));
        one.pass(100.0);
        let mut hold = next(&dialog, Method::Update, 2);
        hold.headers.set(Name::Supported, supported);
        hold.headers.remove(&Name::SessionExpires);
        one.receive(Message::Request(hold));
        let ok = one.response();
        assert_eq!(ok.headers.text(&Name::SessionExpires).unwrap(), "600;refresher=uas");
        assert_eq!(
            ok.headers.lists(&Name::Require, "timer"),
            supported == "timer",
            "§9: nothing is required that it does not know"
        );
        one.pass(301.0);
        assert_eq!(one.request().method, Method::Update);
    }
}
