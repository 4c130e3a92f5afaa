//! Reading a session description over the `sdp-types` crate, which parses the lines; what they mean to us is here.

use super::{Codec, Crypto, Direction, Payload, Sdp, SdpError, TELEPHONE_EVENT, is_secure};
use crate::sip::reach::{Protection, Reach};
use crate::sip::text::number;
use sdp_types::{Attribute, Media, Session};
use std::net::{IpAddr, SocketAddr};

/// More m-lines than this are not a call.
const MAX_M_LINES: usize = 16;
/// RTP has seven bits for it.
const PAYLOAD_TYPES: usize = 128;
/// More lines of the kinds that we read, or a longer one, are not either. A browser's offer with video has some 200 lines.
const MAX_LINES: usize = 1000;
const MAX_LINE: usize = 1024;
/// Phones offer one key for each suite.
const MAX_KEYS: usize = 16;

impl Sdp {
    /// The first audio stream that lives and that we can take (RFC 3264 §6): a description without one is no session.
    pub fn parse(body: &[u8], reach: Reach) -> Result<Sdp, SdpError> {
        let session = Session::parse(&readable(body)?).map_err(|_| SdpError::Malformed)?;
        if session.medias.len() > MAX_M_LINES {
            return Err(SdpError::Malformed);
        }
        let m_lines = session.medias.iter().map(m_line).collect();
        let Usable { index: audio_index, audio, rtp, payloads } = choose(&session, reach)?;
        Ok(Sdp {
            session: origin(body),
            rtp,
            rtcp: rtcp(audio, rtp).filter(|rtcp| reach.gets_to(rtcp.ip())),
            rtcp_mux: audio.has_attribute("rtcp-mux"),
            payloads,
            telephone_event: telephone_event(audio),
            ptime: ptime(audio),
            direction: direction(&audio.attributes).or_else(|| direction(&session.attributes)).unwrap_or(Direction::SendRecv),
            crypto: crypto(audio),
            keyed: audio.has_attribute("crypto"),
            m_lines,
            audio_index,
        })
    }
}

/// The lines that we read: v=, c=, m=, a=, in well-formed text. `sdp-types` reads those strictly enough; about the others
/// (a GBK session name, bandwidth in decimals, a version beyond 64 bits, trailing garbage) it is stricter than phones are.
fn readable(body: &[u8]) -> Result<Vec<u8>, SdpError> {
    let (mut out, mut lines) = (Vec::with_capacity(body.len()), 0);
    for line in body.split(|b| *b == b'\n') {
        let Ok(line) = std::str::from_utf8(line.trim_ascii()) else { continue };
        if line.contains(['\r', '\0']) {
            continue;
        }
        match line.as_bytes() {
            [b'v' | b'a', b'=', ..] => out.extend_from_slice(line.as_bytes()),
            [b'c' | b'm', b'=', ..] => {
                for (i, word) in line.split_ascii_whitespace().enumerate() {
                    if i > 0 {
                        out.push(b' ');
                    }
                    out.extend_from_slice(word.as_bytes());
                }
            }
            _ => continue,
        }
        lines += 1;
        if lines > MAX_LINES || line.len() > MAX_LINE {
            return Err(SdpError::TooMuch);
        }
        out.push(b'\n');
    }
    Ok(out)
}

/// Session id and version of o=; 0 where they are no numbers.
fn origin(body: &[u8]) -> (u64, u64) {
    let line = body.split(|b| *b == b'\n').find_map(|l| l.strip_prefix(b"o=")).unwrap_or_default();
    let mut fields = line.split(u8::is_ascii_whitespace).filter(|f| !f.is_empty()).skip(1).map(|f| number(f).unwrap_or(0));
    (fields.next().unwrap_or(0), fields.next().unwrap_or(0))
}

/// A stream that we can take.
struct Usable<'a> {
    index: usize,
    audio: &'a Media,
    rtp: SocketAddr,
    payloads: Vec<Payload>,
}

fn choose(session: &Session, reach: Reach) -> Result<Usable<'_>, SdpError> {
    let mut why = SdpError::NoAudio;
    for (index, audio) in session.medias.iter().enumerate() {
        match judge(session, audio, reach) {
            Ok((rtp, payloads)) => return Ok(Usable { index, audio, rtp, payloads }),
            Err(error) => why = why.max(error),
        }
    }
    Err(why)
}

fn judge(session: &Session, audio: &Media, reach: Reach) -> Result<(SocketAddr, Vec<Payload>), SdpError> {
    if !audio.media.eq_ignore_ascii_case("audio") {
        return Err(SdpError::NoAudio);
    }
    let secure = is_secure(&audio.proto);
    if !secure && audio.proto != "RTP/AVP" && audio.proto != "RTP/AVPF" || secure && reach.protection == Protection::Plain {
        return Err(SdpError::Transport);
    }
    if audio.port == 0 {
        return Err(SdpError::Refused);
    }
    if (secure || reach.protection == Protection::Sealed) && crypto(audio).is_empty() {
        return Err(if secure { SdpError::Crypto } else { SdpError::Plain });
    }
    let payloads = payloads(audio);
    if payloads.is_empty() {
        return Err(SdpError::Codec);
    }
    Ok((SocketAddr::new(address(session, audio, reach)?, audio.port), payloads))
}

/// The stream's own c= before the session's (RFC 8866 §5.7). Names are not looked up, groups not joined.
fn address(session: &Session, audio: &Media, reach: Reach) -> Result<IpAddr, SdpError> {
    let connection = audio.connections.first().or(session.connection.as_ref()).ok_or(SdpError::Malformed)?;
    let ip: IpAddr = connection.connection_address.parse().map_err(|_| SdpError::Address)?;
    if !reach.speaks(ip) {
        return Err(SdpError::Network);
    }
    // 0.0.0.0 is no address but a hold in its old spelling (RFC 3264 §8.4).
    if ip.is_unspecified() || reach.gets_to(ip) { Ok(ip) } else { Err(SdpError::Address) }
}

/// `a=rtcp:port` or `a=rtcp:port IN IP4 address` (RFC 3605 §2.1).
fn rtcp(audio: &Media, rtp: SocketAddr) -> Option<SocketAddr> {
    let mut fields = audio.get_first_attribute_value("rtcp")??.split_ascii_whitespace();
    let port = number(fields.next()?.as_bytes())?;
    let ip = fields.nth(2).and_then(|ip| ip.parse().ok()).unwrap_or(rtp.ip());
    Some(SocketAddr::new(ip, port))
}

/// Keys for SRTP that we can use.
fn crypto(audio: &Media) -> Vec<Crypto> {
    let values = audio.attributes.iter().filter(|a| a.attribute == "crypto").filter_map(|a| a.value.as_deref());
    values.filter_map(Crypto::read).take(MAX_KEYS).collect()
}

fn formats(audio: &Media) -> impl Iterator<Item = u8> {
    audio.fmt.split_ascii_whitespace().filter_map(|t| number(t.as_bytes())).filter(|t: &u8| *t < PAYLOAD_TYPES as u8)
}

/// The words of a=rtpmap on each payload type, the first one counts. Read once: a description that has many of both must not
/// cost their product.
fn rtpmaps(audio: &Media) -> [Option<&str>; PAYLOAD_TYPES] {
    let mut maps = [None; PAYLOAD_TYPES];
    for (payload_type, encoding) in mapped(audio) {
        if let Some(map) = maps.get_mut(payload_type) {
            map.get_or_insert(encoding);
        }
    }
    maps
}

/// Payload types and what a=rtpmap says of each. A description may map one number several times.
fn mapped(audio: &Media) -> impl Iterator<Item = (usize, &str)> {
    let maps = audio.attributes.iter().filter(|a| a.attribute == "rtpmap").filter_map(|a| a.value.as_deref());
    let named = maps.filter_map(|v| v.trim().split_once(|c: char| c.is_ascii_whitespace()));
    named.filter_map(|(t, encoding)| Some((number(t.as_bytes())?, encoding.trim())))
}

fn payloads(audio: &Media) -> Vec<Payload> {
    let (mut found, maps) = (Vec::<Payload>::new(), rtpmaps(audio));
    for payload_type in formats(audio) {
        let codec = Codec::ALL.into_iter().find(|c| match maps[usize::from(payload_type)] {
            Some(encoding) => is_encoding(encoding, c.name()),
            None => c.payload_type() == payload_type,
        });
        if let Some(codec) = codec.filter(|c| found.iter().all(|p| p.codec != *c)) {
            found.push(Payload { codec, payload_type });
        }
    }
    found
}

/// Only at 8000 Hz: the clock must be that of the speech it stands among (RFC 4733 §2.1). Any of a number's maps will do;
/// and the number that everybody uses needs none.
fn telephone_event(audio: &Media) -> Option<u8> {
    let mut listed = [false; PAYLOAD_TYPES];
    formats(audio).for_each(|t| listed[usize::from(t)] = true);
    let is_listed = |t: usize| listed.get(t) == Some(&true);
    let event = mapped(audio).find(|(t, encoding)| is_listed(*t) && is_encoding(encoding, "telephone-event"));
    let usual = usize::from(TELEPHONE_EVENT);
    let unmapped = || is_listed(usual) && mapped(audio).all(|(t, _)| t != usual);
    event.map(|(t, _)| t as u8).or_else(|| unmapped().then_some(TELEPHONE_EVENT))
}

/// `PCMA/8000` or `PCMA/8000/1`, in any case; a clock that is left out is that of G.711.
fn is_encoding(text: &str, name: &str) -> bool {
    let mut parts = text.split('/').map(str::trim);
    parts.next().is_some_and(|n| n.eq_ignore_ascii_case(name))
        && parts.next().is_none_or(|clock| clock == "8000")
        && parts.next().is_none_or(|channels| channels == "1")
}

fn ptime(audio: &Media) -> u8 {
    let read = |name| audio.get_first_attribute_value(name)??.trim().parse().ok().filter(|ms: &u8| *ms > 0);
    let ptime = read("ptime").unwrap_or(20);
    read("maxptime").map_or(ptime, |max| max.min(ptime))
}

fn direction(attributes: &[Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|a| Direction::ALL.into_iter().find(|d| d.name() == a.attribute))
}

fn m_line(m: &Media) -> String {
    format!("{} {} {} {}", m.media, m.port, m.proto, m.fmt)
}
