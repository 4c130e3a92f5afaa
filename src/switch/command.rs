//! Commands about live calls: from the API, from a seat's keys, from REFER. What they may reach is the dial plan's word.

use super::{Active, Output, Seat, Switch, Work, identity};
use crate::base::{CallId, LegId, Masked, Mono, Now};
use crate::call::{Ask, Dialled, Goal, Mode, Part, Refusal};
use crate::control::{CallView, Command, MOST_CALLS, Reply, Why};
use crate::dialog::{self, Refer, Replaced};
use crate::plan::{Decision, Facts, Step};
use crate::sip::Status;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a caller who was sent somewhere and came back is not sent there again.
const LOOP_WINDOW: Duration = Duration::from_secs(600);
const MOST_RECENT: usize = 10_000;
const SEAT_RING: Duration = Duration::from_secs(20);

/// Who was sent where of late: carriers strip the headers that would tell (RFC 7332's Max-Forwards, History-Info), so
/// platforms that send callers to each other would do it for ever.
#[derive(Debug, Default)]
pub(super) struct Recent {
    sent: BTreeMap<(String, String), (CallId, Mono)>,
}

impl Recent {
    /// Whether another call of this caller was sent to this target within the window.
    fn was_sent(&self, caller: &str, target: &str, by: CallId, now: Mono) -> bool {
        let known = self.sent.get(&(caller.to_owned(), target.to_owned()));
        known.is_some_and(|(call, at)| *call != by && now.since(*at) < LOOP_WINDOW)
    }

    fn note(&mut self, caller: &str, target: &str, call: CallId, now: Mono) {
        if self.sent.len() >= MOST_RECENT {
            self.sent.retain(|_, (_, at)| now.since(*at) < LOOP_WINDOW);
        }
        if self.sent.len() < MOST_RECENT {
            self.sent.insert((caller.to_owned(), target.to_owned()), (call, now));
        }
    }
}

impl Switch {
    pub(super) fn commanded(&mut self, now: Now, id: u64, command: Command, out: &mut Vec<Output>) {
        let reply = match command {
            Command::Calls => self.list(),
            Command::Call(call) => match self.calls.get(&call) {
                Some(active) => Reply::Call(Box::new(view(call, active))),
                None => Reply::Refused(Why::NoSuchCall),
            },
            Command::Transfer { call, to, mode } => done(self.transfer(now, call, None, &to, mode)),
            Command::Complete(call) => done(self.ask(now, call, None, Ask::Complete)),
            Command::Cancel(call) => done(self.ask(now, call, None, Ask::Cancel)),
            Command::Swap(call) => done(self.ask(now, call, None, Ask::Swap)),
            Command::Merge(call) => done(self.ask(now, call, None, Ask::Merge)),
            Command::Drop { call, leg } => {
                let asked = self.ask(now, call, None, Ask::Drop(Part(leg)));
                done(asked.map_err(|why| if why == Why::Call(Refusal::NotAllowed) { Why::NoSuchLeg } else { why }))
            }
        };
        out.push(Output::Reply { id, reply });
    }

    fn list(&self) -> Reply {
        let calls = self.calls.iter().take(MOST_CALLS).map(|(id, active)| view(*id, active)).collect();
        Reply::Calls { calls, total: self.calls.len() }
    }

    /// Moves a caller to a number of the dial plan, or to a seat as `seat:NAME`.
    pub(super) fn transfer(&mut self, now: Now, id: CallId, by: Option<Part>, to: &str, mode: Mode) -> Result<(), Why> {
        let (goal, mode) = self.may_go(now, id, to, mode)?;
        self.ask(now, id, by, Ask::Transfer { mode, goal })?;
        self.went(now, id, to, mode);
        Ok(())
    }

    /// Whom a number means for this call's caller, in which way, and whether it may be sent there at all.
    pub(super) fn may_go(&self, now: Now, id: CallId, to: &str, mode: Mode) -> Result<(Goal, Mode), Why> {
        let active = self.calls.get(&id).ok_or(Why::NoSuchCall)?;
        let (goal, urgent) = self.goal(now, active, to)?;
        if urgent {
            return Ok((goal, Mode::Emergency));
        }
        if mode == Mode::Emergency {
            return Err(Why::UnknownTarget);
        }
        let caller = active.identity.caller.as_deref();
        if caller.is_some_and(|caller| self.recent.was_sent(caller, to, id, now.mono)) {
            return Err(Why::Loop);
        }
        Ok((goal, mode))
    }

    /// The caller was sent there: not soon again, unless it is an emergency.
    pub(super) fn went(&mut self, now: Now, id: CallId, to: &str, mode: Mode) {
        let caller = self.calls.get(&id).and_then(|active| active.identity.caller.clone());
        if let Some(caller) = caller.filter(|_| mode != Mode::Emergency) {
            self.recent.note(&caller, to, id, now.mono);
        }
    }

    pub(super) fn ask(&mut self, now: Now, id: CallId, by: Option<Part>, ask: Ask) -> Result<(), Why> {
        let active = self.calls.get_mut(&id).ok_or(Why::NoSuchCall)?;
        let mut effects = Vec::new();
        let answer = active.call.ask(now, by, ask, &mut effects);
        self.timers.update(id, active.call.deadline());
        self.work.extend(effects.into_iter().map(|effect| Work::Effect(id, effect)));
        Ok(answer?)
    }

    /// Whom a number means for this caller today, and whether it is an emergency line.
    fn goal(&self, now: Now, active: &Active, to: &str) -> Result<(Goal, bool), Why> {
        let seats = &active.setup.seats;
        if let Some(name) = to.strip_prefix("seat:") {
            return to_seat(active, seats.iter().find(|s| *s.name == *name));
        }
        let decision = self.decide_transfer(now, active, to);
        if decision.mode == crate::plan::Mode::Unknown {
            // Phones know their colleagues by the user of their address.
            return to_seat(active, seats.iter().find(|s| s.aor.user.as_deref() == Some(to)));
        }
        let urgent = decision.mode == crate::plan::Mode::Emergency;
        let goal = decision.steps.iter().find_map(|step| match step {
            Step::Ring { targets, timeout, .. } => Some(Goal::targets(&decision.number, targets, *timeout)),
            Step::Queue { queue, high } => Some(Goal::Queue { line: queue.clone(), high: *high }),
            _ => None,
        });
        if active.call.has_party(&decision.number) {
            return Err(Why::SameParty);
        }
        Ok((goal.ok_or(Why::UnknownTarget)?, urgent))
    }

    /// The caller's own city decides which 110 it is: its area goes in as if its trunk had it.
    fn decide_transfer(&self, now: Now, active: &Active, to: &str) -> Decision {
        let identity = &active.identity;
        let (caller, trunk) = (identity.caller.as_deref(), &*identity.trunk);
        let facts = Facts { dialled: to, caller, trunk, trunk_area: identity.area.as_deref(), at: now.wall };
        active.setup.plan.decide(&facts)
    }
}

impl Switch {
    /// A seat's phone asks by REFER to be rid of its caller: a blind transfer, or with Replaces the end of a consultation
    /// over two lines (RFC 5589 §7). How it comes out it is told by NOTIFY.
    pub(super) fn referred(&mut self, now: Now, leg: LegId, refer: &Refer, out: &mut Vec<Output>) {
        let refused = |status| dialog::Command::RefuseRefer { leg, id: refer.id, status: Status(status) };
        let answer = match self.parts.get(&leg).copied() {
            None => refused(481),
            Some((id, part)) => match self.refer(now, id, part, refer) {
                Ok(()) => {
                    if let Some(active) = self.calls.get_mut(&id) {
                        active.referred = Some((leg, refer.id));
                    }
                    dialog::Command::AcceptRefer { leg, id: refer.id }
                }
                Err(why) => refused(status_of(why)),
            },
        };
        self.legs_do(out, |legs, done| legs.command(now, answer, done));
    }

    fn refer(&mut self, now: Now, id: CallId, part: Part, refer: &Refer) -> Result<(), Why> {
        match refer.replaces {
            None => self.transfer(now, id, Some(part), &identity::dialled(&refer.to), Mode::Blind),
            Some(Replaced::Leg(other)) => self.refer_to_line(now, id, part, other),
            Some(Replaced::Unknown) => Err(Why::NoSuchLeg),
        }
    }

    /// The move that a REFER began has come out: 200, or 503 where the caller comes back.
    pub(super) fn tell_referrer(&mut self, now: Now, id: CallId, result: &str, out: &mut Vec<Output>) {
        let Some((leg, refer)) = self.calls.get_mut(&id).and_then(|active| active.referred.take()) else { return };
        let status = Status(if matches!(result, "completed" | "joined") { 200 } else { 503 });
        let notify = dialog::Command::Notify { leg, id: refer, status };
        self.legs_do(out, |legs, done| legs.command(now, notify, done));
    }
}

/// What a phone is told that asked in vain, by REFER or by an INVITE of its own.
pub(super) fn status_of(why: Why) -> u16 {
    match why {
        Why::UnknownTarget => 404,
        Why::NoSuchCall | Why::NoSuchLeg => 481,
        Why::SameParty => 486,
        Why::Loop => 482,
        Why::Call(Refusal::Busy) => 491,
        Why::Call(_) => 603,
    }
}

fn to_seat(active: &Active, seat: Option<&Seat>) -> Result<(Goal, bool), Why> {
    let name = &seat.ok_or(Why::UnknownTarget)?.name;
    if active.call.has_party(name) {
        return Err(Why::SameParty);
    }
    let chain = vec![Dialled::Seat { name: name.clone() }];
    Ok((Goal::Ring { to: format!("seat:{name}"), chain, timeout: SEAT_RING }, false))
}

fn done(result: Result<(), Why>) -> Reply {
    match result {
        Ok(()) => Reply::Done,
        Err(why) => Reply::Refused(why),
    }
}

fn view(id: CallId, active: &Active) -> CallView {
    let identity = &active.identity;
    CallView {
        id,
        line: identity.line.to_string(),
        number: identity.number.clone(),
        caller: identity.caller.as_deref().map(|caller| Masked(caller).to_string()),
        state: active.call.state(),
        legs: active.call.legs(),
    }
}
