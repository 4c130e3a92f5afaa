//! `hotline run`: the gateway itself.

use super::{ConfigFile, WRONG};
use crate::base::Text;
use crate::io::gateway::Gateway;
use crate::io::process::log;
use std::process::ExitCode;

pub fn run(file: &ConfigFile) -> Result<ExitCode, Text> {
    let config = file.load()?;
    let _logging = log::start(&config.log)?;
    config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let limit = config.log.drain;
    let mut gateway = Gateway::start(config, file.path())?;
    // From here on nothing is written but by the log: whoever reads standard error may have stopped.
    let signal = match gateway.signalled() {
        Ok(signal) => signal,
        Err(why) => {
            tracing::error!("{why}");
            return Ok(ExitCode::from(WRONG));
        }
    };
    tracing::info!(signal, ?limit, "draining: no new calls are taken, those in progress go on 排空：不接新呼叫");
    let left = gateway.drain(limit);
    tracing::info!(calls = left, "drained 排空结束");
    if left > 0 {
        let left = gateway.hang_up();
        if left > 0 {
            tracing::warn!(left, "calls whose end is not on disk; their records will say interrupted");
        }
    }
    gateway.stop();
    Ok(ExitCode::SUCCESS)
}
