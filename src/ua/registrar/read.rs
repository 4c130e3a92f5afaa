//! A REGISTER, as far as it says what is to be bound (RFC 3261 §10.3).

use super::{Config, Denied};
use crate::sip::{Headers, Name, NameAddr, Request, Scheme, Uri};
use std::time::Duration;

/// An instance's URN and a user agent's name are kept no longer.
const LONGEST: usize = 256;
const LONGEST_CONTACT: usize = 1024;
const MOST_PATHS: usize = 8;

/// A REGISTER's wish.
#[derive(Debug, PartialEq)]
pub(super) enum Wish {
    /// Only to see what is bound.
    Nothing,
    /// `Contact: *`.
    RemoveAll,
    Contacts(Vec<Contact>),
}

/// One Contact of it.
#[derive(Debug, PartialEq)]
pub(super) struct Contact {
    pub uri: Uri,
    pub instance: Option<Instance>,
    /// Zero: it is to be removed.
    pub expires: Duration,
}

/// One flow of one phone (RFC 5626 §4.2). A phone that numbers no flows has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instance {
    pub id: String,
    pub reg_id: u32,
}

impl Wish {
    pub fn read(config: &Config, request: &Request) -> Result<Wish, Denied> {
        let headers = &request.headers;
        let values: Vec<_> = headers.all(&Name::Contact).collect();
        let default = headers.expires().map(|seconds| Duration::from_secs(seconds.into()));
        if values.iter().any(|value| *value == "*") {
            // RFC 3261 §10.3 step 6.
            let alone = values.len() == 1 && default == Some(Duration::ZERO);
            return if alone {
                Ok(Wish::RemoveAll)
            } else {
                Err(Denied::new(400, "\"*\" needs Expires: 0 and no other Contact"))
            };
        }
        if values.is_empty() {
            return Ok(Wish::Nothing);
        }
        if values.len() > config.contacts {
            return Err(Denied::new(403, "Too Many Contacts"));
        }
        let contacts = values.iter().map(|value| Contact::read(config, default, value));
        contacts.collect::<Result<_, _>>().map(Wish::Contacts)
    }
}

impl Contact {
    fn read(config: &Config, default: Option<Duration>, value: &[u8]) -> Result<Contact, Denied> {
        let short = value.len() <= LONGEST_CONTACT;
        let contact = NameAddr::parse(value).filter(|contact| short && contact.uri.scheme == Scheme::Sip);
        let contact = contact.ok_or(Denied::new(400, "A Contact is no SIP URI"))?;
        let own = contact.params.get("expires").map(|text| text.parse().map_or(config.expires, Duration::from_secs));
        let wanted = own.or(default).unwrap_or(config.expires);
        if wanted > Duration::ZERO && wanted < config.least_expires {
            return Err(Denied { min_expires: Some(config.least_expires), ..Denied::new(423, "") });
        }
        let reg_id = contact.params.get("reg-id").and_then(|text| text.parse().ok()).unwrap_or(0);
        let id = contact.params.get("+sip.instance").filter(|id| !id.is_empty() && id.len() <= LONGEST);
        let instance = id.map(|id| Instance { id: id.to_owned(), reg_id });
        Ok(Contact { uri: Uri { headers: None, ..contact.uri }, instance, expires: wanted.min(config.most_expires) })
    }
}

/// The proxies between (RFC 3327); they must be on the way to the phone.
pub(super) fn paths(headers: &Headers) -> Result<Vec<NameAddr>, Denied> {
    let read: Option<Vec<NameAddr>> = headers.all(&Name::Path).map(|value| NameAddr::parse(value)).collect();
    read.filter(|paths| paths.len() <= MOST_PATHS).ok_or(Denied::new(400, "Path cannot be used"))
}

/// The phone's name for itself, without what could act in a log.
pub(super) fn agent(headers: &Headers) -> String {
    let text = headers.text(&Name::UserAgent).unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}
