//! One direction's session keys for RTP or for RTCP: derived from the master key, and used on one packet whose index is known
//! (RFC 3711 §4, RFC 7714). The primitives are `aes`, `ctr` and `ring`.

use crate::base::{MasterKey, Suite};
use aes::{Aes128, Aes256};
use ctr::cipher::{BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipher, consts::U16};
use ctr::{Ctr128BE, CtrCore};
use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use subtle::ConstantTimeEq;

/// RTCP's header and SSRC stay in the clear.
const RTCP_CLEAR: usize = 8;
/// The index of SRTCP, with a flag in front that says that the packet is encrypted.
const INDEX: usize = 4;
/// Bytes of SRTCP's tag in counter mode.
const REPORT_TAG: usize = 10;
const ENCRYPTED: u32 = 1 << 31;

/// The labels of session keys (RFC 3711 §4.3.1): encryption, authentication and salt.
#[derive(Clone, Copy)]
pub enum Of {
    Rtp = 0,
    Rtcp = 3,
}

pub struct Cipher {
    kind: Kind,
    salt: [u8; 14],
}

enum Kind {
    /// Counter mode, and a tag of so many bytes.
    Counter {
        aes: Box<Aes128>,
        mac: hmac::Key,
        tag: usize,
    },
    Gcm(Box<LessSafeKey>),
    /// The key is none of the suite's: nothing is sealed or opened.
    Nothing,
}

impl Cipher {
    pub fn new(suite: Suite, of: Of, master: &MasterKey) -> Cipher {
        Cipher::made(suite, of, master).unwrap_or(Cipher { kind: Kind::Nothing, salt: [0; 14] })
    }

    fn made(suite: Suite, of: Of, master: &MasterKey) -> Option<Cipher> {
        let (key, master_salt) = master.bytes().split_at_checked(suite.key())?;
        if master_salt.len() != suite.salt() {
            return None;
        }
        let mut salt = [0; 14];
        let label = of as u8;
        derive(key, master_salt, label + 2, &mut salt[..suite.salt()])?;
        let gcm = |algorithm, session: &[u8]| {
            let key = UnboundKey::new(algorithm, session).ok().map(LessSafeKey::new)?;
            Some(Kind::Gcm(Box::new(key)))
        };
        let mut session = [0; 32];
        derive(key, master_salt, label, &mut session[..suite.key()])?;
        let kind = match suite {
            Suite::Gcm256 => gcm(&aead::AES_256_GCM, &session)?,
            Suite::Gcm128 => gcm(&aead::AES_128_GCM, &session[..16])?,
            Suite::Counter80 | Suite::Counter32 => {
                let mut mac = [0; 20];
                derive(key, master_salt, label + 1, &mut mac)?;
                let mut short = [0; 16];
                short.copy_from_slice(&session[..16]);
                let tag = if matches!(of, Of::Rtp) { suite.tag() } else { REPORT_TAG };
                let mac = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &mac);
                Kind::Counter { aes: Box::new(Aes128::new(&short.into())), mac, tag }
            }
        };
        Some(Cipher { kind, salt })
    }

    /// Encrypts the RTP packet at the end of `out`, behind its header, and appends its tag. False: it must not leave.
    pub fn seal(&self, out: &mut Vec<u8>, start: usize, header: usize, ssrc: u32, index: u64) -> bool {
        match &self.kind {
            Kind::Counter { aes, mac, tag } => {
                self.count(aes, ssrc, index, &mut out[start + header..]);
                let sum = tag_of(mac, &out[start..], &rollover(index));
                out.extend_from_slice(&sum.as_ref()[..*tag]);
                true
            }
            Kind::Gcm(key) => {
                let (clear, body) = out[start..].split_at_mut(header);
                let Some(tag) = seal(key, self.nonce(ssrc, index), clear, body) else { return false };
                out.extend_from_slice(tag.as_ref());
                true
            }
            Kind::Nothing => false,
        }
    }

    /// Decrypts an RTP packet in place, where its tag is right; gives its length without the tag.
    pub fn open(&self, bytes: &mut [u8], header: usize, ssrc: u32, index: u64) -> Option<usize> {
        match &self.kind {
            Kind::Counter { aes, mac, tag } => {
                let end = bytes.len().checked_sub(*tag).filter(|end| *end >= header)?;
                let sum = tag_of(mac, &bytes[..end], &rollover(index));
                authentic(&sum.as_ref()[..*tag], &bytes[end..])?;
                self.count(aes, ssrc, index, &mut bytes[header..end]);
                Some(end)
            }
            Kind::Gcm(key) => {
                let (clear, body) = bytes.split_at_mut_checked(header)?;
                let length = open(key, self.nonce(ssrc, index), clear, body)?;
                Some(header + length)
            }
            Kind::Nothing => None,
        }
    }

    /// Encrypts the RTCP packet at the end of `out`, and appends its index and its tag. False: it must not leave.
    pub fn seal_rtcp(&self, out: &mut Vec<u8>, start: usize, index: u32) -> bool {
        let Some(ssrc) = out.get(start..).and_then(ssrc_of_rtcp) else { return false };
        let word = (index | ENCRYPTED).to_be_bytes();
        match &self.kind {
            Kind::Counter { aes, mac, tag } => {
                self.count(aes, ssrc, index.into(), &mut out[start + RTCP_CLEAR..]);
                out.extend_from_slice(&word);
                let sum = tag_of(mac, &out[start..], &[]);
                out.extend_from_slice(&sum.as_ref()[..*tag]);
            }
            Kind::Gcm(key) => {
                let (clear, body) = out[start..].split_at_mut(RTCP_CLEAR);
                let Some(tag) = seal(key, self.nonce(ssrc, index.into()), &beside(clear, word), body) else {
                    return false;
                };
                out.extend_from_slice(tag.as_ref());
                out.extend_from_slice(&word);
            }
            Kind::Nothing => return false,
        }
        true
    }

    /// The SSRC and the index of an RTCP packet, as it claims them. None: it is none, or is not encrypted.
    pub fn claims(&self, bytes: &[u8]) -> Option<(u32, u32)> {
        let behind = if let Kind::Counter { tag, .. } = self.kind { tag } else { 0 };
        let end = bytes.len().checked_sub(behind)?;
        let at = end.checked_sub(INDEX).filter(|at| *at >= RTCP_CLEAR)?;
        let word = u32::from_be_bytes(bytes[at..end].try_into().ok()?);
        (word & ENCRYPTED != 0).then_some((ssrc_of_rtcp(bytes)?, word & !ENCRYPTED))
    }

    /// Decrypts an RTCP packet in place, where its tag is right; gives its length without index and tag.
    pub fn open_rtcp(&self, bytes: &mut [u8], ssrc: u32, index: u32) -> Option<usize> {
        match &self.kind {
            Kind::Counter { aes, mac, tag } => {
                let end = bytes.len().checked_sub(*tag)?;
                let sum = tag_of(mac, &bytes[..end], &[]);
                authentic(&sum.as_ref()[..*tag], &bytes[end..])?;
                let end = end.checked_sub(INDEX)?;
                self.count(aes, ssrc, index.into(), bytes.get_mut(RTCP_CLEAR..end)?);
                Some(end)
            }
            Kind::Gcm(key) => {
                let end = bytes.len().checked_sub(INDEX)?;
                let (clear, body) = bytes[..end].split_at_mut_checked(RTCP_CLEAR)?;
                let clear = beside(clear, (index | ENCRYPTED).to_be_bytes());
                let length = open(key, self.nonce(ssrc, index.into()), &clear, body)?;
                Some(RTCP_CLEAR + length)
            }
            Kind::Nothing => None,
        }
    }

    /// RFC 3711 §4.1.1.
    fn count(&self, aes: &Aes128, ssrc: u32, index: u64, bytes: &mut [u8]) {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        mix(&mut iv[4..8], &ssrc.to_be_bytes());
        mix(&mut iv[8..14], &index.to_be_bytes()[2..]);
        Ctr128BE::from_core(CtrCore::inner_iv_init(aes, &iv.into())).apply_keystream(bytes);
    }

    /// RFC 7714 §8.1 and §9.1: two zeros, the SSRC, and the index in 48 bits.
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&self.salt[..12]);
        mix(&mut nonce[2..6], &ssrc.to_be_bytes());
        mix(&mut nonce[6..], &index.to_be_bytes()[2..]);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// RFC 3711 §4.3: the label stands seven bytes before the salt's end, the stream is that of counter mode. A salt of 96 bits is
/// filled up with zeros at its end (RFC 7714 §11).
fn derive(key: &[u8], salt: &[u8], label: u8, out: &mut [u8]) -> Option<()> {
    let mut iv = [0; 16];
    let length = salt.len().min(14);
    iv[..length].copy_from_slice(&salt[..length]);
    iv[7] ^= label;
    match key.len() {
        32 => stream(Aes256::new_from_slice(key).ok()?, &iv, out),
        _ => stream(Aes128::new_from_slice(key).ok()?, &iv, out),
    }
    Some(())
}

fn stream<C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>>(cipher: C, iv: &[u8; 16], out: &mut [u8]) {
    Ctr128BE::from_core(CtrCore::inner_iv_init(cipher, &(*iv).into())).apply_keystream(out);
}

fn seal(key: &LessSafeKey, nonce: Nonce, clear: &[u8], body: &mut [u8]) -> Option<aead::Tag> {
    key.seal_in_place_separate_tag(nonce, Aad::from(clear), body).ok()
}

fn open(key: &LessSafeKey, nonce: Nonce, clear: &[u8], body: &mut [u8]) -> Option<usize> {
    Some(key.open_in_place(nonce, Aad::from(clear), body).ok()?.len())
}

/// The associated data of RTCP (RFC 7714 §9.2).
fn beside(clear: &[u8], word: [u8; INDEX]) -> [u8; RTCP_CLEAR + INDEX] {
    let mut both = [0; RTCP_CLEAR + INDEX];
    both[..RTCP_CLEAR].copy_from_slice(&clear[..RTCP_CLEAR]);
    both[RTCP_CLEAR..].copy_from_slice(&word);
    both
}

fn tag_of(mac: &hmac::Key, bytes: &[u8], more: &[u8]) -> hmac::Tag {
    let mut sum = hmac::Context::with_key(mac);
    sum.update(bytes);
    sum.update(more);
    sum.sign()
}

fn authentic(ours: &[u8], theirs: &[u8]) -> Option<()> {
    bool::from(ours.ct_eq(theirs)).then_some(())
}

/// The roll-over counter that an RTP packet's tag covers (RFC 3711 §4.2).
fn rollover(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

fn ssrc_of_rtcp(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(4..RTCP_CLEAR)?.try_into().ok()?))
}

fn mix(into: &mut [u8], bytes: &[u8]) {
    into.iter_mut().zip(bytes).for_each(|(into, byte)| *into ^= byte);
}

#[cfg(test)]
#[path = "vector_tests.rs"]
mod tests;
