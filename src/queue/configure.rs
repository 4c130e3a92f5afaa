use super::hall::Hall;
use super::{Line, Queues};
use crate::seat::Seat;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Lines and seats as the configuration has them.
impl Queues {
    /// Leaves the lines' hungry calls for the caller to fill in.
    pub(super) fn configure(&mut self, seats: Vec<Seat>, lines: Vec<Line>) {
        seats.iter().for_each(|seat| _ = self.desks.entry(seat.name.clone()).or_default());
        for desk in self.desks.values_mut() {
            desk.lines.clear();
            desk.listed = None;
        }
        self.seats.configure(seats);
        self.configure_lines(lines);
        let names: Vec<Arc<str>> = self.seats.names().cloned().collect();
        names.iter().for_each(|seat| self.list(seat));
        self.stirred.extend(self.lines.keys().cloned());
    }

    fn configure_lines(&mut self, lines: Vec<Line>) {
        self.lines.values_mut().for_each(|hall| hall.closed = true);
        for line in lines {
            let old = self.lines.remove(&line.name);
            let (waiting, sources) = old.map_or_else(Default::default, |hall| (hall.waiting, hall.sources));
            let hall = Hall { closed: false, waiting, sources, hungry: BTreeSet::new(), idle: BTreeSet::new(), config: line };
            self.lines.insert(hall.config.name.clone(), hall);
        }
        self.lines.retain(|_, hall| !hall.closed || hall.waiting > 0);
        for (name, hall) in &mut self.lines {
            hall.idle.clear();
            hall.hungry.clear();
            for seat in &hall.config.seats {
                if let Some(desk) = self.desks.get_mut(seat)
                    && !desk.lines.contains(name)
                {
                    desk.lines.push(name.clone());
                }
            }
        }
    }
}
