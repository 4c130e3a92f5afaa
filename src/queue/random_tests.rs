//! Random inputs against a model that knows the outputs alone.

use super::tests::{Bench, REST_MAX, RING, call, queue, rings, seat};
use super::*;
use crate::base::Rng;
use crate::seat::{Party, Seat};
use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::time::Duration;

/// An observer of the outputs alone knows this.
#[derive(Default)]
struct Model {
    rings: BTreeSet<(CallId, Arc<str>)>,
    talks: BTreeSet<(CallId, Arc<str>)>,
    waiting: BTreeMap<CallId, (Priority, u64)>,
    /// Seats in calls that no queue has brought them.
    elsewhere: BTreeSet<(CallId, Arc<str>)>,
    joined: u64,
}

impl Model {
    fn taken(&self, seat: &str) -> usize {
        let at = |set: &BTreeSet<(CallId, Arc<str>)>| set.iter().filter(|(_, s)| &**s == seat).count();
        at(&self.rings) + at(&self.talks) + at(&self.elsewhere)
    }

    fn watch(&mut self, out: &[Output]) {
        for output in out {
            match output {
                Output::Ring { call, seat, .. } => {
                    assert!(self.waiting.contains_key(call), "{call} rings but does not wait");
                    assert!(self.rings.insert((*call, seat.clone())), "{call} rings {seat} twice");
                    let channels = CHANNELS.iter().find(|(name, _)| *name == &**seat).unwrap().1;
                    assert!(self.taken(seat) <= channels as usize, "{seat} is rung, and busy");
                }
                Output::Stop { call, seat, .. } => {
                    assert!(self.rings.remove(&(*call, seat.clone())), "{call} does not ring {seat}");
                }
                Output::Full { call } | Output::TimedOut { call } | Output::NoSeat { call } => {
                    assert!(self.waiting.remove(call).is_some(), "{call} does not wait");
                }
            }
        }
    }
}

fn pick<T: Clone>(rng: &mut Rng, from: &BTreeSet<T>) -> Option<T> {
    from.iter().nth(rng.below(from.len() as u64) as usize).cloned()
}

/// An input that may happen, or one that comes too late.
fn random_input(rng: &mut Rng, m: &mut Model) -> Input {
    let any = call(rng.below(60));
    let any_seat: Arc<str> = ["p1", "p2", "p3", "pbx"][rng.below(4) as usize].into();
    let ringing = pick(rng, &m.rings).unwrap_or((any, any_seat.clone()));
    match rng.below(10) {
        0..=3 => {
            let queue: Arc<str> = ["one", "all"][rng.below(2) as usize].into();
            let priority = if rng.chance(300) { Priority::HIGH } else { Priority::NORMAL };
            if m.waiting.contains_key(&any) {
                return Input::Leave { call: any };
            }
            m.joined += 1;
            m.waiting.insert(any, (priority, m.joined));
            let (source, hotline) = ("carrier".into(), "12345".into());
            Input::Join(Join { call: any, queue, priority, head: false, source, hotline, caller: None })
        }
        4 => Input::Leave { call: any },
        5..=6 => Input::Answered { call: ringing.0, seat: ringing.1 },
        7 => {
            let failure =
                [MissCause::Rejected, MissCause::NoAnswer, MissCause::Unreachable, MissCause::Ours][rng.below(4) as usize];
            Input::Refused { call: ringing.0, seat: ringing.1, failure }
        }
        8 => Input::Answered { call: any, seat: any_seat },
        _ => {
            let (call, seat) = pick(rng, &m.talks).unwrap_or((any, any_seat));
            Input::Freed { call, seat }
        }
    }
}

/// Tells the model what the input itself says.
fn foresee(m: &mut Model, input: &Input) {
    match input {
        Input::Leave { call } => _ = m.waiting.remove(call),
        Input::Answered { call, seat } if m.rings.remove(&(*call, seat.clone())) => {
            m.talks.insert((*call, seat.clone()));
            m.waiting.remove(call);
        }
        Input::Refused { call, seat, .. } => _ = m.rings.remove(&(*call, seat.clone())),
        Input::Freed { call, seat } => _ = m.talks.remove(&(*call, seat.clone())),
        _ => {}
    }
}

/// A seat comes to a call by a transfer, by a pick-up or of its own will, or leaves it.
fn elsewhere(rng: &mut Rng, b: &mut Bench, m: &mut Model) -> Vec<Output> {
    let (of, seat) = (call(100 + rng.below(5)), CHANNELS[rng.below(4) as usize].0);
    let comes = rng.chance(500);
    m.elsewhere.retain(|(call, _)| *call != of);
    if comes {
        m.elsewhere.insert((of, seat.into()));
    }
    let parties = [Party { seat, placed: rng.chance(500) }];
    let mut out = Vec::new();
    b.queues.parties(b.now, of, parties.into_iter().filter(|_| comes), &mut out);
    out
}

const CHANNELS: [(&str, u32); 4] = [("p1", 1), ("p2", 1), ("p3", 1), ("pbx", 3)];

fn run(seed: u64) -> Vec<Output> {
    let rng = &mut Rng::from_number(seed);
    let seats: Vec<Seat> = CHANNELS.iter().map(|(n, c)| seat(n, *c)).collect();
    let one = queue("one", &["p1", "p2", "pbx"], Strategy::LongestIdle);
    let all = queue("all", &["p2", "p3", "pbx"], Strategy::RingAll);
    let queues = vec![Queue { max_length: 10, ..one }, Queue { max_length: 10, ..all }];
    let mut b = Bench::new(seats.clone(), queues.clone());
    let mut m = Model::default();
    let mut log = Vec::new();
    for _ in 0..400 {
        let input = random_input(rng, &mut m);
        foresee(&mut m, &input);
        let mut out = b.give(input);
        m.watch(&out);
        log.append(&mut out);
        if rng.chance(300) {
            out = elsewhere(rng, &mut b, &mut m);
        }
        if rng.chance(300) {
            b.now = b.now.after(rng.between(Duration::ZERO, RING));
            b.queues.tick(b.now, &mut out);
        }
        if rng.chance(20) {
            b.queues.reload(b.now, seats.clone(), queues.clone(), &mut out);
        }
        m.watch(&out);
        assert_eq!(b.queues.gauges(), (m.waiting.len(), m.rings.len() + m.talks.len() + m.elsewhere.len()));
        assert_eq!(b.queues.stranded(b.now), None, "seed {seed}");
        assert_eq!(b.queues.miscount(), None, "seed {seed}");
        log.append(&mut out);
    }
    for n in 0..60 {
        m.waiting.remove(&call(n));
        m.watch_end(b.leave(n));
    }
    for (c, s) in m.talks.clone() {
        b.give(Input::Freed { call: c, seat: s });
    }
    for (of, _) in std::mem::take(&mut m.elsewhere) {
        b.queues.parties(b.now, of, iter::empty(), &mut Vec::new());
    }
    assert_eq!(b.queues.gauges(), (0, 0));
    b.pass(RING + REST_MAX);
    assert_eq!(b.queues.deadline(), None);
    log
}

impl Model {
    fn watch_end(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Ring { call, seat, .. } => _ = self.rings.insert((call, seat)),
                Output::Stop { call, seat, .. } => assert!(self.rings.remove(&(call, seat))),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn whatever_happens_no_channel_is_overbooked_or_lost_and_runs_repeat() {
    for seed in 0..100 {
        let log = run(seed);
        assert_eq!(log, run(seed), "seed {seed}");
        assert!(log.iter().any(|o| matches!(o, Output::Ring { .. })));
    }
}

#[test]
fn within_a_priority_nobody_overtakes() {
    for seed in 0..100 {
        let rng = &mut Rng::from_number(seed);
        let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
        b.join(1000);
        b.answered(1000, "a");
        let mut expected: Vec<(Priority, u64)> = Vec::new();
        for n in 0..40 {
            let priority = if rng.chance(300) { Priority::HIGH } else { Priority::NORMAL };
            b.pass(rng.between(Duration::ZERO, Duration::from_secs(2)));
            b.join_as(n, "12345", priority, false);
            expected.push((priority, n));
        }
        expected.sort();
        let mut out = b.freed(1000, "a");
        for (_, n) in expected {
            assert_eq!(out, [rings(n, "a")], "seed {seed}");
            b.answered(n, "a");
            out = b.freed(n, "a");
        }
    }
}
