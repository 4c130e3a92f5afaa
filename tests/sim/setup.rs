//! The configuration of a simulated gateway, and what an operator may make of it.

use crate::switch::{self, address, trunk};
use crate::vandal::Vandal;
use hotline::base::Rng;
use hotline::call::Policy;
use hotline::call::feature_codes::{FeatureCodes, ShiftCode};
use hotline::queue::{Queue, Strategy};
use hotline::switch::{JournalDown, Live, Recorded, Setup, Trunk};
use std::sync::Arc;
use std::time::Duration;

pub fn setup(rng: &mut Rng, seats: u8) -> Setup {
    let names: Vec<String> = (0..seats).map(|i| format!("seat-{i}")).collect();
    let Setup { mut fixed, mut live } = switch::setup(&names.iter().map(String::as_str).collect::<Vec<_>>());
    fixed.media.shards = 2;
    fixed.recorded = Recorded::All;
    live.trunks.push(trunk("targets", address(3)));
    live.default_route = 1;
    for seat in &mut live.seats {
        seat.channels = if rng.chance(500) { 1 } else { 1 + rng.below(10) as u32 };
    }
    for queue in &mut live.queues {
        let strategy = if rng.chance(500) { Strategy::RingAll } else { Strategy::LongestIdle };
        *queue = Queue { strategy, share: 6, reserved: 1, rest_max: Duration::from_secs(20), ..queue.clone() };
    }
    live.policy = Arc::new(Policy {
        apology: Some("apology".into()),
        transfer_failed: Some("apology".into()),
        max_parties: 4 + rng.below(46),
        ..Policy::clone(&live.policy)
    });
    live.codes = FeatureCodes {
        consult: "*2".to_owned(),
        complete: "*3".to_owned(),
        cancel: "*4".to_owned(),
        swap: "*5".to_owned(),
        merge: "*6".to_owned(),
        one_key: vec![("*110#".to_owned(), "110".to_owned())],
        shift: vec![("*73".to_owned(), ShiftCode::Ready), ("*74".to_owned(), ShiftCode::Busy)],
    };
    // These worlds hold every answer to the disk; `disk.rs` has those of emergencies that do not wait for it.
    live.emergency_wait = Duration::from_secs(3600);
    live.journal_down = if rng.chance(500) { JournalDown::Refuse } else { JournalDown::CarryOn };
    Setup { fixed, live }
}

/// Changes what an operator may in the middle of the day: seats come and go, trunks change order and size, lines their ways.
pub fn changed(rng: &mut Rng, mut setup: Live) -> Live {
    if rng.chance(500) {
        setup.trunks.reverse();
        setup.default_route = 0;
    }
    if rng.chance(200) {
        setup.trunks.retain(|trunk| &*trunk.name == "targets");
        setup.default_route = 0;
    }
    setup.trunks.iter_mut().for_each(|trunk| trunk.channels = 5 + rng.below(30) as u32);
    let staying = rng.below(setup.seats.len() as u64 + 1) as usize;
    setup.seats.truncate(staying.max(1));
    setup.seats.iter_mut().for_each(|seat| seat.channels = 1 + rng.below(5) as u32);
    let seats: Vec<Arc<str>> = setup.seats.iter().map(|seat| seat.name.clone()).collect();
    setup.queues.iter_mut().for_each(|line| line.seats.retain(|seat| seats.contains(seat)));
    if rng.chance(100) {
        setup.queues.clear();
    }
    setup
}

/// A trunk that may place no calls.
pub fn closed() -> Trunk {
    Trunk { channels: 0, reserved: 0, ..trunk("vandal", Vandal::trunk()) }
}
