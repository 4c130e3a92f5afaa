//! Hours in which somebody is there: by weekday, without holidays, with make-up workdays (调休).

use super::fields::Table;
use super::problem::Log;
use crate::base::Wall;
use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use std::collections::BTreeSet;

/// `[calendars.NAME]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calendar {
    hours: Vec<Hours>,
    holidays: BTreeSet<Date>,
    workdays: BTreeSet<Date>,
    /// True when somebody is there all the time.
    always: bool,
}

/// On some weekdays (bit 0: Monday), from a minute of the day to another.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Hours {
    days: u8,
    from: u16,
    to: u16,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MIDNIGHT: u16 = 24 * 60;

impl Calendar {
    pub fn read(table: &Table<'_>, log: &Log) -> Calendar {
        let mut hours = Vec::new();
        for said in table.need("hours", table.texts("hours")).unwrap_or_default() {
            match Hours::read(&said.value) {
                Some(read) => hours.push(read),
                None => {
                    let text = both!(
                        "hours are written `mon-fri 08:30-12:00`, `sat,sun 09:00-17:00` or `daily 00:00-24:00`",
                        "时段应写作 `mon-fri 08:30-12:00`、`sat,sun 09:00-17:00` 或 `daily 00:00-24:00`（mon…sun 为周一至周日，daily 为每天）"
                    );
                    log.error(&said.at, text)
                }
            }
        }
        let dates = |word| table.dates(word).unwrap_or_default();
        let holidays: BTreeSet<Date> = dates("holidays").iter().map(|d| d.value).collect();
        let workdays = dates("workdays");
        for day in workdays.iter().filter(|day| holidays.contains(&day.value)) {
            let date = day.value;
            log.error(&day.at, both!("{date} is both a holiday and a workday", "{date} 既是节假日又是工作日"));
        }
        Calendar::of(hours, holidays, workdays.into_iter().map(|d| d.value).collect())
    }

    fn of(hours: Vec<Hours>, holidays: BTreeSet<Date>, workdays: BTreeSet<Date>) -> Calendar {
        let covered = |day, minute| hours.iter().any(|h| h.cover(day, minute));
        let always = holidays.is_empty() && (0..7).all(|day| (0..MIDNIGHT).all(|minute| covered(day, minute)));
        Calendar { hours, holidays, workdays, always }
    }

    pub fn open(&self, at: Wall, zone: &TimeZone) -> bool {
        let Ok(at) = Timestamp::from_microsecond(at.0) else { return false };
        let local = zone.to_datetime(at);
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        self.day(local.date()).is_some_and(|day| self.hours.iter().any(|h| h.cover(day, minute)))
    }

    /// The last date that it knows of; none when it is weekly only.
    pub fn last_date(&self) -> Option<Date> {
        self.holidays.last().max(self.workdays.last()).copied()
    }

    pub fn always(&self) -> bool {
        self.always
    }

    /// The weekday whose hours hold on a date, counted from Monday; none on a holiday.
    fn day(&self, date: Date) -> Option<u8> {
        if self.holidays.contains(&date) {
            return None;
        }
        let weekday = if self.workdays.contains(&date) { Weekday::Monday } else { date.weekday() };
        Some(weekday.to_monday_zero_offset().unsigned_abs())
    }
}

impl Hours {
    fn cover(self, day: u8, minute: u16) -> bool {
        self.days & (1 << day) != 0 && (self.from..self.to).contains(&minute)
    }

    fn read(text: &str) -> Option<Hours> {
        let (days, hours) = text.split_once(' ')?;
        let (from, to) = hours.trim().split_once('-')?;
        let (from, to) = (minute(from)?, minute(to)?);
        (from < to).then_some(Hours { days: days_of(days)?, from, to })
    }
}

fn days_of(text: &str) -> Option<u8> {
    if text == "daily" {
        return Some(0x7f);
    }
    let index = |name: &str| DAYS.iter().position(|d| *d == name);
    text.split(',').try_fold(0, |days, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (index(first)?, index(last)?);
        (first <= last).then(|| (first..=last).fold(days, |days, day| days | 1 << day))
    })
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour.checked_mul(60)?.checked_add(minute)?;
    (minute < 60 && total <= MIDNIGHT).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::at;

    fn office() -> Calendar {
        let hours = ["mon-fri 08:30-12:00", "mon-fri 14:30-18:00", "sat 09:00-12:00"];
        let hours = hours.iter().map(|h| Hours::read(h).unwrap()).collect();
        let day = |day| BTreeSet::from([jiff::civil::date(2021, 10, day)]);
        Calendar::of(hours, day(1), day(9))
    }

    #[test]
    fn somebody_is_there_or_not() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        for (when, open) in [
            ("2021-10-11T08:29:59+08:00", false),
            ("2021-10-11T08:30:00+08:00", true),
            ("2021-10-11T12:00:00+08:00", false),
            ("2021-10-11T06:30:00Z", true),
            ("2021-10-01T10:00:00+08:00", false),
            ("2021-10-02T10:00:00+08:00", true),
            ("2021-10-02T15:00:00+08:00", false),
            ("2021-10-09T15:00:00+08:00", true),
            ("2021-10-10T10:00:00+08:00", false),
        ] {
            assert_eq!(office().open(at(when), &zone), open, "{when}");
        }
    }

    #[test]
    fn all_the_time_is_all_the_time() {
        let always = |hours: &[&str]| {
            let hours = hours.iter().map(|h| Hours::read(h).unwrap()).collect();
            Calendar::of(hours, BTreeSet::new(), BTreeSet::new()).always()
        };
        assert!(always(&["daily 00:00-24:00"]) && always(&["mon-sun 00:00-12:00", "daily 11:00-24:00"]));
        assert!(!always(&["daily 00:00-23:59"]) && !always(&["mon-sat 00:00-24:00"]) && !office().always());
    }

    #[test]
    fn what_are_no_hours() {
        for text in [
            "mon-fri",
            "mo 08:00-09:00",
            "fri-mon 08:00-09:00",
            "mon 09:00-08:00",
            "mon 08:00-24:01",
            "mon 8-9",
            "",
            "mon 00:00-65535:00",
        ] {
            assert_eq!(Hours::read(text), None, "{text}");
        }
    }
}
