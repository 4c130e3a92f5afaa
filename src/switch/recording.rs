//! Recordings, as the switch decides on them: which calls, from when on, and what is left out by whose word. A recording is its
//! call's: no move of the caller ends it, and what a seat has left out ends when that seat leaves the conversation.

use super::{Fixed, Output, Recorded, Switch};
use crate::base::{CallId, Mono, Now, Timers};
use crate::call::LegNo;
use crate::control::seat::RecordVerb;
use crate::control::{SeatRefusal, Why};
use crate::event::seat::{Author, AuthorKind};
use crate::event::{RecordingAction, RecordingCause, SeatWhat, What};
use crate::media;
use crate::media::recording::Keeping;
use crate::plan::{Decision, Step};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A call that is recorded, as the recorder is told.
#[derive(Clone, Copy, Debug)]
pub enum Recording {
    Begins {
        call: CallId,
        at: Mono,
    },
    /// From this moment on something else is kept of it.
    Turns {
        call: CallId,
        at: Mono,
        keeping: Keeping,
    },
    Ends {
        call: CallId,
        at: Mono,
    },
    /// It is over, and nothing of it is to be kept.
    Discarded {
        call: CallId,
        at: Mono,
    },
}

impl Recording {
    pub fn call(&self) -> CallId {
        use Recording::{Begins, Discarded, Ends, Turns};
        let (Begins { call, .. } | Turns { call, .. } | Ends { call, .. } | Discarded { call, .. }) = *self;
        call
    }
}

/// Settings of recordings that a reload replaces.
#[derive(Clone, Debug, Default)]
pub struct RecordingRules {
    /// Queues that say whether their callers are recorded.
    pub queues: BTreeMap<Arc<str>, bool>,
    /// The prompt that tells a caller of it.
    pub notice: Option<Arc<str>>,
    /// Time after which a pause or a mask ends by itself.
    pub pause_most: Duration,
}

/// How the recording of a call stands.
#[derive(Debug, Default)]
pub(super) struct OfCall {
    pub state: State,
    /// The plan's own word on it.
    pub plan: Option<bool>,
    /// An emergency line has been fetched.
    help: bool,
    /// The seat that paused or masked it, and its leg where it ends with it.
    seat: Option<Arc<str>>,
    leg: Option<LegNo>,
    /// It is one of the calls that may be recorded at once.
    pub counted: bool,
    /// It is a message that is none.
    pub discard: bool,
}

impl OfCall {
    /// `plan`: the plan's own word on it.
    pub fn new(on: bool, plan: Option<bool>) -> OfCall {
        OfCall { state: if on { State::On } else { State::Not }, plan, ..OfCall::default() }
    }
}

/// The recorder, as far as it is known here.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    /// Calls that it records now, of those that it may at once.
    pub calls: usize,
    /// It cannot write.
    pub down: bool,
    /// When what is left out of recordings ends by itself.
    pub pauses: Timers<CallId>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// It has never begun.
    #[default]
    Not,
    On,
    Paused,
    Masked,
    Stopped,
}

impl State {
    /// The state that a verb leads to; none: it stands so already.
    fn after(self, verb: RecordVerb) -> Result<Option<State>, SeatRefusal> {
        use RecordVerb::{Mask, Pause, Resume, Start, Stop};
        use State::{Masked, Not, On, Paused, Stopped};
        match (verb, self) {
            (Start | Resume, On) | (Pause, Paused) | (Mask, Masked) | (Stop, Stopped | Not) => Ok(None),
            (Start, Not | Stopped) | (Resume, Paused | Masked) => Ok(Some(On)),
            (Pause, On | Masked) => Ok(Some(Paused)),
            (Mask, On | Paused) => Ok(Some(Masked)),
            (Stop, On | Paused | Masked) => Ok(Some(Stopped)),
            (Start, Paused | Masked) => Err(SeatRefusal::RecordingLeftOut),
            (Pause | Mask | Resume, Not | Stopped) => Err(SeatRefusal::NotRecorded),
        }
    }

    /// In a word, as programs read it.
    pub fn name(self) -> &'static str {
        match self {
            State::Not | State::Stopped => "off",
            State::On => "recording",
            State::Paused => "paused",
            State::Masked => "masked",
        }
    }

    fn ends_by_itself(self) -> bool {
        matches!(self, State::Paused | State::Masked)
    }
}

impl Fixed {
    fn records(&self) -> bool {
        self.recordings > 0 || self.recorded != Recorded::None
    }
}

impl Switch {
    /// Tells whether a call is recorded from its first moment: the plan's word comes first, then that of the queue that it leads
    /// to, then `recording.lines`.
    pub(super) fn records_from_start(&self, decision: &Decision) -> bool {
        let queue = decision.steps.iter().find_map(|step| if let Step::Queue { queue, .. } = step { Some(queue) } else { None });
        let said = decision.record.or_else(|| self.setup.recording.queues.get(queue?).copied());
        self.fixed.records() && said.unwrap_or_else(|| self.fixed.recorded.includes(&decision.number))
    }

    /// The caller comes to a queue. One that is recorded stays so, and none is whose line forbids it.
    pub(super) fn queue_records(&mut self, now: Now, id: CallId, queue: &str, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get(&id) else { return };
        let wanted = active.setup.recording.queues.get(queue) == Some(&true);
        if wanted && active.recording.state == State::Not && active.recording.plan != Some(false) && self.fixed.records() {
            self.turn_recording(now, id, State::On, (Author::gateway(), RecordingCause::Queue), out);
            self.tell_recorded(now, id);
        }
    }

    /// A verb about the recording of the conversation that the seat is in.
    pub(super) fn record_for(
        &mut self,
        now: Now,
        seat: &Arc<str>,
        by: &Author,
        verb: RecordVerb,
        out: &mut Vec<Output>,
    ) -> Result<(), Why> {
        let (id, leg) = self.talk_of(seat)?;
        let active = self.calls.get(&id).ok_or(Why::NoSuchCall)?;
        let before = active.recording.state;
        let Some(state) = before.after(verb)? else { return Ok(()) };
        if before == State::Not && !self.fixed.records() {
            return Err(SeatRefusal::NoRecorder.into());
        }
        let own = matches!(by.kind, AuthorKind::Seat | AuthorKind::Phone);
        if own && state != State::On && (active.emergency || active.recording.help) {
            return Err(SeatRefusal::EmergencyRecorded.into());
        }
        let prior = active.recording.seat.clone();
        if let Some(active) = self.calls.get_mut(&id) {
            active.recording.seat = Some(seat.clone());
            active.recording.leg = Some(leg).filter(|_| own && state.ends_by_itself());
        }
        self.turn_recording(now, id, state, (by.clone(), RecordingCause::Verb), out);
        // The seat that had it left out is told that it is not any more.
        if let Some(prior) = prior.filter(|prior| before.ends_by_itself() && prior != seat) {
            self.log_recording(now, &prior, id, action(before, state), (by.clone(), RecordingCause::Verb), out);
        }
        if before == State::Not {
            self.tell_recorded(now, id);
        }
        Ok(())
    }

    /// The recording of a call stands otherwise from now on.
    pub(super) fn turn_recording(
        &mut self,
        now: Now,
        id: CallId,
        state: State,
        (by, cause): (Author, RecordingCause),
        out: &mut Vec<Output>,
    ) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        active.recording.discard = false;
        let before = std::mem::replace(&mut active.recording.state, state);
        let action = action(before, state);
        let (seat, limit) = (active.recording.seat.clone(), active.setup.recording.pause_most);
        match state.ends_by_itself() {
            true => self.recorder.pauses.set(id, now.mono.after(limit)),
            false => self.recorder.pauses.cancel(&id),
        }
        let (call, at) = (id, now.mono);
        if before == State::Not {
            self.recording_begins(now, id, out);
            self.tap_all(id, out);
        } else {
            out.push(Output::Recording(Recording::Turns { call, at, keeping: keeping(state) }));
        }
        tracing::info!(call = %id, action = action.name(), by = %by.name, ?cause, "recording");
        self.write(now, id, What::Recording { action, by: by.clone(), cause }, out);
        if let Some(seat) = seat {
            self.log_recording(now, &seat, id, action, (by, cause), out);
        }
    }

    fn log_recording(
        &mut self,
        now: Now,
        seat: &Arc<str>,
        call: CallId,
        action: RecordingAction,
        (by, cause): (Author, RecordingCause),
        out: &mut Vec<Output>,
    ) {
        self.log_seat(now, seat, SeatWhat::Recording { call, action, by, cause }, out);
    }

    /// All is kept again.
    fn record_on(&mut self, now: Now, id: CallId, cause: RecordingCause, out: &mut Vec<Output>) {
        if self.calls.get(&id).is_some_and(|active| active.recording.state.ends_by_itself()) {
            self.turn_recording(now, id, State::On, (Author::gateway(), cause), out);
        }
        if let Some(active) = self.calls.get_mut(&id) {
            active.recording.leg = None;
        }
    }

    /// A party's media is closed. What a seat has left out ends with its part in the conversation, but not with the call.
    pub(super) fn recording_outlives(&mut self, now: Now, id: CallId, leg_no: LegNo, out: &mut Vec<Output>) {
        let left = self.calls.get(&id).is_some_and(|active| active.recording.leg == Some(leg_no) && !active.call.is_over());
        if left {
            self.record_on(now, id, RecordingCause::SeatLeft, out);
        }
    }

    /// An emergency line is fetched: all that is said is kept from here on.
    pub(super) fn record_help(&mut self, now: Now, id: CallId, out: &mut Vec<Output>) {
        if let Some(active) = self.calls.get_mut(&id) {
            active.recording.help = true;
            self.record_on(now, id, RecordingCause::Emergency, out);
        }
    }

    /// Those that have been left out for as long as that may be.
    pub(super) fn pauses_end(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(id) = self.recorder.pauses.pop(now.mono) {
            self.record_on(now, id, RecordingCause::Limit, out);
        }
    }

    /// The caller is told, once, that the call is recorded.
    fn tell_recorded(&mut self, now: Now, id: CallId) {
        let Some(active) = self.calls.get(&id).filter(|active| !active.emergency) else { return };
        if let Some(prompt) = active.setup.recording.notice.clone() {
            self.with_call(now, id, |call, done| call.tell_recorded(now, prompt, done));
        }
    }

    /// The recorder gets what each party says from its first packet to its last, whatever becomes of it in the call, and
    /// the prompts and the music that the caller hears.
    pub(super) fn tap(&self, id: CallId, leg_no: LegNo, out: &mut Vec<Output>) {
        if self.calls.get(&id).is_some_and(|active| active.recording.state != State::Not) {
            let tap = media::Tap { call: id, leg: leg_no.0, said: true, played: leg_no == crate::call::CALLER };
            self.media(id, leg_no, out, |leg| media::Command::Tap { leg, tap: Some(tap) });
        }
    }

    fn tap_all(&self, id: CallId, out: &mut Vec<Output>) {
        let legs: Vec<LegNo> = self.calls.get(&id).into_iter().flat_map(|active| active.legs.keys().copied()).collect();
        legs.into_iter().for_each(|leg_no| self.tap(id, leg_no, out));
    }

    /// The recorder takes it if it does not record as many as it may.
    pub(super) fn recording_begins(&mut self, now: Now, id: CallId, out: &mut Vec<Output>) {
        if let Some(active) = self.calls.get_mut(&id) {
            active.recording.counted = self.recorder.calls < self.fixed.recordings;
            self.recorder.calls += usize::from(active.recording.counted);
        }
        out.push(Output::Recording(Recording::Begins { call: id, at: now.mono }));
    }

    /// The call is over.
    pub(super) fn recording_ends(&mut self, now: Now, id: CallId, out: &mut Vec<Output>) {
        self.recorder.pauses.cancel(&id);
        let Some(recording) = self.calls.get_mut(&id).map(|active| &mut active.recording) else { return };
        if recording.state == State::Not {
            return;
        }
        self.recorder.calls -= usize::from(std::mem::take(&mut recording.counted));
        let (call, at) = (id, now.mono);
        out.push(Output::Recording(if recording.discard {
            Recording::Discarded { call, at }
        } else {
            Recording::Ends { call, at }
        }));
    }
}

fn keeping(state: State) -> Keeping {
    match state {
        State::On => Keeping::Sound,
        State::Masked => Keeping::Silence,
        State::Not | State::Paused | State::Stopped => Keeping::Nothing,
    }
}

fn action(before: State, state: State) -> RecordingAction {
    match (before, state) {
        (State::Not | State::Stopped, State::On) => RecordingAction::Started,
        (_, State::Not | State::On) => RecordingAction::Resumed,
        (_, State::Paused) => RecordingAction::Paused,
        (_, State::Masked) => RecordingAction::Masked,
        (_, State::Stopped) => RecordingAction::Stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_leads_to_one_state_is_done_already_or_is_refused() {
        use RecordVerb::{Mask, Pause, Resume, Start, Stop};
        use State::{Masked, Not, On, Paused, Stopped};
        let (no, held) = (Err(SeatRefusal::NotRecorded), Err(SeatRefusal::RecordingLeftOut));
        for (state, verbs) in [
            (Not, [Ok(Some(On)), no, no, no, Ok(None)]),
            (On, [Ok(None), Ok(Some(Paused)), Ok(Some(Masked)), Ok(None), Ok(Some(Stopped))]),
            (Paused, [held, Ok(None), Ok(Some(Masked)), Ok(Some(On)), Ok(Some(Stopped))]),
            (Masked, [held, Ok(Some(Paused)), Ok(None), Ok(Some(On)), Ok(Some(Stopped))]),
            (Stopped, [Ok(Some(On)), no, no, no, Ok(None)]),
        ] {
            for (verb, wanted) in [Start, Pause, Mask, Resume, Stop].into_iter().zip(verbs) {
                assert_eq!(state.after(verb), wanted, "{verb:?} while {state:?}");
                if let Ok(Some(next)) = wanted {
                    assert_eq!(next.after(verb), Ok(None), "given twice, {verb:?} is done already");
                }
            }
        }
    }
}
