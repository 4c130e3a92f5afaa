//! The switch as the machine that its thread drives.

use crate::base::{Flow, Mono, Now, Source};
use crate::io::engine::Machine;
use crate::switch::{Input, Output, Switch};
use std::net::IpAddr;

impl Machine for Switch {
    fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        Switch::handle(self, now, input, out);
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        Switch::tick(self, now, out);
    }

    fn deadline(&self) -> Option<Mono> {
        Switch::deadline(self)
    }

    fn source(&self, host: IpAddr) -> Source {
        Switch::source(self, host)
    }

    fn spares(&self, flow: Flow, data: &[u8]) -> bool {
        Switch::spares(self, flow, data)
    }

    fn dropped(&mut self) {
        Switch::dropped(self);
    }

    fn recover(&mut self, now: Now, out: &mut Vec<Output>) {
        Switch::recover(self, now, out);
    }
}
