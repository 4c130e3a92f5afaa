//! Our account in a leg that goes by one, and our answers to challenges of its carrier (RFC 3261 §22.2, §22.3). A request that is
//! challenged goes out once more with the answer, in a transaction of its own; none does so for ever.

use crate::base::{Flow, Rng};
use crate::dialog::dialog::contact_header;
use crate::sip::{Header, Method, Request, Response};
use crate::transaction::ClientId;
use crate::ua::{KnownAs, Proofs, Taken};
use std::sync::Arc;

/// One request is repeated so often: for the server and a proxy before it, and for a nonce that has had its time.
const MOST_TRIES: u8 = 3;

#[derive(Debug)]
pub(super) struct ByAccount {
    known_as: Arc<KnownAs>,
    proofs: Proofs,
    /// Requests without a final response, as they are before they are signed.
    open: Vec<(ClientId, Kept)>,
    /// How often the next request has been tried.
    tries: u8,
    /// The answers of the last INVITE, for its ACK (§22.1).
    answers: Vec<Header>,
}

/// A request that may have to go out again.
#[derive(Debug)]
pub(super) struct Kept {
    flow: Flow,
    request: Request,
    tries: u8,
}

impl ByAccount {
    pub(super) fn new(known_as: Arc<KnownAs>) -> Box<ByAccount> {
        let (proofs, open, answers) = (Proofs::default(), Vec::new(), Vec::new());
        Box::new(ByAccount { known_as, proofs, open, tries: 0, answers })
    }

    pub(super) fn contact(&self) -> Header {
        contact_header(&self.known_as.contact)
    }

    pub(super) fn answers(&self) -> &[Header] {
        &self.answers
    }

    /// Answers the challenges that are known, and gives the request as it was before.
    pub(super) fn sign(&mut self, flow: Flow, request: &mut Request, rng: &mut Rng) -> Kept {
        let kept = Kept { flow, request: request.clone(), tries: std::mem::take(&mut self.tries) };
        self.proofs.sign(&self.known_as.login, request, rng);
        if request.method == Method::Invite {
            self.answers = Proofs::of(request);
        }
        kept
    }

    pub(super) fn keep(&mut self, id: ClientId, kept: Kept) {
        self.open.push((id, kept));
    }

    /// It has its final response.
    pub(super) fn forget(&mut self, id: ClientId) {
        self.open.retain(|(client, _)| *client != id);
    }

    /// The request that is to go out once more with an answer to this response; none where it is no challenge, or none that
    /// our account could answer better than it has.
    pub(super) fn challenged(&mut self, id: ClientId, response: &Response) -> Option<(Flow, Request)> {
        if !matches!(response.status.0, 401 | 407) {
            return None;
        }
        let at = self.open.iter().position(|(client, _)| *client == id)?;
        let (_, Kept { flow, request, tries }) = self.open.swap_remove(at);
        let taken = self.proofs.take(self.known_as.login.challenged(response).ok()?);
        let hopeful = match taken {
            Taken::First | Taken::Stale => tries < MOST_TRIES,
            // An answer of before, to a nonce that the peer has forgotten; or the peer has not said that its nonce was stale, as some
            // forget to. A new nonce is tried once.
            Taken::Denied { repeats } => tries < 2 && !repeats,
        };
        hopeful.then(|| {
            self.tries = tries + 1;
            (flow, request)
        })
    }
}
