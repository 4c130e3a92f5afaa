//! A peer's REFER under way and the subscription that it implies (RFC 3515 §2.4, RFC 6665): we tell by NOTIFY how far the
//! transfer is. One at a time for each leg.

use crate::dialog::context::{Context, MAX_CLIENTS, Purpose};
use crate::dialog::dialog::Dialog;
use crate::dialog::refer::{Referral, Referred, Stage};
use crate::dialog::{End, EndedBy, Event};
use crate::sip::{Header, Method, Name, Request, Status};
use crate::transaction::ServerId;
use crate::ua::Refusal;
use std::time::Duration;

/// The referrer's transaction lasts 64·T1; it has its answer before.
const PATIENCE: Duration = Duration::from_secs(10);
/// A caller may be moved into a queue.
const EXPIRES: Duration = Duration::from_secs(600);
/// A referrer that has hung up does not listen for ever.
const AFTER_THE_END: Duration = Duration::from_secs(180);
const SIPFRAG: &str = "message/sipfrag;version=2.0";

/// A REFER in the dialog. While another is open it is 491: the definition of that status (RFC 3261 §21.4.27).
pub(super) fn receive(cx: &mut Context, server: ServerId, request: &Request, referred: Referred) {
    let busy = cx.leg.referral.is_some() || cx.leg.clients.len() >= MAX_CLIENTS;
    let referred = if busy { Err(Refusal::new(491)) } else { referred };
    let refer = match referred {
        Ok(refer) => refer,
        Err(refusal) => return cx.refuse(server, request, refusal),
    };
    // RFC 3515 §2.4.6: the dialog's first needs no number, the others do.
    let event = if cx.leg.referrals == 0 { "refer".to_owned() } else { format!("refer;id={}", refer.id) };
    cx.leg.referrals = cx.leg.referrals.saturating_add(1);
    let stage = Stage::Asked { server, request: request.clone() };
    cx.leg.referral = Some(Referral { id: refer.id, event, stage, until: cx.mono().after(PATIENCE) });
    cx.event(Event::Refer { leg: cx.leg.id, refer: Box::new(refer) });
}

/// 202, and where no silence is asked for the first NOTIFY at once (RFC 3515 §2.4.2, §2.4.4).
pub(super) fn accept(cx: &mut Context, dialog: &mut Dialog, id: u32) {
    let Some((referral, server, request)) = asked(cx, id) else { return };
    // REFER is a target refresh (RFC 5057 §5.4).
    dialog.retarget(&request.headers);
    let mut response = cx.reply(&request, 202);
    response.headers.0.push(cx.contact(dialog.next_hop()));
    let silent = wants_silence(&request);
    if silent {
        response.headers.push(Name::ReferSub, "false");
    }
    cx.respond(server, response);
    let stage = match silent {
        true => Stage::Silent,
        false => Stage::Subscribed { told: Status(100), next: Some(Status(100)), waiting: false },
    };
    let until = cx.mono().after(EXPIRES);
    Referral { stage, until, ..referral }.proceed(cx, dialog);
}

pub(super) fn refuse(cx: &mut Context, id: u32, status: Status) {
    if let Some((_, server, request)) = asked(cx, id) {
        let status = if (300..700).contains(&status.0) { status.0 } else { 603 };
        cx.answer(server, &request, status);
    }
}

/// How far the transfer is. A report that has not left yet gives way to the newer; after a final status there is nothing to
/// say.
pub(super) fn notify(cx: &mut Context, dialog: &mut Dialog, id: u32, status: Status) {
    let Some(mut referral) = cx.leg.referral.take_if(|referral| referral.id == id) else { return };
    match &mut referral.stage {
        Stage::Silent if !status.provisional() => return,
        Stage::Subscribed { next, .. } if next.is_none_or(Status::provisional) => *next = Some(status),
        _ => {}
    }
    referral.proceed(cx, dialog);
}

/// Before our BYE leaves what was left to say, though the NOTIFY before it is not answered: behind a BYE many phones know
/// nothing of the subscription, and refuse it.
pub(super) fn hurry(cx: &mut Context, dialog: &mut Dialog) {
    let Some(mut referral) = cx.leg.referral.take() else { return };
    if let Stage::Subscribed { next: Some(status), waiting, .. } = &mut referral.stage
        && !status.provisional()
    {
        *waiting = false;
    }
    referral.proceed(cx, dialog);
}

/// A NOTIFY is answered. A refused or lost one ends the subscription (RFC 6665 §4.2.2).
pub(super) fn notified(cx: &mut Context, dialog: &mut Dialog, id: u32, accepted: bool) {
    let Some(mut referral) = cx.leg.referral.take_if(|referral| referral.id == id) else { return };
    if let (true, Stage::Subscribed { waiting, .. }) = (accepted, &mut referral.stage) {
        *waiting = false;
        referral.proceed(cx, dialog);
    }
}

/// Nobody decided, or it lasted too long.
pub(super) fn tick(cx: &mut Context, dialog: &mut Dialog) {
    let now = cx.mono();
    let Some(referral) = cx.leg.referral.take_if(|referral| referral.until <= now) else { return };
    match &referral.stage {
        Stage::Asked { server, request } => cx.answer(*server, request, 480),
        Stage::Silent => {}
        Stage::Subscribed { told, next, .. } => {
            let status = next.unwrap_or(*told);
            referral.send(cx, dialog, status, "terminated;reason=timeout".to_owned());
        }
    }
}

/// The leg's last event, once.
pub(super) fn end(cx: &mut Context, end: End) {
    if !cx.leg.ended {
        leg_ended(cx, end.by);
    }
    cx.end(end);
}

/// A REFER that is not answered is 487 (RFC 3261 §15.1.2). A subscription lives on, unless the peer is out of reach.
fn leg_ended(cx: &mut Context, by: EndedBy) {
    let Some(mut referral) = cx.leg.referral.take() else { return };
    match &referral.stage {
        Stage::Asked { server, request } => cx.answer(*server, request, 487),
        Stage::Subscribed { .. } if by != EndedBy::Network => {
            referral.until = referral.until.min(cx.mono().after(AFTER_THE_END));
            cx.leg.referral = Some(referral);
        }
        _ => {}
    }
}

impl Referral {
    /// One NOTIFY at a time, so that none overtakes another. The final one ends it.
    fn proceed(mut self, cx: &mut Context, dialog: &mut Dialog) {
        if let Stage::Subscribed { told, next, waiting } = &mut self.stage
            && !*waiting
            && let Some(status) = next.take()
        {
            (*told, *waiting) = (status, true);
            let left = self.until.since(cx.mono()).as_secs();
            let state = match status.provisional() {
                true => format!("active;expires={left}"),
                false => "terminated;reason=noresource".to_owned(),
            };
            self.send(cx, dialog, status, state);
            if !status.provisional() {
                return;
            }
        }
        cx.leg.referral = Some(self);
    }

    fn send(&self, cx: &mut Context, dialog: &mut Dialog, status: Status, state: String) {
        let mut notify = dialog.request(Method::Notify, cx.ua.config().max_forwards);
        let flow = dialog.next_hop();
        notify.headers.0.push(cx.contact(flow));
        notify.headers.0.push(Header { name: Name::Event, value: self.event.clone().into() });
        notify.headers.0.push(Header { name: Name::SubscriptionState, value: state.into() });
        let line = format!("SIP/2.0 {} {}\r\n", status.0, status.reason());
        cx.request(flow, notify.with_body(SIPFRAG, line.into()), Purpose::Notify(self.id));
    }
}

/// The REFER of that number, where it waits for an answer.
fn asked(cx: &mut Context, id: u32) -> Option<(Referral, ServerId, Request)> {
    let asked = |referral: &mut Referral| referral.id == id && matches!(referral.stage, Stage::Asked { .. });
    let mut referral = cx.leg.referral.take_if(asked)?;
    match std::mem::replace(&mut referral.stage, Stage::Silent) {
        Stage::Asked { server, request } => Some((referral, server, request)),
        _ => None,
    }
}

fn wants_silence(request: &Request) -> bool {
    let value = request.headers.text(&Name::ReferSub).unwrap_or_default();
    value.split(';').next().is_some_and(|value| value.trim().eq_ignore_ascii_case("false"))
}
