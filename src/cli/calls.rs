//! `hotline calls`: calls in progress, and callers moved.

use super::api::{Api, Client};
use crate::base::{CallId, Text, Wall};
use crate::io::clock;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Args)]
pub struct Question {
    #[command(flatten)]
    api: Api,
    /// The gateway's answer as it is
    #[arg(long, global = true)]
    json: bool,
    /// Shows callers' numbers in full; needs the role `unmasked`, and is noted in the gateway's audit log
    #[arg(long, global = true)]
    unmasked: bool,
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Subcommand)]
enum Act {
    /// Shows one call and its parties
    Show { call: CallId },
    /// Moves a caller to a number of the dial plan, or to a seat as `seat:NAME`; or brings that party in
    Transfer {
        call: CallId,
        to: String,
        #[arg(long, value_enum, default_value_t = Mode::Consult)]
        mode: Mode,
    },
    /// After a consultation: the seat leaves, caller and target stay
    Complete { call: CallId },
    /// The target leaves, the seat is back with the caller
    Cancel { call: CallId },
    /// In a consultation: from the target to the caller, and back
    Swap { call: CallId },
    /// After a consultation: all three speak
    Merge { call: CallId },
    /// Says what a call was about, also after it; a subject that the dial plan has for a ticket system sends it there
    Tag {
        call: CallId,
        #[arg(required = true)]
        subjects: Vec<String>,
    },
    /// Hangs up one party by the number of its leg; the others stay
    Drop { call: CallId, leg: u64 },
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// Seat and target speak first, the caller hears music
    Consult,
    /// The target joins seat and caller
    ThreeWay,
    /// The seat leaves at once, and gets the caller back on failure
    Blind,
    /// To a line that the plan calls an emergency line
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
    let client = question.api.open()?;
    let numbers = if question.unmasked { "?unmasked=true" } else { "" };
    match &question.act {
        None => {
            let answer = client.get(&format!("/api/v1/calls{numbers}"))?;
            if question.json { say!("{answer:#}") } else { print_table(&answer) }
        }
        Some(Act::Show { call }) => {
            let answer = client.get(&format!("/api/v1/calls/{call}{numbers}"))?;
            if question.json { say!("{answer:#}") } else { print_call(&answer) }
        }
        Some(act) => {
            let answer = carry_out(&client, act)?;
            match act {
                _ if question.json => say!("{answer:#}"),
                Act::Tag { .. } => print_tagged(&answer),
                _ => say!("under way; `hotline calls show {}` shows what comes of it", act.call()),
            }
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
    say!("{:<36}  {:>8}  {:<12}  {:<14}  {:<12}  PARTIES", "CALL", "AGE", "NUMBER", "CALLER", "STATE");
    let now = clock::now().wall;
    for call in &calls {
        let (id, number, caller, state) = (text(&call["id"]), text(&call["number"]), text(&call["caller"]), text(&call["state"]));
        say!("{id:<36}  {:>8}  {number:<12}  {caller:<14}  {state:<12}  {}", age(id, now), parties(call));
    }
    let total = answer["total"].as_u64().unwrap_or_default();
    match calls.len() as u64 {
        0 => say!("no calls"),
        shown if shown < total => say!("{shown} of {total} calls"),
        _ => {}
    }
}

fn print_call(call: &Value) {
    let id = text(&call["id"]);
    say!("call    {id}, {} old", age(id, clock::now().wall));
    say!("number  {} {}", text(&call["number"]), text(&call["line"]));
    say!("caller  {}", text(&call["caller"]));
    say!("state   {}", text(&call["state"]));
    for leg in call["legs"].as_array().into_iter().flatten() {
        let held = if leg["on_hold"] == true { ", on hold" } else { "" };
        say!("leg {:<3} {} {}{held}", leg["leg"].to_string(), text(&leg["party"]), text(&leg["part"]));
    }
}

fn print_tagged(answer: &Value) {
    let backends: Vec<&str> = answer["backends"].as_array().into_iter().flatten().map(text).collect();
    match backends.as_slice() {
        [] => say!("{}; no ticket system of its own has these subjects", text(&answer["status"])),
        backends => say!("{}; it goes to {}", text(&answer["status"]), backends.join(", ")),
    }
}

fn parties(call: &Value) -> String {
    let legs = call["legs"].as_array().into_iter().flatten();
    legs.map(|leg| format!("{} {}", text(&leg["party"]), text(&leg["part"]))).collect::<Vec<_>>().join(", ")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
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
