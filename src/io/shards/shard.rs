//! A media thread: drives one `media::Shard` with sockets and a clock. Nothing is shared with other shards.
//!
//! A panic costs the leg that was worked on, and so its call: the shard gives it up, and all others go on. Where that fails
//! too, the thread begins anew with nothing, and each of its legs is told to have failed.
//!
//! Waking up costs several times what a packet costs. So at middling load the thread sleeps to the next millisecond and
//! then takes what has come; at high load packets come in batches by themselves; with few calls it wakes for each packet,
//! and without any it does not wake at all.

use super::sockets::{Holder, Sockets};
use crate::base::{LegId, Mono, Now, Rng, RtpStats};
use crate::io::clock;
use crate::io::process::descriptors::{self, Purpose};
use crate::io::process::threads;
use crate::media::{Command, Config, Effect, Event, Out, Shard, Socket, Tapped};
use crossbeam_channel::{Receiver, Sender, bounded};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Commands that wait for the thread: minutes of a busy city. More means that it stands still.
const COMMANDS: usize = 16_384;
/// Commands in one turn.
const COMMAND_BATCH: usize = 256;
/// A command is taken within this, unless the machine has no time for the thread. No phone answers sooner.
const PROMPT: Duration = Duration::from_millis(5);
/// Sockets served in one turn, one datagram each.
const SOCKET_BATCH: usize = 1024;
/// RTP is never longer; what is cut off by this is no packet of ours.
const DATAGRAM: usize = 2048;
/// Packets a second between which the thread ticks.
const TICKING: Range<u64> = 1_000..50_000;
const TICK: u64 = 1_000;
/// How long packets are counted before the way to wait is chosen anew.
const WINDOW: Duration = Duration::from_millis(100);
/// How often in a row a thread may begin anew, what ends a row, and how long it waits before.
const RESTARTS: u32 = 8;
const STEADY: Duration = Duration::from_secs(10);
const BREATH: Duration = Duration::from_millis(10);
/// The bell's mark among the poll's events; sockets have twice their place, and one more for RTCP.
const BELL: u64 = u64::MAX;

/// The switch's end of a shard. Dropping it stops the thread.
pub struct ShardHandle {
    /// Each with when it was put.
    commands: Sender<(Mono, Command)>,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

struct Bell {
    wake: EventFd,
    /// Only a sleeper needs the bell.
    asleep: AtomicBool,
    stop: AtomicBool,
}

/// Starts the thread of shard `index`. `events` is called in it, and may wait.
pub fn start(index: u16, config: Config, rng: Rng, events: impl FnMut(Event) + Send + 'static) -> io::Result<ShardHandle> {
    start_tapped(index, config, rng, events, |_, _| {})
}

/// The same with a place for what `Command::Tap` asks for. `taps` is called in the thread and must not wait: `io::tap` makes
/// one that does not.
pub fn start_tapped(
    index: u16,
    config: Config,
    mut rng: Rng,
    events: impl FnMut(Event) + Send + 'static,
    taps: impl FnMut(&Tapped, &[u8]) + Send + 'static,
) -> io::Result<ShardHandle> {
    let wake = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
    let bell = Arc::new(Bell { wake, asleep: AtomicBool::new(false), stop: AtomicBool::new(false) });
    let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    poll.add(&bell.wake, EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
    let (commands, inbox) = bounded(COMMANDS);
    let name = format!("media-{index}");
    let driver = Driver {
        name: name.clone(),
        shard: Shard::new(config, rng.fork()),
        bell: bell.clone(),
        poll,
        inbox,
        asked: Mono::default(),
        events,
        taps,
        sockets: Sockets::new(rng.map_seed()),
        out: Out::default(),
        spare: Out::default(),
        pace: Pace::default(),
        config,
        rng,
    };
    let thread = threads::thread(&name, move || driver.live())?;
    Ok(ShardHandle { commands, bell, thread: Some(thread) })
}

impl ShardHandle {
    /// Never waits. False: the thread is gone or stands still, and the command is lost.
    pub fn send(&self, command: Command) -> bool {
        let sent = self.put(command);
        self.wake();
        sent
    }

    /// As `send`, for several commands that one [`ShardHandle::wake`] follows: a thread that wakes for the first of them
    /// would sleep again before the last.
    pub fn put(&self, command: Command) -> bool {
        self.commands.try_send((clock::mono(), command)).is_ok()
    }

    /// The thread has given up.
    pub fn dead(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Lets the thread see what was put.
    pub fn wake(&self) {
        if !self.commands.is_empty() && self.bell.asleep.swap(false, Ordering::SeqCst) {
            self.bell.ring();
        }
    }
}

impl Drop for ShardHandle {
    fn drop(&mut self) {
        self.bell.stop.store(true, Ordering::SeqCst);
        self.bell.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Bell {
    fn ring(&self) {
        // It fails only when it has been rung 2^64 − 1 times without anyone waking up.
        let _ = self.wake.write(1);
    }
}

struct Driver<F, T> {
    name: String,
    shard: Shard,
    bell: Arc<Bell>,
    poll: Epoll,
    inbox: Receiver<(Mono, Command)>,
    /// When the command was put that is worked on, or was last.
    asked: Mono,
    events: F,
    taps: T,
    sockets: Sockets,
    out: Out,
    /// The other buffers, while those in `out` are carried out.
    spare: Out,
    pace: Pace,
    /// For another shard, should this one break.
    config: Config,
    rng: Rng,
}

impl<F: FnMut(Event), T: FnMut(&Tapped, &[u8])> Driver<F, T> {
    /// Runs to the end, however often it has to begin anew. What cannot even do that is broken.
    fn live(mut self) {
        let mut failures = 0;
        loop {
            let begun = clock::mono();
            let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.run())) else { return };
            failures = if clock::mono().since(begun) > STEADY { 1 } else { failures + 1 };
            threads::replaced(&self.name);
            while catch_unwind(AssertUnwindSafe(|| self.begin_anew())).is_err() {
                failures += 1;
                if failures >= RESTARTS {
                    break;
                }
            }
            if failures >= RESTARTS {
                std::panic::resume_unwind(panic);
            }
            std::thread::sleep(BREATH);
        }
    }

    /// Forgets everything, and tells of each leg that it has failed.
    fn begin_anew(&mut self) {
        self.shard = Shard::new(self.config, self.rng.fork());
        self.out.clear();
        while let Some((leg, rtp)) = self.sockets.pop() {
            (self.events)(Event::Closed { leg, rtp, stats: RtpStats::default() });
        }
    }

    fn run(&mut self) {
        let mut ready = vec![EpollEvent::empty(); SOCKET_BATCH];
        let mut buffer = [0; DATAGRAM];
        while !self.bell.stop.load(Ordering::SeqCst) {
            let count = self.wait(&mut ready);
            let now = clock::now();
            for event in &ready[..count] {
                self.guarded(now, |driver| driver.serve(now, event.data(), &mut buffer));
            }
            self.pace.count(now.mono, count);
            self.take_commands(now);
            while !self.guarded(now, |driver| driver.shard.tick(now, &mut driver.out)) {}
            self.carry_out(now);
        }
    }

    /// A panic costs the leg that was worked on. Whether there was none.
    fn guarded(&mut self, now: Now, act: impl FnOnce(&mut Self)) -> bool {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| act(self))) else { return true };
        threads::panicked(&self.name);
        let Some(leg) = self.shard.recover(now, &mut self.out) else { std::panic::resume_unwind(panic) };
        tracing::error!(%leg, "the media of a party has panicked: its call is ended, the others go on");
        false
    }

    /// Sleeps until there is something to do; gives how many sockets are ready.
    fn wait(&mut self, ready: &mut [EpollEvent]) -> usize {
        let timeout = if self.pace.behind {
            EpollTimeout::ZERO
        } else if self.pace.ticking {
            std::thread::sleep(Duration::from_micros(TICK - clock::mono().0 % TICK));
            EpollTimeout::ZERO
        } else {
            self.bell.asleep.store(true, Ordering::SeqCst);
            if self.inbox.is_empty() { self.patience() } else { EpollTimeout::ZERO }
        };
        let count = self.poll.wait(ready, timeout).unwrap_or(0);
        self.bell.asleep.store(false, Ordering::SeqCst);
        count
    }

    /// Up to the next deadline, in whole milliseconds rounded up.
    fn patience(&self) -> EpollTimeout {
        let Some(deadline) = self.shard.deadline() else { return EpollTimeout::NONE };
        let micros = deadline.since(clock::mono()).as_micros().div_ceil(1000);
        EpollTimeout::from(u16::try_from(micros).unwrap_or(u16::MAX))
    }

    /// One datagram of one socket: the poll names it again when there is more.
    fn serve(&mut self, now: Now, token: u64, buffer: &mut [u8; DATAGRAM]) {
        if token == BELL {
            let _ = self.bell.wake.read();
            return;
        }
        let (place, rtcp) = ((token / 2) as usize, token % 2 == 1);
        let Some((holder, pair)) = self.sockets.at(place) else { return };
        let socket = if rtcp { &pair.rtcp } else { &pair.rtp };
        // An error is a peer's "port unreachable"; reading it clears it.
        let Ok((length, from)) = socket.recv_from(buffer) else { return };
        let Some(bytes) = buffer.get_mut(..length).filter(|_| length < DATAGRAM) else { return };
        let leg = match holder {
            Holder::Leg(leg, _) => leg,
            Holder::Nobody(rtp) => return self.unexpected(now, (place, rtp), bytes, from),
        };
        if rtcp {
            self.shard.rtcp(now, leg, bytes, from, &mut self.out);
        } else if let Some(relayed) = self.shard.rtp(now, leg, bytes, from, &mut self.out)
            && let Some(pair) = self.sockets.of(relayed.leg)
        {
            // A packet that cannot leave now is lost, as on any network, and does not count as sent.
            let bytes = &bytes[relayed.bytes];
            if pair.send_rtp(relayed.to, bytes).is_err() {
                self.shard.unsent(relayed.leg, bytes);
            }
        }
        if !self.out.effects.is_empty() {
            self.carry_out(now);
        }
    }

    fn take_commands(&mut self, now: Now) {
        for _ in 0..COMMAND_BATCH {
            let Ok((asked, command)) = self.inbox.try_recv() else { return };
            self.asked = asked;
            self.guarded(now, |driver| driver.shard.handle(now, command, &mut driver.out));
            self.carry_out(now);
        }
    }

    /// Until nothing is left: what fails makes more.
    fn carry_out(&mut self, now: Now) {
        while !self.out.effects.is_empty() {
            let mut out = std::mem::replace(&mut self.out, std::mem::take(&mut self.spare));
            for effect in out.effects.drain(..) {
                let leg = effect.leg();
                if catch_unwind(AssertUnwindSafe(|| self.carry(now, effect, &out.bytes))).is_err() {
                    threads::panicked(&self.name);
                    leg.iter().for_each(|leg| self.shard.give_up(now, *leg, &mut self.out));
                }
            }
            out.clear();
            self.spare = out;
        }
    }

    fn carry(&mut self, now: Now, effect: Effect, bytes: &[u8]) {
        match effect {
            Effect::Bind { rtp } => self.bind(rtp),
            Effect::Unbind { rtp } => drop(self.sockets.unbind(rtp)),
            Effect::Open { leg, rtp } => self.open(now, leg, rtp),
            Effect::Connect { leg, to } => self.connect(leg, to),
            Effect::Send { leg, socket, to, bytes: range } => self.send(leg, socket, to, &bytes[range]),
            Effect::Close { leg } => self.sockets.close(leg),
            Effect::Tapped { tapped, bytes: range } => (self.taps)(&tapped, &bytes[range]),
            Effect::Event(event) => (self.events)(event),
        }
    }

    fn bind(&mut self, rtp: SocketAddr) {
        let failed = self.sockets.bind(&self.poll, rtp).err().map(|error| unbound(rtp, &error));
        (self.events)(failed.unwrap_or(Event::Bound { rtp }));
    }

    /// Something comes to a port of no call, unless its call is among the commands that wait: then this may be its peer.
    fn unexpected(&mut self, now: Now, (place, rtp): (usize, SocketAddr), bytes: &[u8], from: SocketAddr) {
        self.take_commands(now);
        if self.sockets.at(place).is_some_and(|(holder, _)| holder == Holder::Nobody(rtp)) {
            self.disturbed(rtp, bytes, from);
        }
    }

    /// The thread had no time when the command was put: what came to the command's port meanwhile may be its peer, who answers.
    fn is_late(&self) -> bool {
        clock::mono().since(self.asked) >= PROMPT
    }

    /// Somebody sends to a port of no call: its sender is told that nobody is there.
    fn disturbed(&mut self, rtp: SocketAddr, bytes: &[u8], from: SocketAddr) {
        self.shard.disturbed(rtp, bytes, from);
        if self.sockets.unbind(rtp) {
            (self.events)(Event::Disturbed { rtp });
        }
    }

    fn open(&mut self, now: Now, leg: LegId, rtp: SocketAddr) {
        if let Err(error) = self.sockets.bind(&self.poll, rtp) {
            (self.events)(unbound(rtp, &error));
            return self.shard.give_up(now, leg, &mut self.out);
        }
        let (late, shard) = (self.is_late(), &mut self.shard);
        self.sockets.open(leg, rtp, |bytes, from| {
            if !late {
                shard.earlier(leg, bytes, from);
            }
        });
    }

    fn connect(&mut self, leg: LegId, to: Option<SocketAddr>) {
        if let Some(Err(error)) = self.sockets.of_mut(leg).map(|pair| pair.connect(to)) {
            tracing::warn!(%leg, %error, "media socket stays unconnected");
        }
    }

    fn send(&mut self, leg: LegId, socket: Socket, to: SocketAddr, bytes: &[u8]) {
        let Some(pair) = self.sockets.of(leg) else { return };
        match socket {
            Socket::Rtp if pair.send_rtp(to, bytes).is_err() => self.shard.unsent(leg, bytes),
            Socket::Rtp => {}
            Socket::Rtcp => drop(pair.send_rtcp(to, bytes)),
        }
    }
}

/// Tells that a pair could not be bound, and why.
fn unbound(rtp: SocketAddr, error: &io::Error) -> Event {
    if descriptors::missed(Purpose::Media, error) {
        return Event::NoSocket { rtp };
    }
    tracing::warn!(%rtp, %error, "media port cannot be bound");
    Event::PortBusy { rtp }
}

/// How the thread waits: by the packets of the last window.
#[derive(Default)]
struct Pace {
    since: Mono,
    packets: u64,
    ticking: bool,
    /// More sockets may be ready than one turn serves.
    behind: bool,
}

impl Pace {
    fn count(&mut self, now: Mono, packets: usize) {
        self.packets += packets as u64;
        self.behind = packets == SOCKET_BATCH;
        let elapsed = now.since(self.since);
        if elapsed >= WINDOW {
            let rate = self.packets * 1_000_000 / (elapsed.as_micros() as u64).max(1);
            (self.since, self.packets, self.ticking) = (now, 0, TICKING.contains(&rate));
        }
    }
}

#[cfg(test)]
#[path = "shard_tests.rs"]
mod tests;
