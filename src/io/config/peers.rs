//! The keys of trunks and seats, and where those are.

use super::list::list;
use super::numbers::{Expect, NumberRule, Side};
use super::registrar::Algorithm;
use super::registration::Registration;
use crate::base::Place;
pub use crate::event::DialledFrom;
use crate::io::net::dns::ask::PORT;
use crate::plan::NumberRules;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trunk {
    pub enabled: bool,
    #[serde(deserialize_with = "list")]
    pub addresses: Vec<String>,
    pub address: String,
    #[serde(deserialize_with = "list")]
    pub targets: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub dns: Vec<String>,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub ping: Duration,
    pub port: u16,
    pub transport: Transport,
    /// For TLS: whom its certificate must come from, the name that it shows, and what we show it.
    pub tls_ca: PathBuf,
    pub tls_name: String,
    pub tls_certificate: PathBuf,
    pub tls_key: PathBuf,
    pub area: String,
    #[serde(deserialize_with = "list")]
    pub codecs: Vec<Codec>,
    pub channels: u32,
    pub reserved: u32,
    pub dtmf: Dtmf,
    pub srtp: Srtp,
    pub prack: bool,
    #[serde(deserialize_with = "list")]
    pub media: Vec<String>,
    pub nat: bool,
    pub emergency_history: bool,
    pub call_data: bool,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub session_expires: Duration,
    pub registrations: BTreeMap<String, Registration>,
    /// The name of its map of causes.
    pub causes: String,
    pub called_in: Vec<NumberRule>,
    pub caller_in: Vec<NumberRule>,
    pub called_out: Vec<NumberRule>,
    pub caller_out: Vec<NumberRule>,
    pub expect: Vec<Expect>,
    #[serde(deserialize_with = "list")]
    pub dialled_from: Vec<DialledFrom>,
    pub identity: Presented,
    /// Its own, where `identity` shows that.
    pub number: String,
    pub history: History,
}

impl Default for Trunk {
    fn default() -> Trunk {
        Trunk {
            enabled: true,
            addresses: Vec::new(),
            address: String::new(),
            targets: Vec::new(),
            dns: Vec::new(),
            ping: Duration::ZERO,
            port: 5060,
            transport: Transport::Udp,
            tls_ca: PathBuf::new(),
            tls_name: String::new(),
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            area: String::new(),
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            channels: 100,
            reserved: 0,
            dtmf: Dtmf::Auto,
            srtp: Srtp::No,
            prack: false,
            media: Vec::new(),
            nat: false,
            emergency_history: false,
            call_data: false,
            session_expires: Duration::from_secs(30 * 60),
            registrations: BTreeMap::new(),
            causes: String::new(),
            called_in: Vec::new(),
            caller_in: Vec::new(),
            called_out: Vec::new(),
            caller_out: Vec::new(),
            expect: Vec::new(),
            dialled_from: vec![DialledFrom::RequestUri],
            identity: Presented::Caller,
            number: String::new(),
            history: History::HistoryInfo,
        }
    }
}

impl Trunk {
    /// Where calls to it go: the first of its `targets`, its `address`, or its first single address.
    pub fn place(&self) -> Option<Place> {
        if let Some(first) = self.targets.first() {
            return first.parse().ok().map(Place::At);
        }
        if !self.address.is_empty() {
            return self.address.parse().ok();
        }
        let single = self.addresses.iter().find_map(|text| text.parse::<IpAddr>().ok())?;
        Some(Place::At(SocketAddr::new(single, self.port)))
    }
}

/// An address of a DNS server, with a port where it has another than the usual one.
pub fn dns_server(text: &str) -> Option<SocketAddr> {
    let usual = |ip: IpAddr| SocketAddr::new(ip, PORT);
    text.parse().ok().map(usual).or_else(|| text.parse().ok())
}

impl Trunk {
    /// The rules for these numbers, as they are written.
    pub fn rules(&self, side: Side) -> &[NumberRule] {
        match side {
            Side::CalledIn => &self.called_in,
            Side::CallerIn => &self.caller_in,
            Side::CalledOut => &self.called_out,
            Side::CallerOut => &self.caller_out,
        }
    }

    /// As they are applied; those that are wrong are left out.
    pub fn read_rules(&self, side: Side) -> NumberRules {
        NumberRules::new(self.rules(side).iter().filter_map(|rule| rule.read().ok()).collect())
    }

    /// The rest of its `targets`.
    pub fn others(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.targets.iter().skip(1).filter_map(|text| text.parse().ok())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    #[default]
    Udp,
    Tcp,
    Tls,
    Ws,
    Wss,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seat {
    pub enabled: bool,
    pub name: String,
    pub aor: String,
    pub register: bool,
    /// Offered to its phones instead of `registrar.algorithms`.
    #[serde(deserialize_with = "list")]
    pub algorithms: Vec<Algorithm>,
    pub address: String,
    #[serde(deserialize_with = "list")]
    pub addresses: Vec<String>,
    pub transport: Transport,
    pub channels: u32,
    pub dtmf: Dtmf,
    pub srtp: Srtp,
    #[serde(deserialize_with = "list")]
    pub media: Vec<String>,
    pub nat: bool,
    pub lines_from: LinesFrom,
    pub skills: BTreeMap<String, u8>,
    pub expert: bool,
    pub sign_in: SignIn,
    pub misses: u32,
    pub number: String,
    pub trunk: String,
    pub dial: String,
    pub hours: String,
    pub accept: String,
}

impl Default for Seat {
    fn default() -> Seat {
        Seat {
            enabled: true,
            name: String::new(),
            aor: String::new(),
            register: false,
            algorithms: Vec::new(),
            address: String::new(),
            addresses: Vec::new(),
            transport: Transport::Udp,
            channels: 1,
            dtmf: Dtmf::Auto,
            srtp: Srtp::No,
            media: Vec::new(),
            nat: false,
            lines_from: LinesFrom::Port,
            skills: BTreeMap::new(),
            expert: false,
            sign_in: SignIn::Always,
            misses: 3,
            number: String::new(),
            trunk: String::new(),
            dial: String::new(),
            hours: String::new(),
            accept: String::new(),
        }
    }
}

impl Seat {
    /// Where it is called; none for one that registers.
    pub fn place(&self) -> Option<Place> {
        self.address.parse().ok()
    }

    /// It sits with its department, and is called by a trunk.
    pub fn is_remote(&self) -> bool {
        !self.trunk.is_empty()
    }

    /// The name that its phone signs with: the user of its address of record.
    pub fn user(&self) -> &str {
        let user = self.aor.split('@').next().unwrap_or_default();
        user.strip_prefix("sip:").unwrap_or(user)
    }

    /// The networks whose messages may be its own: its address, or those listed for its name.
    pub fn sources(&self) -> Vec<String> {
        match self.place() {
            Some(Place::At(address)) => vec![address.ip().to_string()],
            _ => self.addresses.clone(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinesFrom {
    #[default]
    Port,
    Address,
}

/// When a seat is ready for calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignIn {
    #[default]
    Always,
    Asked,
    Registration,
}

/// How keys travel to a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtmf {
    #[default]
    Auto,
    Rfc4733,
    Info,
    Inband,
}

/// Audio to and from a peer by SRTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Srtp {
    #[default]
    No,
    Offer,
    Require,
}

/// A form of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Codec {
    Pcma,
    Pcmu,
}

/// The number that a trunk is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presented {
    #[default]
    Caller,
    Own,
    CallerWithOwnPai,
}

/// The headers that tell a trunk where a call was meant to go before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum History {
    #[default]
    HistoryInfo,
    Diversion,
    Both,
    None,
}
