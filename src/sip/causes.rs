//! Codes that mean at one trunk what the RFCs do not say: what its answers mean to us, and what it wants to be told by us.

use super::{Headers, Name, Reason, Response};
use crate::base::{About, Meaning};
use std::sync::Arc;
use std::time::Duration;

/// A map of causes. Of several entries for a code the first that fits holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Causes {
    pub answers: Vec<Arc<Refused>>,
    pub ours: Vec<Ours>,
}

/// A refusal of our INVITE.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    pub code: u16,
    /// Only with this cause in a Reason header; none: with any, or without.
    pub q850: Option<u8>,
    /// Only where this stands in the reason phrase, a Warning or the text of a Reason; empty: whatever stands there.
    pub text: String,
    /// The code by which the RFCs would say it: all that follows from a code follows from this one.
    pub status: u16,
    pub rest: Rest,
    pub meaning: Meaning,
}

/// The time for which no seat calls a number that was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// As long as policy says for any refusal.
    #[default]
    Usual,
    /// Until the hours in which anybody is called begin next.
    Hours,
    For(Duration),
}

/// A refusal of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    pub code: u16,
    pub q850: Option<u8>,
    pub sends: u16,
}

impl Causes {
    /// The meaning of an answer; none: what the RFCs say.
    pub fn answer(&self, response: &Response) -> Option<&Arc<Refused>> {
        let mut entries = self.answers.iter().filter(|entry| entry.code == response.status.0);
        entries.find(|entry| entry.fits(response))
    }

    /// The code for a refusal of ours.
    pub fn ours(&self, code: u16, q850: Option<u8>) -> u16 {
        let fits = |ours: &&Ours| ours.code == code && (ours.q850.is_none() || ours.q850 == q850);
        self.ours.iter().find(fits).map_or(code, |ours| ours.sends)
    }
}

impl Refused {
    fn fits(&self, response: &Response) -> bool {
        let cause = self.q850.is_none() || response.headers.q850() == self.q850;
        cause && (self.text.is_empty() || said(&self.text, response))
    }

    /// It is about the number, so that no other way to it is tried.
    pub fn is_of_number(&self) -> bool {
        self.meaning.about == About::Number
    }
}

/// Tells whether the peer says this somewhere, in any case.
fn said(text: &str, response: &Response) -> bool {
    let holds = |value: &[u8]| value.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text.as_bytes()));
    holds(&response.reason) || response.headers.all(&Name::Warning).any(|value| holds(value)) || reasons(&response.headers, holds)
}

fn reasons(headers: &Headers, holds: impl Fn(&[u8]) -> bool) -> bool {
    let texts = headers.all(&Name::Reason).filter_map(|value| Reason::parse(value)?.text);
    texts.into_iter().any(|text| holds(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Method, Request, Status, Uri};

    fn entry(code: u16, q850: Option<u8>, text: &str, status: u16) -> Arc<Refused> {
        let meaning = Meaning { means: status.to_string(), about: About::Number, en: "x".into(), zh: "x".into() };
        Arc::new(Refused { code, q850, text: text.into(), status, rest: Rest::Usual, meaning })
    }

    fn response(code: u16, more: &[(Name, &'static str)]) -> Response {
        let request = Request::new(Method::Invite, Uri::parse(b"sip:1@h").unwrap());
        let mut response = request.reply(Status(code), None);
        response.reason = "Rejected By Platform".into();
        more.iter().for_each(|(name, value)| response.headers.push(name.clone(), *value));
        response
    }

    #[test]
    fn the_first_entry_that_fits_holds() {
        let causes = Causes {
            answers: vec![
                entry(486, None, "concurrency", 503),
                entry(486, Some(34), "", 503),
                entry(486, None, "", 486),
                entry(404, None, "platform", 403),
            ],
            ours: Vec::new(),
        };
        let means = |code, more: &[(Name, &'static str)]| causes.answer(&response(code, more)).map(|entry| entry.status);
        assert_eq!(means(486, &[]), Some(486));
        assert_eq!(means(486, &[(Name::Warning, "399 ims \"Over CONCURRENCY limit\"")]), Some(503));
        assert_eq!(
            means(486, &[(Name::Reason, "Q.850;cause=17"), (Name::Reason, "SIP;cause=486;text=\"concurrency\"")]),
            Some(503)
        );
        assert_eq!(means(486, &[(Name::Reason, "Q.850;cause=34")]), Some(503));
        assert_eq!(means(404, &[]), Some(403), "the reason phrase");
        assert_eq!(means(480, &[]), None);
    }

    #[test]
    fn a_trunk_is_told_its_own_codes() {
        let ours = |code, q850, sends| Ours { code, q850, sends };
        let causes = Causes { answers: Vec::new(), ours: vec![ours(480, Some(19), 486), ours(480, None, 404)] };
        assert_eq!((causes.ours(480, Some(19)), causes.ours(480, None), causes.ours(410, Some(22))), (486, 404, 410));
    }
}
