//! The phones of seats that register: who may speak without being named by the configuration, which seat an INVITE is from, and
//! where a seat can be reached.
//!
//! A source that nothing names is heard for nothing but REGISTER, and for that only from the networks that the operator lists.
//! The flow of a live binding is its seat's. Somebody else at the same host (its NAT has others behind it) is asked for a
//! password before it may call.

use super::admit::Placer;
use super::dialled::Said;
use super::{Output, Seat, Switch, route};
use crate::base::{Flow, LegId, Mono, Now, Rng};
use crate::dialog::{self, Incoming};
use crate::event::{BindingFact, BindingsFact, Fact, FactKind, Keep};
use crate::queue;
use crate::seat::Binding;
use crate::sip::digest;
use crate::sip::{Host, Method, Name, NameAddr, Request, Status, Uri};
use crate::transaction::ServerId;
use crate::ua::registrar::{Answer, Config, Figures, Kept, Outcome, Proof, Registrar};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A host whose last binding has gone is heard for so long, and while a call of it goes on: a BYE and the 2xx that crosses it
/// each last 64·T1.
const AFTERMATH: Duration = Duration::from_secs(64);
const PRUNED: Duration = Duration::from_secs(1);

/// Hosts of phones, and calls that hold them.
#[derive(Default)]
pub(super) struct Homes {
    all: BTreeMap<IpAddr, Home>,
    pruned: Mono,
}

struct Home {
    token: Arc<()>,
    /// Forgotten then, unless a phone is there or a call holds it.
    until: Mono,
}

impl Homes {
    pub fn knows(&self, host: IpAddr) -> bool {
        self.all.contains_key(&host)
    }

    /// The token of a call with a phone there.
    pub fn hold(&self, host: IpAddr) -> Option<Arc<()>> {
        self.all.get(&host).map(|home| home.token.clone())
    }

    fn note(&mut self, now: Mono, host: IpAddr) {
        let home = self.all.entry(host).or_insert_with(|| Home { token: Arc::default(), until: now });
        home.until = now.after(AFTERMATH);
    }

    fn prune(&mut self, now: Mono, live: impl Fn(IpAddr) -> bool) {
        if now.since(self.pruned) < PRUNED {
            return;
        }
        self.pruned = now;
        self.all.retain(|host, home| {
            if Arc::strong_count(&home.token) > 1 || live(*host) {
                home.until = now.after(AFTERMATH);
            }
            home.until > now
        });
    }
}

/// A registrar whose nonces nobody guesses.
pub(super) fn registrar(config: &Option<Arc<Config>>, rng: &mut Rng) -> Option<Registrar> {
    config.as_ref().map(|config| Registrar::new(&key(rng), config.clone()))
}

fn key(rng: &mut Rng) -> Vec<u8> {
    (0..4).map(|_| rng.token()).collect::<String>().into_bytes()
}

impl Switch {
    /// Tells whether a message from there is read though nobody has its address, neither trunk nor seat nor phone: it wants to
    /// register, and comes from the operator's networks.
    pub(super) fn may_register(&mut self, now: Now, flow: Flow, data: &[u8]) -> bool {
        let Some(registrar) = self.ua.registered() else { return false };
        let may = data.starts_with(b"REGISTER ") && registrar.admits(flow.remote.ip()) && registrar.hears(now.mono, flow);
        may && self.strangers.allow(now.mono, flow.remote.ip())
    }

    /// True for an INVITE whose sender must prove who it is: it comes from a phone's host, and from no phone that is known.
    pub(super) fn must_prove(&self, flow: Flow, request: &Request) -> bool {
        let Some(registrar) = self.ua.registered().filter(|_| request.method == Method::Invite) else { return false };
        self.is_known_by_password(flow.remote.ip()) && !registrar.is_direct(flow)
    }

    /// Nobody is at this host but phones that register, or who would like to be one.
    fn is_known_by_password(&self, host: IpAddr) -> bool {
        self.access.find(host).is_none() && self.homes.knows(host)
    }

    /// Tells whether it does; then it may begin a call. Else it has its answer.
    pub(super) fn proves(&mut self, now: Now, id: ServerId, flow: Flow, request: &Request) -> bool {
        let before = self.failures();
        let reading = self.reading_at(flow, &request.uri);
        let help = reading.goes_first(&reading.called(Said { uri: &request.uri, to: None, headers: &request.headers.0 }));
        let Some(registrar) = self.ua.registrar() else { return false };
        match registrar.prove(now.mono, flow, request, help) {
            Proof::Given(_) => return true,
            Proof::Unheard => self.ua.ignore(id),
            Proof::Missing(answer) => self.answer(now, id, request, answer),
        }
        self.note_failures(now, flow, before);
        false
    }

    pub(super) fn register(&mut self, now: Now, id: ServerId, flow: Flow, request: &Request, out: &mut Vec<Output>) {
        let before = self.failures();
        let Some(registrar) = self.ua.registrar() else { return };
        if !registrar.admits(flow.remote.ip()) {
            let answer = Answer { status: 403, reason: "Not From Here", headers: Vec::new(), proved: false };
            return self.answer(now, id, request, answer);
        }
        match registrar.register(now, flow, request) {
            Outcome::Silence => self.ua.ignore(id),
            Outcome::Answer(answer) => self.answer(now, id, request, answer),
            Outcome::Bound(seat, answer) => {
                self.answer(now, id, request, answer);
                self.homes.note(now.mono, flow.remote.ip());
                self.queue_input(now, queue::Input::SignOfLife { seat: seat.clone(), request: true });
                self.bound(now, &seat, out);
            }
        }
        self.note_failures(now, flow, before);
    }

    /// A connection is gone, and with it the places that were reached by it.
    pub(super) fn flow_is_gone(&mut self, now: Now, flow: Flow, out: &mut Vec<Output>) {
        let gone = self.ua.registrar().as_mut().map(|registrar| registrar.flow_failed(flow)).unwrap_or_default();
        gone.iter().for_each(|seat| self.bound(now, seat, out));
    }

    pub(super) fn registrations_end(&mut self, now: Now, out: &mut Vec<Output>) {
        let gone = self.ua.registrar().as_mut().map(|registrar| registrar.tick(now.mono)).unwrap_or_default();
        gone.iter().for_each(|seat| self.bound(now, seat, out));
        if let Some(registrar) = self.ua.registered() {
            self.homes.prune(now.mono, |host| registrar.is_home(host));
        }
    }

    /// A reload brings other settings, or none.
    pub(super) fn configure_registrar(&mut self, now: Now, out: &mut Vec<Output>) {
        let (config, key) = (self.setup.registrar.clone(), key(&mut self.rng));
        let gone = match (self.ua.registrar(), config) {
            (Some(registrar), Some(config)) => registrar.configure(&key, config),
            (none @ None, Some(config)) => {
                *none = Some(Registrar::new(&key, config));
                Vec::new()
            }
            (some, None) => some.take().map(|registrar| registrar.seats().cloned().collect()).unwrap_or_default(),
        };
        gone.iter().for_each(|seat| self.bound(now, seat, out));
    }

    /// Bindings that the process before this one had.
    pub(super) fn restore_bindings(&mut self, now: Now, BindingsFact { seat, bindings }: &BindingsFact) {
        let Some(registrar) = self.ua.registrar() else { return };
        registrar.restore(now, seat, &bindings.iter().map(kept).collect::<Vec<_>>());
        registrar.bindings(seat).iter().for_each(|binding| self.homes.note(now.mono, binding.flow().remote.ip()));
    }

    pub(super) fn phones(&self) -> Figures {
        self.ua.registered().map(Registrar::figures).unwrap_or_default()
    }

    /// Nothing is heard of a phone that registered, which may be muted or cut off: it is asked. Where it does not answer, its
    /// caller goes to the queue's head.
    pub(super) fn probe(&mut self, now: Now, leg: LegId, out: &mut Vec<Output>) {
        let of = self.leg_calls.get(&leg).and_then(|(id, leg_no)| self.calls.get(id)?.legs.get(leg_no));
        if of.is_some_and(|leg| leg.home.is_some() && leg.trunk.is_none()) {
            self.leg_command(now, dialog::Command::Probe { leg }, out);
        }
    }

    fn failures(&self) -> (u64, u64) {
        self.ua.registered().map(Registrar::failures).unwrap_or_default()
    }

    /// The seat whose phone sends this INVITE; none where it is no phone's.
    pub(super) fn by_phone(&self, incoming: &Incoming) -> Option<usize> {
        let registrar = self.ua.registered()?;
        let of = |name: &Arc<str>| self.access.seat(name);
        let here: Vec<usize> = registrar.at(incoming.flow).filter_map(of).collect();
        if let [first, others @ ..] = &here[..] {
            // One account alone is itself whatever it says.
            return self.which(incoming, &here).or(others.is_empty().then_some(*first));
        }
        if !self.is_known_by_password(incoming.flow.remote.ip()) {
            return None;
        }
        // It has been verified on its way here.
        let answers = incoming.headers.iter().filter(|header| header.name == Name::Authorization);
        let user = answers.filter_map(|header| digest::Answer::parse(&header.value)).find_map(|answer| {
            let ours = self.setup.registrar.as_ref().is_some_and(|config| config.realm == answer.realm);
            ours.then_some(answer.user)
        });
        of(registrar.seat_of(&user?)?)
    }

    /// The one of these seats that an INVITE says it is from. From may say nobody where the number is withheld; then the place
    /// where the phone wants to be reached tells, as it registered it, or the identity that it asks for (RFC 3325 §9.2).
    fn which(&self, incoming: &Incoming, seats: &[usize]) -> Option<usize> {
        let said = |value: &Bytes| NameAddr::parse(value)?.uri.user;
        let user = |index: &usize, user: &str| self.setup.seats.get(*index).is_some_and(|s| s.aor.user.as_deref() == Some(user));
        let reached = |index: &usize, user: &str| {
            let bindings = |seat: &Seat| self.ua.registered().map_or(&[][..], |registrar| registrar.bindings(&seat.name));
            let mut here = self.setup.seats.get(*index).into_iter().flat_map(bindings).filter(|it| it.flow() == incoming.flow);
            here.any(|binding| binding.contact().user.as_deref() == Some(user))
        };
        let find = |by: &dyn Fn(&usize, &str) -> bool, said: &str| seats.iter().find(|index| by(index, said)).copied();
        let from = incoming.from.uri.user.as_deref().and_then(|said| find(&user, said));
        let contact = || find(&reached, &said(incoming.contact.as_ref()?)?);
        let preferred = incoming.headers.iter().filter(|header| header.name == Name::PPreferredIdentity);
        from.or_else(contact).or_else(|| preferred.filter_map(|header| said(&header.value)).find_map(|said| find(&user, &said)))
    }

    /// An INVITE whose source has seats and which names none of them: there is no second line of it and no code, and it is no
    /// seat's own call, but whoever may call is not refused for want of a name.
    pub(super) fn nameless(&self, incoming: &Incoming) -> Option<Placer> {
        let phones: Vec<&Arc<str>> = self.ua.registered().into_iter().flat_map(|registrar| registrar.at(incoming.flow)).collect();
        let host = incoming.flow.remote.ip();
        let is_there = |(_, seat): &(usize, &Seat)| seat.owns(host) || phones.contains(&&seat.name);
        let mut there = self.setup.seats.iter().enumerate().filter(is_there);
        let (lender, seat) = there.next()?;
        let channels = there.fold(seat.channels, |all, (_, seat)| all.saturating_add(seat.channels));
        Some(Placer::Nameless { lender, channels })
    }

    /// The INVITE of a phone that registers, as it is believed: it is its seat's, whatever it says of itself or of where it has
    /// been; and nobody's where it is one of several seats'.
    pub(super) fn as_it_is_believed(&self, placer: &Placer, mut incoming: Incoming) -> Incoming {
        let (Placer::Seat(at) | Placer::Nameless { lender: at, .. }) = placer else { return incoming };
        let Some(seat) = self.setup.seats.get(*at).filter(|seat| seat.registers()) else { return incoming };
        incoming.from.uri = match placer {
            Placer::Seat(_) => seat.aor.clone(),
            _ => Uri::sip("anonymous", Host::Name("anonymous.invalid".to_owned()), None),
        };
        incoming.headers.retain(|header| matches!(header.name, Name::UserAgent | Name::Privacy | Name::Authorization));
        incoming
    }

    /// The seat's bindings may have changed: queue and journal hear of it.
    fn bound(&mut self, now: Now, seat: &Arc<str>, out: &mut Vec<Output>) {
        let registrar = self.ua.registered();
        let kept = registrar.map(|registrar| registrar.kept(now, seat)).unwrap_or_default();
        let bindings = registrar.map(|registrar| route::registered(registrar, seat)).unwrap_or_default();
        let key = seat.to_string();
        let before = self.queues.seats().bindings(seat).to_vec();
        if bindings != before {
            let (phones, at) = (bindings.len(), bindings.first().map(|binding| binding.target.place.to_string()));
            tracing::info!(seat = %seat, phones, at, "a seat's phones have changed");
            let srtp = self.known_seat(seat).map(|known| known.srtp).unwrap_or_default();
            let goes = |binding: &Binding| binding.target.transport.proto().is_some_and(|proto| srtp.goes_by(proto));
            if !bindings.iter().all(goes) {
                tracing::warn!(seat = %seat, "a phone has registered without TLS: its seat requires SRTP, and is called by it for help alone");
            }
        }
        self.queues.bind(now, seat, bindings, &mut self.queues_done);
        self.work.extend(self.queues_done.drain(..).map(super::Work::Queue));
        let keep = match kept.is_empty() {
            true => Keep::Forget { kind: FactKind::Bindings, key },
            false => {
                let bindings = kept.into_iter().map(fact).collect();
                Keep::Set(Box::new(Fact::Bindings(BindingsFact { seat: seat.clone(), bindings })))
            }
        };
        self.keep(keep, out);
    }

    /// Nothing is kept of who has proved nothing.
    fn answer(&mut self, now: Now, id: ServerId, request: &Request, answer: Answer) {
        let mut response = self.ua.stateless_reply(id, request, Status(answer.status));
        response.reason = answer.reason.as_bytes().to_vec().into();
        response.headers.0.extend(answer.headers);
        match answer.proved {
            true => self.ua.respond(now, id, response),
            false => self.ua.dismiss(id, response),
        }
    }

    fn note_failures(&mut self, now: Now, flow: Flow, (failed, bans): (u64, u64)) {
        let after = self.failures();
        if after.0 == failed {
            return;
        }
        let Some(unsaid) = self.notices.may_say(now.mono, self.setup.notices) else { return };
        let unsaid = (unsaid > 0).then_some(unsaid);
        match after.1 > bans {
            true => {
                tracing::warn!(source = %flow, unsaid, "a source has failed to prove who it is too often: it is not heard now")
            }
            false => tracing::info!(source = %flow, unsaid, "a source has failed to prove who it is"),
        }
    }
}

fn kept(fact: &BindingFact) -> Kept {
    let BindingFact { contact, instance, path, flow, direct, call_id, cseq, until, agent } = fact.clone();
    Kept { contact, instance, path, flow, direct, call_id, cseq, until, agent }
}

fn fact(kept: Kept) -> BindingFact {
    let Kept { contact, instance, path, flow, direct, call_id, cseq, until, agent } = kept;
    BindingFact { contact, instance, path, flow, direct, call_id, cseq, until, agent }
}
