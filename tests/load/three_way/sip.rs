//! The phones' signalling: as little of SIP as a gateway on the same machine needs.

use super::{Leg, PHONES};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

/// As `tests/load/three-way` configures them.
const GATEWAY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1)), 6060);
const API: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1)), 6080);
const PORTS: [u16; 3] = [6090, 6070, 6071];
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two calls.
const PACE: Duration = Duration::from_millis(10);

pub struct Signalling {
    sockets: [UdpSocket; 3],
    /// The ports where the phones take RTP, one after another.
    rtp: Vec<u16>,
    /// The milliseconds of sound that they want in each packet.
    ptime: u32,
    legs: Sender<Leg>,
    /// Legs that speak, by call and role, and what the gateway calls the calls.
    known: BTreeMap<(usize, usize), String>,
    ids: BTreeMap<usize, String>,
}

impl Signalling {
    pub fn new(rtp: Vec<u16>, ptime: u32, legs: Sender<Leg>) -> Signalling {
        let sockets = PORTS.map(|port| {
            let socket = UdpSocket::bind((PHONES, port)).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            socket
        });
        Signalling { sockets, rtp, ptime, legs, known: BTreeMap::new(), ids: BTreeMap::new() }
    }

    /// Callers call, seats answer.
    pub fn talk(&mut self, calls: usize) {
        for call in 0..calls {
            self.call(call);
            self.serve_for(PACE);
        }
        self.serve_until("answers", |s| s.known.len() == 2 * calls);
    }

    /// Callers call; one is answered by the one seat, and the others wait.
    pub fn wait(&mut self, calls: usize) {
        for call in 0..=calls {
            self.call(call);
            self.serve_for(PACE / 4);
        }
        self.serve_until("music", |s| s.known.len() == calls + 2);
    }

    fn call(&self, call: usize) {
        let invite = self.request("INVITE", call, "", &self.sdp(call));
        self.sockets[0].send_to(invite.as_bytes(), GATEWAY).unwrap();
    }

    /// Messages are answered meanwhile.
    pub fn watch(&mut self, time: Duration) {
        self.serve_for(time);
    }

    /// A third party joins each call.
    pub fn fetch_third(&mut self, calls: usize) {
        for call in 0..calls {
            let (status, answer) =
                api("POST", &format!("{}/transfer", self.ids[&call]), "{\"to\":\"12366\",\"mode\":\"three-way\"}");
            assert_eq!(status, 202, "{answer}");
            self.serve_for(PACE);
        }
        self.serve_until("thirds", |s| s.known.len() == 3 * calls);
    }

    pub fn end(&mut self, calls: usize) {
        for call in 0..calls {
            api("DELETE", &format!("{}/legs/1", self.ids[&call]), "");
            let to = format!(";tag={}", self.known[&(call, 0)]);
            let bye = self.request("BYE", call, &to, "");
            self.sockets[0].send_to(bye.as_bytes(), GATEWAY).unwrap();
            self.serve_for(PACE / 4);
        }
        self.serve_for(Duration::from_secs(1));
        let (_, listed) = api("GET", "", "");
        assert!(listed.contains("\"total\":0") || listed.contains("\"calls\":[]"), "calls are left: {listed}");
    }

    fn serve_until(&mut self, what: &str, done: impl Fn(&Signalling) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < end, "waited in vain for {what}: {} legs", self.known.len());
            self.serve_for(Duration::from_millis(5));
        }
    }

    fn serve_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        let mut buffer = [0; 65_535];
        loop {
            for role in 0..3 {
                while let Ok(n) = self.sockets[role].recv(&mut buffer) {
                    let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                    self.message(role, &text);
                }
            }
            if Instant::now() >= end {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn message(&mut self, role: usize, text: &str) {
        let method = text.split(' ').next().unwrap_or_default();
        match method {
            "SIP/2.0" if text.starts_with("SIP/2.0 200") && header(text, "CSeq").ends_with("INVITE") => self.answered(text),
            "SIP/2.0" if text.starts_with("SIP/2.0 183") => self.speaks(number(header(text, "From")), 0, text, String::new()),
            "SIP/2.0" if text.starts_with("SIP/2.0 1") || text.starts_with("SIP/2.0 200") => {}
            "SIP/2.0" => panic!("refused: {text}"),
            "ACK" => {}
            "INVITE" => {
                let call = number(header(text, "P-Asserted-Identity"));
                self.ids.insert(call, header(text, "X-Hotline-Call-ID").to_owned());
                self.reply(role, text, &self.sdp(call));
                self.speaks(call, role, text, String::new());
            }
            _ => self.reply(role, text, ""),
        }
    }

    fn answered(&mut self, text: &str) {
        let call = number(header(text, "From"));
        let tag = header(text, "To").split(";tag=").nth(1).unwrap_or_default().to_owned();
        let ack = self.request("ACK", call, &format!(";tag={tag}"), "");
        self.sockets[0].send_to(ack.as_bytes(), GATEWAY).unwrap();
        self.speaks(call, 0, text, tag);
    }

    fn speaks(&mut self, call: usize, role: usize, text: &str, tag: String) {
        if self.known.insert((call, role), tag).is_some() {
            return;
        }
        let address = line(text, "c=IN IP4 ").parse::<Ipv4Addr>().unwrap();
        let port: u16 = line(text, "m=audio ").split(' ').next().and_then(|port| port.parse().ok()).unwrap();
        self.legs.send(Leg { call, role, to: (address, port).into() }).unwrap();
    }

    fn request(&self, method: &str, call: usize, tag: &str, sdp: &str) -> String {
        let from = PORTS[0];
        let sequence = if method == "BYE" { 2 } else { 1 };
        format!(
            "{method} sip:12345@{GATEWAY} SIP/2.0\r\nVia: SIP/2.0/UDP {PHONES}:{from};branch=z9hG4bK{method}{call};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:138{call:08}@{PHONES}>;tag={call}\r\nTo: <sip:12345@{GATEWAY}>{tag}\r\n\
             Call-ID: three-way-{call}\r\nCSeq: {sequence} {method}\r\nContact: <sip:caller@{PHONES}:{from}>\r\n{}",
            body(sdp)
        )
    }

    fn reply(&self, role: usize, to: &str, sdp: &str) {
        let copied = ["Via", "From", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", header(to, name))).concat();
        let called = header(to, "To");
        let tag = if called.contains(";tag=") { "" } else { ";tag=phone" };
        let contact = format!("<sip:phone@{PHONES}:{}>", PORTS[role]);
        let text = format!("SIP/2.0 200 OK\r\n{copied}To: {called}{tag}\r\nContact: {contact}\r\n{}", body(sdp));
        self.sockets[role].send_to(text.as_bytes(), GATEWAY).unwrap();
    }

    fn sdp(&self, call: usize) -> String {
        let port = self.rtp[call % self.rtp.len()];
        format!(
            "v=0\r\no=- 1 1 IN IP4 {PHONES}\r\ns=-\r\nc=IN IP4 {PHONES}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\na=ptime:{}\r\n",
            self.ptime
        )
    }
}

fn body(sdp: &str) -> String {
    let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!("{kind}Content-Length: {}\r\n\r\n{sdp}", sdp.len())
}

/// The call that a caller's number means.
fn number(value: &str) -> usize {
    let digits = value.split("sip:138").nth(1).and_then(|rest| rest.get(..8));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no caller of ours in {value}"))
}

fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next().unwrap_or_default()
}

fn line<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_else(|| panic!("no {start} in {text}")).trim()
}

fn api(method: &str, path: &str, json: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(API).unwrap();
    let path = if path.is_empty() { "/api/v1/calls".to_owned() } else { format!("/api/v1/calls/{path}") };
    let length = json.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {API}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0), answer)
}
