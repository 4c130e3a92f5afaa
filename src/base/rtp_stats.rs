/// The figures of a leg's media (RFC 3550): the media plane counts them, the record keeps them.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RtpStats {
    pub received: u64,
    pub sent: u64,
    /// By RFC 3550 appendix A.3; may be negative.
    pub lost: i64,
    /// Milliseconds, RFC 3550 §6.4.1.
    pub jitter_ms: f32,
    /// Packets of ours that the peer's receiver reports said it lost.
    pub peer_lost: i64,
    /// Packets from others than the peer, dropped: from elsewhere, or where SRTP was agreed with a wrong tag or a second time.
    #[serde(default)]
    pub strangers: u64,
}
