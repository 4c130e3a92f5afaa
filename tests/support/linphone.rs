use super::gateway::Gateway;
use super::tone::heard_in;
use super::wait_for;
use std::f64::consts::TAU;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// Linphone's telephone for the console, with sound files in place of a sound card.
pub struct Linphone {
    folder: PathBuf,
    keyboard: ChildStdin,
    screen: Arc<Mutex<String>>,
    /// How much of the screen was read.
    read: usize,
    child: Child,
}

impl Linphone {
    /// It is called `user`, and calls from there; whoever it talks to hears it hum.
    pub fn start(gateway: &Gateway, user: &str, port: u16, hertz: u32) -> Linphone {
        Linphone::with(
            gateway,
            user,
            port,
            ("media_encryption=none\nsip_tcp_port=0\nsip_tls_port=0\nauto_net_state_mon=0\n", ""),
            hertz,
        )
    }

    /// It registers as `user` by this transport, at that port of the gateway's.
    pub fn registered(gateway: &Gateway, user: &str, password: &str, by: (&str, u16), hertz: u32) -> Linphone {
        Linphone::sealed_by("none", gateway, user, password, by, hertz)
    }

    /// It registers by TLS, and its audio travels by SRTP.
    pub fn sealed(gateway: &Gateway, user: &str, password: &str, hertz: u32) -> Linphone {
        Linphone::sealed_by("srtp", gateway, user, password, ("tls", gateway.tls), hertz)
    }

    fn sealed_by(
        encryption: &str,
        gateway: &Gateway,
        user: &str,
        password: &str,
        (transport, at): (&str, u16),
        hertz: u32,
    ) -> Linphone {
        let ip = gateway.host.ip;
        // Without ports of its own it connects, and is reached by its connection alone.
        // It does not register before it has seen a network.
        let ports = format!(
            "media_encryption={encryption}\nauto_net_state_mon=1\nsip_tcp_port=-2\nsip_tls_port=-2\nverify_server_certs=0\nverify_server_cn=0\ndefault_proxy=0\n"
        );
        let account = format!(
            "[proxy_0]\nreg_proxy=<sip:{ip}:{at};transport={transport}>\nreg_identity=sip:{user}@{ip}\nreg_expires=600\n\
             reg_sendregister=1\npublish=0\n[auth_info_0]\nusername={user}\npasswd={password}\nrealm=hotline\n"
        );
        Linphone::with(gateway, user, gateway.host.ports(2), (&ports, &account), hertz)
    }

    fn with(gateway: &Gateway, user: &str, port: u16, (ports, account): (&str, &str), hertz: u32) -> Linphone {
        let ip = gateway.host.ip;
        let folder = gateway.folder.path().join(format!("linphone-{port}"));
        // Without this folder for its database it does not start; without the network setting it waits for more than
        // the loopback interface. Its RTP sockets are bound to all addresses: above the ports of all hosts of the tests.
        fs::create_dir_all(folder.join(".local/share/linphone")).unwrap();
        let settings = format!(
            "[sip]\nsip_port={port}\n{ports}bind_address={ip}\ncontact=sip:{user}@{ip}:{port}\n\
             use_ipv6=0\nipv6_migration_done=1\n[rtp]\naudio_rtp_port=20000-29998\n\
             {account}"
        );
        fs::write(folder.join("settings"), settings).unwrap();
        write_tone(&folder.join("tone.wav"), hertz);
        let mut command = Command::new("linphonec");
        command.args(["-c", "settings", "-d", "6", "-l", "log"]).current_dir(&folder).env("HOME", &folder);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("linphonec (Debian: linphone-cli) is installed");
        let screen = Arc::new(Mutex::new(String::new()));
        let (mut output, shown) = (child.stdout.take().unwrap(), screen.clone());
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Some(n) = output.read(&mut buffer).ok().filter(|n| *n > 0) {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        });
        let keyboard = child.stdin.take().unwrap();
        let mut phone = Linphone { folder, keyboard, screen, read: 0, child };
        phone.shows("linphonec>");
        for (line, shown) in [("soundcard use files", "instead of soundcard"), ("play tone.wav", ""), ("record heard.wav", "")] {
            phone.types(line);
            phone.shows(shown);
        }
        phone
    }

    pub fn types(&mut self, line: &str) {
        writeln!(self.keyboard, "{line}").unwrap();
    }

    /// Waits until it shows this, after what was waited for before.
    pub fn shows(&mut self, text: &str) {
        let (screen, read) = (self.screen.clone(), self.read);
        let found = || screen.lock().unwrap()[read..].find(text);
        self.read += wait_for(&format!("linphone to show {text}"), found) + text.len();
    }

    /// As `shows`; what is shown until then may be waited for all the same.
    pub fn will_show(&self, text: &str) {
        wait_for(&format!("linphone to show {text}"), || self.screen.lock().unwrap()[self.read..].contains(text).then_some(()));
    }

    /// Waits until it has logged this, which may be in a message that came.
    pub fn logs(&self, text: &str) {
        wait_for(&format!("linphone to log {text}"), || self.log().contains(text).then_some(()));
    }

    /// Waits until these of the tones, and no others, are what it hears.
    pub fn hears(&self, tones: &[u32], among: &[u32]) {
        wait_for(&format!("{tones:?} at linphone"), || (heard_in(&self.folder.join("heard.wav"), among) == tones).then_some(()));
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }
}

/// Half a minute of a tone.
fn write_tone(path: &Path, hertz: u32) {
    let format = hound::WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = hound::WavWriter::create(path, format).unwrap();
    for i in 0..30 * 8000 {
        file.write_sample((8000.0 * (TAU * f64::from(hertz) * f64::from(i) / 8000.0).sin()) as i16).unwrap();
    }
    file.finalize().unwrap();
}

impl Drop for Linphone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("── linphone's screen\n{}", self.screen.lock().unwrap());
            let log = self.log();
            let lines: Vec<&str> =
                log.lines().filter(|line| !line.contains(" mediastreamer-") && !line.contains(" ortp-")).collect();
            eprintln!("── linphone's log\n{}", lines.join("\n"));
        }
    }
}
