//! A seat is busy however its call came to it, and then no queue rings it. Seats that have done nothing yet are tried in the
//! order of their names; one that has worked comes after one that has not.

use super::transfer::{Scene, line, second_line};
use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use crate::support::wait_for;
use serde_json::{Value, json};

fn two_seats() -> Spec {
    Spec { seats: vec![1, 1], ..Spec::default() }
}

/// A second caller, who rings the seat of this phone and no other.
fn rings(gateway: &Gateway, seat: &mut Phone) -> Phone {
    let mut caller = Phone::new("second", gateway.host.port(), gateway);
    caller.invite("12345");
    assert!(seat.ring().start_line().contains("desk-"));
    caller
}

/// The caller has the seat of this phone, which is answered, and talks.
fn talks(caller: &mut Phone, seat: &mut Phone) {
    seat.answer();
    caller.status(200, "INVITE");
    caller.ack();
}

/// A third caller waits while both seats talk; the first seat to hang up has it.
fn waits_until_free(gateway: &Gateway, busy: &mut Phone, end: impl FnOnce(&mut Phone)) {
    let mut caller = Phone::new("third", gateway.host.port(), gateway);
    caller.invite("12345");
    wait_for("a caller who waits", || (gateway.metric("callers_waiting") == 1).then_some(()));
    assert_eq!(busy.unread(), [""; 0], "it talks, and is not rung");
    end(busy);
    busy.ring();
    talks(&mut caller, busy);
    caller.bye();
    busy.hung_up();
}

/// The other seat has taken the first seat's caller: it is busy, and the first is not.
fn has_the_first_seats_caller(scene: &mut Scene, other: &mut Phone) {
    let Scene { gateway, caller, seat, .. } = scene;
    seat.hung_up();
    let mut second = rings(gateway, seat);
    talks(&mut second, seat);
    waits_until_free(gateway, other, |other| {
        caller.bye();
        other.hung_up();
    });
    second.bye();
    seat.hung_up();
}

#[test]
fn a_seat_that_has_its_caller_by_a_transfer_is_not_rung() {
    let mut scene = Scene::with(&two_seats());
    let mut other = Phone::new("other", scene.gateway.seats[1], &scene.gateway);
    assert_eq!(scene.api("POST", "/transfer", json!({ "to": "seat:desk-1", "mode": "consult" }), "1").0, 202);
    other.ring();
    other.answer();
    wait_for("the consultation", || (scene.api("POST", "/transfer/complete", Value::Null, "2").0 == 202).then_some(()));
    has_the_first_seats_caller(&mut scene, &mut other);
}

#[test]
fn a_seat_that_a_transfer_rings_is_not_rung_by_the_queue() {
    let mut scene = Scene::with(&two_seats());
    let mut other = Phone::new("other", scene.gateway.seats[1], &scene.gateway);
    assert_eq!(scene.api("POST", "/transfer", json!({ "to": "seat:desk-1", "mode": "consult" }), "1").0, 202);
    other.ring();
    let mut second = Phone::new("second", scene.gateway.host.port(), &scene.gateway);
    second.invite("12345");
    wait_for("a caller who waits", || (scene.gateway.metric("callers_waiting") == 1).then_some(()));
    assert_eq!(other.unread(), [""; 0]);
    other.refuse(486);
    other.ring();
    talks(&mut second, &mut other);
    second.bye();
    other.hung_up();
    scene.caller.bye();
    scene.seat.hung_up();
}

#[test]
fn a_seat_that_took_a_conversation_over_is_not_rung() {
    let mut scene = Scene::with(&two_seats());
    let mut other = Phone::new("other", scene.gateway.seats[1], &scene.gateway);
    other.number = "desk-1".to_string();
    other.headers = line(format!("Replaces: {}", scene.seat.replaces()));
    other.invite("12345");
    other.status(200, "INVITE");
    other.ack();
    has_the_first_seats_caller(&mut scene, &mut other);
}

#[test]
fn a_seat_that_has_placed_a_call_is_not_rung() {
    let gateway = Gateway::start(&two_seats());
    let mut desks = [0, 1].map(|n| Phone::new(["one", "two"][n], gateway.seats[n], &gateway));
    let [first, second] = &mut desks;
    let mut target = Phone::new("target", gateway.target, &gateway);
    first.number = "desk-0".to_string();
    first.invite("12366");
    target.ring();
    target.answer();
    first.status(200, "INVITE");
    first.ack();
    let mut caller = rings(&gateway, second);
    talks(&mut caller, second);
    waits_until_free(&gateway, first, |first| {
        first.bye();
        target.hung_up();
    });
    caller.bye();
    second.hung_up();
}

#[test]
fn an_exchange_that_a_transfer_and_the_queue_reach_is_rung_on_free_channels_alone() {
    let mut scene = Scene::with(&Spec { seats: vec![1, 2], ..Spec::default() });
    let mut exchange = Phone::new("exchange", scene.gateway.seats[1], &scene.gateway);
    assert_eq!(scene.api("POST", "/transfer", json!({ "to": "seat:desk-1", "mode": "three-way" }), "1").0, 202);
    exchange.ring();
    exchange.answer();
    let mut second = rings(&scene.gateway, &mut exchange);
    talks(&mut second, &mut exchange);
    waits_until_free(&scene.gateway, &mut exchange, |exchange| {
        second.bye();
        exchange.hung_up();
    });
    scene.seat.bye();
    scene.caller.bye();
    exchange.hung_up();
}

#[test]
fn a_seat_with_a_second_line_in_its_call_is_rung_on_neither() {
    let mut scene = Scene::with(&two_seats());
    let mut other = Phone::new("other", scene.gateway.seats[1], &scene.gateway);
    let mut line = second_line(&mut scene, "12366");
    scene.target.ring();
    scene.target.answer();
    line.status(200, "INVITE");
    line.ack();
    let mut second = rings(&scene.gateway, &mut other);
    talks(&mut second, &mut other);
    let Scene { gateway, caller, seat, target, .. } = &mut scene;
    waits_until_free(gateway, seat, |seat| {
        line.bye();
        target.hung_up();
        assert_eq!(seat.unread(), [""; 0], "it has its caller still");
        caller.bye();
        seat.hung_up();
    });
    second.bye();
    other.hung_up();
}
