//! A session that is restored from its snapshot in another process goes on as the one that it was.

use super::one::*;
use crate::base::{Flow, LegId, Mono, Rng};
use crate::dialog::*;
use crate::sip::{Codec, Message, Method, Name, Request};
use proptest::prelude::*;

/// The peer in a session, and all that it needs to go on with it.
#[derive(Clone)]
struct Peer {
    rng: Rng,
    leg: LegId,
    /// A template of its requests.
    dialog: Request,
    seq: u32,
    /// Its ACK that we wait for.
    ack: Option<Request>,
    /// Our requests that it has not answered.
    open: Vec<Request>,
    /// The number of the last of ours.
    heard: u32,
    /// Its REFER under way.
    refer: Option<u32>,
}

/// A session that the peer called, or that we called; with a session timer, or without.
fn session(seed: u64) -> (One, Peer) {
    let mut rng = Rng::from_number(seed);
    let mut one = One::new();
    let timer =
        ["", "Supported: timer\r\nSession-Expires: 600;refresher=uas\r\n", "Supported: timer\r\nSession-Expires: 400\r\n"];
    let routes = ["", "Record-Route: <sip:10.9.9.9;lr>, \"\u{e9}\" <sip:10.9.9.8;lr;x=\"y z\">\r\n"];
    let allow = ["", "Allow: INVITE, UPDATE\r\n"];
    let extra = [timer[rng.below(3) as usize], routes[rng.below(2) as usize], allow[rng.below(2) as usize]].concat();
    let (leg, dialog) = if rng.chance(500) {
        one.session(&fresh("INVITE", &extra, OFFER))
    } else {
        let (leg, invite) = one.dial();
        let template = fresh("INVITE", &extra, "");
        let mut ok = answer(&invite, 200, "theirs", Some(OFFER));
        for name in [Name::Supported, Name::SessionExpires, Name::RecordRoute, Name::Allow] {
            template.headers.all(&name).for_each(|value| ok.headers.push(name.clone(), value.clone()));
        }
        one.receive(Message::Response(ok.clone()));
        let mut dialog = within(&template, &ok);
        dialog.headers.set(Name::From, ok.headers.get(&Name::To).unwrap().clone());
        dialog.headers.set(Name::To, invite.headers.get(&Name::From).unwrap().clone());
        dialog.headers.set(Name::CallId, invite.headers.call_id().unwrap().clone());
        (leg, dialog)
    };
    one.sent.clear();
    one.events.clear();
    (one, Peer { rng, leg, dialog, seq: 10, ack: None, open: Vec::new(), heard: 0, refer: None })
}

impl Peer {
    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.rng.below(of.len() as u64) as usize].clone()
    }

    fn description(&mut self) -> String {
        let codecs = self.pick(&["8 0 101", "0 8 101", "0"]);
        let direction = self.pick(&["", "a=sendonly\r\n", "a=inactive\r\n"]);
        let port = self.pick(&["4000", "4444"]);
        OFFER.replace("8 0 101", codecs).replace("4000", port) + direction
    }

    /// Its next request; a target refresh at times, and at times from another of its hosts.
    fn request(&mut self, one: &mut One, method: Method) -> Request {
        self.seq += 1;
        let mut request = next(&self.dialog, method, self.seq);
        if self.rng.chance(200) {
            let contact = self.pick(&["<sip:a@10.0.0.1:5070>", "<sip:b@198.51.100.9>", "<sip:c@pbx.example;x=%41>"]);
            request.headers.set(Name::Contact, contact);
        }
        if self.rng.chance(200) {
            one.flow.remote = self.pick(&["10.0.0.9:5060", "198.51.100.7:5060"]).parse().unwrap();
        }
        if self.rng.chance(300) {
            request.headers.set(Name::Supported, "timer");
            request.headers.set(Name::SessionExpires, self.pick(&["300;refresher=uas", "300;refresher=uac", "60"]));
        }
        request
    }

    fn reinvite(&mut self, one: &mut One) {
        let request = self.request(one, Method::Invite);
        let late = self.rng.chance(200);
        let body = self.description();
        let mut ack = next(&self.dialog, Method::Ack, self.seq);
        ack.headers.set(Name::Via, request.headers.text(&Name::Via).unwrap());
        self.ack = Some(if late { with(ack, &body) } else { ack });
        one.receive(Message::Request(if late { request } else { with(request, &body) }));
        if self.rng.chance(700) {
            self.acknowledge(one);
        }
    }

    fn acknowledge(&mut self, one: &mut One) {
        self.ack.take().into_iter().for_each(|ack| one.receive(Message::Request(ack)));
    }

    /// Answers one of our requests.
    fn answer(&mut self, one: &mut One) {
        if self.open.is_empty() {
            return;
        }
        let ours = self.open.remove(0);
        let status = self.pick(&[200, 200, 200, 491, 488, 500, 422]);
        let body = (ours.method == Method::Invite && status == 200).then(|| self.description());
        let mut response = answer(&ours, status, "theirs", body.as_deref());
        if status == 500 {
            response.headers.push(Name::RetryAfter, "3");
        }
        if status == 422 {
            response.headers.push(Name::MinSe, "900");
        }
        if status == 200 && self.rng.chance(800) {
            ours.headers
                .get(&Name::SessionExpires)
                .into_iter()
                .for_each(|t| response.headers.push(Name::SessionExpires, t.clone()));
        }
        one.receive(Message::Response(response));
    }

    /// Asks to be moved, or we go on with what it asked.
    fn refer(&mut self, one: &mut One) {
        let leg = self.leg;
        match self.refer {
            None => {
                let mut refer = self.request(one, Method::Refer);
                refer.headers.push(Name::ReferTo, "<sip:12366@192.0.2.1>");
                if self.rng.chance(300) {
                    refer.headers.push(Name::ReferSub, "false");
                }
                one.receive(Message::Request(refer));
                self.refer =
                    one.events.iter().find_map(|e| if let Event::Refer { refer, .. } = e { Some(refer.id) } else { None });
                self.refer
                    .into_iter()
                    .filter(|_| self.rng.chance(800))
                    .for_each(|id| one.command(Command::AcceptRefer { leg, id }));
            }
            Some(id) => {
                let status = Status(self.pick(&[180, 200, 486]));
                self.refer = self.refer.filter(|_| status.provisional());
                one.command(Command::Notify { leg, id, status });
            }
        }
    }

    /// We want something.
    fn command(&mut self, one: &mut One) {
        let leg = self.leg;
        if self.rng.chance(300) {
            return one.command(Command::SendInfo { leg, key: self.pick(&['1', '#']) });
        }
        let port = self.pick(&["192.0.2.1:20000", "192.0.2.1:20002"]);
        let codecs = self.pick(&[vec![Codec::Pcma, Codec::Pcmu], vec![Codec::Pcmu]]);
        one.command(Command::Attach { leg, local: LocalMedia { rtp: port.parse().unwrap(), codecs, srtp: None } });
    }

    /// A stranger's request, or one that comes too late.
    fn odd(&mut self, one: &mut One) {
        let mut info = next(&self.dialog, Method::Info, self.seq - self.rng.below(2) as u32);
        info.headers.set(Name::Via, format!("SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-odd-{}", self.rng.u64()));
        match self.rng.below(3) {
            0 => info.headers.set(Name::From, "<sip:x@y>;tag=other"),
            1 => info.headers.set(Name::CallId, "other"),
            _ => {}
        }
        let flow = one.flow;
        if self.rng.chance(300) {
            one.flow.remote = "203.0.113.66:5060".parse().unwrap();
        }
        one.receive(Message::Request(info));
        one.flow = flow;
    }

    /// A request of ours; one that comes again is answered once.
    fn hear(&mut self, request: &Request) {
        let number = request.headers.cseq().unwrap().seq;
        if request.method != Method::Ack && number > self.heard {
            self.heard = number;
            self.open.push(request.clone());
        }
    }

    /// One random input; all that came of it, with the distance to the next deadline of the leg's.
    fn step(&mut self, one: &mut One) -> String {
        let next_answer = !self.open.is_empty() && self.rng.chance(600);
        let before = one.now.mono;
        self.acknowledge(one);
        match self.rng.below(100) {
            _ if next_answer => self.answer(one),
            0..20 => self.reinvite(one),
            20..35 => {
                let update = self.request(one, Method::Update);
                let body = self.description();
                one.receive(Message::Request(if self.rng.chance(600) { with(update, &body) } else { update }));
            }
            35..42 => {
                let info = self.request(one, Method::Info);
                one.receive(Message::Request(info.with_body("application/dtmf-relay", "Signal=5\r\n".into())));
            }
            42..50 => self.odd(one),
            50..62 => self.refer(one),
            62..80 => self.command(one),
            80..98 => {
                let milliseconds = self.pick(&[500, 3_000, 20_000, 100_000, 200_000]);
                one.pass(self.rng.below(milliseconds) as f64 / 1000.0);
            }
            98 => {
                let bye = self.request(one, Method::Bye);
                one.receive(Message::Request(bye));
            }
            _ => one.command(Command::Hangup { leg: self.leg, cause: Cause::default() }),
        }
        let sent: Vec<(Flow, Message)> = one.sent.drain(..).collect();
        let events: Vec<Event> = one.events.drain(..).collect();
        let mut shown = Vec::new();
        for (flow, mut message) in sent {
            if let Message::Request(request) = &mut message {
                self.hear(request);
                // A branch is one transaction's, and random.
                request.headers.remove(&Name::Via);
            }
            shown.push(format!("{flow} {:?}", message.to_bytes()));
        }
        // Transactions whose timers end at the same moment take turns in no order.
        if one.now.mono > before {
            shown.sort_unstable();
        }
        let deadline = one.legs.legs.deadline().map(|at| at.since(one.now.mono));
        format!("{shown:#?} {events:?} {deadline:?}")
    }
}

/// Another process, with another clock and a text between; its randomness goes on, so that outputs can be compared.
fn another(one: &mut One, leg: LegId, later: u64) -> Option<One> {
    let text = serde_json::to_string(&one.legs.legs.snapshot(one.now.mono, leg)?).unwrap();
    let mut other = One::new();
    other.flow = one.flow;
    other.now.mono = Mono(one.now.mono.0 / 2 + later);
    let id = other.legs.next_id();
    assert_eq!(id, leg);
    other.legs.legs.restore(&mut other.legs.ua, other.now.mono, id, serde_json::from_str(&text).unwrap());
    *other.legs.ua.rng() = one.legs.ua.rng().clone();
    Some(other)
}

fn first_difference(expected: &str, found: &str) -> String {
    let differs = expected.lines().zip(found.lines()).find(|(one, other)| one != other);
    differs.map_or("of different length".to_owned(), |(one, other)| format!("expected {one}\nfound {other}"))
}

/// Runs a seed; tells whether there was a session to take a snapshot of.
fn run(seed: u64, before: u32, after: u32, later: u64) -> Result<bool, TestCaseError> {
    let (mut one, mut peer) = session(seed);
    let _ = peer.step(&mut one);
    (0..before).for_each(|_| drop(peer.step(&mut one)));
    let Some(mut other) = another(&mut one, peer.leg, later) else { return Ok(false) };
    let mut same = peer.clone();
    for _ in 0..after {
        let (expected, found) = (peer.step(&mut one), same.step(&mut other));
        prop_assert!(expected == found, "{}", first_difference(&expected, &found));
    }
    Ok(true)
}

proptest! {
    #[test]
    fn a_restored_session_goes_on_as_the_one_it_was(
        seed in any::<u64>(), before in 0..30_u32, after in 1..30_u32, later in 0..10_000_000_000_u64,
    ) {
        run(seed, before, after, later)?;
    }
}

#[test]
fn most_sessions_have_a_snapshot() {
    let taken = (0..100).filter(|seed| run(*seed, 10, 1, 7).unwrap()).count();
    assert!(taken > 40, "{taken} of 100: the property test tries little");
}

#[test]
fn a_session_with_an_open_exchange_has_none() {
    let (mut one, peer) = session(1);
    let leg = peer.leg;
    assert!(one.legs.legs.snapshot(one.now.mono, leg).is_some());
    one.command(Command::SendInfo { leg, key: '5' });
    assert!(one.legs.legs.snapshot(one.now.mono, leg).is_none());
    let info = one.request();
    one.receive(Message::Response(answer(&info, 200, "theirs", None)));
    assert!(one.legs.legs.snapshot(one.now.mono, leg).is_some());
    one.command(Command::Attach { leg, local: local() });
    assert!(one.legs.legs.snapshot(one.now.mono, leg).is_none());
}
