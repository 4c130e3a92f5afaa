//! Where a peer's RTP comes from: learned from its first packets after each profile, then held against strangers.
//!
//! The SDP address wins as soon as it shows up. Behind a NAT it never does; then the first other source is taken.
//! After an SDP change the old source's last packets may still arrive: they are let in, but any new source replaces it.

use crate::base::Mono;
use std::net::SocketAddr;
use std::time::Duration;

/// Packets from one source that settle it (0.3 s at 20 ms).
const SETTLE: u16 = 16;
/// The same for the source of before an SDP change, which should go away.
const SETTLE_FORMER: u16 = 250;
/// An unsettled source that is quiet for so long gives way: one stray packet must not lock the peer out.
const QUIET: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ours; still learning.
    Take,
    /// Ours, and settled by this very packet: the socket may be connected.
    Settle,
    Stranger,
}

#[derive(Clone, Debug, Default)]
pub struct Latch {
    expected: Option<SocketAddr>,
    /// The source of before the SDP changed.
    former: Option<SocketAddr>,
    source: Option<SocketAddr>,
    packets: u16,
    heard: Mono,
    settled: bool,
}

impl Latch {
    /// A new profile: learning begins anew.
    pub fn reopen(&mut self, expected: Option<SocketAddr>) {
        let former = if self.expected == expected { None } else { self.source.or(self.former) };
        let source = if former.is_some() { None } else { self.source };
        *self = Latch { expected, former, source, packets: 0, heard: self.heard, settled: false };
    }

    /// Judges a packet that looks like the peer's RTP.
    pub fn packet(&mut self, now: Mono, from: SocketAddr) -> Verdict {
        if self.source == Some(from) {
            return self.same(now);
        }
        if self.settled || !self.gives_way(now, from) {
            return Verdict::Stranger;
        }
        (self.source, self.packets) = (Some(from), 0);
        self.same(now)
    }

    /// Where to send: symmetric RTP (RFC 4961) once a source is known, else the SDP address.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.source.filter(|source| Some(*source) != self.former).or(self.expected)
    }

    pub fn settled(&self) -> bool {
        self.settled
    }

    fn same(&mut self, now: Mono) -> Verdict {
        self.heard = now;
        if self.settled {
            return Verdict::Take;
        }
        self.packets += 1;
        let needed = if self.source == self.former { SETTLE_FORMER } else { SETTLE };
        self.settled = self.source == self.expected || self.packets >= needed;
        if self.settled {
            self.former = None;
            return Verdict::Settle;
        }
        Verdict::Take
    }

    /// Whether the source that is being learned yields to `from`.
    fn gives_way(&self, now: Mono, from: SocketAddr) -> bool {
        self.source.is_none()
            || Some(from) == self.expected
            || self.source == self.former
            || (now.since(self.heard) >= QUIET && Some(from) != self.former)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    /// `count` packets, 20 ms apart; the last verdict.
    fn hear(latch: &mut Latch, now: &mut Mono, from: SocketAddr, count: usize) -> Verdict {
        let mut verdict = Verdict::Stranger;
        for _ in 0..count {
            *now = now.after(Duration::from_millis(20));
            verdict = latch.packet(*now, from);
        }
        verdict
    }

    #[test]
    fn the_sdp_address_settles_at_once() {
        let (mut latch, mut now) = (Latch::default(), Mono(0));
        latch.reopen(Some(at(1)));
        assert_eq!(latch.destination(), Some(at(1)));
        assert_eq!(hear(&mut latch, &mut now, at(1), 1), Verdict::Settle);
        assert_eq!(hear(&mut latch, &mut now, at(2), 1), Verdict::Stranger);
        assert_eq!(hear(&mut latch, &mut now, at(1), 1), Verdict::Take);
    }

    #[test]
    fn a_nat_address_is_learned_unless_the_sdp_address_shows_up() {
        let (mut latch, mut now) = (Latch::default(), Mono(0));
        latch.reopen(Some(at(1)));
        assert_eq!(hear(&mut latch, &mut now, at(9), 2), Verdict::Take);
        assert_eq!(latch.destination(), Some(at(9)), "symmetric RTP");
        assert_eq!(latch.packet(now, at(8)), Verdict::Stranger, "a second stranger does not replace the first");
        assert_eq!(hear(&mut latch, &mut now, at(1), 1), Verdict::Settle);
        assert_eq!(latch.destination(), Some(at(1)));
    }

    #[test]
    fn a_nat_address_settles_in_time() {
        let (mut latch, mut now) = (Latch::default(), Mono(0));
        latch.reopen(Some(at(1)));
        assert_eq!(hear(&mut latch, &mut now, at(9), usize::from(SETTLE)), Verdict::Settle);
        assert_eq!(hear(&mut latch, &mut now, at(1), 1), Verdict::Stranger);
    }

    #[test]
    fn one_stray_packet_does_not_lock_the_peer_out() {
        let (mut latch, mut now) = (Latch::default(), Mono(0));
        latch.reopen(None);
        assert_eq!(hear(&mut latch, &mut now, at(6), 1), Verdict::Take);
        assert_eq!(hear(&mut latch, &mut now, at(9), 1), Verdict::Stranger);
        now = now.after(QUIET);
        assert_eq!(hear(&mut latch, &mut now, at(9), 1), Verdict::Take);
    }

    #[test]
    fn a_new_sdp_drops_the_old_source() {
        let (mut latch, mut now) = (Latch::default(), Mono(0));
        latch.reopen(Some(at(1)));
        hear(&mut latch, &mut now, at(1), 5);
        latch.reopen(Some(at(2)));
        assert_eq!(hear(&mut latch, &mut now, at(1), 3), Verdict::Take, "packets under way still count");
        assert_eq!(latch.destination(), Some(at(2)), "but nothing is sent there any more");
        assert_eq!(hear(&mut latch, &mut now, at(7), 1), Verdict::Take, "the new one comes from behind a NAT");
        assert_eq!(hear(&mut latch, &mut now, at(1), 1), Verdict::Stranger);
        assert_eq!(latch.destination(), Some(at(7)));
    }

    #[test]
    fn the_same_sdp_again_keeps_sending_to_the_learned_source() {
        let (mut latch, mut now) = (Latch::default(), Mono(0));
        latch.reopen(Some(at(1)));
        hear(&mut latch, &mut now, at(9), 20);
        latch.reopen(Some(at(1)));
        assert!(!latch.settled());
        assert_eq!(latch.destination(), Some(at(9)));
        assert_eq!(hear(&mut latch, &mut now, at(1), 1), Verdict::Settle, "learning is open again");
    }
}
