//! A call's inputs and outputs.

use super::{LegNo, MessageCommand, Outcome};
use crate::base::{RtpStats, SrtpKeys};
use crate::dialog;
use crate::event::seat::{HoldAlarm, MissCause, SuperviseMode};
use crate::event::{Choice, Party, TransferKind, TransferResult, What};
use crate::media;
use crate::plan;
use crate::queue;
use crate::sip::Status;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// An input is something that a call is told.
#[derive(Clone, Debug)]
pub enum Input {
    Leg {
        leg: LegNo,
        event: LegEvent,
    },
    Queue(QueueEvent),
    Played {
        cue: u32,
    },
    /// A key of the caller's, where [`super::Call::awaits_key`].
    Key {
        key: char,
    },
    /// A party's, where [`super::Call::awaits_key_of`].
    PartyKey {
        leg: LegNo,
        key: char,
    },
    Silent {
        leg: LegNo,
    },
    Audible {
        leg: LegNo,
    },
    /// Callers wait for one of [`super::Call::idle_seats`].
    Wanted,
    /// The shard closed a leg's media.
    Closed {
        leg: LegNo,
        stats: RtpStats,
    },
    /// Answers [`super::MessageCommand::Ask`]; without room it may also follow [`super::MessageCommand::Begin`].
    MessageRoom {
        room: bool,
    },
    /// The caller, who leaves a message, has begun to speak, or has said nothing for some time.
    Speaks,
    Quiet,
    /// Every entry of this call is on disk.
    Journaled,
}

/// The message that has the first description of a caller's session (RFC 3261 §13.2.1, RFC 3262 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstOffer {
    /// The caller's.
    Invite,
    /// None came with the INVITE: our first reliable provisional response has it.
    Provisional,
    /// The same, of a caller that does not take such: our 200 has it.
    Answer,
}

/// News that the call learns of a leg ([`dialog::Event`] without the leg's number).
#[derive(Clone, Debug)]
pub enum LegEvent {
    /// A provisional response: there is somebody.
    Rings,
    /// A provisional response: it sends the call on to somebody else (181).
    Forwards,
    Media(dialog::Media),
    EarlyMedia {
        sends: bool,
    },
    Answered,
    Ended(dialog::End),
}

/// News that the call learns of its place in the queue ([`queue::Output`] without the call's number).
#[derive(Clone, Debug)]
pub enum QueueEvent {
    Ring {
        seat: Arc<str>,
        choice: Box<Choice>,
    },
    Stop {
        seat: Arc<str>,
        elsewhere: bool,
    },
    Full,
    TimedOut,
    NoSeat,
    /// This many are ahead, and it will take about so long.
    Place {
        ahead: u32,
        wait: Option<Duration>,
    },
}

/// Outputs are what a call wants done and tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Give a leg that called us its media. Should it be impossible, the answer is an `Ended` for it.
    Attach {
        leg: LegNo,
    },
    /// Call this party, or the person whom a seat calls. Should it be impossible (no channel, no port, no route), the answer is an `Ended` for it.
    Dial {
        leg: LegNo,
        party: Dialled,
    },
    /// A provisional response to a party that called us.
    Progress {
        leg: LegNo,
        status: Status,
        media: bool,
    },
    Answer {
        leg: LegNo,
    },
    /// A target gave no sign until its time was over.
    Unreached {
        leg: LegNo,
    },
    Hangup {
        leg: LegNo,
        cause: dialog::Cause,
    },
    Profile {
        leg: LegNo,
        profile: media::Profile,
        keys: Option<Arc<SrtpKeys>>,
    },
    Play {
        leg: LegNo,
        audio: Audio,
    },
    /// Close the leg's media; answered by `Closed`.
    Close {
        leg: LegNo,
    },
    Queue(QueueCommand),
    /// The person whom a seat calls is being called, as the call's caller.
    CallerDialled,
    /// The caller asks to be rung back.
    WantsCallback,
    Message(MessageCommand),
    /// A prompt starts towards the caller.
    Announcing {
        prompt: Arc<str>,
    },
    /// A party is being called; a seat that a queue chose for this reason.
    Ringing {
        leg: LegNo,
        party: Party,
        choice: Option<Box<Choice>>,
    },
    /// The party answered and is joined to the caller.
    Joined {
        leg: LegNo,
        party: Party,
    },
    /// A move of the caller was asked for.
    TransferStarted {
        seq: u32,
        kind: TransferKind,
        by: LegNo,
        to: String,
        /// The seat that asked for it, or that the caller comes back to.
        seat: Option<Arc<str>>,
    },
    TransferEnded {
        seq: u32,
        result: TransferResult,
        /// The answer of the last party that was tried, where all failed.
        failure: Option<(u16, Option<u8>)>,
    },
    /// A seat is not heard, or is again, by its own wish.
    Muted {
        leg: LegNo,
        on: bool,
    },
    /// A supervisor's phone is called for the seat of `of`, or is in the call in another way; none: not any more.
    Supervising {
        leg: LegNo,
        of: LegNo,
        by: String,
        seat: Arc<str>,
        mode: Option<SuperviseMode>,
    },
    /// The caller has been on hold for too long; this seat holds it.
    HoldForgotten {
        leg: LegNo,
        seat: String,
        alarm: HoldAlarm,
    },
    /// The call is over; nothing but `Done` follows.
    Ended(Outcome),
    /// An entry of which the call knows all, and which nobody but its record needs.
    Journal(What),
    /// The call is over and on disk: forget it.
    Done,
}

/// A destination to call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Dialled {
    Seat { name: Arc<str> },
    Target(plan::Target),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Audio {
    Silence,
    Prompt {
        name: Arc<str>,
        repeat: bool,
        cue: u32,
    },
    /// Prompts one after another.
    Words {
        words: Arc<[Arc<str>]>,
        cue: u32,
    },
    Ringback,
    /// Early media of a ringing party's network, and ringback as long as it has none.
    Early(LegNo),
    Relay(LegNo),
    /// The sum of these.
    Mix(Vec<LegNo>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum QueueCommand {
    Join {
        queue: Arc<str>,
        priority: queue::Priority,
        head: bool,
    },
    Leave,
    /// Answered by [`QueueEvent::Place`].
    Ask,
    Rang {
        seat: Arc<str>,
    },
    Answered {
        seat: Arc<str>,
    },
    Refused {
        seat: Arc<str>,
        failure: MissCause,
    },
    Dropped {
        queue: Arc<str>,
        seat: Arc<str>,
    },
    /// The seat's phone died in the conversation.
    Lost {
        queue: Arc<str>,
        seat: Arc<str>,
    },
    Freed {
        seat: Arc<str>,
    },
}
