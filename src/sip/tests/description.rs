//! Descriptions that are too much.

use super::*;

const OFFER: &str = "v=0\r\no=- 20 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 8 0\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n";

fn parse(text: &str) -> Sdp {
    Sdp::parse(text.as_bytes(), Reach::ALL).unwrap()
}

#[test]
fn more_than_any_call_says_is_refused_before_it_is_looked_at() {
    let with = |formats: usize, attributes: usize| {
        let head = "v=0\r\nc=IN IP4 192.0.2.10\r\nm=audio 31000 RTP/AVP ";
        format!("{head}{}8\n{}", "9 ".repeat(formats), "a=rtpmap:1 a\n".repeat(attributes))
    };
    for (formats, attributes) in [(15_800, 2400), (1000, 100), (1, 1000)] {
        assert_eq!(
            Sdp::parse(with(formats, attributes).as_bytes(), Reach::ALL),
            Err(SdpError::TooMuch),
            "{formats} {attributes}"
        );
    }
    assert_eq!(parse(&with(490, 990)).payloads, [Payload { codec: Codec::Pcma, payload_type: 8 }]);
    let streams = format!("v=0\nc=IN IP4 192.0.2.10\n{}", "m=audio 31000 RTP/AVP 8\n".repeat(17));
    assert_eq!(Sdp::parse(streams.as_bytes(), Reach::ALL), Err(SdpError::Malformed));
    let long = format!("v=0\nc=IN IP4 192.0.2.10\nm=audio 31000 RTP/AVP 8\na=x:{}\n", "x".repeat(2000));
    assert_eq!(Sdp::parse(long.as_bytes(), Reach::ALL), Err(SdpError::TooMuch));
    let unread = format!("{OFFER}{}", "b=x\nz\n".repeat(5000));
    assert_eq!(parse(&unread).payloads.len(), 2, "what is not read costs nothing");
}

#[test]
fn the_first_map_of_a_payload_type_counts() {
    let twice = OFFER.replace("a=rtpmap:8 PCMA/8000", "a=rtpmap:8 x/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:200 PCMA/8000");
    assert_eq!(parse(&twice).payloads, [Payload { codec: Codec::Pcmu, payload_type: 0 }]);
}
