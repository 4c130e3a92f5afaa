//! Keys of SRTP (RFC 3711): a description carries them (RFC 4568), the media plane seals and opens packets with them, and
//! nobody prints them.

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// The crypto suites that we speak, in our order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Suite {
    #[serde(rename = "AEAD_AES_256_GCM")]
    Gcm256,
    #[serde(rename = "AEAD_AES_128_GCM")]
    Gcm128,
    #[serde(rename = "AES_CM_128_HMAC_SHA1_80")]
    Counter80,
    #[serde(rename = "AES_CM_128_HMAC_SHA1_32")]
    Counter32,
}

impl Suite {
    pub const ALL: [Suite; 4] = [Suite::Gcm256, Suite::Gcm128, Suite::Counter80, Suite::Counter32];

    /// The name in a description (RFC 4568 §6.2, RFC 7714 §14.1).
    pub fn name(self) -> &'static str {
        match self {
            Suite::Gcm256 => "AEAD_AES_256_GCM",
            Suite::Gcm128 => "AEAD_AES_128_GCM",
            Suite::Counter80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::Counter32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// Bytes of the master key.
    pub fn key(self) -> usize {
        if self == Suite::Gcm256 { 32 } else { 16 }
    }

    /// Bytes behind each RTP packet. The short tag is RTP's alone (RFC 4568 §6.2.2).
    pub fn tag(self) -> usize {
        match self {
            Suite::Gcm256 | Suite::Gcm128 => 16,
            Suite::Counter80 => 10,
            Suite::Counter32 => 4,
        }
    }

    /// Bytes of the master salt.
    pub fn salt(self) -> usize {
        if matches!(self, Suite::Gcm256 | Suite::Gcm128) { 12 } else { 14 }
    }
}

/// The most bytes of a master key and its salt.
const MOST: usize = 46;

/// A master key with its salt behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    length: usize,
    bytes: [u8; MOST],
}

impl MasterKey {
    /// Takes what the suite needs of these bytes.
    pub fn new(suite: Suite, random: &[u8; MOST]) -> MasterKey {
        let length = suite.key() + suite.salt();
        let mut bytes = [0; MOST];
        bytes[..length].copy_from_slice(&random[..length]);
        MasterKey { length, bytes }
    }

    /// Reads base64. None: it is not as long as the suite's.
    pub fn parse(suite: Suite, text: &str) -> Option<MasterKey> {
        let key = MasterKey::read(text)?;
        (key.length == suite.key() + suite.salt()).then_some(key)
    }

    /// Some phones leave the padding out.
    fn read(text: &str) -> Option<MasterKey> {
        let bare = text.trim_end_matches('=');
        if bare.len() > MOST * 4 / 3 + 1 {
            return None;
        }
        let decoded = data_encoding::BASE64_NOPAD.decode(bare.as_bytes()).ok().filter(|decoded| decoded.len() <= MOST)?;
        let mut bytes = [0; MOST];
        bytes[..decoded.len()].copy_from_slice(&decoded);
        Some(MasterKey { length: decoded.len(), bytes })
    }

    /// As base64.
    pub fn text(&self) -> String {
        BASE64.encode(self.bytes())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Serialize for MasterKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for MasterKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<MasterKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        MasterKey::read(&text).ok_or_else(|| de::Error::custom("no master key"))
    }
}

/// The two keys that a leg's offer and answer have settled: each side has chosen that of what it sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SrtpKeys {
    pub suite: Suite,
    pub sent: MasterKey,
    pub received: MasterKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written_and_never_printed() {
        for suite in Suite::ALL {
            let key = MasterKey::new(suite, &[0xA7; MOST]);
            assert_eq!(key.bytes().len(), suite.key() + suite.salt());
            assert_eq!(MasterKey::parse(suite, &key.text()), Some(key));
            assert_eq!(MasterKey::parse(suite, key.text().trim_end_matches('=')), Some(key), "without its padding");
            let keys = SrtpKeys { suite, sent: key, received: key };
            assert!(!format!("{keys:?}").contains(&key.text()[..8]) && !format!("{keys:?}").contains("167"), "{keys:?}");
            let again: SrtpKeys = serde_json::from_str(&serde_json::to_string(&keys).unwrap()).unwrap();
            assert_eq!(again, keys);
        }
    }

    #[test]
    fn what_is_no_key_of_the_suite_is_refused() {
        let key = MasterKey::new(Suite::Counter80, &[1; MOST]).text();
        assert_eq!(MasterKey::parse(Suite::Gcm128, &key), None, "too long for it");
        assert_eq!(MasterKey::parse(Suite::Gcm256, &key), None, "too short for it");
        for text in ["", "====", "!", &key[1..], &"A".repeat(1000)] {
            assert_eq!(MasterKey::parse(Suite::Counter80, text), None, "{text}");
        }
    }
}
