//! Session descriptions: what we read out of one and write into one.

mod crypto;
mod reading;
mod writing;

pub use crypto::Crypto;

use crate::sip::reach::Protection;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Codecs that we relay or transcode today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// G.711 A-law, static payload type 8.
    Pcma,
    /// G.711 µ-law, static payload type 0.
    Pcmu,
}

/// From the describer's point of view, as the attribute is written (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

/// A codec that we know, with the payload type the description gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    pub codec: Codec,
    pub payload_type: u8,
}

/// The parts of a session description that we read and write: one audio stream over RTP/AVP, or over RTP/SAVP.
///
/// Further m-lines of an offer are remembered so that the answer can refuse each with port 0 (RFC 3264 §6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Keys for SRTP of the suites that we know, in the describer's order. Beside RTP/AVP they may be passed over (RFC 8643).
    pub crypto: Vec<Crypto>,
    /// It gives some key for SRTP, be it one that we cannot use.
    pub keyed: bool,
    /// For an offer that was read: index of the audio stream we use and every m-line's start as written
    /// (`video 0 RTP/AVP 96`), so that an answer can be shaped like it.
    pub m_lines: Vec<String>,
    pub audio_index: usize,
}

/// Why a body is not a session that we can serve. Of several streams the one that comes nearest tells why: the later here,
/// the nearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SdpError {
    /// There is no audio stream.
    NoAudio,
    /// Audio, but over another profile of RTP than we take from this peer.
    Transport,
    /// Audio over plain RTP, from a peer whose audio is to be sealed.
    Plain,
    /// SRTP without a key that we can use.
    Crypto,
    /// Port 0: the stream is offered as refused, or an answer refuses it (RFC 3264 §6).
    Refused,
    /// No codec that we know.
    Codec,
    /// An address that names no single host, or none outside the describer's own.
    Address,
    /// An address of a family in which we have none.
    Network,
    /// Not SDP: 400.
    Malformed,
    /// More than any call says: 413, before it is looked at.
    TooMuch,
}

/// The payload type that all the world gives to telephone-event.
pub const TELEPHONE_EVENT: u8 = 101;

impl Sdp {
    /// Its stream is one of those that are taken so.
    pub fn suits(&self, protection: Protection) -> bool {
        match protection {
            Protection::Any => true,
            Protection::Plain => !self.secure(),
            Protection::Sealed => !self.crypto.is_empty(),
        }
    }

    /// Its audio travels by SRTP or not at all.
    pub fn secure(&self) -> bool {
        self.m_lines.get(self.audio_index).and_then(|line| line.split(' ').nth(2)).is_some_and(is_secure)
    }
}

/// RFC 3711 §12 and RFC 5124: profiles of SRTP whose keys the description gives.
fn is_secure(profile: &str) -> bool {
    matches!(profile, "RTP/SAVP" | "RTP/SAVPF")
}

impl Codec {
    const ALL: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];

    /// The encoding name of a=rtpmap (RFC 3551 §6).
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcma => "PCMA",
            Codec::Pcmu => "PCMU",
        }
    }

    /// The static payload type (RFC 3551 §6).
    pub fn payload_type(self) -> u8 {
        match self {
            Codec::Pcma => 8,
            Codec::Pcmu => 0,
        }
    }
}

impl Direction {
    const ALL: [Direction; 4] = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];

    pub fn name(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }
}

impl SdpError {
    /// The warn-code and text of a refusal (RFC 3261 §20.43).
    pub fn warning(self) -> (u16, &'static str) {
        match self {
            SdpError::NoAudio => (304, "No audio stream"),
            SdpError::Transport => (302, "Only RTP/AVP and RTP/AVPF"),
            SdpError::Plain => (302, "Only SRTP with a=crypto, over TLS"),
            SdpError::Crypto => (302, "SRTP wants a=crypto: AES_CM_128_HMAC_SHA1_80, _32, AEAD_AES_128_GCM or AEAD_AES_256_GCM"),
            SdpError::Refused => (304, "No audio stream with a port"),
            SdpError::Codec => (305, "Only PCMA and PCMU"),
            SdpError::Address => (301, "Only a literal address of one host"),
            SdpError::Network => (300, "Incompatible network protocol"),
            SdpError::Malformed => (399, "Malformed session description"),
            SdpError::TooMuch => (399, "More lines, or longer ones, than a call needs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Suite;
    use crate::sip::reach::{Protection, Reach};

    const OFFER: &str = "v=0\r\no=- 20 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
        m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

    fn parse(text: &str) -> Sdp {
        Sdp::parse(text.as_bytes(), Reach::ALL).unwrap()
    }

    #[test]
    fn an_offer_is_read_and_written() {
        let sdp = parse(OFFER);
        let payload = |codec, payload_type| Payload { codec, payload_type };
        assert_eq!(sdp.payloads, [payload(Codec::Pcma, 8), payload(Codec::Pcmu, 0)]);
        assert_eq!((sdp.session, sdp.rtp, sdp.rtcp), ((20, 1), "192.0.2.7:40000".parse().unwrap(), None));
        assert_eq!((sdp.telephone_event, sdp.ptime, sdp.direction), (Some(101), 20, Direction::SendRecv));
        assert_eq!(sdp.to_bytes(), OFFER);
    }

    #[test]
    fn what_carriers_write_is_taken() {
        let plain = parse("v=0\nm=audio 4000 RTP/AVP 18 8 0\nc=IN IP4 192.0.2.7\n");
        assert_eq!(plain.payloads.iter().map(|p| p.payload_type).collect::<Vec<_>>(), [8, 0]);
        assert_eq!((plain.ptime, plain.direction, plain.telephone_event), (20, Direction::SendRecv, None));

        let odd = OFFER.replace("s=-", "s=\u{FFFD}").replace("o=- 20 1", "o=HuaweiUAC 99999999999999999999999 x");
        let odd =
            [odd.replace("m=audio ", "b=AS:64.5\r\nm=audio  ").as_bytes(), b"s=\xD5\x5C\r\ntrailing garbage\r\n\0\0"].concat();
        assert_eq!(Sdp::parse(&odd, Reach::ALL).unwrap().session, (0, 0));

        let session_level = parse(&OFFER.replace("t=0 0", "a=sendonly\r\nt=0 0").replace("a=sendrecv\r\n", ""));
        assert_eq!(session_level.direction, Direction::SendOnly);
        assert_eq!(parse(&OFFER.replace("RTP/AVP", "RTP/AVPF")).payloads.len(), 2);
        assert_eq!(parse(&OFFER.replace("telephone-event/8000", "Telephone-Event/16000")).telephone_event, None);
        assert_eq!(parse(&OFFER.replace("IN IP4 192.0.2.7", "IN IP6 2001:db8::7")).rtp, "[2001:db8::7]:40000".parse().unwrap());
        assert_eq!(parse(&OFFER.replace("a=ptime:20", "a=ptime:60\r\na=maxptime:30")).ptime, 30);
        assert_eq!(
            parse(&OFFER.replace("8 0 101", "97 8 101").replace("rtpmap:0 PCMU", "rtpmap:97 pcmu")).payloads[0].payload_type,
            97
        );
    }

    #[test]
    fn telephone_events_are_found_however_they_are_mapped() {
        let with = |formats: &str, maps: &str| {
            let offer =
                OFFER.replace("8 0 101", formats).replace("a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n", maps);
            parse(&offer).telephone_event
        };
        let wide = "a=rtpmap:101 telephone-event/16000\r\n";
        let narrow = "a=rtpmap:101 Telephone-Event/8000/1\r\n";
        assert_eq!(with("8 101 101 18 0", &[wide, narrow].concat()), Some(101));
        assert_eq!(with("8 101 101 18 0", &[narrow, wide].concat()), Some(101));
        assert_eq!(with("8 101", wide), None);
        assert_eq!(with("8 101 100", &[wide, "a=rtpmap:100 telephone-event/8000\r\n"].concat()), Some(100));
        assert_eq!(with("8 101", "a=rtpmap:101\ttelephone-event\r\n"), Some(101), "no clock");
        assert_eq!((with("8 0 101", ""), with("8 0 96", ""), with("8 0", "")), (Some(101), None, None), "no map");
        assert_eq!(with("8 101", "a=rtpmap:101 opus/48000/2\r\n"), None);
        assert_eq!(with("8 0", narrow), None, "a map of what is not offered");
        assert_eq!(with("8 97", "a=rtpmap:97 telephone-event/8000\r\n"), Some(97));
    }

    #[test]
    fn rtcp_goes_where_the_attribute_says() {
        let with = |a: &str| parse(&OFFER.replace("a=sendrecv", a));
        assert_eq!(with("a=rtcp:40009").rtcp, Some("192.0.2.7:40009".parse().unwrap()));
        assert_eq!(with("a=rtcp:40009 IN IP4 192.0.2.8").rtcp, Some("192.0.2.8:40009".parse().unwrap()));
        assert_eq!(with("a=rtcp:x").rtcp, None);
        let mux = with("a=rtcp-mux");
        assert!(mux.rtcp_mux);
        assert_eq!(parse(std::str::from_utf8(&mux.to_bytes()).unwrap()), mux);
    }

    #[test]
    fn an_answer_has_the_shape_of_the_offer() {
        let offer =
            OFFER.replace("m=audio", "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=audio 0 RTP/AVP 8\r\nm=audio");
        let offer = parse(&(offer + "m=image 6000 udptl t38\r\n"));
        assert_eq!((offer.audio_index, offer.m_lines.len(), offer.rtp.port()), (2, 4, 40000));
        let answer = Sdp { rtp: "192.0.2.1:20000".parse().unwrap(), payloads: offer.payloads[..1].to_vec(), ..offer };
        let text = String::from_utf8(answer.to_bytes().to_vec()).unwrap();
        let lines: Vec<_> = text.lines().filter(|l| l.starts_with("m=")).collect();
        assert_eq!(lines, ["m=video 0 RTP/AVP 96", "m=audio 0 RTP/AVP 8", "m=audio 20000 RTP/AVP 8 101", "m=image 0 udptl t38"]);
    }

    #[test]
    fn hold_is_told_in_two_ways() {
        assert!(parse(&OFFER.replace("c=IN IP4 192.0.2.7", "c=IN IP4 0.0.0.0")).rtp.ip().is_unspecified());
        assert_eq!(parse(&OFFER.replace("a=sendrecv", "a=inactive")).direction, Direction::Inactive);
    }

    const CRYPTO: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20\r\n\
        a=crypto:2 AEAD_AES_128_GCM inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw==\r\n\
        a=crypto:3 AES_192_CM_HMAC_SHA1_80 inline:AAAA\r\n";

    #[test]
    fn keys_are_read_and_written() {
        for profile in ["RTP/AVP", "RTP/SAVP", "RTP/SAVPF"] {
            let sdp = parse(&(OFFER.replace("RTP/AVP", profile) + CRYPTO));
            let known: Vec<(u32, Suite)> = sdp.crypto.iter().map(|crypto| (crypto.tag, crypto.suite)).collect();
            assert_eq!(known, [(1, Suite::Counter80), (2, Suite::Gcm128)]);
            assert_eq!(sdp.secure(), profile != "RTP/AVP");
            let written = String::from_utf8(sdp.to_bytes().to_vec()).unwrap();
            assert!(written.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"));
            assert_eq!(parse(&written).crypto, sdp.crypto);
            assert!(!format!("{sdp:?}").contains("WVNf") && !format!("{sdp:?}").contains("AAEC"), "{sdp:?}");
        }
    }

    #[test]
    fn of_a_secure_and_a_plain_stream_that_is_taken_which_the_peer_is_to_use() {
        let both = OFFER.replace("RTP/AVP", "RTP/SAVP") + CRYPTO + "m=audio 40002 RTP/AVP 8\r\n";
        let plain_first = OFFER.to_owned() + "m=audio 40002 RTP/SAVP 8\r\n" + CRYPTO;
        let port = |text: &str, protection| {
            let reach = Reach { protection, ..Reach::ALL };
            Sdp::parse(text.as_bytes(), reach).map(|sdp| sdp.rtp.port())
        };
        assert_eq!(port(&both, Protection::Any), Ok(40000));
        assert_eq!(port(&both, Protection::Plain), Ok(40002));
        assert_eq!(port(&plain_first, Protection::Sealed), Ok(40002));
        assert_eq!(port(OFFER, Protection::Sealed), Err(SdpError::Plain));
        assert_eq!(port(&(OFFER.to_owned() + CRYPTO), Protection::Sealed), Ok(40000), "keys beside plain RTP are an offer too");
        assert_eq!(port(&(OFFER.replace("RTP/AVP", "RTP/SAVP") + CRYPTO), Protection::Plain), Err(SdpError::Transport));
    }

    #[test]
    fn what_we_cannot_serve_is_refused() {
        let error = |text: &str| Sdp::parse(text.as_bytes(), Reach::ALL).unwrap_err();
        assert_eq!(error(&OFFER.replace("RTP/AVP", "UDP/TLS/RTP/SAVP")), SdpError::Transport);
        assert_eq!(error(&OFFER.replace("RTP/AVP", "RTP/SAVP")), SdpError::Crypto);
        assert_eq!(error(&OFFER.replace("8 0 101", "18 101")), SdpError::Codec);
        assert_eq!(error(&OFFER.replace("8 0 101", "101")), SdpError::Codec, "keys are no voice");
        assert_eq!(error(&OFFER.replace("192.0.2.7", "phone.example")), SdpError::Address);
        assert_eq!(error("v=0\r\n"), SdpError::NoAudio);
        assert_eq!(error(&OFFER.replace("audio 40000", "video 40000")), SdpError::NoAudio);
        assert_eq!(error(&OFFER.replace("audio 40000", "audio 0")), SdpError::Refused);
        let fax = OFFER.replace("audio 40000", "audio 0") + "m=image 40020 udptl t38\r\n";
        assert_eq!(error(&fax), SdpError::Refused);
        assert_eq!(error(&OFFER.replace("c=IN IP4 192.0.2.7\r\n", "")), SdpError::Malformed);
        assert_eq!(error(&OFFER.replace("40000", "400000")), SdpError::Malformed);
        assert_eq!(error("hello"), SdpError::Malformed);
        assert_eq!(error(&(OFFER.to_owned() + &"m=audio 1 RTP/AVP 8\r\n".repeat(16))), SdpError::Malformed);
    }

    #[test]
    fn the_first_stream_that_we_can_reach_is_taken() {
        let v4 = Reach { v6: false, loopback: false, ..Reach::ALL };
        let stream = |port, ip: &str| {
            let family = if ip.contains(':') { "IP6" } else { "IP4" };
            format!("m=audio {port} RTP/AVP 8\r\nc=IN {family} {ip}\r\n")
        };
        let read = |streams: &[String], reach| Sdp::parse(format!("v=0\r\n{}", streams.concat()).as_bytes(), reach);
        let both = [stream(4000, "2001:db8::7"), stream(0, "192.0.2.7"), stream(4004, "192.0.2.7")];
        let chosen = read(&both, v4).unwrap();
        assert_eq!((chosen.audio_index, chosen.rtp.port()), (2, 4004));
        assert_eq!(read(&both, Reach::ALL).unwrap().audio_index, 0);
        assert_eq!(read(&both[..2], v4), Err(SdpError::Network));
        for (ip, error) in [
            ("2001:db8::7", SdpError::Network),
            ("::", SdpError::Network),
            ("::ffff:192.0.2.7", SdpError::Network),
            ("127.0.0.1", SdpError::Address),
            ("224.2.1.1", SdpError::Address),
            ("255.255.255.255", SdpError::Address),
            ("240.0.0.1", SdpError::Address),
            ("0.0.0.9", SdpError::Address),
        ] {
            assert_eq!(read(&[stream(4000, ip)], v4), Err(error), "{ip}");
        }
        for ip in ["ff02::1", "fe80::1", "::1", "::ffff:192.0.2.7", "192.0.2.7"] {
            let v6 = Reach { v4: false, loopback: false, ..Reach::ALL };
            assert!(read(&[stream(4000, ip)], v6).is_err(), "{ip}");
        }
        assert!(read(&[stream(4000, "0.0.0.0")], v4).unwrap().rtp.ip().is_unspecified(), "on hold");
        let elsewhere = stream(4000, "192.0.2.7") + "a=rtcp:4001 IN IP4 224.0.0.1\r\n";
        assert_eq!(read(&[elsewhere], v4).unwrap().rtcp, None);
    }
}
