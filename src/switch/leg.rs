//! One party's leg of a call, as far as the switch must know it.

use super::keys::Keypad;
use super::proof::Proof;
use super::{Dtmf, Live};
use crate::base::LegId;
use crate::dialog::LocalSrtp;
use crate::media;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(super) struct Leg {
    pub(super) id: LegId,
    /// The Call-ID of the INVITE that we sent to it.
    pub(super) call_id: Option<String>,
    /// The Call-ID of the INVITE that came from it.
    pub(super) theirs: Bytes,
    /// Where its messages come from, or where it was called.
    pub(super) at: SocketAddr,
    /// Its voice comes and goes by IPv6.
    pub(super) ipv6: bool,
    /// Its media, while open.
    pub(super) rtp: Option<SocketAddr>,
    /// The trunk whose channel it takes.
    pub(super) trunk: Option<Arc<str>>,
    /// The seat that placed it.
    pub(super) seat: Option<Arc<str>>,
    pub(super) pad: Keypad,
    /// Our keys for SRTP with it.
    pub(super) srtp: Option<Arc<LocalSrtp>>,
    /// Where its media may come from.
    pub(super) origins: Arc<media::Origins>,
    pub(super) proof: Proof,
    pub(super) ended: bool,
    /// Its media is closed, or was never open.
    pub(super) closed: bool,
    /// The setup that named its peer, which may be newer than the one that the call began with: held, so that the peer is
    /// heard to the end.
    pub(super) _named_by: Arc<Live>,
    /// The host of a phone that registered: held, so that it is heard to the end of the call.
    pub(super) home: Option<Arc<()>>,
}

impl Leg {
    pub(super) fn new(
        id: LegId,
        at: SocketAddr,
        rtp: Option<SocketAddr>,
        origins: Arc<media::Origins>,
        named_by: Arc<Live>,
    ) -> Leg {
        let (pad, trunk, seat, call_id, ipv6) = (Keypad::new(Dtmf::Auto), None, None, None, at.is_ipv6());
        let (proof, ended, closed, theirs) = (Proof::Given, false, false, Bytes::new());
        Leg {
            id,
            call_id,
            theirs,
            at,
            ipv6,
            rtp,
            trunk,
            seat,
            pad,
            srtp: None,
            origins,
            proof,
            ended,
            closed,
            _named_by: named_by,
            home: None,
        }
    }

    /// Its dialog has this Call-ID.
    pub(super) fn has(&self, call_id: &[u8]) -> bool {
        let ours = self.call_id.as_ref().is_some_and(|ours| ours.as_bytes() == call_id);
        ours || !self.theirs.is_empty() && self.theirs == call_id
    }
}
