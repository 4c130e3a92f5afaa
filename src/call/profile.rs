use crate::base::Suite;
use crate::dialog::Media;
use crate::media::{Law, Profile};
use crate::sip::{Codec, Direction};

/// The outcome of offer and answer as the media plane wants it: it never reads SDP.
pub(super) fn profile(media: &Media) -> Profile {
    Profile {
        rtp: media.rtp,
        rtcp: media.rtcp,
        rtcp_mux: media.rtcp_mux,
        law: match media.codec {
            Codec::Pcma => Law::A,
            Codec::Pcmu => Law::Mu,
        },
        payload_type: media.payload_type,
        event_out: media.event_out,
        event_in: [media.event_in, media.event_out],
        ptime: media.ptime,
        may_send: matches!(media.direction, Direction::SendRecv | Direction::SendOnly),
        may_receive: matches!(media.direction, Direction::SendRecv | Direction::RecvOnly),
        trial: None,
    }
}

/// The agreement on a leg's audio, as records tell it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreed {
    pub codec: &'static str,
    /// The suite by which all of it was sealed; none where any was not.
    pub srtp: Option<Suite>,
}

impl Agreed {
    pub fn new(media: &Media, before: Option<Agreed>) -> Agreed {
        let srtp = media.srtp.as_ref().map(|keys| keys.suite).filter(|_| before.is_none_or(|before| before.srtp.is_some()));
        Agreed { codec: codec_name(media), srtp }
    }
}

/// The payload format's name in records.
fn codec_name(media: &Media) -> &'static str {
    match media.codec {
        Codec::Pcma => "PCMA",
        Codec::Pcmu => "PCMU",
    }
}

/// The peer does not want to hear us: it has put us on hold (RFC 3264 §8.4).
pub(super) fn on_hold(media: &Media) -> bool {
    matches!(media.direction, Direction::RecvOnly | Direction::Inactive)
}
