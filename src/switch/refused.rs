//! Requests that never become a call are said in the log and counted by status, so that whoever looks for a trunk's lost
//! calls finds them.

use super::access::Owner;
use super::admit::Placer;
use super::channels::Kind;
use super::dialled::Said;
use super::{Output, Switch, identity};
use crate::base::{Bucket, Flow, Masked, Mono, Now, Rate, Shown};
use crate::dialog::{Asked, Cause, Incoming};
use crate::list::NotCalled;
use crate::plan::{Decision, Mode, Step};
use crate::record::ending::shown_caller;
use crate::sip::{Method, ParseError, Status, Uri};
use crate::ua::TurnedAway;
use std::fmt::Display;

/// One in so many legs is kept for calls to emergency lines.
const LEGS_KEPT: usize = 8;
/// The most lines that may come at once, in seconds' worth of them.
const BURST: u32 = 5;

/// Lines that anybody on the network can cause at will: so many a second, of all sources together.
#[derive(Debug, Default)]
pub(super) struct Notices {
    bucket: Bucket,
    unsaid: u64,
}

impl Notices {
    /// Tells whether one more may be written; then how many were not since the last.
    pub fn may_say(&mut self, now: Mono, per_second: u32) -> Option<u64> {
        let per_second = per_second.max(1);
        if self.bucket.take(Rate { per_second, burst: per_second.saturating_mul(BURST), max_sources: 0 }, now) {
            return Some(std::mem::take(&mut self.unsaid));
        }
        self.unsaid += 1;
        None
    }
}

/// Requests refused before they became a call, by status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusals([u64; Refusals::STATUSES.len()]);

impl Refusals {
    /// Those that we give; the last stands for any other.
    const STATUSES: [u16; 31] = [
        400, 403, 404, 405, 408, 410, 413, 414, 415, 416, 420, 421, 422, 480, 481, 482, 483, 484, 486, 487, 488, 489, 491, 494,
        500, 501, 503, 505, 513, 603, 699,
    ];

    fn add(&mut self, status: Status) {
        let at = Refusals::STATUSES.iter().position(|known| *known == status.0).unwrap_or(Refusals::STATUSES.len() - 1);
        if let Some(count) = self.0.get_mut(at) {
            *count += 1;
        }
    }

    /// Statuses that were given, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        Refusals::STATUSES.iter().copied().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

impl Default for Refusals {
    fn default() -> Refusals {
        Refusals([0; Refusals::STATUSES.len()])
    }
}

/// Why no further call is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    Draining,
    Journal,
    /// Those of the trunk or seat that places it.
    Channels,
    Calls,
    Dialogs,
    Source,
    Pace,
    /// Its phone dials codes.
    Codes,
}

impl Full {
    pub fn in_log(self) -> &'static str {
        match self {
            Full::Draining => "draining",
            Full::Journal => "the journal is down",
            Full::Channels => "no channel of its trunk or seat is free",
            Full::Calls => "limits.calls is reached",
            Full::Dialogs => "too many dialogs are not over yet",
            Full::Source => "limits.source_percent is reached",
            Full::Pace => "limits.placing_percent is reached",
            Full::Codes => "a phone dials codes without end",
        }
    }

    /// As the seat is told it that places the call.
    pub fn for_seat(self) -> NotCalled {
        match self {
            Full::Draining => NotCalled::Draining,
            Full::Journal => NotCalled::JournalDown,
            Full::Channels => NotCalled::SeatFull,
            Full::Calls | Full::Dialogs => NotCalled::GatewayFull("limits.calls"),
            Full::Source => NotCalled::GatewayFull("limits.source_percent"),
            Full::Pace | Full::Codes => NotCalled::TooFast,
        }
    }
}

/// An INVITE that was refused.
struct Refused<'a> {
    uri: &'a Uri,
    call_id: &'a [u8],
    /// Where it had all that an INVITE must have.
    invite: Option<&'a Incoming>,
}

impl Refused<'_> {
    /// The caller, masked.
    fn caller(&self) -> Option<impl Display> {
        let (caller, anonymous) = identity::caller(self.invite?);
        Some(shown_caller(Some(&*caller).filter(|caller| !caller.is_empty()), anonymous).to_string())
    }
}

impl Switch {
    /// A request that became nothing. A stray one of no INVITE is worth a line only to who looks closely.
    pub(super) fn turned_away(&mut self, now: Now, turned: &TurnedAway) {
        self.counters.refused.add(turned.status);
        if turned.method == Method::Invite {
            let of = Refused { uri: &turned.uri, call_id: &turned.call_id, invite: None };
            self.say_refused(now, turned.flow, turned.status, turned.status.reason(), Some(of));
        } else {
            let method = String::from_utf8_lossy(turned.method.as_bytes()).into_owned();
            tracing::debug!(source = %turned.flow, method = %Shown(&method), status = turned.status.0, "refused");
        }
    }

    /// Bytes that are no message that we can serve.
    pub(super) fn malformed(&mut self, now: Now, flow: Flow, error: &ParseError) {
        self.counters.malformed += 1;
        if error.answer.is_some() {
            self.counters.refused.add(error.status);
        }
        self.say_refused(now, flow, error.status, error.reason, None);
    }

    /// An INVITE that nothing was wrong with, but that we cannot serve now.
    pub(super) fn not_now(&mut self, now: Now, invite: &Incoming, status: Status, why: &'static str) {
        self.counters.refused.add(status);
        let of = Refused { uri: &invite.uri, call_id: &invite.call_id, invite: Some(invite) };
        self.say_refused(now, invite.flow, status, why, Some(of));
    }

    fn say_refused(&mut self, now: Now, flow: Flow, status: Status, why: &str, of: Option<Refused<'_>>) {
        let Some(unsaid) = self.notices.may_say(now.mono, self.setup.notices) else { return };
        let trunk = match self.access.find(flow.remote.ip()) {
            Some(Owner::Trunk(trunk)) => self.setup.trunks.get(trunk).map(|trunk| &*trunk.name),
            _ => None,
        };
        let number = of.as_ref().map(|of| {
            let said = of.invite.map_or(Said { uri: of.uri, to: None, headers: &[] }, Said::from);
            self.reading_at(flow, of.uri).called(said).text
        });
        let sip_call_id = of.as_ref().map_or(Default::default(), |of| String::from_utf8_lossy(of.call_id));
        let caller = of.as_ref().and_then(Refused::caller).map(tracing::field::display);
        tracing::info!(
            source = %flow, trunk, status = status.0, why, number = %Masked(&number.unwrap_or_default()), caller, sip_call_id = %Shown(&sip_call_id),
            unsaid = (unsaid > 0).then_some(unsaid), "refused before it became a call"
        );
    }

    /// OPTIONS: carriers take us out of rotation by it, so it is told what an INVITE would be (RFC 3261 §11.2).
    pub(super) fn asked(&mut self, now: Now, asked: &Asked, out: &mut Vec<Output>) {
        let refusal = self.would_refuse(now, &asked.invite);
        self.legs.tell(&mut self.ua, asked, refusal.as_ref());
        self.serve(now, out);
    }

    fn would_refuse(&self, now: Now, invite: &Incoming) -> Option<Cause> {
        let placer = self.placer(invite).or_else(|| self.nameless(invite));
        let Some(placer) = placer else { return Some(self.unavailable(None)) };
        // A caller that names nobody asks about the gateway: any ordinary call.
        let called = self.called_by_account(invite.flow, &invite.uri, &invite.headers);
        let called = called.map(|(uri, _)| Incoming { uri, ..invite.clone() });
        let invite = called.as_ref().unwrap_or(invite);
        let decided = invite.uri.user.is_some().then(|| self.decide(now, invite, &placer));
        let emergency = decided.as_ref().is_some_and(|it| it.decision.mode == Mode::Emergency && !it.called.unproven);
        if self.full(&placer, emergency).is_some() || self.ports_gone(invite.ipv6) {
            return Some(self.unavailable(None));
        }
        let (status, q850) = turns_away(&decided?.decision)?;
        Some(Cause { status, q850: Some(q850), ..Cause::default() })
    }

    /// The next call would find no RTP port.
    fn ports_gone(&self, ipv6: bool) -> bool {
        !self.ports.available(self.next_shard % self.fixed.media.shards.max(1), ipv6)
    }

    /// 503, or the code that this trunk wants for a call in its stead, congestion, and when to come again.
    pub(super) fn unavailable(&self, placer: Option<&Placer>) -> Cause {
        let cause = Cause { status: 503, q850: Some(42), retry_after: Some(self.setup.retry_after), ..Cause::default() };
        match placer {
            Some(Placer::Trunk(i)) => self.setup.trunks[*i].says(cause),
            _ => cause,
        }
    }

    /// Tells why no further call can be taken. Emergencies go before all others: they have calls kept for them, and no journal keeps
    /// them out, nor our count of a trunk's channels: the carrier knows how many it has, and one that comes and goes by the same
    /// trunk takes two.
    pub(super) fn full(&self, placer: &Placer, emergency: bool) -> Option<Full> {
        use super::JournalDown;
        let limits = self.fixed.limits;
        let most = if emergency { limits.calls } else { limits.calls.saturating_sub(limits.reserved) };
        let no_channel = match placer {
            // One without any places no calls at all.
            Placer::Trunk(i) if emergency => self.setup.trunks[*i].channels == 0,
            Placer::Trunk(i) => !self.channels.free(&self.setup.trunks[*i], false),
            Placer::Seat(i) => !self.queues.seats().may_place(&self.setup.seats[*i].name, emergency),
            Placer::Nameless { channels, .. } => !emergency && self.carried.of(&self.account(placer)) >= *channels as usize,
        };
        match () {
            () if self.draining => Some(Full::Draining),
            () if self.journal.down && self.setup.journal_down == JournalDown::Refuse && !emergency => Some(Full::Journal),
            () if no_channel => Some(Full::Channels),
            () if self.calls.len() >= most => Some(Full::Calls),
            () if !emergency && self.legs_left() == 0 => Some(Full::Dialogs),
            () if !emergency && self.carried.of(&self.account(placer)) >= self.share(limits.calls) => Some(Full::Source),
            () => None,
        }
    }

    /// One source's part of so many. One trunk alone takes from nobody.
    pub(super) fn share(&self, of: usize) -> usize {
        if self.setup.trunks.len() > 1 { (of * self.fixed.limits.source_percent).div_ceil(100) } else { of }
    }

    /// Why a feature code is not taken: each leaves a leg for up to 32 s where the phone does not acknowledge it.
    pub(super) fn too_many_codes(&mut self, now: Now, placer: &Placer) -> Option<Full> {
        let no_leg = (self.legs_left() == 0).then_some(Full::Dialogs);
        no_leg.or_else(|| self.too_fast(now, placer, Kind::Code))
    }

    /// The last legs are for emergencies: those of calls that are over last up to 32 s more where a peer answers nothing.
    fn legs_left(&self) -> usize {
        let most = self.fixed.legs.max_legs;
        (most - most / LEGS_KEPT).saturating_sub(self.legs.len())
    }

    /// Why this call comes too soon after those before it; takes a place among them when it does not.
    pub(super) fn too_fast(&mut self, now: Now, placer: &Placer, kind: Kind) -> Option<Full> {
        let (name, channels) = match placer {
            Placer::Trunk(i) => (&self.setup.trunks[*i].name, self.setup.trunks[*i].channels),
            Placer::Seat(i) => (&self.setup.seats[*i].name, self.setup.seats[*i].channels),
            Placer::Nameless { lender, channels } => (&self.setup.seats[*lender].name, *channels),
        };
        let allowed = self.pace.allow(now.mono, name, channels, self.setup.placing_percent, kind);
        let why = if kind == Kind::Code { Full::Codes } else { Full::Pace };
        (!allowed).then_some(why)
    }
}

/// Where the plan connects nobody: what it says in the end.
fn turns_away(decision: &Decision) -> Option<(u16, u8)> {
    let connects = |step: &Step| matches!(step, Step::Queue { .. } | Step::Ring { .. } | Step::Offer { .. });
    let refuses = |step: &Step| if let Step::Reject { status, q850 } = step { Some((*status, *q850)) } else { None };
    if decision.steps.iter().any(connects) { None } else { decision.steps.iter().find_map(refuses) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn lines_are_bounded_and_the_rest_is_counted() {
        let (mut notices, mut said) = (Notices::default(), 0u64);
        let at = |ms: u64| Mono(1_000_000_000).after(Duration::from_millis(ms));
        let mut unsaid = 0;
        for ms in 0..10_000 {
            let line = notices.may_say(at(ms), 20);
            said += u64::from(line.is_some());
            unsaid += line.unwrap_or(0);
        }
        assert!((290..=310).contains(&said), "ten seconds' lines and a burst: {said}");
        unsaid += notices.may_say(at(60_000), 20).unwrap();
        assert_eq!(said + unsaid, 10_000, "each is said or counted");
        assert_eq!(notices.may_say(at(60_001), 20), Some(0));
    }

    #[test]
    fn refusals_are_counted_by_status() {
        assert!(Refusals::STATUSES.is_sorted());
        let mut refusals = Refusals::default();
        [420, 415, 420, 437].map(Status).into_iter().for_each(|status| refusals.add(status));
        assert_eq!(refusals.iter().collect::<Vec<_>>(), [(415, 1), (420, 2), (699, 1)]);
    }
}
