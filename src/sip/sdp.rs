use bytes::Bytes;
use std::net::SocketAddr;

/// What we relay or transcode today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 A-law, static payload type 8.
    Pcma,
    /// G.711 µ-law, static payload type 0.
    Pcmu,
}

/// From the describer's point of view, as the attribute is written (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

/// A codec that we know, with the payload type the description gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    pub codec: Codec,
    pub payload_type: u8,
}

/// What we read out of, and write into, a session description: one audio stream over RTP/AVP.
///
/// Further m-lines of an offer are remembered so that the answer can refuse each with port 0 (RFC 3264 §6).
#[derive(Clone, Debug, PartialEq)]
pub struct Sdp {
    /// o= session id and version.
    pub session: (u64, u64),
    /// Where the describer receives RTP. Port 0: the stream is refused. Address 0.0.0.0: old-style hold.
    pub rtp: SocketAddr,
    /// Where it receives RTCP when a=rtcp (RFC 3605) says so; else `rtp` port + 1.
    pub rtcp: Option<SocketAddr>,
    pub rtcp_mux: bool,
    /// Known codecs in the describer's order of preference.
    pub payloads: Vec<Payload>,
    /// Payload type of telephone-event/8000 (RFC 4733).
    pub telephone_event: Option<u8>,
    /// Milliseconds a packet; 20 when absent.
    pub ptime: u8,
    pub direction: Direction,
    /// For an offer that was read: index of the audio stream we use and every m-line's start as written
    /// (`video 0 RTP/AVP 96`), so that an answer can be shaped like it.
    pub m_lines: Vec<String>,
    pub audio_index: usize,
}

/// Why a body is not a session that we can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdpError {
    /// Not SDP: 400.
    Malformed,
    /// No audio stream over plain RTP, or no codec we know: 488.
    NothingUsable,
}

impl Sdp {
    pub fn parse(body: &[u8]) -> Result<Sdp, SdpError> {
        let _ = body;
        todo!()
    }

    /// As application/sdp. `m_lines` other than the audio stream are written refused.
    pub fn to_bytes(&self) -> Bytes {
        todo!()
    }
}
