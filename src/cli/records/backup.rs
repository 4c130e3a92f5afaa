//! A copy of the journal, and the way back.

use super::{Journal, Writer};
use crate::base::{Shown, Text};
use crate::io::journal::dead_letters::Decision;
use crate::io::journal::{Copied, backup, restore};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub struct Backup {
    #[command(flatten)]
    of: Journal,
    /// The file to write; there must be none of this name
    ///
    /// 要写入的文件，不得已存在
    to: PathBuf,
}

#[derive(Args)]
pub struct Restore {
    #[command(flatten)]
    of: Journal,
    /// The copy
    ///
    /// 副本文件
    from: PathBuf,
    /// Sets a journal that is there aside, under another name in its folder
    ///
    /// 将现有日志数据库移到一旁（在其文件夹内另起名称）
    #[arg(long)]
    replace: bool,
}

impl Backup {
    pub fn run(&self) -> Result<(), Text> {
        let copied = backup(&self.of.path(&self.of.config()?), &self.to)?;
        say!("{}", told(&self.to, &copied).told(crate::cli::tongue()));
        warn(&copied);
        Ok(())
    }
}

impl Restore {
    pub fn run(&self) -> Result<(), Text> {
        crate::io::process::private::from_now_on();
        let journal = self.of.path(&self.of.config()?);
        let copied = restore(&self.from, &journal, self.replace)?;
        say!("{}", told(&journal, &copied).told(crate::cli::tongue()));
        if let Some(aside) = &copied.aside {
            tell!("what stood there is now {0}", "原有文件现为 {0}", aside.display());
        }
        warn(&copied);
        Ok(())
    }
}

pub fn damage(writer: &Writer, seen: bool, json: bool) -> Result<(), Text> {
    if seen {
        writer.decide(&Decision::DamageSeen)?;
    }
    let of = &writer.of;
    for one in crate::io::journal::damage(&of.path(&of.config()?))? {
        if json {
            say_json!("{}", serde_json::json!(one));
            continue;
        }
        let call = one.call.as_deref().unwrap_or("-");
        let state = if one.seen { "seen" } else { "new" };
        say!("{}  {state:<4}  {call:<36}  {}: {}", one.at, one.place, Shown::whole(&one.why));
    }
    Ok(())
}

fn told(file: &std::path::Path, copied: &Copied) -> Text {
    let Copied { calls, entries, at, .. } = copied;
    let at = crate::io::journal::time(*at);
    let file = file.display();
    both!(
        "{file}: {calls} calls, {entries} entries, up to {at}; read through and whole",
        "{file}：{calls} 路通话，{entries} 条记录，截至 {at}；已通读，完整"
    )
}

fn warn(copied: &Copied) {
    if let Some(gap) = &copied.gap {
        let text = both!("warning: the original: {}", "警告：原文件：{}"; gap);
        crate::cli::complain(&text);
    }
}
