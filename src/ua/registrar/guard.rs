//! Whoever fails to prove who it is waits longer each time, and is not heard at all for a while after too many failures.

use crate::base::{Mono, owner};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Sources that are remembered; the one that has failed longest ago makes room.
const MOST: usize = 4096;
/// A person who mistypes a password need not wait.
const FREE: u32 = 2;

/// Those that failures are counted for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Suspect {
    /// A host (an IPv6 host owns its /64 whole).
    Host(IpAddr),
    /// A user who has a live binding from that host: others behind the same NAT fail at their own cost.
    User(IpAddr, String),
}

impl Suspect {
    pub fn host(ip: IpAddr) -> Suspect {
        Suspect::Host(owner(ip))
    }

    pub fn user(ip: IpAddr, user: &str) -> Suspect {
        Suspect::User(owner(ip), user.to_owned())
    }
}

#[derive(Clone, Debug)]
struct Record {
    /// One for each failure: the seat that was claimed, where there is one.
    failures: Vec<Option<Arc<str>>>,
    last: Mono,
    /// It is not heard before.
    until: Mono,
    banned: bool,
}

#[derive(Debug, Default)]
pub(super) struct Guard(BTreeMap<Suspect, Record>);

impl Guard {
    pub fn hears(&self, now: Mono, suspect: &Suspect) -> bool {
        self.0.get(suspect).is_none_or(|record| record.until <= now)
    }

    /// It has failed. True when it is banned by that. What it tries while it is not heard prolongs nothing, so that a phone
    /// with the right password at the same host has its turn.
    pub fn failed(&mut self, now: Mono, suspect: Suspect, claimed: Option<Arc<str>>, tries: u32, ban: Duration) -> bool {
        if self.0.len() >= MOST && !self.0.contains_key(&suspect) {
            self.forget(now, ban);
        }
        let innocent = || Record { failures: Vec::new(), last: now, until: now, banned: false };
        let record = self.0.entry(suspect).or_insert_with(innocent);
        if record.banned && record.until > now {
            return false;
        }
        if record.banned || now.since(record.last) > ban {
            *record = innocent();
        }
        record.failures.push(claimed);
        record.last = now;
        let failures = u32::try_from(record.failures.len()).unwrap_or(u32::MAX);
        record.banned = failures >= tries;
        let wait = match failures.checked_sub(FREE + 1) {
            _ if record.banned => ban,
            None => Duration::ZERO,
            Some(doublings) => Duration::from_secs(1).saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(ban),
        };
        record.until = now.after(wait);
        record.banned
    }

    /// This seat has proved itself: what was tried in its name is forgiven, and nothing that was tried in another's. A ban
    /// lasts its time.
    pub fn proved(&mut self, suspects: [Suspect; 2], seat: &Arc<str>) {
        for suspect in suspects {
            let Some(record) = self.0.get_mut(&suspect).filter(|record| !record.banned) else { continue };
            record.failures.retain(|claimed| claimed.as_ref() != Some(seat));
            if record.failures.is_empty() {
                self.0.remove(&suspect);
            }
        }
    }

    /// Sources that are remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// An operator who reloads has seen to it.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn forget(&mut self, now: Mono, ban: Duration) {
        self.0.retain(|_, record| now.since(record.last) <= ban);
        if self.0.len() >= MOST
            && let Some(oldest) = self.0.iter().min_by_key(|(_, record)| record.last).map(|(suspect, _)| suspect.clone())
        {
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAN: Duration = Duration::from_secs(600);

    fn at(seconds: u64) -> Mono {
        Mono(1_000_000_000).after(Duration::from_secs(seconds))
    }

    #[test]
    fn failures_slow_down_then_ban_and_the_ban_ends() {
        let (mut guard, host) = (Guard::default(), Suspect::host([192, 0, 2, 7].into()));
        let mut waits = Vec::new();
        let mut now = 0;
        for _ in 0..6 {
            let banned = guard.failed(at(now), host.clone(), None, 6, BAN);
            let heard = (now..).find(|second| guard.hears(at(*second), &host)).unwrap();
            waits.push((heard - now, banned));
            now = heard;
        }
        assert_eq!(waits, [(0, false), (0, false), (1, false), (2, false), (4, false), (600, true)]);
        assert!(!guard.failed(at(now), host.clone(), None, 6, BAN) && guard.hears(at(now), &host), "it begins anew");
    }

    #[test]
    fn the_table_is_bounded() {
        let mut guard = Guard::default();
        for n in 0..(MOST as u32 + 100) {
            guard.failed(at(u64::from(n) / 100), Suspect::host(std::net::Ipv4Addr::from(n).into()), None, 1, BAN);
        }
        assert_eq!(guard.0.len(), MOST);
        assert!(guard.hears(at(50), &Suspect::host([0, 0, 0, 0].into())), "the oldest has made room");
    }
}
