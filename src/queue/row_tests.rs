//! Ways in which other systems get stuck, each by its number in the field's list of them.

use super::tests::*;
use super::*;
use crate::base::Mono;
use crate::event::Author;
use crate::seat::{Rules, Seat, SignIn, Wish};
use std::iter;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn is_free(b: &Bench, seat: &str) -> bool {
    b.queues.seats().get(seat).is_some_and(|state| state.is_free())
}

#[test]
fn row_02_a_reservation_dies_with_its_offer() {
    type End = fn(&mut Bench) -> Vec<Output>;
    let ends: [(&str, End); 6] = [
        ("another answers", |b| b.answered(1, "b")),
        ("the caller leaves", |b| b.leave(1)),
        ("it lets it ring", |b| b.pass(RING)),
        ("it declines", |b| b.refused(1, "a")),
        ("the wait is over", |b| b.pass(WAIT)),
        ("the call is over, and nobody said how", |b| b.give(Input::Over { call: call(1) })),
    ];
    for (end, how) in ends {
        let mut b = Bench::phones(&["a", "b"], Strategy::RingAll);
        assert_eq!(b.join(1), [rings(1, "a"), rings(1, "b")]);
        how(&mut b);
        b.give(Input::Over { call: call(1) });
        b.pass(REST_MAX);
        assert_eq!((is_free(&b, "a"), is_free(&b, "b"), b.queues.gauges()), (true, true, (0, 0)), "{end}");
        assert_eq!(b.queues.deadline(), None, "{end}");
    }
    // So is a seat that talked, where the word that it is free was lost.
    let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
    b.join(1);
    b.answered(1, "a");
    b.join(2);
    assert_eq!(b.give(Input::Over { call: call(1) }), [rings(2, "a")]);
    assert_eq!(b.freed(1, "a"), [], "a late word changes nothing");
}

#[test]
fn row_03_of_two_answers_in_one_tick_one_wins() {
    let mut b = Bench::phones(&["a", "b"], Strategy::RingAll);
    b.join(1);
    assert_eq!(b.answered(1, "b"), [stops(1, "a", true)]);
    assert_eq!(b.answered(1, "a"), [], "the other is not taken, and its leg is ended by whoever hears it");
    assert!(is_free(&b, "a") && !is_free(&b, "b"));
    assert_eq!(b.freed(1, "a"), []);
    assert_eq!(b.queues.gauges(), (0, 1));
}

#[test]
fn row_05_when_the_caller_goes_all_offers_end_in_the_same_step() {
    let mut b = Bench::phones(&["a", "b", "c"], Strategy::RingAll);
    b.join(1);
    b.join(2);
    assert_eq!(
        b.leave(1),
        [stops(1, "a", false), stops(1, "b", false), stops(1, "c", false), rings(2, "a"), rings(2, "b"), rings(2, "c")]
    );
    assert_eq!(b.leave(1), []);
}

#[test]
fn row_07_a_seat_that_cannot_be_had_holds_up_nobody() {
    let mut nowhere = seat("a", 1);
    nowhere.bindings.clear();
    let names = ["a", "b", "c", "d", "e"];
    let seats: Vec<Seat> = iter::once(nowhere).chain(names[1..].iter().map(|name| seat(name, 1))).collect();
    for strategy in [Strategy::LongestIdle, Strategy::FewestCalls, Strategy::RoundRobin, Strategy::SkillFirst] {
        let mut b = Bench::new(seats.clone(), vec![queue("12345", &names, strategy)]);
        // a can be reached nowhere, b talks by another way, c has not answered, d has declined this caller.
        b.queues.parties(b.now, call(9), iter::once(crate::seat::Party { seat: "b", placed: true }), &mut Vec::new());
        assert_eq!(b.join(1), [rings(1, "c")], "{strategy:?}");
        b.fails(1, "c", MissCause::Unreachable);
        b.refused(1, "d");
        assert_eq!(b.answered(1, "e"), []);
        assert_eq!(b.join(2), []);
        assert_eq!(b.pass(REST).iter().filter(|o| matches!(o, Output::Ring { .. })).count(), 1, "{strategy:?}");
    }
}

#[test]
fn row_09_no_answer_of_a_seat_ends_the_caller() {
    use MissCause::{Busy, Dnd, NoAnswer, NotRegistered, Ours, Rejected, Unreachable};
    for cause in [Busy, Rejected, NoAnswer, NotRegistered, Unreachable, Dnd, Ours] {
        for strategy in [Strategy::LongestIdle, Strategy::RingAll] {
            let mut b = Bench::phones(&["a", "b"], strategy);
            b.join(1);
            let mut rung = 0;
            while b.now.mono.since(Mono(1_000_000_000)) + s(1) < WAIT {
                for seat in ["a", "b"] {
                    let out = b.fails(1, seat, cause);
                    rung += out.iter().filter(|o| matches!(o, Output::Ring { .. })).count();
                    assert!(!out.iter().any(|o| matches!(o, Output::Full { .. } | Output::TimedOut { .. })), "{cause:?}");
                }
                rung += b.pass(s(1)).iter().filter(|o| matches!(o, Output::Ring { .. })).count();
                assert!(b.queues.waits(call(1)), "{cause:?}");
            }
            assert!(rung >= 5, "{cause:?}: {rung}");
            assert!(b.pass(s(1)).contains(&Output::TimedOut { call: call(1) }), "its own limit alone ends its wait");
        }
    }
}

#[test]
fn row_10_a_seat_that_declines_a_caller_again_is_passed_over_for_it_longer_each_time() {
    // An exchange: it rests for the one caller, and for no other.
    let mut line = queue("12345", &["pbx"], Strategy::LongestIdle);
    (line.refusal_max, line.max_wait) = (s(80), s(3600));
    let mut b = Bench::new(vec![seat("pbx", 9)], vec![line]);
    b.join(1);
    for pause in [10, 20, 40, 80, 80, 80] {
        assert_eq!(b.refused(1, "pbx"), []);
        assert_eq!(b.join(2), [rings(2, "pbx")], "others are not held up");
        b.leave(2);
        assert_eq!(b.pass(s(pause - 1)), []);
        assert_eq!(b.pass(s(1)), [rings(1, "pbx")], "after {pause} s");
    }
    // Where another seat is free, that one comes first.
    let mut b = Bench::phones(&["a", "b"], Strategy::LongestIdle);
    b.join(1);
    b.refused(1, "a");
    b.answered(1, "b");
    b.freed(1, "b");
    b.pass(REST);
    assert_eq!(b.join(2), [rings(2, "a")]);
    assert_eq!(b.refused(2, "a"), [rings(2, "b")]);
    b.pass(REST);
    assert_eq!(b.refused(2, "b"), [rings(2, "a")], "each has declined once");
}

#[test]
fn row_13_a_waiting_caller_has_a_deadline_whatever_its_seats_are() {
    let busy = |b: &mut Bench, out: &mut Vec<Output>| {
        b.queues.parties(b.now, call(9), iter::once(crate::seat::Party { seat: "a", placed: false }), out);
    };
    type State = fn(&mut Bench);
    let states: [(&str, State); 8] = [
        ("free", |_| {}),
        ("in wrap-up", |b| {
            let line = Queue { wrap_up: WAIT * 2, ..queue("12345", &["a"], Strategy::LongestIdle) };
            b.queues.reload(b.now, vec![seat("a", 1)], vec![line], &mut Vec::new());
            b.join(5);
            b.answered(5, "a");
            b.queues.talks(call(5), "a");
            b.freed(5, "a");
            assert_eq!(b.queues.seats().get("a").unwrap().shift.intent.name(), "wrap_up");
        }),
        ("on a break", |b| _ = wish(b, "a", Wish::Rest(60, "tea".into()))),
        ("signed out", |b| {
            let rules = Rules { sign_in: SignIn::Asked, ..Rules::default() };
            let line = queue("12345", &["a"], Strategy::LongestIdle);
            b.queues.reload(b.now, vec![Seat { rules, ..seat("a", 1) }], vec![line], &mut Vec::new());
            wish(b, "a", login());
            wish(b, "a", Wish::Logout);
            assert_eq!(b.queues.seats().get("a").unwrap().shift.intent.name(), "logged_out");
        }),
        ("resting", |b| {
            b.join(5);
            b.refused(5, "a");
            b.leave(5);
        }),
        ("talking", |b| {
            b.join(5);
            b.answered(5, "a");
        }),
        ("gone with a reload", |b| {
            let line = queue("12345", &["a"], Strategy::LongestIdle);
            b.queues.reload(b.now, vec![], vec![line], &mut Vec::new());
        }),
        ("ringing for another", |b| {
            b.join(5);
        }),
    ];
    for (state, bring) in states {
        let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
        bring(&mut b);
        b.join(1);
        assert!(b.queues.waits(call(1)), "{state}");
        b.now = b.now.after(WAIT);
        let mut out = Vec::new();
        b.queues.tick(b.now, &mut out);
        assert!(out.contains(&Output::TimedOut { call: call(1) }), "{state}: {out:?}");
    }
    let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
    busy(&mut b, &mut Vec::new());
    b.join(1);
    assert_eq!(b.pass(WAIT), [Output::TimedOut { call: call(1) }]);
}

#[test]
fn row_04_a_seat_that_answers_and_is_gone_has_failed_the_caller_who_is_at_the_head_again() {
    let mut b = Bench::phones(&["a", "b"], Strategy::LongestIdle);
    assert_eq!(b.join(1), [rings(1, "a")]);
    b.answered(1, "a");
    let dropped = |n| Input::Dropped { call: call(n), queue: "12345".into(), seat: "a".into() };
    // Another waits, for whom b rings; nobody is free but a, which has just failed a caller.
    assert_eq!(b.join(2), [rings(2, "b")]);
    assert_eq!(b.join(3), []);
    assert_eq!(b.give(dropped(1)), [], "a rests");
    assert_eq!(b.give(dropped(1)), [], "twice is once");
    assert_eq!(b.queues.seats().get("a").unwrap().shift.missed, [(MissCause::Dropped, 1)].into());
    assert_eq!(b.join_as(1, "12345", Priority::NORMAL, true), []);
    // It is at the head: b is its own when it becomes free.
    b.answered(2, "b");
    assert_eq!(b.freed(2, "b"), [rings(1, "b")]);
    assert_eq!(b.pass(REST), [rings(3, "a")], "a may be tried for others when it has rested");
    // Dropping again and again is bounded: by the memory of the call, which outlives its places.
    let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
    let mut line = queue("12345", &["a"], Strategy::LongestIdle);
    (line.refusal_max, line.rest_after_failure, line.max_wait) = (s(80), s(5), s(3600));
    b.queues.reload(b.now, vec![seat("a", 1)], vec![line], &mut Vec::new());
    let mut out = b.join(1);
    let mut rings_at = Vec::new();
    for second in 0..400 {
        if out.contains(&rings(1, "a")) {
            rings_at.push(second);
            b.answered(1, "a");
            b.give(dropped(1));
            out = b.join_as(1, "12345", Priority::NORMAL, true);
            assert_eq!(out, []);
            continue;
        }
        out = b.pass(s(1));
    }
    let gaps: Vec<i32> = rings_at.windows(2).map(|pair| pair[1] - pair[0] - 1).collect();
    assert_eq!(gaps[..5], [5, 10, 20, 40, 80], "{rings_at:?}");
}

#[test]
fn row_04_of_all_that_ring_those_who_did_not_answer_may_be_rung_again() {
    let mut b = Bench::phones(&["a", "b"], Strategy::RingAll);
    b.join(1);
    assert_eq!(b.answered(1, "a"), [stops(1, "b", true)]);
    b.give(Input::Dropped { call: call(1), queue: "12345".into(), seat: "a".into() });
    assert_eq!(b.join_as(1, "12345", Priority::NORMAL, true), [rings(1, "b")]);
    // A seat that served somebody before it dropped this one keeps nobody for itself.
    let mut line = queue("12345", &["a", "b"], Strategy::LongestIdle);
    line.sticky_wait = s(60);
    let mut b = Bench::new(vec![seat("a", 1), seat("b", 1)], vec![line]);
    let join = |head| Join {
        call: call(1),
        queue: "12345".into(),
        priority: Priority::NORMAL,
        head,
        source: "carrier".into(),
        hotline: "12345".into(),
        caller: Some("13800138000".into()),
    };
    assert_eq!(b.give(Input::Join(join(false))), [rings(1, "a")]);
    b.answered(1, "a");
    b.give(Input::Dropped { call: call(1), queue: "12345".into(), seat: "a".into() });
    assert_eq!(b.give(Input::Join(join(true))), [rings(1, "b")]);
}

/// Seats that sign in, in a queue that sends on whom nobody can serve after 30 s.
fn deserting(levels: Vec<(Duration, u8)>) -> Bench {
    let mut line = queue("12345", &["a", "b"], Strategy::LongestIdle);
    (line.without_seats, line.levels) = (Some(s(30)), levels);
    Bench::new(vec![asked("a"), asked("b")], vec![line, queue("12366", &["a", "b"], Strategy::LongestIdle)])
}

/// A seat that must sign in.
fn asked(name: &str) -> Seat {
    let rules = Rules { sign_in: SignIn::Asked, ..Rules::default() };
    Seat { rules, skills: [("tax".into(), 5)].into(), ..seat(name, 1) }
}

fn wish(b: &mut Bench, seat: &str, wish: Wish) -> Vec<Output> {
    let mut out = Vec::new();
    b.queues.wish(b.now, &seat.into(), wish, Author::gateway(), &mut out).unwrap();
    out.iter_mut().for_each(unexplained);
    out
}

fn login() -> Wish {
    Wish::Login { force: false, device: Default::default(), skills: None, busy: Some("training".into()) }
}

#[test]
fn row_17_when_all_seats_have_gone_the_caller_goes_on() {
    let gone = |n| Output::NoSeat { call: call(n) };
    let mut b = deserting(Vec::new());
    assert_eq!(b.join(1), [gone(1)], "nobody is signed in: one who comes does not wait");
    assert_eq!(b.join_as(2, "12366", Priority::NORMAL, false), [], "another queue lets callers wait");
    assert_eq!(b.join_as(3, "12345", Priority::HIGH, false), [], "so do those whom an emergency line sends");
    wish(&mut b, "a", login());
    assert_eq!(b.join(4), [], "somebody on a break will be back");
    wish(&mut b, "a", Wish::Logout);
    assert_eq!(b.pass(s(29)), []);
    // A shift that changes within the grace loses nobody, and the grace begins anew.
    wish(&mut b, "b", login());
    assert_eq!(b.pass(s(29)), []);
    wish(&mut b, "b", Wish::Logout);
    assert_eq!(b.pass(s(29)), []);
    assert_eq!(b.pass(s(1)), [gone(4)]);
    assert_eq!(b.queues.gauges(), (2, 0), "the other queue's caller and the emergency line's wait on");
    // A seat that is signed in and that no call can reach is not there either.
    wish(&mut b, "a", login());
    assert_eq!(b.join(5), []);
    let mut out = Vec::new();
    b.queues.bind(b.now, &"a".into(), Vec::new(), &mut out);
    assert_eq!((out.len(), b.pass(s(30))), (0, vec![gone(5)]));
}

#[test]
fn row_17_so_does_one_who_asks_for_a_skill_that_nobody_has() {
    // Level 3 of the hotline's skill is needed to the end, and both have another.
    let mut b = deserting(vec![(s(0), 7), (s(20), 3)]);
    wish(&mut b, "a", login());
    assert_eq!(b.join(1), [Output::NoSeat { call: call(1) }]);
    wish(&mut b, "a", Wish::Skills([("12345".into(), 3)].into()));
    assert_eq!(b.join(1), [], "one who will have it in the end is waited for");
    wish(&mut b, "a", Wish::Skills([("12345".into(), 2)].into()));
    assert_eq!(b.pass(s(30)), [Output::NoSeat { call: call(1) }]);
}

#[test]
fn row_17_a_seat_that_goes_while_it_rings_leaves_nobody_waiting() {
    let mut b = deserting(Vec::new());
    wish(&mut b, "a", Wish::Login { force: false, device: Default::default(), skills: None, busy: None });
    assert_eq!(b.join(1), [rings(1, "a")]);
    let mut out = Vec::new();
    b.queues.bind(b.now, &"a".into(), Vec::new(), &mut out);
    assert_eq!(b.pass(s(19)), [], "it rings yet");
    assert_eq!(b.pass(s(1)), [stops(1, "a", false)]);
    assert_eq!(b.pass(s(30)), [Output::NoSeat { call: call(1) }]);
}

#[test]
fn row_17_while_a_seat_without_its_phone_still_rings_nothing_is_due_at_once() {
    let mut b = deserting(Vec::new());
    wish(&mut b, "a", Wish::Login { force: false, device: Default::default(), skills: None, busy: None });
    let mut queue = queue("12345", &["a", "b"], Strategy::RingAll);
    queue.without_seats = Some(s(5));
    b.queues.reload(b.now, ["a", "b"].map(asked).into(), vec![queue], &mut Vec::new());
    b.join(1);
    assert_eq!(b.queues.gauges(), (1, 1), "one seat rings");
    b.queues.bind(b.now, &"a".into(), Vec::new(), &mut Vec::new());
    assert_eq!(b.pass(s(5)), []);
    assert!(b.queues.deadline().is_some_and(|next| next > b.now.mono), "the clock stands still");
    assert_eq!(b.pass(s(15)), [stops(1, "a", false)]);
    assert_eq!(b.pass(s(0)), [Output::NoSeat { call: call(1) }], "its time of grace has passed meanwhile");
}

/// The last seat leaves, in whatever moment it says so: whoever waits goes on after the grace, or at once where there is none, and
/// not only when its call, its offer or its wrap-up is over.
#[test]
fn row_17_the_last_seat_leaves_in_every_moment() {
    type Leaves = fn(&mut Bench);
    let signs_out: Leaves = |b| assert_eq!(wish(b, "a", Wish::Logout), []);
    let hours_end: Leaves = |b| {
        let mut out = Vec::new();
        b.queues.bind(b.now, &"a".into(), Vec::new(), &mut out);
        assert_eq!(out, []);
    };
    let gone = |n| Output::NoSeat { call: call(n) };
    for leaves in [signs_out, hours_end] {
        for grace in [s(0), s(10)] {
            let scene = || {
                let mut b = deserting(Vec::new());
                let mut line = queue("12345", &["a", "b"], Strategy::LongestIdle);
                (line.without_seats, line.wrap_up) = (Some(grace), s(60));
                let rules = Rules { sign_in: SignIn::Asked, wrap_up: s(60), ..Rules::default() };
                let seats = ["a", "b"].map(|name| Seat { rules: rules.clone(), ..seat(name, 1) });
                b.queues.reload(b.now, seats.into(), vec![line], &mut Vec::new());
                wish(&mut b, "a", Wish::Login { force: false, device: Default::default(), skills: None, busy: None });
                assert_eq!(b.join(1), [rings(1, "a")]);
                b
            };
            // While it talks: the caller it talks to stays.
            let mut talks = scene();
            talks.answered(1, "a");
            talks.queues.talks(call(1), "a");
            talks.join(2);
            leaves(&mut talks);
            assert_eq!(talks.pass(grace), [gone(2)], "{grace:?}");
            assert_eq!(talks.join(3), [gone(3)]);
            // In its wrap-up.
            let mut writes = scene();
            writes.answered(1, "a");
            writes.queues.talks(call(1), "a");
            writes.freed(1, "a");
            assert!(writes.queues.seats().get("a").unwrap().shift.is_away());
            assert_eq!(writes.join(2), [], "it is waited for");
            leaves(&mut writes);
            assert_eq!(writes.pass(grace), [gone(2)], "{grace:?}");
            // While it is offered a caller, who is not taken from it.
            let mut rung = scene();
            rung.join(2);
            leaves(&mut rung);
            assert_eq!(rung.pass(grace), [gone(2)], "{grace:?}");
            assert_eq!(rung.pass(RING - grace), [stops(1, "a", false)]);
            assert_eq!(rung.pass(s(0)), [gone(1)]);
            assert_eq!(rung.queues.gauges(), (0, 0));
        }
    }
    // One who rests comes back, and so does one who thinks better of it.
    let mut b = deserting(Vec::new());
    wish(&mut b, "a", Wish::Login { force: false, device: Default::default(), skills: None, busy: None });
    b.join(1);
    b.answered(1, "a");
    b.join(2);
    wish(&mut b, "a", Wish::Rest(60, "x".into()));
    assert_eq!(b.pass(s(60)), []);
    wish(&mut b, "a", Wish::Logout);
    assert_eq!(b.pass(s(29)), []);
    wish(&mut b, "a", Wish::Ready);
    assert_eq!(b.pass(s(60)), []);
    assert_eq!(b.freed(1, "a"), [rings(2, "a")]);
}

/// A seat with many channels would never come to what it said if it went on taking calls.
#[test]
fn a_seat_that_has_planned_something_else_takes_no_further_call() {
    for later in [Wish::Logout, Wish::Rest(60, "x".into()), Wish::Busy("x".into())] {
        let rules = Rules { sign_in: SignIn::Asked, ..Rules::default() };
        let desk = Seat { rules, ..seat("a", 3) };
        let mut b = Bench::new(vec![desk], vec![queue("12345", &["a"], Strategy::LongestIdle)]);
        wish(&mut b, "a", Wish::Login { force: false, device: Default::default(), skills: None, busy: None });
        assert_eq!(b.join(1), [rings(1, "a")]);
        b.answered(1, "a");
        wish(&mut b, "a", later.clone());
        assert_eq!(b.join(2), [], "{later:?}");
        assert_eq!(b.freed(1, "a"), [], "{later:?}");
        assert!(!b.queues.seats().get("a").unwrap().shift.is_ready(), "{later:?}");
    }
}
#[test]
fn row_21_a_phone_that_forwards_or_is_not_to_be_disturbed_is_not_ready_until_it_shows_life() {
    let mut b = Bench::phones(&["a", "b"], Strategy::LongestIdle);
    let device = |b: &Bench| b.queues.seats().get("a").unwrap().device();
    assert_eq!(b.join(1), [rings(1, "a")]);
    assert_eq!(b.fails(1, "a", MissCause::Dnd), [rings(1, "b")]);
    assert!(device(&b).is_gone(), "it is seen so");
    b.answered(1, "b");
    assert_eq!(b.join(2), []);
    assert_eq!(b.pass(REST), [rings(2, "a")], "it is better than nobody");
    b.fails(2, "a", MissCause::Dnd);
    assert_eq!((b.pass(2 * REST - s(1)), b.pass(s(1))), (vec![], vec![rings(2, "a")]), "twice as long each time");
    b.fails(2, "a", MissCause::Dnd);
    b.freed(1, "b");
    b.leave(2);
    b.pass(REST_MAX);
    assert_eq!(b.join(3), [rings(3, "b")], "all others come first");
    let life = Input::SignOfLife { seat: "a".into(), request: true };
    b.give(life);
    assert!(!device(&b).is_gone());
    // An exchange says so of one of its phones.
    let mut b = Bench::new(vec![seat("a", 9)], vec![queue("12345", &["a"], Strategy::LongestIdle)]);
    b.join(1);
    b.fails(1, "a", MissCause::Dnd);
    assert_eq!((device(&b).is_gone(), b.join(2)), (false, vec![rings(2, "a")]));
}
