//! The end of a leg in whose turn, or in whose transaction, the program has panicked.

use crate::dialog::closing::Closing;
use crate::dialog::context::{Context, Purpose};
use crate::dialog::referral;
use crate::dialog::{Cause, End, EndedBy};

/// Its state is lost or cannot be believed: what there is of it on the wire is ended by what was kept beside the state. The
/// peer hears BYE, CANCEL or 500, the user hears of the end.
pub(super) fn over(cx: &mut Context) -> Box<Closing> {
    // Q.850 cause 41: temporary failure.
    let cause = Cause { status: 500, q850: Some(41), ..Cause::default() };
    if !cx.leg.ended {
        referral::end(cx, End::new(EndedBy::Network, Some(500)));
    }
    cx.cancel_invites(&cause);
    if let Some(farewell) = cx.leg.farewell.take() {
        let mut bye = farewell.bye(cx.ua.config().max_forwards);
        bye.headers.0.push(cause.reason());
        cx.request(farewell.hop(), bye, Purpose::Bye);
    }
    let refused = cx.leg.server.and_then(|server| Some((server, cx.ua.failure(server)?)));
    match refused {
        Some((server, response)) if cx.leg.released => {
            cx.unwatch();
            cx.respond(server, response);
            Closing::requests(cx)
        }
        Some((server, response)) => Closing::keep_back(cx, server, response),
        None => Closing::requests(cx),
    }
}
