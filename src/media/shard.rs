//! One media thread's legs: commands in, packets in, effects out. Reads no clock and no socket.
//!
//! A packet costs two look-ups and no allocation: it is rewritten in the buffer that it was received in. Legs are
//! bounded by the ports that the switch hands out, since each holds a bound pair.

use crate::base::trap::{self, Trap};
use crate::base::{LegId, Map, Mono, Now, Rng, RtpStats, SrtpKeys, Timers};
use crate::media::inband::Detector;
use crate::media::keys::Place;
use crate::media::latch::{Earlier, QUIET, remember};
use crate::media::leg::{Kind, Leg};
use crate::media::mixer::MAX_FRAME;
use crate::media::out::{Effect, Out};
use crate::media::playing::{Hears, Playing};
use crate::media::rtp::{HEADER, Packet, is_rtcp};
use crate::media::speech::Speech;
use crate::media::voice::Voice;
use crate::media::wheel::Wheel;
use crate::media::{Command, Event, Origins, Profile, Prompt, Source};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The least time between a leg's RTCP reports on average (RFC 3550 §6.2).
const REPORT: Duration = Duration::from_secs(5);

/// Legs in one mix.
const MAX_SOURCES: usize = 16;

#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// After so long without RTP and RTCP a peer that may send is called silent.
    pub silence: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config { silence: Duration::from_secs(5) }
    }
}

/// The received buffer holds a packet to send on: this part of it, from this leg's RTP socket, to this address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relayed {
    pub leg: LegId,
    pub to: SocketAddr,
    pub bytes: Range<usize>,
}

pub struct Shard {
    config: Config,
    legs: Map<LegId, Leg>,
    /// The streams that each closed port's calls have left, until the port is opened again: as many as there are ports.
    earlier: BTreeMap<SocketAddr, Earlier>,
    /// The leg that is worked on, and the port of one that is being opened: see [`Shard::recover`].
    at_work: Option<LegId>,
    opening: Option<(LegId, SocketAddr)>,
    wheel: Wheel,
    timers: Timers<(LegId, Task)>,
    ringback: Arc<Prompt>,
    /// Where a packet is rewritten for one of several listeners.
    copy: Vec<u8>,
    rng: Rng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Report,
    Silence,
    /// A peer that a socket is tied to may have moved.
    Quiet,
    /// One who leaves a message may have said all.
    Speech,
}

impl Shard {
    pub fn new(config: Config, mut rng: Rng) -> Shard {
        Shard {
            config,
            legs: Map::with_hasher(rng.map_seed()),
            earlier: BTreeMap::new(),
            at_work: None,
            opening: None,
            wheel: Wheel::default(),
            timers: Timers::default(),
            ringback: Arc::new(Prompt::ringback()),
            copy: Vec::new(),
            rng,
        }
    }

    pub fn handle(&mut self, now: Now, command: Command, out: &mut Out) {
        self.at_work = command.leg();
        self.opening = if let Command::Open { leg, rtp, .. } = &command { Some((*leg, *rtp)) } else { None };
        trap::spring(Trap::Media);
        match command {
            Command::Bind { rtp } => out.push(Effect::Bind { rtp }),
            Command::Unbind { rtp } => out.push(Effect::Unbind { rtp }),
            Command::Open { leg, rtp, origins } => self.open(now, leg, rtp, origins, out),
            Command::Profile { leg, profile, keys } => self.profile(now, leg, profile, keys, out),
            Command::Proven { leg } => self.with(leg, Leg::proven),
            Command::Play { leg, source } => self.play(now, leg, source, out),
            Command::Keys { leg, capture } => self.with(leg, |leg| leg.capture = capture),
            Command::Inband { leg, on } => self.with(leg, |leg| leg.inband = on.then(|| Box::new(Detector::new()))),
            Command::Attend { leg, silence } => self.heed(now.mono, leg, silence),
            Command::SendKey { leg, key } => {
                self.with(leg, |leg| leg.dialer.push(key));
                self.turn(now.mono, leg);
            }
            Command::Tap { leg, tap } => self.with(leg, |leg| leg.tap = tap),
            Command::Close { leg } => self.close(now, leg, out),
        }
        self.opening = None;
    }

    /// A datagram on a leg's RTP socket.
    pub fn rtp(&mut self, now: Now, leg: LegId, bytes: &mut [u8], from: SocketAddr, out: &mut Out) -> Option<Relayed> {
        self.at_work = Some(leg);
        trap::spring(Trap::Media);
        let source = self.legs.get_mut(&leg)?;
        if is_rtcp(bytes) && source.profile.is_some_and(|profile| profile.rtcp_mux) {
            self.rtcp(now, leg, bytes, from, out);
            return None;
        }
        let (packet, kind) = source.receive(now.mono, bytes, from, out)?;
        let first = source.relays.first().copied();
        let several = source.relays.len() > 1;
        let mixed = !source.mixers.is_empty();
        heard(source, now.mono, self.config, &mut self.timers, out);
        if source.tie(out) {
            self.timers.set((leg, Task::Quiet), together(now.mono.after(QUIET)));
        }
        if several {
            self.copies(now.mono, leg, bytes, &packet, kind, out);
        }
        if let Kind::Key { press, place } = kind
            && mixed
        {
            self.pass(now.mono, (leg, press, place), bytes, &packet, out);
        }
        let listener = self.legs.get_mut(&first?)?;
        let (to, range) = listener.relay(now.mono, leg, bytes, packet, kind)?;
        if listener.srtp.is_some() {
            listener.transmit_copy(&bytes[range], to, out);
            return None;
        }
        Some(Relayed { leg: listener.id, to, bytes: range })
    }

    /// A datagram on a leg's RTCP socket.
    pub fn rtcp(&mut self, now: Now, leg: LegId, bytes: &[u8], from: SocketAddr, out: &mut Out) {
        self.at_work = Some(leg);
        let Some(leg) = self.legs.get_mut(&leg) else { return };
        if leg.receive_rtcp(now.mono, bytes, from) {
            heard(leg, now.mono, self.config, &mut self.timers, out);
        }
    }

    /// A datagram that lay on a leg's RTP socket before the leg took it: whoever sent it means another call.
    pub fn earlier(&mut self, leg: LegId, bytes: &[u8], from: SocketAddr) {
        if let (Some(leg), Some(packet)) = (self.legs.get_mut(&leg), Packet::read(bytes)) {
            leg.earlier(from, packet.header.ssrc);
        }
    }

    /// A datagram that came to a pair of no leg: the next one that opens there is to know its sender.
    pub fn disturbed(&mut self, rtp: SocketAddr, bytes: &[u8], from: SocketAddr) {
        if let Some(packet) = Packet::read(bytes) {
            remember(self.earlier.entry(rtp).or_default(), (from, Some(packet.header.ssrc)));
        }
    }

    /// RTP of a leg could not be sent.
    pub fn unsent(&mut self, leg: LegId, bytes: &[u8]) {
        if !is_rtcp(bytes) {
            self.with(leg, |leg| leg.unsent(bytes));
        }
    }

    /// Sends the frames and reports that are due.
    pub fn tick(&mut self, now: Now, out: &mut Out) {
        self.at_work = None;
        while let Some(id) = self.wheel.pop(now.mono) {
            self.at_work = Some(id);
            trap::spring(Trap::Media);
            self.frame(now.mono, id, out);
        }
        while let Some((id, task)) = self.timers.pop(now.mono) {
            self.at_work = Some(id);
            match task {
                Task::Report => self.report(now, id, out),
                Task::Silence => self.check_silence(now.mono, id, out),
                Task::Speech => self.check_speech(now.mono, id, out),
                Task::Quiet => {
                    let again = self.legs.get_mut(&id).and_then(|leg| leg.rest(now.mono, out));
                    self.timers.update((id, Task::Quiet), again.map(together));
                }
            }
        }
    }

    pub fn deadline(&self) -> Option<Mono> {
        [self.wheel.next(), self.timers.next()].into_iter().flatten().min()
    }

    /// Open legs.
    pub fn len(&self) -> usize {
        self.legs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }

    fn open(&mut self, now: Now, leg: LegId, rtp: SocketAddr, origins: Arc<Origins>, out: &mut Out) {
        if self.legs.contains_key(&leg) {
            return;
        }
        let earlier = self.earlier.remove(&rtp).unwrap_or_default();
        self.legs.insert(leg, Leg::new(now.mono, leg, rtp, origins, earlier, &mut self.rng));
        trap::spring(Trap::Media);
        self.arm_report(now.mono, leg);
        out.push(Effect::Open { leg, rtp });
    }

    fn profile(&mut self, now: Now, id: LegId, profile: Profile, keys: Option<Arc<SrtpKeys>>, out: &mut Out) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.set_profile(now.mono, profile, keys, out);
        self.timers.update((id, Task::Silence), profile.may_receive.then(|| now.mono.after(self.config.silence)));
    }

    fn play(&mut self, now: Now, id: LegId, source: Source, out: &mut Out) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let before = leg.playing.hears();
        let playing = match source {
            Source::Silence => Playing::Silence,
            Source::Ringback => prompt(self.ringback.clone(), true, None),
            Source::Prompt { audio, repeat, cue } if audio.a_law.is_empty() => {
                // Nothing to play is played at once; repeated, it would never end.
                out.effects.extend((!repeat).then_some(Effect::Event(Event::Played { leg: id, cue })));
                Playing::Silence
            }
            Source::Prompt { audio, repeat, cue } => prompt(audio, repeat, (!repeat).then_some(cue)),
            Source::Words { words, cue } if words.iter().all(|word| word.a_law.is_empty()) => {
                out.event(Event::Played { leg: id, cue });
                Playing::Silence
            }
            Source::Words { words, cue } => Playing::Words { words, word: 0, at: 0, cue },
            Source::Early(from) => Playing::Early { from, audio: self.ringback.clone(), at: 0, heard: None },
            Source::Relay(from) => Playing::Relay(from),
            Source::Mix(sources) => mix(sources),
        };
        let after = playing.hears();
        leg.play(playing);
        trap::spring(Trap::Media);
        self.turn(now.mono, id);
        self.listen(id, &before, &after);
    }

    /// Sees that the leg is on the wheel if it needs frames.
    fn turn(&mut self, now: Mono, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| !leg.on_wheel) else { return };
        match &leg.playing {
            Playing::Silence | Playing::Relay(_) if !leg.dialer.busy() => return,
            // Mixed frames of one call are due together, or a voice would have to be there for the earliest of them and wait for
            // the latest. Any other leg keeps its phase, so that music goes on in step after words.
            Playing::Mix(sources) => self.wheel.start(now, id, leg.ptime(), phase(id, sources)),
            _ => self.wheel.start(now, id, leg.ptime(), phase(id, &[])),
        }
        leg.on_wheel = true;
    }

    /// Makes the leg known to whom it hears now, and forgotten by whom it heard before. A source that it hears on is not
    /// touched.
    fn listen(&mut self, id: LegId, before: &Hears, after: &Hears) {
        for from in before.sources().iter().chain(after.sources()) {
            let Some(source) = self.legs.get_mut(from) else { continue };
            enlist(&mut source.relays, id, after.relays(*from));
            enlist(&mut source.mixers, id, after.mixes(*from));
            if source.mixers.is_empty() {
                source.voice = None;
            } else {
                source.voice.get_or_insert_with(Voice::new);
            }
        }
    }

    /// A leg's slot has come.
    fn frame(&mut self, now: Mono, id: LegId, out: &mut Out) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let ptime = leg.ptime();
        leg.dial(now, out);
        let busy = leg.dialing || leg.dialer.busy();
        let more = match leg.playing.hears() {
            Hears::Mix(sources) => self.mix(now, id, &sources, usize::from(ptime) * 8, out),
            _ => leg.frame(now, out),
        } || busy;
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.on_wheel = more;
        }
        if more {
            self.wheel.again(id, ptime);
        }
    }

    fn mix(&mut self, now: Mono, id: LegId, sources: &[LegId], samples: usize, out: &mut Out) -> bool {
        let mut sum = [0; MAX_FRAME];
        let sum = &mut sum[..samples.min(MAX_FRAME)];
        let time = self.wheel.at() as i64 * 8;
        for from in sources {
            if let Some(voice) = self.legs.get_mut(from).and_then(|leg| leg.voice.as_mut()) {
                voice.add_to(time, sum);
            }
        }
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.mixed(now, sum, out);
        }
        true
    }

    /// Relays a packet to the listeners after the first, who gets the original.
    fn copies(&mut self, now: Mono, from: LegId, bytes: &[u8], packet: &Packet, kind: Kind, out: &mut Out) {
        let Some(source) = self.legs.get_mut(&from) else { return };
        let relays = std::mem::take(&mut source.relays);
        trap::spring(Trap::Media);
        for listener in relays.iter().skip(1) {
            let Some(listener) = self.legs.get_mut(listener) else { continue };
            let mut copy = std::mem::take(&mut self.copy);
            copy.clear();
            copy.extend_from_slice(&[0; HEADER]);
            copy.extend_from_slice(&bytes[packet.payload.clone()]);
            let moved = Packet { header: packet.header, payload: HEADER..copy.len() };
            if let Some((to, range)) = listener.relay(now, from, &mut copy, moved, kind) {
                listener.transmit_copy(&copy[range], to, out);
            }
            self.copy = copy;
        }
        if let Some(source) = self.legs.get_mut(&from) {
            source.relays = relays;
        }
    }

    /// Passes an event on to those who mix its source.
    fn pass(&mut self, now: Mono, press: (LegId, u32, Place), bytes: &[u8], packet: &Packet, out: &mut Out) {
        let from = press.0;
        let Some(source) = self.legs.get_mut(&from) else { return };
        let mixers = std::mem::take(&mut source.mixers);
        for listener in &mixers {
            if let Some(listener) = self.legs.get_mut(listener) {
                let payload = &bytes[packet.payload.clone()];
                listener.pass(now, press, &packet.header, payload, out);
            }
        }
        if let Some(source) = self.legs.get_mut(&from) {
            source.mixers = mixers;
        }
    }

    fn with(&mut self, leg: LegId, change: impl FnOnce(&mut Leg)) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            change(leg);
        }
    }

    fn close(&mut self, now: Now, id: LegId, out: &mut Out) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.report(now, true, out);
        let hears = leg.playing.hears();
        self.listen(id, &hears, &Hears::Nobody);
        self.remove(id, Leg::stats, out);
    }

    fn remove(&mut self, id: LegId, stats: impl FnOnce(&Leg) -> RtpStats, out: &mut Out) {
        let Some(leg) = self.legs.remove(&id) else { return };
        [Task::Report, Task::Silence, Task::Quiet, Task::Speech].into_iter().for_each(|task| self.timers.cancel(&(id, task)));
        out.push(Effect::Close { leg: id });
        out.event(Event::Closed { leg: id, rtp: leg.rtp, stats: stats(&leg) });
        self.earlier.insert(leg.rtp, leg.leaves());
    }

    fn report(&mut self, now: Now, id: LegId, out: &mut Out) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.report(now, false, out);
            self.arm_report(now.mono, id);
        }
    }

    /// Between half and one and a half of the interval, so that legs do not fall into step (RFC 3550 §6.3.1).
    fn arm_report(&mut self, now: Mono, id: LegId) {
        let wait = self.rng.between(REPORT / 2, REPORT * 3 / 2);
        self.timers.set((id, Task::Report), now.after(wait));
    }

    fn heed(&mut self, now: Mono, id: LegId, silence: Option<Duration>) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.speech = silence.map(|silence| Speech::new(now, silence));
        self.timers.update((id, Task::Speech), leg.speech.as_ref().and_then(Speech::due));
    }

    /// Like the other deadline it is moved only when it fires.
    fn check_speech(&mut self, now: Mono, id: LegId, out: &mut Out) {
        let Some(due) = self.legs.get(&id).and_then(|leg| leg.speech.as_ref()?.due()) else { return };
        if now < due {
            self.timers.set((id, Task::Speech), due);
        } else {
            out.event(Event::Quiet { leg: id });
        }
    }

    fn check_silence(&mut self, now: Mono, id: LegId, out: &mut Out) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let due = leg.heard.after(self.config.silence);
        if now < due {
            self.timers.set((id, Task::Silence), due);
        } else if !leg.silent {
            leg.silent = true;
            out.event(Event::Silent { leg: id });
        }
    }
}

#[path = "recover.rs"]
mod recover;

/// The peer lives. Its deadline is moved only when it fires: a packet costs no timer.
fn heard(leg: &mut Leg, now: Mono, config: Config, timers: &mut Timers<(LegId, Task)>, out: &mut Out) {
    leg.heard = now;
    if leg.silent {
        leg.silent = false;
        timers.set((leg.id, Task::Silence), now.after(config.silence));
        out.event(Event::Audible { leg: leg.id });
    }
}

/// Deadlines that need not be exact come together, so that the thread wakes once for many legs.
fn together(at: Mono) -> Mono {
    Mono(at.0.next_multiple_of(50_000))
}

fn prompt(audio: Arc<Prompt>, repeat: bool, cue: Option<u32>) -> Playing {
    Playing::Prompt { audio, at: 0, repeat, cue }
}

fn mix(sources: Arc<[LegId]>) -> Playing {
    match &sources[..] {
        [one] => Playing::Relay(*one),
        [first @ .., _] if first.len() >= MAX_SOURCES => Playing::Mix(first[..MAX_SOURCES].into()),
        _ => Playing::Mix(sources),
    }
}

/// Puts a leg on a list, or takes it off.
fn enlist(list: &mut Vec<LegId>, leg: LegId, wanted: bool) {
    match list.iter().position(|listed| *listed == leg) {
        None if wanted => list.push(leg),
        Some(at) if !wanted => drop(list.remove(at)),
        _ => {}
    }
}

/// The same for all legs that hear each other, spread over the calls.
fn phase(leg: LegId, sources: &[LegId]) -> u64 {
    let first = sources.iter().fold(leg, |first, source| first.min(*source));
    first.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40
}

#[cfg(test)]
#[path = "bench.rs"]
mod bench;

#[cfg(test)]
#[path = "mix_tests.rs"]
mod mix_tests;

#[cfg(test)]
#[path = "press_tests.rs"]
mod press_tests;

#[cfg(test)]
#[path = "report_tests.rs"]
mod report_tests;

#[cfg(test)]
#[path = "recover_tests.rs"]
mod recover_tests;

#[cfg(test)]
#[path = "source_tests.rs"]
mod source_tests;

#[cfg(test)]
#[path = "srtp_tests.rs"]
mod srtp_tests;

#[cfg(test)]
#[path = "shard_tests.rs"]
mod tests;
