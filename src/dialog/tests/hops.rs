//! A party with several hops (RFC 3263 §4.3).

use super::one::*;
use crate::base::{Flow, LegId};
use crate::dialog::*;
use crate::sip::{Message, Method, Name, Request, Response};

impl One {
    /// A party that is called at its first hop of so many, and the INVITE.
    fn dial_hops(&mut self, hops: u8) -> (LegId, Request) {
        let leg = self.legs.next_id();
        let hop = |last: u8| Flow { remote: format!("198.51.100.{last}:5060").parse().unwrap(), ..self.flow };
        let others: Vec<Flow> = (8..7 + hops).map(hop).collect();
        let party = party(leg, self.flow);
        let way = |flow| Way { flow, uri: party.uri.clone(), routes: Vec::new() }.into();
        let others = Vec::into_iter(others).map(way).collect();
        self.command(Command::Dial(Box::new(Dial { others, ..party })));
        (leg, self.request())
    }

    /// The INVITE to the hop with that last number; others that were repeated meanwhile are thrown away.
    fn next_invite(&mut self, last: u8) -> Request {
        let to = format!("198.51.100.{last}:5060");
        let sent = std::mem::take(&mut self.sent);
        let mut invites = sent.into_iter().filter(|(flow, _)| flow.remote.to_string() == to);
        match (invites.next(), self.events.pop_front()) {
            (Some((_, Message::Request(invite))), Some(Event::HopFailed { next: Some(next), .. }))
                if invite.method == Method::Invite =>
            {
                assert_eq!(next.to_string(), to);
                invite
            }
            other => panic!("{other:?}"),
        }
    }

    fn says(&mut self, response: Response) {
        self.receive(Message::Response(response));
    }
}

fn is_the_same_call(one: &Request, other: &Request) {
    let text = |request: &Request, name: &Name| request.headers.text(name).unwrap();
    for name in [Name::CallId, Name::From, Name::To, Name::CSeq] {
        assert_eq!(text(one, &name), text(other, &name));
    }
    assert_ne!(text(one, &Name::Via), text(other, &Name::Via));
    assert_eq!(one.body, other.body);
}

#[test]
fn a_hop_that_says_nothing_is_passed_over() {
    let mut one = One::new();
    let (_, first) = one.dial_hops(3);
    one.pass(4.0);
    let second = one.next_invite(8);
    is_the_same_call(&first, &second);
    one.pass(4.0);
    let third = one.next_invite(9);
    is_the_same_call(&first, &third);
    // The last hop has the time that any party has.
    one.pass(31.0);
    assert!(one.events.is_empty());
    one.pass(2.0);
    assert_eq!(one.ended(), (EndedBy::Network, Some(408)));
    one.sent.clear();
    one.gone();
}

#[test]
fn a_hop_that_says_anything_is_waited_for() {
    for status in [100, 180] {
        let mut one = One::new();
        let (_, invite) = one.dial_hops(2);
        one.says(answer(&invite, status, "theirs", None));
        one.events.clear();
        one.pass(60.0);
        one.quiet();
    }
}

#[test]
fn the_last_or_only_hop_that_fails_is_told_of_as_well() {
    let mut one = One::new();
    let (_, invite) = one.dial_hops(1);
    let mut refusal = answer(&invite, 503, "theirs", None);
    refusal.headers.push(Name::RetryAfter, "20");
    one.says(refusal);
    let why = HopEnd::Unavailable { retry_after: Some(std::time::Duration::from_secs(20)) };
    assert!(matches!(one.events.pop_front(), Some(Event::HopFailed { why: told, next: None, .. }) if told == why));
    let mut one = One::new();
    one.dial_hops(1);
    one.pass(33.0);
    assert!(matches!(one.events.pop_front(), Some(Event::HopFailed { why: HopEnd::Silent, next: None, .. })));
    assert_eq!(one.ended(), (EndedBy::Network, Some(408)));
}

/// RFC 5626 §5.3: the proxy before a phone says so where the connection to it is gone; the phone may have another.
#[test]
fn a_430_says_that_this_way_is_gone_and_the_next_is_gone_by() {
    let mut one = One::new();
    let (_, first) = one.dial_hops(2);
    one.says(answer(&first, 430, "proxy", None));
    assert_eq!(one.request().method, Method::Ack);
    let second = one.next_invite(8);
    is_the_same_call(&first, &second);
    one.says(answer(&second, 430, "proxy", None));
    assert_eq!(one.ended(), (EndedBy::Peer, Some(430)));
    one.sent.clear();
    one.gone();
}

#[test]
fn a_503_is_the_hops_word_and_another_refusal_the_partys() {
    let mut one = One::new();
    let (_, first) = one.dial_hops(2);
    one.says(answer(&first, 183, "early", Some(OFFER)));
    one.events.clear();
    one.says(answer(&first, 503, "early", None));
    assert_eq!(one.request().method, Method::Ack);
    assert!(matches!(one.event(), Event::EarlyMedia { sends: false, .. }));
    let second = one.next_invite(8);
    is_the_same_call(&first, &second);
    one.says(answer(&second, 503, "theirs", None));
    assert_eq!(one.ended(), (EndedBy::Peer, Some(503)));
    one.sent.clear();
    one.gone();
    let mut one = One::new();
    let (_, first) = one.dial_hops(2);
    one.says(answer(&first, 486, "theirs", None));
    assert_eq!(one.ended(), (EndedBy::Peer, Some(486)));
    one.sent.clear();
    one.gone();
}

#[test]
fn a_hang_up_between_two_hops_is_one() {
    let mut one = One::new();
    let (leg, first) = one.dial_hops(3);
    one.pass(4.0);
    let second = one.next_invite(8);
    one.command(Command::Hangup { leg, cause: Cause::default() });
    assert_eq!(one.ended(), (EndedBy::Us, None));
    for late in [&first, &second] {
        one.says(answer(late, 180, "theirs", None));
        assert_eq!(one.methods(), [Method::Cancel], "each that shows itself is cancelled");
        one.says(answer(late, 503, "theirs", None));
        assert_eq!(one.methods(), [Method::Ack], "and no other is called");
    }
    one.events.clear();
    one.gone();
}

#[test]
fn a_hop_that_was_passed_over_may_still_answer() {
    let mut one = One::new();
    let (leg, first) = one.dial_hops(2);
    one.pass(4.0);
    let second = one.next_invite(8);
    one.says(answer(&second, 180, "second", None));
    one.events.clear();
    one.says(answer(&first, 200, "first", Some(OFFER)));
    assert_eq!(one.methods(), [Method::Ack, Method::Cancel]);
    one.media();
    assert!(matches!(one.event(), Event::Answered { .. }));
    one.says(answer(&second, 487, "second", None));
    assert_eq!(one.methods(), [Method::Ack]);
    one.command(Command::Hangup { leg, cause: Cause::default() });
    assert_eq!(one.methods(), [Method::Bye]);
    one.events.clear();
    one.gone();
}

/// A network's code may mean the number itself: every hop would say it. Another may mean the line, as a 503 does.
#[test]
fn a_trunks_own_code_says_whether_another_hop_may_have_the_party() {
    use crate::base::{About, Meaning};
    use crate::sip::{Causes, Refused, Rest};
    use std::sync::Arc;
    let entry = |code, status, about| {
        let meaning = Meaning { means: "x".into(), about, en: "x".into(), zh: "x".into() };
        Arc::new(Refused { code, q850: None, text: String::new(), status, rest: Rest::Usual, meaning })
    };
    let answers = vec![entry(503, 503, About::Number), entry(434, 503, About::Line)];
    let causes = Some(Arc::new(Causes { answers, ours: Vec::new() }));
    for (code, goes_on) in [(503, false), (434, true)] {
        let mut one = One::new();
        let leg = one.legs.next_id();
        let party = party(leg, one.flow);
        let flow = Flow { remote: "198.51.100.8:5060".parse().unwrap(), ..one.flow };
        let others = vec![Way { flow, uri: party.uri.clone(), routes: Vec::new() }.into()];
        one.command(Command::Dial(Box::new(Dial { others, causes: causes.clone(), ..party })));
        let first = one.request();
        one.says(answer(&first, code, "theirs", None));
        assert_eq!(one.request().method, Method::Ack);
        if goes_on {
            let second = one.next_invite(8);
            one.says(answer(&second, code, "theirs", None));
        }
        match one.event() {
            Event::Ended { end, .. } => {
                assert_eq!((end.status.map(|status| status.0), end.said()), (Some(code), Some(503)));
                assert!(end.refused.is_some());
            }
            other => panic!("{code}: {other:?}"),
        }
        one.sent.clear();
        one.gone();
    }
}
