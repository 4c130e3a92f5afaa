//! A process begins, a configuration is taken, a panic is survived: each change that follows for a seat has its line, and what is
//! kept of it is what it is.

use super::tests::seat;
use super::*;
use crate::base::{Now, Wall};
use crate::event::SeatFact;
use crate::event::seat::{Author, BreakKind, Device, Intent, LogoutWhy, MissCause, Misses, ReleasedBy};
use uuid::Uuid;

const DESK: &str = "desk";
const HEARTBEAT: u64 = 120;

fn at(seconds: u64) -> Mono {
    Mono(1_000_000_000).after(Duration::from_secs(seconds))
}

fn call(n: u128) -> CallId {
    CallId(Uuid::from_u128(n))
}

fn desk(sign_in: SignIn, bound: bool) -> Seat {
    let rules = Rules { sign_in, heartbeat: Duration::from_secs(HEARTBEAT), misses: 3, ..Rules::default() };
    let seat = seat(DESK, 1);
    let bindings = if bound { seat.bindings.clone() } else { Vec::new() };
    Seat { rules, bindings, ..seat }
}

/// The only seat, after its first configuration.
fn begun(sign_in: SignIn) -> Seats {
    let mut seats = Seats::default();
    reload(&mut seats, 0, vec![desk(sign_in, true)]);
    seats.take_news();
    seats
}

fn reload(seats: &mut Seats, now: u64, all: Vec<Seat>) {
    seats.configure(all);
    seats.begin(at(now));
}

fn news(seats: &mut Seats) -> Vec<SeatWhat> {
    seats.take_news().into_iter().map(|(_, what)| what).collect()
}

fn wish(seats: &mut Seats, now: u64, wish: Wish) {
    seats.wish(at(now), DESK, wish, Author::phone(&DESK.into())).unwrap();
}

fn login() -> Wish {
    Wish::Login { force: false, device: Device::Sip, skills: None, busy: None }
}

fn intent(seats: &Seats) -> Intent {
    seats.get(DESK).unwrap().shift.intent.clone()
}

fn pass(seats: &mut Seats, now: u64) {
    while seats.settle(at(now)).is_some() {}
    while seats.tick(at(now)).is_some() {}
}

fn ready() -> SeatWhat {
    SeatWhat::Ready { by: Author::gateway() }
}

fn out(why: LogoutWhy) -> SeatWhat {
    SeatWhat::LoggedOut { by: Author::gateway(), why }
}

fn moment(seconds: u64) -> Now {
    Now { mono: Mono(1_000_000_000), wall: Wall(1_700_000_000_000_000) }.after(Duration::from_secs(seconds))
}

/// The next process, which begins with what was kept.
fn killed(seats: &Seats, now: u64, sign_in: SignIn, bound: bool) -> Seats {
    let fact = seats.fact(moment(now), DESK).unwrap();
    let mut next = Seats::default();
    next.configure(vec![desk(sign_in, false)]);
    next.remember(moment(now), fact);
    reload(&mut next, now, vec![desk(sign_in, bound)]);
    next
}

#[test]
fn a_seat_that_never_signs_in_has_a_first_line_and_only_one() {
    let mut seats = Seats::default();
    reload(&mut seats, 0, vec![desk(SignIn::Always, true)]);
    assert_eq!(news(&mut seats), [ready()]);
    reload(&mut seats, 1, vec![desk(SignIn::Always, true)]);
    assert!(news(&mut seats).is_empty());
    let mut next = killed(&seats, 2, SignIn::Always, true);
    assert!(news(&mut next).is_empty());
    assert_eq!(next.get(DESK).unwrap().shift.lasts(at(3)), Duration::from_secs(3));
    let mut asked = Seats::default();
    reload(&mut asked, 0, vec![desk(SignIn::Asked, true)]);
    assert!(news(&mut asked).is_empty(), "nobody is there");
}

#[test]
fn a_seat_that_signed_out_and_need_not_sign_in_is_ready_again_by_a_line() {
    for sign_in in [SignIn::Always, SignIn::Asked] {
        let mut seats = begun(sign_in);
        if sign_in == SignIn::Asked {
            wish(&mut seats, 1, login());
        }
        wish(&mut seats, 2, Wish::Logout);
        seats.take_news();
        let mut next = killed(&seats, 3, SignIn::Always, true);
        reload(&mut seats, 3, vec![desk(SignIn::Always, true)]);
        for seats in [&mut seats, &mut next] {
            assert_eq!((intent(seats), news(seats)), (Intent::Ready, vec![ready()]));
        }
    }
}

#[test]
fn a_reload_that_ends_a_doubt_says_that_the_phone_is_back() {
    let mut seats = begun(SignIn::Always);
    seats.miss(&DESK.into());
    assert_eq!(news(&mut seats), [SeatWhat::DeviceGone]);
    reload(&mut seats, 1, vec![desk(SignIn::Always, true)]);
    assert_eq!(news(&mut seats), [SeatWhat::DeviceBack]);
    seats.miss(&DESK.into());
    seats.take_news();
    reload(&mut seats, 2, vec![desk(SignIn::Always, false)]);
    assert!(news(&mut seats).is_empty(), "it is reached nowhere");
}

#[test]
fn nobody_is_signed_in_at_a_seat_that_the_configuration_names_no_more() {
    let mut idle = begun(SignIn::Always);
    let fact = idle.fact(moment(1), DESK).unwrap();
    idle.configure(Vec::new());
    idle.forget(DESK);
    idle.begin(at(1));
    assert_eq!(news(&mut idle), [out(LogoutWhy::Removed)]);
    assert_eq!(idle.take_unkept(), [DESK.into()].into());
    assert_eq!(idle.fact(moment(1), DESK), None, "and nothing is kept of it");
    // It talks: after its call.
    let mut busy = begun(SignIn::Always);
    busy.take(call(1), &DESK.into(), Lease::Talking);
    busy.talks(call(1), DESK);
    busy.take_news();
    for all in [Vec::new(), vec![desk(SignIn::Always, true)], Vec::new()] {
        reload(&mut busy, 1, all);
        busy.forget(DESK);
        assert_eq!((news(&mut busy), intent(&busy)), (Vec::new(), Intent::Ready));
    }
    busy.give_back(call(1), &DESK.into());
    pass(&mut busy, 3);
    busy.take_news();
    busy.forget(DESK);
    assert_eq!((busy.get(DESK).is_none(), news(&mut busy)), (true, vec![out(LogoutWhy::Removed)]));
    // A party that no configuration ever named.
    busy.take(call(2), &"nobody".into(), Lease::Talking);
    busy.give_back(call(2), &"nobody".into());
    busy.take_news();
    busy.forget("nobody");
    assert!(news(&mut busy).is_empty());
    // It went while no process ran.
    let mut next = Seats::default();
    next.remember(moment(5), fact.clone());
    assert_eq!(news(&mut next), [out(LogoutWhy::Removed)]);
    // Nor is anything kept of one who had signed out: the next who gets its name has settings of its own.
    next.take_unkept();
    next.remember(moment(5), SeatFact { intent: Intent::LoggedOut, ..fact });
    assert_eq!((news(&mut next), next.take_unkept()), (Vec::new(), [DESK.into()].into()));
    let mut away = begun(SignIn::Asked);
    away.take_unkept();
    away.configure(Vec::new());
    away.forget(DESK);
    assert_eq!((news(&mut away), away.take_unkept()), (Vec::new(), [DESK.into()].into()));
}

#[test]
fn a_phone_whose_connection_died_with_the_process_has_time_to_be_there_again() {
    let mut seats = begun(SignIn::Registration);
    assert_eq!(intent(&seats), Intent::Ready);
    wish(&mut seats, 1, Wish::Busy("lunch".into()));
    // It comes back: its person is still at lunch.
    let mut back = killed(&seats, 2, SignIn::Registration, false);
    back.bind(at(3), DESK, desk(SignIn::Registration, true).bindings);
    pass(&mut back, 2 + HEARTBEAT);
    assert!(matches!(intent(&back), Intent::Break { .. }));
    // It does not.
    let mut gone = killed(&seats, 2, SignIn::Registration, false);
    pass(&mut gone, 1 + HEARTBEAT);
    assert!(matches!(intent(&gone), Intent::Break { .. }));
    gone.take_news();
    pass(&mut gone, 2 + HEARTBEAT);
    assert_eq!(news(&mut gone), [out(LogoutWhy::Unregistered)]);
    // It was there all the time.
    let mut datagrams = killed(&seats, 2, SignIn::Registration, true);
    pass(&mut datagrams, 10 * HEARTBEAT);
    assert!(matches!(intent(&datagrams), Intent::Break { .. }));
}

#[test]
fn a_registration_that_is_renewed_signs_nobody_in_again() {
    let bindings = desk(SignIn::Registration, true).bindings;
    let mut seats = begun(SignIn::Registration);
    wish(&mut seats, 1, Wish::Logout);
    for now in 2..5 {
        seats.bind(at(now), DESK, bindings.clone());
        assert_eq!(intent(&seats), Intent::LoggedOut, "it has signed out");
    }
    let mut next = killed(&seats, 5, SignIn::Registration, true);
    assert_eq!(intent(&next), Intent::LoggedOut, "also for the next process");
    next.bind(at(6), DESK, Vec::new());
    next.bind(at(7), DESK, bindings);
    assert_eq!(intent(&next), Intent::Ready, "a phone that comes signs in");
}

#[test]
fn a_seat_that_signs_in_by_a_code_needs_no_heartbeat() {
    let mut seats = begun(SignIn::Asked);
    wish(&mut seats, 1, login());
    pass(&mut seats, 100 * HEARTBEAT);
    assert_eq!(intent(&seats), Intent::Ready);
    wish(&mut seats, 100 * HEARTBEAT, login());
    let mut next = killed(&seats, 100 * HEARTBEAT, SignIn::Asked, true);
    for seats in [&mut seats, &mut next] {
        pass(seats, 200 * HEARTBEAT);
        assert_eq!(intent(seats), Intent::Ready);
    }
}

/// A power cut: the machine counts from its start, and the break began before it.
#[test]
fn a_break_is_as_long_as_it_is_though_the_machine_was_started_meanwhile() {
    let mut seats = begun(SignIn::Always);
    wish(&mut seats, 0, Wish::Rest(3600, "lunch".into()));
    let fact = seats.fact(moment(0), DESK).unwrap();
    let two_hours = Duration::from_secs(7200);
    let boot = Now { mono: Mono(5_000_000), wall: moment(0).wall.after(two_hours) };
    let mut next = Seats::default();
    next.configure(vec![desk(SignIn::Always, true)]);
    next.remember(boot, fact.clone());
    next.begin(boot.mono);
    assert_eq!(next.get(DESK).unwrap().shift.lasts(boot.mono), two_hours);
    assert_eq!(next.fact(boot, DESK).unwrap().since, fact.since, "and as it is kept");
    // The clock on the wall was set back.
    next.remember(Now { wall: Wall(0), ..boot }, fact);
    assert_eq!(next.get(DESK).unwrap().shift.lasts(boot.mono), Duration::ZERO);
}

#[test]
fn what_was_missed_is_forgotten_on_the_disk_too_when_the_seat_has_talked() {
    let mut seats = begun(SignIn::Always);
    seats.called_in_vain(at(1), DESK, call(1), MissCause::NoAnswer);
    seats.take_news();
    let talks = |seats: &mut Seats, n| {
        seats.take(call(n), &DESK.into(), Lease::Talking);
        seats.talks(call(n), DESK);
        seats.give_back(call(n), &DESK.into());
        pass(seats, 2);
        seats.take_news();
        seats.take_unkept().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(talks(&mut seats, 2), [DESK.into()]);
    assert_eq!(seats.fact(moment(3), DESK).unwrap().missed, Misses::new());
    assert!(talks(&mut seats, 3).is_empty() && !seats.has_news(), "nothing is written where nothing was missed");
}

/// The panic came in a call: it ends for the seat like any other.
#[test]
fn after_a_panic_a_seat_has_its_wrap_up_its_break_and_its_line() {
    let mut seats = begun(SignIn::Always);
    seats.take(call(1), &DESK.into(), Lease::Talking);
    seats.wraps_up(call(1), &DESK.into(), Duration::from_secs(30));
    seats.talks(call(1), DESK);
    wish(&mut seats, 1, Wish::Busy("lunch".into()));
    seats.take_news();
    seats.recover(Some(call(1)), |_, _| true);
    assert_eq!(news(&mut seats), [SeatWhat::Released { call: call(1), talked: true, by: ReleasedBy::Gateway }]);
    pass(&mut seats, 2);
    assert_eq!(intent(&seats), Intent::WrapUp { call: Some(call(1)), seconds: 30 });
    pass(&mut seats, 40);
    assert!(matches!(intent(&seats), Intent::Break { kind: BreakKind::Busy, .. }));
    // A ringing that no queue knows.
    let mut seats = begun(SignIn::Always);
    seats.take(call(2), &DESK.into(), Lease::Ringing);
    wish(&mut seats, 1, Wish::Busy("lunch".into()));
    seats.recover(None, |_, _| false);
    pass(&mut seats, 2);
    assert!(matches!(intent(&seats), Intent::Break { .. }));
}
