//! Commands about live calls: from the API, from a seat's keys, from REFER. The dial plan says what they may reach.

use super::identity::Identity;
use super::{Active, Fixed, Live, Output, Seat, Switch, identity};
use crate::base::{CallId, LegId, Masked, Now};
use crate::call::{Dialled, Goal, LegNo, Refusal, Request};
use crate::control::{CallView, Command, MOST_CALLS, Numbers, Reply, Why};
use crate::dialog::{self, Refer, Replaced};
use crate::event::{CallDirection, TransferKind, TransferResult};
use crate::plan::{self, Decision, Facts, Step};
use crate::sip::{Host, Scheme, Status, Uri};
use std::sync::Arc;
use std::time::Duration;

const SEAT_RING: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug)]
pub(super) struct Referred {
    leg: LegId,
    /// The REFER's number in its leg, and the move's in the call.
    refer: u32,
    seq: u32,
}

impl Switch {
    pub(super) fn commanded(&mut self, now: Now, id: u64, command: Command, out: &mut Vec<Output>) {
        let reply = match command {
            Command::Calls(numbers) => self.list(numbers),
            Command::Call(call, numbers) => self.one_call(call, numbers),
            Command::CallOf { seat, call, numbers } if self.queues.seats().uses(call, &seat) => self.one_call(call, numbers),
            Command::CallOf { .. } => Reply::Refused(Why::NoSuchCall),
            Command::Transfer { call, to, kind } => match self.transfer(now, call, None, &to, kind) {
                Err(Why::AreaUnknown) => Reply::Choose(self.areas_to_choose(now, call, &to)),
                answer => done(answer),
            },
            Command::Complete(call) => done(self.request(now, call, None, Request::Complete)),
            Command::Cancel(call) => done(self.request(now, call, None, Request::Cancel)),
            Command::Swap(call) => done(self.request(now, call, None, Request::Swap)),
            Command::Merge(call) => done(self.request(now, call, None, Request::Merge)),
            Command::Drop { call, leg } => {
                let asked = self.request(now, call, None, Request::Drop(LegNo(leg)));
                done(asked.map_err(|why| if why == Why::Call(Refusal::NotAllowed) { Why::NoSuchLeg } else { why }))
            }
            command @ (Command::Callbacks { .. }
            | Command::Callback { .. }
            | Command::Numbers { .. }
            | Command::ListNumber(_)
            | Command::UnlistNumber(_)) => {
                let reply = self.list_commanded(now, command, out);
                return self.reply_when_kept(id, reply, out);
            }
            Command::Drain => self.drain(true),
            Command::Seats { after } => self.seats_after(now, after.as_ref()),
            Command::SeatOf(seat) => self.one_seat(now, &seat),
            Command::Queues => self.all_queues(now),
            Command::Trunks => Reply::Trunks(self.all_trunks(now)),
            Command::Seat { seat, by, verb } => match self.seat_verb(now, &seat, by, *verb, out) {
                Ok(()) => return self.verb_given(now, id, &seat, out),
                Err(why) => Reply::Refused(why),
            },
            Command::Heard { seat, by } => {
                self.queues.seats_mut().heard_from(now.mono, &seat, &by);
                Reply::Done
            }
            Command::Undrain if self.ending => Reply::Refused(Why::Ending),
            Command::Undrain => self.drain(false),
        };
        out.push(Output::Reply { id, reply });
    }

    /// Every call ends now.
    pub(super) fn hang_up(&mut self, now: Now) {
        (self.draining, self.ending) = (true, true);
        for id in self.calls.keys().copied().collect::<Vec<_>>() {
            self.with_call(now, id, |call, done| call.stop(now, done));
        }
    }

    fn drain(&mut self, draining: bool) -> Reply {
        self.draining = draining;
        Reply::Left(self.calls.len())
    }

    fn list(&self, numbers: Numbers) -> Reply {
        let calls = self.calls.iter().take(MOST_CALLS).map(|(id, active)| view(*id, active, numbers)).collect();
        Reply::Calls { calls, total: self.calls.len() }
    }

    fn one_call(&self, id: CallId, numbers: Numbers) -> Reply {
        match self.calls.get(&id) {
            Some(active) => Reply::Call(Box::new(view(id, active, numbers))),
            None => Reply::Refused(Why::NoSuchCall),
        }
    }

    /// Moves a caller to a number of the dial plan, to a seat as `seat:NAME`, or to a queue as `queue:NAME`.
    pub(super) fn transfer(&mut self, now: Now, id: CallId, by: Option<LegNo>, to: &str, kind: TransferKind) -> Result<(), Why> {
        let (goal, kind) = self.may_go(now, id, to, kind)?;
        self.request(now, id, by, Request::Transfer { kind, goal })?;
        self.is_emergency(id, kind);
        Ok(())
    }

    /// Tells whom a number means for this call's caller, in which way, and refuses what may not be sent there at all.
    pub(super) fn may_go(&self, now: Now, id: CallId, to: &str, kind: TransferKind) -> Result<(Goal, TransferKind), Why> {
        let active = self.calls.get(&id).ok_or(Why::NoSuchCall)?;
        let decision = active.setup.plan.decide(&facts(now, active, to));
        let (goal, urgent) = goal(active, to, &decision)?;
        let goal = self.goal_around(now, goal);
        if urgent {
            return Ok((goal, TransferKind::Emergency));
        }
        if kind == TransferKind::Emergency {
            return Err(Why::UnknownTarget);
        }
        if self.goes_in_circles(id, active, &goal, &decision, kind) {
            return Err(Why::Loop);
        }
        Ok((goal, kind))
    }

    fn areas_to_choose(&self, now: Now, id: CallId, to: &str) -> Vec<Arc<str>> {
        let active = self.calls.get(&id);
        active.map_or(Vec::new(), |active| {
            let plan = &active.setup.plan;
            plan.areas_to_choose(&plan.decide(&facts(now, active, to)))
        })
    }

    /// It may take the channels that are kept for emergencies, once it goes to one.
    pub(super) fn is_emergency(&mut self, id: CallId, kind: TransferKind) {
        if let Some(active) = self.calls.get_mut(&id) {
            active.emergency |= kind == TransferKind::Emergency;
        }
    }

    pub(super) fn request(&mut self, now: Now, id: CallId, by: Option<LegNo>, request: Request) -> Result<(), Why> {
        self.act(now, id, |call, done| call.request(now, by, request, done))
    }
}

impl Switch {
    /// A seat's phone asks by REFER to be rid of its caller: a blind transfer, or with Replaces the end of a consultation
    /// over two lines (RFC 5589 §7). How it comes out it is told by NOTIFY.
    pub(super) fn referred(&mut self, now: Now, leg: LegId, refer: &Refer, out: &mut Vec<Output>) {
        let refused = |status| dialog::Command::RefuseRefer { leg, id: refer.id, status: Status(status) };
        let answer = match self.leg_calls.get(&leg).copied() {
            None => refused(481),
            Some((id, leg_no)) => match self.refer(now, id, leg_no, refer) {
                Ok(()) => {
                    if let Some(active) = self.calls.get_mut(&id) {
                        active.referred = Some(Referred { leg, refer: refer.id, seq: active.call.newest_move() });
                    }
                    dialog::Command::AcceptRefer { leg, id: refer.id }
                }
                Err(why) => {
                    if let Some(active) = self.calls.get_mut(&id) {
                        active.call.refer_refused(now, leg_no);
                    }
                    refused(status_of(why))
                }
            },
        };
        self.leg_command(now, answer, out);
    }

    fn refer(&mut self, now: Now, id: CallId, leg_no: LegNo, refer: &Refer) -> Result<(), Why> {
        let active = self.calls.get(&id).ok_or(Why::NoSuchCall)?;
        match refer.replaces {
            _ if !is_ours(&self.fixed, &active.setup, &refer.to) => Err(Why::ForeignHost),
            None => self.transfer(now, id, Some(leg_no), &identity::number_in(&refer.to), TransferKind::Blind),
            Some(Replaced::Leg(other)) => self.refer_to_line(now, id, leg_no, other),
            Some(Replaced::Unknown) => Err(Why::NoSuchLeg),
        }
    }

    /// The move that a REFER began has come out: 200, or the target's own status (RFC 3515 §2.4.5); 487 where it was taken
    /// back, 503 where nobody refused. One that it put an end to is none of its own.
    pub(super) fn notify_referrer(
        &mut self,
        now: Now,
        id: CallId,
        seq: u32,
        (result, failure): (TransferResult, Option<(u16, Option<u8>)>),
        out: &mut Vec<Output>,
    ) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        let Some(Referred { leg, refer, .. }) = active.referred.take_if(|referred| referred.seq == seq) else { return };
        let status = match result {
            TransferResult::Completed | TransferResult::Joined => 200,
            TransferResult::Cancelled => 487,
            TransferResult::Failed | TransferResult::Returned => {
                failure.map(|(status, _)| status).filter(|status| (300..700).contains(status)).unwrap_or(503)
            }
        };
        let notify = dialog::Command::Notify { leg, id: refer, status: Status(status) };
        self.leg_command(now, notify, out);
    }
}

/// The status that a phone is told that asked in vain, by REFER or by an INVITE of its own.
pub(super) fn status_of(why: Why) -> u16 {
    match why {
        Why::UnknownTarget => 404,
        Why::ForeignHost => 403,
        Why::AreaUnknown => 484,
        Why::NoSuchCall | Why::NoSuchLeg => 481,
        Why::SameParty => 486,
        Why::Loop => 482,
        Why::Ending => 503,
        Why::Seat(_) | Why::List(_) => 403,
        Why::Call(Refusal::Busy | Refusal::HelpRings) => 491,
        Why::Call(_) => 603,
    }
}

fn facts<'a>(now: Now, active: &'a Active, to: &'a str) -> Facts<'a> {
    let Identity { caller, trunk, area, .. } = &active.identity;
    Facts { dialled: to, caller: caller.as_deref(), trunk, trunk_area: area.as_deref(), diverted_from: None, at: now.wall }
}

/// Tells whether a phone means us by this address: one that we listen on, a trunk's peer, or a domain of our seats.
fn is_ours(fixed: &Fixed, setup: &Live, uri: &Uri) -> bool {
    let seats = || setup.seats.iter().map(|seat| &seat.aor.host);
    match &uri.host {
        _ if uri.scheme == Scheme::Tel => true,
        Host::Ip(ip) => {
            let listening = fixed.listen.iter().any(|(_, at)| at.ip() == *ip || at.ip().is_unspecified());
            listening
                || setup.trunks.iter().any(|trunk| trunk.target.address().is_some_and(|at| at.ip() == *ip))
                || seats().any(|host| *host == uri.host)
        }
        Host::Name(name) => seats().any(|host| matches!(host, Host::Name(ours) if ours.eq_ignore_ascii_case(name))),
    }
}

/// Tells whom a number means for this caller today, and whether it is an emergency line; `decision` is the plan's word on it.
fn goal(active: &Active, to: &str, decision: &Decision) -> Result<(Goal, bool), Why> {
    let seats = &active.setup.seats;
    if let Some(name) = to.strip_prefix("queue:") {
        let queue = active.setup.queues.iter().find(|queue| *queue.name == *name).ok_or(Why::UnknownTarget)?;
        return Ok((Goal::Queue { queue: queue.name.clone(), high: false }, false));
    }
    if let Some(name) = to.strip_prefix("seat:") {
        return to_seat(active, seats.iter().find(|s| *s.name == *name));
    }
    if decision.mode == plan::Mode::Unknown {
        // Phones know their colleagues by the user of their address.
        return to_seat(active, seats.iter().find(|s| s.aor.user.as_deref() == Some(to)));
    }
    let urgent = decision.mode == plan::Mode::Emergency;
    if urgent && !active.setup.plan.areas_to_choose(decision).is_empty() {
        return Err(Why::AreaUnknown);
    }
    let goal = decision.steps.iter().find_map(|step| match step {
        Step::Ring { targets, timeout, .. } => Some(Goal::targets(&decision.number, targets, *timeout)),
        Step::Queue { queue, high } => Some(Goal::Queue { queue: queue.clone(), high: *high }),
        _ => None,
    });
    let goal = goal.or_else(|| decision.guide.clone().map(|prompt| Goal::Guide { prompt }));
    if active.call.has_party(&decision.number) {
        return Err(Why::SameParty);
    }
    Ok((goal.ok_or(Why::UnknownTarget)?, urgent))
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

fn view(id: CallId, active: &Active, numbers: Numbers) -> CallView {
    let identity = &active.identity;
    CallView {
        id,
        direction: if active.outbound.is_some() { CallDirection::Outbound } else { CallDirection::Inbound },
        line: identity.line.to_string(),
        number: identity.number.clone(),
        dialled_from: identity.dialled_from,
        dialled_by_rules: identity.dialled_by_rules.clone(),
        caller: identity.caller.as_deref().filter(|_| !identity.withheld).map(|caller| match numbers {
            Numbers::Masked => Masked(caller).to_string(),
            Numbers::Full => caller.to_owned(),
        }),
        state: active.call.state(),
        legs: active.call.legs(),
        recording: active.recording.state.name(),
        data: active.data.iter().map(|(key, value)| (key.clone(), (numbers == Numbers::Full).then(|| value.clone()))).collect(),
    }
}
