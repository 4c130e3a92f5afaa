//! The ends of the switch thread: where its outputs go.

use crate::base::{Flow, Now, Target};
use crate::control::Reply;
use crate::event::{Entry, Keep, SeatEntry};
use crate::io::engine::Ends;
use crate::io::inbox::figures::{Figures, SwitchFigures};
use crate::io::inbox::requests::SwitchRequests;
use crate::io::journal::{Added, Appender, Journal};
use crate::io::net::resolver::Resolver;
use crate::io::net::tcp::Tcp;
use crate::io::recorder::Notes;
use crate::io::seat_log::SeatLog;
use crate::io::shards::shard::ShardHandle;
use crate::media::Command;
use crate::switch::{Recording, Switch};
use bytes::Bytes;
use std::sync::Arc;

/// Where the switch thread's outputs go.
pub struct Edges {
    tcp: Tcp,
    shards: Vec<ShardHandle>,
    journal: Appender,
    seat_log: Arc<SeatLog>,
    switch_figures: Arc<SwitchFigures>,
    requests: Arc<SwitchRequests>,
    recorder: Option<Notes>,
    resolver: Resolver,
    lost_commands: u64,
}

impl Edges {
    pub fn new(
        tcp: &Tcp,
        shards: Vec<ShardHandle>,
        (journal, seat_log): (&Journal, &Arc<SeatLog>),
        switch_figures: &Arc<SwitchFigures>,
        requests: &Arc<SwitchRequests>,
        resolver: Resolver,
    ) -> Edges {
        let (tcp, journal, switch_figures, requests) =
            (tcp.clone(), journal.appender(), switch_figures.clone(), requests.clone());
        let seat_log = seat_log.clone();
        Edges { tcp, shards, journal, seat_log, switch_figures, requests, recorder: None, resolver, lost_commands: 0 }
    }

    /// The recorder is told of calls, where there is one.
    pub fn recorded(self, recorder: Option<Notes>) -> Edges {
        Edges { recorder, ..self }
    }
}

impl Ends<Switch> for Edges {
    fn stream(&mut self, flow: Flow, data: Bytes) -> bool {
        self.tcp.send(flow, data)
    }

    fn media(&mut self, shard: u16, command: Command) {
        let sent = self.shards.get(usize::from(shard)).is_some_and(|handle| handle.put(command));
        if !sent {
            self.lost_commands += 1;
            if self.lost_commands.is_power_of_two() {
                tracing::error!(shard, lost = self.lost_commands, "a media thread takes no commands");
            }
        }
    }

    fn flush(&mut self) {
        self.shards.iter().for_each(ShardHandle::wake);
    }

    fn recording(&mut self, recording: Recording) {
        self.recorder.iter().for_each(|recorder| recorder.note(recording));
    }

    fn journal(&mut self, ticket: u64, entry: Entry) {
        // A loss is counted and logged there.
        self.journal.append(ticket, entry);
    }

    fn seat(&mut self, ticket: Option<u64>, entry: SeatEntry) {
        if let Some(ticket) = ticket {
            self.journal.add(ticket, Added::Seat(entry.clone()));
        }
        self.seat_log.push(ticket, entry);
    }

    fn keep(&mut self, ticket: u64, keep: Keep) {
        self.journal.add(ticket, Added::Keep(keep));
    }

    fn reply(&mut self, id: u64, reply: Reply) {
        self.requests.answer(id, reply);
    }

    fn resolve(&mut self, id: u64, trunk: Option<Arc<str>>, target: Target) {
        self.resolver.resolve(id, trunk.as_deref(), target);
    }

    fn wanted(&self) -> bool {
        self.switch_figures.wanted()
    }

    fn report(&mut self, now: Now, switch: &Switch) {
        let dead = self.shards.iter().filter(|shard| shard.dead()).count();
        self.switch_figures.post(|| Figures { at: now.mono, gauges: switch.gauges(), counters: *switch.counters(), dead });
    }
}
