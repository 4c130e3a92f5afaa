use crate::base::{Flow, LegId, Mono, Now, Rng};
use crate::dialog::ack::Acked;
use crate::dialog::check::{ALLOW, Refusal, SUPPORTED};
use crate::dialog::dialog::{Dialog, Farewell, our_contact};
use crate::dialog::kin::Kin;
use crate::dialog::referral::{self, Referral};
use crate::dialog::stream::Stream;
use crate::dialog::table::Table;
use crate::dialog::{Cause, Config, End, Event, Media, Output};
use crate::sip::{Header, Method, Name, Request, Response, Sdp, Status};
use crate::transaction::{self, ClientId, ServerId, Transactions};
use std::collections::VecDeque;

const MAX_ACKED: usize = 8;

/// The ground that all legs stand on: the transactions beneath and the table that leads back from them.
pub(super) struct Core {
    pub(super) config: Config,
    pub(super) kin: Kin,
    pub(super) rng: Rng,
    pub(super) transactions: Transactions,
    pub(super) table: Table,
    /// Told by the transactions, not yet handled.
    pub(super) pending: VecDeque<transaction::Event>,
    pub(super) scratch: Vec<transaction::Output>,
}

/// The surroundings of a leg's state: all that it needs beside itself, and all that it may do.
pub(super) struct Cx<'a> {
    pub(super) now: Now,
    pub(super) core: &'a mut Core,
    pub(super) leg: &'a mut Common,
    pub(super) out: &'a mut Vec<Output>,
}

/// The part of a leg that it keeps through all its states.
#[derive(Debug)]
pub(super) struct Common {
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
}

/// The purpose of a request of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Invite,
    Reinvite,
    Update,
    Prack,
    Info,
    /// With the number of its REFER.
    Notify(u32),
    Bye,
}

impl Core {
    /// Bytes go out at once, so that they precede what is told upwards; events wait their turn.
    pub(super) fn sort(&mut self, out: &mut Vec<Output>) {
        for output in self.scratch.drain(..) {
            match output {
                transaction::Output::Send { flow, data } => out.push(Output::Send { flow, data }),
                transaction::Output::Event(event) => self.pending.push_back(event),
            }
        }
    }

    pub(super) fn respond(&mut self, now: Now, id: ServerId, response: Response, out: &mut Vec<Output>) {
        self.transactions.respond(now, id, response, &mut self.scratch);
        self.sort(out);
    }

    pub(super) fn request(&mut self, now: Now, flow: Flow, mut request: Request, out: &mut Vec<Output>) -> ClientId {
        request.headers.push(Name::UserAgent, self.config.product.clone());
        let id = self.transactions.request(now, flow, request, &mut self.scratch);
        self.sort(out);
        id
    }

    /// A response with what every one of ours carries; `tag` where the request has none.
    pub(super) fn reply(&self, request: &Request, status: Status, tag: &str) -> Response {
        let mut response = request.reply(status, Some(tag));
        response.headers.push(Name::Server, self.config.product.clone());
        response
    }

    pub(super) fn refuse(&mut self, now: Now, id: ServerId, request: &Request, refusal: Refusal, out: &mut Vec<Output>) {
        let tag = self.rng.token();
        let mut response = self.reply(request, Status(refusal.status), &tag);
        response.headers.0.extend(refusal.header);
        self.respond(now, id, response, out);
    }

    /// Refuses what starts nothing here, and keeps nothing of it.
    pub(super) fn dismiss(&mut self, id: ServerId, request: &Request, refusal: Refusal, out: &mut Vec<Output>) {
        let tag = self.transactions.tag(id);
        let mut response = self.reply(request, Status(refusal.status), &tag);
        response.headers.0.extend(refusal.header);
        self.send_away(id, response, out);
    }

    pub(super) fn send_away(&mut self, id: ServerId, response: Response, out: &mut Vec<Output>) {
        self.transactions.dismiss(id, response, &mut self.scratch);
        self.sort(out);
    }

    /// Acknowledges a 2xx and returns what to send when it comes again.
    pub(super) fn ack(&mut self, dialog: &Dialog, seq: u32, out: &mut Vec<Output>) -> Acked {
        let flow = dialog.next_hop();
        let ack = dialog.ack(seq, self.config.max_forwards);
        let data = self.transactions.send_once(flow, ack, &mut self.scratch);
        self.sort(out);
        Acked { tag: dialog.remote_tag.clone(), seq, flow, data }
    }

    /// To a peer that never gave a sign of life: whoever named its address may be somebody else, so it is not repeated.
    fn bye_once(&mut self, dialog: &mut Dialog, cause: &Cause, out: &mut Vec<Output>) {
        let flow = dialog.next_hop();
        let bye = self.build_bye(dialog, cause);
        self.transactions.send_once(flow, bye, &mut self.scratch);
        self.sort(out);
    }

    pub(super) fn bye(&mut self, now: Now, dialog: &mut Dialog, cause: &Cause, out: &mut Vec<Output>) -> ClientId {
        let bye = self.build_bye(dialog, cause);
        self.request(now, dialog.next_hop(), bye, out)
    }

    fn build_bye(&self, dialog: &mut Dialog, cause: &Cause) -> Request {
        let mut bye = dialog.request(Method::Bye, self.config.max_forwards);
        bye.headers.0.push(cause.reason());
        bye
    }
}

impl Cx<'_> {
    pub(super) fn mono(&self) -> Mono {
        self.now.mono
    }

    pub(super) fn event(&mut self, event: Event) {
        self.out.push(Output::Event(event));
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
        Stream::new(self.core.rng.u64() >> 2)
    }

    /// The leg's last event, once.
    pub(super) fn end(&mut self, end: End) {
        if !std::mem::replace(&mut self.leg.ended, true) {
            referral::leg_ended(self, end.by);
            self.event(Event::Ended { leg: self.leg.id, end });
        }
    }

    /// A response with our tag.
    pub(super) fn reply(&self, request: &Request, status: u16) -> Response {
        self.core.reply(request, Status(status), &self.leg.tag)
    }

    /// A response that shapes the session: with Contact and capabilities, and our description where there is one.
    pub(super) fn session_reply(&self, request: &Request, status: u16, flow: Flow, ours: Option<&Sdp>) -> Response {
        let mut response = self.reply(request, status);
        capabilities(&mut response.headers.0, flow);
        match ours {
            Some(ours) => response.with_body(crate::dialog::check::SDP, ours.to_bytes()),
            None => response,
        }
    }

    pub(super) fn respond(&mut self, id: ServerId, response: Response) {
        self.core.respond(self.now, id, response, self.out);
    }

    /// Sends a response again that the peer has not acknowledged.
    pub(super) fn repeat(&mut self, id: ServerId, response: Response) {
        self.core.transactions.repeat(self.now, id, response, &mut self.core.scratch);
        self.core.sort(self.out);
    }

    /// Responds with nothing but a status.
    pub(super) fn answer(&mut self, id: ServerId, request: &Request, status: u16) {
        let response = self.reply(request, status);
        self.respond(id, response);
    }

    pub(super) fn refuse(&mut self, id: ServerId, request: &Request, refusal: Refusal) {
        self.core.refuse(self.now, id, request, refusal, self.out);
    }

    pub(super) fn conclude(&mut self, id: ServerId, request: &Request, result: Result<Response, Refusal>) {
        match result {
            Ok(response) => self.respond(id, response),
            Err(refusal) => self.refuse(id, request, refusal),
        }
    }

    /// 500 with Retry-After: another exchange is under way (RFC 3261 §14.2, RFC 3311 §5.2).
    pub(super) fn busy(&mut self) -> Refusal {
        Refusal::with(500, Name::RetryAfter, self.core.rng.below(11).to_string())
    }

    pub(super) fn request(&mut self, flow: Flow, request: Request, purpose: Purpose) -> ClientId {
        let id = self.core.request(self.now, flow, request, self.out);
        self.expect(id, purpose);
        id
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
        let mut request = dialog.request(method, self.core.config.max_forwards);
        let flow = dialog.next_hop();
        capabilities(&mut request.headers.0, flow);
        request.headers.0.extend(timer);
        if let Some(ours) = ours {
            request = request.with_body(crate::dialog::check::SDP, ours.to_bytes());
        }
        self.request(flow, request, purpose);
    }

    pub(super) fn bye(&mut self, dialog: &mut Dialog, cause: &Cause) {
        let id = self.core.bye(self.now, dialog, cause, self.out);
        self.expect(id, Purpose::Bye);
    }

    pub(super) fn bye_once(&mut self, dialog: &mut Dialog, cause: &Cause) {
        self.core.bye_once(dialog, cause, self.out);
    }

    pub(super) fn cancel(&mut self, id: ClientId, reason: Header) {
        self.core.transactions.cancel(self.now, id, &[reason], &mut self.core.scratch);
        self.core.sort(self.out);
    }

    /// Acknowledges a 2xx now and whenever it comes again.
    pub(super) fn ack(&mut self, dialog: &Dialog, seq: u32) {
        let acked = self.core.ack(dialog, seq, self.out);
        if self.leg.acked.len() >= MAX_ACKED {
            self.leg.acked.remove(0);
        }
        self.leg.acked.push(acked);
    }

    /// From now on events of this server transaction are the leg's.
    pub(super) fn watch(&mut self, id: ServerId) {
        self.leg.server = Some(id);
        self.core.table.insert_server(id, self.leg.id);
    }

    pub(super) fn unwatch(&mut self) {
        if let Some(id) = self.leg.server.take() {
            self.core.table.remove_server(id);
        }
    }

    /// The request has its final response, or failed.
    pub(super) fn finished(&mut self, id: ClientId) {
        self.leg.clients.retain(|(client, _)| *client != id);
        self.core.table.remove_client(id);
    }

    fn expect(&mut self, id: ClientId, purpose: Purpose) {
        self.leg.clients.push((id, purpose));
        self.core.table.insert_client(id, self.leg.id);
    }
}

/// Contact, Allow and Supported.
pub(super) fn capabilities(headers: &mut Vec<Header>, flow: Flow) {
    headers.push(our_contact(flow));
    headers.push(Header { name: Name::Allow, value: ALLOW.into() });
    headers.push(Header { name: Name::Supported, value: SUPPORTED.into() });
}
