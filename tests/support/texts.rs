//! The texts of phones that tests play by hand, message by message.

use std::net::SocketAddr;

/// The first line of a message that begins so.
pub fn line<'a>(message: &'a str, name: &str) -> &'a str {
    message.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}in {message}"))
}

/// The URI in angle brackets.
pub fn uri(contact: &str) -> &str {
    contact.split(['<', '>']).nth(1).unwrap()
}

/// An offer or answer of a phone at this address.
pub fn sdp(at: SocketAddr) -> String {
    let lines = [
        "v=0",
        &format!("o=- 1 1 IN IP4 {}", at.ip()),
        "s=-",
        &format!("c=IN IP4 {}", at.ip()),
        "t=0 0",
        "m=audio 20000 RTP/AVP 8 101",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=ptime:20",
        "",
    ];
    lines.join("\r\n")
}

/// A request with such a body.
pub fn with_sdp(head: &[&str], at: SocketAddr) -> String {
    let body = sdp(at);
    format!("{}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}", head.join("\r\n"), body.len())
}

/// A response to a request, with these headers besides those that it copies.
pub fn reply(request: &str, status: &str, extra: &[&str], body: &str) -> String {
    let copied = |line: &&str| ["Via: ", "From: ", "Call-ID: ", "CSeq: "].iter().any(|name| line.starts_with(name));
    let first = format!("SIP/2.0 {status}");
    let to = line(request, "To: ");
    let to = if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag=s") };
    let mut lines: Vec<&str> = vec![&first];
    lines.extend(request.lines().filter(copied));
    lines.push(&to);
    lines.extend(extra);
    if !body.is_empty() {
        lines.push("Content-Type: application/sdp");
    }
    format!("{}\r\nContent-Length: {}\r\n\r\n{body}", lines.join("\r\n"), body.len())
}
