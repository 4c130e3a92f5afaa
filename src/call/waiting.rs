//! Callers wait and are told how long yet: settings of a queue's callers, and the announcements between the music.
//!
//! One deadline of the call is all that it takes: when it comes, the call asks the queue for its place, and says it. A seat's
//! answer ends whatever is being said, since who hears what follows from where the call stands.

use super::asking::Survey;
use super::{Audio, CALLER, Call, Messages, Output, QueueCommand, Stage, spoken};
use crate::base::{Mono, Now};
use crate::event::What;
use crate::plan::Step;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Settings for those who wait, or were served.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Callers {
    /// By queue.
    pub waiting: BTreeMap<Arc<str>, Arc<Waiting>>,
    /// The numbers that are spoken of seats.
    pub seat_numbers: BTreeMap<Arc<str>, Arc<str>>,
    pub survey: Option<Survey>,
    /// The keys by which seats accept callers of queues.
    pub accept: BTreeMap<Arc<str>, char>,
    /// Seats behind trunks: no caller hears what their network says before they answer.
    pub unheard: BTreeSet<Arc<str>>,
    /// Spoken to a caller who is turned away.
    pub blocked: Option<Arc<str>>,
    /// Spoken to a caller who will be rung back.
    pub callback_taken: Option<Arc<str>>,
    pub messages: Messages,
}

/// Settings of a queue for those who wait in it, and who have left it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waiting {
    /// Until the first announcement, and from one to the next; zero: there is none.
    pub announce_after: Duration,
    pub announce_every: Duration,
    /// Say how many are ahead, and for how long they will have to wait.
    pub position: bool,
    pub wait: bool,
    /// Spoken after these.
    pub prompt: Option<Arc<str>>,
    /// Put before the names of the words of which numbers are made: another language or voice.
    pub voice: Arc<str>,
    /// The steps for whoever nobody took in time, or found the queue full or without seats.
    pub overflow: Arc<[Step]>,
    /// The longest that these may wait for somebody.
    pub overflow_within: Duration,
    /// The seat's number is spoken to the caller before the two hear each other.
    pub seat_number: bool,
    /// The caller is asked for an opinion after the seat has hung up.
    pub survey: bool,
}

/// The announcements of one caller.
#[derive(Debug, Default)]
pub(super) struct Announcer {
    /// When the next one is due, while the caller waits.
    at: Option<Mono>,
    /// The number of those ahead when it was said last.
    said: Option<u32>,
    speaking: Option<(u32, Arc<[Arc<str>]>)>,
}

impl Announcer {
    pub fn due(&self) -> Option<Mono> {
        self.at
    }

    /// The cue of what is being said.
    pub fn cue(&self) -> Option<u32> {
        self.speaking.as_ref().map(|(cue, _)| *cue)
    }

    pub fn audio(&self) -> Option<Audio> {
        self.speaking.as_ref().map(|(cue, words)| Audio::Words { words: words.clone(), cue: *cue })
    }

    /// Something else is said than the place.
    pub fn say(&mut self, cue: u32, words: Arc<[Arc<str>]>) {
        self.speaking = Some((cue, words));
    }

    /// The words have been said.
    pub fn played(&mut self, finished: u32) {
        self.speaking.take_if(|(cue, _)| *cue == finished);
    }
}

impl Call {
    /// The settings of the queue that the caller waits in.
    pub(super) fn waiting(&self) -> Option<&Arc<Waiting>> {
        let Stage::Queued { queue } = &self.stage else { return None };
        self.policy.callers.waiting.get(queue)
    }

    /// The caller has come to a queue. The number that it was told last stays: it holds through other queues, too.
    pub(super) fn begin_announcements(&mut self, now: Now) {
        let waiting = self.waiting().filter(|waiting| !waiting.announce_every.is_zero());
        let at = waiting.map(|waiting| now.mono.after(waiting.announce_after));
        self.announcer = Announcer { at, said: self.announcer.said, speaking: None };
    }

    /// Asks for the place, unless a seat rings: whoever hears it is about to be answered.
    pub(super) fn announce_if_due(&mut self, now: Now) {
        let Some(every) = self.waiting().map(|waiting| waiting.announce_every) else { return };
        if self.announcer.at.take_if(|at| *at <= now.mono).is_none() {
            return;
        }
        self.announcer.at = Some(now.mono.after(every));
        if self.parties.is_empty() && !self.is_deaf() && self.announcer.speaking.is_none() {
            self.out.push(Output::Queue(QueueCommand::Ask));
        }
    }

    /// The queue's answer. A position that is worse than the one told before is not told: the caller was promised that one.
    pub(super) fn told_place(&mut self, ahead: u32, wait: Option<Duration>) {
        let Some(waiting) = self.waiting().cloned() else { return };
        let ahead = (waiting.position && self.announcer.said.is_none_or(|said| ahead <= said)).then_some(ahead);
        let minutes = wait.filter(|_| waiting.wait).and_then(spoken::minutes);
        let words = spoken::place(&waiting, ahead, minutes);
        if words.is_empty() || !self.parties.is_empty() {
            return;
        }
        self.announcer.said = ahead.or(self.announcer.said);
        if ahead.is_some() || minutes.is_some() {
            self.journal(What::Position { ahead, minutes });
        }
        self.next_cue += 1;
        self.announcer.speaking = Some((self.next_cue, words.into()));
    }

    /// A seat has answered whose number the caller is told first. Meanwhile it hears the caller.
    pub(super) fn say_seat_number(&mut self, queue: &str, seat: &str) {
        let Some(waiting) = self.policy.callers.waiting.get(queue).filter(|waiting| waiting.seat_number) else { return };
        let Some(number) = self.policy.callers.seat_numbers.get(seat) else { return };
        let words = spoken::seat_number(waiting, number);
        self.next_cue += 1;
        let cue = self.next_cue;
        if let Some(talk) = self.talk() {
            talk.notice = Some(super::talk::Notice { leg: CALLER, words, cue });
        }
    }
}
