//! The list of missed callers: one row for a caller and a hotline, one seat for a row, one attempt at once.

use super::*;
use crate::event::Kept;
use proptest::prelude::*;
use uuid::Uuid;

fn limits() -> Limits {
    Limits { rows: 3, keep: Duration::from_secs(3600), ..Limits::default() }
}

fn at(seconds: i64) -> Wall {
    Wall(1_700_000_000_000_000 + seconds * 1_000_000)
}

fn lost(n: u128, caller: &str, hotline: &str) -> Missed {
    let call = CallId(Uuid::from_u128(n));
    let (caller, hotline) = (Arc::from(caller), Arc::from(hotline));
    Missed {
        call,
        caller,
        line: Arc::clone(&hotline),
        hotline,
        loss: Loss::AbandonedQueue,
        wanted: false,
        message: MessageLeft::No,
    }
}

/// The list, and what was kept of it.
struct Scene(Callbacks, Kept);

impl Scene {
    fn new() -> Scene {
        Scene(Callbacks::new(limits()), Kept::default())
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut Callbacks, &mut Vec<Keep>) -> T) -> T {
        let mut keeps = Vec::new();
        let answer = act(&mut self.0, &mut keeps);
        keeps.into_iter().for_each(|keep| self.1.take(keep));
        answer
    }

    fn miss(&mut self, seconds: i64, n: u128, caller: &str) {
        self.act(|list, keeps| list.missed(at(seconds), lost(n, caller, "12345"), keeps));
    }

    fn id(&self, n: usize) -> Arc<str> {
        self.0.list(at(0))[n].id.clone()
    }

    /// As it is after a kill -9.
    fn restarted(&self) -> Callbacks {
        let mut again = Callbacks::new(limits());
        for fact in &self.1.facts {
            if let Fact::Callback(row) = fact {
                again.remember(row.clone());
            }
        }
        again
    }
}

fn seat(name: &str) -> Arc<str> {
    name.into()
}

#[test]
fn a_caller_stands_there_once_for_each_hotline_and_goes_when_it_gets_through() {
    let mut scene = Scene::new();
    scene.miss(0, 1, "13800138000");
    scene.miss(60, 2, "13800138000");
    scene.act(|list, keeps| list.missed(at(70), lost(3, "13800138000", "12315"), keeps));
    let rows = scene.0.list(at(80));
    assert_eq!(rows.iter().map(|row| (&*row.hotline, row.calls)).collect::<Vec<_>>(), [("12345", 2), ("12315", 1)]);
    assert_eq!((rows[0].first, rows[0].last, rows[0].call), (at(0), at(60), CallId(Uuid::from_u128(2))));
    scene.act(|list, keeps| list.served("13800138000", "12345", keeps));
    scene.act(|list, keeps| list.served("13900139000", "12345", keeps));
    assert_eq!(scene.0.list(at(80)).len(), 1);
    assert_eq!(scene.1.facts.len(), 1, "what is kept is what is there");
}

#[test]
fn row_25_two_who_ring_one_caller_back_at_once_are_one() {
    let mut scene = Scene::new();
    scene.miss(0, 1, "13800138000");
    let id = scene.id(0);
    let attempt =
        |scene: &mut Scene, name: &str, seconds| scene.act(|list, keeps| list.attempt(at(seconds), &id, &seat(name), keeps));
    assert_eq!(attempt(&mut scene, "zhang", 10), Ok(1));
    assert_eq!(attempt(&mut scene, "li", 10), Err(Refusal::Leased));
    assert_eq!(attempt(&mut scene, "zhang", 10), Err(Refusal::UnderWay), "a double click");
    scene.act(|list, keeps| list.over(at(40), &id, 9, false, keeps));
    assert_eq!(attempt(&mut scene, "zhang", 41), Err(Refusal::UnderWay), "the end of another attempt is not this one's");
    scene.act(|list, keeps| list.over(at(50), &id, 1, false, keeps));
    scene.act(|list, keeps| list.over(at(50), &id, 1, true, keeps));
    assert_eq!(scene.0.len(), 1, "an attempt ends once");
    assert_eq!(attempt(&mut scene, "li", 60), Err(Refusal::Leased));
    assert_eq!(attempt(&mut scene, "zhang", 60), Ok(2));
    let attempts: Vec<(u32, Option<bool>)> =
        scene.0.get(&id).unwrap().attempts.iter().map(|known| (known.attempt, known.reached)).collect();
    assert_eq!(attempts, [(1, Some(false)), (2, None)]);
    assert_eq!(scene.restarted().get(&id), scene.0.get(&id));
    scene.act(|list, keeps| list.over(at(70), &id, 2, true, keeps));
    assert!(scene.0.is_empty() && scene.1.facts.is_empty());
    assert_eq!(attempt(&mut scene, "zhang", 80), Err(Refusal::NoSuchRow));
}

#[test]
fn only_the_losses_of_the_list_or_a_wish_bring_a_caller_there() {
    let mut scene = Scene::new();
    for (loss, wanted, there) in
        [(Loss::Rejected, false, 0), (Loss::AbandonedAnnouncement, false, 0), (Loss::Failed, true, 1), (Loss::Timeout, false, 1)]
    {
        scene.act(|list, keeps| list.missed(at(0), Missed { loss, wanted, ..lost(1, "13800138000", "12345") }, keeps));
        assert_eq!(scene.0.len(), there, "{loss:?}");
    }
    assert!(scene.0.list(at(0))[0].wanted, "a wish is not forgotten");
}

#[test]
fn a_lease_ends_with_its_time_also_when_the_process_died_in_an_attempt() {
    let mut scene = Scene::new();
    scene.miss(0, 1, "13800138000");
    let id = scene.id(0);
    scene.act(|list, keeps| list.attempt(at(10), &id, &seat("zhang"), keeps)).unwrap();
    let mut again = scene.restarted();
    let mut keeps = Vec::new();
    again.begin(at(10), &mut keeps);
    assert_eq!(again.lease(at(609), &id, &seat("li"), &mut keeps), Err(Refusal::Leased));
    assert!(again.list(at(609))[0].lease.is_some() && again.list(at(610))[0].lease.is_none());
    assert_eq!(again.attempt(at(610), &id, &seat("li"), &mut keeps), Ok(2), "no number is given twice");
}

/// The wall clock is set forward while somebody is being rung back, or the two talk for longer than a lease.
#[test]
fn an_attempt_holds_its_row_until_its_call_is_over() {
    let mut scene = Scene::new();
    scene.miss(0, 1, "13800138000");
    let id = scene.id(0);
    let (zhang, li) = (seat("zhang"), seat("li"));
    scene.act(|list, keeps| list.attempt(at(10), &id, &zhang, keeps)).unwrap();
    assert_eq!(scene.act(|list, keeps| list.attempt(at(3000), &id, &li, keeps)), Err(Refusal::Leased));
    assert_eq!(scene.act(|list, keeps| list.attempt(at(3000), &id, &zhang, keeps)), Err(Refusal::UnderWay));
    assert_eq!(scene.act(|list, keeps| list.done(at(3000), &id, Some(&li), keeps)), Err(Refusal::Leased));
    scene.miss(3000, 2, "13800138001");
    scene.miss(3000, 3, "13800138002");
    scene.miss(3001, 4, "13800138003");
    assert!(scene.0.get(&id).is_some(), "nor does it make room for others");
    scene.act(|list, keeps| list.over(at(3010), &id, 1, false, keeps));
    assert_eq!(scene.act(|list, keeps| list.attempt(at(3599), &id, &li, keeps)), Err(Refusal::Leased));
}

#[test]
fn only_who_has_a_row_gives_it_back_or_is_done_with_it() {
    let mut scene = Scene::new();
    scene.miss(0, 1, "13800138000");
    let id = scene.id(0);
    scene.act(|list, keeps| list.lease(at(1), &id, &seat("zhang"), keeps)).unwrap();
    let li = seat("li");
    assert_eq!(scene.act(|list, keeps| list.give_back(at(2), &id, &li, keeps)), Err(Refusal::Leased));
    assert_eq!(scene.act(|list, keeps| list.done(at(2), &id, Some(&li), keeps)), Err(Refusal::Leased));
    assert_eq!(scene.act(|list, keeps| list.give_back(at(2), &id, &seat("zhang"), keeps)), Ok(()));
    assert_eq!(scene.act(|list, keeps| list.give_back(at(2), &id, &seat("zhang"), keeps)), Ok(()), "twice is once");
    assert_eq!(scene.act(|list, keeps| list.done(at(3), &id, Some(&li), keeps)), Ok(()));
    assert_eq!(scene.act(|list, keeps| list.done(at(3), &id, None, keeps)), Err(Refusal::NoSuchRow));
}

#[test]
fn the_list_is_bounded_and_forgets_who_called_long_ago() {
    let mut scene = Scene::new();
    for n in 0..3 {
        scene.miss(n, n as u128 + 1, &format!("1380013800{n}"));
    }
    let first = scene.id(0);
    scene.act(|list, keeps| list.lease(at(10), &first, &seat("zhang"), keeps)).unwrap();
    scene.miss(20, 9, "13900139000");
    let callers = |scene: &Scene, seconds| scene.0.list(at(seconds)).iter().map(|row| row.caller.to_string()).collect::<Vec<_>>();
    assert_eq!(callers(&scene, 20), ["13800138000", "13800138002", "13900139000"], "not one that a seat has in hand");
    assert_eq!(callers(&scene, 3602), ["13900139000"]);
    scene.miss(3700, 10, "13700137000");
    assert_eq!((callers(&scene, 3700), scene.1.facts.len()), (vec!["13700137000".to_owned()], 1));
}

#[test]
fn row_25_a_row_that_is_rung_back_is_nobody_elses_however_long_it_takes() {
    let mut scene = Scene::new();
    scene.miss(0, 1, "13800138000");
    let (id, zhang, li) = (scene.id(0), seat("zhang"), seat("li"));
    assert_eq!(scene.act(|list, keeps| list.attempt(at(10), &id, &zhang, keeps)), Ok(1));
    scene.act(|list, keeps| list.lease(at(20), &id, &zhang, keeps)).unwrap();
    let hours = 2 * 3600;
    assert_eq!(scene.act(|list, keeps| list.attempt(at(hours), &id, &li, keeps)), Err(Refusal::Leased));
    assert_eq!(scene.act(|list, keeps| list.attempt(at(hours), &id, &zhang, keeps)), Err(Refusal::UnderWay));
    assert!(scene.0.list(at(hours))[0].lease.is_some(), "also shown so");
    // Neither more callers nor its age take it off the list meanwhile.
    for n in 2..6 {
        scene.miss(hours, n, &format!("1390013900{n}"));
    }
    assert!(scene.0.get(&id).is_some());
    scene.act(|list, keeps| list.over(at(hours), &id, 1, false, keeps));
    scene.miss(hours, 9, "13700137000");
    assert!(scene.0.get(&id).is_none());
}

#[test]
fn row_25_a_caller_who_got_through_while_it_was_rung_back_is_missed_again() {
    let mut scene = Scene::new();
    scene.miss(0, 1, "13800138000");
    let (id, zhang, li) = (scene.id(0), seat("zhang"), seat("li"));
    assert_eq!(scene.act(|list, keeps| list.attempt(at(10), &id, &zhang, keeps)), Ok(1));
    scene.act(|list, keeps| list.served("13800138000", "12345", keeps));
    assert!(scene.0.list(at(11)).is_empty(), "nobody is to ring it back any more");
    assert_eq!(scene.act(|list, keeps| list.attempt(at(11), &id, &zhang, keeps)), Err(Refusal::NoSuchRow));
    scene.miss(20, 2, "13800138000");
    let rows = scene.0.list(at(21));
    assert_eq!((rows.len(), rows[0].calls, rows[0].first), (1, 1, at(20)));
    assert_eq!(scene.act(|list, keeps| list.attempt(at(21), &rows[0].id, &li, keeps)), Err(Refusal::Leased));
    // Served once more, it goes with the attempt, or with the process.
    scene.act(|list, keeps| list.done(at(22), &id, None, keeps)).unwrap();
    let (mut killed, mut keeps) = (scene.restarted(), Vec::new());
    killed.begin(at(23), &mut keeps);
    assert!(killed.is_empty());
    scene.act(|list, keeps| list.over(at(30), &id, 1, false, keeps));
    assert!(scene.0.is_empty() && scene.1.facts.is_empty());
}

proptest! {
    /// In whichever order seats take, give back and ring, calls end, callers get through and the process dies: a caller is
    /// rung back by one at a time, and no row is anybody's for ever.
    #[test]
    fn row_25_nobody_is_rung_back_twice_at_once(steps in proptest::collection::vec((0..10u8, 0..3u8, 0..3u8, 0..900i64), 1..120)) {
        let mut scene = Scene::new();
        let mut now = 0;
        // The row and the number of the attempt by which a caller is rung back.
        let mut under_way: BTreeMap<String, (Arc<str>, u32)> = BTreeMap::new();
        for (n, (verb, caller, who, pause)) in steps.into_iter().enumerate() {
            now += pause;
            let caller = format!("1380013800{caller}");
            let id: Arc<str> = scene.0.known.get(&(Arc::from(&*caller), Arc::from("12345"))).cloned().unwrap_or_default();
            let seat = seat(["a", "b", "c"][usize::from(who)]);
            scene.act(|list, keeps| match verb {
                0 | 1 => list.missed(at(now), lost(n as u128 + 1, &caller, "12345"), keeps),
                2 => drop(list.lease(at(now), &id, &seat, keeps)),
                3 | 4 => {
                    if let Ok(attempt) = list.attempt(at(now), &id, &seat, keeps) {
                        let other = under_way.insert(caller.clone(), (id.clone(), attempt));
                        assert_eq!(other, None, "{caller} is rung back twice at once");
                    }
                }
                5 => {
                    if let Some((row, attempt)) = under_way.remove(&caller) {
                        list.over(at(now), &row, attempt, who == 0, keeps);
                    }
                }
                6 => drop(list.give_back(at(now), &id, &seat, keeps)),
                7 => drop(list.done(at(now), &id, Some(&seat).filter(|_| who > 0), keeps)),
                8 => list.served(&caller, "12345", keeps),
                _ => {}
            });
            if verb == 9 {
                scene.0 = scene.restarted();
                scene.act(|list, keeps| list.begin(at(now), keeps));
                under_way.clear();
            }
            prop_assert_eq!(scene.restarted().list(at(now)), scene.0.list(at(now)));
        }
        for (row, attempt) in under_way.into_values() {
            scene.act(|list, keeps| list.over(at(now), &row, attempt, false, keeps));
        }
        let later = at(now).after(limits().lease);
        for row in scene.0.list(later) {
            prop_assert!(scene.act(|list, keeps| list.lease(later, &row.id, &seat("z"), keeps)).is_ok());
        }
    }

    /// Whatever is done to it: what is kept is what is there, the list is bounded, and no attempt has another's number.
    #[test]
    fn what_is_kept_is_what_is_there(steps in proptest::collection::vec((0..7u8, 0..5u8, 0..3u8, 0..400i64), 1..80)) {
        let mut scene = Scene::new();
        let (mut now, mut given) = (0, std::collections::BTreeSet::new());
        for (n, (verb, caller, who, pause)) in steps.into_iter().enumerate() {
            now += pause;
            let caller = format!("1380013800{caller}");
            let id: Arc<str> = scene.0.known.get(&(Arc::from(&*caller), Arc::from("12345"))).cloned().unwrap_or_default();
            let seat = seat(["a", "b", "c"][usize::from(who)]);
            scene.act(|list, keeps| match verb {
                0 | 1 => list.missed(at(now), lost(n as u128 + 1, &caller, "12345"), keeps),
                2 => drop(list.lease(at(now), &id, &seat, keeps)),
                3 => {
                    if let Ok(attempt) = list.attempt(at(now), &id, &seat, keeps) {
                        assert!(given.insert((id.clone(), attempt)), "{id} {attempt}");
                    }
                }
                4 => {
                    let attempt = list.get(&id).map_or(0, |row| row.tried);
                    list.over(at(now), &id, attempt, who == 0, keeps);
                }
                5 => drop(list.give_back(at(now), &id, &seat, keeps)),
                _ => drop(list.done(at(now), &id, Some(&seat), keeps)),
            });
            prop_assert!(scene.0.len() <= limits().rows && scene.0.order.len() == scene.0.len() && scene.0.known.len() == scene.0.len());
            prop_assert_eq!(scene.restarted().list(at(now)), scene.0.list(at(now)));
        }
    }
}
