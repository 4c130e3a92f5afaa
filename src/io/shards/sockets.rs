//! A media thread's sockets: pairs bound ahead of use, and those of open legs, each at the place that the poll names.

use super::pair::Pair;
use crate::base::{LegId, Map, MapSeed};
use nix::sys::epoll::Epoll;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

/// A pair is held by nobody yet, or by a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Nobody(SocketAddr),
    Leg(LegId, SocketAddr),
}

pub struct Sockets {
    places: Vec<Option<(Holder, Pair)>>,
    free: Vec<usize>,
    /// Pairs bound ahead, as many as the switch asks for.
    bound: BTreeMap<SocketAddr, usize>,
    legs: Map<LegId, usize>,
}

impl Sockets {
    pub fn new(seed: MapSeed) -> Sockets {
        Sockets { places: Vec::new(), free: Vec::new(), bound: BTreeMap::new(), legs: Map::with_hasher(seed) }
    }

    pub fn at(&self, place: usize) -> Option<(Holder, &Pair)> {
        self.places.get(place)?.as_ref().map(|(holder, pair)| (*holder, pair))
    }

    pub fn of(&self, leg: LegId) -> Option<&Pair> {
        self.places.get(*self.legs.get(&leg)?)?.as_ref().map(|(_, pair)| pair)
    }

    pub fn of_mut(&mut self, leg: LegId) -> Option<&mut Pair> {
        self.places.get_mut(*self.legs.get(&leg)?)?.as_mut().map(|(_, pair)| pair)
    }

    /// Binds the pair for nobody yet, unless it is. The poll tells of what comes to it from then on.
    pub fn bind(&mut self, poll: &Epoll, rtp: SocketAddr) -> io::Result<()> {
        if self.bound.contains_key(&rtp) {
            return Ok(());
        }
        let pair = Pair::bind(rtp)?;
        let place = self.free.last().copied().unwrap_or(self.places.len());
        pair.listen(poll, 2 * place as u64)?;
        if self.free.pop().is_none() {
            self.places.push(None);
        }
        self.places[place] = Some((Holder::Nobody(rtp), pair));
        self.bound.insert(rtp, place);
        Ok(())
    }

    /// A leg takes a pair that is bound. `stale` is told of what came to it before.
    pub fn open(&mut self, leg: LegId, rtp: SocketAddr, stale: impl FnMut(&[u8], SocketAddr)) {
        let Some(place) = self.bound.remove(&rtp) else { return };
        if let Some(Some((holder, pair))) = self.places.get_mut(place) {
            *holder = Holder::Leg(leg, rtp);
            pair.clear(stale);
            self.legs.insert(leg, place);
        }
    }

    /// False: no such pair is bound for nobody.
    pub fn unbind(&mut self, rtp: SocketAddr) -> bool {
        self.bound.remove(&rtp).is_some_and(|place| self.vacate(place))
    }

    pub fn close(&mut self, leg: LegId) {
        if let Some(place) = self.legs.remove(&leg) {
            self.vacate(place);
        }
    }

    /// Closes everything, leg by leg; none: the last one is gone.
    pub fn pop(&mut self) -> Option<(LegId, SocketAddr)> {
        while let Some(place) = self.places.pop() {
            if let Some((Holder::Leg(leg, rtp), _)) = place {
                return Some((leg, rtp));
            }
        }
        self.free.clear();
        self.bound.clear();
        self.legs.clear();
        None
    }

    /// Closing a socket takes it off the poll.
    fn vacate(&mut self, place: usize) -> bool {
        self.places[place] = None;
        self.free.push(place);
        true
    }
}
