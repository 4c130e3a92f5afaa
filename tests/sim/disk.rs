//! A disk that stands still, and says nothing: callers wait for it, but nobody who calls for help does.

use crate::flood::{FLOOD, Gateway};
use crate::switch::address;
use std::time::Duration;

const HELP: &str = "110";

/// The party that the gateway has called answers with this.
fn answers(gateway: &mut Gateway, status: &str) {
    let invite = |(_, text): &(_, String)| text.starts_with("INVITE ");
    let at = gateway.sent.iter().position(invite).expect("a party is called");
    let (party, invite) = gateway.sent.remove(at);
    let copied = |line: &&str| ["Via:", "From:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name));
    let headers = invite.lines().filter(copied).map(|line| format!("{line}\r\n")).collect::<String>();
    let to = invite.lines().find(|line| line.starts_with("To:")).unwrap();
    let host = (1..=u8::MAX).find(|host| address(*host) == party).unwrap();
    gateway.receive(host, format!("SIP/2.0 {status}\r\n{headers}{to};tag=p\r\nContent-Length: 0\r\n\r\n"));
}

fn hears_in_the_end(gateway: &mut Gateway) -> Option<u16> {
    gateway.statuses(FLOOD).into_iter().find(|status| *status >= 200)
}

#[test]
fn an_emergency_waits_for_the_disk_no_longer_than_it_may() {
    let mut gateway = Gateway::new(|setup| setup.live.emergency_wait = Duration::from_millis(80));
    gateway.disk_stands = true;
    gateway.call(FLOOD, "13900139000", HELP);
    answers(&mut gateway, "603 Decline");
    gateway.pass(Duration::from_millis(70));
    assert_eq!(hears_in_the_end(&mut gateway), None, "it may come back at once");
    gateway.pass(Duration::from_millis(10));
    assert!(hears_in_the_end(&mut gateway).is_some());
    assert_eq!(gateway.switch.counters().unwritten, 1);
}

#[test]
fn whoever_calls_for_no_help_waits_until_the_call_is_on_the_disk() {
    let mut gateway = Gateway::new(|setup| setup.live.emergency_wait = Duration::from_millis(80));
    gateway.disk_stands = true;
    gateway.call(FLOOD, "13900139000", "99999");
    gateway.pass(Duration::from_secs(1));
    assert_eq!(hears_in_the_end(&mut gateway), None);
    gateway.is_durable();
    assert!(hears_in_the_end(&mut gateway).is_some());
    assert_eq!(gateway.switch.counters().unwritten, 0);
}

#[test]
fn an_emergency_whose_entry_is_on_the_disk_in_time_is_none_that_went_on_without() {
    let mut gateway = Gateway::new(|setup| setup.live.emergency_wait = Duration::from_millis(80));
    gateway.call(FLOOD, "13900139000", HELP);
    gateway.pass(Duration::from_secs(1));
    assert_eq!(gateway.switch.counters().unwritten, 0);
}
