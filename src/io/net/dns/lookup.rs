//! From a target to its hops (RFC 3263 §4): NAPTR, SRV and addresses where it names no port, addresses where it does. One step
//! looks at all that is known and says what to ask, or the outcome: so an answer that is kept costs no question, and those that
//! are asked are asked at once. A server that is silent about one kind does not delay what the others tell.

use super::{Answer, Kind, Pointer, Question, Service};
use crate::base::{Hop, Place, Rng, Target, Transport};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// SRV records that are followed, and hops that come of them: a call tries no more.
const MOST_SERVICES: usize = 8;
const MOST_HOPS: usize = 16;
/// Names that a name may lead through; a circle ends here.
const MOST_ALIASES: usize = 8;

/// The knowledge about a question, as a lookup takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// `stale`: it has outlived its time, and nobody answers.
    Known { answer: Answer, stale: bool },
    /// The lookup goes on without it.
    Failed,
    /// The servers are to be asked.
    Unknown,
}

/// The next thing to do, or the outcome.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// None of these is known.
    Ask(Vec<Question>),
    /// In the order of preference; none where the name has no address.
    Hops { hops: Vec<Hop>, stale: bool },
}

/// The knowledge that there is, as a lookup reads it.
struct Reader<'a> {
    find: &'a dyn Fn(&Question) -> Found,
    missing: Vec<Question>,
    stale: bool,
}

/// One step; `rng` draws among SRV records by their weights.
pub fn step(target: &Target, find: &dyn Fn(&Question) -> Found, rng: &mut Rng) -> Step {
    let Place::Named(name, port) = &target.place else {
        let hops = target.address().map(|address| Hop { transport: target.transport, address, server_name: None });
        return Step::Hops { hops: hops.into_iter().collect(), stale: false };
    };
    let mut reader = Reader { find, missing: Vec::new(), stale: false };
    let places = match port {
        Some(port) => reader.addresses(name, *port),
        None => reader.services(name, target.transport, rng),
    };
    let Reader { missing, stale, .. } = reader;
    let hop = |address| Hop { transport: target.transport, address, server_name: Some(name.clone()) };
    match places {
        Some(places) => Step::Hops { hops: places.into_iter().take(MOST_HOPS).map(hop).collect(), stale },
        None => Step::Ask(missing),
    }
}

impl Reader<'_> {
    /// Through aliases. None while it is not known, which is noted; no answer and nothing are the same to whoever asks.
    fn read(&mut self, name: &str, kind: Kind) -> Option<Answer> {
        let mut question = Question::new(name, kind);
        for _ in 0..MOST_ALIASES {
            match (self.find)(&question) {
                Found::Known { answer, stale } => {
                    self.stale |= stale;
                    match answer {
                        Answer::Alias(next) => question.name = next,
                        answer => return Some(answer),
                    }
                }
                Found::Failed => return Some(Answer::Nothing),
                Found::Unknown => {
                    if !self.missing.contains(&question) {
                        self.missing.push(question);
                    }
                    return None;
                }
            }
        }
        Some(Answer::Nothing)
    }

    /// Both families are asked at once.
    fn addresses(&mut self, name: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let (four, six) = (self.read(name, Kind::A), self.read(name, Kind::Aaaa));
        let hosts = |answer| if let Answer::Addresses(hosts) = answer { hosts } else { Vec::new() };
        let (four, six): (Vec<IpAddr>, Vec<IpAddr>) = (hosts(four?), hosts(six?));
        Some(four.into_iter().chain(six).map(|host| SocketAddr::new(host, port)).collect())
    }

    /// By NAPTR, else by the name of the service, else by the name itself.
    fn services(&mut self, name: &str, transport: Transport, rng: &mut Rng) -> Option<Vec<SocketAddr>> {
        let (label, service, port) = names_of(transport);
        let usual = format!("{label}.{name}");
        let (pointers, own, plain) = (self.read(name, Kind::Naptr), self.read(&usual, Kind::Srv), self.addresses(name, port));
        let pointed: Vec<Arc<str>> = match pointers? {
            Answer::Pointers(all) => replacements(all, service),
            _ => Vec::new(),
        };
        let services = if pointed.is_empty() {
            own.map(|own| if let Answer::Services(all) = own { all } else { Vec::new() })?
        } else {
            let read: Vec<Option<Answer>> = pointed.iter().map(|name| self.read(name, Kind::Srv)).collect();
            let mut all = Vec::new();
            for answer in read {
                if let Answer::Services(more) = answer? {
                    all.extend(more);
                }
            }
            all
        };
        if services.is_empty() {
            return plain;
        }
        // One record with the host `.`: the service is not there (RFC 2782).
        let there = services.into_iter().filter(|service| !service.host.is_empty()).collect();
        let chosen = in_order(there, rng);
        let places: Vec<Option<Vec<SocketAddr>>> =
            chosen.iter().take(MOST_SERVICES).map(|service| self.addresses(&service.host, service.port)).collect();
        places.into_iter().collect::<Option<Vec<_>>>().map(|all| all.concat())
    }
}

/// The label of SRV records, the service of NAPTR records and the port of a transport (RFC 3263 §4.1, §4.2).
fn names_of(transport: Transport) -> (&'static str, &'static str, u16) {
    match transport {
        Transport::Udp => ("_sip._udp", "SIP+D2U", 5060),
        Transport::Tcp | Transport::Ws => ("_sip._tcp", "SIP+D2T", 5060),
        Transport::Tls | Transport::Wss => ("_sips._tcp", "SIPS+D2T", 5061),
    }
}

/// The transport is the operator's choice: records of others lead elsewhere.
fn replacements(mut pointers: Vec<Pointer>, service: &str) -> Vec<Arc<str>> {
    pointers.retain(|pointer| pointer.service == service && !pointer.name.is_empty());
    pointers.sort_by_key(|pointer| (pointer.order, pointer.preference));
    pointers.into_iter().take(MOST_SERVICES).map(|pointer| pointer.name).collect()
}

/// RFC 2782: by priority; among those of one, each next is drawn by weight, and one without weight seldom comes first.
fn in_order(mut services: Vec<Service>, rng: &mut Rng) -> Vec<Service> {
    services.sort_by_key(|service| (service.priority, service.weight));
    let mut ordered = Vec::new();
    while let Some(first) = services.first().map(|service| service.priority) {
        let of_one = services.iter().take_while(|service| service.priority == first).count();
        let total: u64 = services.iter().take(of_one).map(|service| u64::from(service.weight)).sum();
        let mut drawn = rng.below(total.saturating_add(1));
        let at = services.iter().take(of_one).position(|service| {
            let here = drawn <= u64::from(service.weight);
            drawn = drawn.saturating_sub(service.weight.into());
            here
        });
        ordered.push(services.remove(at.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    type Zone = BTreeMap<Question, Found>;

    fn known(answer: Answer) -> Found {
        Found::Known { answer, stale: false }
    }

    fn a(zone: &mut Zone, name: &str, last: &[u8]) {
        let hosts = last.iter().map(|last| [192, 0, 2, *last].into()).collect();
        zone.insert(Question::new(name, Kind::A), known(Answer::Addresses(hosts)));
        zone.insert(Question::new(name, Kind::Aaaa), known(Answer::Nothing));
    }

    fn srv(zone: &mut Zone, name: &str, services: &[(u16, u16, u16, &str)]) {
        let service =
            |&(priority, weight, port, host): &(u16, u16, u16, &str)| Service { priority, weight, port, host: host.into() };
        zone.insert(Question::new(name, Kind::Srv), known(Answer::Services(services.iter().map(service).collect())));
    }

    fn nothing(zone: &mut Zone, name: &str, kind: Kind) {
        zone.insert(Question::new(name, kind), known(Answer::Nothing));
    }

    fn target(transport: Transport, place: &str) -> Target {
        Target { transport, place: place.parse().unwrap() }
    }

    fn asked(zone: &Zone, target: &Target) -> Step {
        let find = |question: &Question| zone.get(question).cloned().unwrap_or(Found::Unknown);
        step(target, &find, &mut Rng::from_number(1))
    }

    fn hops(zone: &Zone, target: &Target) -> Vec<String> {
        match asked(zone, target) {
            Step::Hops { hops, .. } => hops.iter().map(|hop| hop.address.to_string()).collect(),
            ask => panic!("{ask:?}"),
        }
    }

    #[test]
    fn a_name_with_a_port_is_its_addresses_and_both_families_are_asked_at_once() {
        let (mut zone, target) = (Zone::new(), target(Transport::Udp, "sbc.example.cn:5070"));
        let both = [Kind::A, Kind::Aaaa].map(|kind| Question::new("sbc.example.cn", kind));
        assert_eq!(asked(&zone, &target), Step::Ask(both.to_vec()));
        a(&mut zone, "sbc.example.cn", &[7, 8]);
        assert_eq!(hops(&zone, &target), ["192.0.2.7:5070", "192.0.2.8:5070"]);
    }

    #[test]
    fn a_name_without_a_port_goes_by_naptr_then_srv_then_its_addresses() {
        let (mut zone, target) = (Zone::new(), target(Transport::Udp, "example.cn"));
        let Step::Ask(first) = asked(&zone, &target) else { panic!("nothing is known") };
        assert_eq!(first.len(), 4, "all at once: {first:?}");
        a(&mut zone, "example.cn", &[1]);
        nothing(&mut zone, "example.cn", Kind::Naptr);
        nothing(&mut zone, "_sip._udp.example.cn", Kind::Srv);
        assert_eq!(hops(&zone, &target), ["192.0.2.1:5060"]);
        srv(&mut zone, "_sip._udp.example.cn", &[(2, 0, 5062, "b.example.cn"), (1, 0, 5061, "a.example.cn")]);
        a(&mut zone, "a.example.cn", &[2]);
        a(&mut zone, "b.example.cn", &[3]);
        assert_eq!(hops(&zone, &target), ["192.0.2.2:5061", "192.0.2.3:5062"]);
        let pointer = |service: &str, name: &str| Pointer { order: 1, preference: 1, service: service.into(), name: name.into() };
        let pointers = vec![pointer("SIP+D2T", "tcp.example.cn"), pointer("SIP+D2U", "udp.example.cn")];
        zone.insert(Question::new("example.cn", Kind::Naptr), known(Answer::Pointers(pointers)));
        srv(&mut zone, "udp.example.cn", &[(1, 0, 5063, "b.example.cn")]);
        assert_eq!(hops(&zone, &target), ["192.0.2.3:5063"]);
        srv(&mut zone, "udp.example.cn", &[(0, 0, 0, "")]);
        assert_eq!(hops(&zone, &target), [""; 0], "the service is not there");
    }

    #[test]
    fn a_server_that_is_silent_about_a_kind_delays_no_other() {
        let (mut zone, target) = (Zone::new(), target(Transport::Tls, "example.cn"));
        a(&mut zone, "example.cn", &[1]);
        zone.insert(Question::new("example.cn", Kind::Naptr), Found::Failed);
        zone.insert(Question::new("_sips._tcp.example.cn", Kind::Srv), Found::Failed);
        assert_eq!(hops(&zone, &target), ["192.0.2.1:5061"]);
        let answer = Answer::Addresses(vec![[192, 0, 2, 9].into()]);
        zone.insert(Question::new("example.cn", Kind::A), Found::Known { answer, stale: true });
        assert!(matches!(asked(&zone, &target), Step::Hops { stale: true, .. }));
        zone.insert(Question::new("example.cn", Kind::A), Found::Failed);
        assert_eq!(hops(&zone, &target), [""; 0]);
    }

    #[test]
    fn aliases_lead_on_and_a_circle_of_them_ends() {
        let (mut zone, target) = (Zone::new(), target(Transport::Udp, "a:5060"));
        let alias = |to: &str| known(Answer::Alias(to.into()));
        for kind in [Kind::A, Kind::Aaaa] {
            zone.insert(Question::new("a", kind), alias("b"));
        }
        let Step::Ask(missing) = asked(&zone, &target) else { panic!("b is not known") };
        assert!(missing.iter().all(|question| &*question.name == "b"));
        let mut circle = zone.clone();
        a(&mut zone, "b", &[7]);
        assert_eq!(hops(&zone, &target), ["192.0.2.7:5060"]);
        for kind in [Kind::A, Kind::Aaaa] {
            circle.insert(Question::new("b", kind), alias("a"));
        }
        assert_eq!(hops(&circle, &target), [""; 0]);
    }

    #[test]
    fn weights_share_the_calls_and_hops_are_bounded() {
        let service = |weight, port| Service { priority: 1, weight, port, host: "x".into() };
        let (mut rng, mut first) = (Rng::from_number(7), BTreeMap::<u16, usize>::new());
        for _ in 0..4000 {
            let order = in_order(vec![service(10, 1), service(30, 3), service(0, 0)], &mut rng);
            assert_eq!(order.len(), 3);
            *first.entry(order[0].port).or_default() += 1;
        }
        assert!((850..1150).contains(&first[&1]) && (2750..3150).contains(&first[&3]), "{first:?}");
        assert!(first.get(&0).is_none_or(|count| *count < 200), "{first:?}");
        let (mut zone, target) = (Zone::new(), target(Transport::Udp, "example.cn"));
        a(&mut zone, "example.cn", &[]);
        nothing(&mut zone, "example.cn", Kind::Naptr);
        srv(&mut zone, "_sip._udp.example.cn", &[(1, 1, 5060, "a"); 60]);
        a(&mut zone, "a", &[1, 2, 3, 4]);
        assert_eq!(hops(&zone, &target).len(), MOST_HOPS);
    }
}
