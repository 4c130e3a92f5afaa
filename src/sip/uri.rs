use crate::base::Dotted;
use crate::sip::Params;
use crate::sip::text::{Escaped, is_unreserved, lossy, number, unescape};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Characters that stand unescaped, beside the unreserved ones, in a user part, a parameter and the headers part
/// (RFC 3261 §25.1).
const USER: &[u8] = b"&=+$,;?/";
const PASSWORD: &[u8] = b"&=+$,";
const PARAM: &[u8] = b"[]/:&+$";
const HEADERS: &[u8] = b"[]/?:+$&=";
/// In a tel number `#` is written escaped, as in a user part (RFC 3966 §3).
const TEL: &[u8] = b"+";
const OTHER: &[u8] = b"#;/?:@&=+$,[]";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    Sip,
    Sips,
    Tel,
    /// One that we do not know: `user` holds the whole URI as written, nothing else is set. A request to it is
    /// answered 416.
    Other,
}

/// A host as written: a literal address (IPv6 without brackets here) or a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    Ip(IpAddr),
    Name(String),
}

/// A SIP, SIPS or tel URI (RFC 3261 §19.1, RFC 3966). For tel, `user` is the number and `host` is empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Uri {
    pub scheme: Scheme,
    /// Percent-decoded.
    pub user: Option<String>,
    pub password: Option<String>,
    pub host: Host,
    pub port: Option<u16>,
    /// As written: still percent-encoded.
    pub params: Params,
    /// The part after `?`, as written.
    pub headers: Option<String>,
}

impl Uri {
    /// Parses a URI that stands alone (a request URI, or what is between `<` and `>`).
    pub fn parse(text: &[u8]) -> Option<Uri> {
        if text.iter().any(|b| matches!(b, 0..=b' ' | 0x7F | b'<' | b'>' | b'"')) {
            return None;
        }
        let colon = text.iter().position(|b| *b == b':')?;
        let (scheme, rest) = (&text[..colon], &text[colon + 1..]);
        match scheme {
            s if s.eq_ignore_ascii_case(b"sip") => sip(Scheme::Sip, rest),
            s if s.eq_ignore_ascii_case(b"sips") => sip(Scheme::Sips, rest),
            s if s.eq_ignore_ascii_case(b"tel") => tel(rest),
            s if is_scheme(s) && !rest.is_empty() => Some(bare(Scheme::Other, Some(raw(text, OTHER)?))),
            _ => None,
        }
    }

    /// `sip:user@host:port`; no user when empty.
    pub fn sip(user: &str, host: Host, port: Option<u16>) -> Uri {
        let user = if user.is_empty() { None } else { Some(user.to_owned()) };
        Uri { host, port, ..bare(Scheme::Sip, user) }
    }

    /// The values of a header in the part after `?`, unescaped (§19.1.1).
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
        let fields = self.headers.iter().flat_map(|headers| headers.split('&')).filter_map(|field| field.split_once('='));
        fields.filter(move |(n, _)| unescaped_eq(n, name)).filter_map(|(_, value)| unescape(value.as_bytes()))
    }

    /// Equality as RFC 3261 §19.1.4 defines it; of tel URIs as RFC 3966 §4 does.
    pub fn equivalent(&self, other: &Uri) -> bool {
        let same = |name: &str| match (self.params.get(name), other.params.get(name)) {
            (Some(a), Some(b)) => unescaped_eq(a, b),
            (None, None) => true,
            _ => self.scheme != Scheme::Tel && !["user", "ttl", "method", "maddr", "transport"].contains(&lower(name).as_str()),
        };
        self.scheme == other.scheme
            && self.number() == other.number()
            && self.password == other.password
            && self.host.equivalent(&other.host)
            && self.port == other.port
            && self.params.0.iter().chain(&other.params.0).all(|(name, _)| same(name))
            && header_set(self) == header_set(other)
    }

    /// The address of record that it names, as a registrar compares them: without parameters (RFC 3261 §10.3), the host in lower case.
    pub fn address_of_record(&self) -> String {
        let (user, host) = (self.user.as_deref().unwrap_or_default(), self.host.to_string().to_ascii_lowercase());
        self.port.map_or_else(|| format!("{user}@{host}"), |port| format!("{user}@{host}:{port}"))
    }

    /// The same user at the same host and port, whatever the parameters say. A port that is not written is the usual one.
    pub fn same_place(&self, other: &Uri) -> bool {
        let port = |uri: &Uri| uri.port.unwrap_or(if uri.scheme == Scheme::Sips { 5061 } else { 5060 });
        self.scheme == other.scheme && self.user == other.user && self.host.equivalent(&other.host) && port(self) == port(other)
    }

    /// The user part; of a tel URI without visual separators.
    fn number(&self) -> Option<String> {
        let user = self.user.as_ref()?;
        let tel = self.scheme == Scheme::Tel;
        Some(
            user.chars().filter(|c| !tel || !"-.()".contains(*c)).map(|c| if tel { c.to_ascii_lowercase() } else { c }).collect(),
        )
    }
}

impl Host {
    /// A name, an IPv4 address or an IPv6 address in brackets.
    pub fn parse(text: &[u8]) -> Option<Host> {
        let text = std::str::from_utf8(text).ok()?;
        if let Some(inner) = text.strip_prefix('[') {
            return inner.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|ip| Host::Ip(ip.into()));
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Some(Host::Ip(ip.into()));
        }
        let name = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
        name.then(|| Host::Name(text.to_owned()))
    }

    /// `host` or `host:port`, with white space around the colon (RFC 3261 §25.1, COLON).
    pub fn parse_with_port(text: &[u8]) -> Option<(Host, Option<u16>)> {
        let host_end = if text.first() == Some(&b'[') { text.iter().position(|b| *b == b']')? } else { 0 };
        let Some(colon) = text[host_end..].iter().position(|b| *b == b':') else {
            return Some((Host::parse(text.trim_ascii())?, None));
        };
        let (host, port) = text.split_at(host_end + colon);
        Some((Host::parse(host.trim_ascii())?, Some(number(port[1..].trim_ascii())?)))
    }

    /// Names compare without case.
    pub fn equivalent(&self, other: &Host) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a == b,
        }
    }
}

fn bare(scheme: Scheme, user: Option<String>) -> Uri {
    let host = Host::Name(String::new());
    Uri { scheme, user, password: None, host, port: None, params: Params::default(), headers: None }
}

fn sip(scheme: Scheme, text: &[u8]) -> Option<Uri> {
    let (user, password, rest) = match text.iter().position(|b| *b == b'@') {
        Some(at) => {
            let (user, password) = userinfo(&text[..at])?;
            (user, password, &text[at + 1..])
        }
        None => (None, None, text),
    };
    let (rest, headers) = match rest.iter().position(|b| *b == b'?') {
        Some(at) => (&rest[..at], Some(raw(&rest[at + 1..], HEADERS)?)),
        None => (rest, None),
    };
    // A second @ would let two readers see two different hosts. Among the headers it should be escaped, but many phones
    // write the Call-ID of a Replaces as it is; there it cannot be taken for the host's.
    if rest.contains(&b'@') {
        return None;
    }
    let end = rest.iter().position(|b| *b == b';').unwrap_or(rest.len());
    let (host, port) = Host::parse_with_port(&rest[..end])?;
    Some(Uri { scheme, user, password, host, port, params: params(&rest[end..])?, headers })
}

/// `user` and `user:password`. An empty user, as some gateways write for a withheld number, counts as none.
fn userinfo(text: &[u8]) -> Option<(Option<String>, Option<String>)> {
    let (user, password) = match text.iter().position(|b| *b == b':') {
        Some(at) => (&text[..at], Some(raw(&text[at + 1..], PASSWORD)?)),
        None => (text, None),
    };
    let user = if user.contains(&b'%') { lossy(&unescape(user)?) } else { lossy(user) };
    if user.is_empty() { Some((None, None)) } else { Some((Some(user), password)) }
}

fn tel(text: &[u8]) -> Option<Uri> {
    let end = text.iter().position(|b| *b == b';').unwrap_or(text.len());
    let number = lossy(&unescape(&text[..end])?);
    if !number.bytes().any(|b| b.is_ascii_hexdigit() || b"*#".contains(&b))
        || !number.bytes().all(|b| b.is_ascii_hexdigit() || b"+*#-.()".contains(&b))
    {
        return None;
    }
    Some(Uri { params: params(&text[end..])?, ..bare(Scheme::Tel, Some(number)) })
}

/// URI parameters: no quotes, no white space, values as written.
fn params(text: &[u8]) -> Option<Params> {
    let mut params = Params::default();
    for piece in text.split(|b| *b == b';').filter(|p| !p.is_empty()) {
        let (name, value) = match piece.iter().position(|b| *b == b'=') {
            Some(at) => (&piece[..at], Some(raw(&piece[at + 1..], PARAM)?)),
            None => (piece, None),
        };
        if name.is_empty() || params.0.len() == Params::MAX {
            return None;
        }
        params.0.push((raw(name, PARAM)?, value));
    }
    Some(params)
}

/// Text that stays percent-encoded. Its escapes must be whole; what should have been escaped becomes so.
fn raw(text: &[u8], keep: &[u8]) -> Option<String> {
    if text.iter().all(|b| is_unreserved(*b)) {
        return Some(lossy(text));
    }
    if text.contains(&b'%') {
        unescape(text)?;
    }
    Some(Escaped::raw(text, keep).to_string())
}

fn is_scheme(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
}

fn lower(text: &str) -> String {
    text.to_ascii_lowercase()
}

fn unescaped_eq(a: &str, b: &str) -> bool {
    match (unescape(a.as_bytes()), unescape(b.as_bytes())) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(&b),
        _ => a.eq_ignore_ascii_case(b),
    }
}

/// Header components of a URI, in any order.
fn header_set(uri: &Uri) -> Vec<String> {
    let mut set: Vec<String> = uri.headers.iter().flat_map(|h| h.split('&')).map(lower).collect();
    set.sort();
    set
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Host::Ip(ip) => Dotted(*ip).fmt(f),
            Host::Name(name) => Escaped::new(name, b"").fmt(f),
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_deref().unwrap_or_default();
        match self.scheme {
            Scheme::Other => return Escaped::raw(user, OTHER).fmt(f),
            Scheme::Tel => {
                f.write_str("tel:")?;
                Escaped::new(user, TEL).fmt(f)?;
            }
            Scheme::Sip | Scheme::Sips => {
                f.write_str(if self.scheme == Scheme::Sip { "sip:" } else { "sips:" })?;
                self.write_userinfo(f, user)?;
                write!(f, "{}", self.host)?;
                if let Some(port) = self.port {
                    write!(f, ":{port}")?;
                }
            }
        }
        self.write_tail(f)
    }
}

impl Uri {
    fn write_userinfo(&self, f: &mut fmt::Formatter<'_>, user: &str) -> fmt::Result {
        if self.user.is_none() {
            return Ok(());
        }
        Escaped::new(user, USER).fmt(f)?;
        if let Some(password) = &self.password {
            f.write_str(":")?;
            Escaped::raw(password, PASSWORD).fmt(f)?;
        }
        f.write_str("@")
    }

    fn write_tail(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.params.0 {
            f.write_str(";")?;
            Escaped::raw(name, PARAM).fmt(f)?;
            if let Some(value) = value {
                f.write_str("=")?;
                Escaped::raw(value, PARAM).fmt(f)?;
            }
        }
        if let Some(headers) = &self.headers {
            f.write_str("?")?;
            Escaped::raw(headers, HEADERS).fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(a: &str, b: &str) -> bool {
        let (a, b) = (Uri::parse(a.as_bytes()).unwrap(), Uri::parse(b.as_bytes()).unwrap());
        assert_eq!(a.equivalent(&b), b.equivalent(&a));
        a.equivalent(&b)
    }

    #[test]
    fn equality_of_rfc_3261_19_1_4() {
        for (a, b) in [
            ("sip:%61lice@atlanta.example;transport=TCP", "SIP:alice@AtLanTa.ExamPLE;Transport=tcp"),
            ("sip:carol@chicago.example", "sip:carol@chicago.example;newparam=5"),
            ("sip:carol@chicago.example;security=on", "sip:carol@chicago.example;newparam=5"),
            (
                "sip:b.example;transport=tcp;method=REGISTER?to=sip:bob%40b.example",
                "sip:b.example;method=REGISTER;transport=tcp?to=sip:bob%40b.example",
            ),
            ("sip:a@b?subject=project%20x&priority=urgent", "sip:a@b?priority=urgent&subject=project%20x"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("sip:ALICE@b", "sip:alice@b"),
            ("sip:bob@b", "sip:bob@b:5060"),
            ("sip:bob@b", "sip:bob@b;transport=udp"),
            ("sip:bob@b", "sip:bob@b;user=phone"),
            ("sip:bob@b;newparam=6", "sip:bob@b;newparam=5"),
            ("sip:bob@b", "sips:bob@b"),
            ("sip:bob@b", "sip:bob:secret@b"),
            ("sip:carol@b", "sip:carol@b?Subject=next%20meeting"),
            ("sip:bob@phone21.example", "sip:bob@192.0.2.4"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn tel_numbers() {
        let uri = Uri::parse(b"tel:12345;phone-context=+86691").unwrap();
        assert_eq!(
            (uri.scheme, uri.user.as_deref(), uri.params.get("Phone-Context")),
            (Scheme::Tel, Some("12345"), Some("+86691"))
        );
        assert_eq!(uri.to_string(), "tel:12345;phone-context=+86691");
        assert_eq!(Uri::parse(b"tel:*31%23138").unwrap().to_string(), "tel:*31%23138");
        assert!(same("tel:+86-691-12345", "tel:+8669112345"));
        assert!(!same("tel:12345;phone-context=+86691", "tel:12345;phone-context=+86692"));
        assert!(!same("tel:12345;phone-context=+86691", "tel:12345"));
        for bad in ["tel:", "tel:-", "tel:12345@host", "tel:hello"] {
            assert_eq!(Uri::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn headers_of_a_uri_may_hold_what_should_have_been_escaped() {
        for text in [
            "sip:12366@192.0.2.1?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2",
            "sip:12366@192.0.2.1?Replaces=a@b%3Bto-tag%3D1%3Bfrom-tag%3D2",
            "sip:12366@192.0.2.1?replaces=a@b;to-tag=1;from-tag=2",
            "sip:12366@192.0.2.1;user=phone?X=1&Replaces=a@b;to-tag=1;from-tag=2",
        ] {
            let uri = Uri::parse(text.as_bytes()).unwrap();
            let value = uri.header("Replaces").next().unwrap();
            assert_eq!(
                (uri.host, value),
                (Host::Ip("192.0.2.1".parse().unwrap()), b"a@b;to-tag=1;from-tag=2".to_vec()),
                "{text}"
            );
        }
        for bad in ["sip:a@b@c", "sip:a@b;x=@c", "sip:a@b:5@c"] {
            assert_eq!(Uri::parse(bad.as_bytes()), None, "{bad}");
        }
        let user = Uri::parse(b"sip:a?b@c").unwrap();
        assert_eq!((user.user.as_deref(), user.headers), (Some("a?b"), None), "a ? before the @ is the user's");
    }

    #[test]
    fn a_withheld_user_and_unescaped_text() {
        assert_eq!(Uri::parse(b"sip:@192.0.2.7").unwrap().to_string(), "sip:192.0.2.7");
        assert_eq!(Uri::parse("sip:张三@h;名=1".as_bytes()).unwrap().to_string(), "sip:%E5%BC%A0%E4%B8%89@h;%E5%90%8D=1");
        assert_eq!(Uri::sip("1#2", Host::Name("h".into()), Some(5070)).to_string(), "sip:1%232@h:5070");
    }
}
