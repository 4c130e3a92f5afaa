//! A gateway of its own for each test: the built binary in an empty folder, on free ports.

use crate::support::http;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Bench {
    pub folder: TempDir,
    pub sip: SocketAddr,
    pub http: SocketAddr,
    pub seat: SocketAddr,
    settings: Vec<(String, String)>,
    /// Files and sockets that the program may hold.
    descriptors: Option<u32>,
    child: Option<Child>,
}

impl Bench {
    pub fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let (sip, http, seat) = (free_port(), free_port(), free_port());
        let settings = [
            ("SIP__LISTEN", sip.to_string()),
            ("HTTP__LISTEN", http.to_string()),
            ("SEATS__DESK__ADDRESS", seat.to_string()),
            ("MEDIA__SHARDS", "1".to_string()),
        ];
        let settings = settings.map(|(key, value)| (format!("HOTLINE__{key}"), value)).to_vec();
        Bench { folder, sip, http, seat, settings, descriptors: None, child: None }
    }

    pub fn set(mut self, key: &str, value: &str) -> Bench {
        self.settings.push((format!("HOTLINE__{key}"), value.to_string()));
        self
    }

    pub fn descriptors(mut self, count: u32) -> Bench {
        self.descriptors = Some(count);
        self
    }

    /// One that is none of the configuration's.
    pub fn variable(mut self, name: &str, value: &str) -> Bench {
        self.settings.push((name.to_string(), value.to_string()));
        self
    }

    pub fn site(self, text: &str) -> Bench {
        std::fs::create_dir_all(self.folder.path().join("config")).unwrap();
        std::fs::write(self.folder.path().join("config/site.toml"), text).unwrap();
        self
    }

    /// For a command that makes its own.
    pub fn forget_settings(&mut self) {
        self.settings.clear();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_hotline");
        let mut command = match self.descriptors {
            Some(count) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {count} && exec \"$0\" \"$@\""), program]);
                shell
            }
            None => Command::new(program),
        };
        command.args(arguments).current_dir(&self.folder).envs(self.settings.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn ask(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The answer that a command printed, which must succeed.
    pub fn answer(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts it and waits until it is ready.
    pub fn start(mut self) -> Bench {
        self.restart();
        self
    }

    pub fn restart(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        self.start_with(log);
    }

    /// Starts it with this as its standard error; gives the pipe, if it is one.
    pub fn start_with(&mut self, stderr: impl Into<Stdio>) -> Option<ChildStderr> {
        let mut child = self.command(&["run"]).stderr(stderr).spawn().unwrap();
        let pipe = child.stderr.take();
        self.child = Some(child);
        wait_until("ready", || self.get("/readyz").is_some_and(|(status, _)| status == 200));
        pipe
    }

    pub fn kill(&mut self, signal: &str) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        child.wait().unwrap().code()
    }

    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        self.http("GET", path)
    }

    pub fn http(&self, method: &str, path: &str) -> Option<(u16, String)> {
        self.http_with(method, path, "")
    }

    pub fn http_with(&self, method: &str, path: &str, headers: &str) -> Option<(u16, String)> {
        self.http_full(method, path, headers, "")
    }

    /// `headers` are whole lines.
    pub fn http_full(&self, method: &str, path: &str, headers: &str, body: &str) -> Option<(u16, String)> {
        http::send(self.http, method, path, headers, body)
    }

    pub fn metric(&self, name: &str) -> u64 {
        http::metric(self.http, name)
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn records(&self) -> Vec<serde_json::Value> {
        self.records_of(50)
    }

    /// The last so many.
    pub fn records_of(&self, most: u32) -> Vec<serde_json::Value> {
        self.answer(&["records", "ls", "--json", "--limit", &most.to_string()])
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// SIPp's built-in seat, until dropped.
    pub fn seat(&self) -> Running {
        let port = self.seat.port().to_string();
        let child = self.sipp(&["-sn", "uas", "-p", &port]).spawn().unwrap();
        let port = format!(":{:04X} ", self.seat.port());
        wait_until("a seat", || std::fs::read_to_string("/proc/net/udp").unwrap().contains(&port));
        Running(child)
    }

    /// SIPp's built-in caller for one number; more arguments as given.
    pub fn call(&self, number: &str, more: &[&str]) -> Child {
        let (port, target) = (free_port().port().to_string(), self.sip.to_string());
        let mut sipp = self.sipp(&["-sn", "uac", &target, "-s", number, "-p", &port, "-timeout", "20"]);
        sipp.args(more).spawn().unwrap()
    }

    fn sipp(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("sipp");
        command.args(arguments).args(["-i", "127.0.0.1", "-nostdin"]).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
        }
    }
}

pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[track_caller]
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < until, "waited too long: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
