//! The settings that the switch is told: [`Fixed`] once, [`Live`] at the start and at each reload. Plain data, checked by
//! whoever made it. A setting stands in one of the two, so a reload takes it over wholly or not at all.

use super::remote::Remote;
use super::{RecordingRules, Rests, Srtp, Unproven};
use crate::base::{Cidr, Proto, Rate, Rng, Target};
use crate::call;
use crate::dialog::{self, Interval};
pub use crate::event::DialledFrom;
use crate::event::Division;
use crate::event::seat::Skills;
use crate::list;
use crate::media::{Origins, Ports, Prompt};
use crate::plan::{Calendar, NumberRules, Plan};
use crate::queue;
use crate::seat::{Binding, Rules};
use crate::sip::{Causes, Codec, Uri};
use crate::ua::{self, registrar, registration};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// One for its caller and one for its target.
const PAIRS_OF_EMERGENCY: usize = 2;

/// The setup that a switch starts with.
#[derive(Clone)]
pub struct Setup {
    pub fixed: Fixed,
    pub live: Live,
}

/// Settings that are bound, allocated, timed or promised to others at the start: they hold until a restart.
#[derive(Clone)]
pub struct Fixed {
    /// This node's name, in records.
    pub node: String,
    /// Where we listen; the first of a hop's protocol and family is what we call it from.
    pub listen: Vec<(Proto, SocketAddr)>,
    pub ua: ua::Config,
    pub legs: dialog::Config,
    /// How long a party waits for the addresses of its name.
    pub resolve_timeout: Duration,
    pub media: MediaSetup,
    pub recorded: Recorded,
    /// Calls that the recorder takes at once, for whatever the plan, a queue, a verb or a message wants recorded; 0: there is none.
    pub recordings: usize,
    /// Before a call's id, it is the address at which a seat finds the call's ticket.
    pub tickets: Option<Arc<str>>,
    pub limits: Limits,
}

impl Fixed {
    /// The last pairs that may be bound are for as many emergencies as calls are kept for.
    pub(super) fn ports(&self, rng: &mut Rng) -> Ports {
        let MediaSetup { addresses, ports, shards, ready, most, port_rest, .. } = &self.media;
        let all = Ports::new(addresses, ports.clone(), *shards, *ready, *port_rest, rng);
        all.at_most(*most, self.limits.reserved * PAIRS_OF_EMERGENCY)
    }
}

/// Settings that a reload replaces. New calls meet them; calls in progress keep those that they began with.
#[derive(Clone)]
pub struct Live {
    pub trunks: Vec<Trunk>,
    pub seats: Vec<Seat>,
    /// None: no phone may register.
    pub registrar: Option<Arc<registrar::Config>>,
    pub queues: Vec<queue::Queue>,
    /// Where a target goes whose plan names no trunk: index into `trunks`.
    pub default_route: usize,
    pub plan: Arc<Plan>,
    pub prompts: Arc<BTreeMap<String, Arc<Prompt>>>,
    pub policy: Arc<call::Policy>,
    pub recording: RecordingRules,
    /// Administrative divisions by telephone area code without the leading 0, for records.
    pub divisions: Arc<BTreeMap<String, Division>>,
    /// Feature codes on seats' keys.
    pub codes: call::feature_codes::FeatureCodes,
    /// The break that a feature code begins.
    pub rest: Duration,
    /// Emergency lines see numbers that are withheld from others.
    pub emergency_sees_withheld: bool,
    pub unknown_source: UnknownSource,
    pub journal_down: JournalDown,
    /// The longest that an emergency call's answer waits for the disk.
    pub emergency_wait: Duration,
    /// How fast sources that nobody names are looked at, and answered where policy says so.
    pub strangers: Rate,
    /// Lines a second in the log about strangers and refused requests, all sources together.
    pub notices: u32,
    /// How long a trunk's peer that gave no sign, or refuses calls, is passed over.
    pub rests: Rests,
    /// How often in a row a trunk's address misses an OPTIONS until it is down, and answers until it is up.
    pub pings: (u32, u32),
    /// How fast each address of a trunk or seat is served.
    pub peers: Rate,
    /// New calls a second that a trunk or seat may place, in percent of its channels.
    pub placing_percent: u32,
    /// Retry-After says this with a 503.
    pub retry_after: Duration,
    pub callbacks: list::Limits,
    pub outbound: Arc<Outbound>,
}

/// Short: a plan and its prompts are long.
impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("plan", &self.plan.name).field("revision", &self.plan.revision).finish_non_exhaustive()
    }
}

/// The calls that seats place.
#[derive(Clone, Debug, PartialEq)]
pub struct Outbound {
    pub enabled: bool,
    /// The trunk that they go by; none: the default route.
    pub trunk: Option<Arc<str>>,
    /// The number that is shown to whom they call; none: the hotline's.
    pub shown: Option<Arc<str>>,
    /// When anybody is called.
    pub hours: Calendar,
    /// Numbers that begin so are not called.
    pub refuse: Vec<String>,
    /// Calls a day to one number, and of one seat.
    pub per_callee: u32,
    pub per_seat: u32,
    /// Calls at once in one hotline's name, and by the trunk.
    pub per_hotline: usize,
    pub per_trunk: usize,
    /// The share of calls and of the trunk's channels that is left for callers.
    pub leave_percent: usize,
    /// How long the seat's phone rings, then the other's; and how long a seat looks at a call before it places it.
    pub ring_seat: Duration,
    pub ring: Duration,
    pub preview: Duration,
    /// A number that its network refused is not called again sooner.
    pub after_refusal: Duration,
}

/// A carrier's or a department's peer.
#[derive(Clone, Debug)]
pub struct Trunk {
    pub name: Arc<str>,
    /// The networks whose messages belong to it.
    pub sources: Vec<Cidr>,
    /// Where we call it. The addresses of a name count only within `sources`.
    pub target: Target,
    /// Other addresses where we call it, in order: for when the one before fails.
    pub others: Vec<SocketAddr>,
    /// How often its addresses are asked whether they are there; none: never.
    pub ping: Option<Duration>,
    /// Area code without the leading 0.
    pub area: Option<Arc<str>>,
    pub codecs: Vec<Codec>,
    /// Calls at once, both directions together.
    pub channels: u32,
    /// Calls among these that are kept for emergency lines.
    pub reserved: u32,
    pub dtmf: Dtmf,
    pub srtp: Srtp,
    /// A call that it says an emergency line diverted goes before others.
    pub emergency_history: bool,
    /// It gets the data that seats set for a call.
    pub call_data: bool,
    /// The session timer that calls to it ask for.
    pub session_timer: Option<Interval>,
    /// Provisional responses to its callers are reliable where they support it (RFC 3262).
    pub reliable: bool,
    pub origins: Arc<Origins>,
    /// Our accounts there.
    pub registrations: Vec<registration::Settings>,
    /// Its codes that are not the RFCs'.
    pub causes: Option<Arc<Causes>>,
    pub numbers: Arc<Numbers>,
    /// The places where an INVITE of its may say which hotline was dialled, in this order.
    pub dialled_from: Vec<DialledFrom>,
    pub presents: Presents,
}

/// The identity that a trunk is told, and the story of a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Presents {
    pub identity: Presented,
    /// The trunk's own number.
    pub number: Option<Arc<str>>,
    pub history: History,
}

/// The numbers in From and P-Asserted-Identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presented {
    #[default]
    Caller,
    Own,
    /// The caller's in From, our own in P-Asserted-Identity.
    CallerWithOwnPai,
}

/// The headers that say where a call was meant to go before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum History {
    #[default]
    HistoryInfo,
    Diversion,
    Both,
    None,
}

/// A trunk's spelling of numbers: rules for each direction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    pub called_in: NumberRules,
    pub caller_in: NumberRules,
    pub called_out: NumberRules,
    pub caller_out: NumberRules,
}

#[derive(Clone, Debug)]
pub struct Seat {
    pub name: Arc<str>,
    /// The name that people have for it, in records.
    pub label: Option<Arc<str>>,
    /// Address of record: who it says it is, and what it is called as.
    pub aor: Uri,
    /// The networks whose messages may be its own: its address, or those listed for its name.
    pub sources: Vec<Cidr>,
    /// Where the configuration says that it is called; none: where its phone registers. The addresses of a name count only within
    /// `sources`.
    pub target: Option<Target>,
    /// It is called by a trunk.
    pub remote: Option<Remote>,
    pub channels: u32,
    pub dtmf: Dtmf,
    pub srtp: Srtp,
    pub origins: Arc<Origins>,
    pub lines_from: LinesFrom,
    pub skills: Skills,
    pub expert: bool,
    /// When it is signed in, and what its shift is bounded by.
    pub rules: Rules,
}

impl Seat {
    /// Its phones register.
    pub fn registers(&self) -> bool {
        self.target.is_none() && self.remote.is_none()
    }

    /// True for a host that may be its phone.
    pub fn owns(&self, host: IpAddr) -> bool {
        self.sources.iter().any(|block| block.contains(host))
    }

    /// True for its phone's own port, at one of the places where it can be reached.
    pub fn is_at(&self, bindings: &[Binding], remote: SocketAddr) -> bool {
        self.owns(remote.ip()) && bindings.iter().any(|binding| binding.target.port() == Some(remote.port()))
    }
}

/// From where an INVITE in the name of a seat that talks is a further line of its phone: it enters the seat's call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinesFrom {
    /// From its configured address and port alone.
    #[default]
    Port,
    /// From any port of its address.
    Address,
}

/// How a peer is told keys. Telephone-events and INFO from it are understood in each case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dtmf {
    /// As telephone-events where it agrees to them, else by INFO, else as tones.
    #[default]
    Auto,
    /// As telephone-events (RFC 4733), as tones where it does not agree.
    Rfc4733,
    /// By INFO (application/dtmf-relay), as tones where it refuses.
    Info,
    /// As tones; its own tones are heard as keys.
    Inband,
}

#[derive(Clone, Debug)]
pub struct MediaSetup {
    pub addresses: Vec<IpAddr>,
    pub ports: RangeInclusive<u16>,
    pub shards: u16,
    /// Port pairs that are bound ahead of use when a shard is busiest.
    pub ready: usize,
    /// Port pairs bound at once, in all.
    pub most: usize,
    /// How long a port rests after its call, and after something still came to it.
    pub port_rest: Duration,
    pub unproven: Unproven,
}

/// The calls that are recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Recorded {
    #[default]
    None,
    All,
    /// Those of these hotlines, as the plan normalises them.
    Hotlines(BTreeSet<String>),
}

impl Recorded {
    pub fn includes(&self, hotline: &str) -> bool {
        match self {
            Recorded::None => false,
            Recorded::All => true,
            Recorded::Hotlines(hotlines) => hotlines.contains(hotline),
        }
    }
}

/// The treatment of a sender that no trunk and no seat names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownSource {
    Drop,
    /// 403, which tells a scanner that something lives here.
    Forbid,
}

/// The treatment of new calls while the journal cannot write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalDown {
    /// 503 + Retry-After.
    Refuse,
    /// Served, with an alarm; their records may be lost.
    CarryOn,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub calls: usize,
    /// Calls among these that are kept for emergency lines.
    pub reserved: usize,
    /// One trunk or seat may have so many of a hundred calls and RTP ports, where there are several trunks.
    pub source_percent: usize,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A trunk that is called there, and has one channel.
    pub fn trunk(name: &str, target: Target) -> Trunk {
        Trunk {
            name: name.into(),
            sources: vec![],
            target,
            others: vec![],
            ping: None,
            area: None,
            codecs: vec![],
            channels: 1,
            reserved: 0,
            dtmf: Dtmf::Auto,
            srtp: Srtp::No,
            emergency_history: false,
            call_data: false,
            session_timer: None,
            reliable: false,
            registrations: vec![],
            origins: Arc::default(),
            causes: None,
            numbers: Arc::default(),
            dialled_from: vec![DialledFrom::RequestUri],
            presents: Presents::default(),
        }
    }
}
