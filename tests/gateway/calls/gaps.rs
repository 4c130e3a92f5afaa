//! Tests of what every party hears through every change of a moved call: exactly the right tones before, during and after, in
//! one RTP stream, with at most 40 ms between the old and the new. Measured on the samples that arrived.

use super::transfer::Scene;
use crate::support::gateway::Spec;
use crate::support::hearing::{Change, Hearing};
use crate::support::rtp::Ear;
use crate::support::tone::{Hum, frame};
use crate::support::wait_for;
use serde_json::{Value, json};
use std::time::Instant;

const CALLER: u32 = 800;
const SEAT: u32 = 1200;
const TARGET: u32 = 1700;
const MUSIC: u32 = 2300;
const ALL: [u32; 4] = [CALLER, SEAT, TARGET, MUSIC];

/// Milliseconds between old and new sound.
const MOST: u64 = 40;
/// Milliseconds that each state lasts once it is heard.
const STATE: u64 = 300;

/// The tones that each party is to hear from a moment on; none: nothing that is measured.
struct State {
    name: &'static str,
    since: Instant,
    hears: [Option<Vec<u32>>; 3],
}

/// A call whose states are noted as it goes.
struct Watched {
    scene: Scene,
    states: Vec<State>,
    hums: Vec<Hum>,
}

impl Watched {
    fn talking() -> Watched {
        let music = (0..50).flat_map(|n| frame(&[MUSIC], n).payload).collect();
        let scene = Scene::with(&Spec { music: Some(music), ..Spec::default() });
        let hums = vec![scene.caller.hum(&scene.answer, CALLER), scene.seat.hum(&scene.invite, SEAT)];
        let mut watched = Watched { scene, states: Vec::new(), hums };
        watched.state("talking", Some(&[SEAT]), Some(&[CALLER]), None, |_| ());
        watched
    }

    /// Something is done, and from then on this is heard by caller, seat and target.
    fn state(
        &mut self,
        name: &'static str,
        caller: Option<&[u32]>,
        seat: Option<&[u32]>,
        target: Option<&[u32]>,
        act: impl FnOnce(&mut Watched),
    ) {
        let hears = [caller, seat, target].map(|tones| tones.map(<[u32]>::to_vec));
        let since = Instant::now();
        self.states.push(State { name, since, hears });
        act(self);
        for (ear, tones) in self.ears().into_iter().zip(&self.states[self.states.len() - 1].hears) {
            let Some(tones) = tones else { continue };
            wait_for(&format!("{name}: {tones:?}"), || Hearing::of(ear, &ALL).settled(since, tones, STATE).then_some(()));
        }
    }

    fn ears(&self) -> [&Ear; 3] {
        [&self.scene.caller.ear, &self.scene.seat.ear, &self.scene.target.ear]
    }

    fn ask(&mut self, path: &str, body: Value) {
        let key = format!("{}{}", path, self.states.len());
        assert_eq!(self.scene.api("POST", path, body, &key).0, 202);
    }

    fn target_answers(&mut self) {
        let fetched = self.scene.target.ring();
        self.scene.target.answer();
        self.hums.push(self.scene.target.hum(&fetched, TARGET));
    }

    fn consult(&mut self) {
        self.state("consult, ringing", Some(&[MUSIC]), None, None, |w| {
            w.ask("/transfer", json!({ "to": "12366", "mode": "consult" }))
        });
        self.state("consulting", Some(&[MUSIC]), Some(&[TARGET]), Some(&[SEAT]), Watched::target_answers);
    }

    /// Judges every change at every ear.
    fn judge(&self) {
        let end = Instant::now();
        for (i, (who, ear)) in ["caller", "seat", "target"].into_iter().zip(self.ears()).enumerate() {
            let hearing = Hearing::of(ear, &ALL);
            for (n, pair) in self.states.windows(2).enumerate() {
                let until = self.states.get(n + 2).map_or(end, |state| state.since);
                let (Some(old), Some(new)) = (&pair[0].hears[i], &pair[1].hears[i]) else { continue };
                let change: Change = hearing
                    .change(pair[1].since, old, new, until)
                    .unwrap_or_else(|wrong| panic!("{who}, {} to {}: {wrong}", pair[0].name, pair[1].name));
                let late = self.hums.iter().map(|hum| hum.late(pair[1].since..until)).max().unwrap_or(0);
                println!("{:18} -> {:18} {who:6} {change} (a phone was {late:2} ms late)", pair[0].name, pair[1].name);
                let bound = MOST + late;
                assert!(change.gap <= bound && change.missing <= bound, "{who}: {change}; a phone was {late} ms late");
            }
            if !ear.packets().is_empty() {
                ear.assert_one_stream();
            }
        }
    }

    fn over(mut self) {
        self.judge();
        self.scene.caller.bye();
        assert_eq!(self.scene.gateway.record()["result"], "answered");
    }
}

#[test]
fn no_gap_through_consultation_swap_merge_and_drop() {
    let mut call = Watched::talking();
    call.consult();
    call.state("swapped", Some(&[SEAT]), Some(&[CALLER]), Some(&[MUSIC]), |w| w.ask("/transfer/swap", Value::Null));
    call.state("swapped back", Some(&[MUSIC]), Some(&[TARGET]), Some(&[SEAT]), |w| w.ask("/transfer/swap", Value::Null));
    let (caller, seat, target) = ([SEAT, TARGET], [CALLER, TARGET], [CALLER, SEAT]);
    call.state("three", Some(&caller), Some(&seat), Some(&target), |w| w.ask("/transfer/merge", Value::Null));
    call.state("seat left", Some(&[TARGET]), None, Some(&[CALLER]), |w| {
        assert_eq!(w.scene.api("DELETE", "/legs/1", Value::Null, "drop").0, 202);
        w.scene.seat.hung_up();
    });
    call.over();
}

#[test]
fn no_gap_when_a_consultation_is_completed() {
    let mut call = Watched::talking();
    call.consult();
    call.state("completed", Some(&[TARGET]), None, Some(&[CALLER]), |w| {
        w.ask("/transfer/complete", Value::Null);
        w.scene.seat.hung_up();
    });
    call.over();
}

#[test]
fn no_gap_when_a_consultation_is_cancelled() {
    let mut call = Watched::talking();
    call.consult();
    call.state("cancelled", Some(&[SEAT]), Some(&[CALLER]), None, |w| {
        w.ask("/transfer/cancel", Value::Null);
        w.scene.target.hung_up();
    });
    call.over();
}

#[test]
fn no_gap_when_a_third_comes_and_goes() {
    let mut call = Watched::talking();
    call.state("ringing a third", Some(&[SEAT]), Some(&[CALLER]), None, |w| {
        w.ask("/transfer", json!({ "to": "12366", "mode": "three-way" }));
    });
    let (caller, seat, target) = ([SEAT, TARGET], [CALLER, TARGET], [CALLER, SEAT]);
    call.state("three", Some(&caller), Some(&seat), Some(&target), Watched::target_answers);
    call.state("target left", Some(&[SEAT]), Some(&[CALLER]), None, |w| w.scene.target.bye());
    call.over();
}
