//! The intent of a seat: signed out, ready, on a break or in wrap-up. It is one of two axes. The other, the state of the phone,
//! follows from bindings and live legs and is set by nobody, so that a phone that is gone never looks like a seat that is ready.
//!
//! **A wish during a call.** What is wished while a call rings or talks follows the call and its wrap-up: an offer is never
//! taken back for it, and the wrap-up is not lost.
//!
//! **One timer for each seat**, for the end of its wrap-up or pause or for a break that lasts too long. A seat that serves
//! several queues has one wrap-up.

use super::refusal::Refusal;
use crate::base::{CallId, Mono};
use crate::event::Intent;
use crate::event::seat::{Author, BreakKind, Device, LogoutWhy, MissCause, Misses, SeatWhat, Skills};
use std::sync::Arc;
use std::time::Duration;

/// A seat whose toolbar is gone while it talks is looked at again so soon.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// When a seat is signed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignIn {
    /// It is ready unless somebody wishes otherwise: a phone without a toolbar, an exchange.
    #[default]
    Always,
    /// By a verb.
    Asked,
    /// By a verb, and by its phone's registration for as long as that lasts.
    Registration,
}

/// The rules of a seat's shift.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    pub sign_in: SignIn,
    /// After a call that came by no queue.
    pub wrap_up: Duration,
    /// No wrap-up lasts longer, however often it is extended.
    pub wrap_up_most: Duration,
    /// Calls in vain of one cause before it is paused, while it talks to nobody; 0: it never is.
    pub misses: u32,
    /// The length of that pause.
    pub pause: Duration,
    /// A toolbar that is not heard for so long is gone, and its seat is signed out; zero: never.
    pub heartbeat: Duration,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            sign_in: SignIn::Always,
            wrap_up: Duration::ZERO,
            wrap_up_most: Duration::from_secs(3600),
            misses: 0,
            pause: Duration::from_secs(300),
            heartbeat: Duration::ZERO,
        }
    }
}

/// A change that somebody wishes.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    Login {
        /// Another who is signed in there is signed out.
        force: bool,
        device: Device,
        /// None: those of the configuration.
        skills: Option<Skills>,
        /// On a break for this reason; none: ready at once.
        busy: Option<Arc<str>>,
    },
    Logout,
    Ready,
    Busy(Arc<str>),
    /// A break of so many seconds.
    Rest(u64, Arc<str>),
    EndBreak,
    WrapUp,
    LeaveWrapUp,
    /// By how many seconds.
    ExtendWrapUp(u64),
    AutoAnswer(bool),
    Skills(Skills),
}

/// One seat's intent and what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shift {
    pub intent: Intent,
    pub by: Author,
    pub since: Mono,
    /// How long it had lasted by then, in a process before this one: perhaps since before this machine started.
    pub earlier: Duration,
    /// When it ends by itself or, for a break, should have ended.
    pub until: Option<Mono>,
    pub overdue: bool,
    /// The intent that follows the call.
    pub next: Option<(Intent, Author)>,
    pub device: Device,
    /// None: those of the configuration.
    pub skills: Option<Skills>,
    pub auto_answer: bool,
    /// Calls in vain since it last talked, by their causes.
    pub missed: Misses,
    /// The one who has signed in, by a toolbar or a code.
    pub holder: Option<Author>,
    /// When that toolbar was heard last. Of a seat that is signed in by its phone: when the process before this one died with the
    /// phone's connection.
    pub heard: Option<Mono>,
}

impl Default for Shift {
    fn default() -> Shift {
        Shift::new(Intent::Ready)
    }
}

/// The moment, whether a call uses the seat, and the rules: what every change is judged by.
pub(super) struct At<'a> {
    pub now: Mono,
    pub in_use: bool,
    /// There is a place where it can be reached.
    pub there: bool,
    pub rules: &'a Rules,
}

impl Shift {
    pub(super) fn new(intent: Intent) -> Shift {
        Shift {
            intent,
            by: Author::gateway(),
            since: Mono(0),
            earlier: Duration::ZERO,
            until: None,
            overdue: false,
            next: None,
            device: Device::Sip,
            skills: None,
            auto_answer: false,
            missed: Misses::new(),
            holder: None,
            heard: None,
        }
    }

    /// How long the intent has held.
    pub fn lasts(&self, now: Mono) -> Duration {
        now.since(self.since).saturating_add(self.earlier)
    }

    /// It takes calls of queues.
    pub fn is_ready(&self) -> bool {
        self.intent == Intent::Ready
    }

    fn has_toolbar(&self) -> bool {
        self.holder.as_ref().is_some_and(Author::is_toolbar)
    }

    /// The same, and it has not said that it will do something else after the calls that it has: one with many channels would never
    /// come to that if it went on taking calls.
    pub fn takes_calls(&self) -> bool {
        self.is_ready() && self.next.is_none()
    }

    /// It is signed out, or will be when its calls are over, and serves nobody any more.
    pub fn is_leaving(&self) -> bool {
        self.intent == Intent::LoggedOut || matches!(self.next, Some((Intent::LoggedOut, _)))
    }

    /// It is signed in and takes no calls of queues now.
    pub fn is_away(&self) -> bool {
        matches!(self.intent, Intent::Break { .. } | Intent::WrapUp { .. })
    }

    /// When something happens by itself.
    pub(super) fn deadline(&self, rules: &Rules) -> Option<Mono> {
        let ends = self.until.filter(|_| !self.overdue);
        let lost = self.heard.filter(|_| !rules.heartbeat.is_zero()).map(|heard| heard.after(rules.heartbeat));
        [ends, lost].into_iter().flatten().min()
    }

    /// Carries out a wish, or says why not; then nothing has changed. Lines for the log are added to `log`; a wish that is
    /// fulfilled already adds none.
    pub(super) fn wish(&mut self, at: &At<'_>, wish: Wish, by: Author, log: &mut Vec<SeatWhat>) -> Result<(), Refusal> {
        if let Wish::Login { force, device, skills, busy } = wish {
            return self.log_in(at, (force, device, skills, busy), by, log);
        }
        if self.intent == Intent::LoggedOut && at.rules.sign_in != SignIn::Always {
            return if wish == Wish::Logout { Ok(()) } else { Err(Refusal::SignedOut) };
        }
        match wish {
            Wish::Logout => self.go(at, Intent::LoggedOut, by, log),
            Wish::Ready => self.go(at, Intent::Ready, by, log),
            Wish::Busy(reason) => self.go(at, Intent::Break { kind: BreakKind::Busy, reason, seconds: None }, by, log),
            Wish::Rest(seconds, reason) => {
                self.go(at, Intent::Break { kind: BreakKind::Rest, reason, seconds: Some(seconds) }, by, log);
            }
            Wish::EndBreak if self.on_break() => self.go(at, Intent::Ready, by, log),
            Wish::EndBreak => return Err(Refusal::NotOnBreak),
            Wish::WrapUp if matches!(self.intent, Intent::WrapUp { .. }) => {}
            Wish::WrapUp => {
                let seconds = at.rules.wrap_up.min(at.rules.wrap_up_most).as_secs().max(1);
                self.go(at, Intent::WrapUp { call: None, seconds }, by, log);
            }
            Wish::LeaveWrapUp => match self.intent {
                Intent::WrapUp { .. } => self.wrapped_up(at, by, log),
                _ => return Err(Refusal::NotInWrapUp),
            },
            Wish::ExtendWrapUp(more) => return self.extend(at, more, by, log),
            Wish::AutoAnswer(on) if self.auto_answer == on => {}
            Wish::AutoAnswer(on) => {
                self.auto_answer = on;
                log.push(SeatWhat::AutoAnswer { on, by });
            }
            Wish::Skills(skills) if self.skills.as_ref() == Some(&skills) => {}
            Wish::Skills(skills) => {
                self.skills = Some(skills.clone());
                log.push(SeatWhat::Skills { skills, by });
            }
            Wish::Login { .. } => {}
        }
        Ok(())
    }

    fn log_in(
        &mut self,
        at: &At<'_>,
        (force, device, skills, busy): (bool, Device, Option<Skills>, Option<Arc<str>>),
        by: Author,
        log: &mut Vec<SeatWhat>,
    ) -> Result<(), Refusal> {
        let another = self.holder.as_ref().is_some_and(|holder| *holder != by);
        // A phone that dials a code says nothing more by itself.
        let heard = by.is_toolbar().then_some(at.now);
        if self.holder.is_some() && !another {
            self.heard = heard;
            return Ok(());
        }
        if another && !force {
            return Err(Refusal::Taken);
        }
        (self.heard, self.device, self.skills, self.next) = (heard, device, skills, None);
        (self.holder, self.auto_answer) = (Some(by.clone()), false);
        self.missed.clear();
        log.push(SeatWhat::LoggedIn { by: by.clone(), device, kicked: another });
        let intent = match busy {
            Some(reason) => Intent::Break { kind: BreakKind::Busy, reason, seconds: None },
            None => Intent::Ready,
        };
        self.set(at.now, intent, by, log);
        Ok(())
    }

    fn on_break(&self) -> bool {
        matches!(self.intent, Intent::Break { .. }) || matches!(self.next, Some((Intent::Break { .. }, _)))
    }

    /// At once, or after the call.
    fn go(&mut self, at: &At<'_>, intent: Intent, by: Author, log: &mut Vec<SeatWhat>) {
        if !at.in_use || self.intent == Intent::LoggedOut {
            self.next = None;
            return self.set(at.now, intent, by, log);
        }
        let planned = if intent == self.intent { None } else { Some((intent, by)) };
        if planned.as_ref().map(|(intent, _)| intent) != self.next.as_ref().map(|(intent, _)| intent) {
            let (intent, by) = planned.clone().unwrap_or_else(|| (self.intent.clone(), self.by.clone()));
            log.push(SeatWhat::Planned { intent, by });
            self.next = planned;
        }
    }

    /// The intent holds from now on. One that holds already is left as it is, so that a double click changes nothing.
    fn set(&mut self, now: Mono, intent: Intent, by: Author, log: &mut Vec<SeatWhat>) {
        if self.intent == intent {
            return;
        }
        let seconds = match &intent {
            Intent::Break { seconds, .. } => *seconds,
            Intent::WrapUp { seconds, .. } => Some(*seconds),
            Intent::LoggedOut | Intent::Ready => None,
        };
        if intent == Intent::LoggedOut {
            (self.heard, self.holder, self.next) = (None, None, None);
        }
        log.push(match intent.clone() {
            Intent::LoggedOut => SeatWhat::LoggedOut { by: by.clone(), why: LogoutWhy::Asked },
            Intent::Ready => SeatWhat::Ready { by: by.clone() },
            Intent::Break { kind, reason, seconds } => SeatWhat::Break { kind, reason, seconds, by: by.clone() },
            Intent::WrapUp { call, seconds } => SeatWhat::WrapUp { call, seconds, by: by.clone() },
        });
        self.until = seconds.map(|seconds| now.after(Duration::from_secs(seconds)));
        if matches!(self.intent, Intent::Break { kind: BreakKind::Missed, .. }) {
            self.missed.clear();
        }
        (self.intent, self.by, self.since, self.earlier, self.overdue) = (intent, by, now, Duration::ZERO, false);
    }

    fn extend(&mut self, at: &At<'_>, more: u64, by: Author, log: &mut Vec<SeatWhat>) -> Result<(), Refusal> {
        let (Intent::WrapUp { .. }, Some(until)) = (&self.intent, self.until) else { return Err(Refusal::NotInWrapUp) };
        let until = until.after(Duration::from_secs(more));
        if until.since(at.now) + self.lasts(at.now) > at.rules.wrap_up_most {
            return Err(Refusal::TooLong);
        }
        self.until = Some(until);
        log.push(SeatWhat::WrapUpExtended { seconds: until.since(at.now).as_secs(), by });
        Ok(())
    }

    /// Wrap-up is over: what was wished meanwhile, else ready. What is wished in a call that the seat has placed since follows
    /// that call and its own wrap-up.
    fn wrapped_up(&mut self, at: &At<'_>, by: Author, log: &mut Vec<SeatWhat>) {
        let wished = if at.in_use { None } else { self.next.take() };
        let (intent, by) = wished.unwrap_or((Intent::Ready, by));
        self.set(at.now, intent, by, log);
    }

    /// A process begins, or a configuration. `before`: the way in which the seat signed in until now; none for a seat that is new.
    pub(super) fn begin(&mut self, at: &At<'_>, before: Option<SignIn>, log: &mut Vec<SeatWhat>) {
        if before.is_none() {
            self.since = at.now;
            // The first line of a seat that never signs in: figures count from here.
            log.extend(self.is_ready().then(|| SeatWhat::Ready { by: self.by.clone() }));
        }
        match at.rules.sign_in {
            SignIn::Always if self.intent == Intent::LoggedOut => {
                *self = Shift { since: at.now, ..Shift::new(Intent::LoggedOut) };
                self.set(at.now, Intent::Ready, Author::gateway(), log);
            }
            SignIn::Registration if at.there && before != Some(SignIn::Registration) => {
                self.registered(at, true, self.by.clone(), log);
            }
            // Its phone has as long as a toolbar to be there again.
            SignIn::Registration if !at.there && self.heard.is_none() && self.intent != Intent::LoggedOut => {
                match at.rules.heartbeat.is_zero() {
                    true => self.sign_out(at, LogoutWhy::Unregistered, log),
                    false => self.heard = Some(at.now),
                }
            }
            _ => {}
        }
        // No call of the process before this one is left: what was wished for after them holds now.
        if !at.in_use
            && !matches!(self.intent, Intent::WrapUp { .. })
            && let Some((intent, by)) = self.next.take()
        {
            self.set(at.now, intent, by, log);
        }
    }

    /// No call uses the seat any more. `wrap_up`: it has talked in the last one, and how long it may write about it.
    pub(super) fn free(&mut self, at: &At<'_>, call: CallId, wrap_up: Option<Duration>, log: &mut Vec<SeatWhat>) {
        let wished = self.next.take_if(|(intent, _)| matches!(intent, Intent::WrapUp { .. })).is_some();
        let wished = if wished { at.rules.wrap_up.max(Duration::from_secs(1)) } else { Duration::ZERO };
        let seconds = wrap_up.unwrap_or_default().max(wished).min(at.rules.wrap_up_most).as_secs();
        // A seat that called somebody back while it wrote up writes up that call, too.
        if matches!(self.intent, Intent::Ready | Intent::WrapUp { .. }) && seconds > 0 {
            let by = Author::gateway();
            return self.set(at.now, Intent::WrapUp { call: Some(call), seconds }, by, log);
        }
        if let Some((intent, by)) = self.next.take() {
            self.set(at.now, intent, by, log);
        }
    }

    /// It was called in vain. One too many of a cause pauses it, for a time and visibly; all begin anew when that is over.
    pub(super) fn missed(&mut self, at: &At<'_>, cause: MissCause, log: &mut Vec<SeatWhat>) {
        let count = self.missed.entry(cause).or_default();
        *count = count.saturating_add(1);
        if cause.pauses() && at.rules.misses > 0 && *count >= at.rules.misses && self.intent == Intent::Ready {
            let seconds = Some(at.rules.pause.as_secs().max(1));
            let intent = Intent::Break { kind: BreakKind::Missed, reason: "missed".into(), seconds };
            self.set(at.now, intent, Author::gateway(), log);
        }
    }

    /// It has talked to somebody: what it missed before is over. True where there was something.
    pub(super) fn talked(&mut self) -> bool {
        !std::mem::take(&mut self.missed).is_empty()
    }

    /// The time has come for what happens by itself.
    pub(super) fn tick(&mut self, at: &At<'_>, log: &mut Vec<SeatWhat>) {
        if self.until.is_some_and(|until| until <= at.now) && !self.overdue {
            match self.intent.clone() {
                Intent::WrapUp { .. } => self.wrapped_up(at, Author::gateway(), log),
                Intent::Break { kind: BreakKind::Missed, .. } => self.set(at.now, Intent::Ready, Author::gateway(), log),
                Intent::Break { reason, .. } => {
                    self.overdue = true;
                    log.push(SeatWhat::BreakOverdue { reason });
                }
                Intent::LoggedOut | Intent::Ready => self.until = None,
            }
        }
        let lost = self.heard.is_some_and(|heard| heard.after(at.rules.heartbeat) <= at.now);
        if lost && !at.rules.heartbeat.is_zero() {
            match at.in_use {
                // After its call: then it is looked at again.
                true => self.heard = Some(at.now.after(LOOK_AGAIN).before(at.rules.heartbeat)),
                false if self.has_toolbar() => self.sign_out(at, LogoutWhy::Heartbeat, log),
                false => self.sign_out(at, LogoutWhy::Unregistered, log),
            }
        }
    }

    /// Its phone is there, or not any more. A registration that is only renewed is no news: it signs nobody in who has signed out.
    pub(super) fn registered(&mut self, at: &At<'_>, is: bool, by: Author, log: &mut Vec<SeatWhat>) {
        if is && !self.has_toolbar() {
            self.heard = None;
        }
        match (at.rules.sign_in, is) {
            (SignIn::Registration, true) if self.intent == Intent::LoggedOut => {
                log.push(SeatWhat::LoggedIn { by: by.clone(), device: Device::Sip, kicked: false });
                self.set(at.now, Intent::Ready, by, log);
            }
            (SignIn::Registration, false) if self.heard.is_none() => self.sign_out(at, LogoutWhy::Unregistered, log),
            _ => {}
        }
    }

    /// Nobody is there any more. A call that it is in goes on by its legs.
    fn sign_out(&mut self, at: &At<'_>, why: LogoutWhy, log: &mut Vec<SeatWhat>) {
        (self.heard, self.holder, self.next) = (None, None, None);
        if self.intent != Intent::LoggedOut && at.rules.sign_in != SignIn::Always {
            let by = Author::gateway();
            log.push(SeatWhat::LoggedOut { by: by.clone(), why });
            (self.intent, self.by, self.since, self.until, self.overdue) = (Intent::LoggedOut, by, at.now, None, false);
            self.earlier = Duration::ZERO;
        }
    }
}
