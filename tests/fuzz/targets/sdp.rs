//! A session description: what we read of it we read again of what we write.

use super::work::counted;
use hotline::sip::{Reach, Sdp, SdpError};

pub fn target(data: &[u8]) {
    let (read, work) = counted(|| Sdp::parse(data, Reach::ALL));
    work.is_at_most(data.len(), (256, 2), (16 << 10, 64));
    let sdp = match read {
        Ok(sdp) => sdp,
        Err(error) => {
            let (code, text) = SdpError::warning(error);
            return assert!((300..400).contains(&code) && !text.is_empty());
        }
    };
    assert!(!sdp.payloads.is_empty() && sdp.rtp.port() != 0, "{sdp:?}");
    assert!(sdp.ptime > 0 && sdp.payloads.iter().all(|payload| payload.payload_type < 128), "{sdp:?}");
    let printed = sdp.to_bytes();
    let again = Sdp::parse(&printed, Reach::ALL).unwrap_or_else(|e| panic!("{e:?}: {}", printed.escape_ascii()));
    let known = |sdp: &Sdp| {
        let Sdp {
            session,
            rtp,
            rtcp,
            rtcp_mux,
            payloads,
            telephone_event,
            ptime,
            direction,
            crypto,
            keyed: _,
            audio_index,
            m_lines,
        } = sdp.clone();
        (session, rtp, rtcp, rtcp_mux, payloads, telephone_event, ptime, direction, crypto, audio_index, m_lines.len())
    };
    assert_eq!(known(&again), known(&sdp), "{}", printed.escape_ascii());
    let narrow = Reach { v6: false, loopback: false, ..Reach::ALL };
    if let Ok(sdp) = Sdp::parse(data, narrow) {
        assert!(sdp.rtp.is_ipv4() && !sdp.rtp.ip().is_loopback() && !sdp.rtp.ip().is_multicast(), "{sdp:?}");
        assert!(sdp.rtcp.is_none_or(|rtcp| rtcp.is_ipv4() && !rtcp.ip().is_loopback()), "{sdp:?}");
    }
}
