//! `hotline ready`: the health check of containers, services and scripts, which then need no HTTP client of their own.

use super::api::{Api, Client};
use crate::base::{Shown, Text};
use crate::io::clock;
use clap::Args;
use std::process::ExitCode;
use std::time::Duration;

/// How often a gateway is asked that is not ready yet.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Args)]
pub struct Question {
    #[command(flatten)]
    api: Api,
    /// Waits so long until it is ready, such as 30s
    ///
    /// 最长等待多久，例如 30s
    #[arg(long, value_name = "TIME", value_parser = super::typed::span)]
    wait: Option<Duration>,
}

pub fn run(question: &Question) -> Result<ExitCode, Text> {
    let client = question.api.open()?;
    let began = clock::mono();
    let patience = question.wait.unwrap_or_default();
    loop {
        match ready(&client) {
            Ok(()) => return Ok(ExitCode::SUCCESS),
            Err(why) if clock::mono().since(began) >= patience => return Err(why),
            Err(_) => client.sleep(LOOK),
        }
    }
}

/// The gateway takes calls; if not, the error says what stands in the way.
fn ready(client: &Client) -> Result<(), Text> {
    let answer = client.get("/readyz")?;
    match answer["alarm"].as_str().map(Shown::whole) {
        Some(alarm) => tell!("ready; {alarm}", "就绪；{alarm}"),
        None => tell!("ready", "就绪"),
    }
    Ok(())
}
