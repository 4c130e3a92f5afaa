use crate::base::{Flow, Mono};
use crate::dialog::check::SDP;
use crate::dialog::closing::Closing;
use crate::dialog::cx::{Cx, Purpose, capabilities};
use crate::dialog::dialog::{Dialog, cseq, tag_of};
use crate::dialog::inside;
use crate::dialog::leg::{MAX_CLIENTS, State};
use crate::dialog::reliable::{Order, rseq};
use crate::dialog::session::{Session, theirs};
use crate::dialog::{Cause, Dial, End, EndedBy, Event};
use crate::sip::{Method, Name, Replaces, Request, Response, Status};
use crate::transaction::{ClientId, Failure, ServerId};

const SEQ: u32 = 1;
const MAX_EARLY: usize = 16;

/// An INVITE of ours without a final response (RFC 3261 §13.2).
#[derive(Debug)]
pub(super) struct Calling {
    client: ClientId,
    /// One for each branch of a fork that has answered provisionally.
    early: Vec<Early>,
    /// Provisional statuses told.
    told: Vec<Status>,
    /// Timer C (§16.6 step 11): until then a final response must come.
    until: Mono,
}

/// An early dialog: its own tag, target, route set and order of reliable responses (§12.1.2, RFC 3262 §4).
#[derive(Debug)]
struct Early {
    dialog: Dialog,
    order: Order,
    /// It carried the answer to our offer.
    answered: bool,
}

impl Calling {
    pub(super) fn dial(cx: &mut Cx, dial: Dial) -> State {
        cx.leg.stream.attach(dial.local.clone());
        let ours = cx.leg.stream.offer();
        let mut invite = invite(cx, &dial);
        if let Some(ours) = ours {
            invite = invite.with_body(SDP, ours.to_bytes());
        }
        let client = cx.request(dial.flow, invite, Purpose::Invite);
        let until = timer_c(cx);
        State::Calling(Box::new(Calling { client, early: Vec::new(), told: Vec::new(), until }))
    }

    /// One of its early dialogs is the one to replace.
    pub(super) fn has(&self, replaces: &Replaces) -> bool {
        self.early.iter().any(|early| early.dialog.is_named(replaces))
    }

    pub(super) fn provisional(mut self: Box<Self>, cx: &mut Cx, flow: Flow, response: &Response) -> State {
        if response.status.0 > 100 {
            self.until = timer_c(cx);
            self.news(cx, flow, response);
        }
        State::Calling(self)
    }

    pub(super) fn accepted(mut self, cx: &mut Cx, flow: Flow, response: &Response) -> State {
        // §13.2.2.4: the 2xx gives target and route set anew; the early dialog's numbers go on.
        let mut dialog = Dialog::uac(response, flow);
        let early = self.branch(&dialog.remote_tag);
        let answered = early.as_ref().is_some_and(|early| early.answered);
        dialog.seq = early.map_or(dialog.seq, |early| early.dialog.seq);
        cx.ack(&dialog, SEQ);
        let media = match theirs(response) {
            Some(theirs) => cx.leg.stream.answered(&theirs),
            None => answered.then_some(None),
        };
        let Some(media) = media else {
            cx.end(End::new(EndedBy::Peer, Some(488)));
            cx.bye(&mut dialog, &Cause::default());
            return Closing::requests(cx);
        };
        cx.media(media);
        cx.event(Event::Answered { leg: cx.leg.id });
        Session::answered(cx, dialog, response)
    }

    pub(super) fn refused(self, cx: &mut Cx, response: &Response) -> State {
        cx.end(End::refused(response));
        Closing::requests(cx)
    }

    /// §8.1.3.1: no response is 408, a transport error 503.
    pub(super) fn failed(self, cx: &mut Cx, failure: Failure) -> State {
        let status = if failure == Failure::Timeout { 408 } else { 503 };
        cx.end(End::new(EndedBy::Network, Some(status)));
        Closing::requests(cx)
    }

    /// CANCEL; a 2xx that crosses it is acknowledged and ended.
    pub(super) fn hangup(self, cx: &mut Cx, cause: &Cause) -> State {
        cx.end(End { q850: cause.q850, ..End::new(EndedBy::Us, None) });
        cx.cancel(self.client, cause.reason());
        Closing::requests(cx)
    }

    pub(super) fn request(mut self: Box<Self>, cx: &mut Cx, id: ServerId, flow: Flow, request: &Request) -> State {
        let early = self.branch(&tag_of(&request.headers, &Name::From));
        let answered = early.as_ref().is_some_and(|early| early.answered);
        let Some(dialog) = early.map(|early| &mut early.dialog) else {
            cx.answer(id, request, 481);
            return State::Calling(self);
        };
        if inside::enter(cx, Some(dialog), id, flow, request) {
            match request.method {
                // The branch is gone; the INVITE's final response is still to come.
                Method::Bye => cx.answer(id, request, 200),
                Method::Update => {
                    let result = inside::update(cx, dialog, request, answered);
                    cx.conclude(id, request, result);
                }
                _ => inside::other(cx, dialog, id, request),
            }
        }
        State::Calling(self)
    }

    pub(super) fn deadline(&self) -> Mono {
        self.until
    }

    /// Timer C: CANCEL, and the call is over.
    pub(super) fn tick(self: Box<Self>, cx: &mut Cx) -> State {
        if cx.mono() < self.until {
            return State::Calling(self);
        }
        cx.end(End::new(EndedBy::Network, Some(408)));
        cx.cancel(self.client, Cause { q850: Some(102), ..Cause::default() }.reason());
        Closing::requests(cx)
    }

    /// A provisional above 100: its dialog, its PRACK, its status, its media.
    fn news(&mut self, cx: &mut Cx, flow: Flow, response: &Response) {
        let leg = cx.leg.id;
        if let Some(early) = self.early_dialog(flow, response) {
            if let Some(rseq) = rseq(response) {
                if cx.leg.clients.len() >= MAX_CLIENTS || !early.order.take(rseq) {
                    return;
                }
                prack(cx, &mut early.dialog, rseq);
            }
            if let Some(media) = theirs(response).and_then(|theirs| cx.leg.stream.answered(&theirs)) {
                early.answered = true;
                cx.media(media);
            }
        }
        if !self.told.contains(&response.status) {
            self.told.push(response.status);
            cx.event(Event::Progress { leg, status: response.status });
        }
    }

    /// The early dialog of this response's tag; none without a tag, or beyond what we keep.
    fn early_dialog(&mut self, flow: Flow, response: &Response) -> Option<&mut Early> {
        let dialog = Dialog::uac(response, flow);
        if dialog.remote_tag.is_empty() {
            return None;
        }
        let known = self.early.iter().position(|early| early.dialog.remote_tag == dialog.remote_tag);
        if known.is_none() && self.early.len() < MAX_EARLY {
            self.early.push(Early { dialog, order: Order::default(), answered: false });
            return self.early.last_mut();
        }
        self.early.get_mut(known?)
    }

    fn branch(&mut self, tag: &str) -> Option<&mut Early> {
        self.early.iter_mut().find(|early| early.dialog.remote_tag == tag)
    }
}

fn invite(cx: &mut Cx, dial: &Dial) -> Request {
    let mut from = dial.from.clone();
    from.params.set("tag", Some(&cx.leg.tag));
    let mut invite = Request::new(Method::Invite, dial.uri.clone());
    let headers = &mut invite.headers;
    headers.push(Name::MaxForwards, dial.max_forwards.to_string());
    headers.push(Name::From, from.to_string());
    headers.push(Name::To, dial.to.to_string());
    headers.push(Name::CallId, dial.call_id.clone());
    headers.push(Name::CSeq, cseq(SEQ, &Method::Invite));
    capabilities(&mut headers.0, dial.flow);
    headers.0.extend(dial.headers.iter().cloned());
    invite
}

fn prack(cx: &mut Cx, dialog: &mut Dialog, rseq: u32) {
    let mut prack = dialog.request(Method::Prack, cx.core.config.max_forwards);
    prack.headers.push(Name::RAck, format!("{rseq} {SEQ} INVITE"));
    cx.request(dialog.next_hop(), prack, Purpose::Prack);
}

fn timer_c(cx: &Cx) -> Mono {
    cx.mono().after(cx.core.config.transaction.timer_c)
}
