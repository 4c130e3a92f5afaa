//! The switch: all signalling, calls and queues in one state, driven by one thread. Inputs in, outputs out.

mod setup;

pub use setup::{JournalDown, Limits, MediaSetup, Seat, Setup, Trunk, UnknownSource};

use crate::base::Flow;
use crate::call::event::Entry;
use crate::media;
use bytes::Bytes;

/// What the outside tells the switch.
#[derive(Debug)]
pub enum Input {
    /// One datagram, or one message that the edge framed from a stream.
    Sip {
        flow: Flow,
        data: Bytes,
    },
    /// A connection closed, or refused bytes, or a datagram could not be sent.
    FlowFailed {
        flow: Flow,
    },
    Media {
        shard: u16,
        event: media::Event,
    },
    /// Every journal entry with a ticket up to this one is on disk.
    Journaled {
        ticket: u64,
    },
    /// The journal cannot write (true) or can again (false).
    JournalDown(bool),
    /// No new calls from now on; live ones finish.
    Drain,
}

/// What the switch wants done, in this order.
#[derive(Debug)]
pub enum Output {
    Sip {
        flow: Flow,
        data: Bytes,
    },
    Media {
        shard: u16,
        command: media::Command,
    },
    /// Make this durable, then say `Journaled` with its ticket (tickets count up by one).
    Journal {
        ticket: u64,
        entry: Entry,
    },
}
