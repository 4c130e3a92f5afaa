//! A media thread: drives one `media::Shard` with sockets and a clock. Nothing is shared with other shards.
//!
//! Waking up costs several times what a packet costs. So at middling load the thread sleeps to the next millisecond and
//! then takes what has come; at high load packets come in batches by themselves; with few calls it wakes for each packet,
//! and without any it does not wake at all.

use crate::base::{LegId, Map, Mono, Now, Rng};
use crate::io::clock;
use crate::io::descriptors::{self, Purpose};
use crate::io::pair::Pair;
use crate::media::{Command, Config, Effect, Event, Out, Shard, Socket, Tapped};
use crossbeam_channel::{Receiver, Sender, bounded};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Commands that wait for the thread: minutes of a busy city. More means that it stands still.
const COMMANDS: usize = 16_384;
/// Commands in one turn.
const COMMAND_BATCH: usize = 256;
/// Sockets served in one turn, one datagram each.
const SOCKET_BATCH: usize = 1024;
/// RTP is never longer; what is cut off by this is no packet of ours.
const DATAGRAM: usize = 2048;
/// Packets a second between which the thread ticks.
const TICKING: Range<u64> = 1_000..50_000;
const TICK: u64 = 1_000;
/// How long packets are counted before the way to wait is chosen anew.
const WINDOW: Duration = Duration::from_millis(100);
/// The bell's mark among the poll's events; sockets have twice their place, and one more for RTCP.
const BELL: u64 = u64::MAX;

/// The switch's end of a shard. Dropping it stops the thread.
pub struct ShardHandle {
    commands: Sender<Command>,
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
    let legs = Map::with_hasher(rng.map_seed());
    let driver = Driver {
        shard: Shard::new(config, rng),
        bell: bell.clone(),
        poll,
        inbox,
        events,
        taps,
        bound: BTreeMap::new(),
        places: Vec::new(),
        free: Vec::new(),
        legs,
        out: Out::default(),
        pace: Pace::default(),
    };
    let thread = std::thread::Builder::new().name(format!("media-{index}")).spawn(move || driver.run())?;
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
        self.commands.try_send(command).is_ok()
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
    shard: Shard,
    bell: Arc<Bell>,
    poll: Epoll,
    inbox: Receiver<Command>,
    events: F,
    taps: T,
    /// Pairs bound ahead, as many as the switch asks for.
    bound: BTreeMap<SocketAddr, Pair>,
    /// Open legs, at the place that the poll names.
    places: Vec<Option<(LegId, Pair)>>,
    free: Vec<usize>,
    legs: Map<LegId, usize>,
    out: Out,
    pace: Pace,
}

impl<F: FnMut(Event), T: FnMut(&Tapped, &[u8])> Driver<F, T> {
    fn run(mut self) {
        let mut ready = vec![EpollEvent::empty(); SOCKET_BATCH];
        let mut buffer = [0; DATAGRAM];
        while !self.bell.stop.load(Ordering::SeqCst) {
            let count = self.wait(&mut ready);
            let now = clock::now();
            for event in &ready[..count] {
                self.serve(now, event.data(), &mut buffer);
            }
            self.pace.count(now.mono, count);
            self.take_commands(now);
            self.shard.tick(now, &mut self.out);
            self.carry_out();
        }
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
        let Some(Some((leg, pair))) = self.places.get((token / 2) as usize) else { return };
        let (leg, rtcp) = (*leg, token % 2 == 1);
        let socket = if rtcp { &pair.rtcp } else { &pair.rtp };
        // An error is a peer's "port unreachable"; reading it clears it.
        let Ok((length, from)) = socket.recv_from(buffer) else { return };
        let Some(bytes) = buffer.get_mut(..length).filter(|_| length < DATAGRAM) else { return };
        if rtcp {
            self.shard.rtcp(now, leg, bytes, from, &mut self.out);
        } else if let Some(relayed) = self.shard.rtp(now, leg, bytes, from, &mut self.out)
            && let Some(pair) = pair_of(&self.places, &self.legs, relayed.leg)
        {
            // A packet that cannot leave now is lost, as on any network, and does not count as sent.
            let bytes = &bytes[relayed.bytes];
            if pair.send_rtp(relayed.to, bytes).is_err() {
                self.shard.unsent(relayed.leg, bytes);
            }
        }
        if !self.out.effects.is_empty() {
            self.carry_out();
        }
    }

    fn take_commands(&mut self, now: Now) {
        for _ in 0..COMMAND_BATCH {
            let Ok(command) = self.inbox.try_recv() else { return };
            self.shard.handle(now, command, &mut self.out);
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        for effect in out.effects.drain(..) {
            match effect {
                Effect::Bind { rtp } => self.bind(rtp),
                Effect::Open { leg, rtp } => self.open(leg, rtp),
                Effect::Connect { leg, to } => self.connect(leg, to),
                Effect::Send { leg, socket, to, bytes } => self.send(leg, socket, to, &out.bytes[bytes]),
                Effect::Close { leg } => self.close(leg),
                Effect::Tapped { tapped, bytes } => (self.taps)(&tapped, &out.bytes[bytes]),
                Effect::Event(event) => (self.events)(event),
            }
        }
        out.clear();
        self.out = out;
    }

    fn bind(&mut self, rtp: SocketAddr) {
        let event = match Pair::bind(rtp) {
            Ok(pair) => {
                self.bound.insert(rtp, pair);
                Event::Bound { rtp }
            }
            Err(error) if descriptors::missed(Purpose::Media, &error) => Event::NoSocket { rtp },
            Err(error) => {
                tracing::warn!(%rtp, %error, "media port cannot be bound");
                Event::PortBusy { rtp }
            }
        };
        (self.events)(event);
    }

    fn open(&mut self, leg: LegId, rtp: SocketAddr) {
        let Some(pair) = self.bound.remove(&rtp) else {
            tracing::error!(%leg, %rtp, "media port was not bound ahead");
            return;
        };
        let place = self.free.pop().unwrap_or(self.places.len());
        let shard = &mut self.shard;
        if let Err(error) = pair.listen(&self.poll, 2 * place as u64, |bytes, from| shard.earlier(leg, bytes, from)) {
            tracing::error!(%leg, %rtp, %error, "media port cannot be polled");
        }
        if place == self.places.len() {
            self.places.push(None);
        }
        self.places[place] = Some((leg, pair));
        self.legs.insert(leg, place);
    }

    fn connect(&mut self, leg: LegId, to: Option<SocketAddr>) {
        let Some(place) = self.legs.get(&leg) else { return };
        let Some(Some((_, pair))) = self.places.get_mut(*place) else { return };
        if let Err(error) = pair.connect(to) {
            tracing::warn!(%leg, %error, "media socket stays unconnected");
        }
    }

    fn send(&mut self, leg: LegId, socket: Socket, to: SocketAddr, bytes: &[u8]) {
        let Some(pair) = pair_of(&self.places, &self.legs, leg) else { return };
        match socket {
            Socket::Rtp if pair.send_rtp(to, bytes).is_err() => self.shard.unsent(leg, bytes),
            Socket::Rtp => {}
            Socket::Rtcp => drop(pair.send_rtcp(to, bytes)),
        }
    }

    /// Closing a socket takes it off the poll.
    fn close(&mut self, leg: LegId) {
        if let Some(place) = self.legs.remove(&leg) {
            self.places[place] = None;
            self.free.push(place);
        }
    }
}

fn pair_of<'a>(places: &'a [Option<(LegId, Pair)>], legs: &Map<LegId, usize>, leg: LegId) -> Option<&'a Pair> {
    places.get(*legs.get(&leg)?)?.as_ref().map(|(_, pair)| pair)
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
