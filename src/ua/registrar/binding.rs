//! The places where seats' phones are, each with the flow by which it registered.

use super::read::{Contact, Instance};
use crate::base::{Flow, Mono};
use crate::sip::{NameAddr, Params, Uri};
use std::fmt;

/// One phone of a seat, reached by the flow that it registered from: behind a NAT there is no other way to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    pub(super) contact: Uri,
    pub(super) instance: Option<Instance>,
    pub(super) path: Vec<NameAddr>,
    pub(super) flow: Flow,
    /// No proxy is between: whoever speaks by the flow is the phone.
    pub(super) direct: bool,
    pub(super) call_id: String,
    pub(super) cseq: u32,
    pub(super) until: Mono,
    /// The phone's name for itself.
    pub(super) agent: String,
}

/// A way to call a seat's phone.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    pub flow: Flow,
    pub uri: Uri,
    /// Route headers (RFC 3327 §5.3).
    pub routes: Vec<NameAddr>,
}

impl Binding {
    pub fn flow(&self) -> Flow {
        self.flow
    }

    pub fn contact(&self) -> &Uri {
        &self.contact
    }

    pub fn until(&self) -> Mono {
        self.until
    }

    pub(super) fn way(&self) -> Way {
        Way { flow: self.flow, uri: self.contact.clone(), routes: self.path.clone() }
    }

    /// Tells whether the contact means this one: the same flow of the same phone (RFC 5626 §6), or the same URI.
    pub(super) fn is(&self, contact: &Contact) -> bool {
        match (&self.instance, &contact.instance) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => self.contact.equivalent(&contact.uri),
        }
    }

    /// RFC 3261 §10.3 step 7: a request of the same phone that comes too late.
    pub(super) fn is_newer_than(&self, call_id: &str, cseq: u32) -> bool {
        self.call_id == call_id && self.cseq >= cseq
    }
}

/// As it is told in the answer to a REGISTER.
pub(super) struct Told<'a>(&'a Binding, Mono);

impl Told<'_> {
    pub fn of(binding: &Binding, now: Mono) -> Told<'_> {
        Told(binding, now)
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told(binding, now) = self;
        let mut params = Params::default();
        if let Some(Instance { id, reg_id }) = &binding.instance {
            params.set("+sip.instance", Some(id));
            if *reg_id > 0 {
                params.set("reg-id", Some(&reg_id.to_string()));
            }
        }
        let left = binding.until.since(*now).as_secs();
        write!(f, "<{}>{params};expires={left}", binding.contact)
    }
}
