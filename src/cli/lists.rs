//! `hotline callbacks` and `hotline numbers`: who is to be rung back, who is turned away, who goes before others.

use super::api::{Answers, Unmasked};
use super::table::{Table, left, right};
use super::words::{text, told};
use crate::base::Text;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Args)]
pub struct Callbacks {
    #[command(flatten)]
    answers: Answers,
    #[command(flatten)]
    numbers: Unmasked,
    #[command(subcommand)]
    act: Option<CallbackAct>,
}

#[derive(Subcommand)]
enum CallbackAct {
    /// Lists missed callers who are to be rung back
    ///
    /// 列出待回电的来电人
    Ls,
    /// Takes one off the list
    ///
    /// 从列表中删除一条
    Drop {
        /// The row, as `hotline callbacks ls` says it
        ///
        /// 条目编号，见 `hotline callbacks ls`
        #[arg(value_parser = super::typed::word)]
        id: String,
    },
}

#[derive(Args)]
pub struct Numbers {
    #[command(flatten)]
    answers: Answers,
    #[command(flatten)]
    numbers: Unmasked,
    #[command(subcommand)]
    act: Option<NumberAct>,
}

#[derive(Subcommand)]
enum NumberAct {
    /// Lists numbers that are turned away or go before others
    ///
    /// 列出黑名单与优先名单
    Ls,
    /// Turns a number away; it still reaches emergency lines
    ///
    /// 拉黑一个号码；紧急热线不受影响
    Block(Row),
    /// Lets a number go before others
    ///
    /// 让一个号码优先接入
    Prioritise(Row),
    /// Takes a number off the list that it is on
    ///
    /// 从名单中删除一个号码
    Remove {
        /// The number
        ///
        /// 号码
        #[arg(value_parser = super::typed::word)]
        number: String,
    },
}

#[derive(Args)]
struct Row {
    /// The caller's number
    ///
    /// 来电号码
    #[arg(value_parser = super::typed::word)]
    number: String,
    /// Why
    ///
    /// 原因
    #[arg(long)]
    reason: String,
    /// The person who approved it
    ///
    /// 批准人
    #[arg(long)]
    approver: String,
    /// Days for which it holds; left out: until it is removed
    ///
    /// 有效天数；不写则长期有效
    #[arg(long)]
    days: Option<u32>,
}

pub fn callbacks(question: &Callbacks) -> Result<ExitCode, Text> {
    let client = question.answers.open()?;
    match &question.act {
        None | Some(CallbackAct::Ls) => {
            let answer = client.get(&format!("/api/v1/callback-list{}", question.numbers.query()))?;
            question.answers.show(&answer, print_callbacks);
        }
        Some(CallbackAct::Drop { id }) => {
            client.delete(&format!("/api/v1/callback-list/{id}"))?;
            tell!("dropped", "已删除");
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub fn numbers(question: &Numbers) -> Result<ExitCode, Text> {
    let client = question.answers.open()?;
    let put = |list: &str, row: &Row| {
        let Row { number, reason, approver, days } = row;
        let mut body = json!({ "number": number, "list": list, "reason": reason, "approver": approver });
        days.iter().for_each(|days| body["days"] = json!(days));
        client.post("/api/v1/numbers", Some(&body))
    };
    match &question.act {
        None | Some(NumberAct::Ls) => {
            let answer = client.get(&format!("/api/v1/numbers{}", question.numbers.query()))?;
            question.answers.show(&answer, print_numbers);
            return Ok(ExitCode::SUCCESS);
        }
        Some(NumberAct::Block(row)) => put("blocked", row)?,
        Some(NumberAct::Prioritise(row)) => put("priority", row)?,
        Some(NumberAct::Remove { number }) => client.post("/api/v1/numbers/remove", Some(&json!({ "number": number })))?,
    };
    tell!("done", "已执行");
    Ok(ExitCode::SUCCESS)
}

fn print_callbacks(answer: &Value) {
    let rows: Vec<&Value> = answer["callbacks"].as_array().into_iter().flatten().collect();
    let table = Table::of([
        left(both!("ROW", "条目"), 36),
        left(both!("CALLER", "主叫"), 14),
        left(both!("HOTLINE", "热线"), 12),
        right(both!("CALLS", "次数"), 5),
        left(both!("LAST", "最近来电"), 29),
        left(both!("LOSS", "流失原因"), 22),
        left(both!("SEAT", "座席"), 0),
    ]);
    say!("{}", table.head().told(super::tongue()));
    for row in &rows {
        let (id, caller, hotline, last) = (text(&row["id"]), text(&row["caller"]), text(&row["hotline"]), text(&row["last"]));
        let (calls, loss, seat) = (row["calls"].to_string(), told(&row["loss"]), text(&row["seat"]));
        say!("{}", table.row([&id, &caller, &hotline, &calls, &last, &loss, &seat]));
        for message in row["messages"].as_array().into_iter().flatten().map(text) {
            tell!("    message {message}", "    留言 {message}");
        }
        row["attempts"].as_array().into_iter().flatten().for_each(print_attempt);
    }
    if rows.is_empty() {
        tell!("nobody is to be rung back", "没有待回电的来电人");
    }
}

/// An attempt to ring a caller back. One that no answer ended is under way, or was when the process died.
fn print_attempt(attempt: &Value) {
    let (number, at, seat) = (attempt["attempt"].to_string(), text(&attempt["at"]), text(&attempt["seat"]));
    match attempt["reached"].as_bool() {
        Some(true) => tell!("    attempt {number}  {at}  {seat}  reached", "    第 {number} 次回电  {at}  {seat}  已接通"),
        Some(false) => tell!("    attempt {number}  {at}  {seat}  not reached", "    第 {number} 次回电  {at}  {seat}  未接通"),
        None => tell!("    attempt {number}  {at}  {seat}  not over", "    第 {number} 次回电  {at}  {seat}  未结束"),
    }
}

fn print_numbers(answer: &Value) {
    let rows: Vec<&Value> = answer["numbers"].as_array().into_iter().flatten().collect();
    let table = Table::of([
        left(both!("NUMBER", "号码"), 14),
        left(both!("LIST", "名单"), 8),
        left(both!("UNTIL", "有效期至"), 29),
        left(both!("APPROVER", "批准人"), 16),
        left(both!("REASON", "原因"), 0),
    ]);
    say!("{}", table.head().told(super::tongue()));
    for row in &rows {
        let (number, list, until) = (text(&row["number"]), told(&row["list"]), text(&row["until"]));
        let (approver, reason) = (text(&row["approver"]), text(&row["reason"]));
        say!("{}", table.row([&number, &list, &until, &approver, &reason]));
    }
    if rows.is_empty() {
        tell!("no numbers", "没有号码");
    }
}
