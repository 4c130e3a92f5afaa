//! One media thread's legs: commands in, packets in, effects out. Reads no clock and no socket.
//!
//! A packet costs two look-ups and no allocation: it is rewritten in the buffer that it was received in. Legs are
//! bounded by the ports that the switch hands out, since each holds a bound pair.

use crate::base::{LegId, Map, Mono, Now, Rng, Timers};
use crate::media::leg::{Leg, Playing};
use crate::media::out::{Effect, Out};
use crate::media::rtp::is_rtcp;
use crate::media::wheel::Wheel;
use crate::media::{Command, Event, Profile, Prompt, Source};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The least time between a leg's RTCP reports on average (RFC 3550 §6.2).
const REPORT: Duration = Duration::from_secs(5);

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
    wheel: Wheel,
    timers: Timers<(LegId, Task)>,
    ringback: Arc<Prompt>,
    rng: Rng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Report,
    Silence,
}

impl Shard {
    pub fn new(config: Config, mut rng: Rng) -> Shard {
        Shard {
            config,
            legs: Map::with_hasher(rng.map_seed()),
            wheel: Wheel::default(),
            timers: Timers::default(),
            ringback: Arc::new(Prompt::ringback()),
            rng,
        }
    }

    pub fn handle(&mut self, now: Now, command: Command, out: &mut Out) {
        match command {
            Command::Bind { rtp } => out.push(Effect::Bind { rtp }),
            Command::Open { leg, rtp } => self.open(now, leg, rtp, out),
            Command::Profile { leg, profile } => self.profile(now, leg, profile, out),
            Command::Play { leg, source } => self.play(now, leg, source, out),
            Command::Close { leg } => self.close(now, leg, out),
        }
    }

    /// A datagram on a leg's RTP socket.
    pub fn rtp(&mut self, now: Now, leg: LegId, bytes: &mut [u8], from: SocketAddr, out: &mut Out) -> Option<Relayed> {
        let source = self.legs.get_mut(&leg)?;
        if is_rtcp(bytes) && source.profile.is_some_and(|profile| profile.rtcp_mux) {
            self.rtcp(now, leg, bytes, from, out);
            return None;
        }
        let (packet, kind) = source.receive(now.mono, bytes, from, out)?;
        let listener = source.listener;
        heard(source, now.mono, self.config, &mut self.timers, out);
        let listener = self.legs.get_mut(&listener?)?;
        let (to, bytes) = listener.relay(now.mono, leg, bytes, packet, kind)?;
        Some(Relayed { leg: listener.id, to, bytes })
    }

    /// A datagram on a leg's RTCP socket.
    pub fn rtcp(&mut self, now: Now, leg: LegId, bytes: &[u8], from: SocketAddr, out: &mut Out) {
        let Some(leg) = self.legs.get_mut(&leg) else { return };
        if leg.receive_rtcp(now.mono, bytes, from) {
            heard(leg, now.mono, self.config, &mut self.timers, out);
        }
    }

    /// Sends the frames and reports that are due.
    pub fn tick(&mut self, now: Now, out: &mut Out) {
        while let Some(id) = self.wheel.pop(now.mono) {
            let Some(leg) = self.legs.get_mut(&id) else { continue };
            leg.on_wheel = leg.frame(now.mono, out);
            if leg.on_wheel {
                self.wheel.again(id, leg.ptime());
            }
        }
        while let Some((id, task)) = self.timers.pop(now.mono) {
            match task {
                Task::Report => self.report(now, id, out),
                Task::Silence => self.check_silence(now.mono, id, out),
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

    fn open(&mut self, now: Now, leg: LegId, rtp: SocketAddr, out: &mut Out) {
        if self.legs.contains_key(&leg) {
            return;
        }
        self.legs.insert(leg, Leg::new(now.mono, leg, rtp, &mut self.rng));
        self.arm_report(now.mono, leg);
        out.push(Effect::Open { leg, rtp });
    }

    fn profile(&mut self, now: Now, id: LegId, profile: Profile, out: &mut Out) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.set_profile(now.mono, profile, out);
        self.timers.update((id, Task::Silence), profile.may_receive.then(|| now.mono.after(self.config.silence)));
    }

    fn play(&mut self, now: Now, id: LegId, source: Source, out: &mut Out) {
        self.stop_listening(id);
        let playing = match source {
            Source::Silence => Playing::Silence,
            Source::Ringback => prompt(self.ringback.clone(), true, None),
            Source::Prompt { audio, repeat, cue } if audio.a_law.is_empty() => {
                // Nothing to play is played at once; repeated, it would never end.
                out.effects.extend((!repeat).then_some(Effect::Event(Event::Played { leg: id, cue })));
                Playing::Silence
            }
            Source::Prompt { audio, repeat, cue } => prompt(audio, repeat, (!repeat).then_some(cue)),
            Source::Relay(from) => {
                if let Some(from) = self.legs.get_mut(&from) {
                    from.listener = Some(id);
                }
                Playing::Relay(from)
            }
        };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if matches!(playing, Playing::Prompt { .. }) && !leg.on_wheel {
            leg.on_wheel = true;
            self.wheel.start(now.mono, id, leg.ptime());
        }
        leg.play(playing);
    }

    fn close(&mut self, now: Now, id: LegId, out: &mut Out) {
        self.stop_listening(id);
        let Some(mut leg) = self.legs.remove(&id) else { return };
        leg.report(now, true, out);
        self.timers.cancel(&(id, Task::Report));
        self.timers.cancel(&(id, Task::Silence));
        out.push(Effect::Close { leg: id });
        out.event(Event::Closed { leg: id, rtp: leg.rtp, stats: leg.stats() });
    }

    fn stop_listening(&mut self, id: LegId) {
        let Some(Playing::Relay(from)) = self.legs.get(&id).map(|leg| &leg.playing) else { return };
        let from = *from;
        if let Some(source) = self.legs.get_mut(&from).filter(|source| source.listener == Some(id)) {
            source.listener = None;
        }
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

/// The peer lives. Its deadline is moved only when it fires: a packet costs no timer.
fn heard(leg: &mut Leg, now: Mono, config: Config, timers: &mut Timers<(LegId, Task)>, out: &mut Out) {
    leg.heard = now;
    if leg.silent {
        leg.silent = false;
        timers.set((leg.id, Task::Silence), now.after(config.silence));
        out.event(Event::Heard { leg: leg.id });
    }
}

fn prompt(audio: Arc<Prompt>, repeat: bool, cue: Option<u32>) -> Playing {
    Playing::Prompt { audio, at: 0, repeat, cue }
}

#[cfg(test)]
#[path = "shard_tests.rs"]
mod tests;
