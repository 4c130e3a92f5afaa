//! `hotline recordings`: lists calls' recordings, hands one out with its facts, and holds the files against the journal.

use super::records::person;
use super::records::source::{Source, Wanted};
use super::table::{Table, left, right};
use super::typed::{self, Moment};
use crate::base::{CallId, Shown, Text};
use crate::io::clock;
use crate::io::config::Config;
use crate::io::process::audit::Audit;
use crate::io::process::files::told;
use crate::io::recorder::store::{PART, RecordingStore, WAV, call_of, entries};
use crate::io::recorder::{copy_into, measured};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Subcommand)]
pub enum Question {
    /// Lists calls' recordings, the newest first
    ///
    /// 列出录音，新的在前
    Ls(List),
    /// Copies one call's recording and its record into a folder, which the audit log notes first
    ///
    /// 把某通话的录音及话单导出到目录，并先记入审计日志
    Export(Export),
    /// Holds the files against the journal: exit 0 all are as they were, 1 some are missing or changed, 3 some are not finished
    ///
    /// 用日志数据库核对录音文件：返回 0 全部一致，1 有缺失或改动，3 有未完成
    Verify(Verify),
}

#[derive(Args)]
pub struct List {
    #[command(flatten)]
    of: Source,
    #[command(flatten)]
    chosen: Chosen,
    /// Limits the recordings listed
    ///
    /// 最多条数
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// One JSON object a line
    ///
    /// 每行一个 JSON 对象
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Chosen {
    /// Only this call's
    ///
    /// 只看此通话
    #[arg(long, value_name = "CALL")]
    call: Option<CallId>,
    /// Only calls to this hotline
    ///
    /// 只看此热线
    #[arg(long, value_name = "NUMBER", value_parser = typed::word)]
    number: Option<String>,
    /// Only of this day, such as 2026-10-01
    ///
    /// 只看此日，例如 2026-10-01
    #[arg(long, value_name = "DATE", value_parser = typed::day)]
    day: Option<Date>,
}

#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    of: Source,
    /// The call
    ///
    /// 通话编号
    call: CallId,
    /// The folder; it must be there, and no file in it is overwritten
    ///
    /// 目标目录，须已存在；不覆盖已有文件
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

#[derive(Args)]
pub struct Verify {
    #[command(flatten)]
    of: Source,
    #[command(flatten)]
    chosen: Chosen,
    /// All that the journal knows, and not only today's and yesterday's
    ///
    /// 核对全部录音，而不仅是今天和昨天的
    #[arg(long, conflicts_with_all = ["call", "day"])]
    all: bool,
}

/// Recordings of so long are verified where nothing else is said.
const LATELY: jiff::SignedDuration = jiff::SignedDuration::from_hours(48);
/// Some files are missing, or are not what was recorded.
const BROKEN: u8 = 1;
/// Some recordings of calls that have ended are not finished.
const UNFINISHED: u8 = 3;

pub fn run(question: &Question) -> Result<ExitCode, Text> {
    match question {
        Question::Ls(list) => list.run(),
        Question::Export(export) => export.run(),
        Question::Verify(verify) => verify.run(),
    }
}

impl Chosen {
    /// Gives the records of calls that were recorded here, the newest first, until it has had enough. `since`: from when on,
    /// where no day is named.
    fn each(&self, of: &Source, did: &str, since: Option<Moment>, mut take: impl FnMut(&Value) -> bool) -> Result<(), Text> {
        let mut take = |record: &Value| !is_ours(record) || take(record);
        if let Some(call) = self.call {
            take(&of.call(call)?["record"]);
            return Ok(());
        }
        let (since, until) = match self.day {
            Some(day) => (Some(typed::moment(&day.to_string())?), Some(typed::end(&day.to_string())?)),
            None => (since, None),
        };
        of.until(did, &Wanted { since, until, line: self.number.clone(), ..Wanted::default() }, &mut take)
    }
}

/// Calls that others took have recordings elsewhere.
fn is_ours(record: &Value) -> bool {
    record["recording"].is_object() && record["reported_by"].is_null()
}

impl List {
    fn run(&self) -> Result<ExitCode, Text> {
        let (table, mut shown) = (table(), 0);
        self.chosen.each(&self.of, "recordings ls", None, |record| {
            match self.json {
                true => say_json!("{}", facts(record)),
                false => {
                    if shown == 0 {
                        say!("{}", table.head().told(super::tongue()));
                    }
                    say!("{}", row(&table, record));
                }
            }
            shown += 1;
            shown < self.limit
        })?;
        if shown == 0 && !self.json {
            super::complain(&both!("no recording fits", "没有符合的录音"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn facts(record: &Value) -> Value {
    let fields = ["call_id", "start", "caller", "result", "message", "recording"];
    let mut facts: serde_json::Map<String, Value> =
        fields.into_iter().filter_map(|name| Some((name.to_owned(), record.get(name)?.clone()))).collect();
    facts.insert("number".to_owned(), record["hotline"]["number"].clone());
    facts.into()
}

fn table() -> Table {
    Table::of([
        left(both!("START", "开始"), 29),
        left(both!("CALL", "通话"), 36),
        left(both!("NUMBER", "号码"), 12),
        left(both!("CALLER", "主叫"), 14),
        left(both!("KIND", "类别"), 8),
        left(both!("STATE", "状态"), 12),
        right(both!("LENGTH", "时长"), 10),
        left(both!("LEFT OUT", "未录部分"), 0),
    ])
}

/// Text that others chose is shown, and acts nowhere.
fn row(table: &Table, record: &Value) -> String {
    let text =
        |pointer: &str| record.pointer(pointer).and_then(Value::as_str).map_or("-".to_owned(), |text| Shown(text).to_string());
    let seconds = |ms: &Value| ms.as_u64().map_or("-".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1000.0));
    let recording = &record["recording"];
    let parts = recording["left_out"].as_array().into_iter().flatten();
    let left_out: Vec<String> =
        parts.map(|part| format!("{} {}", part["how"].as_str().unwrap_or_default(), seconds(&part["ms"]))).collect();
    let (start, call, number, caller) = (text("/start"), text("/call_id"), text("/hotline/number"), text("/caller"));
    let kind = if record["message"]["recording"].is_string() { both!("message", "留言") } else { both!("call", "通话") };
    let kind = kind.told(super::tongue()).to_owned();
    table.row([
        &start,
        &call,
        &number,
        &caller,
        &kind,
        &text("/recording/state"),
        &seconds(&recording["ms"]),
        &left_out.join(", "),
    ])
}

impl Export {
    fn run(&self) -> Result<ExitCode, Text> {
        let config = self.of.of.config()?;
        let record = self.of.call(self.call)?["record"].take();
        let store = RecordingStore::of(&config)?;
        let none = || both!("there is no recording of this call", "没有此通话的录音");
        let path = store.file(self.call, WAV).filter(|path| path.is_file()).ok_or_else(none)?;
        if let Found::Changed(text) = look(&path, &record) {
            return Err(
                both!("the file is not what was recorded, and is not handed out: {}", "文件与录制时不符，不予导出：{}"; text),
            );
        }
        if !self.to.is_dir() {
            let folder = self.to.display();
            return Err(both!("{folder} is no folder", "{folder} 不是目录"));
        }
        let targets = [WAV, "json"].map(|ending| self.to.join(format!("{}.{ending}", self.call)));
        if let Some(there) = targets.iter().find(|target| target.exists()) {
            let there = there.display();
            return Err(both!("{there} is there already", "{there} 已存在"));
        }
        let what = format!("{} to {}", self.call, self.to.display());
        Audit::of(&config.node.state).note(clock::now().wall, &person(), "recording exported", &what)?;
        let [audio, facts] = &targets;
        let copied = copy(&path, audio).and_then(|()| write(facts, format!("{record:#}\n").as_bytes()));
        copied.map_err(|error| {
            targets.iter().for_each(|target| _ = fs::remove_file(target));
            let folder = self.to.display();
            both!("{folder}: {}", "{folder}：{}"; told(&error))
        })?;
        targets.iter().for_each(|target| say!("{}", target.display()));
        Ok(ExitCode::SUCCESS)
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut file = created(to)?;
    copy_into(from, &mut file)?;
    file.sync_all()
}

fn write(to: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = created(to)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Nobody else reads it.
fn created(path: &Path) -> io::Result<File> {
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)
}

/// The state of a file, held against its record.
enum Found {
    Good,
    Missing,
    Changed(Text),
    Unfinished,
    /// The call lasts, or has no file and says so.
    Nothing,
}

/// A recording whose file is done has a hash in its record.
fn look(path: &Path, record: &Value) -> Found {
    let recording = &record["recording"];
    let Some(sha256) = recording["sha256"].as_str().filter(|_| recording["state"] != "purged") else {
        let pending = recording["state"] == "pending" && !record["result"].is_null();
        return if pending { Found::Unfinished } else { Found::Nothing };
    };
    match measured(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Missing,
        Err(error) => Found::Changed(told(&error)),
        Ok((found, _)) if found != sha256 => Found::Changed(both!("another hash", "摘要不同")),
        Ok((_, ms)) if recording["ms"] != ms => Found::Changed(both!("another length", "时长不同")),
        Ok(_) => Found::Good,
    }
}

impl Verify {
    fn run(&self) -> Result<ExitCode, Text> {
        let config = self.of.of.config()?;
        let store = RecordingStore::of(&config)?;
        // Today's and yesterday's, where nothing is said.
        let lately = Moment::Exact(jiff::Timestamp::from_microsecond(clock::now().wall.0).unwrap_or_default() - LATELY);
        let (mut good, mut broken, mut unfinished, mut known) = (0u64, 0u64, 0u64, BTreeSet::new());
        self.chosen.each(&self.of, "recordings verify", Some(lately).filter(|_| !self.all), |record| {
            let Some(call) = record["call_id"].as_str().and_then(|call| call.parse::<CallId>().ok()) else { return true };
            let Some(path) = store.file(call, WAV) else { return true };
            known.insert(call);
            match look(&path, record) {
                Found::Good => good += 1,
                Found::Nothing => {}
                Found::Missing => {
                    broken += 1;
                    tell!("missing {call}", "缺失 {call}");
                }
                Found::Changed(why) => {
                    broken += 1;
                    say!("{}", both!("changed {call}: {}", "改动 {call}：{}"; why).told(super::tongue()));
                }
                Found::Unfinished => {
                    unfinished += 1;
                    tell!("unfinished {call}", "未完成 {call}");
                }
            }
            true
        })?;
        let strangers = if self.all && self.chosen.number.is_none() { strangers(&config, &known) } else { Vec::new() };
        for path in &strangers {
            let path = path.display();
            tell!("unknown to the journal {path}", "日志数据库中没有 {path}");
        }
        let (broken, unfinished) = (broken + strangers.len() as u64, unfinished);
        tell!(
            "{good} as recorded, {broken} missing, changed or unknown, {unfinished} unfinished",
            "一致 {good}，缺失、改动或来历不明 {broken}，未完成 {unfinished}"
        );
        Ok(ExitCode::from(match (broken, unfinished) {
            (0, 0) => 0,
            (0, _) => UNFINISHED,
            _ => BROKEN,
        }))
    }
}

/// Files that belong to no call that was recorded.
fn strangers(config: &Config, known: &BTreeSet<CallId>) -> Vec<PathBuf> {
    let files = entries(&config.recordings()).into_iter().flat_map(|day| entries(&day));
    let stray = |path: &PathBuf| call_of(path).is_some_and(|call| !known.contains(&call));
    files.filter(|path| path.extension().is_some_and(|ending| ending == WAV || ending == PART)).filter(stray).collect()
}
