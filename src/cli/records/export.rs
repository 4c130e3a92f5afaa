//! Records for other programs: one JSON object a line, or a table for a spreadsheet.

use super::{Journal, shown, word};
use crate::base::{Shown, Text};
use crate::cli::typed::{self, Moment};
use crate::record::shape::Record;
use clap::{Args, ValueEnum};
use std::io::{self, BufWriter, Write};

/// Records after which a long export says how far it is.
const PROGRESS: usize = 10_000;

#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    of: Journal,
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

type Column = (&'static str, fn(&Record) -> String);

const COLUMNS: &[Column] = &[
    ("通话编号", |r| r.call_id.clone()),
    ("开始时间", |r| text(&r.start)),
    ("主叫号码", |r| text(&r.caller)),
    ("拨打号码", |r| r.hotline.dialled.clone()),
    ("热线号码", |r| r.hotline.number.clone()),
    ("热线名称", |r| r.hotline.line.clone()),
    ("责任单位", |r| text(&r.hotline.unit)),
    ("区划代码", |r| text(&r.area.code)),
    ("进队时间", |r| text(&r.handed_to_queue)),
    ("座席应答时间", |r| text(&r.seat_answered)),
    ("结束时间", |r| text(&r.ended)),
    ("等待秒数", |r| seconds(r.queue_ms)),
    ("通话秒数", |r| seconds(r.talk_ms)),
    ("结果", |r| r.result.map(|result| word(&result)).unwrap_or_default()),
    ("座席", |r| r.seat.as_ref().map(|seat| seat.name.clone()).unwrap_or_default()),
    ("报送单位", |r| r.reported_by.as_ref().map(|by| by.source.clone()).unwrap_or_default()),
    ("诉求主题", |r| r.subjects.join("；")),
    ("满意度", |r| r.survey.as_ref().map(|s| format!("{} / {}", s.score, s.scale)).unwrap_or_default()),
    ("工单", |r| r.tickets.iter().map(|t| format!("{}:{}", t.backend, t.id)).collect::<Vec<_>>().join(" ")),
];

impl Export {
    pub fn run(&self) -> Result<(), Text> {
        match self.write(&mut BufWriter::new(io::stdout().lock())) {
            // The reader has had enough.
            Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(Failure::Output(error)) => Err(both!("cannot write: {error}", "无法写入：{error}")),
            Err(Failure::Journal(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    fn write(&self, out: &mut impl Write) -> Result<(), Failure> {
        let ledger = self.of.open().map_err(Failure::Journal)?;
        let since = self.since.map(|at| self.of.at(at)).transpose().map_err(Failure::Journal)?;
        let calls = ledger.calls(since, u32::MAX).map_err(|e| Failure::Journal(e.into()))?;
        self.of.note("records export", &format!("{} calls", calls.len())).map_err(Failure::Journal)?;
        if self.format == Format::Csv {
            // By this mark spreadsheets know UTF-8.
            out.write_all("\u{feff}".as_bytes())?;
            row(out, COLUMNS.iter().map(|(name, _)| (*name).to_owned()))?;
        }
        for (done, call) in calls.iter().enumerate() {
            if done > 0 && done % PROGRESS == 0 {
                crate::cli::complain(&both!("{done} of {0}", "{done}（共 {0}）", calls.len()));
            }
            let record = ledger.record(*call).map_err(|e| Failure::Journal(e.into()))?;
            let Some(record) = record.map(|record| shown(record, self.of.unmasked)) else { continue };
            match self.format {
                Format::Ndjson => writeln!(out, "{}", serde_json::json!(record))?,
                Format::Csv => row(out, COLUMNS.iter().map(|(_, cell)| cell(&record)))?,
            }
        }
        Journal::left_out(&ledger);
        Ok(out.flush()?)
    }
}

enum Failure {
    Journal(Text),
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

/// RFC 4180.
fn row(out: &mut impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let cells: Vec<String> = cells.map(|cell| quoted(&cell)).collect();
    write!(out, "{}\r\n", cells.join(","))
}

/// A cell that a spreadsheet would take for a formula is kept a text: callers choose what they send as their number.
fn quoted(cell: &str) -> String {
    let cell = &Shown::whole(cell);
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

fn text(value: &Option<String>) -> String {
    value.clone().unwrap_or_default()
}

fn seconds(milliseconds: u64) -> String {
    format!("{:.1}", milliseconds as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_not_run() {
        let mut out = Vec::new();
        row(&mut out, ["a", "b,c", "say \"x\"", "=1+1", "+86138", "1\u{1b}[2J\u{202e}\r\n=2"].map(String::from).into_iter())
            .unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a,\"b,c\",\"say \"\"x\"\"\",'=1+1,'+86138,1\\u{1b}[2J\\u{202e}\\u{d}\\u{a}=2\r\n"
        );
    }
}
