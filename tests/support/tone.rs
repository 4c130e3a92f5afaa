//! Tones that can be told apart after they were mixed: what a phone hums, and how loud each one is in what it heard.

use super::g711::{a_law, linear};
use super::rtp::{Ear, Packet};
use std::f64::consts::TAU;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const FRAME: usize = 160;

/// Hums until it is dropped.
pub struct Hum {
    stop: Arc<AtomicBool>,
    /// When the machine let it be late, and by how many milliseconds.
    late: Arc<Mutex<Vec<(Instant, u64)>>>,
}

impl Hum {
    pub fn start(socket: UdpSocket, to: SocketAddr, hertz: u32) -> Hum {
        let (stop, late) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (stopped, latest) = (stop.clone(), late.clone());
        thread::spawn(move || {
            let start = Instant::now();
            for n in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let now = Instant::now();
                let late = now.saturating_duration_since(start + Duration::from_millis(20) * n).as_millis() as u64;
                if late > 1 {
                    latest.lock().unwrap().push((now, late));
                }
                let _ = socket.send_to(&frame(&[hertz], n).write(), to);
                thread::sleep((start + Duration::from_millis(20) * (n + 1)).saturating_duration_since(Instant::now()));
            }
        });
        Hum { stop, late }
    }

    /// By how many milliseconds at most it was late in that time.
    pub fn late(&self, time: Range<Instant>) -> u64 {
        self.late.lock().unwrap().iter().filter(|(at, _)| time.contains(at)).map(|(_, late)| *late).max().unwrap_or(0)
    }
}

impl Drop for Hum {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Packet `n` of 20 ms with these tones, each of amplitude 8000.
pub fn frame(tones: &[u32], n: u32) -> Packet {
    let at = |i: usize, hertz: &u32| 8000.0 * (TAU * f64::from(*hertz) * (n as usize * FRAME + i) as f64 / 8000.0).sin();
    let sample = |i: usize| tones.iter().map(|hertz| at(i, hertz)).sum();
    Packet {
        payload_type: 8,
        marker: n == 0,
        seq: n as u16,
        timestamp: n * FRAME as u32,
        ssrc: tones.iter().sum(),
        payload: (0..FRAME).map(|i| a_law(sample(i))).collect(),
    }
}

/// The amplitude of one tone in a piece of A-law audio.
pub fn amplitude(codes: &[u8], hertz: u32) -> f64 {
    let samples: Vec<f64> = codes.iter().map(|code| f64::from(linear(*code))).collect();
    2.0 * goertzel(&samples, f64::from(hertz)).sqrt()
}

/// Tells which of these tones the last 0.4 s at this ear hold, at no less than half their amplitude. A tone that is not among
/// them is at least 20 dB weaker.
pub fn heard(ear: &Ear, tones: &[u32]) -> Vec<u32> {
    let packets = ear.packets();
    let last = packets.iter().rev().take(20).rev();
    tones_in(last.flat_map(|p| p.payload.iter().map(|code| f64::from(linear(*code)))).collect(), tones)
}

/// The same of a 16-bit WAV file that is being written: its header of 44 bytes does not know its length yet.
pub fn heard_in(wav: &Path, tones: &[u32]) -> Vec<u32> {
    let bytes = fs::read(wav).unwrap_or_default();
    let samples: Vec<f64> = bytes.chunks_exact(2).skip(22).map(|b| f64::from(i16::from_le_bytes([b[0], b[1]]))).collect();
    tones_in(samples[samples.len().saturating_sub(20 * FRAME)..].to_vec(), tones)
}

/// The same of 0.4 s of samples.
pub fn tones(samples: &[i16], tones: &[u32]) -> Vec<u32> {
    tones_in(samples.iter().map(|sample| f64::from(*sample)).collect(), tones)
}

/// The amplitude of one tone in samples.
pub fn strength(samples: &[i16], hertz: u32) -> f64 {
    let samples: Vec<f64> = samples.iter().map(|sample| f64::from(*sample)).collect();
    2.0 * goertzel(&samples, f64::from(hertz)).sqrt()
}

fn tones_in(samples: Vec<f64>, tones: &[u32]) -> Vec<u32> {
    let power = |hertz: u32| goertzel(&samples, f64::from(hertz));
    // A tone of amplitude 8000 has this power, whatever the window.
    let full = 8000.0 * 8000.0 / 4.0;
    let enough = samples.len() >= 20 * FRAME;
    let clear = enough && tones.iter().all(|t| power(*t) > full / 4.0 || power(*t) < full / 100.0);
    if clear { tones.iter().copied().filter(|t| power(*t) > full / 4.0).collect() } else { vec![0] }
}

/// Power at one frequency, per sample squared.
fn goertzel(samples: &[f64], hertz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (i, sample) in samples.iter().enumerate() {
        let angle = TAU * hertz * i as f64 / 8000.0;
        re += sample * angle.cos();
        im += sample * angle.sin();
    }
    let n = samples.len().max(1) as f64;
    (re * re + im * im) / (n * n)
}
