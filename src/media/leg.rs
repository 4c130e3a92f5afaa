//! One leg: it judges what its peer sends, and passes on to its peer what others say. Its own frames and its reports
//! have files of their own.

mod frames;
mod reports;

use crate::base::{LegId, Mono, Rng, SrtpKeys};
use crate::media::dial::Dialer;
use crate::media::egress::Egress;
use crate::media::inband::Detector;
use crate::media::keys::{Keys, Place};
use crate::media::latch::{Earlier, Latch, QUIET, Verdict};
use crate::media::mixer::Limiter;
use crate::media::out::{Effect, Out, Side, Socket, Tapped};
use crate::media::playing::Playing;
use crate::media::reception::Reception;
use crate::media::rtcp::LastReport;
use crate::media::rtp::{HEADER, Header, Packet};
use crate::media::speech::Speech;
use crate::media::srtp::Srtp;
use crate::media::trial::Trial;
use crate::media::voice::Voice;
use crate::media::{Event, Law, Origins, Profile, Tap};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// A key by event and the same by tone within this time are one press.
const SAME_PRESS: Duration = Duration::from_millis(500);

pub(super) struct Leg {
    pub id: LegId,
    pub rtp: SocketAddr,
    pub profile: Option<Profile>,
    pub playing: Playing,
    /// The legs that hear this one as it is, and those that hear it in a mix.
    pub relays: Vec<LegId>,
    pub mixers: Vec<LegId>,
    /// There is one while someone mixes.
    pub voice: Option<Voice>,
    /// A place on the wheel is held until its slot comes round, even if the prompt was stopped before.
    pub on_wheel: bool,
    /// When the peer was last heard, or given a new profile.
    pub heard: Mono,
    pub silent: bool,
    /// Its keys are not passed on.
    pub capture: bool,
    pub inband: Option<Box<Detector>>,
    pub dialer: Dialer,
    /// A key is being sent in place of audio.
    pub dialing: bool,
    pub tap: Option<Tap>,
    pub speech: Option<Speech>,
    /// Its packets are, or were, sealed both ways.
    pub srtp: Option<Box<Srtp>>,
    latch: Latch,
    egress: Egress,
    reception: Reception,
    keys: Keys,
    limiter: Limiter,
    /// The last key, when, and whether it was a tone.
    pressed: Option<(char, Mono, bool)>,
    /// The event that is passed on: whose, which press of his, the timestamp that we give it.
    passing: Option<(LegId, u32, u32)>,
    strangers: u64,
    sent: u64,
    octets: u64,
    cname: String,
    /// The RTP socket is tied to this peer.
    tied: Option<SocketAddr>,
    /// Where the peer's RTCP comes from, once seen.
    rtcp_source: Option<SocketAddr>,
    last_report: Option<LastReport>,
    sent_at_report: u64,
    peer_lost: i64,
    trial: Trial,
}

/// The kind of a packet, by its payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Audio(Law),
    /// A press of the leg, and the packet's place in it.
    Key {
        press: u32,
        place: Place,
    },
    /// An event that goes no further.
    Captured,
    /// RFC 3389: shows that the peer lives, and is not passed on.
    ComfortNoise,
}

impl Leg {
    pub fn new(now: Mono, id: LegId, rtp: SocketAddr, origins: Arc<Origins>, earlier: Earlier, rng: &mut Rng) -> Leg {
        Leg {
            id,
            rtp,
            profile: None,
            playing: Playing::Silence,
            relays: Vec::new(),
            mixers: Vec::new(),
            voice: None,
            on_wheel: false,
            heard: now,
            silent: false,
            capture: false,
            inband: None,
            dialer: Dialer::default(),
            tap: None,
            speech: None,
            srtp: None,
            latch: Latch::new(origins, earlier),
            egress: Egress::new(rng),
            reception: Reception::default(),
            keys: Keys::default(),
            limiter: Limiter::default(),
            dialing: false,
            pressed: None,
            passing: None,
            strangers: 0,
            sent: 0,
            octets: 0,
            cname: rng.token(),
            tied: None,
            rtcp_source: None,
            last_report: None,
            sent_at_report: 0,
            peer_lost: 0,
            trial: Trial::default(),
        }
    }

    /// A new profile: the source is learned anew, and the socket must hear everyone for that.
    pub fn set_profile(&mut self, now: Mono, mut profile: Profile, keys: Option<Arc<SrtpKeys>>, out: &mut Out) {
        self.untie(out);
        match (keys, &mut self.srtp) {
            (keys, Some(srtp)) => srtp.settle(keys.as_deref()),
            (keys, none) => *none = keys.map(|keys| Box::new(Srtp::new(keys))),
        }
        // An IPv4 address that is written as IPv6 is that host all the same.
        for address in [&mut profile.rtp, &mut profile.rtcp].into_iter().flatten() {
            address.set_ip(address.ip().to_canonical());
        }
        self.latch.reopen(now, profile.rtp);
        self.trial.begin(profile.trial);
        self.rtcp_source = None;
        self.heard = now;
        self.profile = Some(profile);
    }

    pub fn play(&mut self, playing: Playing) {
        // A party that comes or goes in a mix is no change of its stream.
        if !matches!((&self.playing, &playing), (Playing::Mix(_), Playing::Mix(_))) {
            self.egress.rest();
        }
        self.playing = playing;
    }

    /// Judges and counts a packet from the network; none: it is not taken.
    pub fn receive(&mut self, now: Mono, bytes: &mut [u8], from: SocketAddr, out: &mut Out) -> Option<(Packet, Kind)> {
        let bytes = match sealing(&mut self.srtp) {
            None => bytes,
            // Before anything is learned from it, and on hold too, so that the roll-over counter is the sender's.
            Some(srtp) => match srtp.open(bytes) {
                Some(length) => &mut bytes[..length],
                None => {
                    self.strangers += 1;
                    return None;
                }
            },
        };
        let profile = self.profile.as_ref().filter(|profile| profile.may_receive)?;
        let packet = Packet::read(bytes)?;
        let Some(kind) = profile.kind(packet.header.payload_type) else {
            if self.latch.stream() == Some((from, packet.header.ssrc)) {
                self.reception.foreign(now, &packet.header);
            }
            return None;
        };
        if self.latch.packet(now, from, packet.header.ssrc) == Verdict::Stranger {
            self.strangers += 1;
            return None;
        }
        if self.trial.runs() && self.latch.found() {
            self.trial.pass();
        }
        self.reception.packet(now, &packet.header, matches!(kind, Kind::Audio(_)));
        let (header, payload) = (&packet.header, &mut bytes[packet.payload.clone()]);
        let kind = match kind {
            Kind::Audio(law) => self.hear(now, law, header, payload, out),
            Kind::Captured => self.hear_event(now, header, payload, out),
            other => other,
        };
        Some((packet, kind))
    }

    /// Ties the RTP socket to a peer that no other could take the place of; true if it was not yet. Whoever ties it sees
    /// to it that [`Leg::rest`] is asked in time.
    pub fn tie(&mut self, out: &mut Out) -> bool {
        let certain = self.latch.certain();
        if certain.is_none() || self.tied == certain {
            return false;
        }
        self.tied = certain;
        out.push(Effect::Connect { leg: self.id, to: certain });
        true
    }

    /// Unties the socket from a peer that has fallen quiet: it may have moved. Gives when to ask again.
    pub fn rest(&mut self, now: Mono, out: &mut Out) -> Option<Mono> {
        self.tied?;
        let due = self.latch.heard()?.after(QUIET);
        if now < due {
            return Some(due);
        }
        self.untie(out);
        None
    }

    /// A packet that was sent to the leg's port before there was the leg.
    pub fn earlier(&mut self, from: SocketAddr, ssrc: u32) {
        self.latch.earlier(from, ssrc);
    }

    /// Gives what the leg, which is over, leaves to the next on its port.
    pub fn leaves(self) -> Earlier {
        self.latch.left()
    }

    fn untie(&mut self, out: &mut Out) {
        if self.tied.take().is_some() {
            out.push(Effect::Connect { leg: self.id, to: None });
        }
    }

    fn hear(&mut self, now: Mono, law: Law, header: &Header, codes: &mut [u8], out: &mut Out) -> Kind {
        if let Some(detector) = self.inband.as_mut().filter(|_| self.latch.settled()) {
            let found = detector.packet(law, codes);
            if found.tone && self.capture {
                codes.fill(law.silence());
            }
            self.pressed(now, found.key, true, out);
        }
        if let Some(voice) = &mut self.voice {
            voice.write(header, law, codes);
        }
        if let Some(tap) = self.tap.filter(|tap| tap.said) {
            out.tap(tapped(tap, now, Side::Said, law, header), codes);
            if self.speech.as_mut().is_some_and(|speech| speech.packet(now, law, codes)) {
                out.event(Event::Speaks { leg: self.id });
            }
        }
        Kind::Audio(law)
    }

    /// A key counts only once it is certain who presses it.
    fn hear_event(&mut self, now: Mono, header: &Header, payload: &[u8], out: &mut Out) -> Kind {
        if !self.latch.settled() {
            return Kind::Captured;
        }
        let Some(told) = self.keys.packet(header, payload, self.capture) else { return Kind::Captured };
        self.pressed(now, told.key, false, out);
        if told.captured { Kind::Captured } else { Kind::Key { press: told.press, place: told.place } }
    }

    /// Reports a key, unless it is the press that the other way has told.
    fn pressed(&mut self, now: Mono, key: Option<char>, tone: bool, out: &mut Out) {
        let Some(key) = key else { return };
        let same = |(k, at, t): (char, Mono, bool)| k == key && t != tone && now.since(at) < SAME_PRESS;
        if !self.pressed.is_some_and(same) {
            self.pressed = Some((key, now, tone));
            out.event(Event::Key { leg: self.id, key });
        }
    }

    /// Rewrites another leg's packet in place as this leg's next; gives where to send which part of the buffer.
    pub fn relay(
        &mut self,
        now: Mono,
        from: LegId,
        bytes: &mut [u8],
        packet: Packet,
        kind: Kind,
    ) -> Option<(SocketAddr, Range<usize>)> {
        if self.dialing || !self.playing.hears().relays(from) {
            return None;
        }
        if let Playing::Early { heard, .. } = &mut self.playing {
            match kind {
                Kind::Audio(_) => *heard = Some(now),
                _ => {
                    self.egress.skip(&packet.header);
                    return None;
                }
            }
        }
        let Some((profile, to)) = self.sendable() else {
            self.egress.rest();
            return None;
        };
        let samples = packet.payload.len() as u32;
        let header = match kind {
            Kind::Audio(law) if samples > 0 => {
                law.recode(profile.law, &mut bytes[packet.payload.clone()]);
                self.egress.relayed(now, &packet.header, profile.payload_type, samples)
            }
            Kind::Key { press, place } if profile.event_out.is_some() => {
                self.stamp(now, (from, press, place), &packet.header, &bytes[packet.payload.clone()], profile.event_out?)
            }
            _ => None,
        };
        let Some(header) = header else {
            self.egress.skip(&packet.header);
            return None;
        };
        let range = header.write_before(bytes, packet.payload)?;
        self.count_sent(samples);
        Some((to, range))
    }

    /// Stamps a packet of another leg's event: all of a press get one timestamp of ours (RFC 4733 §2.5.1.2). None: it
    /// belongs to a press whose beginning had no place here, or that is over.
    fn stamp(
        &mut self,
        now: Mono,
        (from, press, place): (LegId, u32, Place),
        packet: &Header,
        payload: &[u8],
        payload_type: u8,
    ) -> Option<Header> {
        let passing = self.passing.filter(|(leg, number, _)| (*leg, *number) == (from, press)).map(|(.., at)| at);
        let timestamp = match place {
            Place::First => self.egress.press(now, packet),
            Place::Segment => passing?.wrapping_add(u32::from(u16::MAX)),
            Place::Later => passing?,
        };
        self.passing = Some((from, press, timestamp));
        let duration = payload.get(2..4).map_or(0, |d| u32::from(u16::from_be_bytes([d[0], d[1]])));
        self.egress.pressed(packet, payload_type, place != Place::Later, timestamp, duration)
    }

    /// Passes an event of a source on beside the mix.
    pub fn pass(&mut self, now: Mono, press: (LegId, u32, Place), packet: &Header, payload: &[u8], out: &mut Out) {
        let Some((profile, to)) = self.sendable().filter(|_| !self.dialing) else { return };
        let Some(payload_type) = profile.event_out else { return };
        if let Some(header) = self.stamp(now, press, packet, payload, payload_type) {
            self.send_event(header, payload, to, out);
        }
    }

    pub fn ptime(&self) -> u8 {
        self.profile.as_ref().map_or(20, |profile| profile.ptime).clamp(10, 60)
    }

    /// The address is the peer's.
    pub fn proven(&mut self) {
        self.trial.pass();
    }

    /// The profile and the address, if anything may be sent.
    fn sendable(&self) -> Option<(Profile, SocketAddr)> {
        let profile = self.profile.filter(|profile| profile.may_send && profile.rtp.is_some() && !self.trial.over())?;
        Some((profile, self.latch.destination()?))
    }

    /// Sends one frame of our own making, if anything may be sent; gives what was sent.
    fn send(
        &mut self,
        now: Mono,
        samples: u32,
        out: &mut Out,
        codes: impl FnOnce(Law, &mut Vec<u8>),
    ) -> Option<(Law, Header, Range<usize>)> {
        let Some((profile, to)) = self.sendable() else {
            self.egress.rest();
            return None;
        };
        let packet = out.bytes.len();
        let header = self.egress.own(now, profile.payload_type, samples);
        out.bytes.extend_from_slice(&header.bytes());
        codes(profile.law, &mut out.bytes);
        let frame = packet + HEADER..out.bytes.len();
        self.transmit(packet, to, out);
        self.count_sent(samples);
        Some((profile.law, header, frame))
    }

    fn send_event(&mut self, header: Header, payload: &[u8], to: SocketAddr, out: &mut Out) {
        let start = out.bytes.len();
        out.bytes.extend_from_slice(&header.bytes());
        out.bytes.extend_from_slice(payload);
        self.transmit(start, to, out);
        self.count_sent(payload.len() as u32);
    }

    /// Sends the RTP packet that was appended since `start`, as the peer wants it.
    fn transmit(&mut self, start: usize, to: SocketAddr, out: &mut Out) {
        let start = match sealing(&mut self.srtp) {
            None => start,
            Some(srtp) => match srtp.seal(&mut out.bytes, start) {
                Some(sealed) => sealed,
                None => return,
            },
        };
        out.send_since(start, self.id, Socket::Rtp, to);
    }

    /// Sends a packet that lies elsewhere.
    pub fn transmit_copy(&mut self, packet: &[u8], to: SocketAddr, out: &mut Out) {
        let start = out.bytes.len();
        out.bytes.extend_from_slice(packet);
        self.transmit(start, to, out);
    }

    /// A packet that was counted as sent has not left.
    pub fn unsent(&mut self, bytes: &[u8]) {
        let around = HEADER + self.srtp.as_ref().filter(|srtp| srtp.is_on()).map_or(0, |srtp| srtp.tag());
        self.sent = self.sent.saturating_sub(1);
        self.octets = self.octets.saturating_sub(bytes.len().saturating_sub(around) as u64);
    }

    fn count_sent(&mut self, octets: u32) {
        self.trial.sent(octets);
        self.sent += 1;
        self.octets += u64::from(octets);
    }
}

impl Profile {
    /// Both laws are understood whatever was agreed: their payload types are fixed (RFC 3551 §6), and some phones answer
    /// with both and change between them.
    fn kind(&self, payload_type: u8) -> Option<Kind> {
        match payload_type {
            pt if pt == self.payload_type => Some(Kind::Audio(self.law)),
            pt if self.event_in.contains(&Some(pt)) => Some(Kind::Captured),
            0 => Some(Kind::Audio(Law::Mu)),
            8 => Some(Kind::Audio(Law::A)),
            13 => Some(Kind::ComfortNoise),
            _ => None,
        }
    }
}

/// The keys of a peer whose packets are sealed now.
fn sealing(srtp: &mut Option<Box<Srtp>>) -> Option<&mut Srtp> {
    srtp.as_deref_mut().filter(|srtp| srtp.is_on())
}

fn tapped(tap: Tap, at: Mono, side: Side, law: Law, header: &Header) -> Tapped {
    Tapped { call: tap.call, leg: tap.leg, side, law, timestamp: header.timestamp, at }
}
