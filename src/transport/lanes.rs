use crate::base::Source;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Lanes in which nothing waits are kept up to this number, so that a message costs no allocation.
const IDLE: usize = 1024;

/// Messages that wait to be served, in a lane for each source. The lane that has had the least time is next, so that each source
/// has its share of the time whatever its messages cost, and whoever has sent little waits for one message of each other source
/// at most (start-time fair queueing). Within a lane the order stays.
#[derive(Debug)]
pub struct Lanes<T> {
    bounds: Bounds,
    lanes: BTreeMap<Source, Lane<T>>,
    /// The lanes in which something waits, the next one first: by the time they have had, then by when they were put here.
    turns: BTreeSet<(u64, u64, Source)>,
    serial: u64,
    /// The time that the lane had that was served last. A lane that was empty is not owed more than that.
    level: u64,
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
    /// The time that it has had.
    served: u64,
}

impl<T> Lanes<T> {
    pub fn new(bounds: Bounds) -> Lanes<T> {
        Lanes { bounds, lanes: BTreeMap::new(), turns: BTreeSet::new(), serial: 0, level: 0 }
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
        let lane = self.lanes.entry(source).or_insert_with(|| Lane { waiting: VecDeque::new(), bytes: 0, served: 0 });
        if lane.waiting.is_empty() {
            lane.served = lane.served.max(self.level);
            self.serial += 1;
            self.turns.insert((lane.served, self.serial, source));
        }
        lane.bytes += bytes;
        lane.waiting.push_back((bytes, item));
    }

    /// Serves the one whose turn it is; `serve` returns what that cost, in any one unit. False when nothing waits.
    pub fn serve(&mut self, serve: impl FnOnce(T) -> u64) -> bool {
        let Some((served, _, source)) = self.turns.pop_first() else { return false };
        let Some(lane) = self.lanes.get_mut(&source) else { return false };
        let Some((bytes, item)) = lane.waiting.pop_front() else { return false };
        lane.bytes -= bytes;
        (self.level, lane.served) = (served, served + serve(item).max(1));
        if !lane.waiting.is_empty() {
            self.serial += 1;
            self.turns.insert((lane.served, self.serial, source));
        } else if lane.waiting.capacity() > self.bounds.messages / 4 || self.lanes.len() > self.turns.len() + IDLE {
            // A lane that a flood has stretched is not kept at that length, nor one for each address of a wide network.
            self.lanes.remove(&source);
        }
        true
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

    fn serve(lanes: &mut Lanes<(Source, u32)>, most: usize, cost: impl Fn(Source) -> u64) -> Vec<(Source, u32)> {
        let mut served = Vec::new();
        while served.len() < most
            && lanes.serve(|item| {
                served.push(item);
                cost(item.0)
            })
        {}
        served
    }

    #[test]
    fn each_source_has_the_same_time_whatever_its_messages_cost() {
        let mut lanes = lanes();
        flood(&mut lanes, A, 1, false);
        flood(&mut lanes, B, 1, false);
        let served = serve(&mut lanes, 33, |source| if source == A { 10 } else { 1 });
        assert_eq!(served.iter().filter(|(source, _)| *source == A).count(), 3, "{served:?}");
        let next = |lanes: &mut _| serve(lanes, 1, |_| 100)[0].0;
        lanes.offer(Source::Strangers, 1, (Source::Strangers, 0), |_| false);
        let soon: Vec<_> = (0..2).map(|_| next(&mut lanes)).collect();
        assert!(soon.contains(&Source::Strangers), "whoever comes anew waits for one message: {soon:?}");
    }

    #[test]
    fn who_was_silent_is_owed_no_more_than_who_was_not_and_who_paused_keeps_what_it_had() {
        let mut lanes = lanes();
        flood(&mut lanes, A, 1, false);
        assert_eq!(serve(&mut lanes, 30, |_| 10).len(), 30);
        flood(&mut lanes, B, 1, false);
        let served = serve(&mut lanes, 20, |_| 10);
        assert_eq!(served.iter().filter(|(source, _)| *source == B).count(), 10, "not all before A's next");
        let mut lanes = self::lanes();
        let mut order = Vec::new();
        for n in 0..5 {
            lanes.offer(A, 1, (A, n), |_| false);
            lanes.offer(B, 1, (B, n), |_| false);
            order.extend(serve(&mut lanes, 1, |source| if source == A { 100 } else { 1 }));
        }
        assert_eq!(order, [(A, 0), (B, 0), (B, 1), (B, 2), (B, 3)], "A had its time, though its lane was empty");
    }

    #[test]
    fn a_message_waits_for_one_of_each_other_source_however_many_wait_there() {
        let mut lanes = lanes();
        assert_eq!((flood(&mut lanes, A, 1, false), flood(&mut lanes, Source::Strangers, 1, false)), (40, 40));
        assert!(lanes.offer(B, 1, (B, 1), |_| false) && lanes.offer(B, 1, (B, 2), |_| false));
        let served = serve(&mut lanes, 6, |_| 1);
        let stranger = Source::Strangers;
        assert_eq!(served, [(A, 0), (stranger, 0), (B, 1), (A, 1), (stranger, 1), (B, 2)]);
    }

    #[test]
    fn a_lane_is_bounded_by_number_and_bytes_and_what_is_spared_has_more() {
        let mut lanes = lanes();
        assert_eq!((flood(&mut lanes, A, 1, false), flood(&mut lanes, A, 1, true)), (40, 10));
        assert_eq!((flood(&mut lanes, B, 100, false), flood(&mut lanes, B, 100, true)), (10, 3));
        lanes.push(A, 1, (A, 7777));
        let served: Vec<_> = serve(&mut lanes, 1000, |_| 1).into_iter().filter(|(source, _)| *source == A).collect();
        assert_eq!((served.len(), served.last()), (51, Some(&(A, 7777))), "a stream loses nothing, and each keeps its order");
        assert!(lanes.is_empty() && flood(&mut lanes, A, 1, false) == 40, "all is room again");
    }

    #[test]
    fn sources_that_have_come_and_gone_leave_little() {
        let mut lanes = lanes();
        for host in 0..5000_u32 {
            let source = Source::Host(std::net::Ipv4Addr::from_bits(host).into());
            assert!(lanes.offer(source, 1, (source, host), |_| false) && lanes.serve(|_| 1));
        }
        assert!(lanes.lanes.len() <= IDLE + 1, "{}", lanes.lanes.len());
    }
}
