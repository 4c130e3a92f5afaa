//! The carrier's answers to our REGISTER.

use super::account::{Account, Asking, Bound, Round, State};
use super::{Cause, Cx, News};
use crate::base::Flow;
use crate::sip::{Name, NameAddr, Response, Uri};
use crate::transaction::Failure;
use crate::ua::{NoAnswer, Taken};
use std::time::Duration;

/// REGISTERs of one attempt: a challenge, a stale nonce, one that was not believed, 423 and 439, and one to spare.
const MOST_ROUNDS: u32 = 6;
/// No wait that a carrier asks for is longer, and no registration either.
const MOST_WAIT: Duration = Duration::from_secs(1800);
const MOST_EXPIRES: Duration = Duration::from_secs(7 * 24 * 3600);
/// Longer registrations are refreshed so long before their end, others when half of them is over (3GPP TS 24.229 §5.1.1.4.1).
const AHEAD: Duration = Duration::from_secs(600);
const SHORTEST: Duration = Duration::from_secs(1);
const MOST_ROUTES: usize = 8;

impl Account {
    pub(super) fn response(&mut self, cx: &mut Cx, asking: &Asking, response: &Response) {
        let status = response.status;
        let round = Round { number: asking.round, denied: asking.denied };
        match status.0 {
            200..300 => self.accepted(cx, asking, response),
            _ if asking.round >= MOST_ROUNDS => self.failed(cx, Cause::Endless, Some(status), None),
            401 | 407 => self.asked_for_proof(cx, asking, response),
            423 if self.takes_longer(response) => self.ask(cx, round),
            // RFC 5626 §4.2.1, §11.6: the first hop knows nothing of it.
            439 if self.outbound => {
                self.outbound = false;
                self.ask(cx, round);
            }
            408 | 430 | 503 if self.next_hop(cx) => {}
            // §21.4, §21.5: what may pass by itself.
            408 | 423 | 430 | 480 | 491 | 500 | 502..=504 | 580 => {
                let after = response.headers.retry_after().map(|after| after.min(MOST_WAIT));
                self.failed(cx, Cause::Unavailable, Some(status), after);
            }
            _ => self.failed(cx, Cause::Refused, Some(status), response.headers.retry_after().map(|after| after.min(MOST_WAIT))),
        }
    }

    /// No response, or no way there: the next hop, or later.
    pub(super) fn unanswered(&mut self, cx: &mut Cx, failure: Failure) {
        if self.next_hop(cx) {
            return;
        }
        let cause = if failure == Failure::Timeout { Cause::Silence } else { Cause::Unreachable };
        self.failed(cx, cause, None, None);
    }

    /// An answer of ours that was not taken is given once more with a new nonce, though nobody says that the old one was stale:
    /// there are carriers that forget to. A second time it is the password.
    fn asked_for_proof(&mut self, cx: &mut Cx, asking: &Asking, response: &Response) {
        let status = Some(response.status);
        let challenged = match self.settings.login.challenged(response) {
            Ok(challenged) => challenged,
            Err(NoAnswer::Unknown) => return self.failed(cx, Cause::UnknownChallenge, status, None),
            Err(NoAnswer::OtherRealm) => return self.failed(cx, Cause::WrongRealm, status, None),
        };
        // One of before this attempt may have been forgotten.
        let denied = match self.proofs.take(challenged) {
            Taken::Denied { repeats } if asking.round > 1 => {
                if asking.denied || repeats {
                    return self.failed(cx, Cause::WrongPassword, status, None);
                }
                true
            }
            _ => asking.denied,
        };
        self.ask(cx, Round { number: asking.round, denied });
    }

    /// Takes the least time that a 423 asks for; false where it asks for what we asked already, or for what nobody means.
    fn takes_longer(&mut self, response: &Response) -> bool {
        let least = response.headers.min_expires().map(|seconds| Duration::from_secs(seconds.into()));
        let least = least.filter(|least| *least <= MOST_EXPIRES && *least > self.settings.expires.max(self.least));
        least.inspect(|least| self.least = *least).is_some()
    }

    fn accepted(&mut self, cx: &mut Cx, asking: &Asking, response: &Response) {
        self.proofs.note(response);
        if !self.is_wanted() {
            self.bound = None;
            self.state = State::Gone;
            return;
        }
        let Some(flow) = self.hops.first().copied() else { return };
        let (granted, contact_there) = self.granted(flow, asking.expires, response);
        let granted = granted.min(MOST_EXPIRES);
        if granted < SHORTEST {
            // It says so itself: no call goes by what it does not keep.
            cx.out.extend(self.bound.take().map(|_| News::Lost(self.id())));
            return self.failed(cx, Cause::NotBound, Some(response.status), None);
        }
        let addresses = |name: &Name| -> Vec<NameAddr> {
            response.headers.all(name).filter_map(|value| NameAddr::parse(value)).take(MOST_ROUTES).collect()
        };
        let bound = Bound {
            flow,
            contact: self.contact(flow),
            contact_there,
            until: cx.now.mono.after(granted),
            since: cx.now.mono,
            service_route: addresses(&Name::ServiceRoute),
            identities: addresses(&Name::PAssociatedUri).into_iter().map(|address| address.uri).collect(),
        };
        let refresh = if granted > 2 * AHEAD { granted - AHEAD } else { granted / 2 };
        let refresh = cx.rng.between(refresh.saturating_mul(9) / 10, refresh);
        self.registered(cx, bound, refresh);
    }

    /// The time for which our Contact is registered (RFC 3261 §10.2.4), zero where it is not; and how the carrier writes it. One that
    /// writes it otherwise has at least one, or none and an Expires.
    fn granted(&self, flow: Flow, asked: Duration, response: &Response) -> (Duration, Option<Uri>) {
        let contacts: Vec<NameAddr> = response.headers.all(&Name::Contact).filter_map(|value| NameAddr::parse(value)).collect();
        let ours = self.contact(flow);
        let all = response.headers.expires().map(|seconds| Duration::from_secs(seconds.into())).unwrap_or(asked);
        let seconds = |contact: &NameAddr| {
            let own = contact.params.get("expires").and_then(|text| text.parse().ok());
            own.map_or(all, Duration::from_secs)
        };
        // Ours to the letter; else where some parameter is missing or more; else by another host, as one between us may write it.
        let same: [&dyn Fn(&Uri) -> bool; 4] =
            [&|uri| uri.equivalent(&ours), &|uri| uri.same_place(&ours), &|uri| uri.user == ours.user, &|_| true];
        let of = |is: &&dyn Fn(&Uri) -> bool| {
            contacts.iter().filter(|contact| is(&contact.uri)).min_by_key(|contact| seconds(contact))
        };
        let found = same.iter().find_map(of);
        let there = found.map(|contact| contact.uri.clone()).filter(|uri| uri.user == ours.user);
        (found.map_or(all, seconds), there)
    }
}
