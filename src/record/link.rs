//! Links that open a recording by themselves until a day that stands in them: HMAC-SHA-256 over the call's id and the day.

use super::digest::Spelling;
use crate::base::{CallId, Wall};
use data_encoding::HEXLOWER_PERMISSIVE;
use ring::hmac;

/// Makes links, and knows them again.
#[derive(Clone)]
pub struct Signer(hmac::Key);

impl Signer {
    pub fn new(secret: &[u8; 32]) -> Signer {
        Signer(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The text after the `?`; `expires` in seconds of Unix time.
    pub fn query(&self, call: CallId, expires: i64) -> String {
        let tag = hmac::sign(&self.0, text(call, expires).as_bytes());
        format!("expires={expires}&signature={}", Spelling::Hex.spell(tag.as_ref()))
    }

    /// Tells whether we made it, and its day has not come.
    pub fn holds(&self, call: CallId, expires: i64, signature: &str, now: Wall) -> bool {
        let ours = |tag: Vec<u8>| hmac::verify(&self.0, text(call, expires).as_bytes(), &tag).is_ok();
        HEXLOWER_PERMISSIVE.decode(signature.as_bytes()).is_ok_and(ours) && now.0 < expires.saturating_mul(1_000_000)
    }
}

/// The words before keep the key's other uses apart.
fn text(call: CallId, expires: i64) -> String {
    format!("hotline recording\n{call}\n{expires}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(signer: &Signer, call: CallId, query: &str, now: i64) -> bool {
        let (expires, signature) = query.strip_prefix("expires=").unwrap().split_once("&signature=").unwrap();
        signer.holds(call, expires.parse().unwrap(), signature, Wall(now * 1_000_000))
    }

    #[test]
    fn a_link_opens_its_own_recording_until_its_day() {
        let (signer, other) = (Signer::new(&[1; 32]), Signer::new(&[2; 32]));
        let call: CallId = "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80".parse().unwrap();
        let another: CallId = "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a81".parse().unwrap();
        let query = signer.query(call, 1000);
        assert!(held(&signer, call, &query, 999) && !held(&signer, call, &query, 1000));
        assert!(!held(&signer, another, &query, 999) && !held(&other, call, &query, 999));
        assert!(!held(&signer, call, &query.replace("expires=1000", "expires=1001"), 999), "the day is signed too");
        for forged in ["", "0", "zz", "00", "+1", "号"] {
            assert!(!signer.holds(call, 1000, forged, Wall(0)), "{forged}");
        }
        assert!(!signer.holds(call, 1000, &query[query.len() - 62..], Wall(0)), "a part of it");
    }
}
