//! Where a party is, and what it is told of the caller.

use super::access::Access;
use super::by_account::{self, ByAccount, Other};
use super::carriers::Carriers;
use super::channels::Channels;
use super::identity::Identity;
use super::{Dtmf, Fixed, Live, Numbers, Presented, Presents, Remote, Seat, Srtp, Trunk};
use crate::base::{CallId, Cidr, Flow, Hop, LegId, Place, Proto, Target, Transport, Wall};
use crate::call::Dialled;
use crate::dialog::{self, Dial, Interval, LocalMedia};
use crate::media::Origins;
use crate::plan::NumberRules;
use crate::seat::{self, Seats};
use crate::sip::{Causes, Codec, Header, Host, Name, NameAddr, Uri};
use crate::ua::Way;
use crate::ua::registrar::Registrar;
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The header by which a phone learns how to ring.
const ALERT: Bytes = Bytes::from_static(b"Alert-Info");

/// The header of call data.
const DATA: Bytes = Bytes::from_static(b"X-Hotline-Data");

/// A seat is shown numbers as we write them.
static AS_IT_IS: NumberRules = NumberRules::NONE;

/// A name with more addresses than this is called at these alone.
const MAX_HOPS: usize = 8;

/// A way to a party that has a free channel.
pub(super) struct Route {
    pub target: Target,
    /// Where the party is called; none while its name has to be resolved.
    pub flow: Option<Flow>,
    /// Other phones of the party, or other ways by which its trunk may be called.
    pub others: Vec<Other>,
    /// The networks in which the addresses of its name may be.
    within: Vec<Cidr>,
    uri: Uri,
    /// Proxies between us and its phone.
    routes: Vec<NameAddr>,
    pub codecs: Vec<Codec>,
    pub dtmf: Dtmf,
    pub srtp: Srtp,
    pub origins: Arc<Origins>,
    /// The trunk whose channel the leg takes.
    pub trunk: Option<Arc<str>>,
    /// It may see a caller whose number is withheld.
    sees_all: bool,
    /// Before the call's id, where the party finds the call's ticket.
    tickets: Option<Arc<str>>,
    /// It gets the data that seats have set for the call.
    call_data: bool,
    /// The phone is asked to answer by itself.
    pub answers_itself: bool,
    /// The account of ours by which it is called.
    account: Option<ByAccount>,
    /// An emergency line that is called by our accounts: every way is tried, whatever the one before answers.
    every_way: bool,
    causes: Option<Arc<Causes>>,
    /// A call for help does not end for want of a refresh.
    timer: Option<Interval>,
    presents: Presents,
    /// The spelling of numbers by its trunk; an emergency line sees the caller's as we write it.
    numbers: Option<Arc<Numbers>>,
}

pub(super) fn seats(setup: &Live, (registrar, carriers): (Option<&Registrar>, Option<&Carriers>), at: Wall) -> Vec<seat::Seat> {
    let known = |seat: &Seat| {
        let bindings = match (&seat.target, &seat.remote) {
            (Some(target), _) => vec![seat::Binding { target: target.clone() }],
            (None, Some(remote)) => remote.bindings(setup, carriers, at),
            (None, None) => registrar.map(|registrar| registered(registrar, &seat.name)).unwrap_or_default(),
        };
        let (skills, expert, rules) = (seat.skills.clone(), seat.expert, seat.rules.clone());
        seat::Seat { name: seat.name.clone(), channels: seat.channels, bindings, skills, expert, rules }
    };
    setup.seats.iter().map(known).collect()
}

/// The places where a seat's phones have registered from.
pub(super) fn registered(registrar: &Registrar, seat: &str) -> Vec<seat::Binding> {
    let place = |flow: Flow| Target::at(Transport::of(flow.proto), flow.remote);
    registrar.bindings(seat).iter().map(|binding| seat::Binding { target: place(binding.flow()) }).collect()
}

/// `setups`: the one that holds now, and the one that the call began with, for parties that are in no other.
pub(super) fn route(
    fixed: &Fixed,
    (setups, access): ([&Live; 2], &Access),
    (seats, registrar): (&Seats, Option<&Registrar>),
    party: &Dialled,
    emergency: bool,
    (channels, carriers): (&Channels, &Carriers),
) -> Option<Route> {
    let now = setups[0];
    match party {
        Dialled::Seat { name } => match access.seat(name).and_then(|index| now.seats.get(index)) {
            Some(seat) if seat.remote.is_some() => {
                // A caller who needs help rings there even while its trunk looks away.
                (emergency || !seats.bindings(name).is_empty()).then_some(())?;
                to_remote(fixed, setups, seat.remote.as_ref()?, emergency, (channels, carriers))
            }
            Some(seat) if seat.registers() => to_phone(fixed, seat, registrar?, emergency),
            Some(seat) => to_seat(fixed, seat, &seats.bindings(name).first()?.target),
            // One that a reload took away is called where it was when the call began.
            None => former(setups[1], name).and_then(|seat| to_seat(fixed, seat, seat.target.as_ref()?)),
        },
        Dialled::Target(target) => {
            let trunk = match &target.trunk {
                Some(name) => setups.iter().find_map(|setup| setup.trunks.iter().find(|trunk| trunk.name == *name))?,
                None => now.trunks.get(now.default_route)?,
            };
            let sees_all = target.emergency && now.emergency_sees_withheld;
            // A call that goes out by the trunk that it came in by needs two channels, and the second may be one more than we count.
            // Its carrier knows: a way to an emergency line is tried.
            // The same where none of our accounts there is registered.
            let tried = target.emergency || channels.free(trunk, emergency) && carriers.may_use(trunk);
            tried.then(|| to_trunk(fixed, trunk, &target.number, (sees_all, target.emergency), carriers))?
        }
    }
}

/// A seat of a setup that a reload has replaced.
pub(super) fn former<'a>(setup: &'a Live, name: &str) -> Option<&'a Seat> {
    setup.seats.iter().find(|seat| *seat.name == *name)
}

/// A seat's call takes a channel of its trunk like any other.
fn to_remote(
    fixed: &Fixed,
    setups: [&Live; 2],
    remote: &Remote,
    emergency: bool,
    (channels, carriers): (&Channels, &Carriers),
) -> Option<Route> {
    let trunk = setups.iter().find_map(|setup| setup.trunks.iter().find(|trunk| trunk.name == remote.trunk))?;
    // An emergency call is tried by whatever way there is.
    let free = channels.free(trunk, emergency) && (emergency || carriers.may_use(trunk));
    let route = free.then(|| to_trunk(fixed, trunk, &remote.number, (false, emergency), carriers))??;
    // A person who declines is not rung by every account.
    Some(Route { every_way: false, ..route })
}

fn to_seat(fixed: &Fixed, seat: &Seat, target: &Target) -> Option<Route> {
    let (flow, within) = way(fixed, target, &seat.sources)?;
    Some(Route { within, ..of_seat(fixed, seat, target.clone(), flow) })
}

/// The phone of the seat that registered last, and its others, each by the flow from which it registered. Those by which the keys
/// that it requires cannot travel are called last, and for help alone.
fn to_phone(fixed: &Fixed, seat: &Seat, registrar: &Registrar, emergency: bool) -> Option<Route> {
    let (sealed, other): (Vec<Way>, _) = registrar.ways(&seat.name).partition(|way| seat.srtp.goes_by(way.flow.proto));
    let mut ways = sealed.into_iter().chain(other.into_iter().filter(|_| emergency));
    let Way { flow, uri, routes } = ways.next()?;
    let others: Vec<Way> = ways.filter(|way| way.flow.remote.is_ipv4() == flow.remote.is_ipv4()).collect();
    let hosts = others.iter().map(|way| way.flow).chain([flow]).map(|flow| flow.remote.ip());
    let (target, origins) = (Target::at(Transport::of(flow.proto), flow.remote), behind(&seat.origins, hosts));
    let others = others.into_iter().map(Other::from).collect();
    Some(Route { others, uri, routes, origins, ..of_seat(fixed, seat, target, Some(flow)) })
}

/// Everything that is so for a seat however it is reached.
fn of_seat(fixed: &Fixed, seat: &Seat, target: Target, flow: Option<Flow>) -> Route {
    Route {
        target,
        flow,
        others: Vec::new(),
        within: Vec::new(),
        uri: seat.aor.clone(),
        routes: Vec::new(),
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        dtmf: seat.dtmf,
        srtp: seat.srtp,
        origins: seat.origins.clone(),
        trunk: None,
        sees_all: false,
        tickets: fixed.tickets.clone(),
        call_data: true,
        answers_itself: false,
        account: None,
        every_way: false,
        causes: None,
        timer: None,
        presents: Presents::default(),
        numbers: None,
    }
}

/// The voice of a phone behind a NAT comes from the host that its messages come from.
pub(super) fn behind(origins: &Origins, hosts: impl Iterator<Item = IpAddr>) -> Arc<Origins> {
    let networks = origins.networks.iter().copied().chain(hosts.map(Cidr::from)).collect();
    Arc::new(Origins { networks, nat: origins.nat })
}

/// An emergency line is shown the caller's number, whatever the trunk shows to others.
fn to_trunk(
    fixed: &Fixed,
    trunk: &Trunk,
    number: &str,
    (sees_all, emergency): (bool, bool),
    carriers: &Carriers,
) -> Option<Route> {
    let (flow, within) = way(fixed, &trunk.target, &trunk.sources)?;
    let (host, port) = match &trunk.target.place {
        Place::At(address) => (Host::Ip(address.ip()), Some(address.port())),
        Place::Named(name, port) => (Host::Name(name.to_string()), *port),
    };
    let rewritten = trunk.numbers.called_out.apply(number);
    let number = rewritten.as_ref().map_or(number, |rewritten| &rewritten.number);
    let identity = if emergency { Presented::Caller } else { trunk.presents.identity };
    let target = trunk.target.clone();
    let other = |at: &SocketAddr| {
        let flow = self::flow(&fixed.listen, target.transport, *at)?;
        Some(Way { flow, uri: Uri::sip(number, Host::Ip(at.ip()), Some(at.port())), routes: Vec::new() })
    };
    // The party's voice comes by one family.
    let same = |at: &&SocketAddr| flow.is_some_and(|flow| flow.remote.is_ipv4() == at.is_ipv4());
    let others = trunk.others.iter().filter(same).filter_map(other).map(Other::from).collect();
    let route = Route {
        target,
        flow,
        others,
        within,
        uri: Uri::sip(number, host, port),
        routes: Vec::new(),
        codecs: trunk.codecs.clone(),
        dtmf: trunk.dtmf,
        srtp: trunk.srtp,
        origins: trunk.origins.clone(),
        trunk: Some(trunk.name.clone()),
        sees_all,
        tickets: None,
        call_data: trunk.call_data,
        answers_itself: false,
        account: None,
        every_way: false,
        // Every way to an emergency line is tried, whatever a code means to its trunk.
        causes: trunk.causes.clone().filter(|_| !emergency),
        timer: trunk.session_timer.filter(|_| !emergency),
        presents: Presents { identity, ..trunk.presents.clone() },
        numbers: (!emergency).then(|| trunk.numbers.clone()),
    };
    let own = Other { flow, uri: route.uri.clone(), routes: Vec::new(), account: None };
    let mut ways = by_account::ways(&carriers.ways(trunk, emergency, MAX_HOPS), &own, number, emergency, MAX_HOPS).into_iter();
    Some(match ways.next() {
        Some(Other { flow, uri, routes, account }) => {
            Route { flow, uri, routes, account, others: ways.collect(), every_way: emergency, ..route }
        }
        None => route,
    })
}

/// The flow to a target's address, or the networks in which those of its name may be; none when it cannot be called.
pub(super) fn way(fixed: &Fixed, target: &Target, sources: &[Cidr]) -> Option<(Option<Flow>, Vec<Cidr>)> {
    match target.address() {
        Some(address) => Some((Some(flow(&fixed.listen, target.transport, address)?), Vec::new())),
        None => Some((None, sources.to_vec())),
    }
}

/// The flows to the hops that a name came to: those in the networks that the operator listed, of one family, since the party's
/// voice comes by it.
pub(super) fn flows(fixed: &Fixed, within: &[Cidr], hops: &[Hop]) -> Vec<Flow> {
    let mut flows: Vec<Flow> = Vec::new();
    for hop in hops.iter().filter(|hop| within.iter().any(|block| block.contains(hop.address.ip()))) {
        let family = flows.first().is_none_or(|first| first.remote.is_ipv4() == hop.address.is_ipv4());
        let found = flow(&fixed.listen, hop.transport, hop.address).filter(|flow| family && !flows.contains(flow));
        flows.extend(found.filter(|_| flows.len() < MAX_HOPS));
    }
    flows
}

pub(super) fn flow(listen: &[(Proto, SocketAddr)], transport: Transport, remote: SocketAddr) -> Option<Flow> {
    let proto = transport.proto()?;
    Some(Flow { proto, local: local(listen, proto, remote)?, remote })
}

/// The first address of the hop's own family that we listen on: by another it cannot be reached.
fn local(listen: &[(Proto, SocketAddr)], proto: Proto, remote: SocketAddr) -> Option<SocketAddr> {
    let fits = |(p, at): &&(Proto, SocketAddr)| *p == proto && at.is_ipv4() == remote.is_ipv4();
    let local = listen.iter().find(fits).map(|(_, address)| *address);
    if local.is_none() {
        tracing::warn!(%remote, "sip.listen names no address of this family: this hop cannot be called");
    }
    local
}

impl Route {
    /// The flows to the hops that a name came to.
    pub fn flows(&self, fixed: &Fixed, hops: &[Hop]) -> Vec<Flow> {
        flows(fixed, &self.within, hops)
    }

    /// The same party at another of its hops.
    pub fn at(&self, flow: Flow) -> Other {
        let account = self.account.clone();
        Other { flow: Some(flow), uri: self.uri.clone(), routes: self.routes.clone(), account }
    }

    /// The ways to a party whose first leads there: those by addresses that give no sign come last.
    pub fn ways(&mut self, first: Flow, is_out: impl Fn(SocketAddr) -> bool) -> (Flow, Vec<Other>) {
        let mut others = std::mem::take(&mut self.others);
        let flow = |other: &Other| other.flow.unwrap_or(first);
        if self.trunk.is_none() || others.is_empty() {
            return (first, others);
        }
        others.insert(0, self.at(first));
        others.sort_by_key(|other| is_out(flow(other).remote));
        let now = others.remove(0);
        let first = flow(&now);
        (self.uri, self.routes, self.account) = (now.uri, now.routes, now.account);
        (first, others)
    }

    pub fn dial(
        &self,
        leg: LegId,
        call_id: String,
        (flow, others): (Flow, Vec<Other>),
        local: LocalMedia,
        identity: &Identity,
        (call, data): (CallId, &[(String, String)]),
    ) -> Dial {
        let by_accounts = self.account.is_some() || others.iter().any(|other| other.account.is_some());
        let caller =
            |flow: Flow, uri: &Uri, account: Option<&ByAccount>| self.caller((flow, uri), account, identity, (call, data));
        let other = |other: Other| {
            let to = other.flow.unwrap_or(flow);
            // The caller differs between accounts alone.
            let caller = by_accounts.then(|| Box::new(caller(to, &other.uri, other.account.as_ref())));
            dialog::Other { way: Way { flow: to, uri: other.uri, routes: other.routes }, caller }
        };
        let dialog::Caller { known_as, from, headers } = caller(flow, &self.uri, self.account.as_ref());
        Dial {
            leg,
            call_id,
            flow,
            others: others.into_iter().map(other).collect(),
            every_way: self.every_way,
            uri: self.uri.clone(),
            routes: self.routes.clone(),
            from,
            to: NameAddr::new(self.uri.clone()),
            max_forwards: identity.max_forwards.saturating_sub(1),
            headers,
            local,
            known_as,
            causes: self.causes.clone(),
            timer: self.timer,
        }
    }

    /// As whom we call by a way.
    fn caller(
        &self,
        (flow, uri): (Flow, &Uri),
        account: Option<&ByAccount>,
        identity: &Identity,
        (call, data): (CallId, &[(String, String)]),
    ) -> dialog::Caller {
        let rules = self.numbers.as_ref().map_or(&AS_IT_IS, |numbers| &numbers.caller_out);
        let shown = (&self.presents, rules, self.sees_all);
        let mut headers = identity.headers(call, (flow.local, uri), shown);
        headers.extend(call_data(data).filter(|_| self.call_data));
        if self.answers_itself {
            headers.extend(auto_answer(flow.local));
        }
        headers.extend(self.tickets.iter().map(|base| call_info(base, call)));
        let from = identity.from(flow.local, shown);
        let (from, known_as) = match account {
            Some(account) => {
                account.identify(&mut headers);
                (account.from(from), Some(account.known_at(flow.local)))
            }
            None => (from, None),
        };
        dialog::Caller { known_as, from, headers }
    }
}

/// Phones that can answer by themselves know one of these two ways of asking; others ring.
fn auto_answer(local: SocketAddr) -> [Header; 2] {
    let ours = Uri::sip("hotline", Host::Ip(local.ip()), None);
    let info = Header { name: Name::CallInfo, value: format!("{};answer-after=0", NameAddr::new(ours)).into() };
    let alert = Header { name: Name::Other(ALERT), value: "<http://127.0.0.1>;info=alert-autoanswer;delay=0".into() };
    [info, alert]
}

/// Call data as one header: `key=value` pairs with what is no token escaped as in a URI (RFC 3986 §2.1).
fn call_data(data: &[(String, String)]) -> Option<Header> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let escaped = |text: &str| {
        text.bytes().fold(String::new(), |all, b| match plain(b) {
            true => all + char::from(b).encode_utf8(&mut [0]),
            false => all + &format!("%{b:02X}"),
        })
    };
    let pairs: Vec<String> = data.iter().map(|(key, value)| format!("{}={}", escaped(key), escaped(value))).collect();
    (!pairs.is_empty()).then(|| Header { name: Name::Other(DATA), value: pairs.join(";").into() })
}

/// RFC 3261 §20.9.
fn call_info(base: &str, call: CallId) -> Header {
    Header { name: Name::CallInfo, value: format!("<{base}{call}>;purpose=info").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hop_is_called_from_an_address_of_its_family() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let both =
            [(Proto::Udp, at("192.0.2.1:5060")), (Proto::Tcp, at("192.0.2.1:5060")), (Proto::Udp, at("[2001:db8::1]:5060"))];
        let from = |proto, hop| local(&both, proto, at(hop)).map(|at| at.to_string());
        assert_eq!(from(Proto::Udp, "198.51.100.7:5060").as_deref(), Some("192.0.2.1:5060"));
        assert_eq!(from(Proto::Udp, "[2001:db8::7]:5060").as_deref(), Some("[2001:db8::1]:5060"));
        assert_eq!(from(Proto::Tcp, "198.51.100.7:5060").as_deref(), Some("192.0.2.1:5060"));
        assert_eq!(from(Proto::Tcp, "[2001:db8::7]:5060"), None, "nothing of its family listens by this protocol");
    }
}
