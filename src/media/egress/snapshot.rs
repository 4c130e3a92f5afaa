//! Numbers of a stream that must survive, so that its receiver hears one stream on.

use super::{Egress, Mapping, Source};
use crate::base::{Mono, Offset};
use serde::{Deserialize, Serialize};

/// A stream's numbers at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EgressSnapshot {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    samples: u32,
    at: Option<Offset>,
    source: SourceSnapshot,
    pressed: Option<(u32, u32)>,
    marker: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SourceSnapshot {
    None,
    Own,
    Relayed { ssrc: u32, sequence: u16, timestamp: u32, at: Offset, sequence_offset: u16, timestamp_offset: u32, reach: u16 },
}

impl Egress {
    pub fn snapshot(&self, now: Mono) -> EgressSnapshot {
        let source = match &self.source {
            Source::None => SourceSnapshot::None,
            Source::Own => SourceSnapshot::Own,
            Source::Relayed(Mapping { ssrc, sequence, timestamp, at, sequence_offset, timestamp_offset, reach }) => {
                SourceSnapshot::Relayed {
                    ssrc: *ssrc,
                    sequence: *sequence,
                    timestamp: *timestamp,
                    at: at.offset_from(now),
                    sequence_offset: *sequence_offset,
                    timestamp_offset: *timestamp_offset,
                    reach: *reach,
                }
            }
        };
        let Egress { ssrc, sequence, timestamp, samples, pressed, marker, .. } = *self;
        EgressSnapshot { ssrc, sequence, timestamp, samples, at: self.at.map(|at| at.offset_from(now)), source, pressed, marker }
    }

    pub fn restore(now: Mono, snapshot: EgressSnapshot) -> Egress {
        let source = match snapshot.source {
            SourceSnapshot::None => Source::None,
            SourceSnapshot::Own => Source::Own,
            SourceSnapshot::Relayed { ssrc, sequence, timestamp, at, sequence_offset, timestamp_offset, reach } => {
                let at = now.at(at);
                Source::Relayed(Mapping { ssrc, sequence, timestamp, at, sequence_offset, timestamp_offset, reach })
            }
        };
        let EgressSnapshot { ssrc, sequence, timestamp, samples, at, pressed, marker, .. } = snapshot;
        Egress { ssrc, sequence, timestamp, samples, at: at.map(|at| now.at(at)), source, pressed, marker }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;
    use crate::media::rtp::Header;
    use proptest::prelude::*;
    use std::time::Duration;

    /// One random input, from numbers that both streams are given alike.
    fn step(egress: &mut Egress, rng: &mut Rng, now: Mono) -> (Option<Header>, u32) {
        let source = [7, 9][rng.below(2) as usize];
        let (sequence, timestamp) = (rng.below(300) as u16, rng.below(300) as u32 * 160);
        let packet = Header { payload_type: 8, marker: false, sequence, timestamp, ssrc: source };
        let header = match rng.below(8) {
            0 | 1 => Some(egress.own(now, 8, 160)),
            2 => Some(egress.event(now, 101, rng.chance(500), 160)),
            3 => {
                let start = egress.press(now, &packet);
                egress.pressed(&packet, 101, rng.chance(500), start, 160)
            }
            4 => {
                egress.skip(&packet);
                None
            }
            5 if rng.chance(300) => {
                egress.rest();
                None
            }
            _ => egress.relayed(now, &packet, 8, 160),
        };
        (header, egress.timestamp_at(now))
    }

    proptest! {
        #[test]
        fn a_restored_stream_goes_on_as_the_one_it_was(seed in any::<u64>(), before in 0..80, after in 1..80, later in 0..1_000_000_u64) {
            let mut rng = Rng::from_number(seed);
            let mut egress = Egress::new(&mut rng);
            let mut now = Mono(10_000_000);
            for _ in 0..before {
                now = now.after(Duration::from_millis(rng.below(60)));
                step(&mut egress, &mut rng, now);
            }
            // Another process, with another clock, and a text between.
            let text = serde_json::to_string(&egress.snapshot(now)).unwrap();
            let shift = Duration::from_micros(later);
            let mut restored = Egress::restore(now.after(shift), serde_json::from_str(&text).unwrap());
            let mut same = Rng::from_number(seed ^ 1);
            let mut again = Rng::from_number(seed ^ 1);
            for _ in 0..after {
                now = now.after(Duration::from_millis(same.below(60)));
                again.below(60);
                prop_assert_eq!(step(&mut egress, &mut same, now), step(&mut restored, &mut again, now.after(shift)));
            }
        }
    }
}
