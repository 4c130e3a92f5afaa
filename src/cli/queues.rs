//! `hotline queues` and `hotline seats show`: who waits for which seats, and how one seat stands, at a running gateway.

use super::api::{Answers, Client};
use super::table::{self, Table};
use super::words::{text, told, word};
use crate::base::{Shown, Text};
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;

#[derive(Args)]
pub struct Question {
    #[command(flatten)]
    answers: Answers,
    /// The queue; by default all
    ///
    /// 队列，缺省为全部
    #[arg(value_name = "QUEUE", value_parser = super::typed::word)]
    queue: Option<String>,
}

pub fn run(question: &Question) -> Result<ExitCode, Text> {
    let client = question.answers.open()?;
    let answer = match &question.queue {
        Some(queue) => client.get(&format!("/api/v1/queues/{queue}"))?,
        None => client.get("/api/v1/queues")?,
    };
    question.answers.show(&answer, print_queues);
    Ok(ExitCode::SUCCESS)
}

/// All queues, or one with its seats.
fn print_queues(answer: &Value) {
    let queues: Vec<&Value> = answer["queues"].as_array().map_or_else(|| vec![answer], |all| all.iter().collect());
    if queues.is_empty() {
        return tell!("no queues", "没有队列");
    }
    let columns = [
        table::left(both!("QUEUE", "队列"), 16),
        table::left(both!("POLICY", "策略"), 14),
        table::right(both!("WAITING", "排队"), 7),
        table::right(both!("LONGEST", "最长"), 8),
        table::right(both!("SEATS", "座席"), 5),
        table::right(both!("READY", "示闲"), 5),
        table::right(both!("FREE", "空闲"), 5),
        table::right(both!("TALKING", "通话"), 7),
        table::right(both!("BREAK", "示忙小休"), 8),
    ];
    let table = Table::of(columns);
    say!("{}", table.head().told(super::tongue()));
    for queue in queues {
        let figure = |name: &str| queue[name].to_string();
        let longest = format!("{} s", queue["longest_wait_seconds"]);
        let cells = ["waiting", "seats", "ready", "free", "talking", "on_break"].map(figure);
        let [waiting, seats, ready, free, talking, on_break] = &cells;
        let (name, policy) = (text(&queue["queue"]), told(&queue["strategy"]));
        say!("{}", table.row([name.as_str(), &policy, waiting, &longest, seats, ready, free, talking, on_break]));
    }
    answer["members"].as_array().into_iter().for_each(|members| print_members(members));
}

/// The seats of one queue, as colleagues see them.
fn print_members(members: &[Value]) {
    let table = Table::of([
        table::left(both!("SEAT", "座席"), 16),
        table::left(both!("STATE", "状态"), 12),
        table::left(both!("PHONE", "话机"), 10),
        table::left(both!("NAME", "姓名"), 0),
    ]);
    say!("\n{}", table.head().told(super::tongue()));
    for seat in members {
        let (name, label) = (text(&seat["seat"]), text(&seat["label"]));
        say!("{}", table.row([&name, &told(&seat["intent"]), &told(&seat["device"]), &label]));
    }
}

/// Shows one seat: what its person wants, its phone, what it missed, and its calls.
pub fn seat(client: &Client, seat: &str, json: bool) -> Result<(), Text> {
    let answer = client.get(&format!("/api/v1/seats/{seat}"))?;
    if json {
        say_json!("{answer:#}");
        return Ok(());
    }
    let of = &answer["seat"];
    let label = of["label"].as_str().map_or(String::new(), |label| format!(" {}", Shown(label)));
    say!("{}{label}", text(&of["seat"]));
    let (intent, since) = (told(&of["intent"]), text(&of["since"]));
    tell!("  state    {intent} since {since}", "  状态     {intent}，自 {since}");
    if of["kind"].is_string() {
        let kind = told(&of["kind"]);
        tell!("  kind     {kind}", "  类别     {kind}");
    }
    if let Some(reason) = of["reason"].as_str().map(Shown) {
        tell!("  reason   {reason}", "  原因     {reason}");
    }
    if let Some(left) = of["left_seconds"].as_u64() {
        tell!("  left     {left} s", "  剩余     {left} 秒");
    }
    if of["next"].is_string() {
        let next = told(&of["next"]);
        tell!("  then     {next}", "  之后     {next}");
    }
    let (by, device) = (text(&of["by"]["name"]), told(&of["device"]));
    tell!("  by       {by}", "  设置者   {by}");
    tell!("  phone    {device}", "  话机     {device}");
    let missed: Vec<String> = of["missed"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(cause, n)| both!("{} {n}", "{} {n}"; word(cause)).told(super::tongue()).to_owned())
        .collect();
    let missed = if missed.is_empty() { "-".to_owned() } else { missed.join(", ") };
    tell!("  missed   {missed}", "  未接     {missed}");
    let queues: Vec<String> = of["queues"].as_array().into_iter().flatten().map(text).collect();
    let queues = queues.join(", ");
    tell!("  queues   {queues}", "  队列     {queues}");
    if let Some(to) = of["preview"]["to"].as_str().map(Shown) {
        let hotline = text(&of["preview"]["hotline"]);
        tell!("  to call  {to} for {hotline}", "  待外呼   {to}（{hotline}）");
    }
    for call in answer["calls"].as_array().into_iter().flatten() {
        let (id, direction) = (text(&call["id"]), told(&call["direction"]));
        let (state, caller) = (told(&call["state"]), text(&call["caller"]));
        tell!("  call     {id} {direction} {state} {caller}", "  通话     {id} {direction} {state} {caller}");
    }
    Ok(())
}
