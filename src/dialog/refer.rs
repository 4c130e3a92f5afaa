//! Reads what a REFER says (RFC 3515 §2.1, RFC 3892).

use crate::base::Mono;
use crate::dialog::Refer;
use crate::dialog::snapshot::ReferralSnapshot;
use crate::sip::{Name, NameAddr, Replaces, Request, Scheme, Status};
use crate::transaction::ServerId;
use crate::ua::Refusal;

/// The request of a REFER, or why it cannot be served.
pub(super) type Referred = Result<Refer, Refusal>;

/// A REFER under way, as a leg keeps it.
#[derive(Debug)]
pub(super) struct Referral {
    pub(super) id: u32,
    /// Event of its NOTIFYs.
    pub(super) event: String,
    pub(super) stage: Stage,
    pub(super) until: Mono,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "few legs have one, and not for long")]
pub(super) enum Stage {
    /// Not answered.
    Asked { server: ServerId, request: Request },
    /// Accepted without a subscription (RFC 4488 §4).
    Silent,
    /// `told` is on the wire while `waiting`; then comes `next`.
    Subscribed { told: Status, next: Option<Status>, waiting: bool },
}

impl Referral {
    pub(super) fn deadline(&self) -> Mono {
        self.until
    }

    /// None while it waits for an answer.
    pub(super) fn snapshot(&self, now: Mono) -> Option<ReferralSnapshot> {
        let told = match self.stage {
            Stage::Silent => None,
            Stage::Subscribed { told, next: None, waiting: false } => Some(told.0),
            Stage::Asked { .. } | Stage::Subscribed { .. } => return None,
        };
        Some(ReferralSnapshot { id: self.id, event: self.event.clone(), told, until: self.until.offset_from(now) })
    }

    pub(super) fn restore(now: Mono, snapshot: ReferralSnapshot) -> Referral {
        let ReferralSnapshot { id, event, told, until } = snapshot;
        let subscribed = |told| Stage::Subscribed { told: Status(told), next: None, waiting: false };
        Referral { id, event, stage: told.map_or(Stage::Silent, subscribed), until: now.at(until) }
    }
}

/// The leg that it would replace is not looked up yet.
pub(super) fn read(request: &Request) -> Referred {
    let mut to = refer_to(request)?.uri;
    // RFC 3261 §21.4.14; as in a Request-URI, so here.
    if !matches!(to.scheme, Scheme::Sip | Scheme::Tel) {
        return Err(Refusal::new(416));
    }
    // We call, and do nothing else for others: RFC 3515 §2.4.2.
    if to.params.get("method").is_some_and(|method| !method.eq_ignore_ascii_case("INVITE")) {
        return Err(Refusal::new(603));
    }
    to.headers = None;
    let referred_by = request.headers.get(&Name::ReferredBy).and_then(|value| NameAddr::parse(value));
    let id = request.headers.cseq().map_or(0, |cseq| cseq.seq);
    Ok(Refer { id, to, replaces: None, referred_by })
}

/// The Replaces among the headers of Refer-To (RFC 3891 §4): at most one.
pub(super) fn replaces(request: &Request) -> Result<Option<Replaces>, Refusal> {
    let to = refer_to(request)?.uri;
    let mut values = to.header("Replaces");
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => Replaces::parse(&value).map(Some).ok_or(Refusal::new(400)),
        (Some(_), Some(_)) => Err(Refusal::new(400)),
    }
}

/// RFC 3515 §2.4.2: 400 when there is none or more than one.
fn refer_to(request: &Request) -> Result<NameAddr, Refusal> {
    let mut values = request.headers.all(&Name::ReferTo);
    match (values.next(), values.next()) {
        (Some(value), None) => NameAddr::parse(value).ok_or(Refusal::new(400)),
        _ => Err(Refusal::new(400)),
    }
}
