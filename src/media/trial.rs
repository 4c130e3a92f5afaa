//! Audio for an address that nobody has been heard from. Over UDP a message's source can be forged, and its SDP may name any
//! host: what one such message draws upon that host is bounded.

use std::time::Duration;

/// G.711's octets a millisecond.
const OCTETS: u32 = 8;
/// A packet counts for as much at least, however little is in it: 10 ms.
const LEAST: u32 = 80;

#[derive(Debug, Default)]
pub struct Trial {
    /// Octets that may still be sent; none: the peer has passed, or never had to.
    left: Option<u32>,
    passed: bool,
    told: bool,
}

impl Trial {
    /// A new address, perhaps. It gets no more than the one before has left.
    pub fn begin(&mut self, bound: Option<Duration>) {
        let octets = |bound: Duration| u32::try_from(bound.as_millis()).unwrap_or(u32::MAX).saturating_mul(OCTETS);
        self.left = bound.filter(|_| !self.passed).map(|bound| self.left.unwrap_or(octets(bound)));
    }

    pub fn pass(&mut self) {
        (self.left, self.passed) = (None, true);
    }

    pub fn runs(&self) -> bool {
        self.left.is_some()
    }

    /// Nothing more may be sent for now.
    pub fn over(&self) -> bool {
        self.left == Some(0)
    }

    pub fn sent(&mut self, octets: u32) {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(octets.max(LEAST));
        }
    }

    /// True the first time.
    pub fn tell(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }
}
