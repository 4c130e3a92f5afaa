use std::time::Duration;

/// Monotonic time: microseconds since an arbitrary start. All timers count in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

/// Wall-clock time: microseconds since 1970-01-01T00:00:00Z. Only records and dial plans read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Wall(pub i64);

/// The moment at which an input happens. Every state machine takes it as an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    pub mono: Mono,
    pub wall: Wall,
}

impl Mono {
    /// The moment `by` later, saturating at the end of time.
    pub fn after(self, by: Duration) -> Mono {
        Mono(self.0.saturating_add(micros(by)))
    }

    pub fn before(self, by: Duration) -> Mono {
        Mono(self.0.saturating_sub(micros(by)))
    }

    /// How long since `earlier`; zero when `earlier` is in the future.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A moment as its distance from another one, in microseconds, for whom another clock runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Offset(i64);

impl Mono {
    /// The distance of this moment from `now`.
    pub fn offset_from(self, now: Mono) -> Offset {
        Offset(self.0.wrapping_sub(now.0).cast_signed())
    }

    /// The moment at this distance from `self`.
    pub fn at(self, offset: Offset) -> Mono {
        Mono(self.0.saturating_add_signed(offset.0))
    }
}

impl Wall {
    /// Milliseconds since 1970, as UUIDv7 and journals count; 0 before 1970.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0 / 1000).unwrap_or(0)
    }

    /// The moment `by` later, saturating at the end of time.
    pub fn after(self, by: Duration) -> Wall {
        Wall(self.0.saturating_add(i64::try_from(micros(by)).unwrap_or(i64::MAX)))
    }
}

impl Now {
    /// Both clocks, `by` later.
    pub fn after(self, by: Duration) -> Now {
        let step = i64::try_from(micros(by)).unwrap_or(i64::MAX);
        Now { mono: self.mono.after(by), wall: Wall(self.wall.0.saturating_add(step)) }
    }
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}
