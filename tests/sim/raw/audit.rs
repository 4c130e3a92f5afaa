//! An ear on the gateway's wire: it knows what reached the gateway and what left it, in order, and says where the two
//! together break a rule of SIP. Loss and delay on the way to the peers are nothing to it.

use crate::raw::dialogs::Dialogs;
use crate::raw::sdp;
use crate::raw::text::Msg;
use hotline::base::Mono;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const LIFE: Duration = Duration::from_secs(32);
/// The switch's clock is checked between events only.
const SLACK: Duration = Duration::from_millis(1);
/// Refusals of requests that start nothing.
const STATELESS: [u16; 13] = [400, 403, 405, 413, 415, 416, 420, 421, 422, 481, 482, 483, 488];

#[derive(Default)]
pub struct Audit {
    gateway: Option<SocketAddr>,
    /// By peer, branch and method.
    served: BTreeMap<(SocketAddr, String, String), Served>,
    asked: BTreeMap<(String, String), Asked>,
    dialogs: Dialogs,
    /// Messages that must leave before anything else happens.
    owed: Vec<Owed>,
    /// The last description of each leg: Call-ID and our tag.
    described: BTreeMap<(String, String), String>,
}

/// A request that reached the gateway.
struct Served {
    request: Msg,
    tag: Option<String>,
    /// Status, bytes, and when it left each time.
    last: Option<(u16, Vec<u8>, Vec<Mono>)>,
    acked: Option<Mono>,
    /// The reliable provisional that waits for its PRACK, or the last that had one.
    rseq: Option<u32>,
    waiting: bool,
    /// The answer to the request's offer.
    answer: Option<String>,
    cancelled: bool,
    /// It can belong to no dialog.
    foreign: bool,
    /// The session ended before the ACK.
    over: bool,
    /// It came from nobody that the gateway knows, and began something.
    stranger: bool,
}

/// A request that the gateway sent.
struct Asked {
    request: Msg,
    data: Vec<u8>,
    sent: Vec<Mono>,
    provisional: Option<Mono>,
    /// The first final response that reached it.
    fin: Option<(u16, Mono)>,
    /// When its CANCEL left: §9.1 waits 64 T1 from then.
    cancelled: Option<Mono>,
}

#[derive(Debug, PartialEq)]
enum Owed {
    /// For a 2xx: Call-ID, the peer's tag, number.
    Ack(String, String, u32),
    /// For a refusal: branch and To.
    Refused(String, String),
    Prack(String, String, String),
}

impl Audit {
    pub fn new(gateway: SocketAddr) -> Audit {
        Audit { gateway: Some(gateway), ..Audit::default() }
    }

    /// A datagram has reached the gateway, which has not looked at it.
    pub fn delivered(&mut self, now: Mono, from: SocketAddr, data: &[u8], stranger: bool) -> Result<(), String> {
        self.settled()?;
        let msg = Msg::read(data)?;
        match msg.status() {
            Some(status) => self.heard(now, status, &msg),
            None => self.asked_by_peer(now, from, msg, stranger),
        }
        Ok(())
    }

    /// The gateway has sent this.
    pub fn sent(&mut self, now: Mono, to: SocketAddr, data: &[u8]) -> Result<(), String> {
        let msg = Msg::strict(data)?;
        let judged = match msg.status() {
            Some(status) => self.answered(now, to, status, &msg, data),
            None => self.asks(now, to, &msg, data),
        };
        judged.map_err(|why| format!("{why}\n--- the gateway sent to {to}:\n{}", String::from_utf8_lossy(data)))
    }

    /// Checks that all has followed by which a message must be followed.
    pub fn settled(&self) -> Result<(), String> {
        match self.owed.first() {
            Some(owed) => Err(format!("{owed:?} did not follow at once")),
            None => Ok(()),
        }
    }

    fn heard(&mut self, now: Mono, status: u16, msg: &Msg) {
        let key = (msg.branch(), msg.method());
        let Some(asked) = self.asked.get_mut(&key) else { return };
        let before = asked.fin;
        if status < 200 {
            asked.provisional.get_or_insert(now);
        } else {
            asked.fin.get_or_insert((status, now));
        }
        let (request, cancelled) = (asked.request.clone(), asked.cancelled);
        match key.1.as_str() {
            "INVITE" if cancelled.is_some() && status < 200 => {}
            "INVITE" => self.heard_of_invite(now, status, msg, &request, before, cancelled),
            _ if (200..300).contains(&status) && before.is_none() => self.dialogs.refreshed(&request, msg),
            _ => {}
        }
        if matches!(status, 408 | 481) && before.is_none() {
            self.dialogs.lost(&request);
        }
    }

    fn heard_of_invite(
        &mut self,
        now: Mono,
        status: u16,
        msg: &Msg,
        request: &Msg,
        before: Option<(u16, Mono)>,
        cancelled: Option<Mono>,
    ) {
        let tag = msg.tag("to").unwrap_or_default();
        let first = request.tag("to").is_none();
        let alive = before.is_none_or(|(_, at)| now.since(at) < LIFE);
        match status {
            100 => {}
            101..=199 if tag.is_empty() || !first || before.is_some() => {}
            101..=199 => {
                self.dialogs.early(request, msg);
                let took = msg.rseq().filter(|rseq| self.dialogs.takes(request, &tag, *rseq));
                let rack = took.map(|rseq| format!("{rseq} {} INVITE", request.seq()));
                self.owed.extend(rack.map(|rack| Owed::Prack(msg.call(), tag, rack)));
            }
            200..=299 if alive && before.is_none_or(|(status, _)| status < 300) => {
                if first {
                    self.dialogs.confirmed(now, request, msg);
                } else if before.is_none() {
                    self.dialogs.refreshed(request, msg);
                }
                self.owed.push(Owed::Ack(msg.call(), tag, request.seq()));
            }
            300..
                if alive && cancelled.is_none_or(|at| now.since(at) < LIFE) && before.is_none_or(|(status, _)| status >= 300) =>
            {
                self.owed.push(Owed::Refused(request.branch(), msg.get("to").unwrap_or_default().to_owned()));
            }
            _ => {}
        }
    }

    fn asked_by_peer(&mut self, now: Mono, from: SocketAddr, msg: Msg, stranger: bool) {
        let method = msg.method();
        if method == "ACK" {
            return self.acked(now, from, &msg);
        }
        let key = (from, msg.branch(), method.clone());
        if self.served.contains_key(&key) {
            return;
        }
        let (mut foreign, first) = (false, msg.tag("to").is_none());
        match (method.as_str(), msg.tag("to")) {
            ("CANCEL", _) => {
                let key = (from, msg.branch(), "INVITE".to_owned());
                if let Some(invite) = self.served.get_mut(&key) {
                    invite.cancelled |= invite.last.as_ref().is_none_or(|(status, ..)| *status < 200);
                }
            }
            (_, Some(_)) => {
                foreign = !self.dialogs.asked_by_peer(&msg);
                match method.as_str() {
                    "PRACK" => self.pracked(&msg),
                    // A new INVITE says that the ACK of the one before has been sent.
                    "BYE" | "INVITE" => {
                        self.served.values_mut().filter(|s| s.request.call() == msg.call()).for_each(|s| s.over = true)
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        let (tag, last, acked, rseq, answer) = (None, None, None, None, None);
        let (waiting, cancelled, over, stranger) = (false, false, false, stranger && first);
        let served = Served { request: msg, tag, last, acked, rseq, waiting, answer, cancelled, foreign, over, stranger };
        self.served.insert(key, served);
    }

    fn acked(&mut self, now: Mono, from: SocketAddr, ack: &Msg) {
        for ((peer, ..), served) in &mut self.served {
            let invite = &served.request;
            if *peer == from && invite.method() == "INVITE" && invite.call() == ack.call() && invite.seq() == ack.seq() {
                let good = served.last.as_ref().is_some_and(|(status, ..)| *status >= 200) && served.tag == ack.tag("to");
                if good && served.acked.is_none() {
                    served.acked = Some(now);
                    self.dialogs.acked(ack);
                }
            }
        }
    }

    fn pracked(&mut self, prack: &Msg) {
        let rack: Vec<&str> = prack.get("rack").unwrap_or_default().split_whitespace().collect();
        for served in self.served.values_mut().filter(|served| served.request.call() == prack.call()) {
            let seq = served.request.seq().to_string();
            let fits = |rseq: u32| rack.len() == 3 && rack[0] == rseq.to_string() && rack[1] == seq;
            if served.rseq.is_some_and(fits) {
                served.waiting = false;
            }
        }
    }

    /// A response of the gateway's (RFC 3261 §8.2.6).
    fn answered(&mut self, now: Mono, to: SocketAddr, status: u16, msg: &Msg, data: &[u8]) -> Result<(), String> {
        let method = msg.method();
        let Some(served) = self.served.get_mut(&(to, msg.branch(), method.clone())) else {
            return Err("it answers what it was not asked".to_owned());
        };
        if method == "CANCEL" && served.last.is_some() {
            // Nothing is kept of a CANCEL: again, it may find its INVITE gone.
            served.tag = None;
        }
        served.echoes(msg, status)?;
        if served.repeats(now, data)? {
            return Ok(());
        }
        served.may_say(status, msg)?;
        served.last = Some((status, data.to_owned(), vec![now]));
        let tagged = msg.tag("to");
        let first = served.request.tag("to").is_none();
        if method == "INVITE" && (101..300).contains(&status) && msg.contact().is_none() {
            return Err("a dialog without a Contact".to_owned());
        }
        if method == "UPDATE" && (200..300).contains(&status) && msg.contact().is_none() {
            return Err("a 2xx to UPDATE without a Contact (RFC 3311)".to_owned());
        }
        if method == "INVITE" && first && (101..300).contains(&status) {
            if msg.values("record-route") != served.request.values("record-route") {
                return Err("the Record-Route of the INVITE is not that of its response (§12.1.1)".to_owned());
            }
            self.dialogs.answers_invite(now, to, &served.request, msg);
        }
        if (200..300).contains(&status) && !first {
            self.dialogs.refreshed_by_peer(&served.request);
        }
        if let Some(ours) = msg.sdp() {
            served.describes(ours)?;
            describe(&mut self.described, (msg.call(), tagged.unwrap_or_default()), ours)?;
        }
        Ok(())
    }

    /// A request of the gateway's.
    fn asks(&mut self, now: Mono, to: SocketAddr, msg: &Msg, data: &[u8]) -> Result<(), String> {
        self.form(msg)?;
        let method = msg.method();
        if method == "ACK" {
            return self.acks(now, to, msg);
        }
        let key = (msg.branch(), method.clone());
        if let Some(asked) = self.asked.get_mut(&key) {
            return asked.repeats(now, data);
        }
        if method == "CANCEL" {
            self.cancels(now, msg)?;
        } else if self.asked.range((key.0.clone(), String::new())..).next().is_some_and(|((branch, _), _)| *branch == key.0) {
            return Err("the branch of another request".to_owned());
        } else if msg.tag("to").is_some() {
            self.inside(now, to, msg)?;
        } else if method != "INVITE" || !self.dialogs.begins(to, msg) {
            return Err("a request of no dialog with a Call-ID of another, or no INVITE".to_owned());
        }
        if let Some(ours) = msg.sdp() {
            sdp::form(ours)?;
            describe(&mut self.described, (msg.call(), msg.tag("from").unwrap_or_default()), ours)?;
        }
        let asked =
            Asked { request: msg.clone(), data: data.to_owned(), sent: vec![now], provisional: None, fin: None, cancelled: None };
        self.asked.insert(key, asked);
        Ok(())
    }

    /// §8.1.1 and Table 2.
    fn form(&self, msg: &Msg) -> Result<(), String> {
        let method = msg.method();
        let via = msg.values("via");
        let here = self.gateway.map(|gateway| format!("SIP/2.0/UDP {gateway}")).unwrap_or_default();
        let first = via.first().map(String::as_str).unwrap_or_default();
        if via.len() != 1 || !first.starts_with(&here) || !msg.branch().starts_with("z9hG4bK") || msg.branch().len() < 15 {
            return Err(format!("the Via {via:?}"));
        }
        if !msg.start.ends_with(" SIP/2.0") || msg.get("cseq").is_none_or(|cseq| !cseq.ends_with(&format!(" {method}"))) {
            return Err("start line and CSeq do not agree".to_owned());
        }
        if msg.tag("from").is_none_or(|tag| tag.len() < 6) || msg.seq() > i32::MAX as u32 {
            return Err("a From without a good tag, or a number too high".to_owned());
        }
        if msg.get("max-forwards").and_then(|n| n.parse::<u8>().ok()).is_none_or(|n| n == 0 || n > 70) {
            return Err("Max-Forwards".to_owned());
        }
        let contacts = msg.values("contact").len();
        let wants = matches!(method.as_str(), "INVITE" | "UPDATE" | "REFER" | "NOTIFY");
        if wants && contacts != 1 || matches!(method.as_str(), "BYE" | "CANCEL") && contacts > 0 {
            return Err(format!("{contacts} Contacts in {method}"));
        }
        if msg.get("record-route").is_some() {
            return Err("it is no proxy and records a route".to_owned());
        }
        Ok(())
    }

    /// §13.2.2.4 for a 2xx, §17.1.1.3 for a refusal.
    fn acks(&mut self, now: Mono, to: SocketAddr, ack: &Msg) -> Result<(), String> {
        let key = (ack.branch(), "INVITE".to_owned());
        let tag = ack.tag("to").unwrap_or_default();
        if let Some(asked) = self.asked.get(&key) {
            let invite = &asked.request;
            if asked.fin.is_none_or(|(status, _)| status < 300) {
                return Err("the ACK of a 2xx with the branch of its INVITE".to_owned());
            }
            let same = |name| ack.values(name) == invite.values(name);
            if ack.uri() != invite.uri() || !same("from") || !same("call-id") || !same("route") || ack.seq() != invite.seq() {
                return Err("the ACK of a refusal is not like its INVITE".to_owned());
            }
            // Where its CANCEL is long ago it may, and need not.
            let late = asked.cancelled.is_some_and(|at| now.since(at) >= LIFE);
            let owed = Owed::Refused(ack.branch(), ack.get("to").unwrap_or_default().to_owned());
            return self.pay(&owed).or_else(|why| if late { Ok(()) } else { Err(why) });
        }
        self.dialogs.inside(now, to, ack)?;
        self.pay(&Owed::Ack(ack.call(), tag, ack.seq()))
    }

    fn pay(&mut self, paid: &Owed) -> Result<(), String> {
        let at = self.owed.iter().position(|owed| owed == paid).ok_or_else(|| format!("{paid:?} is not owed"))?;
        self.owed.remove(at);
        Ok(())
    }

    /// §9.1: like the INVITE, after a provisional and before a final response.
    fn cancels(&mut self, now: Mono, cancel: &Msg) -> Result<(), String> {
        let key = (cancel.branch(), "INVITE".to_owned());
        let asked = self.asked.get_mut(&key).ok_or("a CANCEL of what was not asked")?;
        asked.cancelled = Some(now);
        let (call, prack) = (cancel.call(), |owed: &Owed, call: &str| matches!(owed, Owed::Prack(c, ..) if c == call));
        self.owed.retain(|owed| !prack(owed, &call));
        let invite = &asked.request;
        let same = |name| cancel.values(name) == invite.values(name);
        if cancel.uri() != invite.uri()
            || cancel.seq() != invite.seq()
            || !["from", "to", "call-id", "route"].into_iter().all(same)
        {
            return Err("a CANCEL that is not like its INVITE".to_owned());
        }
        if asked.provisional.is_none() || asked.fin.is_some() {
            return Err(format!("a CANCEL before {:?} or after {:?}", asked.provisional, asked.fin));
        }
        Ok(())
    }

    /// A request in a dialog (§12.2.1.1).
    fn inside(&mut self, now: Mono, to: SocketAddr, msg: &Msg) -> Result<(), String> {
        let method = msg.method();
        self.dialogs.inside(now, to, msg)?;
        self.dialogs.numbered(msg)?;
        if method == "BYE" {
            self.served.values_mut().filter(|served| served.request.call() == msg.call()).for_each(|served| served.over = true);
        }
        if method == "PRACK" {
            let rack = msg.get("rack").unwrap_or_default().to_owned();
            return self.pay(&Owed::Prack(msg.call(), msg.tag("to").unwrap_or_default(), rack));
        }
        if method != "INVITE" && msg.sdp().is_none() {
            return Ok(());
        }
        let other_invite = self.asked.values().any(|asked| asked.request.call() == msg.call() && asked.open("INVITE"));
        let open = |served: &&Served| {
            served.request.method() == "INVITE"
                && served.request.call() == msg.call()
                && served.last.as_ref().is_none_or(|(status, ..)| *status < 200)
        };
        if method == "INVITE" && (other_invite || self.served.values().find(open).is_some()) {
            return Err("a re-INVITE while another INVITE is under way (§14.1)".to_owned());
        }
        let offers = self.asked.values().any(|a| a.request.call() == msg.call() && a.request.sdp().is_some() && a.open("UPDATE"));
        if msg.sdp().is_some() && (other_invite || offers) {
            return Err("an offer while another is open (RFC 3264 §4)".to_owned());
        }
        Ok(())
    }

    /// When all is over.
    pub fn verdict(&self, crashed: &[SocketAddr]) -> Result<(), String> {
        self.settled()?;
        for ((peer, ..), served) in &self.served {
            let fin = served.last.as_ref().filter(|(status, ..)| *status >= 200);
            if fin.is_none() && !served.stranger {
                return Err(format!("{peer} was never answered: {}", served.request.start));
            }
            served.resent()?;
        }
        self.dialogs.verdict(crashed)
    }
}

impl Asked {
    fn open(&self, method: &str) -> bool {
        self.request.method() == method && self.fin.is_none() && self.sent.len() < 12
    }

    /// §17.1.1.2 and §17.1.2.2: the same again, ever later, until somebody answers.
    fn repeats(&mut self, now: Mono, data: &[u8]) -> Result<(), String> {
        if self.data != data {
            return Err("another request with a branch that was used".to_owned());
        }
        let invite = self.request.method() == "INVITE";
        if self.fin.is_some() || invite && self.provisional.is_some() {
            return Err("again, though it was answered".to_owned());
        }
        let count = self.sent.len() as u32;
        let cap = if invite { LIFE } else { T2 };
        let mut due = T1.saturating_mul(1 << (count - 1).min(7)).min(cap);
        let gap = now.since(self.sent.last().copied().unwrap_or(now));
        if self.provisional.is_some() {
            // It may be that the timer ran when the provisional came.
            due = due.min(gap);
        }
        self.sent.push(now);
        if gap + SLACK < due || gap > due.max(T2) + SLACK || now.since(self.sent[0]) > LIFE {
            return Err(format!("again after {gap:?} where {due:?} is due"));
        }
        Ok(())
    }
}

impl Served {
    fn echoes(&self, msg: &Msg, status: u16) -> Result<(), String> {
        let ours: Vec<String> = msg.values("via").iter().map(|via| without_source(via)).collect();
        let theirs: Vec<String> = self.request.values("via").iter().map(|via| without_source(via)).collect();
        if ours != theirs {
            return Err(format!("the Via {ours:?} for {theirs:?}"));
        }
        let seq = |msg: &Msg| msg.get("cseq").map(|cseq| cseq.split_whitespace().collect::<Vec<_>>().join(" "));
        if msg.get("from") != self.request.get("from") || msg.call() != self.request.call() || seq(msg) != seq(&self.request) {
            return Err("From, Call-ID or CSeq is not the request's".to_owned());
        }
        let (asked, said) = (self.request.get("to").unwrap_or_default(), msg.get("to").unwrap_or_default());
        match (self.request.tag("to"), msg.tag("to")) {
            (Some(_), _) if asked == said => Ok(()),
            (None, None) if status == 100 && asked == said => Ok(()),
            (None, Some(tag)) if said == format!("{asked};tag={tag}") && self.tag.as_ref().is_none_or(|t| *t == tag) => Ok(()),
            _ => Err(format!("the To {said:?} for {asked:?}, tag {:?} before", self.tag)),
        }
    }

    /// True: it was said before. Each interval is that of §13.3.1.4, §17.2.1 or RFC 3262 §3, or the request came again.
    fn repeats(&mut self, now: Mono, data: &[u8]) -> Result<bool, String> {
        let Some((status, last, times)) = &mut self.last else { return Ok(false) };
        if last != data {
            return Ok(false);
        }
        if self.request.method() == "INVITE" && *status >= 200 && self.acked.is_some() {
            return Err("a final response again, after its ACK".to_owned());
        }
        if now.since(times[0]) > LIFE + SLACK && *status >= 200 {
            return Err("a final response again after 64 T1".to_owned());
        }
        times.push(now);
        Ok(true)
    }

    /// A final response to an INVITE went out again and again until its ACK (§13.3.1.4, §17.2.1). A refusal of what starts
    /// nothing is kept by nobody: the request that comes again draws it again (§8.2.7).
    fn resent(&self) -> Result<(), String> {
        let Some((status, _, times)) = self.last.as_ref().filter(|_| self.request.method() == "INVITE") else { return Ok(()) };
        let waited = self.acked.map_or(LIFE, |at| at.since(times[0]).min(LIFE));
        let (mut at, mut step, mut wanted) = (T1, T1, 1);
        while at + SLACK < waited {
            (wanted, step) = (wanted + 1, (step * 2).min(T2));
            at += step;
        }
        if times.len() >= wanted || self.over || STATELESS.contains(status) {
            return Ok(());
        }
        Err(format!("{status} went out {} times in {waited:?}, not {wanted}: {}", times.len(), self.request.start))
    }

    fn may_say(&mut self, status: u16, msg: &Msg) -> Result<(), String> {
        let before = self.last.as_ref().map(|(status, ..)| *status);
        if before.is_some_and(|before| before >= 200) && self.request.method() != "CANCEL" {
            return Err(format!("{status} after {before:?}"));
        }
        if self.foreign && status != 481 && status >= 200 {
            return Err(format!("{status} for a dialog that there is not"));
        }
        if self.cancelled && (200..300).contains(&status) && self.request.method() == "INVITE" {
            return Err(format!("{status} after CANCEL"));
        }
        self.tag = self.tag.take().or(msg.tag("to"));
        let able = self.request.lists("supported", "100rel") || self.request.lists("require", "100rel");
        if let Some(rseq) = msg.rseq() {
            let next = self.rseq.map_or((1..=i32::MAX as u32).contains(&rseq), |last| rseq == last + 1);
            if !able || self.waiting || !next || status >= 200 || status == 100 {
                return Err(format!("RSeq {rseq} after {:?}, waiting: {} (RFC 3262)", self.rseq, self.waiting));
            }
            (self.rseq, self.waiting) = (Some(rseq), true);
        } else if self.request.lists("require", "100rel") && (101..200).contains(&status) && self.request.method() == "INVITE" {
            return Err(format!("{status} is not reliable, as the INVITE requires"));
        }
        if self.waiting && (200..300).contains(&status) && self.request.method() == "INVITE" {
            return Err("a 2xx before the PRACK that it waits for (RFC 3262 §3)".to_owned());
        }
        Ok(())
    }

    /// Our description in a response to it: an answer to its offer, and the same in each (§13.2.1).
    fn describes(&mut self, ours: &str) -> Result<(), String> {
        sdp::form(ours)?;
        let Some(offer) = self.request.sdp() else { return Ok(()) };
        sdp::answers(offer, ours)?;
        match self.answer.replace(ours.to_owned()) {
            Some(before) if before != ours => Err(format!("two answers to one offer: {before:?}")),
            _ => Ok(()),
        }
    }
}

/// Checks that a leg's description follows the one that was sent before it.
fn describe(described: &mut BTreeMap<(String, String), String>, leg: (String, String), ours: &str) -> Result<(), String> {
    match described.insert(leg, ours.to_owned()) {
        Some(before) => sdp::follows(&before, ours),
        None => Ok(()),
    }
}

/// The receiver of a request notes in its Via where it came from.
fn without_source(via: &str) -> String {
    let parts = crate::raw::text::split(via, ';');
    let kept = parts.into_iter().filter(|part| !part.starts_with("rport") && !part.starts_with("received="));
    kept.collect::<Vec<_>>().join(";").split_whitespace().collect::<Vec<_>>().join(" ")
}
