use crate::base::Source;
use std::collections::{BTreeMap, VecDeque};

/// Lanes in which nothing waits are kept up to this number, so that a message costs no allocation.
const IDLE: usize = 1024;

/// Messages that wait to be served, in a lane for each source. The lanes take turns, so that each source has its share of the
/// time, and whatever one of them sends keeps the others waiting for one message of its own at most. Within a lane the order
/// stays.
#[derive(Debug)]
pub struct Lanes<T> {
    bounds: Bounds,
    lanes: BTreeMap<Source, Lane<T>>,
    /// The lanes in which something waits, the next one first.
    turns: VecDeque<Source>,
}

/// A lane's room for what may be lost on the way anyhow. A quarter more is for what is dropped last.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub messages: usize,
    pub bytes: usize,
}

#[derive(Debug)]
struct Lane<T> {
    waiting: VecDeque<(usize, T)>,
    bytes: usize,
}

impl<T> Lanes<T> {
    pub fn new(bounds: Bounds) -> Lanes<T> {
        Lanes { bounds, lanes: BTreeMap::new(), turns: VecDeque::new() }
    }

    /// Puts a datagram of so many bytes at the end of its source's lane. False: there is no room, and it is dropped.
    pub fn offer(&mut self, source: Source, bytes: usize, item: T, spared: impl FnOnce(&T) -> bool) -> bool {
        let Bounds { messages, bytes: most } = self.bounds;
        let room = match self.lanes.get(&source) {
            Some(lane) if lane.waiting.len() < messages && lane.bytes < most => true,
            Some(lane) => lane.waiting.len() < messages + messages / 4 && lane.bytes < most + most / 4 && spared(&item),
            None => true,
        };
        if room {
            self.push(source, bytes, item);
        }
        room
    }

    /// Puts what must not be lost at the end of its source's lane; whoever hands it in bounds it.
    pub fn push(&mut self, source: Source, bytes: usize, item: T) {
        let lane = self.lanes.entry(source).or_insert_with(|| Lane { waiting: VecDeque::new(), bytes: 0 });
        if lane.waiting.is_empty() {
            self.turns.push_back(source);
        }
        lane.bytes += bytes;
        lane.waiting.push_back((bytes, item));
    }

    /// The one whose turn it is.
    pub fn take(&mut self) -> Option<T> {
        let source = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&source)?;
        let (bytes, item) = lane.waiting.pop_front()?;
        lane.bytes -= bytes;
        if lane.waiting.is_empty() {
            // A lane that a flood has stretched is not kept at that length, nor one for each address of a wide network.
            if lane.waiting.capacity() > self.bounds.messages / 4 || self.lanes.len() > self.turns.len() + IDLE {
                self.lanes.remove(&source);
            }
        } else {
            self.turns.push_back(source);
        }
        Some(item)
    }

    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Source = Source::Trunk(0);
    const B: Source = Source::Trunk(1);

    fn lanes() -> Lanes<(Source, u32)> {
        Lanes::new(Bounds { messages: 40, bytes: 1000 })
    }

    fn flood(lanes: &mut Lanes<(Source, u32)>, source: Source, bytes: usize, spared: bool) -> usize {
        (0..1000).filter(|n| lanes.offer(source, bytes, (source, *n), |_| spared)).count()
    }

    #[test]
    fn a_message_waits_for_one_of_each_other_source_however_many_wait_there() {
        let mut lanes = lanes();
        assert_eq!((flood(&mut lanes, A, 1, false), flood(&mut lanes, Source::Strangers, 1, false)), (40, 40));
        assert!(lanes.offer(B, 1, (B, 1), |_| false) && lanes.offer(B, 1, (B, 2), |_| false));
        let served: Vec<_> = (0..6).map(|_| lanes.take().unwrap()).collect();
        let stranger = Source::Strangers;
        assert_eq!(served, [(A, 0), (stranger, 0), (B, 1), (A, 1), (stranger, 1), (B, 2)]);
    }

    #[test]
    fn a_lane_is_bounded_by_number_and_bytes_and_what_is_spared_has_more() {
        let mut lanes = lanes();
        assert_eq!((flood(&mut lanes, A, 1, false), flood(&mut lanes, A, 1, true)), (40, 10));
        assert_eq!((flood(&mut lanes, B, 100, false), flood(&mut lanes, B, 100, true)), (10, 3));
        lanes.push(A, 1, (A, 7777));
        let served: Vec<_> = std::iter::from_fn(|| lanes.take()).filter(|(source, _)| *source == A).collect();
        assert_eq!((served.len(), served.last()), (51, Some(&(A, 7777))), "a stream loses nothing, and each keeps its order");
        assert!(lanes.is_empty() && flood(&mut lanes, A, 1, false) == 40, "all is room again");
    }

    #[test]
    fn sources_that_have_come_and_gone_leave_little() {
        let mut lanes = lanes();
        for host in 0..5000_u32 {
            let source = Source::Host(std::net::Ipv4Addr::from_bits(host).into());
            assert!(lanes.offer(source, 1, (source, host), |_| false) && lanes.take().is_some());
        }
        assert!(lanes.lanes.len() <= IDLE + 1, "{}", lanes.lanes.len());
    }
}
