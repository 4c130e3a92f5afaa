//! The signature of a posted event, after Standard Webhooks: HMAC-SHA256 over id, time and body.

use crate::base::Text;
use data_encoding::BASE64;
use ring::hmac;
use std::fmt;

/// A sender that replaces its key signs twice.
const MOST_SIGNATURES: usize = 4;

/// The keys shared with a receiver. While one is being replaced there are two, and a signature by each.
#[derive(Clone, Default)]
pub struct Keys(Vec<hmac::Key>);

impl Keys {
    /// Secrets as `whsec_` and base64, parted by spaces; an empty text has none.
    pub fn parse(text: &str) -> Result<Keys, Text> {
        text.split_whitespace().map(key).collect::<Result<_, _>>().map(Keys)
    }

    /// The value of `webhook-signature`; none without a key.
    pub fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> Option<String> {
        let mut signed = format!("{id}.{seconds}.").into_bytes();
        signed.extend_from_slice(body);
        let signatures: Vec<_> =
            self.0.iter().map(|key| format!("v1,{}", BASE64.encode(hmac::sign(key, &signed).as_ref()))).collect();
        (!signatures.is_empty()).then(|| signatures.join(" "))
    }
}

impl Keys {
    /// Tells whether one of the signatures of the header was made by one of the keys.
    pub fn verify(&self, id: &str, seconds: &str, body: &[u8], header: &str) -> bool {
        let mut signed = format!("{id}.{seconds}.").into_bytes();
        signed.extend_from_slice(body);
        let signatures =
            header.split(' ').take(MOST_SIGNATURES).filter_map(|one| BASE64.decode(one.strip_prefix("v1,")?.as_bytes()).ok());
        signatures.into_iter().any(|given| self.0.iter().any(|key| hmac::verify(key, &signed, &given).is_ok()))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

fn key(text: &str) -> Result<hmac::Key, Text> {
    let bytes = text.strip_prefix("whsec_").and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let bytes = bytes.filter(|bytes| (24..=64).contains(&bytes.len())).ok_or_else(|| {
        both!(
            "a webhook secret is `whsec_` and the base64 of 24 to 64 bytes",
            "签名密钥应为 `whsec_` 加上 24 至 64 字节的 base64"
        )
    })?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value that Python's hmac and base64 modules compute.
    #[test]
    fn a_receiver_can_verify_it() {
        let keys = Keys::parse("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3").unwrap();
        let signed = keys.sign("0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80", 1_638_316_800, br#"{"a":1}"#);
        assert_eq!(signed.unwrap(), "v1,8qvOaJOhPsPjtv6U1SU12A0HsXT/5X3GyI7EobZmqDY=");
        assert_eq!(Keys::parse("").unwrap().sign("x", 0, b""), None);
    }

    #[test]
    fn two_keys_make_two_signatures_and_a_bad_one_is_refused() {
        let two = Keys::parse("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3 whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY4").unwrap();
        assert_eq!(two.sign("x", 0, b"").unwrap().split(' ').count(), 2);
        for bad in ["MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3", "whsec_short", "whsec_c2hvcnQ="] {
            assert!(Keys::parse(bad).unwrap_err().en.contains("whsec_"), "{bad}");
        }
        assert!(!format!("{two:?}").contains("MDEy"));
    }
}
