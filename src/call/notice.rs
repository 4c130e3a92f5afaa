//! The caller is told, once, that the call is recorded: before anybody is called for it, so that no seat waits for the words. Where
//! the recording begins later, it is told then: in the queue, and, where a seat has answered before all was said, again at the
//! beginning of the conversation, which the seat hears from its first moment.

use super::{CALLER, Call, Output, Stage, talk::Notice};
use crate::base::Now;
use crate::plan::Step;
use std::sync::Arc;

/// Words that the caller has yet to hear to their end.
#[derive(Debug)]
pub(super) struct Untold {
    prompt: Arc<str>,
    /// The cue by which they are spoken.
    cue: Option<u32>,
}

impl Call {
    /// The call is recorded from its first moment on.
    pub fn must_tell(&mut self, prompt: Arc<str>) {
        self.untold = Some(Untold { prompt, cue: None });
    }

    /// The call is recorded from now on.
    pub fn tell_recorded(&mut self, now: Now, prompt: Arc<str>, out: &mut Vec<Output>) {
        self.must_tell(prompt);
        match &self.stage {
            Stage::Queued { .. } if !self.is_deaf() => {
                if let Some((prompt, cue)) = self.speak() {
                    self.announcer.say(cue, [prompt].into());
                }
            }
            Stage::Talking(talk) if talk.has(CALLER) => self.tell_in_talk(),
            _ => {}
        }
        self.flush(now, out);
    }

    /// The words that come before this step. An emergency line is rung without a word before it.
    pub(super) fn told_before(&mut self, step: Option<&Step>) -> Option<Arc<str>> {
        let deaf = self.is_deaf();
        let calls = match step? {
            Step::Queue { .. } => true,
            Step::Ring { targets, .. } => targets.iter().all(|target| !target.emergency),
            _ => false,
        };
        self.untold.take_if(|_| calls && !deaf).map(|untold| untold.prompt)
    }

    /// Somebody has the caller, who has not been told all yet. Meanwhile the caller is heard.
    pub(super) fn tell_in_talk(&mut self) {
        let Some((prompt, cue)) = self.speak() else { return };
        if let Some(talk) = self.talk() {
            // Words that are said already, such as a seat's number, comes behind it.
            let said = talk.notice.take().filter(|notice| notice.leg == CALLER).map(|notice| notice.words);
            let words = std::iter::once(prompt).chain(said.unwrap_or_default()).collect();
            talk.notice = Some(Notice { leg: CALLER, words, cue });
        }
    }

    fn speak(&mut self) -> Option<(Arc<str>, u32)> {
        let untold = self.untold.as_mut()?;
        self.next_cue += 1;
        untold.cue = Some(self.next_cue);
        let prompt = untold.prompt.clone();
        self.tell(Output::Announcing { prompt: prompt.clone() });
        Some((prompt, self.next_cue))
    }

    /// Words have been spoken to their end.
    pub(super) fn told(&mut self, finished: u32) {
        self.untold.take_if(|untold| untold.cue == Some(finished));
    }
}
