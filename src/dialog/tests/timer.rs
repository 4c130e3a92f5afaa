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
