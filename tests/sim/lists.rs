//! Numbers that are turned away and numbers that go before others, through the whole switch: in whatever spelling they were listed
//! or call, until their time is over; and nobody is turned away from an emergency line.

use crate::flood::{Gateway, invite};
use crate::hops::{header, invites, requests, respond};
use crate::switch::address;
use hotline::base::Wall;
use hotline::control::{Command, Reply};
use hotline::event::fact::{Listed, ListedFact};
use hotline::queue::Strategy;
use hotline::switch::Input;

const CARRIER: u8 = 2;
const TARGETS: u8 = 3;
const SEAT: u8 = 10;
/// 2021-10-15 noon in Xishuangbanna, where the gateway's clock begins.
const NOON: i64 = 1_634_270_400_000_000;
const DAY: i64 = 86_400_000_000;

fn command(gateway: &mut Gateway, command: Command) {
    gateway.input(Input::Command { id: 7, command });
    let reply = gateway.replies.pop();
    assert!(matches!(reply, Some(Reply::Done)), "{reply:?}");
}

fn list(gateway: &mut Gateway, number: &str, listed: Listed, days: Option<i64>) {
    let until = days.map(|days| Wall(NOON + days * DAY));
    let (reason, approver, by) = ("骚扰".into(), "王处".into(), "desk".into());
    let row = ListedFact { id: "".into(), number: number.into(), listed, reason, approver, by, since: Wall(0), until };
    command(gateway, Command::ListNumber(Box::new(row)));
}

/// The responses to a new call.
fn answers(gateway: &mut Gateway, caller: &str, number: &str, n: u32) -> Vec<String> {
    gateway.receive(CARRIER, invite(CARRIER, caller, number, n));
    requests(gateway, "SIP/2.0", CARRIER)
}

/// The call is refused with 603 and cause 21 (call rejected), and with nothing else.
fn is_turned_away(gateway: &mut Gateway, caller: &str, number: &str, n: u32) -> bool {
    let answers = answers(gateway, caller, number, n);
    let Some(refusal) = answers.iter().find(|text| text.starts_with("SIP/2.0 603 ")) else { return false };
    assert!(header(refusal, "Reason").starts_with("Q.850;cause=21"), "{refusal}");
    true
}

fn gives_up(gateway: &mut Gateway, caller: &str, number: &str, n: u32) {
    let call = invite(CARRIER, caller, number, n);
    let cancel = call.split("Contact:").next().unwrap().replace("INVITE", "CANCEL");
    gateway.receive(CARRIER, format!("{cancel}Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"));
}

#[test]
fn all_spellings_of_a_number_are_one_on_the_lists_and_at_the_door() {
    let kinds: [&[&str]; 2] = [
        &["13800138000", "+8613800138000", "008613800138000", "013800138000", "+86 138-0013-8000"],
        &["087163123456", "+8687163123456", "0086-871-63123456", "0871-63123456"],
    ];
    for spellings in kinds {
        let spoken = spellings.iter().filter(|text| !text.contains([' ', '-']));
        for listed in spellings {
            let mut gateway = Gateway::new(|_| ());
            list(&mut gateway, listed, Listed::Blocked, None);
            for (n, caller) in (1..).zip(spoken.clone()) {
                assert!(is_turned_away(&mut gateway, caller, "12345", n), "{caller}, listed as {listed}");
            }
            assert!(!is_turned_away(&mut gateway, "13800138001", "12345", 90), "another number");
            assert!(gateway.switch.gauges().waiting <= 1 && invites(&mut gateway, SEAT).len() == 1, "for the other one");
            for other in spellings {
                command(&mut gateway, Command::UnlistNumber((*other).to_owned()));
                assert!(!is_turned_away(&mut gateway, spellings[0], "12345", 91), "{listed}, taken off as {other}");
                gives_up(&mut gateway, spellings[0], "12345", 91);
                gateway.pass(std::time::Duration::from_secs(40));
                requests(&mut gateway, "", CARRIER);
                list(&mut gateway, listed, Listed::Blocked, None);
            }
        }
    }
}

#[test]
fn a_blocked_caller_reaches_help_by_every_way_and_everybody_when_its_time_is_over() {
    let mut gateway = Gateway::new(|_| ());
    list(&mut gateway, "13800138000", Listed::Blocked, Some(2));
    for (n, number) in [(1, "12345"), (2, "12366"), (3, "069112345")] {
        assert!(is_turned_away(&mut gateway, "13800138000", number, n), "{number}");
    }
    for (n, number) in [(4, "110"), (5, "119"), (6, "0691120"), (7, "122")] {
        assert!(!is_turned_away(&mut gateway, "13800138000", number, n), "{number}");
        let called = invites(&mut gateway, TARGETS);
        assert_eq!(called.len(), 1, "{number}: {called:?}");
        gives_up(&mut gateway, "13800138000", number, n);
    }
    assert!(invites(&mut gateway, SEAT).is_empty(), "no seat is troubled");
    gateway.set_wall(Wall(NOON + 2 * DAY - 1));
    assert!(is_turned_away(&mut gateway, "13800138000", "12345", 8), "until the last moment");
    // Also by the next process, which knows the list from the disk.
    gateway.begin_anew();
    assert!(is_turned_away(&mut gateway, "13800138000", "12345", 9));
    gateway.set_wall(Wall(NOON + 2 * DAY));
    assert!(!is_turned_away(&mut gateway, "13800138000", "12345", 10), "its time is over");
    assert_eq!(invites(&mut gateway, SEAT).len(), 1);
}

#[test]
fn a_caller_with_priority_overtakes_those_who_wait() {
    let mut gateway = Gateway::new(|setup| {
        setup.live.seats[0].channels = 1;
        setup.live.queues.iter_mut().for_each(|line| line.strategy = Strategy::LongestIdle);
    });
    list(&mut gateway, "+86 139 0013 9000", Listed::Priority, Some(1));
    answers(&mut gateway, "13800138000", "12345", 1);
    let rung = invites(&mut gateway, SEAT).pop().unwrap();
    respond(&mut gateway, SEAT, &rung, "180 Ringing");
    answers(&mut gateway, "13800138001", "12345", 2);
    answers(&mut gateway, "13900139000", "12345", 3);
    gives_up(&mut gateway, "13800138000", "12345", 1);
    respond(&mut gateway, SEAT, &rung, "487 Request Terminated");
    let next = invites(&mut gateway, SEAT).pop().unwrap();
    assert!(header(&next, "P-Asserted-Identity").contains("13900139000"), "{next}");
    // When its time is over, it waits its turn.
    gateway.set_wall(Wall(NOON + DAY));
    answers(&mut gateway, "13900139000", "12345", 4);
    respond(&mut gateway, SEAT, &next, "180 Ringing");
    gives_up(&mut gateway, "13900139000", "12345", 3);
    respond(&mut gateway, SEAT, &next, "487 Request Terminated");
    let next = invites(&mut gateway, SEAT).pop().unwrap();
    assert!(header(&next, "P-Asserted-Identity").contains("13800138001"), "{next}");
    assert!(gateway.sent.iter().all(|(to, text)| *to != address(SEAT) || !text.starts_with("INVITE")));
}
