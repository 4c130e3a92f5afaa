use super::tests::*;
use super::*;
use crate::base::Rng;
use crate::event::seat::Skills;
use crate::event::{Asked, Because};
use crate::seat::Seat;

fn skilled(name: &str, skills: &[(&str, u8)]) -> Seat {
    let skills: Skills = skills.iter().map(|(skill, level)| (Arc::from(*skill), *level)).collect();
    Seat { skills, ..seat(name, 1) }
}

fn expert(seat: Seat) -> Seat {
    Seat { expert: true, ..seat }
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Bench {
    fn join_for(&mut self, n: u64, hotline: &str, caller: Option<&str>) -> Vec<Output> {
        let (queue, source) = ("12345".into(), "carrier".into());
        let (priority, caller) = (Priority::NORMAL, caller.map(Arc::from));
        self.give(Input::Join(Join { call: call(n), queue, priority, head: false, source, hotline: hotline.into(), caller }))
    }

    fn served(&mut self, n: u64, seat: &str) {
        self.answered(n, seat);
        self.freed(n, seat);
    }

    /// The reason for the one ringing that the input leads to.
    fn reason(&mut self, input: Input) -> (Arc<str>, Choice) {
        let mut out = Vec::new();
        self.queues.handle(self.now, input, &mut out);
        match out.pop() {
            Some(Output::Ring { seat, choice, .. }) => (seat, *choice),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_seat_with_the_fewest_calls_rings_first_and_a_new_one_is_not_flooded() {
    let queue = queue("12345", &["a", "b", "c"], Strategy::FewestCalls);
    let mut b = Bench::new(vec![seat("a", 1), seat("b", 1)], vec![queue.clone()]);
    assert_eq!(b.join(100), [rings(100, "a")]);
    b.answered(100, "a");
    for n in 0..3 {
        b.join(n);
        b.served(n, "b");
    }
    b.freed(100, "a");
    assert_eq!(b.join(4), [rings(4, "a")], "though b has been idle for longer");
    b.served(4, "a");
    // a has two, b three; c, which is new, begins with two.
    b.queues.reload(b.now, vec![seat("a", 1), seat("b", 1), seat("c", 1)], vec![queue], &mut Vec::new());
    for (n, next) in [(5, "c"), (6, "a"), (7, "b"), (8, "c"), (9, "a")] {
        assert_eq!(b.join(n), [rings(n, next)]);
        b.served(n, next);
    }
}

#[test]
fn round_robin_gives_each_seat_its_turn_in_the_order_of_the_list() {
    let line = queue("12345", &["c", "a", "b"], Strategy::RoundRobin);
    let mut b = Bench::new(["a", "b", "c"].map(|name| seat(name, 1)).into(), vec![line.clone()]);
    for (n, next) in ["c", "a", "b", "c", "a", "b"].into_iter().enumerate() {
        assert_eq!(b.join(n as u64), [rings(n as u64, next)]);
        b.served(n as u64, next);
    }
    // One that talks when its turn comes has it as soon as it is free, and a reload takes no turn away.
    b.join(20);
    b.answered(20, "c");
    b.queues.reload(b.now, ["a", "b", "c"].map(|name| seat(name, 1)).into(), vec![line], &mut Vec::new());
    for next in ["a", "b"] {
        assert_eq!(b.join(21), [rings(21, next)]);
        b.served(21, next);
    }
    b.freed(20, "c");
    assert_eq!(b.join(22), [rings(22, "c")]);
}

#[test]
fn the_most_skilled_seat_rings_first_and_the_unskilled_only_after_the_wait_that_the_rules_give() {
    let mut line = queue("12345", &["low", "high", "none"], Strategy::SkillFirst);
    line.levels = vec![(s(0), 5), (s(20), 3), (s(60), 0)];
    line.ring_timeout = s(200);
    let seats = vec![skilled("low", &[("12315", 3)]), skilled("high", &[("12315", 9), ("12333", 1)]), skilled("none", &[])];
    let mut b = Bench::new(seats, vec![line]);
    assert_eq!(b.join_for(1, "12315", None), [rings(1, "high")]);
    assert_eq!(b.join_for(2, "12315", None), [], "level 5 is needed");
    assert_eq!(b.pass(s(19)), []);
    // Another hotline's callers do not wait behind one whom nobody can serve yet.
    assert_eq!(b.join_for(3, "12333", None), []);
    assert_eq!(b.pass(s(1)), [rings(2, "low")], "20 s after it came");
    assert_eq!(b.join_for(4, "12315", None), []);
    assert_eq!(b.pass(s(58)), []);
    assert_eq!(b.pass(s(1)), [rings(3, "none")], "after a minute anybody will do");
    assert_eq!(b.queues.stranded(b.now), None);
}

#[test]
fn a_skill_that_is_asked_for_binds_every_strategy() {
    let mut line = queue("12345", &["x", "y", "z"], Strategy::RingAll);
    line.skill = Some("税务".into());
    line.levels = vec![(s(0), 2), (s(30), 1)];
    let seats = vec![skilled("x", &[("税务", 2)]), skilled("y", &[("税务", 1), ("12345", 9)]), skilled("z", &[("税务", 9)])];
    let mut b = Bench::new(seats, vec![Queue { ring_timeout: s(100), ..line.clone() }]);
    assert_eq!(b.join(1), [rings(1, "x"), rings(1, "z")]);
    assert_eq!(b.pass(s(30)), [rings(1, "y")]);
    // By idleness among all that have enough of it.
    let seats = vec![skilled("x", &[("税务", 2)]), skilled("y", &[("税务", 3)]), skilled("z", &[("税务", 9)])];
    let mut b = Bench::new(seats, vec![Queue { strategy: Strategy::LongestIdle, ..line }]);
    for (n, next) in ["x", "y", "z", "x", "y", "z"].into_iter().enumerate() {
        assert_eq!(b.join(n as u64), [rings(n as u64, next)]);
        b.served(n as u64, next);
    }
}

#[test]
fn experts_are_rung_for_their_skill_and_for_others_after_a_wait() {
    let mut line = queue("12345", &["a", "e"], Strategy::LongestIdle);
    line.experts_after = Some(s(45));
    let mut b = Bench::new(vec![seat("a", 1), expert(seat("e", 1))], vec![line.clone()]);
    b.join(1);
    b.answered(1, "a");
    assert_eq!((b.join(2), b.pass(s(44))), (vec![], vec![]));
    assert_eq!(b.pass(s(1)), [rings(2, "e")]);
    (line.experts_after, line.levels) = (None, vec![(s(0), 1), (s(30), 0)]);
    let seats = vec![seat("a", 1), expert(skilled("e", &[("12366", 1)]))];
    let mut b = Bench::new(seats, vec![line]);
    assert_eq!(b.join_for(1, "12366", None), [rings(1, "e")]);
    assert_eq!(b.join_for(2, "12315", None), []);
    assert_eq!(b.pass(RING), [stops(1, "e", false)]);
    assert_eq!(b.pass(s(10)), [rings(1, "a")], "the expert did not answer, and now anybody will do");
    assert_eq!(b.pass(RING), [stops(1, "a", false), rings(1, "e")], "it has the skill, however little of it is asked for");
}

fn sticky() -> Bench {
    let mut line = queue("12345", &["a", "b"], Strategy::LongestIdle);
    (line.sticky_wait, line.sticky_for) = (s(30), s(3600));
    let mut b = Bench::new(vec![seat("a", 1), seat("b", 1)], vec![line]);
    assert_eq!(b.join_for(1, "12345", Some("13800138000")), [rings(1, "a")]);
    b.served(1, "a");
    b
}

#[test]
fn a_caller_comes_back_to_the_seat_that_served_it_last() {
    let mut b = sticky();
    assert_eq!(b.join_for(2, "12345", Some("13800138000")), [rings(2, "a")], "though b has been idle for longer");
    b.served(2, "a");
    b.pass(s(3601));
    assert_eq!(b.join_for(3, "12345", Some("13800138000")), [rings(3, "b")], "that was too long ago");
}

#[test]
fn nobody_is_remembered_for_a_queue_that_takes_no_more_callers() {
    let mut b = sticky();
    b.join(2);
    b.answered(2, "b");
    b.join(3);
    b.answered(3, "a");
    b.join_for(4, "12345", Some("13800138000"));
    let seats = || vec![seat("a", 1), seat("b", 1)];
    let other = || queue("12329", &["a", "b"], Strategy::LongestIdle);
    b.queues.reload(b.now, seats(), vec![other()], &mut Vec::new());
    assert!(!b.queues.keeps_last_seats(), "the caller who still waits there is served, and forgotten");
    let mut line = other();
    (line.sticky_wait, line.sticky_for) = (s(30), s(3600));
    b.queues.reload(b.now, seats(), vec![line], &mut Vec::new());
    assert!(b.queues.keeps_last_seats());
}

#[test]
fn it_waits_for_that_seat_for_a_bounded_time_and_not_for_one_that_is_away() {
    let mut b = sticky();
    assert_eq!(b.join(2), [rings(2, "b")]);
    b.freed(2, "b");
    b.leave(2);
    assert_eq!(b.join(3), [rings(3, "b")]);
    b.leave(3);
    // a talks to another; b is idle.
    b.join(4);
    b.answered(4, "b");
    b.join(5);
    b.answered(5, "a");
    b.freed(4, "b");
    assert_eq!(b.join_for(6, "12345", Some("13800138000")), [], "kept for a");
    assert_eq!(b.join(7), [rings(7, "b")], "nobody waits behind it");
    b.served(7, "b");
    assert_eq!(b.pass(s(29)), []);
    assert_eq!(b.pass(s(1)), [rings(6, "b")]);
    b.leave(6);
    assert_eq!(b.join_for(8, "12345", Some("13800138000")), []);
    assert_eq!(b.freed(5, "a"), [rings(8, "a")]);
    // One that lets it ring, or rests, is waited for no longer.
    assert_eq!(b.pass(RING), [stops(8, "a", false), rings(8, "b")]);
    b.leave(8);
    assert_eq!(b.join_for(9, "12345", Some("13800138000")), [rings(9, "b")]);
}

#[test]
fn a_priority_is_worth_so_much_wait_and_no_more() {
    let mut b = Bench::phones(&["a"], Strategy::LongestIdle);
    b.join(1);
    b.answered(1, "a");
    let level = |n| Priority::new(n).unwrap();
    b.join_as(2, "12345", level(5), false);
    b.pass(s(59));
    b.join_as(3, "12345", level(6), false);
    b.pass(s(2));
    b.join_as(4, "12345", level(6), false);
    b.join_as(5, "12345", level(0), false);
    b.join_as(6, "12345", Priority::HIGH, false);
    b.join_as(7, "12345", level(5), true);
    for (was, next) in [(1, 6), (6, 7), (7, 3), (3, 2), (2, 4), (4, 5)] {
        assert_eq!(b.freed(was, "a"), [rings(next, "a")]);
        b.answered(next, "a");
    }
}

/// The rule that keeps one from starving: who is behind by `steps` of priority is overtaken only by those that come within so
/// many times `ageing`.
#[test]
fn whatever_comes_nobody_is_overtaken_by_who_came_much_later() {
    for seed in 0..200 {
        let rng = &mut Rng::from_number(seed);
        let mut line = queue("12345", &["a"], Strategy::LongestIdle);
        (line.ageing, line.max_wait, line.max_length, line.share) = (s(1 + rng.below(90)), s(100_000), 1000, 1000);
        let ageing = line.ageing;
        let mut b = Bench::new(vec![seat("a", 1)], vec![line]);
        b.join(1000);
        b.answered(1000, "a");
        let (mut waiting, mut talks) = (vec![], 1000);
        for n in 0..120 {
            b.pass(rng.between(Duration::ZERO, s(60)));
            let priority = rng.below(9) as u8;
            waiting.push((n, priority, b.now.mono));
            b.join_as(n, "12345", Priority::new(priority).unwrap(), false);
            if n >= 100 || rng.chance(700) {
                let out = b.freed(talks, "a");
                let [Output::Ring { call: next, .. }] = &out[..] else { panic!("seed {seed}: {out:?}") };
                let at = waiting.iter().position(|(n, ..)| call(*n) == *next).unwrap();
                let (served, priority, came) = waiting.remove(at);
                for (other, theirs, since) in &waiting {
                    let worth = ageing * u32::from(priority.saturating_sub(*theirs));
                    assert!(came.since(*since) <= worth, "seed {seed}: {served} went before {other}");
                }
                talks = served;
                b.answered(talks, "a");
            }
        }
    }
}

#[test]
fn row_16_each_choice_is_explained_and_rules_are_data() {
    let mut line = queue("12345", &["a", "b", "c", "d", "e"], Strategy::SkillFirst);
    line.levels = vec![(s(0), 5), (s(20), 1), (s(40), 0)];
    let seats = vec![skilled("a", &[("12345", 2)]), skilled("b", &[("12345", 7)]), skilled("c", &[("12345", 5)])];
    let mut b = Bench::new(seats.into_iter().chain([seat("d", 1), expert(skilled("e", &[("12345", 6)]))]).collect(), vec![line]);
    let join = |n| {
        let (priority, hotline) = (Priority::NORMAL, "12345".into());
        let (queue, source) = (Arc::from("12345"), "carrier".into());
        Input::Join(Join { call: call(n), queue, priority, head: false, source, hotline, caller: None })
    };
    let asked = |level, has| Some(Asked { skill: "12345".into(), level, has });
    let (seat, why) = b.reason(join(1));
    assert_eq!(&*seat, "b");
    let expected = Choice { strategy: Strategy::SkillFirst, priority: 5, free: 5, ..Choice::default() };
    assert_eq!(why, Choice { next: vec!["e".into(), "c".into()], skill: asked(5, 7), ..expected.clone() });
    let (seat, why) = b.reason(Input::Refused { call: call(1), seat: "b".into(), failure: MissCause::Busy });
    assert_eq!((&*seat, why.free, why.passed, why.skill), ("e", 4, 0, asked(5, 6)), "b rests");
    b.join(2);
    b.answered(1, "e");
    b.answered(2, "c");
    b.join(3);
    b.pass(s(10));
    assert_eq!(b.fails(3, "b", MissCause::Busy), []);
    let mut out = Vec::new();
    b.now = b.now.after(s(10));
    b.queues.tick(b.now, &mut out);
    let [Output::Ring { seat, choice, .. }] = &out[..] else { panic!("{out:?}") };
    // b has the level, is free again, and has failed this caller once.
    assert_eq!((&**seat, choice.because, choice.passed, choice.waited), ("a", Because::Order, 1, 20_000));
    assert_eq!((&choice.skill, &choice.next[..]), (&asked(1, 2), &[][..]), "the rules asked for less by then");
}

/// It would wait for nobody, while others are free.
#[test]
fn a_caller_kept_for_a_seat_that_leaves_its_work_is_served_by_others_at_once() {
    let kept = || {
        let mut b = sticky();
        b.join(4);
        b.answered(4, "b");
        b.join(5);
        b.answered(5, "a");
        b.freed(4, "b");
        assert_eq!(b.join_for(6, "12345", Some("13800138000")), [], "kept for a, which talks");
        b
    };
    let author = || crate::event::Author::seat(&"a".into());
    let mut out = Vec::new();
    // A wish in a call follows it; until then the seat may think better of it.
    let mut b = kept();
    b.queues.wish(b.now, &"a".into(), crate::seat::Wish::Busy("x".into()), author(), &mut out).unwrap();
    assert_eq!((&out[..], b.freed(5, "a")), (&[][..], vec![rings(6, "b")]));
    let mut b = kept();
    b.queues.bind(b.now, &"a".into(), Vec::new(), &mut out);
    out.iter_mut().for_each(unexplained);
    assert_eq!(out, [rings(6, "b")], "its phone is gone");
    let mut b = kept();
    assert_eq!(b.give(Input::Lost { call: call(5), queue: "12345".into(), seat: "a".into() }), [rings(6, "b")]);
}

#[test]
fn a_choice_out_of_the_ordinary_says_why() {
    let mut b = sticky();
    let join = |n, caller: Option<&str>| {
        let (priority, hotline) = (Priority::NORMAL, "12345".into());
        let (queue, source) = (Arc::from("12345"), "carrier".into());
        Input::Join(Join { call: call(n), queue, priority, head: false, source, hotline, caller: caller.map(Arc::from) })
    };
    assert_eq!(b.reason(join(2, Some("13800138000"))).1.because, Because::LastSeat);
    b.answered(2, "a");
    // b declines the next caller, and again when it has rested, but does not answer the one after that.
    assert_eq!(b.reason(join(3, None)).1.because, Because::Order);
    b.refused(3, "b");
    b.now = b.now.after(REST);
    let mut out = Vec::new();
    b.queues.tick(b.now, &mut out);
    assert!(matches!(&out[..], [Output::Ring { choice, .. }] if choice.because == Because::FailedLeast), "{out:?}");
    b.leave(3);
    b.join(4);
    b.pass(RING);
    b.pass(REST);
    b.leave(4);
    assert_eq!(b.reason(join(5, None)).1.because, Because::Doubtful);
}

#[test]
fn a_seat_that_becomes_free_is_found_among_ten_thousand_by_few_looks() {
    // Nine skills of which the free seat has one, in ten thousand calls: the others are not looked at one by one.
    let mut line = queue("12345", &["a", "b"], Strategy::SkillFirst);
    (line.levels, line.max_length, line.share) = (vec![(s(0), 1)], 20_000, 20_000);
    let mut b = Bench::new(vec![skilled("a", &[("9", 1)]), skilled("b", &[("0", 1)])], vec![line]);
    b.join_for(20_000, "9", None);
    b.answered(20_000, "a");
    b.join_for(20_001, "0", None);
    b.answered(20_001, "b");
    for n in 0..10_000 {
        b.join_for(n, &(n % 10).to_string(), None);
    }
    for n in 0..100 {
        assert_eq!(b.freed(if n == 0 { 20_000 } else { 10 * n - 1 }, "a"), [rings(10 * n + 9, "a")]);
        b.answered(10 * n + 9, "a");
    }
}
