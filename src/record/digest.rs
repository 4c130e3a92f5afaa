//! The digests that public backends in China sign with, by name.

use ::hmac::{Hmac, KeyInit, Mac};
use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use md5::Md5;
use md5::digest::Digest;
use ring::{digest, hmac};
use serde::Deserialize;
use sm3::Sm3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    Md5,
    Sha1,
    Sha256,
    /// GB/T 32905-2016.
    Sm3,
    HmacMd5,
    HmacSha1,
    HmacSha256,
    HmacSm3,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Spelling {
    #[default]
    #[serde(rename = "hex")]
    Hex,
    #[serde(rename = "HEX")]
    UpperHex,
    #[serde(rename = "base64")]
    Base64,
}

impl Recipe {
    /// `key` counts only where the recipe has one.
    pub fn sign(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        let mac = |algorithm, key, text| hmac::sign(&hmac::Key::new(algorithm, key), text).as_ref().to_vec();
        let ring = |algorithm, text| digest::digest(algorithm, text).as_ref().to_vec();
        match self {
            Recipe::Md5 => Md5::digest(text).to_vec(),
            Recipe::Sha1 => ring(&digest::SHA1_FOR_LEGACY_USE_ONLY, text),
            Recipe::Sha256 => ring(&digest::SHA256, text),
            Recipe::Sm3 => Sm3::digest(text).to_vec(),
            Recipe::HmacMd5 => keyed::<Hmac<Md5>>(key, text),
            Recipe::HmacSha1 => mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key, text),
            Recipe::HmacSha256 => mac(hmac::HMAC_SHA256, key, text),
            Recipe::HmacSm3 => keyed::<Hmac<Sm3>>(key, text),
        }
    }
}

impl Spelling {
    pub fn spell(self, bytes: &[u8]) -> String {
        match self {
            Spelling::Hex => HEXLOWER.encode(bytes),
            Spelling::UpperHex => HEXUPPER.encode(bytes),
            Spelling::Base64 => BASE64.encode(bytes),
        }
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
    // RFC 2104 §3 takes a key of any length, so there is always one.
    let mac = <M as KeyInit>::new_from_slice(key).map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec());
    mac.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(recipe: Recipe, key: &[u8], text: &[u8]) -> String {
        Spelling::Hex.spell(&recipe.sign(key, text))
    }

    /// RFC 1321 §A.5, FIPS 180-4, GB/T 32905-2016 example 1.
    #[test]
    fn digests_are_the_published_ones() {
        assert_eq!(hex(Recipe::Md5, b"", b"abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hex(Recipe::Sha1, b"", b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert!(hex(Recipe::Sha256, b"", b"abc").starts_with("ba7816bf8f01cfea414140de5dae2223"));
        assert_eq!(hex(Recipe::Sm3, b"", b"abc"), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
    }

    /// RFC 2202 §2 and §3, RFC 4231 §4.3; the same construction carries SM3.
    #[test]
    fn keyed_digests_are_the_published_ones() {
        let text = b"what do ya want for nothing?";
        assert_eq!(hex(Recipe::HmacMd5, b"Jefe", text), "750c783e6ab0b503eaa86e310a5db738");
        assert_eq!(hex(Recipe::HmacSha1, b"Jefe", text), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert!(hex(Recipe::HmacSha256, b"Jefe", text).starts_with("5bdcc146bf60754e6a042426089575c7"));
        let long = [0xaa; 80];
        let test = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(hex(Recipe::HmacMd5, &long, test), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
        assert_eq!(Recipe::HmacSm3.sign(b"Jefe", text).len(), 32);
    }

    #[test]
    fn a_signature_is_spelt_as_asked() {
        let bytes = [0x00, 0xab, 0xff];
        assert_eq!(Spelling::Hex.spell(&bytes), "00abff");
        assert_eq!(Spelling::UpperHex.spell(&bytes), "00ABFF");
        assert_eq!(Spelling::Base64.spell(&bytes), "AKv/");
    }
}
