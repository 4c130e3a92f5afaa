//! `hotline figures`: the figures of hotlines, queues and seats, of a running gateway or straight from the journal.

use super::api::Token;
use super::records::Journal;
use super::typed;
use crate::base::{Text, Wall};
use crate::figure::{By, Table};
use crate::io::clock;
use crate::io::figures;
use crate::record::zone::Zone;
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use std::process::ExitCode;

#[derive(Args)]
pub struct Question {
    #[command(flatten)]
    of: Journal,
    /// The rows: hotlines, queues or seats
    ///
    /// 按热线、队列或座席统计
    #[arg(long, value_enum, default_value_t = Rows::Hotline)]
    by: Rows,
    /// The last 15 minutes, the last 24 hours, or this day from its midnight
    ///
    /// 最近 15 分钟、最近 24 小时，或当日零时起
    #[arg(long, value_enum, default_value_t = Window::Day, conflicts_with_all = ["day", "until"])]
    window: Window,
    /// The figures of this day, such as 2026-10-01
    ///
    /// 某一天的统计，例如 2026-10-01
    #[arg(long, value_name = "DATE", value_parser = typed::day)]
    day: Option<Date>,
    /// With --day: of all days up to this one, computed from the journal
    ///
    /// 与 --day 连用：截至此日的多日合计，由日志数据库计算
    #[arg(long, value_name = "DATE", value_parser = typed::day, requires = "day")]
    until: Option<Date>,
    /// Computes them from the journal's file in place of asking the gateway
    ///
    /// 直接由日志数据库计算，不向网关查询
    #[arg(long)]
    recompute: bool,
    /// As a table for a spreadsheet
    ///
    /// 输出为电子表格
    #[arg(long)]
    csv: bool,
    /// Asks the gateway whose HTTP interface is there
    ///
    /// 向此地址的网关查询
    #[arg(long, value_name = "URL", conflicts_with_all = ["recompute", "journal", "until"])]
    url: Option<String>,
    #[command(flatten)]
    token: Token,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rows {
    Hotline,
    Queue,
    Seat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Window {
    #[value(name = "15m")]
    Quarter,
    #[value(name = "24h")]
    Rolling,
    Day,
}

pub fn run(question: &Question) -> Result<ExitCode, Text> {
    let by = match question.by {
        Rows::Hotline => By::Hotline,
        Rows::Queue => By::Queue,
        Rows::Seat => By::Seat,
    };
    let computed = question.recompute || question.until.is_some() || question.of.is_named();
    let table = if computed { question.computed()? } else { question.asked()? };
    if question.csv {
        // By this mark spreadsheets know UTF-8.
        super::put(&format!("\u{feff}{}\r\n", table.csv(by)));
    } else {
        say!("{}", table.told(by).told(super::tongue()));
    }
    Ok(ExitCode::SUCCESS)
}

impl Question {
    fn asked(&self) -> Result<Table, Text> {
        let client = match &self.url {
            Some(url) => self.token.open(url)?,
            None => {
                let http = self.of.config()?.http;
                self.token.open_at(http.listen, &http)?
            }
        };
        let window = match self.window {
            Window::Quarter => "15m",
            Window::Rolling => "24h",
            Window::Day => "day",
        };
        let asked = self.day.map_or(("window", window.to_owned()), |day| ("day", day.to_string()));
        let answer = client.find("/api/v1/figures", &[asked])?;
        serde_json::from_value(answer).map_err(|_| both!("this is no answer of a gateway", "这不是网关的回答"))
    }

    fn computed(&self) -> Result<Table, Text> {
        let config = self.of.config()?;
        let zone = Zone::named(&config.records.zone)?;
        let now = clock::now().wall;
        let days = |date: Date| zone.of_date(date).ok_or_else(|| both!("the day is outside the calendar", "日期超出日历范围"));
        let (from, to) = match (self.day, self.until, self.window) {
            (Some(day), until, _) => (days(day)?.0, days(until.unwrap_or(day))?.1),
            (None, _, Window::Day) => zone.day(now),
            (None, _, window) => {
                let minutes = if window == Window::Quarter { figures::QUARTER } else { figures::DAY };
                let end = (now.0.div_euclid(crate::figure::MINUTE) + 1) * crate::figure::MINUTE;
                (Wall(end - minutes * crate::figure::MINUTE), Wall(end))
            }
        };
        if from >= to {
            return Err(both!("--until lies before --day", "--until 早于 --day"));
        }
        let reader = self.of.open()?;
        let table = figures::recompute(&reader, &zone, config.figures.within, (from, to), Wall(now.0.min(to.0)))?;
        Journal::left_out(&reader);
        Ok(table)
    }
}
