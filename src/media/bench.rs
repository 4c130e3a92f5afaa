//! A shard under test, with two legs and a clock that jumps.

use super::*;
use crate::base::Wall;
use crate::media::Law;
use crate::media::out::{Socket, Tapped};
use rtp_rs::{RtpPacketBuilder, RtpReader};

pub(super) const CALLER: LegId = LegId(1);
pub(super) const SEAT: LegId = LegId(2);

/// A packet that left: from which leg, to where, what.
pub(super) type Sent = (LegId, Socket, SocketAddr, Vec<u8>);

/// A shard with a clock, and what came out of it.
pub(super) struct Bench {
    pub(super) shard: Shard,
    pub(super) now: Now,
    pub(super) sent: Vec<Sent>,
    pub(super) events: Vec<Event>,
    pub(super) connects: Vec<Option<SocketAddr>>,
    pub(super) taps: Vec<(Tapped, Vec<u8>)>,
}

impl Bench {
    pub(super) fn new() -> Bench {
        let shard = Shard::new(Config::default(), Rng::from_number(1));
        let now = Now { mono: Mono(1_000_000), wall: Wall(1_700_000_000_000_000) };
        let mut bench = Bench { shard, now, sent: Vec::new(), events: Vec::new(), connects: Vec::new(), taps: Vec::new() };
        for leg in [CALLER, SEAT] {
            bench.command(Command::Open { leg, rtp: local(leg), origins: Arc::default() });
            bench.command(Command::Profile { leg, profile: profile(leg), keys: None });
        }
        bench
    }

    pub(super) fn command(&mut self, command: Command) {
        let mut out = Out::default();
        self.shard.handle(self.now, command, &mut out);
        self.take(out);
    }

    /// The leg's port in another call.
    pub(super) fn reopen(&mut self, leg: LegId, origins: Origins) {
        self.command(Command::Close { leg });
        self.command(Command::Open { leg, rtp: local(leg), origins: Arc::new(origins) });
        self.command(Command::Profile { leg, profile: profile(leg), keys: None });
        self.events.clear();
    }

    pub(super) fn profile(&mut self, leg: LegId, change: impl FnOnce(&mut Profile)) {
        let mut profile = profile(leg);
        change(&mut profile);
        self.command(Command::Profile { leg, profile, keys: None });
    }

    pub(super) fn play(&mut self, leg: LegId, source: Source) {
        self.command(Command::Play { leg, source });
    }

    pub(super) fn relay_both(&mut self) {
        self.play(CALLER, Source::Relay(SEAT));
        self.play(SEAT, Source::Relay(CALLER));
    }

    pub(super) fn receive(&mut self, leg: LegId, from: SocketAddr, mut packet: Vec<u8>) {
        let mut out = Out::default();
        if let Some(relayed) = self.shard.rtp(self.now, leg, &mut packet, from, &mut out) {
            self.sent.push((relayed.leg, Socket::Rtp, relayed.to, packet[relayed.bytes].to_vec()));
        }
        self.take(out);
    }

    /// A receiver report of nobody (RFC 3550 §6.4.2).
    pub(super) fn rtcp(&mut self, leg: LegId, from: SocketAddr) {
        let mut out = Out::default();
        self.shard.rtcp(self.now, leg, &[0x80, 201, 0, 1, 0, 0, 0, 77], from, &mut out);
        self.take(out);
    }

    /// Lets time pass in steps of 1 ms.
    pub(super) fn pass(&mut self, millis: u64) {
        for _ in 0..millis {
            self.now = self.now.after(Duration::from_millis(1));
            let mut out = Out::default();
            self.shard.tick(self.now, &mut out);
            self.take(out);
        }
    }

    pub(super) fn take(&mut self, out: Out) {
        for effect in out.effects {
            match effect {
                Effect::Send { leg, socket, to, bytes } => self.sent.push((leg, socket, to, out.bytes[bytes].to_vec())),
                Effect::Event(event) => self.events.push(event),
                Effect::Connect { to, .. } => self.connects.push(to),
                Effect::Tapped { tapped, bytes } => self.taps.push((tapped, out.bytes[bytes].to_vec())),
                Effect::Bind { .. } | Effect::Unbind { .. } | Effect::Open { .. } | Effect::Close { .. } => {}
            }
        }
    }

    /// Takes the RTP packets that `leg` was sent so far.
    pub(super) fn rtp_to(&mut self, leg: LegId) -> Vec<Vec<u8>> {
        self.drain(leg, Socket::Rtp)
    }

    pub(super) fn drain(&mut self, leg: LegId, socket: Socket) -> Vec<Vec<u8>> {
        let (taken, kept) = std::mem::take(&mut self.sent).into_iter().partition(|s: &Sent| s.0 == leg && s.1 == socket);
        self.sent = kept;
        let taken: Vec<Sent> = taken;
        taken.into_iter().map(|s| s.3).collect()
    }

    pub(super) fn events(&mut self) -> String {
        std::mem::take(&mut self.events).iter().map(|event| format!("{event:?} ")).collect()
    }
}

pub(super) fn local(leg: LegId) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 10_000 + 2 * leg.0 as u16))
}

pub(super) fn peer(leg: LegId) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, leg.0 as u8], 4000))
}

pub(super) fn rtcp_peer(leg: LegId) -> SocketAddr {
    SocketAddr::new(peer(leg).ip(), 4001)
}

pub(super) fn profile(leg: LegId) -> Profile {
    Profile {
        rtp: Some(peer(leg)),
        rtcp: Some(rtcp_peer(leg)),
        rtcp_mux: false,
        law: Law::A,
        payload_type: 8,
        event_out: Some(100 + leg.0 as u8),
        event_in: [Some(100 + leg.0 as u8), None],
        ptime: 20,
        may_send: true,
        may_receive: true,
        trial: None,
    }
}

pub(super) fn packet(payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let builder = RtpPacketBuilder::new().payload_type(payload_type).ssrc(77);
    builder.sequence(sequence.into()).timestamp(timestamp).payload(payload).build().unwrap()
}

/// Twenty milliseconds of audio that nobody could make up.
pub(super) fn audio(seed: u8) -> Vec<u8> {
    (0..160u8).map(|i| i.wrapping_mul(31).wrapping_add(seed)).collect()
}

pub(super) fn tone(frames: usize) -> Arc<Prompt> {
    let samples: Vec<i16> = (0..frames * 160).map(|i| (i * 7) as i16).collect();
    Arc::new(Prompt::from_samples("tone", &samples))
}

/// Steps from packet to packet: (sequence, timestamp, marker); the SSRC must be one.
pub(super) fn steps(packets: &[Vec<u8>]) -> Vec<(i32, i32, bool)> {
    let read = |p: &Vec<u8>| {
        let r = RtpReader::new(p).unwrap();
        (r.sequence_number(), r.timestamp(), r.mark(), r.ssrc())
    };
    let step = |w: &[Vec<u8>]| {
        let (a, b) = (read(&w[0]), read(&w[1]));
        assert_eq!(a.3, b.3, "one SSRC for the leg's life");
        (b.0 - a.0, b.1.wrapping_sub(a.1) as i32, b.2)
    };
    packets.windows(2).map(step).collect()
}

pub(super) fn payloads(packets: &[Vec<u8>]) -> Vec<&[u8]> {
    packets.iter().map(|p| RtpReader::new(p).unwrap().payload()).collect()
}
