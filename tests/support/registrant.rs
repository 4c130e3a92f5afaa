use super::PATIENCE;
use super::gateway::Gateway;
use super::message::Message;
use hotline::sip::digest::{Challenge, Client, Secret, Signed};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// One who sends REGISTER over UDP, byte by byte as a test wants it.
pub struct Registrant {
    pub user: &'static str,
    pub password: &'static str,
    /// The address of record that is to be registered.
    pub to: String,
    pub own: SocketAddr,
    socket: UdpSocket,
    peer: SocketAddr,
    cseq: u32,
    client: Option<Client>,
}

impl Registrant {
    pub fn new(gateway: &Gateway, user: &'static str, password: &'static str) -> Registrant {
        Registrant::at((gateway.host.ip, gateway.host.port()).into(), gateway, user, password)
    }

    /// One who sends from this address.
    pub fn at(own: SocketAddr, gateway: &Gateway, user: &'static str, password: &'static str) -> Registrant {
        let (ip, socket) = (gateway.host.ip, UdpSocket::bind(own).unwrap());
        let to = format!("<sip:{user}@{ip}>");
        Registrant { user, password, to, own, socket, peer: (ip, gateway.sip).into(), cseq: 0, client: None }
    }

    /// `<sip:1001@…>`, by which it is called.
    pub fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.user, self.own)
    }

    /// Registers with these Contact values, and answers a challenge once; the last answer.
    pub fn registers(&mut self, contacts: &[String]) -> Message {
        let first = self.signed(contacts);
        let answer = self.asks(&first);
        if answer.status() != 401 {
            return answer;
        }
        self.challenged(&answer);
        let second = self.signed(contacts);
        self.asks(&second)
    }

    /// It signs from now on by the first challenge of this answer.
    pub fn challenged(&mut self, answer: &Message) {
        let challenge = Challenge::parse(answer.header("WWW-Authenticate").as_bytes()).unwrap();
        self.client = Some(Client::new(challenge));
    }

    fn signature(&mut self, method: &str, uri: &str) -> String {
        let Registrant { user, password, client, .. } = self;
        let signed = client.as_mut().and_then(|client| {
            let secret = Secret::new(client.challenge().algorithm, user, "hotline", password);
            client.answer(user, &secret, Signed { method, uri, body: b"" }, "cnonce")
        });
        signed.map_or(String::new(), |answer| format!("Authorization: {answer}\r\n"))
    }

    /// The next INVITE, to this number, signed as above.
    pub fn invite(&mut self, number: &str) -> String {
        self.cseq += 1;
        let uri = format!("sip:{number}@{}", self.peer);
        let signed = self.signature("INVITE", &uri);
        let Registrant { user, own, cseq, .. } = self;
        let (ip, port) = (own.ip(), own.port());
        let sdp = format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8\r\n");
        format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};rport;branch=z9hG4bK{port}x{cseq}\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@{ip}>;tag=i{cseq}\r\nTo: <{uri}>\r\nCall-ID: invite-{port}-{cseq}\r\nCSeq: {cseq} INVITE\r\n\
             Contact: <sip:{user}@{own}>\r\n{signed}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        )
    }

    /// The next REGISTER, signed where it was challenged before.
    pub fn signed(&mut self, contacts: &[String]) -> String {
        self.cseq += 1;
        let uri = format!("sip:{}", self.peer);
        let signed = self.signature("REGISTER", &uri);
        let Registrant { user, to, own, cseq, .. } = self;
        let contacts: String = contacts.iter().map(|contact| format!("Contact: {contact}\r\n")).collect();
        let text = format!(
            "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};rport;branch=z9hG4bK{}x{cseq}\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@{}>;tag=r\r\nTo: {to}\r\nCall-ID: register-{}\r\nCSeq: {cseq} REGISTER\r\n{contacts}",
            own.port(),
            own.ip(),
            own.port(),
        );
        format!("{text}{signed}Content-Length: 0\r\n\r\n")
    }

    /// A REGISTER of the same user as another one would send it, with this Contact and no signature.
    pub fn unsigned(&mut self, sender: &Registrant, contact: &str) -> String {
        let text = self.signed(&[contact.to_owned()]).replace(&self.own.to_string(), &sender.own.to_string());
        text.lines().filter(|line| !line.starts_with("Authorization")).map(|line| format!("{line}\r\n")).collect()
    }

    /// Sends this and waits for its answer.
    pub fn asks(&self, text: &str) -> Message {
        self.sends(text);
        let branch = Message::new(text).header("Via").to_owned();
        let branch = branch.rsplit_once("branch=").unwrap().1.to_owned();
        loop {
            let heard = self.hears(PATIENCE).expect("an answer");
            if heard.status() >= 200 && heard.header("Via").contains(&branch) {
                return heard;
            }
        }
    }

    pub fn sends(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.peer).unwrap();
    }

    /// Sends what is no message; the next datagram, if one comes so soon.
    pub fn pings(&self, data: &[u8], within: Duration) -> Option<Vec<u8>> {
        self.socket.send_to(data, self.peer).unwrap();
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut buffer = [0; 2048];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(buffer[..length].to_vec())
    }

    /// The next message, if one comes so soon.
    pub fn hears(&self, within: Duration) -> Option<Message> {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut buffer = [0; 65_535];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(Message::new(&String::from_utf8_lossy(&buffer[..length])))
    }
}
