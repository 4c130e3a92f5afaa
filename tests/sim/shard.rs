//! The media plane as the switch sees it: ports are bound or busy, prompts end, legs close.

use hotline::base::{LegId, Mono, Rng, RtpStats};
use hotline::media::{Command, Event, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Default)]
pub struct Shard {
    open: BTreeMap<LegId, SocketAddr>,
    bound: BTreeSet<SocketAddr>,
    /// Legs that the recorder hears.
    tapped: BTreeSet<LegId>,
    /// The audio that each leg hears, as the number of its last Play: an earlier prompt's end is no news.
    playing: BTreeMap<LegId, u64>,
    /// The legs that each leg hears; a leg that hears silence is not here, one that hears a prompt hears nobody.
    hears: BTreeMap<LegId, Vec<LegId>>,
    /// Legs that have heard something: others only ring, and may be heard by what their network says.
    joined: BTreeSet<LegId>,
    /// Legs that have closed unasked, which the switch may not know yet.
    failed: BTreeSet<LegId>,
    plays: u64,
    pub opened: u64,
    pub closed: u64,
}

/// An event that the shard will tell, and when.
pub struct Later {
    pub at: Mono,
    pub event: Event,
    play: Option<u64>,
}

impl Later {
    pub fn new(at: Mono, event: Event) -> Later {
        Later { at, event, play: None }
    }
}

impl Shard {
    pub fn handle(&mut self, rng: &mut Rng, now: Mono, command: Command) -> Result<Option<Later>, String> {
        let soon = now.after(Duration::from_micros(200 + rng.below(2000)));
        let later = |event| Ok(Some(Later { at: soon, event, play: None }));
        match command {
            Command::Bind { rtp } if rng.chance(30) => later(Event::PortBusy { rtp }),
            Command::Bind { rtp } if rng.chance(30) => later(Event::NoSocket { rtp }),
            Command::Bind { rtp } => match self.bound.insert(rtp) {
                true => later(Event::Bound { rtp }),
                false => Err(format!("{rtp} bound twice")),
            },
            Command::Unbind { rtp } if self.bound.remove(&rtp) => Ok(None),
            Command::Unbind { rtp } => Err(format!("{rtp} is given back, and was not bound")),
            Command::Open { leg, rtp, .. } => {
                self.opened += 1;
                if self.open.values().any(|open| *open == rtp) {
                    return Err(format!("leg {leg} takes {rtp}, which is not free"));
                }
                self.open.insert(leg, rtp);
                // One that was not bound ahead may be another process's.
                if self.bound.insert(rtp) && rng.chance(30) {
                    return self.fail(leg).map_or(Ok(None), later);
                }
                Ok(None)
            }
            Command::Profile { leg, .. } if !self.tapped.contains(&leg) => Err(format!("leg {leg} speaks unrecorded")),
            Command::Tap { leg, tap: Some(tap) } if tap.said => {
                self.tapped.insert(leg);
                self.known(leg)
            }
            Command::Tap { leg, .. } => Err(format!("the recording of leg {leg} stops before its end")),
            Command::Profile { leg, .. }
            | Command::Proven { leg }
            | Command::Keys { leg, .. }
            | Command::Inband { leg, .. }
            | Command::Attend { leg, silence: None }
            | Command::SendKey { leg, .. } => self.known(leg),
            // Callers say nothing, begin to speak, or have said all; the others hang up or speak until the limit.
            Command::Attend { leg, silence: Some(silence) } => {
                self.known(leg)?;
                Ok(match rng.below(3) {
                    0 => None,
                    1 => Some(Later::new(soon, Event::Speaks { leg })),
                    _ => Some(Later::new(now.after(silence), Event::Quiet { leg })),
                })
            }
            Command::Play { leg, source } => {
                self.known(leg)?;
                self.plays += 1;
                self.playing.insert(leg, self.plays);
                let others = match &source {
                    Source::Silence => None,
                    Source::Relay(other) => Some(vec![*other]),
                    Source::Mix(others) => Some(others.to_vec()),
                    Source::Prompt { .. } | Source::Words { .. } | Source::Ringback | Source::Early(_) => Some(Vec::new()),
                };
                self.hears.remove(&leg);
                if let Some(others) = others {
                    self.hears.insert(leg, others);
                    self.joined.insert(leg);
                }
                match source {
                    Source::Words { .. } | Source::Prompt { repeat: false, .. } => {
                        let (samples, cue) = match source {
                            Source::Words { words, cue } => (words.iter().map(|word| word.a_law.len()).sum(), cue),
                            Source::Prompt { audio, cue, .. } => (audio.a_law.len(), cue),
                            _ => (0, 0),
                        };
                        let at = now.after(Duration::from_micros(125 * samples as u64));
                        Ok(Some(Later { at, event: Event::Played { leg, cue }, play: Some(self.plays) }))
                    }
                    _ => Ok(None),
                }
            }
            Command::Close { leg } if self.failed.remove(&leg) => Ok(None),
            Command::Close { leg } => match self.fail(leg) {
                Some(closed) => {
                    self.failed.remove(&leg);
                    later(closed)
                }
                None => Err(format!("leg {leg} closed twice")),
            },
        }
    }

    /// One of the legs that are open.
    pub fn any(&self, rng: &mut Rng) -> Option<LegId> {
        self.open.keys().copied().nth(rng.below(self.open.len().max(1) as u64) as usize)
    }

    /// The leg is no more, although nobody asked for it.
    pub fn fail(&mut self, leg: LegId) -> Option<Event> {
        let rtp = self.open.remove(&leg)?;
        self.closed += 1;
        self.failed.insert(leg);
        self.bound.remove(&rtp);
        self.playing.remove(&leg);
        self.hears.remove(&leg);
        self.joined.remove(&leg);
        self.hears.values_mut().for_each(|others| others.retain(|other| *other != leg));
        Some(Event::Closed { leg, rtp, stats: RtpStats::default() })
    }

    /// Between two inputs: nobody hears one who has left, or oneself, and who is heard is not left in silence.
    pub fn sound(&self) -> Result<(), String> {
        for (leg, others) in &self.hears {
            for other in others {
                if other == leg || !self.open.contains_key(other) {
                    return Err(format!("leg {leg} hears {other}, which is itself or gone"));
                }
                if self.joined.contains(other) && !self.hears.contains_key(other) {
                    return Err(format!("leg {other} is heard by {leg} and hears nothing"));
                }
            }
        }
        Ok(())
    }

    fn known(&self, leg: LegId) -> Result<Option<Later>, String> {
        if self.open.contains_key(&leg) || self.failed.contains(&leg) { Ok(None) } else { Err(format!("leg {leg} has no media")) }
    }

    /// Tells whether a prompt that ends now was still playing.
    pub fn stands(&self, later: &Later) -> bool {
        match (later.play, &later.event) {
            (Some(play), Event::Played { leg, .. }) => self.playing.get(leg) == Some(&play),
            _ => true,
        }
    }
}
