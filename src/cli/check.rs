//! `hotline check`: the configuration, the dial plan and the prompts, without starting anything.

use super::{ConfigFile, listed};
use crate::base::Text;
use crate::io::config::{self, Config};
use crate::io::plans;
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub struct Question {
    /// Other dial plans in place of the configuration's: one or more
    ///
    /// 改为检查这些方案文件（一个或多个）
    #[arg(long = "plan", value_name = "FILE", num_args = 1..)]
    plans: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

pub fn run(question: &Question) -> Result<ExitCode, Text> {
    let config = config::load(question.config.path()).map_err(|findings| listed(&findings))?;
    let plans = if question.plans.is_empty() { vec![config.plan.file.clone()] } else { question.plans.clone() };
    shared_addresses(&config).iter().for_each(|text| eprintln!("{}", text.told(super::tongue())));
    let told: Vec<Result<String, Vec<Text>>> = plans.into_iter().map(|file| check_plan(&config, file)).collect();
    config.warnings.iter().for_each(|warning| eprintln!("{}", warning.told(super::tongue())));
    // A file removes one by `enabled = false`, and then it is not there.
    let trunks = config.trunks.values().filter(|trunk| trunk.enabled).count();
    let seats = config.seats.values().filter(|seat| seat.enabled).count();
    let queues = config.queues.values().filter(|queue| queue.enabled).count();
    say!("{}: {} trunks, {} seats, {} queues", config.node.name, trunks, seats, queues);
    told.iter().flatten().for_each(|good| say!("{good}"));
    let wrong: Vec<Text> = told.into_iter().filter_map(Result::err).flatten().collect();
    if wrong.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(Text::lines(&wrong)) }
}

/// Two phones have no address in common; two seats behind an exchange do.
fn shared_addresses(config: &Config) -> Vec<Text> {
    let mut seen = BTreeMap::new();
    let seats = config.seats.iter().filter(|(_, seat)| seat.enabled);
    let shared = seats.filter_map(|(name, seat)| Some((seen.insert(seat.address?, name)?, name, seat.address?)));
    shared
        .map(|(other, name, address)| {
            both!(
                "warning: seats `{other}` and `{name}` are both at {address}: right only behind an exchange",
                "警告：座席 `{other}` 与 `{name}` 的地址都是 {address}：仅在同一交换机之后才正确"
            )
        })
        .collect()
}

fn check_plan(config: &Config, file: PathBuf) -> Result<String, Vec<Text>> {
    let mut config = config.clone();
    config.plan.file = file;
    let loaded = plans::load(&config)?;
    loaded.warnings.iter().for_each(|warning| eprintln!("{}", warning.told().told(super::tongue())));
    Ok(format!("{}: {}, {} prompts", config.plan.file.display(), loaded.plan.name, loaded.prompts.len()))
}
