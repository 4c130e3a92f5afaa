//! `hotline records ls`: calls as a table, from the journal or from a running gateway.

use super::dead_letters;
use super::source::{Source, Wanted};
use crate::base::{Shown, Text};
use crate::cli::table::{Table, left, right};
use crate::cli::typed::{self, Moment};
use crate::cli::words;
use crate::io::journal::search::Outcome;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::Value;

#[derive(Args)]
pub struct List {
    #[command(flatten)]
    of: Source,
    /// One JSON object a line
    ///
    /// 每行一个 JSON 对象
    #[arg(long)]
    json: bool,
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
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Events that a backend refused, in place of calls
    ///
    /// 列出被工单系统拒收的事件
    #[arg(long)]
    dead: bool,
}

fn outcome() -> impl TypedValueParser<Value = Outcome> {
    PossibleValuesParser::new(Outcome::words()).try_map(|word| Outcome::named(&word).ok_or("no such result"))
}

pub fn run(list: &List) -> Result<(), Text> {
    if list.dead {
        return dead_letters::list(&list.of.of, list.json);
    }
    let List { since, until, result, line, caller, .. } = list;
    let (result, line, caller) = (result.clone(), line.clone(), caller.clone());
    let wanted = Wanted { since: *since, until: *until, result, line, caller };
    let (table, mut begun) = (table(), list.json);
    let shown = list.of.each("records ls", &wanted, list.limit, |record| {
        if list.json {
            return say_json!("{record}");
        }
        if !std::mem::replace(&mut begun, true) {
            say!("{}", table.head().told(crate::cli::tongue()));
        }
        say!("{}", row(&table, record));
    })?;
    if shown == 0 && !list.json {
        crate::cli::complain(&both!("no call fits", "没有符合的通话"));
    }
    Ok(())
}

fn table() -> Table {
    Table::of([
        left(both!("START", "开始"), 29),
        left(both!("CALL", "通话"), 36),
        left(both!("NUMBER", "号码"), 12),
        left(both!("CALLER", "主叫"), 14),
        left(both!("DIRECTION", "方向"), 9),
        left(both!("RESULT", "结果"), 22),
        left(both!("WITH", "对方"), 12),
        right(both!("WAIT", "等待"), 10),
        right(both!("TALK", "通话时长"), 10),
        left(Text::default(), 0),
    ])
}

/// Text that others chose is shown, and acts nowhere.
fn row(table: &Table, record: &Value) -> String {
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).map(|text| Shown(text).to_string());
    let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let seconds = |field: &str| format!("{:.1} s", record[field].as_u64().unwrap_or_default() as f64 / 1000.0);
    let (start, id, number) = (dash(text("/start")), dash(text("/call_id")), dash(text("/hotline/number")));
    let (caller, with) = (dash(text("/caller")), dash(text("/seat/name").or(text("/target"))));
    let result = text("/result").unwrap_or_else(|| Outcome::OPEN.to_owned());
    let from = text("/reported_by/source").map_or_else(Text::default, |source| both!("from {source}", "来自 {source}"));
    let (wait, talk) = (seconds("queue_ms"), seconds("talk_ms"));
    let (direction, from) = (words::word(record["direction"].as_str().unwrap_or("inbound")), from.told(crate::cli::tongue()));
    table.row([&start, &id, &number, &caller, direction.told(crate::cli::tongue()), &result, &with, &wait, &talk, from])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::columns;
    use crate::record::shape::{Record, Reporter, Seat};
    use serde_json::json;

    fn record() -> Record {
        let mut record = Record { call_id: "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80".into(), queue_ms: 3_250, ..Record::default() };
        record.start = Some("2021-12-01T08:00:00.000+08:00".into());
        record.caller = Some("138******00".into());
        (record.hotline.number, record.talk_ms) = ("12345".into(), 61_000);
        record
    }

    #[test]
    fn each_column_stands_under_its_head() {
        let table = table();
        let (row, Text { en, zh }) = (row(&table, &json!(record())), table.head());
        for head in [
            ("START", "开始", "2021-12-01T08"),
            ("CALL ", "通话 ", "0193583f"),
            ("NUMBER", "号码", "12345"),
            ("CALLER", "主叫", "138***"),
            ("RESULT", "结果", "open"),
        ] {
            let cells = |text: &str, part: &str| columns::width(&text[..text.find(part).unwrap()]);
            let (english, chinese, cell) = head;
            assert_eq!((cells(&en, english), cells(&zh, chinese)), (cells(&row, cell), cells(&row, cell)), "{en}\n{zh}\n{row}");
        }
        assert_eq!(en.find("WITH"), row.rfind(" - ").map(|at| at + 1), "\n{en}\n{row}");
        for (head, cell) in [("WAIT", "3.2 s"), ("TALK", "61.0 s")] {
            let end = |text: &str, part: &str| text.find(part).map(|at| at + part.len());
            assert_eq!(end(&en, head), end(&row, cell), "{head}\n{en}\n{row}");
        }
    }

    #[test]
    fn what_others_chose_does_nothing_in_a_table() {
        let mut record = record();
        let foreign = || "a\u{1b}[2J\r\n\u{202e}b".to_owned();
        record.seat = Some(Seat { id: foreign(), name: foreign() });
        record.reported_by = Some(Reporter { source: foreign(), id: foreign() });
        (record.caller, record.hotline.number) = (Some(foreign()), foreign());
        let row = row(&table(), &json!(record));
        assert!(!row.chars().any(|c| c.is_control() || c == '\u{202e}') && row.contains("a\\u{1b}[2J"), "{row}");
    }

    #[test]
    fn a_gateway_is_asked_what_was_typed() {
        let asked =
            |wanted: &Wanted| wanted.query().into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        assert_eq!(asked(&Wanted::default()), [""; 0]);
        let wanted = Wanted {
            since: typed::moment("2026-10-01").ok(),
            until: typed::end("2026-10-02").ok(),
            result: ["no_seat", "open"].into_iter().filter_map(Outcome::named).collect(),
            line: Some("12345".to_owned()),
            caller: None,
        };
        let expected = "result=no_seat,open line=12345 since=2026-10-01T00:00:00 until=2026-10-03T00:00:00";
        assert_eq!(asked(&wanted).join(" "), expected);
    }
}
