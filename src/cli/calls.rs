//! `hotline calls`: calls in progress, and callers moved.

use super::api::{Answers, Client, Unmasked};
use super::table::{Table, left, right};
use super::words::{text, told};
use crate::base::{CallId, Text, Wall};
use crate::io::clock;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Args)]
pub struct Question {
    #[command(flatten)]
    answers: Answers,
    #[command(flatten)]
    numbers: Unmasked,
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Subcommand)]
enum Act {
    /// Shows one call and its parties
    ///
    /// 显示一路通话及其各方
    Show {
        /// The call
        ///
        /// 通话编号
        call: CallId,
    },
    /// Moves a caller to a number of the dial plan, or to a seat as `seat:NAME`; or brings that party in
    ///
    /// 把来电人转接到方案中的号码，或座席 `seat:名称`；或邀请该方加入
    Transfer {
        /// The call
        ///
        /// 通话编号
        call: CallId,
        /// A number of the dial plan, or `seat:NAME`
        ///
        /// 方案中的号码，或 `seat:名称`
        #[arg(value_parser = super::typed::word)]
        to: String,
        /// How: `consult` (seat and target speak first, the caller hears music), `three-way`, `blind` (the seat leaves at once,
        /// and gets the caller back on failure), `emergency` (to an emergency line of the plan)
        ///
        /// 方式：`consult`（座席与目标先通话，来电人听音乐）、`three-way`（三方）、`blind`（座席立即离开，失败则回到座席）、`emergency`（转紧急热线）
        #[arg(long, value_enum, default_value_t = Mode::Consult)]
        mode: Mode,
    },
    /// After a consultation: the seat leaves, caller and target stay
    ///
    /// 咨询之后：座席离开，来电人与目标继续通话
    Complete {
        /// The call
        ///
        /// 通话编号
        call: CallId,
    },
    /// The target leaves, the seat is back with the caller
    ///
    /// 目标离开，座席回到来电人
    Cancel {
        /// The call
        ///
        /// 通话编号
        call: CallId,
    },
    /// In a consultation: from the target to the caller, and back
    ///
    /// 咨询中：在目标与来电人之间切换
    Swap {
        /// The call
        ///
        /// 通话编号
        call: CallId,
    },
    /// After a consultation: all three speak
    ///
    /// 咨询之后：三方通话
    Merge {
        /// The call
        ///
        /// 通话编号
        call: CallId,
    },
    /// Says what a call was about, also after it; a subject that the dial plan has for a ticket system sends it there
    ///
    /// 标注通话的诉求主题，通话结束后亦可；方案为某主题指定了工单系统时，推送给它
    Tag {
        /// The call
        ///
        /// 通话编号
        call: CallId,
        /// Subjects of the call, one or more
        ///
        /// 诉求主题，一个或多个
        #[arg(required = true)]
        subjects: Vec<String>,
    },
    /// Hangs up one party by the number of its leg; the others stay
    ///
    /// 按编号挂断一方，其余各方保留
    Drop {
        /// The call
        ///
        /// 通话编号
        call: CallId,
        /// The number of the leg, as `hotline calls show` says it
        ///
        /// 该方的编号，见 `hotline calls show`
        leg: u64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Consult,
    ThreeWay,
    Blind,
    Emergency,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Mode::Consult => "consult",
            Mode::ThreeWay => "three-way",
            Mode::Blind => "blind",
            Mode::Emergency => "emergency",
        }
    }
}

pub fn run(question: &Question) -> Result<ExitCode, Text> {
    let client = question.answers.open()?;
    let numbers = question.numbers.query();
    match &question.act {
        None => {
            let answer = client.get(&format!("/api/v1/calls{numbers}"))?;
            question.answers.show(&answer, print_table);
        }
        Some(Act::Show { call }) => {
            let answer = client.get(&format!("/api/v1/calls/{call}{numbers}"))?;
            question.answers.show(&answer, print_call);
        }
        Some(act) => {
            let answer = carry_out(&client, act)?;
            question.answers.show(&answer, |answer| match act {
                Act::Tag { .. } => print_tagged(answer),
                _ => tell!(
                    "under way; `hotline calls show {0}` shows what comes of it",
                    "正在进行；结果见 `hotline calls show {0}`",
                    act.call()
                ),
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Act {
    fn call(&self) -> CallId {
        match self {
            Act::Show { call }
            | Act::Tag { call, .. }
            | Act::Transfer { call, .. }
            | Act::Complete { call }
            | Act::Cancel { call } => *call,
            Act::Swap { call } | Act::Merge { call } | Act::Drop { call, .. } => *call,
        }
    }
}

fn carry_out(client: &Client, act: &Act) -> Result<Value, Text> {
    let call = format!("/api/v1/calls/{}", act.call());
    let on = |verb: &str| client.post(&format!("{call}/transfer/{verb}"), None);
    match act {
        Act::Show { .. } => client.get(&call),
        Act::Tag { subjects, .. } => client.post(&format!("{call}/subjects"), Some(&json!({ "subjects": subjects }))),
        Act::Transfer { to, mode, .. } => {
            client.post(&format!("{call}/transfer"), Some(&json!({ "to": to, "mode": mode.name() })))
        }
        Act::Complete { .. } => on("complete"),
        Act::Cancel { .. } => on("cancel"),
        Act::Swap { .. } => on("swap"),
        Act::Merge { .. } => on("merge"),
        Act::Drop { leg, .. } => client.delete(&format!("{call}/legs/{leg}")),
    }
}

fn print_table(answer: &Value) {
    let calls: Vec<&Value> = answer["calls"].as_array().into_iter().flatten().collect();
    let table = Table::of([
        left(both!("CALL", "通话"), 36),
        right(both!("AGE", "时长"), 8),
        left(both!("DIRECTION", "方向"), 9),
        left(both!("NUMBER", "号码"), 12),
        left(both!("CALLER", "主叫"), 14),
        left(both!("STATE", "状态"), 12),
        left(both!("PARTIES", "各方"), 0),
    ]);
    say!("{}", table.head().told(super::tongue()));
    let now = clock::now().wall;
    for call in &calls {
        let (id, number, caller) = (text(&call["id"]), text(&call["number"]), text(&call["caller"]));
        let (direction, state) = (told(&call["direction"]), told(&call["state"]));
        say!("{}", table.row([&id, &age(&id, now), &direction, &number, &caller, &state, &parties(call)]));
    }
    let total = answer["total"].as_u64().unwrap_or_default();
    match calls.len() as u64 {
        0 => tell!("no calls", "没有通话"),
        shown if shown < total => tell!("{shown} of {total} calls", "显示 {shown} 路，共 {total} 路"),
        _ => {}
    }
}

fn print_call(call: &Value) {
    let (id, number, line) = (text(&call["id"]), text(&call["number"]), text(&call["line"]));
    let (caller, state, old) = (text(&call["caller"]), told(&call["state"]), age(&id, clock::now().wall));
    let direction = told(&call["direction"]);
    tell!("call    {id}, {old} old", "通话    {id}，已 {old}");
    tell!("way     {direction}", "方向    {direction}");
    tell!("number  {number} {line}", "号码    {number} {line}");
    if let Some(found) = found(call) {
        say!("{}", found.told(super::tongue()));
    }
    tell!("caller  {caller}", "主叫    {caller}");
    tell!("state   {state}", "状态    {state}");
    for leg in call["legs"].as_array().into_iter().flatten() {
        let held = if leg["on_hold"] == true { both!(", on hold", "，保持中") } else { Text::default() };
        let (number, party, state) = (leg["leg"].to_string(), party(&leg["party"]), told(&leg["state"]));
        let suite = text(&leg["srtp"]);
        let sealed = if leg["srtp"].is_string() { both!(", SRTP {suite}", "，SRTP {suite}") } else { Text::default() };
        let leg = both!("leg {number:<3} {party} {state}", "第 {number:<3} 方 {party} {state}").then(&held).then(&sealed);
        say!("{}", leg.told(super::tongue()));
    }
}

/// Where the number was found, and what rewrote it; none where the request itself has it as it is.
fn found(call: &Value) -> Option<Text> {
    let place = call["dialled_from"].as_str()?;
    let rules = call["dialled_by_rules"].as_array().into_iter().flatten().map(Value::to_string).collect::<Vec<_>>().join(", ");
    match (place, rules.as_str()) {
        ("request-uri", "") => None,
        (_, "") => Some(both!("found   in {place}", "取自    {place}")),
        _ => Some(both!("found   in {place}, called_in rule {rules}", "取自    {place}，called_in 第 {rules} 条规则")),
    }
}

fn print_tagged(answer: &Value) {
    let status = told(&answer["status"]);
    let backends: Vec<String> = answer["backends"].as_array().into_iter().flatten().map(text).collect();
    let to = backends.join(", ");
    match backends.is_empty() {
        true => tell!("{status}; no ticket system of its own has these subjects", "{status}；没有专收这些主题的工单系统"),
        false => tell!("{status}; it goes to {to}", "{status}；推送到 {to}"),
    }
}

fn parties(call: &Value) -> String {
    let legs = call["legs"].as_array().into_iter().flatten();
    legs.map(|leg| format!("{} {}", party(&leg["party"]), told(&leg["state"]))).collect::<Vec<_>>().join(", ")
}

/// The caller is called so; others have a name or a number.
fn party(value: &Value) -> String {
    if value == "caller" { told(value) } else { text(value) }
}

/// Call ids begin with their time (RFC 9562 §5.7).
fn age(id: &str, now: Wall) -> String {
    let began = id.parse::<CallId>().ok().and_then(|id| id.0.get_timestamp()).map(|at| at.to_unix().0 as i64);
    let Some(began) = began else { return "-".to_owned() };
    let seconds = (now.0 / 1_000_000 - began).max(0);
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_told_by_the_id() {
        let id = CallId::new(Wall(1_000_000_000_000), &mut crate::base::Rng::from_number(1)).to_string();
        assert_eq!(age(&id, Wall(1_003_725_000_000)), "1:02:05");
        assert_eq!(age(&id, Wall(0)), "0:00:00");
        assert_eq!(age("x", Wall(0)), "-");
    }
}
