//! Callers' messages (留言), as the recorder and the records meet them. A message is the whole of its call's recording, unless the call
//! was recorded anyway: then it is the recording's end, and nothing of it is thrown away.

use super::recording::State;
use super::{Output, Recording, Switch, Work};
use crate::base::{CallId, Mono, Now};
use crate::call::{self, CALLER, MessageCommand};
use crate::event::{Author, Discarded, MessageEnd, RecordingCause, Result as Loss, What};
use crate::list::MessageLeft;
use crate::media;
use crate::media::recording::Keeping;

/// The message of a call's caller.
#[derive(Debug, Default)]
pub(super) struct OfCaller {
    /// Since when it is spoken; and whether its call is recorded for its sake alone.
    begun: Option<(Mono, bool)>,
    pub left: MessageLeft,
}

impl Switch {
    pub(super) fn message(&mut self, now: Now, id: CallId, command: MessageCommand, out: &mut Vec<Output>) {
        match command {
            MessageCommand::End { ended, discarded } => self.message_ends(now, id, ended, discarded, out),
            MessageCommand::Ask | MessageCommand::Begin { .. } if !self.message_room(id) => {
                self.write(now, id, What::Message { ms: 0, ended: MessageEnd::NoRoom, discarded: None }, out);
                tracing::warn!(call = %id, "no message can be recorded: its caller goes on without");
                self.counters.messages_refused += 1;
                if let Some(active) = self.calls.get_mut(&id) {
                    active.message.left = MessageLeft::NoRoom;
                }
                self.work.push_back(Work::Call(id, call::Input::MessageRoom { room: false }));
            }
            MessageCommand::Ask => self.work.push_back(Work::Call(id, call::Input::MessageRoom { room: true })),
            MessageCommand::Begin { silence } => {
                self.write(now, id, What::MessageBegun, out);
                let Some(active) = self.calls.get_mut(&id) else { return };
                let before = active.recording.state;
                active.message.begun = Some((now.mono, before == State::Not));
                if before != State::On {
                    self.turn_recording(now, id, State::On, (Author::gateway(), RecordingCause::Message), out);
                }
                self.media(id, CALLER, out, |leg| media::Command::Attend { leg, silence: Some(silence) });
            }
        }
    }

    /// Callers of emergency lines are not asked to speak to nobody.
    fn message_room(&self, id: CallId) -> bool {
        let Some(active) = self.calls.get(&id).filter(|active| !active.emergency && !self.recorder.down) else { return false };
        match active.recording.state {
            State::Not => self.recorder.calls < self.fixed.recordings,
            _ => active.recording.counted,
        }
    }

    fn message_ends(&mut self, now: Now, id: CallId, ended: MessageEnd, discarded: Option<Discarded>, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        let Some((since, alone)) = active.message.begun.take() else { return };
        if discarded.is_none() {
            active.message.left = MessageLeft::Kept;
        }
        if alone {
            // The rest of the call is no message.
            active.recording.state = State::Stopped;
            active.recording.discard = discarded.is_some();
            out.push(Output::Recording(Recording::Turns { call: id, at: now.mono, keeping: Keeping::Nothing }));
        }
        let ms = u64::try_from(now.mono.since(since).as_millis()).unwrap_or(u64::MAX);
        self.write(now, id, What::Message { ms, ended, discarded }, out);
        tracing::info!(call = %id, ms, ?ended, ?discarded, "a message has been left");
        self.media(id, CALLER, out, |leg| media::Command::Attend { leg, silence: None });
        if discarded.is_none() {
            // At once: whoever is to hear it finds it by its row, though the process should die before the call's end.
            self.list_missed(now, id, Loss::Message, out);
        }
    }

    /// A call that ends in another way than its message does ends it.
    pub(super) fn message_cut(&mut self, now: Now, id: CallId, out: &mut Vec<Output>) {
        self.message_ends(now, id, MessageEnd::Interrupted, None, out);
    }
}
