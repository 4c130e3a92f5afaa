//! The ACK of a 2xx, both ways: it belongs to the core, not to a transaction (RFC 3261 §13.2.2.4, §13.3.1.4).

use crate::base::{Mono, Now};
use crate::dialog::context::Context;
use crate::dialog::resend::{Due, Resend};
use crate::sip::{Request, Response};
use crate::transaction::ServerId;

/// A 2xx of ours that waits for its ACK.
#[derive(Debug)]
pub(super) struct Unacked {
    server: ServerId,
    seq: u32,
    response: Response,
    resend: Resend,
    /// The 2xx holds our offer, so the ACK holds the answer.
    pub(super) offered: bool,
    /// It is the leg's first: its ACK establishes the leg.
    pub(super) first: bool,
}

impl Unacked {
    /// Arms the wait, then sends: an ACK can never come too early.
    pub(super) fn send(cx: &mut Context, server: ServerId, response: Response, offered: bool, first: bool) -> Unacked {
        let timing = cx.ua.config().transaction;
        let seq = response.headers.cseq().map_or(0, |cseq| cseq.seq);
        let resend = Resend::new(cx.mono(), timing.t1, timing.t2);
        let unacked = Unacked { server, seq, response, resend, offered, first };
        cx.respond(server, unacked.response.clone());
        unacked
    }

    pub(super) fn acknowledged_by(&self, ack: &Request) -> bool {
        ack.headers.cseq().is_some_and(|cseq| cseq.seq == self.seq)
    }

    pub(super) fn deadline(&self) -> Mono {
        self.resend.deadline()
    }

    /// Sends again where it is time; true when the ACK is lost for good.
    pub(super) fn tick(&mut self, cx: &mut Context) -> bool {
        let Now { mono, .. } = cx.now;
        match self.resend.due(mono) {
            Due::Nothing => false,
            Due::Again => {
                cx.repeat(self.server, self.response.clone());
                false
            }
            Due::Over => true,
        }
    }
}
