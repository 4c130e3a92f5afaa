use super::*;
use std::collections::BTreeSet;
use uuid::Uuid;

mod refused;

const HOUR: u64 = 3_600;

fn call(n: u64) -> CallId {
    CallId(Uuid::from_u128(u128::from(n)))
}

fn item(n: u64, sequence: u64, kind: Kind) -> Item {
    Item { call: call(n), sequence, kind, attempts: 0, failing_since: None }
}

fn record(n: u64) -> Item {
    item(n, 9, Kind::Record)
}

fn at(seconds: u64) -> Now {
    Now { mono: Mono(1_000_000), wall: Wall(1_600_000_000_000_000) }.after(Duration::from_secs(seconds))
}

fn delivery() -> Delivery {
    Delivery::new(Limits::default(), Rng::from_number(7))
}

fn step(delivery: &mut Delivery, now: Now, input: Input) -> Vec<Output> {
    let mut out = Vec::new();
    delivery.handle(now, input, &mut out);
    out
}

fn status(code: u16) -> Answer {
    Answer::Status { code, retry_after: None, said: String::new() }
}

/// The verdict that the first answer to a record brings it.
fn verdict(answer: Answer) -> Vec<Output> {
    let mut delivery = delivery();
    assert_eq!(step(&mut delivery, at(0), Input::Offer(vec![record(1)])), [Output::Send(record(1))]);
    step(&mut delivery, at(0), Input::Answer { call: call(1), answer, change: Change::None })
}

fn saved(outputs: &[Output]) -> &Verdict {
    match outputs {
        [.., Output::Save(settlement)] => &settlement.verdict,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_status_class_has_its_outcome() {
    for code in [200, 201, 202, 204, 299] {
        assert_eq!(saved(&verdict(status(code))), &Verdict::Done, "{code}");
    }
    for code in [100, 407, 408, 421, 423, 425, 429, 495, 499, 500, 502, 503, 504, 599, 600] {
        assert!(matches!(saved(&verdict(status(code))), Verdict::Retry { .. }), "{code}");
    }
    for code in [400, 402, 404, 405, 409, 410, 413, 415, 422, 451] {
        assert_eq!(saved(&verdict(status(code))), &Verdict::Dead { error: format!("HTTP {code}") });
    }
    for code in [301, 302, 307, 308, 401, 403] {
        let outputs = verdict(status(code));
        assert!(matches!(saved(&outputs), Verdict::Aside { at: when, .. } if *when >= at(300).wall), "{code}");
        assert_eq!(outputs.len(), 1, "one event alone is no alarm of the backend's");
    }
    assert!(matches!(saved(&verdict(Answer::Unreachable("refused".into()))), Verdict::Retry { error, .. } if error == "refused"));
    assert!(matches!(saved(&verdict(Answer::Unread("busy".into()))), Verdict::Retry { .. }));
    assert!(matches!(saved(&verdict(Answer::Missing)), Verdict::Dead { .. }));
}

#[test]
fn a_lane_sends_one_at_a_time_and_waits_for_the_disk() {
    let mut delivery = delivery();
    step(&mut delivery, at(0), Input::Offer(vec![record(1)]));
    let late = item(1, 12, Kind::Queued);
    assert_eq!(step(&mut delivery, at(0), Input::Offer(vec![late.clone()])), []);
    assert_eq!(step(&mut delivery, at(0), Input::Offer(vec![record(1)])), [], "offered again: known");
    let outputs = step(&mut delivery, at(1), Input::Answer { call: call(1), answer: status(200), change: Change::None });
    assert_eq!(
        outputs,
        [Output::Save(Settlement { call: call(1), sequence: 9, merged: vec![], verdict: Verdict::Done, change: Change::None })]
    );
    assert_eq!(step(&mut delivery, at(2), Input::Saved { call: call(1) }), [Output::Send(late)]);
}

#[test]
fn a_later_snapshot_replaces_what_waits_but_never_the_record() {
    let mut delivery = Delivery::new(Limits { in_flight: 1, ..Limits::default() }, Rng::from_number(1));
    step(&mut delivery, at(0), Input::Offer(vec![record(1)]));
    for (sequence, kind) in [(2, Kind::Offered), (4, Kind::Queued), (6, Kind::Answered), (9, Kind::Record), (12, Kind::Queued)] {
        assert_eq!(step(&mut delivery, at(0), Input::Offer(vec![item(2, sequence, kind)])), []);
    }
    step(&mut delivery, at(0), Input::Answer { call: call(1), answer: status(200), change: Change::None });
    assert_eq!(step(&mut delivery, at(0), Input::Saved { call: call(1) }), [Output::Send(item(2, 9, Kind::Record))]);
    let outputs = step(&mut delivery, at(0), Input::Answer { call: call(2), answer: status(201), change: Change::None });
    assert_eq!(
        outputs,
        [Output::Save(Settlement {
            call: call(2),
            sequence: 9,
            merged: vec![2, 4, 6],
            verdict: Verdict::Done,
            change: Change::None
        })]
    );
    assert_eq!(step(&mut delivery, at(0), Input::Saved { call: call(2) }), [Output::Send(item(2, 12, Kind::Queued))]);
}

#[test]
fn who_wants_each_event_gets_each() {
    let mut delivery = Delivery::new(Limits { merge: false, ..Limits::default() }, Rng::from_number(1));
    let kinds = [Kind::Offered, Kind::Queued, Kind::Answered, Kind::Record];
    let items: Vec<Item> = (1..).zip(kinds).map(|(sequence, kind)| item(2, sequence, kind)).collect();
    let mut outputs = step(&mut delivery, at(0), Input::Offer(items.clone()));
    for sent in items {
        let settled =
            Settlement { call: call(2), sequence: sent.sequence, merged: vec![], verdict: Verdict::Done, change: Change::None };
        assert_eq!(outputs, [Output::Send(sent)]);
        let answer = Input::Answer { call: call(2), answer: status(200), change: Change::None };
        assert_eq!(step(&mut delivery, at(0), answer), [Output::Save(settled)]);
        outputs = step(&mut delivery, at(0), Input::Saved { call: call(2) });
    }
    assert!(outputs.is_empty() && delivery.is_idle());
}

#[test]
fn the_wait_grows_is_jittered_and_ends_after_three_days() {
    let mut rng = Rng::from_number(3);
    for (attempts, limit) in [(0, 1), (1, 5), (2, 30), (3, 120), (4, 600), (5, 1_800), (6, 3_600), (50, 3_600)] {
        let waits: Vec<Duration> = (0..200).map(|_| jittered(attempts, &mut rng)).collect();
        let limit = Duration::from_secs(limit);
        assert!(waits.iter().all(|wait| *wait <= limit) && waits.iter().any(|wait| *wait > limit * 8 / 10), "{attempts}");
        assert!(waits.iter().any(|wait| *wait < limit * 2 / 10), "{attempts}");
    }
    let failing = |hours: u64| Item { attempts: 80, failing_since: Some(at(0).wall), ..record(hours) };
    let give_up = Limits::default().give_up;
    let verdict =
        |hours: u64| again(at(hours * HOUR).wall, &failing(hours), "HTTP 500".into(), Duration::ZERO, give_up, &mut rng.clone());
    assert!(matches!(verdict(71), Verdict::Retry { since, .. } if since == at(0).wall));
    assert_eq!(verdict(72), Verdict::Dead { error: "given up after 72 h: HTTP 500".into() });
}

fn busy(seconds: u64) -> Answer {
    Answer::Status { code: 429, retry_after: Some(Duration::from_secs(seconds)), said: String::new() }
}

fn answer(delivery: &mut Delivery, now: u64, n: u64, answer: Answer) -> Vec<Output> {
    step(delivery, at(now), Input::Answer { call: call(n), answer, change: Change::None })
}

#[test]
fn retry_after_is_honoured_by_the_backend_once_another_event_is_told_so() {
    let mut delivery = delivery();
    step(&mut delivery, at(0), Input::Offer(vec![record(1)]));
    let outputs = answer(&mut delivery, 0, 1, busy(90));
    assert!(matches!(saved(&outputs), Verdict::Retry { at: when, .. } if *when <= at(1).wall));
    assert_eq!(outputs.len(), 1, "patience asked for once is no alarm");
    step(&mut delivery, at(0), Input::Saved { call: call(1) });
    assert_eq!(step(&mut delivery, at(0), Input::Offer(vec![record(2)])), [Output::Send(record(2))], "the probe");
    let outputs = answer(&mut delivery, 0, 2, busy(90));
    assert_eq!(outputs[0], Output::Alarm(Alarm::Down("HTTP 429; it asks to be left alone for 90 s".into())));
    step(&mut delivery, at(0), Input::Saved { call: call(2) });
    let second = Item { attempts: 1, failing_since: Some(at(0).wall), ..record(1) };
    assert_eq!(step(&mut delivery, at(89), Input::Offer(vec![second.clone()])), []);
    assert_eq!(delivery.deadline(), Some(at(90).mono));
    let mut out = Vec::new();
    delivery.tick(at(90), &mut out);
    assert_eq!(out, [Output::Send(second)]);
    let again = answer(&mut delivery, 90, 1, busy(90));
    assert!(matches!(saved(&again), Verdict::Retry { at: when, .. } if *when >= at(180).wall), "and by the event");
}

#[test]
fn no_wait_that_is_asked_for_silences_a_backend() {
    for seconds in [301, 86_400, u64::MAX / 2_000_000] {
        let mut delivery = delivery();
        for n in 1..=40 {
            step(&mut delivery, at(0), Input::Offer(vec![record(n)]));
        }
        let (mut now, mut probes) = (0, 0);
        let mut sent: VecDeque<u64> = (1..=8).collect();
        while now < 2 * HOUR {
            while let Some(n) = sent.pop_front() {
                let outputs = answer(&mut delivery, now, n, busy(seconds));
                assert!(matches!(saved(&outputs), Verdict::Retry { at: when, .. } if *when <= at(now + 300).wall));
                step(&mut delivery, at(now), Input::Saved { call: call(n) });
            }
            let next = delivery.deadline().unwrap().since(at(0).mono).as_secs();
            assert!(next <= now + 301, "{next} after {now}");
            now = next.max(now + 1);
            let mut out = Vec::new();
            delivery.tick(at(now), &mut out);
            for output in &out {
                let Output::Send(item) = output else { continue };
                sent.push_back(u64::try_from(item.call.0.as_u128()).unwrap());
                probes += 1;
            }
        }
        assert!(probes >= 20, "{probes} in two hours");
    }
}

fn sent(outputs: &[Output]) -> Vec<u64> {
    let sent = outputs.iter().filter_map(|output| match output {
        Output::Send(item) => u64::try_from(item.call.0.as_u128()).ok(),
        _ => None,
    });
    sent.collect()
}

#[test]
fn a_failing_backend_is_probed_by_one_and_costs_the_others_nothing() {
    let mut delivery = delivery();
    let mut out = Vec::new();
    for n in 1..=20 {
        delivery.handle(at(0), Input::Offer(vec![record(n)]), &mut out);
    }
    assert_eq!(out.len(), 8, "the cap");
    let mut alarms = Vec::new();
    for n in 1..=8 {
        let outputs = step(&mut delivery, at(1), Input::Answer { call: call(n), answer: status(500), change: Change::None });
        alarms.extend(outputs.into_iter().filter(|output| matches!(output, Output::Alarm(_))));
        assert_eq!(step(&mut delivery, at(1), Input::Saved { call: call(n) }), [], "{n}");
        assert_eq!(delivery.deadline().is_some(), n == 8, "nothing to wake for while {} are under way", 8 - n);
    }
    assert_eq!(alarms, [Output::Alarm(Alarm::Down("HTTP 500".into()))]);
    assert!(delivery.deadline().unwrap() <= at(2).mono);
    let mut out = Vec::new();
    delivery.tick(at(2), &mut out);
    assert_eq!(out, [Output::Send(record(9))], "one probe");
    let up = step(&mut delivery, at(3), Input::Answer { call: call(9), answer: status(200), change: Change::None });
    assert_eq!(up[0], Output::Alarm(Alarm::Up));
    assert_eq!(up[2..], [Output::Send(record(10))], "one more than the probe");
    for n in 21..=80 {
        step(&mut delivery, at(3), Input::Offer(vec![record(n)]));
    }
    let (mut under_way, mut most) = (VecDeque::from([10, 11]), 0);
    assert_eq!(step(&mut delivery, at(3), Input::Saved { call: call(9) }), [Output::Send(record(11))]);
    while let Some(n) = under_way.pop_front() {
        let mut out = step(&mut delivery, at(4), Input::Answer { call: call(n), answer: status(200), change: Change::None });
        out.extend(step(&mut delivery, at(4), Input::Saved { call: call(n) }));
        let sent = out.iter().filter(|output| matches!(output, Output::Send(_))).count();
        (0..sent).for_each(|_| under_way.push_back(under_way.back().map_or(12, |last| last + 1)));
        most = most.max(under_way.len());
    }
    assert_eq!(most, 8, "everything flows again, up to the cap");
}

/// The journal's outbox, a backend with moods, and a process that dies, under one clock.
struct World {
    now: Now,
    rng: Rng,
    delivery: Delivery,
    pending: BTreeMap<(CallId, u64), Kind>,
    /// next_at, attempts, since
    lanes: BTreeMap<CallId, (Wall, u32, Option<Wall>)>,
    dead: BTreeSet<(CallId, u64)>,
    merged: BTreeSet<(CallId, u64)>,
    /// Requests and saves under way, by when they end.
    answers: BTreeMap<(Mono, u64), Work>,
    serial: u64,
    /// Every id that the backend accepted, in order of first acceptance.
    accepted: Vec<(CallId, u64)>,
    repeated: u32,
    in_flight: BTreeSet<CallId>,
}

enum Work {
    Answer(Item, Answer, bool),
    Save(Settlement),
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = Rng::from_number(seed);
        World {
            now: at(0),
            delivery: Delivery::new(Limits { lanes: 10, in_flight: 4, ..Limits::default() }, rng.fork()),
            rng,
            pending: BTreeMap::new(),
            lanes: BTreeMap::new(),
            dead: BTreeSet::new(),
            merged: BTreeSet::new(),
            answers: BTreeMap::new(),
            serial: 0,
            accepted: Vec::new(),
            repeated: 0,
            in_flight: BTreeSet::new(),
        }
    }

    fn post(&mut self, call: CallId, sequence: u64, kind: Kind) {
        self.pending.insert((call, sequence), kind);
        self.lanes.entry(call).or_insert((Wall(0), 0, None));
    }

    fn pull(&mut self) {
        let mut due: Vec<_> = self.lanes.iter().filter(|(_, lane)| lane.0 <= self.now.wall).map(|(c, l)| (l.0, *c, *l)).collect();
        due.sort();
        for (_, call, (_, attempts, failing_since)) in due.into_iter().take(10) {
            let items: Vec<_> = self.pending.range((call, 0)..=(call, u64::MAX)).map(|((_, s), k)| (*s, *k)).collect();
            let item = |(sequence, kind)| Item { call, sequence, kind, attempts, failing_since };
            self.input(Input::Offer(items.into_iter().map(item).collect()));
        }
    }

    fn input(&mut self, input: Input) {
        let mut out = Vec::new();
        self.delivery.handle(self.now, input, &mut out);
        self.carry_out(out);
    }

    fn carry_out(&mut self, out: Vec<Output>) {
        for output in out {
            self.serial += 1;
            let delay = Duration::from_millis(self.rng.below(3_000));
            let key = (self.now.mono.after(delay), self.serial);
            match output {
                Output::Send(item) => {
                    assert!(self.in_flight.insert(item.call), "two requests in one lane");
                    assert!(self.in_flight.len() <= 4, "over the cap");
                    assert!(self.pending.contains_key(&(item.call, item.sequence)), "sent again although settled");
                    let (answer, accepts) = self.mood(&item);
                    self.answers.insert(key, Work::Answer(item, answer, accepts));
                }
                Output::Save(settlement) => drop(self.answers.insert(key, Work::Save(settlement))),
                Output::Alarm(_) => {}
            }
        }
    }

    /// Down altogether in the second hour; otherwise moody. A time-out may hide that the request was accepted.
    fn mood(&mut self, item: &Item) -> (Answer, bool) {
        let seconds = self.now.mono.since(at(0).mono).as_secs();
        if (HOUR..2 * HOUR).contains(&seconds) {
            return (Answer::Unreachable("refused".into()), false);
        }
        match self.rng.below(20) {
            0 => (Answer::Unreachable("timed out".into()), true),
            1 => (Answer::Unreachable("reset".into()), false),
            2 => (Answer::Status { code: 429, retry_after: Some(Duration::from_secs(20)), said: String::new() }, false),
            3 => (status(503), self.rng.chance(500)),
            4 if item.kind != Kind::Record => (status(422), false),
            5 if seconds < HOUR => (status(401), false),
            _ => (status(200), true),
        }
    }

    fn finish(&mut self, work: Work) {
        match work {
            Work::Answer(item, answer, accepts) => {
                self.in_flight.remove(&item.call);
                match accepts {
                    true if self.accepted.contains(&(item.call, item.sequence)) => self.repeated += 1,
                    true => self.accepted.push((item.call, item.sequence)),
                    false => {}
                }
                self.input(Input::Answer { call: item.call, answer, change: Change::None });
            }
            Work::Save(settlement) => {
                let call = settlement.call;
                self.settle(settlement);
                self.input(Input::Saved { call });
            }
        }
    }

    fn settle(&mut self, settlement: Settlement) {
        let Settlement { call, sequence, merged, verdict, .. } = settlement;
        for sequence in merged {
            assert_ne!(self.pending.remove(&(call, sequence)), Some(Kind::Record), "the record was merged away");
            self.merged.insert((call, sequence));
        }
        match verdict {
            Verdict::Retry { at, since, .. } | Verdict::Aside { at, since, .. } => {
                let lane = self.lanes.get_mut(&call).unwrap();
                *lane = (at, lane.1 + 1, Some(since));
                return;
            }
            Verdict::Done => assert!(self.accepted.contains(&(call, sequence))),
            Verdict::Dead { .. } => drop(self.dead.insert((call, sequence))),
        }
        self.pending.remove(&(call, sequence));
        match self.pending.range((call, 0)..=(call, u64::MAX)).next() {
            Some(_) => drop(self.lanes.insert(call, (Wall(0), 0, None))),
            None => drop(self.lanes.remove(&call)),
        }
    }

    /// kill -9: requests under way may or may not have been accepted; nothing that was not saved is known.
    fn die(&mut self) {
        for work in std::mem::take(&mut self.answers).into_values() {
            if let Work::Answer(item, _, true) = work
                && !self.accepted.contains(&(item.call, item.sequence))
            {
                self.accepted.push((item.call, item.sequence));
            }
        }
        self.in_flight.clear();
        self.delivery = Delivery::new(Limits { lanes: 10, in_flight: 4, ..Limits::default() }, self.rng.fork());
    }

    /// To the next thing that happens, or a second on.
    fn advance(&mut self) {
        let second = self.now.mono.after(Duration::from_secs(1));
        let next = self.answers.keys().map(|(at, _)| *at).chain(self.delivery.deadline()).min().unwrap_or(second).min(second);
        self.now = self.now.after(next.since(self.now.mono));
        while let Some(entry) = self.answers.first_entry()
            && entry.key().0 <= self.now.mono
        {
            let work = entry.remove();
            self.finish(work);
        }
        let mut out = Vec::new();
        self.delivery.tick(self.now, &mut out);
        self.carry_out(out);
        self.pull();
    }
}

#[test]
fn whatever_the_backend_does_each_record_arrives_and_in_order() {
    for seed in 0..30 {
        let mut world = World::new(seed);
        let kinds =
            [(2, Kind::Offered), (4, Kind::Queued), (6, Kind::Answered), (8, Kind::Ended), (9, Kind::Record), (12, Kind::Queued)];
        let mut posted = Vec::new();
        for n in 0..40 {
            let mut when = n * 150;
            for (sequence, kind) in kinds {
                when += world.rng.below(60);
                posted.push((when, call(n + 1), sequence, kind));
            }
        }
        posted.sort_by_key(|(when, call, sequence, _)| (*when, *call, *sequence));
        let mut posted = posted.into_iter().peekable();
        let mut steps = 0;
        while posted.peek().is_some() || !world.lanes.is_empty() {
            let elapsed = world.now.mono.since(at(0).mono).as_secs();
            while let Some((_, call, sequence, kind)) = posted.next_if(|(when, ..)| *when <= elapsed) {
                world.post(call, sequence, kind);
            }
            world.advance();
            if world.rng.chance(2) {
                world.die();
            }
            steps += 1;
            assert!(steps < 200_000, "seed {seed}: {} pending", world.pending.len());
        }
        check(&world, seed);
    }
}

fn check(world: &World, seed: u64) {
    let mut last = BTreeMap::new();
    for (call, sequence) in &world.accepted {
        let before = last.insert(*call, *sequence).unwrap_or(0);
        assert!(before < *sequence, "seed {seed}: {call} {sequence} after {before}");
    }
    for n in 1..=40 {
        let record = (call(n), 9);
        assert_eq!(world.accepted.iter().filter(|id| **id == record).count(), 1, "seed {seed}, call {n}");
        assert!(!world.dead.contains(&record) && !world.merged.contains(&record));
    }
    assert!(world.delivery.is_idle());
}
