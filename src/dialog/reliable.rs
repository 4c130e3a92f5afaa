//! Reliable provisional responses (RFC 3262): ours with their RSeq until the PRACK, and the order of the peer's.

use crate::base::Mono;
use crate::dialog::resend::{Due, Resend};
use crate::sip::{Method, Name, RAck, Request, Response, Status};
use std::collections::VecDeque;
use std::time::Duration;

const MAX_QUEUED: usize = 4;

/// Ours. One is on its way at a time; later ones wait their turn (§3).
#[derive(Debug)]
pub(super) struct Provisionals {
    next: u32,
    waiting: Option<Waiting>,
    queued: VecDeque<(Status, bool)>,
}

#[derive(Debug)]
struct Waiting {
    rseq: u32,
    response: Response,
    resend: Resend,
}

impl Provisionals {
    /// `first` is random within 1 to 2^31 − 1.
    pub(super) fn new(first: u32) -> Provisionals {
        Provisionals { next: first.clamp(1, u32::MAX >> 1), waiting: None, queued: VecDeque::new() }
    }

    pub(super) fn waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Keeps a provisional for later; more than a few carry no news.
    pub(super) fn queue(&mut self, status: Status, media: bool) {
        if self.queued.len() < MAX_QUEUED {
            self.queued.push_back((status, media));
        }
    }

    pub(super) fn queued(&mut self) -> Option<(Status, bool)> {
        self.queued.pop_front()
    }

    /// Numbers the response and repeats it from now on, without a cap on the interval.
    pub(super) fn send(&mut self, mut response: Response, now: Mono, t1: Duration) -> Response {
        let rseq = self.next;
        self.next = self.next.wrapping_add(1).max(1);
        response.headers.push(Name::Require, "100rel");
        response.headers.push(Name::RSeq, rseq.to_string());
        let resend = Resend::new(now, t1, Duration::MAX);
        self.waiting = Some(Waiting { rseq, response: response.clone(), resend });
        response
    }

    /// True when the PRACK is the one we wait for.
    pub(super) fn acknowledge(&mut self, prack: &Request, invite_seq: u32) -> bool {
        let wanted = self.waiting.as_ref().map(|w| RAck { rseq: w.rseq, cseq: invite_seq, method: Method::Invite });
        let fits = wanted.is_some() && prack.headers.rack() == wanted;
        if fits {
            self.waiting = None;
        }
        fits
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        self.waiting.as_ref().map(|w| w.resend.deadline())
    }

    pub(super) fn due(&mut self, now: Mono) -> Due {
        self.waiting.as_mut().map_or(Due::Nothing, |w| w.resend.due(now))
    }

    pub(super) fn last(&self) -> Option<&Response> {
        self.waiting.as_ref().map(|w| &w.response)
    }
}

/// The peer's RSeq in one early dialog: each is one more than the one before (§4).
#[derive(Debug, Default)]
pub(super) struct Order {
    last: Option<u32>,
}

impl Order {
    /// True for the first or the next one: PRACK it. A repeated or early one is ignored.
    pub(super) fn take(&mut self, rseq: u32) -> bool {
        let next = self.last.is_none_or(|last| last.checked_add(1) == Some(rseq));
        if next {
            self.last = Some(rseq);
        }
        next
    }
}

/// The RSeq of a response that wants a PRACK.
pub(super) fn rseq(response: &Response) -> Option<u32> {
    let wanted = response.status.0 > 100 && response.headers.lists(&Name::Require, "100rel");
    response.headers.rseq().filter(|_| wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_counts_up_by_one() {
        let mut order = Order::default();
        assert!(order.take(17));
        assert!(!order.take(17));
        assert!(!order.take(19));
        assert!(order.take(18));
        assert!(!order.take(17));
    }
}
