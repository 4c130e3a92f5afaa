use crate::base::Mono;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// More callers than a big city has in a day; the one whose conversation began first is forgotten first.
const REMEMBERED: usize = 16_384;

/// The seat that each caller talked to last. It is lost with the process: a caller then gets any seat.
#[derive(Clone, Debug, Default)]
pub(super) struct LastSeats {
    seats: BTreeMap<Arc<str>, (u64, Mono, Arc<str>)>,
    order: BTreeMap<u64, Arc<str>>,
}

impl LastSeats {
    /// `serial` is higher than any before it.
    pub fn remember(&mut self, caller: Arc<str>, serial: u64, now: Mono, seat: Arc<str>) {
        if let Some((old, ..)) = self.seats.insert(caller.clone(), (serial, now, seat)) {
            self.order.remove(&old);
        }
        self.order.insert(serial, caller);
        if self.seats.len() > REMEMBERED
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.seats.remove(&oldest);
        }
    }

    /// The seat, while the conversation with it is no longer ago than that.
    pub fn of(&self, caller: &str, now: Mono, within: Duration) -> Option<&Arc<str>> {
        self.seats.get(caller).filter(|(_, at, _)| now.since(*at) <= within).map(|(.., seat)| seat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_by_number_and_by_time() {
        let mut last = LastSeats::default();
        let caller = |n: usize| Arc::from(n.to_string());
        for n in 0..=REMEMBERED {
            last.remember(caller(n), n as u64, Mono(n as u64), "a".into());
        }
        last.remember(caller(1), 99_999, Mono(99_999), "b".into());
        let of = |n: usize, now| last.of(&caller(n), Mono(now), Duration::from_micros(100_000)).map(|seat| &**seat);
        assert_eq!((of(0, 99_999), of(1, 99_999), of(2, 99_999)), (None, Some("b"), Some("a")));
        assert_eq!((of(1, 199_999), of(1, 200_000), of(2, 200_000)), (Some("b"), None, None));
        assert_eq!((last.seats.len(), last.order.len()), (REMEMBERED, REMEMBERED));
    }
}
