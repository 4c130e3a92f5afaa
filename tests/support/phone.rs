use super::PATIENCE;
use super::gateway::Gateway;
use super::message::Message;
use super::rtp::{Ear, Mouth, Packet};
use super::tone::Hum;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// A small SIP telephone over UDP with real RTP, for what SIPp does not check. One call at a time.
pub struct Phone {
    name: String,
    /// Where it is called.
    own: SocketAddr,
    /// Where it hears and speaks.
    media: SocketAddr,
    sip: UdpSocket,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    /// Payload types that it offers or answers.
    pub formats: &'static str,
    /// Lines with keys for SRTP in its descriptions; none: plain RTP.
    pub crypto: String,
    /// The number that it names as its own when it calls.
    pub number: String,
    /// More header lines for its INVITE and REFER.
    pub headers: &'static str,
    /// More header lines for whatever it asks.
    pub always: &'static str,
    pub ear: Ear,
    peer: SocketAddr,
    cseq: u32,
    call_id: String,
    local: String,
    remote: String,
    target: String,
    invite: Option<Message>,
    /// Keys pressed so far, and the CSeq of the last INFO that came.
    presses: u32,
    last_info: String,
}

impl Phone {
    pub fn new(name: &str, port: u16, gateway: &Gateway) -> Phone {
        Phone::hearing_at(gateway.host.ip, name, port, gateway)
    }

    /// One whose SDP names a host of its own.
    pub fn hearing_at(media: Ipv4Addr, name: &str, port: u16, gateway: &Gateway) -> Phone {
        let ip = gateway.host.ip;
        // A softphone that is tried on this machine may hold some on all addresses.
        let media = (0..20).find_map(|_| pair((media, gateway.host.ports(2)).into()));
        Phone::with(name, (ip, port).into(), media.expect("two free ports"), (ip, gateway.sip).into())
    }

    /// One anywhere; port 0 is any that is free.
    pub fn at(name: &str, own: SocketAddr, peer: SocketAddr) -> Phone {
        let media = (0..100).find_map(|_| pair(SocketAddr::new(own.ip(), 0)));
        Phone::with(name, own, media.expect("two free ports"), peer)
    }

    fn with(name: &str, own: SocketAddr, [rtp, rtcp]: [UdpSocket; 2], peer: SocketAddr) -> Phone {
        rtcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let sip = UdpSocket::bind(own).unwrap();
        sip.set_read_timeout(Some(PATIENCE)).unwrap();
        let (own, media) = (sip.local_addr().unwrap(), rtp.local_addr().unwrap());
        Phone {
            name: name.to_string(),
            own,
            media,
            ear: Ear::listen(rtp.try_clone().unwrap()),
            sip,
            rtp,
            rtcp,
            formats: "8 101",
            crypto: String::new(),
            number: "13800138000".to_string(),
            headers: "",
            always: "",
            peer,
            cseq: 0,
            call_id: format!("{name}-{}-{}", own.port(), media.port()),
            local: String::new(),
            remote: String::new(),
            target: String::new(),
            invite: None,
            presses: 0,
            last_info: String::new(),
        }
    }

    pub fn port(&self) -> u16 {
        self.own.port()
    }

    pub fn invite(&mut self, number: &str) {
        self.local = format!("<sip:{}@{}>;tag={}", self.number, self.own, self.name);
        self.target = format!("sip:{number}@{}", self.peer);
        self.remote = format!("<{}>", self.target);
        self.reinvite("sendrecv");
    }

    /// An offer; in the dialog when there is one.
    pub fn reinvite(&mut self, direction: &str) {
        self.cseq += 1;
        self.request("INVITE", &self.sdp(direction));
    }

    /// OPTIONS to `user`, which is empty or ends with `@`.
    pub fn asks(&mut self, user: &str) -> Message {
        self.cseq += 1;
        self.call_id = format!("{}-{}-{}", self.name, self.port(), self.cseq);
        self.local = format!("<sip:{}@{}>;tag={}", self.number, self.own, self.name);
        self.target = format!("sip:{user}{}", self.peer);
        self.remote = format!("<{}>", self.target);
        self.request("OPTIONS", "");
        loop {
            let message = self.receive();
            if message.header("CSeq").ends_with("OPTIONS") {
                return message;
            }
        }
    }

    pub fn ack(&self) {
        self.request("ACK", "");
    }

    /// Gives its own INVITE up.
    pub fn cancel(&self) {
        self.request("CANCEL", "");
    }

    /// Asks to be rid of the other side; `headers` say where to.
    pub fn refer(&mut self) {
        self.cseq += 1;
        self.request("REFER", "");
    }

    /// Hums to the media address that this message's SDP gives.
    pub fn hum(&self, to: &Message, hertz: u32) -> Hum {
        Hum::start(self.rtp.try_clone().unwrap(), (self.own.ip(), to.media_port()).into(), hertz)
    }

    pub fn bye(&mut self) {
        self.cseq += 1;
        self.request("BYE", "");
        self.status(200, "BYE");
    }

    /// A Replaces that names the call it has (RFC 3891), as the other end's dialog table has it.
    pub fn replaces(&self) -> String {
        let tag = |party: &str| party.split_once(";tag=").map_or(String::new(), |(_, tag)| tag.to_string());
        format!("{};to-tag={};from-tag={}", self.call_id, tag(&self.remote), tag(&self.local))
    }

    /// The next response with this status to this method; provisional ones and other messages are passed over.
    pub fn status(&mut self, status: u16, method: &str) -> Message {
        loop {
            let message = self.receive();
            if message.status() == 0 || !message.header("CSeq").ends_with(method) {
                continue;
            }
            if let Some(tag) = message.tag("To").filter(|_| !self.remote.contains(";tag=")) {
                self.remote = format!("{};tag={tag}", self.remote);
            }
            if !message.headers("Contact").is_empty() {
                self.target = message.uri("Contact").to_string();
            }
            if message.status() == status {
                return message;
            }
            assert!(message.status() < 200, "{} expected {status}, got\n{message}", self.name);
        }
    }

    /// The next request of this method; others are passed over.
    pub fn request_received(&mut self, method: &str) -> Message {
        loop {
            let message = self.receive();
            if message.is_request(method) {
                return message;
            }
        }
    }

    /// Takes the next call: 180 now, 200 by [`Phone::answer`].
    pub fn ring(&mut self) -> Message {
        let invite = self.request_received("INVITE");
        self.ring_by(invite)
    }

    /// The same for an INVITE that it has received.
    pub fn ring_by(&mut self, invite: Message) -> Message {
        self.call_id = invite.header("Call-ID").to_string();
        self.local = format!("{};tag={}", invite.header("To"), self.name);
        self.remote = invite.header("From").to_string();
        self.target = invite.uri("Contact").to_string();
        self.reply(&invite, "180 Ringing", "");
        self.invite = Some(invite.clone());
        invite
    }

    /// Sends media before it answers.
    pub fn early(&mut self) {
        let invite = self.invite.clone().expect("it rings");
        self.reply(&invite, "183 Session Progress", &self.sdp("sendrecv"));
    }

    /// Answers and waits for the ACK.
    pub fn answer(&mut self) {
        let invite = self.invite.clone().expect("it rings");
        self.reply(&invite, "200 OK", &self.sdp("sendrecv"));
        self.request_received("ACK");
    }

    /// Refuses the call that rings.
    pub fn refuse(&mut self, status: u16) {
        let invite = self.invite.clone().expect("it rings");
        self.reply(&invite, &format!("{status} No"), "");
        self.request_received("ACK");
    }

    /// The same with these words.
    pub fn refuse_saying(&mut self, status: &str) {
        let invite = self.invite.clone().expect("it rings");
        self.reply(&invite, status, "");
        self.request_received("ACK");
    }

    /// Refuses another call than its own.
    pub fn turns_away(&self, invite: &Message, status: u16) {
        self.reply(invite, &format!("{status} No"), "");
    }

    /// The other side has taken its call back by this CANCEL.
    pub fn cancelled(&mut self) -> Message {
        let cancel = self.request_received("CANCEL");
        self.reply(&cancel, "200 OK", "");
        self.refuse(487);
        cancel
    }

    /// The other side hangs up.
    pub fn hung_up(&mut self) -> Message {
        let bye = self.request_received("BYE");
        self.reply(&bye, "200 OK", "");
        bye
    }

    /// The last word of the NOTIFYs of its REFER on the move, whoever hangs up meanwhile.
    pub fn told(&mut self) -> Message {
        loop {
            let notify = self.request_received("NOTIFY");
            self.reply(&notify, "200 OK", "");
            if !notify.body().starts_with("SIP/2.0 1") {
                return notify;
            }
        }
    }

    /// Speaks to the media address that this message's SDP gives.
    pub fn speak(&self, to: &Message, speaker: u32) -> Mouth {
        let to = (self.own.ip(), to.media_port()).into();
        let payload_type = self.formats.split(' ').next().unwrap().parse().unwrap();
        Mouth::speak(self.rtp.try_clone().unwrap(), to, speaker, payload_type)
    }

    /// The next RTCP packet that comes (RFC 3550 §6.4).
    pub fn rtcp(&self) -> Vec<u8> {
        let mut buffer = [0; 2048];
        let n = self.rtcp.recv(&mut buffer).unwrap_or_else(|e| panic!("{}: no RTCP: {e}", self.name));
        buffer[..n].to_vec()
    }

    /// Presses keys by RFC 4733, each as an event of 100 ms, in a stream of their own.
    pub fn press(&mut self, to: &Message, keys: &str) {
        for key in keys.chars() {
            let n = self.presses;
            self.presses += 1;
            let code = "0123456789*#".find(key).expect("a key") as u8;
            for i in 0..7u32 {
                let duration = 160 * (i.min(4) as u16 + 1);
                let packet = Packet {
                    marker: i == 0,
                    payload_type: 101,
                    seq: (n * 7 + i) as u16,
                    timestamp: n * 3200,
                    ssrc: 101,
                    payload: [&[code, if i >= 4 { 0x8a } else { 10 }][..], &duration.to_be_bytes()].concat(),
                };
                self.send_rtp(to, &packet.write());
                super::pass(20);
            }
            super::pass(60);
        }
    }

    /// Presses a key by INFO.
    pub fn info(&mut self, key: char) {
        self.cseq += 1;
        self.request("INFO", &format!("Signal={key}\r\nDuration=100\r\n"));
        self.status(200, "INFO");
    }

    /// The key of the next INFO, which gets this status.
    pub fn key_told(&mut self, status: &str) -> String {
        let mut info = self.request_received("INFO");
        while info.header("CSeq") == self.last_info {
            info = self.request_received("INFO");
        }
        self.last_info = info.header("CSeq").to_string();
        self.reply(&info, status, "");
        assert_eq!(info.header("Content-Type"), "application/dtmf-relay");
        info.body().lines().next().unwrap_or_default().to_string()
    }

    /// The start lines of all that has come and was not read, but for the last INFO once more.
    pub fn unread(&self) -> Vec<String> {
        self.sip.set_nonblocking(true).unwrap();
        let mut buffer = [0; 65_535];
        let mut lines = Vec::new();
        while let Ok(n) = self.sip.recv(&mut buffer) {
            let message = Message::new(&String::from_utf8_lossy(&buffer[..n]));
            lines.extend((message.header("CSeq") != self.last_info).then(|| message.start_line().to_string()));
        }
        self.sip.set_nonblocking(false).unwrap();
        lines
    }

    pub fn send_rtp(&self, to: &Message, data: &[u8]) {
        self.rtp.send_to(data, (self.own.ip(), to.media_port())).unwrap();
    }

    fn receive(&self) -> Message {
        let mut buffer = [0; 65_535];
        let (n, from) = self.sip.recv_from(&mut buffer).unwrap_or_else(|e| panic!("{}: nothing came: {e}", self.name));
        assert_eq!(from, self.peer, "{} is spoken to from where it speaks to", self.name);
        Message::new(&String::from_utf8_lossy(&buffer[..n]))
    }

    fn request(&self, method: &str, content: &str) {
        let (own, cseq, name, always) = (self.own, self.cseq, &self.name, self.always);
        let more = if matches!(method, "INVITE" | "REFER") { self.headers } else { "" };
        // A CANCEL is of the INVITE's transaction.
        let of = if method == "CANCEL" { "INVITE" } else { method };
        let (target, local, remote, call_id) = (&self.target, &self.local, &self.remote, &self.call_id);
        self.send(&format!(
            "{method} {target} SIP/2.0\r\n{more}{always}Via: SIP/2.0/UDP {own};rport;branch=z9hG4bK{call_id}{cseq}{of}\r\n\
             Max-Forwards: 70\r\nFrom: {local}\r\nTo: {remote}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:{name}@{own}>\r\n{}",
            body(content)
        ));
    }

    fn reply(&self, to: &Message, status: &str, sdp: &str) {
        let vias: String = to.headers("Via").iter().map(|via| format!("Via: {via}\r\n")).collect();
        let tagged = match to.tag("To") {
            Some(_) => to.header("To").to_string(),
            None => format!("{};tag={}", to.header("To"), self.name),
        };
        self.send(&format!(
            "SIP/2.0 {status}\r\n{vias}From: {}\r\nTo: {tagged}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             Contact: <sip:{}@{}>\r\n{}",
            to.header("From"),
            to.header("Call-ID"),
            to.header("CSeq"),
            self.name,
            self.own,
            body(sdp)
        ));
    }

    pub fn send(&self, text: &str) {
        self.sip.send_to(text.as_bytes(), self.peer).unwrap();
    }

    fn sdp(&self, direction: &str) -> String {
        let (name, ip, port, formats, version) = (&self.name, self.media.ip(), self.media.port(), self.formats, self.cseq);
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        let (profile, crypto) = (if self.crypto.is_empty() { "RTP/AVP" } else { "RTP/SAVP" }, &self.crypto);
        let events = if formats.ends_with("101") { "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n" } else { "" };
        format!(
            "v=0\r\no={name} 1 {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
             m=audio {port} {profile} {formats}\r\n{events}{crypto}a=ptime:20\r\na={direction}\r\n"
        )
    }
}

/// Sockets for RTP at a port, any where that is 0, and for RTCP at the next one.
fn pair(at: SocketAddr) -> Option<[UdpSocket; 2]> {
    let rtp = UdpSocket::bind(at).ok()?;
    let port = rtp.local_addr().ok()?.port();
    let even = port.is_multiple_of(2).then_some(port + 1)?;
    Some([rtp, UdpSocket::bind(SocketAddr::new(at.ip(), even)).ok()?])
}

fn body(content: &str) -> String {
    let content_type = match content.get(..2) {
        None => "",
        Some("v=") => "Content-Type: application/sdp\r\n",
        Some(_) => "Content-Type: application/dtmf-relay\r\n",
    };
    format!("{content_type}Content-Length: {}\r\n\r\n{content}", content.len())
}
