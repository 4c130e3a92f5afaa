//! Keys of a seat's phone: feature codes, which never reach the caller, and the rest, which does.

use super::{Active, Output, Switch};
use crate::base::{CallId, LegId, Masked, Now};
use crate::call::keys::{Feature, Pressed};
use crate::call::{Ask, CALLER, Mode, Part};
use crate::control::Why;
use crate::media;

impl Switch {
    /// A key by RFC 4733, in-band tone or INFO, once per press. The caller's keys pass on the media plane by themselves.
    pub(super) fn key(&mut self, now: Now, leg: LegId, key: char, out: &mut Vec<Output>) {
        let Some(&(id, part)) = self.parts.get(&leg) else { return };
        let Some(active) = self.calls.get_mut(&id).filter(|active| part != CALLER && active.captures(part)) else { return };
        let pressed = active.typed.entry(part).or_default().press(now.mono, key, &active.setup.codes);
        match pressed {
            Pressed::More => {}
            Pressed::Keys(keys) => self.pass_on(id, part, &keys, out),
            Pressed::Feature(feature) => {
                let outcome = self.feature(now, id, part, &feature);
                let number = if let Feature::Consult(n) | Feature::OneKey(n) = &feature { n } else { "" };
                match outcome {
                    Ok(()) => tracing::info!(call = %id, leg = part.0, to = %Masked(number), "feature code"),
                    Err(why) => tracing::warn!(call = %id, leg = part.0, to = %Masked(number), "feature code: {}", why.words().0),
                }
            }
        }
    }

    fn feature(&mut self, now: Now, id: CallId, part: Part, feature: &Feature) -> Result<(), Why> {
        match feature {
            Feature::Consult(number) => self.transfer(now, id, Some(part), number, Mode::Consult),
            Feature::OneKey(number) => self.transfer(now, id, Some(part), number, Mode::Emergency),
            Feature::Complete => self.ask(now, id, Some(part), Ask::Complete),
            Feature::Cancel => self.ask(now, id, Some(part), Ask::Cancel),
            Feature::Swap => self.ask(now, id, Some(part), Ask::Swap),
            Feature::Merge => self.ask(now, id, Some(part), Ask::Merge),
        }
    }

    /// Keys that were no code after all, to whoever hears this party.
    fn pass_on(&self, id: CallId, part: Part, keys: &str, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get(&id) else { return };
        for leg in active.call.hearers(part).iter().filter_map(|other| active.legs.get(other)).filter(|l| l.rtp.is_some()) {
            for key in keys.chars() {
                out.push(Output::Media { shard: active.shard, command: media::Command::SendKey { leg: leg.id, key } });
            }
        }
    }
}

impl Active {
    /// Only seats have feature codes; what other parties press is for each other.
    pub(super) fn captures(&self, part: Part) -> bool {
        self.setup.codes.any() && self.call.is_seat(part)
    }
}
