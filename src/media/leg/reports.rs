//! A leg's RTCP, and its figures for the record.

use super::{Leg, sealing};
use crate::base::{Mono, Now, RtpStats};
use crate::media::out::{Out, Socket};
use crate::media::rtcp::{self, LastReport, Sent};
use std::net::SocketAddr;

impl Leg {
    /// Reads the peer's RTCP; false: it is none, or not the peer's.
    pub fn receive_rtcp(&mut self, now: Mono, bytes: &[u8], from: SocketAddr) -> bool {
        let Some(profile) = &self.profile else { return false };
        // Its port may be anyone's behind a NAT; its host is the one that RTP comes from.
        let known = [self.latch.destination(), profile.rtp, profile.rtcp];
        if !known.iter().flatten().any(|peer| peer.ip() == from.ip()) {
            self.strangers += 1;
            return false;
        }
        let ours = self.egress.ssrc();
        let received = match sealing(&mut self.srtp) {
            None => rtcp::read(bytes, ours),
            Some(srtp) => match srtp.open_rtcp(bytes) {
                Some(plain) => rtcp::read(plain, ours),
                None => {
                    self.strangers += 1;
                    None
                }
            },
        };
        let Some(received) = received else { return false };
        if self.trial.runs() && profile.rtp.is_some_and(|rtp| rtp.ip() == from.ip()) {
            self.trial.pass();
        }
        self.rtcp_source = Some(from);
        if let Some(ntp) = received.ntp {
            self.last_report = Some(LastReport { ntp, at: now });
        }
        self.peer_lost = received.lost.map_or(self.peer_lost, i64::from);
        true
    }

    /// Sends a report, and with it a BYE when the leg ends (RFC 3550 §6.3.7).
    pub fn report(&mut self, now: Now, bye: bool, out: &mut Out) {
        let Some((socket, to)) = self.rtcp_destination() else { return };
        let start = out.bytes.len();
        let sent = (self.sent > self.sent_at_report).then(|| Sent {
            ntp: rtcp::ntp(now.wall),
            timestamp: self.egress.timestamp_at(now.mono),
            packets: self.sent as u32,
            octets: self.octets as u32,
        });
        self.sent_at_report = self.sent;
        let heard = self.reception.quality().map(|quality| (quality, self.last_report));
        rtcp::write_report(&mut out.bytes, now.mono, self.egress.ssrc(), sent, heard, &self.cname);
        if bye {
            rtcp::write_bye(&mut out.bytes, self.egress.ssrc());
        }
        let start = match sealing(&mut self.srtp) {
            None => Some(start),
            Some(srtp) => srtp.seal_rtcp(&mut out.bytes, start),
        };
        if let Some(start) = start {
            out.send_since(start, self.id, socket, to);
        }
    }

    pub fn stats(&self) -> RtpStats {
        RtpStats {
            received: self.reception.total(),
            sent: self.sent,
            lost: self.reception.lost(),
            jitter_ms: self.reception.jitter_ms(),
            peer_lost: self.peer_lost,
            strangers: self.strangers,
        }
    }

    fn rtcp_destination(&self) -> Option<(Socket, SocketAddr)> {
        let profile = self.profile.as_ref().filter(|_| !self.trial.runs())?;
        profile.rtp?;
        if profile.rtcp_mux {
            return Some((Socket::Rtp, self.latch.destination()?));
        }
        // Reports follow the audio: not to where the peer was before it moved.
        let host = self.latch.destination().map(|to| to.ip());
        let source = self.rtcp_source.filter(|source| Some(source.ip()) == host);
        Some((Socket::Rtcp, source.or(profile.rtcp)?))
    }
}
