//! Deliveries that backends refused, and records sent anew.

use super::{Journal, Writer};
use crate::base::{CallId, Shown, Text};
use crate::cli::table::{Table, left, right};
use crate::cli::typed::{self, Moment};
use crate::io::journal::dead_letters::{DeadLetter, Decision, EndedCall, Replay, Selection};
use clap::Args;

#[derive(Args)]
pub struct Chosen {
    #[command(flatten)]
    writer: Writer,
    #[command(flatten)]
    those: Those,
}

/// One of them is asked for: nobody drops all by pressing Enter too soon.
#[derive(Args)]
#[group(required = true, multiple = true)]
struct Those {
    /// Those of this call
    ///
    /// 此通话的
    call: Option<CallId>,
    /// Those of this backend
    ///
    /// 此工单系统的
    #[arg(long)]
    backend: Option<String>,
    /// All of them
    ///
    /// 全部
    #[arg(long)]
    all: bool,
}

#[derive(Args)]
pub struct Again {
    #[command(flatten)]
    writer: Writer,
    /// Calls that began at or after this moment (RFC 3339)
    ///
    /// 此时间及之后开始的通话，例如 2026-10-01
    #[arg(long, value_name = "TIME", value_parser = typed::moment)]
    since: Moment,
    /// The backend that gets them
    ///
    /// 接收的工单系统
    #[arg(long)]
    backend: String,
    /// Calls too that no line or subject gave it, as for a backend that is new: it gets them in full, and what becomes
    /// known of them later
    ///
    /// 连同没有任何号码或主题指定给它的通话（例如新接入的系统）：完整推送，之后的更新亦然
    #[arg(long)]
    all: bool,
    /// Says how many, and changes nothing
    ///
    /// 只显示数量，不做改动
    #[arg(long)]
    dry_run: bool,
}

impl Chosen {
    pub fn retry(&self) -> Result<(), Text> {
        let count = self.writer.decide(&Decision::Retry(self.selection()))?;
        tell!("{count} refused events will be delivered again", "{count} 个被拒收的事件将重新投递");
        Ok(())
    }

    pub fn drop(&self) -> Result<(), Text> {
        let count = self.writer.decide(&Decision::Drop(self.selection()))?;
        tell!("{count} refused events were dropped", "已放弃 {count} 个被拒收的事件");
        Ok(())
    }

    fn selection(&self) -> Selection {
        Selection { backend: self.those.backend.clone(), call: self.those.call }
    }
}

impl Again {
    pub fn run(&self) -> Result<(), Text> {
        let of = &self.writer.of;
        let config = of.config()?;
        let webhook = self.backend == crate::io::deliver::WEBHOOK && !config.records.webhook.url.is_empty();
        if !webhook && !config.records.backends.get(&self.backend).is_some_and(|backend| backend.enabled) {
            return Err(both!("the configuration has no backend `{0}`", "配置中没有工单系统 `{0}`", self.backend));
        }
        let calls = of.open()?.ended_calls(&self.backend, of.at(self.since)?)?;
        // The webhook gets every call.
        let (sent, left_out): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| self.all || webhook || call.its_own);
        if !self.dry_run {
            self.send(&sent)?;
        }
        say!("{}", self.told(sent.len(), left_out.len()).told(crate::cli::tongue()));
        Ok(())
    }

    /// A few at a time: what a gateway writes besides must not wait for long.
    fn send(&self, calls: &[EndedCall]) -> Result<(), Text> {
        for some in calls.chunks(Replay::MOST) {
            let calls = some.iter().map(|ended| ended.call).collect();
            self.writer.decide(&Decision::Replay(Replay { backend: self.backend.clone(), calls }))?;
        }
        Ok(())
    }

    fn told(&self, sent: usize, left_out: usize) -> Text {
        let to = &self.backend;
        let told = match self.dry_run {
            true => both!("{sent} records would go to {to}", "将有 {sent} 份话单投递到 {to}（未执行）"),
            false => both!("{sent} records will go to {to}", "{sent} 份话单将投递到 {to}"),
        };
        told.then(&match left_out {
            0 => Text::default(),
            count => both!(
                "; {count} of calls that are not its own are left out (`--all` sends them too)",
                "；另有 {count} 份不属于它的话单未包括（`--all` 也会投递）"
            ),
        })
    }
}

pub fn list(of: &Journal, json: bool) -> Result<(), Text> {
    let dead_letters = of.open()?.dead_letters(&Selection::default())?;
    if json {
        dead_letters.iter().for_each(|letter| say_json!("{}", serde_json::json!(letter)));
        return Ok(());
    }
    let table = table();
    if !dead_letters.is_empty() {
        say!("{}", table.head().told(crate::cli::tongue()));
    }
    dead_letters.iter().for_each(|letter| say!("{}", row(&table, letter)));
    Ok(())
}

fn table() -> Table {
    Table::of([
        left(both!("CALL", "通话"), 36),
        left(both!("BACKEND", "工单系统"), 16),
        left(both!("EVENT", "事件"), 14),
        left(both!("STATE", "状态"), 5),
        right(both!("TRIES", "尝试次数"), 9),
        left(both!("WHY", "原因"), 0),
    ])
}

/// Backends say what they like, and callers' words come back in it.
fn row(table: &Table, letter: &DeadLetter) -> String {
    let DeadLetter { backend, call, event, state, attempts, error } = letter;
    let why = Shown(error.as_deref().unwrap_or("-")).to_string();
    table.row([call, &Shown(backend).to_string(), event, state, &attempts.to_string(), &why])
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        again: Again,
    }

    #[test]
    fn a_replay_says_what_it_leaves_out_and_how_that_would_go_too() {
        let line = Line::parse_from(["x", "--since", "2026-03-02T00:00:00Z", "--backend", "tourism"]);
        assert!(!line.again.all);
        assert_eq!(line.again.told(2, 0).en, "2 records will go to tourism");
        assert_eq!(
            line.again.told(2, 7).en,
            "2 records will go to tourism; 7 of calls that are not its own are left out (`--all` sends them too)"
        );
    }
}
