//! Calls that go out by accounts of ours: as whom, by which way, and by which other ways where that fails.

use crate::base::{Flow, Proto};
use crate::sip::{Header, Host, Name, NameAddr, Uri};
use crate::ua::registration::{Account, Settings, Shows};
use crate::ua::{KnownAs, Way};
use std::net::SocketAddr;
use std::sync::Arc;

/// Another way to a party.
#[derive(Clone)]
pub(super) struct Other {
    /// None: where the first way leads.
    pub flow: Option<Flow>,
    pub uri: Uri,
    pub routes: Vec<NameAddr>,
    pub account: Option<ByAccount>,
}

impl From<Way> for Other {
    fn from(Way { flow, uri, routes }: Way) -> Other {
        Other { flow: Some(flow), uri, routes, account: None }
    }
}

/// As whom a carrier knows us in a call.
#[derive(Clone)]
pub(super) struct ByAccount {
    /// The host of its Contact is the one by which the call goes out.
    known_as: KnownAs,
    /// The identity that the carrier knows us by.
    own: Uri,
    shows: Shows,
}

/// The ways to a number by a trunk where we have accounts, in order, no more than `most`: the first account; others that are registered
/// by other flows; the other addresses of its proxy. An emergency line is tried by all accounts, and in the end as if we had none, by
/// the trunk's `own` way.
pub(super) fn ways(accounts: &[&Account], own: &Other, number: &str, emergency: bool, most: usize) -> Vec<Other> {
    let Some(first) = accounts.first() else { return Vec::new() };
    let by = |account: &Account| way(account, own.flow, number, emergency);
    let (mut all, mut further) = (vec![by(first)], Vec::new());
    let known = |all: &[Other], flow: Option<Flow>| flow.is_none() || all.iter().any(|other| other.flow == flow);
    for other in accounts.iter().skip(1).map(|account| by(account)) {
        if known(&all, other.flow) { further.push(other) } else { all.push(other) }
    }
    for hop in first.hops().iter().filter(|_| first.is_bound()) {
        if !known(&all, Some(*hop)) {
            all.push(Other { flow: Some(*hop), ..by(first) });
        }
    }
    if emergency {
        all.extend(further);
        all.truncate(most.saturating_sub(1));
        let hops = first.hops();
        let elsewhere = hops.iter().find(|hop| !known(&all, Some(**hop))).or(hops.first()).copied();
        all.push(Other { flow: own.flow.or(elsewhere), ..own.clone() });
    }
    all.truncate(most);
    // The party's voice comes by the family of the first.
    let family = all.first().and_then(|first| first.flow).map(|flow| flow.remote.is_ipv4());
    all.retain(|other| family.is_none() || other.flow.is_none_or(|flow| Some(flow.remote.is_ipv4()) == family));
    all
}

/// A call by an account goes where it is registered, by the carrier's Service-Route, which stands in the place of any route of ours
/// (RFC 3608 §6.1), to a number of its domain. One that is not registered, which only a call to an emergency line takes, goes to the
/// trunk's address all the same.
fn way(account: &Account, to_trunk: Option<Flow>, number: &str, emergency: bool) -> Other {
    let Settings { aor, shows, target, .. } = account.settings();
    // An emergency line is to know who needs help.
    let shows = if emergency { Shows::Caller } else { *shows };
    let bound = account.last_bound();
    let flow = bound.map(|bound| bound.flow).or(to_trunk);
    let (routes, own) = (account.routes().to_vec(), account.identity());
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let proto = target.transport.proto().unwrap_or(Proto::Udp);
    let contact = account.contact(flow.unwrap_or(Flow { proto, local: nowhere, remote: nowhere }));
    let known_as = KnownAs { login: account.login(), contact };
    let uri = Uri::sip(number, aor.host.clone(), aor.port);
    Other { flow, uri, routes, account: Some(ByAccount { known_as, own: own.clone(), shows }) }
}

impl ByAccount {
    pub fn known_at(&self, local: SocketAddr) -> Arc<KnownAs> {
        let mut known_as = self.known_as.clone();
        (known_as.contact.host, known_as.contact.port) = (Host::Ip(local.ip()), Some(local.port()));
        Arc::new(known_as)
    }

    /// From: the account's own number, or the caller's in its domain.
    pub fn from(&self, shown: NameAddr) -> NameAddr {
        match (self.shows, shown.uri.user.as_deref()) {
            (Shows::Caller, Some(number)) if number != "anonymous" => {
                NameAddr::new(Uri::sip(number, self.own.host.clone(), self.own.port))
            }
            (Shows::Caller, _) => shown,
            (Shows::Own, _) => NameAddr::new(self.own.clone()),
        }
    }

    /// The identity that the carrier may believe (RFC 3325 §9.2) is the account's.
    pub fn identify(&self, headers: &mut Vec<Header>) {
        headers.retain(|header| header.name != Name::PAssertedIdentity);
        let name = if self.shows == Shows::Own { Name::PPreferredIdentity } else { Name::PAssertedIdentity };
        headers.push(Header::printed(name, NameAddr::new(self.own.clone())));
    }
}
