use super::*;
use crate::base::trap::{self, Trap};
use crate::media::{Law, Profile, Prompt, Source};
use rtp_rs::{RtpPacketBuilder, RtpReader};
use std::net::UdpSocket;
use std::sync::atomic::AtomicU16;

/// A shard thread, what it told, and two phones.
struct Bench {
    shard: ShardHandle,
    events: Receiver<Event>,
    phones: [UdpSocket; 2],
    ports: Vec<SocketAddr>,
}

impl Bench {
    /// Two open legs.
    fn new() -> Bench {
        Bench::telling(|_| {})
    }

    /// `told` is called in the shard's thread with each event.
    fn telling(mut told: impl FnMut(&Event) + Send + 'static) -> Bench {
        let (tell, events) = bounded(100);
        let events_told = move |event| {
            told(&event);
            tell.send(event).unwrap();
        };
        let shard = start(0, Config::default(), Rng::from_number(1), events_told).unwrap();
        let mut bench = Bench { shard, events, phones: [phone(), phone()], ports: Vec::new() };
        while bench.ports.len() < 2 {
            bench.ports.extend(bench.try_bind(free_port()));
        }
        for leg in 0..2 {
            bench.shard.send(Command::Open { leg: LegId(leg), rtp: bench.ports[leg as usize], origins: Arc::default() });
            bench.profile(leg, bench.phones[leg as usize].local_addr().unwrap());
        }
        bench
    }

    fn event(&self) -> Event {
        self.events.recv_timeout(Duration::from_secs(5)).unwrap()
    }

    fn try_bind(&self, rtp: SocketAddr) -> Option<SocketAddr> {
        self.shard.send(Command::Bind { rtp });
        match self.event() {
            Event::Bound { rtp } => Some(rtp),
            Event::PortBusy { .. } => None,
            other => panic!("{other:?}"),
        }
    }

    fn profile(&self, leg: u64, rtp: SocketAddr) {
        let profile = Profile {
            rtp: Some(rtp),
            rtcp: None,
            rtcp_mux: false,
            law: Law::A,
            payload_type: 8,
            event_out: None,
            event_in: [None; 2],
            ptime: 20,
            may_send: true,
            may_receive: true,
            trial: None,
        };
        self.shard.send(Command::Profile { leg: LegId(leg), profile, keys: None });
    }

    fn relay(&self) {
        for (leg, other) in [(0, 1), (1, 0)] {
            self.shard.send(Command::Play { leg: LegId(leg), source: Source::Relay(LegId(other)) });
        }
        self.settled();
    }

    /// Answered, so that what was sent before has been taken.
    fn settled(&self) {
        self.shard.send(Command::Bind { rtp: self.ports[1] });
        assert!(matches!(self.event(), Event::PortBusy { .. }));
    }

    fn speak(&self, phone: usize, sequence: u16, payload: &[u8]) {
        let builder = RtpPacketBuilder::new().payload_type(8).ssrc(phone as u32).sequence(sequence.into());
        let packet = builder.timestamp(u32::from(sequence) * 160).payload(payload).build().unwrap();
        self.phones[phone].send_to(&packet, self.ports[phone]).unwrap();
    }

    fn hear(&self, phone: usize) -> (u16, Vec<u8>) {
        let mut buffer = [0; 2000];
        let (length, from) = self.phones[phone].recv_from(&mut buffer).unwrap();
        assert_eq!(from, self.ports[phone]);
        let packet = RtpReader::new(&buffer[..length]).unwrap();
        (packet.sequence_number().into(), packet.payload().to_vec())
    }
}

fn phone() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

/// An even port that no other test and no other run has: of a loopback address of this process, below the system's ephemeral ports.
fn free_port() -> SocketAddr {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    ([127, 77, high, low], 10_000 + 2 * TAKEN.fetch_add(1, Ordering::Relaxed)).into()
}

fn audio(seed: u16) -> Vec<u8> {
    (0..160).map(|i: u16| (i * 31 + seed * 7) as u8).collect()
}

#[test]
fn voice_goes_both_ways_byte_by_byte() {
    let b = Bench::new();
    b.relay();
    let mut sequences = Vec::new();
    for i in 0..50 {
        b.speak(0, i, &audio(i));
        b.speak(1, i, &audio(1000 + i));
        let (sequence, payload) = b.hear(1);
        sequences.push(sequence);
        assert_eq!((payload, b.hear(0).1), (audio(i), audio(1000 + i)));
    }
    assert!(sequences.windows(2).all(|w| w[1] == w[0].wrapping_add(1)));
    for leg in 0..2 {
        b.shard.send(Command::Close { leg: LegId(leg) });
        let Event::Closed { stats, rtp, .. } = b.event() else { panic!() };
        assert_eq!((stats.received, stats.sent, stats.lost, rtp), (50, 50, 0, b.ports[leg as usize]));
        assert_eq!(b.try_bind(rtp), Some(rtp), "its port is free again");
    }
}

#[test]
fn a_phone_that_moves_is_followed() {
    let mut b = Bench::new();
    b.relay();
    b.speak(0, 1, &audio(1));
    assert_eq!(b.hear(1).1, audio(1));
    let stranger = phone();
    stranger.send_to(&[0x80, 8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3], b.ports[0]).unwrap();
    // A packet that came before the change is dealt with before the change.
    b.speak(0, 2, &audio(4));
    assert_eq!(b.hear(1).1, audio(4), "and the stranger was not let in");
    b.phones[0] = phone();
    b.profile(0, b.phones[0].local_addr().unwrap());
    b.relay();
    b.speak(0, 5000, &audio(2));
    assert_eq!(b.hear(1).1, audio(2));
    b.speak(1, 1, &audio(3));
    assert_eq!(b.hear(0).1, audio(3));
}

#[test]
fn a_phone_whose_port_moves_is_followed_once_the_old_one_is_quiet() {
    let mut b = Bench::new();
    b.relay();
    b.speak(0, 1, &audio(1));
    assert_eq!(b.hear(1).1, audio(1));
    let described = std::mem::replace(&mut b.phones[0], phone());
    b.phones[1].set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let heard = |b: &Bench| b.phones[1].recv(&mut [0; 2000]).is_ok();
    // The socket was tied to the old port: it must be untied for the new one to be heard.
    let found = (2..250).find(|i| {
        b.speak(0, *i, &audio(2));
        heard(&b)
    });
    assert!(found.is_some_and(|i| i > 5), "{found:?}");
    b.phones[0] = described;
    b.phones[1].set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    b.speak(0, 500, &audio(3));
    assert_eq!(b.hear(1).1, audio(3), "and the port that the SDP names has the leg back at once");
}

#[test]
fn who_sent_before_the_port_had_its_call_is_not_joined_to_it() {
    let mut b = Bench::new();
    let mut at = free_port();
    while b.try_bind(at).is_none() {
        at = free_port();
    }
    let late = phone();
    let packet = |sequence: u8| [&[0x80, 8, 0, sequence, 0, 0, 0, 0, 0, 0, 0, 99][..], &[0xD5; 160]].concat();
    late.send_to(&packet(1), at).unwrap();
    assert!(matches!(b.event(), Event::Disturbed { rtp } if rtp == at));
    assert!(UdpSocket::bind(at).is_ok(), "nobody is there for who still sends");
    b.ports[0] = at;
    b.shard.send(Command::Open { leg: LegId(7), rtp: at, origins: Arc::default() });
    let described = phone();
    b.profile(7, described.local_addr().unwrap());
    b.shard.send(Command::Play { leg: LegId(1), source: Source::Relay(LegId(7)) });
    b.settled();
    late.send_to(&packet(2), at).unwrap();
    let spoken = [&[0x80, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5][..], &audio(5)].concat();
    described.send_to(&spoken, at).unwrap();
    assert_eq!(b.hear(1).1, audio(5));
}

#[test]
fn a_phone_that_speaks_before_the_thread_has_time_for_its_call_is_heard() {
    // The thread stands still among commands, or between its turns.
    for among_commands in [true, false] {
        let (stands, standing) = bounded(1);
        let (go_on, going) = bounded(1);
        let mut once = true;
        let mut b = Bench::telling(move |event| {
            let stops =
                if among_commands { matches!(event, Event::PortBusy { .. }) } else { matches!(event, Event::Played { .. }) };
            if stops && std::mem::take(&mut once) {
                stands.send(()).unwrap();
                going.recv().unwrap();
            }
        });
        let mut at = free_port();
        while b.try_bind(at).is_none() {
            at = free_port();
        }
        let audio_of = Arc::new(Prompt::from_a_law("p", audio(1)).unwrap());
        b.shard.send(match among_commands {
            true => Command::Bind { rtp: b.ports[1] },
            false => Command::Play { leg: LegId(0), source: Source::Prompt { audio: audio_of, repeat: false, cue: 1 } },
        });
        standing.recv().unwrap();
        b.shard.send(Command::Open { leg: LegId(7), rtp: at, origins: Arc::default() });
        let (described, speaks) = (phone(), phone());
        b.profile(7, described.local_addr().unwrap());
        b.shard.send(Command::Play { leg: LegId(1), source: Source::Relay(LegId(7)) });
        let asked = clock::mono();
        while clock::mono().since(asked) < PROMPT {
            std::thread::yield_now();
        }
        let packet = |sequence: u8| [&[0x80, 8, 0, sequence, 0, 0, 0, 0, 0, 0, 0, 5][..], &audio(5)].concat();
        speaks.send_to(&packet(1), at).unwrap();
        go_on.send(()).unwrap();
        b.event();
        b.ports[1] = at;
        b.settled();
        speaks.send_to(&packet(2), at).unwrap();
        b.phones[1].set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut buffer = [0; 2000];
        let length = b.phones[1].recv(&mut buffer).unwrap_or_else(|error| panic!("{among_commands}: {error}"));
        assert_eq!(buffer[12..length], audio(5), "{among_commands}");
    }
}

#[test]
fn what_could_not_be_sent_is_not_counted_as_sent() {
    let b = Bench::new();
    // A port 0 is nowhere: the kernel refuses it at once.
    b.profile(1, SocketAddr::from(([127, 0, 0, 1], 0)));
    b.relay();
    (0..10).for_each(|i| b.speak(0, i, &audio(i)));
    let prompt = Arc::new(Prompt::from_a_law("p", vec![0xD5; 800]).unwrap());
    b.settled();
    b.shard.send(Command::Play { leg: LegId(1), source: Source::Prompt { audio: prompt, repeat: false, cue: 1 } });
    assert!(matches!(b.event(), Event::Played { .. }));
    b.shard.send(Command::Close { leg: LegId(1) });
    let Event::Closed { stats, .. } = b.event() else { panic!() };
    assert_eq!(stats.sent, 0);
}

#[test]
fn a_prompt_is_played_in_time() {
    let b = Bench::new();
    let codes: Vec<u8> = (0..10).flat_map(audio).collect();
    let audio = Arc::new(Prompt::from_a_law("p", codes.clone()).unwrap());
    let start = clock::mono();
    b.shard.send(Command::Play { leg: LegId(0), source: Source::Prompt { audio, repeat: false, cue: 3 } });
    let heard: Vec<u8> = (0..10).flat_map(|_| b.hear(0).1).collect();
    assert_eq!(heard, codes);
    assert!(matches!(b.event(), Event::Played { cue: 3, .. }));
    let took = clock::mono().since(start);
    assert!(took >= Duration::from_millis(180), "{took:?}");
}

#[test]
fn a_port_of_another_is_busy() {
    let b = Bench::new();
    let other = phone();
    assert_eq!(b.try_bind(other.local_addr().unwrap()), None);
}

#[test]
fn the_way_to_wait_follows_the_load() {
    let mut pace = Pace::default();
    let mut now = Mono(1_000_000_000);
    let mut after = |packets: usize, pace: &mut Pace| {
        now = now.after(WINDOW);
        pace.count(now, packets);
        pace.ticking
    };
    after(0, &mut pace);
    assert!(!after(10, &mut pace), "two calls");
    assert!(after(2_000, &mut pace), "200 calls");
    assert!(!after(10_000, &mut pace), "1,000 calls");
    assert!(!after(0, &mut pace));
}

#[test]
fn a_leg_binds_its_port_where_nobody_did() {
    let mut b = Bench::new();
    b.ports[0] = free_port();
    b.shard.send(Command::Close { leg: LegId(0) });
    assert!(matches!(b.event(), Event::Closed { .. }));
    b.shard.send(Command::Open { leg: LegId(0), rtp: b.ports[0], origins: Arc::default() });
    b.profile(0, b.phones[0].local_addr().unwrap());
    b.relay();
    b.speak(0, 1, &audio(1));
    assert_eq!(b.hear(1).1, audio(1));
    let holder = phone();
    let held = holder.local_addr().unwrap();
    b.shard.send(Command::Open { leg: LegId(5), rtp: held, origins: Arc::default() });
    assert!(matches!(b.event(), Event::PortBusy { rtp } if rtp == held));
    assert!(matches!(b.event(), Event::Closed { leg: LegId(5), rtp, .. } if rtp == held), "its call must end");
    b.speak(0, 2, &audio(2));
    assert_eq!(b.hear(1).1, audio(2));
}

/// The thread comes by a trap once a port was busy.
fn trapped() -> Bench {
    Bench::telling(|event| {
        if matches!(event, Event::PortBusy { .. }) {
            trap::set(Trap::Media, 0);
        }
    })
}

#[test]
fn a_panic_in_the_thread_costs_one_leg() {
    let b = trapped();
    b.relay();
    b.speak(0, 1, &audio(1));
    assert!(matches!(b.event(), Event::Closed { leg: LegId(0), rtp, .. } if rtp == b.ports[0]));
    let prompt = Arc::new(Prompt::from_a_law("p", audio(7)).unwrap());
    b.shard.send(Command::Play { leg: LegId(1), source: Source::Prompt { audio: prompt, repeat: false, cue: 1 } });
    assert_eq!(b.hear(1).1, audio(7), "the other leg goes on");
    assert!(matches!(b.event(), Event::Played { .. }));
    assert_eq!(b.try_bind(b.ports[0]), Some(b.ports[0]), "its port is free");
    b.shard.send(Command::Close { leg: LegId(0) });
    b.shard.send(Command::Close { leg: LegId(1) });
    assert!(matches!(b.event(), Event::Closed { leg: LegId(1), .. }));
}

#[test]
fn a_thread_that_cannot_go_on_begins_anew_and_tells_of_each_leg() {
    let b = trapped();
    b.settled();
    // A panic for which no leg can be blamed.
    b.shard.send(Command::Bind { rtp: free_port() });
    let mut failed = [b.event(), b.event()].map(|event| match event {
        Event::Closed { leg, rtp, .. } => (leg, rtp),
        other => panic!("{other:?}"),
    });
    failed.sort();
    assert_eq!(failed, [(LegId(0), b.ports[0]), (LegId(1), b.ports[1])]);
    assert!(!b.shard.dead());
    for leg in 0..2 {
        b.shard.send(Command::Open { leg: LegId(leg + 10), rtp: b.ports[leg as usize], origins: Arc::default() });
        b.profile(leg + 10, b.phones[leg as usize].local_addr().unwrap());
        b.shard.send(Command::Play { leg: LegId(leg + 10), source: Source::Relay(LegId(11 - leg)) });
    }
    assert!(b.try_bind(free_port()).is_some(), "so that what was sent before has been taken");
    b.speak(0, 1, &audio(1));
    assert_eq!(b.hear(1).1, audio(1), "new calls are served");
    let counted = threads::metrics();
    let count = |name| {
        counted.iter().find(|m| m.name == name && m.labels.iter().any(|(_, thread)| thread == "media-0")).map_or(0, |m| m.value)
    };
    assert!(count("thread_panics_total") >= 1 && count("threads_replaced_total") >= 1);
}
