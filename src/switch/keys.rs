//! Keys that parties press: each press once, however it was told; a seat's feature codes; and the rest to whoever hears
//! the party, in the way that each of them takes keys.
//!
//! Telephone-events between two legs that both agreed on them pass on the media plane, with the length of the press.
//! Keys that need another way are captured there, come here, and leave as a press of our own.

use super::{Active, Dtmf, Output, Switch, Work};
use crate::base::{CallId, LegId, Masked, Mono, Now};
use crate::call::feature_codes::{Feature, Pressed};
use crate::call::{self, CALLER, LegNo, Request};
use crate::control::Why;
use crate::dialog;
use crate::event::TransferKind;
use crate::media;
use std::time::Duration;

/// The same key told in another way within this time is the same press: long enough for an INFO that was sent again.
const SAME_PRESS: Duration = Duration::from_secs(2);

/// How a press was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeySource {
    /// As a telephone-event or as tones; the media plane knows these two for one.
    Rtp,
    Info,
}

/// How a leg is told keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyMethod {
    Events,
    Tones,
    Info,
}

/// The keys of one leg.
#[derive(Clone, Debug)]
pub(super) struct Keypad {
    dtmf: Dtmf,
    /// Telephone-events towards the peer were agreed, and are wanted.
    events: bool,
    refuses_info: bool,
    /// The media plane passes nothing on of what it presses.
    captured: bool,
    pressed: Option<(char, Mono, KeySource)>,
}

impl Keypad {
    pub fn new(dtmf: Dtmf) -> Keypad {
        Keypad { dtmf, events: false, refuses_info: false, captured: false, pressed: None }
    }

    /// Tells whether this is a press of its own.
    fn press(&mut self, now: Mono, key: char, source: KeySource) -> bool {
        let same = |(k, at, t): (char, Mono, KeySource)| k == key && t != source && now.since(at) < SAME_PRESS;
        if self.pressed.is_some_and(same) {
            return false;
        }
        self.pressed = Some((key, now, source));
        true
    }

    fn way(&self) -> KeyMethod {
        let info = matches!(self.dtmf, Dtmf::Info | Dtmf::Auto) && !self.refuses_info;
        match self.events {
            true => KeyMethod::Events,
            false if info => KeyMethod::Info,
            false => KeyMethod::Tones,
        }
    }
}

impl Switch {
    /// A key that a party pressed.
    pub(super) fn key(&mut self, now: Now, leg: LegId, key: char, source: KeySource, out: &mut Vec<Output>) {
        let Some(&(id, leg_no)) = self.leg_calls.get(&leg) else { return };
        self.note_doer_at(leg);
        let Some(active) = self.calls.get_mut(&id) else { return };
        let coded = active.has_codes(leg_no);
        let Some(pad) = active.legs.get_mut(&leg_no).map(|leg| &mut leg.pad) else { return };
        if !pad.press(now.mono, key, source) {
            return;
        }
        let relayed = !pad.captured && source == KeySource::Rtp;
        if leg_no == CALLER && active.call.awaits_key() {
            return self.work.push_back(Work::Call(id, call::Input::Key { key }));
        }
        if active.call.awaits_key_of(leg_no) {
            return self.work.push_back(Work::Call(id, call::Input::PartyKey { leg: leg_no, key }));
        }
        if source == KeySource::Info {
            self.capture(id, leg_no, out);
        }
        if coded { self.typed(now, id, leg_no, key, out) } else { self.pass_on(now, id, leg_no, &key.to_string(), relayed, out) }
    }

    /// The peer takes no INFO: this key and all that follow go as tones.
    pub(super) fn key_refused(&mut self, leg: LegId, key: char, out: &mut Vec<Output>) {
        let Some(&(id, leg_no)) = self.leg_calls.get(&leg) else { return };
        let Some(pad) = self.calls.get_mut(&id).and_then(|active| active.legs.get_mut(&leg_no)).map(|leg| &mut leg.pad) else {
            return;
        };
        if !std::mem::replace(&mut pad.refuses_info, true) {
            tracing::warn!(call = %id, leg = leg_no.0, "the peer refuses keys by INFO: it gets them as tones");
        }
        self.media(id, leg_no, out, |leg| media::Command::SendKey { leg, key });
    }

    /// A leg's media has been opened: who listens to its keys.
    pub(super) fn attend(&mut self, id: CallId, leg_no: LegNo, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        let coded = active.has_codes(leg_no);
        let Some(dtmf) = active.legs.get(&leg_no).map(|leg| leg.pad.dtmf) else { return };
        if dtmf == Dtmf::Inband {
            self.media(id, leg_no, out, |leg| media::Command::Inband { leg, on: true });
        }
        if coded || dtmf == Dtmf::Inband {
            self.capture(id, leg_no, out);
        }
    }

    /// The profile that was agreed on a leg: telephone-events towards it only where its trunk or seat wants them.
    pub(super) fn agreed(&mut self, id: CallId, leg_no: LegNo, mut profile: media::Profile) -> media::Profile {
        if let Some(leg) = self.calls.get_mut(&id).and_then(|active| active.legs.get_mut(&leg_no)) {
            profile.event_out = profile.event_out.filter(|_| matches!(leg.pad.dtmf, Dtmf::Auto | Dtmf::Rfc4733));
            leg.pad.events = profile.event_out.is_some();
        }
        profile
    }

    /// From now on what a party presses goes on by us alone. So one that tells its keys by INFO as well as in RTP, which
    /// is seen at its first INFO, is heard once.
    fn capture(&mut self, id: CallId, leg_no: LegNo, out: &mut Vec<Output>) {
        let Some(leg) = self.calls.get_mut(&id).and_then(|active| active.legs.get_mut(&leg_no)) else { return };
        if leg.rtp.is_some() && !std::mem::replace(&mut leg.pad.captured, true) {
            self.media(id, leg_no, out, |leg| media::Command::Keys { leg, capture: true });
        }
    }

    /// A key of a party that has feature codes.
    fn typed(&mut self, now: Now, id: CallId, leg_no: LegNo, key: char, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        let pressed = active.typed.entry(leg_no).or_default().press(now.mono, key, &active.setup.codes);
        match pressed {
            Pressed::More => {}
            Pressed::Keys(keys) => self.pass_on(now, id, leg_no, &keys, false, out),
            Pressed::Feature(feature) => {
                let outcome = self.feature(now, id, leg_no, &feature, out);
                let number = if let Feature::Consult(n) | Feature::OneKey(n) = &feature { n } else { "" };
                match outcome {
                    Ok(()) => tracing::info!(call = %id, leg = leg_no.0, to = %Masked(number), "feature code"),
                    Err(why) => {
                        tracing::warn!(call = %id, leg = leg_no.0, to = %Masked(number), "feature code: {}", why.words().0);
                        self.with_call(now, id, |call, done| call.announce_failure(now, leg_no, why == Why::AreaUnknown, done));
                    }
                }
            }
        }
    }

    fn feature(&mut self, now: Now, id: CallId, leg_no: LegNo, feature: &Feature, out: &mut Vec<Output>) -> Result<(), Why> {
        match feature {
            Feature::Consult(number) => self.transfer(now, id, Some(leg_no), number, TransferKind::Consult),
            Feature::OneKey(number) => self.transfer(now, id, Some(leg_no), number, TransferKind::Emergency),
            Feature::Complete => self.request(now, id, Some(leg_no), Request::Complete),
            Feature::Cancel => self.request(now, id, Some(leg_no), Request::Cancel),
            Feature::Swap => self.request(now, id, Some(leg_no), Request::Swap),
            Feature::Merge => self.request(now, id, Some(leg_no), Request::Merge),
            Feature::Shift(code) => {
                let active = self.calls.get(&id).ok_or(Why::NoSuchCall)?;
                let seat = active.call.seat_of(leg_no).ok_or(Why::NoSuchLeg)?.into();
                self.shift_code(now, &seat, *code, out)
            }
        }
    }

    /// To whoever hears this party, but for those whom the media plane has `relayed` them to already.
    pub(super) fn pass_on(&mut self, now: Now, id: CallId, leg_no: LegNo, keys: &str, relayed: bool, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get(&id) else { return };
        let hearers = active.call.hearers(leg_no);
        let legs = hearers.iter().filter_map(|other| Some((*other, active.legs.get(other)?.pad.way())));
        for (other, way) in legs.collect::<Vec<_>>() {
            for key in keys.chars() {
                match way {
                    KeyMethod::Events if relayed => {}
                    KeyMethod::Events | KeyMethod::Tones => {
                        self.media(id, other, out, |leg| media::Command::SendKey { leg, key })
                    }
                    KeyMethod::Info => self.command(now, id, other, out, |leg| dialog::Command::SendInfo { leg, key }),
                }
            }
        }
    }
}

impl Active {
    /// Only seats have feature codes; what other parties press is for each other.
    fn has_codes(&self, leg_no: LegNo) -> bool {
        leg_no != CALLER && self.setup.codes.any() && self.call.is_seat(leg_no)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_told_twice_is_one() {
        let mut pad = Keypad::new(Dtmf::Auto);
        let ms = |n: u64| Mono(n * 1000);
        assert!(pad.press(ms(1), '5', KeySource::Rtp) && !pad.press(ms(90), '5', KeySource::Info));
        assert!(pad.press(ms(400), '5', KeySource::Rtp) && !pad.press(ms(990), '5', KeySource::Info), "pressed again");
        assert!(pad.press(ms(1500), '6', KeySource::Info) && !pad.press(ms(1520), '6', KeySource::Rtp));
        assert!(pad.press(ms(4000), '6', KeySource::Rtp), "long after");
    }

    #[test]
    fn each_peer_is_told_keys_in_its_way() {
        let way = |dtmf, events, refuses_info| Keypad { events, refuses_info, ..Keypad::new(dtmf) }.way();
        assert_eq!(way(Dtmf::Auto, true, false), KeyMethod::Events);
        assert_eq!(way(Dtmf::Auto, false, false), KeyMethod::Info);
        assert_eq!(way(Dtmf::Auto, false, true), KeyMethod::Tones);
        assert_eq!(way(Dtmf::Rfc4733, true, false), KeyMethod::Events);
        assert_eq!(way(Dtmf::Rfc4733, false, false), KeyMethod::Tones);
        assert_eq!(way(Dtmf::Info, false, false), KeyMethod::Info);
        assert_eq!(way(Dtmf::Info, false, true), KeyMethod::Tones);
        assert_eq!(way(Dtmf::Inband, false, false), KeyMethod::Tones);
    }
}
