//! Figures as people and spreadsheets read them: a table in two languages, and CSV.

use super::{Counts, SeatCounts, Table};
use crate::base::{Text, columns};
use crate::event::Result;
use std::fmt::Write;

/// The rows of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    #[default]
    Hotline,
    Queue,
    Seat,
}

impl By {
    pub const ALL: [By; 3] = [By::Hotline, By::Queue, By::Seat];

    pub fn name(self) -> &'static str {
        match self {
            By::Hotline => "hotline",
            By::Queue => "queue",
            By::Seat => "seat",
        }
    }

    pub fn named(name: &str) -> Option<By> {
        By::ALL.into_iter().find(|by| by.name() == name)
    }
}

/// Losses as a table has them, each with its head and its name in CSV.
const LOSSES: [(Result, &str, &str); 10] = [
    (Result::AbandonedAnnouncement, "ANN", "放音"),
    (Result::AbandonedQueue, "QUEUE", "排队"),
    (Result::AbandonedRinging, "RING", "振铃"),
    (Result::NoSeat, "NOSEAT", "无座席"),
    (Result::QueueFull, "FULL", "队满"),
    (Result::Timeout, "TIMEOUT", "超时"),
    (Result::Failed, "FAILED", "失败"),
    (Result::Rejected, "REJECTED", "拒绝"),
    (Result::Message, "MESSAGE", "留言"),
    (Result::Interrupted, "CUT", "中断"),
];

/// A share in per cent, to one place.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1}%", share * 100.0))
}

impl Counts {
    /// Those that were handed to people and of which it is known what became.
    fn decided(&self) -> u64 {
        self.answered + self.wait_of_lost.count
    }

    /// The share of them that somebody talked to: GB/T 33358 asks for 95 % over any 24 hours.
    pub fn answered_share(&self) -> Option<f64> {
        share(self.answered, self.decided())
    }

    /// The share of them that was answered in time.
    pub fn within_share(&self) -> Option<f64> {
        share(self.within, self.decided())
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = [self.offered, self.answered].map(|n| n.to_string()).to_vec();
        cells.extend([percent(self.answered_share()), percent(self.within_share())]);
        cells.extend(LOSSES.iter().map(|(result, ..)| self.lost_as(*result).to_string()));
        cells.extend([self.moved_on, self.undecided()].iter().map(u64::to_string));
        cells.extend([self.wait.mean_ms(), self.wait.max_ms, self.talk.mean_ms()].map(seconds));
        cells.extend([self.transfers.iter().map(|transfer| transfer.count).sum(), self.emergencies].map(|n: u64| n.to_string()));
        cells.extend([self.outbound.placed, self.outbound.answered].map(|n| n.to_string()));
        cells
    }
}

impl SeatCounts {
    fn cells(&self) -> Vec<String> {
        let mut cells = [self.rung, self.answered, self.missed.values().sum()].map(|n: u64| n.to_string()).to_vec();
        cells.extend([self.talk_ms, self.hold_ms, self.wrap_up_ms, self.break_ms, self.ready_ms, self.signed_in_ms].map(seconds));
        cells.extend([percent(self.occupancy()), self.transfers.iter().map(|transfer| transfer.count).sum::<u64>().to_string()]);
        cells.extend([self.outbound.placed, self.outbound.answered].map(|n| n.to_string()));
        cells
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1000, ms % 1000 / 100)
}

impl Table {
    /// For people, in both languages.
    pub fn told(&self, by: By) -> Text {
        let (en, zh) = self.heads(by);
        let rows = self.rows(by);
        Text { en: lines(&en, &rows), zh: lines(&zh, &rows) }
    }

    /// For spreadsheets: a head, then a row for each name; shares in per cent, times in seconds.
    pub fn csv(&self, by: By) -> String {
        let mut text = heads(by).iter().map(|(_, _, csv)| *csv).collect::<Vec<_>>().join(",");
        for row in self.rows(by) {
            let cells: Vec<String> = row.iter().map(|cell| csv_cell(cell)).collect();
            let _ = write!(text, "\r\n{}", cells.join(","));
        }
        text
    }

    fn heads(&self, by: By) -> (Vec<String>, Vec<String>) {
        let within = format!("<={}s", self.within_ms / 1000);
        let told = |head: &str| if head == WITHIN { within.clone() } else { head.to_owned() };
        heads(by).iter().map(|(en, zh, _)| (told(en), told(zh))).unzip()
    }

    /// All together come last, where there are several.
    fn rows(&self, by: By) -> Vec<Vec<String>> {
        let row = |name: &str, cells: Vec<String>| [vec![name.to_owned()], cells].concat();
        let named = |all: &std::collections::BTreeMap<String, Counts>| {
            all.iter().map(|(name, counts)| row(name, counts.cells())).collect::<Vec<_>>()
        };
        match by {
            By::Hotline => [named(&self.hotlines), vec![row("*", self.all.cells())]].concat(),
            By::Queue => named(&self.queues),
            By::Seat => self.seats.iter().map(|(name, counts)| row(name, counts.cells())).collect(),
        }
    }
}

/// Stands for the time within which an answer is in time.
const WITHIN: &str = "<=";

const OUT: (&str, &str, &str) = ("OUT", "外呼", "outbound");
const OUT_ANSWERED: (&str, &str, &str) = ("OUT-ANS", "外呼接通", "outbound_answered");

/// The heads of the columns, in English, in Chinese and in CSV.
fn heads(by: By) -> Vec<(&'static str, &'static str, &'static str)> {
    if by == By::Seat {
        return vec![
            ("SEAT", "座席", "seat"),
            ("RUNG", "振铃", "rung"),
            ("ANSWERED", "应答", "answered"),
            ("MISSED", "未接", "missed"),
            ("TALK", "通话", "talk_s"),
            ("HOLD", "保持", "hold_s"),
            ("WRAP-UP", "整理", "wrap_up_s"),
            ("BREAK", "示忙小休", "break_s"),
            ("READY", "示闲", "ready_s"),
            ("SIGNED-IN", "签入", "signed_in_s"),
            ("OCCUPIED", "工时利用率", "occupancy"),
            ("MOVED", "转接", "transfers"),
            OUT,
            OUT_ANSWERED,
        ];
    }
    let name = if by == By::Queue { ("QUEUE", "队列", "queue") } else { ("HOTLINE", "热线", "hotline") };
    let mut heads =
        vec![name, ("OFFERED", "呼入", "offered"), ("ANSWERED", "接通", "answered"), ("RATE", "接通率", "answered_share")];
    heads.push((WITHIN, WITHIN, "within_share"));
    heads.extend(LOSSES.iter().map(|(result, en, zh)| (*en, *zh, result.name())));
    heads.extend([("ON", "转出", "moved_on"), ("OPEN", "进行中", "undecided"), ("WAIT", "平均等待", "wait_mean_s")]);
    heads.extend([("LONGEST", "最长等待", "wait_max_s"), ("TALK", "平均通话", "talk_mean_s")]);
    heads.extend([("MOVED", "转接", "transfers"), ("EMERG", "紧急", "emergencies"), OUT, OUT_ANSWERED]);
    heads
}

fn lines(heads: &[String], rows: &[Vec<String>]) -> String {
    let wide = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.chain(heads.get(column)).map(|cell| columns::width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(wide).collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells =
            cells.map(|(n, (cell, width))| if n == 0 { columns::left(cell, *width) } else { columns::right(cell, *width) });
        cells.collect::<Vec<_>>().join("  ")
    };
    let all: Vec<String> = std::iter::once(heads).chain(rows.iter().map(Vec::as_slice)).map(line).collect();
    all.join("\n")
}

/// A name is text, whatever it begins with (a spreadsheet would carry out `=…`).
fn csv_cell(cell: &str) -> String {
    let cell = cell.trim_end_matches('%');
    let acts = cell.starts_with(['=', '+', '@', '\t', '\r']) || (cell.starts_with('-') && cell.len() > 1);
    let cell = if acts { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}
