//! The switch: all signalling, calls and queues in one state, driven by one thread. Inputs in, outputs out. Every input runs to its end
//! before the next: it makes work, work makes more work, and what leaves the house is pushed to `out` in order.

mod access;
mod accounts;
mod admit;
mod audit;
mod budget;
mod by_account;
mod carriers;
mod causes;
mod channels;
mod circle;
mod command;
mod dialled;
mod doing;
mod durable;
mod effect;
mod entry;
mod gauge;
mod health;
mod identity;
mod inlet;
mod joining;
mod keys;
mod leg;
mod lists;
mod message;
mod outages;
mod outbound;
mod proof;
mod recording;
mod recover;
mod refused;
mod registrar;
mod reload;
mod remote;
mod resolve;
mod route;
mod seat_calls;
mod seat_log;
mod seats;
mod setup;
mod shift;
mod srtp;
mod stopwatch;
mod supervise;
mod traced;

pub use gauge::{Counters, Gauges};
pub use outages::Rests;
pub use proof::Unproven;
pub use recording::{Recording, RecordingRules};
pub use refused::Refusals;
pub use remote::Remote;
pub use setup::*;
pub use srtp::Srtp;
pub use stopwatch::Timed;

use crate::base::{CallId, Flow, Hop, LegId, Map, Mono, Now, RateLimit, Rng, Target, Timers};
use crate::call::{self, Call, LegEvent, LegNo};
use crate::control;
use crate::dialog::{self, Legs};
use crate::event::{Entry, Keep, Kept, SeatEntry};
use crate::media::{self, Ports};
use crate::queue::{self, Queues};
use crate::record::timing::Timing;
use crate::sip::{Reach, Status};
use crate::ua::{Ua, registrar::Registrar};
use budget::Budget;
use bytes::Bytes;
use carriers::Carriers;
use channels::{Channels, Pace};
use identity::Identity;
use keys::KeySource;
use leg::Leg;
use lists::Lists;
use outages::Outages;
use reload::Former;
use resolve::Resolving;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use stopwatch::Stopwatch;
use traced::Tracing;

/// An input is something that the outside tells the switch.
#[derive(Debug)]
pub enum Input {
    /// One datagram, or one message that the edge framed from a stream.
    Sip {
        flow: Flow,
        data: Bytes,
    },
    /// A connection closed.
    FlowFailed {
        flow: Flow,
    },
    /// The peer will say nothing more by this connection, but takes what it is still owed.
    PeerEnded {
        flow: Flow,
    },
    /// A message could not be sent.
    Unsent {
        flow: Flow,
        data: Bytes,
        /// No datagram holds it.
        too_long: bool,
    },
    Media {
        shard: u16,
        event: media::Event,
    },
    /// Everything with a ticket up to this one is on disk: entries of calls and of seats, and what is kept.
    Journaled {
        ticket: u64,
    },
    /// The journal cannot write (true) or can again (false).
    JournalDown(bool),
    /// Recordings cannot be written (true) or can again (false).
    RecorderDown(bool),
    /// The hops of a target in order, for [`Output::Resolve`] with the same number; none where its name has no address.
    Resolved {
        id: u64,
        hops: Vec<Hop>,
    },
    /// Answered by [`Output::Reply`] with the same number.
    Command {
        id: u64,
        command: control::Command,
    },
    /// The process is about to end: no new calls from now on, whatever is asked later; live ones finish.
    End,
    /// Every call ends now, by our BYE: the process is about to.
    HangUp,
    /// New calls meet this setup.
    Reload(Box<Live>),
}

/// Outputs are what the switch wants done, in this order.
#[derive(Debug)]
pub enum Output {
    Sip {
        flow: Flow,
        data: Bytes,
    },
    Media {
        shard: u16,
        command: media::Command,
    },
    /// Make this durable, then say `Journaled` with its ticket (tickets count up by one).
    Journal {
        ticket: u64,
        entry: Entry,
    },
    /// One line of the log of seats. With a ticket it is made durable, and `Journaled` says so; without one it is only told to
    /// those who follow.
    Seat {
        ticket: Option<u64>,
        entry: SeatEntry,
    },
    /// Make this durable, then say `Journaled` with its ticket.
    Keep {
        ticket: u64,
        keep: Keep,
    },
    Recording(Recording),
    Reply {
        id: u64,
        reply: control::Reply,
    },
    /// Answered by [`Input::Resolved`] with the same number, soon or never. `trunk`: the one whose DNS servers know the name.
    Resolve {
        id: u64,
        trunk: Option<Arc<str>>,
        target: Target,
    },
    /// A duration that people set alarms on has ended.
    Timed(Timed),
}

pub struct Switch {
    fixed: Fixed,
    setup: Arc<Live>,
    access: access::Access,
    former: Former,
    strangers: RateLimit,
    notices: refused::Notices,
    peers: Budget,
    ua: Ua,
    legs: Legs,
    queues: Queues,
    lists: Lists,
    previews: outbound::Previews,
    ports: Ports,
    calls: Map<CallId, Active>,
    leg_calls: Map<LegId, (CallId, LegNo)>,
    timers: Timers<CallId>,
    channels: Channels,
    /// Calls in progress, by who placed them.
    carried: Channels,
    pace: Pace,
    next_shard: u16,
    journal: durable::Journal,
    /// The number of the last line of the log of seats.
    seat_n: u64,
    draining: bool,
    /// It will take none again.
    ending: bool,
    rng: Rng,
    work: VecDeque<Work>,
    /// News of legs and queues that nobody has heard yet.
    legs_done: Vec<dialog::Event>,
    queues_done: Vec<queue::Output>,
    /// The call that is worked on.
    at_work: Option<CallId>,
    /// The leg that has come in and may not be in a call yet.
    arriving: Option<LegId>,
    counters: Counters,
    tracing: Tracing,
    outages: Outages,
    health: health::Health,
    /// When seats behind trunks are looked at again.
    remote_due: Option<Mono>,
    homes: registrar::Homes,
    carriers: Carriers,
    resolving: Resolving,
    /// Calls in which two seats talk without a caller.
    lingering: BTreeSet<CallId>,
    /// Calls that seats have placed by their toolbars and that are not over.
    placed: BTreeSet<CallId>,
    recorder: recording::Recorder,
}

/// A live call and what the switch must know to serve it.
struct Active {
    call: Call,
    /// The configuration that the call began with: a reload does not change it under way.
    setup: Arc<Live>,
    identity: Identity,
    legs: BTreeMap<LegNo, Leg>,
    shard: u16,
    seq: u32,
    last_ticket: u64,
    /// All that was written of it, as the record counts it.
    timing: Timing,
    stopwatch: Stopwatch,
    /// When it came.
    since: Mono,
    /// It may take the channels that trunks reserve.
    emergency: bool,
    /// The move that its journal shows open, and the one that its seat was told of last.
    open_move: Option<u32>,
    last_move: Option<Box<seat_log::Move>>,
    /// Its record is closed, and this is still to be done.
    over: Option<entry::Owed>,
    /// The one who has ended it, once its end is decided.
    ended_by: Option<crate::seat::Doer>,
    /// Its caller has talked to somebody.
    talked: bool,
    missed: lists::OfCaller,
    message: message::OfCaller,
    recording: recording::OfCall,
    /// A seat has placed it by its toolbar.
    outbound: Option<Box<outbound::Placing>>,
    /// Call data that goes along with every move, in the order in which it was set.
    data: Vec<(String, String)>,
    /// The first entry is durable, or the journal is down: finals may go out.
    released: bool,
    /// The REFER that waits to hear how its move came out.
    referred: Option<command::Referred>,
    /// Keys of seats that may become a feature code.
    typed: BTreeMap<LegNo, call::feature_codes::KeyBuffer>,
    seats_of: seats::SeatsOf,
    /// Counts those who talked to each other when their seats were told of it last.
    talkers: usize,
}

enum Work {
    Leg(dialog::Event),
    Call(CallId, call::Input),
    Effect(CallId, call::Output),
    Queue(queue::Output),
    /// The call's record is closed, and a panic has kept back what follows.
    Owed(CallId),
}

impl Switch {
    /// `kept`: all that the one before it has had kept.
    pub fn new(setup: Setup, kept: Kept, mut rng: Rng, now: Now, out: &mut Vec<Output>) -> Switch {
        let seed = rng.map_seed();
        let Setup { fixed, live: setup } = setup;
        let media = &fixed.media;
        let legs = dialog::Config { reach: Reach::from(&media.addresses), ..fixed.legs.clone() };
        let mut switch = Switch {
            access: access::Access::to(&setup),
            former: Former::default(),
            strangers: RateLimit::new(setup.strangers, seed),
            notices: refused::Notices::default(),
            ua: Ua::new(fixed.ua.clone(), rng.fork(), seed),
            legs: Legs::new(legs, seed),
            queues: Queues::new(route::seats(&setup, (None, None), now.wall), setup.queues.clone()),
            lists: Lists::new(&setup),
            previews: outbound::Previews::default(),
            ports: fixed.ports(&mut rng),
            calls: Map::with_hasher(seed),
            leg_calls: Map::with_hasher(seed),
            timers: Timers::default(),
            channels: Channels::default(),
            carried: Channels::default(),
            pace: Pace::default(),
            peers: Budget::new(setup.peers, seed),
            next_shard: 0,
            journal: durable::Journal::default(),
            seat_n: seat_log::first(&kept, now),
            draining: false,
            ending: false,
            work: VecDeque::new(),
            legs_done: Vec::new(),
            queues_done: Vec::new(),
            at_work: None,
            arriving: None,
            counters: Counters::default(),
            tracing: Tracing::new(seed),
            outages: Outages::default(),
            health: health::Health::default(),
            remote_due: None,
            homes: registrar::Homes::default(),
            carriers: Carriers::new(rng.fork(), fixed.legs.hop_timeout),
            resolving: Resolving::new(seed),
            lingering: BTreeSet::new(),
            placed: BTreeSet::new(),
            recorder: recording::Recorder::default(),
            setup: Arc::new(setup),
            fixed,
            rng,
        };
        switch.ua.meet(admit::peers(&switch.setup));
        *switch.ua.registrar() = registrar::registrar(&switch.setup.registrar, &mut switch.rng);
        switch.remember(now, kept);
        switch.configure_accounts(now, out);
        switch.watch_trunks(now);
        switch.look_at_remote_soon(now);
        let seats = route::seats(&switch.setup, (switch.ua.registered(), Some(&switch.carriers)), now.wall);
        switch.queues.reload(now, seats, switch.setup.queues.clone(), &mut switch.queues_done);
        switch.callbacks_begin(now, out);
        for shard in 0..switch.fixed.media.shards {
            switch.refill(now, shard, out);
        }
        switch
    }

    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        self.at_work = None;
        self.queues.seats_mut().is_done_by(doing::asked(&input));
        self.tracing.begin(Some(&input), out);
        match input {
            Input::Sip { flow, data } => self.datagram(now, flow, data, out),
            Input::FlowFailed { flow } => {
                self.ua.flow_failed(now, flow);
                self.accounts_lose_flow(now, flow, out);
                self.flow_is_gone(now, flow, out);
            }
            Input::PeerEnded { flow } => self.ua.peer_ended(flow),
            Input::Unsent { flow, data, too_long } => {
                self.counters.unsent += 1;
                self.ua.unsent(flow, &data, too_long);
            }
            Input::Media { shard, event } => self.media_event(now, shard, event, out),
            Input::Journaled { ticket } => self.journaled(now, ticket, out),
            Input::JournalDown(down) => self.journal_changed(now, down, out),
            Input::RecorderDown(down) => self.recorder.down = down,
            Input::Resolved { id, hops } if self.carriers.finds(LegId(id)) => self.account_reached(now, LegId(id), &hops, out),
            Input::Resolved { id, hops } => self.resolved(now, LegId(id), &hops, out),
            Input::Command { id, command } => self.commanded(now, id, command, out),
            Input::End => (self.draining, self.ending) = (true, true),
            Input::HangUp => self.hang_up(now),
            Input::Reload(setup) => self.reload(now, *setup, out),
        }
        self.serve(now, out);
        self.run(now, out);
        self.accounts_follow_drain(now, out);
        self.write_seats(now, out);
        self.trace(out);
    }

    pub fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        self.at_work = None;
        self.queues.seats_mut().is_done_by(crate::seat::Doer::default());
        self.tracing.begin(None, out);
        self.legs.tick(&mut self.ua, now, &mut self.legs_done);
        self.ua.tick(now);
        self.accounts_tick(now, out);
        self.serve(now, out);
        self.queues.tick(now, &mut self.queues_done);
        self.work.extend(self.queues_done.drain(..).map(Work::Queue));
        self.resolving_is_over(now, out);
        self.registrations_end(now, out);
        self.look_at_remote(now);
        self.ask_trunks(now, out);
        while let Some(id) = self.timers.pop(now.mono) {
            self.with_call(now, id, |call, done| call.tick(now, done));
        }
        for shard in 0..self.fixed.media.shards {
            self.refill(now, shard, out);
        }
        self.former.prune(now.mono);
        self.previews_end(now, out);
        self.release_overdue(now, out);
        self.pauses_end(now, out);
        self.run(now, out);
        self.accounts_follow_drain(now, out);
        self.write_seats(now, out);
        self.trace(out);
    }

    /// When to call [`Switch::tick`] at the latest.
    pub fn deadline(&self) -> Option<Mono> {
        let own = [self.ua.deadline(), self.legs.deadline(), self.queues.deadline(), self.timers.next(), self.ports.deadline()];
        let others = [self.former.deadline(), self.journal.deadline(), self.resolving.deadline(), self.recorder.pauses.next()];
        let others = others.into_iter().chain([self.remote_deadline(), self.previews.deadline(), self.health.deadline()]);
        let others = others.into_iter().chain([self.ua.registered().and_then(Registrar::deadline), self.carriers.deadline()]);
        own.into_iter().chain(others).flatten().min()
    }

    pub(super) fn run(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(work) = self.next_work() {
            self.arriving = match &work {
                Work::Leg(dialog::Event::Incoming(incoming)) => Some(incoming.leg),
                _ => None,
            };
            self.at_work = match &work {
                Work::Leg(event) => recover::leg_of(event).and_then(|leg| self.leg_calls.get(&leg)).map(|(id, _)| *id),
                Work::Call(id, _) | Work::Effect(id, _) | Work::Owed(id) => Some(*id),
                // The queue may know nothing of it any more.
                Work::Queue(output) => Some(output.call()),
            };
            self.note_doer(&work);
            match work {
                Work::Leg(event) => self.leg_event(now, event, out),
                Work::Call(id, input) => self.with_call(now, id, |call, done| call.handle(now, input, done)),
                Work::Effect(id, effect) => self.effect(now, id, effect, out),
                Work::Queue(output) => self.queue_output(now, output),
                Work::Owed(id) => self.owed(now, id, out),
            }
        }
        self.at_work = None;
    }

    fn leg_event(&mut self, now: Now, event: dialog::Event, out: &mut Vec<Output>) {
        self.hop_says(now, &event);
        let (leg, event) = match event {
            dialog::Event::Incoming(incoming) => return self.incoming(now, *incoming, out),
            dialog::Event::Asked(asked) => return self.asked(now, &asked, out),
            dialog::Event::TurnedAway(turned) => return self.turned_away(now, &turned),
            dialog::Event::Media { leg, media } => (leg, LegEvent::Media(media)),
            dialog::Event::EarlyMedia { leg, sends } => (leg, LegEvent::EarlyMedia { sends }),
            dialog::Event::Answered { leg } => (leg, LegEvent::Answered),
            dialog::Event::Ended { leg, end } => (leg, LegEvent::Ended(end)),
            dialog::Event::Refer { leg, refer } => return self.referred(now, leg, &refer, out),
            dialog::Event::Key { leg, key } => return self.key(now, leg, key, KeySource::Info, out),
            dialog::Event::KeyRefused { leg, key } => return self.key_refused(leg, key, out),
            dialog::Event::Progress { leg, status: Status(181) } => (leg, LegEvent::Forwards),
            dialog::Event::Progress { leg, .. } => (leg, LegEvent::Rings),
            dialog::Event::HopFailed { leg, hop, why, next } => return self.hop_failed(now, leg, (hop, why), next),
            dialog::Event::Confirmed { leg } | dialog::Event::Established { leg } => return self.proven(leg, out),
        };
        let Some(&(id, leg_no)) = self.leg_calls.get(&leg) else { return };
        if let LegEvent::Ended(end) = &event {
            self.note_end((id, leg_no), end);
            self.leg_over(id, leg_no);
        }
        self.work.push_back(Work::Call(id, call::Input::Leg { leg: leg_no, event }));
    }

    /// Lets a call act; its effects become work and its deadline is armed anew.
    fn with_call(&mut self, now: Now, id: CallId, act: impl FnOnce(&mut Call, &mut Vec<call::Output>)) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        let before = self.at_work.replace(id);
        let mut effects = Vec::new();
        act(&mut active.call, &mut effects);
        active.note_end(self.queues.seats().doer());
        self.timers.update(id, active.call.deadline());
        if active.call.lingers() {
            self.lingering.insert(id);
        }
        let moved = active.parties_have_changed();
        self.will_do(now, id, effects);
        if moved {
            self.note_seats(now, id);
            self.note_promoted(id);
        }
        self.note_conference(id);
        self.at_work = before;
    }

    pub(super) fn leg_command(&mut self, now: Now, command: dialog::Command, out: &mut Vec<Output>) {
        self.legs.command(&mut self.ua, now, command, &mut self.legs_done);
        self.serve(now, out);
    }
}
