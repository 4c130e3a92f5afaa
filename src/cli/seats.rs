//! `hotline seats`: one seat as it is, and the passwords by which seats' phones register. The gateway takes a change over by itself.

use super::api::{Client, Token};
use super::table::{self, Table};
use super::typed::word;
use super::{ConfigFile, queues, watch};
use crate::base::Text;
use crate::io::clock;
use crate::io::config::credentials::Credentials;
use crate::io::config::{Config, Seat};
use clap::{Args, Subcommand};
use std::io::BufRead;
use std::path::Path;
use std::process::ExitCode;

/// Characters of a password that is made here: 5 bits each.
const LENGTH: usize = 24;
/// Without those that people mistake for others.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// A password that people choose has no fewer.
const SHORTEST: usize = 12;
/// In bytes.
const LONGEST: usize = 256;

#[derive(Args)]
pub struct Question {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Subcommand)]
enum Verb {
    /// Gives a seat its first password, and prints it once
    ///
    /// 为座席生成首个密码，仅显示一次
    Add(Which),
    /// Gives a seat another password, and prints it once; its phones must register anew
    ///
    /// 为座席更换密码，仅显示一次；其话机须重新注册
    Passwd(Which),
    /// Takes a seat's password away: its phones can register no more
    ///
    /// 删除座席密码，其话机不能再注册
    Remove {
        /// The seat's name in the configuration
        ///
        /// 配置中的座席名
        #[arg(value_name = "SEAT", value_parser = word)]
        seat: String,
    },
    /// Shows a seat of a running gateway: its state and since when, its phone, the calls that it missed, its calls
    ///
    /// 显示运行中网关的一个座席：状态与起始时间、话机、未接次数、通话
    Show {
        /// The seat's name in the configuration
        ///
        /// 配置中的座席名
        #[arg(value_name = "SEAT", value_parser = word)]
        seat: String,
        #[command(flatten)]
        at: At,
    },
    /// Follows what happens to a seat, or to all, until Ctrl-C: a line for each event, with its number. With a seat's own token
    /// it counts as that seat's toolbar
    ///
    /// 实时显示一个或全部座席的事件，每行一条并带编号，按 Ctrl-C 结束。用座席自己的令牌时视同其软电话条在线
    Watch {
        /// The seat's name in the configuration; by default all seats
        ///
        /// 配置中的座席名，缺省为全部座席
        #[arg(value_name = "SEAT", value_parser = word)]
        seat: Option<String>,
        /// Begins with the events after this number; by default with what happens from now on
        ///
        /// 从此编号之后的事件开始，缺省从现在开始
        #[arg(long, value_name = "N")]
        after: Option<u64>,
        /// Shows callers' numbers in full; needs the role `unmasked`, and is noted in the gateway's audit log
        ///
        /// 显示完整主叫号码；需要角色 `unmasked`，并记入审计日志
        #[arg(long)]
        unmasked: bool,
        #[command(flatten)]
        at: At,
    },
    /// Lists the seats that register, and whether they have a password
    ///
    /// 列出需注册的座席及其是否已有密码
    Ls,
}

/// A running gateway.
#[derive(Args)]
struct At {
    /// Where the gateway's HTTP interface is; by default at the configuration's http.listen
    ///
    /// 网关 HTTP 接口的地址，缺省为配置的 http.listen
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    token: Token,
    /// The gateway's answer as it is
    ///
    /// 原样输出网关的回答（JSON）
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Which {
    /// The seat's name in the configuration
    ///
    /// 配置中的座席名
    #[arg(value_name = "SEAT", value_parser = word)]
    seat: String,
    /// Takes the password from standard input, one line, and prints none
    ///
    /// 从标准输入读取密码（一行），不再显示
    #[arg(long)]
    stdin: bool,
}

impl At {
    fn open(&self, config: &ConfigFile) -> Result<Client, Text> {
        if let Some(url) = &self.url {
            return self.token.open(url);
        }
        let http = config.load()?.http;
        self.token.open_at(http.listen, &http)
    }
}

pub fn run(question: &Question) -> Result<ExitCode, Text> {
    let good = |()| ExitCode::SUCCESS;
    match &question.verb {
        Verb::Show { seat, at } => return queues::seat(&at.open(&question.config)?, seat, at.json).map(good),
        Verb::Watch { seat, after, unmasked, at } => {
            let wanted = watch::Wanted { seat: seat.as_deref(), after: *after, unmasked: *unmasked, json: at.json };
            return watch::run(&at.open(&question.config)?, &wanted).map(good);
        }
        _ => {}
    }
    let config = question.config.load()?;
    let path = &config.registrar.credentials;
    if !config.registrar.enabled || path.as_os_str().is_empty() {
        return Err(both!(
            "nobody can register: set `enabled` and `credentials` in [registrar]",
            "无法注册：请在 [registrar] 中设置 `enabled` 和 `credentials`"
        ));
    }
    match &question.verb {
        Verb::Add(which) => set(&config, path, which, false)?,
        Verb::Passwd(which) => set(&config, path, which, true)?,
        Verb::Remove { seat } => remove(&config, path, seat)?,
        Verb::Show { .. } | Verb::Watch { .. } => {}
        Verb::Ls => list(&config, &Credentials::read_or_begin(path)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// `again`: it has one already.
fn set(config: &Config, path: &Path, which: &Which, again: bool) -> Result<(), Text> {
    let (name, realm) = (&which.seat, &config.registrar.realm);
    let user = registering(config, name)?.user();
    let mut credentials = Credentials::read_or_begin(path)?;
    match (credentials.of(user, realm).is_empty(), again) {
        (false, false) => {
            return Err(both!(
                "seat `{name}` has a password already: `hotline seats passwd {name}` gives it another",
                "座席 `{name}` 已有密码：更换请用 `hotline seats passwd {name}`"
            ));
        }
        (true, true) if !credentials.is_elsewhere(user, realm) => {
            return Err(both!(
                "seat `{name}` has no password yet: `hotline seats add {name}` gives it one",
                "座席 `{name}` 尚无密码：请用 `hotline seats add {name}`"
            ));
        }
        _ => {}
    }
    let password = if which.stdin { typed(std::io::stdin().lock(), user)? } else { made()? };
    credentials.set(user, realm, &password);
    credentials.write(path)?;
    match which.stdin {
        true => tell!("seat {name}: user {user}, realm {realm}", "座席 {name}：用户名 {user}，认证域 {realm}"),
        false => tell!(
            "seat {name}: user {user}, realm {realm}, password {password}",
            "座席 {name}：用户名 {user}，认证域 {realm}，密码 {password}"
        ),
    }
    Ok(())
}

fn remove(config: &Config, path: &Path, name: &str) -> Result<(), Text> {
    // One that the configuration does not name any more is known by its user.
    let user = config.seats.get(name).map_or(name, Seat::user);
    let mut credentials = Credentials::read_or_begin(path)?;
    if !credentials.remove(user) {
        return Err(both!("seat `{name}` has no password", "座席 `{name}` 没有密码"));
    }
    credentials.write(path)?;
    tell!("seat {name}: its password is removed", "座席 {name}：密码已删除");
    Ok(())
}

fn list(config: &Config, credentials: &Credentials) {
    let seats: Vec<_> = config.seats.iter().filter(|(_, seat)| seat.enabled && seat.register).collect();
    if seats.is_empty() {
        return tell!("no seat registers (`register = true`)", "没有需注册的座席（`register = true`）");
    }
    let columns = [
        table::left(both!("SEAT", "座席"), 16),
        table::left(both!("USER", "用户名"), 16),
        table::left(both!("PASSWORD", "密码"), 8),
    ];
    let table = Table::of(columns);
    say!("{}", table.head().told(super::tongue()));
    for (name, seat) in seats {
        let known = !credentials.of(seat.user(), &config.registrar.realm).is_empty();
        let elsewhere = credentials.is_elsewhere(seat.user(), &config.registrar.realm);
        let state = match (known, elsewhere) {
            (true, _) => both!("yes", "有"),
            (_, true) => both!("of another realm", "属于另一认证域"),
            _ => both!("none", "无"),
        };
        say!("{}", table.row([name, seat.user(), state.told(super::tongue())]));
    }
}

fn registering<'a>(config: &'a Config, name: &str) -> Result<&'a Seat, Text> {
    let seat = config.seats.get(name).filter(|seat| seat.enabled);
    let seat = seat.ok_or_else(|| both!("no seat `{name}`", "没有座席 `{name}`"))?;
    if seat.register {
        return Ok(seat);
    }
    Err(both!("seat `{name}` does not register: set `register = true`", "座席 `{name}` 不注册：请设置 `register = true`"))
}

/// A password that nobody guesses.
fn made() -> Result<String, Text> {
    let mut rng = clock::rng()?;
    let letter = |_| char::from(ALPHABET[rng.below(ALPHABET.len() as u64) as usize]);
    Ok((0..LENGTH).map(letter).collect())
}

fn typed(input: impl BufRead, user: &str) -> Result<String, Text> {
    let unread = || both!("the password cannot be read", "无法读取密码");
    let mut line = Vec::new();
    // With the end of the line, and one byte more than is taken.
    input.take(LONGEST as u64 + 3).read_until(b'\n', &mut line).map_err(|_| unread())?;
    let end = line.iter().rposition(|b| !b"\r\n".contains(b)).map_or(0, |last| last + 1);
    if end > LONGEST {
        return Err(both!("a password has at most {LONGEST} bytes", "密码最多 {LONGEST} 字节"));
    }
    let password = std::str::from_utf8(&line[..end]).map_err(|_| unread())?;
    let good = password.chars().count() >= SHORTEST && !password.contains(user) && !password.chars().any(char::is_control);
    match good {
        true => Ok(password.to_owned()),
        false => Err(both!(
            "a password has at least {SHORTEST} characters, in one line, and does not hold the user's name",
            "密码至少 {SHORTEST} 个字符，写在一行内，且不含用户名"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_taken_whole_or_not_at_all() {
        let typed = |text: &str| typed(text.as_bytes(), "1001").map_err(|why| why.told(crate::base::Tongue::English).to_owned());
        let longest = "p".repeat(LONGEST);
        for end in ["", "\n", "\r\n", "\nmore"] {
            assert_eq!(typed(&format!("{longest}{end}")), Ok(longest.clone()));
            assert_eq!(typed(&format!("{longest}p{end}")), Err("a password has at most 256 bytes".to_owned()));
        }
        assert!(typed(&"密".repeat(86)).is_err() && typed(&"密".repeat(85)).is_ok());
        assert!(typed("short\n").is_err() && typed("it holds 1001 itself\n").is_err());
    }
}
