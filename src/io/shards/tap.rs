//! From the media threads to whoever records: frames in a bounded queue. A full queue loses frames and counts them; a media
//! thread never waits for it, and a frame costs it no allocation.

use crate::base::{CallId, Mono};
use crate::media::{Law, Side, Tapped};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most codes in a frame: 60 ms. Longer packets are several frames.
const CODES: usize = 480;

/// A piece of what a party said or heard.
#[derive(Clone, Debug)]
pub struct Frame {
    pub call: CallId,
    /// The party's number in its call, as in the call's record.
    pub leg: u64,
    pub side: Side,
    pub law: Law,
    /// RTP's, of the first code; 8,000 a second.
    pub timestamp: u32,
    pub at: Mono,
    length: usize,
    codes: [u8; CODES],
}

/// The media threads' end; one for each.
#[derive(Clone, Debug)]
pub struct Sink {
    frames: Sender<Frame>,
    queued: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
}

/// A queue of at most so many frames, 0.5 KB each.
pub fn queue(frames: usize) -> (Sink, Receiver<Frame>) {
    let (frames, taken) = bounded(frames);
    (Sink { frames, queued: Arc::default(), lost: Arc::default() }, taken)
}

impl Frame {
    pub fn codes(&self) -> &[u8] {
        &self.codes[..self.length]
    }
}

impl Sink {
    /// `shard::start_tapped` calls this.
    pub fn take(&self, tapped: &Tapped, codes: &[u8]) {
        let mut timestamp = tapped.timestamp;
        for part in codes.chunks(CODES) {
            let Tapped { call, leg, side, law, at, .. } = *tapped;
            let mut frame = Frame { call, leg, side, law, timestamp, at, length: part.len(), codes: [0; CODES] };
            frame.codes[..part.len()].copy_from_slice(part);
            timestamp = timestamp.wrapping_add(part.len() as u32);
            let count = if self.frames.try_send(frame).is_ok() { &self.queued } else { &self.lost };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Frames that found room.
    pub fn queued(&self) -> u64 {
        self.queued.load(Ordering::Relaxed)
    }

    /// Frames that found the queue full.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, Wall};

    #[test]
    fn frames_are_cut_to_size_and_a_full_queue_waits_for_nobody() {
        let (sink, frames) = queue(3);
        let call = CallId::new(Wall(0), &mut Rng::from_number(1));
        let tapped = Tapped { call, leg: 1, side: Side::Said, law: Law::A, timestamp: u32::MAX, at: Mono(5) };
        let codes: Vec<u8> = (0..500u16).map(|i| i as u8).collect();
        sink.take(&tapped, &codes);
        sink.take(&tapped, &codes);
        assert_eq!((sink.queued(), sink.lost()), (3, 1));
        let got: Vec<Frame> = frames.try_iter().collect();
        assert_eq!((got[0].codes(), got[1].codes()), (&codes[..480], &codes[480..]));
        assert_eq!((got[0].timestamp, got[1].timestamp, got.len()), (u32::MAX, 479, 3));
    }
}
