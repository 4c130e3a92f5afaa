//! `hotline records`: what the journal knows of calls. Callers' numbers are masked unless asked for.

use super::{ConfigFile, listed};
use crate::base::{CallId, Masked, Wall};
use crate::io::config;
use crate::io::ledger::Ledger;
use crate::record::shape::Record;
use crate::record::zone::Zone;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Subcommand)]
pub enum Question {
    /// Lists calls, the newest first
    Ls {
        #[command(flatten)]
        of: Journal,
        /// Only calls that began at or after this moment (RFC 3339)
        #[arg(long)]
        since: Option<jiff::Timestamp>,
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Shows one call's record and its deliveries as JSON
    Show {
        #[command(flatten)]
        of: Journal,
        call: CallId,
    },
}

#[derive(Args)]
pub struct Journal {
    #[command(flatten)]
    config: ConfigFile,
    /// The journal's file; by default the configuration's
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Shows callers' numbers in full
    #[arg(long)]
    unmasked: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub fn run(question: &Question) -> Result<ExitCode, String> {
    match question {
        Question::Ls { of, since, limit } => {
            let since = since.map(|at| Wall(at.as_microsecond()));
            let records = open(of)?.records(since, *limit).map_err(|e| e.to_string())?;
            records.into_iter().map(|record| shown(record, of)).for_each(|record| print_line(&record, of.json));
        }
        Question::Show { of, call } => {
            let ledger = open(of)?;
            let record = ledger.record(*call).map_err(|e| e.to_string())?.ok_or_else(|| format!("no call {call}"))?;
            let deliveries = ledger.deliveries(*call).map_err(|e| e.to_string())?;
            let answer = serde_json::json!({ "record": shown(record, of), "deliveries": deliveries });
            println!("{answer:#}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn open(of: &Journal) -> Result<Ledger, String> {
    let config = config::load(of.config.path()).map_err(|findings| listed(&findings))?;
    let path = of.journal.clone().unwrap_or_else(|| config.journal());
    let zone = Zone::named(&config.records.zone)?;
    Ledger::open(&path, zone).map_err(|e| e.to_string())
}

fn shown(mut record: Record, of: &Journal) -> Record {
    if !of.unmasked {
        for number in [&mut record.caller, &mut record.caller_raw].into_iter().flatten() {
            *number = Masked(number).to_string();
        }
    }
    record
}

fn print_line(record: &Record, json: bool) {
    if json {
        println!("{}", serde_json::json!(record));
        return;
    }
    let result = record.result.map_or_else(|| "open".to_string(), |result| word(&result));
    let start = record.start.as_deref().unwrap_or("-");
    let caller = record.caller.as_deref().unwrap_or("-");
    let to = record.seat.as_ref().map(|seat| seat.name.as_str()).or(record.target.as_deref()).unwrap_or("-");
    let talk = record.talk_ms as f64 / 1000.0;
    println!("{start}  {}  {:<12} {caller:<14} {result:<22} {to:<12} {talk:>8.1} s", record.call_id, record.hotline.number);
}

/// A serde enumeration's word.
fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default()
}
