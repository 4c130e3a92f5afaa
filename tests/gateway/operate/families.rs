//! A gateway with an address of each family: every party is called from, and speaks to, one of its own, and a call between
//! the two is heard both ways.

use super::bench::{Bench, free_port};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Carrier or seat: what it hears and says, by hand.
struct Party {
    sip: UdpSocket,
    rtp: UdpSocket,
    sample: u8,
}

impl Party {
    fn at(ip: IpAddr, port: u16, sample: u8) -> Party {
        let sip = UdpSocket::bind((ip, port)).unwrap();
        sip.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let rtp = UdpSocket::bind((ip, 0)).unwrap();
        rtp.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        Party { sip, rtp, sample }
    }

    fn sdp(&self) -> String {
        let at = self.rtp.local_addr().unwrap();
        let family = if at.is_ipv4() { "IP4" } else { "IP6" };
        let (ip, port) = (at.ip(), at.port());
        format!("v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n")
    }

    fn send(&self, to: SocketAddr, head: &str, sdp: &str) {
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!("{head}{kind}Content-Length: {}\r\n\r\n{sdp}", sdp.len());
        self.sip.send_to(text.as_bytes(), to).unwrap();
    }

    /// The next message that begins so, and its sender.
    fn receive(&self, start: &str) -> (String, SocketAddr) {
        loop {
            let mut bytes = [0; 4096];
            let (length, from) = self.sip.recv_from(&mut bytes).unwrap_or_else(|e| panic!("no {start}: {e}"));
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if text.starts_with(start) {
                return (text, from);
            }
            assert!(!text.starts_with("SIP/2.0 4") && !text.starts_with("SIP/2.0 5"), "{text}");
        }
    }

    /// Speaks to where this message's SDP says, and hears the other's samples from there.
    fn hears(&self, message: &str, other: &Party, its_message: &str) {
        let (ours, theirs) = (media(message), media(its_message));
        let until = Instant::now() + Duration::from_secs(10);
        let mut heard = [0; 2];
        for number in 0_u16.. {
            for (party, to) in [(self, ours), (other, theirs)] {
                let mut packet = vec![0x80, 8];
                packet.extend(number.to_be_bytes());
                packet.extend((u32::from(number) * 160).to_be_bytes());
                packet.extend([0, 0, 0, party.sample]);
                packet.extend([party.sample; 160]);
                party.rtp.send_to(&packet, to).unwrap();
            }
            for ((party, from, of), heard) in [(self, ours, other), (other, theirs, self)].into_iter().zip(&mut heard) {
                let mut bytes = [0; 2048];
                if let Ok((length, source)) = party.rtp.recv_from(&mut bytes) {
                    assert_eq!(source, from, "from where its SDP says");
                    *heard += u32::from(length == 172 && bytes[12..172] == [of.sample; 160]);
                }
            }
            if heard.iter().all(|count| *count > 10) {
                return;
            }
            assert!(Instant::now() < until, "heard so far: {heard:?}");
        }
    }
}

/// The address of a message's audio.
fn media(message: &str) -> SocketAddr {
    let line = |start: &str| message.lines().find_map(|line| line.strip_prefix(start)).unwrap().trim();
    let ip = line("c=IN IP").split(' ').nth(1).unwrap();
    let port = line("m=audio ").split(' ').next().unwrap();
    SocketAddr::new(ip.parse().unwrap(), port.parse().unwrap())
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    message.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim()
}

/// Lines of these headers, as they stand.
fn repeated(message: &str) -> String {
    let names = ["Via:", "From:", "To:", "Call-ID:", "CSeq:", "Record-Route:"];
    let lines = message.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
    lines.map(|line| if line.starts_with("To:") { format!("{line};tag=seat\r\n") } else { format!("{line}\r\n") }).collect()
}

fn talk(caller_ip: IpAddr, seat_ip: IpAddr) {
    let (port, seat_port) = (free_port().port(), free_port().port());
    let seat = Party::at(seat_ip, seat_port, 0x22);
    let caller = Party::at(caller_ip, 0, 0x11);
    let mut bench = Bench::new()
        .set("SIP__LISTEN", &format!("127.0.0.1:{port}, [::1]:{port}"))
        .set("MEDIA__ADDRESSES", "127.0.0.1, ::1")
        .set("TRUNKS__LOOPBACK__ADDRESSES", "127.0.0.1, 127.0.0.0/8, ::1")
        .set("SEATS__DESK__ADDRESS", &SocketAddr::new(seat_ip, seat_port).to_string());
    bench.sip = SocketAddr::new(caller_ip, port);
    let bench = bench.start();
    let own = caller.sip.local_addr().unwrap();
    let head = |method: &str, seq: u32, to: &str| {
        format!(
            "{method} sip:12345@{} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{method}{seq}\r\nMax-Forwards: 70\r\n\
             From: <sip:13800138000@{own}>;tag=caller\r\nTo: {to}\r\nCall-ID: families\r\nCSeq: {seq} {method}\r\n\
             Contact: <sip:caller@{own}>\r\n",
            bench.sip
        )
    };
    caller.send(bench.sip, &head("INVITE", 1, &format!("<sip:12345@{}>", bench.sip)), &caller.sdp());
    let (invite, gateway) = seat.receive("INVITE ");
    assert_eq!((gateway.ip(), media(&invite).ip()), (seat_ip, seat_ip), "{invite}");
    let contact = format!("Contact: <sip:seat@{}>\r\n", seat.sip.local_addr().unwrap());
    seat.send(gateway, &format!("SIP/2.0 200 OK\r\n{}{contact}", repeated(&invite)), &seat.sdp());
    seat.receive("ACK ");
    let (answer, _) = caller.receive("SIP/2.0 200 ");
    assert_eq!(media(&answer).ip(), caller_ip, "{answer}");
    caller.send(bench.sip, &head("ACK", 1, header(&answer, "To:")), "");
    caller.hears(&answer, &seat, &invite);
    caller.send(bench.sip, &head("BYE", 2, header(&answer, "To:")), "");
    let (bye, gateway) = seat.receive("BYE ");
    seat.send(gateway, &format!("SIP/2.0 200 OK\r\n{}", repeated(&bye).replace(";tag=seat;tag=seat", ";tag=seat")), "");
}

#[test]
fn parties_of_either_family_are_called_and_heard_from_their_own() {
    let (v4, v6) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from(Ipv6Addr::LOCALHOST));
    if UdpSocket::bind((v6, 0)).is_err() {
        eprintln!("this machine has no IPv6");
        return;
    }
    for (caller, seat) in [(v4, v6), (v6, v4), (v6, v6), (v4, v4)] {
        talk(caller, seat);
    }
}
