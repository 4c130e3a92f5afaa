//! `hotline check`: the configuration, the dial plan and the prompts, without starting anything.

use super::ConfigFile;
use crate::base::{Shown, Text};
use crate::io::config::Config;
use crate::io::config::{plans, setup};
use crate::io::journal;
use crate::io::process::descriptors;
use clap::Args;
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
    let config = question.config.load()?;
    let fit = setup::fit(&config, descriptors::most())?;
    fit.lowered().iter().for_each(|text| super::complain(&both!("warning: {}", "警告：{}"; text)));
    let plans = if question.plans.is_empty() { vec![config.plan.file.clone()] } else { question.plans.clone() };
    let told: Vec<Result<Text, Vec<Text>>> = plans.into_iter().map(|file| check_plan(&config, file)).collect();
    config.warnings.iter().for_each(super::complain);
    if let Some(what) = journal::told_of(&config.journal())? {
        let text = both!("warning: journal {0}: {1}", "警告：日志数据库 {0}：{1}", config.journal().display(), what);
        crate::cli::complain(&text);
    }
    // A file removes one by `enabled = false`, and then it is not there.
    let trunks = config.trunks.values().filter(|trunk| trunk.enabled).count();
    let seats = config.seats.values().filter(|seat| seat.enabled).count();
    let queues = config.queues.values().filter(|queue| queue.enabled).count();
    let name = Shown(&config.node.name);
    tell!(
        "{name}: {trunks} trunks, {seats} seats, {queues} queues",
        "{name}：中继 {trunks} 个，座席 {seats} 个，队列 {queues} 个"
    );
    told.iter().flatten().for_each(|good| say!("{}", good.told(super::tongue())));
    let wrong: Vec<Text> = told.into_iter().filter_map(Result::err).flatten().collect();
    if wrong.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(Text::lines(&wrong)) }
}

fn check_plan(config: &Config, file: PathBuf) -> Result<Text, Vec<Text>> {
    let mut config = config.clone();
    let own = config.plan.file == file;
    config.plan.file = file;
    config.places.plan = config.places.plan.filter(|_| own);
    let loaded = plans::load(&config)?;
    loaded.warnings.iter().for_each(|warning| super::complain(&warning.told()));
    let (file, name, prompts) = (config.plan.file.display(), &loaded.plan.name, loaded.prompts.len());
    Ok(both!("{file}: {name}, {prompts} prompts", "{file}：{name}，提示音 {prompts} 个").shown())
}
