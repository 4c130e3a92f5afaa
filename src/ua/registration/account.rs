//! One account: what it is doing, and until when.

use super::{Cause, Cx, News, RECONNECT, Settings, Trouble};
use crate::base::{Flow, Mono, Rng};
use crate::sip::{NameAddr, Scheme, Status, Uri};
use crate::transaction::{self, ClientId, Failure};
use crate::ua::{AccountId, Proofs, Usage};
use std::time::Duration;

/// Rests after attempts that came to nothing; the last goes on for ever. Each is shortened by chance, by a quarter at most.
const RESTS: [Duration; 7] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(40),
    Duration::from_secs(60),
];
/// The same after refusals, which only people can mend.
const RESTS_WHEN_REFUSED: [Duration; 3] = [Duration::from_secs(300), Duration::from_secs(900), Duration::from_secs(1800)];
/// How long the addresses of a host name are waited for.
const FINDING: Duration = Duration::from_secs(10);
/// The transaction ends by itself (RFC 3261 §17.1.2, timer F); this is for when its word is lost.
const ASKING: Duration = Duration::from_secs(40);
/// The answer to a REGISTER may take so long: one that is to keep a registration goes out sooner before its end.
const IN_TIME: Duration = Duration::from_secs(5);
const SHORTEST: Duration = Duration::from_secs(1);

/// ```text
///        time          hops             REGISTER        2xx
///  Rests ----> Finds ---------> Asks ------------+----------> Rests (registered, until it is refreshed)
///    ^                                           | 401, 423, 439: Asks again
///    +-------------------------------------------+ refused, no answer: Rests
/// ```
#[derive(Debug)]
pub(super) enum State {
    /// Nothing is under way until then.
    Rests(Mono),
    /// The hops of its trunk are asked for.
    Finds(Mono),
    Asks(Asking),
    /// It is withdrawn, and wants nothing.
    Gone,
}

/// A REGISTER without a final response.
#[derive(Debug)]
pub(super) struct Asking {
    pub client: ClientId,
    pub until: Mono,
    /// The time that it asks for; zero withdraws.
    pub expires: Duration,
    /// REGISTERs of this attempt, this one too.
    pub round: u32,
    /// An answer to a challenge of this very attempt was not taken once.
    pub denied: bool,
}

/// The carrier's word that we are registered.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The way by which it was asked.
    pub flow: Flow,
    pub contact: Uri,
    /// The same as the carrier wrote it, who may call us by that.
    pub contact_there: Option<Uri>,
    pub until: Mono,
    /// When the carrier said so last.
    pub since: Mono,
    /// The Route set of calls by this account (RFC 3608), with all parameters.
    pub service_route: Vec<NameAddr>,
    /// The identities that the carrier knows us by, the default one first (RFC 7315 §4.1).
    pub identities: Vec<Uri>,
}

/// How an account stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Registered,
    /// A first answer is still to come.
    Trying,
    /// The last attempt came to nothing: it is tried again soon.
    Failing,
    /// The carrier does not want it: an alarm, and it is tried again slowly.
    Refused,
    /// By our own wish.
    Withdrawn,
}

#[derive(Debug)]
pub struct Account {
    id: AccountId,
    pub(super) settings: Settings,
    pub(super) call_id: String,
    pub(super) tag: String,
    pub(super) seq: u32,
    pub(super) state: State,
    /// The flows to its trunk's hops, the present one first.
    pub(super) hops: Vec<Flow>,
    /// The hop by which it is registered has failed for a call: the next attempt begins with another.
    passes_over: bool,
    pub(super) proofs: Proofs,
    /// The least that a 423 has asked for.
    pub(super) least: Duration,
    /// RFC 5626, until a 439 says otherwise.
    pub(super) outbound: bool,
    pub(super) bound: Option<Bound>,
    pub(super) trouble: Option<Trouble>,
    /// Attempts in vain, and refusals, in a row.
    pub(super) failures: usize,
    refusals: usize,
    wanted: bool,
    /// Something has changed while a REGISTER was out: no other goes before its answer (RFC 3261 §10.2).
    again: bool,
    /// It is configured no more: forgotten when it is withdrawn.
    leaving: bool,
}

impl Account {
    pub(super) fn new(id: AccountId, settings: Settings, begins: Mono, rng: &mut Rng) -> Account {
        Account {
            id,
            outbound: settings.outbound,
            settings,
            call_id: format!("{}{}", rng.token(), rng.token()),
            tag: rng.token(),
            seq: 0,
            state: State::Rests(begins),
            hops: Vec::new(),
            passes_over: false,
            proofs: Proofs::default(),
            least: Duration::ZERO,
            bound: None,
            trouble: None,
            failures: 0,
            refusals: 0,
            wanted: true,
            again: false,
            leaving: false,
        }
    }

    pub fn id(&self) -> AccountId {
        self.id
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The carrier's word, while it holds.
    pub fn bound(&self, now: Mono) -> Option<&Bound> {
        self.bound.as_ref().filter(|bound| bound.until > now && self.wanted)
    }

    /// The carrier's word, as long as nothing else came.
    pub fn last_bound(&self) -> Option<&Bound> {
        self.bound.as_ref().filter(|_| self.wanted)
    }

    /// It is registered: a binding is dropped when its time is over.
    pub fn is_bound(&self) -> bool {
        self.bound.is_some() && self.wanted
    }

    /// The identity that its carrier knows us by.
    pub fn identity(&self) -> &Uri {
        let named = self.last_bound().and_then(|bound| bound.identities.first());
        named.filter(|uri| uri.scheme == Scheme::Sip).unwrap_or(&self.settings.aor)
    }

    /// The Route set of what is sent by it (RFC 3608 §6.1).
    pub fn routes(&self) -> &[NameAddr] {
        let bound = self.last_bound().map(|bound| &bound.service_route);
        bound.filter(|routes| !routes.is_empty()).unwrap_or(&self.settings.routes)
    }

    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    pub fn standing(&self, now: Mono) -> Standing {
        match &self.trouble {
            _ if !self.wanted => Standing::Withdrawn,
            _ if self.bound(now).is_some() => Standing::Registered,
            Some(trouble) if trouble.cause.is_refusal() => Standing::Refused,
            Some(_) => Standing::Failing,
            None => Standing::Trying,
        }
    }

    /// When it is asked anew by itself.
    pub fn next(&self) -> Option<Mono> {
        if let State::Rests(until) = self.state { Some(until) } else { None }
    }

    pub(super) fn leaves(&self) -> bool {
        self.leaving
    }

    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    /// The flows to the hops of its trunk that are known, the one by which it is registered first.
    pub fn hops(&self) -> &[Flow] {
        &self.hops
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        let state = match &self.state {
            State::Rests(until) | State::Finds(until) => Some(*until),
            State::Asks(asking) => Some(asking.until),
            State::Gone => None,
        };
        [state, self.bound.as_ref().map(|bound| bound.until)].into_iter().flatten().min()
    }

    /// Other settings: it registers with them at once, where a REGISTER by them is another one. One that was about to leave stays.
    pub(super) fn change(&mut self, cx: &mut Cx, settings: Settings) {
        let returns = std::mem::take(&mut self.leaving);
        let alike = self.settings.asks_alike(&settings);
        if !alike {
            if (&self.settings.target, &self.settings.login) != (&settings.target, &settings.login) {
                // The carrier that serves from now on knows nothing of it yet.
                self.hops.clear();
                cx.out.extend(self.bound.take().map(|_| News::Lost(self.id)));
            }
            self.outbound = settings.outbound;
            (self.proofs, self.trouble, self.least) = (Proofs::default(), None, Duration::ZERO);
            (self.failures, self.refusals) = (0, 0);
        }
        self.settings = settings;
        self.wanted |= returns;
        if !alike || returns {
            self.go_on(cx, false);
        }
    }

    pub(super) fn leave(&mut self, cx: &mut Cx) {
        self.leaving = true;
        if self.wanted {
            self.turn_wish(cx);
        }
    }

    /// It is wanted no more, or again.
    pub(super) fn turn_wish(&mut self, cx: &mut Cx) {
        self.wanted = !self.wanted;
        self.go_on(cx, false);
    }

    /// Registers or withdraws, as is wanted now. `asked`: a REGISTER may have been taken that we know nothing of.
    fn go_on(&mut self, cx: &mut Cx, asked: bool) {
        match (&self.state, self.wanted) {
            (State::Asks(asking), _) => {
                self.again = true;
                // Its withdrawal is under way: calls cannot go by it until it is registered anew.
                self.bound.take_if(|_| asking.expires.is_zero());
            }
            (_, true) => self.begin(cx),
            (_, false) if asked || self.bound.is_some() => self.ask(cx, Round::default()),
            (_, false) => self.state = State::Gone,
        }
    }

    pub(super) fn begin(&mut self, cx: &mut Cx) {
        self.state = State::Finds(cx.now.mono.after(FINDING));
        cx.out.push(News::Find(self.id));
    }

    pub(super) fn reached(&mut self, cx: &mut Cx, flows: Vec<Flow>) {
        if !matches!(self.state, State::Finds(_)) {
            return;
        }
        if flows.is_empty() {
            return self.failed(cx, Cause::NoAddress, None, None);
        }
        // The one by which it is registered serves on while it is there.
        let known = self.bound.as_ref().and_then(|bound| flows.iter().position(|flow| *flow == bound.flow));
        let passed = usize::from(std::mem::take(&mut self.passes_over));
        let first = known.map_or(0, |at| at + passed) % flows.len();
        self.hops = flows;
        self.hops.rotate_left(first);
        self.ask(cx, Round::default());
    }

    /// The next hop's turn, within this attempt; false where all have had theirs.
    pub(super) fn next_hop(&mut self, cx: &mut Cx) -> bool {
        if self.hops.len() < 2 {
            return false;
        }
        self.hops.remove(0);
        self.ask(cx, Round::default());
        true
    }

    pub(super) fn passes_over_hop(&mut self) {
        self.passes_over = true;
    }

    /// Asks anew within this time. A carrier that refuses is not asked sooner for that.
    pub(super) fn asked_soon(&mut self, cx: &mut Cx, within: Duration) {
        let since = self.bound.as_ref().map_or(cx.now.mono, |bound| bound.since);
        if let (State::Rests(until), None) = (&self.state, &self.trouble) {
            let soon = cx.now.mono.after(cx.rng.between(Duration::ZERO, within));
            self.state = State::Rests(soon.max(since.after(RECONNECT)).min(*until));
        }
    }

    pub(super) fn tick(&mut self, cx: &mut Cx) {
        let now = cx.now.mono;
        if self.bound.take_if(|bound| bound.until <= now).is_some() && self.wanted {
            cx.out.push(News::Lost(self.id));
        }
        match &self.state {
            State::Rests(until) if *until <= now => self.begin(cx),
            State::Finds(until) if *until <= now => self.failed(cx, Cause::NoAddress, None, None),
            State::Asks(asking) if asking.until <= now => {
                cx.ua.finished(asking.client);
                match std::mem::take(&mut self.again) {
                    true => self.repeat(cx),
                    false => self.unanswered(cx, Failure::Timeout),
                }
            }
            _ => {}
        }
    }

    pub(super) fn hear(&mut self, cx: &mut Cx, event: transaction::Event) {
        use transaction::Event::{Failed, Response};
        let (id, response) = match event {
            Response { id, response, .. } if response.status.provisional() => return self.hop_lives(cx, id),
            Response { id, response, .. } => (id, Ok(response)),
            Failed { id, cause } => (id, Err(cause)),
            _ => return,
        };
        let asking = match std::mem::replace(&mut self.state, State::Rests(cx.now.mono.after(ASKING))) {
            State::Asks(asking) if asking.client == id => asking,
            state => {
                self.state = state;
                return;
            }
        };
        cx.ua.finished(id);
        if std::mem::take(&mut self.again) {
            return self.repeat(cx);
        }
        match response {
            Ok(response) => self.response(cx, &asking, &response),
            Err(cause) => self.unanswered(cx, cause),
        }
    }

    /// The REGISTER is over that something else has waited for. It may have been taken.
    fn repeat(&mut self, cx: &mut Cx) {
        self.state = State::Rests(cx.now.mono);
        self.go_on(cx, true);
    }

    /// It is at work: no other hop is asked meanwhile.
    fn hop_lives(&mut self, cx: &Cx, id: ClientId) {
        if let State::Asks(asking) = &mut self.state
            && asking.client == id
        {
            asking.until = asking.until.max(cx.now.mono.after(ASKING));
        }
    }

    /// An attempt has come to nothing: it rests, the longer the more often in a row. `after`: the carrier's wish.
    pub(super) fn failed(&mut self, cx: &mut Cx, cause: Cause, status: Option<Status>, after: Option<Duration>) {
        let trouble = Trouble { cause, status, at: cx.now.mono };
        if !self.wanted {
            self.bound = None;
            self.state = State::Gone;
            return;
        }
        let news = self.trouble.is_none_or(|before| (before.cause, before.status) != (cause, status));
        self.trouble = Some(trouble);
        let (rests, times) = match cause.is_refusal() {
            true => (&RESTS_WHEN_REFUSED[..], &mut self.refusals),
            false => (&RESTS[..], &mut self.failures),
        };
        let rest = rests.get(*times).or(rests.last()).copied().unwrap_or_default();
        *times = times.saturating_add(1);
        if cause.is_refusal() {
            (self.bound, self.proofs) = (None, Proofs::default());
        }
        let rest = cx.rng.between(rest.saturating_mul(3) / 4, rest);
        let left = self.bound(cx.now.mono).map(|bound| bound.until.since(cx.now.mono));
        let rest = left.map_or(rest.max(after.unwrap_or_default()), |left| in_time(rest, after, left));
        self.state = State::Rests(cx.now.mono.after(rest));
        if news {
            cx.out.push(News::Failed(self.id, trouble));
        }
    }

    /// It is registered until then, and asks anew before.
    pub(super) fn registered(&mut self, cx: &mut Cx, bound: Bound, refresh: Duration) {
        let news = self.bound.is_none() || self.trouble.is_some();
        (self.failures, self.refusals, self.trouble) = (0, 0, None);
        self.bound = Some(bound);
        self.state = State::Rests(cx.now.mono.after(refresh));
        if news {
            cx.out.push(News::Registered(self.id));
        }
    }

    /// Sends the next REGISTER (RFC 3261 §10.2): one that withdraws, where it is wanted no more.
    pub(super) fn ask(&mut self, cx: &mut Cx, round: Round) {
        let Some(flow) = self.hops.first().copied() else { return self.failed(cx, Cause::NoAddress, None, None) };
        let expires = if self.wanted { self.settings.expires.max(self.least) } else { Duration::ZERO };
        let mut request = self.request(flow, expires);
        self.proofs.sign(&self.settings.login, &mut request, cx.rng);
        let client = cx.ua.send(cx.now, flow, request, Some(Usage::Registration(self.id)));
        let Round { number, denied } = round;
        // Where there is no other hop, the transaction's own end is waited for.
        let until = cx.now.mono.after(if self.hops.len() > 1 { cx.hop_timeout } else { ASKING });
        self.state = State::Asks(Asking { client, until, expires, round: number + 1, denied });
    }
}

/// The rest of an account that is still registered for so long: it tries again when half of that is over at the latest, or when the
/// carrier lets it, and in any case before the registration ends.
fn in_time(rest: Duration, asked: Option<Duration>, left: Duration) -> Duration {
    let half = (left / 2).max(SHORTEST);
    match asked {
        Some(asked) if asked + IN_TIME > left => half,
        asked => rest.min(half).max(asked.unwrap_or_default()),
    }
}

/// Where an attempt stands that asks again at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    pub number: u32,
    pub denied: bool,
}
