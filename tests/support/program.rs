//! The built program in a folder of its own: asked, started, watched and ended. Every test that needs a running gateway
//! starts it here.

use super::{disk, http, wait_for};
use serde_json::Value;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::thread;
use tempfile::TempDir;

pub struct Program {
    pub folder: TempDir,
    /// Where its API answers.
    pub http: SocketAddr,
    /// Variables for whatever it is asked.
    pub environment: Vec<(String, String)>,
    /// The file that `--config` names, unless it finds one by itself.
    pub config: Option<&'static str>,
    /// Files and sockets that it may hold.
    pub descriptors: Option<u32>,
    child: Option<Child>,
}

impl Program {
    pub fn new(folder: TempDir, http: SocketAddr) -> Program {
        Program { folder, http, environment: Vec::new(), config: None, descriptors: None, child: None }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_with("", arguments)
    }

    /// These settings stand before it in the shell.
    fn command_with(&self, settings: &str, arguments: &[&str]) -> Command {
        let limit = self.descriptors.map(|count| format!("ulimit -n {count} && ")).unwrap_or_default();
        let mut command = Command::new("sh");
        // Without the signal, a file that may not grow is an error of the write.
        let words = format!("trap '' XFSZ; {limit}{settings} exec \"$0\" \"$@\"");
        command.args(["-c", &words, env!("CARGO_BIN_EXE_hotline")]).args(arguments);
        command.args(self.config.iter().flat_map(|file| ["--config", file]));
        command.current_dir(&self.folder).envs(self.environment.iter().cloned());
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

    /// Starts the gateway and waits until it is ready; its log goes on in the file `log`.
    pub fn restart(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        self.start_with(log);
    }

    /// Starts it with this as its standard error; gives the pipe, if it is one.
    pub fn start_with(&mut self, stderr: impl Into<Stdio>) -> Option<ChildStderr> {
        let pipe = self.spawn(stderr);
        wait_for("the gateway to be ready", || {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the gateway ended: {ended:?}\n{}", self.log());
            self.get("/readyz").filter(|(status, _)| *status == 200)
        });
        pipe
    }

    /// Starts it and does not wait until it is ready.
    pub fn spawn(&mut self, stderr: impl Into<Stdio>) -> Option<ChildStderr> {
        let settings = disk::settings(self.folder.path());
        let mut child = self.command_with(&settings, &["run"]).stderr(stderr).spawn().unwrap();
        let pipe = child.stderr.take();
        self.child = Some(child);
        pipe
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.pid().to_string()]).status().unwrap().success());
    }

    /// Sends a signal that ends it; gives its exit status, which it has unless the signal was its end.
    pub fn kill(&mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        self.child.take().unwrap().wait().unwrap().code()
    }

    /// How the program ended, once it has.
    pub fn ended(&mut self) -> ExitStatus {
        wait_for("the gateway's end", || self.child.as_mut().unwrap().try_wait().unwrap())
    }

    /// Sets a limit of the running process, such as `--fsize=4096:`.
    pub fn limit(&self, limit: &str) {
        assert!(Command::new("prlimit").args(["--pid", &self.pid().to_string(), limit]).status().unwrap().success());
    }

    /// Status and body; none when nobody listens.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        http::get(self.http, path)
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

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn records(&self) -> Vec<Value> {
        self.records_of(50)
    }

    /// The last so many.
    pub fn records_of(&self, most: u32) -> Vec<Value> {
        let listed = self.answer(&["records", "ls", "--json", "--limit", &most.to_string()]);
        listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            eprintln!("── the gateway's log\n{}", self.log());
        }
    }
}
