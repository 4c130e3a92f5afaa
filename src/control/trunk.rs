//! Trunks as operators see them.

use crate::base::Text;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A trunk at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct TrunkView {
    pub trunk: Arc<str>,
    pub channels: u32,
    /// Channels in use, both directions.
    pub taken: usize,
    /// Calls go out by it: it needs no registration, or has one.
    pub usable: bool,
    /// The addresses where it is called, as far as they are known.
    pub peers: Vec<PeerView>,
    /// By name.
    pub registrations: Vec<RegistrationView>,
}

/// An address of a trunk.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerView {
    pub address: SocketAddr,
    /// `up`; `down`: it answers no OPTIONS; or it rests since it was `silent`, or `unavailable` (503).
    pub state: &'static str,
    /// Until its rest is over.
    pub left: Option<Duration>,
    /// It is asked by OPTIONS.
    pub asked: bool,
}

/// One account of ours at a carrier.
#[derive(Clone, Debug, PartialEq)]
pub struct RegistrationView {
    pub name: Arc<str>,
    /// Its number at the carrier's domain, masked.
    pub aor: String,
    /// `registered`, `trying`, `failing`, `refused` or `withdrawn`.
    pub state: &'static str,
    /// Until the registration ends, where it is not refreshed.
    pub left: Option<Duration>,
    /// Until it is asked anew.
    pub next: Option<Duration>,
    /// Why the last attempt came to nothing.
    pub failure: Option<FailureView>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct FailureView {
    /// In a word, as programs read it.
    pub cause: &'static str,
    /// The one at fault, and what helps.
    pub words: Text,
    /// The carrier's answer, where it gave one.
    pub status: Option<u16>,
    pub ago: Duration,
}
