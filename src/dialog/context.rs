//! The surroundings of a leg's state, and the part of a leg that no state keeps.

use crate::base::{Flow, LegId, Mono, Now};
use crate::dialog::challenge::ByAccount;
use crate::dialog::dialog::{Dialog, Farewell, our_contact};
use crate::dialog::refer::Referral;
use crate::dialog::stream::Stream;
use crate::dialog::{Cause, Config, End, Event, Media, check};
use crate::sip::{Header, Method, Name, Request, Response, Sdp, Status};
use crate::transaction::{ClientId, ServerId};
use crate::ua::{ALLOW, Refusal, SUPPORTED, Ua, Usage};
use bytes::Bytes;

const MAX_ACKED: usize = 8;

/// A leg has one request under way, or a few; a peer that answers with ever new tags does not get more.
pub(super) const MAX_CLIENTS: usize = 32;

/// All that a leg's state needs beside itself, and all that it may do.
pub(super) struct Context<'a> {
    pub(super) now: Now,
    pub(super) ua: &'a mut Ua,
    pub(super) config: &'a Config,
    pub(super) leg: &'a mut LegData,
    pub(super) out: &'a mut Vec<Event>,
}

/// The part of a leg that it keeps through all its states.
#[derive(Debug)]
pub(super) struct LegData {
    pub(super) id: LegId,
    /// Our tag.
    pub(super) tag: String,
    pub(super) ended: bool,
    /// The media that were told last.
    pub(super) told: Option<Media>,
    /// Our requests that have no final response yet.
    pub(super) clients: Vec<(ClientId, Purpose)>,
    /// The INVITE of the peer's that may still be cancelled.
    pub(super) server: Option<ServerId>,
    /// ACKs sent, for the 2xx that come again.
    pub(super) acked: Vec<Acked>,
    /// The peer's REFER under way.
    pub(super) referral: Option<Referral>,
    /// Number of REFERs that the peer has sent.
    pub(super) referrals: u32,
    /// The BYE that it takes to end it, while there is somebody to get it.
    pub(super) farewell: Option<Farewell>,
    /// Final responses to its INVITE may leave.
    pub(super) released: bool,
    /// Why our INVITE was cancelled: a 2xx that crosses the CANCEL is told the same by its BYE (RFC 3326 §2).
    pub(super) cancelled: Cause,
    /// Our account with its carrier, where it goes by one.
    pub(super) account: Option<Box<ByAccount>>,
}

/// An ACK that we sent; a 2xx that comes again gets the same.
#[derive(Debug)]
pub(super) struct Acked {
    pub(super) tag: String,
    pub(super) seq: u32,
    pub(super) flow: Flow,
    pub(super) data: Bytes,
}

/// The purpose of a request of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Invite,
    Reinvite,
    Update,
    Prack,
    Info,
    /// To learn that the peer is there.
    Probe,
    /// With the number of its REFER.
    Notify(u32),
    Bye,
}

impl Context<'_> {
    pub(super) fn mono(&self) -> Mono {
        self.now.mono
    }

    pub(super) fn event(&mut self, event: Event) {
        self.out.push(event);
    }

    /// Tells what is settled, where it is new.
    pub(super) fn settled(&mut self, stream: &Stream) {
        if let Some(media) = stream.settled().filter(|media| self.leg.told.as_ref() != Some(*media)) {
            self.leg.told = Some(media.clone());
            self.event(Event::Media { leg: self.leg.id, media: media.clone() });
        }
    }

    /// A stream for the leg's first dialog. Its id is a number (RFC 8866 §5.2); below 2^62 no peer's parser overflows.
    pub(super) fn stream(&mut self) -> Stream {
        Stream::new(self.ua.rng().u64() >> 2)
    }

    /// The leg's last event, once.
    pub(super) fn end(&mut self, end: End) {
        if !std::mem::replace(&mut self.leg.ended, true) {
            self.event(Event::Ended { leg: self.leg.id, end });
        }
    }

    /// A response with our tag.
    pub(super) fn reply(&self, request: &Request, status: u16) -> Response {
        self.ua.reply(request, Status(status), &self.leg.tag)
    }

    /// A response that shapes the session: with Contact and capabilities, and our description where there is one.
    pub(super) fn session_reply(&self, request: &Request, status: u16, flow: Flow, ours: Option<&Sdp>) -> Response {
        let mut response = self.reply(request, status);
        self.capabilities(&mut response.headers.0, flow);
        match ours {
            Some(ours) => response.with_body(check::SDP, ours.to_bytes()),
            None => response,
        }
    }

    pub(super) fn respond(&mut self, id: ServerId, response: Response) {
        self.ua.respond(self.now, id, response);
    }

    /// Sends a response again that the peer has not acknowledged.
    pub(super) fn repeat(&mut self, id: ServerId, response: Response) {
        self.ua.repeat(self.now, id, response);
    }

    /// Responds with nothing but a status.
    pub(super) fn answer(&mut self, id: ServerId, request: &Request, status: u16) {
        let response = self.reply(request, status);
        self.respond(id, response);
    }

    pub(super) fn refuse(&mut self, id: ServerId, request: &Request, refusal: Refusal) {
        self.ua.refuse(self.now, id, request, refusal);
    }

    pub(super) fn conclude(&mut self, id: ServerId, request: &Request, result: Result<Response, Refusal>) {
        match result {
            Ok(response) => self.respond(id, response),
            Err(refusal) => self.refuse(id, request, refusal),
        }
    }

    /// 500 with Retry-After: another exchange is under way (RFC 3261 §14.2, RFC 3311 §5.2).
    pub(super) fn busy(&mut self) -> Refusal {
        Refusal::with(500, Name::RetryAfter, self.ua.rng().below(11).to_string())
    }

    pub(super) fn request(&mut self, flow: Flow, mut request: Request, purpose: Purpose) -> ClientId {
        let kept = self.leg.account.as_mut().map(|account| account.sign(flow, &mut request, self.ua.rng()));
        let id = self.ua.send(self.now, flow, request, Some(Usage::Invite(self.leg.id)));
        if let (Some(account), Some(kept)) = (&mut self.leg.account, kept) {
            account.keep(id, kept);
        }
        self.leg.clients.push((id, purpose));
        id
    }

    /// Our Contact as this peer reaches it: the one that is registered, where we have an account there.
    pub(super) fn contact(&self, flow: Flow) -> Header {
        match &self.leg.account {
            Some(account) => account.contact(),
            None => our_contact(flow),
        }
    }

    /// Contact, Allow and Supported.
    pub(super) fn capabilities(&self, headers: &mut Vec<Header>, flow: Flow) {
        headers.push(self.contact(flow));
        abilities(headers);
    }

    /// A request that shapes the session.
    pub(super) fn session_request(
        &mut self,
        dialog: &mut Dialog,
        method: Method,
        purpose: Purpose,
        ours: Option<&Sdp>,
        timer: Option<Header>,
    ) {
        let mut request = dialog.request(method, self.ua.config().max_forwards);
        let flow = dialog.next_hop();
        self.capabilities(&mut request.headers.0, flow);
        request.headers.0.extend(timer);
        if let Some(ours) = ours {
            request = request.with_body(check::SDP, ours.to_bytes());
        }
        self.request(flow, request, purpose);
    }

    pub(super) fn bye(&mut self, dialog: &mut Dialog, cause: &Cause) {
        let bye = build_bye(self.ua, dialog, cause);
        self.request(dialog.next_hop(), bye, Purpose::Bye);
    }

    /// To a peer that never gave a sign of life: whoever named its address may be somebody else, so it is not repeated.
    pub(super) fn bye_once(&mut self, dialog: &mut Dialog, cause: &Cause) {
        let flow = dialog.next_hop();
        let bye = build_bye(self.ua, dialog, cause);
        self.ua.send_once(flow, bye);
    }

    pub(super) fn cancel(&mut self, id: ClientId, reason: Header) {
        self.ua.cancel(self.now, id, reason);
    }

    /// Cancels each INVITE of the leg's that has no final response.
    pub(super) fn cancel_invites(&mut self, cause: &Cause) {
        for (client, _) in self.leg.clients.iter().filter(|(_, purpose)| *purpose == Purpose::Invite) {
            self.ua.cancel(self.now, *client, cause.reason());
        }
    }

    /// Acknowledges a 2xx now and whenever it comes again.
    pub(super) fn ack(&mut self, dialog: &Dialog, seq: u32) {
        let answers = self.leg.account.as_ref().map_or(&[][..], |account| account.answers());
        let (flow, data) = ack(self.ua, dialog, seq, answers);
        if self.leg.acked.len() >= MAX_ACKED {
            self.leg.acked.remove(0);
        }
        self.leg.acked.push(Acked { tag: dialog.remote_tag.clone(), seq, flow, data });
    }

    /// From now on events of this server transaction are the leg's.
    pub(super) fn watch(&mut self, id: ServerId) {
        self.leg.server = Some(id);
        self.ua.claim(id, Usage::Invite(self.leg.id));
    }

    pub(super) fn unwatch(&mut self) {
        if let Some(id) = self.leg.server.take() {
            self.ua.give_up(id);
        }
    }

    /// The request that is to go out once more, with an answer to this challenge; it is over as it was.
    pub(super) fn challenged(&mut self, id: ClientId, response: &Response) -> Option<(Flow, Request)> {
        let again = self.leg.account.as_mut()?.challenged(id, response)?;
        self.finished(id);
        Some(again)
    }

    /// The request has its final response, or failed.
    pub(super) fn finished(&mut self, id: ClientId) {
        self.leg.clients.retain(|(client, _)| *client != id);
        self.leg.account.iter_mut().for_each(|account| account.forget(id));
        self.ua.finished(id);
    }
}

/// Ends a session that no leg has: ACK for its 2xx, then BYE.
pub(super) fn decline(ua: &mut Ua, now: Now, dialog: &mut Dialog, seq: u32) {
    ack(ua, dialog, seq, &[]);
    let bye = build_bye(ua, dialog, &Cause::default());
    ua.send(now, dialog.next_hop(), bye, None);
}

/// Sends the ACK of a 2xx and returns it.
fn ack(ua: &mut Ua, dialog: &Dialog, seq: u32, answers: &[Header]) -> (Flow, Bytes) {
    let flow = dialog.next_hop();
    let mut ack = dialog.ack(seq, ua.config().max_forwards);
    ack.headers.0.extend_from_slice(answers);
    (flow, ua.send_once(flow, ack))
}

fn build_bye(ua: &Ua, dialog: &mut Dialog, cause: &Cause) -> Request {
    let mut bye = dialog.request(Method::Bye, ua.config().max_forwards);
    bye.headers.0.push(cause.reason());
    bye
}

/// Contact, Allow and Supported, where no account is known.
pub(super) fn capabilities(headers: &mut Vec<Header>, flow: Flow) {
    headers.push(our_contact(flow));
    abilities(headers);
}

fn abilities(headers: &mut Vec<Header>) {
    headers.push(Header { name: Name::Allow, value: ALLOW.into() });
    headers.push(Header { name: Name::Supported, value: SUPPORTED.into() });
}
