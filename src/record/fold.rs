//! Folds a call's log into its record. Any prefix of a log folds: what has not happened is null, and what still runs is
//! counted up to the last entry.

use super::recording;
use super::report;
use super::shape::{
    Area, Begun, Direction, Hotline, LeftMessage, LeftOut, Leg, Media, PlayedPrompt, Record, Recording, Seat, Survey, Told,
    Transfer,
};
use super::timing::{Span, Timing};
use super::zone::Zone;
use crate::base::trap::{self, Trap};
use crate::base::{Mono, RtpStats, Suite, Wall};
use crate::event::{
    Author, By, Discarded, Entry, MessageEnd, Offered, Party, RecordingAction, RecordingCause, Result, TransferKind,
    TransferResult, What,
};
use std::collections::BTreeMap;

/// The record of one call's entries, in sequence; none when there are none.
pub fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>, zone: &Zone) -> Option<Record> {
    trap::spring(Trap::Record);
    let mut entries = entries.into_iter().peekable();
    let mut fold = Fold::new(entries.peek()?, zone);
    entries.for_each(|entry| fold.apply(entry));
    Some(fold.finish())
}

struct Fold<'a> {
    zone: &'a Zone,
    record: Record,
    legs: BTreeMap<u64, Leg>,
    /// Seats' names for people, by leg.
    labels: BTreeMap<u64, String>,
    timing: Timing,
    silent: BTreeMap<u64, Span>,
    /// Since when the recording leaves something out.
    left_out_since: Option<Mono>,
    /// Since when the caller speaks its message.
    message_since: Option<Mono>,
    /// When the last leg went: the call's end, whose entry waits for the media to close.
    gone: Option<Wall>,
    /// The last entry that the living process wrote.
    last: (Wall, Mono),
}

impl<'a> Fold<'a> {
    fn new(first: &Entry, zone: &'a Zone) -> Fold<'a> {
        Fold {
            zone,
            record: Record { call_id: first.call.to_string(), start: Some(zone.write(first.wall)), ..Record::default() },
            legs: BTreeMap::new(),
            labels: BTreeMap::new(),
            timing: Timing::default(),
            silent: BTreeMap::new(),
            left_out_since: None,
            message_since: None,
            gone: None,
            last: (first.wall, first.mono),
        }
    }

    fn apply(&mut self, entry: &Entry) {
        if entry.what == What::Interrupted {
            return self.interrupted();
        }
        self.last = (entry.wall, entry.mono);
        let at = self.zone.write(entry.wall);
        match &entry.what {
            What::Offered(offered) => self.offered(offered, at),
            What::Announcing { prompt, version } => {
                self.record.prompts.push(PlayedPrompt { name: prompt.clone(), version: version.clone() });
            }
            What::Queued { queue } => self.queued(queue, at),
            What::Ringing { leg, party, sip_call_id, label, .. } => self.party(*leg, party, sip_call_id, label, at),
            What::RingFailed { leg, status, q850 } => {
                let leg = self.leg(*leg, &at);
                (leg.sip_code, leg.q850, leg.ended) = (*status, *q850, Some(at));
            }
            What::Refused { leg, meaning } => self.leg(*leg, &at).refusal = Some((**meaning).clone()),
            What::Dialled { leg, sip_call_id } => self.dialled(*leg, sip_call_id, at),
            What::CallerAnswered => self.caller_answered(at),
            What::Joined { leg, party, sip_call_id, label } => {
                self.party(*leg, party, sip_call_id, label, at.clone());
                self.joined(*leg, party, at);
            }
            What::LegEnded { leg, by, status, q850 } => {
                self.gone = Some(entry.wall);
                let leg = self.leg(*leg, &at);
                (leg.ended_by, leg.sip_code, leg.q850, leg.ended) = (Some(*by), *status, *q850, Some(at));
            }
            What::LegMedia { leg, codec, srtp, stats } => self.leg(*leg, &at).media = Some(media(codec, *srtp, stats)),
            What::Ended { result, by, status, q850 } => {
                self.ended(at);
                let r = &mut self.record;
                (r.result, r.hangup_by, r.sip_code, r.q850) = (Some(*result), Some(*by), *status, *q850);
            }
            What::TransferStarted { seq, kind, by, to } => self.transfer_started(*seq, *kind, *by, to, at),
            What::TransferEnded { seq, result } => self.transfer_ended(*seq, *result, at),
            What::Data { key, value } => _ = self.record.data.insert(key.clone(), value.clone()),
            What::Supervised { leg, by, .. } => self.supervised(*leg, by, &at),
            What::Reported(reported) => report::fill(&mut self.record, reported, self.zone),
            What::Survey { score: Some(score), scale } => {
                let source = self.record.node.clone();
                self.record.survey = Some(Survey { score: *score, scale: *scale, source, at });
            }
            What::Position { ahead, minutes } => self.record.told = Some(Told { ahead: *ahead, minutes: *minutes, at }),
            What::Recording { action, by, cause } => self.recorded(*action, by, *cause, entry),
            What::CallbackWanted => self.record.callback_wanted = true,
            What::MessageBegun => {
                let recording = Some(self.record.call_id.clone());
                self.message_since = Some(entry.mono);
                self.record.message = Some(LeftMessage { at: Some(at), recording, ..LeftMessage::default() });
            }
            What::Message { ms, ended, discarded } => self.message(*ms, *ended, *discarded),
            What::Survey { .. } => {}
            What::Held { .. }
            | What::Resumed { .. }
            | What::Silent { .. }
            | What::Heard { .. }
            | What::HoldForgotten { .. }
            | What::Interrupted => {}
        }
        self.measure(&entry.what, entry.mono);
    }

    /// The process died: the call ended, as far as anybody knows, at its last entry. The entry that says so was
    /// written by another process, with other clocks.
    fn interrupted(&mut self) {
        if self.record.result.is_none() {
            self.goes_on(None, self.zone.write(self.last.0), self.last.1);
            if let Some(since) = self.message_since {
                let ms = u64::try_from(self.last.1.since(since).as_millis()).unwrap_or(u64::MAX);
                self.message(ms, MessageEnd::Interrupted, None);
            }
            self.record.result = Some(Result::Interrupted);
            self.record.ended = Some(self.zone.write(self.last.0));
            self.record.estimated = true;
        }
    }

    /// A party that was still there was hung up then.
    fn ended(&mut self, at: String) {
        let at = self.gone.map_or(at, |gone| self.zone.write(gone));
        self.goes_on(None, at.clone(), self.last.1);
        for leg in self.legs.values_mut().filter(|leg| leg.ended.is_none()) {
            (leg.ended, leg.ended_by) = (Some(at.clone()), Some(By::Gateway));
        }
        self.record.ended = Some(at);
    }

    fn offered(&mut self, o: &Offered, at: String) {
        // One whom a seat calls is not called yet.
        let id = Some(o.sip_call_id.clone()).filter(|id| !id.is_empty());
        let leg = Leg { leg: o.leg, sip_call_id: id.clone(), started: at, ..Leg::default() };
        self.legs.insert(o.leg, leg);
        let r = &mut self.record;
        r.sip_call_ids.extend(id);
        r.direction = o.direction;
        r.hotline = Hotline {
            dialled: o.dialled.clone(),
            dialled_from: o.dialled_from,
            dialled_by_rules: o.dialled_by_rules.clone(),
            number: o.number.clone(),
            line: o.line.clone(),
            mode: o.mode,
            phase: o.phase,
            unit: o.unit.clone(),
            diverted_from: o.diverted_from.clone(),
        };
        let division = o.division.clone();
        let (code, name) = division.map_or((None, None), |division| (Some(division.code), Some(division.name)));
        r.area = Area { code, name, phone: o.area.clone(), source: o.area_source.clone() };
        r.caller_anonymous = o.caller_anonymous;
        r.caller = o.caller.clone();
        r.caller_raw = Some(o.caller_raw.clone());
        r.listed = o.listed;
        r.trunk = o.trunk.clone();
        r.recording = o.recorded.then(|| recording::pending(&r.call_id));
        r.node = o.node.clone();
        r.plan = o.plan.clone();
        r.plan_revision = o.plan_revision.clone();
    }

    /// A call that comes back to the queue keeps the time at which it first came there.
    fn queued(&mut self, queue: &str, at: String) {
        self.record.queue = Some(queue.to_owned());
        self.record.handed_to_queue.get_or_insert(at);
    }

    /// A party that rings, or that called by itself and is joined at once.
    fn party(&mut self, leg: u64, party: &Party, call_id: &Option<String>, label: &Option<String>, at: String) {
        self.labels.extend(label.clone().map(|label| (leg, label)));
        let new = call_id.as_ref().filter(|id| !self.record.sip_call_ids.contains(id)).cloned();
        self.record.sip_call_ids.extend(new);
        let leg = self.leg(leg, &at);
        leg.party = Some(party.clone());
        leg.sip_call_id = call_id.clone().or(leg.sip_call_id.take());
    }

    fn dialled(&mut self, leg: u64, call_id: &Option<String>, at: String) {
        self.record.sip_call_ids.extend(call_id.clone());
        let leg = self.leg(leg, &at);
        (leg.sip_call_id, leg.started) = (call_id.clone(), at);
    }

    fn caller_answered(&mut self, at: String) {
        if let Some(caller) = self.legs.values_mut().find(|leg| leg.party.is_none()) {
            caller.answered.get_or_insert_with(|| at.clone());
        }
        self.record.sip_answered.get_or_insert(at);
    }

    fn joined(&mut self, leg: u64, party: &Party, at: String) {
        let known = self.leg(leg, &at);
        known.answered.get_or_insert_with(|| at.clone());
        let r = &mut self.record;
        r.seat_answered.get_or_insert(at);
        match party {
            Party::Seat { name, queue } => {
                let label = self.labels.get(&leg).unwrap_or(name);
                r.seat = Some(Seat { id: name.clone(), name: label.clone() });
                r.queue = Some(queue.clone());
            }
            Party::Target { number } => r.target = Some(number.clone()),
        }
    }

    fn transfer_started(&mut self, seq: u32, kind: TransferKind, by: u64, to: &str, started: String) {
        let to = to.to_owned();
        self.record.transfers.push(Transfer { seq, kind, from: by, to, started, ended: None, result: None });
    }

    fn transfer_ended(&mut self, seq: u32, result: TransferResult, at: String) {
        if let Some(transfer) = self.record.transfers.iter_mut().find(|t| t.seq == seq) {
            (transfer.ended, transfer.result) = (Some(at), Some(result));
        }
    }

    /// A later one takes the place of one that is not kept.
    fn message(&mut self, ms: u64, ended: MessageEnd, discarded: Option<Discarded>) {
        let begun = self.message_since.take();
        let message = self.record.message.take().filter(|_| begun.is_some()).unwrap_or_default();
        let recording = message.recording.filter(|_| discarded.is_none());
        self.record.message = Some(LeftMessage { at: message.at, ms: Some(ms), ended: Some(ended), discarded, recording });
    }

    /// A part that is left out ends where the next thing is done to the recording.
    fn recorded(&mut self, action: RecordingAction, by: &Author, cause: RecordingCause, entry: &Entry) {
        let at = self.zone.write(entry.wall);
        if self.record.recording.is_none() {
            let begun = Some(Begun { at: at.clone(), by: by.clone(), cause });
            self.record.recording = Some(Recording { begun, ..recording::pending(&self.record.call_id) });
        }
        self.goes_on(Some((by, cause)), at.clone(), entry.mono);
        if action.leaves_out()
            && let Some(recording) = &mut self.record.recording
        {
            let (by, to, ended_by, ended, ms) = (by.clone(), None, None, None, None);
            recording.left_out.push(LeftOut { how: action, from: at, by, to, ended_by, ended, ms });
            self.left_out_since = Some(entry.mono);
        }
    }

    /// The part that was left out of the recording ends here.
    fn goes_on(&mut self, by: Option<(&Author, RecordingCause)>, at: String, now: Mono) {
        let Some(since) = self.left_out_since.take() else { return };
        if let Some(part) = self.record.recording.as_mut().and_then(|recording| recording.left_out.last_mut()) {
            part.ms = u64::try_from(now.since(since).as_millis()).ok();
            part.to = Some(at);
            part.ended_by = by.map(|(by, _)| by.clone());
            part.ended = Some(by.map_or(RecordingCause::CallEnded, |(_, cause)| cause));
        }
    }

    /// A supervisor's leg stands among the call's legs; it is nobody whom the caller was joined to, but by taking over.
    fn supervised(&mut self, leg: u64, by: &str, at: &str) {
        self.leg(leg, at).party.get_or_insert_with(|| Party::Seat { name: by.to_owned(), queue: String::new() });
    }

    fn leg(&mut self, leg: u64, at: &str) -> &mut Leg {
        self.legs.entry(leg).or_insert_with(|| Leg { leg, started: at.to_owned(), ..Leg::default() })
    }

    /// Starts and stops the clocks.
    fn measure(&mut self, what: &What, now: Mono) {
        let over = self.timing.apply(what, now);
        match what {
            What::Silent { leg } => self.silent.entry(*leg).or_default().start(now),
            What::Heard { leg } | What::RingFailed { leg, .. } | What::LegEnded { leg, .. } => self.still(*leg, now),
            _ => {}
        }
        if over {
            self.silent.values_mut().for_each(|span| span.stop(now));
        }
    }

    /// This leg's silence is at its end.
    fn still(&mut self, leg: u64, now: Mono) {
        if let Some(span) = self.silent.get_mut(&leg) {
            span.stop(now);
        }
    }

    fn finish(mut self) -> Record {
        let now = self.last.1;
        for (leg, span) in &self.silent {
            if let Some(leg) = self.legs.get_mut(leg) {
                leg.silent_ms = span.millis(now);
            }
        }
        if self.record.reported_by.is_some() {
            return self.record;
        }
        let times = self.timing.times(now);
        Record {
            announce_ms: times.announce_ms,
            queue_ms: times.queue_ms,
            ring_ms: times.ring_ms,
            talk_ms: times.talk_ms,
            hold_ms: times.hold_ms,
            legs: self.legs.into_values().collect(),
            ..self.record
        }
    }
}

fn media(codec: &str, srtp: Option<Suite>, stats: &RtpStats) -> Media {
    let (codec, jitter_ms) = (codec.to_owned(), Some(stats.jitter_ms));
    Media {
        srtp: srtp.map(|suite| suite.name().to_owned()),
        received: Direction { codec: codec.clone(), packets: stats.received, lost: stats.lost, jitter_ms },
        sent: Direction { codec, packets: stats.sent, lost: stats.peer_lost, jitter_ms: None },
    }
}
