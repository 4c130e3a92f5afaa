//! Session descriptions as text, and what RFC 3264 says of one that answers another.

/// `m=audio 4000 RTP/AVP 8 0 101`: kind, port, protocol, formats, and the direction that holds for it.
#[derive(Debug)]
struct Line {
    kind: String,
    port: u16,
    proto: String,
    formats: Vec<String>,
    direction: String,
}

fn lines(sdp: &str) -> Result<Vec<Line>, String> {
    let mut found: Vec<Line> = Vec::new();
    let mut session = "sendrecv".to_owned();
    for line in sdp.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            let mut words = media.split(' ').map(str::to_owned);
            let (kind, port, proto) = (words.next(), words.next(), words.next());
            let (Some(kind), Some(port), Some(proto)) = (kind, port.and_then(|p| p.parse().ok()), proto) else {
                return Err(format!("it describes {line:?}"));
            };
            found.push(Line { kind, port, proto, formats: words.collect(), direction: session.clone() });
        } else if let Some(direction @ ("sendrecv" | "sendonly" | "recvonly" | "inactive")) = line.strip_prefix("a=") {
            match found.last_mut() {
                Some(line) => line.direction = direction.to_owned(),
                None => session = direction.to_owned(),
            }
        }
    }
    Ok(found)
}

/// RFC 4566 §5: its lines in their order, with an address for each stream.
pub fn form(sdp: &str) -> Result<(), String> {
    let kinds: String = sdp.split("\r\n").filter_map(|line| line.chars().next()).collect();
    if !sdp.ends_with("\r\n") || !kinds.starts_with("vos") || sdp.contains("\r\n\r\n") {
        return Err(format!("its SDP is no SDP: {sdp:?}"));
    }
    let (head, media) = kinds.split_once('m').ok_or("its SDP has no stream")?;
    if !head.contains('t') || !head.contains('c') && !media.contains('c') {
        return Err(format!("its SDP says no time or address: {sdp:?}"));
    }
    for line in lines(sdp)?.iter().filter(|line| line.port > 0 && line.kind == "audio") {
        let mapped = |format: &str| sdp.contains(&format!("a=rtpmap:{format} "));
        if line.formats.is_empty() || line.formats.iter().any(|f| f.parse::<u8>().is_ok_and(|f| f >= 96) && !mapped(f)) {
            return Err(format!("its SDP names a format without a map: {sdp:?}"));
        }
    }
    Ok(())
}

/// RFC 3264 §6: one line for each of the offer's, in order, with formats of the offer and a direction that fits.
pub fn answers(offer: &str, answer: &str) -> Result<(), String> {
    let (offered, answered) = (lines(offer)?, lines(answer)?);
    let wrong = |what: &str| Err(format!("{what}: {answer:?} answers {offer:?}"));
    if offered.len() != answered.len() {
        return wrong("another number of streams");
    }
    for (o, a) in offered.iter().zip(&answered) {
        if o.kind != a.kind || !o.proto.eq_ignore_ascii_case(&a.proto) {
            return wrong("another stream");
        }
        if o.port == 0 && a.port != 0 {
            return wrong("a stream that was not offered");
        }
        if a.port == 0 {
            continue;
        }
        if a.formats.iter().any(|format| !o.formats.contains(format)) {
            return wrong("a format that was not offered");
        }
        let fits: &[&str] = match o.direction.as_str() {
            "sendonly" => &["recvonly", "inactive"],
            "recvonly" => &["sendonly", "inactive"],
            "inactive" => &["inactive"],
            _ => &["sendrecv", "sendonly", "recvonly", "inactive"],
        };
        if !fits.contains(&a.direction.as_str()) {
            return wrong("a direction that does not fit");
        }
    }
    let time = |sdp: &str| sdp.lines().find(|line| line.starts_with("t=")).map(str::to_owned);
    if time(offer) != time(answer) { wrong("another time") } else { Ok(()) }
}

/// RFC 3264 §8: who changes a description counts it up; who does not, does not.
pub fn follows(before: &str, after: &str) -> Result<(), String> {
    let origin = |sdp: &str| -> Vec<String> {
        let line = sdp.lines().find(|line| line.starts_with("o=")).unwrap_or_default();
        line.split(' ').map(str::to_owned).collect()
    };
    let (old, new) = (origin(before), origin(after));
    if old.len() != 6 || new.len() != 6 || (&old[..2], &old[3..]) != (&new[..2], &new[3..]) {
        return Err(format!("the origin {old:?} became {new:?}"));
    }
    let number = |o: &[String]| o[2].parse::<u64>().unwrap_or(0);
    let count = |sdp: &str| sdp.lines().filter(|line| line.starts_with("m=")).count();
    match (before == after, number(&new) > number(&old)) {
        _ if count(after) < count(before) => Err(format!("a stream is gone: {before:?} became {after:?}")),
        (true, false) | (false, true) => Ok(()),
        _ => Err(format!("the version is wrong: {before:?} became {after:?}")),
    }
}

pub struct Description<'a> {
    pub ip: std::net::IpAddr,
    pub port: u16,
    pub version: u64,
    pub formats: &'a [&'a str],
    pub direction: &'a str,
    /// m-lines behind the audio, as they are.
    pub more: &'a str,
}

impl Description<'_> {
    pub fn text(&self) -> String {
        let (ip, formats) = (self.ip, self.formats.join(" "));
        let mut text = format!("v=0\r\no=raw 77 {} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n", self.version);
        text += &format!("m=audio {} RTP/AVP {formats}\r\n", self.port);
        for format in self.formats {
            text += match *format {
                "8" => "a=rtpmap:8 PCMA/8000\r\n",
                "0" => "a=rtpmap:0 PCMU/8000\r\n",
                "18" => "a=rtpmap:18 G729/8000\r\n",
                "96" => "a=rtpmap:96 opus/48000/2\r\n",
                "101" => "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n",
                _ => "a=rtpmap:97 telephone-event/8000\r\na=fmtp:97 0-15\r\n",
            };
        }
        text + &format!("a={}\r\n{}", self.direction, self.more)
    }
}

/// An answer as it would be: its formats that we know, in its order, and the direction turned round.
pub fn answer_to(offer: &str, ip: std::net::IpAddr, port: u16, version: u64) -> String {
    let Ok(offered) = lines(offer) else { return String::new() };
    let Some(audio) = offered.iter().find(|line| line.kind == "audio") else { return String::new() };
    let mapped = |format: &str| offer.contains(&format!("rtpmap:{format} telephone-event"));
    let known = |format: &&str| matches!(*format, "8" | "0") || matches!(*format, "101" | "97") && mapped(format);
    let formats: Vec<&str> = audio.formats.iter().map(String::as_str).filter(known).collect();
    let direction = match audio.direction.as_str() {
        "sendonly" => "recvonly",
        "recvonly" => "sendonly",
        other => other,
    };
    let refused = |line: &Line| format!("m={} 0 {} {}\r\n", line.kind, line.proto, line.formats.join(" "));
    let more: String = offered.iter().skip(1).map(refused).collect();
    Description { ip, port: if audio.port == 0 { 0 } else { port }, version, formats: &formats, direction, more: &more }.text()
}
