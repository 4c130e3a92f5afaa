//! Where a peer's RTP comes from, and so where ours goes.
//!
//! Anybody who can reach a media port can send to it first. So a source counts by what speaks for it ([`Rank`]): the address
//! of the SDP takes the leg whenever it shows up, the host of the SDP comes before the other networks of the peer's trunk
//! or seat, and these before anybody else, who counts only where a NAT is configured. Among equals the first one stays
//! until it falls quiet.

use crate::base::Mono;
use crate::media::Origins;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A source that the SDP does not name settles by so many packets over so long a time. A flood has the number at once.
const SETTLE: u16 = 16;
const SETTLE_TIME: Duration = Duration::from_millis(250);
/// A source that is quiet for so long gives way to its own host's next port and to the same stream from elsewhere: a NAT or
/// a media server has moved it. An unsettled one gives way to anyone who may speak.
pub const QUIET: Duration = Duration::from_millis(200);
/// A settled source that is quiet for so long may have been replaced. Shorter pauses are those of a phone that suppresses
/// silence, and nobody may enter by them.
const FORGET: Duration = Duration::from_secs(3);
/// For so long after an SDP change, packets from the source of before are still taken, since they were under way; but it
/// is not learned anew.
const UNDER_WAY: Duration = Duration::from_secs(5);
/// Streams of earlier calls on this port that are remembered.
const EARLIER: usize = 4;

/// Earlier tells where earlier calls on a port were heard from, or were to be, the latest first. Some phones begin to send when
/// their call is over; one that nobody has heard yet has no SSRC to be known by.
pub type Earlier = [Option<(SocketAddr, Option<u32>)>; EARLIER];

/// Ranks say what speaks for a source; more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Nothing: it may be behind the configured NAT.
    Anybody,
    /// It belongs to the networks of the peer's trunk or seat.
    Network,
    /// It is the host of the SDP, on another port.
    Host,
    /// It is the address of the SDP.
    Described,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Take,
    Stranger,
}

#[derive(Clone, Debug, Default)]
pub struct Latch {
    origins: Arc<Origins>,
    expected: Option<SocketAddr>,
    source: Option<Source>,
    /// The SSRC of the first stream that settled: a source that took its place in a pause gives it back.
    settled: Option<u32>,
    /// The source of before the SDP changed, and when it did.
    former: Option<SocketAddr>,
    changed: Mono,
    /// Streams that were sent to this port for earlier calls, and may still be.
    earlier: Earlier,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    at: SocketAddr,
    ssrc: u32,
    rank: Rank,
    since: Mono,
    heard: Mono,
    packets: u16,
    settled: bool,
    /// It was not heard since the last profile.
    doubted: bool,
}

impl Latch {
    pub fn new(origins: Arc<Origins>, earlier: Earlier) -> Latch {
        Latch { origins, earlier, ..Latch::default() }
    }

    /// This stream came to the port before its leg did.
    pub fn earlier(&mut self, from: SocketAddr, ssrc: u32) {
        remember(&mut self.earlier, (from, Some(ssrc)));
    }

    /// Gives what the next call on the port is to know.
    pub fn left(mut self) -> Earlier {
        self.expected.iter().for_each(|expected| remember(&mut self.earlier, (*expected, None)));
        self.source.iter().for_each(|source| remember(&mut self.earlier, (source.at, Some(source.ssrc))));
        self.earlier
    }

    /// A new profile. Where the SDP names another address, learning begins anew; else the source stands, unless another
    /// comes before it is heard again.
    pub fn reopen(&mut self, now: Mono, expected: Option<SocketAddr>) {
        if self.expected == expected {
            self.source.iter_mut().for_each(|source| source.doubted = true);
            return;
        }
        let former = self.source.map(|source| source.at).or(self.former).filter(|former| Some(*former) != expected);
        (self.expected, self.former, self.changed) = (expected, former, now);
        (self.source, self.settled) = (None, None);
    }

    /// Judges a packet that looks like the peer's RTP.
    pub fn packet(&mut self, now: Mono, from: SocketAddr, ssrc: u32) -> Verdict {
        match &mut self.source {
            Some(source) if source.at == from => {
                if source.ssrc != ssrc {
                    // The same peer began another stream.
                    self.settled = self.settled.map(|settled| if settled == source.ssrc { ssrc } else { settled });
                    source.ssrc = ssrc;
                }
                (source.heard, source.doubted) = (now, false);
                if !source.settled {
                    self.settle(now);
                }
                Verdict::Take
            }
            _ => self.other(now, from, ssrc),
        }
    }

    /// Where to send: symmetric RTP (RFC 4961) once a source is known, else the SDP's address. Somebody for whom nothing
    /// speaks is sent nothing until it has settled.
    pub fn destination(&self) -> Option<SocketAddr> {
        let known = self.source.filter(|source| source.settled || source.rank > Rank::Anybody);
        known.map(|source| source.at).or(self.expected)
    }

    /// True when audio goes to where something came from.
    pub fn found(&self) -> bool {
        self.source.is_some_and(|source| source.settled || source.rank > Rank::Anybody)
    }

    /// Tells whether it is certain enough whose the source is, to act on what it presses.
    pub fn settled(&self) -> bool {
        self.source.is_some_and(|source| source.settled)
    }

    /// The source, where no other could take its place: the socket may be tied to it.
    pub fn certain(&self) -> Option<SocketAddr> {
        self.source.filter(|source| source.rank == Rank::Described).map(|source| source.at)
    }

    /// When the source was heard last.
    pub fn heard(&self) -> Option<Mono> {
        self.source.map(|source| source.heard)
    }

    /// The stream that the leg takes its audio from.
    pub fn stream(&self) -> Option<(SocketAddr, u32)> {
        self.source.map(|source| (source.at, source.ssrc))
    }

    /// A packet from elsewhere than the source.
    fn other(&mut self, now: Mono, from: SocketAddr, ssrc: u32) -> Verdict {
        if Some(from) == self.former && now.since(self.changed) < UNDER_WAY {
            return if self.source.is_none() { Verdict::Take } else { Verdict::Stranger };
        }
        let Some(rank) = self.rank(from) else { return Verdict::Stranger };
        let known = |(at, stream): &(SocketAddr, Option<u32>)| *at == from && stream.is_none_or(|stream| stream == ssrc);
        let late = rank < Rank::Described && self.earlier.iter().flatten().any(known);
        if late || !self.source.is_none_or(|source| self.yields(now, source, from, ssrc, rank)) {
            return Verdict::Stranger;
        }
        let source = Source { at: from, ssrc, rank, since: now, heard: now, packets: 0, settled: false, doubted: false };
        self.source = Some(source);
        self.settle(now);
        Verdict::Take
    }

    /// Tells whether the source gives way.
    fn yields(&self, now: Mono, source: Source, from: SocketAddr, ssrc: u32, rank: Rank) -> bool {
        if rank > source.rank {
            return true;
        }
        let equal = rank == source.rank;
        if equal && self.settled == Some(ssrc) && source.ssrc != ssrc {
            return true;
        }
        let kin = from.ip() == source.at.ip() || ssrc == source.ssrc || source.doubted || (equal && !source.settled);
        now.since(source.heard) >= if kin { QUIET } else { FORGET }
    }

    fn settle(&mut self, now: Mono) {
        let Some(source) = &mut self.source else { return };
        source.packets = source.packets.saturating_add(1);
        let long = source.packets >= SETTLE && now.since(source.since) >= SETTLE_TIME;
        if source.rank == Rank::Described || long {
            source.settled = true;
            self.settled = self.settled.or(Some(source.ssrc));
            self.former = None;
        }
    }

    fn rank(&self, from: SocketAddr) -> Option<Rank> {
        if Some(from) == self.expected {
            return Some(Rank::Described);
        }
        if self.expected.is_some_and(|expected| expected.ip() == from.ip()) {
            return Some(Rank::Host);
        }
        let known = self.origins.networks.iter().any(|network| network.contains(from.ip()));
        if known { Some(Rank::Network) } else { self.origins.nat.then_some(Rank::Anybody) }
    }
}

/// Puts a stream at the head; the oldest is forgotten.
pub fn remember(earlier: &mut Earlier, stream: (SocketAddr, Option<u32>)) {
    let place = earlier.iter().position(|known| *known == Some(stream)).unwrap_or(EARLIER - 1);
    earlier[..=place].rotate_right(1);
    earlier[0] = Some(stream);
}

#[cfg(test)]
#[path = "latch_tests.rs"]
mod tests;
