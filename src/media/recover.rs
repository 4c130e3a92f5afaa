//! A panic costs one call. Whoever drives the shard catches it and comes here.

use super::{Hears, Shard};
use crate::base::{LegId, Mono, Now, RtpStats};
use crate::media::Event;
use crate::media::out::Out;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl Shard {
    /// The last call of this shard has panicked: gives up the leg that was worked on, without running its code again, and
    /// makes whole what was half done for the others. None: it was no leg's.
    pub fn recover(&mut self, now: Now, out: &mut Out) -> Option<LegId> {
        let (lost, opening) = (self.at_work.take(), self.opening.take());
        let open = lost.is_some_and(|id| self.legs.contains_key(&id));
        if let Some(id) = lost {
            self.remove(id, |leg| catch_unwind(AssertUnwindSafe(|| leg.stats())).unwrap_or_default(), out);
        }
        if let Some((leg, rtp)) = opening.filter(|_| !open) {
            out.event(Event::Closed { leg, rtp, stats: RtpStats::default() });
        }
        self.mend(now.mono);
        lost
    }

    /// A leg that cannot go on for want of what is beyond the shard: a socket.
    pub fn give_up(&mut self, now: Now, leg: LegId, out: &mut Out) {
        self.at_work = Some(leg);
        self.recover(now, out);
    }

    /// Works out anew who is heard by whom, and whose frames are due: no leg loses a slot that it has.
    fn mend(&mut self, now: Mono) {
        let hears: Vec<(LegId, Hears)> = self.legs.values().map(|leg| (leg.id, leg.playing.hears())).collect();
        for leg in self.legs.values_mut() {
            leg.relays.clear();
            leg.mixers.clear();
        }
        hears.iter().for_each(|(id, hears)| self.listen(*id, &Hears::Nobody, hears));
        let turning: BTreeSet<LegId> = self.wheel.streams().collect();
        for leg in self.legs.values_mut() {
            leg.on_wheel = turning.contains(&leg.id);
            leg.voice.take_if(|_| leg.mixers.is_empty());
        }
        hears.iter().for_each(|(id, _)| self.turn(now, *id));
    }
}
