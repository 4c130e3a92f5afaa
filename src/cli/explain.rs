//! `hotline explain`: what the plan would do with a call.

use super::{ConfigFile, listed};
use crate::base::{Text, Wall};
use crate::io::config::{self, Config};
use crate::io::{clock, plans::PlanFile};
use crate::plan::{self, Explanation, Facts, Plan, suggestion};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub struct Question {
    /// The number as a caller dials it, or as it stands in the request
    #[arg(required_unless_present = "all")]
    number: Option<String>,
    /// Every number of the plan, as a table
    #[arg(long, conflicts_with_all = ["number", "from", "trunk", "day"])]
    all: bool,
    /// The dial plan; by default the configuration's
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The caller's number
    #[arg(long, value_name = "CALLER")]
    from: Option<String>,
    /// The trunk that the call comes by
    #[arg(long, value_name = "NAME")]
    trunk: Option<String>,
    /// The number it was diverted or transferred from (History-Info, Diversion)
    #[arg(long, value_name = "NUMBER")]
    diverted_from: Option<String>,
    /// The moment of the call, RFC 3339; by default now
    #[arg(long, value_name = "RFC3339")]
    at: Option<jiff::Timestamp>,
    /// One number through a day of the plan's zone: each minute from which another answer holds
    #[arg(long, value_name = "DATE", conflicts_with = "at")]
    day: Option<jiff::civil::Date>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFile,
}

pub fn run(question: &Question) -> Result<ExitCode, Text> {
    // A plan alone needs no configuration: it is asked only for what the question leaves open.
    let config = match (&question.plan, &question.trunk) {
        (Some(_), None) => None,
        _ => Some(config::load(question.config.path()).map_err(|findings| listed(&findings))?),
    };
    let file = question.plan.clone().or(config.as_ref().map(|config| config.plan.file.clone())).unwrap_or_default();
    let plan = PlanFile::open(&file)?.parse().map_err(|problems| listed(&problems))?;
    let facts = facts(question, config.as_ref(), &plan)?;
    match (question.all, question.day) {
        (true, _) => show(question.json, &plan::all(&plan, facts.at), Explanation::row),
        (_, Some(_)) => show(question.json, &plan::day(&plan, &facts), Explanation::turn),
        _ if question.json => say!("{:#}", serde_json::json!(plan::explain(&plan, &facts))),
        _ => say!("{}", plan::explain(&plan, &facts)),
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
    let at = question.at.map_or_else(|| clock::now().wall, |at| Wall(at.as_microsecond()));
    let day = question
        .day
        .map(|day| plan.midnight(day).ok_or_else(|| both!("the day is outside the calendar", "该日期超出日历范围")))
        .transpose()?;
    Ok(Facts {
        dialled: question.number.as_deref().unwrap_or(""),
        caller: question.from.as_deref(),
        trunk: question.trunk.as_deref().unwrap_or(""),
        trunk_area: trunk.map(|trunk| trunk.area.as_str()).filter(|area| !area.is_empty()),
        diverted_from: question.diverted_from.as_deref(),
        at: day.unwrap_or(at),
    })
}

fn show(json: bool, answers: &[Explanation], line: fn(&Explanation) -> String) {
    if json {
        return say!("{:#}", serde_json::json!(answers));
    }
    answers.iter().for_each(|answer| say!("{}", line(answer)));
}
