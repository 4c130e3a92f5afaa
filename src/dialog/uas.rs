//! A leg that calls us, until we have finally answered its INVITE.

use crate::base::{Flow, Mono};
use crate::dialog::check;
use crate::dialog::closing::Closing;
use crate::dialog::context::Context;
use crate::dialog::dialog::Dialog;
use crate::dialog::inside;
use crate::dialog::reliable::Provisionals;
use crate::dialog::resend::Due;
use crate::dialog::session::{Next, Session};
use crate::dialog::{Cause, End, EndedBy, Event, LocalMedia};
use crate::sip::{Header, Method, Name, Reach, Request, Sdp, SdpError, Status};
use crate::transaction::ServerId;
use crate::ua::Refusal;
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::Duration;

/// A proxy gives up on an INVITE without news for three minutes: say again where we are (RFC 3261 §13.3.1.1).
const REPEAT: Duration = Duration::from_secs(60);

/// The INVITE waits on, or the leg is a stage further.
pub(super) type Step = ControlFlow<Next, Box<Invited>>;

/// An INVITE that we have not finally answered (RFC 3261 §13.3).
#[derive(Debug)]
pub(super) struct Invited {
    server: ServerId,
    invite: Request,
    seq: u32,
    dialog: Dialog,
    exchange: Exchange,
    /// The caller requires reliable provisionals, or supports them and we want them.
    reliable: bool,
    provisionals: Provisionals,
    /// The 200 is wanted as soon as it may leave.
    answering: bool,
    repeat: Option<(Mono, Status, bool)>,
    /// The caller will wait no longer.
    expires: Option<Mono>,
    /// Media for the session, attached too late for the answer.
    wanted: Option<LocalMedia>,
    /// The caller has sent a request within the dialog.
    confirmed: bool,
}

/// The offer of an INVITE: none when it comes late, why not when we cannot use it.
pub(super) type Offer = Option<Result<Sdp, Refusal>>;

/// How far the INVITE's offer and answer are.
#[derive(Debug)]
enum Exchange {
    /// The caller offered, our answer is not delivered reliably.
    Offered(Sdp),
    /// The caller offered nothing that we can use.
    Refused(Refusal),
    /// Nobody offered.
    Late,
    /// We offered in a reliable provisional; the PRACK will answer.
    Ours,
    Settled,
}

impl Invited {
    pub(super) fn new(cx: &mut Context, server: ServerId, flow: Flow, invite: Request, offer: Offer) -> Invited {
        cx.watch(server);
        let stream = cx.stream();
        Invited {
            server,
            seq: invite.headers.cseq().map_or(0, |cseq| cseq.seq),
            dialog: Dialog::uas(&invite, flow, &cx.leg.tag, stream, cx.ua.peers_by(flow)),
            exchange: match offer {
                None => Exchange::Late,
                Some(Ok(offer)) => Exchange::Offered(offer),
                Some(Err(refusal)) => Exchange::Refused(refusal),
            },
            reliable: invite.headers.lists(&Name::Require, "100rel"),
            provisionals: Provisionals::new(cx.ua.rng().u32() >> 2),
            answering: false,
            repeat: None,
            expires: invite.headers.expires().map(|seconds| cx.mono().after(Duration::from_secs(seconds.into()))),
            wanted: None,
            confirmed: false,
            invite,
        }
    }

    pub(super) fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub(super) fn attach(mut self: Box<Self>, cx: &mut Context, local: LocalMedia) -> Step {
        if matches!(&self.exchange, Exchange::Offered(offer) if !offer.suits(local.protection())) {
            // It was read before it was known how the caller's audio may travel: perhaps it offers another stream, too.
            let reach = Reach { protection: local.protection(), ..cx.config.reach };
            self.exchange = match check::session(&self.invite, reach) {
                Ok(offer) => offer.map_or(Exchange::Late, Exchange::Offered),
                Err(refusal) => Exchange::Refused(refusal),
            };
        }
        let refusal = match &self.exchange {
            Exchange::Offered(offer) => {
                self.dialog.stream.attach(local);
                self.dialog.stream.answer(offer).err().map(check::unusable)
            }
            Exchange::Refused(refusal) => Some(refusal.clone()),
            // We would have to offer keys that may not travel.
            Exchange::Late if local.has_no_way() => Some(check::unusable(SdpError::Plain)),
            Exchange::Late => {
                self.dialog.stream.attach(local);
                None
            }
            // An answer that was sent reliably stands until the session is up.
            Exchange::Ours | Exchange::Settled => {
                self.wanted = Some(local);
                None
            }
        };
        if let Some(refusal) = refusal {
            let end = End::new(EndedBy::Us, Some(refusal.status));
            return self.refuse_with(cx, &status(refusal.status), end, refusal.header);
        }
        cx.settled(&self.dialog.stream);
        Continue(self)
    }

    pub(super) fn progress(mut self: Box<Self>, cx: &mut Context, status: Status, media: bool) -> Step {
        let status = Status(status.0.clamp(101, 199));
        if self.reliable && self.provisionals.waiting() {
            self.provisionals.queue(status, media);
        } else {
            self.provisional(cx, status, media);
        }
        Continue(self)
    }

    pub(super) fn reliably(mut self: Box<Self>) -> Step {
        self.reliable |= self.invite.headers.lists(&Name::Supported, "100rel");
        Continue(self)
    }

    /// Waits for the PRACK of an outstanding provisional (RFC 3262 §3) and for the leave to answer.
    pub(super) fn answer(mut self: Box<Self>, cx: &mut Context) -> Step {
        self.answering = true;
        self.advance(cx)
    }

    pub(super) fn release(self: Box<Self>, cx: &mut Context) -> Step {
        cx.leg.released = true;
        self.advance(cx)
    }

    pub(super) fn without_expiry(mut self: Box<Self>) -> Step {
        self.expires = None;
        Continue(self)
    }

    pub(super) fn hangup(self: Box<Self>, cx: &mut Context, cause: &Cause) -> Step {
        let end = End { q850: cause.q850, ..End::new(EndedBy::Us, Some(cause.refusal().0)) };
        self.refuse(cx, cause, end)
    }

    pub(super) fn cancelled(self: Box<Self>, cx: &mut Context, cancel: &Request) -> Step {
        self.refuse(cx, &status(487), End::cancelled(&cancel.headers))
    }

    pub(super) fn lost(self: Box<Self>, cx: &mut Context) -> Step {
        cx.end(End::new(EndedBy::Network, None));
        Break(Next::Closing(Closing::requests(cx)))
    }

    pub(super) fn request(mut self: Box<Self>, cx: &mut Context, id: ServerId, flow: Flow, request: &Request) -> Step {
        if !inside::enter(cx, Some(&mut self.dialog), id, flow, request) {
            return Continue(self);
        }
        if !std::mem::replace(&mut self.confirmed, true) {
            cx.event(Event::Confirmed { leg: cx.leg.id });
        }
        match request.method {
            Method::Prack => return self.prack(cx, id, request),
            Method::Bye => {
                cx.answer(id, request, 200);
                let end = End::new(EndedBy::Peer, Some(487)).with_reason(&request.headers);
                return self.refuse(cx, &status(487), end);
            }
            // RFC 3261 §14.2: the first INVITE has no final response yet.
            Method::Invite => {
                let busy = cx.busy();
                cx.refuse(id, request, busy);
            }
            Method::Update => self.update(cx, id, request),
            _ => inside::other(cx, &self.dialog, id, request),
        }
        Continue(self)
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        let repeat = self.repeat.as_ref().map(|(at, ..)| *at);
        [self.provisionals.deadline(), repeat, self.expiry()].into_iter().flatten().min()
    }

    pub(super) fn tick(mut self: Box<Self>, cx: &mut Context) -> Step {
        match self.provisionals.due(cx.mono()) {
            // RFC 3262 §3: without a PRACK the request is rejected with a 5xx.
            Due::Over => return self.refuse(cx, &status(504), End::new(EndedBy::Network, Some(504))),
            Due::Again => {
                if let Some(response) = self.provisionals.last().cloned() {
                    cx.repeat(self.server, response);
                }
            }
            Due::Nothing => {}
        }
        // RFC 3261 §13.3.1: the invitation has expired.
        if self.expiry().is_some_and(|at| at <= cx.mono()) {
            return self.refuse(cx, &status(487), End::new(EndedBy::Peer, Some(487)));
        }
        match self.repeat {
            Some((at, status, media)) if at <= cx.mono() => {
                self.repeat = None;
                self.progress(cx, status, media)
            }
            _ => Continue(self),
        }
    }

    /// One that is answered, and waits for leave to say so, expires no more.
    fn expiry(&self) -> Option<Mono> {
        self.expires.filter(|_| !self.answering)
    }

    /// Sends what waited for a PRACK or for leave: the 200, or else the next provisional.
    fn advance(mut self: Box<Self>, cx: &mut Context) -> Step {
        if self.provisionals.waiting() {
            return Continue(self);
        }
        if self.answering && cx.leg.released {
            return self.accept(cx);
        }
        if let Some((status, media)) = self.provisionals.queued() {
            self.provisional(cx, status, media);
        }
        Continue(self)
    }

    fn provisional(&mut self, cx: &mut Context, status: Status, media: bool) {
        let late = matches!(self.exchange, Exchange::Late);
        let ours = self.description(media);
        if self.reliable && late && ours.is_none() {
            return; // RFC 3262 §5: the first reliable one must carry our offer, and we have no media yet.
        }
        let mut response = cx.session_reply(&self.invite, status.0, self.dialog.next_hop(), ours.as_deref());
        if media && self.invite.headers.get(&Name::PEarlyMedia).is_some() {
            response.headers.push(Name::PEarlyMedia, "sendrecv"); // RFC 5009 §6
        }
        if self.reliable {
            response = self.provisionals.send(response, cx.mono(), cx.ua.config().transaction.t1);
        }
        cx.respond(self.server, response);
        self.repeat = Some((cx.mono().after(REPEAT), status, media));
    }

    /// Our SDP for a provisional: the answer in any, an offer only in a reliable one (RFC 3261 §13.2.1).
    fn description(&mut self, media: bool) -> Option<Arc<Sdp>> {
        match self.exchange {
            Exchange::Offered(_) if media => {
                let ours = self.dialog.stream.sent()?;
                if self.reliable {
                    self.exchange = Exchange::Settled;
                }
                Some(ours)
            }
            Exchange::Late if self.reliable => {
                let ours = self.dialog.stream.offer()?;
                self.exchange = Exchange::Ours;
                Some(ours)
            }
            _ => None,
        }
    }

    fn accept(mut self: Box<Self>, cx: &mut Context) -> Step {
        let offered = matches!(self.exchange, Exchange::Late);
        let ours = match self.exchange {
            Exchange::Offered(_) => self.dialog.stream.sent(),
            Exchange::Late => self.dialog.stream.offer(),
            Exchange::Ours | Exchange::Settled | Exchange::Refused(_) => None,
        };
        if ours.is_none() && matches!(self.exchange, Exchange::Offered(_) | Exchange::Late | Exchange::Refused(_)) {
            return self.hangup(cx, &status(500));
        }
        cx.unwatch();
        let session = Session::answer(cx, self.dialog, self.server, &self.invite, ours.as_deref(), offered);
        Break(match self.wanted {
            Some(local) => session.attach(cx, local),
            None => Next::Session(session),
        })
    }

    fn prack(mut self: Box<Self>, cx: &mut Context, id: ServerId, request: &Request) -> Step {
        if !self.provisionals.acknowledge(request, self.seq) {
            cx.answer(id, request, 481);
            return Continue(self);
        }
        match self.exchange {
            Exchange::Ours => self.prack_answers(cx, id, request),
            _ => self.prack_offers(cx, id, request),
        }
    }

    fn prack_answers(mut self: Box<Self>, cx: &mut Context, id: ServerId, request: &Request) -> Step {
        cx.answer(id, request, 200);
        let theirs = check::session(request, self.dialog.stream.reach(cx.config.reach)).ok().flatten();
        if !theirs.is_some_and(|theirs| self.dialog.stream.answered(&theirs)) {
            return self.refuse(cx, &status(488), End::new(EndedBy::Peer, Some(488)));
        }
        cx.settled(&self.dialog.stream);
        self.exchange = Exchange::Settled;
        self.advance(cx)
    }

    /// A PRACK may carry a new offer once the first is answered (RFC 3262 §5).
    fn prack_offers(mut self: Box<Self>, cx: &mut Context, id: ServerId, request: &Request) -> Step {
        self.update(cx, id, request);
        self.advance(cx)
    }

    fn update(&mut self, cx: &mut Context, id: ServerId, request: &Request) {
        let answered = matches!(self.exchange, Exchange::Settled);
        let result = inside::update(cx, &mut self.dialog, request, answered);
        cx.settled(&self.dialog.stream);
        cx.conclude(id, request, result);
    }

    /// The final response leaves now, or once it may.
    fn refuse(self: Box<Self>, cx: &mut Context, cause: &Cause, end: End) -> Step {
        self.refuse_with(cx, cause, end, None)
    }

    /// As above, with a header that says more.
    fn refuse_with(self: Box<Self>, cx: &mut Context, cause: &Cause, end: End, more: Option<Header>) -> Step {
        let mut response = cx.reply(&self.invite, cause.refusal().0);
        cause.onto(&mut response.headers);
        response.headers.0.extend(more);
        cx.end(end);
        if !cx.leg.released {
            return Break(Next::Closing(Closing::keep_back(cx, self.server, response)));
        }
        cx.unwatch();
        cx.respond(self.server, response);
        Break(Next::Closing(Closing::requests(cx)))
    }
}

fn status(status: u16) -> Cause {
    Cause { status, ..Cause::default() }
}
