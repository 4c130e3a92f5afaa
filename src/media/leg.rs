//! One leg: what it hears, what it is sent, its RTCP.

use crate::base::{LegId, Mono, Now, Rng};
use crate::media::egress::Egress;
use crate::media::keys::Keys;
use crate::media::latch::{Latch, Verdict};
use crate::media::mixer::{self, Limiter};
use crate::media::out::{Effect, Out, Socket};
use crate::media::reception::Reception;
use crate::media::rtcp::{self, LastReport, Sent};
use crate::media::rtp::Packet;
use crate::media::voice::Voice;
use crate::media::{Event, Law, Profile, Prompt, Stats};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

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
    latch: Latch,
    egress: Egress,
    reception: Reception,
    keys: Keys,
    limiter: Limiter,
    strangers: u64,
    sent: u64,
    octets: u64,
    cname: String,
    /// Where the peer's RTCP comes from, once seen.
    rtcp_source: Option<SocketAddr>,
    last_report: Option<LastReport>,
    sent_at_report: u64,
    peer_lost: i64,
}

/// What the leg is sent at this moment.
pub(super) enum Playing {
    Silence,
    Prompt { audio: Arc<Prompt>, at: usize, repeat: bool, cue: Option<u32> },
    Relay(LegId),
    Mix(Arc<[LegId]>),
}

/// Whom a leg hears.
#[derive(Clone)]
pub(super) enum Hears {
    Nobody,
    Relay(LegId),
    Mix(Arc<[LegId]>),
}

/// What a packet carries, by its payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Audio(Law),
    Key,
    /// RFC 3389: shows that the peer lives, and is not passed on.
    ComfortNoise,
}

impl Leg {
    pub fn new(now: Mono, id: LegId, rtp: SocketAddr, rng: &mut Rng) -> Leg {
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
            latch: Latch::default(),
            egress: Egress::new(rng),
            reception: Reception::default(),
            keys: Keys::default(),
            limiter: Limiter::default(),
            strangers: 0,
            sent: 0,
            octets: 0,
            cname: rng.token(),
            rtcp_source: None,
            last_report: None,
            sent_at_report: 0,
            peer_lost: 0,
        }
    }

    /// A new profile: the source is learned anew, and the socket must hear everyone for that.
    pub fn set_profile(&mut self, now: Mono, profile: Profile, out: &mut Out) {
        if self.latch.settled() {
            out.push(Effect::Connect { leg: self.id, to: None });
        }
        self.latch.reopen(profile.rtp);
        self.rtcp_source = None;
        self.heard = now;
        self.profile = Some(profile);
    }

    pub fn play(&mut self, playing: Playing) {
        // Who comes or goes in a mix is no change of its stream.
        if !matches!((&self.playing, &playing), (Playing::Mix(_), Playing::Mix(_))) {
            self.egress.rest();
        }
        self.playing = playing;
    }

    /// Judges and counts a packet from the network; none: it is not taken.
    pub fn receive(&mut self, now: Mono, bytes: &[u8], from: SocketAddr, out: &mut Out) -> Option<(Packet, Kind)> {
        let profile = self.profile.as_ref().filter(|profile| profile.may_receive)?;
        let packet = Packet::read(bytes)?;
        let kind = profile.kind(packet.header.payload_type)?;
        match self.latch.packet(now, from) {
            Verdict::Take => {}
            Verdict::Settle => out.push(Effect::Connect { leg: self.id, to: Some(from) }),
            Verdict::Stranger => {
                self.strangers += 1;
                return None;
            }
        }
        self.reception.packet(now, &packet.header, matches!(kind, Kind::Audio(_)));
        if kind == Kind::Key {
            let header = &packet.header;
            if let Some(key) = self.keys.packet(header.ssrc, header.timestamp, &bytes[packet.payload.clone()]) {
                out.event(Event::Key { leg: self.id, key });
            }
        }
        if let (Kind::Audio(law), Some(voice)) = (kind, &mut self.voice) {
            voice.write(&packet.header, law, &bytes[packet.payload.clone()]);
        }
        Some((packet, kind))
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
        if !matches!(self.playing, Playing::Relay(source) if source == from) {
            return None;
        }
        let Some((profile, to)) = self.sendable() else {
            self.egress.rest();
            return None;
        };
        let samples = packet.payload.len() as u32;
        let payload_type = match kind {
            Kind::Audio(law) if samples > 0 => {
                law.recode(profile.law, &mut bytes[packet.payload.clone()]);
                Some(profile.payload_type)
            }
            Kind::Key => profile.event_out,
            Kind::Audio(_) | Kind::ComfortNoise => None,
        };
        let Some(payload_type) = payload_type else {
            self.egress.skip(now, &packet.header);
            return None;
        };
        let event = kind == Kind::Key;
        let header = self.egress.relayed(now, &packet.header, payload_type, if event { 0 } else { samples }, event)?;
        let range = header.write_before(bytes, packet.payload)?;
        self.count_sent(samples);
        Some((to, range))
    }

    /// Sends one frame of the prompt and moves on in it, also while nothing may be sent: a prompt lasts as long as it
    /// lasts. Gives whether there is more.
    pub fn frame(&mut self, now: Mono, out: &mut Out) -> bool {
        let ptime = self.ptime();
        let sendable = self.sendable();
        let Playing::Prompt { audio, at, repeat, cue } = &mut self.playing else { return false };
        let samples = usize::from(ptime) * 8;
        let (start, cue) = (*at, *cue);
        let codes = audio.codes(sendable.map_or(Law::A, |(profile, _)| profile.law));
        let more = *repeat || start + samples < codes.len();
        *at = if *repeat { (start + samples) % codes.len().max(1) } else { start + samples };
        if let Some((profile, to)) = sendable {
            let packet = out.bytes.len();
            let header = self.egress.own(now, profile.payload_type, samples as u32);
            out.bytes.extend_from_slice(&header.bytes());
            append_frame(&mut out.bytes, codes, start, samples, *repeat, profile.law);
            out.send_since(packet, self.id, Socket::Rtp, to);
            self.count_sent(samples as u32);
        } else {
            self.egress.rest();
        }
        if !more {
            self.play(Playing::Silence);
            out.effects.extend(cue.map(|cue| Effect::Event(Event::Played { leg: self.id, cue })));
        }
        more
    }

    /// Sends one frame of what the leg's sources said together.
    pub fn mixed(&mut self, now: Mono, sum: &mut [i32], out: &mut Out) {
        self.limiter.limit(sum);
        let Some((profile, to)) = self.sendable() else {
            self.egress.rest();
            return;
        };
        let packet = out.bytes.len();
        let header = self.egress.own(now, profile.payload_type, sum.len() as u32);
        out.bytes.extend_from_slice(&header.bytes());
        mixer::encode(sum, profile.law, &mut out.bytes);
        out.send_since(packet, self.id, Socket::Rtp, to);
        self.count_sent(sum.len() as u32);
    }

    pub fn ptime(&self) -> u8 {
        self.profile.as_ref().map_or(20, |profile| profile.ptime).clamp(10, 60)
    }

    /// Reads the peer's RTCP; false: it is none, or not the peer's.
    pub fn receive_rtcp(&mut self, now: Mono, bytes: &[u8], from: SocketAddr) -> bool {
        let Some(profile) = &self.profile else { return false };
        // Its port may be anyone's behind a NAT; its host is the one that RTP comes from.
        let known = [self.latch.destination(), profile.rtp, profile.rtcp];
        if !known.iter().flatten().any(|peer| peer.ip() == from.ip()) {
            self.strangers += 1;
            return false;
        }
        let Some(received) = rtcp::read(bytes, self.egress.ssrc()) else { return false };
        self.rtcp_source = Some(from);
        if let Some(ntp) = received.ntp {
            self.last_report = Some(LastReport { ntp, at: now });
        }
        self.peer_lost = received.lost.map_or(self.peer_lost, i64::from);
        true
    }

    /// Sends a report, and with it a BYE when the leg ends (RFC 3550 §6.3.7).
    pub fn report(&mut self, now: Now, bye: bool, out: &mut Out) {
        let Some((socket, to)) = self.rtcp_destination() else { return };
        let start = out.bytes.len();
        let sent = (self.sent > self.sent_at_report).then(|| Sent {
            ntp: rtcp::ntp(now.wall),
            timestamp: self.egress.timestamp_at(now.mono),
            packets: self.sent as u32,
            octets: self.octets as u32,
        });
        self.sent_at_report = self.sent;
        let heard = self.reception.quality().map(|quality| (quality, self.last_report));
        rtcp::write_report(&mut out.bytes, now.mono, self.egress.ssrc(), sent, heard, &self.cname);
        if bye {
            rtcp::write_bye(&mut out.bytes, self.egress.ssrc());
        }
        out.send_since(start, self.id, socket, to);
    }

    pub fn stats(&self) -> Stats {
        Stats {
            received: self.reception.total(),
            sent: self.sent,
            lost: self.reception.lost(),
            jitter_ms: self.reception.jitter_ms(),
            peer_lost: self.peer_lost,
            strangers: self.strangers,
        }
    }

    /// The profile and the address, if anything may be sent.
    fn sendable(&self) -> Option<(Profile, SocketAddr)> {
        let profile = self.profile.filter(|profile| profile.may_send && profile.rtp.is_some())?;
        Some((profile, self.latch.destination()?))
    }

    fn rtcp_destination(&self) -> Option<(Socket, SocketAddr)> {
        let profile = self.profile.as_ref()?;
        profile.rtp?;
        if profile.rtcp_mux {
            return Some((Socket::Rtp, self.latch.destination()?));
        }
        Some((Socket::Rtcp, self.rtcp_source.or(profile.rtcp)?))
    }

    fn count_sent(&mut self, octets: u32) {
        self.sent += 1;
        self.octets += u64::from(octets);
    }
}

impl Playing {
    pub fn hears(&self) -> Hears {
        match self {
            Playing::Silence | Playing::Prompt { .. } => Hears::Nobody,
            Playing::Relay(from) => Hears::Relay(*from),
            Playing::Mix(sources) => Hears::Mix(sources.clone()),
        }
    }
}

impl Hears {
    pub fn sources(&self) -> &[LegId] {
        match self {
            Hears::Nobody => &[],
            Hears::Relay(from) => std::slice::from_ref(from),
            Hears::Mix(sources) => sources,
        }
    }

    pub fn relays(&self, leg: LegId) -> bool {
        matches!(self, Hears::Relay(from) if *from == leg)
    }

    pub fn mixes(&self, leg: LegId) -> bool {
        matches!(self, Hears::Mix(sources) if sources.contains(&leg))
    }
}

impl Profile {
    /// Both laws are understood whatever was agreed: their payload types are fixed (RFC 3551 §6), and some phones answer
    /// with both and change between them.
    fn kind(&self, payload_type: u8) -> Option<Kind> {
        match payload_type {
            pt if pt == self.payload_type => Some(Kind::Audio(self.law)),
            pt if Some(pt) == self.event_in => Some(Kind::Key),
            0 => Some(Kind::Audio(Law::Mu)),
            8 => Some(Kind::Audio(Law::A)),
            13 => Some(Kind::ComfortNoise),
            _ => None,
        }
    }
}

/// Appends `samples` codes from `start` on; the end is followed by the beginning, or by silence.
fn append_frame(out: &mut Vec<u8>, codes: &[u8], start: usize, samples: usize, repeat: bool, law: Law) {
    let end = out.len() + samples;
    let mut from = codes.get(start..).unwrap_or_default();
    while out.len() < end && !from.is_empty() {
        let take = from.len().min(end - out.len());
        out.extend_from_slice(&from[..take]);
        from = if repeat { codes } else { &[] };
    }
    out.resize(end, law.silence());
}
