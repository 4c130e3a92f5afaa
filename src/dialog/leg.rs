use crate::base::trap::{self, Trap};
use crate::base::{Flow, LegId, Mono, Now};
use crate::dialog::closing::Closing;
use crate::dialog::cx::{Common, Core, Cx, Purpose};
use crate::dialog::dialog::{Dialog, tag_of};
use crate::dialog::kin::Kin;
use crate::dialog::refer::Referred;
use crate::dialog::referral::Referral;
use crate::dialog::replaces::Found;
use crate::dialog::session::Session;
use crate::dialog::stream::Stream;
use crate::dialog::uac::Calling;
use crate::dialog::uas::Invited;
use crate::dialog::{Cause, Command, Output};
use crate::sip::{Method, Name, Replaces, Request, Response};
use crate::transaction::{ClientId, Failure, ServerId};

/// How far the numbers of a BYE jump in a dialog that we kept no state of: past the PRACKs it may have seen. A gap is
/// legal (RFC 3261 §12.2.2).
pub(super) const SEQ_GAP: u32 = 1000;

/// A leg has one request under way, or a few; a peer that answers with ever new tags does not get more.
pub(super) const MAX_CLIENTS: usize = 32;

/// One party's INVITE session.
#[derive(Debug)]
pub(super) struct Leg {
    common: Common,
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
    pub(super) fn new(id: LegId, core: &mut Core) -> Leg {
        let tag = core.rng.token();
        core.table.insert_tag(&tag, id);
        let common = Common {
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
        };
        Leg { common, state: State::Done }
    }

    /// One input: the state turns into the next.
    pub(super) fn turn(&mut self, now: Now, core: &mut Core, out: &mut Vec<Output>, f: impl FnOnce(State, &mut Cx) -> State) {
        let state = std::mem::replace(&mut self.state, State::Done);
        let mut cx = Cx { now, core, leg: &mut self.common, out };
        let state = f(state, &mut cx);
        trap::spring(Trap::Dialog);
        self.state = match state {
            State::Closing(closing) if closing.finished(&cx) => State::Done,
            state => state,
        };
        self.common.farewell = match &self.state {
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
        let referral = self.common.referral.as_ref().map(Referral::deadline);
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

    /// Forgets the leg in the table.
    pub(super) fn leave(&self, core: &mut Core) {
        core.table.remove_tag(&self.common.tag);
        self.common.clients.iter().for_each(|(id, _)| core.table.remove_client(*id));
        self.common.server.iter().for_each(|id| core.table.remove_server(*id));
    }
}

impl State {
    pub(super) fn command(self, cx: &mut Cx, command: Command) -> State {
        match (self, command) {
            (State::Invited(s), Command::Attach { local, .. }) => s.attach(cx, local),
            (State::Invited(s), Command::Progress { status, media, .. }) => s.progress(cx, status, media),
            (State::Invited(s), Command::Reliable { .. }) => s.reliably(),
            (State::Invited(s), Command::Answer { .. }) => s.answer(cx),
            (State::Invited(s), Command::Release { .. }) => s.release(cx),
            (State::Invited(s), Command::NoExpiry { .. }) => s.without_expiry(),
            (State::Closing(s), Command::Release { .. }) => s.release(cx),
            (State::Session(s), Command::Attach { local, .. }) => s.attach(cx, local),
            (State::Invited(s), Command::Hangup { cause, .. }) => s.hangup(cx, &cause),
            (State::Calling(s), Command::Hangup { cause, .. }) => s.hangup(cx, &cause),
            (State::Session(s), Command::Hangup { cause, .. }) => s.hangup(cx, cause),
            (State::Session(s), command) => s.command(cx, &command),
            (State::Closing(s), Command::Notify { id, status, .. }) => s.notify(cx, id, status),
            (state, _) => state,
        }
    }

    /// A REFER, and what it asks for or why it cannot be served.
    pub(super) fn refer(self, cx: &mut Cx, id: ServerId, flow: Flow, request: &Request, referred: Referred) -> State {
        match self {
            State::Session(s) => s.refer(cx, id, flow, request, referred),
            state => state.request(cx, id, flow, request),
        }
    }

    pub(super) fn request(self, cx: &mut Cx, id: ServerId, flow: Flow, request: &Request) -> State {
        match self {
            State::Invited(s) => s.request(cx, id, flow, request),
            State::Calling(s) => s.request(cx, id, flow, request),
            State::Session(s) => s.request(cx, id, flow, request),
            State::Closing(s) => s.request(cx, id, request),
            State::Done => State::Done,
        }
    }

    pub(super) fn ack(self, cx: &mut Cx, flow: Flow, request: &Request) -> State {
        match self {
            State::Session(s) if s.dialog().admits(flow) => s.ack(cx, request),
            State::Closing(s) if s.dialog().is_some_and(|dialog| dialog.admits(flow)) => s.ack(cx, request),
            state => state,
        }
    }

    pub(super) fn cancelled(self, cx: &mut Cx, cancel: &Request) -> State {
        match self {
            State::Invited(s) => s.cancelled(cx, cancel),
            state => state,
        }
    }

    /// The peer's INVITE can no longer be answered: its flow failed.
    pub(super) fn unacknowledged(self, cx: &mut Cx) -> State {
        cx.unwatch();
        match self {
            State::Invited(s) => s.lost(cx),
            state => state,
        }
    }

    pub(super) fn response(self, cx: &mut Cx, id: Option<ClientId>, flow: Flow, response: Response) -> State {
        let purpose = id.and_then(|id| cx.leg.clients.iter().find(|(client, _)| *client == id)).map(|(_, purpose)| *purpose);
        if response.status.provisional() {
            return match (self, purpose) {
                (State::Calling(s), Some(Purpose::Invite)) => s.provisional(cx, flow, &response),
                (state, _) => state,
            };
        }
        if let Some(id) = id {
            cx.finished(id);
        }
        if accepts_invite(&response) {
            return self.accepted(cx, flow, &response);
        }
        match (self, purpose) {
            (State::Calling(s), Some(Purpose::Invite)) => s.refused(cx, &response),
            (State::Session(s), Some(Purpose::Reinvite | Purpose::Update)) => s.response(cx, &response),
            (State::Session(s), Some(Purpose::Info)) if !response.status.success() => s.key_refused(cx),
            (state, Some(purpose)) => state.concluded(cx, purpose, response.status.success()),
            (state, _) => state,
        }
    }

    pub(super) fn failed(self, cx: &mut Cx, id: ClientId, failure: Failure) -> State {
        let purpose = cx.leg.clients.iter().find(|(client, _)| *client == id).map(|(_, purpose)| *purpose);
        cx.finished(id);
        match (self, purpose) {
            (State::Calling(s), Some(Purpose::Invite)) => s.failed(cx, failure),
            (State::Session(s), Some(Purpose::Reinvite | Purpose::Update)) => s.failed(cx),
            (state, Some(purpose)) => state.concluded(cx, purpose, false),
            (state, None) => state,
        }
    }

    /// A request of ours that does not bear on the session is over.
    fn concluded(self, cx: &mut Cx, purpose: Purpose, accepted: bool) -> State {
        match (self, purpose) {
            (State::Session(s), Purpose::Info) => s.key_sent(cx, accepted),
            (State::Session(s), Purpose::Notify(refer)) => s.notified(cx, refer, accepted),
            (State::Closing(s), Purpose::Notify(refer)) => s.notified(cx, refer, accepted),
            (state, _) => state,
        }
    }

    pub(super) fn tick(self, cx: &mut Cx) -> State {
        match self {
            State::Invited(s) => s.tick(cx),
            State::Calling(s) => s.tick(cx),
            State::Session(s) => s.tick(cx),
            State::Closing(s) => s.tick(cx),
            State::Done => State::Done,
        }
    }

    /// A 2xx to an INVITE of ours: the first, one that comes again, or another branch's (RFC 3261 §13.2.2.4).
    fn accepted(self, cx: &mut Cx, flow: Flow, response: &Response) -> State {
        let tag = tag_of(&response.headers, &Name::To);
        let seq = response.headers.cseq().map_or(0, |cseq| cseq.seq);
        if let Some(acked) = cx.leg.acked.iter().find(|acked| acked.tag == tag && acked.seq == seq) {
            cx.out.push(Output::Send { flow: acked.flow, data: acked.data.clone() });
            return self;
        }
        match self {
            State::Calling(s) => s.accepted(cx, flow, response),
            State::Session(s) if s.is_with(&tag) => s.reinvited(cx, seq, response),
            state if cx.leg.clients.len() >= MAX_CLIENTS => state,
            state => {
                let mut dialog = discarded(response, flow, &cx.core.kin);
                cx.ack(&dialog, seq);
                cx.bye(&mut dialog, &Cause::default());
                state
            }
        }
    }
}

/// A 2xx to an INVITE that no leg wants: ACK at its Contact, then BYE.
pub(super) fn discard(now: Now, core: &mut Core, flow: Flow, response: &Response, out: &mut Vec<Output>) {
    if core.transactions.len().0 >= core.config.transaction.max_transactions {
        return;
    }
    let mut dialog = discarded(response, flow, &core.kin);
    core.ack(&dialog, response.headers.cseq().map_or(0, |cseq| cseq.seq), out);
    core.bye(now, &mut dialog, &Cause::default(), out);
}

pub(super) fn accepts_invite(response: &Response) -> bool {
    response.status.success() && response.headers.cseq().is_some_and(|cseq| cseq.method == Method::Invite)
}

fn discarded(response: &Response, flow: Flow, kin: &Kin) -> Dialog {
    let mut dialog = Dialog::uac(response, flow, Stream::default(), kin);
    dialog.seq = dialog.seq.saturating_add(SEQ_GAP);
    dialog
}
