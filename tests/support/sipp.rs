use super::host::Host;
use super::message::Message;
use super::rtp::Ear;
use super::wait_for;
use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A SIPp process to be: one scenario of `tests/gateway/scenarios/`, on a port of its own.
pub struct Sipp {
    scenario: String,
    file: PathBuf,
    address: (Ipv4Addr, u16),
    trace: PathBuf,
    errors: PathBuf,
    ear: Ear,
    command: Command,
}

/// It runs.
pub struct Running {
    scenario: String,
    trace: PathBuf,
    errors: PathBuf,
    /// The ear at the media port that a caller's SDP names.
    pub ear: Ear,
    child: Child,
}

impl Sipp {
    pub fn new(folder: &Path, scenario: &str, host: &Host, port: u16) -> Sipp {
        let ip = host.ip.to_string();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/gateway/scenarios/{scenario}.xml"));
        let trace = folder.join(format!("{scenario}-{port}.messages"));
        let errors = folder.join(format!("{scenario}-{port}.errors"));
        let mut command = Command::new("sipp");
        // Without -nostdin it hangs where there is no terminal.
        command.args(["-nostdin", "-i", &ip, "-ci", &ip, "-mi", &ip, "-p", &port.to_string()]);
        command.args(["-cp", &host.port().to_string(), "-mp", &host.ports(4).to_string()]);
        command.args(["-timeout_error", "-trace_msg", "-message_file"]).arg(&trace);
        command.args(["-trace_err", "-error_file"]).arg(&errors).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Sipp { scenario: scenario.to_string(), file, address: (host.ip, port), trace, errors, ear: Ear::default(), command }
    }

    /// Keeps what is sent to it: its scenario has `[ear]` for the port in its SDP.
    pub fn listens(mut self, host: &Host) -> Sipp {
        let port = host.ports(2);
        self.ear = Ear::listen(UdpSocket::bind((host.ip, port)).unwrap());
        self.arg("-key").arg("ear").arg(&port.to_string())
    }

    /// Streams this as `voice.al` in its scenario.
    pub fn says(mut self, a_law: &[u8]) -> Sipp {
        let folder = self.trace.with_extension("voice");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("voice.al"), a_law).unwrap();
        self.command.current_dir(folder);
        self
    }

    pub fn arg(mut self, argument: &str) -> Sipp {
        self.command.arg(argument);
        self
    }

    /// How long the scenario's open pause lasts: talking, ringing, listening.
    pub fn lasts(self, milliseconds: u32) -> Sipp {
        self.arg("-d").arg(&milliseconds.to_string())
    }

    /// Each call from a number of its own, instead of all from one.
    pub fn of_many_callers(mut self) -> Sipp {
        let text = fs::read_to_string(&self.file).unwrap().replace("13800138000", "1380013[call_number]");
        self.file = self.trace.with_extension("xml");
        fs::write(&self.file, text).unwrap();
        self
    }

    /// One call; see [`Sipp::start_calls`].
    pub fn start(self) -> Running {
        self.start_calls(1, 15)
    }

    /// Ends after so many calls, or with an error after so many seconds. Returns when it can be reached.
    pub fn start_calls(self, calls: u32, seconds: u32) -> Running {
        let mut sipp = self.arg("-m").arg(&calls.to_string()).arg("-timeout").arg(&seconds.to_string());
        let mut child = sipp.command.arg("-sf").arg(&sipp.file).spawn().expect("sipp (Debian: sip-tester) is installed");
        // A caller may even be through already.
        wait_for("sipp's socket", || (is_bound(sipp.address) || child.try_wait().unwrap().is_some()).then_some(()));
        Running { scenario: sipp.scenario, trace: sipp.trace, errors: sipp.errors, ear: sipp.ear, child }
    }
}

impl Running {
    /// Waits for the scenario's end; fails unless every message was what it says. Gives what was received.
    pub fn finish(mut self) -> Vec<Message> {
        let status = self.child.wait().unwrap();
        let trace = fs::read_to_string(&self.trace).unwrap_or_default();
        let errors = fs::read_to_string(&self.errors).unwrap_or_default();
        assert!(status.success(), "{} failed ({status}):\n{errors}\n── its messages\n{trace}", self.scenario);
        received(&trace)
    }

    /// The messages that it has received so far.
    pub fn heard(&self) -> Vec<Message> {
        received(&fs::read_to_string(&self.trace).unwrap_or_default())
    }

    /// Waits until it received what the test looks for.
    pub fn wait_to_receive(&self, what: &str, is: impl Fn(&Message) -> bool) -> Message {
        wait_for(what, || self.heard().into_iter().find(&is))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The messages of a SIPp trace that came in.
fn received(trace: &str) -> Vec<Message> {
    let parts = trace.split("-----------------------------------------------").filter(|p| p.contains(" message received ["));
    parts.filter_map(|part| part.split_once(":\n\n")).map(|(_, text)| Message::new(text)).collect()
}

fn is_bound((ip, port): (Ipv4Addr, u16)) -> bool {
    let local = format!("{:08X}:{port:04X}", u32::from_ne_bytes(ip.octets()));
    let has = |table: &str| fs::read_to_string(table).unwrap().lines().any(|line| line.contains(&local));
    has("/proc/net/udp") || has("/proc/net/tcp")
}
