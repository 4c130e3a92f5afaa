use crate::support::{free_port, pass};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A Request Tracker of its own: a copy of the prepared database, served on loopback.
pub struct RequestTracker {
    pub port: u16,
    pub token: String,
    home: PathBuf,
    folder: TempDir,
    server: Child,
}

impl RequestTracker {
    pub fn start() -> RequestTracker {
        let home = std::env::var("HOTLINE_REQUEST_TRACKER").expect("run tests/rt: it prepares Request Tracker");
        let home = PathBuf::from(home);
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(home.join("template/database"), folder.path().join("database")).unwrap();
        let token = std::fs::read_to_string(home.join("template/token")).unwrap();
        let chown = Command::new("chown").args(["-R", "www-data:www-data"]).arg(folder.path()).status();
        assert!(chown.unwrap().success());
        let (port, server) = (free_port().port(), Command::new("true").spawn().unwrap());
        let mut tracker = RequestTracker { port, token, home, folder, server };
        tracker.restart();
        tracker
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn restart(&mut self) {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "www-data", "--regid", "www-data", "--clear-groups"]).arg(self.home.join("serve"));
        command.arg("run").arg(self.folder.path()).arg(self.port.to_string());
        // A group of its own: its workers end with it.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
        self.server = command.spawn().unwrap();
        let end = Instant::now() + Duration::from_secs(60);
        while self.ask("/queues/all").is_none_or(|(status, _)| status != 200) {
            assert!(Instant::now() < end, "Request Tracker does not come up");
            pass(200);
        }
    }

    /// With all its workers, as `kill -9` does it.
    pub fn kill(&mut self) {
        let group = format!("-{}", self.server.id());
        let killed = Command::new("kill").args(["-s", "KILL", "--", &group]).status();
        assert!(killed.unwrap().success());
        self.server.wait().unwrap();
    }

    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(path).unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    fn ask(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let token = &self.token;
        write!(stream, "GET /REST/2.0{path} HTTP/1.0\r\nAuthorization: token {token}\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_string()))
    }
}

impl Drop for RequestTracker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The one value of a custom field; empty where there is none.
pub fn field(ticket: &Value, name: &str) -> String {
    let fields = ticket["CustomFields"].as_array().unwrap();
    let field = fields.iter().find(|field| field["name"] == name).unwrap_or_else(|| panic!("no field {name}"));
    field["values"][0].as_str().unwrap_or_default().to_string()
}
