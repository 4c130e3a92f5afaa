//! Seats that move their callers by REFER, as SIPp scenarios: each message and its place.

use super::{assert_answered, request};
use crate::support::gateway::{Gateway, Spec};
use crate::support::rtp::pattern;
use crate::support::sipp::Sipp;

/// The number of the pattern that the target speaks.
const TARGET: u32 = 3;

/// A seat whose scenario moves its caller to 12366.
fn mover(gateway: &Gateway, scenario: &str) -> Sipp {
    let address = format!("{}:{}", gateway.host.ip, gateway.sip);
    gateway.seat(0, scenario).arg("-key").arg("gateway").arg(&address).arg("-key").arg("target").arg("12366")
}

#[test]
fn a_seat_with_two_lines_completes_by_replaces() {
    let gateway = Gateway::start(&Spec::default());
    let said = pattern(TARGET, 0..30);
    let seat = mover(&gateway, "seat_consults").lasts(500).start();
    let target = gateway.target("seat_speaks").lasts(50).says(&said.concat()).start();
    let caller = gateway.caller("caller_hangs_up", "12345").lasts(3000).start();
    seat.finish();
    caller.ear.wait_to_hear("the target", 60, &said);
    caller.finish();
    target.finish();
    let record = gateway.record();
    assert_answered(&record, "12345", "caller");
    assert_eq!(record["transfers"][0]["kind"], "consult", "{record:#}");
    assert_eq!(record["transfers"][0]["result"], "completed", "{record:#}");
}

#[test]
fn a_seat_may_hang_up_once_its_refer_is_accepted() {
    let gateway = Gateway::start(&Spec::default());
    let said = pattern(TARGET, 0..30);
    let seat = mover(&gateway, "seat_refers").lasts(300).start();
    let target = gateway.target("seat_speaks").lasts(600).says(&said.concat()).start();
    let caller = gateway.caller("caller_hangs_up", "12345").lasts(3000).start();
    seat.finish();
    caller.ear.wait_to_hear("the target", 60, &said);
    caller.finish();
    request(&target.finish(), "INVITE");
    let record = gateway.record();
    assert_answered(&record, "12345", "caller");
    assert_eq!(record["transfers"][0]["kind"], "blind", "{record:#}");
    assert_eq!(record["transfers"][0]["result"], "completed", "{record:#}");
}
