//! Bindings that outlive the process. A connection does not: its phone must come back (RFC 5626 §4.5).

use super::read::Instance;
use super::{Binding, Registrar, account};
use crate::base::{Flow, Now, Wall};
use crate::sip::{NameAddr, Uri};
use std::time::Duration;

/// A binding as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub contact: String,
    /// The phone, and the number of its flow.
    pub instance: Option<(String, u32)>,
    pub path: Vec<String>,
    pub flow: Flow,
    pub direct: bool,
    pub call_id: String,
    pub cseq: u32,
    pub until: Wall,
    pub agent: String,
}

impl Registrar {
    /// The seat's bindings, the one that registered last first.
    pub fn kept(&self, now: Now, seat: &str) -> Vec<Kept> {
        let kept = |binding: &Binding| Kept {
            contact: binding.contact.to_string(),
            instance: binding.instance.as_ref().map(|instance| (instance.id.clone(), instance.reg_id)),
            path: binding.path.iter().map(ToString::to_string).collect(),
            flow: binding.flow,
            direct: binding.direct,
            call_id: binding.call_id.clone(),
            cseq: binding.cseq,
            until: now.after(binding.until.since(now.mono)).wall,
            agent: binding.agent.clone(),
        };
        self.bindings(seat).iter().map(kept).collect()
    }

    /// Takes back the bindings of a seat that may still register and whose time is not over. Those of connections are gone.
    pub fn restore(&mut self, now: Now, seat: &str, kept: &[Kept]) {
        let Some(seat) = account(&self.config, seat).map(|account| account.seat.clone()) else { return };
        let mut bindings: Vec<Binding> = Vec::new();
        for kept in kept.iter().filter(|kept| !kept.flow.proto.reliable() && self.admits(kept.flow.remote.ip())) {
            bindings.extend(self.restored(now, kept));
        }
        bindings.truncate(self.config.contacts);
        self.replace(&seat, bindings);
    }

    fn restored(&self, now: Now, kept: &Kept) -> Option<Binding> {
        let left = left(now.wall, kept.until)?.min(self.config.most_expires);
        Some(Binding {
            contact: Uri::parse(kept.contact.as_bytes())?,
            instance: kept.instance.clone().map(|(id, reg_id)| Instance { id, reg_id }),
            path: kept.path.iter().map(|path| NameAddr::parse(path.as_bytes())).collect::<Option<_>>()?,
            flow: kept.flow,
            direct: kept.direct,
            call_id: kept.call_id.clone(),
            cseq: kept.cseq,
            until: now.mono.after(left),
            agent: kept.agent.clone(),
        })
    }
}

/// The time between, where it is any.
fn left(now: Wall, until: Wall) -> Option<Duration> {
    let micros = u64::try_from(until.0.checked_sub(now.0)?).ok().filter(|micros| *micros > 0)?;
    Some(Duration::from_micros(micros))
}
