//! The part of a conversation that must survive.

use super::super::desk::{Desk, DeskSnapshot};
use super::super::dropped::Fresh;
use super::super::{Call, Stage};
use super::{Lease, Notice, Second, Talk, Transfer};
use crate::base::{Mono, Offset};
use crate::call::{Dialled, LegNo};
use crate::event::TransferKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A conversation at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TalkSnapshot {
    main: BTreeSet<LegNo>,
    aside: BTreeSet<LegNo>,
    holds: BTreeSet<LegNo>,
    transfer: Option<TransferSnapshot>,
    unproven: Option<(TransferSnapshot, Offset)>,
    lease: Option<Lease>,
    home: Option<Arc<str>>,
    fresh: Option<(LegNo, Offset, Option<u32>, Option<usize>)>,
    notice: Option<Notice>,
    second: Option<Second>,
    refused: Option<(LegNo, Offset)>,
    linger: Option<Offset>,
    desk: DeskSnapshot,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct TransferSnapshot {
    seq: u32,
    kind: TransferKind,
    by: LegNo,
    chain: Vec<Dialled>,
    index: usize,
    timeout: Duration,
    leg: LegNo,
    until: Option<Offset>,
    back: Option<Dialled>,
}

impl Transfer {
    fn snapshot(&self, now: Mono) -> TransferSnapshot {
        let Transfer { seq, kind, by, chain, index, timeout, leg, until, back } = self.clone();
        TransferSnapshot { seq, kind, by, chain, index, timeout, leg, until: until.map(|until| until.offset_from(now)), back }
    }

    fn restore(now: Mono, snapshot: TransferSnapshot) -> Transfer {
        let TransferSnapshot { seq, kind, by, chain, index, timeout, leg, until, back } = snapshot;
        Transfer { seq, kind, by, chain, index, timeout, leg, until: until.map(|until| now.at(until)), back }
    }
}

impl Talk {
    fn snapshot(&self, now: Mono) -> TalkSnapshot {
        let Talk { main, aside, holds, transfer, unproven, lease, home, fresh, notice, second, refused, linger, desk } =
            self.clone();
        TalkSnapshot {
            main,
            aside,
            holds,
            transfer: transfer.map(|transfer| transfer.snapshot(now)),
            unproven: unproven.map(|(transfer, until)| (transfer.snapshot(now), until.offset_from(now))),
            lease,
            home,
            fresh: fresh.map(|Fresh { leg, until, greeting, target }| (leg, until.offset_from(now), greeting, target)),
            notice,
            second,
            refused: refused.map(|(leg, at)| (leg, at.offset_from(now))),
            linger: linger.map(|until| until.offset_from(now)),
            desk: desk.snapshot(now),
        }
    }

    fn restore(now: Mono, snapshot: TalkSnapshot) -> Talk {
        let TalkSnapshot { main, aside, holds, transfer, unproven, lease, home, fresh, notice, second, refused, linger, desk } =
            snapshot;
        Talk {
            main,
            aside,
            holds,
            transfer: transfer.map(|transfer| Transfer::restore(now, transfer)),
            unproven: unproven.map(|(transfer, until)| (Transfer::restore(now, transfer), now.at(until))),
            lease,
            home,
            fresh: fresh.map(|(leg, until, greeting, target)| Fresh { leg, until: now.at(until), greeting, target }),
            notice,
            second,
            refused: refused.map(|(leg, at)| (leg, now.at(at))),
            linger: linger.map(|until| now.at(until)),
            desk: Desk::restore(now, desk),
        }
    }
}

impl Call {
    /// The conversation of this call; none while there is none.
    pub fn talk_snapshot(&self, now: Mono) -> Option<TalkSnapshot> {
        if let Stage::Talking(talk) = &self.stage { Some(talk.snapshot(now)) } else { None }
    }

    /// The call talks as it did then.
    pub fn restore_talk(&mut self, now: Mono, snapshot: TalkSnapshot) {
        self.stage = Stage::Talking(Box::new(Talk::restore(now, snapshot)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;
    use crate::call::tests::{Scene, goal, media, talking};
    use crate::call::{Input, LegEvent, Output, Request};
    use crate::dialog::EndedBy;
    use crate::sip::Direction;
    use proptest::prelude::*;

    /// One random input; the outputs that it had.
    fn step(scene: &mut Scene, rng: &mut Rng) -> Vec<Output> {
        scene.effects.clear();
        let leg = LegNo(rng.below(7));
        let kinds = [TransferKind::Consult, TransferKind::ThreeWay, TransferKind::Blind, TransferKind::Emergency];
        let kind = kinds[rng.below(4) as usize];
        let request = match rng.below(6) {
            0 | 1 => Request::Transfer { kind, goal: goal(&["12366", "12348"]) },
            2 => Request::Complete,
            3 => Request::Cancel,
            4 => Request::Swap,
            _ => Request::Merge,
        };
        match rng.below(10) {
            0..4 => drop(scene.request(LegNo(1), request)),
            4 | 5 => scene.answer(leg),
            6 if rng.chance(300) => scene.end(leg, EndedBy::Peer, Some(486)),
            7 => scene.leg(leg, LegEvent::Media(media([Direction::RecvOnly, Direction::SendRecv][rng.below(2) as usize]))),
            8 => scene.handle(Input::Silent { leg }),
            _ => scene.wait(Duration::from_millis(rng.below(8000))),
        }
        std::mem::take(&mut scene.effects)
    }

    proptest! {
        #[test]
        fn a_restored_conversation_goes_on_as_the_one_it_was(seed in any::<u64>(), before in 0..30, after in 1..40) {
            let (mut one, mut other) = (talking(), talking());
            let (mut same, mut again) = (Rng::from_number(seed), Rng::from_number(seed));
            for _ in 0..before {
                step(&mut one, &mut same);
                step(&mut other, &mut again);
            }
            if let Some(snapshot) = one.call.talk_snapshot(one.now.mono) {
                let text = serde_json::to_string(&snapshot).unwrap();
                other.call.restore_talk(other.now.mono, serde_json::from_str(&text).unwrap());
            }
            for _ in 0..after {
                prop_assert_eq!(step(&mut one, &mut same), step(&mut other, &mut again));
            }
        }
    }
}
