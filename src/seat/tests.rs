use super::*;
use crate::base::Transport;
use std::net::SocketAddr;
use uuid::Uuid;

fn call(n: u128) -> CallId {
    CallId(Uuid::from_u128(n))
}

/// A seat that can be reached at one place.
pub(crate) fn seat(name: &str, channels: u32) -> Seat {
    let target = Target::at(Transport::Udp, SocketAddr::from(([192, 0, 2, 20], 5060)));
    let (skills, bindings) = (Skills::new(), vec![Binding { target }]);
    Seat { name: name.into(), channels, bindings, skills, expert: false, rules: Rules::default() }
}

fn seats(channels: u32) -> (Seats, Arc<str>) {
    let (mut seats, desk): (Seats, Arc<str>) = (Seats::default(), "desk".into());
    seats.configure(vec![seat(&desk, channels)]);
    (seats, desk)
}

fn parties(seats: &mut Seats, of: CallId, parties: &[Party<'static>]) -> usize {
    let mut changed = Vec::new();
    seats.parties(of, parties.iter().copied(), &mut changed);
    changed.len()
}

const CALLED: Party = Party { seat: "desk", placed: false };
const PLACED: Party = Party { seat: "desk", placed: true };

fn taken(seats: &Seats) -> (u32, u32, u32) {
    seats.get("desk").map_or((0, 0, 0), |state| (state.taken, state.ringing, state.placed))
}

#[test]
fn a_call_takes_one_channel_however_often_it_uses_the_seat() {
    let (mut seats, desk) = seats(1);
    seats.take(call(1), &desk, Lease::Ringing);
    assert_eq!(taken(&seats), (1, 1, 0));
    assert_eq!(parties(&mut seats, call(1), &[CALLED, CALLED]), 0, "it has the channel already");
    seats.take(call(1), &desk, Lease::Talking);
    assert_eq!((taken(&seats), seats.taken()), ((1, 0, 0), 1));
    // It left the call, and is kept for the caller that may come back.
    assert_eq!(parties(&mut seats, call(1), &[]), 0, "and keeps it");
    assert_eq!(taken(&seats), (1, 0, 0));
    assert!(seats.give_back(call(1), &desk) && !seats.give_back(call(1), &desk));
    assert_eq!((taken(&seats), seats.taken()), ((0, 0, 0), 0));
}

#[test]
fn each_way_to_a_seat_makes_it_busy_and_leaving_by_any_order_frees_it() {
    type Way = fn(&mut Seats, &Arc<str>, bool);
    let ways: [Way; 3] = [
        |seats, desk, comes| match comes {
            true => seats.take(call(1), desk, Lease::Talking),
            false => _ = seats.give_back(call(1), desk),
        },
        |seats, _, comes| _ = parties(seats, call(2), if comes { &[CALLED] } else { &[] }),
        |seats, _, comes| _ = parties(seats, call(3), if comes { &[PLACED] } else { &[] }),
    ];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (mut seats, desk) = seats(3);
        ways.iter().for_each(|way| way(&mut seats, &desk, true));
        assert!(!seats.get("desk").unwrap().is_free());
        for (n, way) in order.into_iter().enumerate() {
            ways[way](&mut seats, &desk, false);
            assert_eq!((seats.taken(), seats.get("desk").unwrap().is_free()), (2 - n, true));
        }
    }
}

#[test]
fn a_seat_places_as_many_calls_as_it_has_channels_and_one_for_help() {
    let (mut seats, desk) = seats(1);
    // That it talks to others is no reason not to place one.
    seats.take(call(1), &desk, Lease::Talking);
    assert!(seats.may_place("desk", false));
    parties(&mut seats, call(2), &[PLACED]);
    assert!(!seats.may_place("desk", false) && seats.may_place("desk", true));
    parties(&mut seats, call(3), &[PLACED]);
    assert_eq!((seats.may_place("desk", true), seats.placed()), (false, 2));
    parties(&mut seats, call(2), &[]);
    parties(&mut seats, call(3), &[]);
    assert_eq!((seats.may_place("desk", false), seats.placed()), (true, 0));
    assert!(!seats.may_place("nobody", true));
}

#[test]
fn a_call_of_its_own_is_work_and_ringing_by_a_queue_is_the_queues_to_judge() {
    let (mut seats, desk) = seats(1);
    parties(&mut seats, call(1), &[PLACED]);
    parties(&mut seats, call(1), &[]);
    let after_own = seats.get("desk").unwrap().last_work;
    assert!(after_own > 0);
    seats.take(call(2), &desk, Lease::Ringing);
    parties(&mut seats, call(2), &[CALLED]);
    seats.give_back(call(2), &desk);
    parties(&mut seats, call(2), &[]);
    assert_eq!(seats.get("desk").unwrap().last_work, after_own);
}

#[test]
fn a_seat_that_the_configuration_no_longer_names_is_known_until_it_is_free() {
    let (mut seats, desk) = seats(1);
    seats.take(call(1), &desk, Lease::Talking);
    seats.configure(vec![]);
    seats.forget("desk");
    assert_eq!(taken(&seats), (1, 0, 0));
    seats.give_back(call(1), &desk);
    seats.forget("desk");
    assert!(seats.get("desk").is_none());
}

#[test]
fn after_a_panic_the_counts_follow_from_the_uses() {
    let (mut seats, desk) = seats(9);
    seats.take(call(1), &desk, Lease::Talking);
    seats.take(call(2), &desk, Lease::Ringing);
    seats.take(call(3), &desk, Lease::Ringing);
    parties(&mut seats, call(4), &[PLACED]);
    parties(&mut seats, call(5), &[CALLED]);
    // The panic came in call 5, and the queue does not know that call 3 rings.
    seats.recover(Some(call(5)), |of, _| of == call(2));
    assert_eq!((taken(&seats), seats.taken()), ((3, 1, 1), 3));
}

#[test]
fn a_seat_that_can_be_reached_nowhere_takes_no_call() {
    let (mut seats, desk) = seats(1);
    assert!(seats.get("desk").unwrap().is_free() && seats.bindings("desk").len() == 1);
    seats.configure(vec![Seat { bindings: Vec::new(), ..seat("desk", 1) }]);
    assert!(!seats.get("desk").unwrap().is_free() && seats.bindings("desk").is_empty());
    seats.configure(vec![seat("desk", 1)]);
    assert!(seats.get("desk").unwrap().is_free());
    // A call keeps a seat that the configuration drops.
    seats.take(call(1), &desk, Lease::Talking);
    seats.configure(Vec::new());
    assert!(seats.bindings("desk").is_empty() && seats.bindings("nobody").is_empty());
}
