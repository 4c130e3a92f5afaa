//! `hotline explain`: what the plan would do with a call.

use super::typed::{self, Moment};
use super::{ConfigFile, listed};
use crate::base::Text;
use crate::io::clock;
use crate::io::config::Config;
use crate::io::config::plans::PlanFile;
use crate::plan::{self, Explanation, Facts, Plan, suggestion};
use clap::Args;
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
    let file = question.plan.clone().or(config.as_ref().map(|config| config.plan.file.clone())).unwrap_or_default();
    let plan = PlanFile::open(&file)?.parse().map_err(|problems| listed(&problems))?;
    let facts = facts(question, config.as_ref(), &plan)?;
    match (question.all, question.day) {
        (true, _) => show(question.json, &plan::all(&plan, facts.at), Explanation::row),
        (_, Some(_)) => show(question.json, &plan::day(&plan, &facts), Explanation::turn),
        _ if question.json => say_json!("{:#}", serde_json::json!(plan::explain(&plan, &facts))),
        _ => say!("{}", plan::explain(&plan, &facts).text().told(super::tongue()).trim_end()),
    }
    Ok(ExitCode::SUCCESS)
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
