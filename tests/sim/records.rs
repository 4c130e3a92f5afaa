//! Where records live: the journal's tables on a disk that keeps what was synced, and what brings them to three ticket
//! systems, one of which gets a call for its subject only. It dies with its process: what had gathered is gone, what
//! was on its way to the disk is there or not.

use crate::deliverer::{Deliverer, Wish};
use crate::tickets::{SETTLE, Temper, TicketSystem};
use hotline::base::{CallId, Mono, Now, Rng, Wall};
use hotline::event::Entry;
use hotline::io::journal::Reader;
use hotline::io::journal::{Acceptance, Backend, Outbox, Store, Tagging};
use hotline::record::cloudevent::{CloudEvent, Kind};
use hotline::record::delivery::{Limits, Settlement};
use hotline::record::exchange::{Reply, Way};
use hotline::record::zone::Zone;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// As long as the journal's thread lets entries gather.
const GATHER: Duration = Duration::from_millis(20);
const BACKENDS: [&str; 3] = ["posts", "tickets", "tourism"];
pub const SUBJECT: &str = "旅游投诉";

pub struct Records {
    folder: TempDir,
    /// The create of a ticket fills it, or an update that follows does.
    fill: bool,
    /// Random ones where there are none.
    limits: Option<Limits>,
    process: Option<Process>,
    pub systems: [TicketSystem; 3],
    /// Calls of which somebody was told that the tourism system gets them.
    tagged: BTreeSet<CallId>,
}

/// All that is lost when the process dies.
struct Process {
    store: Store,
    reader: Reader,
    gathered: Group,
    syncing: Option<Group>,
    deliverers: Vec<Deliverer>,
    /// When each of them will wake.
    wakes: [Option<Mono>; 3],
}

/// A group goes to the disk together.
#[derive(Default)]
struct Group {
    /// The last ticket of all that is in it: entries, and what seats and facts have in the same order.
    ticket: Option<u64>,
    entries: Vec<Entry>,
    settled: Vec<(usize, Settlement)>,
    creating: Vec<(usize, CallId, Wall)>,
    tagged: Vec<Tagging>,
}

#[derive(Debug)]
pub enum Event {
    /// The journal's thread takes what has gathered.
    Sync,
    Synced,
    Wake(usize),
    Answer(usize, CallId, Reply),
    /// A ticket system ends a create that nobody waits for any more.
    Created(usize, Box<CloudEvent>),
    Temper(usize, Temper),
}

impl Event {
    /// It is none of the gateway's process.
    pub fn outlives(&self) -> bool {
        matches!(self, Event::Created(..) | Event::Temper(..))
    }
}

pub type Later = Vec<(Mono, Event)>;

impl Records {
    pub fn new(rng: &mut Rng) -> Records {
        let folder = tempfile::tempdir_in(memory_or_disk()).expect("a folder");
        let fill = rng.chance(500);
        let systems = [TicketSystem::default(), TicketSystem::new(fill), TicketSystem::default()];
        Records { folder, fill, limits: None, process: None, systems, tagged: BTreeSet::new() }
    }

    /// As it is configured where nothing is.
    pub fn ordinary(rng: &mut Rng) -> Records {
        Records { limits: Some(Limits::default()), ..Records::new(rng) }
    }

    /// The bytes that the journal takes on the disk.
    pub fn bytes(&self) -> u64 {
        let size = |name: &str| std::fs::metadata(self.folder.path().join(name)).map_or(0, |about| about.len());
        size("journal.db") + size("journal.db-wal")
    }

    /// Opens the journal and ends the calls that it shows open: how many.
    pub fn start(&mut self, rng: &mut Rng, now: Now, later: &mut Later) -> Result<usize, String> {
        let backend = |name| Backend { always: name != "tourism", ..Backend::of_all_calls(name, true) };
        let backends = BACKENDS.map(backend).to_vec();
        let outbox = Outbox { backends, feed: u64::MAX };
        let path = self.folder.path().join("journal.db");
        let mut store = Store::open(&path, None, outbox).map_err(|e| e.to_string())?;
        let interrupted = store.interrupt(now.wall).map_err(|e| e.to_string())?;
        let reader = Reader::open(&path, Zone::default()).map_err(|e| e.to_string())?;
        let ways = [Way::Post, Way::Ticket { settle: SETTLE, fill: self.fill }, Way::Post];
        let mut deliverers = Vec::new();
        for (name, way) in BACKENDS.into_iter().zip(ways) {
            let random = Limits { lanes: 4 + rng.below(20) as usize, in_flight: 1 + rng.below(8) as usize, ..Limits::default() };
            deliverers.push(Deliverer::new(name, way, self.limits.unwrap_or(random), rng.fork(), now.wall));
        }
        let (gathered, syncing, wakes) = (Group::default(), None, [None; 3]);
        self.process = Some(Process { store, reader, gathered, syncing, deliverers, wakes });
        self.process.iter_mut().for_each(|process| process.wake_all(now, later));
        Ok(interrupted.len())
    }

    /// A transaction that was under way is on the disk wholly or not at all.
    pub fn die(&mut self, rng: &mut Rng, now: Now) -> Result<(), String> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        match process.syncing.take() {
            Some(group) if rng.chance(500) => process.commit(&group, now.wall).map(drop),
            _ => Ok(()),
        }
    }

    pub fn append(&mut self, now: Now, ticket: u64, entry: Entry, later: &mut Later) {
        let Some(process) = &mut self.process else { return };
        process.gather(now, later, |group| {
            group.ticket = Some(ticket);
            group.entries.push(entry);
        });
    }

    /// Something that is no entry of a call comes to the disk in its turn, not before the entries that stand before it.
    pub fn pass(&mut self, now: Now, ticket: u64, later: &mut Later) {
        let Some(process) = &mut self.process else { return };
        process.gather(now, later, |group| group.ticket = Some(ticket));
    }

    /// A seat says what a call was about.
    pub fn tag(&mut self, now: Now, tagging: Tagging, later: &mut Later) {
        let Some(process) = &mut self.process else { return };
        process.gather(now, later, |group| group.tagged.push(tagging));
    }

    /// Counts the calls of which somebody was told that they go to the tourism system.
    pub fn tagged(&self) -> u64 {
        self.tagged.len() as u64
    }

    /// The ticket up to which entries are on disk, if this has made some so. No sync ends before `stalled`.
    pub fn handle(
        &mut self,
        rng: &mut Rng,
        now: Now,
        event: Event,
        stalled: Mono,
        later: &mut Later,
    ) -> Result<Option<u64>, String> {
        match event {
            Event::Created(backend, event) => self.systems[backend].create(&event).map(|()| None),
            Event::Temper(backend, temper) => {
                self.systems[backend].is(temper);
                Ok(None)
            }
            Event::Sync => {
                let Some(process) = &mut self.process else { return Ok(None) };
                process.syncing = Some(std::mem::take(&mut process.gathered));
                let at = now.mono.after(Duration::from_micros(500 + rng.below(5000)));
                later.push((at.max(stalled), Event::Synced));
                Ok(None)
            }
            Event::Synced => self.synced(rng, now, later),
            Event::Wake(backend) if self.process.as_ref().is_some_and(|it| it.wakes[backend] == Some(now.mono)) => {
                self.deliverer(rng, now, backend, later, |it, reader, wishes| it.wake(now, reader, wishes))
            }
            Event::Wake(_) => Ok(None),
            Event::Answer(backend, call, reply) => {
                self.deliverer(rng, now, backend, later, |it, reader, wishes| it.answered(now, reader, call, reply, wishes))
            }
        }
    }

    fn synced(&mut self, rng: &mut Rng, now: Now, later: &mut Later) -> Result<Option<u64>, String> {
        let Some(process) = &mut self.process else { return Ok(None) };
        let Some(group) = process.syncing.take() else { return Ok(None) };
        let (posted, taken) = process.commit(&group, now.wall)?;
        let told = group.tagged.iter().zip(taken).filter(|(_, taken)| matches!(taken, Acceptance::New(_) | Acceptance::Known(_)));
        self.tagged.extend(told.filter(|(tagging, _)| !tagging.backends.is_empty()).map(|(tagging, _)| tagging.call));
        if posted {
            process.wake_all(now, later);
        }
        if !process.gathered.is_empty() {
            later.push((now.mono.after(GATHER), Event::Sync));
        }
        for (backend, settlement) in group.settled {
            self.deliverer(rng, now, backend, later, |it, reader, wishes| it.saved(now, reader, settlement.call, wishes))?;
        }
        for (backend, call, _) in group.creating {
            self.deliverer(rng, now, backend, later, |it, reader, wishes| it.noted(now, reader, call, wishes))?;
        }
        Ok(group.ticket)
    }

    /// Lets a deliverer act, then look around, and carries out what it wants.
    fn deliverer(
        &mut self,
        rng: &mut Rng,
        now: Now,
        backend: usize,
        later: &mut Later,
        act: impl FnOnce(&mut Deliverer, &Reader, &mut Vec<Wish>),
    ) -> Result<Option<u64>, String> {
        let Some(process) = &mut self.process else { return Ok(None) };
        let (mut wishes, deliverer) = (Vec::new(), &mut process.deliverers[backend]);
        act(deliverer, &process.reader, &mut wishes);
        deliverer.look_around(now, &process.reader, &mut wishes)?;
        if let Some(at) = deliverer.deadline(now) {
            process.wake(backend, now, at.max(Mono(now.mono.0 + 1)), later);
        }
        for wish in wishes {
            match wish {
                Wish::Save(settlement) => process.gather(now, later, |group| group.settled.push((backend, settlement))),
                Wish::Note(call) => process.gather(now, later, |group| group.creating.push((backend, call, now.wall))),
                Wish::Ask(call, step, event) => {
                    let answer = self.systems[backend].ask(rng, now.mono, &step, &event)?;
                    later.push((answer.at, Event::Answer(backend, call, answer.reply)));
                    later.extend(answer.later.map(|at| (at, Event::Created(backend, event))));
                }
            }
        }
        Ok(None)
    }

    /// Each of these calls, and each that any ticket system has heard of, has its one final record in both, with what the
    /// journal holds of it. How many calls.
    pub fn complete(&self, covered: &BTreeSet<CallId>) -> Result<usize, String> {
        let Some(process) = &self.process else { return Err("the process is dead".to_owned()) };
        let on_disk: BTreeSet<CallId> = process.reader.calls(None, u32::MAX).map_err(|e| e.to_string())?.into_iter().collect();
        if let Some(lost) = covered.difference(&on_disk).next() {
            return Err(format!("call {lost} was answered or refused, and the journal does not know it"));
        }
        fed(&process.reader, &on_disk)?;
        crate::figures::equal(&process.reader, &on_disk)?;
        let tourism = self.tourism(&process.reader, &on_disk)?;
        for ((name, system), calls) in BACKENDS.iter().zip(&self.systems).zip([&on_disk, &on_disk, &tourism]) {
            if let Some(call) = system.calls().find(|call| !calls.contains(call)) {
                return Err(format!("{name} knows call {call}, and should not"));
            }
            for call in calls {
                let told = system.record(*call).map_err(|e| format!("{name}: {e}"))?;
                let known = process.reader.record(*call).map_err(|e| e.to_string())?.ok_or("no record")?;
                // Both may be told after the record.
                let (tickets, subjects) = (told.data.tickets.clone(), told.data.subjects.clone());
                let known = hotline::record::shape::Record { tickets, subjects, ..known };
                if told.data != known {
                    return Err(format!("{name} has {:?}\nthe journal has {known:?}", told.data));
                }
            }
        }
        Ok(on_disk.len())
    }

    /// The calls that were tagged for it; those among them that somebody was told of, and each with its subject there.
    fn tourism(&self, reader: &Reader, on_disk: &BTreeSet<CallId>) -> Result<BTreeSet<CallId>, String> {
        let mut tagged = BTreeSet::new();
        for call in on_disk {
            let record = reader.record(*call).map_err(|e| e.to_string())?;
            if record.is_some_and(|record| record.subjects.iter().any(|subject| subject == SUBJECT)) {
                tagged.insert(*call);
            }
        }
        if let Some(lost) = self.tagged.difference(&tagged).next() {
            return Err(format!("call {lost} was tagged, and the journal does not know it"));
        }
        let told = |call: &&CallId| self.systems[2].last(**call).is_some_and(|e| e.data.subjects.iter().any(|s| s == SUBJECT));
        match tagged.iter().find(|call| !told(call)) {
            Some(call) => Err(format!("call {call} was tagged, and the tourism system was not told so")),
            None => Ok(tagged),
        }
    }
}

/// The feed has no gap, each call's events in order, and its record once.
fn fed(reader: &Reader, calls: &BTreeSet<CallId>) -> Result<(), String> {
    let feed = reader.feed(0, u32::MAX).map_err(|e| e.to_string())?;
    let (mut last, mut records) = (BTreeMap::new(), BTreeSet::new());
    for (place, fed) in (1..).zip(feed) {
        let item = fed.item.filter(|_| fed.n == place).ok_or(format!("event {} of the feed stands at {place}", fed.n))?;
        if last.insert(item.call, item.sequence) >= Some(item.sequence) {
            return Err(format!("call {}: {} goes back in the feed", item.call, item.sequence));
        }
        if item.kind == Kind::Record && !records.insert(item.call) {
            return Err(format!("call {} has two records in the feed", item.call));
        }
    }
    if records == *calls { Ok(()) } else { Err("a call has no record in the feed".to_owned()) }
}

impl Process {
    fn wake_all(&mut self, now: Now, later: &mut Later) {
        (0..BACKENDS.len()).for_each(|backend| self.wake(backend, now, Mono(now.mono.0 + 1), later));
    }

    /// A later wake that was set before is no more.
    fn wake(&mut self, backend: usize, now: Now, at: Mono, later: &mut Later) {
        let wake = &mut self.wakes[backend];
        if wake.is_none_or(|before| before <= now.mono || before > at) {
            *wake = Some(at);
            later.push((at, Event::Wake(backend)));
        }
    }

    fn gather(&mut self, now: Now, later: &mut Later, put: impl FnOnce(&mut Group)) {
        if self.gathered.is_empty() && self.syncing.is_none() {
            later.push((now.mono.after(GATHER), Event::Sync));
        }
        put(&mut self.gathered);
    }

    /// Tells whether a backend has something new to get, and what became of what was tagged.
    fn commit(&mut self, group: &Group, now: Wall) -> Result<(bool, Vec<Acceptance>), String> {
        let mut taken = Vec::new();
        let write = self.store.transaction(|tx| {
            group.entries.iter().try_for_each(|entry| tx.append(entry))?;
            for (backend, settlement) in &group.settled {
                tx.settle(BACKENDS[*backend], settlement, now, now)?;
            }
            group.creating.iter().try_for_each(|(backend, call, at)| tx.creating(BACKENDS[*backend], *call, *at))?;
            taken = group.tagged.iter().map(|tagging| tx.tagged(tagging, now)).collect::<Result<_, _>>()?;
            Ok(())
        });
        write.map(|written| (written.posted, taken)).map_err(|e| e.to_string())
    }
}

impl Group {
    fn is_empty(&self) -> bool {
        self.ticket.is_none() && self.settled.is_empty() && self.creating.is_empty() && self.tagged.is_empty()
    }
}

/// The time that a real disk takes for a sync is no matter here.
fn memory_or_disk() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}
