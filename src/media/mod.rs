//! The media plane: RTP in, RTP out, prompts, ringback, codecs, RTCP. Never reads SIP.

mod dial;
mod egress;
mod g711;
mod inband;
mod keys;
mod latch;
mod leg;
mod mixer;
mod out;
mod playing;
mod ports;
mod prompt;
mod reception;
pub mod recording;
mod rtcp;
mod rtp;
mod shard;
mod sound;
mod speech;
mod srtp;
mod trial;
mod voice;
pub mod wav;
mod wheel;

pub use egress::{Egress, EgressSnapshot};
pub use out::{Effect, Out, Side, Socket, Tapped};
pub use ports::Ports;
pub use shard::{Config, Relayed, Shard};
pub use sound::{PromptError, RATE};
pub use srtp::Srtp;

use crate::base::{CallId, Cidr, LegId, RtpStats, SrtpKeys};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// G.711's two laws. (The names of the payload formats, RFC 3551.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    A,
    Mu,
}

/// How audio travels on one leg; a new profile replaces the old one whole and reopens source learning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// Where to send; none: nothing is sent.
    pub rtp: Option<SocketAddr>,
    pub rtcp: Option<SocketAddr>,
    pub rtcp_mux: bool,
    pub law: Law,
    pub payload_type: u8,
    pub event_out: Option<u8>,
    /// telephone-event on what we receive: our number for it, and the peer's, which some use both ways.
    pub event_in: [Option<u8>; 2],
    /// Milliseconds a packet towards the peer: 10 to 60.
    pub ptime: u8,
    /// We may send to the peer.
    pub may_send: bool,
    /// The peer may send to us.
    pub may_receive: bool,
    /// Only so much audio goes to the address until something comes from its host, or [`Command::Proven`]: whoever wrote the
    /// SDP may have named a stranger. None: no bound.
    pub trial: Option<Duration>,
}

/// Where a peer's media may come from besides the address in its SDP.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origins {
    /// The networks of its trunk or seat.
    pub networks: Vec<Cidr>,
    /// From anywhere: the peer sits behind a NAT that its SDP does not know of.
    pub nat: bool,
}

/// The audio of a leg that is copied for the recorder, and the party whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tap {
    pub call: CallId,
    /// The party's number in its call.
    pub leg: u64,
    pub said: bool,
    pub played: bool,
}

/// The source that a leg hears.
#[derive(Clone, Debug)]
pub enum Source {
    Silence,
    /// A prompt or music. `Event::Played` with the cue follows at its end, unless it repeats or is replaced.
    Prompt {
        audio: Arc<Prompt>,
        repeat: bool,
        cue: u32,
    },
    /// Prompts one after another, as one: numbers are spoken so. `Event::Played` follows the last.
    Words {
        words: Arc<[Arc<Prompt>]>,
        cue: u32,
    },
    /// 450 Hz, 1 s on, 4 s off (GB/T 3380).
    Ringback,
    /// The audio of a leg that rings, and ringback as long as none comes (RFC 3960 §3.2). That leg must be open.
    Early(LegId),
    /// The other leg's audio and telephone-events, untouched where the codecs agree. That leg must be open.
    Relay(LegId),
    /// The sum of these legs' audio, in frames of the leg's own packet time, and their telephone-events; one alone is a
    /// relay. A leg that is left out is not heard: the hearer's own, or a muted one. Legs that are not open are no
    /// hindrance; those after the sixteenth are left out.
    Mix(Arc<[LegId]>),
}

/// Audio encoded once for everyone: 8 kHz samples as A-law and as µ-law bytes.
#[derive(Debug)]
pub struct Prompt {
    pub name: String,
    /// The first 12 digits of the SHA-256 of its A-law bytes.
    pub version: String,
    pub a_law: Vec<u8>,
    pub mu_law: Vec<u8>,
}

/// To one shard. All legs of one call go to one shard.
#[derive(Clone, Debug)]
pub enum Command {
    /// Bind RTP on this port and RTCP on the next, ahead of use; answered by `Bound`, `PortBusy` or `NoSocket`.
    Bind {
        rtp: SocketAddr,
    },
    /// The pair is not needed ahead of use.
    Unbind {
        rtp: SocketAddr,
    },
    /// A leg takes a pair, which is bound now if it was not before. Where it cannot be, `PortBusy` and `Closed` say so.
    Open {
        leg: LegId,
        rtp: SocketAddr,
        origins: Arc<Origins>,
    },
    /// With the keys of SRTP, where its audio travels so.
    Profile {
        leg: LegId,
        profile: Profile,
        keys: Option<Arc<SrtpKeys>>,
    },
    /// Whoever named the leg's address has shown that it is there.
    Proven {
        leg: LegId,
    },
    Play {
        leg: LegId,
        source: Source,
    },
    /// Keys that this leg presses are reported as ever, and if captured not passed on to those who hear it. A press is
    /// captured whole or not at all, by what held when it began.
    Keys {
        leg: LegId,
        capture: bool,
    },
    /// Also hear keys as tones in the leg's audio, for peers without telephone-events. Off at first. A captured tone is
    /// silenced once it is recognised; less than 30 ms pass, too little for a key.
    Inband {
        leg: LegId,
        on: bool,
    },
    /// Tell once when the leg, which is tapped, begins to speak, and once when nothing was said for so long (zero: never); none, as at
    /// first: tell nothing.
    Attend {
        leg: LegId,
        silence: Option<Duration>,
    },
    /// Press this key (`0`–`9`, `*`, `#`, `A`–`D`) towards the leg: as a telephone-event, or as tones where none were
    /// agreed. Keys queue, up to 32; what the leg hears pauses for each.
    SendKey {
        leg: LegId,
        key: char,
    },
    /// From now on copy what passes on the leg to the shard's taps; none, as at first: nothing.
    Tap {
        leg: LegId,
        tap: Option<Tap>,
    },
    /// Ends the leg, closes its sockets; answered by `Closed`.
    Close {
        leg: LegId,
    },
}

impl Command {
    /// The leg that it is for.
    fn leg(&self) -> Option<LegId> {
        match self {
            Command::Bind { .. } | Command::Unbind { .. } => None,
            Command::Open { leg, .. }
            | Command::Profile { leg, .. }
            | Command::Proven { leg }
            | Command::Play { leg, .. }
            | Command::Keys { leg, .. }
            | Command::Inband { leg, .. }
            | Command::Attend { leg, .. }
            | Command::SendKey { leg, .. }
            | Command::Tap { leg, .. }
            | Command::Close { leg } => Some(*leg),
        }
    }
}

#[derive(Clone, Debug)]
pub enum Event {
    Bound {
        rtp: SocketAddr,
    },
    PortBusy {
        rtp: SocketAddr,
    },
    /// It could not be bound for want of descriptors or memory: no other could, either.
    NoSocket {
        rtp: SocketAddr,
    },
    /// Something came to a pair before any leg had it, and it is bound no more.
    Disturbed {
        rtp: SocketAddr,
    },
    Played {
        leg: LegId,
        cue: u32,
    },
    /// Neither RTP nor RTCP arrived for the configured time although the peer may send; and its end.
    Silent {
        leg: LegId,
    },
    Audible {
        leg: LegId,
    },
    /// A leg that is attended has begun to speak, or has said nothing for the time.
    Speaks {
        leg: LegId,
    },
    Quiet {
        leg: LegId,
    },
    /// A prompt, music or ringback waits: [`Profile::trial`] is used up.
    Withheld {
        leg: LegId,
    },
    /// A key by RFC 4733 or by its tones, once per press.
    Key {
        leg: LegId,
        key: char,
    },
    /// Answers `Close`; unasked it says that the leg's media has failed.
    Closed {
        leg: LegId,
        rtp: SocketAddr,
        stats: RtpStats,
    },
}
