//! The INVITE usage of the user agent: legs. Each is one INVITE session with one party (RFC 3261 §12–15), offer/answer that ends at us (RFC 3264),
//! reliable provisionals (RFC 3262). A leg knows nothing of the call it belongs to.

mod ack;
mod challenge;
mod check;
mod closing;
mod context;
#[expect(clippy::module_inception)]
mod dialog;
mod inside;
mod keying;
mod keys;
mod leg;
mod legs;
mod offer;
mod reason;
mod refer;
mod referral;
mod reliable;
mod replaces;
mod resend;
mod session;
mod snapshot;
mod stream;
#[cfg(test)]
mod tests;
mod timer;
mod uac;
mod uas;
mod wreck;

pub use legs::Legs;
pub use snapshot::SessionSnapshot;
pub use timer::Interval;

use crate::base::{Flow, LegId, SrtpKeys};
use crate::sip::{Causes, Codec, Crypto, Direction, Header, NameAddr, Reach, Refused, Request, Status, Uri};
use crate::transaction;
use crate::ua::{KnownAs, TurnedAway, Way};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Our abilities on a leg's audio stream; from them come our offers and answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocalMedia {
    /// Our RTP address; RTCP is the next port, unless the peer takes rtcp-mux.
    pub rtp: SocketAddr,
    /// In our order of preference. An answer takes the first codec of the offer that is also here.
    pub codecs: Vec<Codec>,
    /// Our keys for SRTP; none: we neither offer it nor take it.
    pub srtp: Option<Arc<LocalSrtp>>,
}

/// Our keys for SRTP on one leg, for as long as it lives: a key that stays keeps its roll-over counter at both ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocalSrtp {
    /// Plain RTP is neither offered nor taken.
    pub required: bool,
    /// A party that refuses our offer of them is called once more without.
    pub else_plain: bool,
    /// One for each suite, in our order of preference. None where keys may not travel by the leg's signalling.
    pub keys: Vec<Crypto>,
}

/// The outcome of offer and answer, from our side. A new one replaces the old one whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Where we send RTP; none when the peer holds with 0.0.0.0.
    pub rtp: Option<SocketAddr>,
    pub rtcp: Option<SocketAddr>,
    pub rtcp_mux: bool,
    /// The codec that we send; we accept every codec of our [`LocalMedia`] that was agreed.
    pub codec: Codec,
    /// Payload type on what we send and on what we receive, for the codec (they are equal for G.711).
    pub payload_type: u8,
    /// telephone-event on what we send (the peer's number), and on what we receive (ours).
    pub event_out: Option<u8>,
    pub event_in: Option<u8>,
    /// Milliseconds a packet towards the peer.
    pub ptime: u8,
    /// The audio is sealed with these.
    pub srtp: Option<Arc<SrtpKeys>>,
    /// Ours: `RecvOnly` or `Inactive` means that the peer has put us on hold.
    pub direction: Direction,
}

/// An INVITE that starts a leg. 100 has been sent.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub leg: LegId,
    pub flow: Flow,
    pub uri: Uri,
    pub from: NameAddr,
    pub to: NameAddr,
    /// The SIP Call-ID.
    pub call_id: Bytes,
    pub max_forwards: u8,
    /// Contact as received.
    pub contact: Option<Bytes>,
    /// P-Asserted-Identity, P-Preferred-Identity, P-Called-Party-ID, Privacy, Authorization, History-Info, Diversion,
    /// X-Hotline-Call-ID and User-Agent as received.
    pub headers: Vec<Header>,
    /// The offered codecs in the caller's order; none when the offer comes late (no SDP in the INVITE).
    pub offer: Option<Vec<Codec>>,
    /// Its offer is of SRTP alone.
    pub sealed: bool,
    /// Its voice comes and goes by IPv6: as its offer says, or as its INVITE came where it offers nothing.
    pub ipv6: bool,
    /// The caller requires or supports reliable provisionals.
    pub reliable: bool,
    /// The leg whose place it takes (RFC 3891): in session, or one that we call and that rings. Whoever answers this INVITE
    /// hangs that leg up.
    pub replaces: Option<LegId>,
}

/// OPTIONS outside a dialog. It is answered as an INVITE would be (RFC 3261 §11.2), and waits for [`Legs::tell`].
#[derive(Clone, Debug)]
pub struct Asked {
    /// As the INVITE that it could have been; no leg has its number.
    pub invite: Incoming,
    server: transaction::ServerId,
    request: Request,
}

/// A party asks us to move the one it talks to (REFER, RFC 3515). It waits for [`Command::AcceptRefer`] or
/// [`Command::RefuseRefer`]; when the leg ends before, it is answered 487.
#[derive(Clone, Debug, PartialEq)]
pub struct Refer {
    /// Unique in the leg.
    pub id: u32,
    /// Refer-To, without its headers: a SIP or tel URI.
    pub to: Uri,
    /// An attended transfer: whom Refer-To would replace.
    pub replaces: Option<Replaced>,
    /// Referred-By (RFC 3892).
    pub referred_by: Option<NameAddr>,
}

/// The leg that a REFER's Replaces names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// Also one that still rings, at whichever end.
    Leg(LegId),
    /// None of ours, one that has ended, or one in session where only an early one was meant.
    Unknown,
}

/// A party to call.
#[derive(Clone, Debug)]
pub struct Dial {
    pub leg: LegId,
    /// The SIP Call-ID, unguessable and never used before.
    pub call_id: String,
    pub flow: Flow,
    /// Other hops of the same party, in order: tried when the one before fails (RFC 3263 §4.3).
    pub others: Vec<Other>,
    /// They are tried whatever the one before answers.
    pub every_way: bool,
    pub uri: Uri,
    /// Route headers.
    pub routes: Vec<NameAddr>,
    /// Without tags; the leg adds its own.
    pub from: NameAddr,
    pub to: NameAddr,
    pub max_forwards: u8,
    /// P-Asserted-Identity, History-Info, X-Hotline-Call-ID … as policy says.
    pub headers: Vec<Header>,
    pub local: LocalMedia,
    /// Our account there: its Contact is ours, and challenges are answered by it.
    pub known_as: Option<Arc<KnownAs>>,
    /// The codes of its network that are not the RFCs'.
    pub causes: Option<Arc<Causes>>,
    /// The session timer that it is offered; none where the session is not to end for want of a refresh.
    pub timer: Option<Interval>,
}

/// Another hop of a party.
#[derive(Clone, Debug)]
pub struct Other {
    pub way: Way,
    /// Set where we are somebody else there.
    pub caller: Option<Box<Caller>>,
}

/// As whom a hop is called.
#[derive(Clone, Debug)]
pub struct Caller {
    pub known_as: Option<Arc<KnownAs>>,
    pub from: NameAddr,
    pub headers: Vec<Header>,
}

impl From<Way> for Other {
    fn from(way: Way) -> Other {
        Other { way, caller: None }
    }
}

/// Why we end or refuse a leg: becomes the status, or a Reason header (RFC 3326, RFC 6432) on BYE and CANCEL.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cause {
    /// Final status for an INVITE not yet answered; 0 means 480.
    pub status: u16,
    pub q850: Option<u8>,
    /// `Reason: SIP;cause=200;text="Call completed elsewhere"` on a CANCEL.
    pub elsewhere: bool,
    pub retry_after: Option<Duration>,
}

#[derive(Clone, Debug)]
pub enum Command {
    Dial(Box<Dial>),
    /// An incoming leg has come by an account of ours.
    KnownAs {
        leg: LegId,
        known_as: Arc<KnownAs>,
    },
    /// Gives an incoming leg its media. An offer in the INVITE is answered from it: [`Event::Media`] follows at once,
    /// or the leg is refused 488 and ends. In a session it offers other media by a re-INVITE, again after glare; refused,
    /// the session stays as it was. Before a called party has answered it does nothing.
    Attach {
        leg: LegId,
        local: LocalMedia,
    },
    /// A provisional response, with our SDP where `media` is set. Reliable where the caller requires it, and see
    /// [`Command::Reliable`]; a late offer
    /// goes out in the first reliable one.
    Progress {
        leg: LegId,
        status: Status,
        media: bool,
    },
    /// Provisional responses of an incoming leg are reliable from now on where its caller supports it, not only where it
    /// requires it (RFC 3262 §3).
    Reliable {
        leg: LegId,
    },
    /// 200 with our SDP (the answer, or our offer to a late one). Waits for an outstanding PRACK (RFC 3262 §3).
    Answer {
        leg: LegId,
    },
    /// Final responses of an incoming leg may leave from now on: the call's first journal entry is durable. Until then
    /// any final response (also a 488 after Attach, or the 487 of a CANCEL) is kept back; the event is not.
    Release {
        leg: LegId,
    },
    /// An incoming leg rings for as long as its caller stays: its INVITE's Expires does not end it.
    NoExpiry {
        leg: LegId,
    },
    /// 202, and NOTIFY with 100 Trying at once. One REFER at a time: it is open until [`Command::Notify`] gives a final
    /// status, and a second one meanwhile is refused.
    AcceptRefer {
        leg: LegId,
        id: u32,
    },
    RefuseRefer {
        leg: LegId,
        id: u32,
        status: Status,
    },
    /// How far the accepted REFER is: NOTIFY with this status, a final one ends it. Works for three minutes after the leg
    /// has ended too. Nothing is sent to a referrer that asked for silence (RFC 4488).
    Notify {
        leg: LegId,
        id: u32,
        status: Status,
    },
    /// A key as INFO (application/dtmf-relay), in a session; the next waits for the response to the one before.
    SendInfo {
        leg: LegId,
        key: char,
    },
    /// In a session: asks the peer whether it is there (OPTIONS). One that does not know the dialog, or gives no response within
    /// [`Config::probe`], is gone.
    Probe {
        leg: LegId,
    },
    /// Ends the leg in whatever state it is: final response, CANCEL or BYE. [`Event::Ended`] follows at once; what the
    /// protocol still owes (ACK and BYE for a 2xx that crosses, retransmissions) the leg does by itself.
    Hangup {
        leg: LegId,
        cause: Cause,
    },
}

#[derive(Clone, Debug)]
pub enum Event {
    Incoming(Box<Incoming>),
    Asked(Box<Asked>),
    TurnedAway(Box<TurnedAway>),
    /// A provisional response above 100 from a party we called.
    Progress {
        leg: LegId,
        status: Status,
    },
    /// Offer and answer are settled, first or anew. From a called party also before it answers (early media).
    Media {
        leg: LegId,
        media: Media,
    },
    /// Tells whether the network of a called party that has not answered may send something that our side should hear (RFC
    /// 3960 §3): its announcement, its ring-back. Told when it changes, after the [`Event::Media`] by which it comes; before
    /// the first it is false, and with the answer it has no meaning any more.
    EarlyMedia {
        leg: LegId,
        sends: bool,
    },
    /// A hop of a called party did not lead to it.
    HopFailed {
        leg: LegId,
        hop: SocketAddr,
        why: HopEnd,
        /// The one that is called now; without one the leg ends.
        next: Option<SocketAddr>,
    },
    /// A called party answered; its ACK is sent.
    Answered {
        leg: LegId,
    },
    /// A caller has our provisional response: a request within its early dialog needs the tag that came with it. Told once,
    /// and not where [`Event::Established`] says as much first.
    Confirmed {
        leg: LegId,
    },
    /// A caller acknowledged our 200.
    Established {
        leg: LegId,
    },
    /// A key from INFO (application/dtmf-relay or application/dtmf).
    Key {
        leg: LegId,
        key: char,
    },
    /// The peer refused this key as INFO ([`Command::SendInfo`]).
    KeyRefused {
        leg: LegId,
        key: char,
    },
    Refer {
        leg: LegId,
        refer: Box<Refer>,
    },
    /// The leg's last event, exactly one for each leg.
    Ended {
        leg: LegId,
        end: End,
    },
}

/// How a hop failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HopEnd {
    /// It gave no response, or nothing could be sent to it.
    Silent,
    /// It answered 503 (RFC 3261 §21.5.4).
    Unavailable { retry_after: Option<Duration> },
    /// The party is not behind it any more (430), or it does not want this call, which says nothing of the hop.
    Moved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Our Hangup.
    Us,
    /// CANCEL, BYE or a final response from the peer.
    Peer,
    /// No answer to a request, a lost ACK, a dead flow, an expired session.
    Network,
}

#[derive(Clone, Debug, PartialEq)]
pub struct End {
    pub by: EndedBy,
    /// The final status that ended an INVITE (487 for CANCEL); none after a BYE.
    pub status: Option<Status>,
    /// From a Reason header.
    pub q850: Option<u8>,
    /// From Retry-After of a refusal.
    pub retry_after: Option<Duration>,
    /// The meaning of a refusal at its trunk, where that is not the RFCs'.
    pub refused: Option<Arc<Refused>>,
    /// A caller cancelled because another than us answered it (RFC 3326 §2).
    pub elsewhere: bool,
}

/// The settings of the legs.
#[derive(Clone, Debug)]
pub struct Config {
    pub max_legs: usize,
    /// A hop that gives no response for so long is passed over where the party has another one.
    pub hop_timeout: Duration,
    /// How long a peer that is asked whether it is there has to answer.
    pub probe: Duration,
    /// Where our media get to: a stream elsewhere is refused.
    pub reach: Reach,
}

impl Default for Config {
    fn default() -> Config {
        Config { max_legs: 20_000, hop_timeout: Duration::from_secs(4), probe: Duration::from_secs(12), reach: Reach::ALL }
    }
}
