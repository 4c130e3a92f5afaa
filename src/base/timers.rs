use crate::base::Mono;
use std::collections::{BTreeMap, BTreeSet};

/// Deadlines by key, one per key. Ties fire in key order, so that a run repeats.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    order: BTreeSet<(Mono, K)>,
    at: BTreeMap<K, Mono>,
}

impl<K: Ord + Clone> Default for Timers<K> {
    fn default() -> Self {
        Timers { order: BTreeSet::new(), at: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Timers<K> {
    /// Arms `key` for `at`, in place of any earlier deadline of the same key.
    pub fn set(&mut self, key: K, at: Mono) {
        self.cancel(&key);
        self.at.insert(key.clone(), at);
        self.order.insert((at, key));
    }

    /// Arms `key`, or disarms it when `at` is none.
    pub fn update(&mut self, key: K, at: Option<Mono>) {
        match at {
            Some(at) if self.at.get(&key) == Some(&at) => {}
            Some(at) => self.set(key, at),
            None => self.cancel(&key),
        }
    }

    pub fn cancel(&mut self, key: &K) {
        if let Some(at) = self.at.remove(key) {
            self.order.remove(&(at, key.clone()));
        }
    }

    /// The next deadline.
    pub fn next(&self) -> Option<Mono> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes one key whose deadline is at or before `now`. Call until it gives none.
    pub fn pop(&mut self, now: Mono) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        self.at.remove(&key);
        Some(key)
    }

    pub fn is_set(&self, key: &K) -> bool {
        self.at.contains_key(key)
    }

    pub fn len(&self) -> usize {
        self.at.len()
    }

    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fires_in_order_and_only_when_due() {
        let mut t = Timers::default();
        t.set("b", Mono(20));
        t.set("a", Mono(10));
        t.set("a", Mono(30));
        assert_eq!(t.next(), Some(Mono(20)));
        assert_eq!(t.pop(Mono(19)), None);
        assert_eq!(t.pop(Mono(40)), Some("b"));
        assert_eq!(t.pop(Mono(40)), Some("a"));
        assert!(t.is_empty());
    }
}
