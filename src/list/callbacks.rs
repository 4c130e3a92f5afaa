//! Callers who were missed. One row for a caller and a hotline, however often; gone when the caller gets through; leased to
//! one seat for a time; and one attempt at once, each with its own number.

use super::Refusal;
use crate::base::{CallId, Wall};
use crate::event::fact::{Attempt, CallbackFact, CallbackLease};
use crate::event::{Fact, FactKind, Keep, Result as Loss};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Attempts that a row remembers.
const REMEMBERED: usize = 10;

#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Callers who were lost so are rung back; those who ask for it are in any case.
    pub losses: Vec<Loss>,
    pub rows: usize,
    /// A caller who was missed so long ago is not rung back any more.
    pub keep: Duration,
    /// How long a seat has a row to itself, from the last it did with it.
    pub lease: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let losses = [Loss::AbandonedQueue, Loss::AbandonedRinging, Loss::NoSeat, Loss::QueueFull, Loss::Timeout];
        let (keep, lease) = (Duration::from_secs(72 * 3600), Duration::from_secs(600));
        Limits { losses: losses.to_vec(), rows: 10_000, keep, lease }
    }
}

/// A call that was lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Missed {
    pub call: CallId,
    pub caller: Arc<str>,
    pub hotline: Arc<str>,
    pub line: Arc<str>,
    pub loss: Loss,
    /// The caller asked for it.
    pub wanted: bool,
}

#[derive(Debug)]
pub struct Callbacks {
    limits: Limits,
    rows: BTreeMap<Arc<str>, CallbackFact>,
    /// By caller and hotline.
    known: BTreeMap<(Arc<str>, Arc<str>), Arc<str>>,
    /// Rows in the order in which their callers were missed last.
    order: BTreeMap<(Wall, Arc<str>), ()>,
}

impl Callbacks {
    pub fn new(limits: Limits) -> Callbacks {
        Callbacks { limits, rows: BTreeMap::new(), known: BTreeMap::new(), order: BTreeMap::new() }
    }

    /// Takes a row that was kept.
    pub fn remember(&mut self, row: CallbackFact) {
        self.put(row);
    }

    /// No call of the process before this one is left: nobody is being rung back. Who had a row has it for its time.
    pub fn begin(&mut self, now: Wall, keeps: &mut Vec<Keep>) {
        let longest = now.after(self.limits.lease);
        let under_way = |row: &&CallbackFact| row.lease.as_ref().is_some_and(|lease| lease.attempt.is_some());
        let rows: Vec<CallbackFact> = self.rows.values().filter(under_way).cloned().collect();
        for row in rows {
            let lease = row.lease.map(|lease| CallbackLease { attempt: None, until: lease.until.min(longest), ..lease });
            self.replace(CallbackFact { lease, ..row }, keeps);
        }
    }

    pub fn configure(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Every row, who was missed first coming first. Leases that are over are not shown.
    pub fn list(&self, now: Wall) -> Vec<CallbackFact> {
        let mut rows: Vec<CallbackFact> = self.rows.values().filter(|row| !self.is_old(now, row)).cloned().collect();
        rows.iter_mut().for_each(|row| _ = row.lease.take_if(|lease| !holds(now, lease)));
        rows.sort_by_key(|row| row.first);
        rows
    }

    pub fn get(&self, id: &str) -> Option<&CallbackFact> {
        self.rows.get(id)
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A caller was lost. Where the list is full the one goes who was missed longest ago and whom nobody has in hand.
    pub fn missed(&mut self, now: Wall, missed: Missed, keeps: &mut Vec<Keep>) {
        if !missed.wanted && !self.limits.losses.contains(&missed.loss) {
            return;
        }
        self.forget_old(now, keeps);
        let key = (missed.caller.clone(), missed.hotline.clone());
        let known = self.known.get(&key).cloned().and_then(|id| self.take(&id));
        let row = match known {
            Some(row) => CallbackFact {
                calls: row.calls.saturating_add(1),
                last: now,
                call: missed.call,
                loss: missed.loss,
                wanted: row.wanted || missed.wanted,
                ..row
            },
            None if !self.makes_room(now, keeps) => return,
            None => CallbackFact {
                id: missed.call.to_string().into(),
                caller: missed.caller,
                hotline: missed.hotline,
                line: missed.line,
                calls: 1,
                first: now,
                last: now,
                call: missed.call,
                loss: missed.loss,
                wanted: missed.wanted,
                lease: None,
                tried: 0,
                attempts: Vec::new(),
            },
        };
        self.keep(row, keeps);
    }

    /// The caller has got through.
    pub fn served(&mut self, caller: &str, hotline: &str, keeps: &mut Vec<Keep>) {
        if self.rows.is_empty() {
            return;
        }
        if let Some(id) = self.known.get(&(Arc::from(caller), Arc::from(hotline))).cloned() {
            self.remove(&id, keeps);
        }
    }

    /// The seat has this row to itself for a time; who has it already has it longer.
    pub fn lease(&mut self, now: Wall, id: &str, seat: &Arc<str>, keeps: &mut Vec<Keep>) -> Result<CallbackFact, Refusal> {
        let until = now.after(self.limits.lease);
        let row = self.held_by(now, id, seat)?;
        let attempt = row.lease.and_then(|lease| lease.attempt);
        let row = CallbackFact { lease: Some(CallbackLease { seat: seat.clone(), until, attempt }), ..row };
        self.replace(row.clone(), keeps);
        Ok(row)
    }

    pub fn give_back(&mut self, now: Wall, id: &str, seat: &Arc<str>, keeps: &mut Vec<Keep>) -> Result<(), Refusal> {
        let row = self.held_by(now, id, seat)?;
        if row.lease.as_ref().is_some_and(|lease| lease.attempt.is_some()) {
            return Err(Refusal::UnderWay);
        }
        if row.lease.is_some() {
            self.replace(CallbackFact { lease: None, ..row }, keeps);
        }
        Ok(())
    }

    /// The seat rings the caller back now. The number of the attempt, of which there is one at once.
    pub fn attempt(&mut self, now: Wall, id: &str, seat: &Arc<str>, keeps: &mut Vec<Keep>) -> Result<u32, Refusal> {
        let row = self.held_by(now, id, seat)?;
        if row.lease.as_ref().is_some_and(|lease| lease.attempt.is_some()) {
            return Err(Refusal::UnderWay);
        }
        let tried = row.tried.saturating_add(1);
        let lease = CallbackLease { seat: seat.clone(), until: now.after(self.limits.lease), attempt: Some(tried) };
        let mut attempts = row.attempts.clone();
        attempts.push(Attempt { attempt: tried, seat: seat.clone(), at: now, reached: None });
        attempts.drain(..attempts.len().saturating_sub(REMEMBERED));
        self.replace(CallbackFact { lease: Some(lease), tried, attempts, ..row }, keeps);
        Ok(tried)
    }

    /// The attempt is over. A caller who was reached is rung back no more; the seat has the row of another for a time. An
    /// attempt that is not the one under way changes nothing.
    pub fn over(&mut self, now: Wall, id: &str, attempt: u32, reached: bool, keeps: &mut Vec<Keep>) {
        let Some(row) = self.rows.get(id).cloned() else { return };
        let Some(lease) = row.lease.clone().filter(|lease| lease.attempt == Some(attempt)) else { return };
        if reached {
            return self.remove(&row.id, keeps);
        }
        let mut row =
            CallbackFact { lease: Some(CallbackLease { until: now.after(self.limits.lease), attempt: None, ..lease }), ..row };
        if let Some(known) = row.attempts.iter_mut().find(|known| known.attempt == attempt) {
            known.reached = Some(false);
        }
        self.replace(row, keeps);
    }

    /// Nobody needs to ring this caller back: a seat has done it in another way, or an operator says so.
    pub fn done(&mut self, now: Wall, id: &str, seat: Option<&Arc<str>>, keeps: &mut Vec<Keep>) -> Result<(), Refusal> {
        if let Some(seat) = seat {
            self.held_by(now, id, seat)?;
        }
        let id = self.rows.get(id).ok_or(Refusal::NoSuchRow)?.id.clone();
        self.remove(&id, keeps);
        Ok(())
    }

    /// The row, unless it is another seat's at this moment.
    fn held_by(&self, now: Wall, id: &str, seat: &Arc<str>) -> Result<CallbackFact, Refusal> {
        let mut row = self.rows.get(id).filter(|row| !self.is_old(now, row)).cloned().ok_or(Refusal::NoSuchRow)?;
        row.lease.take_if(|lease| !holds(now, lease));
        match &row.lease {
            Some(lease) if lease.seat != *seat => Err(Refusal::Leased),
            _ => Ok(row),
        }
    }

    fn is_old(&self, now: Wall, row: &CallbackFact) -> bool {
        row.last.after(self.limits.keep) <= now
    }

    fn forget_old(&mut self, now: Wall, keeps: &mut Vec<Keep>) {
        while let Some(((last, id), ())) = self.order.first_key_value()
            && last.after(self.limits.keep) <= now
        {
            self.remove(&id.clone(), keeps);
        }
    }

    fn makes_room(&mut self, now: Wall, keeps: &mut Vec<Keep>) -> bool {
        if self.rows.len() < self.limits.rows {
            return true;
        }
        let idle = |id: &Arc<str>| self.rows.get(id).is_none_or(|row| row.lease.as_ref().is_none_or(|it| !holds(now, it)));
        let Some(id) = self.order.keys().map(|(_, id)| id).find(|id| idle(id)).cloned() else { return false };
        self.remove(&id, keeps);
        true
    }

    fn put(&mut self, row: CallbackFact) {
        self.known.insert((row.caller.clone(), row.hotline.clone()), row.id.clone());
        self.order.insert((row.last, row.id.clone()), ());
        self.rows.insert(row.id.clone(), row);
    }

    fn take(&mut self, id: &str) -> Option<CallbackFact> {
        let row = self.rows.remove(id)?;
        self.known.remove(&(row.caller.clone(), row.hotline.clone()));
        self.order.remove(&(row.last, row.id.clone()));
        Some(row)
    }

    fn keep(&mut self, row: CallbackFact, keeps: &mut Vec<Keep>) {
        self.put(row.clone());
        keeps.push(Keep::Set(Box::new(Fact::Callback(row))));
    }

    fn replace(&mut self, row: CallbackFact, keeps: &mut Vec<Keep>) {
        self.take(&row.id);
        self.keep(row, keeps);
    }

    fn remove(&mut self, id: &str, keeps: &mut Vec<Keep>) {
        if let Some(row) = self.take(id) {
            keeps.push(Keep::Forget { kind: FactKind::Callback, key: row.id.to_string() });
        }
    }
}

/// An attempt holds its row for as long as its call lasts, whatever the wall clock does meanwhile: the end of each call ends it.
fn holds(now: Wall, lease: &CallbackLease) -> bool {
    lease.attempt.is_some() || lease.until > now
}

#[cfg(test)]
mod tests {
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
        Missed { call, caller, line: Arc::clone(&hotline), hotline, loss: Loss::AbandonedQueue, wanted: false }
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
        for (loss, wanted, there) in [
            (Loss::Rejected, false, 0),
            (Loss::AbandonedAnnouncement, false, 0),
            (Loss::Failed, true, 1),
            (Loss::Timeout, false, 1),
        ] {
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
        let callers =
            |scene: &Scene, seconds| scene.0.list(at(seconds)).iter().map(|row| row.caller.to_string()).collect::<Vec<_>>();
        assert_eq!(callers(&scene, 20), ["13800138000", "13800138002", "13900139000"], "not one that a seat has in hand");
        assert_eq!(callers(&scene, 3602), ["13900139000"]);
        scene.miss(3700, 10, "13700137000");
        assert_eq!((callers(&scene, 3700), scene.1.facts.len()), (vec!["13700137000".to_owned()], 1));
    }

    proptest! {
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
}
