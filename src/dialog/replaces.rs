//! Replaces (RFC 3891): the dialog that it names, and what may become of that.

use crate::sip::Replaces;

/// A dialog that a Replaces names (RFC 3891 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Early { ours: bool },
    Confirmed,
    Ended,
}

impl Found {
    /// Tells whether an INVITE may take its place, or else its refusal.
    pub(super) fn replaceable(self, replaces: &Replaces) -> Result<(), u16> {
        match self {
            Found::Early { ours: true } => Ok(()),
            Found::Early { ours: false } => Err(481),
            Found::Confirmed if replaces.early_only => Err(486),
            Found::Confirmed => Ok(()),
            Found::Ended => Err(603),
        }
    }

    /// Tells whether the call behind it may be moved. That it still rings is no obstacle, whoever placed it: both ends are
    /// ours, no INVITE need be sent (RFC 5589 §7.3 leaves such a transfer to the phone's cancelling first).
    pub(super) fn movable(self, replaces: &Replaces) -> bool {
        matches!(self, Found::Early { .. }) || self.replaceable(replaces).is_ok()
    }
}
