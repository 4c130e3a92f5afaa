//! Audio for who has not shown that it is there. A datagram's source can be forged, and its SDP can name any host: until the
//! caller has answered, an address outside its own networks gets little.

use super::{Output, Switch};
use crate::base::{CallId, Flow, LegId, Now, Proto, SrtpKeys};
use crate::call::LegNo;
use crate::media;
use std::sync::Arc;
use std::time::Duration;

/// How much audio an address gets that nothing speaks for.
#[derive(Clone, Copy, Debug)]
pub struct Unproven {
    pub audio: Duration,
    /// The same in calls to emergency lines.
    pub emergency: Duration,
}

/// Tells what is known of who wrote a leg's SDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Proof {
    /// It answered us, or its connection stands.
    #[default]
    Given,
    Missing,
    /// Missing, and its audio is bounded for that.
    Awaited,
}

impl Proof {
    /// The proof of a caller whose INVITE came this way. A connection is set up with whoever has its address.
    pub fn by(flow: Flow) -> Proof {
        if flow.proto == Proto::Udp { Proof::Missing } else { Proof::Given }
    }
}

impl Switch {
    pub(super) fn profile(
        &mut self,
        id: CallId,
        leg_no: LegNo,
        (profile, keys): (media::Profile, Option<Arc<SrtpKeys>>),
        out: &mut Vec<Output>,
    ) {
        let mut profile = self.agreed(id, leg_no, profile);
        if let Some(active) = self.calls.get_mut(&id)
            && let Some(leg) = active.legs.get_mut(&leg_no).filter(|leg| leg.proof != Proof::Given)
        {
            let networks = &leg.origins.networks;
            let ours = profile.rtp.is_none_or(|rtp| networks.iter().any(|network| network.contains(rtp.ip().to_canonical())));
            let Unproven { audio, emergency } = self.fixed.media.unproven;
            profile.trial = (!ours).then_some(if active.emergency { emergency } else { audio });
            leg.proof = if ours { Proof::Missing } else { Proof::Awaited };
        }
        self.media(id, leg_no, out, |leg| media::Command::Profile { leg, profile, keys });
    }

    /// A request within its dialog: only who has our response can send one.
    pub(super) fn proven(&mut self, leg: LegId, out: &mut Vec<Output>) {
        let Some(&(id, leg_no)) = self.leg_calls.get(&leg) else { return };
        let Some(leg) = self.calls.get_mut(&id).and_then(|active| active.legs.get_mut(&leg_no)) else { return };
        if std::mem::take(&mut leg.proof) == Proof::Awaited {
            self.media(id, leg_no, out, |leg| media::Command::Proven { leg });
        }
    }

    pub(super) fn withheld(&mut self, now: Now, leg: LegId) {
        self.counters.withheld += 1;
        let Some((id, leg_no)) = self.leg_calls.get(&leg) else { return };
        let Some(unsaid) = self.notices.may_say(now.mono, self.setup.notices) else { return };
        let Some(active) = self.calls.get(id) else { return };
        let source = active.legs.get(leg_no).map(|leg| leg.at);
        tracing::warn!(
            call = %id, trunk = %active.identity.trunk, source = source.map(tracing::field::display),
            unsaid = (unsaid > 0).then_some(unsaid),
            "audio waits for a sign of the caller: its SDP names a host outside the trunk's `addresses` and `media`"
        );
    }
}
