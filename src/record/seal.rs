//! Entries sealed for the disk: XChaCha20-Poly1305 under a named key, bound to the call and the place in its log, so that
//! no entry can be put in another's place. And the blind index: a caller is looked up by a keyed hash of the number.

use crate::base::CallId;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use ring::hmac;
use std::collections::BTreeMap;
use std::fmt;

/// The first byte of what is sealed.
const FORM: u8 = 1;
const NONCE: usize = 24;
/// Bytes of a caller's hash that are kept.
const HASH: usize = 16;

pub type Secret = [u8; 32];

/// The keys there are, and which are used for what is new.
#[derive(Default)]
pub struct Sealer {
    keys: BTreeMap<String, XChaCha20Poly1305>,
    current: Option<String>,
    index: Option<hmac::Key>,
}

/// Why a sealed entry could not be read. The entry is there; another key may open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unopened {
    Key(String),
    /// The key is there and does not fit, or the entry is damaged.
    Broken(String),
    Form,
}

impl fmt::Display for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unopened::Key(name) => write!(f, "sealed with the key `{name}`, which is not in [records.keys]"),
            Unopened::Broken(name) => write!(f, "the key `{name}` of [records.keys] does not open it: another key, or damage"),
            Unopened::Form => write!(f, "sealed in a way that this release does not know"),
        }
    }
}

impl std::error::Error for Unopened {}

/// Nothing of the keys.
impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("keys", &self.keys.len()).field("current", &self.current).finish()
    }
}

impl Sealer {
    /// `current` seals, any of `keys` opens; `index` hashes callers.
    pub fn new(keys: &BTreeMap<String, Secret>, current: Option<&str>, index: Option<&Secret>) -> Sealer {
        let cipher = |secret: &Secret| XChaCha20Poly1305::new(&Key::from(*secret));
        Sealer {
            keys: keys.iter().map(|(name, secret)| (name.clone(), cipher(secret))).collect(),
            current: current.map(str::to_owned),
            index: index.map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret)),
        }
    }

    /// The key that seals what is new, if anything is sealed.
    pub fn current(&self) -> Option<&str> {
        self.current.as_deref()
    }

    pub fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// None where nothing is sealed. A nonce is used once.
    pub fn seal(&self, call: CallId, seq: u32, nonce: [u8; NONCE], text: &str) -> Option<Vec<u8>> {
        self.seal_at(&place(call, seq), nonce, text)
    }

    /// As [`Sealer::seal`], for what has another place than in a call's log.
    pub fn seal_at(&self, place: &[u8], nonce: [u8; NONCE], text: &str) -> Option<Vec<u8>> {
        let name = self.current.as_ref()?;
        let payload = Payload { msg: text.as_bytes(), aad: place };
        let sealed = self.keys.get(name)?.encrypt(&XNonce::from(nonce), payload).ok()?;
        let length = u8::try_from(name.len()).ok()?;
        Some([&[FORM, length], name.as_bytes(), &nonce, &sealed].concat())
    }

    pub fn open(&self, call: CallId, seq: u32, sealed: &[u8]) -> Result<String, Unopened> {
        self.open_at(&place(call, seq), sealed)
    }

    pub fn open_at(&self, place: &[u8], sealed: &[u8]) -> Result<String, Unopened> {
        let (name, nonce, rest) = parts(sealed).ok_or(Unopened::Form)?;
        let cipher = self.keys.get(name).ok_or_else(|| Unopened::Key(name.to_owned()))?;
        let text = cipher.decrypt(&XNonce::from(nonce), Payload { msg: rest, aad: place });
        let text = text.ok().and_then(|text| String::from_utf8(text).ok());
        text.ok_or_else(|| Unopened::Broken(name.to_owned()))
    }

    /// By what a caller is found again, where there is a key for it.
    pub fn hash(&self, caller: &str) -> Option<[u8; HASH]> {
        let tag = hmac::sign(self.index.as_ref()?, caller.as_bytes());
        tag.as_ref().first_chunk().copied()
    }
}

/// The place of an entry of a call's log.
pub fn place(call: CallId, seq: u32) -> [u8; 20] {
    let mut place = [0; 20];
    place[..16].copy_from_slice(call.0.as_bytes());
    place[16..].copy_from_slice(&seq.to_be_bytes());
    place
}

fn parts(sealed: &[u8]) -> Option<(&str, [u8; NONCE], &[u8])> {
    let (&[form, length], rest) = sealed.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(usize::from(length)).filter(|_| form == FORM)?;
    let (nonce, rest) = rest.split_first_chunk()?;
    Some((std::str::from_utf8(name).ok()?, *nonce, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn call(n: u128) -> CallId {
        CallId(Uuid::from_u128(n))
    }

    fn sealer(keys: &[(&str, u8)], current: Option<&str>) -> Sealer {
        let keys = keys.iter().map(|(name, byte)| (name.to_string(), [*byte; 32])).collect();
        Sealer::new(&keys, current, Some(&[9; 32]))
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_at_its_place_only() {
        let old = sealer(&[("old", 1)], Some("old"));
        let sealed = old.seal(call(1), 2, [3; 24], "13800138000").unwrap();
        assert!(!sealed.windows(5).any(|bytes| bytes == b"13800"));
        assert_eq!(old.open(call(1), 2, &sealed).as_deref(), Ok("13800138000"));
        assert_eq!(old.open(call(1), 3, &sealed), Err(Unopened::Broken("old".into())));
        assert_eq!(old.open(call(2), 2, &sealed), Err(Unopened::Broken("old".into())));
        let both = sealer(&[("old", 1), ("new", 2)], Some("new"));
        assert_eq!(both.open(call(1), 2, &sealed).as_deref(), Ok("13800138000"), "after the change of keys");
        assert_ne!(both.seal(call(1), 2, [3; 24], "13800138000").unwrap()[..5], sealed[..5]);
        assert_eq!(sealer(&[("new", 2)], None).open(call(1), 2, &sealed), Err(Unopened::Key("old".into())));
        assert_eq!(sealer(&[("old", 2)], None).open(call(1), 2, &sealed), Err(Unopened::Broken("old".into())));
        for flipped in 0..sealed.len() {
            let mut wrong = sealed.clone();
            wrong[flipped] ^= 1;
            assert!(old.open(call(1), 2, &wrong).is_err(), "byte {flipped}");
        }
        assert_eq!(sealer(&[("old", 1)], None).seal(call(1), 2, [3; 24], "x"), None);
    }

    #[test]
    fn a_caller_s_hash_is_the_key_s_alone() {
        let one = sealer(&[], None);
        assert_eq!(one.hash("13800138000"), one.hash("13800138000"));
        assert_ne!(one.hash("13800138000"), one.hash("13800138001"));
        assert_ne!(one.hash("13800138000"), Sealer::new(&BTreeMap::new(), None, Some(&[8; 32])).hash("13800138000"));
        assert_eq!(Sealer::default().hash("13800138000"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_opener_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = sealer(&[("k", 1)], None).open(call(1), 1, &bytes);
        }
    }
}
