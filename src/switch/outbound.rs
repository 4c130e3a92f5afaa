//! Seats call out (外呼、回访): from their toolbar, in a hotline's name, within the operator's policy. The seat's phone rings first.
//! A call that a seat is shown before it places it stands here until the seat calls, declines, or its time is over.

use super::admit::Placer;
use super::channels::Kind;
use super::identity::Identity;
use super::lists::Lists;
use super::recording::OfCall;
use super::stopwatch::Stopwatch;
use super::{Active, Output, Switch, Trunk};
use crate::base::{CallId, Masked, Mono, Now};
use crate::call::{CALLER, Outcome, Placed};
use crate::control::seat::{Outgoing, PreviewView, RequestId};
use crate::control::{SeatRefusal, Why};
use crate::event::fact::Listed;
use crate::event::seat::PreviewEnd;
use crate::event::{CallDirection, DialledFrom, Intent, Keep, Offered, SeatWhat, What};
use crate::list::{NotCalled, Refusal, Whom};
use crate::plan::{Decision, Facts, Mode, Phase, Step, Target, is_area, is_emergency};
use crate::sip::{Codec, Refused};
use std::collections::BTreeMap;
use std::sync::Arc;

const MAX_FORWARDS: u8 = 70;
/// Digits of numbers that may be called: 95588, 0871 12345678, and E.164 with its prefix.
const SHORTEST: usize = 5;
const LONGEST_AT_HOME: usize = 11;
const LONGEST_WITH_AREA: usize = 12;
const LONGEST_ABROAD: usize = 17;

/// A call that a seat has placed, as far as the switch must know it.
#[derive(Clone, Debug)]
pub(super) struct Placing {
    pub seat: Arc<str>,
    /// The row of the callback list that it is for, and the number of the attempt.
    pub(super) callback: Option<(Arc<str>, u32)>,
    trunk: Arc<str>,
    /// The person's phone has been called, and the call counts for its day.
    dialled: bool,
    /// The person's network has refused it.
    pub(super) refusal: Option<Arc<Refused>>,
}

/// The calls that seats have placed and that are not over, as the bounds of one more count them.
#[derive(Debug, Default)]
struct UnderWay {
    /// In the same hotline's name, and by the same trunk.
    of_hotline: usize,
    by_trunk: usize,
    /// Those by this trunk that take a channel of it soon.
    coming: usize,
    /// Those to the same number and by the same seat that count for a day soon.
    to_number: u32,
    by_seat: u32,
}

/// A call that may be placed.
struct Going {
    wanted: Outgoing,
    /// The person's number, normalised; in the hotline's decision.
    decision: Decision,
    trunk: Arc<str>,
}

/// The calls that seats are shown before they place them, one for each.
#[derive(Debug, Default)]
pub(super) struct Previews(BTreeMap<Arc<str>, Preview>);

#[derive(Clone, Debug)]
struct Preview {
    /// With the number and the hotline that it comes to.
    wanted: Outgoing,
    until: Mono,
}

impl Previews {
    pub fn deadline(&self) -> Option<Mono> {
        self.0.values().map(|preview| preview.until).min()
    }

    pub fn of(&self, now: Mono, seat: &str) -> Option<PreviewView> {
        let Preview { wanted, until } = self.0.get(seat)?;
        Some(PreviewView {
            to: wanted.to.clone().unwrap_or_default(),
            hotline: wanted.hotline.as_deref().unwrap_or_default().into(),
            callback: wanted.callback.as_deref().map(Arc::from),
            ticket: wanted.ticket.as_deref().map(Arc::from),
            left: until.since(now),
        })
    }
}

impl Switch {
    /// A seat calls somebody, or is shown whom it is to call. A second click changes nothing.
    pub(super) fn call_for(&mut self, now: Now, seat: &Arc<str>, wanted: Outgoing, out: &mut Vec<Output>) -> Result<(), Why> {
        let request = wanted.request.clone();
        match request.as_ref().and_then(|it| self.lists.requests.placed(now.wall, &it.id, &it.asked)) {
            Some(true) => return Ok(()),
            Some(false) => return Err(not(NotCalled::OtherRequest)),
            None => {}
        }
        let shown = self.previews.0.get(seat).map(|preview| preview.wanted.clone());
        let wanted = match shown {
            Some(shown) if !wanted.preview && wanted.to.is_none() && wanted.callback.is_none() => {
                let (hotline, ticket) = (wanted.hotline.or(shown.hotline), wanted.ticket.or(shown.ticket));
                Outgoing { hotline, ticket, ..shown }
            }
            _ => wanted,
        };
        let preview = wanted.preview;
        let wanted = self.named(now, Outgoing { preview: false, request: None, ..wanted })?;
        if !preview && self.is_placing(seat, &wanted) {
            return Ok(());
        }
        let going = self.going(now, seat, wanted)?;
        if preview {
            return self.show(now, seat, going.wanted, out);
        }
        if let Some(at) = self.access.seat(seat)
            && let Some(why) =
                self.full(&Placer::Seat(at), false).or_else(|| self.too_fast(now, &Placer::Seat(at), Kind::Ordinary))
        {
            tracing::warn!(%seat, why = why.in_log(), "a seat's call is not placed");
            return Err(if self.ending { Why::Ending } else { not(why.for_seat()) });
        }
        let attempt = match &going.wanted.callback {
            Some(row) => Some((Arc::from(row.as_str()), self.callback_attempt(now, row, seat, out)?)),
            None => None,
        };
        if let Some(RequestId { id, asked }) = &request {
            self.listed_anew(out, |lists, keeps| lists.requests.add(now.wall, id, asked, keeps));
        }
        let why = if self.shows(seat, &going.wanted) { PreviewEnd::Called } else { PreviewEnd::Replaced };
        self.end_preview(now, seat, why, going.wanted.callback.as_deref(), out);
        self.place(now, seat, going, attempt, out);
        Ok(())
    }

    /// Completes it: the number as the plan writes callers', and the hotline in whose name it is placed.
    fn named(&self, now: Now, wanted: Outgoing) -> Result<Outgoing, Why> {
        let plan = &self.setup.plan;
        let row = wanted.callback.as_deref().map(|id| self.lists.callbacks.get(id).ok_or(Why::List(Refusal::NoSuchRow)));
        let row = row.transpose()?;
        let to = wanted.to.as_deref().map(|to| match to.starts_with("seat:") {
            true => Err(SeatRefusal::Unsupported.into()),
            false => self.person(now, &half_width(to)),
        });
        let to = to.transpose()?;
        let number = match (row, to) {
            (Some(row), Some(to)) if *row.caller != to => return Err(not(NotCalled::OtherNumber)),
            (Some(row), _) => row.caller.to_string(),
            (None, Some(to)) => to,
            (None, None) => return Err(not(NotCalled::Nobody)),
        };
        let hotline = wanted.hotline.clone().or_else(|| row.map(|row| row.hotline.to_string()));
        let hotline = hotline.or_else(|| plan.front().map(str::to_owned)).ok_or_else(|| not(NotCalled::NoHotline))?;
        Ok(Outgoing { to: Some(number), hotline: Some(plan.number(&hotline, None)), ..wanted })
    }

    /// Calls that seats have placed by their toolbars and that are not over.
    fn placed_calls(&self) -> impl Iterator<Item = &Active> {
        self.placed.iter().filter_map(|id| self.calls.get(id))
    }

    /// This seat is placing this call already.
    fn is_placing(&self, seat: &Arc<str>, wanted: &Outgoing) -> bool {
        let is = |active: &Active| {
            let row = |placing: &Placing| placing.callback.as_ref().map(|(row, _)| row.to_string());
            let same = active.outbound.as_ref().is_some_and(|it| it.seat == *seat && row(it) == wanted.callback);
            same && active.over.is_none()
                && active.identity.caller == wanted.to
                && Some(&active.identity.number) == wanted.hotline.as_ref()
        };
        self.placed_calls().any(is)
    }

    /// Looks whether the call may be placed now, and changes nothing.
    fn going(&self, now: Now, seat: &Arc<str>, wanted: Outgoing) -> Result<Going, Why> {
        let outbound = &self.setup.outbound;
        if !outbound.enabled {
            return Err(not(NotCalled::Off));
        }
        let state = self.queues.seats().get(seat).ok_or(SeatRefusal::UnknownSeat)?;
        if state.shift.intent == Intent::LoggedOut {
            return Err(SeatRefusal::SignedOut.into());
        }
        self.is_idle(seat)?;
        let number = wanted.to.as_deref().unwrap_or_default();
        self.may_be_called(now, number)?;
        let hotline = wanted.hotline.as_deref().unwrap_or_default();
        let facts =
            Facts { dialled: hotline, caller: Some(number), trunk: "", trunk_area: None, diverted_from: None, at: now.wall };
        let decision = self.setup.plan.decide(&facts);
        // A person who rings back must find somebody.
        let retired = matches!(decision.phase, Some(Phase::AnnounceOnly | Phase::Released));
        if retired || matches!(decision.mode, Mode::Unknown | Mode::Emergency | Mode::Guided) {
            return Err(not(NotCalled::NoHotline));
        }
        if !outbound.hours.open(now.wall, self.setup.plan.zone()) {
            let opens = outbound.hours.opens(now.wall, self.setup.plan.zone());
            return Err(not(NotCalled::Hours { opens }));
        }
        if let Some(until) = self.lists.dialled.not_before(now.wall, number) {
            let minutes = u64::try_from(until.0.saturating_sub(now.wall.0)).unwrap_or(0).div_ceil(60_000_000);
            return Err(not(NotCalled::Refused { minutes }));
        }
        let trunk = self.outbound_trunk()?;
        let placed = self.placed(seat, number, &decision.number, &trunk.name);
        let day = self.setup.plan.day_of(now.wall);
        if self.lists.dialled.of(day, Whom::Number(number)).saturating_add(placed.to_number) >= outbound.per_callee {
            return Err(not(NotCalled::NumberToday(outbound.per_callee)));
        }
        if self.lists.dialled.of(day, Whom::Seat(seat)).saturating_add(placed.by_seat) >= outbound.per_seat {
            return Err(not(NotCalled::SeatToday(outbound.per_seat)));
        }
        self.has_room(trunk, &placed)?;
        let trunk = trunk.name.clone();
        Ok(Going { wanted, decision, trunk })
    }

    /// Tells whether a seat could ring this call's caller back. Nobody else is offered that, or listed as missed: not who withholds
    /// the number, nor an emergency line, a hotline or a number that seats may not call.
    pub(super) fn can_be_rung_back(&self, now: Now, active: &Active) -> bool {
        active.caller_to_list().is_some_and(|number| self.may_be_called(now, number).is_ok())
    }

    /// The number that is typed, as the plan writes callers'. As it is typed it may be a hotline, though as a person's number it is
    /// none: +8669112345.
    fn person(&self, now: Now, typed: &str) -> Result<String, Why> {
        self.is_a_person(now, typed)?;
        self.setup.plan.caller(typed).ok_or(Why::List(Refusal::NoNumber))
    }

    fn is_a_person(&self, now: Now, number: &str) -> Result<(), Why> {
        let plan = &self.setup.plan;
        let facts = Facts { dialled: number, caller: None, trunk: "", trunk_area: None, diverted_from: None, at: now.wall };
        match () {
            () if is_emergency(number) || plan.is_emergency(number, None) => Err(not(NotCalled::Emergency)),
            () if plan.decide(&facts).mode != Mode::Unknown => Err(not(NotCalled::Hotline)),
            () => Ok(()),
        }
    }

    /// Tells whether the policy lets seats call this number, which is written as the plan writes callers'.
    fn may_be_called(&self, now: Now, number: &str) -> Result<(), Why> {
        self.is_a_person(now, number)?;
        let refused = match () {
            () if !is_whole(number) => NotCalled::NotWhole,
            () if self.lists.numbers.of(number, now.wall) == Some(Listed::Blocked) => NotCalled::Blocked,
            () if self.setup.outbound.refuse.iter().any(|prefix| number.starts_with(prefix.as_str())) => NotCalled::Prefix,
            () => return Ok(()),
        };
        Err(not(refused))
    }

    /// The trunk by which a call goes.
    fn outbound_trunk(&self) -> Result<&Trunk, Why> {
        let trunk = match &self.setup.outbound.trunk {
            Some(name) => self.setup.trunks.iter().find(|trunk| trunk.name == *name),
            None => self.setup.trunks.get(self.setup.default_route),
        };
        trunk.ok_or_else(|| not(NotCalled::Off))
    }

    fn placed(&self, seat: &str, number: &str, hotline: &str, trunk: &str) -> UnderWay {
        let mut all = UnderWay::default();
        for active in self.placed_calls() {
            let Some(placing) = &active.outbound else { continue };
            let (here, soon) = (*placing.trunk == *trunk, !placing.dialled);
            all.of_hotline += usize::from(active.identity.number == hotline);
            all.by_trunk += usize::from(here);
            all.coming += usize::from(here && soon);
            all.to_number += u32::from(soon && active.identity.caller.as_deref() == Some(number));
            all.by_seat += u32::from(soon && *placing.seat == *seat);
        }
        all
    }

    /// Callers come first: placed calls are the first that find no room.
    fn has_room(&self, trunk: &Trunk, placed: &UnderWay) -> Result<(), Why> {
        let outbound = &self.setup.outbound;
        if placed.of_hotline >= outbound.per_hotline {
            return Err(not(NotCalled::HotlineFull(outbound.per_hotline)));
        }
        if placed.by_trunk >= outbound.per_trunk {
            return Err(not(NotCalled::TrunkFull));
        }
        let open = trunk.channels.saturating_sub(trunk.reserved) as usize;
        let calls = self.fixed.limits.calls.saturating_sub(self.fixed.limits.reserved);
        let full = |taken: usize, of: usize| taken >= of - (of * outbound.leave_percent).div_ceil(100).min(of);
        if full(self.channels.of(&trunk.name) + placed.coming, open) || full(self.calls.len(), calls) {
            return Err(not(NotCalled::Busy));
        }
        Ok(())
    }

    /// The seat's phone rings; the call's record begins.
    fn place(&mut self, now: Now, seat: &Arc<str>, going: Going, callback: Option<(Arc<str>, u32)>, out: &mut Vec<Output>) {
        let Going { wanted: Outgoing { to, ticket, .. }, decision, trunk } = going;
        let number = to.unwrap_or_default();
        let account: Arc<str> = format!("seat:{seat}").into();
        let offered = Offered {
            direction: CallDirection::Outbound,
            trunk: account.to_string(),
            dialled: decision.number.clone(),
            caller: Some(number.clone()),
            caller_raw: number.clone(),
            ..self.decided(&decision)
        };
        let identity = Identity {
            caller: Some(number.clone()),
            withheld: false,
            number: decision.number.clone(),
            dialled_from: DialledFrom::RequestUri,
            dialled_by_rules: Vec::new(),
            line: decision.line.clone(),
            trunk: account,
            area: decision.area.code.clone(),
            history: Vec::new(),
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            max_forwards: MAX_FORWARDS,
            shows: self.setup.outbound.shown.clone(),
        };
        let home =
            decision.steps.iter().find_map(|step| if let Step::Queue { queue, .. } = step { Some(queue.clone()) } else { None });
        let outbound = self.setup.outbound.clone();
        let to = Target { number: number.as_str().into(), trunk: Some(trunk.clone()), emergency: false };
        let placed = Placed { seat: seat.clone(), to, home, ring_seat: outbound.ring_seat, ring: outbound.ring };
        // Nobody waits for what the plan does with callers.
        let recording = OfCall::new(self.records_from_start(&decision), decision.record);
        let decision = Decision { steps: Arc::default(), ..decision };
        let id = self.begin(now, decision, identity, BTreeMap::new(), recording);
        tracing::info!(call = %id, %seat, to = %Masked(&number), hotline = %offered.number, "a seat calls out");
        let data = [("callback", callback.as_ref().map(|(row, _)| row.to_string())), ("ticket", ticket)];
        if let Some(active) = self.calls.get_mut(&id) {
            (active.released, active.stopwatch) = (true, Stopwatch::of_placed());
            active.outbound = Some(Box::new(Placing { seat: seat.clone(), callback, trunk, dialled: false, refusal: None }));
        }
        self.placed.insert(id);
        self.write_offered(now, id, offered, out);
        for (key, value) in data.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))) {
            if let Some(active) = self.calls.get_mut(&id) {
                active.data.push((key.clone(), value.clone()));
            }
            self.write(now, id, What::Data { key, value }, out);
        }
        self.with_call(now, id, |call, done| call.place(now, placed, done));
    }

    /// The person is called now: from here on the call counts for its day, so that nobody counts whom no phone was rung for.
    pub(super) fn count_person(&mut self, now: Now, id: CallId, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        let Some(placing) = active.outbound.as_mut().filter(|placing| !placing.dialled) else { return };
        placing.dialled = true;
        let number = active.identity.caller.clone().unwrap_or_default();
        let (seat, day) = (placing.seat.clone(), self.setup.plan.day_of(now.wall));
        self.listed_anew(out, |lists, keeps| {
            lists.dialled.add(now.wall, day, id, Whom::Number(&number), keeps);
            lists.dialled.add(now.wall, day, id, Whom::Seat(&seat), keeps);
        });
    }

    /// Changes a list, and keeps what has changed.
    pub(super) fn listed_anew(&mut self, out: &mut Vec<Output>, act: impl FnOnce(&mut Lists, &mut Vec<Keep>)) {
        let mut keeps = Vec::new();
        act(&mut self.lists, &mut keeps);
        keeps.into_iter().for_each(|keep| self.keep(keep, out));
    }

    /// The seat has answered, and the person is being called.
    pub(super) fn person_dialled(&mut self, now: Now, id: CallId, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get(&id) else { return };
        let sip_call_id = active.legs.get(&CALLER).and_then(|leg| leg.call_id.clone());
        self.write(now, id, What::Dialled { leg: CALLER.0, sip_call_id }, out);
    }

    /// A call that a seat placed is over: its row is, and the seat is told where it reached nobody.
    pub(super) fn outbound_over(&mut self, now: Now, id: CallId, outcome: &Outcome, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get(&id) else { return };
        let Some(placing) = active.outbound.as_deref().cloned() else { return };
        let (talked, number, hotline) = (active.talked, active.identity.caller.clone(), active.identity.number.clone());
        let number = number.unwrap_or_default();
        if !talked {
            self.person_not_reached(now, id, (outcome.status, outcome.q850), out);
        }
        if let Some((row, attempt)) = &placing.callback {
            self.callback_over(now, row, *attempt, talked, out);
        }
        if talked {
            // A person who was talked to is not rung back once more, by whichever click it was.
            self.listed_anew(out, |lists, keeps| lists.callbacks.served(&number, &hotline, keeps));
        }
    }
}

impl Active {
    /// The number that the callback list knows the caller by, who is no seat and withholds it from nobody.
    pub(super) fn caller_to_list(&self) -> Option<&str> {
        let Identity { caller, withheld, trunk, .. } = &self.identity;
        caller.as_deref().filter(|_| !self.emergency && !withheld && !trunk.starts_with("seat:"))
    }
}

/// Previews come and go here.
impl Switch {
    /// The seat looks at it first. A row of the callback list is the seat's meanwhile.
    fn show(&mut self, now: Now, seat: &Arc<str>, wanted: Outgoing, out: &mut Vec<Output>) -> Result<(), Why> {
        if self.previews.0.get(seat).is_some_and(|preview| preview.wanted == wanted) {
            return Ok(());
        }
        if let Some(row) = &wanted.callback {
            self.callback_lease(now, row, seat, out)?;
        }
        self.end_preview(now, seat, PreviewEnd::Replaced, wanted.callback.as_deref(), out);
        let lasts = self.setup.outbound.preview;
        let shown = SeatWhat::Preview {
            callback: wanted.callback.as_deref().map(Arc::from),
            ticket: wanted.ticket.as_deref().map(Arc::from),
            hotline: wanted.hotline.as_deref().unwrap_or_default().into(),
            seconds: lasts.as_secs(),
        };
        self.previews.0.insert(seat.clone(), Preview { wanted, until: now.mono.after(lasts) });
        self.queues.seats_mut().note(seat, shown);
        Ok(())
    }

    /// The seat does not call whom it was shown.
    pub(super) fn decline(&mut self, now: Now, seat: &Arc<str>, out: &mut Vec<Output>) -> Result<(), Why> {
        match self.end_preview(now, seat, PreviewEnd::Declined, None, out) {
            true => Ok(()),
            false => Err(SeatRefusal::NoCall.into()),
        }
    }

    /// Previews that nobody has answered in time.
    pub(super) fn previews_end(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(seat) = self.previews.0.iter().find(|(_, it)| it.until <= now.mono).map(|(seat, _)| seat.clone()) {
            self.end_preview(now, &seat, PreviewEnd::Expired, None, out);
        }
    }

    /// The seat is shown this call.
    fn shows(&self, seat: &str, wanted: &Outgoing) -> bool {
        let is = |preview: &Preview| preview.wanted.to == wanted.to && preview.wanted.callback == wanted.callback;
        self.previews.0.get(seat).is_some_and(is)
    }

    /// The one end of a preview. Its row is free for others again, unless it is also that of what the seat does `next`. False: the
    /// seat was shown nothing.
    pub(super) fn end_preview(
        &mut self,
        now: Now,
        seat: &Arc<str>,
        why: PreviewEnd,
        next: Option<&str>,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(preview) = self.previews.0.remove(seat) else { return false };
        if let Some(row) = preview.wanted.callback.as_deref().filter(|row| Some(*row) != next) {
            // It may be gone, or another's by now.
            let _ = self.listing(out, |switch, keeps| switch.lists.callbacks.give_back(now.wall, row, seat, keeps));
        }
        self.queues.seats_mut().note(seat, SeatWhat::PreviewEnded { why });
        true
    }
}

/// A mobile or service number, an area code and a fixed number, or an international one. What is longer has another number behind
/// a carrier's or an area's code, and would pass for a number that nobody has blocked or counted.
fn is_whole(number: &str) -> bool {
    let has_area = || (2..=3).any(|digits| number.get(1..=digits).is_some_and(is_area));
    let most = match () {
        () if number.starts_with("00") => LONGEST_ABROAD,
        () if !number.starts_with('0') => LONGEST_AT_HOME,
        () if has_area() => LONGEST_WITH_AREA,
        () => return false,
    };
    (SHORTEST..=most).contains(&number.len())
}

/// Chinese keyboards write full-width digits and signs (U+FF01 to U+FF5E), and a full-width space.
fn half_width(text: &str) -> String {
    let half = |c: char| match c {
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c => c,
    };
    text.chars().map(half).collect()
}

fn not(why: NotCalled) -> Why {
    Why::List(Refusal::NotCalled(why))
}
