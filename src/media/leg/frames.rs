//! Frames that a leg is sent at its own pace: prompts, ringback, the mix, keys.

use super::{Leg, tapped};
use crate::base::Mono;
use crate::media::dial::{self, Step};
use crate::media::mixer;
use crate::media::out::{Effect, Out, Side};
use crate::media::playing::Playing;
use crate::media::{Event, Law, Prompt};
use std::ops::Range;
use std::time::Duration;

/// A ringing network that says nothing for so long has stopped: longer than the pause within a ring-back that is sent
/// without its silence.
const EARLY_PAUSE: Duration = Duration::from_secs(5);
/// The volume of a key that we send as an event: −10 dBm0.
const VOLUME: u8 = 10;

impl Leg {
    /// Sends one frame of the prompt and moves on in it, also while nothing may be sent: a prompt lasts as long as it
    /// lasts. For a peer that must be proven first it waits: nobody loses its beginning. Gives whether there is more.
    pub fn frame(&mut self, now: Mono, out: &mut Out) -> bool {
        let ptime = self.ptime();
        let dialing = self.dialing;
        if self.withheld(out) {
            return true;
        }
        if matches!(self.playing, Playing::Early { .. }) {
            self.ring(now, out);
            return true;
        }
        if matches!(self.playing, Playing::Words { .. }) {
            return self.speak(now, out);
        }
        let Playing::Prompt { audio, at, repeat, cue } = &mut self.playing else { return false };
        let samples = usize::from(ptime) * 8;
        let (start, cue) = (*at, *cue);
        let (length, repeat) = (audio.a_law.len(), *repeat);
        let more = repeat || start + samples < length;
        *at = if repeat { (start + samples) % length.max(1) } else { start + samples };
        if !dialing {
            let audio = audio.clone();
            self.play_frame(now, &audio, start..start + samples, repeat, out);
        }
        if !more {
            self.play(Playing::Silence);
            out.effects.extend(cue.map(|cue| Effect::Event(Event::Played { leg: self.id, cue })));
        }
        more
    }

    /// Sends one frame of the word that is spoken. Gives whether there is more.
    fn speak(&mut self, now: Mono, out: &mut Out) -> bool {
        let samples = usize::from(self.ptime()) * 8;
        let Playing::Words { words, word, at, cue } = &mut self.playing else { return false };
        let (audio, start, cue) = (words.get(*word).cloned(), *at, *cue);
        *at += samples;
        while words.get(*word).is_some_and(|audio| *at >= audio.a_law.len()) {
            (*word, *at) = (*word + 1, 0);
        }
        let more = *word < words.len();
        if let Some(audio) = audio.filter(|_| !self.dialing) {
            self.play_frame(now, &audio, start..start + samples, false, out);
        }
        if !more {
            self.play(Playing::Silence);
            out.event(Event::Played { leg: self.id, cue });
        }
        more
    }

    /// True when what the leg plays has to wait; says so once.
    fn withheld(&mut self, out: &mut Out) -> bool {
        let plays = matches!(self.playing, Playing::Prompt { .. } | Playing::Words { .. } | Playing::Early { .. });
        if !(plays && self.trial.over()) {
            return false;
        }
        self.egress.rest();
        if self.trial.tell() {
            out.event(Event::Withheld { leg: self.id });
        }
        true
    }

    /// Sends one frame of ringback, unless the network that rings makes its own.
    fn ring(&mut self, now: Mono, out: &mut Out) {
        let samples = usize::from(self.ptime()) * 8;
        let Playing::Early { audio, at, heard, .. } = &mut self.playing else { return };
        let (audio, start) = (audio.clone(), *at);
        *at = (start + samples) % audio.a_law.len().max(1);
        if !self.dialing && heard.is_none_or(|heard| now.since(heard) >= EARLY_PAUSE) {
            self.play_frame(now, &audio, start..start + samples, true, out);
        }
    }

    fn play_frame(&mut self, now: Mono, audio: &Prompt, part: Range<usize>, repeat: bool, out: &mut Out) {
        let samples = part.len();
        let frame = |law, bytes: &mut Vec<u8>| append_frame(bytes, audio.codes(law), part.start, samples, repeat, law);
        let sent = self.send(now, samples as u32, out, frame);
        if let (Some((law, header, bytes)), Some(tap)) = (sent, self.tap.filter(|tap| tap.played)) {
            out.push(Effect::Tapped { tapped: tapped(tap, now, Side::Played, law, &header), bytes });
        }
    }

    /// Sends one frame of what the leg's sources said together.
    pub fn mixed(&mut self, now: Mono, sum: &mut [i32], out: &mut Out) {
        self.limiter.limit(sum);
        if self.dialing {
            return;
        }
        self.send(now, sum.len() as u32, out, |law, bytes| mixer::encode(sum, law, bytes));
    }

    /// Sends a key's part of this slot, if there is one to send; audio pauses for it.
    pub fn dial(&mut self, now: Mono, out: &mut Out) {
        let samples = u32::from(self.ptime()) * 8;
        let payload_type = self.profile.as_ref().and_then(|profile| profile.event_out);
        let step = self.dialer.step(samples, payload_type.is_some());
        self.dialing = matches!(step, Some(Step::Event { .. } | Step::Tone { .. }));
        match (step, payload_type) {
            (Some(Step::Event { event, duration, first, end }), Some(payload_type)) => {
                let Some((_, to)) = self.sendable() else { return };
                let header = self.egress.event(now, payload_type, first, duration);
                let [.., high, low] = duration.to_be_bytes();
                self.send_event(header, &[event, u8::from(end) << 7 | VOLUME, high, low], to, out);
            }
            (Some(Step::Tone { event, at }), _) => {
                self.send(now, samples, out, |law, bytes| dial::append_tone(bytes, event, at, samples, law));
            }
            _ => {}
        }
    }
}

/// Appends `samples` codes from `start` on; the end is followed by the beginning, or by silence.
fn append_frame(out: &mut Vec<u8>, codes: &[u8], start: usize, samples: usize, repeat: bool, law: Law) {
    let end = out.len() + samples;
    let mut from = codes.get(start..).unwrap_or_default();
    while out.len() < end && !from.is_empty() {
        let take = from.len().min(end - out.len());
        out.extend_from_slice(&from[..take]);
        from = if repeat { codes } else { &[] };
    }
    out.resize(end, law.silence());
}
