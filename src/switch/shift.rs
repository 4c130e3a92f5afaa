//! The verbs of seats, whoever gives them: the API, keys of the phone, its registration. All end in [`Switch::seat_verb`].

use super::admit::Placer;
use super::command::status_of;
use super::{Output, Switch, Work, identity};
use crate::base::Now;
use crate::control::seat::NOTICE;
use crate::control::{PAGE, QueueView, Reply, SeatRefusal, SeatVerb, SeatView, ShiftCode, Why};
use crate::dialog::{Cause, Command, Incoming, LocalMedia};
use crate::event::seat::{Author, Device, PreviewEnd, SeatWhat};
use crate::event::{Fact, FactKind, Keep};
use crate::plan::{Facts, Mode};
use crate::queue::Crew;
use crate::seat::{Seats, Wish};
use crate::sip::Codec;
use std::net::SocketAddr;
use std::sync::Arc;

/// The reason of a break that a phone asked for.
const BY_PHONE: &str = "phone";
/// Nothing is heard there (RFC 863), and the call is over before anything is said.
const DISCARD: u16 = 9;

impl Switch {
    /// Carries out a verb, or says why not; then nothing has changed.
    pub(super) fn seat_verb(
        &mut self,
        now: Now,
        seat: &Arc<str>,
        by: Author,
        verb: SeatVerb,
        out: &mut Vec<Output>,
    ) -> Result<(), Why> {
        let seat = self.seat_name(seat).ok_or(SeatRefusal::UnknownSeat)?;
        self.queues.seats_mut().heard_from(now.mono, &seat, &by);
        if let SeatVerb::SetSkills { skills } | SeatVerb::Login { skills: Some(skills), .. } = &verb
            && !skills.keys().all(|skill| self.knows_skill(now, skill))
        {
            return Err(SeatRefusal::UnknownSkill.into());
        }
        let wish = match verb {
            SeatVerb::Login { force, device, skills, busy } => Wish::Login { force, device, skills, busy },
            SeatVerb::Logout => Wish::Logout,
            SeatVerb::Ready => Wish::Ready,
            SeatVerb::NotReady { reason } => Wish::Busy(reason),
            SeatVerb::Break { minutes, reason } => Wish::Rest(u64::from(minutes) * 60, reason),
            SeatVerb::EndBreak => Wish::EndBreak,
            SeatVerb::WrapUpEnter => Wish::WrapUp,
            SeatVerb::WrapUpLeave => Wish::LeaveWrapUp,
            SeatVerb::WrapUpExtend { seconds } => Wish::ExtendWrapUp(u64::from(seconds)),
            SeatVerb::AutoAnswer { on } => Wish::AutoAnswer(on),
            SeatVerb::SetSkills { skills } => Wish::Skills(skills),
            SeatVerb::Notice { text } => return self.notice(&seat, text, by),
            verb => return self.seat_call(now, &seat, &by, verb, out),
        };
        self.queues.wish(now, &seat, wish, by, &mut self.queues_done)?;
        self.work.extend(self.queues_done.drain(..).map(Work::Queue));
        Ok(())
    }

    /// A feature code that the phone of a seat typed or dialled.
    pub(super) fn shift_code(&mut self, now: Now, seat: &Arc<str>, code: ShiftCode, out: &mut Vec<Output>) -> Result<(), Why> {
        let verb = match code {
            ShiftCode::SignIn => SeatVerb::Login { force: false, device: Device::Sip, skills: None, busy: None },
            ShiftCode::SignOut => SeatVerb::Logout,
            ShiftCode::Ready => SeatVerb::Ready,
            ShiftCode::Busy => SeatVerb::NotReady { reason: BY_PHONE.into() },
            ShiftCode::Rest => {
                let minutes = u32::try_from(self.setup.rest.as_secs().div_ceil(60)).unwrap_or(u32::MAX);
                SeatVerb::Break { minutes, reason: BY_PHONE.into() }
            }
            ShiftCode::WrappedUp => SeatVerb::WrapUpLeave,
        };
        self.seat_verb(now, seat, Author::phone(seat), verb, out)
    }

    /// A seat has dialled a feature code by itself: it is answered and hung up when that is done, and refused with the reason
    /// when it is not. Nobody but a seat's own phone has codes, and no call is made of it.
    pub(super) fn dials_code(&mut self, now: Now, incoming: &Incoming, placer: &Placer, out: &mut Vec<Output>) -> bool {
        let Placer::Seat(seat) = *placer else { return false };
        let Some(code) = self.setup.codes.shift_code(&identity::number_in(&incoming.uri)) else { return false };
        if !self.is_own_line(seat, incoming.flow) {
            return false;
        }
        if let Some(why) = self.too_many_codes(now, placer) {
            self.shed(now, incoming, Some(placer), why.in_log(), out);
            return true;
        }
        let (leg, seat) = (incoming.leg, self.setup.seats[seat].name.clone());
        let done = self.shift_code(now, &seat, code, out);
        self.leg_command(now, Command::Release { leg }, out);
        let status = match done {
            Ok(()) => {
                let address = self.fixed.media.addresses.iter().find(|address| address.is_ipv6() == incoming.ipv6);
                let rtp = SocketAddr::new(*address.unwrap_or(&incoming.flow.local.ip()), DISCARD);
                let srtp = self.keys_for(placer, incoming, false);
                let local = LocalMedia { rtp, codecs: vec![Codec::Pcma, Codec::Pcmu], srtp };
                self.leg_command(now, Command::Attach { leg, local }, out);
                self.leg_command(now, Command::Answer { leg }, out);
                200
            }
            Err(why) => {
                tracing::warn!(seat = %seat, "feature code: {}", why.words().0);
                status_of(why)
            }
        };
        let cause = Cause { status, q850: Some(if status == 200 { 16 } else { 21 }), ..Cause::default() };
        self.leg_command(now, Command::Hangup { leg, cause }, out);
        true
    }

    fn notice(&mut self, seat: &Arc<str>, text: Arc<str>, by: Author) -> Result<(), Why> {
        if text.chars().count() > NOTICE {
            return Err(SeatRefusal::TooLong.into());
        }
        self.queues.seats_mut().note(seat, SeatWhat::Notice { text, by });
        Ok(())
    }

    /// Tells whether it is a hotline's number, as the plan has it, or a queue or a seat of the configuration names it.
    fn knows_skill(&self, now: Now, skill: &Arc<str>) -> bool {
        let facts = Facts { dialled: skill, caller: None, trunk: "", trunk_area: None, diverted_from: None, at: now.wall };
        let decision = self.setup.plan.decide(&facts);
        decision.mode != Mode::Unknown && *decision.number == **skill
            || self.setup.queues.iter().any(|queue| queue.skill.as_ref() == Some(skill))
            || self.setup.seats.iter().any(|seat| seat.skills.contains_key(skill))
    }

    pub(super) fn seat_name(&self, seat: &str) -> Option<Arc<str>> {
        self.known_seat(seat).map(|known| known.name.clone())
    }

    /// Writes what the seats have to say, and how those stand whose intent has changed.
    pub(super) fn write_seats(&mut self, now: Now, out: &mut Vec<Output>) {
        // The end of a shift ends what the seat was shown, which is news again.
        while self.queues.seats().has_news() {
            for (seat, what) in self.queues.seats_mut().take_news() {
                self.write_seat(now, &seat, what, out);
            }
            for seat in self.queues.seats_mut().take_unkept() {
                self.keep_seat(now, &seat, out);
            }
        }
    }

    fn write_seat(&mut self, now: Now, seat: &Arc<str>, what: SeatWhat, out: &mut Vec<Output>) {
        let what = self.with_cause(seat, what);
        if what.passes() {
            return self.tell_seat(now, seat, what, out);
        }
        if matches!(what, SeatWhat::LoggedOut { .. }) {
            self.end_preview(now, seat, PreviewEnd::Declined, None, out);
        }
        let stands = changes_intent(&what);
        self.log_seat(now, seat, what, out);
        if stands {
            self.keep_seat(now, seat, out);
        }
    }

    /// Nothing is kept of a seat that is known no more.
    fn keep_seat(&mut self, now: Now, seat: &Arc<str>, out: &mut Vec<Output>) {
        let keep = match self.queues.seats().fact(now, seat) {
            Some(fact) => Keep::Set(Box::new(Fact::Seat(fact))),
            None => Keep::Forget { kind: FactKind::Seat, key: seat.to_string() },
        };
        self.keep(keep, out);
    }

    pub(super) fn seats_after(&self, now: Now, after: Option<&Arc<str>>) -> Reply {
        Reply::Seats(self.access.seats_after(after).filter_map(|seat| self.seat_view(now, seat)).take(PAGE).collect())
    }

    pub(super) fn one_seat(&self, now: Now, seat: &str) -> Reply {
        self.seat_view(now, seat).map_or(Reply::Refused(SeatRefusal::UnknownSeat.into()), |view| Reply::Seat(Box::new(view)))
    }

    fn seat_view(&self, now: Now, name: &str) -> Option<SeatView> {
        let known = self.known_seat(name)?;
        let seats: &Seats = self.queues.seats();
        let state = seats.get(name)?;
        let shift = &state.shift;
        Some(SeatView {
            seat: known.name.clone(),
            label: known.label.clone(),
            intent: shift.intent.clone(),
            since: shift.lasts(now.mono),
            left: shift.until.map(|until| until.since(now.mono)),
            overdue: shift.overdue,
            next: shift.next.as_ref().map(|(intent, _)| intent.clone()),
            by: shift.by.clone(),
            device: state.device(),
            phone: shift.device,
            skills: state.skills.clone(),
            auto_answer: shift.auto_answer,
            missed: shift.missed.clone(),
            queues: self.queues.queues_of(name).cloned().collect(),
            calls: seats.calls(name).to_vec(),
            preview: self.previews.of(now.mono, name),
            n: self.seat_n,
        })
    }

    pub(super) fn all_queues(&self, now: Now) -> Reply {
        let view = |queue: &crate::queue::Queue| {
            let (waiting, longest, Crew { seats, ready, free, talking, on_break }) = self.queues.figures(now, &queue.name);
            let (queue, strategy) = (queue.name.clone(), queue.strategy);
            QueueView { queue, strategy, waiting, longest, seats, ready, free, talking, on_break }
        };
        Reply::Queues(self.setup.queues.iter().map(view).collect())
    }
}

/// The seat's fact is another after it.
fn changes_intent(what: &SeatWhat) -> bool {
    use SeatWhat::{
        AutoAnswer, Break, BreakOverdue, LoggedIn, LoggedOut, Missed, Planned, Ready, Skills, WrapUp, WrapUpExtended,
    };
    matches!(
        what,
        LoggedIn { .. }
            | LoggedOut { .. }
            | Ready { .. }
            | Break { .. }
            | BreakOverdue { .. }
            | WrapUp { .. }
            | WrapUpExtended { .. }
            | Planned { .. }
            | Skills { .. }
            | AutoAnswer { .. }
            | Missed { .. }
    )
}
