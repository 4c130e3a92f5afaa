use crate::dialog::Event;
use crate::dialog::cx::{Cx, Purpose};
use crate::dialog::dialog::Dialog;
use crate::sip::Method;
use std::collections::VecDeque;

/// More keys than anyone presses ahead.
const MAX_WAITING: usize = 64;

/// Keys to a peer that takes them as INFO. One request at a time: a lost one must not let the next overtake it.
#[derive(Debug, Default)]
pub(super) struct Keys {
    waiting: VecDeque<char>,
    sending: Option<char>,
}

impl Keys {
    pub(super) fn send(&mut self, cx: &mut Cx, dialog: &mut Dialog, key: char) {
        if self.waiting.len() < MAX_WAITING && matches!(key, '0'..='9' | '*' | '#' | 'A'..='D') {
            self.waiting.push_back(key);
        }
        self.proceed(cx, dialog);
    }

    /// The INFO is over; to a peer that answers none, what waits would come too late.
    pub(super) fn sent(&mut self, cx: &mut Cx, dialog: &mut Dialog, accepted: bool) {
        self.sending = None;
        if !accepted {
            self.waiting.clear();
        }
        self.proceed(cx, dialog);
    }

    /// A peer that refuses one takes no other: whoever wanted them sent may find another way.
    pub(super) fn refused(&mut self, cx: &mut Cx) {
        for key in self.sending.take().into_iter().chain(self.waiting.drain(..)) {
            cx.event(Event::KeyRefused { leg: cx.leg.id, key });
        }
    }

    fn proceed(&mut self, cx: &mut Cx, dialog: &mut Dialog) {
        if self.sending.is_some() {
            return;
        }
        let Some(key) = self.waiting.pop_front() else { return };
        self.sending = Some(key);
        let info = dialog.request(Method::Info, cx.core.config.max_forwards);
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        cx.request(dialog.next_hop(), info.with_body("application/dtmf-relay", body.into()), Purpose::Info);
    }
}
