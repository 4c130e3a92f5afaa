//! `hotline explain`: what the plan would do with a call.

use super::typed::{self, Moment};
use super::{ConfigFile, listed};
use crate::base::Text;
use crate::io::clock;
use crate::io::config::plans::{self, PlanFile};
use crate::io::config::{ALL_LINES, Config, QueueRecord, Side, WhenNoSeat};
use crate::plan::{self, ExplainedStep, ExplainedTarget, Explanation, Facts, Kept, Plan, suggestion};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub struct Question {
    /// The number as a caller dials it, or as it stands in the request
    ///
    /// 来电人所拨的号码，或请求中的号码
    #[arg(required_unless_present = "all", value_parser = typed::word)]
    number: Option<String>,
    /// Every number of the plan, as a table
    ///
    /// 列出方案的所有号码
    #[arg(long)]
    all: bool,
    /// The dial plan; by default the configuration's
    ///
    /// 号码方案文件，缺省为配置所指
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The caller's number
    ///
    /// 主叫号码
    #[arg(long, value_name = "CALLER", value_parser = typed::word)]
    from: Option<String>,
    /// The trunk that the call comes by
    ///
    /// 来话中继
    #[arg(long, value_name = "NAME", value_parser = typed::word)]
    trunk: Option<String>,
    /// The number it was diverted or transferred from (History-Info, Diversion)
    ///
    /// 转自哪个号码（History-Info、Diversion）
    #[arg(long, value_name = "NUMBER", value_parser = typed::word)]
    diverted_from: Option<String>,
    /// The moment of the call: 2026-10-01, or 2026-10-01T08:00:00+08:00; by default now
    ///
    /// 通话时间，例如 2026-10-01 或 2026-10-01T08:00:00+08:00；缺省为现在
    #[arg(long, value_name = "TIME", value_parser = typed::moment)]
    at: Option<Moment>,
    /// One number through a day of the plan's zone: each minute from which another answer holds
    ///
    /// 一个号码在某日（方案时区）之内的各次变化
    #[arg(long, value_name = "DATE", value_parser = typed::day)]
    day: Option<jiff::civil::Date>,
    /// As JSON
    ///
    /// 以 JSON 输出
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFile,
}

pub fn run(question: &Question) -> Result<ExitCode, Text> {
    // A plan alone needs no configuration: it is asked only for what the question leaves open.
    let config = match (&question.plan, &question.trunk) {
        (Some(_), None) => None,
        _ => Some(question.config.load()?),
    };
    let plan = sound(question, config.as_ref())?;
    let read = Read::of(question, config.as_ref(), &plan);
    let facts =
        Facts { dialled: read.dialled(question), caller: read.caller(question), ..facts(question, config.as_ref(), &plan)? };
    match (question.all, question.day) {
        (true, _) => show(question.json, &plan::all(&plan, facts.at), Explanation::row),
        (_, Some(_)) => show(question.json, &plan::day(&plan, &facts), Explanation::turn),
        _ => one(question.json, &plan::explain(&plan, &facts), &read, config.as_ref()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The plan, if nothing is wrong with it: what `hotline check` finds stands in place of an answer.
fn sound(question: &Question, config: Option<&Config>) -> Result<Plan, Text> {
    let Some(config) = config else {
        let file = question.plan.clone().unwrap_or_default();
        return PlanFile::open(&file)?.alone().map_err(|problems| listed(&problems));
    };
    let mut config = config.clone();
    if let Some(file) = question.plan.clone().filter(|file| *file != config.plan.file) {
        (config.plan.file, config.places.plan) = (file, None);
    }
    plans::load(&config).map(|loaded| loaded.plan).map_err(|wrong| Text::lines(&wrong))
}

/// One call, with what the configuration says of the queues that it may come to.
fn one(json: bool, answer: &Explanation, read: &Read, config: Option<&Config>) {
    let rules = read.told(answer, config);
    let queues: Vec<QueueTold> = config.map_or_else(Vec::new, |config| queues(answer, config));
    if json {
        let mut answer = json!(answer);
        if !queues.is_empty() {
            answer["queues"] = json!(queues);
        }
        if !rules.is_empty() {
            answer["rules"] = json!(rules);
        }
        return say_json!("{answer:#}");
    }
    say!("{}", answer.text().told(super::tongue()).trim_end());
    rules.iter().for_each(|rule| say!("{}", rule.shown().told(super::tongue())));
    queues.iter().for_each(|queue| say!("{}", queue.told(answer).told(super::tongue())));
}

/// The numbers of a question as the number rules of its trunk make them.
#[derive(Default)]
struct Read {
    called: Option<Ruled>,
    caller: Option<Ruled>,
    /// The numbers that the rules leave alone.
    kept: Kept,
}

/// A number that a trunk's rules have rewritten.
#[derive(Clone, Serialize)]
struct Ruled {
    trunk: String,
    /// The table, and the rules of it that have, from 1.
    table: &'static str,
    rules: Vec<usize>,
    number: String,
    gives: String,
}

impl Ruled {
    fn by(config: &Config, kept: &Kept, (trunk, side): (&str, Side), number: &str) -> Option<Ruled> {
        let rewritten = config.trunks.get(trunk)?.read_rules(side).keeping(kept).apply(number)?;
        let rules = rewritten.rules.iter().map(|place| place + 1).collect();
        Some(Ruled { trunk: trunk.to_owned(), table: side.key(), rules, number: number.to_owned(), gives: rewritten.number })
    }

    fn shown(&self) -> Text {
        let Ruled { trunk, table, number, gives, .. } = self;
        let rules = self.rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let told = both!(
            "{number} → {gives}: trunks.{trunk}.{table}, rule {rules}",
            "{number} → {gives}：trunks.{trunk}.{table} 第 {rules} 条规则"
        );
        plan::field(both!("rules", "号码规则"), told).shown()
    }
}

impl Read {
    fn of(question: &Question, config: Option<&Config>, plan: &Plan) -> Read {
        let kept = plan.kept();
        let (Some(config), Some(trunk)) = (config, &question.trunk) else { return Read { kept, ..Read::default() } };
        let by = |side, number: &Option<String>| Ruled::by(config, &kept, (trunk, side), number.as_deref()?);
        let (called, caller) = (by(Side::CalledIn, &question.number), by(Side::CallerIn, &question.from));
        Read { called, caller, kept }
    }

    fn dialled<'a>(&'a self, question: &'a Question) -> &'a str {
        self.called.as_ref().map_or(question.number.as_deref().unwrap_or(""), |ruled| &ruled.gives)
    }

    fn caller<'a>(&'a self, question: &'a Question) -> Option<&'a str> {
        self.caller.as_ref().map(|ruled| ruled.gives.as_str()).or(question.from.as_deref())
    }

    /// These, and the numbers of the targets that the plan calls.
    fn told(&self, answer: &Explanation, config: Option<&Config>) -> Vec<Ruled> {
        let mut all: Vec<Ruled> = self.called.iter().chain(&self.caller).cloned().collect();
        let Some(config) = config else { return all };
        for step in &answer.steps {
            let ExplainedStep::Ring { targets, .. } = step else { continue };
            let out = |target: &ExplainedTarget| {
                let trunk = target.trunk.as_deref().unwrap_or(&config.routes.default);
                Ruled::by(config, &self.kept, (trunk, Side::CalledOut), &target.number)
            };
            all.extend(targets.iter().filter_map(out));
        }
        all
    }
}

/// A queue, as far as it decides what a caller meets.
#[derive(Serialize)]
struct QueueTold {
    queue: String,
    max_wait_seconds: u64,
    /// The ways that follow, as the configuration has them.
    overflow: Vec<String>,
    /// Seconds until they are gone where no seat could ever serve the caller; none: the caller waits.
    overflow_without_seats: Option<u64>,
    survey: bool,
    record: bool,
}

/// The queues of the steps, and those that a key of a menu leads to.
fn queues(answer: &Explanation, config: &Config) -> Vec<QueueTold> {
    let mut names: Vec<&str> = Vec::new();
    for step in &answer.steps {
        match step {
            ExplainedStep::Queue { queue, .. } => names.push(queue),
            ExplainedStep::Menu { keys, .. } => names.extend(keys.iter().filter_map(|key| key.queue.as_deref())),
            _ => {}
        }
    }
    names.dedup();
    let of = |name: &str| {
        let queue = config.queues.get(name).filter(|queue| queue.enabled)?;
        let lines = &config.recording.lines;
        let usual = lines.iter().any(|line| *line == answer.number || line == ALL_LINES);
        let said = match queue.record {
            QueueRecord::Yes => Some(true),
            QueueRecord::No => Some(false),
            QueueRecord::Usual => None,
        };
        Some(QueueTold {
            queue: name.to_owned(),
            max_wait_seconds: queue.max_wait.as_secs(),
            overflow: queue.overflow.clone(),
            overflow_without_seats: (queue.when_no_seat == WhenNoSeat::Overflow).then_some(queue.no_seat_grace.as_secs()),
            survey: answer.survey.unwrap_or(queue.survey),
            record: answer.record.or(said).filter(|_| config.recording.on_demand).unwrap_or(usual),
        })
    };
    names.into_iter().filter_map(of).collect()
}

impl QueueTold {
    /// In one line; what the line itself says of it already is not said again.
    fn told(&self, answer: &Explanation) -> Text {
        let (name, most, then) = (&self.queue, self.max_wait_seconds, self.overflow.join(", "));
        let mut parts = vec![both!("{name}: waits at most {most} s", "{name}：最长等待 {most} 秒")];
        if !then.is_empty() {
            parts.push(both!("then {then}", "之后 {then}"));
        }
        parts.push(match self.overflow_without_seats {
            Some(after) => both!("without seats: onward after {after} s", "无座席时 {after} 秒后离队"),
            None => both!("without seats: waits", "无座席时继续等待"),
        });
        if answer.survey.is_none() && self.survey {
            parts.push(both!("survey", "满意度评价"));
        }
        if answer.record.is_none() && self.record {
            parts.push(both!("recorded", "录音"));
        }
        plan::field(both!("queue", "队列"), Text::joined(&parts)).shown()
    }
}

fn facts<'a>(question: &'a Question, config: Option<&'a Config>, plan: &Plan) -> Result<Facts<'a>, Text> {
    let trunk = match (&question.trunk, config) {
        (Some(name), Some(config)) => Some(config.trunks.get(name).ok_or_else(|| {
            both!("no trunk `{name}`", "没有中继 `{name}`").then(&suggestion(name, config.trunks.keys().map(String::as_str)))
        })?),
        _ => None,
    };
    let at = match question.at {
        Some(at) => at.in_zone(plan.zone()).ok_or_else(outside)?,
        None => clock::now().wall,
    };
    let day = question.day.map(|day| plan.midnight(day).ok_or_else(outside)).transpose()?;
    Ok(Facts {
        dialled: question.number.as_deref().unwrap_or(""),
        caller: question.from.as_deref(),
        trunk: question.trunk.as_deref().unwrap_or(""),
        trunk_area: trunk.map(|trunk| trunk.area.as_str()).filter(|area| !area.is_empty()),
        diverted_from: question.diverted_from.as_deref(),
        at: day.unwrap_or(at),
    })
}

fn outside() -> Text {
    both!("the day is outside the calendar", "该日期超出日历范围")
}

fn show(json: bool, answers: &[Explanation], line: fn(&Explanation) -> String) {
    if json {
        return say_json!("{:#}", serde_json::json!(answers));
    }
    answers.iter().for_each(|answer| say!("{}", line(answer)));
}
