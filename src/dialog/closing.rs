//! A leg that has ended for its user, but not yet on the wire.

use crate::base::Mono;
use crate::dialog::Cause;
use crate::dialog::ack::Unacked;
use crate::dialog::context::Context;
use crate::dialog::dialog::Dialog;
use crate::dialog::refer::Referral;
use crate::dialog::referral;
use crate::sip::{Method, Request, Response, Status};
use crate::transaction::ServerId;

/// A leg that has ended for its user but not yet on the wire. Bounded: what is not done in time is let go.
#[derive(Debug)]
pub(super) struct Closing {
    owes: Owes,
    until: Mono,
}

#[derive(Debug)]
enum Owes {
    /// Nothing by itself: it waits for the responses to its own requests. A session's dialog is still needed for the
    /// NOTIFYs of a REFER, whose subscription outlives the session (RFC 3515 §2.4.4, RFC 5057 §4.1).
    Requests { dialog: Option<Dialog> },
    /// A final response that is kept back.
    Final { server: ServerId, response: Response },
    /// A BYE that must wait for the ACK of our 2xx (RFC 3261 §15).
    Bye { dialog: Dialog, unacked: Unacked, cause: Cause },
}

impl Closing {
    pub(super) fn requests(cx: &Context) -> Box<Closing> {
        Closing::owing(cx, Owes::Requests { dialog: None })
    }

    /// After a session.
    pub(super) fn session(cx: &Context, dialog: Dialog) -> Box<Closing> {
        Closing::owing(cx, Owes::Requests { dialog: Some(dialog) })
    }

    pub(super) fn keep_back(cx: &Context, server: ServerId, response: Response) -> Box<Closing> {
        Closing::owing(cx, Owes::Final { server, response })
    }

    pub(super) fn bye_after_ack(cx: &Context, dialog: Dialog, unacked: Unacked, cause: Cause) -> Box<Closing> {
        Closing::owing(cx, Owes::Bye { dialog, unacked, cause })
    }

    fn owing(cx: &Context, owes: Owes) -> Box<Closing> {
        // A 2xx may wait 64·T1 for its ACK; so may a request for its response. A REFER's last NOTIFY goes out when it
        // expires.
        let last = cx.leg.referral.as_ref().map_or(cx.mono(), Referral::deadline);
        let until = last.after(cx.ua.config().transaction.t1.saturating_mul(65));
        Box::new(Closing { owes, until })
    }

    pub(super) fn finished(&self, cx: &Context) -> bool {
        let owed = matches!(self.owes, Owes::Final { .. } | Owes::Bye { .. });
        let waits = !cx.leg.clients.is_empty() || cx.leg.referral.is_some();
        !(owed || waits && cx.mono() < self.until)
    }

    pub(super) fn deadline(&self) -> Mono {
        match &self.owes {
            Owes::Bye { unacked, .. } => unacked.deadline(),
            _ => self.until,
        }
    }

    /// The dialog that a BYE is still to end.
    pub(super) fn owes_bye(&self) -> Option<&Dialog> {
        if let Owes::Bye { dialog, .. } = &self.owes { Some(dialog) } else { None }
    }

    /// The dialog of the session that was.
    pub(super) fn dialog(&self) -> Option<&Dialog> {
        match &self.owes {
            Owes::Requests { dialog } => dialog.as_ref(),
            Owes::Bye { dialog, .. } => Some(dialog),
            Owes::Final { .. } => None,
        }
    }

    pub(super) fn notify(mut self: Box<Self>, cx: &mut Context, refer: u32, status: Status) -> Box<Closing> {
        if let Some(dialog) = self.dialog_mut() {
            referral::notify(cx, dialog, refer, status);
        }
        self
    }

    pub(super) fn notified(mut self: Box<Self>, cx: &mut Context, refer: u32, accepted: bool) -> Box<Closing> {
        if let Some(dialog) = self.dialog_mut() {
            referral::notified(cx, dialog, refer, accepted);
        }
        self
    }

    pub(super) fn release(self: Box<Self>, cx: &mut Context) -> Box<Closing> {
        let Owes::Final { server, response } = self.owes else { return self };
        cx.unwatch();
        cx.respond(server, response);
        Closing::requests(cx)
    }

    /// The peer's BYE leaves nothing to say to it: ours, which waits for an ACK, would follow it into nowhere.
    pub(super) fn request(self: Box<Self>, cx: &mut Context, id: ServerId, request: &Request) -> Box<Closing> {
        let bye = request.method == Method::Bye;
        cx.answer(id, request, if bye { 200 } else { 481 });
        match self.owes {
            Owes::Bye { dialog, .. } if bye && dialog.owns(request) => Closing::session(cx, dialog),
            owes => Box::new(Closing { owes, ..*self }),
        }
    }

    pub(super) fn ack(self: Box<Self>, cx: &mut Context, ack: &Request) -> Box<Closing> {
        match self.owes {
            Owes::Bye { dialog, unacked, cause } if unacked.acknowledged_by(ack) => Closing::bye(cx, dialog, &cause),
            owes => Box::new(Closing { owes, ..*self }),
        }
    }

    pub(super) fn tick(mut self: Box<Self>, cx: &mut Context) -> Box<Closing> {
        if let Some(dialog) = self.dialog_mut() {
            referral::tick(cx, dialog);
        }
        match self.owes {
            Owes::Bye { mut dialog, mut unacked, cause } => {
                if unacked.tick(cx) {
                    cx.bye_once(&mut dialog, &cause);
                    return Closing::session(cx, dialog);
                }
                self.owes = Owes::Bye { dialog, unacked, cause };
                self
            }
            Owes::Final { .. } if cx.mono() >= self.until => self.release(cx),
            _ => self,
        }
    }

    fn bye(cx: &mut Context, mut dialog: Dialog, cause: &Cause) -> Box<Closing> {
        referral::hurry(cx, &mut dialog);
        cx.bye(&mut dialog, cause);
        Closing::session(cx, dialog)
    }

    pub(super) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match &mut self.owes {
            Owes::Requests { dialog } => dialog.as_mut(),
            Owes::Bye { dialog, .. } => Some(dialog),
            Owes::Final { .. } => None,
        }
    }
}
