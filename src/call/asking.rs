//! The caller is asked for a key: a prompt, a time to answer, and again a few times. So a survey is given after the seat has hung
//! up, a queue is chosen, and a call back is offered.

use super::waiting::Waiting;
use super::{Audio, Call, Caller, Outcome, Output, Stage, Then};
use crate::base::{Mono, Now};
use crate::event::{By, Result, What};
use crate::plan::{self, Step};
use std::sync::Arc;
use std::time::Duration;

/// How opinions are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    pub prompt: Arc<str>,
    /// Spoken to who has given one.
    pub thanks: Option<Arc<str>>,
    /// The best opinion's key first.
    pub keys: Arc<str>,
    pub wait: Duration,
    /// How often it is asked at most.
    pub tries: u32,
}

/// A question that the caller hears or has heard.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asking {
    question: Question,
    prompt: Arc<str>,
    cue: u32,
    speaking: bool,
    wait: Duration,
    /// When the time to answer ends, once the question has been spoken.
    until: Option<Mono>,
    /// How often it may be asked again.
    again: u32,
    /// Spoken before the question to who pressed a key that means nothing; and whether that is so now.
    wrong: Option<Arc<str>>,
    was_wrong: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Question {
    /// The call will have ended so.
    Survey(Outcome),
    Menu,
    Callback(char),
}

impl Asking {
    /// The cue of the prompt that is spoken.
    pub fn cue(&self) -> Option<u32> {
        self.speaking.then_some(self.cue)
    }

    pub fn audio(&self) -> Option<Audio> {
        let (cue, name) = (self.cue()?, self.prompt.clone());
        Some(match self.wrong.clone().filter(|_| self.was_wrong) {
            Some(wrong) => Audio::Words { words: [wrong, name].into(), cue },
            None => Audio::Prompt { name, repeat: false, cue },
        })
    }

    pub fn until(&self) -> Option<Mono> {
        self.until
    }

    /// How the call will have ended, where the conversation is over.
    pub fn outcome(&self) -> Option<Outcome> {
        if let Question::Survey(outcome) = self.question { Some(outcome) } else { None }
    }
}

impl Call {
    /// Asks as a step of the plan says.
    pub(super) fn ask_step(&mut self, now: Now, step: &Step) {
        match step {
            Step::Menu { prompt, wrong, wait, tries, .. } => {
                self.progress(now);
                self.ask(Question::Menu, prompt.clone(), *wait, *tries);
                if let Stage::Asking(asking) = &mut self.stage {
                    asking.wrong = wrong.clone();
                }
            }
            Step::Callback { prompt, key, wait } => {
                self.progress(now);
                self.ask(Question::Callback(*key), prompt.clone(), *wait, 1);
            }
            _ => {}
        }
    }

    fn ask(&mut self, question: Question, prompt: Arc<str>, wait: Duration, tries: u32) {
        self.dismiss_watchers();
        self.next_cue += 1;
        let cue = self.next_cue;
        self.tell(Output::Announcing { prompt: prompt.clone() });
        let again = tries.saturating_sub(1);
        let (speaking, until, wrong, was_wrong) = (true, None, None, false);
        let asking = Asking { question, prompt, cue, speaking, wait, until, again, wrong, was_wrong };
        self.stage = Stage::Asking(Box::new(asking));
    }

    /// The seat has hung up and the caller is still there: true when it is asked for its opinion. Then the seat is free.
    pub(super) fn asks_opinion(&mut self) -> bool {
        let Stage::Talking(talk) = &self.stage else { return false };
        let line = self.line_survey.as_ref();
        let of_queue = |waiting: &Arc<Waiting>| waiting.survey;
        let queue = talk.home.as_ref().and_then(|home| self.policy.callers.waiting.get(home));
        let asked = talk.home.is_some() && line.and_then(|line| line.asks).unwrap_or(queue.is_some_and(of_queue));
        let prompt = line.and_then(|line| line.prompt.clone());
        let alone = talk.is_left_by_seat() && self.caller == Caller::Answered;
        let Some(survey) = self.policy.callers.survey.clone().filter(|_| asked && alone) else { return false };
        let Some((By::Callee, q850)) = self.left_by else { return false };
        self.free_seat();
        self.max_talk_at = None;
        let outcome = Outcome { result: Result::Answered, by: By::Callee, status: None, q850: q850.or(Some(16)) };
        self.ask(Question::Survey(outcome), prompt.unwrap_or(survey.prompt), survey.wait, survey.tries);
        true
    }

    /// The question has been spoken.
    pub(super) fn asked(&mut self, now: Now, finished: u32) {
        if let Stage::Asking(asking) = &mut self.stage
            && asking.cue() == Some(finished)
        {
            asking.speaking = false;
            asking.until = Some(now.mono.after(asking.wait));
        }
    }

    /// A key, while it is asked for: it need not wait for the question's end.
    pub(super) fn answered_with(&mut self, now: Now, key: char) {
        let Stage::Asking(asking) = &self.stage else { return };
        match asking.question.clone() {
            Question::Survey(outcome) => {
                let keys = self.policy.callers.survey.as_ref().map(|survey| survey.keys.clone()).unwrap_or_default();
                match keys.chars().position(|known| known == key) {
                    Some(at) => self.surveyed(outcome, &keys, Some(at)),
                    None => self.ask_again(now, true),
                }
            }
            Question::Menu => match plan::pressed(self.steps.get(self.next.saturating_sub(1)..).unwrap_or_default(), key) {
                Some(steps) => {
                    (self.steps, self.next) = (steps.into(), 0);
                    self.next_step(now);
                }
                None => self.ask_again(now, true),
            },
            Question::Callback(known) if known == key => self.wants_callback(),
            Question::Callback(_) => self.next_step(now),
        }
    }

    /// No key came in time.
    pub(super) fn unanswered(&mut self, now: Now) {
        if matches!(&self.stage, Stage::Asking(asking) if asking.until.is_some_and(|until| until <= now.mono)) {
            self.ask_again(now, false);
        }
    }

    /// `wrong`: a key was pressed that means nothing.
    fn ask_again(&mut self, now: Now, wrong: bool) {
        let Stage::Asking(asking) = &mut self.stage else { return };
        if asking.again > 0 {
            self.next_cue += 1;
            asking.again -= 1;
            asking.was_wrong = wrong;
            (asking.cue, asking.speaking, asking.until) = (self.next_cue, true, None);
            return;
        }
        match asking.question.clone() {
            Question::Survey(outcome) => {
                let keys = self.policy.callers.survey.as_ref().map(|survey| survey.keys.clone()).unwrap_or_default();
                self.surveyed(outcome, &keys, None);
            }
            Question::Menu | Question::Callback(_) => self.next_step(now),
        }
    }

    /// `at`: the key's place among `keys`; none: no opinion was given.
    fn surveyed(&mut self, outcome: Outcome, keys: &str, at: Option<usize>) {
        let scale = u8::try_from(keys.chars().count()).unwrap_or(u8::MAX);
        let score = at.and_then(|at| u8::try_from(at).ok()).map(|at| scale.saturating_sub(at));
        self.journal(What::Survey { score, scale });
        let thanks = self.policy.callers.survey.as_ref().and_then(|survey| survey.thanks.clone()).filter(|_| score.is_some());
        match thanks {
            Some(prompt) => self.play_prompt(prompt, Then::Refuse(outcome)),
            None => self.finish(outcome),
        }
    }

    /// The caller is listed, hears so, and is lost as it was.
    fn wants_callback(&mut self) {
        let result = self.lost_as().unwrap_or(Result::NoSeat);
        let outcome = Outcome { result, by: By::Gateway, status: Some(480), q850: Some(19) };
        self.tell(Output::WantsCallback);
        match self.policy.callers.callback_taken.clone() {
            Some(prompt) => self.play_prompt(prompt, Then::Refuse(outcome)),
            None => self.refuse(outcome),
        }
    }
}
