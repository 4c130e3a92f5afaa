//! The operator's own table: which area callers are from whose number begins so. Most callers are mobiles, which show none.

use super::number::is_area;
use super::problem::{At, Log, Source};
use crate::base::{Map, MapSeed};
use std::sync::Arc;

/// `PREFIX,AREA` lines: `1380013,691`. The longest prefix wins.
#[derive(Debug)]
pub struct Prefixes {
    /// By the prefix's digits behind a 1, so that leading zeros count.
    areas: Map<u64, Arc<str>>,
    /// Lengths that occur, the longest first.
    lengths: Vec<usize>,
}

impl Default for Prefixes {
    fn default() -> Prefixes {
        Prefixes { areas: Map::with_hasher(MapSeed::default()), lengths: Vec::new() }
    }
}

/// The whole country's mobile table has some 500,000 rows.
const MOST: usize = 1_000_000;
const LONGEST: usize = 16;

impl Prefixes {
    pub fn read(source: &Arc<Source>, log: &Log) -> Prefixes {
        let mut out = Prefixes::default();
        let mut interned: Map<&str, Arc<str>> = Map::with_hasher(MapSeed::default());
        for (i, row) in source.text.lines().enumerate().take(MOST) {
            let row = row.trim();
            if row.is_empty() || row.starts_with('#') {
                continue;
            }
            let entry = row.split_once(',').and_then(|(prefix, area)| Some((key(prefix.trim())?, prefix.trim(), area.trim())));
            let Some((key, prefix, area)) = entry.filter(|(_, _, area)| is_area(area)) else {
                let at: At = source.whole_line(i + 1);
                log.error(&at, both!("a row is PREFIX,AREA, such as `1380013,691`", "每行应为 号段,区号，例如 `1380013,691`"));
                continue;
            };
            let area = interned.entry(area).or_insert_with(|| area.into()).clone();
            out.areas.insert(key, area);
            if !out.lengths.contains(&prefix.len()) {
                out.lengths.push(prefix.len());
            }
        }
        out.lengths.sort_unstable_by(|a, b| b.cmp(a));
        out
    }

    pub fn area(&self, caller: &str) -> Option<&Arc<str>> {
        let prefixes = self.lengths.iter().filter_map(|length| caller.get(..*length));
        prefixes.filter_map(key).find_map(|key| self.areas.get(&key))
    }
}

fn key(prefix: &str) -> Option<u64> {
    let digits = (1..=LONGEST).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| prefix.bytes().fold(1, |key, digit| key * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins() {
        let log = Log::default();
        let table = Prefixes::read(&Source::new("p.csv", "# mobiles\n138,10\n1380013,691\n0691,691\n\n"), &log);
        assert!(log.take().is_empty());
        let area = |caller| table.area(caller).map(|a| a.to_string());
        assert_eq!(area("13800138000"), Some("691".into()));
        assert_eq!(area("13899998888"), Some("10".into()));
        assert_eq!(area("06912122110"), Some("691".into()));
        assert_eq!((area("6912122110"), area("13"), area("匿名")), (None, None, None));
    }

    #[test]
    fn a_bad_row_is_shown() {
        let log = Log::default();
        Prefixes::read(&Source::new("p.csv", "138,10\n139;10\n13x,10\n137,0691\n"), &log);
        let lines: Vec<usize> = log.take().iter().map(|p| p.line).collect();
        assert_eq!(lines, [2], "the first stands for all");
    }
}
