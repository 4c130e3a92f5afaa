//! One entry's delta as a journal keeps it: JSON with a version, so that an older journal stays readable.

use crate::event::What;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Raised when an entry's meaning changes; new kinds of entry and new optional fields do not raise it.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    what: &'a What,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Deserialize)]
struct Owned {
    what: What,
}

/// Why a stored entry could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Not one of our lines.
    Garbage(String),
    /// Written by a later release.
    Version(u32),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Garbage(why) => write!(f, "damaged journal entry: {why}"),
            Unreadable::Version(v) => write!(f, "journal entry of version {v}; this release reads up to {VERSION}"),
        }
    }
}

impl std::error::Error for Unreadable {}

pub fn encode(what: &What) -> Result<String, Unreadable> {
    serde_json::to_string(&Line { v: VERSION, what }).map_err(garbage)
}

pub fn decode(line: &str) -> Result<What, Unreadable> {
    match serde_json::from_str::<Version>(line).map_err(garbage)?.v {
        VERSION => serde_json::from_str::<Owned>(line).map(|line| line.what).map_err(garbage),
        later => Err(Unreadable::Version(later)),
    }
}

/// Names the place only: an entry's text may hold a caller's number.
fn garbage(error: serde_json::Error) -> Unreadable {
    let kind = match error.classify() {
        serde_json::error::Category::Eof => "it stops too early",
        serde_json::error::Category::Data => "unknown kind of entry or field",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "not JSON",
    };
    Unreadable::Garbage(format!("{kind} (column {})", error.column()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RtpStats;
    use crate::base::Suite;
    use crate::event::seat::{HoldAlarm, SuperviseMode};
    use crate::event::{Author, By, Discarded, MessageEnd, Offered, Party, RecordingAction, RecordingCause, Result};
    use proptest::prelude::*;

    #[test]
    fn every_kind_of_entry_comes_back_as_it_went() {
        let party = Party::Seat { name: "1001".into(), queue: "12345".into() };
        let stats = RtpStats { received: 1, sent: 2, lost: -3, jitter_ms: 0.25, peer_lost: 4, strangers: 5 };
        for what in [
            What::Offered(Box::new(Offered { caller_raw: "\"张\" <tel:13800138000>".into(), ..Offered::default() })),
            What::Announcing { prompt: "欢迎".into(), version: Some("1".into()) },
            What::Queued { queue: "q".into() },
            What::Ringing { leg: 2, party: party.clone(), sip_call_id: Some("a".into()), label: None, choice: None },
            What::RingFailed { leg: 2, status: Some(486), q850: Some(17) },
            What::Dialled { leg: 0, sip_call_id: Some("b".into()) },
            What::CallerAnswered,
            What::Joined { leg: 3, party: Party::Target { number: "110".into() }, sip_call_id: None, label: None },
            What::Held { leg: 3 },
            What::Resumed { leg: 3 },
            What::Silent { leg: 3 },
            What::Heard { leg: 3 },
            What::Supervised { leg: 4, of: 1, by: "boss".into(), mode: Some(SuperviseMode::Whisper) },
            What::HoldForgotten { leg: 1, alarm: HoldAlarm::Queue },
            What::Recording { action: RecordingAction::Masked, by: Author::seat(&"1001".into()), cause: RecordingCause::Verb },
            What::MessageBegun,
            What::Message { ms: 12_340, ended: MessageEnd::Silence, discarded: None },
            What::Message { ms: 400, ended: MessageEnd::Key, discarded: Some(Discarded::TooShort) },
            What::Data { key: "诉求".into(), value: "供水".into() },
            What::LegEnded { leg: 3, by: By::Callee, status: None, q850: Some(16) },
            What::LegMedia { leg: 3, codec: "PCMA".into(), srtp: Some(Suite::Counter80), stats },
            What::Ended { result: Result::QueueFull, by: By::Gateway, status: Some(480), q850: None },
            What::Interrupted,
        ] {
            assert_eq!(decode(&encode(&what).unwrap()).unwrap(), what);
        }
    }

    #[test]
    fn a_line_that_is_not_ours_says_what_is_wrong_without_showing_it() {
        assert_eq!(
            decode("{\"v\":1,\"what\":{\"queued\":{\"queue\":1380013").unwrap_err().to_string(),
            "damaged journal entry: it stops too early (column 40)"
        );
        assert!(decode("\u{0}").unwrap_err().to_string().contains("not JSON"));
        assert!(decode("{\"v\":1,\"what\":\"13800138000\"}").unwrap_err().to_string().contains("unknown kind"));
        assert_eq!(decode("{\"v\":2,\"what\":{\"new\":1}}"), Err(Unreadable::Version(2)));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_decoder_panic(text in "\\PC*") {
            let _ = decode(&text);
        }
    }
}
