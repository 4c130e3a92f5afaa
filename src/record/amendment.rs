//! Postscripts are what becomes known of a call from outside, while it lasts or after: its tickets, its caller's
//! satisfaction, what it was about. It stands beside the call's own log, which only the call writes.

use super::cloudevent::Kind;
use super::recording::Recorded;
use super::shape::{Record, Survey, Ticket};
use super::zone::Zone;
use crate::base::Wall;
use serde::{Deserialize, Serialize};

/// One of them, in its place among the call's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    pub sequence: u64,
    pub wall: Wall,
    pub update: Update,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// The call has this ticket; `instead_of` is the one that it had there before.
    Linked {
        backend: String,
        id: String,
        url: Option<String>,
        #[serde(default)]
        instead_of: Option<String>,
    },
    Surveyed {
        score: u8,
        scale: u8,
        source: String,
    },
    /// The outcome of the call's recording.
    Recorded(Recorded),
    /// It was about this. `backends` get it for that, whatever its line: as the plan had it at that moment. A seat may tag
    /// long after the plan that the call began with is gone, and what it was answered holds however the plan changes.
    Tagged {
        subjects: Vec<String>,
        backends: Vec<String>,
        by: String,
    },
}

impl Update {
    pub fn kind(&self) -> Kind {
        match self {
            Update::Linked { .. } => Kind::TicketLinked,
            Update::Surveyed { .. } => Kind::SurveyReceived,
            Update::Recorded(_) => Kind::RecordingReady,
            Update::Tagged { .. } => Kind::Tagged,
        }
    }

    /// True when the record says so already.
    pub fn is_known(&self, record: &Record) -> bool {
        match self {
            Update::Linked { backend, id, url, .. } => {
                record.tickets.iter().any(|t| (&t.backend, &t.id, &t.url) == (backend, id, url))
            }
            Update::Surveyed { score, scale, source } => {
                record.survey.as_ref().is_some_and(|s| (&s.score, &s.scale, &s.source) == (score, scale, source))
            }
            Update::Recorded(recorded) => recorded.is_known(record.recording.as_ref()),
            Update::Tagged { subjects, .. } => subjects.iter().all(|subject| record.subjects.contains(subject)),
        }
    }
}

/// Adds them to a record, in their order.
pub fn amend(record: &mut Record, amendments: &[Amendment], zone: &Zone) {
    for Amendment { wall, update, .. } in amendments {
        match update {
            Update::Linked { backend, id, url, instead_of } => {
                let gone = |t: &Ticket| t.backend == *backend && (t.id == *id || instead_of.as_ref() == Some(&t.id));
                record.tickets.retain(|ticket| !gone(ticket));
                record.tickets.push(Ticket { backend: backend.clone(), id: id.clone(), url: url.clone() });
            }
            Update::Surveyed { score, scale, source } => {
                let (score, scale, source, at) = (*score, *scale, source.clone(), zone.write(*wall));
                record.survey = Some(Survey { score, scale, source, at });
            }
            Update::Recorded(recorded) => {
                let before = record.recording.take();
                record.recording = Some(recorded.in_record(&record.call_id, before));
            }
            Update::Tagged { subjects, .. } => {
                for subject in subjects {
                    if !record.subjects.contains(subject) {
                        record.subjects.push(subject.clone());
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linked(id: &str, url: Option<&str>, instead_of: Option<&str>) -> Update {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Update::Linked { backend: "rt".into(), id: id.into(), url: own(url), instead_of: own(instead_of) }
    }

    fn amended(updates: &[Update]) -> Record {
        let (mut record, wall) = (Record::default(), Wall(1_638_288_000_000_000));
        let amendments: Vec<_> = updates.iter().map(|update| Amendment { sequence: 2, wall, update: update.clone() }).collect();
        amend(&mut record, &amendments, &Zone::default());
        record
    }

    #[test]
    fn a_ticket_takes_the_place_of_the_one_that_is_gone() {
        let ids = |updates: &[Update]| amended(updates).tickets.into_iter().map(|t| t.id).collect::<Vec<_>>();
        assert_eq!(ids(&[linked("7", None, None), linked("GD1", None, None)]), ["7", "GD1"]);
        assert_eq!(ids(&[linked("7", None, None), linked("8", None, Some("7"))]), ["8"]);
        assert_eq!(ids(&[linked("7", None, None), linked("7", Some("http://t/7"), None)]), ["7"]);
    }

    #[test]
    fn what_the_record_says_already_is_no_news() {
        let survey = |score| Update::Surveyed { score, scale: 3, source: "rt".into() };
        let record = amended(&[linked("7", Some("http://t/7"), None), survey(3)]);
        assert!(linked("7", Some("http://t/7"), None).is_known(&record) && survey(3).is_known(&record));
        assert!(!linked("7", None, None).is_known(&record) && !survey(1).is_known(&record));
        assert_eq!(record.survey.unwrap().at, "2021-12-01T00:00:00.000+08:00");
    }

    #[test]
    fn subjects_add_up_and_stand_once() {
        let tagged = |subjects: &[&str]| Update::Tagged {
            subjects: subjects.iter().map(ToString::to_string).collect(),
            backends: Vec::new(),
            by: "desk".into(),
        };
        let record = amended(&[tagged(&["b", "a"]), tagged(&["a", "c"])]);
        assert_eq!(record.subjects, ["b", "a", "c"]);
        assert!(tagged(&["c", "b"]).is_known(&record) && !tagged(&["c", "d"]).is_known(&record));
    }
}
