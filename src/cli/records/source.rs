//! Records from the journal's file, or from a running gateway: the same questions, and the same answers.

use super::{Journal, Numbers};
use crate::base::{CallId, Text};
use crate::cli::api::{Client, Token};
use crate::cli::typed::Moment;
use crate::io::http::MOST_RECORDS;
use crate::io::journal::Reader;
use crate::io::journal::search::{Outcome, Search};
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub struct Source {
    #[command(flatten)]
    pub of: Journal,
    #[command(flatten)]
    numbers: Numbers,
    /// Asks the gateway whose HTTP interface is there, in place of opening the journal
    ///
    /// 改为向此地址的网关查询，不打开日志数据库
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    token: Token,
}

/// The records that are wanted; what is not said: all.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub since: Option<Moment>,
    pub until: Option<Moment>,
    pub result: Vec<Outcome>,
    pub line: Option<String>,
    pub caller: Option<String>,
}

impl Wanted {
    /// As the gateway is asked, and as the audit log has it.
    pub fn query(&self) -> Vec<(&'static str, String)> {
        let result = self.result.iter().map(|outcome| outcome.word()).collect::<Vec<_>>().join(",");
        let asked = [
            ("result", Some(result).filter(|result| !result.is_empty())),
            ("line", self.line.clone()),
            ("since", self.since.map(|at| at.to_string())),
            ("until", self.until.map(|at| at.to_string())),
            ("caller", self.caller.clone()),
        ];
        asked.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

impl Source {
    /// Gives at most so many of them, the newest first, and tells how many there were. `did`: what the audit log calls it.
    pub fn each(&self, did: &str, wanted: &Wanted, limit: u32, mut take: impl FnMut(&Value)) -> Result<u32, Text> {
        let pages = self.pages(did, wanted)?;
        let (mut given, mut before) = (0, None);
        while given < limit {
            let (records, next) = pages.page(before, (limit - given).min(MOST_RECORDS))?;
            records.iter().for_each(&mut take);
            given = given.saturating_add(u32::try_from(records.len()).unwrap_or(u32::MAX));
            before = next;
            if before.is_none() {
                break;
            }
        }
        Ok(given)
    }

    /// Gives them, the newest first, until it has had enough.
    pub fn until(&self, did: &str, wanted: &Wanted, take: &mut dyn FnMut(&Value) -> bool) -> Result<(), Text> {
        let (pages, mut before) = (self.pages(did, wanted)?, None);
        loop {
            let (records, next) = pages.page(before, MOST_RECORDS)?;
            before = next;
            if !records.iter().all(&mut *take) || before.is_none() {
                return Ok(());
            }
        }
    }

    fn pages(&self, did: &str, wanted: &Wanted) -> Result<Pages<'_>, Text> {
        match &self.url {
            Some(url) => Ok(Pages::Gateway(self.token.open(url)?, wanted.query(), self.numbers.unmasked)),
            None => self.journal(did, wanted),
        }
    }

    fn journal(&self, did: &str, wanted: &Wanted) -> Result<Pages<'_>, Text> {
        let at = |moment: Option<Moment>| moment.map(|at| self.of.at(at)).transpose();
        let search = Search {
            caller: wanted.caller.as_deref().map(|written| self.of.caller(written)).transpose()?,
            line: wanted.line.clone(),
            outcomes: wanted.result.clone(),
            since: at(wanted.since)?,
            until: at(wanted.until)?,
            look: u32::MAX,
            ..Search::default()
        };
        let reader = self.of.open()?;
        let asked: Vec<String> = wanted.query().into_iter().map(|(name, value)| format!("{name} {value}")).collect();
        self.numbers.note(&self.of, did, &if asked.is_empty() { "all".to_owned() } else { asked.join(", ") })?;
        Ok(Pages::Journal(Box::new(reader), search, &self.numbers))
    }

    /// One call's record and its deliveries.
    pub fn call(&self, call: CallId) -> Result<Value, Text> {
        if let Some(url) = &self.url {
            let numbers = if self.numbers.unmasked { "?unmasked=true" } else { "" };
            return self.token.open(url)?.get(&format!("/api/v1/records/{call}{numbers}"));
        }
        let reader = self.of.open()?;
        let record = reader.record(call)?.ok_or_else(|| both!("no call {call}", "没有通话 {call}"))?;
        let deliveries = reader.deliveries(call)?;
        Journal::left_out(&reader);
        self.numbers.note(&self.of, "records show", &call.to_string())?;
        Ok(json!({ "record": self.numbers.shown(record), "deliveries": deliveries }))
    }
}

/// Records, a page at a time.
enum Pages<'a> {
    Journal(Box<Reader>, Search, &'a Numbers),
    /// Asked so; true: with callers' numbers in full.
    Gateway(Client, Vec<(&'static str, String)>, bool),
}

impl Pages<'_> {
    /// The page behind `before`, and where the next one begins if there may be one.
    fn page(&self, before: Option<String>, limit: u32) -> Result<(Vec<Value>, Option<String>), Text> {
        match self {
            Pages::Journal(reader, search, numbers) => {
                let before = before.and_then(|call| call.parse().ok());
                let page = reader.search(&Search { before, limit, ..search.clone() })?;
                Journal::left_out(reader);
                let records = page.records.into_iter().map(|record| json!(numbers.shown(record)));
                Ok((records.collect(), page.next.map(|call| call.to_string())))
            }
            Pages::Gateway(client, asked, unmasked) => {
                let more =
                    [("limit", Some(limit.to_string())), ("before", before), ("unmasked", unmasked.then(|| "true".to_owned()))];
                let more = more.into_iter().filter_map(|(name, value)| Some((name, value?)));
                let mut answer = client.find("/api/v1/records", &asked.iter().cloned().chain(more).collect::<Vec<_>>())?;
                let records = answer["records"].as_array_mut().map(std::mem::take).unwrap_or_default();
                Ok((records, answer["next"].as_str().map(str::to_owned)))
            }
        }
    }
}
