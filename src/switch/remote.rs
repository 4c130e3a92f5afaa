//! Seats that sit with their department (远端座席): the gateway calls them by a trunk, as ordinary calls of that trunk. Such a seat can
//! be reached in its hours, while the trunk gives a sign and, where we have accounts there, one is registered. Nobody registers the
//! seat, and no message is its own.

use super::carriers::Carriers;
use super::{Live, Seat, Switch, Trunk, Work};
use crate::base::{Mono, Now, Wall};
use crate::plan::Hours;
use crate::seat::Binding;
use std::sync::Arc;
use std::time::Duration;

/// How a seat behind a trunk is called.
#[derive(Clone, Debug)]
pub struct Remote {
    pub trunk: Arc<str>,
    /// The number that is called there.
    pub number: Arc<str>,
    /// None: at all hours.
    pub hours: Option<Hours>,
}

const MINUTE: u64 = 60_000_000;

impl Remote {
    /// The place where the seat can be reached now; none outside its hours, and while our accounts with its trunk's carrier are not
    /// registered.
    pub(super) fn bindings(&self, setup: &Live, carriers: Option<&Carriers>, at: Wall) -> Vec<Binding> {
        let open = self.hours.as_ref().is_none_or(|hours| hours.open(at));
        let trunk = setup.trunks.iter().find(|trunk| trunk.name == self.trunk);
        let may_use = |trunk: &Trunk| carriers.map_or(trunk.registrations.is_empty(), |carriers| carriers.may_use(trunk));
        trunk.filter(|trunk| open && may_use(trunk)).map(|trunk| Binding { target: trunk.target.clone() }).into_iter().collect()
    }
}

impl Switch {
    /// When seats behind trunks are looked at next: hours begin and end with a minute, and the clock on the wall may be set.
    pub(super) fn remote_deadline(&self) -> Option<Mono> {
        self.remote_due
    }

    /// Something has changed of which seats behind trunks can be reached.
    pub(super) fn look_at_remote_soon(&mut self, now: Now) {
        if self.setup.seats.iter().any(|seat| seat.remote.is_some()) {
            self.remote_due = Some(now.mono);
        }
    }

    pub(super) fn look_at_remote(&mut self, now: Now) {
        if self.remote_due.take_if(|due| *due <= now.mono).is_none() {
            return;
        }
        let setup = self.setup.clone();
        let mut next = None;
        for Seat { name, remote, .. } in &setup.seats {
            let Some(remote) = remote else { continue };
            let bindings = remote.bindings(&setup, Some(&self.carriers), now.wall);
            let trunk = setup.trunks.iter().find(|trunk| trunk.name == remote.trunk).filter(|_| !bindings.is_empty());
            // One that refuses calls is there.
            let out = trunk.and_then(|trunk| self.trunk_out(now, trunk, false));
            let bindings = if out.is_some() { Vec::new() } else { bindings };
            if bindings.is_empty() != self.queues.seats().bindings(name).is_empty() {
                self.queues.bind(now, name, bindings, &mut self.queues_done);
            }
            let minute = u64::try_from(now.wall.0).unwrap_or_default() % MINUTE;
            let hours = remote.hours.as_ref().map(|_| now.mono.after(Duration::from_micros(MINUTE - minute)));
            next = [next, out, hours].into_iter().flatten().min();
        }
        self.remote_due = next;
        self.work.extend(self.queues_done.drain(..).map(Work::Queue));
    }
}
