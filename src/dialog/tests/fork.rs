//! Each early dialog negotiates for itself (RFC 3261 §12, RFC 6337 §3.1.1), and is heard for itself (RFC 3960).

use super::one::*;
use crate::dialog::*;
use crate::sip::{Message, Method, Name, Request, Response};

/// The description of the branch of this letter: its port is told by the letter.
fn described(branch: &str) -> String {
    OFFER.replace("4000", port(branch).to_string().as_str())
}

fn port(branch: &str) -> u16 {
    4000 + 2 * u16::from(branch.as_bytes()[0])
}

fn reliably(mut response: Response, rseq: u32) -> Message {
    response.headers.push(Name::Require, "100rel");
    response.headers.push(Name::RSeq, rseq.to_string());
    Message::Response(response)
}

/// A party that was called, and its INVITE.
struct Forked {
    one: One,
    leg: LegId,
    invite: Request,
}

impl Forked {
    fn new() -> Forked {
        let mut one = One::new();
        let (leg, invite) = one.dial();
        Forked { one, leg, invite }
    }

    /// A reliable 183 with an answer, and its PRACK.
    fn early(&mut self, branch: &str) -> Vec<Event> {
        self.one.receive(reliably(answer(&self.invite, 183, branch, Some(&described(branch))), 1));
        assert_eq!(self.one.request().method, Method::Prack);
        self.events()
    }

    fn receive(&mut self, status: u16, branch: &str, body: Option<&str>, more: &[(Name, &'static str)]) -> Vec<Event> {
        let mut response = answer(&self.invite, status, branch, body);
        more.iter().for_each(|(name, value)| response.headers.push(name.clone(), *value));
        self.one.receive(Message::Response(response));
        self.events()
    }

    /// A request of the branch in its early dialog.
    fn request(&mut self, branch: &str, method: Method, seq: u32, body: &str) -> u16 {
        let mut request = next(&fresh("UPDATE", "", ""), method, seq);
        request.headers.set(Name::To, self.invite.headers.get(&Name::From).unwrap().clone());
        request.headers.set(Name::CallId, self.invite.headers.call_id().unwrap().clone());
        request.headers.set(Name::From, format!("<sip:seat@198.51.100.7>;tag={branch}"));
        let via = format!("SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK{branch}{seq}");
        request.headers.set(Name::Via, via);
        let request = if body.is_empty() { request } else { with(request, body) };
        self.one.receive(Message::Request(request));
        self.one.response().status.0
    }

    fn events(&mut self) -> Vec<Event> {
        self.one.events.drain(..).filter(|event| !matches!(event, Event::Progress { .. })).collect()
    }
}

/// The ports of the media that were told, and whether early media are.
fn told(events: &[Event]) -> (Vec<u16>, Vec<bool>) {
    let media = |event: &Event| if let Event::Media { media, .. } = event { media.rtp.map(|rtp| rtp.port()) } else { None };
    let early = |event: &Event| if let Event::EarlyMedia { sends, .. } = event { Some(*sends) } else { None };
    (events.iter().filter_map(media).collect(), events.iter().filter_map(early).collect())
}

#[test]
fn the_voice_goes_to_the_branch_that_answers() {
    for answering in ["a", "b", "c"] {
        let mut forked = Forked::new();
        for branch in ["a", "b", "c"] {
            forked.early(branch);
        }
        let events = forked.receive(200, answering, None, &[]);
        assert!(matches!(events.last(), Some(Event::Answered { .. })), "{events:?}");
        let expected: &[u16] = if answering == "c" { &[] } else { &[port(answering)] };
        assert_eq!(told(&events).0, expected, "{answering}");
        let ack = forked.one.request();
        assert_eq!((ack.method, ack.uri.user.as_deref()), (Method::Ack, Some(answering)));
    }
}

#[test]
fn an_update_of_one_branch_is_not_another_s_answer() {
    let mut forked = Forked::new();
    forked.early("a");
    forked.early("b");
    assert_eq!(forked.request("a", Method::Update, 1, &described("x")), 200);
    assert_eq!(told(&forked.events()).0, [port("x")], "it is the last that speaks");
    assert_eq!(told(&forked.receive(200, "b", None, &[])).0, [port("b")]);
}

#[test]
fn an_answer_given_by_another_branch_is_none() {
    let mut forked = Forked::new();
    forked.early("a");
    forked.receive(180, "b", None, &[]);
    forked.receive(200, "b", None, &[]);
    assert_eq!(forked.one.methods(), [Method::Ack, Method::Bye], "b never said where it listens");
    let mut forked = Forked::new();
    forked.early("a");
    assert!(matches!(forked.receive(200, "new", None, &[]).last(), Some(Event::Ended { .. })));
    let mut forked = Forked::new();
    forked.early("a");
    assert_eq!(told(&forked.receive(200, "new", Some(&described("n")), &[])).0, [port("n")]);
}

#[test]
fn a_description_after_the_answer_says_nothing() {
    for late in [described("z"), described("z").replace("8 0 101", "18"), "nonsense".to_owned()] {
        let mut forked = Forked::new();
        forked.early("a");
        forked.one.receive(reliably(answer(&forked.invite, 180, "a", Some(&late)), 2));
        assert_eq!(told(&forked.events()), (vec![], vec![]));
        forked.one.sent.clear();
        let events = forked.receive(200, "a", Some(&late), &[]);
        assert!(matches!(events.as_slice(), [Event::Answered { .. }]), "{events:?}");
        assert_eq!(forked.one.methods(), [Method::Ack]);
    }
    // After an UPDATE of its own, too.
    let mut forked = Forked::new();
    forked.receive(183, "a", Some(&described("a")), &[]);
    assert_eq!(forked.request("a", Method::Update, 1, &described("u")), 200);
    forked.events();
    assert_eq!(told(&forked.receive(200, "a", Some(&described("a")), &[])).0, [0; 0]);
}

#[test]
fn an_unreliable_description_is_a_taste_of_the_answer() {
    let mut forked = Forked::new();
    assert_eq!(told(&forked.receive(183, "a", Some(&described("a")), &[])), (vec![port("a")], vec![true]));
    assert_eq!(told(&forked.receive(183, "a", Some(&described("m")), &[])).0, [port("m")], "another announcement");
    assert_eq!(told(&forked.receive(200, "a", Some(&described("s")), &[])).0, [port("s")], "the person");
    let mut forked = Forked::new();
    forked.receive(183, "a", Some(&described("a")), &[]);
    assert!(matches!(forked.receive(200, "a", None, &[]).as_slice(), [Event::Answered { .. }]));
    let mut forked = Forked::new();
    forked.receive(183, "a", Some(&described("a")), &[]);
    forked.receive(200, "a", Some("nonsense"), &[]);
    assert_eq!(forked.one.methods(), [Method::Ack, Method::Bye]);
}

#[test]
fn the_last_branch_with_something_to_say_is_heard() {
    let mut forked = Forked::new();
    assert_eq!(told(&forked.receive(180, "a", None, &[])), (vec![], vec![]));
    assert_eq!(told(&forked.early("b")), (vec![port("b")], vec![true]));
    assert_eq!(told(&forked.receive(180, "a", None, &[])), (vec![], vec![]), "ringing says nothing");
    assert_eq!(told(&forked.early("c")), (vec![port("c")], vec![]));
    assert_eq!(told(&forked.receive(199, "c", None, &[])), (vec![port("b")], vec![]), "c is over (RFC 6228)");
    assert_eq!(forked.request("b", Method::Bye, 1, ""), 200);
    assert_eq!(told(&forked.events()), (vec![], vec![false]));
    forked.receive(200, "b", None, &[]);
    assert_eq!(forked.one.methods(), [Method::Ack], "it has hung up before we saw it answer");
    forked.one.gone();
}

#[test]
fn a_branch_that_failed_and_answers_all_the_same_is_taken() {
    let mut forked = Forked::new();
    forked.early("a");
    let events = forked.receive(199, "a", None, &[]);
    assert_eq!(told(&events), (vec![], vec![false]));
    assert!(!events.iter().any(|event| matches!(event, Event::Progress { .. })), "nothing rings there: {events:?}");
    assert!(matches!(forked.receive(200, "a", None, &[]).as_slice(), [.., Event::Answered { .. }]));
    assert_eq!(forked.one.methods(), [Method::Ack]);
}

#[test]
fn the_network_says_whether_its_early_media_count() {
    let early_media = |value| (Name::PEarlyMedia, value);
    let mut forked = Forked::new();
    assert_eq!(forked.invite.headers.text(&Name::PEarlyMedia).as_deref(), Some("supported"));
    let body = described("a");
    assert_eq!(told(&forked.receive(183, "a", Some(&body), &[early_media("inactive")])), (vec![port("a")], vec![]));
    assert_eq!(told(&forked.receive(180, "a", None, &[early_media("sendonly,gated")])).1, [true]);
    assert_eq!(told(&forked.receive(180, "a", None, &[])).1, [false; 0], "what it said holds");
    assert_eq!(told(&forked.receive(180, "a", None, &[early_media("recvonly")])).1, [false]);
    let held = format!("{body}a=recvonly\r\n");
    assert_eq!(told(&forked.receive(183, "b", Some(&held), &[early_media("sendrecv")])).1, [false; 0], "it will not send");
    assert_eq!(told(&forked.receive(183, "c", Some(&described("c")), &[])), (vec![port("c")], vec![true]));
    let muted = early_media("inactive");
    assert_eq!(told(&forked.receive(183, "a", Some(&described("d")), &[muted])).0, [0; 0], "c is heard on");
    let leg = forked.leg;
    forked.one.command(Command::Hangup { leg, cause: Cause::default() });
    assert_eq!(forked.one.request().method, Method::Cancel);
}

#[test]
fn a_reinvite_before_its_2xx_arrived_is_glare() {
    let mut forked = Forked::new();
    forked.early("a");
    assert_eq!(forked.request("a", Method::Invite, 1, &described("r")), 491);
    assert!(matches!(forked.receive(200, "a", None, &[]).as_slice(), [Event::Answered { .. }]));
}
