//! `hotline explain`: what the plan would do with a call.

use super::{ConfigFile, listed};
use crate::base::Wall;
use crate::io::{clock, config, plans::PlanFile};
use crate::plan::{Facts, explain};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub struct Question {
    /// The number as a caller dials it, or as it stands in the request
    number: String,
    /// The dial plan; by default the configuration's
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The caller's number
    #[arg(long, value_name = "CALLER")]
    from: Option<String>,
    /// The trunk that the call comes by
    #[arg(long, value_name = "NAME")]
    trunk: Option<String>,
    /// The moment of the call, RFC 3339; by default now
    #[arg(long, value_name = "RFC3339")]
    at: Option<jiff::Timestamp>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFile,
}

pub fn run(question: &Question) -> Result<ExitCode, String> {
    // A plan alone needs no configuration: it is asked only for what the question leaves open.
    let config = match (&question.plan, &question.trunk) {
        (Some(_), None) => None,
        _ => Some(config::load(question.config.path()).map_err(|findings| listed(&findings))?),
    };
    let file = question.plan.clone().or(config.as_ref().map(|config| config.plan.file.clone())).unwrap_or_default();
    let plan = PlanFile::open(&file)?.parse().map_err(|problems| listed(&problems))?;
    let trunk = match (&question.trunk, &config) {
        (Some(name), Some(config)) => Some(config.trunks.get(name).ok_or_else(|| format!("no trunk `{name}`"))?),
        _ => None,
    };
    let facts = Facts {
        dialled: &question.number,
        caller: question.from.as_deref(),
        trunk: question.trunk.as_deref().unwrap_or(""),
        trunk_area: trunk.map(|trunk| trunk.area.as_str()).filter(|area| !area.is_empty()),
        at: question.at.map_or_else(|| clock::now().wall, |at| Wall(at.as_microsecond())),
    };
    let answer = explain(&plan, &facts);
    if question.json {
        println!("{:#}", serde_json::json!(answer));
    } else {
        println!("{answer}");
    }
    Ok(ExitCode::SUCCESS)
}
