use super::tests::seat;
use super::*;
use crate::base::{Now, Wall};
use crate::event::seat::MissCause::{Busy, Dnd, Dropped, NoAnswer, NotRegistered, Ours, Rejected, Unreachable};
use crate::event::seat::{Author, AuthorKind, BreakKind, Device, Intent, LogoutWhy, MissCause, Misses};
use proptest::prelude::*;
use uuid::Uuid;

fn call(n: u128) -> CallId {
    CallId(Uuid::from_u128(n))
}

fn at(seconds: u64) -> Mono {
    Mono(1_000_000_000).after(Duration::from_secs(seconds))
}

/// One seat whose person signs in; its wrap-up lasts 30 s.
fn asked() -> (Seats, Arc<str>) {
    let desk: Arc<str> = "desk".into();
    let rules = Rules {
        sign_in: SignIn::Asked,
        misses: 2,
        wrap_up: Duration::from_secs(30),
        wrap_up_most: Duration::from_secs(120),
        heartbeat: Duration::from_secs(120),
        ..Rules::default()
    };
    let mut seats = Seats::default();
    seats.configure(vec![Seat { rules, ..seat(&desk, 1) }]);
    (seats, desk)
}

fn li() -> Author {
    Author { kind: AuthorKind::Seat, name: "li".into() }
}

fn login(force: bool) -> Wish {
    Wish::Login { force, device: Device::Sip, skills: None, busy: None }
}

fn signed_in() -> (Seats, Arc<str>) {
    let (mut seats, desk) = asked();
    seats.wish(at(0), &desk, login(false), li()).unwrap();
    seats.take_news();
    (seats, desk)
}

fn wish(seats: &mut Seats, now: u64, wish: Wish) -> Result<(), Refusal> {
    seats.wish(at(now), "desk", wish, li())
}

fn intent(seats: &Seats) -> Intent {
    seats.get("desk").unwrap().shift.intent.clone()
}

fn settle(seats: &mut Seats, now: u64) {
    while seats.settle(at(now)).is_some() {}
    while seats.tick(at(now)).is_some() {}
}

/// The seat talks in this call until `until`.
fn talk(seats: &mut Seats, desk: &Arc<str>, of: u128, until: u64) {
    seats.take(call(of), desk, Lease::Talking);
    seats.talks(call(of), desk);
    seats.give_back(call(of), desk);
    settle(seats, until);
}

/// Else figures would count its time, and a restart would sign it in again should it come back.
#[test]
fn who_is_signed_in_at_a_seat_that_is_configured_no_more_is_signed_out_after_its_call() {
    let (mut seats, desk) = signed_in();
    seats.take(call(1), &desk, Lease::Talking);
    seats.configure(Vec::new());
    seats.forget(&desk);
    assert!(seats.get(&desk).is_some() && seats.take_news().is_empty(), "it talks");
    seats.give_back(call(1), &desk);
    settle(&mut seats, 10);
    seats.take_news();
    seats.forget(&desk);
    let out = SeatWhat::LoggedOut { by: Author::gateway(), why: LogoutWhy::Removed };
    assert_eq!((seats.get(&desk).is_none(), seats.take_news()), (true, vec![(desk.clone(), out)]));
    seats.forget(&desk);
    assert!(seats.take_news().is_empty());
}

/// A seat that writes up one call and has placed another by then: the break that it wishes follows that one and its wrap-up.
#[test]
fn what_is_wished_in_a_call_placed_in_wrap_up_follows_that_calls_own_wrap_up() {
    let (mut seats, desk) = signed_in();
    talk(&mut seats, &desk, 1, 10);
    let party = Party { seat: &desk, placed: true };
    seats.parties(call(2), [party].into_iter(), &mut Vec::new());
    wish(&mut seats, 20, Wish::Rest(60, "tea".into())).unwrap();
    settle(&mut seats, 41);
    assert_eq!(intent(&seats), Intent::Ready, "the first wrap-up is over, and the call is not");
    seats.talks(call(2), &desk);
    seats.parties(call(2), std::iter::empty(), &mut Vec::new());
    settle(&mut seats, 50);
    assert_eq!(intent(&seats), Intent::WrapUp { call: Some(call(2)), seconds: 30 });
    settle(&mut seats, 81);
    assert!(matches!(intent(&seats), Intent::Break { .. }));
}

#[test]
fn a_seat_that_must_sign_in_takes_calls_only_while_it_is_ready() {
    let (mut seats, desk) = asked();
    assert!(!seats.get(&desk).unwrap().is_free());
    for refused in [Wish::Ready, Wish::Busy("x".into()), Wish::EndBreak, Wish::WrapUp, Wish::AutoAnswer(true)] {
        assert_eq!(wish(&mut seats, 0, refused), Err(Refusal::SignedOut));
    }
    assert!(seats.take_news().is_empty(), "a refused verb changes nothing");
    wish(&mut seats, 1, login(false)).unwrap();
    assert!(seats.get(&desk).unwrap().is_free());
    wish(&mut seats, 2, Wish::Busy("meeting".into())).unwrap();
    assert!(!seats.get(&desk).unwrap().is_free());
    wish(&mut seats, 3, Wish::EndBreak).unwrap();
    assert!(seats.get(&desk).unwrap().is_free());
    wish(&mut seats, 4, Wish::Logout).unwrap();
    assert_eq!((intent(&seats), seats.get(&desk).unwrap().is_free()), (Intent::LoggedOut, false));
}

#[test]
fn a_verb_given_twice_is_done_and_leaves_no_second_line() {
    let wishes = [
        login(false),
        Wish::Busy("meeting".into()),
        Wish::Rest(600, "tea".into()),
        Wish::Ready,
        Wish::WrapUp,
        Wish::AutoAnswer(true),
        Wish::Skills([("12345".into(), 5)].into()),
        Wish::Logout,
    ];
    let (mut seats, _) = signed_in();
    for twice in wishes {
        wish(&mut seats, 5, twice.clone()).unwrap();
        seats.take_news();
        let before = format!("{:?}", seats.get("desk").unwrap().shift);
        wish(&mut seats, 5, twice.clone()).unwrap();
        assert!(seats.take_news().is_empty(), "{twice:?}");
        assert_eq!(format!("{:?}", seats.get("desk").unwrap().shift), before, "{twice:?}");
    }
}

#[test]
fn another_who_signs_in_needs_force_and_is_told_of_as_kicking() {
    let (mut seats, desk) = signed_in();
    let zhao = Author { kind: AuthorKind::Seat, name: "zhao".into() };
    assert_eq!(seats.wish(at(1), &desk, login(false), zhao.clone()), Err(Refusal::Taken));
    assert!(seats.take_news().is_empty());
    seats.wish(at(2), &desk, login(true), zhao).unwrap();
    assert!(matches!(&seats.take_news()[0].1, SeatWhat::LoggedIn { kicked: true, .. }));
}

/// A change of state while an offer rings must not take the offer back: it would be made again at once, for ever.
#[test]
fn row_08_a_wish_while_an_offer_rings_applies_after_the_offer() {
    for later in [Wish::Busy("x".into()), Wish::Rest(60, "x".into()), Wish::Logout] {
        let (mut seats, desk) = signed_in();
        seats.take(call(1), &desk, Lease::Ringing);
        wish(&mut seats, 1, later.clone()).unwrap();
        assert_eq!(intent(&seats), Intent::Ready, "{later:?}");
        // Nobody came: no wrap-up, and what was wished.
        seats.give_back(call(1), &desk);
        settle(&mut seats, 2);
        assert!(!matches!(intent(&seats), Intent::Ready | Intent::WrapUp { .. }), "{later:?}");
    }
    // One who thinks better of it in time stays ready.
    let (mut seats, desk) = signed_in();
    seats.take(call(1), &desk, Lease::Ringing);
    wish(&mut seats, 1, Wish::Busy("x".into())).unwrap();
    wish(&mut seats, 1, Wish::Ready).unwrap();
    seats.give_back(call(1), &desk);
    settle(&mut seats, 2);
    assert_eq!(intent(&seats), Intent::Ready);
}

/// One timer for each seat, whatever queues it serves and however the call left it.
#[test]
fn row_11_a_wrap_up_lasts_its_time_with_several_queues_and_after_a_transfer() {
    let (mut seats, desk) = signed_in();
    // Its queue says 40 s; a later call by a transfer, which no queue leased, gets the seat's own 30 s.
    seats.take(call(1), &desk, Lease::Talking);
    seats.wraps_up(call(1), &desk, Duration::from_secs(40));
    seats.talks(call(1), &desk);
    seats.give_back(call(1), &desk);
    settle(&mut seats, 10);
    settle(&mut seats, 49);
    assert_eq!(intent(&seats), Intent::WrapUp { call: Some(call(1)), seconds: 40 });
    settle(&mut seats, 50);
    assert_eq!(intent(&seats), Intent::Ready);
    let party = [Party { seat: "desk", placed: false }];
    seats.parties(call(2), party.iter().copied(), &mut Vec::new());
    seats.talks(call(2), &desk);
    seats.parties(call(2), std::iter::empty(), &mut Vec::new());
    settle(&mut seats, 60);
    settle(&mut seats, 89);
    assert_eq!(intent(&seats), Intent::WrapUp { call: Some(call(2)), seconds: 30 });
    settle(&mut seats, 90);
    assert_eq!(intent(&seats), Intent::Ready);
}

#[test]
fn row_12_wrap_ups_of_two_seats_end_each_in_its_own_time() {
    let (mut seats, desk) = signed_in();
    let other: Arc<str> = "other".into();
    let rules = seats.get(&desk).unwrap().rules.clone();
    seats.configure([&desk, &other].map(|name| Seat { rules: rules.clone(), ..seat(name, 1) }).into());
    seats.wish(at(0), &other, login(false), Author::seat(&other)).unwrap();
    talk(&mut seats, &desk, 1, 10);
    talk(&mut seats, &other, 2, 25);
    settle(&mut seats, 41);
    assert_eq!(intent(&seats), Intent::Ready);
    assert!(matches!(seats.get(&other).unwrap().shift.intent, Intent::WrapUp { .. }));
    settle(&mut seats, 55);
    assert_eq!(seats.get(&other).unwrap().shift.intent, Intent::Ready);
}

/// A pause by the gateway is seen, ends by itself, and is ended by a word.
#[test]
fn row_20_a_seat_that_is_paused_for_misses_comes_back_by_itself_or_by_its_word() {
    for by_word in [true, false] {
        let (mut seats, desk) = signed_in();
        for n in 1..=2 {
            assert!(seats.get(&desk).unwrap().is_free());
            seats.take(call(n), &desk, Lease::Ringing);
            seats.give_back(call(n), &desk);
            seats.called_in_vain(at(1), &desk, call(n), MissCause::NoAnswer);
            settle(&mut seats, 1);
        }
        assert!(matches!(intent(&seats), Intent::Break { kind: BreakKind::Missed, seconds: Some(300), .. }));
        if by_word {
            wish(&mut seats, 2, Wish::EndBreak).unwrap();
        } else {
            [100, 200, 299].into_iter().for_each(|now| seats.heard(at(now), &desk));
            settle(&mut seats, 300);
            assert!(!seats.get(&desk).unwrap().is_free());
            seats.heard(at(300), &desk);
            settle(&mut seats, 301);
        }
        assert!(seats.get(&desk).unwrap().is_free());
    }
    // A reason of ours pauses nobody.
    let (mut seats, desk) = signed_in();
    (1..9).for_each(|n| seats.called_in_vain(at(1), &desk, call(n), MissCause::Ours));
    assert_eq!(intent(&seats), Intent::Ready);
}

/// One cause says nothing about another: each has a count of its own, and each that is the person's doing pauses by itself.
#[test]
fn row_19_calls_in_vain_are_counted_by_cause_and_each_pauses_by_itself() {
    let all = [Busy, Rejected, NoAnswer, NotRegistered, Unreachable, Dnd, Dropped, Ours];
    let vain = |seats: &mut Seats, desk: &Arc<str>, cause| {
        seats.called_in_vain(at(1), desk, call(1), cause);
        settle(seats, 1);
    };
    let missed = |seats: &Seats| seats.get("desk").unwrap().shift.missed.clone();
    // One less than too many of each.
    let (mut seats, desk) = signed_in();
    all.into_iter().for_each(|cause| vain(&mut seats, &desk, cause));
    assert_eq!(missed(&seats), all.map(|cause| (cause, 1)).into());
    assert_eq!(intent(&seats), Intent::Ready, "eight in a row, and no two of one cause");
    for cause in all {
        let (mut seats, desk) = signed_in();
        vain(&mut seats, &desk, cause);
        vain(&mut seats, &desk, if cause == Rejected { NoAnswer } else { Rejected });
        assert_eq!(intent(&seats), Intent::Ready);
        vain(&mut seats, &desk, cause);
        let paused = matches!(intent(&seats), Intent::Break { kind: BreakKind::Missed, .. });
        assert_eq!(paused, !matches!(cause, Busy | Ours), "{cause:?}");
        assert_eq!(missed(&seats)[&cause], 2, "it is seen what for");
        // Back at work it begins anew.
        if paused {
            wish(&mut seats, 2, Wish::Ready).unwrap();
            assert_eq!(missed(&seats), Misses::new());
        }
    }
    // A conversation is the end of all counts; one of which nobody heard a word is none.
    let (mut seats, desk) = signed_in();
    vain(&mut seats, &desk, NoAnswer);
    seats.take(call(2), &desk, Lease::Talking);
    seats.talks(call(2), &desk);
    seats.dropped(call(2), &desk);
    seats.give_back(call(2), &desk);
    settle(&mut seats, 2);
    assert_eq!((missed(&seats).len(), intent(&seats)), (1, Intent::Ready), "and nothing is written about it");
    talk(&mut seats, &desk, 3, 10);
    assert_eq!(missed(&seats), Misses::new());
}

proptest! {
    #[test]
    fn a_seat_is_paused_by_the_cause_that_came_too_often_and_by_no_sum(causes in proptest::collection::vec(0..8_usize, 0..40)) {
        let all = [Busy, Rejected, NoAnswer, NotRegistered, Unreachable, Dnd, Dropped, Ours];
        let (mut seats, desk) = signed_in();
        let mut counts = Misses::new();
        for cause in causes.into_iter().map(|n| all[n]) {
            seats.called_in_vain(at(1), &desk, call(1), cause);
            *counts.entry(cause).or_default() += 1;
            let paused = counts.iter().any(|(cause, count)| !matches!(cause, Busy | Ours) && *count >= 2);
            prop_assert_eq!(matches!(intent(&seats), Intent::Break { kind: BreakKind::Missed, .. }), paused);
            prop_assert_eq!(&seats.get(&desk).unwrap().shift.missed, &counts);
            // The counts are there after a kill -9.
            let fact = seats.fact(Now { mono: at(1), wall: Wall(0) }, &desk).unwrap();
            let text = serde_json::to_string(&fact).unwrap();
            prop_assert_eq!(serde_json::from_str::<crate::event::SeatFact>(&text).unwrap().missed, counts.clone());
            if paused {
                wish(&mut seats, 2, Wish::Ready).unwrap();
                counts.clear();
            }
        }
    }
}

#[test]
fn a_break_that_lasts_too_long_is_told_once_and_goes_on() {
    let (mut seats, _) = signed_in();
    wish(&mut seats, 0, Wish::Rest(60, "tea".into())).unwrap();
    seats.take_news();
    settle(&mut seats, 59);
    assert!(seats.take_news().is_empty());
    (60..70).for_each(|now| settle(&mut seats, now));
    assert_eq!(seats.take_news().len(), 1);
    assert!(matches!(intent(&seats), Intent::Break { .. }));
}

#[test]
fn a_wrap_up_is_extended_up_to_its_bound_and_left_by_a_word() {
    let (mut seats, desk) = signed_in();
    talk(&mut seats, &desk, 1, 10);
    wish(&mut seats, 20, Wish::ExtendWrapUp(60)).unwrap();
    assert_eq!(wish(&mut seats, 20, Wish::ExtendWrapUp(60)), Err(Refusal::TooLong));
    settle(&mut seats, 99);
    assert!(matches!(intent(&seats), Intent::WrapUp { .. }));
    wish(&mut seats, 99, Wish::LeaveWrapUp).unwrap();
    assert_eq!(intent(&seats), Intent::Ready);
    assert_eq!(wish(&mut seats, 99, Wish::LeaveWrapUp), Err(Refusal::NotInWrapUp));
    assert_eq!(wish(&mut seats, 99, Wish::ExtendWrapUp(1)), Err(Refusal::NotInWrapUp));
}

#[test]
fn a_toolbar_that_is_gone_signs_its_seat_out_and_one_that_is_heard_does_not() {
    let (mut seats, desk) = signed_in();
    for now in (0..600).step_by(100) {
        seats.heard(at(now), &desk);
        settle(&mut seats, now);
    }
    assert_eq!(intent(&seats), Intent::Ready);
    settle(&mut seats, 500 + 120);
    assert_eq!(intent(&seats), Intent::LoggedOut);
    // Its own verbs are signs of it, and nobody else's.
    let (mut seats, desk) = signed_in();
    seats.heard_from(at(100), &desk, &li());
    seats.heard_from(at(200), &desk, &Author::gateway());
    settle(&mut seats, 219);
    assert_eq!(intent(&seats), Intent::Ready);
    settle(&mut seats, 220);
    assert_eq!(intent(&seats), Intent::LoggedOut);
    // One that talks is signed out when it has talked.
    let (mut seats, desk) = signed_in();
    seats.take(call(1), &desk, Lease::Talking);
    seats.talks(call(1), &desk);
    for now in 120..130 {
        settle(&mut seats, now);
        assert_eq!(intent(&seats), Intent::Ready);
    }
    seats.give_back(call(1), &desk);
    settle(&mut seats, 132);
    assert_eq!(intent(&seats), Intent::LoggedOut);
    assert_eq!(seats.deadline(), None, "nothing is left to be looked at");
}

#[test]
fn a_phone_that_registers_signs_in_where_that_is_the_rule_and_its_end_signs_out() {
    let (mut seats, desk) = asked();
    let rules = Rules { sign_in: SignIn::Registration, ..Rules::default() };
    let known = seat(&desk, 1);
    seats.configure(vec![Seat { rules, bindings: Vec::new(), ..known.clone() }]);
    assert_eq!(intent(&seats), Intent::LoggedOut);
    seats.bind(at(1), &desk, known.bindings.clone());
    assert!(seats.get(&desk).unwrap().is_free());
    // A break outlasts a registration that is renewed.
    wish(&mut seats, 2, Wish::Busy("x".into())).unwrap();
    seats.bind(at(3), &desk, known.bindings.clone());
    assert!(matches!(intent(&seats), Intent::Break { .. }));
    seats.bind(at(4), &desk, Vec::new());
    assert_eq!(intent(&seats), Intent::LoggedOut);
    // Nor does it sign in again who has signed out: a supervisor's word would hold for as long as a keep-alive.
    seats.bind(at(5), &desk, known.bindings.clone());
    wish(&mut seats, 6, Wish::Logout).unwrap();
    seats.bind(at(7), &desk, known.bindings.clone());
    assert_eq!(intent(&seats), Intent::LoggedOut);
}

#[test]
fn a_wish_for_after_the_call_holds_at_once_when_the_process_that_had_the_call_is_dead() {
    let (mut seats, desk) = signed_in();
    seats.take(call(1), &desk, Lease::Talking);
    wish(&mut seats, 1, Wish::Rest(600, "lunch".into())).unwrap();
    let moment = Now { mono: at(2), wall: Wall(5_000_000_000) };
    let fact = seats.fact(moment, &desk).unwrap();
    let (mut again, _) = asked();
    again.remember(moment, fact);
    again.begin(at(2));
    assert!(matches!(intent(&again), Intent::Break { seconds: Some(600), .. }));
    assert!(matches!(&again.take_news()[0].1, SeatWhat::Break { by, .. } if *by == li()));
    again.begin(at(3));
    assert!(again.take_news().is_empty());
}

fn any_wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        any::<bool>().prop_map(login),
        Just(Wish::Logout),
        Just(Wish::Ready),
        Just(Wish::Busy("meeting".into())),
        (1..900_u64).prop_map(|seconds| Wish::Rest(seconds, "tea".into())),
        Just(Wish::EndBreak),
        Just(Wish::WrapUp),
        Just(Wish::LeaveWrapUp),
        (1..200_u64).prop_map(Wish::ExtendWrapUp),
        any::<bool>().prop_map(Wish::AutoAnswer),
    ]
}

proptest! {
    /// Whatever is wished and however calls come and go: a seat that no call uses ends in a state that it can leave, a
    /// refused wish leaves no line, and what is kept brings it back as it was.
    #[test]
    fn no_order_of_wishes_and_calls_leaves_a_seat_stuck(steps in prop::collection::vec((any_wish(), 0..6_u8, 0..100_u64), 1..60)) {
        let (mut seats, desk) = asked();
        let mut now = 0;
        for (wished, act, pause) in steps {
            now += pause;
            settle(&mut seats, now);
            match act {
                0 => seats.take(call(1), &desk, Lease::Ringing),
                1 => { seats.take(call(1), &desk, Lease::Talking); seats.talks(call(1), &desk); }
                2 => { seats.give_back(call(1), &desk); }
                3 => seats.called_in_vain(at(now), &desk, call(1), MissCause::NoAnswer),
                _ => {}
            }
            settle(&mut seats, now);
            seats.take_news();
            let before = seats.get("desk").unwrap().shift.clone();
            if wish(&mut seats, now, wished).is_err() {
                prop_assert!(seats.take_news().is_empty());
                prop_assert_eq!(&seats.get("desk").unwrap().shift, &before);
            }
            let moment = Now { mono: at(now), wall: Wall(5_000_000_000) };
            let fact = seats.fact(moment, &desk).unwrap();
            let (mut again, _) = asked();
            let later = Now { mono: Mono(90_000_000_000), wall: moment.wall };
            again.remember(later, fact.clone());
            prop_assert_eq!(again.fact(later, &desk).unwrap(), fact);
        }
        seats.give_back(call(1), &desk);
        settle(&mut seats, now + 3600);
        prop_assert!(seats.get("desk").unwrap().shift.next.is_none());
        wish(&mut seats, now + 3600, login(true)).unwrap();
        wish(&mut seats, now + 3600, Wish::Ready).unwrap();
        prop_assert!(seats.get("desk").unwrap().is_free());
    }
}

#[test]
fn a_phone_has_no_heartbeat_and_a_sign_in_by_a_supervisor_lives_by_the_seats_toolbar() {
    let (mut seats, desk) = asked();
    seats.wish(at(0), &desk, login(false), Author::phone(&desk)).unwrap();
    settle(&mut seats, 10_000);
    assert_eq!(intent(&seats), Intent::Ready);
    let (mut seats, desk) = asked();
    seats.wish(at(0), &desk, login(true), Author { kind: AuthorKind::Supervisor, name: "boss".into() }).unwrap();
    seats.heard_from(at(100), &desk, &li());
    settle(&mut seats, 219);
    assert_eq!(intent(&seats), Intent::Ready);
    settle(&mut seats, 220);
    assert_eq!(intent(&seats), Intent::LoggedOut);
}
