//! The part of a session that must survive. The networks of its peer come from the configuration, what was told of its media
//! follows from its description, and a 2xx of an INVITE that comes again is acknowledged anew. Keys of SRTP stand in it, and their roll-over
//! counters do not: whoever restores a session makes new keys and offers them before any packet leaves.

use crate::base::{Flow, Offset};
use crate::dialog::stream::{Stream, Wanted};
use crate::sip::{NameAddr, Uri};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A session at one moment at which no exchange in it is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionSnapshot {
    /// Our tag.
    pub(super) tag: String,
    pub(super) dialog: DialogSnapshot,
    pub(super) wanted: Option<Wanted>,
    pub(super) hold_off: Option<Offset>,
    pub(super) timer: Option<TimerSnapshot>,
    pub(super) owner: bool,
    pub(super) updates: bool,
    pub(super) referral: Option<ReferralSnapshot>,
    pub(super) referrals: u32,
}

/// From, To and Call-ID are bytes as the peer wrote them, which may be no UTF-8.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct DialogSnapshot {
    pub(super) call_id: Vec<u8>,
    pub(super) local: Vec<u8>,
    pub(super) remote: Vec<u8>,
    pub(super) target: Uri,
    pub(super) routes: Vec<NameAddr>,
    pub(super) remote_tag: String,
    pub(super) seq: u32,
    pub(super) remote_seq: Option<u32>,
    pub(super) flow: Flow,
    pub(super) stays: bool,
    pub(super) stream: Stream,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TimerSnapshot {
    pub(super) interval: Duration,
    pub(super) refresh: Option<Offset>,
    pub(super) expires: Offset,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ReferralSnapshot {
    pub(super) id: u32,
    pub(super) event: String,
    /// The status in the last NOTIFY; none where the referrer asked for silence.
    pub(super) told: Option<u16>,
    pub(super) until: Offset,
}
