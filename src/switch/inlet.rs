//! Takes in what comes from the network and from the media plane.

use super::keys::KeySource;
use super::reload::begins;
use super::{Output, Switch, Work};
use crate::base::{Flow, LegId, Now, RtpStats};
use crate::call::{self, LegNo};
use crate::media;
use crate::sip::{Message, Method};
use crate::transport::{self, stun};
use crate::ua::{self, Sent, Usage};
use bytes::Bytes;

impl Switch {
    /// Access list and rate limit stand before the parser.
    pub(super) fn datagram(&mut self, now: Now, flow: Flow, data: Bytes, out: &mut Vec<Output>) {
        let source = flow.remote.ip();
        // Before whatever may be said about a message, for it is none.
        if is_blank(&data) {
            return;
        }
        self.counters.messages_in += 1;
        let known = self.access.find(source).is_some();
        let former = if known { None } else { self.former.knows(source) };
        let strange = !known && former.is_none() && !self.homes.knows(source);
        if strange && !self.may_register(now, flow, &data) {
            return self.stranger(now, flow, data, out);
        }
        // A stranger who registers has been counted as one, and takes no bucket from those that are known.
        if !strange && !self.allows(now.mono, flow, &data) {
            self.counters.rate_limited += 1;
            return;
        }
        if !flow.proto.reliable()
            && let Some(answer) = stun::answer(&data, flow.remote)
        {
            return out.push(Output::Sip { flow, data: answer });
        }
        let again = (former == Some(false)).then(|| data.clone());
        match Message::parse(data) {
            // A peer whose calls have ended may finish with them, and begins nothing.
            Ok(Message::Request(request)) if again.is_some() && begins(&request) => {
                self.stranger(now, flow, again.unwrap_or_default(), out);
            }
            Ok(mut message) => {
                if let Message::Request(request) = &mut message {
                    transport::note_source(&mut request.headers, flow);
                    self.note_signs_of_life(now, flow, Some(&request.headers));
                    self.peer_heard(now, flow);
                }
                // Anybody can write a response that answers nothing (RFC 3261 §17.1.3).
                if let Some(asked) = self.ua.received(now, flow, message).filter(|asked| self.is_of_one_peer(*asked, flow)) {
                    self.note_signs_of_life(now, asked, None);
                    self.peer_heard(now, asked);
                }
            }
            Err(error) => {
                self.malformed(now, flow, &error);
                if let Some(answer) = error.answer {
                    out.push(Output::Sip { flow, data: Message::Response(*answer).to_bytes() });
                }
            }
        }
    }

    /// The peer that was asked answers, from whichever of its hosts.
    fn is_of_one_peer(&self, asked: Flow, answers: Flow) -> bool {
        let (one, other) = (asked.remote.ip(), answers.remote.ip());
        one == other || self.ua.peers().same(one, other) || self.setup.seats.iter().any(|seat| seat.owns(one) && seat.owns(other))
    }

    /// The legs hear what the transactions have for them. What is sent leaves at once, what the legs say becomes work.
    pub(super) fn serve(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(event) = self.ua.next_event() {
            match event {
                ua::Event::Begins { id, flow, request } if request.method == Method::Register => {
                    self.register(now, id, flow, &request, out);
                }
                ua::Event::Begins { id, flow, request }
                    if self.must_prove(flow, &request) && !self.proves(now, id, flow, &request) => {}
                ua::Event::Of(Usage::Registration(id), event) => self.account_hears(now, id, event, out),
                ua::Event::Of(Usage::Ping(id), event) => self.ping_hears(id, event),
                event => self.legs.hear(&mut self.ua, now, event, &mut self.legs_done),
            }
        }
        out.extend(self.ua.sent().map(|Sent { flow, data }| Output::Sip { flow, data }));
        self.work.extend(self.legs_done.drain(..).map(Work::Leg));
    }

    pub(super) fn media_event(&mut self, now: Now, shard: u16, event: media::Event, out: &mut Vec<Output>) {
        let (leg, input): (LegId, fn(LegNo) -> call::Input) = match event {
            media::Event::Bound { rtp } => {
                if self.ports.bound(shard, rtp) {
                    (0..self.fixed.media.shards).for_each(|shard| self.refill(now, shard, out));
                }
                return;
            }
            media::Event::NoSocket { rtp } => return self.ports.no_socket(now.mono, shard, rtp),
            media::Event::PortBusy { rtp } => {
                self.ports.busy(now.mono, shard, rtp);
                return self.refill(now, shard, out);
            }
            media::Event::Closed { leg, rtp, stats } => {
                self.ports.closed(now.mono, shard, rtp);
                self.refill(now, shard, out);
                return self.media_closed(now, leg, stats);
            }
            media::Event::Disturbed { rtp } => {
                self.ports.disturbed(now.mono, shard, rtp);
                return self.refill(now, shard, out);
            }
            media::Event::Played { leg, cue } => {
                if let Some(&(id, _)) = self.leg_calls.get(&leg) {
                    self.work.push_back(Work::Call(id, call::Input::Played { cue }));
                }
                return;
            }
            media::Event::Withheld { leg } => return self.withheld(now, leg),
            media::Event::Silent { leg } => {
                self.probe(now, leg, out);
                (leg, |leg_no| call::Input::Silent { leg: leg_no })
            }
            media::Event::Speaks { leg } => (leg, |_| call::Input::Speaks),
            media::Event::Quiet { leg } => (leg, |_| call::Input::Quiet),
            media::Event::Audible { leg } => (leg, |leg_no| call::Input::Audible { leg: leg_no }),
            media::Event::Key { leg, key } => return self.key(now, leg, key, KeySource::Rtp, out),
        };
        if let Some(&(id, leg_no)) = self.leg_calls.get(&leg) {
            self.work.push_back(Work::Call(id, input(leg_no)));
        }
    }

    pub(super) fn refill(&mut self, now: Now, shard: u16, out: &mut Vec<Output>) {
        let mut commands = Vec::new();
        self.ports.refill(now.mono, shard, &mut commands);
        out.extend(commands.into_iter().map(|command| Output::Media { shard, command }));
    }

    /// Unasked, it is a failure of the media plane, which costs the call.
    fn media_closed(&mut self, now: Now, leg: LegId, stats: RtpStats) {
        let Some(&(id, leg_no)) = self.leg_calls.get(&leg) else { return };
        self.at_work = Some(id);
        self.work.push_back(Work::Call(id, call::Input::Closed { leg: leg_no, stats }));
        let leg = self.calls.get_mut(&id).and_then(|active| active.legs.get_mut(&leg_no));
        if leg.is_some_and(|leg| leg.rtp.take().is_some()) {
            self.counters.media_failed += 1;
            tracing::error!(call = %id, leg = leg_no.0, "the media of a party has failed: its call is ended, the others go on");
            self.give_up(now, id);
        }
        self.retire(id, leg_no, |leg| leg.closed = true);
    }
}

/// A keep-alive.
pub(super) fn is_blank(data: &[u8]) -> bool {
    data.iter().all(|b| b" \t\r\n\0".contains(b))
}
