//! Our answers to 401 and 407 (RFC 3261 §22.2, §22.3, RFC 8760): who we are there, and a challenge that we have answered.

use crate::base::Rng;
use crate::sip::digest::{Challenge, Client, Secret, Signed, next_nonce};
use crate::sip::{Header, Name, Request, Response, Uri};
use std::fmt;

/// The account by which a peer knows us. Nothing of the password reaches a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The private identity.
    pub user: String,
    pub password: String,
    /// The only realm that is answered; none: whichever asks.
    pub realm: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("realm", &self.realm).finish_non_exhaustive()
    }
}

/// As whom a carrier knows us in a call by one of our accounts.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownAs {
    pub login: Login,
    /// Our Contact, as it is registered.
    pub contact: Uri,
}

/// Why a challenge has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// There is none, or none in a way that we know.
    Unknown,
    /// It is for another realm than the account's.
    OtherRealm,
}

/// A challenge that we can answer.
#[derive(Clone, Debug)]
pub struct Challenged {
    client: Client,
    /// Authorization or Proxy-Authorization.
    name: Name,
}

impl Login {
    /// The challenge of a 401 or 407 to answer: in the account's realm the strongest that we know.
    pub fn challenged(&self, response: &Response) -> Result<Challenged, NoAnswer> {
        let (asks, name) = match response.status.0 {
            407 => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
            _ => (Name::WwwAuthenticate, Name::Authorization),
        };
        let all: Vec<Challenge> = response.headers.all(&asks).filter_map(|value| Challenge::parse(value)).collect();
        let none = if all.is_empty() { NoAnswer::Unknown } else { NoAnswer::OtherRealm };
        let ours = all.into_iter().filter(|challenge| self.realm.as_ref().is_none_or(|realm| *realm == challenge.realm));
        Challenge::strongest(ours).map(|challenge| Challenged { client: Client::new(challenge), name }).ok_or(none)
    }
}

/// The challenges that we answer with each request until newer ones come: one of the server and of each proxy before it, by their
/// realms (RFC 3261 §22.3).
#[derive(Clone, Debug, Default)]
pub struct Proofs(Vec<Challenged>);

/// More servers do not ask one after another; the oldest makes room.
const MOST_PROOFS: usize = 4;

/// A challenge in place of an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// There was none before.
    First,
    /// The answer to the one before was right, but its nonce has had its time.
    Stale,
    /// The answer to the one before was not taken; `repeats`: and this one has the same nonce.
    Denied { repeats: bool },
}

impl Proofs {
    pub fn take(&mut self, new: Challenged) -> Taken {
        let challenge = new.client.challenge();
        let same = |old: &&mut Challenged| old.name == new.name && old.client.challenge().realm == challenge.realm;
        let Some(old) = self.0.iter_mut().find(same) else {
            if self.0.len() == MOST_PROOFS {
                self.0.remove(0);
            }
            self.0.push(new);
            return Taken::First;
        };
        let repeats = old.client.challenge().nonce == challenge.nonce;
        let taken = if challenge.stale { Taken::Stale } else { Taken::Denied { repeats } };
        // The server counts on where the nonce is the same.
        if !repeats {
            *old = new;
        }
        taken
    }

    /// The realm in which a server has taken our answer: the only one where the account is known.
    pub fn realm(&self) -> Option<&str> {
        self.0.last().map(|known| known.client.challenge().realm.as_str())
    }

    /// Puts our answers into a request, in place of older ones; each with a cnonce by chance.
    pub fn sign(&mut self, login: &Login, request: &mut Request, rng: &mut Rng) {
        let (method, uri) = (String::from_utf8_lossy(request.method.as_bytes()).into_owned(), request.uri.to_string());
        request.headers.0.retain(|header| !matches!(header.name, Name::Authorization | Name::ProxyAuthorization));
        for Challenged { client, name } in &mut self.0 {
            let Challenge { algorithm, realm, .. } = client.challenge();
            let secret = Secret::new(*algorithm, &login.user, realm, &login.password);
            let signed = Signed { method: &method, uri: &uri, body: &request.body };
            if let Some(answer) = client.answer(&login.user, &secret, signed, &rng.token()) {
                request.headers.push(name.clone(), answer.to_string());
            }
        }
    }

    /// The answers that a request carries: its ACK has the same (RFC 3261 §22.1).
    pub fn of(request: &Request) -> Vec<Header> {
        let ours = |header: &&Header| matches!(header.name, Name::Authorization | Name::ProxyAuthorization);
        request.headers.0.iter().filter(ours).cloned().collect()
    }

    /// Takes the nonce that a 2xx names for the next time.
    pub fn note(&mut self, response: &Response) {
        let next = response.headers.get(&Name::AuthenticationInfo).and_then(|value| next_nonce(value));
        let ours = self.0.iter_mut().filter(|challenged| challenged.name == Name::Authorization);
        ours.zip(next).for_each(|(challenged, nonce)| challenged.client.go_on_with(nonce));
    }
}
