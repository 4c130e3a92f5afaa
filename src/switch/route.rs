//! Where a party is, and what it is told of the caller.

use super::channels::Channels;
use super::identity::Identity;
use super::{Dtmf, Fixed, Live, Seat, Trunk};
use crate::base::{CallId, Flow, LegId, Proto};
use crate::call::Dialled;
use crate::dialog::{Dial, LocalMedia};
use crate::media::Origins;
use crate::queue;
use crate::sip::{Codec, Header, Host, Name, NameAddr, Uri};
use std::net::SocketAddr;
use std::sync::Arc;

/// A way to a party that has a free channel.
pub(super) struct Route {
    flow: Flow,
    uri: Uri,
    codecs: Vec<Codec>,
    pub dtmf: Dtmf,
    pub origins: Arc<Origins>,
    /// The trunk whose channel the leg takes.
    pub trunk: Option<Arc<str>>,
    /// Before the call's id, where the party finds the call's ticket.
    tickets: Option<Arc<str>>,
}

pub(super) fn queue_seats(setup: &Live) -> Vec<queue::Seat> {
    setup.seats.iter().map(|s| queue::Seat { name: s.name.clone(), channels: s.channels }).collect()
}

/// `setups`: the one that holds now, and the one that the call began with, for parties that are in no other.
pub(super) fn route(fixed: &Fixed, setups: [&Live; 2], party: &Dialled, emergency: bool, channels: &Channels) -> Option<Route> {
    let now = setups[0];
    match party {
        Dialled::Seat { name } => to_seat(fixed, seat(setups, name)?),
        Dialled::Target(target) => {
            let trunk = match &target.trunk {
                Some(name) => setups.iter().find_map(|setup| setup.trunks.iter().find(|trunk| trunk.name == *name))?,
                None => now.trunks.get(now.default_route)?,
            };
            channels.free(trunk, emergency).then(|| to_trunk(fixed, trunk, &target.number))?
        }
    }
}

pub(super) fn seat<'a>(setups: [&'a Live; 2], name: &str) -> Option<&'a Seat> {
    setups.iter().find_map(|setup| setup.seats.iter().find(|seat| *seat.name == *name))
}

fn to_seat(fixed: &Fixed, seat: &Seat) -> Option<Route> {
    let flow = Flow { proto: seat.proto, local: local(fixed, seat.proto)?, remote: seat.address };
    let (uri, codecs, tickets) = (seat.aor.clone(), vec![Codec::Pcma, Codec::Pcmu], fixed.tickets.clone());
    Some(Route { flow, uri, codecs, dtmf: seat.dtmf, origins: seat.origins.clone(), trunk: None, tickets })
}

fn to_trunk(fixed: &Fixed, trunk: &Trunk, number: &str) -> Option<Route> {
    let flow = Flow { proto: trunk.proto, local: local(fixed, trunk.proto)?, remote: trunk.peer };
    let uri = Uri::sip(number, Host::Ip(trunk.peer.ip()), Some(trunk.peer.port()));
    let (codecs, origins) = (trunk.codecs.clone(), trunk.origins.clone());
    Some(Route { flow, uri, codecs, dtmf: trunk.dtmf, origins, trunk: Some(trunk.name.clone()), tickets: None })
}

fn local(fixed: &Fixed, proto: Proto) -> Option<SocketAddr> {
    fixed.listen.iter().find(|(p, _)| *p == proto).map(|(_, address)| *address)
}

impl Route {
    pub fn dial(&self, leg: LegId, call_id: String, rtp: SocketAddr, identity: &Identity, call: CallId) -> Dial {
        let mut headers = identity.headers(call, self.flow.local, &self.uri);
        headers.extend(self.tickets.iter().map(|base| call_info(base, call)));
        Dial {
            leg,
            call_id,
            flow: self.flow,
            uri: self.uri.clone(),
            from: identity.from(self.flow.local),
            to: NameAddr::new(self.uri.clone()),
            max_forwards: identity.max_forwards.saturating_sub(1),
            headers,
            local: LocalMedia { rtp, codecs: identity.offer_order(&self.codecs) },
        }
    }
}

/// RFC 3261 §20.9.
fn call_info(base: &str, call: CallId) -> Header {
    Header { name: Name::CallInfo, value: format!("<{base}{call}>;purpose=info").into() }
}
