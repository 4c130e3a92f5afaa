use super::*;
use crate::base::{Mono, Now};
pub(super) use crate::seat::tests::seat;
use crate::seat::{Party, Seat};
use std::iter;
use std::time::Duration;
use uuid::Uuid;

pub(super) const RING: Duration = Duration::from_secs(20);
pub(super) const REST: Duration = Duration::from_secs(10);
pub(super) const REST_MAX: Duration = Duration::from_secs(60);
pub(super) const WAIT: Duration = Duration::from_secs(300);

pub(super) fn call(n: u64) -> CallId {
    CallId(Uuid::from_u128(u128::from(n)))
}

pub(super) fn queue(name: &str, seats: &[&str], strategy: Strategy) -> Queue {
    Queue {
        name: name.into(),
        seats: seats.iter().map(|s| Arc::from(*s)).collect(),
        strategy,
        skill: None,
        levels: Vec::new(),
        experts_after: None,
        sticky_wait: Duration::ZERO,
        sticky_for: Duration::from_secs(3600),
        ageing: Duration::from_secs(60),
        ring_timeout: RING,
        max_wait: WAIT,
        max_length: 100,
        share: 100,
        reserved: 0,
        rest_after_failure: REST,
        rest_max: REST_MAX,
        refusal_max: REST,
        without_seats: None,
        wrap_up: Duration::ZERO,
    }
}

pub(super) fn rings(n: u64, seat: &str) -> Output {
    Output::Ring { call: call(n), seat: seat.into(), choice: Box::default() }
}

pub(super) fn stops(n: u64, seat: &str, elsewhere: bool) -> Output {
    Output::Stop { call: call(n), seat: seat.into(), elsewhere }
}

/// Forgets the reasons, which other tests look at.
pub(super) fn unexplained(output: &mut Output) {
    if let Output::Ring { choice, .. } = output {
        **choice = Choice::default();
    }
}

/// Queues with a clock.
pub(super) struct Bench {
    pub queues: Queues,
    pub now: Now,
}

impl Bench {
    pub fn new(seats: Vec<Seat>, queues: Vec<Queue>) -> Bench {
        Bench { queues: Queues::new(seats, queues), now: Now { mono: Mono(1_000_000_000), ..Now::default() } }
    }

    pub fn phones(names: &[&str], strategy: Strategy) -> Bench {
        Bench::new(names.iter().map(|n| seat(n, 1)).collect(), vec![queue("12345", names, strategy)])
    }

    pub fn give(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.queues.handle(self.now, input, &mut out);
        out.iter_mut().for_each(unexplained);
        out
    }

    pub fn join(&mut self, n: u64) -> Vec<Output> {
        self.join_as(n, "12345", Priority::NORMAL, false)
    }

    pub fn join_as(&mut self, n: u64, queue: &str, priority: Priority, head: bool) -> Vec<Output> {
        self.join_from(n, queue, priority, head, "carrier")
    }

    pub fn join_from(&mut self, n: u64, queue: &str, priority: Priority, head: bool, source: &str) -> Vec<Output> {
        let (queue, hotline) = (queue.into(), "12345".into());
        self.give(Input::Join(Join { call: call(n), queue, priority, head, source: source.into(), hotline, caller: None }))
    }

    pub fn leave(&mut self, n: u64) -> Vec<Output> {
        self.give(Input::Leave { call: call(n) })
    }

    pub fn answered(&mut self, n: u64, seat: &str) -> Vec<Output> {
        self.give(Input::Answered { call: call(n), seat: seat.into() })
    }

    pub fn refused(&mut self, n: u64, seat: &str) -> Vec<Output> {
        self.fails(n, seat, MissCause::Rejected)
    }

    pub fn fails(&mut self, n: u64, seat: &str, failure: MissCause) -> Vec<Output> {
        self.give(Input::Refused { call: call(n), seat: seat.into(), failure })
    }

    pub fn freed(&mut self, n: u64, seat: &str) -> Vec<Output> {
        self.give(Input::Freed { call: call(n), seat: seat.into() })
    }

    pub fn pass(&mut self, by: Duration) -> Vec<Output> {
        self.now = self.now.after(by);
        let mut out = Vec::new();
        self.queues.tick(self.now, &mut out);
        out.iter_mut().for_each(unexplained);
        out
    }
}

#[test]
fn calls_are_served_in_turn_and_the_urgent_before_them() {
    let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
    assert_eq!(b.join(1), [rings(1, "a")]);
    assert_eq!(b.join(2), []);
    assert_eq!(b.join(3), []);
    assert_eq!(b.join_as(4, "12345", Priority::HIGH, false), []);
    assert_eq!(b.answered(1, "a"), []);
    assert_eq!(b.freed(1, "a"), [rings(4, "a")]);
    b.answered(4, "a");
    assert_eq!(b.freed(4, "a"), [rings(2, "a")]);
    assert_eq!(b.queues.gauges(), (2, 1));
}

#[test]
fn the_longest_idle_seat_rings_first() {
    let mut b = Bench::phones(&["a", "b"], Strategy::LongestIdle);
    b.join(1);
    b.answered(1, "a");
    assert_eq!(b.join(2), [rings(2, "b")]);
    b.answered(2, "b");
    b.freed(2, "b");
    b.freed(1, "a");
    assert_eq!(b.join(3), [rings(3, "b")]);
    assert_eq!(b.join(4), [rings(4, "a")]);
}

#[test]
fn ringing_in_vain_costs_a_seat_nothing() {
    let mut b = Bench::phones(&["a", "b"], Strategy::LongestIdle);
    b.join(1);
    assert_eq!(b.leave(1), [stops(1, "a", false)]);
    assert_eq!(b.join(2), [rings(2, "a")]);
}

#[test]
fn a_seat_that_does_not_answer_is_stopped_and_the_next_rings() {
    let mut b = Bench::phones(&["a", "b"], Strategy::LongestIdle);
    b.join(1);
    assert_eq!(b.queues.deadline(), Some(b.now.after(RING).mono));
    assert_eq!(b.pass(RING), [stops(1, "a", false), rings(1, "b")]);
    assert_eq!(b.pass(RING), [stops(1, "b", false), rings(1, "a")]);
}

#[test]
fn a_phone_that_failed_rests_for_every_call() {
    let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
    b.join(1);
    assert_eq!(b.refused(1, "a"), []);
    assert_eq!(b.join(2), []);
    assert_eq!(b.pass(REST), [rings(1, "a")]);
}

#[test]
fn a_pbx_that_failed_one_call_still_serves_others() {
    let mut b = Bench::new(vec![seat("pbx", 1000)], vec![queue("12345", &["pbx"], Strategy::LongestIdle)]);
    b.join(1);
    assert_eq!(b.refused(1, "pbx"), []);
    assert_eq!(b.join(2), [rings(2, "pbx")]);
    assert_eq!(b.pass(REST), [rings(1, "pbx")]);
    b.refused(1, "pbx");
    b.leave(1);
    b.leave(2);
    assert_eq!(b.queues.deadline(), None);
}

#[test]
fn a_single_seat_is_retried_until_the_wait_ends() {
    let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
    let mut tries = b.join(1).len();
    let mut out = Vec::new();
    while out != [Output::TimedOut { call: call(1) }] {
        out = b.pass(REST);
        if out == [rings(1, "a")] {
            tries += 1;
            assert_eq!(b.refused(1, "a"), []);
        } else if tries == 1 {
            assert_eq!(b.refused(1, "a"), []);
        }
    }
    assert_eq!(b.now.mono.since(Mono(1_000_000_000)), WAIT);
    assert!(tries >= 28, "{tries}");
    assert_eq!(b.queues.gauges(), (0, 0));
}

#[test]
fn the_first_answer_stops_the_others() {
    let mut b = Bench::phones(&["a", "b", "c"], Strategy::RingAll);
    assert_eq!(b.join(1), [rings(1, "a"), rings(1, "b"), rings(1, "c")]);
    assert_eq!(b.join(2), []);
    assert_eq!(b.answered(1, "b"), [stops(1, "a", true), stops(1, "c", true), rings(2, "a"), rings(2, "c")]);
    assert_eq!(b.answered(1, "c"), []);
    assert_eq!(b.freed(1, "b"), [rings(2, "b")]);
}

#[test]
fn a_wait_has_its_limit_and_a_line_too() {
    let mut small = queue("12345", &[], Strategy::LongestIdle);
    (small.max_length, small.share) = (1, 1);
    let mut b = Bench::new(vec![], vec![small]);
    assert_eq!(b.join(1), []);
    assert_eq!(b.join(2), [Output::Full { call: call(2) }]);
    assert_eq!(b.join_as(3, "110", Priority::HIGH, false), [Output::Full { call: call(3) }]);
    assert_eq!(b.pass(WAIT - Duration::from_micros(1)), []);
    assert_eq!(b.pass(Duration::from_micros(1)), [Output::TimedOut { call: call(1) }]);
    assert_eq!(b.queues.gauges(), (0, 0));
    assert_eq!(b.queues.deadline(), None);
}

#[test]
fn a_returning_call_goes_to_the_head_with_the_wait_it_had() {
    let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
    b.join(9);
    b.answered(9, "a");
    b.join(1);
    b.pass(WAIT - RING - RING);
    assert_eq!(b.freed(9, "a"), [rings(1, "a")]);
    b.answered(1, "a");
    b.join(2);
    b.pass(Duration::from_secs(3600));
    b.join(3);
    b.join_as(1, "12345", Priority::NORMAL, true);
    assert_eq!(b.pass(RING), []);
    assert_eq!(b.freed(1, "a"), [rings(1, "a")]);
    assert_eq!(b.pass(RING), [stops(1, "a", false), Output::TimedOut { call: call(1) }, rings(3, "a")]);
}

#[test]
fn a_returning_call_that_used_up_its_wait_still_gets_one_ring() {
    let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
    b.join(9);
    b.answered(9, "a");
    b.join(1);
    b.pass(WAIT - Duration::from_secs(1));
    b.freed(9, "a");
    b.answered(1, "a");
    b.freed(1, "a");
    assert_eq!(b.join_as(1, "12345", Priority::NORMAL, true), [rings(1, "a")]);
    assert_eq!(b.pass(RING - Duration::from_secs(1)), []);
    assert_eq!(b.answered(1, "a"), []);
}

#[test]
fn a_call_that_comes_back_is_not_refused_by_a_full_line() {
    let mut small = queue("12345", &["a"], Strategy::LongestIdle);
    (small.max_length, small.share) = (1, 1);
    let mut b = Bench::new(vec![seat("a", 1)], vec![small]);
    b.join(1);
    b.answered(1, "a");
    b.join(2);
    assert_eq!(b.join(3), [Output::Full { call: call(3) }]);
    assert_eq!(b.join_as(1, "12345", Priority::NORMAL, true), []);
    assert_eq!(b.freed(1, "a"), [rings(1, "a")]);
}

#[test]
fn late_and_repeated_inputs_change_nothing() {
    let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
    b.join(1);
    b.join(2);
    assert_eq!(b.join(2), []);
    assert_eq!(b.leave(1), [stops(1, "a", false), rings(2, "a")]);
    assert_eq!(b.answered(1, "a"), []);
    assert_eq!(b.refused(1, "a"), []);
    assert_eq!(b.freed(1, "a"), []);
    assert_eq!(b.leave(1), []);
    b.answered(2, "a");
    assert_eq!(b.leave(2), []);
    assert_eq!(b.queues.gauges(), (0, 1));
    assert_eq!(b.freed(2, "a"), []);
    assert_eq!(b.freed(2, "a"), []);
    assert_eq!(b.queues.gauges(), (0, 0));
}

#[test]
fn lines_that_share_a_seat_are_served_by_who_waited_longest() {
    let queues = vec![queue("12345", &["a"], Strategy::LongestIdle), queue("12315", &["a"], Strategy::RingAll)];
    let mut b = Bench::new(vec![seat("a", 1)], queues);
    b.join(1);
    b.answered(1, "a");
    b.join_as(2, "12315", Priority::NORMAL, false);
    b.pass(Duration::from_secs(1));
    b.join(3);
    assert_eq!(b.freed(1, "a"), [rings(2, "a")]);
}

#[test]
fn a_reload_keeps_places_and_lets_removed_seats_finish() {
    let mut b = Bench::phones(&["a", "b"], Strategy::LongestIdle);
    b.join(1);
    b.answered(1, "a");
    b.join(2);
    b.join(3);
    b.join(4);
    let mut out = Vec::new();
    b.queues.reload(b.now, vec![seat("c", 1)], vec![queue("12345", &["c"], Strategy::LongestIdle)], &mut out);
    out.iter_mut().for_each(unexplained);
    assert_eq!(out, [rings(3, "c")]);
    assert_eq!(b.freed(1, "a"), []);
    assert_eq!(b.answered(2, "b"), []);
    assert_eq!(b.queues.gauges(), (2, 2));
    assert_eq!(b.freed(2, "b"), []);
    b.answered(3, "c");
    assert_eq!(b.freed(3, "c"), [rings(4, "c")]);
}

#[test]
fn a_removed_line_serves_those_inside_and_takes_nobody() {
    let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
    b.join(1);
    b.join(2);
    b.queues.reload(b.now, vec![seat("a", 1)], vec![], &mut Vec::new());
    assert_eq!(b.join(3), [Output::Full { call: call(3) }]);
    b.answered(1, "a");
    assert_eq!(b.freed(1, "a"), [rings(2, "a")]);
    b.answered(2, "a");
    assert_eq!(b.freed(2, "a"), []);
    assert_eq!(b.queues.gauges(), (0, 0));
}

#[test]
fn a_seat_that_talks_by_another_way_is_not_rung_and_is_as_soon_as_it_is_free() {
    for placed in [false, true] {
        let mut b = Bench::phones(&["a"], Strategy::RingAll);
        let mut out = Vec::new();
        b.queues.parties(b.now, call(9), iter::once(Party { seat: "a", placed }), &mut out);
        assert_eq!((out.as_slice(), b.join(1)), (&[][..], vec![]));
        assert_eq!(b.queues.stranded(b.now), None);
        b.queues.parties(b.now, call(9), iter::empty(), &mut out);
        out.iter_mut().for_each(unexplained);
        assert_eq!(out, [rings(1, "a")]);
    }
}

/// One queue of a chain that refuses a caller is a step on its way, and takes neither its wait nor what seats did to it.
#[test]
fn a_caller_whom_one_queue_of_a_chain_refuses_has_its_wait_in_the_next() {
    let (mut full, mut third) = (queue("full", &[], Strategy::LongestIdle), queue("third", &["a", "c"], Strategy::LongestIdle));
    full.max_length = 0;
    third.ring_timeout = Duration::from_secs(5);
    let mut deserted = queue("deserted", &["gone"], Strategy::LongestIdle);
    deserted.without_seats = Some(Duration::from_secs(0));
    let mut gone = seat("gone", 1);
    gone.bindings.clear();
    let queues = vec![queue("first", &["a"], Strategy::LongestIdle), full, deserted, third];
    let mut b = Bench::new(vec![seat("a", 1), seat("c", 1), gone], queues);
    let join = |b: &mut Bench, n, queue| b.join_as(n, queue, Priority::NORMAL, false);
    assert_eq!(join(&mut b, 9, "third"), [rings(9, "a")]);
    b.answered(9, "a");
    assert_eq!(join(&mut b, 8, "third"), [rings(8, "c")]);
    b.answered(8, "c");
    assert_eq!(join(&mut b, 1, "first"), []);
    b.pass(Duration::from_secs(100));
    assert_eq!(join(&mut b, 2, "third"), []);
    for (refused, because) in [
        ("full", Output::Full { call: call(1) }),
        ("nowhere", Output::Full { call: call(1) }),
        ("deserted", Output::NoSeat { call: call(1) }),
    ] {
        b.leave(1);
        assert_eq!(join(&mut b, 1, refused), [because], "{refused}");
    }
    assert_eq!(join(&mut b, 1, "third"), []);
    assert_eq!(b.freed(8, "c"), [rings(1, "c")], "it has waited longer than the one who came before it");
    // The seat that failed it is not rung for it again at once, whatever queue refused it meanwhile.
    assert_eq!(b.refused(1, "c"), []);
    b.leave(1);
    assert_eq!(join(&mut b, 1, "full"), [Output::Full { call: call(1) }]);
    assert_eq!(join(&mut b, 1, "third"), []);
}

/// The past is kept for calls that are there, not for those that are gone.
#[test]
fn a_long_talk_comes_back_to_a_full_queue_however_many_have_come_and_gone_since() {
    let mut long = queue("12345", &["a"], Strategy::LongestIdle);
    long.max_length = 1;
    let mut b = Bench::new(vec![seat("a", 1)], vec![long]);
    b.join(1);
    b.answered(1, "a");
    for n in 2..20_000 {
        assert_eq!(b.join(n), []);
        b.give(Input::Over { call: call(n) });
    }
    assert_eq!(b.join(20_000), []);
    assert_eq!(b.give(Input::Lost { call: call(1), queue: "12345".into(), seat: "a".into() }), []);
    assert_eq!(b.join_as(1, "12345", Priority::NORMAL, true), [], "it is not refused");
    assert_eq!(b.queues.gauges().0, 2);
}
