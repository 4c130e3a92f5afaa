use crate::sip::Params;
use std::fmt;
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Sip,
    Sips,
    Tel,
}

/// A host as written: a literal address (IPv6 without brackets here) or a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    Ip(IpAddr),
    Name(String),
}

/// A SIP, SIPS or tel URI (RFC 3261 §19.1, RFC 3966). For tel, `user` is the number and `host` is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Uri {
    pub scheme: Scheme,
    /// Percent-decoded.
    pub user: Option<String>,
    pub password: Option<String>,
    pub host: Host,
    pub port: Option<u16>,
    pub params: Params,
    /// The part after `?`, as written.
    pub headers: Option<String>,
}

impl Uri {
    /// Parses a URI that stands alone (a request URI, or what is between `<` and `>`).
    pub fn parse(text: &[u8]) -> Option<Uri> {
        let _ = text;
        todo!()
    }

    /// `sip:user@host:port`; no user when empty.
    pub fn sip(user: &str, host: Host, port: Option<u16>) -> Uri {
        let user = if user.is_empty() { None } else { Some(user.to_owned()) };
        Uri { scheme: Scheme::Sip, user, password: None, host, port, params: Params::default(), headers: None }
    }

    /// Equality as RFC 3261 §19.1.4 defines it.
    pub fn equivalent(&self, other: &Uri) -> bool {
        let _ = other;
        todo!()
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        todo!()
    }
}
