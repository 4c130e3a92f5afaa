//! Requests inside a dialog that every state serves the same way.

use crate::base::Flow;
use crate::dialog::Event;
use crate::dialog::check;
use crate::dialog::context::Context;
use crate::dialog::dialog::Dialog;
use crate::dialog::keys;
use crate::sip::{Content, Method, Name, Request, Response};
use crate::transaction::ServerId;
use crate::ua::{self, Refusal};

/// Tells whether the request may be served: it fits the dialog (else 481), comes from its peer (else 403), is admissible, and
/// in order (else 500, RFC 3261 §12.2.2). When not, it has been refused.
pub(super) fn enter(cx: &mut Context, dialog: Option<&mut Dialog>, id: ServerId, flow: Flow, request: &Request) -> bool {
    let Some(dialog) = dialog.filter(|dialog| dialog.owns(request)) else {
        cx.answer(id, request, 481);
        return false;
    };
    if !dialog.admits(flow) {
        cx.answer(id, request, 403);
        return false;
    }
    if let Err(refusal) = ua::admissible(request, false) {
        cx.refuse(id, request, refusal);
        return false;
    }
    let in_order = dialog.receive(request, flow);
    if !in_order {
        cx.answer(id, request, 500);
    }
    in_order
}

/// The response to an UPDATE (RFC 3311), or to a PRACK that may offer: refreshes the target and answers an offer; what that
/// settles is for the caller to tell. `answered` is false while the INVITE's own offer waits.
pub(super) fn update(cx: &mut Context, dialog: &mut Dialog, request: &Request, answered: bool) -> Result<Response, Refusal> {
    let flow = dialog.next_hop();
    let ours = match check::session(request, dialog.stream.reach(cx.config.reach))? {
        None => None,
        Some(_) if dialog.stream.outstanding() => return Err(Refusal::new(491)),
        Some(_) if !answered => return Err(cx.busy()),
        Some(theirs) => Some(dialog.stream.answer(&theirs).map_err(check::unusable)?),
    };
    dialog.retarget(&request.headers);
    Ok(cx.session_reply(request, 200, flow, ours.as_deref()))
}

/// INFO with a key, OPTIONS, and what has no place here.
pub(super) fn other(cx: &mut Context, dialog: &Dialog, id: ServerId, request: &Request) {
    match request.method {
        Method::Info => info(cx, id, request),
        Method::Options => {
            let mut response = cx.reply(request, 200);
            cx.capabilities(&mut response.headers.0, dialog.next_hop());
            response.headers.push(Name::Accept, ua::ACCEPT);
            cx.respond(id, response);
        }
        // Before there is a session there is nobody to move.
        Method::Refer => cx.answer(id, request, 603),
        _ => cx.answer(id, request, 481),
    }
}

/// An INFO without a body is a sign of life, and so is one whose body may be ignored; another is not for us (RFC 2976 §2.2).
/// An INFO that is answered 200 has its effect.
fn info(cx: &mut Context, id: ServerId, request: &Request) {
    let Some(content) = Content::keys(&request.headers, &request.body) else { return cx.answer(id, request, 400) };
    let pressed = match content.found {
        Some((kind, body)) => keys::read(kind, &body),
        None if !content.foreign => Some(Vec::new()),
        None => return cx.refuse(id, request, Refusal::with(415, Name::Accept, keys::FORMS)),
    };
    let Some(pressed) = pressed else { return cx.answer(id, request, 400) };
    cx.answer(id, request, 200);
    for key in pressed {
        cx.event(Event::Key { leg: cx.leg.id, key });
    }
}
