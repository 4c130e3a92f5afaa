//! `hotline drain`: a running gateway takes no new calls, and those in progress finish.

use super::api::{Api, Client};
use crate::base::Text;
use crate::io::clock;
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;

/// How often it is looked how many are left.
const LOOK: Duration = Duration::from_millis(250);

#[derive(Args)]
pub struct Question {
    #[command(flatten)]
    api: Api,
    /// Only says whether new calls are taken, and how many there are
    ///
    /// 只显示是否接新呼叫、现有多少路
    #[arg(long)]
    status: bool,
    /// New calls are taken again
    ///
    /// 恢复接新呼叫
    #[arg(long)]
    undo: bool,
    /// Does not wait for the calls in progress
    ///
    /// 不等待进行中的通话
    #[arg(long)]
    no_wait: bool,
    /// How long to wait for them, such as 10m; then it fails, and the gateway goes on draining
    ///
    /// 最长等待时间，例如 10m；到时返回失败，网关继续排空
    #[arg(long, value_name = "TIME", value_parser = super::typed::span)]
    within: Option<Duration>,
}

pub fn run(question: &Question) -> Result<ExitCode, Text> {
    let client = question.api.open()?;
    if question.status {
        say!("{}", told(&client.get("/api/v1/status")?).told(super::tongue()));
    } else if question.undo {
        client.delete("/api/v1/drain")?;
        tell!("new calls are taken again", "已恢复接新呼叫");
    } else {
        client.post("/api/v1/drain", None)?;
        if !question.no_wait {
            wait(&client, question.within)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows how many calls are left whenever that has changed.
fn wait(client: &Client, within: Option<Duration>) -> Result<(), Text> {
    let began = clock::mono();
    let mut shown = None;
    loop {
        let status = client.get("/api/v1/status")?;
        if status["draining"] == false {
            return Err(both!("somebody let the gateway take new calls again", "有人让网关恢复接新呼叫了"));
        }
        let calls = status["calls"].as_u64().unwrap_or_default();
        if shown != Some(calls) {
            say!("{}", told(&status).told(super::tongue()));
            shown = Some(calls);
        }
        if calls == 0 {
            return Ok(());
        }
        if within.is_some_and(|within| clock::mono().since(began) >= within) {
            return Err(both!("{calls} calls are left; the gateway goes on draining", "还有 {calls} 路通话，网关继续排空"));
        }
        client.sleep(LOOK);
    }
}

fn told(status: &Value) -> Text {
    let state =
        if status["draining"] == true { both!("draining", "正在排空") } else { both!("taking calls", "正在接呼叫") };
    state.then(&match status["calls"].as_u64().unwrap_or_default() {
        0 => both!("; no call in progress", "；没有通话"),
        1 => both!("; 1 call in progress", "；现有 1 路通话"),
        calls => both!("; {calls} calls in progress", "；现有 {calls} 路通话"),
    })
}
