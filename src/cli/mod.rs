//! The command line: what a person or a script asks of the program.

// Answers go to standard output; that is what a command line is for.
#![allow(clippy::disallowed_methods)]

/// As `println!`, which would panic when `| head` has seen enough.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::answer(format_args!($($text)*)) };
}

/// As [`say`], of words in both languages.
macro_rules! tell {
    ($($text:tt)*) => { $crate::cli::answer(format_args!("{}", both!($($text)*).told($crate::cli::tongue()))) };
}

/// As [`say`], of JSON.
macro_rules! say_json {
    ($($text:tt)*) => { $crate::cli::answer(format_args!("{}", $crate::base::Shown::json(&format!($($text)*)))) };
}

mod api;
mod calls;
mod check;
mod drain;
mod explain;
mod figures;
mod help;
mod language;
mod lists;
mod manual;
mod prompts;
mod queues;
mod ready;
mod recordings;
mod records;
mod run;
mod seats;
mod table;
mod together;
mod trunks;
mod typed;
mod watch;
mod words;

use crate::base::{Shown, Text, Tongue};
use crate::io::config::{self, Config, Finding};
use crate::io::process::files;
use crate::plan::Problem;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::fmt::Arguments as Words;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

/// Nothing is wrong with the question, but with what it is about.
const WRONG: u8 = 2;

/// SIP gateway for government hotlines that merge into 12345
///
/// 12345 政务服务便民热线归并的 SIP 网关
#[derive(Parser)]
#[command(name = "hotline", version, arg_required_else_help = true)]
struct Arguments {
    /// The language of help, answers and errors: zh or en; by default that of HOTLINE_LANG, else of the locale
    ///
    /// 帮助、回答和报错所用的语言：zh 或 en；缺省看环境变量 HOTLINE_LANG，其次看系统区域
    #[arg(long, value_name = "LANG", global = true, value_parser = language::read)]
    lang: Option<Tongue>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the gateway until SIGTERM or SIGINT; then no new calls, and those in progress may finish
    ///
    /// 运行网关；收到 SIGTERM 或 SIGINT 后停止接新，等待通话结束
    Run(ConfigFile),
    /// Runs the gateway on loopback, plays carrier, seat, target and ticket system around it, and judges what happens
    ///
    /// 在本机试运行：模拟运营商、座席、目标和工单系统，并判断结果
    Try,
    /// Checks the configuration, the dial plan and the prompts; exit 0 or 2
    ///
    /// 检查配置、方案和提示音；返回 0 或 2
    Check(check::Question),
    /// Says what would happen to a call, and why, with no gateway running
    ///
    /// 说明一个呼叫会如何处理及其原因（不需要网关在运行）
    Explain(explain::Question),
    /// Shows the calls of a running gateway, and moves callers
    ///
    /// 显示运行中网关的通话，并可转接
    Calls(calls::Question),
    /// Lists missed callers who are to be rung back
    ///
    /// 漏话回电清单
    Callbacks(lists::Callbacks),
    /// Numbers that are turned away, and numbers that go before others
    ///
    /// 黑名单与优先名单
    Numbers(lists::Numbers),
    /// Lets a running gateway take no new calls, and waits until those in progress have ended
    ///
    /// 让运行中的网关停止接新，并等待通话结束
    Drain(drain::Question),
    /// Says whether a running gateway takes calls, as /readyz does; exit 0 or 2
    ///
    /// 显示运行中的网关是否可接呼叫（同 /readyz）；返回 0 或 2
    Ready(ready::Question),
    /// Shows figures of hotlines, queues and seats: offered, answered, in time, lost, waits, talk, breaks
    ///
    /// 显示热线、队列和座席的统计：呼入、接通、及时接通、流失、等待、通话、示忙
    Figures(figures::Question),
    /// Shows the records of calls
    ///
    /// 显示话单
    #[command(subcommand)]
    Records(records::Question),
    /// Lists calls' recordings, hands them out, and holds them against the journal
    ///
    /// 列出、导出、核对录音
    #[command(subcommand)]
    Recordings(recordings::Question),
    /// Shows who waits in the queues of a running gateway, and for which seats
    ///
    /// 显示运行中网关的排队情况及座席
    Queues(queues::Question),
    /// Shows the trunks of a running gateway, and how our accounts with carriers stand
    ///
    /// 显示运行中网关的中继，以及向运营商注册的账号状态
    Trunks(trunks::Question),
    /// Shows or follows seats of a running gateway, and gives seats the passwords by which their phones register
    ///
    /// 显示或跟踪座席状态，管理座席话机注册用的密码
    Seats(seats::Question),
    /// Speaks the prompts that have no sound yet, by espeak-ng, for a trial
    ///
    /// 为没有录音的提示音朗读文本（espeak-ng，试用）
    Prompts(prompts::Question),
    /// Prints a shell's completions of this command line
    ///
    /// 输出命令行补全脚本
    Completions(manual::Completions),
    /// Writes the manual pages, one for each command
    ///
    /// 写出手册页，每个命令一页
    Man(manual::Manual),
}

#[derive(clap::Args)]
struct ConfigFile {
    /// The site's configuration; by default config/site.toml, else /etc/hotline/site.toml, if one is there
    ///
    /// 站点配置文件；缺省为 config/site.toml，其次 /etc/hotline/site.toml（若存在）
    #[arg(long = "config", value_name = "FILE", global = true)]
    file: Option<PathBuf>,
}

impl ConfigFile {
    fn path(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    fn load(&self) -> Result<Config, Text> {
        config::load(self.path()).map_err(|findings| listed(&findings))
    }
}

pub fn main() -> ExitCode {
    crate::io::process::log::panics_on_terminal();
    let understood = language::choose().map_err(Instead::Wrong).and_then(|()| understood(std::env::args_os()));
    let arguments = match understood {
        Ok(arguments) => arguments,
        Err(Instead::Help(help)) => help.exit(),
        Err(Instead::Wrong(message)) => {
            complain(&message);
            return ExitCode::from(WRONG);
        }
    };
    let answer = match arguments.command {
        Command::Run(config) => run::run(&config),
        Command::Try => crate::trial::run(&|text| say!("{}", text.told(tongue()))).map(verdict),
        Command::Check(question) => check::run(&question),
        Command::Explain(question) => explain::run(&question),
        Command::Calls(question) => calls::run(&question),
        Command::Callbacks(question) => lists::callbacks(&question),
        Command::Numbers(question) => lists::numbers(&question),
        Command::Drain(question) => drain::run(&question),
        Command::Ready(question) => ready::run(&question),
        Command::Figures(question) => figures::run(&question),
        Command::Records(question) => records::run(&question),
        Command::Recordings(question) => recordings::run(&question),
        Command::Queues(question) => queues::run(&question),
        Command::Trunks(question) => trunks::run(&question),
        Command::Seats(question) => seats::run(&question),
        Command::Prompts(question) => prompts::run(&question),
        Command::Completions(question) => Ok(manual::completions(&question, program())),
        Command::Man(question) => manual::manual(&question, program()),
    };
    answer.unwrap_or_else(|message| {
        complain(&message);
        ExitCode::from(WRONG)
    })
}

/// The one way to standard error.
fn complain(text: &Text) {
    eprintln!("{}", Shown::lines(text.told(tongue())));
}

fn program() -> clap::Command {
    help::spoken(Arguments::command(), tongue())
}

/// There are no arguments to go by.
enum Instead {
    /// Help was asked for, which the library shows.
    Help(clap::Error),
    Wrong(Text),
}

/// The arguments as they were typed, each of which counts.
fn understood(arguments: impl Iterator<Item = OsString>) -> Result<Arguments, Instead> {
    let arguments: Vec<OsString> = arguments.collect();
    let words = || arguments.iter().map(|argument| argument.to_string_lossy().into_owned());
    if let Some(text) = help::controls(words()).or_else(|| help::dashes(words())) {
        return Err(Instead::Wrong(text));
    }
    let mut program = program();
    program.build();
    let told = |error| help::mistake(&error).map_or(Instead::Help(error), Instead::Wrong);
    let matches = program.try_get_matches_from_mut(arguments).map_err(told)?;
    match together::passed_over(&program, &matches) {
        Some(text) => Err(Instead::Wrong(help::wrong(&text, ""))),
        None => Arguments::from_arg_matches(&matches).map_err(told),
    }
}

/// A line of the answer, or several. None of it acts, whoever chose it.
fn answer(text: Words<'_>) {
    put(&format!("{}\n", Shown::lines(&text.to_string())));
}

/// The one way to standard output. Nobody reads on: no more is said. A full disk is an error.
fn put(text: &str) {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => process::exit(0),
        Err(error) => {
            complain(&both!("the answer cannot be written: {}", "无法写出回答：{}"; files::told(&error)));
            process::exit(WRONG.into())
        }
    }
}

fn verdict(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tongue() -> Tongue {
    language::chosen()
}

/// Complaints, one after the other.
fn listed<T: Complaint>(complaints: &[T]) -> Text {
    Text::lines(&complaints.iter().map(Complaint::told).collect::<Vec<_>>())
}

/// Things that are shown with their place.
trait Complaint {
    fn told(&self) -> Text;
}

impl Complaint for Finding {
    fn told(&self) -> Text {
        Finding::told(self)
    }
}

impl Complaint for Problem {
    fn told(&self) -> Text {
        Problem::told(self)
    }
}
