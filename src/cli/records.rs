//! `hotline records`: what the journal knows of calls and their delivery. Callers' numbers are masked unless asked for.

mod backend;
mod backup;
mod dead_letters;
mod export;
mod list;
pub(super) mod source;

use super::api::Token;
use super::typed::Moment;
use super::{ConfigFile, listed};
use crate::base::{CallId, Text, Wall};
use crate::io::clock;
use crate::io::config::plans::PlanFile;
use crate::io::config::secrets;
use crate::io::config::{Config, KeyFault};
use crate::io::journal::dead_letters::{Decision, Selection};
use crate::io::journal::{self, Caller, Lock, Reader};
use crate::io::process::audit::Audit;
use crate::record::seal::Sealer;
use crate::record::shape::Record;
use crate::record::zone::Zone;
use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use source::Source;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Subcommand)]
pub enum Question {
    /// Lists calls, the newest first; with --dead, events that a backend refused
    ///
    /// 列出通话，新的在前；加 --dead 则列出被工单系统拒收的事件
    Ls(list::List),
    /// Shows one call's record and its deliveries as JSON
    ///
    /// 以 JSON 显示一路通话的话单及其推送情况
    Show {
        #[command(flatten)]
        of: Source,
        /// The call
        ///
        /// 通话编号
        call: CallId,
    },
    /// Lets what a backend refused be delivered again at once: one call's, one backend's, or all
    ///
    /// 立即重新推送被拒收的事件：某通话的、某系统的或全部
    Retry(dead_letters::Chosen),
    /// Gives up what a backend refused: one call's, one backend's, or all
    ///
    /// 放弃被拒收的事件：某通话的、某系统的或全部
    Drop(dead_letters::Chosen),
    /// Sends the final records of calls since a moment to a backend once more
    ///
    /// 把某时间以来的最终话单再次推送给某系统
    Replay(dead_letters::Again),
    /// Prints the records of calls as NDJSON or CSV
    ///
    /// 以 NDJSON 或 CSV 输出话单
    Export(export::Export),
    /// Lists what of the journal was found damaged and set aside
    ///
    /// 列出日志数据库中已损坏并移到一旁的内容
    Damage {
        #[command(flatten)]
        writer: Writer,
        /// Somebody has looked at it: the gateway is ready again, and alarms no more about it
        ///
        /// 已有人处理：网关恢复就绪，不再就此告警
        #[arg(long)]
        seen: bool,
        /// One JSON object a line
        ///
        /// 每行一个 JSON 对象
        #[arg(long)]
        json: bool,
    },
    /// Copies the journal while the gateway runs; the copy is read through, and no file is overwritten
    ///
    /// 在网关运行时复制日志数据库；副本会通读校验，不覆盖任何文件
    Backup(backup::Backup),
    /// Puts a copy in the journal's place; the gateway must not run
    ///
    /// 用副本恢复日志数据库；网关须已停止
    Restore(backup::Restore),
    /// Shows what would be sent for a call's event, without sending it
    ///
    /// 显示某事件会推送的内容，但不推送
    Render(backend::Render),
    /// Asks a configured backend for a call that does not exist: address, credentials and profile
    ///
    /// 向已配置的工单系统查询一个不存在的通话，以检验地址、凭据和配置
    BackendCheck(backend::Check),
}

#[derive(Args)]
pub struct Journal {
    #[command(flatten)]
    config: ConfigFile,
    /// The journal's file; by default the configuration's
    ///
    /// 日志数据库文件，缺省为配置所指
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

/// The process that writes the journal: the gateway that runs, or this one where none does.
#[derive(Args)]
pub struct Writer {
    #[command(flatten)]
    of: Journal,
    #[command(flatten)]
    token: Token,
}

#[derive(Args)]
pub struct Numbers {
    /// Shows callers' numbers in full, which is noted in the audit log
    ///
    /// 显示完整主叫号码，并记入审计日志
    #[arg(long)]
    unmasked: bool,
}

pub fn run(question: &Question) -> Result<ExitCode, Text> {
    match question {
        Question::Ls(list) => list::run(list)?,
        Question::Show { of, call } => say_json!("{:#}", of.call(*call)?),
        Question::Retry(chosen) => chosen.retry()?,
        Question::Drop(chosen) => chosen.drop()?,
        Question::Replay(replay) => replay.run()?,
        Question::Export(export) => export.run()?,
        Question::Damage { writer, seen, json } => backup::damage(writer, *seen, *json)?,
        Question::Backup(backup) => backup.run()?,
        Question::Restore(restore) => restore.run()?,
        Question::Render(render) => render.run()?,
        Question::BackendCheck(check) => return check.run(),
    }
    Ok(ExitCode::SUCCESS)
}

impl Journal {
    pub(super) fn config(&self) -> Result<Config, Text> {
        self.config.load()
    }

    /// Its file is named, and not the configuration's.
    pub(super) fn is_named(&self) -> bool {
        self.journal.is_some()
    }

    fn path(&self, config: &Config) -> PathBuf {
        self.journal.clone().unwrap_or_else(|| config.journal())
    }

    /// A local moment is meant in the zone of the records.
    fn at(&self, at: Moment) -> Result<Wall, Text> {
        let zone = TimeZone::get(&self.config()?.records.zone).unwrap_or(TimeZone::UTC);
        at.in_zone(&zone).ok_or_else(|| both!("the moment is outside the calendar", "该时间超出日历范围"))
    }

    /// As the plan of the gateway reads it.
    fn caller(&self, written: &str) -> Result<Caller, Text> {
        let plan = PlanFile::open(&self.config()?.plan.file)?.parse().map_err(|problems| listed(&problems))?;
        let number =
            plan.caller(written).ok_or_else(|| both!("`{written}` is no caller's number", "`{written}` 不是主叫号码"))?;
        Ok(Caller { number, written: written.to_owned() })
    }

    /// Says beside what could be read what could not.
    pub(super) fn left_out(reader: &Reader) {
        for text in reader.unreadable() {
            let text = both!("warning: {}", "警告：{}"; text);
            crate::cli::complain(&text);
        }
    }

    pub(super) fn open(&self) -> Result<Reader, Text> {
        let config = self.config()?;
        let zone = Zone::named(&config.records.zone)?;
        let reader = Reader::open(&self.path(&config), zone)?;
        if let Some(gap) = reader.gap()? {
            let text = both!("warning: the journal: {}", "警告：日志数据库：{}"; gap);
            crate::cli::complain(&text);
        }
        Ok(reader.unsealing(Arc::new(sealer(&config)?)))
    }
}

impl Writer {
    /// Tells how many events or places it was about.
    fn decide(&self, decision: &Decision) -> Result<usize, Text> {
        let config = self.of.config()?;
        let path = self.of.path(&config);
        let Some(holder) = Lock::holder(&path) else {
            return Ok(journal::decide_alone(&path, Arc::new(sealer(&config)?), decision)?);
        };
        let api = holder.api.ok_or_else(|| {
            both!(
                "the journal is being written, and its gateway does not say where it can be asked: try again in a moment",
                "日志数据库正在写入，而网关尚未给出接口地址：请稍后再试"
            )
        })?;
        let (asked, body) = request(decision);
        let answer = self.token.open_at(api, &config.http)?.post(asked, Some(&body))?;
        Ok(answer["count"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0))
    }
}

/// A decision as a running gateway is asked for it.
fn request(decision: &Decision) -> (&'static str, Value) {
    let selected = |selection: &Selection| {
        let all = (selection.backend.is_none() && selection.call.is_none()).then_some(true);
        json!({ "backend": selection.backend, "call_id": selection.call.map(|call| call.to_string()), "all": all })
    };
    match decision {
        Decision::Retry(selection) => ("/api/v1/dead-letters/retry", selected(selection)),
        Decision::Drop(selection) => ("/api/v1/dead-letters/drop", selected(selection)),
        Decision::Replay(replay) => ("/api/v1/records/replay", json!(replay)),
        Decision::DamageSeen => ("/api/v1/journal/damage/seen", json!({})),
    }
}

impl Numbers {
    /// The audit notes first who sees numbers in full.
    fn note(&self, of: &Journal, did: &str, what: &str) -> Result<(), Text> {
        if !self.unmasked {
            return Ok(());
        }
        Audit::of(&of.config()?.node.state).note(clock::now().wall, &person(), did, what)
    }

    fn shown(&self, record: Record) -> Record {
        if self.unmasked { record } else { record.masked() }
    }
}

fn sealer(config: &Config) -> Result<Sealer, Text> {
    secrets::sealer(&config.records).map_err(|faults| Text::foreign(KeyFault::told(&faults)))
}

/// The user who runs this program: what the system knows, and what the person says.
pub(super) fn person() -> String {
    let user = std::fs::metadata("/proc/self").map_or_else(|_| "?".to_owned(), |own| own.uid().to_string());
    let name = ["SUDO_USER", "USER"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    format!("user {user} {name}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_masked_unless_asked_for() {
        let number = || Some("13800138000".to_string());
        let record = Record { caller: number(), caller_raw: number(), ..Record::default() };
        let masked = Numbers { unmasked: false }.shown(record.clone());
        assert_eq!((masked.caller.as_deref(), masked.caller_raw.as_deref()), (Some("138******00"), Some("138******00")));
        assert_eq!(Numbers { unmasked: true }.shown(record).caller, number());
    }
}
