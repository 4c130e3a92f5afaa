use super::disk;
use super::host::Host;
use super::http::Backend;
use super::program::Program;
use super::sipp::Sipp;
use super::wait_until;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Condvar, Mutex};

/// Every prompt lasts a second: 50 packets of 20 ms.
pub const PROMPT_BYTES: usize = 8000;

/// Differences from the defaults: lines for the bodies of the tables.
pub struct Spec {
    /// Channels of each seat; the first is `desk-0`.
    pub seats: Vec<u32>,
    pub queue: &'static str,
    pub sip: &'static str,
    /// Lines for the trunk that all calls come by and targets are called by, and for each seat, also the one that registers.
    pub trunk: &'static str,
    pub media: &'static str,
    pub desks: &'static str,
    /// One more seat of its queue registers, with this password, by these algorithms.
    pub phones: Option<(&'static str, &'static str)>,
    /// Addresses that the trunk's calls may come from, instead of all loopback ones; IP is the gateway's own.
    pub sources: Option<&'static str>,
    pub calls: &'static str,
    pub records: &'static str,
    /// All calls are recorded, links to recordings open by themselves, and the backend gets every event.
    pub recording: Option<&'static str>,
    /// Where records go instead of to a backend that works.
    pub webhook: Option<&'static str>,
    /// A plan of one's own, with the prompts of `dialplans/`.
    pub plan: Option<String>,
    /// Music other than the usual pattern, as A-law.
    pub music: Option<Vec<u8>>,
    /// Its journal stands on a disk that can fail: see `disk`.
    pub frail: bool,
}

impl Default for Spec {
    fn default() -> Spec {
        Spec {
            seats: vec![1000],
            queue: "",
            sip: "",
            trunk: "",
            media: "",
            desks: "",
            phones: None,
            sources: None,
            calls: "",
            records: "",
            recording: None,
            webhook: None,
            plan: None,
            music: None,
            frail: false,
        }
    }
}

/// `hotline run` on an address of its own, with a backend, seats and a target; killed at the end of the test.
pub struct Gateway {
    program: Program,
    pub host: Host,
    pub sip: u16,
    /// Where it speaks TLS.
    pub tls: u16,
    /// Where each seat is called.
    pub seats: Vec<u16>,
    /// Where targets of the plan are called.
    pub target: u16,
    pub backend: Backend,
    _turn: Turn,
}

impl Gateway {
    pub fn start(spec: &Spec) -> Gateway {
        let mut gateway = Gateway::prepared(spec);
        gateway.restart();
        gateway
    }

    /// Its files and ports, with nothing running yet.
    pub fn prepared(spec: &Spec) -> Gateway {
        let turn = Turn::take();
        let folder = tempfile::tempdir_in(memory_or_disk()).unwrap();
        let host = Host::new();
        let (sip, http, target, tls) = (host.port(), host.port(), host.port(), host.port());
        let seats: Vec<u16> = spec.seats.iter().map(|_| host.port()).collect();
        let backend = Backend::start((host.ip, host.port()).into());
        match &spec.plan {
            Some(_) => copy_prompts(&folder.path().join("prompts")),
            None => write_prompts(&folder.path().join("prompts")),
        }
        if let Some(music) = &spec.music {
            fs::write(folder.path().join("prompts/music.al"), music).unwrap();
        }
        fs::write(folder.path().join("plan.toml"), spec.plan.as_deref().unwrap_or(PLAN)).unwrap();
        if spec.frail {
            disk::build(folder.path());
        }
        let mut program = Program::new(folder, (host.ip, http).into());
        program.config = Some("site.toml");
        let gateway = Gateway { program, host, sip, tls, seats, target, backend, _turn: turn };
        fs::write(gateway.folder.path().join("site.toml"), gateway.site(spec)).unwrap();
        if let Some((password, _)) = spec.phones {
            gateway.gives("phone", password);
        }
        gateway
    }

    /// Gives a seat this password.
    pub fn gives(&self, seat: &str, password: &str) {
        let mut child = self.command(&["seats", "add", seat, "--stdin"]).stdin(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// A SIPp caller; `number` is dialled.
    pub fn caller(&self, scenario: &str, number: &str) -> Sipp {
        let remote = format!("{}:{}", self.host.ip, self.sip);
        let caller = Sipp::new(self.folder.path(), scenario, &self.host, self.host.port()).listens(&self.host);
        caller.arg("-s").arg(number).arg(&remote)
    }

    /// A SIPp seat behind the address of seat `index`.
    pub fn seat(&self, index: usize, scenario: &str) -> Sipp {
        Sipp::new(self.folder.path(), scenario, &self.host, self.seats[index])
    }

    /// A SIPp target of the plan.
    pub fn target(&self, scenario: &str) -> Sipp {
        Sipp::new(self.folder.path(), scenario, &self.host, self.target)
    }

    /// The data of the next final record that the backend gets.
    pub fn record(&self) -> Value {
        self.backend.next("call.record").event["data"].take()
    }

    /// No file may grow beyond so many bytes: a full disk, for this process alone.
    pub fn limit_files(&self, bytes: Option<u64>) {
        self.limit(&format!("--fsize={}:", bytes.map_or("unlimited".to_string(), |n| n.to_string())));
    }

    /// Until nothing of any call is left.
    pub fn wait_until_idle(&self) {
        let gauges = ["calls", "legs", "client_transactions", "server_transactions", "rtp_ports", "callers_waiting"];
        for gauge in gauges.iter().chain(&["seat_channels_taken", "journal_unwritten"]) {
            wait_until(&format!("no {gauge}"), || self.metric(gauge) == 0);
        }
    }

    fn by_tls(&self) -> String {
        self.shows("first");
        let (ip, tls, folder) = (self.host.ip, self.tls, self.folder.path().display());
        format!("listen_tls = [\"{ip}:{tls}\"]\ncertificate = \"{folder}/own.pem\"\nkey = \"{folder}/own.key\"\n")
    }

    /// The certificate of its TLS is this one of `tests/support/tls`.
    pub fn shows(&self, name: &str) {
        let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/tls");
        for ending in ["pem", "key"] {
            fs::copy(keys.join(format!("{name}.{ending}")), self.folder.path().join(format!("own.{ending}"))).unwrap();
        }
    }

    fn phones(&self, algorithms: &str, more: &str) -> String {
        let (ip, folder) = (self.host.ip, self.folder.path().display());
        format!(
            "[registrar]\nenabled = true\nnetworks = [\"{ip}\", \"127.0.0.1\"]\ncredentials = \"{folder}/seats\"\nalgorithms = [{algorithms}]\n\
             [seats.phone]\naor = \"sip:1001@{ip}\"\nregister = true\nmedia = [\"127.0.0.1\"]\n{more}\n"
        )
    }

    /// The site file.
    fn site(&self, spec: &Spec) -> String {
        let (ip, sip, http, target, backend) = (self.host.ip, self.sip, self.http.port(), self.target, self.backend.address);
        let folder = self.folder.path().display();
        let first = self.host.ports(60);
        let url = spec.webhook.map_or(format!("http://{backend}/events"), str::to_string);
        let desks: String =
            self.seats.iter().zip(&spec.seats).enumerate().map(|(i, (p, c))| desk(i, ip, *p, *c) + spec.desks + "\n").collect();
        let by_tls = spec.phones.map(|_| self.by_tls()).unwrap_or_default();
        let desks_named = (0..self.seats.len()).map(|i| format!("\"desk-{i}\""));
        let names: Vec<String> = desks_named.chain(spec.phones.map(|_| "\"phone\"".to_owned())).collect();
        // Scripts hang up sooner than people do.
        let brief = if spec.calls.contains("least_talk") { "" } else { "least_talk = \"0s\"\n" };
        let phones = spec.phones.map(|(_, algorithms)| self.phones(algorithms, spec.desks)).unwrap_or_default();
        format!(
            "[node]\nname = \"test\"\nstate = \"{folder}/var\"\n\
             [sip]\nlisten = [\"{ip}:{sip}\"]\n{by_tls}{}\n\
             [trunks.loopback]\nport = {target}\naddresses = {}\n{}\n\
             [seats.desk]\nenabled = false\n{desks}{phones}\
             [queues.12345]\nseats = [{}]\n{}\n\
             [plan]\nfile = \"{folder}/plan.toml\"\n\
             [media]\naddresses = [\"{ip}\"]\nfirst_port = {first}\nlast_port = {}\nprompts = \"{folder}/prompts\"\n{}\n\
             [limits]\ncalls = 12\n\
             [calls]\n{brief}{}\n\
             [records]\n{}\n[records.webhook]\nurl = \"{url}\"\n{}\n\
             [http]\nlisten = \"{ip}:{http}\"\npublic_url = \"{}\"\n\
             [log]\nlevel = \"hotline=debug,info\"\n",
            spec.sip,
            spec.sources.unwrap_or("[\"IP\", \"127.0.0.0/8\"]").replace("IP", &ip.to_string()),
            spec.trunk,
            names.join(", "),
            spec.queue,
            first + 59,
            spec.media,
            spec.calls,
            spec.records,
            spec.recording.map(recording).unwrap_or_default(),
            spec.recording.map(|_| format!("http://{ip}:{http}")).unwrap_or_default(),
        )
    }
}

impl Deref for Gateway {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

impl DerefMut for Gateway {
    fn deref_mut(&mut self) -> &mut Program {
        &mut self.program
    }
}

/// In memory where there is such a folder: what a busy disk's fsync takes is no matter of these tests.
fn memory_or_disk() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() }
}

fn recording(more: &str) -> String {
    let secret = "0123456789abcdef".repeat(4);
    let lines = if more.contains("lines") { "" } else { "lines = [\"all\"]\n" };
    format!(
        "all_events = true\n[records.keys.links]\nsecret = \"{secret}\"\n\
         [recording]\nlink_key = \"links\"\nmin_free = 0\n{lines}{more}\n"
    )
}

fn desk(index: usize, ip: Ipv4Addr, port: u16, channels: u32) -> String {
    format!(
        "[seats.desk-{index}]\naor = \"sip:desk-{index}@{ip}\"\naddress = \"{ip}:{port}\"\n\
         channels = {channels}\n"
    )
}

/// Sounds that tell each other apart byte by byte; no frame occurs twice.
pub fn prompt(name: &str) -> Vec<Vec<u8>> {
    let speaker = name.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    super::rtp::pattern(speaker, 0..(PROMPT_BYTES / 160) as u32)
}

fn write_prompts(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for name in ["connect-12396", "announce-only", "apology", "music"] {
        fs::write(folder.join(name).with_extension("al"), prompt(name).concat()).unwrap();
    }
}

fn copy_prompts(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for file in Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/prompts").read_dir().unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
}

/// Lines of the usual modes; merged numbers whose phases last for decades.
const PLAN: &str = r#"
[plan]
name = "test"
area = "691"
zone = "Asia/Shanghai"
queue = "12345"

[prompts.connect]
text = "您拨打的{number}已并入12345，正在转接。"
[prompts.announce-only]
text = "本号码已停止服务，请拨打12345。"

[[line]]
number = "12345"
name = "front"
unit = "州政府办公室"
mode = "front"

[[line]]
number = "12396"
name = "merged now"
unit = "州科技局"
mode = "merged"
connect-from = 2021-09-30
announce-only-from = 2097-01-01

[[line]]
number = "12336"
name = "merged before"
mode = "merged"
connect-from = 2021-09-30
announce-only-from = 2021-12-01

[[line]]
number = "12348"
name = "parallel"
mode = "parallel"
early-max = "1s"

[[line]]
number = "12366"
name = "sub-center"
mode = "sub-center"

[[line]]
number = "110"
name = "emergency"
mode = "emergency"
"#;

/// A few gateways at once; the other tests wait for their turn.
struct Turn;

const AT_ONCE: usize = 4;
static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

impl Turn {
    fn take() -> Turn {
        let running = RUNNING.lock().unwrap();
        let mut running = ENDED.wait_while(running, |running| *running >= AT_ONCE).unwrap();
        *running += 1;
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap() -= 1;
        ENDED.notify_one();
    }
}
