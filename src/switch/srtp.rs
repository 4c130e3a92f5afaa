//! Audio by SRTP: which parties have it, and the keys that they are offered.

use super::Switch;
use super::admit::Placer;
use crate::base::{MasterKey, Proto, Rng, Suite};
use crate::dialog::{Incoming, LocalSrtp};
use crate::sip::Crypto;
use std::sync::Arc;

/// The wish of a trunk or seat for SRTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Srtp {
    /// Neither offered nor taken.
    #[default]
    No,
    /// Offered, and taken where the peer offers it.
    Offer,
    /// No audio travels without it. Its keys are as secret as the messages that carry them: they go over TLS alone.
    Require,
}

impl Srtp {
    /// Help comes first: a call to an emergency line goes on without what is required.
    pub(super) fn for_call(self, emergency: bool) -> Srtp {
        if emergency && self == Srtp::Require { Srtp::Offer } else { self }
    }

    /// A call may go by this protocol.
    pub(super) fn goes_by(self, proto: Proto) -> bool {
        self != Srtp::Require || proto == Proto::Tls
    }

    /// Our keys for a leg whose messages travel by this protocol. In a call for help plain audio is better than none.
    pub(super) fn keys(self, proto: Proto, emergency: bool, rng: &mut Rng) -> Option<Arc<LocalSrtp>> {
        if self == Srtp::No {
            return None;
        }
        let key = |(suite, tag)| Crypto { tag, suite, key: MasterKey::new(suite, &rng.bytes()) };
        let suites = if self.goes_by(proto) { &Suite::ALL[..] } else { &[] };
        let keys = suites.iter().copied().zip(1..).map(key).collect();
        let required = self == Srtp::Require;
        Some(Arc::new(LocalSrtp { required, else_plain: !required || emergency, keys }))
    }
}

impl Switch {
    /// Our keys for the leg of whoever has sent an INVITE.
    pub(super) fn keys_for(&mut self, placer: &Placer, incoming: &Incoming, emergency: bool) -> Option<Arc<LocalSrtp>> {
        let srtp = match placer {
            Placer::Trunk(i) => self.setup.trunks[*i].srtp,
            Placer::Seat(i) | Placer::Nameless { lender: i, .. } => self.setup.seats[*i].srtp,
        };
        // A caller who needs help has whatever it offers.
        let srtp = if emergency && incoming.sealed && srtp == Srtp::No { Srtp::Offer } else { srtp.for_call(emergency) };
        srtp.keys(incoming.flow.proto, emergency, &mut self.rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_required_travel_over_tls_alone() {
        let mut rng = Rng::from_number(1);
        let mut keys = |srtp: Srtp, proto| srtp.keys(proto, false, &mut rng).map(|srtp| (srtp.required, srtp.keys.len()));
        for proto in [Proto::Udp, Proto::Tcp, Proto::Tls] {
            assert_eq!(keys(Srtp::No, proto), None);
            assert_eq!(keys(Srtp::Offer, proto), Some((false, 4)));
            assert_eq!(keys(Srtp::Require, proto), Some((true, if proto == Proto::Tls { 4 } else { 0 })));
        }
        assert_eq!(keys(Srtp::Require.for_call(true), Proto::Udp), Some((false, 4)), "an emergency line is reached");
        let plain = |srtp: Srtp, emergency, rng: &mut Rng| srtp.keys(Proto::Tls, emergency, rng).map(|srtp| srtp.else_plain);
        assert_eq!(plain(Srtp::Offer, false, &mut rng), Some(true));
        assert_eq!(plain(Srtp::Require, false, &mut rng), Some(false));
        assert_eq!(plain(Srtp::Require, true, &mut rng), Some(true));
    }

    #[test]
    fn each_leg_and_each_suite_has_a_key_of_its_own() {
        let mut rng = Rng::from_number(1);
        let all: Vec<String> = (0..50)
            .filter_map(|_| Srtp::Offer.keys(Proto::Tls, false, &mut rng))
            .flat_map(|srtp| srtp.keys.iter().map(|crypto| crypto.key.text()[..20].to_owned()).collect::<Vec<_>>())
            .collect();
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 200);
    }
}
