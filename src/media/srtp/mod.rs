//! SRTP (RFC 3711, RFC 7714) on one leg: what is sent is sealed, what comes is opened. No packet costs an allocation.
//!
//! A direction's state lives as long as its leg: a profile with a key that was used before goes on with its roll-over counter and
//! replay window, whatever came between, since no number may be used twice under a key; a new key begins at 0. We send one SSRC with
//! continuous numbers for the leg's life (see `egress`), whatever its source.

mod cipher;
mod window;

use crate::base::{MasterKey, SrtpKeys, Suite};
use cipher::{Cipher, Of};
use std::sync::Arc;
use window::Window;

/// Streams of a peer under one key that are told apart; the one that was heard longest ago is forgotten for a new one.
const STREAMS: usize = 8;
/// Keys of a peer whose state is kept. Ours are as many as there are suites, and none is forgotten.
const RECEIVERS: usize = 4;

/// Both directions, each with those states that are kept, the one in use at the end.
pub struct Srtp {
    /// SRTP is agreed now.
    on: bool,
    senders: Vec<Sender>,
    receivers: Vec<Receiver>,
}

struct Sender {
    suite: Suite,
    key: MasterKey,
    rtp: Cipher,
    rtcp: Cipher,
    sent: Window,
    /// Reports sent: the index of the next one.
    reports: u32,
}

struct Receiver {
    suite: Suite,
    key: MasterKey,
    rtp: Cipher,
    rtcp: Cipher,
    streams: Streams,
    reports: Streams,
    /// A packet that is looked at twice, and a report as it was opened.
    plain: Vec<u8>,
}

/// The windows of streams that have shown that they have the key, the one that was heard last at the end.
struct Streams(Vec<(u32, Window)>);

impl Srtp {
    pub fn new(keys: Arc<SrtpKeys>) -> Srtp {
        let mut srtp = Srtp { on: false, senders: Vec::new(), receivers: Vec::new() };
        srtp.settle(Some(&keys));
        srtp
    }

    /// Offer and answer were settled anew; none: for plain RTP.
    pub fn settle(&mut self, keys: Option<&SrtpKeys>) {
        self.on = keys.is_some();
        let Some(SrtpKeys { suite, sent, received }) = keys else { return };
        match self.senders.iter().position(|known| (known.suite, known.key) == (*suite, *sent)) {
            Some(at) => self.senders[at..].rotate_left(1),
            None => self.senders.push(Sender::new(*suite, sent)),
        }
        match self.receivers.iter().position(|known| (known.suite, known.key) == (*suite, *received)) {
            Some(at) => self.receivers[at..].rotate_left(1),
            None => {
                if self.receivers.len() >= RECEIVERS {
                    self.receivers.remove(0);
                }
                self.receivers.push(Receiver::new(*suite, received));
            }
        }
    }

    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Bytes that sealing adds to an RTP packet.
    pub fn tag(&self) -> usize {
        self.senders.last().map_or(0, |sender| sender.suite.tag())
    }

    /// Opens an RTP packet in place; gives its length then. None: its tag is wrong, or it came before.
    pub fn open(&mut self, bytes: &mut [u8]) -> Option<usize> {
        let (header, sequence, ssrc) = head(bytes)?;
        let Receiver { rtp, streams, plain, .. } = self.receivers.last_mut()?;
        let window = streams.of(ssrc);
        let index = window.index(sequence).filter(|index| window.is_fresh(*index))?;
        // A stream's first packets may have been lost, and with them the end of the first turn.
        let turned = (window.is_empty() && sequence < 1 << 15).then_some(index | 1 << 16);
        if turned.is_some() {
            plain.clear();
            plain.extend_from_slice(bytes);
        }
        let (index, length) = match (rtp.open(bytes, header, ssrc, index), turned) {
            (Some(length), _) => (index, length),
            (None, Some(turned)) => {
                // Packets that are not authentic may have been overwritten.
                bytes.copy_from_slice(plain);
                (turned, rtp.open(bytes, header, ssrc, turned)?)
            }
            (None, None) => return None,
        };
        streams.take(ssrc, index);
        Some(length)
    }

    /// The same for RTCP, beside the packet that came.
    pub fn open_rtcp(&mut self, bytes: &[u8]) -> Option<&[u8]> {
        let Receiver { rtcp, reports, plain, .. } = self.receivers.last_mut()?;
        let (ssrc, index) = rtcp.claims(bytes).filter(|(ssrc, index)| reports.of(*ssrc).is_fresh(u64::from(*index)))?;
        plain.clear();
        plain.extend_from_slice(bytes);
        let length = rtcp.open_rtcp(plain, ssrc, index)?;
        reports.take(ssrc, index.into());
        plain.get(..length)
    }

    /// Seals a copy of the RTP packet that begins at `start`, and ends where `out` does: whoever wants to hear what was sent finds
    /// the packet itself as it was. Gives where the copy begins; none: it must not leave, since its number was used.
    pub fn seal(&mut self, out: &mut Vec<u8>, start: usize) -> Option<usize> {
        let (header, sequence, ssrc) = head(out.get(start..)?)?;
        let Sender { rtp, sent, .. } = self.senders.last_mut()?;
        let index = sent.index(sequence).filter(|index| sent.is_fresh(*index))?;
        let copy = copied(out, start);
        if !rtp.seal(out, copy, header, ssrc, index) {
            return None;
        }
        sent.take(index);
        Some(copy)
    }

    /// The same for RTCP.
    pub fn seal_rtcp(&mut self, out: &mut Vec<u8>, start: usize) -> Option<usize> {
        let Sender { rtcp, reports, .. } = self.senders.last_mut()?;
        // RFC 3711 §9.2: no index comes twice under one key.
        let next = reports.checked_add(1).filter(|next| *next <= 1 << 31)?;
        let copy = copied(out, start);
        let sealed = rtcp.seal_rtcp(out, copy, *reports);
        *reports = next;
        sealed.then_some(copy)
    }
}

impl Sender {
    fn new(suite: Suite, key: &MasterKey) -> Sender {
        let (rtp, rtcp) = (Cipher::new(suite, Of::Rtp, key), Cipher::new(suite, Of::Rtcp, key));
        Sender { suite, key: *key, rtp, rtcp, sent: Window::default(), reports: 0 }
    }
}

impl Receiver {
    fn new(suite: Suite, key: &MasterKey) -> Receiver {
        let (rtp, rtcp) = (Cipher::new(suite, Of::Rtp, key), Cipher::new(suite, Of::Rtcp, key));
        Receiver { suite, key: *key, rtp, rtcp, streams: Streams::new(), reports: Streams::new(), plain: Vec::new() }
    }
}

impl Streams {
    fn new() -> Streams {
        Streams(Vec::with_capacity(STREAMS))
    }

    /// The window of a stream; one that is not known has an empty one.
    fn of(&self, ssrc: u32) -> Window {
        self.0.iter().rev().find(|(known, _)| *known == ssrc).map(|(_, window)| *window).unwrap_or_default()
    }

    /// A packet of the stream has shown that it is authentic.
    fn take(&mut self, ssrc: u32, index: u64) {
        match self.0.iter().position(|(known, _)| *known == ssrc) {
            Some(at) => self.0[at..].rotate_left(1),
            None => {
                if self.0.len() >= STREAMS {
                    self.0.remove(0);
                }
                self.0.push((ssrc, Window::default()));
            }
        }
        if let Some((_, window)) = self.0.last_mut() {
            window.take(index);
        }
    }
}

/// The length of an RTP packet's header, its number and its SSRC (RFC 3550 §5.1, §5.3.1). An extension is not encrypted.
fn head(bytes: &[u8]) -> Option<(usize, u16, u32)> {
    let &[first, _, high, low, _, _, _, _, a, b, c, d, ..] = bytes else { return None };
    let sources = 12 + 4 * usize::from(first & 0x0F);
    let extension = match bytes.get(sources..sources + 4) {
        _ if first & 0x10 == 0 => 0,
        Some(&[.., high, low]) => 4 + 4 * usize::from(u16::from_be_bytes([high, low])),
        _ => return None,
    };
    let header = sources + extension;
    (first >> 6 == 2 && header <= bytes.len())
        .then(|| (header, u16::from_be_bytes([high, low]), u32::from_be_bytes([a, b, c, d])))
}

fn copied(out: &mut Vec<u8>, start: usize) -> usize {
    let copy = out.len();
    out.extend_from_within(start..);
    copy
}

#[cfg(test)]
mod tests;
