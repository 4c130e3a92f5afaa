use super::*;
use crate::base::Wall;
use crate::media::Law;
use crate::media::out::{Socket, Tapped};
use rtp_rs::{RtpPacketBuilder, RtpReader};
use std::collections::BTreeSet;

const CALLER: LegId = LegId(1);
const SEAT: LegId = LegId(2);

/// A packet that left: from which leg, to where, what.
type Sent = (LegId, Socket, SocketAddr, Vec<u8>);

/// A shard with a clock, and what came out of it.
pub(super) struct Bench {
    shard: Shard,
    now: Now,
    sent: Vec<Sent>,
    events: Vec<Event>,
    connects: Vec<Option<SocketAddr>>,
    pub(super) taps: Vec<(Tapped, Vec<u8>)>,
}

impl Bench {
    pub(super) fn new() -> Bench {
        let shard = Shard::new(Config::default(), Rng::from_number(1));
        let now = Now { mono: Mono(1_000_000), wall: Wall(1_700_000_000_000_000) };
        let mut bench = Bench { shard, now, sent: Vec::new(), events: Vec::new(), connects: Vec::new(), taps: Vec::new() };
        for leg in [CALLER, SEAT] {
            bench.command(Command::Open { leg, rtp: local(leg), origins: Arc::default() });
            bench.command(Command::Profile { leg, profile: profile(leg) });
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
        self.command(Command::Profile { leg, profile: profile(leg) });
        self.events.clear();
    }

    pub(super) fn profile(&mut self, leg: LegId, change: impl FnOnce(&mut Profile)) {
        let mut profile = profile(leg);
        change(&mut profile);
        self.command(Command::Profile { leg, profile });
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

    /// Lets time pass in steps of 1 ms.
    pub(super) fn pass(&mut self, millis: u64) {
        for _ in 0..millis {
            self.now = self.now.after(Duration::from_millis(1));
            let mut out = Out::default();
            self.shard.tick(self.now, &mut out);
            self.take(out);
        }
    }

    fn take(&mut self, out: Out) {
        for effect in out.effects {
            match effect {
                Effect::Send { leg, socket, to, bytes } => self.sent.push((leg, socket, to, out.bytes[bytes].to_vec())),
                Effect::Event(event) => self.events.push(event),
                Effect::Connect { to, .. } => self.connects.push(to),
                Effect::Tapped { tapped, bytes } => self.taps.push((tapped, out.bytes[bytes].to_vec())),
                Effect::Bind { .. } | Effect::Open { .. } | Effect::Close { .. } => {}
            }
        }
    }

    /// Takes the RTP packets that `leg` was sent so far.
    pub(super) fn rtp_to(&mut self, leg: LegId) -> Vec<Vec<u8>> {
        self.drain(leg, Socket::Rtp)
    }

    fn drain(&mut self, leg: LegId, socket: Socket) -> Vec<Vec<u8>> {
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

fn rtcp_peer(leg: LegId) -> SocketAddr {
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
    }
}

pub(super) fn packet(payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let builder = RtpPacketBuilder::new().payload_type(payload_type).ssrc(77);
    builder.sequence(sequence.into()).timestamp(timestamp).payload(payload).build().unwrap()
}

/// Twenty milliseconds of audio that nobody could make up.
fn audio(seed: u8) -> Vec<u8> {
    (0..160u8).map(|i| i.wrapping_mul(31).wrapping_add(seed)).collect()
}

fn tone(frames: usize) -> Arc<Prompt> {
    let samples: Vec<i16> = (0..frames * 160).map(|i| (i * 7) as i16).collect();
    Arc::new(Prompt::from_samples("tone", &samples))
}

/// Steps from packet to packet: (sequence, timestamp, marker); the SSRC must be one.
fn steps(packets: &[Vec<u8>]) -> Vec<(i32, i32, bool)> {
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

fn payloads(packets: &[Vec<u8>]) -> Vec<&[u8]> {
    packets.iter().map(|p| RtpReader::new(p).unwrap().payload()).collect()
}

#[test]
fn a_law_goes_through_byte_by_byte() {
    let mut b = Bench::new();
    b.relay_both();
    for i in 0..5u16 {
        b.receive(CALLER, peer(CALLER), packet(8, 65_533u16.wrapping_add(i), u32::from(i) * 160, &audio(i as u8)));
        b.receive(SEAT, peer(SEAT), packet(8, i, u32::from(i) * 160, &audio(100 + i as u8)));
        b.pass(20);
    }
    assert!(b.sent.iter().all(|(leg, _, to, _)| *to == peer(*leg)));
    let (seat, caller) = (b.rtp_to(SEAT), b.rtp_to(CALLER));
    assert_eq!(payloads(&seat), (0..5).map(audio).collect::<Vec<_>>());
    assert_eq!(payloads(&caller), (100..105).map(audio).collect::<Vec<_>>());
    assert_eq!(steps(&seat), [(1, 160, false); 4]);
    assert_ne!(RtpReader::new(&seat[0]).unwrap().ssrc(), 77);
    assert_eq!(b.connects, [Some(peer(CALLER)), Some(peer(SEAT))]);
}

#[test]
fn one_stream_across_prompt_relay_prompt() {
    let mut b = Bench::new();
    b.play(CALLER, Source::Prompt { audio: tone(3), repeat: false, cue: 9 });
    b.pass(80);
    assert_eq!(b.events(), "Played { leg: LegId(1), cue: 9 } ");
    b.relay_both();
    for i in 0..3 {
        b.receive(SEAT, peer(SEAT), packet(8, 500 + i, 7 + u32::from(i) * 160, &audio(1)));
        b.pass(20);
    }
    b.play(CALLER, Source::Ringback);
    b.pass(40);
    let packets = b.rtp_to(CALLER);
    let steps = steps(&packets);
    assert!(steps.iter().all(|(sequence, timestamp, _)| *sequence == 1 && *timestamp >= 160), "{steps:?}");
    let markers: Vec<usize> = (0..steps.len()).filter(|i| steps[*i].2).map(|i| i + 1).collect();
    assert_eq!(markers, [3, 6], "after three of the prompt, after three of the relay");
    assert_eq!(payloads(&packets)[..3].concat(), tone(3).a_law);
}

#[test]
fn laws_are_transcoded_and_payload_types_mapped() {
    let mut b = Bench::new();
    b.profile(SEAT, |p| (p.law, p.payload_type) = (Law::Mu, 0));
    b.relay_both();
    b.receive(CALLER, peer(CALLER), packet(8, 1, 0, &[0xD5, 0x2A, 0x80]));
    b.receive(SEAT, peer(SEAT), packet(0, 1, 0, &[0xFF, 0x00]));
    let (seat, caller) = (b.rtp_to(SEAT), b.rtp_to(CALLER));
    let mut expected = [0xD5, 0x2A, 0x80];
    Law::A.recode(Law::Mu, &mut expected);
    assert_eq!((payloads(&seat)[0], seat[0][1] & 0x7F), (&expected[..], 0));
    assert_eq!((payloads(&caller)[0], caller[0][1] & 0x7F), (&[0xD5, 0x2A][..], 8));
}

#[test]
fn prompts_come_in_the_legs_law_and_ptime() {
    let mut b = Bench::new();
    b.profile(CALLER, |p| (p.law, p.payload_type, p.ptime) = (Law::Mu, 0, 30));
    b.play(CALLER, Source::Prompt { audio: tone(4), repeat: false, cue: 1 });
    b.pass(200);
    let packets = b.rtp_to(CALLER);
    let mut expected = tone(4).mu_law.clone();
    expected.resize(3 * 240, 0xFF);
    assert_eq!(payloads(&packets).concat(), expected, "the last frame is filled up with silence");
    assert_eq!(steps(&packets), [(1, 240, false); 2]);
}

#[test]
fn music_repeats_without_a_seam() {
    let mut b = Bench::new();
    let music = Arc::new(Prompt::from_a_law("m", (0..200u8).collect()).unwrap());
    b.play(CALLER, Source::Prompt { audio: music.clone(), repeat: true, cue: 1 });
    b.pass(100);
    let packets = b.rtp_to(CALLER);
    let endless: Vec<u8> = music.a_law.iter().copied().cycle().take(packets.len() * 160).collect();
    assert_eq!((packets.len(), payloads(&packets).concat()), (5, endless));
    b.play(CALLER, Source::Silence);
    b.pass(100);
    assert_eq!((b.rtp_to(CALLER).len(), b.events()), (0, String::new()));
}

#[test]
fn streams_do_not_pile_up_when_a_prompt_is_replaced() {
    let mut b = Bench::new();
    for _ in 0..5 {
        b.play(CALLER, Source::Prompt { audio: tone(100), repeat: false, cue: 1 });
        b.play(CALLER, Source::Silence);
        b.play(CALLER, Source::Ringback);
    }
    b.pass(200);
    assert_eq!(b.rtp_to(CALLER).len(), 10);
}

#[test]
fn keys_are_told_once_and_passed_through() {
    let mut b = Bench::new();
    b.relay_both();
    b.receive(CALLER, peer(CALLER), packet(8, 1, 0, &audio(0)));
    for (i, duration) in [160u16, 320, 320, 320].into_iter().enumerate() {
        b.pass(20);
        let payload = [5, 0x8A, (duration >> 8) as u8, duration as u8];
        b.receive(CALLER, peer(CALLER), packet(101, 2 + i as u16, 160, &payload));
    }
    assert_eq!(b.events(), "Key { leg: LegId(1), key: '5' } ");
    let packets = b.rtp_to(SEAT);
    assert!(packets[1..].iter().all(|p| p[1] & 0x7F == 102), "the payload type of the other leg");
    assert_eq!(steps(&packets), [(1, 160, false), (1, 0, false), (1, 0, false), (1, 0, false)]);

    b.profile(SEAT, |p| p.event_out = None);
    b.receive(CALLER, peer(CALLER), packet(101, 6, 960, &[1, 10, 0, 160]));
    assert_eq!((b.rtp_to(SEAT).len(), b.events()), (0, "Key { leg: LegId(1), key: '1' } ".into()));
    b.receive(CALLER, peer(CALLER), packet(8, 7, 1120, &audio(0)));
    let next = b.rtp_to(SEAT);
    assert_eq!(steps(&[packets[4].clone(), next[0].clone()])[0].0, 1, "what is left out is no loss");
}

#[test]
fn comfort_noise_and_unknown_payloads_stay_here() {
    let mut b = Bench::new();
    b.relay_both();
    b.receive(CALLER, peer(CALLER), packet(13, 1, 0, &[40]));
    b.receive(CALLER, peer(CALLER), packet(96, 2, 0, &audio(0)));
    b.receive(CALLER, peer(CALLER), packet(8, 3, 0, &[]));
    b.receive(CALLER, peer(CALLER), b"OPTIONS sip:x SIP/2.0".to_vec());
    assert_eq!(b.rtp_to(SEAT).len(), 0);
}

#[test]
fn strangers_are_dropped_and_counted() {
    let mut b = Bench::new();
    b.relay_both();
    b.receive(CALLER, peer(CALLER), packet(8, 1, 0, &audio(0)));
    b.receive(CALLER, peer(SEAT), packet(8, 2, 0, &audio(0)));
    assert_eq!(b.rtp_to(SEAT).len(), 1);
    b.command(Command::Close { leg: CALLER });
    let Some(Event::Closed { stats, rtp, .. }) = b.events.pop() else { panic!() };
    assert_eq!((stats.received, stats.strangers, rtp), (1, 1, local(CALLER)));
}

#[test]
fn a_new_profile_moves_the_media() {
    let mut b = Bench::new();
    b.relay_both();
    b.receive(CALLER, peer(CALLER), packet(8, 1, 0, &audio(0)));
    let moved = SocketAddr::from(([203, 0, 113, 5], 6000));
    b.profile(CALLER, |p| p.rtp = Some(moved));
    assert_eq!(b.connects, [Some(peer(CALLER)), None]);
    b.receive(SEAT, peer(SEAT), packet(8, 1, 0, &audio(1)));
    b.receive(CALLER, moved, packet(8, 9000, 0, &audio(2)));
    b.receive(CALLER, peer(CALLER), packet(8, 2, 160, &audio(3)));
    assert_eq!(b.sent.iter().filter(|s| s.0 == CALLER).map(|s| s.2).collect::<Vec<_>>(), [moved]);
    let seat = b.rtp_to(SEAT);
    assert_eq!(payloads(&seat), [audio(0), audio(2)], "the old source is dropped");
    assert_eq!(steps(&seat)[0].0, 1, "its new numbering is closed up");
}

#[test]
fn behind_a_nat_media_goes_back_where_it_came_from() {
    for nat in [true, false] {
        let mut b = Bench::new();
        b.reopen(CALLER, Origins { networks: Vec::new(), nat });
        b.relay_both();
        let mapped = SocketAddr::from(([203, 0, 113, 9], 1234));
        let mut speak = |packets: std::ops::Range<u16>| {
            for i in packets {
                b.receive(CALLER, mapped, packet(8, i, u32::from(i) * 160, &audio(0)));
                b.receive(SEAT, peer(SEAT), packet(8, i, u32::from(i) * 160, &audio(1)));
                b.pass(20);
            }
            std::mem::take(&mut b.sent)
                .into_iter()
                .filter(|s| (s.0, s.1) == (CALLER, Socket::Rtp))
                .map(|s| s.2)
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(speak(0..10), BTreeSet::from([peer(CALLER)]), "nothing is sent to who may be anybody");
        speak(10..20);
        assert_eq!(speak(20..30), BTreeSet::from([if nat { mapped } else { peer(CALLER) }]));
        b.receive(CALLER, peer(CALLER), packet(8, 900, 0, &audio(0)));
        b.receive(SEAT, peer(SEAT), packet(8, 900, 0, &audio(1)));
        assert_eq!(b.sent.iter().find(|s| s.0 == CALLER).unwrap().2, peer(CALLER), "the SDP's address wins");
    }
}

#[test]
fn a_port_is_free_of_the_call_before() {
    let mut b = Bench::new();
    let phone = SocketAddr::new(peer(CALLER).ip(), 5999);
    b.relay_both();
    b.receive(CALLER, phone, packet(8, 1, 0, &audio(0)));
    assert_eq!(b.rtp_to(SEAT).len(), 1, "from another port of the SDP's host");
    b.reopen(CALLER, Origins { networks: Vec::new(), nat: true });
    b.relay_both();
    for i in 2..100 {
        b.receive(CALLER, phone, packet(8, i, u32::from(i) * 160, &audio(0)));
        b.pass(20);
    }
    assert_eq!(b.rtp_to(SEAT).len(), 0, "it goes on after its call");
    b.reopen(CALLER, Origins { networks: Vec::new(), nat: true });
    b.relay_both();
    b.shard.earlier(CALLER, &packet(8, 100, 0, &audio(0)), phone);
    b.receive(CALLER, phone, packet(8, 101, 160, &audio(0)));
    assert_eq!(b.rtp_to(SEAT).len(), 0, "it sent before the port had its call");
}

#[test]
fn a_socket_is_tied_to_the_sdp_address_until_it_falls_quiet() {
    let mut b = Bench::new();
    b.relay_both();
    let moved = SocketAddr::new(peer(CALLER).ip(), 5999);
    for i in 0..100 {
        b.receive(CALLER, peer(CALLER), packet(8, i, u32::from(i) * 160, &audio(0)));
        b.pass(20);
    }
    assert_eq!(b.connects, [Some(peer(CALLER))]);
    b.pass(250);
    assert_eq!(b.connects, [Some(peer(CALLER)), None], "the kernel must let others in");
    b.receive(CALLER, moved, packet(8, 100, 16_000, &audio(1)));
    assert_eq!(b.rtp_to(SEAT).len(), 101);
    assert_eq!(b.connects.len(), 2, "the SDP's address may come back");
    b.receive(CALLER, peer(CALLER), packet(8, 101, 16_160, &audio(0)));
    assert_eq!(b.connects[2..], [Some(peer(CALLER))]);
}

#[test]
fn an_ipv4_host_written_as_ipv6_is_that_host() {
    let mut b = Bench::new();
    b.relay_both();
    let mapped = SocketAddr::new("::ffff:198.51.100.1".parse().unwrap(), 4000);
    b.profile(CALLER, |p| (p.rtp, p.rtcp) = (Some(mapped), Some(mapped)));
    b.receive(CALLER, peer(CALLER), packet(8, 1, 0, &audio(0)));
    b.receive(SEAT, peer(SEAT), packet(8, 1, 0, &audio(0)));
    assert_eq!(b.connects[0], Some(peer(CALLER)));
    assert_eq!(b.sent.iter().find(|s| s.0 == CALLER).unwrap().2, peer(CALLER));
}

#[test]
fn ringback_gives_way_to_what_the_ringing_network_says() {
    let mut b = Bench::new();
    b.play(CALLER, Source::Early(SEAT));
    b.pass(400);
    let ringing = b.rtp_to(CALLER);
    assert_eq!(ringing.len(), 20, "ringback until something flows");
    let mut all = ringing;
    for i in 0..100u16 {
        b.receive(SEAT, peer(SEAT), packet(8, i, u32::from(i) * 160, &audio(i as u8)));
        b.pass(20);
        let heard = b.rtp_to(CALLER);
        assert_eq!(payloads(&heard), [audio(i as u8)], "and nothing beside it");
        all.extend(heard);
    }
    b.pass(4900);
    assert_eq!(b.rtp_to(CALLER).len(), 0, "the pause between two tones");
    b.pass(1000);
    let again = b.rtp_to(CALLER);
    assert!((40..=50).contains(&again.len()), "it has stopped: {}", again.len());
    all.extend(again);
    b.receive(SEAT, peer(SEAT), packet(8, 100, 50_000, &audio(7)));
    b.receive(SEAT, peer(SEAT), packet(102, 101, 50_160, &[5, 0x8A, 3, 32]));
    b.play(CALLER, Source::Relay(SEAT));
    b.receive(SEAT, peer(SEAT), packet(8, 102, 50_320, &audio(8)));
    let answered = b.rtp_to(CALLER);
    assert_eq!(payloads(&answered), [audio(7), audio(8)]);
    all.extend(answered);
    assert!(steps(&all).iter().all(|(sequence, timestamp, _)| *sequence == 1 && *timestamp >= 160), "one stream");
}

#[test]
fn comfort_noise_and_strangers_are_no_early_media() {
    let mut b = Bench::new();
    b.play(CALLER, Source::Early(SEAT));
    for i in 0..20u16 {
        b.receive(SEAT, peer(SEAT), packet(13, i, u32::from(i) * 160, &[40]));
        b.receive(SEAT, peer(CALLER), packet(8, i, u32::from(i) * 160, &audio(0)));
        b.pass(20);
    }
    assert_eq!(b.rtp_to(CALLER).len(), 20);
}

#[test]
fn hold_is_obeyed_in_both_directions() {
    let mut b = Bench::new();
    b.relay_both();
    b.profile(SEAT, |p| (p.may_send, p.may_receive) = (false, false));
    b.receive(CALLER, peer(CALLER), packet(8, 1, 0, &audio(0)));
    b.receive(SEAT, peer(SEAT), packet(8, 1, 0, &audio(0)));
    b.play(SEAT, Source::Prompt { audio: tone(2), repeat: false, cue: 4 });
    b.pass(60);
    assert!(b.sent.is_empty());
    assert_eq!(b.events(), "Played { leg: LegId(2), cue: 4 } ", "a prompt ends although nobody hears it");
    b.profile(SEAT, |p| p.rtp = None);
    b.play(SEAT, Source::Ringback);
    b.pass(60);
    assert!(b.sent.is_empty());
}

#[test]
fn an_empty_prompt_is_over_at_once() {
    let mut b = Bench::new();
    let empty = || Arc::new(Prompt::from_samples("", &[]));
    b.play(CALLER, Source::Prompt { audio: empty(), repeat: false, cue: 4 });
    b.play(CALLER, Source::Prompt { audio: empty(), repeat: true, cue: 5 });
    assert_eq!(b.events(), "Played { leg: LegId(1), cue: 4 } ");
}

#[test]
fn silence_is_seen_and_its_end() {
    let mut b = Bench::new();
    b.profile(SEAT, |p| p.may_receive = false);
    for i in 0..100u16 {
        b.receive(CALLER, peer(CALLER), packet(8, i, u32::from(i) * 160, &audio(0)));
        b.pass(20);
    }
    b.pass(4900);
    assert_eq!(b.events(), "");
    b.pass(200);
    assert_eq!(b.events(), "Silent { leg: LegId(1) } ", "and the seat may not send, so it is not missed");
    b.pass(20_000);
    assert_eq!(b.events(), "", "said once");
    b.receive(CALLER, peer(CALLER), packet(8, 100, 16_000, &audio(0)));
    assert_eq!(b.events(), "Heard { leg: LegId(1) } ");
    b.pass(5000);
    assert_eq!(b.events(), "Silent { leg: LegId(1) } ");
}

/// A receiver report of the peer of `leg`, which lost `lost` packets of `about`.
fn peer_report(about: u32, lost: u8) -> Vec<u8> {
    let mut bytes = vec![0x81, 201, 0, 7, 0, 0, 0, 77];
    bytes.extend(about.to_be_bytes());
    bytes.extend([0, 0, 0, lost]);
    bytes.extend([0; 16]);
    bytes
}

#[test]
fn rtcp_keeps_a_leg_alive() {
    let mut b = Bench::new();
    for _ in 0..6 {
        b.pass(4000);
        let mut out = Out::default();
        b.shard.rtcp(b.now, CALLER, &peer_report(1, 0), rtcp_peer(CALLER), &mut out);
    }
    assert_eq!(b.events(), "Silent { leg: LegId(2) } ");
}

#[test]
fn reports_are_made_and_read() {
    let mut b = Bench::new();
    b.relay_both();
    for i in 0..500u16 {
        if i % 10 != 5 {
            b.receive(CALLER, peer(CALLER), packet(8, i, u32::from(i) * 160, &audio(0)));
        }
        b.receive(SEAT, peer(SEAT), packet(8, i, u32::from(i) * 160, &audio(0)));
        b.pass(20);
    }
    let media = b.rtp_to(CALLER);
    let reports = b.drain(CALLER, Socket::Rtcp);
    assert!((1..=4).contains(&reports.len()), "{} in 10 s", reports.len());
    let report = &reports[0];
    let ssrc = RtpReader::new(&media[0]).unwrap().ssrc();
    assert_eq!((report[0], report[1], &report[4..8]), (0x81, 200, &ssrc.to_be_bytes()[..]));
    let packets = u32::from_be_bytes(report[20..24].try_into().unwrap());
    let octets = u32::from_be_bytes(report[24..28].try_into().unwrap());
    assert!((100..=500).contains(&packets) && octets == packets * 160);
    assert_eq!((&report[28..32], report[32]), (&[0, 0, 0, 77][..], 25), "a tenth of 256 was lost");

    let mut out = Out::default();
    b.shard.rtcp(b.now, CALLER, &peer_report(ssrc, 3), rtcp_peer(CALLER), &mut out);
    b.shard.rtcp(b.now, CALLER, &peer_report(ssrc, 99), peer(SEAT), &mut out);
    b.command(Command::Close { leg: CALLER });
    let bye = b.drain(CALLER, Socket::Rtcp).pop().unwrap();
    assert_eq!(bye[bye.len() - 8..], [&[0x81, 203, 0, 1][..], &ssrc.to_be_bytes()].concat());
    let Some(Event::Closed { stats, .. }) = b.events.pop() else { panic!() };
    assert_eq!((stats.received, stats.sent, stats.lost, stats.peer_lost, stats.strangers), (450, 500, 50, 3, 1));
}

#[test]
fn rtcp_shares_the_port_when_agreed() {
    let mut b = Bench::new();
    b.profile(CALLER, |p| (p.rtcp_mux, p.rtcp) = (true, None));
    b.relay_both();
    b.receive(SEAT, peer(SEAT), packet(8, 1, 0, &audio(0)));
    let ssrc = RtpReader::new(&b.rtp_to(CALLER)[0]).unwrap().ssrc();
    b.receive(CALLER, peer(CALLER), peer_report(ssrc, 7));
    b.pass(7600);
    let reports = b.rtp_to(CALLER);
    assert!(reports.iter().all(|p| is_rtcp(p)) && !reports.is_empty());
    b.command(Command::Close { leg: CALLER });
    let Some(Event::Closed { stats, .. }) = b.events.pop() else { panic!() };
    assert_eq!(stats.peer_lost, 7);
}

#[test]
fn nothing_is_left_of_a_closed_leg() {
    let mut b = Bench::new();
    b.relay_both();
    b.play(CALLER, Source::Ringback);
    b.command(Command::Close { leg: CALLER });
    b.command(Command::Close { leg: CALLER });
    b.receive(SEAT, peer(SEAT), packet(8, 1, 0, &audio(0)));
    b.command(Command::Close { leg: SEAT });
    b.pass(100);
    assert_eq!((b.shard.len(), b.shard.deadline()), (0, None));
    assert_eq!(b.events.iter().filter(|e| matches!(e, Event::Closed { .. })).count(), 2);
}

#[test]
fn a_report_is_a_senders_only_while_it_sends() {
    let mut b = Bench::new();
    b.play(CALLER, Source::Prompt { audio: tone(5), repeat: false, cue: 1 });
    b.pass(30_000);
    let kinds: Vec<u8> = b.drain(CALLER, Socket::Rtcp).iter().map(|report| report[1]).collect();
    assert!(kinds.len() >= 4 && kinds[0] == 200 && kinds[1..].iter().all(|kind| *kind == 201), "{kinds:?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    /// Whatever arrives, on either socket: no panic, and nothing but well-formed RTP leaves.
    #[test]
    fn hostile_packets_do_no_harm(packets in proptest::collection::vec((0u8..4, 0u8..6, proptest::collection::vec(0u8.., 0..64)), 1..40)) {
        let mut b = Bench::new();
        b.profile(CALLER, |p| p.rtcp_mux = true);
        b.relay_both();
        for (flags, kind, rest) in packets {
            let first = [0x80, 0x90, 0xA0, 0x8F][usize::from(flags)];
            let second = [8, 0x88, 101, 13, 200, 201][usize::from(kind)];
            let bytes = [&[first, second][..], &rest].concat();
            let mut out = Out::default();
            b.shard.rtcp(b.now, SEAT, &bytes, rtcp_peer(SEAT), &mut out);
            b.receive(CALLER, peer(CALLER), bytes);
            b.pass(7);
        }
        for (leg, socket, _, bytes) in &b.sent {
            if *socket == Socket::Rtp && !(*leg == CALLER && is_rtcp(bytes)) {
                let read = RtpReader::new(bytes).unwrap();
                proptest::prop_assert!([8, 101, 102].contains(&read.payload_type()) && read.payload_offset() == 12);
            }
        }
    }
}
