//! Host names of trunks and seats, resolved by the operating system (`/etc/hosts`, then the DNS). Each name is asked for by one
//! task at a time, and only so many names at once; an answer is kept for a while. Whoever asks beyond these bounds, or for a
//! name that takes too long, is told that there is no address.

use crate::base::{Hop, Mono, Place, Target};
use crate::io::clock;
use crate::io::inbox::Inbox;
use crate::io::process::threads;
use crate::switch::Input;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::runtime::Handle;
use tokio::time::timeout;

const TASK: &str = "resolver";
/// Names under way at once: each takes a thread until the system answers, however long that is.
const MAX_AT_ONCE: usize = 32;
/// Answers that wait for one name.
const MAX_WAITING: usize = 4096;
/// Names that are kept; more than trunks and seats name after some reloads.
const MAX_KEPT: usize = 4096;

/// Resolves for the switch; cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    inbox: Inbox,
    runtime: Handle,
    patience: Duration,
    kept_for: Duration,
    names: Arc<Mutex<Names>>,
}

#[derive(Default)]
struct Names {
    /// Until when each answer holds.
    kept: BTreeMap<Arc<str>, (Mono, Vec<IpAddr>)>,
    /// Those who wait for each name.
    asked: BTreeMap<Arc<str>, Vec<(u64, Target)>>,
}

/// How a question goes on.
#[derive(Debug, PartialEq, Eq)]
enum Begun {
    Known(Vec<IpAddr>),
    /// This one asks the system.
    SwitchRequests,
    /// Another one has asked.
    Waits,
    Refused,
}

impl Resolver {
    /// `patience`: how long a name may take. `kept_for`: how long an answer holds.
    pub fn new(inbox: Inbox, runtime: Handle, patience: Duration, kept_for: Duration) -> Resolver {
        Resolver { inbox, runtime, patience, kept_for, names: Arc::default() }
    }

    /// Answers by [`Input::Resolved`], now or later.
    pub fn resolve(&self, id: u64, target: Target) {
        let name = match &target.place {
            Place::At(address) => return self.answer(id, &target, &[address.ip()]),
            Place::Named(name, _) => name.clone(),
        };
        match self.names().begin(clock::mono(), &name, (id, target.clone())) {
            Begun::Known(hosts) => self.answer(id, &target, &hosts),
            Begun::Refused => self.answer(id, &target, &[]),
            Begun::Waits => {}
            Begun::SwitchRequests => {
                let resolver = self.clone();
                drop(threads::task(&self.runtime, TASK, async move { resolver.ask(name).await }));
            }
        }
    }

    async fn ask(self, name: Arc<str>) {
        let lookup = lookup_host((&*name, 0));
        tokio::pin!(lookup);
        let first = timeout(self.patience, &mut lookup).await;
        let in_time = first.is_ok();
        let answer = match first {
            Ok(answer) => answer,
            Err(_) => {
                let waiting = self.names().asked.get_mut(&name).map(std::mem::take).unwrap_or_default();
                waiting.iter().for_each(|(id, target)| self.answer(*id, target, &[]));
                // It takes its thread until it ends, and so counts until then.
                lookup.await
            }
        };
        let mut hosts: Vec<IpAddr> = Vec::new();
        match answer {
            Ok(found) => found.map(|at| at.ip()).for_each(|host| {
                if !hosts.contains(&host) {
                    hosts.push(host)
                }
            }),
            Err(error) => tracing::warn!(%name, %error, "a host name is not resolved"),
        }
        if !in_time {
            tracing::warn!(%name, "the system took too long to resolve a host name");
        }
        let waiting = self.names().end(clock::mono().after(self.kept_for), &name, &hosts);
        waiting.iter().for_each(|(id, target)| self.answer(*id, target, &hosts));
    }

    /// One that finds no room in the inbox is as good as silent: the switch does not wait for ever.
    fn answer(&self, id: u64, target: &Target, hosts: &[IpAddr]) {
        let hops: Vec<Hop> = hosts.iter().map(|host| target.hop(*host)).collect();
        let _ = self.inbox.try_send(Input::Resolved { id, hops });
    }

    fn names(&self) -> std::sync::MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names {
    fn begin(&mut self, now: Mono, name: &Arc<str>, who: (u64, Target)) -> Begun {
        if let Some((until, hosts)) = self.kept.get(name)
            && now < *until
        {
            return Begun::Known(hosts.clone());
        }
        if let Some(waiting) = self.asked.get_mut(name) {
            if waiting.len() >= MAX_WAITING {
                return Begun::Refused;
            }
            waiting.push(who);
            return Begun::Waits;
        }
        if self.asked.len() >= MAX_AT_ONCE {
            return Begun::Refused;
        }
        self.asked.insert(name.clone(), vec![who]);
        Begun::SwitchRequests
    }

    /// Gives those who wait. A name without an address is asked for again at once.
    fn end(&mut self, until: Mono, name: &Arc<str>, hosts: &[IpAddr]) -> Vec<(u64, Target)> {
        if self.kept.len() >= MAX_KEPT {
            self.kept.clear();
        }
        match hosts.is_empty() {
            true => drop(self.kept.remove(name)),
            false => drop(self.kept.insert(name.clone(), (until, hosts.to_vec()))),
        }
        self.asked.remove(name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Transport;
    use crate::io::inbox::inbox;

    fn target(text: &str) -> Target {
        Target { transport: Transport::Udp, place: text.parse().unwrap() }
    }

    fn begin(names: &mut Names, seconds: u64, name: &str) -> Begun {
        names.begin(Mono(seconds * 1_000_000), &name.into(), (1, target("a:1")))
    }

    #[test]
    fn a_name_is_asked_for_once_and_its_answer_is_kept_for_a_while() {
        let mut names = Names::default();
        assert_eq!(begin(&mut names, 0, "a"), Begun::SwitchRequests);
        assert_eq!(begin(&mut names, 1, "a"), Begun::Waits);
        assert_eq!(names.asked["a"].len(), 2);
        let host: IpAddr = "192.0.2.7".parse().unwrap();
        assert_eq!(names.end(Mono(30_000_000), &"a".into(), &[host]).len(), 2);
        assert_eq!(begin(&mut names, 29, "a"), Begun::Known(vec![host]));
        assert_eq!(begin(&mut names, 30, "a"), Begun::SwitchRequests);
        names.end(Mono(60_000_000), &"a".into(), &[]);
        assert_eq!(begin(&mut names, 31, "a"), Begun::SwitchRequests, "no address is kept for no time");
    }

    #[test]
    fn names_at_once_and_those_who_wait_are_bounded() {
        let mut names = Names::default();
        for index in 0..MAX_AT_ONCE {
            assert_eq!(begin(&mut names, 0, &format!("n{index}")), Begun::SwitchRequests);
        }
        assert_eq!(begin(&mut names, 0, "more"), Begun::Refused);
        assert!((1..MAX_WAITING).all(|_| begin(&mut names, 0, "n0") == Begun::Waits));
        assert_eq!(begin(&mut names, 0, "n0"), Begun::Refused);
    }

    /// Every machine knows itself by this name, without the network.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_system_resolves_and_an_address_needs_nobody() {
        let (inbox, outlet) = inbox(64).unwrap();
        let resolver = Resolver::new(inbox, Handle::current(), Duration::from_secs(60), Duration::from_secs(60));
        resolver.resolve(1, target("192.0.2.7:5060"));
        let resolved = |input: Option<Input>| match input {
            Some(Input::Resolved { id, hops }) => (id, hops),
            other => panic!("{other:?}"),
        };
        let (id, hops) = resolved(outlet.take());
        assert_eq!((id, hops.len(), hops[0].address.to_string().as_str()), (1, 1, "192.0.2.7:5060"));
        resolver.resolve(2, target("localhost:5062"));
        let answer = loop {
            match outlet.take() {
                Some(input) => break resolved(Some(input)),
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        assert_eq!(answer.0, 2);
        assert!(answer.1.iter().any(|hop| hop.address.to_string() == "127.0.0.1:5062"), "{:?}", answer.1);
        assert!(answer.1.iter().all(|hop| hop.server_name.as_deref() == Some("localhost")));
    }
}
