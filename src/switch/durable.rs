//! The journal, as the switch sees it: what it writes of a call, and a caller's final response that waits until the call's first
//! entry is on the disk. So no caller was answered whose call is lost; but no emergency waits for a disk either.

use super::{Output, Switch, Work};
use crate::base::{CallId, Mono, Now, Timers};
use crate::call;
use crate::control::Reply;
use crate::dialog;
use crate::event::{Entry, What};
use std::collections::VecDeque;

/// The entries that are on their way to the disk.
#[derive(Default)]
pub(super) struct Journal {
    /// It cannot write.
    pub(super) down: bool,
    last_ticket: u64,
    /// Everything up to this ticket is on disk.
    written: u64,
    /// Tickets whose durability somebody waits for, oldest first.
    pub(super) unwritten: VecDeque<(u64, CallId)>,
    /// Replies that leave when what they are about is on disk, oldest first.
    replies: VecDeque<(u64, u64, Reply)>,
    /// Emergency calls that have waited long enough then.
    waits: Timers<CallId>,
}

impl Journal {
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.waits.next()
    }

    pub(super) fn ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }
}

impl Switch {
    /// Writes an entry of a call, under the next ticket.
    pub(super) fn write(&mut self, now: Now, id: CallId, what: What, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        let ticket = self.journal.ticket();
        active.seq += 1;
        active.last_ticket = ticket;
        self.journal.unwritten.push_back((ticket, id));
        active.timing.apply(&what, now.mono);
        let waited = active.stopwatch.note(now.mono, &what);
        let set_up = if active.released { active.stopwatch.may_leave(active.since, now.mono) } else { None };
        let entry = Entry { call: id, seq: active.seq, wall: now.wall, mono: now.mono, what };
        out.push(Output::Journal { ticket, entry });
        out.extend(waited.into_iter().chain(set_up).map(Output::Timed));
    }

    /// A verb was carried out: how the seat stands by it, told when it is on disk, or at once where the disk refuses.
    pub(super) fn verb_given(&mut self, now: Now, id: u64, seat: &str, out: &mut Vec<Output>) {
        self.write_seats(now, out);
        let reply = self.one_seat(now, seat);
        self.reply_when_kept(id, reply, out);
    }

    /// An answer leaves when all that was written for it is on the disk.
    pub(super) fn reply_when_kept(&mut self, id: u64, reply: Reply, out: &mut Vec<Output>) {
        let ticket = self.journal.last_ticket;
        self.journal.replies.push_back((ticket, id, reply));
        if self.journal.down || self.journal.written >= ticket {
            self.reply_to_verbs(u64::MAX, out);
        }
    }

    fn reply_to_verbs(&mut self, upto: u64, out: &mut Vec<Output>) {
        while self.journal.replies.front().is_some_and(|(ticket, ..)| *ticket <= upto)
            && let Some((_, id, reply)) = self.journal.replies.pop_front()
        {
            out.push(Output::Reply { id, reply });
        }
    }

    pub(super) fn journaled(&mut self, now: Now, upto: u64, out: &mut Vec<Output>) {
        self.journal.written = self.journal.written.max(upto);
        self.reply_to_verbs(upto, out);
        while let Some(&(ticket, id)) = self.journal.unwritten.front()
            && ticket <= upto
        {
            self.journal.unwritten.pop_front();
            self.release(now, id, out);
            if self.calls.get(&id).is_some_and(|active| active.last_ticket == ticket) {
                self.work.push_back(Work::Call(id, call::Input::Journaled));
            }
        }
    }

    /// Lets a call's final responses out.
    pub(super) fn release(&mut self, now: Now, id: CallId, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        if !std::mem::replace(&mut active.released, true)
            && let Some(caller) = active.legs.get(&call::CALLER)
        {
            let leg = caller.id;
            out.extend(active.stopwatch.may_leave(active.since, now.mono).map(Output::Timed));
            self.journal.waits.cancel(&id);
            self.leg_command(now, dialog::Command::Release { leg }, out);
        }
    }

    /// An emergency call waits no longer than this for a disk that stands still.
    pub(super) fn release_by(&mut self, now: Now, id: CallId) {
        if self.calls.get(&id).is_some_and(|active| !active.released) {
            self.journal.waits.set(id, now.mono.after(self.setup.emergency_wait));
        }
    }

    pub(super) fn release_overdue(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(id) = self.journal.waits.pop(now.mono) {
            self.counters.unwritten += 1;
            tracing::warn!(call = %id, "the journal is slow: an emergency call goes on before its first entry is on the disk");
            self.release(now, id, out);
        }
    }

    /// A journal that cannot write never holds up a call that was already let in.
    pub(super) fn journal_changed(&mut self, now: Now, down: bool, out: &mut Vec<Output>) {
        self.journal.down = down;
        if down {
            self.reply_to_verbs(u64::MAX, out);
            tracing::error!("the journal cannot write: records are kept in memory");
            let held: Vec<CallId> = self.journal.unwritten.iter().map(|(_, id)| *id).collect();
            for id in held {
                self.release(now, id, out);
            }
        }
    }
}
