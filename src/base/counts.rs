//! Counts by key, for shares: a key is forgotten when its count is back at zero, so that the table is as long as what it counts.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// The number of each key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts<K>(BTreeMap<K, usize>);

impl<K> Default for Counts<K> {
    fn default() -> Counts<K> {
        Counts(BTreeMap::new())
    }
}

impl<K: Ord> Counts<K> {
    /// Counts one more.
    pub fn add(&mut self, key: K) {
        *self.0.entry(key).or_default() += 1;
    }

    /// Counts one less; nothing where there is none.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some(count) = self.0.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(key);
            }
        }
    }

    pub fn of<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        self.0.get(key).copied().unwrap_or(0)
    }

    /// All of all keys.
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_forgotten_with_its_last_and_never_falls_below_none() {
        let mut counts = Counts::<String>::default();
        for key in ["a", "b", "a"] {
            counts.add(key.to_owned());
        }
        assert_eq!((counts.of("a"), counts.of("b"), counts.of("c"), counts.total()), (2, 1, 0, 3));
        for key in ["a", "b", "b", "c"] {
            counts.remove(key);
        }
        assert_eq!((counts.of("a"), counts.of("b"), counts.total(), counts.0.len()), (1, 0, 1, 1));
        counts.remove("a");
        assert!(counts.is_empty());
    }
}
