//! Offer and answer (RFC 3264) as pure functions over what we can do and what the peer said.

use crate::dialog::{LocalMedia, Media, keying};
use crate::sip::{Codec, Direction, Payload, Sdp, SdpError, TELEPHONE_EVENT};
use std::net::SocketAddr;

const PTIME: u8 = 20;

/// Everything we can do, as an offer.
pub(super) fn offer(local: &LocalMedia) -> Sdp {
    let (crypto, m_lines) = keying::offered(local);
    Sdp {
        session: (0, 0),
        rtp: local.rtp,
        rtcp: None,
        rtcp_mux: true,
        payloads: local.codecs.iter().map(|codec| Payload { codec: *codec, payload_type: static_type(*codec) }).collect(),
        telephone_event: Some(TELEPHONE_EVENT),
        ptime: PTIME,
        direction: Direction::SendRecv,
        keyed: !crypto.is_empty(),
        crypto,
        m_lines,
        audio_index: 0,
    }
}

/// Our answer: all common codecs in the offer's order and with its numbers (RFC 3264 §6.1); an error without a common one, or
/// where no voice can pass between our address and theirs.
pub(super) fn answer(offer: &Sdp, local: &LocalMedia) -> Result<Sdp, SdpError> {
    let crypto = keying::answered(offer, local)?;
    let payloads: Vec<Payload> = offer.payloads.iter().filter(|p| local.codecs.contains(&p.codec)).copied().collect();
    if payloads.is_empty() || !passable(local.rtp, offer.rtp) {
        return Err(SdpError::Codec);
    }
    let sends = receives(offer.direction) && sink(offer).is_some();
    Ok(Sdp {
        session: (0, 0),
        rtp: local.rtp,
        rtcp: None,
        rtcp_mux: offer.rtcp_mux,
        payloads,
        telephone_event: offer.telephone_event,
        ptime: PTIME,
        direction: direction(sends, self::sends(offer.direction)),
        keyed: crypto.is_some(),
        crypto: crypto.into_iter().collect(),
        m_lines: offer.m_lines.clone(),
        audio_index: offer.audio_index,
    })
}

/// Settles two descriptions, seen from ours; none when they have no codec in common, or no live stream. Whoever offered,
/// the first codec of the peer's that is also ours is the one to send.
pub(super) fn settle(ours: &Sdp, theirs: &Sdp) -> Option<Media> {
    let payload = theirs.payloads.iter().find(|p| ours.payloads.iter().any(|o| o.codec == p.codec))?;
    if !passable(ours.rtp, theirs.rtp) {
        return None;
    }
    let srtp = keying::settled(ours, theirs).ok()?;
    let rtp = sink(theirs);
    let rtcp_mux = ours.rtcp_mux && theirs.rtcp_mux;
    let sends = rtp.is_some() && sends(ours.direction) && receives(theirs.direction);
    let receives = receives(ours.direction) && self::sends(theirs.direction);
    Some(Media {
        rtp,
        rtcp: rtp.map(|rtp| if rtcp_mux { rtp } else { theirs.rtcp.unwrap_or_else(|| next_port(rtp)) }),
        rtcp_mux,
        codec: payload.codec,
        payload_type: payload.payload_type,
        event_out: theirs.telephone_event.filter(|_| ours.telephone_event.is_some()),
        event_in: ours.telephone_event,
        ptime: theirs.ptime,
        srtp,
        direction: direction(sends, receives),
    })
}

fn static_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
    }
}

/// Port 0 refuses the stream (RFC 3264 §6), and from one family of addresses nothing gets to the other.
fn passable(ours: SocketAddr, theirs: SocketAddr) -> bool {
    theirs.port() != 0 && ours.is_ipv4() == theirs.is_ipv4()
}

/// Where the describer wants RTP: nowhere when it holds the old way, with 0.0.0.0 (RFC 3264 §8.4).
fn sink(sdp: &Sdp) -> Option<SocketAddr> {
    Some(sdp.rtp).filter(|rtp| !rtp.ip().is_unspecified())
}

fn next_port(rtp: SocketAddr) -> SocketAddr {
    SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1))
}

fn sends(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::SendOnly)
}

fn receives(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::RecvOnly)
}

fn direction(sends: bool, receives: bool) -> Direction {
    match (sends, receives) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn local(codecs: Vec<Codec>) -> LocalMedia {
        LocalMedia { rtp: "192.0.2.1:20000".parse().unwrap(), codecs, srtp: None }
    }

    fn codec() -> impl Strategy<Value = Codec> {
        prop_oneof![Just(Codec::Pcma), Just(Codec::Pcmu)]
    }

    prop_compose! {
        fn theirs()(codecs in proptest::collection::vec(codec(), 0..3), event in proptest::option::of(96u8..127),
                    mux in any::<bool>(), (sends, receives) in any::<(bool, bool)>(), rtcp in any::<bool>(),
                    address in prop_oneof![Just("198.51.100.7:4000"), Just("0.0.0.0:4000"), Just("198.51.100.7:0")],
                    ptime in prop_oneof![Just(10u8), Just(20), Just(30)], extra in 0usize..3) -> Sdp {
            Sdp {
                rtp: address.parse().unwrap(),
                rtcp: rtcp.then(|| "198.51.100.8:5001".parse().unwrap()),
                rtcp_mux: mux,
                telephone_event: event,
                ptime,
                direction: direction(sends, receives),
                m_lines: vec!["video 9 RTP/AVP 96".to_owned(); extra + 1],
                audio_index: extra,
                ..offer(&local(codecs))
            }
        }
    }

    proptest! {
        #[test]
        fn an_answer_fits_its_offer(theirs in theirs(), ours in proptest::collection::vec(codec(), 1..3)) {
            let Ok(answer) = answer(&theirs, &local(ours.clone())) else {
                prop_assert!(theirs.rtp.port() == 0 || !theirs.payloads.iter().any(|p| ours.contains(&p.codec)));
                return Ok(());
            };
            prop_assert!(answer.payloads.iter().all(|p| theirs.payloads.contains(p) && ours.contains(&p.codec)));
            prop_assert_eq!(answer.telephone_event, theirs.telephone_event);
            prop_assert_eq!(&answer.m_lines, &theirs.m_lines);
            prop_assert!(answer.rtp.port() != 0 && theirs.rtp.port() != 0);
            prop_assert!(!answer.rtcp_mux || theirs.rtcp_mux);
            prop_assert!(!sends(answer.direction) || receives(theirs.direction) && sink(&theirs).is_some());
            prop_assert_eq!(receives(answer.direction), sends(theirs.direction));
        }

        #[test]
        fn both_sides_settle_on_the_same(theirs in theirs(), ours in proptest::collection::vec(codec(), 1..3)) {
            let Ok(answer) = answer(&theirs, &local(ours)) else { return Ok(()) };
            let here = settle(&answer, &theirs).unwrap();
            let there = settle(&theirs, &answer).unwrap();
            prop_assert_eq!(here.codec, there.codec);
            prop_assert_eq!(here.codec, answer.payloads[0].codec);
            prop_assert_eq!(here.rtcp_mux, there.rtcp_mux);
            prop_assert_eq!((here.event_in, here.event_out), (there.event_out, there.event_in));
            prop_assert_eq!(here.event_in, theirs.telephone_event);
            prop_assert_eq!(here.ptime, theirs.ptime);
            prop_assert!(!sends(here.direction) || here.rtp.is_some());
            if !theirs.rtp.ip().is_unspecified() {
                prop_assert_eq!(sends(here.direction), receives(there.direction));
                prop_assert_eq!(receives(here.direction), sends(there.direction));
            }
        }
    }

    #[test]
    fn events_have_a_number_each_way() {
        let us = offer(&local(vec![Codec::Pcma]));
        let answered = |telephone_event| {
            let theirs = Sdp { rtp: "198.51.100.7:4000".parse().unwrap(), telephone_event, ..us.clone() };
            let media = settle(&us, &theirs).unwrap();
            (media.event_in, media.event_out)
        };
        assert_eq!(answered(Some(101)), (Some(101), Some(101)));
        assert_eq!(answered(Some(96)), (Some(101), Some(96)), "the answer has a number of its own");
        assert_eq!(answered(None), (Some(101), None), "we take what we offered, and send nothing that nobody asked for");
    }

    #[test]
    fn hold_in_all_its_spellings() {
        let us = local(vec![Codec::Pcma]);
        let resumed = Sdp { rtp: "198.51.100.7:4000".parse().unwrap(), ..offer(&us) };
        let cases = [
            (Direction::SendOnly, "198.51.100.7:4000", Direction::RecvOnly, true),
            (Direction::Inactive, "198.51.100.7:4000", Direction::Inactive, true),
            (Direction::SendRecv, "0.0.0.0:4000", Direction::RecvOnly, false),
            (Direction::SendOnly, "0.0.0.0:4000", Direction::RecvOnly, false),
        ];
        for (theirs, rtp, ours, address) in cases {
            let hold = Sdp { direction: theirs, rtp: rtp.parse().unwrap(), ..resumed.clone() };
            let media = settle(&answer(&hold, &us).unwrap(), &hold).unwrap();
            assert_eq!((media.direction, media.rtp.is_some()), (ours, address), "{theirs:?} {rtp}");
        }
        assert_eq!(settle(&answer(&resumed, &us).unwrap(), &resumed).unwrap().direction, Direction::SendRecv);
    }

    #[test]
    fn a_stream_that_is_refused_or_out_of_reach_is_no_session() {
        let us = local(vec![Codec::Pcma]);
        for rtp in ["198.51.100.7:0", "0.0.0.0:0", "[2001:db8::7]:4000"] {
            let theirs = Sdp { rtp: rtp.parse().unwrap(), ..offer(&us) };
            assert!(answer(&theirs, &us).is_err() && settle(&offer(&us), &theirs).is_none(), "{rtp}");
        }
    }

    #[test]
    fn rtcp_goes_where_the_peer_says() {
        let us = local(vec![Codec::Pcma]);
        let theirs = Sdp { rtp: "198.51.100.7:4000".parse().unwrap(), rtcp_mux: false, ..offer(&us) };
        let rtcp = |theirs: &Sdp| settle(&answer(theirs, &us).unwrap(), theirs).unwrap().rtcp.unwrap().to_string();
        assert_eq!(rtcp(&theirs), "198.51.100.7:4001");
        assert_eq!(rtcp(&Sdp { rtcp: Some("198.51.100.9:7".parse().unwrap()), ..theirs.clone() }), "198.51.100.9:7");
        assert_eq!(rtcp(&Sdp { rtcp_mux: true, ..theirs }), "198.51.100.7:4000");
    }
}
