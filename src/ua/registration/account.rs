//! One account: what it is doing, and until when.

use super::{Cause, Cx, News, Settings, Trouble};
use crate::base::{Flow, Mono, Proto, Rng};
use crate::sip::digest::{Algorithm, Secret};
use crate::sip::{Host, Method, Name, NameAddr, Request, Status, Uri};
use crate::transaction::{self, ClientId};
use crate::ua::{ALLOW, AccountId, Login, Proofs, Usage};
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
/// A connection that is gone is opened again no sooner after the last time.
const RECONNECT: Duration = Duration::from_secs(10);

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
    call_id: String,
    tag: String,
    seq: u32,
    pub(super) state: State,
    /// The flows to its trunk's hops, the present one first.
    pub(super) hops: Vec<Flow>,
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

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    /// It was registered by this connection.
    pub(super) fn goes_by(&self, flow: Flow) -> bool {
        flow.proto != Proto::Udp && self.bound.as_ref().is_some_and(|bound| bound.flow == flow)
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        let state = match &self.state {
            State::Rests(until) | State::Finds(until) => Some(*until),
            State::Asks(asking) => Some(asking.until),
            State::Gone => None,
        };
        [state, self.bound.as_ref().map(|bound| bound.until)].into_iter().flatten().min()
    }

    /// Other settings: it registers with them at once.
    pub(super) fn change(&mut self, cx: &mut Cx, settings: Settings) {
        if settings == self.settings {
            return;
        }
        if (&self.settings.target, &self.settings.login) != (&settings.target, &settings.login) {
            // The carrier that serves from now on knows nothing of it yet.
            self.hops.clear();
            cx.out.extend(self.bound.take().map(|_| News::Lost(self.id)));
        }
        self.outbound = settings.outbound;
        (self.proofs, self.trouble, self.least) = (Proofs::default(), None, Duration::ZERO);
        (self.failures, self.refusals) = (0, 0);
        self.settings = settings;
        self.go_on(cx, false);
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
            (State::Asks(_), _) => self.again = true,
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
        self.hops = flows;
        self.hops.rotate_left(known.unwrap_or(0));
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

    pub(super) fn flow_failed(&mut self, cx: &mut Cx) {
        let since = self.bound.as_ref().map_or(cx.now.mono, |bound| bound.since);
        // A carrier that refuses and closes is not asked sooner for that.
        if matches!(self.state, State::Rests(_)) && self.trouble.is_none() {
            let soon = cx.rng.between(Duration::ZERO, Duration::from_secs(1));
            self.state = State::Rests(cx.now.mono.after(soon).max(since.after(RECONNECT)));
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
                self.failed(cx, Cause::Silence, None, None);
            }
            _ => {}
        }
    }

    pub(super) fn hear(&mut self, cx: &mut Cx, event: transaction::Event) {
        use transaction::Event::{Failed, Response};
        let (id, response) = match event {
            Response { response, .. } if response.status.provisional() => return,
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
            return self.go_on(cx, true);
        }
        match response {
            Ok(response) => self.response(cx, &asking, &response),
            Err(cause) => self.unanswered(cx, cause),
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
        let rest = cx.rng.between(rest.saturating_mul(3) / 4, rest).max(after.unwrap_or_default());
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
        let until = cx.now.mono.after(ASKING);
        self.state = State::Asks(Asking { client, until, expires, round: number + 1, denied });
    }

    fn request(&mut self, flow: Flow, expires: Duration) -> Request {
        self.seq = self.seq.saturating_add(1);
        let Settings { aor, routes, .. } = &self.settings;
        // The registrar's domain as it is configured, whatever it resolves to (RFC 3261 §10.2).
        let domain = Uri { user: None, params: Default::default(), ..aor.clone() };
        let (seconds, party) = (expires.as_secs(), NameAddr::new(aor.clone()));
        let mut request = Request::new(Method::Register, domain);
        let headers = &mut request.headers;
        headers.push(Name::MaxForwards, "70");
        routes.iter().for_each(|route| headers.push(Name::Route, route.to_string()));
        headers.push(Name::From, format!("{party};tag={}", self.tag));
        headers.push(Name::To, party.to_string());
        headers.push(Name::CallId, self.call_id.clone());
        headers.push(Name::CSeq, format!("{} REGISTER", self.seq));
        let (contact, instance) = (self.contact(flow), self.instance());
        headers.push(Name::Contact, format!("<{contact}>{instance};expires={seconds}"));
        headers.push(Name::Expires, seconds.to_string());
        headers.push(Name::Supported, if self.outbound { "path, outbound" } else { "path" });
        headers.push(Name::Allow, ALLOW);
        request
    }

    /// As whom its carrier knows us in calls: in the realm where it has taken our password, and in no other. Whoever is called may
    /// challenge us, too.
    pub fn login(&self) -> Login {
        let realm = self.settings.login.realm.as_deref().or(self.proofs.realm());
        Login { realm: realm.map(str::to_owned), ..self.settings.login.clone() }
    }

    /// Where calls for it reach us.
    pub fn contact(&self, flow: Flow) -> Uri {
        let mut uri = Uri::sip(&self.settings.contact, Host::Ip(flow.local.ip()), Some(flow.local.port()));
        match flow.proto {
            Proto::Udp => {}
            Proto::Tcp => uri.params.set("transport", Some("tcp")),
            Proto::Tls => uri.params.set("transport", Some("tls")),
        }
        if self.outbound {
            uri.params.set("ob", None);
        }
        uri
    }

    /// RFC 5626 §4.1: the same after a restart, so it follows from the account.
    fn instance(&self) -> String {
        if !self.outbound {
            return String::new();
        }
        let Settings { aor, contact, .. } = &self.settings;
        let hash = Secret::new(Algorithm::Md5, &aor.to_string(), contact, "").hash().to_owned();
        let parts = [hash.get(..8), hash.get(8..12), hash.get(13..16), hash.get(17..20), hash.get(20..32)];
        let [a, b, c, d, e] = parts.map(Option::unwrap_or_default);
        format!(";reg-id=1;+sip.instance=\"<urn:uuid:{a}-{b}-3{c}-8{d}-{e}>\"")
    }
}

/// Where an attempt stands that asks again at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    pub number: u32,
    pub denied: bool,
}
