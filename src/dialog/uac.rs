//! A leg that we call, until its INVITE is finally answered.

use crate::base::{Flow, Mono};
use crate::dialog::challenge::ByAccount;
use crate::dialog::check::{self, SDP};
use crate::dialog::closing::Closing;
use crate::dialog::context::{Context, MAX_CLIENTS, Purpose};
use crate::dialog::dialog::{Dialog, cseq, tag_of};
use crate::dialog::inside;
use crate::dialog::reliable::{Order, rseq};
use crate::dialog::session::{Next, Session};
use crate::dialog::stream::Stream;
use crate::dialog::{Caller, Cause, Dial, End, EndedBy, Event, HopEnd, Interval, Media, Other};
use crate::sip::{self, Direction, Header, Headers, Method, Name, Reach, Replaces, Request, Response, Status};
use crate::transaction::{ClientId, Failure, ServerId};
use crate::ua::{Peers, Way};
use std::ops::ControlFlow::{self, Break, Continue};

/// The number of a leg's first INVITE.
const SEQ: u32 = 1;
const MAX_EARLY: usize = 16;

/// The INVITE goes on, or the leg is a stage further.
pub(super) type Step = ControlFlow<Next, Box<Calling>>;

/// An INVITE of ours without a final response (RFC 3261 §13.2).
#[derive(Debug)]
pub(super) struct Calling {
    client: ClientId,
    /// The INVITE's number.
    seq: u32,
    /// Our offer, with which each branch of a fork begins.
    offered: Stream,
    /// One for each branch that has answered provisionally.
    early: Vec<Early>,
    /// The branch that our side would hear now.
    heard: Option<usize>,
    /// Provisional statuses told.
    told: Vec<Status>,
    /// It rings there, by the present way.
    rings: bool,
    /// Timer C (§16.6 step 11): until then a final response must come.
    until: Mono,
    /// The present hop, and the others in order (RFC 3263 §4.3).
    dial: Box<Dial>,
    /// The present hop must have responded by then, where another one is left.
    respond: Option<Mono>,
    /// The party has refused by one way, and others are tried: its word in the end.
    refusal: Option<Box<End>>,
    /// The accounts by which hops before were called, should one of those answer late.
    before: Vec<(ClientId, Option<Box<ByAccount>>)>,
}

/// An early dialog: its own tag, target, route set, negotiation and order of reliable responses (§12.1.2, RFC 3262 §4).
#[derive(Debug)]
struct Early {
    dialog: Dialog,
    order: Order,
    /// P-Early-Media forbids what its network would send (RFC 5009 §5).
    muted: bool,
    /// The peer has said that it failed (RFC 6228). Should it answer all the same, its 2xx counts.
    failed: bool,
    /// The peer has ended it with BYE.
    gone: bool,
}

impl Early {
    /// Something may be heard of it.
    fn sends(&self) -> bool {
        let receives = |media: &Media| matches!(media.direction, Direction::SendRecv | Direction::RecvOnly);
        !self.gone && !self.failed && !self.muted && self.dialog.stream.settled().is_some_and(receives)
    }

    fn answered(&self) -> bool {
        self.dialog.stream.settled().is_some()
    }

    /// The network's word on its early media holds until it says otherwise.
    fn permitted(&mut self, headers: &Headers) {
        self.muted = headers.early_media().map_or(self.muted, |sends| !sends);
    }
}

impl Calling {
    pub(super) fn dial(cx: &mut Context, dial: Box<Dial>) -> Box<Calling> {
        let mut offered = cx.stream();
        offered.attach(dial.local.clone());
        let ours = offered.offer();
        cx.leg.account = dial.known_as.clone().map(ByAccount::new);
        let mut invite = invite(cx, &dial, SEQ);
        if let Some(ours) = ours {
            invite = invite.with_body(SDP, ours.to_bytes());
        }
        let client = cx.request(dial.flow, invite, Purpose::Invite);
        let (until, respond) = (timer_c(cx), respond(cx, &dial));
        let (early, told, before) = (Vec::new(), Vec::new(), Vec::new());
        Box::new(Calling {
            client,
            seq: SEQ,
            offered,
            early,
            heard: None,
            told,
            rings: false,
            until,
            dial,
            respond,
            refusal: None,
            before,
        })
    }

    /// The transaction is that of the hop which is called now.
    pub(super) fn is_by(&self, client: Option<ClientId>) -> bool {
        client == Some(self.client)
    }

    /// One of its early dialogs is the one to replace.
    pub(super) fn has(&self, replaces: &Replaces) -> bool {
        self.early.iter().any(|early| early.dialog.is_named(replaces))
    }

    pub(super) fn provisional(mut self: Box<Self>, cx: &mut Context, flow: Flow, response: &Response) -> Step {
        self.respond = None;
        if response.status.0 > 100 {
            self.until = timer_c(cx);
            self.news(cx, flow, response);
        }
        Continue(self)
    }

    pub(super) fn accepted(mut self, cx: &mut Context, (id, flow): (Option<ClientId>, Flow), response: &Response) -> Step {
        self.answered_by(cx, id);
        // §13.2.2.4: the 2xx gives target and route set anew; the early dialog's numbers go on.
        let mut dialog = Dialog::uac(response, flow, Stream::default(), cx.ua.peers_by(flow));
        cx.leg.farewell = Some(dialog.farewell());
        let known = self.early.iter().position(|early| early.dialog.remote_tag == dialog.remote_tag);
        let early = known.map(|at| self.early.swap_remove(at));
        let gone = early.as_ref().is_some_and(|early| early.gone);
        match early {
            Some(early) => (dialog.seq, dialog.stream) = (early.dialog.seq, early.dialog.stream),
            None => dialog.stream = self.offered,
        }
        cx.ack(&dialog, response.headers.cseq().map_or(self.seq, |cseq| cseq.seq));
        // Hops that were passed over, or the present one, should one of those answer after all.
        cx.cancel_invites(&Cause { elsewhere: true, ..Cause::default() });
        if gone {
            // It has hung up already: what answered is no longer there.
            cx.end(End::new(EndedBy::Peer, Some(480)));
            return Break(Next::Closing(Closing::requests(cx)));
        }
        if !answers(&mut dialog.stream, response, cx.config.reach) {
            cx.end(End::new(EndedBy::Peer, Some(488)));
            cx.bye(&mut dialog, &Cause::default());
            return Break(Next::Closing(Closing::requests(cx)));
        }
        cx.settled(&dialog.stream);
        cx.event(Event::Answered { leg: cx.leg.id });
        Break(Next::Session(Session::answered(cx, dialog, response)))
    }

    /// RFC 3263 §4.3: 503 is the hop's word, and 430 (RFC 5626 §11.5) a proxy's about a flow that is gone; any other refusal is
    /// the party's. A refusal of the number itself is that of every hop, whatever its code. Where every way is to be tried, only the
    /// word of a person ends it: one that rang, is busy or declines would ring or be busy by another way, too.
    pub(super) fn refused(mut self: Box<Self>, cx: &mut Context, response: &Response) -> Step {
        if self.longer(cx, response) || self.unsealed(cx, response) {
            return Continue(self);
        }
        let refused = self.dial.causes.as_ref().and_then(|causes| causes.answer(response)).cloned();
        let of_number = refused.as_ref().is_some_and(|refused| refused.is_of_number());
        let end = End::refused(response, refused);
        let of_hop = matches!(end.said(), Some(430 | 503));
        let of_person = self.rings || matches!(end.said(), Some(486 | 600..=699));
        let why = match end.said() {
            Some(503) => HopEnd::Unavailable { retry_after: response.headers.retry_after() },
            _ => HopEnd::Moved,
        };
        if !of_number && (of_hop || self.dial.every_way && !of_person) {
            // A server that keeps the transaction that it has refused would take the same number for a circle (RFC 3261 §8.2.2.2).
            self.seq += u32::from(!of_hop || self.dial.every_way);
            if self.next_hop(cx, why) {
                let of_party = !matches!(end.said(), Some(401 | 403 | 407 | 430 | 482 | 503));
                self.refusal = self.refusal.or(of_party.then(|| Box::new(end)));
                return Continue(self);
            }
        }
        self.over(cx, end)
    }

    /// No way is left. The party's own word, where there was one, tells more than that of the last way.
    fn over(self, cx: &mut Context, end: End) -> Step {
        cx.end(self.refusal.map_or(end, |refusal| *refusal));
        Break(Next::Closing(Closing::requests(cx)))
    }

    /// The INVITE goes out once more, with our answer to a challenge: in a transaction of its own, of the same leg (§22.1).
    pub(super) fn again(&mut self, cx: &mut Context, flow: Flow, mut invite: Request) {
        self.seq += 1;
        invite.headers.set(Name::CSeq, cseq(self.seq, &Method::Invite));
        self.client = cx.request(flow, invite, Purpose::Invite);
        self.until = timer_c(cx);
        self.forget_branches(cx);
        self.respond = respond(cx, &self.dial);
    }

    /// The party wants a longer session timer (RFC 4028 §7.3): the INVITE goes out once more with it. False where no longer one can be
    /// asked for, so that it ends.
    fn longer(&mut self, cx: &mut Context, response: &Response) -> bool {
        let wanted = response.headers.min_se().filter(|_| response.status.0 == 422);
        let (Some(wanted), Some(asked)) = (wanted, &mut self.dial.timer) else { return false };
        let longer = asked.lengthen(wanted);
        if longer {
            self.seq += 1;
            self.send(cx);
        }
        longer
    }

    /// The party refuses our keys, which some do that know RTP/AVP with keys for a mistake: the INVITE goes out once more without them.
    /// False where it has none, or may not.
    fn unsealed(&mut self, cx: &mut Context, response: &Response) -> bool {
        let refused = matches!(response.status.0, 415 | 488 | 606);
        let loose = self.dial.local.srtp.take_if(|srtp| refused && srtp.else_plain).is_some();
        if loose {
            self.offered = cx.stream();
            self.offered.attach(self.dial.local.clone());
            self.offered.offer();
            self.seq += 1;
            self.send(cx);
        }
        loose
    }

    /// The early dialog with the branch of this tag.
    pub(super) fn early_dialog_of(&mut self, tag: &str) -> Option<&mut Dialog> {
        self.early.iter_mut().map(|early| &mut early.dialog).find(|dialog| dialog.remote_tag == tag)
    }

    /// §8.1.3.1: no response is 408, a transport error 503.
    pub(super) fn failed(mut self: Box<Self>, cx: &mut Context, failure: Failure) -> Step {
        self.leave_out_silent();
        if self.next_hop(cx, HopEnd::Silent) {
            return Continue(self);
        }
        let status = if failure == Failure::Timeout { 408 } else { 503 };
        self.over(cx, End::new(EndedBy::Network, Some(status)))
    }

    /// CANCEL; a 2xx that crosses it is acknowledged and ended.
    pub(super) fn hangup(self, cx: &mut Context, cause: &Cause) -> Step {
        cx.end(End { q850: cause.q850, ..End::new(EndedBy::Us, None) });
        self.cancel(cx, cause.clone())
    }

    fn cancel(self, cx: &mut Context, cause: Cause) -> Step {
        cx.cancel(self.client, cause.reason());
        cx.leg.cancelled = cause;
        Break(Next::Closing(Closing::requests(cx)))
    }

    pub(super) fn request(mut self: Box<Self>, cx: &mut Context, id: ServerId, flow: Flow, request: &Request) -> Step {
        let tag = tag_of(&request.headers, &Name::From);
        let Some(at) = self.early.iter().position(|early| early.dialog.remote_tag == tag && !early.gone) else {
            cx.answer(id, request, 481);
            return Continue(self);
        };
        let early = &mut self.early[at];
        if !inside::enter(cx, Some(&mut early.dialog), id, flow, request) {
            return Continue(self);
        }
        match request.method {
            // The branch is gone; the INVITE's final response is still to come.
            Method::Bye => {
                early.gone = true;
                cx.answer(id, request, 200);
            }
            // Its 2xx is on its way, and our INVITE is not over (RFC 3261 §14.2).
            Method::Invite => cx.answer(id, request, 491),
            Method::Update => {
                let answered = early.answered();
                early.permitted(&request.headers);
                let result = inside::update(cx, &mut early.dialog, request, answered);
                cx.conclude(id, request, result);
            }
            _ => inside::other(cx, &early.dialog, id, request),
        }
        self.listen(cx, at);
        Continue(self)
    }

    pub(super) fn deadline(&self) -> Mono {
        self.respond.map_or(self.until, |respond| respond.min(self.until))
    }

    /// Timer C: CANCEL, and the call is over. A hop without any response is passed over before; should it answer late, it may
    /// have the call.
    pub(super) fn tick(mut self: Box<Self>, cx: &mut Context) -> Step {
        if self.respond.take_if(|at| *at <= cx.mono()).is_some() {
            let silent = self.client;
            self.leave_out_silent();
            // The last one has more time.
            if !self.dial.others.is_empty() && self.next_hop(cx, HopEnd::Silent) {
                cx.cancel(silent, Cause::default().reason());
            }
            return Continue(self);
        }
        if cx.mono() < self.until {
            return Continue(self);
        }
        cx.end(End::new(EndedBy::Network, Some(408)));
        self.cancel(cx, Cause { q850: Some(102), ..Cause::default() })
    }

    /// Calls the next hop: the same INVITE in a transaction of its own. False when there is none.
    fn next_hop(&mut self, cx: &mut Context, why: HopEnd) -> bool {
        let (leg, hop) = (cx.leg.id, self.dial.flow.remote);
        if self.dial.others.is_empty() {
            cx.event(Event::HopFailed { leg, hop, why, next: None });
            return false;
        }
        let Other { way: Way { flow: next, uri, routes }, caller } = self.dial.others.remove(0);
        (self.dial.flow, self.dial.uri, self.dial.routes) = (next, uri, routes);
        if let Some(caller) = caller {
            let Caller { known_as, from, headers } = *caller;
            (self.dial.from, self.dial.headers) = (from, headers);
            let now = known_as.map(ByAccount::new);
            self.before.push((self.client, std::mem::replace(&mut cx.leg.account, now)));
        }
        self.send(cx);
        cx.event(Event::HopFailed { leg, hop, why, next: Some(next.remote) });
        true
    }

    /// Sends the INVITE to the present hop, in a transaction of its own.
    fn send(&mut self, cx: &mut Context) {
        let mut invite = invite(cx, &self.dial, self.seq);
        if let Some(ours) = self.offered.sent() {
            invite = invite.with_body(SDP, ours.to_bytes());
        }
        self.client = cx.request(self.dial.flow, invite, Purpose::Invite);
        (self.until, self.respond, self.rings) = (timer_c(cx), respond(cx, &self.dial), false);
        self.forget_branches(cx);
    }

    /// The branches of the transaction before are gone with it, and nothing more is heard of them.
    fn forget_branches(&mut self, cx: &mut Context) {
        self.early.clear();
        if self.heard.take().is_some() {
            cx.event(Event::EarlyMedia { leg: cx.leg.id, sends: false });
        }
    }

    /// A hop that says nothing to one account of ours says nothing to another. Phones behind one proxy are each their own.
    fn leave_out_silent(&mut self) {
        let silent = self.dial.flow;
        self.dial.others.retain(|other| other.caller.is_none() || other.way.flow != silent);
    }

    /// The account by which the hop was called that has answered is the leg's.
    fn answered_by(&mut self, cx: &mut Context, id: Option<ClientId>) {
        let before = self.before.drain(..).find(|(client, _)| Some(*client) == id);
        if let Some((_, account)) = before {
            cx.leg.account = account;
        }
    }

    /// A provisional above 100: its dialog, its PRACK, its status, its media.
    fn news(&mut self, cx: &mut Context, flow: Flow, response: &Response) {
        if let Some(at) = self.early_dialog(cx.ua.peers_by(flow), flow, response) {
            let early = &mut self.early[at];
            let reliable = rseq(response);
            if let Some(rseq) = reliable {
                if cx.leg.clients.len() >= MAX_CLIENTS || !early.order.take(rseq) {
                    return;
                }
                prack(cx, &mut early.dialog, (rseq, self.seq));
            }
            if early.dialog.stream.awaits_answer()
                && let Ok(Some(theirs)) = check::answer(response, early.dialog.stream.reach(cx.config.reach))
            {
                // RFC 3261 §13.2.1: an answer only where it is reliable. Before that, a taste of it.
                let stream = &mut early.dialog.stream;
                if reliable.is_some() {
                    stream.answered(&theirs)
                } else {
                    stream.previewed(&theirs)
                };
            }
            early.permitted(&response.headers);
            // This branch has failed, others have not.
            early.failed |= response.status.0 == 199;
            self.listen(cx, at);
        }
        self.rings |= response.status.0 == 180;
        // A branch that has failed is no progress of the call.
        if response.status.0 != 199 && !self.told.contains(&response.status) {
            self.told.push(response.status);
            cx.event(Event::Progress { leg: cx.leg.id, status: response.status });
        }
    }

    /// The early dialog of this response's tag; none without a tag, or beyond what we keep.
    fn early_dialog(&mut self, peers: (&Peers, bool), flow: Flow, response: &Response) -> Option<usize> {
        let tag = response.headers.get(&Name::To).and_then(|to| sip::tag(to)).unwrap_or_default();
        let known = self.early.iter().position(|early| early.dialog.remote_tag.as_bytes() == tag);
        if known.is_some() || tag.is_empty() || self.early.len() >= MAX_EARLY {
            return known;
        }
        let dialog = Dialog::uac(response, flow, self.offered.clone(), peers);
        self.early.push(Early { dialog, order: Order::default(), muted: false, failed: false, gone: false });
        Some(self.early.len() - 1)
    }

    /// Something has changed in a branch. The last that has something to be heard is the one to hear; its media are the
    /// leg's until one of them answers.
    fn listen(&mut self, cx: &mut Context, changed: usize) {
        let sends = |at: &usize| self.early.get(*at).is_some_and(Early::sends);
        let heard = Some(changed).filter(sends).or(self.heard.filter(sends));
        let heard = heard.or_else(|| self.early.iter().rposition(Early::sends));
        if let Some(early) = self.early.get(heard.unwrap_or(changed)) {
            cx.settled(&early.dialog.stream);
        }
        if heard.is_some() != self.heard.is_some() {
            cx.event(Event::EarlyMedia { leg: cx.leg.id, sends: heard.is_some() });
        }
        self.heard = heard;
    }
}

/// Tells whether the 2xx brings the answer to our offer, or comes after it: then a description in it is none (§13.2.1).
fn answers(stream: &mut Stream, response: &Response, reach: Reach) -> bool {
    if !stream.awaits_answer() {
        return true;
    }
    match check::answer(response, stream.reach(reach)) {
        Ok(Some(theirs)) => stream.answered(&theirs),
        Ok(None) => stream.answered_before(),
        Err(_) => false,
    }
}

fn invite(cx: &mut Context, dial: &Dial, seq: u32) -> Request {
    let mut from = dial.from.clone();
    from.params.set("tag", Some(&cx.leg.tag));
    let mut invite = Request::new(Method::Invite, dial.uri.clone());
    let headers = &mut invite.headers;
    headers.push(Name::MaxForwards, dial.max_forwards.to_string());
    headers.0.extend(dial.routes.iter().map(|route| Header::printed(Name::Route, route)));
    headers.0.push(Header::printed(Name::From, from));
    headers.0.push(Header::printed(Name::To, &dial.to));
    headers.push(Name::CallId, dial.call_id.clone());
    headers.push(Name::CSeq, cseq(seq, &Method::Invite));
    cx.capabilities(&mut headers.0, dial.flow);
    headers.0.extend(dial.timer.iter().flat_map(Interval::ask));
    headers.push(Name::PEarlyMedia, "supported"); // RFC 5009 §8
    headers.0.extend(dial.headers.iter().cloned());
    invite
}

fn prack(cx: &mut Context, dialog: &mut Dialog, (rseq, seq): (u32, u32)) {
    let mut prack = dialog.request(Method::Prack, cx.ua.config().max_forwards);
    prack.headers.push(Name::RAck, format!("{rseq} {seq} INVITE"));
    cx.request(dialog.next_hop(), prack, Purpose::Prack);
}

/// By when a hop must have responded that is not the last.
fn respond(cx: &Context, dial: &Dial) -> Option<Mono> {
    (!dial.others.is_empty()).then(|| cx.mono().after(cx.config.hop_timeout))
}

fn timer_c(cx: &Context) -> Mono {
    cx.mono().after(cx.ua.config().transaction.timer_c)
}
