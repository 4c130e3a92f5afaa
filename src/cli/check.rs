//! `hotline check`: the configuration, the dial plan and the prompts, without starting anything.

use super::{ConfigFile, listed};
use crate::io::{config, plans};
use std::process::ExitCode;

pub fn run(file: &ConfigFile) -> Result<ExitCode, String> {
    let config = config::load(file.path()).map_err(|findings| listed(&findings))?;
    let loaded = plans::load(&config).map_err(|problems| listed(&problems))?;
    loaded.warnings.iter().for_each(|warning| eprintln!("{warning}"));
    println!(
        "{}: {} trunks, {} seats, {} queues",
        config.node.name,
        config.trunks.len(),
        config.seats.len(),
        config.queues.len()
    );
    println!("{}: {}, {} prompts", config.plan.file.display(), loaded.plan.name, loaded.prompts.len());
    Ok(ExitCode::SUCCESS)
}
