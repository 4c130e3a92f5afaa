use crate::base::{CallId, LegId, Mono};
use crate::media::{Event, Law};
use std::net::SocketAddr;
use std::ops::Range;

/// The leg's two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    Rtp,
    Rtcp,
}

/// The two sides of a leg whose audio is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Audio that came from the peer, packet by packet as it came: in its numbering, with its losses.
    Said,
    /// The prompts, music and ringback that the peer was sent; what it hears of others is what these say.
    Played,
}

/// A copy of audio that passed: whose, in which law, with the timestamp of its packet, when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tapped {
    pub call: CallId,
    pub leg: u64,
    pub side: Side,
    pub law: Law,
    pub timestamp: u32,
    pub at: Mono,
}

/// An effect is something that a shard wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Bind RTP here and RTCP on the next port, then report `Bound`, `PortBusy` or `NoSocket`.
    Bind {
        rtp: SocketAddr,
    },
    /// Give the bound pair back.
    Unbind {
        rtp: SocketAddr,
    },
    /// The pair serves this leg from now on.
    Open {
        leg: LegId,
        rtp: SocketAddr,
    },
    /// Tie the RTP socket to the one peer that it hears (cheaper), or untie it. A hint: sources are checked anyway.
    Connect {
        leg: LegId,
        to: Option<SocketAddr>,
    },
    /// Send the bytes of `Out::bytes` that lie in the range.
    Send {
        leg: LegId,
        socket: Socket,
        to: SocketAddr,
        bytes: Range<usize>,
    },
    Close {
        leg: LegId,
    },
    /// For the recorder: the codes are the bytes of `Out::bytes` in the range.
    Tapped {
        tapped: Tapped,
        bytes: Range<usize>,
    },
    Event(Event),
}

impl Effect {
    /// The leg that it is done for.
    pub fn leg(&self) -> Option<LegId> {
        match self {
            Effect::Open { leg, .. }
            | Effect::Connect { leg, .. }
            | Effect::Send { leg, .. }
            | Effect::Close { leg }
            | Effect::Event(Event::Closed { leg, .. }) => Some(*leg),
            Effect::Bind { .. } | Effect::Unbind { .. } | Effect::Tapped { .. } | Effect::Event(_) => None,
        }
    }
}

/// Effects in order, and the bytes of what they send: two buffers that the driver keeps and clears, so that neither a
/// frame nor a packet costs an allocation.
#[derive(Debug, Default)]
pub struct Out {
    pub effects: Vec<Effect>,
    pub bytes: Vec<u8>,
}

impl Out {
    pub fn clear(&mut self) {
        self.effects.clear();
        self.bytes.clear();
    }

    pub(super) fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(super) fn event(&mut self, event: Event) {
        self.effects.push(Effect::Event(event));
    }

    pub(super) fn tap(&mut self, tapped: Tapped, codes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(codes);
        self.effects.push(Effect::Tapped { tapped, bytes: start..self.bytes.len() });
    }

    /// Sends what was appended to `bytes` since `start`.
    pub(super) fn send_since(&mut self, start: usize, leg: LegId, socket: Socket, to: SocketAddr) {
        self.effects.push(Effect::Send { leg, socket, to, bytes: start..self.bytes.len() });
    }
}
