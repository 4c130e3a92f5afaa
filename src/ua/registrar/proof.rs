//! The proof of who sends a request: digest authentication (RFC 3261 §22, RFC 7616), and what failing costs.

use super::guard::Suspect;
use super::{Answer, Denied, Registrar};
use crate::base::{Flow, Mono};
use crate::sip::digest::{self, Algorithm, Rejected, Secret};
use crate::sip::{Header, Method, Name, Request, Uri};
use std::net::IpAddr;
use std::sync::Arc;

/// The outcome of looking for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Proof {
    /// It is this seat's.
    Given(Arc<str>),
    /// 401, or a refusal.
    Missing(Answer),
    /// Its source has failed too often: it gets no answer.
    Unheard,
}

impl Registrar {
    /// Tells whether a message from there may be read at all. A phone that is registered is heard whatever others do from
    /// behind the same NAT.
    pub fn hears(&self, now: Mono, flow: Flow) -> bool {
        let host = flow.remote.ip();
        self.is_direct(flow) || self.is_home(host) || self.guard.hears(now, &Suspect::host(host))
    }

    /// Looks for the proof of a REGISTER, or of an INVITE that comes from beside the flows of phones. A call for help is heard
    /// whatever others at its host have done: it is asked for its password, and goes on with the right one. A wrong one has no
    /// answer then, and costs nobody more.
    pub fn prove(&mut self, now: Mono, flow: Flow, request: &Request, help: bool) -> Proof {
        let ours = request.headers.all(&Name::Authorization).find(|value| self.is_for_us(value)).cloned();
        let answered = ours.as_deref().and_then(digest::Answer::parse);
        let claimed = match &answered {
            Some(answer) => Some(answer.user.clone()),
            None => sender(request),
        };
        let host = flow.remote.ip();
        let suspect = self.suspect(host, claimed.as_deref());
        // By its own flow a phone is heard as itself, and not when it tries another's name.
        let own = claimed.as_deref().and_then(|user| self.seat_of(user)).is_some_and(|seat| self.at(flow).any(|at| at == seat));
        let heard = own || self.guard.hears(now, &suspect);
        if !heard && !help {
            return self.unheard();
        }
        let Some(value) = ours else { return Proof::Missing(self.challenge(now, claimed.as_deref(), false)) };
        let method = String::from_utf8_lossy(request.method.as_bytes()).into_owned();
        let accounts = &self.config.accounts;
        let secret = |user: &str, algorithm: Algorithm| -> Option<Secret> {
            accounts.get(user)?.secrets.iter().find(|secret| secret.algorithm() == algorithm).cloned()
        };
        match self.digest.verify(now, &value, &method, &request.body, secret) {
            // RFC 7616 §3.4.6: it was made for this request, and not taken from another.
            Ok(verified) if means(&verified.uri, &request.uri) && accounts.contains_key(&verified.user) => {
                self.proved(host, &verified.user)
            }
            Err(Rejected::Stale) => Proof::Missing(self.challenge(now, claimed.as_deref(), true)),
            _ if !heard => {
                self.figures.failed += 1;
                self.unheard()
            }
            Err(Rejected::Wrong) => self.fails(now, suspect, claimed.as_deref(), 401),
            Ok(_) | Err(Rejected::Malformed) => self.fails(now, suspect, None, 400),
        }
    }

    /// Its sender has proved to be this user.
    fn proved(&mut self, host: IpAddr, user: &str) -> Proof {
        let Some(seat) = self.seat_of(user).cloned() else { return Proof::Unheard };
        self.guard.proved([Suspect::host(host), Suspect::user(host, user)], &seat);
        Proof::Given(seat)
    }

    fn unheard(&mut self) -> Proof {
        self.figures.unheard += 1;
        Proof::Unheard
    }

    fn is_for_us(&self, value: &[u8]) -> bool {
        digest::Answer::parse(value).is_none_or(|answer| answer.realm == self.config.realm)
    }

    /// Those that pay for a failure: a user who has a phone at that host, or the host with all that is behind it.
    fn suspect(&self, host: IpAddr, user: Option<&str>) -> Suspect {
        let lives = |user: &str| {
            let seat = self.config.accounts.get(user).map(|account| &*account.seat);
            seat.is_some_and(|seat| self.bindings(seat).iter().any(|binding| binding.flow.remote.ip() == host))
        };
        user.filter(|user| lives(user)).map_or(Suspect::host(host), |user| Suspect::user(host, user))
    }

    fn fails(&mut self, now: Mono, suspect: Suspect, user: Option<&str>, status: u16) -> Proof {
        self.figures.failed += 1;
        let claimed = user.and_then(|user| self.seat_of(user)).cloned();
        if self.guard.failed(now, suspect, claimed, self.config.tries, self.config.ban) {
            self.figures.bans += 1;
        }
        Proof::Missing(match status {
            401 => self.challenge(now, user, false),
            _ => Answer { proved: false, ..Answer::denied(Denied::new(status, "")) },
        })
    }

    /// 401 with a challenge for each algorithm that this user's phones can be proved by, the best first (RFC 8760 §2.3).
    fn challenge(&mut self, now: Mono, user: Option<&str>, stale: bool) -> Answer {
        let account = user.and_then(|user| self.config.accounts.get(user)).filter(|account| !account.secrets.is_empty());
        let algorithms: Vec<Algorithm> = match account {
            Some(account) => account.secrets.iter().map(Secret::algorithm).collect(),
            None => self.config.algorithms.clone(),
        };
        let challenges = algorithms.iter().map(|algorithm| self.digest.challenge(now, *algorithm, stale));
        let headers = challenges.map(|challenge| Header::printed(Name::WwwAuthenticate, challenge)).collect();
        Answer { status: 401, reason: "", headers, proved: false }
    }
}

/// The one who sends it as it says: To is who registers (RFC 3261 §10.2), and in an INVITE who is called.
fn sender(request: &Request) -> Option<String> {
    let address = if request.method == Method::Register { request.headers.to() } else { request.headers.from() };
    address?.uri.user
}

fn means(written: &str, uri: &Uri) -> bool {
    Uri::parse(written.as_bytes()).is_some_and(|written| written.equivalent(uri))
}
