//! The attribute by which a description gives a key for SRTP (RFC 4568 §9.1).

use crate::base::{MasterKey, Suite};
use crate::sip::text::number;
use serde::{Deserialize, Serialize};

/// An offer of a suite and the describer's key for it, or the answer to one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crypto {
    /// An answer repeats the tag of the offer that it takes.
    pub tag: u32,
    pub suite: Suite,
    /// For what the describer sends.
    pub key: MasterKey,
}

impl Crypto {
    /// None: a suite that we do not speak, a key of another length, or a parameter that asks for something else.
    pub(super) fn read(value: &str) -> Option<Crypto> {
        let mut fields = value.split_ascii_whitespace();
        let tag = number(fields.next()?.as_bytes())?;
        let name = fields.next()?;
        let suite = Suite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))?;
        let (method, key) = fields.next()?.split_once(':')?;
        // §6.1: a lifetime may follow. The master key index that may come last would stand in each packet; we take none.
        let mut parts = key.split('|');
        let key = MasterKey::parse(suite, parts.next()?)?;
        let plain = parts.all(|part| !part.contains(':'));
        // §6.3: the window's size is a hint, and what begins with a dash may be passed over.
        let known = fields.all(|parameter| parameter.starts_with('-') || parameter.starts_with("WSH="));
        (method.eq_ignore_ascii_case("inline") && plain && known).then_some(Crypto { tag, suite, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    #[test]
    fn an_attribute_is_read_as_phones_write_it() {
        let read = |text: &str| Crypto::read(&text.replace("KEY", KEY)).map(|crypto| (crypto.tag, crypto.suite));
        for text in [
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^31",
            "1 AES_CM_128_HMAC_SHA1_80 INLINE:KEY|1048576 WSH=128",
            "  1   aes_cm_128_hmac_sha1_80 inline:KEY -whatever=3 ",
        ] {
            assert_eq!(read(text), Some((1, Suite::Counter80)), "{text}");
        }
        assert_eq!(read("900 AES_CM_128_HMAC_SHA1_32 inline:KEY"), Some((900, Suite::Counter32)));
        for text in [
            "",
            "1 AES_CM_128_HMAC_SHA1_80",
            "x AES_CM_128_HMAC_SHA1_80 inline:KEY",
            "1 F8_128_HMAC_SHA1_80 inline:KEY",
            "1 AEAD_AES_128_GCM inline:KEY",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEYKEY",
            "1 AES_CM_128_HMAC_SHA1_80 uri:KEY",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:4",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:4;inline:KEY|2:4",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNENCRYPTED_SRTP",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY KDR=1",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
