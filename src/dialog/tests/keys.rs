use super::one::*;
use crate::dialog::*;
use crate::sip::{Message, Method, Name, Request};

fn pressed(info: &Request) -> String {
    assert_eq!(info.method, Method::Info);
    assert_eq!(info.headers.text(&Name::ContentType).as_deref(), Some("application/dtmf-relay"));
    String::from_utf8(info.body.to_vec()).unwrap()
}

fn reply(one: &mut One, request: &Request, status: u16) {
    one.receive(Message::Response(answer(request, status, "theirs", None)));
}

#[test]
fn keys_leave_one_after_the_other() {
    let mut one = One::new();
    let (leg, _) = one.session(&fresh("INVITE", "", OFFER));
    for key in ['1', 'x', '*', '#'] {
        one.command(Command::SendInfo { leg, key });
    }
    for key in ['1', '*', '#'] {
        let info = one.request();
        assert_eq!(pressed(&info), format!("Signal={key}\r\nDuration=160\r\n"));
        one.quiet();
        reply(&mut one, &info, 200);
    }
    one.quiet();
}

#[test]
fn a_peer_that_takes_none_gets_no_more_of_these() {
    let mut one = One::new();
    let (leg, dialog) = one.session(&fresh("INVITE", "", OFFER));
    ['1', '*', '2'].iter().for_each(|key| one.command(Command::SendInfo { leg, key: *key }));
    let info = one.request();
    reply(&mut one, &info, 405);
    let refused: Vec<char> = (0..3)
        .map(|_| match one.event() {
            Event::KeyRefused { key, .. } => key,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(refused, ['1', '*', '2'], "none is lost in silence");
    one.quiet();
    one.command(Command::SendInfo { leg, key: 'D' });
    pressed(&one.request());
    one.receive(Message::Request(next(&dialog, Method::Bye, 2)));
    assert_eq!(one.statuses(), [200]);
    one.command(Command::SendInfo { leg, key: '2' });
    one.ended();
    one.quiet();
    one.gone();
}

#[test]
fn a_storm_of_keys_is_bounded() {
    let mut one = One::new();
    let (leg, _) = one.session(&fresh("INVITE", "", OFFER));
    (0..1000).for_each(|_| one.command(Command::SendInfo { leg, key: '1' }));
    let mut sent = 0;
    while let Some((_, Message::Request(info))) = one.sent.pop_front() {
        sent += 1;
        reply(&mut one, &info, 200);
    }
    assert_eq!(sent, 65);
}
