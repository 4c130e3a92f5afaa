//! Facts about seats that must survive. Channels and bindings come from the configuration, and every count follows from the uses.

use super::{Seat, Seats, Use};
use crate::base::{CallId, Mono, Now, Offset, Wall};
use crate::event::SeatFact;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// All seats at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeatsSnapshot {
    seats: Vec<SeatSnapshot>,
    uses: Vec<(CallId, Arc<str>, Use)>,
    serial: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SeatSnapshot {
    name: Arc<str>,
    rests_until: Option<Offset>,
    misses: u32,
    last_work: u64,
    shift: SeatFact,
}

impl Seats {
    pub fn snapshot(&self, now: Mono) -> SeatsSnapshot {
        let seats = self.all.iter().map(|(name, state)| SeatSnapshot {
            name: name.clone(),
            rests_until: state.rests_until.map(|until| until.offset_from(now)),
            misses: state.misses,
            last_work: state.last_work,
            shift: state.fact(apart(now), name),
        });
        let uses = self.uses.iter().map(|((call, seat), of)| (*call, seat.clone(), *of));
        SeatsSnapshot { seats: seats.collect(), uses: uses.collect(), serial: self.serial }
    }

    /// `configured`: the seats that the configuration has now.
    pub fn restore(now: Mono, configured: Vec<Seat>, snapshot: SeatsSnapshot) -> Seats {
        let mut seats = Seats { serial: snapshot.serial, ..Seats::default() };
        seats.configure(configured);
        for SeatSnapshot { name, rests_until, misses, last_work, shift } in snapshot.seats {
            let state = seats.all.entry(name.clone()).or_default();
            (state.misses, state.last_work) = (misses, last_work);
            state.rests_until = rests_until.map(|until| now.at(until));
            if misses > 0 {
                seats.missed.insert(name);
            }
            seats.remember(apart(now), shift);
        }
        for (call, seat, of) in snapshot.uses {
            seats.all.entry(seat.clone()).or_default().count(of);
            seats.uses.insert((call, seat), of);
        }
        seats
    }
}

/// Moments by their distance from this one.
fn apart(now: Mono) -> Now {
    Now { mono: now, wall: Wall(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;
    use crate::seat::tests::seat;
    use crate::seat::{Lease, Party};
    use proptest::prelude::*;
    use std::time::Duration;
    use uuid::Uuid;

    const NAMES: [&str; 4] = ["a", "b", "pbx", "gone"];

    fn configured() -> Vec<Seat> {
        [("a", 1), ("b", 1), ("pbx", 9)].map(|(name, channels)| seat(name, channels)).into()
    }

    /// One random input and all that can be seen afterwards; times count from `start`.
    fn step(seats: &mut Seats, rng: &mut Rng, start: Mono, now: Mono) -> String {
        let call = CallId(Uuid::from_u128(u128::from(rng.below(6))));
        let seat: Arc<str> = NAMES[rng.below(4) as usize].into();
        let mut changed = Vec::new();
        let said = match rng.below(8) {
            0 => {
                seats.take(call, &seat, [Lease::Ringing, Lease::Talking][rng.below(2) as usize]);
                None
            }
            1 => Some(seats.give_back(call, &seat)),
            2 | 3 => {
                let parties: Vec<Party> =
                    NAMES.iter().filter(|_| rng.chance(300)).map(|seat| Party { seat, placed: *seat == "b" }).collect();
                seats.parties(call, parties.iter().copied(), &mut changed);
                None
            }
            4 => Some(seats.miss(&seat)),
            5 => Some(seats.is_there(&seat)),
            6 => seats.rest(now, &seat, (Duration::from_secs(5), Duration::from_secs(60))).map(|_| true),
            _ => {
                seats.rested(&seat);
                seats.worked(&seat);
                None
            }
        };
        let all = seats.names().filter_map(|name| seats.get(name)).map(|state| {
            let rests = state.rests_until.map(|until| until.since(start));
            let counts = (state.channels, state.ringing, state.taken, state.placed);
            format!("{counts:?} {rests:?} {:?} {}", (state.misses, state.last_work), state.is_free())
        });
        let all: Vec<String> = all.collect();
        let may = seats.may_place(&seat, rng.chance(500));
        format!("{said:?} {changed:?} {all:?} {:?} {} {} {may}", seats.missed(), seats.taken(), seats.placed())
    }

    proptest! {
        #[test]
        fn restored_seats_go_on_as_those_they_were(seed in any::<u64>(), before in 0..80, after in 1..80, later in 0..1_000_000_u64) {
            let mut rng = Rng::from_number(seed);
            let mut seats = Seats::default();
            seats.configure(configured());
            let (start, mut now) = (Mono(10_000_000), Mono(10_000_000));
            for _ in 0..before {
                now = now.after(Duration::from_millis(rng.below(5000)));
                step(&mut seats, &mut rng, start, now);
            }
            let text = serde_json::to_string(&seats.snapshot(now)).unwrap();
            let shift = Duration::from_micros(later);
            let mut restored = Seats::restore(now.after(shift), configured(), serde_json::from_str(&text).unwrap());
            let (mut same, mut again) = (Rng::from_number(seed ^ 1), Rng::from_number(seed ^ 1));
            for _ in 0..after {
                now = now.after(Duration::from_millis(same.below(5000)));
                again.below(5000);
                let seen = step(&mut restored, &mut again, start.after(shift), now.after(shift));
                prop_assert_eq!(step(&mut seats, &mut same, start, now), seen);
            }
        }
    }
}
