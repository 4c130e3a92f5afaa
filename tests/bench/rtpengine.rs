//! Calls in an rtpengine that runs beside us, by its ng protocol: a cookie, then a bencoded dictionary, over UDP.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

pub struct Rtpengine {
    socket: UdpSocket,
    /// Its process.
    pid: u32,
    /// Distinguishes the calls of this run from those of the last, which it may not have forgotten.
    run: u32,
    calls: usize,
    asked: usize,
}

impl Rtpengine {
    /// `PID@ADDRESS`: its process and where it listens for ng.
    pub fn at(text: &str) -> Option<Rtpengine> {
        let (pid, address) = text.split_once('@')?;
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Some(Rtpengine { socket, pid: pid.parse().unwrap(), run: std::process::id(), calls: 0, asked: 0 })
    }

    /// Relays between two phones; gives where each of them sends to.
    pub fn call(&mut self, phones: [SocketAddr; 2]) -> [SocketAddr; 2] {
        let id = format!("{}-{}", self.run, self.calls);
        self.calls += 1;
        let tags = [("call-id", id.as_str()), ("from-tag", "a")];
        let second = self.ask(&[tags[0], ("command", "offer"), tags[1], ("sdp", &sdp(phones[0]))]);
        let first = self.ask(&[tags[0], ("command", "answer"), tags[1], ("sdp", &sdp(phones[1])), ("to-tag", "b")]);
        [address(&first), address(&second)]
    }

    /// The CPU time of all its threads.
    pub fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid)).unwrap().flatten();
        let nanos = tasks.filter_map(|task| {
            let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
            stat.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanos.sum())
    }

    /// Keys must come sorted, as bencode has it.
    fn ask(&mut self, fields: &[(&str, &str)]) -> String {
        // A cookie that it has seen gets the answer that it gave before.
        self.asked += 1;
        let cookie = format!("{}-{}", self.run, self.asked);
        let dictionary: String = fields.iter().map(|(k, v)| format!("{}:{k}{}:{v}", k.len(), v.len())).collect();
        self.socket.send(format!("{cookie} d{dictionary}e").as_bytes()).unwrap();
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).unwrap();
        let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(answer.starts_with(&cookie) && answer.contains("6:result2:ok"), "rtpengine says {answer}");
        answer
    }
}

impl Drop for Rtpengine {
    fn drop(&mut self) {
        for call in 0..self.calls {
            self.ask(&[("call-id", &format!("{}-{call}", self.run)), ("command", "delete"), ("delete-delay", "0")]);
        }
    }
}

fn sdp(phone: SocketAddr) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n",
        ip = phone.ip(),
        port = phone.port()
    )
}

fn address(sdp: &str) -> SocketAddr {
    let port = sdp.split("m=audio ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    SocketAddr::from(([127, 0, 0, 1], port.unwrap_or_else(|| panic!("no port in {sdp}"))))
}
