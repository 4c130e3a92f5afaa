//! Answers of the DNS that are kept: fresh as long as they say, within bounds, and much longer for as long as nobody says otherwise
//! (RFC 8767). Nothing of one question is read into another. No verdict on a host stands here: whether it can be reached is for those to
//! know who call it.

use super::{Answer, Kind, Question, Told};
use crate::base::Mono;
use std::collections::BTreeMap;
use std::time::Duration;

/// A time to live of zero would ask for every call; and nobody means more than a day.
const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(24 * 3600);
/// How long it holds at most that there is nothing.
const MOST_NOTHING: Duration = Duration::from_secs(300);
/// The same for an address, which every name that is called has; and how long the answer of before serves on, where there was one: the
/// zone may be mended as fast as it was broken.
const MOST_NO_ADDRESS: Duration = Duration::from_secs(5);
const MISSED: Duration = Duration::from_secs(60);
/// How long an answer serves beyond its time (RFC 8767 §5).
pub const STALE: Duration = Duration::from_secs(3 * 24 * 3600);
/// An answer that has outlived its time by more than this serves only where nobody answers: after a quiet night it may be wrong.
pub const LATELY: Duration = Duration::from_secs(300);
/// A question that was never answered is asked again at the next need after so long, twice as long each time, up to the pause that
/// one has whose old answer serves meanwhile (RFC 8767 §5).
const AGAIN: Duration = Duration::from_secs(1);
pub const RECHECK: Duration = Duration::from_secs(30);
/// The pause of a kind about which a server is silent that answers others.
const PASSED_OVER: Duration = Duration::from_secs(300);
/// Questions that are kept: many more than trunks and seats have names.
const MOST_KEPT: usize = 4096;

/// All that one set of servers has told.
#[derive(Default)]
pub struct Cache(BTreeMap<Question, Entry>);

struct Entry {
    /// None: no server has ever answered.
    answer: Option<Answer>,
    fresh: Mono,
    stale: Mono,
    /// Times in a row that nobody has answered; until then nobody is asked again.
    failures: u32,
    rests: Mono,
}

/// The knowledge about a question. `rests`: nobody has answered it lately, so nobody is asked now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    Fresh(Answer),
    /// It has outlived its time.
    Stale {
        answer: Answer,
        rests: bool,
        /// By more than [`LATELY`].
        old: bool,
    },
    /// Nobody has ever answered.
    Failed {
        rests: bool,
    },
    /// Nobody was asked.
    Unknown,
}

impl Cache {
    pub fn find(&self, now: Mono, question: &Question) -> Kept {
        let Some(entry) = self.0.get(question) else { return Kept::Unknown };
        let rests = now < entry.rests;
        match &entry.answer {
            Some(answer) if now < entry.fresh => Kept::Fresh(answer.clone()),
            Some(answer) if now < entry.stale => {
                Kept::Stale { answer: answer.clone(), rests, old: now >= entry.fresh.after(LATELY) }
            }
            _ if entry.failures > 0 => Kept::Failed { rests },
            _ => Kept::Unknown,
        }
    }

    pub fn put(&mut self, now: Mono, question: Question, told: Told) {
        let nothing = told.answer == Answer::Nothing;
        let most = match question.kind {
            Kind::A if nothing => MOST_NO_ADDRESS,
            _ if nothing => MOST_NOTHING,
            _ => MOST,
        };
        let fresh = now.after(told.ttl.clamp(LEAST, most));
        self.room(now);
        if nothing
            && !question.kind.is_aside()
            && let Some(entry) = self.0.get_mut(&question)
            && entry.answer.as_ref().is_some_and(|answer| *answer != Answer::Nothing)
            && now < entry.stale
        {
            let rests = now.after(MOST_NO_ADDRESS);
            *entry =
                Entry { answer: entry.answer.take(), fresh: now, stale: entry.stale.min(now.after(MISSED)), failures: 0, rests };
            return;
        }
        let entry = Entry { answer: Some(told.answer), fresh, stale: fresh.after(STALE), failures: 0, rests: now };
        self.0.insert(question, entry);
    }

    /// It was asked, and nobody has answered. `passed_over`: those who were asked answer other questions.
    pub fn fail(&mut self, now: Mono, question: Question, passed_over: bool, recheck: Duration) {
        self.room(now);
        let never = Entry { answer: None, fresh: now, stale: now, failures: 0, rests: now };
        let entry = self.0.entry(question).or_insert(never);
        let doubled = AGAIN.saturating_mul(1_u32.checked_shl(entry.failures).unwrap_or(u32::MAX));
        entry.failures = entry.failures.saturating_add(1);
        let serves = entry.answer.is_some() && now < entry.stale;
        let rest = match passed_over {
            true => PASSED_OVER,
            false if serves => recheck,
            false => doubled.min(recheck),
        };
        entry.rests = now.after(rest);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes room: whatever is over goes first; where all lasts, all goes.
    fn room(&mut self, now: Mono) {
        if self.0.len() >= MOST_KEPT {
            self.0.retain(|_, entry| now < entry.fresh);
        }
        if self.0.len() >= MOST_KEPT {
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000)
    }

    fn question() -> Question {
        Question::new("sbc.example.cn", Kind::A)
    }

    fn told(ttl: u64) -> Told {
        let answer = Answer::Addresses(vec![[192, 0, 2, 7].into()]);
        Told { answer, ttl: Duration::from_secs(ttl) }
    }

    fn stale(rests: bool) -> Kept {
        Kept::Stale { answer: told(0).answer, rests, old: false }
    }

    fn nothing() -> Told {
        Told { answer: Answer::Nothing, ttl: Duration::from_secs(86_400) }
    }

    fn fail(cache: &mut Cache, seconds: u64) {
        cache.fail(at(seconds), question(), false, RECHECK);
    }

    #[test]
    fn an_answer_holds_as_long_as_it_says_within_bounds() {
        for (ttl, holds) in [(0, 1), (1, 1), (60, 60), (u32::MAX.into(), MOST.as_secs())] {
            let mut cache = Cache::default();
            assert_eq!(cache.find(at(0), &question()), Kept::Unknown);
            cache.put(at(0), question(), told(ttl));
            let last = at(holds).before(Duration::from_micros(1));
            assert_eq!(cache.find(last, &question()), Kept::Fresh(told(ttl).answer));
            assert_eq!(cache.find(at(holds), &question()), stale(false), "{ttl}");
        }
        let mut cache = Cache::default();
        cache.put(at(0), question(), told(60));
        assert_eq!(cache.find(at(359), &question()), stale(false));
        assert_eq!(cache.find(at(360), &question()), Kept::Stale { answer: told(0).answer, rests: false, old: true });
        for (kind, holds) in [(Kind::A, 5), (Kind::Aaaa, 300), (Kind::Srv, 300)] {
            let question = Question::new("sbc.example.cn", kind);
            let mut cache = Cache::default();
            cache.put(at(0), question.clone(), nothing());
            assert_eq!(cache.find(at(holds - 1), &question), Kept::Fresh(Answer::Nothing));
            assert_eq!(cache.find(at(holds), &question), Kept::Stale { answer: Answer::Nothing, rests: false, old: false });
        }
    }

    #[test]
    fn an_answer_outlives_its_servers_and_they_are_asked_again_every_half_minute() {
        let mut cache = Cache::default();
        cache.put(at(0), question(), told(60));
        for begun in [61, 91, 121] {
            fail(&mut cache, begun);
            assert_eq!(cache.find(at(begun + 29), &question()), stale(true));
            assert_eq!(cache.find(at(begun + 30), &question()), stale(false), "the servers may be back");
        }
        cache.put(at(152), question(), told(60));
        assert_eq!(cache.find(at(153), &question()), Kept::Fresh(told(60).answer));
        let end = 152 + 60 + STALE.as_secs();
        fail(&mut cache, end);
        assert_eq!(cache.find(at(end), &question()), Kept::Failed { rests: true }, "not for ever");
    }

    #[test]
    fn a_zone_that_loses_a_name_for_a_moment_takes_its_addresses_away_a_minute_later() {
        let mut cache = Cache::default();
        cache.put(at(0), question(), told(60));
        for now in [61, 90, 119] {
            cache.put(at(now), question(), nothing());
            assert_eq!(cache.find(at(now), &question()), stale(true), "{now}");
        }
        assert_eq!(cache.find(at(120), &question()), stale(true), "asked again every few seconds");
        cache.put(at(121), question(), nothing());
        assert_eq!(cache.find(at(121), &question()), Kept::Fresh(Answer::Nothing), "but not for ever");
        let mut mended = Cache::default();
        mended.put(at(0), question(), told(60));
        mended.put(at(61), question(), nothing());
        mended.put(at(66), question(), told(60));
        assert_eq!(mended.find(at(125), &question()), Kept::Fresh(told(60).answer));
    }

    #[test]
    fn a_question_that_nobody_has_answered_is_asked_again_soon_and_one_that_is_passed_over_is_not() {
        let (mut cache, mut now) = (Cache::default(), 0);
        for rest in [1, 2, 4, 8, 16, 30, 30] {
            fail(&mut cache, now);
            let before = at(now + rest).before(Duration::from_micros(1));
            assert_eq!(cache.find(before, &question()), Kept::Failed { rests: true }, "{rest}");
            now += rest;
            assert_eq!(cache.find(at(now), &question()), Kept::Failed { rests: false }, "{rest}");
        }
        cache.put(at(now), question(), told(1));
        cache.fail(at(now + 1), question(), true, RECHECK);
        assert_eq!(cache.find(at(now + 300), &question()), stale(true));
        assert_eq!(cache.find(at(now + 301), &question()), Kept::Stale { answer: told(0).answer, rests: false, old: true });
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut cache = Cache::default();
        for index in 0..3 * MOST_KEPT as u64 {
            cache.put(at(index), Question::new(&format!("n{index}"), Kind::A), told(60));
            assert!(cache.len() <= MOST_KEPT);
        }
    }
}
