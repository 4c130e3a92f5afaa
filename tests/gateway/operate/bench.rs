//! A gateway of its own for each test of the operator's side: settings in the environment, free ports of 127.0.0.1, and
//! SIPp's built-in callers and seat.

use crate::support::program::Program;
use crate::support::{free_port, wait_until};
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::process::{Child, Command, Stdio};

pub struct Bench {
    program: Program,
    pub sip: SocketAddr,
    pub seat: SocketAddr,
}

impl Bench {
    pub fn new() -> Bench {
        let (sip, http, seat) = (free_port(), free_port(), free_port());
        Bench { program: Program::new(tempfile::tempdir().unwrap(), http), sip, seat }
            .set("SIP__LISTEN", &sip.to_string())
            .set("HTTP__LISTEN", &http.to_string())
            .set("SEATS__DESK__ADDRESS", &seat.to_string())
            .set("MEDIA__SHARDS", "1")
    }

    pub fn set(self, key: &str, value: &str) -> Bench {
        self.variable(&format!("HOTLINE__{key}"), value)
    }

    /// One that may be none of the configuration's.
    pub fn variable(mut self, name: &str, value: &str) -> Bench {
        self.program.environment.push((name.to_string(), value.to_string()));
        self
    }

    pub fn descriptors(mut self, count: u32) -> Bench {
        self.program.descriptors = Some(count);
        self
    }

    pub fn site(self, text: &str) -> Bench {
        std::fs::create_dir_all(self.folder.path().join("config")).unwrap();
        std::fs::write(self.folder.path().join("config/site.toml"), text).unwrap();
        self
    }

    /// For a command that makes its own.
    pub fn forget_settings(&mut self) {
        self.program.environment.clear();
    }

    /// Starts it and waits until it is ready.
    pub fn start(mut self) -> Bench {
        self.restart();
        self
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

impl Deref for Bench {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

impl DerefMut for Bench {
    fn deref_mut(&mut self) -> &mut Program {
        &mut self.program
    }
}

pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
