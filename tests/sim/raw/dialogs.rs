//! The gateway's dialogs as RFC 3261 §12 would have them, by what it said and was told.

use crate::raw::text::{Msg, address};
use hotline::base::Mono;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Debug)]
struct Dialog {
    peer: SocketAddr,
    /// The CSeq of the gateway's last request, and of the peer's.
    seq: u32,
    theirs: Option<u32>,
    target: String,
    routes: Vec<String>,
    rseq: Option<u32>,
    /// The 2xx came, or left.
    since: Option<Mono>,
    acked: bool,
    bye_sent: bool,
    bye_heard: bool,
    /// Its 2xx came again after that.
    crossed: bool,
    /// The peer does not know it, or does not answer.
    lost: bool,
}

#[derive(Default)]
pub struct Dialogs {
    /// By Call-ID, the gateway's tag and the peer's.
    known: BTreeMap<(String, String, String), Dialog>,
    /// To whom each INVITE went.
    peers: BTreeMap<String, SocketAddr>,
}

impl Dialogs {
    /// False: its Call-ID is another's.
    pub fn begins(&mut self, to: SocketAddr, invite: &Msg) -> bool {
        self.peers.insert(invite.call(), to).is_none()
    }

    /// A provisional response with a tag has reached the gateway: it keeps the route of its first (§12.1.2).
    pub fn early(&mut self, invite: &Msg, response: &Msg) {
        if !self.known.contains_key(&asked(response)) {
            self.learn(invite, response);
        }
    }

    /// Tells whether this reliable provisional is the next one (RFC 3262 §4).
    pub fn takes(&mut self, invite: &Msg, tag: &str, rseq: u32) -> bool {
        let key = (invite.call(), invite.tag("from").unwrap_or_default(), tag.to_owned());
        let Some(dialog) = self.known.get_mut(&key) else { return false };
        let next = dialog.rseq.is_none_or(|last| rseq == last + 1);
        if next {
            dialog.rseq = Some(rseq);
        }
        next
    }

    /// A 2xx has reached the gateway; it gives route and target anew (§13.2.2.4).
    pub fn confirmed(&mut self, now: Mono, invite: &Msg, response: &Msg) {
        if self.known.get(&asked(response)).is_none_or(|dialog| dialog.since.is_none()) {
            self.learn(invite, response);
        }
        if let Some(dialog) = self.known.get_mut(&asked(response)) {
            dialog.since.get_or_insert(now);
            (dialog.acked, dialog.crossed) = (true, dialog.bye_sent || dialog.bye_heard);
        }
    }

    fn learn(&mut self, invite: &Msg, response: &Msg) {
        let Some(peer) = self.peers.get(&invite.call()).copied() else { return };
        let mut routes = response.values("record-route");
        routes.reverse();
        let old = self.known.remove(&asked(response));
        let (seq, rseq) = old.map_or((invite.seq(), None), |old| (old.seq, old.rseq));
        let target = response.contact().unwrap_or_default();
        let dialog = Dialog { rseq, ..Dialog::new(peer, seq, target, routes) };
        self.known.insert(asked(response), dialog);
    }

    /// The gateway has answered an INVITE with more than 100 (§12.1.1).
    pub fn answers_invite(&mut self, now: Mono, peer: SocketAddr, invite: &Msg, response: &Msg) {
        let key = (response.call(), response.tag("to").unwrap_or_default(), response.tag("from").unwrap_or_default());
        let new = || {
            let target = invite.contact().unwrap_or_default();
            Dialog::new(peer, 0, target, invite.values("record-route"))
        };
        let dialog = self.known.entry(key).or_insert_with(new);
        dialog.theirs = dialog.theirs.max(Some(invite.seq()));
        if response.status().is_some_and(|status| status >= 200) {
            dialog.since.get_or_insert(now);
        }
    }

    /// A request with a tag in To has reached the gateway; false: it can belong to no dialog.
    pub fn asked_by_peer(&mut self, msg: &Msg) -> bool {
        let Some(dialog) = self.known.get_mut(&of_peer(msg)) else { return false };
        let known = !dialog.bye_heard;
        if dialog.theirs.is_none_or(|last| msg.seq() > last) {
            dialog.theirs = Some(msg.seq());
            dialog.bye_heard |= msg.method() == "BYE";
        }
        known
    }

    pub fn acked(&mut self, ack: &Msg) {
        if let Some(dialog) = self.known.get_mut(&of_peer(ack)) {
            dialog.acked = true;
        }
    }

    /// A 2xx to a request of the gateway's has come: its Contact is where the next ones go (§12.2.1.2).
    pub fn refreshed(&mut self, request: &Msg, response: &Msg) {
        if matches!(request.method().as_str(), "INVITE" | "UPDATE")
            && let Some(dialog) = self.known.get_mut(&asked(request))
            && let Some(target) = response.contact()
        {
            dialog.target = target;
        }
    }

    /// The gateway has said yes to a request of the peer's (§12.2.2).
    pub fn refreshed_by_peer(&mut self, request: &Msg) {
        if matches!(request.method().as_str(), "INVITE" | "UPDATE" | "REFER")
            && let Some(dialog) = self.known.get_mut(&of_peer(request))
            && let Some(target) = request.contact()
        {
            dialog.target = target;
            // A peer that asks for another session in the dialog has sent the ACK of the first, though that may be lost.
            dialog.acked |= request.method() == "INVITE" && request.tag("to").is_some();
        }
    }

    pub fn lost(&mut self, request: &Msg) {
        if let Some(dialog) = self.known.get_mut(&asked(request)) {
            dialog.lost = true;
        }
    }

    /// Request-URI and Route of a request of the gateway's, and whether it may still ask anything (§12.2.1.1, §15).
    pub fn inside(&mut self, now: Mono, to: SocketAddr, msg: &Msg) -> Result<(), String> {
        let method = msg.method();
        let Some(dialog) = self.known.get_mut(&asked(msg)) else { return Err("a request in no dialog".to_owned()) };
        let loose = dialog.routes.first().is_none_or(|route| address(route).split(';').any(|param| param == "lr"));
        let (uri, routes) = match loose {
            true => (dialog.target.clone(), dialog.routes.clone()),
            false => {
                let last = format!("<{}>", dialog.target);
                (address(&dialog.routes[0]), dialog.routes[1..].iter().cloned().chain([last]).collect())
            }
        };
        if msg.uri() != uri || msg.values("route") != routes {
            return Err(format!("it should go to {uri} by {routes:?}"));
        }
        if to != dialog.peer {
            return Err(format!("it should go to {}", dialog.peer));
        }
        // Nothing is kept of a session that is over: when its 2xx comes again, so do ACK and BYE.
        if method == "BYE" && std::mem::take(&mut dialog.crossed) {
            return Ok(());
        }
        if (dialog.bye_heard || dialog.bye_sent) && method != "ACK" && method != "NOTIFY" {
            return Err("a request behind a BYE".to_owned());
        }
        let waited = dialog.since.is_some_and(|since| now.since(since) >= Duration::from_secs(32));
        if method == "BYE" && !(dialog.acked || waited) {
            return Err("a BYE before the ACK (§15)".to_owned());
        }
        dialog.bye_sent |= method == "BYE";
        Ok(())
    }

    pub fn numbered(&mut self, msg: &Msg) -> Result<(), String> {
        let Some(dialog) = self.known.get_mut(&asked(msg)) else { return Ok(()) };
        let before = std::mem::replace(&mut dialog.seq, msg.seq());
        if msg.seq() > before || msg.seq() == before && dialog.bye_sent {
            Ok(())
        } else {
            Err(format!("number {} after {before}", msg.seq()))
        }
    }

    /// Every session has its BYE, also each that lost a fork.
    pub fn verdict(&self, crashed: &[SocketAddr]) -> Result<(), String> {
        let left = self.known.iter().find(|(_, dialog)| {
            let ended = dialog.bye_sent || dialog.bye_heard || dialog.lost || crashed.contains(&dialog.peer);
            dialog.since.is_some() && !ended
        });
        left.map_or(Ok(()), |(key, dialog)| Err(format!("a session without a BYE: {key:?} {dialog:?}")))
    }
}

impl Dialog {
    fn new(peer: SocketAddr, seq: u32, target: String, routes: Vec<String>) -> Dialog {
        let (bye_sent, bye_heard, crossed, lost) = (false, false, false, false);
        Dialog {
            peer,
            seq,
            theirs: None,
            target,
            routes,
            rseq: None,
            since: None,
            acked: false,
            bye_sent,
            bye_heard,
            crossed,
            lost,
        }
    }
}

/// The dialog of a request of the gateway's, or of a response to one.
fn asked(msg: &Msg) -> (String, String, String) {
    (msg.call(), msg.tag("from").unwrap_or_default(), msg.tag("to").unwrap_or_default())
}

fn of_peer(msg: &Msg) -> (String, String, String) {
    (msg.call(), msg.tag("to").unwrap_or_default(), msg.tag("from").unwrap_or_default())
}
