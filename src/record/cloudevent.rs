//! Events as they leave the gateway: CloudEvents 1.0 in structured JSON, the data a full snapshot.

use super::fold::fold;
use super::shape::Record;
use super::zone::Zone;
use crate::base::{CallId, Mono, Wall};
use crate::event::{Entry, TransferResult, What};
use schemars::JsonSchema;
use serde::Serialize;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;
use uuid::{Builder, Uuid};

/// The type of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Offered,
    Queued,
    Answered,
    TransferStarted,
    TransferCompleted,
    TransferFailed,
    Ended,
    /// The final record, exactly one a call.
    Record,
    /// A ticket of the call became known; also after its record.
    TicketLinked,
    /// The caller's satisfaction became known; also after its record.
    SurveyReceived,
    /// The outcome of the call's recording; after its record.
    RecordingReady,
    /// Somebody said what it was about; also after its record.
    Tagged,
}

impl Kind {
    pub const ALL: [Kind; 12] = [
        Kind::Offered,
        Kind::Queued,
        Kind::Answered,
        Kind::TransferStarted,
        Kind::TransferCompleted,
        Kind::TransferFailed,
        Kind::Ended,
        Kind::Record,
        Kind::TicketLinked,
        Kind::SurveyReceived,
        Kind::RecordingReady,
        Kind::Tagged,
    ];

    /// Update that others tell: they may come when the call has ended, and change its record.
    pub const UPDATES: [Kind; 4] = [Kind::TicketLinked, Kind::SurveyReceived, Kind::RecordingReady, Kind::Tagged];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Offered => "call.offered",
            Kind::Queued => "call.queued",
            Kind::Answered => "call.answered",
            Kind::TransferStarted => "transfer.started",
            Kind::TransferCompleted => "transfer.completed",
            Kind::TransferFailed => "transfer.failed",
            Kind::Ended => "call.ended",
            Kind::Record => "call.record",
            Kind::TicketLinked => "ticket.linked",
            Kind::SurveyReceived => "survey.received",
            Kind::RecordingReady => "recording.ready",
            Kind::Tagged => "call.tagged",
        }
    }

    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The events that an entry gives rise to. A call's end gives two: the news, and the record that closes it.
    pub fn of(what: &What) -> &'static [Kind] {
        match what {
            What::Offered(_) => &[Kind::Offered],
            What::Queued { .. } => &[Kind::Queued],
            What::Joined { .. } => &[Kind::Answered],
            What::TransferStarted { .. } => &[Kind::TransferStarted],
            What::TransferEnded { result: TransferResult::Failed | TransferResult::Cancelled, .. } => &[Kind::TransferFailed],
            What::TransferEnded { .. } => &[Kind::TransferCompleted],
            What::Ended { .. } | What::Interrupted => &[Kind::Ended, Kind::Record],
            What::Reported(_) => &[Kind::Record],
            _ => &[],
        }
    }

    /// Orders the events of a call: so many times the entry's number, and one more for the record, which so stands
    /// between the end and whatever follows it. Update from outside has the numbers after.
    pub fn sequence(self, seq: u32) -> u64 {
        u64::from(seq) * EVENTS_AN_ENTRY + u64::from(self == Kind::Record)
    }
}

/// Numbers that belong to one entry.
pub const EVENTS_AN_ENTRY: u64 = 1000;

/// The entry that an event's sequence number belongs to.
pub fn entry_of(sequence: u64) -> u32 {
    u32::try_from(sequence / EVENTS_AN_ENTRY).unwrap_or(u32::MAX)
}

/// An event of a call, and the call's record as it was then: CloudEvents 1.0 in structured JSON, with the `sequence`
/// extension. An event that is sent again is the same, its id included.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "Event")]
pub struct CloudEvent {
    #[schemars(extend("const" = "1.0"))]
    pub specversion: &'static str,
    /// A UUIDv7.
    #[schemars(extend("format" = "uuid"))]
    pub id: String,
    /// The gateway.
    #[schemars(extend("format" = "uri-reference"))]
    pub source: String,
    #[serde(rename = "type")]
    #[schemars(extend("enum" = names()))]
    pub kind: &'static str,
    /// The call's id.
    #[schemars(extend("format" = "uuid"))]
    pub subject: String,
    /// When it happened.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// Orders the events of one call; compares as text.
    #[schemars(extend("pattern" = "^[0-9]{10,}$"))]
    pub sequence: String,
    #[schemars(extend("const" = "application/json"))]
    pub datacontenttype: &'static str,
    pub data: Record,
}

impl CloudEvent {
    /// The event of `kind` that the last of these entries gives rise to; none when there are none.
    pub fn new(entries: &[Entry], kind: Kind, zone: &Zone) -> Option<CloudEvent> {
        let last = entries.last()?;
        let data = fold(entries, zone)?;
        Some(CloudEvent::of(last.call, kind, kind.sequence(last.seq), last.wall, data, zone))
    }

    /// The event of this place among a call's events.
    pub fn of(call: CallId, kind: Kind, sequence: u64, wall: Wall, data: Record, zone: &Zone) -> CloudEvent {
        let data = data.withheld();
        CloudEvent {
            specversion: "1.0",
            id: event_id(call, sequence, wall).to_string(),
            source: format!("/hotline/{}", percent_encoded(&data.node)),
            kind: kind.name(),
            subject: call.to_string(),
            time: zone.write(wall),
            sequence: format!("{sequence:010}"),
            datacontenttype: "application/json",
            data,
        }
    }

    /// An event of a call that never was, to try a backend's search with.
    pub fn made_up(call: CallId, wall: Wall, zone: &Zone) -> Option<CloudEvent> {
        let what = What::Offered(Box::default());
        CloudEvent::new(&[Entry { call, seq: 1, wall, mono: Mono(0), what }], Kind::Offered, zone)
    }
}

fn names() -> Vec<&'static str> {
    Kind::ALL.into_iter().map(Kind::name).collect()
}

/// A UUIDv7 (RFC 9562 §5.7) that follows from the event itself, so that it is the same whenever the event is sent
/// again: the receiver tells repetitions by it. The call's id holds the randomness.
fn event_id(call: CallId, sequence: u64, wall: Wall) -> Uuid {
    let mut hash = SipHasher13::new();
    hash.write(call.0.as_bytes());
    hash.write_u64(sequence);
    let hash = hash.finish128().as_bytes();
    let mut random = [0; 10];
    random.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    Builder::from_unix_timestamp_millis(wall.millis(), &random).into_uuid()
}

/// RFC 3986 §2.3: what a path segment may hold as it is.
pub(super) fn percent_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{By, Offered, Result};
    use serde_json::json;

    fn log() -> Vec<Entry> {
        let call: CallId = "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80".parse().unwrap();
        let offered = Offered { node: "景洪 1".into(), ..Offered::default() };
        let ended = What::Ended { result: Result::Failed, by: By::Network, status: Some(503), q850: None };
        [What::Offered(Box::new(offered)), ended]
            .into_iter()
            .zip(1..)
            .map(|(what, seq)| Entry { call, seq, wall: Wall(1_638_288_000_000_000), mono: Mono(0), what })
            .collect()
    }

    #[test]
    fn the_envelope_has_every_required_attribute() {
        let event = serde_json::to_value(CloudEvent::new(&log(), Kind::Record, &Zone::default()).unwrap()).unwrap();
        assert_eq!(event["data"]["result"], "failed");
        let mut envelope = event.clone();
        envelope.as_object_mut().unwrap().remove("data");
        assert_eq!(
            envelope,
            json!({
                "specversion": "1.0",
                "id": event["id"],
                "source": "/hotline/%E6%99%AF%E6%B4%AA%201",
                "type": "call.record",
                "subject": "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80",
                "time": "2021-12-01T00:00:00.000+08:00",
                "sequence": "0000002001",
                "datacontenttype": "application/json",
            })
        );
        let id: Uuid = event["id"].as_str().unwrap().parse().unwrap();
        assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
    }

    #[test]
    fn an_event_keeps_its_id_and_no_two_share_one() {
        let log = log();
        let id = |kind, upto: usize| CloudEvent::new(&log[..upto], kind, &Zone::default()).unwrap().id;
        assert_eq!(id(Kind::Record, 2), id(Kind::Record, 2));
        assert_ne!(id(Kind::Record, 2), id(Kind::Ended, 2));
        assert_ne!(id(Kind::Offered, 1), id(Kind::Ended, 2));
    }

    #[test]
    fn a_record_comes_after_the_end_and_before_what_follows() {
        assert!(Kind::Ended.sequence(7) < Kind::Record.sequence(7));
        assert!(Kind::Record.sequence(7) < Kind::Queued.sequence(8));
        assert_eq!(entry_of(Kind::Record.sequence(7)), 7);
        assert!(Kind::ALL.into_iter().all(|kind| Kind::named(kind.name()) == Some(kind)));
    }
}
