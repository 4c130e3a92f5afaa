use crate::base::Mono;
use crate::dialog::Cause;
use crate::dialog::ack::Unacked;
use crate::dialog::cx::Cx;
use crate::dialog::dialog::Dialog;
use crate::dialog::leg::State;
use crate::sip::{Request, Response};
use crate::transaction::ServerId;

/// A leg that has ended for its user but not yet on the wire. Bounded: what is not done in time is let go.
#[derive(Debug)]
pub(super) struct Closing {
    owes: Owes,
    until: Mono,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it lives in a box")]
enum Owes {
    /// Nothing by itself: it waits for the responses to its own requests.
    Requests,
    /// A final response that is kept back.
    Final { server: ServerId, response: Response },
    /// A BYE that must wait for the ACK of our 2xx (RFC 3261 §15).
    Bye { dialog: Dialog, unacked: Unacked, cause: Cause },
}

impl Closing {
    pub(super) fn requests(cx: &Cx) -> State {
        Closing::owing(cx, Owes::Requests)
    }

    pub(super) fn keep_back(cx: &Cx, server: ServerId, response: Response) -> State {
        Closing::owing(cx, Owes::Final { server, response })
    }

    pub(super) fn bye_after_ack(cx: &Cx, dialog: Dialog, unacked: Unacked, cause: Cause) -> State {
        Closing::owing(cx, Owes::Bye { dialog, unacked, cause })
    }

    fn owing(cx: &Cx, owes: Owes) -> State {
        // A 2xx may wait 64·T1 for its ACK; so may a request for its response.
        let until = cx.mono().after(cx.core.config.transaction.t1.saturating_mul(65));
        State::Closing(Box::new(Closing { owes, until }))
    }

    pub(super) fn finished(&self, cx: &Cx) -> bool {
        let owed = matches!(self.owes, Owes::Final { .. } | Owes::Bye { .. });
        !owed && (cx.leg.clients.is_empty() || cx.mono() >= self.until)
    }

    pub(super) fn deadline(&self) -> Mono {
        match &self.owes {
            Owes::Bye { unacked, .. } => unacked.deadline(),
            _ => self.until,
        }
    }

    pub(super) fn release(self: Box<Self>, cx: &mut Cx) -> State {
        let Owes::Final { server, response } = self.owes else { return State::Closing(self) };
        cx.unwatch();
        cx.respond(server, response);
        Closing::requests(cx)
    }

    pub(super) fn ack(self: Box<Self>, cx: &mut Cx, ack: &Request) -> State {
        match self.owes {
            Owes::Bye { dialog, unacked, cause } if unacked.acknowledged_by(ack) => Closing::bye(cx, dialog, &cause),
            owes => State::Closing(Box::new(Closing { owes, ..*self })),
        }
    }

    pub(super) fn tick(mut self: Box<Self>, cx: &mut Cx) -> State {
        match self.owes {
            Owes::Bye { dialog, mut unacked, cause } => {
                if unacked.tick(cx) {
                    return Closing::bye(cx, dialog, &cause);
                }
                self.owes = Owes::Bye { dialog, unacked, cause };
                State::Closing(self)
            }
            Owes::Final { .. } if cx.mono() >= self.until => self.release(cx),
            _ => State::Closing(self),
        }
    }

    fn bye(cx: &mut Cx, mut dialog: Dialog, cause: &Cause) -> State {
        cx.bye(&mut dialog, cause);
        Closing::requests(cx)
    }
}
