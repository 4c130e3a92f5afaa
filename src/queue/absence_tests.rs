use super::tests::*;
use super::*;

fn heard(b: &mut Bench, seat: &str, request: bool) -> Vec<Output> {
    b.give(Input::SignOfLife { seat: seat.into(), request })
}

#[test]
fn a_phone_that_is_off_costs_one_caller_one_ring() {
    let mut b = Bench::phones(&["a", "b"], Strategy::LongestIdle);
    assert_eq!(b.join(1), [rings(1, "a")]);
    assert_eq!(b.pass(RING), [stops(1, "a", false), rings(1, "b")]);
    b.answered(1, "b");
    // The next callers do not wait for it at any time of day, though it is the longest idle.
    for n in 2..20 {
        b.pass(REST_MAX);
        b.freed(n - 1, "b");
        assert_eq!(b.join(n), [rings(n, "b")], "call {n}");
        b.answered(n, "b");
    }
    // Where nobody else is free it is tried again; but nobody waits for it alone.
    b.pass(REST_MAX);
    assert_eq!(b.join(20), [rings(20, "a")]);
    assert_eq!(b.freed(19, "b"), [rings(20, "b")]);
    assert_eq!(b.answered(20, "b"), [stops(20, "a", true)]);
    assert_eq!(b.queues.seats().missed().len(), 1, "it rang in vain, which says nothing for it");
}

#[test]
fn a_seat_that_does_not_answer_rests_longer_each_time_up_to_a_bound() {
    let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
    let mut queue = queue("12345", &["a"], Strategy::LongestIdle);
    queue.max_wait = Duration::from_secs(36_000);
    b.queues.reload(b.now, vec![seat("a", 1)], vec![queue.clone()], &mut Vec::new());
    b.join(1);
    for rest in [10, 20, 40, 60, 60, 60] {
        assert_eq!(b.pass(RING), [stops(1, "a", false)]);
        assert_eq!(b.pass(Duration::from_secs(rest - 1)), []);
        assert_eq!(b.pass(Duration::from_secs(1)), [rings(1, "a")], "after {rest} s");
    }
    // An operator who reloads may have seen to it.
    assert_eq!(b.pass(RING), [stops(1, "a", false)]);
    b.pass(REST);
    let mut out = Vec::new();
    b.queues.reload(b.now, vec![seat("a", 1)], vec![queue], &mut out);
    out.iter_mut().for_each(unexplained);
    assert_eq!((out, b.queues.seats().missed().len()), (vec![rings(1, "a")], 0));
}

/// Its caller is at the head again, and would ring it in vain for as long as a seat may ring.
#[test]
fn a_phone_that_dies_while_it_talks_rests_and_stands_behind_others_until_it_shows_life() {
    let dead = || {
        let mut b = Bench::phones(&["a", "b"], Strategy::LongestIdle);
        b.join(1);
        b.answered(1, "a");
        b.join(2);
        b.answered(2, "b");
        let lost = Input::Lost { call: call(1), queue: "12345".into(), seat: "a".into() };
        assert_eq!((b.give(lost.clone()), b.give(lost)), (vec![], vec![]), "twice is once");
        assert_eq!(b.join_as(1, "12345", Priority::NORMAL, true), [], "it is not rung again at once");
        assert!(b.queues.seats().missed().contains("a"));
        b
    };
    let mut b = dead();
    assert_eq!(b.freed(2, "b"), [rings(1, "b")]);
    b.answered(1, "b");
    assert_eq!(b.queues.seats().get("a").unwrap().shift.missed, [].into(), "nobody was kept waiting by the person");
    let mut b = dead();
    assert_eq!(heard(&mut b, "a", true), [rings(1, "a")], "it is back");
    let mut b = dead();
    assert_eq!(b.pass(REST), [rings(1, "a")], "there is no other");
}

/// The same of a call that the seat has placed: the queue has never leased it, and the person is at the head.
#[test]
fn a_phone_that_dies_in_a_call_that_it_has_placed_is_not_rung_for_that_person_at_once() {
    let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
    let party = crate::seat::Party { seat: "a", placed: true };
    let mut out = Vec::new();
    b.queues.parties(b.now, call(1), [party].into_iter(), &mut out);
    b.queues.talks(call(1), "a");
    let lost = Input::Lost { call: call(1), queue: "12345".into(), seat: "a".into() };
    assert_eq!((b.give(lost), b.join_as(1, "12345", Priority::NORMAL, true)), (vec![], vec![]));
    b.queues.parties(b.now, call(1), std::iter::empty(), &mut out);
    assert_eq!(out, [], "its phone is dead");
    assert!(b.queues.seats().missed().contains("a"));
    assert_eq!(b.pass(REST), [rings(1, "a")]);
}

/// It has channels left, and is passed over all the same.
#[test]
fn an_exchange_that_dies_in_a_call_that_it_has_placed_is_passed_over() {
    let seats = || vec![seat("pbx", 4), seat("x", 1)];
    let mut b = Bench::new(seats(), vec![queue("12345", &["pbx", "x"], Strategy::LongestIdle)]);
    let party = crate::seat::Party { seat: "pbx", placed: true };
    b.queues.parties(b.now, call(1), [party].into_iter(), &mut Vec::new());
    let lost = Input::Lost { call: call(1), queue: "12345".into(), seat: "pbx".into() };
    assert_eq!((b.give(lost), b.join_as(1, "12345", Priority::NORMAL, true)), (vec![], vec![rings(1, "x")]));
    assert_eq!(b.join(2), [], "nobody else is there until it has rested");
    assert_eq!(b.pass(REST), [rings(2, "pbx")]);
}

/// A caller for whom it rings meanwhile does not wait for it alone.
#[test]
fn an_exchange_that_dies_in_a_conversation_has_another_rung_for_those_for_whom_it_rings() {
    let seats = || vec![seat("pbx", 4), seat("x", 1)];
    let mut b = Bench::new(seats(), vec![queue("12345", &["pbx", "x"], Strategy::RoundRobin)]);
    b.join(1);
    b.answered(1, "pbx");
    assert_eq!(b.join(2), [rings(2, "x")]);
    b.answered(2, "x");
    assert_eq!((b.join(3), b.freed(2, "x")), (vec![rings(3, "pbx")], vec![]));
    let lost = Input::Lost { call: call(1), queue: "12345".into(), seat: "pbx".into() };
    assert_eq!(b.give(lost), [rings(3, "x")]);
}

/// It took the caller by a pick-up, or was sent it: no queue has leased it for the call.
#[test]
fn a_phone_that_dies_with_a_caller_whom_no_queue_gave_it_rests_too() {
    let mut b = Bench::phones(&["a", "b"], Strategy::LongestIdle);
    let lost = Input::Lost { call: call(1), queue: "12345".into(), seat: "a".into() };
    assert_eq!((b.give(lost.clone()), b.give(lost)), (vec![], vec![]), "twice is once");
    assert_eq!(b.join_as(1, "12345", Priority::NORMAL, true), [rings(1, "b")], "its caller does not ring it again");
    b.answered(1, "b");
    assert_eq!(b.join(2), []);
    assert_eq!(b.pass(REST), [rings(2, "a")], "it rested once");
}

#[test]
fn any_sign_of_life_ends_the_doubt() {
    let missed = || {
        let mut b = Bench::phones(&["a", "b"], Strategy::LongestIdle);
        b.join(1);
        b.pass(RING);
        b.answered(1, "b");
        assert!(b.queues.seats().missed().contains("a"));
        b
    };
    let mut answers = missed();
    answers.pass(REST);
    assert_eq!(answers.join(2), [rings(2, "a")]);
    answers.answered(2, "a");
    assert!(answers.queues.seats().missed().is_empty());
    let mut declines = missed();
    declines.pass(REST);
    declines.join(2);
    declines.refused(2, "a");
    assert!(declines.queues.seats().missed().is_empty());
    let mut calls = missed();
    assert_eq!(calls.join(2), []);
    assert_eq!(heard(&mut calls, "a", false), [], "its proxy may have spoken");
    assert_eq!(heard(&mut calls, "a", true), [rings(2, "a")], "in the middle of its rest");
    assert_eq!(heard(&mut calls, "nobody", true), []);
}

#[test]
fn a_pbx_that_cannot_be_reached_is_left_out_and_one_that_rings_is_not() {
    let seats = || vec![seat("pbx", 100), seat("x", 1)];
    let bench = || Bench::new(seats(), vec![queue("12345", &["pbx", "x"], Strategy::LongestIdle)]);
    let mut rang = bench();
    assert_eq!(rang.join(1), [rings(1, "pbx")]);
    rang.give(Input::Rang { call: call(1), seat: "pbx".into() });
    assert_eq!(rang.pass(RING), [stops(1, "pbx", false), rings(1, "x")]);
    assert_eq!(rang.join(2), [rings(2, "pbx")], "one extension says nothing about the others");
    let mut dead = bench();
    dead.join(1);
    assert_eq!(dead.pass(RING), [stops(1, "pbx", false), rings(1, "x")]);
    dead.answered(1, "x");
    assert_eq!(dead.join(2), [], "it rests for everybody");
    assert_eq!(heard(&mut dead, "pbx", false), [rings(2, "pbx")], "no person has to be there");
    let mut ours = bench();
    ours.join(1);
    ours.fails(1, "pbx", MissCause::Ours);
    assert!(ours.queues.seats().missed().is_empty(), "no port of ours is no fault of the seat");
}

#[test]
fn others_do_not_wait_for_a_seat_that_has_come_into_doubt_while_it_rings() {
    let queues = vec![queue("12345", &["b", "pbx"], Strategy::LongestIdle)];
    let mut b = Bench::new(vec![seat("b", 1), seat("pbx", 10)], queues);
    assert_eq!((b.join(1), b.join(2), b.join(3)), (vec![rings(1, "b")], vec![rings(2, "pbx")], vec![rings(3, "pbx")]));
    b.answered(1, "b");
    assert_eq!(b.fails(2, "pbx", MissCause::Unreachable), []);
    assert_eq!(b.freed(1, "b"), [rings(2, "b")]);
    b.answered(2, "b");
    assert_eq!(b.freed(2, "b"), [rings(3, "b")], "though the exchange still rings for it");
}

#[test]
fn however_often_seats_refused_a_caller_it_is_rung_and_nobody_behind_it_waits_for_that() {
    for strategy in [Strategy::LongestIdle, Strategy::RingAll] {
        let mut b = Bench::phones(&["a", "b"], strategy);
        let mut queue = queue("12345", &["a", "b"], strategy);
        queue.max_wait = Duration::from_secs(36_000);
        b.queues.reload(b.now, vec![seat("a", 1), seat("b", 1)], vec![queue], &mut Vec::new());
        b.join(1);
        b.join(2);
        for _ in 0..300 {
            for n in [1, 2] {
                b.refused(n, "a");
                b.refused(n, "b");
            }
            assert!(b.pass(REST).iter().any(|o| matches!(o, Output::Ring { call: c, .. } if *c == call(1))));
            assert_eq!(b.queues.stranded(b.now), None);
        }
        b.answered(1, "a");
        b.answered(1, "b");
        b.answered(2, "a");
        b.answered(2, "b");
        assert_eq!(b.queues.gauges(), (0, 2), "{strategy:?}");
    }
}

#[test]
fn a_seat_is_wanted_while_somebody_waits_in_a_line_of_its() {
    let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
    b.join(1);
    b.answered(1, "a");
    assert!(!b.queues.is_wanted("a"));
    b.join(2);
    assert!(b.queues.is_wanted("a") && !b.queues.is_wanted("b"));
}

#[test]
fn one_source_does_not_take_all_places_and_emergencies_find_some() {
    let mut queue = queue("12345", &[], Strategy::LongestIdle);
    (queue.max_length, queue.share, queue.reserved) = (10, 6, 2);
    let mut b = Bench::new(vec![], vec![queue.clone()]);
    let refused = |n| vec![Output::Full { call: call(n) }];
    let from = |b: &mut Bench, n, source, priority| b.join_from(n, "12345", priority, false, source);
    (0..6).for_each(|n| assert_eq!(from(&mut b, n, "flood", Priority::NORMAL), []));
    assert_eq!(from(&mut b, 6, "flood", Priority::NORMAL), refused(6));
    assert_eq!(from(&mut b, 10, "other", Priority::NORMAL), []);
    // A reload keeps the count.
    b.queues.reload(b.now, vec![], vec![queue], &mut Vec::new());
    assert_eq!(from(&mut b, 7, "flood", Priority::NORMAL), refused(7));
    assert_eq!(from(&mut b, 11, "other", Priority::NORMAL), []);
    assert_eq!(from(&mut b, 12, "other", Priority::NORMAL), refused(12), "the last two are kept");
    assert_eq!(from(&mut b, 20, "flood", Priority::HIGH), []);
    assert_eq!(from(&mut b, 21, "other", Priority::HIGH), []);
    assert_eq!(from(&mut b, 22, "other", Priority::HIGH), refused(22), "now it is full");
    // A call that leaves gives its source a place.
    for n in [0, 20, 21] {
        b.leave(n);
    }
    assert_eq!(from(&mut b, 8, "flood", Priority::NORMAL), []);
    (0..30).for_each(|n| assert_eq!(b.leave(n), []));
    assert_eq!(b.queues.gauges(), (0, 0));
    (0..6).for_each(|n| assert_eq!(from(&mut b, 40 + n, "flood", Priority::NORMAL), [], "nothing is left of the old ones"));
}

#[test]
fn a_seat_that_can_be_reached_nowhere_is_not_rung_until_it_can() {
    let mut nowhere = seat("a", 1);
    nowhere.bindings.clear();
    let queue = queue("12345", &["a", "b"], Strategy::LongestIdle);
    let mut b = Bench::new(vec![nowhere, seat("b", 1)], vec![queue.clone()]);
    assert_eq!(b.join(1), [rings(1, "b")]);
    assert_eq!(b.join(2), []);
    let mut out = Vec::new();
    b.queues.reload(b.now, vec![seat("a", 1), seat("b", 1)], vec![queue], &mut out);
    out.iter_mut().for_each(unexplained);
    assert_eq!(out, [rings(2, "a")]);
}

#[test]
fn a_seat_that_a_reload_made_small_keeps_no_other_caller_waiting_when_it_cannot_be_reached() {
    let mut b = Bench::new(vec![seat("a", 2)], vec![queue("12345", &["a", "b", "c"], Strategy::LongestIdle)]);
    assert_eq!((b.join(1), b.join(2)), (vec![rings(1, "a")], vec![rings(2, "a")]));
    let (seats, mut out) = (["a", "b", "c"].map(|name| seat(name, 1)).into(), Vec::new());
    b.queues.reload(b.now, seats, vec![queue("12345", &["a", "b", "c"], Strategy::LongestIdle)], &mut out);
    assert_eq!(out, []);
    let refused = Input::Refused { call: call(1), seat: "a".into(), failure: MissCause::Unreachable };
    assert_eq!(b.give(refused), [rings(1, "b"), rings(2, "c")]);
}
