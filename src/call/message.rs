//! A caller whom nobody took leaves a message (留言): it hears an invitation and a tone, and what it says is recorded until a key,
//! silence, the longest time or its hanging up ends it. Where nothing can be recorded it goes on to the next step, as does one
//! whose message is none.

use super::watch::Awaited;
use super::{Audio, Call, Outcome, Output, Stage, Then, spoken};
use crate::base::{Mono, Now};
use crate::event::{By, Discarded, MessageEnd, Result};
use std::sync::Arc;
use std::time::Duration;

/// How messages are taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Messages {
    /// One that is shorter is thrown away.
    pub least: Duration,
    /// A silence of so long ends it; zero: none does.
    pub silence: Duration,
    /// Spoken to who has left one.
    pub thanks: Option<Arc<str>>,
}

/// The call's word to the recorder about its caller's message.
#[derive(Clone, Debug, PartialEq)]
pub enum MessageCommand {
    /// May there be one? Answered by [`super::Input::MessageRoom`].
    Ask,
    /// The tone has been heard. Answered only where nothing can be recorded after all.
    Begin {
        silence: Duration,
    },
    End {
        ended: MessageEnd,
        discarded: Option<Discarded>,
    },
}

/// A message that is asked for, or spoken.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    prompt: Arc<str>,
    key: char,
    most: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// It is asked whether there is room.
    Asking,
    /// The invitation is spoken by this cue, and the tone.
    Inviting {
        cue: u32,
    },
    Speaking {
        since: Mono,
        spoke: bool,
    },
}

impl Message {
    /// Waits for an answer, or for the end of the prompt that is spoken.
    pub fn awaited(&self) -> Option<Awaited> {
        match self.state {
            State::Asking => Some(Awaited::Room),
            State::Inviting { cue } => Some(Awaited::Prompt(cue)),
            State::Speaking { .. } => None,
        }
    }

    /// While the caller speaks, frames of silence keep its leg alive.
    pub fn audio(&self) -> Option<Audio> {
        match self.state {
            State::Asking => None,
            State::Inviting { cue } => Some(Audio::Words { words: [self.prompt.clone(), spoken::TONE.into()].into(), cue }),
            State::Speaking { .. } => Some(Audio::Mix(Vec::new())),
        }
    }

    /// When it is as long as it may be.
    pub fn until(&self) -> Option<Mono> {
        if let State::Speaking { since, .. } = self.state { Some(since.after(self.most)) } else { None }
    }
}

impl Call {
    pub(super) fn take_message(&mut self, now: Now, prompt: Arc<str>, key: char, most: Duration) {
        self.dismiss_watchers();
        self.progress(now);
        self.stage = Stage::Message(Box::new(Message { prompt, key, most, state: State::Asking }));
        self.tell(Output::Message(MessageCommand::Ask));
    }

    /// A voice comes by the answered leg alone, so the caller is answered before it is asked to speak.
    pub(super) fn message_room(&mut self, now: Now, room: bool) {
        let Stage::Message(message) = &self.stage else { return };
        if !room {
            return self.next_step(now);
        }
        if message.state != State::Asking {
            return;
        }
        let prompt = message.prompt.clone();
        self.answer_caller();
        self.next_cue += 1;
        let cue = self.next_cue;
        self.tell(Output::Announcing { prompt });
        if let Stage::Message(message) = &mut self.stage {
            message.state = State::Inviting { cue };
        }
    }

    /// The tone has been heard.
    pub(super) fn message_begins(&mut self, now: Now, finished: u32) {
        let Stage::Message(message) = &mut self.stage else { return };
        if message.awaited() == Some(Awaited::Prompt(finished)) {
            message.state = State::Speaking { since: now.mono, spoke: false };
            let silence = self.policy.callers.messages.silence;
            self.tell(Output::Message(MessageCommand::Begin { silence }));
        }
    }

    /// The caller has been heard to speak.
    pub(super) fn speaks(&mut self) {
        if let Stage::Message(message) = &mut self.stage
            && let State::Speaking { spoke, .. } = &mut message.state
        {
            *spoke = true;
        }
    }

    /// A key, which counts once the caller may speak.
    pub(super) fn message_key(&mut self, now: Now, key: char) {
        if matches!(&self.stage, Stage::Message(message) if message.key == key) {
            self.message_over(now, MessageEnd::Key);
        }
    }

    /// It is as long as it may be.
    pub(super) fn message_limit(&mut self, now: Now) {
        if matches!(&self.stage, Stage::Message(message) if message.until().is_some_and(|until| until <= now.mono)) {
            self.message_over(now, MessageEnd::Limit);
        }
    }

    /// The caller is thanked, or goes on as if there had been no message.
    pub(super) fn message_over(&mut self, now: Now, ended: MessageEnd) {
        match self.message_ended(now, ended) {
            Some(true) => {
                let outcome = Outcome { result: Result::Message, by: By::Gateway, status: None, q850: Some(16) };
                match self.policy.callers.messages.thanks.clone() {
                    Some(prompt) => self.play_prompt(prompt, Then::Refuse(outcome)),
                    None => self.refuse(outcome),
                }
            }
            Some(false) => self.next_step(now),
            None => {}
        }
    }

    /// Tells whether a message that ends now is kept; none: there is no message yet.
    pub(super) fn message_ended(&mut self, now: Now, ended: MessageEnd) -> Option<bool> {
        let Stage::Message(message) = &self.stage else { return None };
        let State::Speaking { since, spoke } = message.state else { return None };
        let discarded = match spoke {
            _ if now.mono.since(since) < self.policy.callers.messages.least => Some(Discarded::TooShort),
            false => Some(Discarded::Silent),
            true => None,
        };
        self.tell(Output::Message(MessageCommand::End { ended, discarded }));
        Some(discarded.is_none())
    }

    pub(super) fn hears_message(&self) -> Audio {
        let audio = if let Stage::Message(message) = &self.stage { message.audio() } else { None };
        audio.unwrap_or_else(|| self.music())
    }
}
