//! Facts about a call's recording, and how the record says them.

use super::shape::Recording;
use serde::{Deserialize, Serialize};

/// The state of the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ready,
    /// Some audio was lost in the gateway.
    Partial,
    /// The gateway died before it was done; what it had written.
    Interrupted,
    /// There was nothing to hear.
    Empty,
    /// Nothing could be written.
    Missing,
    /// A message that was too short to be one.
    Discarded,
    /// Its time was over.
    Purged,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    pub state: State,
    pub url: Option<String>,
    /// The hash of the file.
    pub sha256: Option<String>,
    pub ms: Option<u64>,
}

/// While the call lasts, and until its file is done.
pub fn pending(call: &str) -> Recording {
    Recording { id: call.to_owned(), state: "pending".to_owned(), ..Recording::default() }
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Ready => "ready",
            State::Partial => "partial",
            State::Interrupted => "interrupted",
            State::Empty => "empty",
            State::Missing => "missing",
            State::Discarded => "discarded",
            State::Purged => "purged",
        }
    }
}

impl Recorded {
    /// There is no file.
    pub fn without_file(state: State) -> Recorded {
        Recorded { state, url: None, sha256: None, ms: None }
    }

    /// Its file is gone. The record alone keeps what it was.
    pub fn is_purge(&self) -> bool {
        self.state == State::Purged
    }

    /// True when the record says so already. Links are made anew each time.
    pub fn is_known(&self, known: Option<&Recording>) -> bool {
        let same = |known: &Recording| self.is_purge() || (&known.sha256, known.ms) == (&self.sha256, self.ms);
        known.is_some_and(|known| known.state == self.state.name() && same(known))
    }

    /// How the record says it; `before`: what it said.
    pub fn in_record(&self, call: &str, before: Option<Recording>) -> Recording {
        let (id, state) = (call.to_owned(), self.state.name().to_owned());
        let before = before.unwrap_or_default();
        match self.is_purge() {
            true => Recording { id, url: None, state, ..before },
            false => Recording { id, url: self.url.clone(), sha256: self.sha256.clone(), ms: self.ms, state, ..before },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_purged_keeps_its_hash_and_loses_its_link() {
        let ready = Recorded { state: State::Ready, url: Some("http://a/r".into()), sha256: Some("00".into()), ms: Some(7) };
        let told = ready.in_record("c", Some(pending("c")));
        assert_eq!((told.state.as_str(), told.url.as_deref(), told.ms), ("ready", Some("http://a/r"), Some(7)));
        assert!(ready.is_known(Some(&told)) && !ready.is_known(Some(&pending("c"))) && !ready.is_known(None));
        let again = Recorded { url: Some("http://a/another".into()), ..ready };
        assert!(again.is_known(Some(&told)), "another link to the same file is no news");
        let purged = Recorded::without_file(State::Purged);
        assert!(!purged.is_known(Some(&told)));
        let gone = purged.in_record("c", Some(told));
        assert_eq!((gone.state.as_str(), gone.url.as_deref(), gone.sha256.as_deref()), ("purged", None, Some("00")));
        assert!(purged.is_known(Some(&gone)));
    }
}
