use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// One RTP packet (RFC 3550 §5.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    pub marker: bool,
    pub payload_type: u8,
    pub seq: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: Vec<u8>,
}

impl Packet {
    fn read(data: &[u8]) -> Option<Packet> {
        let reader = rtp_rs::RtpReader::new(data).ok()?;
        Some(Packet {
            marker: reader.mark(),
            payload_type: reader.payload_type(),
            seq: reader.sequence_number().into(),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
            payload: reader.payload().to_vec(),
        })
    }

    pub fn write(&self) -> Vec<u8> {
        let mut data = vec![0x80, u8::from(self.marker) << 7 | self.payload_type];
        data.extend(self.seq.to_be_bytes());
        data.extend(self.timestamp.to_be_bytes());
        data.extend(self.ssrc.to_be_bytes());
        data.extend(&self.payload);
        data
    }
}

/// The payloads of a speaker's packets; no two are alike.
pub fn pattern(speaker: u32, numbers: Range<u32>) -> Vec<Vec<u8>> {
    numbers.map(|number| frame(speaker, number)).collect()
}

fn frame(speaker: u32, number: u32) -> Vec<u8> {
    let mut state = u64::from(speaker) << 32 | u64::from(number) | 1 << 63;
    let byte = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..160).map(byte).collect()
}

/// Everything that arrives at a telephone's RTP port.
#[derive(Clone, Default)]
pub struct Ear {
    heard: Arc<Mutex<Vec<(Instant, Packet)>>>,
    sources: Arc<Mutex<BTreeSet<SocketAddr>>>,
}

impl Ear {
    pub fn listen(socket: UdpSocket) -> Ear {
        let ear = Ear::default();
        let (heard, sources) = (Arc::downgrade(&ear.heard), ear.sources.clone());
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 2048];
            while let Some(heard) = heard.upgrade() {
                if let Ok((n, from)) = socket.recv_from(&mut buffer)
                    && let Some(packet) = Packet::read(&buffer[..n])
                {
                    heard.lock().unwrap().push((Instant::now(), packet));
                    sources.lock().unwrap().insert(from);
                }
            }
        });
        ear
    }

    pub fn packets(&self) -> Vec<Packet> {
        self.heard.lock().unwrap().iter().map(|(_, packet)| packet.clone()).collect()
    }

    /// Where all of it came from.
    pub fn sources(&self) -> Vec<SocketAddr> {
        self.sources.lock().unwrap().iter().copied().collect()
    }

    /// The packets with the moments of their arrival.
    pub fn arrivals(&self) -> Vec<(Instant, Packet)> {
        self.heard.lock().unwrap().clone()
    }

    /// Waits until so many of these payloads were heard.
    pub fn wait_to_hear(&self, what: &str, count: usize, frames: &[Vec<u8>]) {
        super::wait_for(what, || (self.packets().iter().filter(|p| frames.contains(&p.payload)).count() >= count).then_some(()));
    }

    /// The numbers of a speaker's packets that were heard, in order of arrival.
    pub fn numbers_of(&self, speaker: u32) -> Vec<u32> {
        let numbers: BTreeMap<Vec<u8>, u32> = (0..1000).map(|n| (frame(speaker, n), n)).collect();
        self.packets().iter().filter_map(|p| numbers.get(&p.payload).copied()).collect()
    }

    /// One stream from the first packet to the last (RFC 3550 §5.1): one SSRC, sequence numbers without gap,
    /// timestamps that never go back.
    pub fn assert_one_stream(&self) {
        let packets = self.packets();
        assert!(packets.len() > 10, "only {} packets", packets.len());
        for (i, pair) in packets.windows(2).enumerate() {
            let (a, b) = (&pair[0], &pair[1]);
            assert_eq!(a.ssrc, b.ssrc, "SSRC changed at packet {}", i + 1);
            assert_eq!(a.seq.wrapping_add(1), b.seq, "sequence broken at packet {}", i + 1);
            let step = b.timestamp.wrapping_sub(a.timestamp);
            let event = b.payload_type > 95;
            assert!(step < 1 << 31 && (step > 0 || event), "timestamp went from {} to {}", a.timestamp, b.timestamp);
        }
    }
}

/// Sends a speaker's pattern, a packet each 20 ms, until dropped.
pub struct Mouth {
    stop: Arc<AtomicBool>,
}

impl Mouth {
    pub fn speak(socket: UdpSocket, to: SocketAddr, speaker: u32, payload_type: u8) -> Mouth {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        thread::spawn(move || {
            let begin = Instant::now();
            for number in 0..1000u32 {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let _ = socket.send_to(&voice(speaker, number, payload_type).write(), to);
                let next = begin + Duration::from_millis(20) * (number + 1);
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        Mouth { stop }
    }
}

impl Drop for Mouth {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// Packet `number` of a speaker. Sequence and timestamp start close to their ends, so that they wrap.
pub fn voice(speaker: u32, number: u32, payload_type: u8) -> Packet {
    Packet {
        marker: number == 0,
        payload_type,
        seq: 65_500u16.wrapping_add(number as u16),
        timestamp: 4_294_960_000u32.wrapping_add(number * 160),
        ssrc: 0x1000_0000 + speaker,
        payload: frame(speaker, number),
    }
}
