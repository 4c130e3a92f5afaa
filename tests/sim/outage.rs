//! Both ticket systems away while 50 calls a second go on: they are left alone but for a probe, the journal grows as
//! documented, and afterwards every call's news arrive at the pace of who takes them, in order, none lost.
//!
//! Half a minute here; `AWAY=3600 cargo test --release --test sim away` is the hour.

use crate::records::{self, Later, Records};
use crate::tickets::Temper;
use hotline::base::RtpStats;
use hotline::base::{CallId, Mono, Now, Rng, Wall};
use hotline::event::{By, Entry, Offered, Party, Result as Outcome, What};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

const RATE: u64 = 50;
const TALK: Duration = Duration::from_secs(60);
/// How long a ticket system takes for a request, and how many it is asked at once.
const PACE: Duration = Duration::from_millis(20);
const AT_ONCE: u64 = 8;
/// As the README says.
const BYTES: u64 = 16_000;

struct Run {
    now: Now,
    rng: Rng,
    records: Records,
    events: BTreeMap<(Mono, u64), records::Event>,
    serial: u64,
    ticket: u64,
    calls: BTreeSet<CallId>,
    /// Entries that calls that go on will write.
    coming: VecDeque<(Mono, Entry)>,
}

impl Run {
    fn new() -> Run {
        let mut rng = Rng::from_number(1);
        let mut records = Records::ordinary(&mut rng);
        records.systems.iter_mut().for_each(|system| system.pace = Some(PACE));
        let now = Now { mono: Mono(1_000_000), wall: Wall(1_634_270_400_000_000) };
        let (events, calls, coming) = (BTreeMap::new(), BTreeSet::new(), VecDeque::new());
        let mut run = Run { now, rng, records, events, serial: 0, ticket: 0, calls, coming };
        let mut later = Later::new();
        run.records.start(&mut run.rng, run.now, &mut later).unwrap();
        run.put(later);
        run
    }

    fn put(&mut self, later: Later) {
        for (at, event) in later {
            self.serial += 1;
            self.events.insert((at, self.serial), event);
        }
    }

    fn both(&mut self, temper: Temper) {
        self.records.systems.iter_mut().for_each(|system| system.is(temper));
    }

    fn asked(&self) -> u64 {
        self.records.systems.iter().map(|system| system.asked).sum()
    }

    fn seconds(&mut self, seconds: u64) {
        for _ in 0..seconds * RATE {
            self.call();
            self.until(self.now.mono.after(Duration::from_secs(1) / RATE as u32));
        }
    }

    /// Writes what an ordinary call does, all at its start and all at its end.
    fn call(&mut self) {
        let call = CallId::new(self.now.wall, &mut self.rng);
        self.calls.insert(call);
        let end = self.now.after(TALK);
        for (seq, what) in (1..).zip(ordinary()) {
            let at = if seq <= 5 { self.now } else { end };
            let entry = Entry { call, seq, wall: at.wall, mono: at.mono, what };
            if seq <= 5 { self.append(entry) } else { self.coming.push_back((at.mono, entry)) }
        }
    }

    fn append(&mut self, entry: Entry) {
        self.ticket += 1;
        let mut later = Later::new();
        self.records.append(self.now, self.ticket, entry, &mut later);
        self.put(later);
    }

    fn until(&mut self, end: Mono) {
        loop {
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let entry = self.coming.front().map(|(at, _)| *at);
            let Some(at) = event.into_iter().chain(entry).min().filter(|at| *at <= end) else { break };
            self.now = self.now.after(at.since(self.now.mono));
            if entry.is_some_and(|entry| entry <= at) {
                let (_, entry) = self.coming.pop_front().unwrap();
                self.append(entry);
            } else {
                let (_, event) = self.events.pop_first().unwrap();
                let mut later = Later::new();
                self.records.handle(&mut self.rng, self.now, event, Mono(0), &mut later).unwrap();
                self.put(later);
            }
        }
        self.now = self.now.after(end.since(self.now.mono));
    }

    /// Runs until nothing is left to do.
    fn drain(&mut self) {
        while let Some(((at, _), _)) = self.events.first_key_value() {
            self.until(*at);
        }
    }
}

fn ordinary() -> [What; 9] {
    let seat = || Party::Seat { name: "desk".into(), queue: "12345".into() };
    let media = |leg| What::LegMedia { leg, codec: "PCMA".into(), srtp: None, stats: RtpStats::default() };
    let offered = Offered {
        sip_call_id: "4c1bd5c0-8d0e-11ec-a1f0-6b1f2a3c4d5e@203.0.113.7".into(),
        caller_raw: "<sip:+8613800138000@carrier.example;user=phone>".into(),
        unit: Some("州政府办公室".into()),
        plan_revision: "4f3a9c1e".into(),
        withheld: vec!["tourism".into()],
        ..Offered::default()
    };
    [
        What::Offered(Box::new(offered)),
        What::Queued { queue: "12345".into() },
        What::Ringing {
            leg: 1,
            choice: None,
            party: seat(),
            label: None,
            sip_call_id: Some("k3v8d0aq2mgp1@198.51.100.4".into()),
        },
        What::CallerAnswered,
        What::Joined { leg: 1, party: seat(), label: None, sip_call_id: Some("k3v8d0aq2mgp1@198.51.100.4".into()) },
        What::LegEnded { leg: 0, by: By::Caller, status: None, q850: Some(16) },
        media(0),
        media(1),
        What::Ended { result: Outcome::Answered, by: By::Caller, status: Some(200), q850: Some(16) },
    ]
}

#[test]
fn a_ticket_system_that_is_away_is_left_alone_and_gets_everything_afterwards() {
    let away = std::env::var("AWAY").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(30);
    let mut run = Run::new();
    run.seconds(20);
    run.both(Temper::Gone);
    let (asked, bytes, calls) = (run.asked(), run.records.bytes(), run.calls.len() as u64);
    run.seconds(away);
    let (asked, backlog) = (run.asked() - asked, run.calls.len() as u64 - calls);
    let each = (run.records.bytes() - bytes) / backlog;
    assert!(asked < 60 + away / 5, "{asked} requests to who is not there");
    assert!(each < BYTES, "{each} bytes a call");

    run.both(Temper::Well);
    let (asked, back) = (run.asked(), run.now.mono);
    // The calls that are in progress end, and nobody else calls.
    run.drain();
    let (asked, took) = (run.asked() - asked, run.now.mono.since(back));
    assert_eq!(run.records.complete(&run.calls).unwrap(), run.calls.len());
    println!("{away} s away: {backlog} calls waited, {each} bytes each; {asked} requests in {:.0} s", took.as_secs_f32());
    // The two are asked beside each other; 30 s until the next probe, and the talks under way.
    let pace = Duration::from_secs_f64(asked as f64 / 2.0 / AT_ONCE as f64 * (PACE + Duration::from_millis(30)).as_secs_f64());
    assert!(took < Duration::from_secs(30) + TALK + 2 * pace, "{took:?}, where the backend's pace allows {pace:?}");
}
