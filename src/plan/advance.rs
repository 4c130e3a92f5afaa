//! Failures that let the next target ring (`advance-on`).

/// Why a target did not take the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Busy,
    NoAnswer,
    Rejected,
    /// No way to it, an error, an unknown number.
    Failed,
}

/// As plans spell them.
pub const CAUSES: &[&str] = &["busy", "no-answer", "rejected", "failed"];

/// A set of causes, a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance(u8);

impl Default for Advance {
    /// The next target rings whatever the cause.
    fn default() -> Advance {
        Advance(0b1111)
    }
}

impl Advance {
    pub fn on(self, failure: Failure) -> bool {
        self.0 & (1 << failure as u8) != 0
    }

    /// From the words of a plan; those that are none are left out.
    pub fn of<'a>(words: impl Iterator<Item = &'a str>) -> Advance {
        let places = words.filter_map(|word| CAUSES.iter().position(|cause| *cause == word));
        Advance(places.fold(0, |set, place| set | 1 << place))
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> {
        CAUSES.iter().enumerate().filter(move |(place, _)| self.0 & (1 << place) != 0).map(|(_, name)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_causes() {
        let some = Advance::of(["no-answer", "failed", "weather"].into_iter());
        assert_eq!(some.names().collect::<Vec<_>>(), ["no-answer", "failed"]);
        assert!(some.on(Failure::NoAnswer) && some.on(Failure::Failed) && !some.on(Failure::Busy) && !some.on(Failure::Rejected));
        assert_eq!(Advance::of(CAUSES.iter().copied()), Advance::default());
    }
}
