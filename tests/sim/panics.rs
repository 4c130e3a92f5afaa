//! Panics at moments that chance hardly meets, through the whole switch, and kills: nobody is left where nobody looks for him, and what
//! a caller was promised is kept.

use crate::flood::Gateway;
use crate::outbound::{gateway, missed, offering, rows, state};
use hotline::base::trap::{self, Trap};
use hotline::call::{Callers, Messages, Waiting};
use hotline::media::Event;
use hotline::plan::Step;
use std::sync::Arc;
use std::time::Duration;

const CARRIER: u8 = 2;
const SECOND: Duration = Duration::from_secs(1);

/// The trap has sprung, and all is as it must be.
fn sound(gateway: &Gateway) {
    assert!(!trap::is_set(), "nothing came by there");
    assert_eq!(gateway.audit(), Ok(()));
}

#[test]
fn a_caller_whom_its_queue_has_given_up_is_ended_by_the_panic_that_follows() {
    let mut gateway = gateway(|setup| setup.live.queues.iter_mut().for_each(|queue| queue.max_wait = 5 * SECOND));
    gateway.call(CARRIER, "13800138000", "12345");
    assert_eq!((state(&mut gateway), gateway.switch.gauges().waiting), (Some("queued"), 1));
    gateway.panics_at(Trap::Plan);
    gateway.pass(6 * SECOND);
    sound(&gateway);
    assert_eq!((gateway.switch.gauges().waiting, gateway.ended, state(&mut gateway)), (0, 1, None));
    assert!(gateway.statuses(CARRIER).contains(&500), "the caller is told");
}

#[test]
fn a_row_is_there_though_the_program_panics_while_it_is_made() {
    // At the key by which a call back is promised.
    let mut promised = offering();
    promised.call(CARRIER, "13800138000", "12345");
    promised.pass(6 * SECOND);
    promised.panics_at(Trap::Plan);
    promised.press('1');
    sound(&promised);
    let row = rows(&mut promised);
    assert_eq!((row.len(), row[0].wanted, row[0].calls), (1, true, 1), "{row:?}");
    promised.pass(60 * SECOND);
    assert_eq!((promised.ended, rows(&mut promised)), (1, row));
    // At the end of a call whose caller was missed.
    let mut lost = gateway(|_| ());
    lost.call(CARRIER, "13800138000", "12345");
    lost.panics_at(Trap::Plan);
    lost.cancel(CARRIER, "13800138000", "12345");
    sound(&lost);
    let row = rows(&mut lost);
    assert_eq!((row.len(), row[0].wanted, row[0].calls), (1, false, 1), "{row:?}");
    lost.pass(60 * SECOND);
    assert_eq!((lost.ended, state(&mut lost)), (1, None));
    missed(&mut lost, "13800138000");
    assert_eq!(rows(&mut lost)[0].calls, 2, "the next is counted as the next");
}

/// A caller whom nobody took speaks after the tone.
fn speaking() -> Gateway {
    let mut gateway = gateway(|setup| {
        let message = Step::Message { prompt: "message".into(), key: '#', most: 60 * SECOND };
        let waiting = Waiting { overflow: [message].into(), overflow_within: 120 * SECOND, ..Waiting::default() };
        setup.live.queues.iter_mut().for_each(|queue| queue.max_wait = 5 * SECOND);
        let waiting = setup.live.queues.iter().map(|queue| (queue.name.clone(), Arc::new(waiting.clone()))).collect();
        let mut policy = (*setup.live.policy).clone();
        let messages = Messages { least: SECOND, silence: Duration::ZERO, thanks: Some("music".into()) };
        policy.callers = Callers { waiting, messages, ..policy.callers };
        setup.live.policy = Arc::new(policy);
        setup.live.callbacks.losses.clear();
    });
    gateway.call(CARRIER, "13800138000", "12345");
    gateway.pass(6 * SECOND);
    for cue in 1..=4 {
        gateway.media(|leg| Event::Played { leg, cue });
    }
    gateway.media(|leg| Event::Speaks { leg });
    gateway.pass(2 * SECOND);
    gateway
}

#[test]
fn who_has_left_a_message_is_listed_with_it_from_then_on_whatever_becomes_of_the_process() {
    let mut gateway = speaking();
    assert_eq!((state(&mut gateway), rows(&mut gateway).len()), (Some("message"), 0));
    gateway.press('#');
    let row = rows(&mut gateway);
    assert_eq!((row.len(), gateway.ended, row[0].messages.len()), (1, 0, 1), "while the caller is thanked: {row:?}");
    assert_eq!(row[0].messages, [row[0].call]);
    gateway.begin_anew();
    assert_eq!(rows(&mut gateway), row, "killed between the message and the call's end");
    let mut ends = speaking();
    ends.press('#');
    let row = rows(&mut ends);
    ends.pass(60 * SECOND);
    assert_eq!((ends.ended, rows(&mut ends)), (1, row), "and once");
    // A panic as it is listed.
    let mut panics = speaking();
    panics.panics_at(Trap::Plan);
    panics.press('#');
    sound(&panics);
    let row = rows(&mut panics);
    assert_eq!((row.len(), row[0].calls, row[0].messages.len()), (1, 1, 1), "{row:?}");
    panics.pass(60 * SECOND);
    assert_eq!((panics.ended, rows(&mut panics)), (1, row));
}
