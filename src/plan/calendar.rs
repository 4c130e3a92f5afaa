//! Hours in which somebody is there: by weekday, without holidays, with make-up workdays (调休).

use super::fields::Table;
use super::problem::{At, Log};
use crate::base::Wall;
use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::sync::Arc;

/// `[calendars.NAME]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calendar {
    hours: Vec<Span>,
    holidays: BTreeSet<Date>,
    workdays: BTreeSet<Date>,
    /// Holidays of the plan that it keeps.
    closed: Vec<Arc<Holiday>>,
    /// True when somebody is there all the time.
    always: bool,
}

/// `[holidays.NAME]`
#[derive(Clone, Debug, PartialEq)]
pub struct Holiday {
    pub from: Date,
    pub to: Date,
    /// Weekend days that are worked for it.
    workdays: BTreeSet<Date>,
}

impl Holiday {
    /// None where its days are not known.
    pub fn read(table: &Table<'_>, log: &Log) -> Option<Holiday> {
        let days = |word: &str| {
            let said = table.dates(word)?;
            if said.is_empty() {
                log.error(&table.at, both!("`{word}` names no day", "`{word}` 没有写日期"));
            }
            if let [_, second, ..] = &said[..] {
                log.error(
                    &second.at,
                    both!("one day is enough: a holiday lasts from its first to its last day", "只写一天：节假日从首日到末日"),
                );
            }
            said.into_iter().next()
        };
        let from = table.need("from", days("from"))?;
        let to = days("to");
        if let Some(last) = to.as_ref().filter(|last| last.value < from.value) {
            let (first, last_) = (from.value, last.value);
            log.error(&last.at, both!("ends on {last_}, before it begins on {first}", "{last_} 结束，早于开始的 {first}"));
        }
        let to = to.map_or(from.value, |to| to.value.max(from.value));
        let workdays = table.dates("workdays").unwrap_or_default();
        for day in workdays.iter().filter(|day| (from.value..=to).contains(&day.value)) {
            let date = day.value;
            log.error(&day.at, both!("{date} is both a holiday and a workday", "{date} 既是节假日又是工作日"));
        }
        for day in workdays.iter().filter(|day| !matches!(day.value.weekday(), Weekday::Saturday | Weekday::Sunday)) {
            let date = day.value;
            log.warning(
                &day.at,
                both!("{date} is no Saturday or Sunday: it is worked anyway", "{date} 不是周六或周日，本来就上班"),
            );
        }
        Some(Holiday { from: from.value, to, workdays: workdays.into_iter().map(|day| day.value).collect() })
    }

    pub fn has(&self, date: Date) -> bool {
        (self.from..=self.to).contains(&date)
    }

    pub fn is_at(&self, at: Wall, zone: &TimeZone) -> bool {
        Timestamp::from_microsecond(at.0).is_ok_and(|at| self.has(zone.to_datetime(at).date()))
    }

    /// The first of its days that the other has too; or one that either works and the other has off.
    fn quarrels(&self, other: &Holiday) -> Option<Date> {
        let worked = |one: &Holiday, other: &Holiday| one.workdays.iter().copied().find(|day| other.has(*day));
        let both = self.from.max(other.from);
        Some(both).filter(|day| self.has(*day) && other.has(*day)).or_else(|| worked(self, other)).or_else(|| worked(other, self))
    }
}

/// On some weekdays (bit 0: Monday), from a minute of the day to another.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    days: u8,
    from: u16,
    to: u16,
}

/// The hours of a plan's calendar, where it means them.
#[derive(Clone, Debug)]
pub struct Hours {
    pub(super) calendar: Arc<Calendar>,
    pub(super) zone: TimeZone,
}

impl Hours {
    pub fn open(&self, at: Wall) -> bool {
        self.calendar.open(at, &self.zone)
    }
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MIDNIGHT: u16 = 24 * 60;
const DAY: i64 = MIDNIGHT as i64;

impl Calendar {
    pub(super) fn read(table: &Table<'_>, log: &Log) -> Calendar {
        let mut hours = Vec::new();
        for said in table.need("hours", table.texts("hours")).unwrap_or_default() {
            match Span::read(&said.value) {
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

    /// Hours by weekday, written as a plan writes them; none where one is not.
    pub fn weekly<'a>(mut texts: impl Iterator<Item = &'a str>) -> Option<Calendar> {
        let hours = texts.try_fold(Vec::new(), |mut all, text| {
            all.push(Span::read(text)?);
            Some(all)
        });
        hours.map(|hours| Calendar::of(hours, BTreeSet::new(), BTreeSet::new()))
    }

    /// When one that is by weekday opens next: the day of the week, counted from Monday, and the minute of that day.
    pub fn opens(&self, after: Wall, zone: &TimeZone) -> Option<(u8, u16)> {
        let local = zone.to_datetime(Timestamp::from_microsecond(after.0).ok()?);
        let today = u16::from(local.weekday().to_monday_zero_offset().unsigned_abs());
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let week = 7 * MIDNIGHT;
        let place = |passed: u16| (today * MIDNIGHT + minute + passed) % week;
        let next = (1..=week).map(place).map(|at| (u8::try_from(at / MIDNIGHT).unwrap_or(0), at % MIDNIGHT));
        next.into_iter().find(|(day, minute)| self.hours.iter().any(|hours| hours.cover(*day, *minute)))
    }

    /// The moment at which one that is by weekday begins next, whether it is open now or not; none where it never closes.
    pub fn opening(&self, after: Wall, zone: &TimeZone) -> Option<Wall> {
        let local = zone.to_datetime(Timestamp::from_microsecond(after.0).ok()?);
        let open = |minute: i64| {
            let day = (i64::from(local.weekday().to_monday_zero_offset()) + minute.div_euclid(DAY)).rem_euclid(7);
            let (day, minute) = (u8::try_from(day).unwrap_or(0), u16::try_from(minute.rem_euclid(DAY)).unwrap_or(0));
            self.hours.iter().any(|hours| hours.cover(day, minute))
        };
        let now = i64::from(local.hour()) * 60 + i64::from(local.minute());
        let begins = (now + 1..=now + 7 * DAY).find(|minute| open(*minute) && !open(minute - 1))?;
        let date = local.date().checked_add(jiff::Span::new().days(begins.div_euclid(DAY))).ok()?;
        let (hour, minute) = (begins.rem_euclid(DAY) / 60, begins.rem_euclid(60));
        let at = date.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0);
        Some(Wall(zone.to_timestamp(at).ok()?.as_microsecond()))
    }

    fn of(hours: Vec<Span>, holidays: BTreeSet<Date>, workdays: BTreeSet<Date>) -> Calendar {
        let covered = |day, minute| hours.iter().any(|h| h.cover(day, minute));
        let always = holidays.is_empty() && (0..7).all(|day| (0..MIDNIGHT).all(|minute| covered(day, minute)));
        Calendar { hours, holidays, workdays, closed: Vec::new(), always }
    }

    /// The calendar keeps these holidays, too. `said`: where each is named.
    pub fn keep(&mut self, holidays: Vec<(&At, Arc<Holiday>)>, log: &Log) {
        for (at, holiday) in holidays {
            let worked = self.workdays.iter().copied().find(|day| holiday.has(*day));
            if let Some(day) = worked.or_else(|| self.closed.iter().find_map(|other| other.quarrels(&holiday))) {
                log.error(
                    at,
                    both!(
                        "{day} stands in two holidays, or is worked in one of them",
                        "{day} 属于两个节假日，或在其一中为工作日"
                    ),
                );
            }
            self.closed.push(holiday);
        }
        self.always &= self.closed.is_empty();
    }

    pub fn open(&self, at: Wall, zone: &TimeZone) -> bool {
        let Ok(at) = Timestamp::from_microsecond(at.0) else { return false };
        let local = zone.to_datetime(at);
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        self.day(local.date()).is_some_and(|day| self.hours.iter().any(|h| h.cover(day, minute)))
    }

    /// The last date that it knows of; none when it is weekly only.
    pub fn last_date(&self) -> Option<Date> {
        let kept = self.closed.iter().map(|holiday| holiday.to);
        self.holidays.last().max(self.workdays.last()).copied().into_iter().chain(kept).max()
    }

    pub fn always(&self) -> bool {
        self.always
    }

    /// The weekday whose hours hold on a date, counted from Monday; none on a holiday.
    fn day(&self, date: Date) -> Option<u8> {
        if self.holidays.contains(&date) || self.closed.iter().any(|holiday| holiday.has(date)) {
            return None;
        }
        let worked = self.workdays.contains(&date) || self.closed.iter().any(|holiday| holiday.workdays.contains(&date));
        let weekday = if worked { Weekday::Monday } else { date.weekday() };
        Some(weekday.to_monday_zero_offset().unsigned_abs())
    }
}

impl Span {
    fn cover(self, day: u8, minute: u16) -> bool {
        self.days & (1 << day) != 0 && (self.from..self.to).contains(&minute)
    }

    fn read(text: &str) -> Option<Span> {
        let (days, hours) = text.split_once(' ')?;
        let (from, to) = hours.trim().split_once('-')?;
        let (from, to) = (minute(from)?, minute(to)?);
        (from < to).then_some(Span { days: days_of(days)?, from, to })
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
        let hours = hours.iter().map(|h| Span::read(h).unwrap()).collect();
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
    fn hours_by_weekday_open_again() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let hours = Calendar::weekly(["mon-fri 08:30-21:00", "sat 09:00-12:00"].into_iter()).unwrap();
        for (when, open, next) in [
            ("2021-10-11T08:29:59+08:00", false, (0, 510)),
            ("2021-10-11T08:30:00+08:00", true, (0, 511)),
            ("2021-10-11T20:59:59+08:00", true, (1, 510)),
            ("2021-10-11T21:00:00+08:00", false, (1, 510)),
            ("2021-10-16T12:00:00+08:00", false, (0, 510)),
            ("2021-10-15T23:59:59+08:00", false, (5, 540)),
        ] {
            assert_eq!((hours.open(at(when), &zone), hours.opens(at(when), &zone)), (open, Some(next)), "{when}");
        }
        assert_eq!(Calendar::weekly([].into_iter()).unwrap().opens(at("2021-10-11T08:29:59+08:00"), &zone), None);
        assert_eq!(Calendar::weekly(["always"].into_iter()), None);
        for (when, next) in [
            ("2021-10-11T08:29:59+08:00", Some("2021-10-11T08:30:00+08:00")),
            ("2021-10-11T08:30:00+08:00", Some("2021-10-12T08:30:00+08:00")),
            ("2021-10-31T23:59:59+08:00", Some("2021-11-01T08:30:00+08:00")),
            ("2021-10-15T12:00:00+08:00", Some("2021-10-16T09:00:00+08:00")),
        ] {
            assert_eq!(hours.opening(at(when), &zone), next.map(at), "{when}");
        }
        let always = Calendar::weekly(["daily 00:00-24:00"].into_iter()).unwrap();
        assert_eq!(always.opening(at("2021-10-11T08:29:59+08:00"), &zone), None);
    }

    #[test]
    fn all_the_time_is_all_the_time() {
        let always = |hours: &[&str]| {
            let hours = hours.iter().map(|h| Span::read(h).unwrap()).collect();
            Calendar::of(hours, BTreeSet::new(), BTreeSet::new()).always()
        };
        assert!(always(&["daily 00:00-24:00"]) && always(&["mon-sun 00:00-12:00", "daily 11:00-24:00"]));
        assert!(!always(&["daily 00:00-23:59"]) && !always(&["mon-sat 00:00-24:00"]) && !office().always());
    }

    const HOLIDAYS: &str = r#"
[plan]
name = "x"
[[line]]
number = "12345"
name = "假日"
mode = "front"
queue = "duty"
when = { holiday = ["spring", "national-day"] }
[[line]]
number = "12345"
mode = "front"
when = { open = "office" }
[[line]]
number = "12345"
name = "夜间"
mode = "front"
[calendars.office]
hours = "mon-fri 08:30-18:00"
closed = ["new-year", "national-day"]
[holidays.new-year]
from = 2026-12-31
to = 2027-01-03
[holidays.national-day]
from = 2026-10-01
to = 2026-10-07
workdays = [2026-09-27, 2026-10-10]
[holidays.spring]
from = 2027-02-06
"#;

    #[test]
    fn named_holidays_close_calendars_and_choose_lines() {
        let plan = crate::plan::tests::read(HOLIDAYS).unwrap();
        let line = |when: &str| {
            let at = at(&format!("{when}+08:00"));
            let facts =
                crate::plan::Facts { dialled: "12345", caller: None, trunk: "", trunk_area: None, diverted_from: None, at };
            plan.decide(&facts).line.to_string()
        };
        for (when, want) in [
            ("2026-09-30T18:00:00", "夜间"),
            ("2026-09-30T17:59:59", "12345"),
            ("2026-10-01T00:00:00", "假日"),
            ("2026-10-07T23:59:59", "假日"),
            ("2026-10-08T08:30:00", "12345"),
            // Worked for it: a Sunday before, a Saturday after, with the hours of a Monday.
            ("2026-09-27T10:00:00", "12345"),
            ("2026-10-10T10:00:00", "12345"),
            ("2026-10-11T10:00:00", "夜间"),
            // Over the end of the year, in a calendar and in no condition.
            ("2026-12-30T10:00:00", "12345"),
            ("2026-12-31T10:00:00", "夜间"),
            ("2027-01-01T10:00:00", "夜间"),
            ("2027-01-04T10:00:00", "12345"),
            // One day, which no calendar keeps.
            ("2027-02-06T10:00:00", "假日"),
            ("2027-02-07T10:00:00", "夜间"),
        ] {
            assert_eq!(line(when), want, "{when}");
        }
        assert!(
            plan.hours("office").is_some_and(|hours| !hours.open(at("2026-10-01T10:00:00+08:00"))) && plan.hours("x").is_none()
        );
    }

    #[test]
    fn what_is_wrong_with_a_holiday_is_told_at_its_place() {
        let told = |holidays: &str, calendar: &str| {
            let text = format!(
                "[plan]\nname = 'x'\n[[line]]\nnumber = '12345'\nmode = 'front'\n[calendars.c]\nhours = 'mon 08:00-09:00'\n{calendar}\n{holidays}"
            );
            crate::plan::tests::read(&text).err().unwrap_or_default()
        };
        assert_eq!(told("[holidays.a]\nfrom = 2026-10-01\nto = 2026-10-01", "closed = 'a'"), "");
        for (holidays, calendar, place, says) in [
            (
                "[holidays.a]\nfrom = 2026-10-07\nto = 2026-10-01",
                "",
                "11:6",
                "ends on 2026-10-01, before it begins on 2026-10-07",
            ),
            ("[holidays.a]", "", "9:1", "`from` is missing"),
            ("[holidays.a]\nfrom = []", "", "9:", "`from` names no day"),
            ("[holidays.a]\nfrom = [2026-10-01, 2026-10-02]", "", "10:21", "one day is enough"),
            ("[holidays.a]\nfrom = 2026-10-01\nworkdays = 2026-10-01", "", "11:12", "both a holiday and a workday"),
            ("[holidays.a]\nfrom = 'soon'", "", "10:8", "a date such as 2021-10-01"),
            ("[holidays.national-day]\nfrom = 2026-10-01", "closed = 'national'", "8:10", "no `[holidays.national]`"),
            (
                "[holidays.a]\nfrom = 2026-10-01\nto = 2026-10-05\n[holidays.b]\nfrom = 2026-10-05",
                "closed = ['a', 'b']",
                "8:16",
                "2026-10-05 stands in two holidays",
            ),
            (
                "[holidays.a]\nfrom = 2026-10-01\n[holidays.b]\nfrom = 2026-10-10\nworkdays = 2026-10-01",
                "closed = ['a', 'b']",
                "8:16",
                "2026-10-01 stands in two holidays",
            ),
            (
                "[holidays.a]\nfrom = 2026-10-10",
                "workdays = 2026-10-10\nclosed = 'a'",
                "9:10",
                "2026-10-10 stands in two holidays",
            ),
        ] {
            let told = told(holidays, calendar);
            assert!(told.contains(&format!("test.toml:{place}")) && told.contains(says), "{holidays} {calendar}: {told}");
        }
        let line = "[[line]]\nnumber = '12345'\nmode = 'front'\nwhen = { holiday = 'x' }\n";
        let told = crate::plan::tests::read(&format!("[plan]\nname = 'x'\n{line}")).unwrap_err();
        assert!(told.contains("test.toml:6:20: no `[holidays.x]`"), "{told}");
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
            assert_eq!(Span::read(text), None, "{text}");
        }
    }
}
