//! The gateway under trial: this very program, run as an operator runs it, in a folder of its own.

use super::scenario;
use crate::base::{Text, Wall};
use crate::io::clock;
use crate::plan::built_in;
use serde_json::Value;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The seats that register.
pub const SEATS: [&str; 2] = ["zhang", "li"];

/// Their password, for as long as the trial lasts.
pub const PASSWORD: &str = "for-this-trial-only";

pub struct Gateway {
    pub sip: SocketAddr,
    http: SocketAddr,
    child: Child,
    folder: PathBuf,
}

impl Gateway {
    pub fn start(seat: SocketAddr, target: SocketAddr, webhook: SocketAddr) -> io::Result<Gateway> {
        let folder = std::env::temp_dir().join(format!("hotline-try-{}", std::process::id()));
        fs::create_dir_all(folder.join("prompts"))?;
        let (sip, http) = (free_sip_port()?, TcpListener::bind("127.0.0.1:0")?.local_addr()?);
        let texts = built_in::load("prompts/prompts.toml").map_err(io::Error::other)?;
        fs::write(folder.join("prompts/prompts.toml"), texts)?;
        let today = clock::now().wall;
        fs::write(folder.join("plan.toml"), scenario::plan(|days| date(today, days)))?;
        fs::write(folder.join("site.toml"), settings(&folder, sip, http, seat, target, webhook))?;
        give_passwords(&folder)?;
        let program = std::env::current_exe()?;
        let child = Command::new(program).arg("run").arg("--config").arg(folder.join("site.toml")).spawn()?;
        let mut gateway = Gateway { sip, http, child, folder };
        gateway.wait_until_ready()?;
        Ok(gateway)
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        for _ in 0..200 {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(both!("the gateway ended while starting: {status}", "网关启动时退出：{status}")));
            }
            if self.ready().unwrap_or(false) {
                return Ok(());
            }
            let _ = nix::poll::poll(&mut [], nix::poll::PollTimeout::from(50u8));
        }
        Err(io::Error::other(both!("the gateway was not ready within 10 s", "网关 10 秒内未就绪")))
    }

    fn ready(&self) -> io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&self.http, Duration::from_millis(200))?;
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    }

    /// A verb of a seat's toolbar: the status, and how the seat stands.
    pub fn verb(&self, seat: &str, verb: &str, body: &str) -> io::Result<(u16, Value)> {
        self.ask("POST", &format!("/api/v1/seats/{seat}/{verb}"), body)
    }

    /// One request to the interface: the status and the answer's JSON, none where it is none.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> io::Result<(u16, Value)> {
        let mut stream = TcpStream::connect_timeout(&self.http, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let json = answer.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
        Ok((status, json.unwrap_or_default()))
    }

    /// The day's figures, as the command line prints them.
    pub fn figures(&self, more: &[&str]) -> io::Result<Text> {
        let asked = |lang: &str| -> io::Result<String> {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["figures", "--lang", lang, "--config"]).arg(self.folder.join("site.toml")).args(more);
            Ok(String::from_utf8_lossy(&command.output()?.stdout).trim_end().to_owned())
        };
        Ok(Text { en: asked("en")?, zh: asked("zh")? })
    }

    /// Asks it to end, as an operator does, and sees that it does.
    pub fn stop(mut self) -> io::Result<()> {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        let status = self.child.wait()?;
        fs::remove_dir_all(&self.folder)?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(both!("the gateway ended with {status}", "网关退出时返回 {status}")))
        }
    }
}

/// The seats that register get a password, as an operator gives it.
fn give_passwords(folder: &Path) -> io::Result<()> {
    for seat in SEATS {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["seats", "add", seat, "--stdin", "--config"]).arg(folder.join("site.toml"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            writeln!(stdin, "{PASSWORD}")?;
        }
        let status = child.wait()?;
        if !status.success() {
            return Err(io::Error::other(both!("seat {seat} got no password: {status}", "座席 {seat} 未能设置密码：{status}")));
        }
    }
    Ok(())
}

/// A trial that fails half-way leaves nothing running.
impl Drop for Gateway {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A port that is free for both of SIP's transports.
fn free_sip_port() -> io::Result<SocketAddr> {
    for _ in 0..20 {
        let address = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(io::Error::other(both!("no port is free for SIP on 127.0.0.1", "127.0.0.1 上没有可用于 SIP 的端口")))
}

/// `2021-09-30`, so many days from today.
fn date(today: Wall, days: i64) -> String {
    let day = jiff::Timestamp::from_microsecond(today.0 + days * 86_400_000_000).unwrap_or_default();
    day.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

fn settings(
    folder: &Path,
    sip: SocketAddr,
    http: SocketAddr,
    seat: SocketAddr,
    target: SocketAddr,
    webhook: SocketAddr,
) -> String {
    let folder = folder.display();
    format!(
        r#"[node]
name = "try"
state = "{folder}/state"
[sip]
listen = ["{sip}"]
[http]
listen = "{http}"
public_url = "http://{http}"
[trunks.loopback]
port = {}
area = "691"
[seats.desk]
aor = "sip:seat@{seat}"
address = "{seat}"
[registrar]
enabled = true
networks = ["127.0.0.1"]
credentials = "{folder}/credentials"
[seats.zhang]
aor = "sip:zhang@127.0.0.1"
address = ""
register = true
sign_in = "asked"
channels = 1
[seats.li]
aor = "sip:li@127.0.0.1"
address = ""
register = true
sign_in = "asked"
channels = 1
[queues.12345]
seats = ["desk", "zhang", "li"]
survey = true
[plan]
file = "{folder}/plan.toml"
[records.webhook]
url = "http://{webhook}/records"
[log]
level = "warn"
"#,
        target.port()
    )
}
