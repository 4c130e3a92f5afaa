//! `hotline records ls`: calls as a table, from the journal or from a running gateway.

use super::letters;
use super::{Journal, shown};
use crate::base::{Shown, Text};
use crate::cli::api::{Client, Token};
use crate::cli::typed::{self, Moment};
use crate::io::http::MOST_RECORDS;
use crate::io::ledger::search::{Outcome, Search};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};

#[derive(Args)]
pub struct List {
    #[command(flatten)]
    of: Journal,
    /// Only calls that began at or after this moment: a date (its midnight, in the zone of the records), or RFC 3339
    ///
    /// 只看此时间及之后开始的通话：日期（按话单时区，自零点起）或 RFC 3339 时间，例如 2026-10-01
    #[arg(long, value_name = "TIME", value_parser = typed::moment)]
    since: Option<Moment>,
    /// Only calls that began before this moment; a date means to its end
    ///
    /// 只看此时间之前开始的通话；只写日期则含当日
    #[arg(long, value_name = "TIME", value_parser = typed::end)]
    until: Option<Moment>,
    /// Only calls that ended so, or that have not ended (`open`); several with commas
    ///
    /// 只看此结果的通话，`open` 为尚未结束，多个用逗号分隔
    #[arg(long, value_name = "RESULT", value_delimiter = ',', value_parser = outcome())]
    result: Vec<Outcome>,
    /// Only calls to this hotline: its number, or its name in the dial plan
    ///
    /// 只看此热线：号码，或方案中的名称
    #[arg(long, value_name = "LINE", value_parser = typed::word)]
    line: Option<String>,
    /// Only this caller's, however the number is written: +8613800138000, 0691-2123456
    ///
    /// 只看此主叫，写法不限：+8613800138000、0691-2123456
    #[arg(long, value_name = "NUMBER")]
    caller: Option<String>,
    /// Limits the records listed
    ///
    /// 最多条数
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Events that a backend refused, in place of calls
    ///
    /// 列出被工单系统拒收的事件
    #[arg(long, conflicts_with_all = ["since", "until", "result", "line", "caller"])]
    dead: bool,
    /// Asks the gateway whose HTTP interface is there, in place of opening the journal
    ///
    /// 改为向此地址的网关查询，不打开日志数据库
    #[arg(long, value_name = "URL", conflicts_with_all = ["journal", "dead"])]
    url: Option<String>,
    #[command(flatten)]
    token: Token,
}

fn outcome() -> impl TypedValueParser<Value = Outcome> {
    PossibleValuesParser::new(Outcome::words()).try_map(|word| Outcome::named(&word).ok_or("no such result"))
}

pub fn run(list: &List) -> Result<(), Text> {
    let mut table = Table { json: list.of.json, shown: 0 };
    match &list.url {
        _ if list.dead => return letters::list(&list.of),
        Some(url) => list.ask(&list.token.open(url)?, &mut table)?,
        None => list.read(&mut table)?,
    }
    if table.shown == 0 && !list.of.json {
        crate::cli::complain(&both!("no call fits", "没有符合的通话"));
    }
    Ok(())
}

impl List {
    fn read(&self, table: &mut Table) -> Result<(), Text> {
        let at = |moment: Option<Moment>| moment.map(|at| self.of.at(at)).transpose();
        let search = Search {
            caller: self.caller.as_deref().map(|written| self.of.caller(written)).transpose()?,
            line: self.line.clone(),
            outcomes: self.result.clone(),
            since: at(self.since)?,
            until: at(self.until)?,
            before: None,
            limit: self.limit,
            look: u32::MAX,
        };
        let ledger = self.of.open()?;
        let records = ledger.search(&search)?.records;
        Journal::left_out(&ledger);
        self.of.note("records ls", &format!("{} calls", records.len()))?;
        records.into_iter().for_each(|record| table.row(&json!(shown(record, self.of.unmasked))));
        Ok(())
    }

    /// Page by page.
    fn ask(&self, client: &Client, table: &mut Table) -> Result<(), Text> {
        let mut before = None;
        while table.shown < self.limit {
            let answer = client.find("/api/v1/records", &self.query(self.limit - table.shown, before))?;
            answer["records"].as_array().into_iter().flatten().for_each(|record| table.row(record));
            before = answer["next"].as_str().map(str::to_owned);
            if before.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn query(&self, left: u32, before: Option<String>) -> Vec<(&'static str, String)> {
        let result = self.result.iter().map(|outcome| outcome.word()).collect::<Vec<_>>().join(",");
        let asked = [
            ("limit", Some(left.min(MOST_RECORDS).to_string())),
            ("before", before),
            ("result", Some(result).filter(|result| !result.is_empty())),
            ("line", self.line.clone()),
            ("since", self.since.map(|at| at.to_string())),
            ("until", self.until.map(|at| at.to_string())),
            ("caller", self.caller.clone()),
            ("unmasked", self.of.unmasked.then(|| "true".to_owned())),
        ];
        asked.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// The answer: a table with a head, or JSON.
struct Table {
    json: bool,
    shown: u32,
}

impl Table {
    fn row(&mut self, record: &Value) {
        if self.json {
            say_json!("{record}");
        } else {
            if self.shown == 0 {
                say!("{}", HEAD);
            }
            say!("{}", row(record));
        }
        self.shown += 1;
    }
}

const HEAD: &str = "START                          CALL                                  NUMBER       CALLER         RESULT                  \
                    WITH               WAIT       TALK";

/// Text that others chose is shown, and acts nowhere.
fn row(record: &Value) -> String {
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).map(|text| Shown(text).to_string());
    let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let seconds = |field: &str| record[field].as_u64().unwrap_or_default() as f64 / 1000.0;
    let (start, id, number) = (dash(text("/start")), dash(text("/call_id")), dash(text("/hotline/number")));
    let (caller, with) = (dash(text("/caller")), dash(text("/seat/name").or(text("/target"))));
    let result = text("/result").unwrap_or_else(|| "open".to_owned());
    let from = text("/reported_by/source").map_or(String::new(), |source| format!("  from {source}"));
    let (wait, talk) = (seconds("queue_ms"), seconds("talk_ms"));
    format!("{start:<29}  {id:<36}  {number:<12} {caller:<14} {result:<22}  {with:<12} {wait:>8.1} s {talk:>8.1} s{from}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::shape::{Record, Reporter, Seat};
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        list: List,
    }

    fn record() -> Record {
        let mut record = Record { call_id: "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80".into(), queue_ms: 3_250, ..Record::default() };
        record.start = Some("2021-12-01T08:00:00.000+08:00".into());
        record.caller = Some("138******00".into());
        (record.hotline.number, record.talk_ms) = ("12345".into(), 61_000);
        record
    }

    #[test]
    fn each_column_stands_under_its_head() {
        let row = row(&json!(record()));
        for (head, cell) in
            [("START", "2021-12-01T08"), ("CALL ", "0193583f"), ("NUMBER", "12345"), ("CALLER", "138***"), ("RESULT", "open")]
        {
            assert_eq!(HEAD.find(head), row.find(cell), "{head}\n{HEAD}\n{row}");
        }
        assert_eq!(HEAD.find("WITH"), row.rfind(" - ").map(|at| at + 1), "\n{HEAD}\n{row}");
        for (head, cell) in [("WAIT", "3.2 s"), ("TALK", "61.0 s")] {
            let end = |text: &str, part: &str| text.find(part).map(|at| at + part.len());
            assert_eq!(end(HEAD, head), end(&row, cell), "{head}\n{HEAD}\n{row}");
        }
    }

    #[test]
    fn what_others_chose_does_nothing_in_a_table() {
        let mut record = record();
        let foreign = || "a\u{1b}[2J\r\n\u{202e}b".to_owned();
        record.seat = Some(Seat { id: foreign(), name: foreign() });
        record.reported_by = Some(Reporter { source: foreign(), id: foreign() });
        (record.caller, record.hotline.number) = (Some(foreign()), foreign());
        let row = row(&json!(record));
        assert!(!row.chars().any(|c| c.is_control() || c == '\u{202e}') && row.contains("a\\u{1b}[2J"), "{row}");
    }

    #[test]
    fn a_gateway_is_asked_what_was_typed() {
        let line = |more: &[&str]| Line::try_parse_from([&["ls", "--url", "http://a"], more].concat());
        let query = |more: &[&str], left| line(more).unwrap().list.query(left, None);
        assert_eq!(query(&[], 50), [("limit", "50".to_owned())]);
        let more =
            ["--since", "2026-10-01", "--until", "2026-10-02", "--result", "no_seat,open", "--line", "12345", "--unmasked"];
        let asked: Vec<String> = query(&more, 10_000).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expected =
            "limit=500 result=no_seat,open line=12345 since=2026-10-01T00:00:00 until=2026-10-03T00:00:00 unmasked=true";
        assert_eq!(asked.join(" "), expected);
        for wrong in
            [&["--result", "vanished"][..], &["--dead"], &["--journal", "x"], &["--until", "soon"], &["--line", "１２３４５"]]
        {
            assert!(line(wrong).is_err(), "{wrong:?}");
        }
    }
}
