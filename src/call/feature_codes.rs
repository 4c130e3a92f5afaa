//! Feature codes on a seat's keys: `*2 12366 #` consults, `*110#` is the one key to 110 (一键转接).
//!
//! A code begins with a star, so that ordinary keys pass at once; what turns out to be no code is passed on whole.

use crate::base::Mono;
use std::time::Duration;

/// The feature codes that an operator sets. No code may be the beginning of another: [`FeatureCodes::clashes`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureCodes {
    /// Followed by a number and `#`.
    pub consult: String,
    pub complete: String,
    pub cancel: String,
    pub swap: String,
    pub merge: String,
    /// Code and the number it dials as an emergency.
    pub one_key: Vec<(String, String)>,
    /// Codes by which a seat says what it wants, in a conversation or dialled by itself.
    pub shift: Vec<(String, ShiftCode)>,
}

/// A word of a seat about its shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShiftCode {
    SignIn,
    SignOut,
    Ready,
    Busy,
    Rest,
    WrappedUp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feature {
    Consult(String),
    OneKey(String),
    Complete,
    Cancel,
    Swap,
    Merge,
    Shift(ShiftCode),
}

/// The outcome of a key press.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// A code has begun.
    More,
    Feature(Feature),
    /// No code: these keys are for the other parties.
    Keys(String),
}

/// The keys of one party so far.
#[derive(Clone, Debug, Default)]
pub struct KeyBuffer {
    text: String,
    last: Mono,
}

/// A pause after which a code begins anew.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest code with its number.
const LONGEST: usize = 32;

impl FeatureCodes {
    /// Tells whether there is any code at all.
    pub fn any(&self) -> bool {
        self.all().next().is_some()
    }

    /// Pairs of codes of which one begins like the other, so that it could never be typed.
    pub fn clashes(&self) -> Vec<(String, String)> {
        let all: Vec<&str> = self.all().collect();
        let mut found = Vec::new();
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                if a.starts_with(b) || b.starts_with(a) {
                    found.push(((*a).to_owned(), (*b).to_owned()));
                }
            }
        }
        found
    }

    /// Every code that is on.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let fixed = [&self.consult, &self.complete, &self.cancel, &self.swap, &self.merge];
        let more = self.one_key.iter().map(|(code, _)| code).chain(self.shift.iter().map(|(code, _)| code));
        fixed.into_iter().chain(more).map(String::as_str).filter(|c| !c.is_empty())
    }

    fn feature(&self, typed: &str) -> Option<Feature> {
        let fixed = [
            (&self.complete, Feature::Complete),
            (&self.cancel, Feature::Cancel),
            (&self.swap, Feature::Swap),
            (&self.merge, Feature::Merge),
        ];
        if let Some((_, feature)) = fixed.into_iter().find(|(code, _)| *code == typed) {
            return Some(feature);
        }
        if let Some((_, number)) = self.one_key.iter().find(|(code, _)| code == typed) {
            return Some(Feature::OneKey(number.clone()));
        }
        if let Some(code) = self.shift_code(typed) {
            return Some(Feature::Shift(code));
        }
        let number = self.number(typed)?.strip_suffix('#')?;
        (!number.is_empty()).then(|| Feature::Consult(number.to_owned()))
    }

    /// The word about a shift that a code stands for.
    pub fn shift_code(&self, typed: &str) -> Option<ShiftCode> {
        self.shift.iter().find(|(code, _)| code == typed && !code.is_empty()).map(|(_, shift)| *shift)
    }

    /// The number that follows the consult code.
    fn number<'a>(&self, typed: &'a str) -> Option<&'a str> {
        if self.consult.is_empty() { None } else { typed.strip_prefix(&self.consult) }
    }

    fn begun(&self, typed: &str) -> bool {
        self.all().any(|code| code.starts_with(typed)) || self.number(typed).is_some_and(|n| !n.contains('#'))
    }
}

impl KeyBuffer {
    pub fn press(&mut self, now: Mono, key: char, codes: &FeatureCodes) -> Pressed {
        if now.since(self.last) > PAUSE {
            self.text.clear();
        }
        self.last = now;
        self.text.push(key);
        if let Some(feature) = codes.feature(&self.text) {
            self.text.clear();
            return Pressed::Feature(feature);
        }
        if codes.begun(&self.text) && self.text.len() < LONGEST {
            return Pressed::More;
        }
        Pressed::Keys(std::mem::take(&mut self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes() -> FeatureCodes {
        FeatureCodes {
            consult: "*2".into(),
            complete: "*3".into(),
            cancel: "*4".into(),
            swap: "*5".into(),
            merge: "*6".into(),
            one_key: vec![("*110#".into(), "110".into()), ("*120#".into(), "120".into())],
            shift: vec![("*73".into(), ShiftCode::Ready), (String::new(), ShiftCode::Rest)],
        }
    }

    fn typed(keys: &str) -> Vec<Pressed> {
        let mut typed = KeyBuffer::default();
        let press = |(i, key)| typed.press(Mono(1 + i as u64), key, &codes());
        keys.chars().enumerate().map(press).filter(|p| *p != Pressed::More).collect()
    }

    #[test]
    fn codes_are_heard_and_ordinary_keys_pass() {
        assert_eq!(typed("*212366#"), [Pressed::Feature(Feature::Consult("12366".into()))]);
        assert_eq!(typed("*110#"), [Pressed::Feature(Feature::OneKey("110".into()))]);
        assert_eq!(typed("*3*4"), [Pressed::Feature(Feature::Complete), Pressed::Feature(Feature::Cancel)]);
        assert_eq!(typed("*73"), [Pressed::Feature(Feature::Shift(ShiftCode::Ready))]);
        assert_eq!(codes().shift_code(""), None, "a code that is off");
        assert_eq!(typed("1#"), [Pressed::Keys("1".into()), Pressed::Keys("#".into())]);
        assert_eq!(typed("*119#"), [Pressed::Keys("*119".into()), Pressed::Keys("#".into())]);
        assert_eq!(typed("*2#"), [Pressed::Keys("*2#".into())]);
    }

    #[test]
    fn a_storm_of_keys_is_bounded_and_a_pause_forgets() {
        let passed = typed(&format!("*2{}", "7".repeat(100)));
        assert_eq!(passed[0], Pressed::Keys(format!("*2{}", "7".repeat(30))));
        let mut pause = KeyBuffer::default();
        assert_eq!(pause.press(Mono(1), '*', &codes()), Pressed::More);
        assert_eq!(pause.press(Mono(6_000_002), '3', &codes()), Pressed::Keys("3".into()));
    }

    #[test]
    fn clashes_are_found() {
        assert_eq!(codes().clashes(), []);
        let mut clash = codes();
        clash.complete = "*11".into();
        assert_eq!(clash.clashes(), [("*11".to_owned(), "*110#".to_owned())]);
    }
}
