//! SIP as text: split and put together here, by nothing that the gateway itself is made of.

use hotline::base::Rng;

/// Compact forms (RFC 3261 §20, RFC 3265, RFC 3515, RFC 4028).
const COMPACT: &[(&str, &str)] = &[
    ("v", "via"),
    ("f", "from"),
    ("t", "to"),
    ("i", "call-id"),
    ("m", "contact"),
    ("l", "content-length"),
    ("c", "content-type"),
    ("k", "supported"),
    ("o", "event"),
    ("r", "refer-to"),
    ("x", "session-expires"),
];

/// Headers of which a message has one at most.
const ONCE: &[&str] = &["from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type", "rseq", "rack"];

#[derive(Clone, Debug, Default)]
pub struct Msg {
    pub start: String,
    /// Names in lower case and at length, values unfolded.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Msg {
    /// As a peer reads it that forgives much.
    pub fn read(data: &[u8]) -> Result<Msg, String> {
        let text = String::from_utf8_lossy(data);
        let (head, body) = text.split_once("\r\n\r\n").ok_or("its head does not end")?;
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        for line in lines {
            let (name, value) = line.split_once(':').ok_or_else(|| format!("{line:?} is no header"))?;
            let name = name.trim().to_ascii_lowercase();
            let long = COMPACT.iter().find(|(compact, _)| *compact == name).map_or(name.clone(), |(_, long)| (*long).to_owned());
            headers.push((long, value.trim().to_owned()));
        }
        Ok(Msg { start, headers, body: body.to_owned() })
    }

    /// As the gateway must write: nothing folded, nothing twice, the length that it says (RFC 3261 §7, §20.14).
    pub fn strict(data: &[u8]) -> Result<Msg, String> {
        let msg = Msg::read(data)?;
        let end = data.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(data.len());
        for line in data[..end].split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.iter().any(|byte| *byte < 32 && *byte != b'\t') || line.is_empty() || line.starts_with(b" ") {
                return Err(format!("it writes the line {:?}", String::from_utf8_lossy(line)));
            }
        }
        for name in ONCE {
            if msg.all(name).count() > 1 {
                return Err(format!("it writes {name} twice"));
            }
        }
        for name in ["via", "from", "to", "call-id", "cseq", "content-length"] {
            if msg.get(name).is_none_or(str::is_empty) {
                return Err(format!("it writes no {name}"));
            }
        }
        let said = msg.get("content-length").and_then(|n| n.parse::<usize>().ok());
        if said != Some(data.len() - end - 4) {
            return Err(format!("its Content-Length is {said:?} for {} bytes", data.len() - end - 4));
        }
        if msg.body.is_empty() != msg.get("content-type").is_none() {
            return Err("a body and its type come without each other".to_owned());
        }
        Ok(msg)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Each value of a header that lists, whatever lines they stand in.
    pub fn values(&self, name: &str) -> Vec<String> {
        self.all(name).flat_map(|line| split(line, ',')).collect()
    }

    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.values(name).iter().any(|value| value.eq_ignore_ascii_case(token))
    }

    /// None: it is a request.
    pub fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    /// The method of a request, or of what a response answers.
    pub fn method(&self) -> String {
        let of_cseq = || self.get("cseq").and_then(|cseq| cseq.split_whitespace().nth(1)).unwrap_or_default();
        if self.status().is_some() { of_cseq().to_owned() } else { self.start.split(' ').next().unwrap_or_default().to_owned() }
    }

    pub fn uri(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    pub fn seq(&self) -> u32 {
        let number = self.get("cseq").and_then(|cseq| cseq.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).unwrap_or(u32::MAX)
    }

    pub fn call(&self) -> String {
        self.get("call-id").unwrap_or_default().to_owned()
    }

    pub fn tag(&self, party: &str) -> Option<String> {
        param(self.get(party)?, "tag")
    }

    pub fn branch(&self) -> String {
        self.values("via").first().and_then(|via| param(via, "branch")).unwrap_or_default()
    }

    pub fn contact(&self) -> Option<String> {
        self.values("contact").first().map(|contact| address(contact))
    }

    pub fn sdp(&self) -> Option<&str> {
        self.get("content-type").is_some_and(|kind| kind.eq_ignore_ascii_case("application/sdp")).then_some(self.body.as_str())
    }

    /// It is to be confirmed by a PRACK.
    pub fn rseq(&self) -> Option<u32> {
        self.get("rseq").filter(|_| self.lists("require", "100rel"))?.parse().ok()
    }
}

/// Parts outside of quotes and angle brackets.
pub fn split(text: &str, at: char) -> Vec<String> {
    let (mut quoted, mut escaped, mut angle) = (false, false, false);
    let mut parts = vec![String::new()];
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if !angle => quoted = !quoted,
            '<' if !quoted => angle = true,
            '>' if !quoted => angle = false,
            _ => {}
        }
        if c == at && !quoted && !angle {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// A parameter of a header's value, not of the URI in it.
pub fn param(value: &str, name: &str) -> Option<String> {
    let pairs = split(value, ';').into_iter().skip(1);
    pairs
        .filter_map(|pair| pair.split_once('=').map(|(n, v)| (n.trim().to_owned(), v.trim().to_owned())))
        .find_map(|(n, v)| if n.eq_ignore_ascii_case(name) { Some(v) } else { None })
}

/// The URI of a name-addr or addr-spec.
pub fn address(value: &str) -> String {
    let value = split(value, ';').into_iter().next().unwrap_or_default();
    match (value.rfind('<'), value.rfind('>')) {
        (Some(from), Some(to)) if from < to => value[from + 1..to].to_owned(),
        _ => value,
    }
}

/// One of the many ways to write it down that RFC 3261 §7.3 allows.
pub fn write(rng: &mut Rng, start: &str, headers: &[(&str, String)], body: &str) -> Vec<u8> {
    let odd = rng.chance(400);
    let mut lines: Vec<String> = headers.iter().map(|(name, value)| line(rng, odd, name, value)).collect();
    if !body.is_empty() || rng.chance(700) {
        // Over UDP the length may be left out: the rest of the datagram is the body (§18.3).
        if !odd || rng.chance(800) {
            lines.push(line(rng, odd, "Content-Length", &body.len().to_string()));
        }
    }
    // Headers of one name keep their order, others may come in any (§7.3.1).
    if odd && rng.chance(500) {
        let at = rng.below(lines.len() as u64) as usize;
        let turned = lines.split_off(at);
        let apart = !lines.iter().any(|line| turned.iter().any(|other| same_name(line, other)));
        if apart {
            lines.splice(0..0, turned);
        } else {
            lines.extend(turned)
        }
    }
    format!("{start}\r\n{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
}

fn same_name(a: &str, b: &str) -> bool {
    let name = |line: &str| {
        let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
        COMPACT.iter().find(|(compact, _)| *compact == name).map_or(name, |(_, long)| (*long).to_owned())
    };
    name(a) == name(b)
}

fn line(rng: &mut Rng, odd: bool, name: &str, value: &str) -> String {
    if !odd {
        return format!("{name}: {value}");
    }
    let low = name.to_ascii_lowercase();
    let compact = COMPACT.iter().find(|(_, long)| *long == low).map(|(compact, _)| *compact);
    let name = match (rng.below(5), compact) {
        (0 | 1, Some(compact)) => compact.to_owned(),
        (2, _) => low,
        (3, _) => name.to_ascii_uppercase(),
        _ => name.to_owned(),
    };
    let colon = [":", ": ", " : ", "\t:\t", ":  ", ": \r\n "][rng.below(6) as usize];
    let tail = ["", "", " ", "\t"][rng.below(4) as usize];
    let value = if rng.chance(200) { value.replacen(' ', "\r\n\t", 1) } else { value.to_owned() };
    format!("{name}{colon}{value}{tail}")
}
