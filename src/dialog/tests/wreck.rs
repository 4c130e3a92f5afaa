//! Panics in a leg's turn and in its transactions: the peer is told, the user is told, and nothing is left.

use super::one::*;
use crate::base::Now;
use crate::base::trap::{self, Trap};
use crate::dialog::*;
use crate::sip::{Message, Method, Name};
use std::panic::{AssertUnwindSafe, catch_unwind};

impl One {
    /// Works with this trap set; the panic is caught and recovered from as the gateway does it. The trap must spring.
    fn wrecked(&mut self, trap: Trap, act: impl FnOnce(&mut Agent, Now, &mut Vec<Output>)) {
        let mut out = Vec::new();
        trap::set(trap, 0);
        let worked = catch_unwind(AssertUnwindSafe(|| act(&mut self.legs, self.now, &mut out)));
        assert!(worked.is_err() && !trap::clear(), "no trap sprang");
        self.legs.recover(self.now, &mut out);
        self.take(out);
    }

    fn receives_wrecked(&mut self, trap: Trap, message: Message) {
        let (flow, message) = (self.flow, Message::parse(message.to_bytes()).unwrap());
        self.wrecked(trap, |legs, now, out| legs.received(now, flow, message, out));
    }

    /// A BYE that its peer will take for the dialog's, and the end that the user is told.
    fn hung_up(&mut self, from: &str, to: &str, beyond: u32) {
        let bye = self.request();
        assert_eq!(bye.method, Method::Bye);
        assert!(bye.headers.text(&Name::From).unwrap().contains(from), "{bye:?}");
        assert!(bye.headers.text(&Name::To).unwrap().contains(to), "{bye:?}");
        assert!(bye.headers.cseq().unwrap().seq > beyond);
        assert!(bye.headers.text(&Name::Reason).unwrap().contains("cause=41"), "{bye:?}");
        self.receive(Message::Response(bye.reply(Status(200), None)));
        assert_eq!(self.ended(), (EndedBy::Network, Some(500)));
    }
}

#[test]
fn a_session_that_the_peer_called_gets_a_bye() {
    for trap in [Trap::Dialog, Trap::Transaction] {
        let mut one = One::new();
        let (_, dialog) = one.session(&fresh("INVITE", "", OFFER));
        one.receives_wrecked(trap, Message::Request(next(&dialog, Method::Update, 2)));
        // The answer to its request may have left before.
        one.sent.retain(|(_, message)| matches!(message, Message::Request(_)));
        one.hung_up(";tag=", "tag=theirs", 0);
        one.quiet();
        one.gone();
    }
}

#[test]
fn a_session_that_we_called_gets_a_bye_at_its_contact() {
    let mut one = One::new();
    let (leg, ..) = one.called();
    one.wrecked(Trap::Dialog, |legs, now, out| legs.command(now, Command::SendInfo { leg, key: '5' }, out));
    one.sent.retain(|(_, message)| matches!(message, Message::Request(request) if request.method == Method::Bye));
    assert!(matches!(&one.sent[0].1, Message::Request(bye) if bye.uri.to_string().contains("theirs@198.51.100.7:5080")));
    one.hung_up(";tag=", "tag=theirs", 1);
    one.gone();
}

#[test]
fn a_party_that_rings_gets_a_cancel_and_one_that_answers_a_bye() {
    let ringing = || {
        let mut one = One::new();
        let (leg, invite) = one.dial();
        one.receive(Message::Response(answer(&invite, 180, "theirs", None)));
        one.events.clear();
        (one, leg, invite)
    };
    for trap in [Trap::Dialog, Trap::Transaction] {
        let (mut one, _, invite) = ringing();
        one.receives_wrecked(trap, Message::Response(answer(&invite, 183, "theirs", None)));
        assert_eq!(one.methods(), [Method::Cancel], "{trap:?}");
        one.events.retain(|event| matches!(event, Event::Ended { .. }));
        assert_eq!(one.ended(), (EndedBy::Network, Some(500)));
        one.receive(Message::Response(answer(&invite, 487, "theirs", None)));
        assert_eq!(one.methods(), [Method::Ack]);
        one.gone();
    }
    let (mut one, _, invite) = ringing();
    one.receives_wrecked(Trap::Dialog, Message::Response(answer(&invite, 200, "theirs", Some(OFFER))));
    assert_eq!(one.request().method, Method::Ack);
    one.events.retain(|event| matches!(event, Event::Ended { .. }));
    one.hung_up(";tag=", "tag=theirs", 1);
    one.gone();
    // The transaction's word is lost, and so is ours: the next copy of the 200 gets both.
    let (mut one, _, invite) = ringing();
    let ok = Message::Response(answer(&invite, 200, "theirs", Some(OFFER)));
    one.receives_wrecked(Trap::Transaction, ok.clone());
    one.sent.clear();
    one.receive(ok);
    assert_eq!(one.methods(), [Method::Ack, Method::Bye]);
}

#[test]
fn a_caller_without_an_answer_gets_500_once_that_may_leave() {
    for trap in [Trap::Dialog, Trap::Transaction] {
        let mut one = One::new();
        let leg = one.invited(&fresh("INVITE", "", OFFER));
        one.wrecked(trap, |legs, now, out| {
            legs.command(now, Command::Progress { leg, status: Status(183), media: true }, out);
        });
        assert_eq!(one.statuses(), [183, 500], "{trap:?}");
        assert_eq!(one.ended(), (EndedBy::Network, Some(500)));
        one.gone();
    }
    let mut one = One::new();
    one.receive(Message::Request(fresh("INVITE", "", OFFER)));
    let leg = one.incoming().leg;
    one.sent.clear();
    one.wrecked(Trap::Dialog, |legs, now, out| legs.command(now, Command::Attach { leg, local: local() }, out));
    assert!(one.sent.is_empty(), "the call is in no journal yet");
    one.command(Command::Release { leg });
    let refusal = one.response();
    assert_eq!((refusal.status, refusal.headers.to().unwrap().tag().is_some()), (Status(500), true));
    one.events.clear();
    one.gone();
    // It came and was lost in the same turn.
    let mut one = One::new();
    one.receives_wrecked(Trap::Dialog, Message::Request(fresh("INVITE", "", OFFER)));
    one.command(Command::Release { leg });
    assert_eq!(one.statuses(), [100, 500]);
    one.events.clear();
    one.gone();
}

#[test]
fn a_caller_whose_answer_was_on_its_way_gets_a_bye() {
    let mut one = One::new();
    let leg = one.invited(&fresh("INVITE", "", OFFER));
    one.wrecked(Trap::Dialog, |legs, now, out| legs.command(now, Command::Answer { leg }, out));
    assert_eq!(one.response().status, Status(200));
    one.hung_up(";tag=", "tag=theirs", 0);
    one.gone();
}
