//! Figures that are counted of recordings, and the alarms.

use crate::io::metrics::Metric;
use crate::io::process::descriptors::{self, Purpose};
use crate::media::wav::Format;
use crate::record::recording::State;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// In the order of their metrics.
const STATES: [State; 7] =
    [State::Ready, State::Partial, State::Interrupted, State::Empty, State::Missing, State::Discarded, State::Purged];

#[derive(Default)]
pub struct Figures {
    /// Calls that are recorded now.
    pub calls: AtomicUsize,
    /// Bytes that wait for the disk.
    pub waiting: AtomicUsize,
    /// Frames that were made and found no room: not in memory, or not on the disk.
    pub lost_frames: AtomicU64,
    /// The bytes that the disk has left.
    pub free: AtomicU64,
    alarm: AtomicBool,
    down: AtomicBool,
    told: [AtomicU64; STATES.len()],
}

impl Figures {
    /// How a write went.
    pub fn disk(&self, written: io::Result<()>) {
        match written {
            Err(error) => {
                let before = self.down.swap(true, Ordering::Relaxed);
                if !descriptors::missed(Purpose::Recording, &error) && !before {
                    tracing::error!(%error, "recordings cannot be written; calls go on without");
                }
            }
            Ok(()) if self.down.swap(false, Ordering::Relaxed) => tracing::info!("recordings are written again"),
            Ok(()) => {}
        }
    }

    /// The last that was written could not be.
    pub fn down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// Says in the log when there is too little room, and when there is enough again.
    pub fn room(&self, free: u64, min_free: u64) {
        let little = free < min_free;
        match (little, self.alarm.swap(little, Ordering::Relaxed)) {
            (true, false) => tracing::error!(
                free,
                "the recordings' disk has less left than recording.min_free; below half of that nothing more is recorded"
            ),
            (false, true) => tracing::info!(free, "there is room for recordings again"),
            _ => {}
        }
    }

    pub fn told(&self, state: State) {
        if let Some(index) = STATES.iter().position(|known| *known == state) {
            self.told[index].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn metrics(&self) -> Vec<Metric> {
        let size = |bytes: &AtomicU64| usize::try_from(bytes.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let lost = Format::Pcm.millis(self.lost_frames.load(Ordering::Relaxed) * Format::Pcm.frame() as u64);
        let gauges = [
            Metric::gauge("recording_calls", "Calls that are recorded now.", self.calls.load(Ordering::Relaxed)),
            Metric::gauge("recording_waiting_bytes", "Audio that waits for the disk.", self.waiting.load(Ordering::Relaxed)),
            Metric::gauge("recording_free_bytes", "What the recordings' disk has left.", size(&self.free)),
            Metric::gauge("recording_alarm", "1 while that is too little.", self.alarm.load(Ordering::Relaxed).into()),
            Metric::gauge("recording_down", "1 while recordings cannot be written.", self.down.load(Ordering::Relaxed).into()),
            Metric::counter("recording_lost_ms_total", "Audio that found no room, in memory or on the disk.", lost),
        ];
        let told = STATES.iter().zip(&self.told).map(|(state, count)| {
            let metric = Metric::counter("recordings_total", "What became of calls' recordings.", count.load(Ordering::Relaxed));
            metric.labelled(&[("state", state.name())])
        });
        gauges.into_iter().chain(told).collect()
    }
}
