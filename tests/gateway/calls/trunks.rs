//! Trunks that are called by TCP and TLS, or at several addresses.

use crate::support::dns::Dns;
use crate::support::gateway::{Gateway, Spec};
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::{PATIENCE, free_port, wait_until};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;

const PLAN: &str = "[plan]\nname = \"test\"\n[[line]]\nnumber = \"12345\"\nmode = \"front\"\n\
                    [[line]]\nnumber = \"110\"\nmode = \"emergency\"\ntargets = [\"110\"]\n";

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A trunk's end of a connection.
struct Line {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
}

impl Line {
    fn plain(stream: TcpStream) -> Line {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Line { stream: Box::new(stream), read: Vec::new() }
    }

    fn by_tls(stream: TcpStream, shows: &str) -> Line {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(chain("authority"));
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build().unwrap();
        let key = PrivateKeyDer::from_pem_file(file("trunk.key")).unwrap();
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_client_cert_verifier(clients).with_single_cert(chain(shows), key).unwrap();
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        Line { stream: Box::new(StreamOwned::new(connection, stream)), read: Vec::new() }
    }

    /// The next request of this method.
    fn request(&mut self, method: &str) -> Message {
        loop {
            let message = self.message().expect("a message");
            if message.is_request(method) {
                return message;
            }
        }
    }

    fn message(&mut self) -> std::io::Result<Message> {
        loop {
            let text = String::from_utf8_lossy(&self.read).into_owned();
            let text = text.trim_start();
            if let Some((head, rest)) = text.split_once("\r\n\r\n") {
                let length: usize = Message::new(&format!("{head}\r\n\r\n")).header("Content-Length").parse().unwrap();
                if rest.len() >= length {
                    let whole = format!("{head}\r\n\r\n{}", &rest[..length]);
                    self.read = rest.as_bytes()[length..].to_vec();
                    return Ok(Message::new(&whole));
                }
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                count => self.read.extend(&buffer[..count]),
            }
        }
    }

    fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
        self.stream.flush().unwrap();
    }

    fn answer(&mut self, invite: &Message, contact: &str) {
        self.write(&ok(invite, contact));
    }
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/support/tls").join(name)
}

fn chain(name: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file(&format!("{name}.pem"))).unwrap().collect::<Result<_, _>>().unwrap()
}

/// A 200, with a description where the request has one.
fn ok(request: &Message, contact: &str) -> String {
    let to = request.header("To");
    let to = if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag=trunk") };
    let echoed = ["Via", "From", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", request.header(name))).concat();
    let body = match request.body().is_empty() {
        true => "",
        false => "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n",
    };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!("SIP/2.0 200 OK\r\n{echoed}To: {to}\r\nContact: <{contact}>\r\n{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn gateway(sip: String, trunk: String) -> Gateway {
    Gateway::start(&Spec { sip: sip.leak(), trunk: trunk.leak(), plan: Some(PLAN.to_string()), ..Spec::default() })
}

fn secure(port: u16) -> Gateway {
    let file = |name| file(name).display().to_string();
    let sip =
        format!("listen_tls = [\"{}\"]\ncertificate = \"{}\"\nkey = \"{}\"", free_port(), file("trunk.pem"), file("trunk.key"));
    let trunk = format!(
        "transport = \"tls\"\naddress = \"127.0.0.1:{port}\"\ntls_ca = \"{}\"\ntls_name = \"sbc.example.cn\"",
        file("authority.pem")
    );
    gateway(sip, trunk)
}

fn calls(gateway: &Gateway) -> Phone {
    let mut caller = Phone::new("caller", gateway.host.port(), gateway);
    caller.invite("110");
    caller
}

#[test]
fn a_trunk_by_tls_is_called_and_talks_by_one_connection() {
    let trunk = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = trunk.local_addr().unwrap().port();
    let gateway = secure(port);
    let contact = format!("sip:110@127.0.0.1:{port};transport=tls");
    let mut caller = calls(&gateway);
    let mut line = Line::by_tls(trunk.accept().unwrap().0, "trunk");
    let invite = line.request("INVITE");
    assert!(invite.header("Via").starts_with("SIP/2.0/TLS ") && invite.header("Contact").contains(";transport=tls"));
    line.answer(&invite, &contact);
    line.request("ACK");
    caller.status(200, "INVITE");
    caller.ack();
    // A second call finds the connection, and the trunk's own requests come by it.
    let mut other = calls(&gateway);
    let second = line.request("INVITE");
    line.answer(&second, &contact);
    line.request("ACK");
    other.status(200, "INVITE");
    other.ack();
    let (from, to) = (second.header("From"), format!("{};tag=trunk", second.header("To")));
    line.write(&format!(
        "BYE {} SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:{port};branch=z9hG4bKbye\r\nMax-Forwards: 70\r\nFrom: {to}\r\nTo: {from}\r\n\
         Call-ID: {}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
        second.uri("Contact"),
        second.header("Call-ID")
    ));
    assert_eq!(line.message().unwrap().status(), 200);
    other.hung_up();
    caller.bye();
    let bye = line.request("BYE");
    line.answer(&bye, &contact);
    for _ in 0..2 {
        assert_eq!(gateway.record()["result"], "answered");
    }
}

#[test]
fn a_certificate_that_is_not_the_trunks_says_why_and_stops_no_other_call() {
    let trunk = TcpListener::bind("127.0.0.1:0").unwrap();
    let gateway = secure(trunk.local_addr().unwrap().port());
    for (shows, reason) in [("trunk-expired", "expired"), ("trunk-wrong", "wrong_name"), ("trunk-uri-wrong", "wrong_name")] {
        let _caller = calls(&gateway);
        assert!(Line::by_tls(trunk.accept().unwrap().0, shows).message().is_err(), "{shows}");
        let metric = format!("tls_failed_total{{reason=\"{reason}\"}}");
        wait_until(reason, || gateway.metric(&metric) > 0);
        assert!(gateway.log().contains(reason), "{shows}");
    }
    let mut caller = calls(&gateway);
    let mut line = Line::by_tls(trunk.accept().unwrap().0, "trunk-uri");
    let invite = line.request("INVITE");
    line.answer(&invite, "sip:110@127.0.0.1;transport=tls");
    caller.status(200, "INVITE");
}

/// A request of the trunk's by a connection of its own.
fn begins(method: &str, gateway: &Gateway, at: SocketAddr, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let (host, port, length) = (gateway.host.ip, at.port(), body.len());
    format!(
        "{method} sip:110@{host} SIP/2.0\r\nVia: SIP/2.0/TCP {at};branch=z9hG4bK{method}{port}\r\nMax-Forwards: 70\r\n\
         From: <sip:13800138000@{at}>;tag=t\r\nTo: <sip:110@{host}>\r\nCall-ID: {method}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:t@{at};transport=tcp>\r\n{kind}Content-Length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn a_flow_of_the_trunks_that_dies_in_a_call_leaves_the_bye_to_its_next_one() {
    let trunk = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = trunk.local_addr().unwrap().port();
    let gateway = gateway(String::new(), format!("transport = \"tcp\"\naddress = \"127.0.0.1:{port}\""));
    let connects = || {
        let stream = TcpStream::connect((gateway.host.ip, gateway.sip)).unwrap();
        (stream.local_addr().unwrap(), Line::plain(stream))
    };
    let (at, mut caller) = connects();
    let body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40002 RTP/AVP 8\r\n";
    caller.write(&begins("INVITE", &gateway, at, body));
    // The trunk's server is called by a connection that we open.
    let mut line = Line::plain(trunk.accept().unwrap().0);
    let invite = line.request("INVITE");
    let contact = format!("sip:110@127.0.0.1:{port};transport=tcp");
    line.answer(&invite, &contact);
    line.request("ACK");
    let accepted = loop {
        let response = caller.message().unwrap();
        if response.status() == 200 {
            break response;
        }
    };
    let ack = begins("ACK", &gateway, at, "").replace("Call-ID: ACK", "Call-ID: INVITE");
    let to = ack.lines().find(|line| line.starts_with("To: ")).unwrap().to_owned();
    caller.write(&ack.replace(&to, &format!("To: {}", accepted.header("To"))));
    // It connects anew, and the first connection is no more.
    let (next_at, mut next) = connects();
    next.write(&begins("OPTIONS", &gateway, next_at, ""));
    assert!(next.message().unwrap().status() >= 200);
    drop(caller);
    wait_until("two connections", || gateway.metric("tcp_connections") == 2);
    let (from, to) = (invite.header("From"), format!("{};tag=trunk", invite.header("To")));
    line.write(&format!(
        "BYE {} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:{port};branch=z9hG4bKbye\r\nMax-Forwards: 70\r\nFrom: {to}\r\nTo: {from}\r\n\
         Call-ID: {}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
        invite.uri("Contact"),
        invite.header("Call-ID")
    ));
    let bye = next.request("BYE");
    assert_eq!(bye.header("Call-ID"), "INVITE");
    next.answer(&bye, "sip:110@127.0.0.1");
    assert_eq!(gateway.record()["result"], "answered");
}

/// The next request of this method by UDP, and who sent it.
fn heard(socket: &UdpSocket, method: &str) -> Option<(Message, SocketAddr)> {
    let mut buffer = [0; 4096];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).ok()?;
        let message = Message::new(&String::from_utf8_lossy(&buffer[..length]));
        if message.is_request(method) {
            return Some((message, from));
        }
    }
}

#[test]
fn a_trunk_with_two_addresses_goes_on_by_the_second_when_the_first_falls_silent() {
    let targets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    targets.iter().for_each(|target| target.set_read_timeout(Some(PATIENCE)).unwrap());
    let ports = [0, 1].map(|at: usize| targets[at].local_addr().unwrap());
    let gateway = gateway("hop_timeout = \"500ms\"".to_owned(), format!("targets = [\"{}\", \"{}\"]", ports[0], ports[1]));
    let seen = RefCell::new(BTreeSet::new());
    // An INVITE that was passed over is repeated for a while.
    let new = |at: usize| loop {
        let (invite, from) = heard(&targets[at], "INVITE").expect("an INVITE");
        if seen.borrow_mut().insert(invite.header("Call-ID").to_owned()) {
            return (invite, from);
        }
    };
    let talk = |at: usize| {
        let mut caller = calls(&gateway);
        let (invite, from) = new(at);
        let contact = format!("sip:110@{}", ports[at]);
        targets[at].send_to(ok(&invite, &contact).as_bytes(), from).unwrap();
        heard(&targets[at], "ACK").expect("an ACK");
        caller.status(200, "INVITE");
        caller.ack();
        (caller, contact)
    };
    let end = |at: usize, (mut caller, contact): (Phone, String)| {
        caller.bye();
        let (bye, from) = heard(&targets[at], "BYE").expect("a BYE");
        targets[at].send_to(ok(&bye, &contact).as_bytes(), from).unwrap();
        assert_eq!(gateway.record()["result"], "answered");
    };
    let before = talk(0);
    // From now on the first one reads nothing.
    let first = talk(1);
    let second = talk(1);
    targets[0].set_nonblocking(true).unwrap();
    let silent = std::iter::from_fn(|| heard(&targets[0], "INVITE")).map(|(invite, _)| invite.header("Call-ID").to_owned());
    let silent: BTreeSet<String> = silent.collect();
    targets[0].set_nonblocking(false).unwrap();
    assert_eq!(silent.len(), 1, "one call finds out, the next begins with the other");
    seen.borrow_mut().extend(silent);
    // The call at the first one has gone on meanwhile, and is a sign of life.
    end(0, before);
    end(1, first);
    end(1, second);
    let back = talk(0);
    end(0, back);
}

/// Two servers of a domain, as the DNS of the trunk's own says.
fn by_domain(ttl: u32) -> (Dns, [UdpSocket; 2], Gateway) {
    let targets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    targets.iter().for_each(|target| target.set_read_timeout(Some(PATIENCE)).unwrap());
    let ports = [0, 1].map(|at: usize| targets[at].local_addr().unwrap().port());
    let dns = Dns::start();
    dns.services(
        "_sip._udp.carrier.example",
        ttl,
        &[(1, 0, ports[0], "a.carrier.example"), (2, 0, ports[1], "b.carrier.example")],
    );
    for host in ["a.carrier.example", "b.carrier.example"] {
        dns.host(host, ttl, [127, 0, 0, 1].into());
    }
    let gateway =
        gateway("hop_timeout = \"500ms\"".to_owned(), format!("address = \"carrier.example\"\ndns = [\"{}\"]", dns.address()));
    (dns, targets, gateway)
}

/// A call that is answered there, from its first INVITE to its record.
fn talks_at(gateway: &Gateway, target: &UdpSocket) {
    let mut caller = calls(gateway);
    let (invite, from) = heard(target, "INVITE").expect("an INVITE");
    assert!(invite.start_line().starts_with("INVITE sip:110@carrier.example SIP/2.0"), "{}", invite.start_line());
    let contact = format!("sip:110@{}", target.local_addr().unwrap());
    target.send_to(ok(&invite, &contact).as_bytes(), from).unwrap();
    heard(target, "ACK").expect("an ACK");
    caller.status(200, "INVITE");
    caller.ack();
    caller.bye();
    let (bye, from) = heard(target, "BYE").expect("a BYE");
    target.send_to(ok(&bye, &contact).as_bytes(), from).unwrap();
    assert_eq!(gateway.record()["result"], "answered");
}

#[test]
fn a_domains_second_server_is_called_when_the_first_is_silent_and_first_by_the_next_call() {
    let (_dns, targets, gateway) = by_domain(60);
    talks_at(&gateway, &targets[1]);
    targets[0].set_nonblocking(true).unwrap();
    assert!(heard(&targets[0], "INVITE").is_some(), "the first was called first");
    while heard(&targets[0], "INVITE").is_some() {}
    talks_at(&gateway, &targets[1]);
    assert!(heard(&targets[0], "INVITE").is_none(), "the next call begins with the second");
}

#[test]
fn calls_go_on_while_the_dns_is_dead_and_an_alarm_says_so() {
    let (dns, targets, gateway) = by_domain(1);
    talks_at(&gateway, &targets[0]);
    dns.is_silent(true);
    let asked = dns.asked();
    // Until what was told has outlived its second, and the servers were asked in vain.
    wait_until("a lookup by what is kept", || {
        talks_at(&gateway, &targets[0]);
        gateway.metric("dns_stale_total") > 0 && gateway.metric("dns_down") == 1
    });
    assert!(dns.asked() > asked);
}
