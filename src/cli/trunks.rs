//! `hotline trunks`: the trunks of a running gateway, and how our accounts with carriers stand.

use super::api::Answers;
use super::table::{self, Table};
use super::words::{text, told};
use crate::base::Text;
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;

#[derive(Args)]
pub struct Question {
    #[command(flatten)]
    answers: Answers,
}

pub fn run(question: &Question) -> Result<ExitCode, Text> {
    let answer = question.answers.open()?.get("/api/v1/trunks")?;
    question.answers.show(&answer, print_trunks);
    Ok(ExitCode::SUCCESS)
}

fn print_trunks(answer: &Value) {
    let trunks: Vec<&Value> = answer["trunks"].as_array().into_iter().flatten().collect();
    let table = Table::of([
        table::left(both!("TRUNK", "中继"), 16),
        table::right(both!("CHANNELS", "路数"), 8),
        table::right(both!("TAKEN", "占用"), 5),
        table::left(both!("CALLS OUT", "可呼出"), 0),
    ]);
    say!("{}", table.head().told(super::tongue()));
    for trunk in &trunks {
        let (name, channels, taken) = (text(&trunk["trunk"]), trunk["channels"].to_string(), trunk["taken"].to_string());
        let usable = if trunk["usable"] == true { both!("yes", "是") } else { both!("no", "否") };
        say!("{}", table.row([&name, &channels, &taken, usable.told(super::tongue())]));
    }
    trunks.iter().for_each(|trunk| print_peers(trunk));
    let accounts = |trunk: &&Value| trunk["registrations"].as_array().is_some_and(|all| !all.is_empty());
    trunks.iter().filter(|trunk| accounts(trunk)).for_each(|trunk| print_accounts(trunk));
}

fn print_peers(trunk: &Value) {
    let name = text(&trunk["trunk"]);
    let table = Table::of([
        table::left(both!("ADDRESS OF {name}", "{name} 的地址"), 24),
        table::left(both!("STATE", "状态"), 12),
        table::right(both!("LEFT", "剩余"), 8),
        table::left(both!("ASKED", "探测"), 0),
    ]);
    let peers: Vec<&Value> = trunk["peers"].as_array().into_iter().flatten().collect();
    if peers.is_empty() {
        return;
    }
    say!("\n{}", table.head().told(super::tongue()));
    for peer in peers {
        let left = peer["left_seconds"].as_u64().map_or("-".to_owned(), |seconds| format!("{seconds} s"));
        let asked = if peer["asked"] == true { both!("yes", "是") } else { both!("no", "否") };
        say!("{}", table.row([&text(&peer["address"]), &told(&peer["state"]), &left, asked.told(super::tongue())]));
    }
}

fn print_accounts(trunk: &Value) {
    let name = text(&trunk["trunk"]);
    let table = Table::of([
        table::left(both!("ACCOUNT OF {name}", "{name} 的账号"), 24),
        table::left(both!("STATE", "状态"), 12),
        table::right(both!("LEFT", "剩余"), 8),
        table::right(both!("NEXT", "下次"), 8),
        table::left(both!("NUMBER", "号码"), 0),
    ]);
    say!("\n{}", table.head().told(super::tongue()));
    for account in trunk["registrations"].as_array().into_iter().flatten() {
        let seconds = |name: &str| account[name].as_u64().map_or("-".to_owned(), |seconds| format!("{seconds} s"));
        let (left, next) = (seconds("left_seconds"), seconds("next_seconds"));
        let (name, state, aor) = (text(&account["registration"]), told(&account["state"]), text(&account["aor"]));
        say!("{}", table.row([&name, &state, &left, &next, &aor]));
        let failure = &account["failure"];
        if failure.is_object() {
            let status = failure["status"].as_u64().map_or(String::new(), |status| format!("{status} "));
            let (reason, ago) = (text(&failure["reason"]), failure["ago_seconds"].to_string());
            tell!("  {status}{reason} ({ago} s ago)", "  {status}{reason}（{ago} 秒前）");
        }
    }
}
