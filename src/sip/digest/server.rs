//! The server's side of digest authentication: nonces that need no memory, and a bounded memory of those in use.

use super::{Algorithm, Answer, Challenge, Qop, Secret, Signed, hex};
use crate::base::Mono;
use ring::hmac;
use std::collections::BTreeMap;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Requests may overtake each other by so many: those below the highest count are known one by one.
const WINDOW: u32 = 64;

/// Challenges and judges. A nonce is the keyed MAC of its time and number, so none is kept before somebody who knows a
/// secret has used it; of those that were used, the last are kept, and an older one is stale.
pub struct Server {
    key: hmac::Key,
    realm: String,
    /// How long a nonce lasts.
    life: Duration,
    max_nonces: usize,
    issued: u64,
    used: BTreeMap<Nonce, Counts>,
    /// Up to this one, nonces that are not in the table count as used up.
    forgotten: Option<Nonce>,
}

/// When it was issued, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Nonce(Mono, u64);

/// Counts that a nonce was used with: the highest, and a bit for each of those before it.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    highest: u32,
    below: u64,
}

/// A request whose sender knows the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub user: String,
    /// The URI that the answer was made for.
    pub uri: String,
    pub qop: Qop,
}

/// Why an answer does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It is none that we can read: 400, or a challenge.
    Malformed,
    /// Wrong user, secret, realm, or less than we ask for: a new challenge.
    Wrong,
    /// The secret is right, the nonce is old, used with this count before, or not ours: a new challenge that says so.
    Stale,
}

impl Server {
    /// `max_nonces` that are in use are kept.
    pub fn new(key: &[u8], realm: &str, life: Duration, max_nonces: usize) -> Server {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let used = BTreeMap::new();
        Server { key, realm: realm.to_owned(), life, max_nonces: max_nonces.max(1), issued: 0, used, forgotten: None }
    }

    /// A challenge with a nonce that nobody else gets.
    pub fn challenge(&mut self, now: Mono, algorithm: Algorithm, stale: bool) -> Challenge {
        self.issued += 1;
        let nonce = self.write(Nonce(now, self.issued));
        let qops = vec![Qop::Auth, Qop::AuthInt];
        Challenge { realm: self.realm.clone(), nonce, opaque: None, algorithm, sess: false, stale, qops }
    }

    /// Judges the value of Authorization. `secret` finds a user's for an algorithm. A peer of RFC 2069 is refused: anybody
    /// could repeat what it sends.
    pub fn verify(
        &mut self,
        now: Mono,
        value: &[u8],
        method: &str,
        body: &[u8],
        secret: impl FnOnce(&str, Algorithm) -> Option<Secret>,
    ) -> Result<Verified, Rejected> {
        let answer = Answer::parse(value).filter(|answer| !answer.sess).ok_or(Rejected::Malformed)?;
        let counted = answer.counted.as_ref().filter(|_| answer.realm == self.realm).ok_or(Rejected::Wrong)?;
        // An unknown user takes as long as a known one.
        let known = secret(&answer.user, answer.algorithm).filter(|secret| secret.algorithm == answer.algorithm);
        let is_known = known.is_some();
        let secret = known.unwrap_or_else(|| Secret::kept(answer.algorithm, ""));
        let ours = secret.response(&answer.nonce, Some(counted), Signed { method, uri: &answer.uri, body });
        if !bool::from(ours.as_bytes().ct_eq(answer.response.as_bytes())) || !is_known {
            return Err(Rejected::Wrong);
        }
        let nonce = self.read(now, &answer.nonce).ok_or(Rejected::Stale)?;
        if !self.note(now, nonce, counted.count) {
            return Err(Rejected::Stale);
        }
        Ok(Verified { qop: counted.qop, user: answer.user, uri: answer.uri })
    }

    /// Nonces in use.
    pub fn len(&self) -> usize {
        self.used.len()
    }

    pub fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    fn write(&self, Nonce(at, number): Nonce) -> String {
        let text = format!("{:016x}{number:016x}", at.0);
        let mac = hmac::sign(&self.key, text.as_bytes());
        format!("{text}{}", hex(&mac.as_ref()[..16]))
    }

    /// A nonce of ours that lasts still.
    fn read(&self, now: Mono, text: &str) -> Option<Nonce> {
        let number = |part: Option<&str>| u64::from_str_radix(part?, 16).ok();
        let nonce = Nonce(Mono(number(text.get(..16))?), number(text.get(16..32))?);
        let ours = bool::from(self.write(nonce).as_bytes().ct_eq(text.as_bytes()));
        (ours && nonce.0 <= now && now.since(nonce.0) < self.life).then_some(nonce)
    }

    /// Tells whether this count comes for the first time.
    fn note(&mut self, now: Mono, nonce: Nonce, count: u32) -> bool {
        while let Some(oldest) = self.used.first_entry().filter(|oldest| now.since(oldest.key().0) >= self.life) {
            oldest.remove();
        }
        if let Some(counts) = self.used.get_mut(&nonce) {
            return counts.take(count);
        }
        if self.forgotten.is_some_and(|forgotten| nonce <= forgotten) {
            return false;
        }
        if self.used.len() >= self.max_nonces
            && let Some(oldest) = self.used.first_entry()
        {
            if nonce < *oldest.key() {
                return false;
            }
            self.forgotten = Some(oldest.remove_entry().0);
        }
        let mut counts = Counts::default();
        counts.take(count);
        self.used.insert(nonce, counts);
        true
    }
}

impl Counts {
    fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            let step = count - self.highest;
            // The one that was highest is among those below now.
            let shifted = self.below.checked_shl(step).unwrap_or(0);
            let before = if self.highest > 0 { 1u64.checked_shl(step - 1).unwrap_or(0) } else { 0 };
            (self.highest, self.below) = (count, shifted | before);
            return true;
        }
        let age = self.highest - count;
        if age == 0 || age > WINDOW {
            return false;
        }
        let bit = 1u64 << (age - 1);
        let new = self.below & bit == 0;
        self.below |= bit;
        new
    }
}
