//! Values of extensions: reasons, reliable provisionals, session timers, call replacement.

use crate::sip::text::{is_token, lossy, number, write_quoted};
use crate::sip::{Headers, Method, Name, Params};
use std::fmt;
use std::time::Duration;

/// A Reason value (RFC 3326): `Q.850;cause=16;text="Terminated"`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    pub protocol: String,
    pub cause: Option<u16>,
    pub text: Option<String>,
}

/// An RAck value (RFC 3262 §7.2): which reliable provisional a PRACK acknowledges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    pub rseq: u32,
    pub cseq: u32,
    pub method: Method,
}

/// A Replaces value (RFC 3891 §6.1). The tags are as the recipient's peer sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    pub call_id: String,
    pub to_tag: String,
    pub from_tag: String,
    pub early_only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    Uac,
    Uas,
}

/// A Session-Expires value (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    pub seconds: u32,
    pub refresher: Option<Refresher>,
}

impl Reason {
    pub fn q850(cause: u8) -> Reason {
        Reason { protocol: "Q.850".into(), cause: Some(cause.into()), text: None }
    }

    pub fn sip(cause: u16, text: &str) -> Reason {
        Reason { protocol: "SIP".into(), cause: Some(cause), text: Some(text.into()) }
    }

    pub fn parse(text: &[u8]) -> Option<Reason> {
        let (protocol, params) = head(text)?;
        let cause = params.get("cause").and_then(|c| number(c.as_bytes()));
        Some(Reason { protocol: token(protocol)?, cause, text: params.get("text").map(str::to_owned) })
    }
}

impl RAck {
    pub fn parse(text: &[u8]) -> Option<RAck> {
        let mut fields = text.split(u8::is_ascii_whitespace).filter(|f| !f.is_empty());
        let rack = RAck { rseq: number(fields.next()?)?, cseq: number(fields.next()?)?, method: Method::parse(fields.next()?)? };
        fields.next().is_none().then_some(rack)
    }
}

impl Replaces {
    /// A value in a URI's headers part must be unescaped first.
    pub fn parse(text: &[u8]) -> Option<Replaces> {
        let (call_id, params) = head(text)?;
        let tag = |name| params.get(name).filter(|t| !t.is_empty()).map(str::to_owned);
        Some(Replaces {
            call_id: Some(lossy(call_id))
                .filter(|c| !c.is_empty() && !c.contains(|c: char| c.is_whitespace() || c.is_control()))?,
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.get("early-only").is_some(),
        })
    }
}

impl SessionExpires {
    pub fn parse(text: &[u8]) -> Option<SessionExpires> {
        let (seconds, params) = head(text)?;
        let refresher = match params.get("refresher").map(str::to_ascii_lowercase).as_deref() {
            Some("uac") => Some(Refresher::Uac),
            Some("uas") => Some(Refresher::Uas),
            _ => None,
        };
        Some(SessionExpires { seconds: number(seconds)?, refresher })
    }
}

impl Headers {
    /// The Q.850 cause of a BYE, a CANCEL or a response (RFC 3326, RFC 6432).
    pub fn q850(&self) -> Option<u8> {
        let mut reasons = self.all(&Name::Reason).filter_map(|v| Reason::parse(v));
        reasons.find(|r| r.protocol.eq_ignore_ascii_case("Q.850"))?.cause?.try_into().ok()
    }

    /// Tells whether the sender of this message lets early media flow from its side (RFC 5009 §5); none when it does not say.
    pub fn early_media(&self) -> Option<bool> {
        let said = |token: &str| self.lists(&Name::PEarlyMedia, token);
        let sends = said("sendrecv") || said("sendonly");
        (sends || said("recvonly") || said("inactive")).then_some(sends)
    }

    pub fn rack(&self) -> Option<RAck> {
        RAck::parse(self.get(&Name::RAck)?)
    }

    pub fn rseq(&self) -> Option<u32> {
        number(self.get(&Name::RSeq)?)
    }

    /// Without its comment and parameters (RFC 3261 §20.33).
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.get(&Name::RetryAfter)?;
        let seconds = value.split(|b| b" \t;(".contains(b)).next()?;
        number(seconds).map(Duration::from_secs)
    }

    pub fn replaces(&self) -> Option<Replaces> {
        Replaces::parse(self.get(&Name::Replaces)?)
    }

    pub fn session_expires(&self) -> Option<SessionExpires> {
        SessionExpires::parse(self.get(&Name::SessionExpires)?)
    }

    pub fn min_se(&self) -> Option<u32> {
        number(head(self.get(&Name::MinSe)?)?.0)
    }
}

/// The text before the parameters, and the parameters.
fn head(text: &[u8]) -> Option<(&[u8], Params)> {
    let (head, params) = text.split_at(text.iter().position(|b| *b == b';').unwrap_or(text.len()));
    Some((head.trim_ascii(), Params::parse(params)?))
}

fn token(text: &[u8]) -> Option<String> {
    is_token(text).then(|| lossy(text))
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        if let Some(text) = &self.text {
            f.write_str(";text=")?;
            write_quoted(f, text)?;
        }
        Ok(())
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rseq, self.cseq, String::from_utf8_lossy(self.method.as_bytes()))
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refresher = match self.refresher {
            None => "",
            Some(Refresher::Uac) => ";refresher=uac",
            Some(Refresher::Uas) => ";refresher=uas",
        };
        write!(f, "{}{refresher}", self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: Name, values: &[&'static str]) -> Headers {
        let mut headers = Headers::default();
        values.iter().for_each(|v| headers.push(name.clone(), *v));
        headers
    }

    #[test]
    fn the_q850_cause_is_found_among_reasons() {
        let of = |values: &[&'static str]| headers(Name::Reason, values).q850();
        assert_eq!(of(&["SIP;cause=200;text=\"Call completed elsewhere\"", "Q.850 ;cause=16;text=\"x;cause=3\""]), Some(16));
        assert_eq!(of(&["q.850;cause=31"]), Some(31));
        assert_eq!(of(&["Q.850;cause=300"]), None);
        assert_eq!(of(&["Q.850"]), None);
        let elsewhere = Reason::sip(200, "Call completed elsewhere");
        assert_eq!(elsewhere.to_string(), "SIP;cause=200;text=\"Call completed elsewhere\"");
        assert_eq!(Reason::parse(elsewhere.to_string().as_bytes()), Some(elsewhere));
        assert_eq!(Reason::q850(22).to_string(), "Q.850;cause=22");
    }

    #[test]
    fn who_may_send_early_media() {
        let of = |values: &[&'static str]| headers(Name::PEarlyMedia, values).early_media();
        assert_eq!(of(&["SendRecv"]), Some(true));
        assert_eq!(of(&["supported", "sendonly, gated"]), Some(true));
        assert_eq!((of(&["inactive"]), of(&["gated,recvonly"])), (Some(false), Some(false)));
        assert_eq!((of(&["supported"]), of(&[])), (None, None));
    }

    #[test]
    fn reliable_provisionals() {
        let rack = RAck::parse(b"776656  1 INVITE").unwrap();
        assert_eq!((rack.rseq, rack.cseq, rack.to_string().as_str()), (776_656, 1, "776656 1 INVITE"));
        for bad in ["", "1 2", "1 2 INVITE x", "-1 2 INVITE", "1 99999999999 INVITE"] {
            assert_eq!(RAck::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(headers(Name::RSeq, &["988789"]).rseq(), Some(988_789));
    }

    #[test]
    fn times_are_read_without_their_comments() {
        let after = |v| headers(Name::RetryAfter, &[v]).retry_after();
        assert_eq!(after("18000;duration=3600"), Some(Duration::from_secs(18_000)));
        assert_eq!(after("120 (I'm in a meeting)"), Some(Duration::from_secs(120)));
        assert_eq!(after("soon"), None);
        assert_eq!(headers(Name::MinSe, &["90;x=y"]).min_se(), Some(90));
        let timer = headers(Name::SessionExpires, &["1800; refresher=UAS"]).session_expires().unwrap();
        assert_eq!(
            (timer, timer.to_string().as_str()),
            (SessionExpires { seconds: 1800, refresher: Some(Refresher::Uas) }, "1800;refresher=uas")
        );
    }

    #[test]
    fn a_call_to_replace_is_named_whole() {
        let of = |v| headers(Name::Replaces, &[v]).replaces();
        let full = of("98732@sip.example.com ;from-tag=r33th4x0r;to-tag=ff87ff;early-only").unwrap();
        assert_eq!(
            (full.call_id.as_str(), full.to_tag.as_str(), full.from_tag.as_str()),
            ("98732@sip.example.com", "ff87ff", "r33th4x0r")
        );
        assert!(full.early_only);
        assert_eq!(of("98732@sip.example.com;from-tag=r33th4x0r"), None);
    }
}
