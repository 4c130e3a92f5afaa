//! A session that is up: offers both ways, refreshes, REFER and its end.

use crate::base::{Flow, Mono};
use crate::dialog::ack::Unacked;
use crate::dialog::check;
use crate::dialog::closing::Closing;
use crate::dialog::context::{Context, LegData, Purpose};
use crate::dialog::dialog::Dialog;
use crate::dialog::inside;
use crate::dialog::keys::Keys;
use crate::dialog::refer::{Referral, Referred};
use crate::dialog::referral;
use crate::dialog::snapshot::SessionSnapshot;
use crate::dialog::stream::Wanted;
use crate::dialog::timer::{Due, SessionTimer};
use crate::dialog::{Cause, Command, End, EndedBy, Event, LocalMedia};
use crate::sip::{Method, Name, Request, Response, Sdp};
use crate::transaction::ServerId;
use crate::ua::{Peers, Refusal};
use std::time::Duration;

/// The longest Retry-After that §14.2 lets a peer ask for.
const MAX_RETRY: Duration = Duration::from_secs(10);

/// A session: 2xx sent or received (RFC 3261 §13.2.2.4, §14, §15). One offer at a time, whoever's it is.
#[derive(Debug)]
pub(super) struct Session {
    dialog: Dialog,
    /// Our 2xx to the peer's last INVITE waits for its ACK.
    unacked: Option<Unacked>,
    own: Own,
    /// The next request, for when nothing else is under way.
    wanted: Option<Wanted>,
    /// After glare: not before this moment.
    hold_off: Option<Mono>,
    timer: Option<SessionTimer>,
    /// The Call-ID is ours: decides who waits longer after glare.
    owner: bool,
    /// The peer takes UPDATE.
    updates: bool,
    keys: Keys,
    /// The peer is asked whether it is there, and must have answered by then.
    probed: Option<Mono>,
}

/// A leg whose INVITE is answered, or will never be.
#[derive(Debug)]
pub(super) enum Next {
    Session(Box<Session>),
    Closing(Box<Closing>),
}

/// Our own exchange under way.
#[derive(Debug, PartialEq)]
enum Own {
    None,
    Reinvite { seq: u32, refresh: bool },
    Update,
}

impl Session {
    /// Answers the caller's INVITE; `offered` when `ours` is an offer that its ACK will answer.
    pub(super) fn answer(
        cx: &mut Context,
        dialog: Dialog,
        server: ServerId,
        invite: &Request,
        ours: Option<&Sdp>,
        offered: bool,
    ) -> Box<Session> {
        let timer = SessionTimer::asked(&invite.headers, cx.mono()).ok().flatten();
        cx.leg.farewell = Some(dialog.farewell());
        let mut session = Session::new(dialog, timer, false, invite.headers.lists(&Name::Allow, "UPDATE"));
        session.accept(cx, server, invite, ours, offered, true);
        Box::new(session)
    }

    /// The called party answered and has its ACK.
    pub(super) fn answered(cx: &Context, dialog: Dialog, response: &Response) -> Box<Session> {
        let timer = SessionTimer::settled(&response.headers, cx.mono());
        let updates = response.headers.lists(&Name::Allow, "UPDATE");
        Box::new(Session::new(dialog, timer, true, updates))
    }

    fn new(dialog: Dialog, timer: Option<SessionTimer>, owner: bool, updates: bool) -> Session {
        let (unacked, own, wanted, hold_off, keys) = (None, Own::None, None, None, Keys::default());
        Session { dialog, unacked, own, wanted, hold_off, timer, owner, updates, keys, probed: None }
    }

    /// None while an exchange is open, of ours or the peer's.
    pub(super) fn snapshot(&self, leg: &LegData, now: Mono) -> Option<SessionSnapshot> {
        let Session { dialog, unacked, own, wanted, hold_off, timer, owner, updates, keys: _, probed: _ } = self;
        let ours = *own != Own::None || !leg.clients.is_empty();
        if ours || unacked.is_some() || dialog.stream.awaits_answer() {
            return None;
        }
        let referral = match &leg.referral {
            Some(referral) => Some(referral.snapshot(now)?),
            None => None,
        };
        Some(SessionSnapshot {
            tag: leg.tag.clone(),
            dialog: dialog.snapshot(),
            wanted: wanted.clone(),
            hold_off: hold_off.map(|at| at.offset_from(now)),
            timer: timer.as_ref().map(|timer| timer.snapshot(now)),
            owner: *owner,
            updates: *updates,
            referral,
            referrals: leg.referrals,
        })
    }

    /// The session, and all that its leg keeps of it.
    pub(super) fn restore(leg: &mut LegData, peers: &Peers, now: Mono, snapshot: SessionSnapshot) -> Box<Session> {
        let SessionSnapshot { tag: _, dialog, wanted, hold_off, timer, owner, updates, referral, referrals } = snapshot;
        let dialog = Dialog::restore(peers, dialog);
        leg.referral = referral.map(|referral| Referral::restore(now, referral));
        leg.referrals = referrals;
        leg.told = dialog.stream.settled().cloned();
        leg.farewell = Some(dialog.farewell());
        let timer = timer.map(|timer| SessionTimer::restore(now, &timer));
        let hold_off = hold_off.map(|at| now.at(at));
        Box::new(Session { wanted, hold_off, ..Session::new(dialog, timer, owner, updates) })
    }

    /// Other media of ours: offered as soon as no other exchange is under way.
    pub(super) fn attach(mut self: Box<Self>, cx: &mut Context, local: LocalMedia) -> Next {
        self.wanted = Some(Wanted::Media(local));
        self.proceed(cx);
        Next::Session(self)
    }

    /// RFC 3261 §15: a caller that has not acknowledged our first 2xx cannot be sent a BYE yet.
    pub(super) fn hangup(mut self: Box<Self>, cx: &mut Context, cause: Cause) -> Next {
        referral::end(cx, End { q850: cause.q850, ..End::new(EndedBy::Us, None) });
        match self.unacked.take() {
            Some(unacked) if unacked.first => Next::Closing(Closing::bye_after_ack(cx, self.dialog, unacked, cause)),
            _ => self.bye(cx, &cause),
        }
    }

    pub(super) fn request(mut self: Box<Self>, cx: &mut Context, id: ServerId, flow: Flow, request: &Request) -> Next {
        if !inside::enter(cx, Some(&mut self.dialog), id, flow, request) {
            return Next::Session(self);
        }
        match request.method {
            Method::Bye => {
                cx.answer(id, request, 200);
                referral::end(cx, End::new(EndedBy::Peer, None).with_reason(&request.headers));
                return Next::Closing(Closing::session(cx, self.dialog));
            }
            Method::Invite => self.reinvite(cx, id, request),
            Method::Update => self.update(cx, id, request),
            _ => inside::other(cx, &self.dialog, id, request),
        }
        Next::Session(self)
    }

    /// Carries out a command that concerns the dialog but not its media.
    pub(super) fn command(mut self: Box<Self>, cx: &mut Context, command: &Command) -> Next {
        match *command {
            Command::AcceptRefer { id, .. } => referral::accept(cx, &mut self.dialog, id),
            Command::RefuseRefer { id, status, .. } => referral::refuse(cx, id, status),
            Command::Notify { id, status, .. } => referral::notify(cx, &mut self.dialog, id, status),
            Command::SendInfo { key, .. } => self.keys.send(cx, &mut self.dialog, key),
            Command::Probe { .. } if self.probed.is_none() => {
                let probe = self.dialog.request(Method::Options, cx.ua.config().max_forwards);
                cx.request(self.dialog.next_hop(), probe, Purpose::Probe);
                self.probed = Some(cx.mono().after(cx.config.probe));
            }
            _ => {}
        }
        Next::Session(self)
    }

    /// The answer to whether the peer is there; none: nothing came.
    pub(super) fn probed(mut self: Box<Self>, cx: &mut Context, status: Option<u16>) -> Next {
        self.probed = None;
        match status {
            // §12.2.1.2: it does not know the dialog.
            None | Some(408 | 481) => self.over(cx, End::new(EndedBy::Network, Some(408))),
            Some(_) => Next::Session(self),
        }
    }

    pub(super) fn refer(
        mut self: Box<Self>,
        cx: &mut Context,
        id: ServerId,
        flow: Flow,
        request: &Request,
        referred: Referred,
    ) -> Next {
        if inside::enter(cx, Some(&mut self.dialog), id, flow, request) {
            referral::receive(cx, id, request, referred);
        }
        Next::Session(self)
    }

    /// A telephone does this: we send no REFER ourselves.
    #[cfg(test)]
    pub(super) fn send_refer(&mut self, cx: &mut Context, to: &str) {
        let mut refer = self.dialog.request(Method::Refer, 70);
        refer.headers.push(Name::ReferTo, to.to_owned());
        cx.request(self.dialog.next_hop(), refer, Purpose::Prack);
    }

    pub(super) fn notified(mut self: Box<Self>, cx: &mut Context, refer: u32, accepted: bool) -> Next {
        referral::notified(cx, &mut self.dialog, refer, accepted);
        Next::Session(self)
    }

    pub(super) fn key_sent(mut self: Box<Self>, cx: &mut Context, accepted: bool) -> Next {
        self.keys.sent(cx, &mut self.dialog, accepted);
        Next::Session(self)
    }

    pub(super) fn key_refused(mut self: Box<Self>, cx: &mut Context) -> Next {
        self.keys.refused(cx);
        Next::Session(self)
    }

    pub(super) fn ack(mut self: Box<Self>, cx: &mut Context, ack: &Request) -> Next {
        if !self.dialog.owns(ack) || !self.unacked.as_ref().is_some_and(|unacked| unacked.acknowledged_by(ack)) {
            return Next::Session(self);
        }
        let unacked = self.unacked.take();
        if unacked.as_ref().is_some_and(|unacked| unacked.offered) {
            let theirs = check::session(ack, self.dialog.stream.reach(cx.config.reach)).ok().flatten();
            if !theirs.is_some_and(|theirs| self.dialog.stream.answered(&theirs)) {
                return self.over(cx, End::new(EndedBy::Peer, Some(488)));
            }
            cx.settled(&self.dialog.stream);
        }
        established(cx, unacked.as_ref());
        self.proceed(cx);
        Next::Session(self)
    }

    pub(super) fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub(super) fn dialog_mut(&mut self) -> &mut Dialog {
        &mut self.dialog
    }

    /// Our re-INVITE that is out has gone out once more, under this number.
    pub(super) fn reinvites_by(&mut self, number: u32) {
        if let Own::Reinvite { seq, .. } = &mut self.own {
            *seq = number;
        }
    }

    /// The session is with the party of this tag, not with another branch of a fork.
    pub(super) fn is_with(&self, tag: &str) -> bool {
        self.dialog.remote_tag == tag
    }

    /// A 2xx to an INVITE of ours in this dialog: our re-INVITE was accepted, unless it comes very late.
    pub(super) fn reinvited(mut self: Box<Self>, cx: &mut Context, seq: u32, response: &Response) -> Next {
        let awaited = matches!(self.own, Own::Reinvite { seq: ours, .. } if ours == seq);
        if awaited {
            self.dialog.retarget(&response.headers);
        }
        cx.ack(&self.dialog, seq);
        if !awaited {
            return Next::Session(self);
        }
        self.own = Own::None;
        self.timer = SessionTimer::settled(&response.headers, cx.mono());
        let theirs = check::answer(response, self.dialog.stream.reach(cx.config.reach)).ok().flatten();
        if !theirs.is_some_and(|theirs| self.dialog.stream.answered(&theirs)) {
            return self.over(cx, End::new(EndedBy::Peer, Some(488)));
        }
        cx.settled(&self.dialog.stream);
        self.proceed(cx);
        Next::Session(self)
    }

    /// Another final response to our re-INVITE or UPDATE. A refusal leaves the session as it was (§14.1).
    pub(super) fn response(mut self: Box<Self>, cx: &mut Context, response: &Response) -> Next {
        let own = std::mem::replace(&mut self.own, Own::None);
        let refused = self.dialog.stream.refused();
        match response.status.0 {
            200..300 => {
                self.dialog.retarget(&response.headers);
                self.timer = SessionTimer::settled(&response.headers, cx.mono());
            }
            // §12.2.1.2: the peer does not know the dialog, or is gone.
            408 | 481 => return self.over(cx, End::new(EndedBy::Network, Some(response.status.0))),
            491 => {
                let delay = glare_delay(cx, self.owner);
                self.again(cx, own, refused, delay);
            }
            // §14.2: an exchange of the peer's is not complete.
            500 if response.headers.retry_after().is_some_and(|after| after <= MAX_RETRY) => {
                let delay = response.headers.retry_after().unwrap_or(MAX_RETRY);
                self.again(cx, own, refused, delay.max(cx.ua.config().transaction.t1));
            }
            422 if self.timer.as_mut().is_some_and(|timer| timer.lengthen(&response.headers, cx.mono())) => {
                self.wanted = self.wanted.or(Some(Wanted::Refresh));
            }
            _ => self.timer.iter_mut().for_each(|timer| timer.postpone(cx.mono())),
        }
        self.proceed(cx);
        Next::Session(self)
    }

    /// A change that was refused for now is wanted still, unless something newer is.
    fn again(&mut self, cx: &Context, own: Own, refused: Option<LocalMedia>, delay: Duration) {
        let changed = refused.filter(|_| matches!(own, Own::Reinvite { refresh: false, .. }));
        self.wanted = self.wanted.take().or(Some(changed.map_or(Wanted::Refresh, Wanted::Media)));
        self.hold_off = Some(cx.mono().after(delay));
    }

    /// Our re-INVITE or UPDATE got no response.
    pub(super) fn failed(self: Box<Self>, cx: &mut Context) -> Next {
        self.over(cx, End::new(EndedBy::Network, Some(408)))
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        let unacked = self.unacked.as_ref().map(Unacked::deadline);
        let timer = self.timer.as_ref().map(SessionTimer::deadline);
        [unacked, self.hold_off, timer, self.probed].into_iter().flatten().min()
    }

    pub(super) fn tick(mut self: Box<Self>, cx: &mut Context) -> Next {
        if self.unacked.as_mut().is_some_and(|unacked| unacked.tick(cx)) {
            let heard = !self.unacked.as_ref().is_some_and(|unacked| unacked.first);
            let end = End::new(EndedBy::Network, None);
            return if heard { self.over(cx, end) } else { self.never_there(cx, end) };
        }
        referral::tick(cx, &mut self.dialog);
        if self.probed.is_some_and(|at| at <= cx.mono()) {
            return self.over(cx, End::new(EndedBy::Network, Some(408)));
        }
        match self.timer.as_mut().map(|timer| timer.due(cx.mono())) {
            Some(Due::Expired) => return self.over(cx, End::new(EndedBy::Network, None)),
            Some(Due::Refresh) => self.wanted = self.wanted.or(Some(Wanted::Refresh)),
            _ => {}
        }
        self.hold_off = self.hold_off.filter(|at| *at > cx.mono());
        self.proceed(cx);
        Next::Session(self)
    }

    fn reinvite(&mut self, cx: &mut Context, id: ServerId, request: &Request) {
        if let Err(refusal) = self.try_reinvite(cx, id, request) {
            cx.refuse(id, request, refusal);
        }
    }

    fn try_reinvite(&mut self, cx: &mut Context, id: ServerId, request: &Request) -> Result<(), Refusal> {
        // §14.2: 491 while our own offer is out, also in a 2xx whose ACK will answer it.
        if self.dialog.stream.outstanding() || matches!(self.own, Own::Reinvite { .. }) {
            return Err(Refusal::new(491));
        }
        // RFC 5407 §3.1.4: it has overtaken the ACK of an exchange that is complete. The peer that sends it has our 2xx
        // (§14.1).
        established(cx, self.unacked.take().as_ref());
        let timer = SessionTimer::renewed(self.timer.as_ref(), &request.headers, cx.mono())?;
        let theirs = check::session(request, self.dialog.stream.reach(cx.config.reach))?;
        let ours = match &theirs {
            None => self.dialog.stream.offer(),
            Some(theirs) => Some(self.dialog.stream.answer(theirs).map_err(check::unusable)?),
        };
        cx.settled(&self.dialog.stream);
        self.timer = timer;
        self.dialog.retarget(&request.headers);
        self.accept(cx, id, request, ours.as_deref(), theirs.is_none(), false);
        Ok(())
    }

    /// 2xx to the peer's INVITE, repeated until its ACK.
    fn accept(&mut self, cx: &mut Context, server: ServerId, invite: &Request, ours: Option<&Sdp>, offered: bool, first: bool) {
        let mut response = cx.session_reply(invite, 200, self.dialog.next_hop(), ours);
        response.headers.0.extend(self.timer.iter().flat_map(|timer| timer.grant(&invite.headers)));
        self.unacked = Some(Unacked::send(cx, server, response, offered, first));
    }

    fn update(&mut self, cx: &mut Context, id: ServerId, request: &Request) {
        let result = self.try_update(cx, request);
        cx.conclude(id, request, result);
    }

    fn try_update(&mut self, cx: &mut Context, request: &Request) -> Result<Response, Refusal> {
        let timer = SessionTimer::renewed(self.timer.as_ref(), &request.headers, cx.mono())?;
        let mut response = inside::update(cx, &mut self.dialog, request, true)?;
        cx.settled(&self.dialog.stream);
        response.headers.0.extend(timer.iter().flat_map(|timer| timer.grant(&request.headers)));
        self.timer = timer;
        Ok(response)
    }

    /// Sends what is wanted, unless another exchange is under way (§14.1).
    fn proceed(&mut self, cx: &mut Context) {
        if self.unacked.is_some() || self.own != Own::None || self.hold_off.is_some() {
            return;
        }
        match self.wanted.take() {
            None => {}
            Some(Wanted::Refresh) if self.updates => {
                self.own = Own::Update;
                self.send(cx, Method::Update, Purpose::Update, None);
            }
            Some(Wanted::Refresh) => {
                let ours = self.dialog.stream.repeat();
                self.send_reinvite(cx, ours.as_deref(), true);
            }
            Some(Wanted::Media(local)) => {
                let ours = self.dialog.stream.change(local);
                self.send_reinvite(cx, Some(&ours), false);
            }
        }
    }

    fn send_reinvite(&mut self, cx: &mut Context, ours: Option<&Sdp>, refresh: bool) {
        self.send(cx, Method::Invite, Purpose::Reinvite, ours);
        self.own = Own::Reinvite { seq: self.dialog.seq, refresh };
    }

    fn send(&mut self, cx: &mut Context, method: Method, purpose: Purpose, ours: Option<&Sdp>) {
        let ask = self.timer.as_ref().map(SessionTimer::ask);
        cx.session_request(&mut self.dialog, method, purpose, ours, ask);
    }

    /// Ends the session although the user did not ask for it.
    fn over(self: Box<Self>, cx: &mut Context, end: End) -> Next {
        referral::end(cx, end);
        self.bye(cx, &Cause::default())
    }

    /// The caller of the first 2xx has not said a word since its INVITE.
    fn never_there(mut self: Box<Self>, cx: &mut Context, end: End) -> Next {
        referral::end(cx, end);
        cx.bye_once(&mut self.dialog, &Cause::default());
        Next::Closing(Closing::session(cx, self.dialog))
    }

    fn bye(mut self: Box<Self>, cx: &mut Context, cause: &Cause) -> Next {
        referral::hurry(cx, &mut self.dialog);
        cx.bye(&mut self.dialog, cause);
        Next::Closing(Closing::session(cx, self.dialog))
    }
}

/// §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other up to 2 s, in steps of 10 ms.
fn glare_delay(cx: &mut Context, owner: bool) -> Duration {
    let (least, steps) = if owner { (210, 191) } else { (0, 201) };
    Duration::from_millis(10 * (least + cx.ua.rng().below(steps)))
}

/// The caller has our first 2xx.
fn established(cx: &mut Context, unacked: Option<&Unacked>) {
    if unacked.is_some_and(|unacked| unacked.first) {
        cx.event(Event::Established { leg: cx.leg.id });
    }
}
