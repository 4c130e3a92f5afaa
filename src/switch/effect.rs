//! Effects that a call wants done, done by the rooms.

use super::by_account::Other;
use super::keys::Keypad;
use super::resolve::Called;
use super::{Active, Leg, Output, Switch, Work, route};
use crate::base::{CallId, Flow, LegId, Now, RtpStats};
use crate::call::{self, Audio, CALLER, Dialled, LegEvent, LegNo, QueueCommand};
use crate::dialog::{self, Cause, End, EndedBy, LocalMedia};
use crate::event::{TransferKind, What};
use crate::media::{self, Source};
use crate::queue;
use crate::sip::Codec;
use std::net::SocketAddr;
use std::sync::Arc;

impl Switch {
    pub(super) fn effect(&mut self, now: Now, id: CallId, effect: call::Output, out: &mut Vec<Output>) {
        match effect {
            call::Output::Attach { leg: leg_no } => self.attach(now, id, leg_no, out),
            call::Output::Dial { leg: leg_no, party } => self.dial(now, id, leg_no, &party, out),
            call::Output::Progress { leg: leg_no, status, media } => {
                self.command(now, id, leg_no, out, |leg| dialog::Command::Progress { leg, status, media });
            }
            call::Output::Answer { leg: leg_no } => {
                self.command(now, id, leg_no, out, |leg| dialog::Command::Answer { leg });
            }
            call::Output::Unreached { leg: leg_no } => self.unreached(now, id, leg_no),
            call::Output::Hangup { leg: leg_no, .. } if self.resolving.len() > 0 && self.gives_up(id, leg_no) => {}
            call::Output::Hangup { leg: leg_no, cause } => {
                let cause = self.as_the_trunk_says(id, leg_no, cause);
                self.command(now, id, leg_no, out, |leg| dialog::Command::Hangup { leg, cause });
            }
            call::Output::Profile { leg: leg_no, profile, keys } => self.profile(id, leg_no, (profile, keys), out),
            call::Output::Play { leg: leg_no, audio } => self.play(id, leg_no, &audio, out),
            call::Output::Close { leg: leg_no } => {
                self.recording_outlives(now, id, leg_no, out);
                self.close(id, leg_no, out);
            }
            call::Output::Queue(command) => {
                if let QueueCommand::Join { queue, .. } = &command {
                    self.queue_records(now, id, queue, out);
                }
                self.queue(now, id, command);
            }
            call::Output::Announcing { prompt } => self.announcing(now, id, &prompt, out),
            call::Output::Ringing { leg: leg_no, party, choice } => self.ringing(now, id, leg_no, party, choice, out),
            call::Output::Joined { leg: leg_no, party } => self.joined(now, id, leg_no, party, out),
            call::Output::TransferStarted { seq, kind, by, to, .. } => {
                self.transfer_started(id, seq);
                self.write(now, id, What::TransferStarted { seq, kind, by: by.0, to }, out);
                if kind == TransferKind::Emergency {
                    self.record_help(now, id, out);
                }
            }
            call::Output::TransferEnded { seq, result, failure } => {
                self.transfer_ended(now, id, seq, (result, failure), out);
                self.write(now, id, What::TransferEnded { seq, result }, out);
            }
            call::Output::Muted { .. } => {}
            call::Output::Supervising { leg, of, by, seat, mode } => {
                self.write(now, id, What::Supervised { leg: leg.0, of: of.0, by: by.clone(), mode }, out);
                self.supervising(now, id, &by, &seat, mode, out);
            }
            call::Output::HoldForgotten { leg, seat, alarm } => {
                self.write(now, id, What::HoldForgotten { leg: leg.0, alarm }, out);
                self.hold_forgotten(now, (id, leg), &seat.into(), alarm, out);
            }
            call::Output::Ended(outcome) => self.ended(now, id, outcome, out),
            call::Output::Journal(what) => {
                self.note_hold(id, &what);
                self.write(now, id, what, out);
            }
            call::Output::WantsCallback => self.wants_callback(now, id, out),
            call::Output::Message(command) => self.message(now, id, command, out),
            call::Output::CallerDialled => self.person_dialled(now, id, out),
            call::Output::Done => self.forget(now, id),
        }
    }

    fn attach(&mut self, now: Now, id: CallId, leg_no: LegNo, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        let codecs = match leg_no {
            CALLER => active.identity.codecs.clone(),
            _ => active.identity.offer_order(&[Codec::Pcma, Codec::Pcmu]),
        };
        let Some(leg) = active.legs.get_mut(&leg_no) else { return };
        let v6 = leg.ipv6;
        let Some(rtp) = self.port(id, v6) else {
            self.no_port(now, id);
            let cause = Cause { status: 503, q850: Some(34), ..Cause::default() };
            return self.command(now, id, leg_no, out, |leg| dialog::Command::Hangup { leg, cause });
        };
        let Some(active) = self.calls.get_mut(&id) else { return };
        let Some(leg) = active.legs.get_mut(&leg_no) else { return };
        leg.rtp = Some(rtp);
        let (leg, origins, srtp, shard) = (leg.id, leg.origins.clone(), leg.srtp.clone(), active.shard);
        out.push(Output::Media { shard, command: media::Command::Open { leg, rtp, origins } });
        self.tap(id, leg_no, out);
        self.attend(id, leg_no, out);
        self.refill(now, shard, out);
        let local = LocalMedia { rtp, codecs, srtp };
        self.leg_command(now, dialog::Command::Attach { leg, local }, out);
    }

    fn dial(&mut self, now: Now, id: CallId, leg_no: LegNo, party: &Dialled, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        let (setups, seats) = (([&*self.setup, &*active.setup], &self.access), (self.queues.seats(), self.ua.registered()));
        let routed = route::route(&self.fixed, setups, seats, party, active.emergency, (&self.channels, &self.carriers));
        let Some(mut route) = routed else {
            self.counters.no_route += 1;
            return self.cannot_dial(id, leg_no);
        };
        route.answers_itself = matches!(party, Dialled::Seat { name } if self.answers_itself(name));
        let Some(flow) = route.flow else { return self.resolve(now, id, leg_no, route, out) };
        let (flow, others) = route.ways(flow, |peer| self.outages.is_out(now.mono, peer));
        let Some(rtp) = self.port(id, flow.remote.is_ipv6()) else {
            self.no_port(now, id);
            return self.cannot_dial(id, leg_no);
        };
        let party = Called { call: id, leg_no, leg: self.legs.next_id(), route };
        self.add_leg(&party, flow.remote, Some(rtp));
        self.connect(now, party, rtp, (flow, others), out);
    }

    /// The leg of a party that will be called, in the place that it has in the call.
    pub(super) fn add_leg(&mut self, party: &Called, at: SocketAddr, rtp: Option<SocketAddr>) {
        let Called { call, leg_no, leg, route } = party;
        let Some(active) = self.calls.get_mut(call) else { return };
        route.trunk.iter().for_each(|trunk| self.channels.take(trunk));
        let new = Leg::new(*leg, at, rtp, route.origins.clone(), self.setup.clone());
        let (trunk, pad) = (route.trunk.clone(), Keypad::new(route.dtmf));
        let home = self.homes.hold(at.ip());
        active.legs.insert(*leg_no, Leg { trunk, pad, closed: rtp.is_none(), home, ..new });
        self.leg_calls.insert(*leg, (*call, *leg_no));
    }

    /// Calls a party by the first of these, and by the others should that fail.
    pub(super) fn connect(
        &mut self,
        now: Now,
        party: Called,
        rtp: SocketAddr,
        (flow, others): (Flow, Vec<Other>),
        out: &mut Vec<Output>,
    ) {
        let Called { call: id, leg_no, leg, route } = party;
        let call_id = format!("{}{}", self.rng.token(), self.rng.token());
        if leg_no == CALLER {
            self.count_person(now, id, out);
        }
        let Some(active) = self.calls.get_mut(&id) else { return };
        let person = (leg_no == CALLER).then(|| active.identity.of_hotline());
        let identity = person.as_ref().unwrap_or(&active.identity);
        // Loosened only where the keys of what is required cannot travel: a phone that seals takes nothing else.
        let srtp = if route.srtp.goes_by(flow.proto) { route.srtp } else { route.srtp.for_call(active.emergency) };
        let srtp = srtp.keys(flow.proto, active.emergency, &mut self.rng);
        let local = LocalMedia { rtp, codecs: identity.offer_order(&route.codecs), srtp };
        let dial = route.dial(leg, call_id.clone(), (flow, others), local, identity, (id, &active.data));
        let shard = active.shard;
        let Some(new) = active.legs.get_mut(&leg_no) else { return };
        (new.call_id, new.at, new.ipv6) = (Some(call_id), flow.remote, flow.remote.is_ipv6());
        (new.rtp, new.closed) = (Some(rtp), false);
        self.peer_tried(now, flow.remote);
        out.push(Output::Media { shard, command: media::Command::Open { leg, rtp, origins: route.origins } });
        self.tap(id, leg_no, out);
        self.attend(id, leg_no, out);
        self.refill(now, shard, out);
        self.leg_command(now, dialog::Command::Dial(Box::new(dial)), out);
    }

    /// A pair for a leg of the call, which counts as the one's who placed it.
    pub(super) fn port(&mut self, id: CallId, v6: bool) -> Option<SocketAddr> {
        let active = self.calls.get(&id)?;
        let source = &active.identity.trunk;
        if !active.emergency && self.ports.charged(source) >= self.share(self.ports.all()) {
            return None;
        }
        let pair = self.ports.take(active.shard, v6, active.emergency)?;
        self.ports.charge(pair, source);
        Some(pair)
    }

    /// The leg gets, or is taken to have given, 503 with cause 34: no circuit.
    pub(super) fn no_port(&mut self, now: Now, id: CallId) {
        self.counters.no_port += 1;
        let why = match self.ports.scarce() {
            true => "there are no more sockets: raise the limit of open files",
            false => "the ports of media.first_port to media.last_port are in use, at rest or not bound yet",
        };
        if let Some(unsaid) = self.notices.may_say(now.mono, self.setup.notices) {
            let unsaid = (unsaid > 0).then_some(unsaid);
            tracing::warn!(call = %id, why, unsaid, "no media port for a party");
        }
    }

    /// The call learns it as it learns of a refusal: 503, no circuit available.
    fn cannot_dial(&mut self, id: CallId, leg_no: LegNo) {
        let end = End { q850: Some(34), ..End::new(EndedBy::Us, Some(503)) };
        self.work.push_back(Work::Call(id, call::Input::Leg { leg: leg_no, event: LegEvent::Ended(end) }));
    }

    fn play(&mut self, id: CallId, leg_no: LegNo, audio: &Audio, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get(&id) else { return };
        let source = match audio {
            Audio::Silence => Source::Silence,
            Audio::Words { words, cue } => self.words(id, words, *cue),
            Audio::Ringback => Source::Ringback,
            Audio::Mix(parts) => {
                let legs = parts.iter().filter_map(|leg_no| active.legs.get(leg_no)).map(|leg| leg.id);
                Source::Mix(legs.collect())
            }
            Audio::Relay(other) | Audio::Early(other) => match (active.legs.get(other), audio) {
                (Some(leg), Audio::Early(_)) => Source::Early(leg.id),
                (Some(leg), _) => Source::Relay(leg.id),
                (None, _) => return,
            },
            Audio::Prompt { name, repeat, cue } => match active.setup.prompts.get(&**name) {
                Some(audio) => Source::Prompt { audio: audio.clone(), repeat: *repeat, cue: *cue },
                None => {
                    // `check` finds this before the day; on the day the caller goes on without the words.
                    self.counters.missing_prompts += 1;
                    tracing::error!(call = %id, prompt = %name, "no such prompt");
                    self.work.push_back(Work::Call(id, call::Input::Played { cue: *cue }));
                    Source::Silence
                }
            },
        };
        self.media(id, leg_no, out, |leg| media::Command::Play { leg, source });
    }

    /// Words that have no sound are left out: the others are said all the same.
    fn words(&mut self, id: CallId, words: &[Arc<str>], cue: u32) -> Source {
        let Some(active) = self.calls.get(&id) else { return Source::Silence };
        let known = |word: &Arc<str>| active.setup.prompts.get(&**word).cloned();
        let sounds: Vec<_> = words.iter().filter_map(known).collect();
        if sounds.len() < words.len() {
            self.counters.missing_prompts += 1;
            tracing::error!(call = %id, ?words, "not all of these words have a sound");
        }
        Source::Words { words: sounds.into(), cue }
    }

    /// From here on nothing more is said to the leg's media.
    fn close(&mut self, id: CallId, leg_no: LegNo, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        let shard = active.shard;
        match active.legs.get_mut(&leg_no).and_then(|leg| leg.rtp.take().map(|_| leg.id)) {
            Some(leg) => out.push(Output::Media { shard, command: media::Command::Close { leg } }),
            None => {
                let stats = RtpStats::default();
                self.work.push_back(Work::Call(id, call::Input::Closed { leg: leg_no, stats }));
                self.retire(id, leg_no, |leg| leg.closed = true);
            }
        }
    }

    fn queue(&mut self, now: Now, id: CallId, command: QueueCommand) {
        let Some(identity) = self.calls.get(&id).map(|active| &active.identity) else { return };
        let input = match command {
            QueueCommand::Join { queue, priority, head } => {
                let (source, hotline) = (identity.trunk.clone(), identity.line.clone());
                let caller = identity.caller.as_deref().filter(|_| self.queues.keeps_last_seats()).map(Arc::from);
                queue::Input::Join(queue::Join { call: id, queue, priority, head, source, hotline, caller })
            }
            QueueCommand::Ask => return self.tell_place(id),
            QueueCommand::Leave => queue::Input::Leave { call: id },
            QueueCommand::Answered { seat } => queue::Input::Answered { call: id, seat },
            QueueCommand::Rang { seat } => queue::Input::Rang { call: id, seat },
            QueueCommand::Refused { seat, failure } => queue::Input::Refused { call: id, seat, failure },
            QueueCommand::Dropped { queue, seat } => queue::Input::Dropped { call: id, queue, seat },
            QueueCommand::Lost { queue, seat } => queue::Input::Lost { call: id, queue, seat },
            QueueCommand::Freed { seat } => queue::Input::Freed { call: id, seat },
        };
        self.queue_input(now, input);
    }

    fn tell_place(&mut self, id: CallId) {
        let Some((ahead, wait)) = self.queues.place(id) else { return };
        let event = call::QueueEvent::Place { ahead: u32::try_from(ahead).unwrap_or(u32::MAX), wait };
        self.work.push_back(Work::Call(id, call::Input::Queue(event)));
    }

    pub(super) fn queue_input(&mut self, now: Now, input: queue::Input) {
        self.queues.handle(now, input, &mut self.queues_done);
        self.work.extend(self.queues_done.drain(..).map(Work::Queue));
    }

    pub(super) fn queue_output(&mut self, now: Now, output: queue::Output) {
        let (id, event) = match output {
            queue::Output::Ring { call, seat, choice } => (call, call::QueueEvent::Ring { seat, choice }),
            queue::Output::Stop { call, seat, elsewhere } => (call, call::QueueEvent::Stop { seat, elsewhere }),
            queue::Output::Full { call } => (call, call::QueueEvent::Full),
            queue::Output::TimedOut { call } => (call, call::QueueEvent::TimedOut),
            queue::Output::NoSeat { call } => (call, call::QueueEvent::NoSeat),
        };
        // Its chain of other ways may offer a call back.
        let unserved = matches!(event, call::QueueEvent::Full | call::QueueEvent::TimedOut | call::QueueEvent::NoSeat);
        if unserved && self.calls.get(&id).is_some_and(|active| !self.can_be_rung_back(now, active)) {
            self.calls.entry(id).and_modify(|active| active.call.is_not_rung_back());
        }
        self.work.push_back(Work::Call(id, call::Input::Queue(event)));
    }

    /// A leg is over: the channel of its trunk is free.
    pub(super) fn leg_over(&mut self, id: CallId, leg_no: LegNo) {
        let Some(leg) = self.calls.get_mut(&id).and_then(|active| active.legs.get_mut(&leg_no)) else { return };
        if !std::mem::replace(&mut leg.ended, true) {
            leg.trunk.iter().for_each(|trunk| self.channels.give_back(trunk));
        }
        self.retire(id, leg_no, |_| {});
    }

    /// A party whose leg and media are both over is known no more: however many seats ring for a caller, the call holds those
    /// that live.
    pub(super) fn retire(&mut self, id: CallId, leg_no: LegNo, note: impl FnOnce(&mut Leg)) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        let Some(leg) = active.legs.get_mut(&leg_no) else { return };
        note(leg);
        if leg.ended && leg.closed && leg_no != CALLER {
            self.leg_calls.remove(&leg.id);
            active.legs.remove(&leg_no);
            active.typed.remove(&leg_no);
        }
    }

    fn forget(&mut self, now: Now, id: CallId) {
        if let Some(active) = self.calls.remove(&id) {
            self.timers.cancel(&id);
            self.lingering.remove(&id);
            self.placed.remove(&id);
            self.carried.give_back(&active.identity.trunk);
            for leg in active.legs.values() {
                self.leg_calls.remove(&leg.id);
                self.resolving.forget(leg.id);
            }
            self.recorder.calls -= usize::from(active.recording.counted);
            active.forgotten(id, now);
            drop(active);
            self.frees_seats(now, id);
            self.former.prune(now.mono);
        }
    }

    fn leg(&self, id: CallId, leg_no: LegNo) -> Option<(&Active, &Leg)> {
        let active = self.calls.get(&id)?;
        Some((active, active.legs.get(&leg_no)?))
    }

    pub(super) fn media(&self, id: CallId, leg_no: LegNo, out: &mut Vec<Output>, command: impl FnOnce(LegId) -> media::Command) {
        if let Some((active, leg)) = self.leg(id, leg_no)
            && leg.rtp.is_some()
        {
            out.push(Output::Media { shard: active.shard, command: command(leg.id) });
        }
    }

    pub(super) fn command(
        &mut self,
        now: Now,
        id: CallId,
        leg_no: LegNo,
        out: &mut Vec<Output>,
        command: impl FnOnce(LegId) -> dialog::Command,
    ) {
        if let Some((_, leg)) = self.leg(id, leg_no) {
            let command = command(leg.id);
            self.leg_command(now, command, out);
        }
    }
}
