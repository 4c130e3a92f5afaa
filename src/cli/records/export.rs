//! Records for other programs: one JSON object a line, or a table for a spreadsheet.

use super::source::{Source, Wanted};
use crate::base::{Shown, Text};
use crate::cli::typed::{self, Moment};
use clap::{Args, ValueEnum};
use serde_json::Value;

/// Records after which a long export says how far it is.
const PROGRESS: u32 = 10_000;

#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    of: Source,
    /// Only calls that began at or after this moment (RFC 3339)
    ///
    /// 只看此时间及之后开始的通话，例如 2026-10-01
    #[arg(long, value_name = "TIME", value_parser = typed::moment)]
    since: Option<Moment>,
    /// As what
    ///
    /// 输出格式
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Ndjson,
    Csv,
}

type Column = (&'static str, fn(&Value) -> String);

const COLUMNS: &[Column] = &[
    ("通话编号", |r| text(r, "/call_id")),
    ("开始时间", |r| text(r, "/start")),
    ("主叫号码", |r| text(r, "/caller")),
    ("拨打号码", |r| text(r, "/hotline/dialled")),
    ("热线号码", |r| text(r, "/hotline/number")),
    ("热线名称", |r| text(r, "/hotline/line")),
    ("责任单位", |r| text(r, "/hotline/unit")),
    ("区划代码", |r| text(r, "/area/code")),
    ("进队时间", |r| text(r, "/handed_to_queue")),
    ("座席应答时间", |r| text(r, "/seat_answered")),
    ("结束时间", |r| text(r, "/ended")),
    ("等待秒数", |r| seconds(r, "/queue_ms")),
    ("通话秒数", |r| seconds(r, "/talk_ms")),
    ("结果", |r| text(r, "/result")),
    ("座席", |r| text(r, "/seat/name")),
    ("报送单位", |r| text(r, "/reported_by/source")),
    ("诉求主题", |r| each(r, "/subjects", "；", |subject| text(subject, ""))),
    ("满意度", |r| r["survey"].as_object().map(|s| format!("{} / {}", s["score"], s["scale"])).unwrap_or_default()),
    ("工单", |r| each(r, "/tickets", " ", |ticket| format!("{}:{}", text(ticket, "/backend"), text(ticket, "/id")))),
];

impl Export {
    pub fn run(&self) -> Result<(), Text> {
        if self.format == Format::Csv {
            // By this mark spreadsheets know UTF-8.
            crate::cli::put(&format!("\u{feff}{}", row(COLUMNS.iter().map(|(name, _)| (*name).to_owned()))));
        }
        let mut done = 0;
        let wanted = Wanted { since: self.since, ..Wanted::default() };
        self.of.each("records export", &wanted, u32::MAX, |record| {
            match self.format {
                Format::Ndjson => say_json!("{record}"),
                Format::Csv => crate::cli::put(&row(COLUMNS.iter().map(|(_, cell)| cell(record)))),
            }
            done += 1;
            if done % PROGRESS == 0 {
                crate::cli::complain(&both!("{done} records", "已输出 {done} 份话单"));
            }
        })?;
        Ok(())
    }
}

/// One line as RFC 4180 has it.
fn row(cells: impl Iterator<Item = String>) -> String {
    format!("{}\r\n", cells.map(|cell| quoted(&cell)).collect::<Vec<_>>().join(","))
}

/// A cell that a spreadsheet would take for a formula is kept a text: callers choose what they send as their number. Chinese
/// ones take full-width signs too, and some part cells by semicolons.
fn quoted(cell: &str) -> String {
    let cell = Shown::whole(cell);
    let formula = cell.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    let cell = if formula { format!("'{cell}") } else { cell };
    if cell.contains([',', ';', '"']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

fn text(record: &Value, pointer: &str) -> String {
    record.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn each(record: &Value, pointer: &str, between: &str, one: fn(&Value) -> String) -> String {
    let all = record.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    all.map(one).collect::<Vec<_>>().join(between)
}

fn seconds(record: &Value, pointer: &str) -> String {
    format!("{:.1}", record.pointer(pointer).and_then(Value::as_u64).unwrap_or_default() as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_not_run() {
        let cells =
            ["a", "b,c", "say \"x\"", "=1+1", "+86138", "1\u{1b}[2J\u{202e}\r\n=2", "\u{200b}=1", " =1", "＝1", "\t@x", "a;=1"];
        assert_eq!(
            row(cells.map(String::from).into_iter()),
            "a,\"b,c\",\"say \"\"x\"\"\",'=1+1,'+86138,1\\u{1b}[2J\\u{202e}\\u{d}\\u{a}=2,\\u{200b}=1,' =1,'＝1,\\u{9}@x,\"a;=1\"\r\n"
        );
    }
}
