//! Messages in the log, for who looks closely: `log.level = "info,hotline::sip=trace"`. Each that is received or sent is one
//! line, with its Call-ID and the call that it belongs to; `grep` by either finds the messages of one dialog or one call.

use super::{Input, Output, Switch};
use crate::base::{CallId, Flow, Map, MapSeed};
use crate::sip::{self, Traced};
use bytes::Bytes;
use std::collections::VecDeque;
use tracing::Level;
use tracing::field::display;

/// Call-IDs that are remembered: messages come after their call is gone.
const KNOWN: usize = 4096;

pub(super) struct Tracing {
    on: bool,
    /// The message that is being handled. It is told afterwards, with the call that may begin with it.
    received: Option<(Flow, Bytes)>,
    /// Outputs up to here were told, or made before.
    from: usize,
    known: Map<Vec<u8>, CallId>,
    order: VecDeque<Vec<u8>>,
}

impl Tracing {
    pub fn new(seed: MapSeed) -> Tracing {
        Tracing { on: false, received: None, from: 0, known: Map::with_hasher(seed), order: VecDeque::new() }
    }

    /// One look, and no more as long as nobody wants to know.
    pub fn begin(&mut self, input: Option<&Input>, out: &[Output]) {
        self.on = tracing::enabled!(target: "hotline::sip", Level::TRACE);
        if !self.on {
            return;
        }
        self.from = out.len();
        self.received = match input {
            Some(Input::Sip { flow, data }) => Some((*flow, data.clone())),
            _ => None,
        };
        if let Some(Input::Unsent { flow, data, .. }) = input {
            say("not sent", *flow, data.len(), None, &sip::masked(data));
        }
    }

    fn remember(&mut self, call_id: &[u8], call: CallId) {
        if self.known.insert(call_id.to_vec(), call).is_none() {
            self.order.push_back(call_id.to_vec());
        }
        if self.order.len() > KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

impl Switch {
    /// The message that was handled, and those that it gave rise to.
    pub(super) fn trace(&mut self, out: &[Output]) {
        if !self.tracing.on {
            return;
        }
        if let Some((flow, data)) = self.tracing.received.take().filter(|(_, data)| !super::inlet::is_blank(data)) {
            self.trace_one("received", flow, &data);
        }
        for output in out.iter().skip(self.tracing.from) {
            if let Output::Sip { flow, data } = output {
                self.trace_one("sent", *flow, data);
            }
        }
        self.tracing.from = out.len();
    }

    fn trace_one(&mut self, way: &str, flow: Flow, data: &Bytes) {
        let traced = sip::masked(data);
        let call = traced.call_id.as_deref().and_then(|call_id| self.call_of(flow, call_id));
        say(way, flow, data.len(), call, &traced);
    }

    /// The call of which a dialog has this Call-ID. Strangers have none, and make nobody look.
    fn call_of(&mut self, flow: Flow, call_id: &[u8]) -> Option<CallId> {
        if let Some(call) = self.tracing.known.get(call_id) {
            return Some(*call);
        }
        self.access.find(flow.remote.ip())?;
        let found = self.calls.iter().find(|(_, active)| active.legs.values().any(|leg| leg.has(call_id))).map(|(id, _)| *id)?;
        self.tracing.remember(call_id, found);
        Some(found)
    }
}

fn say(way: &str, flow: Flow, bytes: usize, call: Option<CallId>, traced: &Traced) {
    let Traced { shown_call_id, text, .. } = traced;
    let (call, sip_call_id) = (call.map(display), shown_call_id.as_deref().map(display));
    tracing::trace!(target: "hotline::sip", call, sip_call_id, peer = %flow, bytes, sip = %text, "{way}");
}
