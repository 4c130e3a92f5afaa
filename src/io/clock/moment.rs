//! Moments as people write them.

use crate::base::{Text, Wall};
use crate::plan::dates;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use std::fmt;

/// A moment, before the zone is known in which it was meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Moment {
    Exact(Timestamp),
    Local(DateTime),
}

impl Moment {
    /// None outside the calendar.
    pub fn in_zone(self, zone: &TimeZone) -> Option<Wall> {
        let at = match self {
            Moment::Exact(at) => Some(at),
            Moment::Local(local) => zone.to_timestamp(local).ok(),
        };
        at.map(|at| Wall(at.as_microsecond()))
    }
}

/// As [`moment`] reads it.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Exact(at) => at.fmt(f),
            Moment::Local(local) => local.fmt(f),
        }
    }
}

/// A date (its midnight), a local date and time, or one with an offset.
pub fn moment(text: &str) -> Result<Moment, Text> {
    let exact = text.parse().map(Moment::Exact);
    exact.or_else(|_| text.parse().map(Moment::Local)).map_err(|_| {
        let want = both!(
            "`{text}` is no moment such as 2026-10-01 or 2026-10-01T08:00:00+08:00",
            "`{text}` 不是 2026-10-01 或 2026-10-01T08:00:00+08:00 这样的时间"
        );
        want.then(&written(text))
    })
}

/// As above, as an end: whoever names a day means all of it.
pub fn end(text: &str) -> Result<Moment, Text> {
    match text.parse::<Date>().ok().filter(|_| !text.contains([':', 'T', 't', ' '])).and_then(|day| day.tomorrow().ok()) {
        Some(next) => Ok(Moment::Local(next.to_datetime(jiff::civil::Time::midnight()))),
        None => moment(text),
    }
}

pub fn day(text: &str) -> Result<Date, Text> {
    text.parse()
        .map_err(|_| both!("`{text}` is no date such as 2026-10-01", "`{text}` 不是 2026-10-01 这样的日期").then(&written(text)))
}

fn written(text: &str) -> Text {
    let fix = dates::date(text).map(|date| date.replace(' ', "T"));
    fix.map_or(Text::default(), |fix| both!("; write {fix}", "，请写作 {fix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_write_them() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let at = |text: &str| moment(text).unwrap().in_zone(&zone).unwrap();
        assert_eq!(at("2026-10-01"), at("2026-10-01T00:00:00+08:00"));
        assert_eq!(at("2026-10-01T08:30"), at("2026-10-01T00:30:00Z"));
        assert_eq!(at("2026-10-01 08:30:00"), at("2026-10-01T00:30:00Z"));
        for text in ["2026-10-01", "2026-10-01 08:30:00", "2026-10-01T00:30:00.5Z", "2026-10-01T08:30:00+08:00"] {
            assert_eq!(moment(&moment(text).unwrap().to_string()), moment(text), "{text}");
            assert_eq!(end(&end(text).unwrap().to_string()), end(text), "{text}");
        }
        for (text, fix) in
            [("2026年10月1日", "write 2026-10-01"), ("2026/10/1 8:00", "write 2026-10-01T08:00:00"), ("soon", "no moment")]
        {
            assert!(moment(text).unwrap_err().en.contains(fix), "{text}");
        }
        assert!(day("2026/10/1").unwrap_err().en.ends_with("write 2026-10-01") && day("2026-10-01").is_ok());
    }

    #[test]
    fn a_day_ends_with_its_last_moment_and_a_moment_is_itself() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let at = |text: &str| end(text).unwrap().in_zone(&zone).unwrap();
        let exact = |text: &str| moment(text).unwrap().in_zone(&zone).unwrap();
        assert_eq!(at("2026-10-01"), exact("2026-10-02T00:00:00+08:00"));
        assert_eq!(at("2026-12-31"), exact("2027-01-01"));
        for text in ["2026-10-01T00:00", "2026-10-01T08:00:00+08:00", "2026-10-01 23:59", "2026-10-01T00:00:00Z"] {
            assert_eq!(at(text), exact(text), "{text}");
        }
        assert!(end("2026/10/1").unwrap_err().en.contains("write 2026-10-01"));
    }
}
