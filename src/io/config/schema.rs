//! The keys of a configuration, typed. The meaning of each stands in `config/default.toml`, which has all of them.

use super::causes::Causes;
use super::finding::KeyPlaces;
use super::list::list;
use super::media::Media;
use super::peers::{Seat, Trunk};
use super::queues::{Callbacks, Messages, Outbound, Queue, Survey};
use super::registrar::Registrar;
use crate::control::{FeatureCodes, Role, ShiftCode};
use crate::io::process::log::Log;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

// `default` everywhere: a layer may say any part. A value that is missing after all layers are merged is empty, which
// `validate` refuses where it may not be empty.

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub node: Node,
    pub sip: Sip,
    pub trunks: BTreeMap<String, Trunk>,
    pub causes: BTreeMap<String, Causes>,
    pub routes: Routes,
    pub registrar: Registrar,
    pub seats: BTreeMap<String, Seat>,
    pub shifts: Shifts,
    pub queues: BTreeMap<String, Queue>,
    pub plan: Plan,
    pub media: Media,
    pub calls: Calls,
    pub survey: Survey,
    pub callbacks: Callbacks,
    pub messages: Messages,
    pub outbound: Outbound,
    pub keys: Keys,
    pub limits: Limits,
    pub records: Records,
    pub recording: Recording,
    pub figures: Figures,
    pub http: Http,
    pub log: Log,
    /// Values that are no mistakes, but most likely not meant.
    #[serde(skip)]
    pub warnings: Vec<crate::base::Text>,
    #[serde(skip)]
    pub places: KeyPlaces,
}

impl Config {
    /// The journal's file.
    pub fn journal(&self) -> PathBuf {
        self.node.state.join("journal.db")
    }

    /// Something may be recorded: there is a recorder.
    pub fn records(&self) -> bool {
        !self.recording.lines.is_empty() || self.recording.on_demand
    }

    /// Where recordings are kept.
    pub fn recordings(&self) -> PathBuf {
        let folder = &self.recording.folder;
        if folder.as_os_str().is_empty() { self.node.state.join("recordings") } else { folder.clone() }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    pub name: String,
    pub state: PathBuf,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sip {
    #[serde(deserialize_with = "list")]
    pub listen: Vec<SocketAddr>,
    /// Where TLS is spoken, and PEM files for it; no address: nowhere.
    #[serde(deserialize_with = "list")]
    pub listen_tls: Vec<SocketAddr>,
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Peers that connect by TLS must show a certificate of this authority, at these addresses; none: at all.
    pub client_ca: PathBuf,
    #[serde(deserialize_with = "list")]
    pub client_ca_at: Vec<SocketAddr>,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub keep_alive: Duration,
    pub unknown_source: UnknownSource,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub t1: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub t2: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub t4: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub timer_c: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub hop_timeout: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub resolve_timeout: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub names_kept: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownSource {
    #[default]
    Drop,
    Refuse,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Routes {
    pub default: String,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub rest_after_failure: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub rest_max: Duration,
    pub refusals: u32,
    pub ping_misses: u32,
    pub ping_answers: u32,
}

/// Bounds of the shifts of seats.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shifts {
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub wrap_up_most: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub pause: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub rest: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub heartbeat: Duration,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    pub file: PathBuf,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calls {
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub max_duration: Duration,
    pub max_parties: u64,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub after_caller: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub hold_alarm: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub hold_most: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub least_talk: Duration,
    pub music: String,
    pub apology: String,
    pub transfer_failed: String,
    pub choose_area: String,
    pub blocked: String,
    pub emergency_sees_withheld: bool,
}

/// Feature codes on seats' keys; an empty one is off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    pub consult: String,
    pub complete: String,
    pub cancel: String,
    pub swap: String,
    pub merge: String,
    pub sign_in: String,
    pub sign_out: String,
    pub ready: String,
    pub busy: String,
    pub rest: String,
    pub wrapped_up: String,
    /// Code to the number that it dials as an emergency.
    pub one_key: BTreeMap<String, String>,
}

impl Keys {
    pub fn codes(&self) -> FeatureCodes {
        FeatureCodes {
            consult: self.consult.clone(),
            complete: self.complete.clone(),
            cancel: self.cancel.clone(),
            swap: self.swap.clone(),
            merge: self.merge.clone(),
            one_key: self.one_key.iter().map(|(code, number)| (code.clone(), number.clone())).collect(),
            shift: vec![
                (self.sign_in.clone(), ShiftCode::SignIn),
                (self.sign_out.clone(), ShiftCode::SignOut),
                (self.ready.clone(), ShiftCode::Ready),
                (self.busy.clone(), ShiftCode::Busy),
                (self.rest.clone(), ShiftCode::Rest),
                (self.wrapped_up.clone(), ShiftCode::WrappedUp),
            ],
        }
    }
}

/// A caller's leg and a seat's.
pub const LEGS_PER_CALL: usize = 2;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub calls: usize,
    /// Legs with media at once; 0: two for each call.
    pub legs: usize,
    pub emergency_percent: usize,
    /// Accounts of ours with carriers.
    pub accounts: usize,
    pub source_percent: usize,
    pub source_rate: u32,
    pub source_burst: u32,
    pub notices: u32,
    pub peer_rate: u32,
    pub peer_burst: u32,
    pub placing_percent: u32,
    pub repeat_rate: u32,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub retry_after: Duration,
    pub inbox: usize,
    pub connections: usize,
    pub connections_per_source: usize,
    pub connection_backlog: usize,
    pub connection_unserved: usize,
    pub source_waiting: usize,
    pub source_waiting_bytes: usize,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub turn: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub message_timeout: Duration,
}

impl Limits {
    /// Legs that have media at once, at most.
    pub fn legs(&self) -> usize {
        match self.legs {
            0 => self.calls.saturating_mul(LEGS_PER_CALL),
            legs => legs,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Records {
    pub on_journal_failure: JournalFailure,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub emergency_wait: Duration,
    pub max_bytes: u64,
    pub min_free: u64,
    /// The journal's file is looked through so often for what is not as it was written.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub inspect_every: Duration,
    /// And takes no more of one processor for that.
    pub inspect_percent: u32,
    pub keep_days: u32,
    pub sealed_with: String,
    pub callers_by: String,
    pub keys: BTreeMap<String, SealingKey>,
    pub zone: String,
    /// Events that those who follow the feed can go back.
    pub feed_keep: u64,
    /// Lines of the log of seats that are kept in memory for those who follow it.
    pub seat_log: usize,
    /// Records and messages a second from one source.
    pub inbound_rate: u32,
    /// How far the clocks of those who call back may be apart from ours.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub callback_tolerance: Duration,
    /// No wait that a ticket system asks for is longer.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub retry_after_max: Duration,
    /// By telephone area code without the leading 0.
    pub areas: BTreeMap<String, Area>,
    pub webhook: Webhook,
    pub backends: BTreeMap<String, Backend>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Figures {
    /// An answer within this of the hand-over to the queue is in time.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub within: Duration,
}

/// Among `recording.lines`: whatever was dialled.
pub const ALL_LINES: &str = "all";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recording {
    /// Hotlines, or `all`; none: nothing is recorded.
    #[serde(deserialize_with = "list")]
    pub lines: Vec<String>,
    /// Calls that the plan, queues, or seats by their verbs want recorded are recorded, too, and messages taken.
    pub on_demand: bool,
    pub notice: String,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub pause_most: Duration,
    pub folder: PathBuf,
    pub format: Sound,
    pub keep_days: u32,
    pub min_free: u64,
    /// Calls that are recorded at once.
    pub calls: usize,
    /// Pieces of audio that wait for the recorder.
    pub queue: usize,
    /// Bytes that wait for the disk.
    pub buffer: usize,
    pub link_key: String,
    pub link_days: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sound {
    #[default]
    Pcm,
    ALaw,
}

/// A key, said in one of two ways.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SealingKey {
    pub file: PathBuf,
    pub secret: String,
}

/// An administrative division.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Area {
    pub code: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backend {
    pub enabled: bool,
    pub profile: String,
    pub url: String,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub timeout: Duration,
    pub parallel: usize,
    pub final_only: bool,
    pub proxy: String,
    pub vars: BTreeMap<String, String>,
    pub credentials: BTreeMap<String, String>,
}

impl Default for Backend {
    fn default() -> Backend {
        Backend {
            enabled: true,
            profile: String::new(),
            url: String::new(),
            timeout: Duration::from_secs(20),
            parallel: 4,
            final_only: false,
            proxy: String::new(),
            vars: BTreeMap::new(),
            credentials: BTreeMap::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JournalFailure {
    #[default]
    Refuse,
    CarryOn,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    pub url: String,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub timeout: Duration,
    pub all_events: bool,
    pub proxy: String,
    pub secret: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    pub listen: SocketAddr,
    pub connections: usize,
    pub connections_per_source: usize,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub timeout: Duration,
    /// How others reach it; empty: nobody is told.
    pub public_url: String,
    /// PEM files; empty: no TLS is spoken.
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub tokens: BTreeMap<String, Token>,
    pub adapter: Adapter,
}

/// Toolbars that were made for another gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adapter {
    pub enabled: bool,
    /// Seats by the ids that their agents have there.
    pub agents: BTreeMap<String, String>,
}

impl Default for Http {
    fn default() -> Http {
        let (listen, timeout) = (SocketAddr::from(([127, 0, 0, 1], 8080)), Duration::from_secs(10));
        let (connections, connections_per_source) = (256, 192);
        Http {
            listen,
            connections,
            connections_per_source,
            timeout,
            public_url: String::new(),
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            tokens: BTreeMap::new(),
            adapter: Adapter::default(),
        }
    }
}

/// A bearer token, said in one of three ways.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Token {
    pub enabled: bool,
    #[serde(deserialize_with = "list")]
    pub roles: Vec<Role>,
    /// The seat whose toolbar has it.
    pub seat: String,
    /// The queues of a supervisor; none: all.
    #[serde(deserialize_with = "list")]
    pub queues: Vec<String>,
    pub secret: String,
    pub file: PathBuf,
    pub sha256: String,
}

impl Default for Token {
    fn default() -> Token {
        Token {
            enabled: true,
            roles: Vec::new(),
            seat: String::new(),
            queues: Vec::new(),
            secret: String::new(),
            file: PathBuf::new(),
            sha256: String::new(),
        }
    }
}
