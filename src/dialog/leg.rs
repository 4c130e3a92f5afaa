//! One leg: which state it is in, and which of the state's answers an input gets.

use crate::base::trap::{self, Trap};
use crate::base::{Flow, LegId, Mono, Now};
use crate::dialog::challenge::ByAccount;
use crate::dialog::closing::Closing;
use crate::dialog::context::{Context, LegData, MAX_CLIENTS, Purpose, decline};
use crate::dialog::dialog::{Dialog, SEQ_GAP, cseq, tag_of};
use crate::dialog::refer::{Referral, Referred};
use crate::dialog::replaces::Found;
use crate::dialog::session::{Next, Session};
use crate::dialog::snapshot::SessionSnapshot;
use crate::dialog::stream::Stream;
use crate::dialog::uac::{self, Calling};
use crate::dialog::uas::{self, Invited};
use crate::dialog::{Cause, Command, Config, Event};
use crate::sip::{Name, Replaces, Request, Response};
use crate::transaction::{self, ClientId, Failure, ServerId};
use crate::ua::{Peers, Ua, Usage, accepts_invite};
use std::ops::ControlFlow::{Break, Continue};

/// One party's INVITE session.
#[derive(Debug)]
pub(super) struct Leg {
    data: LegData,
    state: State,
}

/// ```text
///  INVITE received          Dial
///      |                      |
/// +----v----+            +----v----+
/// | Invited |            | Calling |
/// +----+----+            +----+----+
///      | 2xx sent             | 2xx received, ACK sent
///      |      +---------+     |
///      +----->| Session |<----+
///      |      +----+----+     |
///      |           | BYE      | CANCEL, timer C
///      |      +----v----+     |
///      +----->| Closing |<----+    final response, all owed is done
///             +---------+-------------> Done
/// ```
#[derive(Debug)]
pub(super) enum State {
    Invited(Box<Invited>),
    Calling(Box<Calling>),
    Session(Box<Session>),
    /// Ended for the user; the protocol still owes something.
    Closing(Box<Closing>),
    Done,
}

impl Leg {
    pub(super) fn new(id: LegId, ua: &mut Ua) -> Leg {
        let tag = ua.rng().token();
        Leg::tagged(id, ua, tag)
    }

    fn tagged(id: LegId, ua: &mut Ua, tag: String) -> Leg {
        ua.claim_tag(&tag, Usage::Invite(id));
        let data = LegData {
            id,
            tag,
            ended: false,
            told: None,
            clients: Vec::new(),
            server: None,
            acked: Vec::new(),
            referral: None,
            referrals: 0,
            farewell: None,
            released: false,
            cancelled: Cause::default(),
            account: None,
        };
        Leg { data, state: State::Done }
    }

    pub(super) fn snapshot(&self, now: Mono) -> Option<SessionSnapshot> {
        if let State::Session(session) = &self.state { session.snapshot(&self.data, now) } else { None }
    }

    pub(super) fn restore(id: LegId, ua: &mut Ua, now: Mono, snapshot: SessionSnapshot) -> Leg {
        let mut leg = Leg::tagged(id, ua, snapshot.tag.clone());
        leg.state = State::Session(Session::restore(&mut leg.data, ua.peers(), now, snapshot));
        leg
    }

    /// One input: the state turns into the next.
    pub(super) fn turn(
        &mut self,
        now: Now,
        ua: &mut Ua,
        config: &Config,
        out: &mut Vec<Event>,
        f: impl FnOnce(State, &mut Context) -> State,
    ) {
        let state = std::mem::replace(&mut self.state, State::Done);
        let mut cx = Context { now, ua, config, leg: &mut self.data, out };
        let state = f(state, &mut cx);
        trap::spring(Trap::Dialog);
        self.state = match state {
            State::Closing(closing) if closing.finished(&cx) => State::Done,
            state => state,
        };
        self.data.farewell = match &self.state {
            State::Session(session) => Some(session.dialog().farewell()),
            State::Closing(closing) => closing.owes_bye().map(Dialog::farewell),
            _ => None,
        };
    }

    pub(super) fn done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        let state = match &self.state {
            State::Invited(state) => state.deadline(),
            State::Calling(state) => Some(state.deadline()),
            State::Session(state) => state.deadline(),
            State::Closing(state) => Some(state.deadline()),
            State::Done => None,
        };
        let referral = self.data.referral.as_ref().map(Referral::deadline);
        [state, referral].into_iter().flatten().min()
    }

    /// The dialog that the header names, where it is this leg's (our tag has been looked up).
    pub(super) fn find(&self, replaces: &Replaces) -> Option<Found> {
        match &self.state {
            State::Invited(state) => state.dialog().is_named(replaces).then_some(Found::Early { ours: false }),
            State::Calling(state) => state.has(replaces).then_some(Found::Early { ours: true }),
            State::Session(state) => state.dialog().is_named(replaces).then_some(Found::Confirmed),
            State::Closing(state) => state.dialog()?.is_named(replaces).then_some(Found::Ended),
            State::Done => None,
        }
    }

    /// From now on nothing is the leg's.
    pub(super) fn leave(&self, ua: &mut Ua) {
        ua.give_up_tag(&self.data.tag);
        self.data.clients.iter().for_each(|(id, _)| ua.finished(*id));
        self.data.server.iter().for_each(|id| ua.give_up(*id));
    }
}

impl From<Next> for State {
    fn from(next: Next) -> State {
        match next {
            Next::Session(session) => State::Session(session),
            Next::Closing(closing) => State::Closing(closing),
        }
    }
}

impl From<uac::Step> for State {
    fn from(step: uac::Step) -> State {
        match step {
            Continue(calling) => State::Calling(calling),
            Break(next) => next.into(),
        }
    }
}

impl From<uas::Step> for State {
    fn from(step: uas::Step) -> State {
        match step {
            Continue(invited) => State::Invited(invited),
            Break(next) => next.into(),
        }
    }
}

impl State {
    /// News of one of its transactions, or a request within its dialog but for REFER.
    pub(super) fn event(self, cx: &mut Context, event: transaction::Event) -> State {
        use transaction::Event::{Ack, Cancelled, Failed, Request, Response, Stray, Unacknowledged};
        match event {
            Request { id, flow, request } => self.request(cx, id, flow, &request),
            Ack { flow, request } => self.ack(cx, flow, &request),
            Cancelled { request, .. } => self.cancelled(cx, &request),
            Response { id, flow, response } => self.response(cx, Some(id), flow, response),
            Stray { flow, response } => self.response(cx, None, flow, response),
            Failed { id, cause } => self.failed(cx, id, cause),
            Unacknowledged { .. } => self.unacknowledged(cx),
        }
    }

    pub(super) fn command(self, cx: &mut Context, command: Command) -> State {
        match (self, command) {
            (state @ State::Invited(_), Command::KnownAs { known_as, .. }) => {
                cx.leg.account = Some(ByAccount::new(known_as));
                state
            }
            (State::Invited(s), Command::Attach { local, .. }) => s.attach(cx, local).into(),
            (State::Invited(s), Command::Progress { status, media, .. }) => s.progress(cx, status, media).into(),
            (State::Invited(s), Command::Reliable { .. }) => s.reliably().into(),
            (State::Invited(s), Command::Answer { .. }) => s.answer(cx).into(),
            (State::Invited(s), Command::Release { .. }) => s.release(cx).into(),
            (State::Invited(s), Command::NoExpiry { .. }) => s.without_expiry().into(),
            (State::Closing(s), Command::Release { .. }) => State::Closing(s.release(cx)),
            (State::Session(s), Command::Attach { local, .. }) => s.attach(cx, local).into(),
            (State::Invited(s), Command::Hangup { cause, .. }) => s.hangup(cx, &cause).into(),
            (State::Calling(s), Command::Hangup { cause, .. }) => s.hangup(cx, &cause).into(),
            (State::Session(s), Command::Hangup { cause, .. }) => s.hangup(cx, cause).into(),
            (State::Session(s), command) => s.command(cx, &command).into(),
            (State::Closing(s), Command::Notify { id, status, .. }) => State::Closing(s.notify(cx, id, status)),
            (state, _) => state,
        }
    }

    /// A REFER, and what it asks for or why it cannot be served.
    pub(super) fn refer(self, cx: &mut Context, id: ServerId, flow: Flow, request: &Request, referred: Referred) -> State {
        match self {
            State::Session(s) => s.refer(cx, id, flow, request, referred).into(),
            state => state.request(cx, id, flow, request),
        }
    }

    fn request(self, cx: &mut Context, id: ServerId, flow: Flow, request: &Request) -> State {
        match self {
            State::Invited(s) => s.request(cx, id, flow, request).into(),
            State::Calling(s) => s.request(cx, id, flow, request).into(),
            State::Session(s) => s.request(cx, id, flow, request).into(),
            State::Closing(s) => State::Closing(s.request(cx, id, request)),
            State::Done => State::Done,
        }
    }

    fn ack(self, cx: &mut Context, flow: Flow, request: &Request) -> State {
        match self {
            State::Session(s) if s.dialog().admits(flow) => s.ack(cx, request).into(),
            State::Closing(s) if s.dialog().is_some_and(|dialog| dialog.admits(flow)) => State::Closing(s.ack(cx, request)),
            state => state,
        }
    }

    fn cancelled(self, cx: &mut Context, cancel: &Request) -> State {
        match self {
            State::Invited(s) => s.cancelled(cx, cancel).into(),
            state => state,
        }
    }

    /// The peer's INVITE can no longer be answered: its flow failed.
    fn unacknowledged(self, cx: &mut Context) -> State {
        cx.unwatch();
        match self {
            State::Invited(s) => s.lost(cx).into(),
            state => state,
        }
    }

    fn response(self, cx: &mut Context, id: Option<ClientId>, flow: Flow, response: Response) -> State {
        let purpose = id.and_then(|id| cx.leg.clients.iter().find(|(client, _)| *client == id)).map(|(_, purpose)| *purpose);
        if response.status.provisional() {
            return match (self, purpose) {
                (State::Calling(s), Some(Purpose::Invite)) if s.is_by(id) => s.provisional(cx, flow, &response).into(),
                (state, _) => state,
            };
        }
        if let (Some(id), Some(purpose)) = (id, purpose)
            && self.repeats(id, purpose)
            && let Some((flow, request)) = cx.challenged(id, &response)
        {
            return self.again(cx, purpose, flow, request);
        }
        if let Some(id) = id {
            cx.finished(id);
        }
        if accepts_invite(&response) {
            return self.accepted(cx, (id, flow), &response);
        }
        match (self, purpose) {
            (State::Calling(s), Some(Purpose::Invite)) if s.is_by(id) => s.refused(cx, &response).into(),
            (State::Session(s), Some(Purpose::Reinvite | Purpose::Update)) => s.response(cx, &response).into(),
            (State::Session(s), Some(Purpose::Probe)) => s.probed(cx, Some(response.status.0)).into(),
            (State::Session(s), Some(Purpose::Info)) if !response.status.success() => s.key_refused(cx).into(),
            (state, Some(purpose)) => state.concluded(cx, purpose, response.status.success()),
            (state, _) => state,
        }
    }

    /// A request of ours still matters to it, should it be challenged.
    fn repeats(&self, id: ClientId, purpose: Purpose) -> bool {
        match (self, purpose) {
            (State::Calling(s), Purpose::Invite) => s.is_by(Some(id)),
            (State::Calling(_), Purpose::Prack) | (State::Closing(_), Purpose::Bye | Purpose::Notify(_)) => true,
            (State::Session(_), purpose) => purpose != Purpose::Invite,
            _ => false,
        }
    }

    /// A request goes out once more, with our answer to a challenge and a number of its own (RFC 3261 §22.1).
    fn again(mut self, cx: &mut Context, purpose: Purpose, flow: Flow, mut request: Request) -> State {
        if let (State::Calling(calling), Purpose::Invite) = (&mut self, purpose) {
            calling.again(cx, flow, request);
            return self;
        }
        let tag = tag_of(&request.headers, &Name::To);
        let dialog = match &mut self {
            State::Calling(calling) => calling.early_dialog_of(&tag),
            State::Session(session) => Some(session.dialog_mut()),
            State::Closing(closing) => closing.dialog_mut(),
            State::Invited(_) | State::Done => None,
        }
        // A branch that was given up numbers its requests by itself (§12.2.1.1).
        .filter(|dialog| dialog.remote_tag == tag);
        let before = request.headers.cseq().map_or(0, |cseq| cseq.seq);
        let seq = dialog.map_or(before.saturating_add(1), Dialog::next_seq);
        request.headers.set(Name::CSeq, cseq(seq, &request.method));
        if let (State::Session(session), Purpose::Reinvite) = (&mut self, purpose) {
            session.reinvites_by(seq);
        }
        cx.request(flow, request, purpose);
        self
    }

    fn failed(self, cx: &mut Context, id: ClientId, failure: Failure) -> State {
        let purpose = cx.leg.clients.iter().find(|(client, _)| *client == id).map(|(_, purpose)| *purpose);
        cx.finished(id);
        match (self, purpose) {
            (State::Calling(s), Some(Purpose::Invite)) if s.is_by(Some(id)) => s.failed(cx, failure).into(),
            (State::Session(s), Some(Purpose::Reinvite | Purpose::Update)) => s.failed(cx).into(),
            (State::Session(s), Some(Purpose::Probe)) => s.probed(cx, None).into(),
            (state, Some(purpose)) => state.concluded(cx, purpose, false),
            (state, None) => state,
        }
    }

    /// A request of ours that does not bear on the session is over.
    fn concluded(self, cx: &mut Context, purpose: Purpose, accepted: bool) -> State {
        match (self, purpose) {
            (State::Session(s), Purpose::Info) => s.key_sent(cx, accepted).into(),
            (State::Session(s), Purpose::Notify(refer)) => s.notified(cx, refer, accepted).into(),
            (State::Closing(s), Purpose::Notify(refer)) => State::Closing(s.notified(cx, refer, accepted)),
            (state, _) => state,
        }
    }

    pub(super) fn tick(self, cx: &mut Context) -> State {
        match self {
            State::Invited(s) => s.tick(cx).into(),
            State::Calling(s) => s.tick(cx).into(),
            State::Session(s) => s.tick(cx).into(),
            State::Closing(s) => State::Closing(s.tick(cx)),
            State::Done => State::Done,
        }
    }

    /// A 2xx to an INVITE of ours: the first, one that comes again, or another branch's (RFC 3261 §13.2.2.4).
    fn accepted(self, cx: &mut Context, (id, flow): (Option<ClientId>, Flow), response: &Response) -> State {
        let tag = tag_of(&response.headers, &Name::To);
        let seq = response.headers.cseq().map_or(0, |cseq| cseq.seq);
        if let Some(acked) = cx.leg.acked.iter().find(|acked| acked.tag == tag && acked.seq == seq) {
            cx.ua.send_again(acked.flow, acked.data.clone());
            return self;
        }
        match self {
            State::Calling(s) => s.accepted(cx, (id, flow), response).into(),
            State::Session(s) if s.is_with(&tag) => s.reinvited(cx, seq, response).into(),
            state if cx.leg.clients.len() >= MAX_CLIENTS => state,
            state => {
                let mut dialog = discarded(response, flow, cx.ua.peers_by(flow));
                cx.ack(&dialog, seq);
                let cause = cx.leg.cancelled.clone();
                cx.bye(&mut dialog, &cause);
                state
            }
        }
    }
}

/// A 2xx to an INVITE that no leg wants: ACK at its Contact, then BYE.
pub(super) fn discard(now: Now, ua: &mut Ua, flow: Flow, response: &Response) {
    if ua.len().0 >= ua.config().transaction.max_transactions {
        return;
    }
    let mut dialog = discarded(response, flow, ua.peers_by(flow));
    decline(ua, now, &mut dialog, response.headers.cseq().map_or(0, |cseq| cseq.seq));
}

fn discarded(response: &Response, flow: Flow, peers: (&Peers, bool)) -> Dialog {
    let mut dialog = Dialog::uac(response, flow, Stream::default(), peers);
    dialog.seq = dialog.seq.saturating_add(SEQ_GAP);
    dialog
}
