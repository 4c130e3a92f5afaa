//! A call's two media ports: whatever comes, audio goes to its two peers alone, as one stream of RTP each; strangers move nothing.
//!
//! A case is a line for each thing that happens: whose port, a colon, the packet in hexadecimal digits. In capitals it comes from
//! a stranger; `cr` and `sr` are the ports of RTCP. `t` lets milliseconds pass, other words are commands.

use super::work::counted;
use hotline::base::{LegId, MasterKey, Mono, Now, Rng, SrtpKeys, Suite, Wall};
use hotline::media::{Command, Config, Effect, Event, Law, Out, Profile, Prompt, Shard, Socket, Source, Srtp};
use rtp_rs::RtpReader;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const CALLER: LegId = LegId(1);
const SEAT: LegId = LegId(2);
/// No phone sends more in a datagram.
const LONGEST: usize = 1500;
/// Lines of a case that happen.
const MOST: usize = 400;

pub fn target(data: &[u8]) {
    let mut bench = Bench::new();
    for line in data.split(|b| *b == b'\n').take(MOST) {
        let (word, rest) = line.split_at(line.iter().position(|b| *b == b':').unwrap_or(line.len()));
        bench.line(std::str::from_utf8(word).unwrap_or_default().trim(), rest);
    }
    bench.pass(200);
    bench.ends();
}

struct Bench {
    shard: Shard,
    now: Now,
    out: Out,
    /// The stream that each leg was sent: its SSRC and the last sequence number.
    streams: BTreeMap<LegId, (u32, u16)>,
    /// The ends of those whose audio is sealed.
    sealed: BTreeMap<LegId, Srtp>,
    sent: usize,
    keys: usize,
}

impl Bench {
    fn new() -> Bench {
        let now = Now { mono: Mono(1_000_000), wall: Wall(1_700_000_000_000_000) };
        let shard = Shard::new(Config::default(), Rng::from_number(1));
        let mut bench =
            Bench { shard, now, out: Out::default(), streams: BTreeMap::new(), sealed: BTreeMap::new(), sent: 0, keys: 0 };
        for leg in [CALLER, SEAT] {
            bench.command(Command::Open { leg, rtp: local(leg), origins: Arc::default() });
            bench.command(Command::Profile { leg, profile: profile(leg), keys: None });
        }
        bench.command(Command::Play { leg: CALLER, source: Source::Relay(SEAT) });
        bench.command(Command::Play { leg: SEAT, source: Source::Relay(CALLER) });
        bench
    }

    fn line(&mut self, word: &str, rest: &[u8]) {
        let leg = if word.starts_with(['c', 'C']) { CALLER } else { SEAT };
        let play = |source| Command::Play { leg, source };
        match word {
            "c" | "s" => {
                let packet = self.says(leg, hex(rest));
                self.rtp(leg, peer(leg), packet);
            }
            "C" | "S" => self.strange(|bench| bench.rtp(leg, stranger(), hex(rest))),
            "cr" | "sr" => self.rtcp(leg, rtcp_peer(leg), &hex(rest)),
            "CR" | "SR" => self.strange(|bench| bench.rtcp(leg, stranger(), &hex(rest))),
            "t" => self.pass(number(rest).min(2_000)),
            "c-mix" | "s-mix" => self.command(play(Source::Mix([CALLER, SEAT].into()))),
            "c-relay" | "s-relay" => self.command(play(Source::Relay(if leg == CALLER { SEAT } else { CALLER }))),
            "c-ring" | "s-ring" => self.command(play(Source::Ringback)),
            "c-prompt" | "s-prompt" => {
                let audio = Prompt { name: "p".into(), version: "1".into(), a_law: vec![0xd5; 1600], mu_law: vec![0xff; 1600] };
                self.command(play(Source::Prompt { audio: Arc::new(audio), repeat: false, cue: 1 }));
            }
            "c-seal" | "s-seal" => self.seal(leg),
            "c-inband" | "s-inband" => self.command(Command::Inband { leg, on: true }),
            "c-capture" | "s-capture" => self.command(Command::Keys { leg, capture: true }),
            "c-key" | "s-key" => self.command(Command::SendKey { leg, key: rest.last().map_or('5', |b| char::from(*b)) }),
            _ => {}
        }
    }

    /// From now on the leg's audio is sealed, by the same keys each time.
    fn seal(&mut self, leg: LegId) {
        let suite = if leg == CALLER { Suite::Counter80 } else { Suite::Gcm256 };
        let (ours, theirs) = (MasterKey::new(suite, &[1; 46]), MasterKey::new(suite, &[2; 46]));
        let keys = Arc::new(SrtpKeys { suite, sent: ours, received: theirs });
        self.command(Command::Profile { leg, profile: profile(leg), keys: Some(keys) });
        let theirs = || Srtp::new(Arc::new(SrtpKeys { suite, sent: theirs, received: ours }));
        self.sealed.entry(leg).or_insert_with(theirs);
    }

    /// A packet as its phone sends it: one that it cannot seal goes as it is.
    fn says(&mut self, leg: LegId, packet: Vec<u8>) -> Vec<u8> {
        let Some(end) = self.sealed.get_mut(&leg) else { return packet };
        let mut out = packet.clone();
        end.seal(&mut out, 0).map_or(packet, |at| out.split_off(at))
    }

    fn command(&mut self, command: Command) {
        self.shard.handle(self.now, command, &mut self.out);
        self.take();
    }

    fn rtp(&mut self, leg: LegId, from: SocketAddr, mut packet: Vec<u8>) {
        let (relayed, work) = counted(|| self.shard.rtp(self.now, leg, &mut packet, from, &mut self.out));
        work.is_at_most(packet.len(), (64, 0), (64 << 10, 16));
        if let Some(relayed) = relayed {
            self.leaves(relayed.leg, Socket::Rtp, relayed.to, &packet[relayed.bytes]);
        }
        self.take();
    }

    fn rtcp(&mut self, leg: LegId, from: SocketAddr, packet: &[u8]) {
        let ((), work) = counted(|| self.shard.rtcp(self.now, leg, packet, from, &mut self.out));
        work.is_at_most(packet.len(), (64, 0), (64 << 10, 16));
        self.take();
    }

    /// Nothing is sent and no key is heard for a stranger's packet.
    fn strange(&mut self, act: impl FnOnce(&mut Bench)) {
        let before = (self.sent, self.keys);
        act(self);
        assert_eq!((self.sent, self.keys), before, "a stranger's packet moves something");
    }

    fn pass(&mut self, millis: u64) {
        let end = self.now.mono.after(Duration::from_millis(millis));
        while let Some(at) = self.shard.deadline().filter(|at| *at <= end) {
            // A deadline is never met by coming again at the same moment.
            self.now = self.now.after(at.since(self.now.mono).max(Duration::from_micros(1)));
            let sent = self.sent;
            self.shard.tick(self.now, &mut self.out);
            self.take();
            assert!(self.sent - sent <= 8, "{} packets at once", self.sent - sent);
        }
        self.now = self.now.after(end.since(self.now.mono));
    }

    fn ends(&mut self) {
        for leg in [CALLER, SEAT] {
            self.command(Command::Close { leg });
        }
        self.pass(100);
        assert!(self.shard.is_empty() && self.shard.deadline().is_none(), "something is left");
    }

    fn take(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        assert!(out.effects.len() <= 64 && out.bytes.len() <= 64 << 10, "{} effects", out.effects.len());
        for effect in &out.effects {
            match effect {
                Effect::Send { leg, socket, to, bytes } => self.leaves(*leg, *socket, *to, &out.bytes[bytes.clone()]),
                Effect::Event(Event::Key { .. }) => self.keys += 1,
                Effect::Connect { to, .. } => assert!(to.is_none_or(|to| to != stranger())),
                _ => {}
            }
        }
        out.clear();
        self.out = out;
    }

    /// One stream for the leg's life, to its own peer. What was lost or came twice on one side is so on the other, and no more.
    fn leaves(&mut self, leg: LegId, socket: Socket, to: SocketAddr, packet: &[u8]) {
        self.sent += 1;
        assert!(packet.len() <= LONGEST, "{} bytes", packet.len());
        let mut packet = packet.to_vec();
        if let Some(end) = self.sealed.get_mut(&leg) {
            let length = match socket {
                Socket::Rtcp => end.open_rtcp(&packet).map(<[u8]>::len),
                Socket::Rtp => end.open(&mut packet),
            };
            packet.truncate(length.expect("sealed, and by a number that was not used"));
        }
        if socket == Socket::Rtcp {
            return assert_eq!((to, packet[0] >> 6), (rtcp_peer(leg), 2));
        }
        assert_eq!(to, peer(leg));
        let rtp = RtpReader::new(&packet).unwrap_or_else(|e| panic!("{e:?}: {}", packet.escape_ascii()));
        let (ssrc, sequence) = (rtp.ssrc(), u16::from(rtp.sequence_number()));
        if let Some((before, last)) = self.streams.insert(leg, (ssrc, sequence)) {
            let step = sequence.wrapping_sub(last) as i16;
            assert!(ssrc == before && (-100..=3_000).contains(&step), "one stream: {last}, then {sequence}");
        }
    }
}

fn hex(digits: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = digits.iter().filter_map(|b| char::from(*b).to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).take(LONGEST).collect()
}

fn number(rest: &[u8]) -> u64 {
    rest.iter().filter(|b| b.is_ascii_digit()).take(4).fold(0, |n, b| n * 10 + u64::from(b - b'0'))
}

fn local(leg: LegId) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 10_000 + 2 * leg.0 as u16))
}

fn peer(leg: LegId) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, leg.0 as u8], 4000))
}

fn rtcp_peer(leg: LegId) -> SocketAddr {
    SocketAddr::new(peer(leg).ip(), 4001)
}

fn stranger() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 66], 4000))
}

fn profile(leg: LegId) -> Profile {
    Profile {
        rtp: Some(peer(leg)),
        rtcp: Some(rtcp_peer(leg)),
        rtcp_mux: false,
        law: if leg == CALLER { Law::A } else { Law::Mu },
        payload_type: if leg == CALLER { 8 } else { 0 },
        event_out: Some(101),
        event_in: [Some(101), None],
        ptime: 20,
        may_send: true,
        may_receive: true,
        trial: None,
    }
}
