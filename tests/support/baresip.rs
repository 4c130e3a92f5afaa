use super::PATIENCE;
use super::gateway::Gateway;
use super::tone::heard_in;
use super::wait_for;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The softphone baresip 1.0 without a sound card: it hums instead, and what it hears goes to a file. Its control socket
/// speaks netstrings of JSON.
pub struct Baresip {
    folder: PathBuf,
    control: TcpStream,
    unread: Vec<u8>,
    child: Child,
}

impl Baresip {
    /// It is called `user`, and calls from there.
    pub fn start(gateway: &Gateway, user: &str, port: u16, hertz: u32) -> Baresip {
        let account = format!("<sip:{user}@{}:{}>;regint=0", gateway.host.ip, gateway.sip);
        Baresip::with(gateway, &account, port, hertz)
    }

    /// It registers as `user` by this transport, at that port of the gateway's.
    pub fn registered(gateway: &Gateway, user: &str, password: &str, (transport, at): (&str, u16), hertz: u32) -> Baresip {
        let ip = gateway.host.ip;
        let account = format!("<sip:{user}@{ip}:{at};transport={transport}>;auth_user={user};auth_pass={password};regint=60");
        Baresip::with(gateway, &account, gateway.host.ports(2), hertz)
    }

    /// It registers by TLS, and its audio travels by SRTP; by plain RTP, too, unless it is mandatory.
    pub fn sealed(gateway: &Gateway, user: &str, password: &str, mandatory: bool, hertz: u32) -> Baresip {
        let (ip, at) = (gateway.host.ip, gateway.tls);
        let encryption = if mandatory { "srtp-mand" } else { "srtp" };
        let account =
            format!("<sip:{user}@{ip}:{at};transport=tls>;auth_user={user};auth_pass={password};regint=60;mediaenc={encryption}");
        Baresip::with(gateway, &account, gateway.host.ports(2), hertz)
    }

    fn with(gateway: &Gateway, account: &str, port: u16, hertz: u32) -> Baresip {
        let (ip, control) = (gateway.host.ip, gateway.host.port());
        let folder = gateway.folder.path().join(format!("baresip-{port}"));
        let path = folder.display();
        // Its RTP sockets are bound to all addresses: above the ports of all hosts of the tests. The sine's only rate is
        // 48 kHz, its only width stereo: baresip resamples.
        let config = format!(
            "sip_listen {ip}:{port}\nnet_interface {ip}\nrtp_ports 20000-29998\ncall_max_calls 4\ncall_local_timeout 120\n\
             audio_source ausine,{hertz}\nausrc_srate 48000\nausrc_channels 2\n\
             audio_player aubridge,nobody\nsnd_path {path}\naudio_path {path}\n\
             module_path /usr/lib/baresip/modules\nmodule g711.so\nmodule srtp.so\nmodule ausine.so\nmodule aubridge.so\nmodule sndfile.so\n\
             module_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen {ip}:{control}\n"
        );
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config"), config).unwrap();
        let account = format!("{account};answermode=manual;audio_codecs=PCMA/8000/1\n");
        fs::write(folder.join("accounts"), account).unwrap();
        fs::write(folder.join("contacts"), "").unwrap();
        let mut command = Command::new("baresip");
        command.args(["-4", "-v", "-s", "-f"]).arg(&folder).env("HOME", &folder).stdin(Stdio::null());
        let log = File::create(folder.join("log")).unwrap();
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn();
        let child = child.expect("baresip (Debian: baresip-core) is installed");
        let control = wait_for("baresip's control socket", || TcpStream::connect((ip, control)).ok());
        control.set_read_timeout(Some(PATIENCE)).unwrap();
        Baresip { folder, control, unread: Vec::new(), child }
    }

    /// Types a command as a person would, without the leading `/`.
    pub fn command(&mut self, name: &str, parameters: &str) {
        let text = json!({ "command": name, "params": parameters, "token": name }).to_string();
        write!(self.control, "{}:{text},", text.len()).unwrap();
    }

    /// Neither speaks nor answers from now on.
    pub fn freeze(&self) {
        assert!(Command::new("kill").args(["-STOP", &self.child.id().to_string()]).status().unwrap().success());
    }

    /// The next event of this type; others, and answers to commands, are passed over.
    pub fn event(&mut self, kind: &str) -> Value {
        loop {
            let told = self.receive();
            if told["type"] == kind {
                return told;
            }
        }
    }

    /// Waits until these of the tones, and no others, are what it hears.
    pub fn hears(&self, tones: &[u32], among: &[u32]) {
        wait_for(&format!("{tones:?} at baresip"), || {
            let files = self.folder.read_dir().unwrap().map(|file| file.unwrap().path());
            let newest = files.filter(|path| path.to_string_lossy().ends_with("-dec.wav")).max()?;
            (heard_in(&newest, among) == tones).then_some(())
        });
    }

    /// A netstring: its length, a colon, so many bytes, a comma.
    fn receive(&mut self) -> Value {
        loop {
            if let Some(colon) = self.unread.iter().position(|b| *b == b':') {
                let length: usize = String::from_utf8_lossy(&self.unread[..colon]).parse().unwrap();
                if self.unread.len() > colon + 1 + length {
                    let text = self.unread[colon + 1..colon + 1 + length].to_vec();
                    self.unread.drain(..colon + length + 2);
                    return serde_json::from_slice(&text).unwrap();
                }
            }
            let mut buffer = [0; 4096];
            let n = self.control.read(&mut buffer).unwrap_or_else(|e| panic!("baresip told nothing more: {e}"));
            assert!(n > 0, "baresip ended");
            self.unread.extend(&buffer[..n]);
        }
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read(self.folder.join("log")).unwrap_or_default();
            eprintln!("── baresip's log\n{}", String::from_utf8_lossy(&log));
        }
    }
}
