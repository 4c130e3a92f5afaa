//! The end of a call, as the log tells it in one line: with the names and figures of the record.

use super::shape::Record;
use super::timing::{Times, Timing};
use crate::base::{CallId, Masked, Mono};
use crate::event::{By, Result};
use std::fmt;

/// A call that is over, or as far as it came.
pub struct Ending<'a> {
    pub result: Option<Result>,
    pub hangup_by: Option<By>,
    pub sip_code: Option<u16>,
    pub q850: Option<u8>,
    pub number: &'a str,
    pub caller: Option<&'a str>,
    pub anonymous: bool,
    pub seat: Option<&'a str>,
    pub target: Option<&'a str>,
    pub times: Times,
}

impl<'a> Ending<'a> {
    /// A call to this hotline, by a caller who may have withheld the number.
    pub fn of(timing: &'a Timing, now: Mono, number: &'a str, caller: Option<&'a str>, anonymous: bool) -> Ending<'a> {
        let end = timing.end;
        Ending {
            result: end.map(|end| end.result),
            hangup_by: end.map(|end| end.by),
            sip_code: end.and_then(|end| end.status),
            q850: end.and_then(|end| end.q850),
            number,
            caller,
            anonymous,
            seat: timing.seat.as_deref(),
            target: timing.target.as_deref(),
            times: timing.times(now),
        }
    }

    pub fn of_record(record: &'a Record) -> Ending<'a> {
        let Record { announce_ms, queue_ms, ring_ms, talk_ms, hold_ms, .. } = *record;
        Ending {
            result: record.result,
            hangup_by: record.hangup_by,
            sip_code: record.sip_code,
            q850: record.q850,
            number: &record.hotline.number,
            caller: record.caller.as_deref(),
            anonymous: record.caller_anonymous,
            seat: record.seat.as_ref().map(|seat| seat.id.as_str()),
            target: record.target.as_deref(),
            times: Times { announce_ms, queue_ms, ring_ms, talk_ms, hold_ms },
        }
    }

    /// `why` is the line's sentence.
    pub fn log(&self, call: CallId, why: &str) {
        let Times { announce_ms, queue_ms, ring_ms, talk_ms, hold_ms } = self.times;
        tracing::info!(
            %call,
            result = %self.result.map_or("unknown", Result::name),
            hangup_by = self.hangup_by.map(By::name).map(tracing::field::display),
            sip_code = self.sip_code,
            q850 = self.q850,
            number = %Masked(self.number),
            caller = %shown_caller(self.caller, self.anonymous),
            seat = self.seat.map(tracing::field::display),
            to = self.target.map(Masked).map(tracing::field::display),
            announce_ms,
            wait_ms = queue_ms,
            ring_ms,
            talk_ms,
            hold_ms,
            "{why}"
        );
    }
}

/// A caller's number, masked; or that it is withheld or not known.
pub fn shown_caller(caller: Option<&str>, anonymous: bool) -> impl fmt::Display {
    match caller {
        _ if anonymous => "anonymous".to_owned(),
        None => "unknown".to_owned(),
        Some(number) => Masked(number).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fold::fold;
    use crate::record::tests::{answered, log};
    use crate::record::zone::Zone;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The line in the log, as JSON.
    fn logged(say: impl FnOnce()) -> serde_json::Value {
        let lines = Lines::default();
        let writer = lines.clone();
        let to = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(to, say);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_line_says_what_the_record_says_wherever_it_is_made() {
        let entries = log(answered());
        for most in 1..=entries.len() {
            let entries = &entries[..most];
            let (call, last) = (entries[0].call, entries[most - 1].mono);
            let mut timing = Timing::default();
            for entry in entries {
                timing.apply(&entry.what, entry.mono);
            }
            let record = fold(entries, &Zone::default()).unwrap();
            let strip = |mut line: serde_json::Value| {
                line.as_object_mut().unwrap().remove("timestamp");
                line
            };
            let living = logged(|| Ending::of(&timing, last, "12315", Some("13800138000"), false).log(call, "over"));
            let later = logged(|| Ending::of_record(&record).log(call, "over"));
            assert_eq!(strip(living), strip(later), "after {most} entries");
        }
        let record = fold(&entries, &Zone::default()).unwrap();
        let line = logged(|| Ending::of_record(&record).log(entries[0].call, "the call is over"));
        let expected = serde_json::json!({
            "level": "INFO", "target": "hotline::record::ending", "message": "the call is over", "timestamp": line["timestamp"],
            "call": record.call_id, "result": "answered", "hangup_by": "callee", "sip_code": 200, "q850": 16, "number": "12315",
            "caller": "138******00", "seat": "1001", "announce_ms": 6_000, "wait_ms": 7_020, "ring_ms": 6_010, "talk_ms": 30_000,
            "hold_ms": 5_000,
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn callers_who_are_not_to_be_shown_are_not() {
        assert_eq!(shown_caller(Some("13800138000"), true).to_string(), "anonymous");
        assert_eq!(shown_caller(None, false).to_string(), "unknown");
        assert_eq!(shown_caller(Some("13800138000\r\n"), false).to_string(), "138********\\u{d}\\u{a}");
    }

    #[test]
    fn each_word_is_the_one_that_json_has() {
        let same = |name: &str, json: serde_json::Value| assert_eq!(serde_json::json!(name), json);
        Result::ALL.into_iter().for_each(|result| same(result.name(), serde_json::json!(result)));
        [By::Caller, By::Callee, By::Gateway, By::Network].into_iter().for_each(|by| same(by.name(), serde_json::json!(by)));
        let schema = serde_json::json!(schemars::schema_for!(Result)).to_string();
        assert!(Result::ALL.iter().all(|result| schema.contains(result.name())));
    }
}
