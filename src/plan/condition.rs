//! For which calls a line is, and when a target may ring.

use super::calendar::{Calendar, Holiday};
use super::file::{self, Written};
use super::number;
use super::problem::{Located, Log};
use super::rules::{self, When};
use crate::base::Wall;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// Conditions may ask this about a call.
#[derive(Debug)]
pub struct Call<'a> {
    pub trunk: &'a str,
    /// Normalised.
    pub caller: Option<&'a str>,
    pub area: Option<&'a str>,
    pub at: Wall,
    pub zone: &'a TimeZone,
}

/// All that is said must hold; of several values, one.
#[derive(Debug, PartialEq)]
pub struct Condition {
    trunks: Vec<String>,
    callers: Vec<String>,
    areas: Vec<String>,
    open: Option<Arc<Calendar>>,
    closed: Option<Arc<Calendar>>,
    holidays: Vec<Arc<Holiday>>,
}

/// When a target may ring.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gate {
    areas: Vec<String>,
    open: Option<Arc<Calendar>>,
}

impl Condition {
    /// `home` is the plan's own area.
    pub fn of(when: &When, written: &Written, home: Option<&str>, log: &Log) -> Condition {
        let nothing = when.trunk.is_empty() && when.caller.is_empty() && when.area.is_empty();
        if nothing && when.open.is_none() && when.closed.is_none() && when.holiday.is_empty() {
            log.error(&when.at, both!("`when` says nothing", "`when` 没有任何条件"));
        }
        Condition {
            trunks: texts(&when.trunk),
            callers: when.caller.iter().filter_map(|said| beginning(said, home, log)).collect(),
            areas: areas(&when.area, log),
            open: calendar(&when.open, written, log),
            closed: calendar(&when.closed, written, log),
            holidays: when.holiday.iter().filter_map(|said| file::holiday(said, &written.holidays, false, log)).collect(),
        }
    }

    pub fn holds(&self, call: &Call<'_>) -> bool {
        let begins = |prefix: &String| call.caller.is_some_and(|caller| caller.starts_with(prefix.as_str()));
        (self.trunks.is_empty() || self.trunks.iter().any(|t| t == call.trunk))
            && (self.callers.is_empty() || self.callers.iter().any(begins))
            && in_areas(&self.areas, call)
            && self.open.as_ref().is_none_or(|c| c.open(call.at, call.zone))
            && self.closed.as_ref().is_none_or(|c| !c.open(call.at, call.zone))
            && (self.holidays.is_empty() || self.holidays.iter().any(|holiday| holiday.is_at(call.at, call.zone)))
    }
}

impl Gate {
    /// The areas whose calls it lets through; empty: all.
    pub fn areas(&self) -> &[String] {
        &self.areas
    }

    /// Tells whether it closes at some hours.
    pub fn closes(&self) -> bool {
        self.open.as_ref().is_some_and(|calendar| !calendar.always())
    }

    pub fn of(target: &rules::Target, written: &Written, log: &Log) -> Gate {
        Gate { areas: texts(&target.area), open: calendar(&target.open, written, log) }
    }

    pub fn is_open_to_all(&self) -> bool {
        self.areas.is_empty() && self.open.is_none()
    }

    pub fn open(&self, call: &Call<'_>) -> bool {
        in_areas(&self.areas, call) && self.open.as_ref().is_none_or(|c| c.open(call.at, call.zone))
    }
}

fn in_areas(areas: &[String], call: &Call<'_>) -> bool {
    areas.is_empty() || areas.iter().any(|area| call.area == Some(area))
}

/// As callers' numbers begin, however it is written.
fn beginning(said: &Located<String>, home: Option<&str>, log: &Log) -> Option<String> {
    let found = number::prefix(&said.value, home);
    if found.is_none() {
        let text = &said.value;
        log.error(
            &said.at,
            both!(
                "`{text}` is not how a number begins: digits, such as 138 or 0691",
                "`{text}` 不是号码的开头：只能是数字，例如 138 或 0691"
            ),
        );
    }
    found
}

fn areas(said: &[Located<String>], log: &Log) -> Vec<String> {
    for area in said.iter().filter(|area| !number::is_area(&area.value)) {
        let code = &area.value;
        log.error(&area.at, both!("`{code}` is no area code", "`{code}` 不是区号（不带首位 0）"));
    }
    texts(said)
}

fn texts(said: &[Located<String>]) -> Vec<String> {
    said.iter().map(|s| s.value.clone()).collect()
}

fn calendar(said: &Option<Located<String>>, written: &Written, log: &Log) -> Option<Arc<Calendar>> {
    let said = said.as_ref()?;
    let found = written.calendars.get(&said.value);
    if found.is_none() {
        let name = &said.value;
        let near = log.suggestion(name, written.calendars.keys().map(String::as_str));
        log.error(&said.at, both!("no `[calendars.{name}]`", "没有 `[calendars.{name}]`").then(&near));
    }
    found.map(|calendar| calendar.value.clone())
}
