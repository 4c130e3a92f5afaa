//! Writing a session description, which a call does three times: it is written straight into one text.

use super::Sdp;
use crate::base::Dotted;
use bytes::Bytes;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

impl Sdp {
    /// As application/sdp. `m_lines` other than the audio stream are written refused.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = String::with_capacity(512);
        // Writing to a String does not fail.
        let _ = self.write(&mut out);
        out.into()
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let ((id, version), ip) = (self.session, self.rtp.ip());
        let (kind, ip) = (address_type(ip), Dotted(ip));
        write!(out, "v=0\r\no=- {id} {version} IN {kind} {ip}\r\ns=-\r\nc=IN {kind} {ip}\r\nt=0 0\r\n")?;
        let audio = self.m_lines.get(self.audio_index).map_or("audio 0 RTP/AVP 0", String::as_str);
        for (i, line) in self.m_lines.iter().enumerate() {
            if i == self.audio_index {
                self.write_audio(out, audio)?;
            } else {
                let [media, proto, formats] = m_fields(line);
                write!(out, "m={media} 0 {proto} {formats}\r\n")?;
            }
        }
        if self.audio_index >= self.m_lines.len() { self.write_audio(out, audio) } else { Ok(()) }
    }

    /// The audio stream, over the profile that the offer's m-line names.
    fn write_audio(&self, out: &mut String, m_line: &str) -> fmt::Result {
        let [media, proto, formats] = m_fields(m_line);
        write!(out, "m={media} {} {proto}", self.rtp.port())?;
        self.payloads.iter().map(|p| p.payload_type).chain(self.telephone_event).try_for_each(|t| write!(out, " {t}"))?;
        if self.payloads.is_empty() && self.telephone_event.is_none() {
            write!(out, " {formats}")?;
        }
        out.push_str("\r\n");
        for p in &self.payloads {
            write!(out, "a=rtpmap:{} {}/8000\r\n", p.payload_type, p.codec.name())?;
        }
        if let Some(t) = self.telephone_event {
            write!(out, "a=rtpmap:{t} telephone-event/8000\r\na=fmtp:{t} 0-15\r\n")?;
        }
        write!(out, "a=ptime:{}\r\na={}\r\n", self.ptime, self.direction.name())?;
        for crypto in &self.crypto {
            write!(out, "a=crypto:{} {} inline:{}\r\n", crypto.tag, crypto.suite.name(), crypto.key.text())?;
        }
        if let Some(rtcp) = self.rtcp {
            write!(out, "a=rtcp:{} IN {} {}\r\n", rtcp.port(), address_type(rtcp.ip()), Dotted(rtcp.ip()))?;
        }
        if self.rtcp_mux {
            out.push_str("a=rtcp-mux\r\n");
        }
        Ok(())
    }
}

/// Media, profile and formats of an m-line as [`Sdp::m_lines`] keeps it.
fn m_fields(line: &str) -> [&str; 3] {
    // Text behind a line's end would be a line of its own.
    let line = line.split(['\r', '\n', '\0']).next().unwrap_or_default();
    let mut fields = line.splitn(4, ' ').filter(|field| !field.is_empty());
    let media = fields.next().unwrap_or("audio");
    let _port = fields.next();
    [media, fields.next().unwrap_or("RTP/AVP"), fields.next().unwrap_or("0")]
}

fn address_type(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "IP4" } else { "IP6" }
}
