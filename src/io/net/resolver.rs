//! Host names of trunks and seats. A name of the hosts file, and one without a dot, is the operating system's; any other is asked
//! of the DNS: of the trunk's own servers, else of the system's. Each trunk has a line of its own here, so that none waits for what
//! another one asks. Each target is asked for by one task at a time; what was known once serves at once, and is asked for anew behind.
//! Whoever asks beyond these bounds, or for a name that takes too long, is told that there is no address.

use super::dns::ask::{self, View};
use super::dns::cache::{RECHECK, STALE};
use crate::base::trap::{self, Trap};
use crate::base::{Hop, Mono, Place, Rng, Target};
use crate::io::clock;
use crate::io::inbox::Inbox;
use crate::io::process::{files, threads};
use crate::switch::Input;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::runtime::Handle;
use tokio::time::timeout;

const TASK: &str = "resolver";
/// Names of one line under way at once: each may take a thread until the system answers, however long that is.
const MAX_AT_ONCE: usize = 32;
/// Answers that wait for one name.
const MAX_WAITING: usize = 4096;
/// Names that are kept; more than trunks and seats name after some reloads.
const MAX_KEPT: usize = 4096;
const HOSTS: &str = "/etc/hosts";
const SERVERS: &str = "/etc/resolv.conf";
/// Bytes of either file.
const MAX_FILE: u64 = 1 << 20;

/// Resolves for the switch; cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    inbox: Inbox,
    runtime: Handle,
    patience: Duration,
    kept_for: Duration,
    lines: Arc<Mutex<Lines>>,
}

struct Lines {
    rng: Rng,
    /// For seats.
    machine: Arc<Line>,
    trunks: BTreeMap<Arc<str>, Arc<Line>>,
}

/// The names of one trunk, or of all seats.
struct Line {
    /// Its servers are the trunk's own, and not those of this machine.
    own: bool,
    view: Arc<View>,
    names: Mutex<Names>,
}

#[derive(Default)]
struct Names {
    kept: BTreeMap<Target, Hosts>,
    /// Those who wait for each target.
    asked: BTreeMap<Target, Vec<u64>>,
}

/// An answer of the system. It serves after `fresh` while nobody gives another one.
#[derive(Clone)]
struct Hosts {
    fresh: Mono,
    stale: Mono,
    hosts: Vec<IpAddr>,
}

/// How a question goes on.
#[derive(Debug, PartialEq, Eq)]
enum Begun {
    /// This one asks.
    Asks,
    /// Another one has asked.
    Waits,
    Refused,
}

impl Line {
    fn new(servers: Vec<SocketAddr>, rng: Rng) -> Arc<Line> {
        Arc::new(Line { own: !servers.is_empty(), view: Arc::new(View::new(servers, rng)), names: Mutex::default() })
    }

    fn is_of(&self, servers: &[SocketAddr]) -> bool {
        if self.own { self.view.has(servers) } else { servers.is_empty() }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver {
    /// `patience`: how long a name may take. `kept_for`: how long an answer of the system holds.
    pub fn new(inbox: Inbox, runtime: Handle, (patience, kept_for): (Duration, Duration), mut rng: Rng) -> Resolver {
        let machine = Line::new(Vec::new(), rng.fork());
        let lines = Arc::new(Mutex::new(Lines { rng, machine, trunks: BTreeMap::new() }));
        Resolver { inbox, runtime, patience, kept_for, lines }
    }

    /// The DNS servers of each trunk; none: those of this machine. One whose servers are the same keeps what they have told.
    pub fn serve(&self, trunks: BTreeMap<Arc<str>, Vec<SocketAddr>>) {
        let mut lines = self.lines();
        let Lines { rng, trunks: before, .. } = &mut *lines;
        let line = |(name, servers): (Arc<str>, Vec<SocketAddr>)| {
            let same = before.get(&name).filter(|line| line.is_of(&servers)).cloned();
            (name, same.unwrap_or_else(|| Line::new(servers, rng.fork())))
        };
        *before = trunks.into_iter().map(line).collect();
    }

    /// Answers by [`Input::Resolved`], now or later.
    pub fn resolve(&self, id: u64, trunk: Option<&str>, target: Target) {
        let name = match &target.place {
            Place::At(address) => return self.answer(id, vec![target.hop(address.ip())]),
            Place::Named(name, _) => name.clone(),
        };
        let line = {
            let lines = self.lines();
            trunk.and_then(|trunk| lines.trunks.get(trunk)).unwrap_or(&lines.machine).clone()
        };
        let now = clock::mono();
        // The system's word precedes that of the DNS: the hosts file is the operator's.
        let by_system = line.names().known(now, &target);
        let by_system = by_system.map(|(hosts, old)| (hosts.iter().map(|host| target.hop(*host)).collect(), old));
        if let Some((hops, old)) = by_system.or_else(|| line.view.known(now, &target)) {
            self.answer(id, hops);
            if old && line.names().begin_behind(&target) {
                self.begin(target, name, line, false);
            }
            return;
        }
        let begun = line.names().begin(&target, id);
        match begun {
            Begun::Refused => self.answer(id, Vec::new()),
            Begun::Waits => {}
            Begun::Asks => self.begin(target, name, line, true),
        }
    }

    /// Questions that nobody answered, lookups by what had outlived its time while nobody answered, and lines whose servers do not
    /// answer.
    pub fn counts(&self) -> (u64, u64, usize) {
        let lines = self.lines();
        let all = || lines.trunks.values().chain([&lines.machine]);
        let sum = |of: &dyn Fn(&View) -> u64| all().map(|line| of(&line.view)).sum();
        let failed = sum(&|view| view.counts().failed.load(Ordering::Relaxed));
        let stale = sum(&|view| view.counts().stale.load(Ordering::Relaxed));
        (failed, stale, all().filter(|line| line.view.is_down()).count())
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks, and tells all who wait. A panic ends the question like any other failure.
    fn begin(&self, target: Target, name: Arc<str>, line: Arc<Line>, waits: bool) {
        let resolver = self.clone();
        let work = async move {
            let hops = threads::survived(TASK, resolver.ask(&target, &name, &line, waits)).await.unwrap_or_default();
            if hops.is_empty() {
                tracing::warn!(%name, "a host name is not resolved");
            }
            let waiting = line.names().end(&target);
            waiting.into_iter().for_each(|id| resolver.answer(id, hops.clone()));
        };
        drop(threads::task(&self.runtime, TASK, work));
    }

    async fn ask(&self, target: &Target, name: &Arc<str>, line: &Arc<Line>, waits: bool) -> Vec<Hop> {
        trap::spring(Trap::Resolver);
        if !line.own {
            line.view.set(files::text(Path::new(SERVERS), MAX_FILE).map(|text| ask::servers_in(&text)).unwrap_or_default());
        }
        let of_system =
            !name.contains('.') || files::text(Path::new(HOSTS), MAX_FILE).is_ok_and(|hosts| ask::names(&hosts, name));
        if of_system || line.view.is_empty() {
            return self.ask_system(target, name, line).await;
        }
        let mut hops = line.view.hops(target, waits).await;
        // The system may have other ways to know a name: a search list, a directory.
        if hops.is_empty() && !line.own {
            hops = self.ask_system(target, name, line).await;
            if !hops.is_empty() {
                return hops;
            }
        }
        // The system's answer of before serves on while nobody knows better.
        if line.own || !hops.is_empty() {
            line.names().kept.remove(target);
        }
        hops
    }

    async fn ask_system(&self, target: &Target, name: &Arc<str>, line: &Line) -> Vec<Hop> {
        let lookup = lookup_host((&**name, 0));
        tokio::pin!(lookup);
        let answer = match timeout(self.patience, &mut lookup).await {
            Ok(answer) => answer,
            Err(_) => {
                tracing::warn!(%name, "the system took too long to resolve a host name");
                let waiting = line.names().asked.get_mut(target).map(std::mem::take).unwrap_or_default();
                waiting.into_iter().for_each(|id| self.answer(id, Vec::new()));
                // It takes its thread until it ends, and so counts until then.
                lookup.await
            }
        };
        let mut hosts: Vec<IpAddr> = Vec::new();
        for host in answer.into_iter().flatten().map(|at| at.ip()) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        line.names().keep(clock::mono(), self.kept_for, target, &hosts);
        hosts.iter().map(|host| target.hop(*host)).collect()
    }

    /// One that finds no room in the inbox is as good as silent: the switch does not wait for ever.
    fn answer(&self, id: u64, hops: Vec<Hop>) {
        let _ = self.inbox.try_send(Input::Resolved { id, hops });
    }
}

impl Names {
    /// An answer of the system that serves, and whether it should be asked again behind.
    fn known(&self, now: Mono, target: &Target) -> Option<(Vec<IpAddr>, bool)> {
        let Hosts { fresh, stale, hosts } = self.kept.get(target)?;
        (now < *stale).then(|| (hosts.clone(), now >= *fresh))
    }

    fn begin(&mut self, target: &Target, who: u64) -> Begun {
        if let Some(waiting) = self.asked.get_mut(target) {
            if waiting.len() >= MAX_WAITING {
                return Begun::Refused;
            }
            waiting.push(who);
            return Begun::Waits;
        }
        if self.asked.len() >= MAX_AT_ONCE {
            return Begun::Refused;
        }
        self.asked.insert(target.clone(), vec![who]);
        Begun::Asks
    }

    /// True for whoever is to ask though nobody waits.
    fn begin_behind(&mut self, target: &Target) -> bool {
        let begins = self.asked.len() < MAX_AT_ONCE && !self.asked.contains_key(target);
        if begins {
            self.asked.insert(target.clone(), Vec::new());
        }
        begins
    }

    /// Those who wait.
    fn end(&mut self, target: &Target) -> Vec<u64> {
        self.asked.remove(target).unwrap_or_default()
    }

    /// The system has answered. Where it has no address, those of before serve on for a while, and it is asked again.
    fn keep(&mut self, now: Mono, fresh: Duration, target: &Target, hosts: &[IpAddr]) {
        if self.kept.len() >= MAX_KEPT {
            self.kept.clear();
        }
        let fresh = now.after(fresh);
        if !hosts.is_empty() {
            self.kept.insert(target.clone(), Hosts { fresh, stale: fresh.after(STALE), hosts: hosts.to_vec() });
        } else if let Some(kept) = self.kept.get_mut(target) {
            kept.fresh = now.after(RECHECK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Transport;
    use crate::io::inbox::{Outlet, inbox};

    const FRESH: Duration = Duration::from_secs(30);

    fn target(text: &str) -> Target {
        Target { transport: Transport::Udp, place: text.parse().unwrap() }
    }

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000)
    }

    fn begin(names: &mut Names, name: &str) -> Begun {
        names.begin(&target(&format!("{name}:1")), 1)
    }

    #[test]
    fn a_name_is_asked_for_once_and_is_known_from_then_on() {
        let (mut names, a) = (Names::default(), target("a:1"));
        assert_eq!(begin(&mut names, "a"), Begun::Asks);
        assert_eq!(begin(&mut names, "a"), Begun::Waits);
        assert_eq!(names.asked[&a].len(), 2);
        let hosts: Vec<IpAddr> = vec!["192.0.2.7".parse().unwrap()];
        names.keep(at(0), FRESH, &a, &hosts);
        assert_eq!(names.end(&a).len(), 2);
        let known = |names: &Names, seconds| names.known(at(seconds), &a);
        assert_eq!((known(&names, 29), known(&names, 30)), (Some((hosts.clone(), false)), Some((hosts.clone(), true))));
        assert!(names.begin_behind(&a) && !names.begin_behind(&a), "one asks");
        names.keep(at(40), FRESH, &a, &[]);
        assert_eq!(names.end(&a).len(), 0);
        assert_eq!((known(&names, 69), known(&names, 70)), (Some((hosts.clone(), false)), Some((hosts, true))));
        assert_eq!(known(&names, 30 + STALE.as_secs()), None, "not for ever");
        names.keep(at(0), FRESH, &target("b:1"), &[]);
        assert_eq!(names.known(at(1), &target("b:1")), None, "no address is kept for no time");
    }

    #[test]
    fn names_at_once_and_those_who_wait_are_bounded() {
        let mut names = Names::default();
        for index in 0..MAX_AT_ONCE {
            assert_eq!(begin(&mut names, &format!("n{index}")), Begun::Asks);
        }
        assert_eq!(begin(&mut names, "more"), Begun::Refused);
        assert!((1..MAX_WAITING).all(|_| begin(&mut names, "n0") == Begun::Waits));
        assert_eq!(begin(&mut names, "n0"), Begun::Refused);
    }

    fn resolver() -> (Resolver, Outlet) {
        let (inbox, outlet) = inbox(64).unwrap();
        let minute = Duration::from_secs(60);
        (Resolver::new(inbox, Handle::current(), (minute, minute), Rng::from_number(1)), outlet)
    }

    async fn next(outlet: &Outlet) -> (u64, Vec<Hop>) {
        loop {
            match outlet.take() {
                Some(Input::Resolved { id, hops }) => return (id, hops),
                Some(other) => panic!("{other:?}"),
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Every machine knows itself by this name, without the network.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_system_resolves_and_an_address_needs_nobody() {
        let (resolver, outlet) = resolver();
        resolver.resolve(1, None, target("192.0.2.7:5060"));
        let (id, hops) = next(&outlet).await;
        assert_eq!((id, hops.len(), hops[0].address.to_string().as_str()), (1, 1, "192.0.2.7:5060"));
        resolver.resolve(2, None, target("localhost:5062"));
        let answer = next(&outlet).await;
        assert_eq!(answer.0, 2);
        assert!(answer.1.iter().any(|hop| hop.address.to_string() == "127.0.0.1:5062"), "{:?}", answer.1);
        assert!(answer.1.iter().all(|hop| hop.server_name.as_deref() == Some("localhost")));
    }

    #[tokio::test]
    async fn a_panic_costs_the_question_in_which_it_happens_and_no_other() {
        let (resolver, outlet) = resolver();
        trap::set(Trap::Resolver, 0);
        resolver.resolve(1, None, target("localhost:5062"));
        assert_eq!(next(&outlet).await, (1, Vec::new()));
        resolver.resolve(2, None, target("localhost:5062"));
        assert!(!next(&outlet).await.1.is_empty(), "it is asked anew");
    }

    /// A server of one name, at that address.
    async fn dns(host: [u8; 4]) -> SocketAddr {
        use hickory_proto::op::{Message, MessageType};
        use hickory_proto::rr::rdata::A;
        use hickory_proto::rr::{RData, Record, RecordType};
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                let mut message = Message::from_vec(&buffer[..length]).unwrap();
                message.metadata.message_type = MessageType::Response;
                let asked = message.queries[0].clone();
                if asked.query_type() == RecordType::A {
                    let [a, b, c, d] = host;
                    message.add_answer(Record::from_rdata(asked.name().clone(), 60, RData::A(A::new(a, b, c, d))));
                }
                socket.send_to(&message.to_vec().unwrap(), from).await.unwrap();
            }
        });
        address
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_name_is_each_trunks_own_and_one_whose_dns_is_dead_holds_up_no_other() {
        let (resolver, outlet) = resolver();
        let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let servers =
            [("a", dns([192, 0, 2, 1]).await), ("b", dns([192, 0, 2, 2]).await), ("dead", silent.local_addr().unwrap())];
        resolver.serve(servers.into_iter().map(|(trunk, server)| (trunk.into(), vec![server])).collect());
        // More than one line asks at once.
        let most = MAX_AT_ONCE as u64 + 8;
        for name in 0..most {
            resolver.resolve(name, Some("dead"), target(&format!("n{name}.example.cn:5060")));
        }
        let mut alive = Vec::new();
        for (id, trunk) in [(1001, "a"), (1002, "b")] {
            resolver.resolve(id, Some(trunk), target("sbc.example.cn:5060"));
        }
        while alive.len() < 2 {
            let (id, hops) = next(&outlet).await;
            match id {
                1001.. => alive.push((id, hops[0].address.ip())),
                _ => assert!(id >= MAX_AT_ONCE as u64 && hops.is_empty(), "only those beyond the bound have an answer"),
            }
        }
        alive.sort();
        assert_eq!(alive, [(1001, [192, 0, 2, 1].into()), (1002, [192, 0, 2, 2].into())]);
    }
}
