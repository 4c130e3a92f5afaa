//! From configuration to what the switch is told.

use super::accounts;
use super::callers;
use super::credentials::Credentials;
use super::fit::Fit;
use super::numbers::Side;
use super::plans::Loaded;
use crate::base::{AccessList, Cidr, Proto, Rate, Target, Text, Transport};
use crate::call::Policy;
use crate::dialog::Config as Legs;
use crate::dialog::Interval;
use crate::event::Division;
use crate::io::config::{self, Config, QueueRecord};
use crate::io::net::{admission, tcp};
use crate::media::{Origins, Prompt};
use crate::plan::{Kept, Plan};
use crate::queue;
use crate::seat::{Rules, SignIn};
use crate::sip;
use crate::sip::digest::Algorithm;
use crate::switch::{
    Dtmf, Fixed, History, JournalDown, Limits, LinesFrom, Live, MediaSetup, Numbers, Presented, Presents, Recorded,
    RecordingRules, Remote, Rests, Seat, Srtp, Trunk, UnknownSource, Unproven,
};
use crate::transaction::Config as Transactions;
use crate::transport::Bounds;
use crate::ua::Config as Ua;
use crate::ua::registrar;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Port pairs that each shard would keep bound ahead of use when it is busiest.
pub const READY_PORTS: usize = 256;
/// HTTP clients beyond the limit that are told so, rather than cut off; who asks for our health is told that.
pub const PORCH: usize = 64;
/// A caller's leg and a seat's, and those that last 32 s longer than their calls because their peers answer nothing.
const LEGS_PER_CALL: usize = 6;
/// Seconds' worth of repeated responses that may go to a host at once.
const REPEAT_BURST: u32 = 10;
/// An INVITE on each leg, and what lingers for 32 s after a call: BYE, PRACK, OPTIONS.
const TRANSACTIONS_PER_CALL: usize = 20;
/// How long a peer has to answer a keep-alive (RFC 5626 §4.4.1).
const PONG: Duration = Duration::from_secs(10);
const STRANGERS: usize = 10_000;
/// How much later than its length a prompt may end.
const LATE_PROMPT: Duration = Duration::from_secs(5);
/// A small site is not filled by what lingers of a few refused calls either.
const LEAST: usize = 20_000;

/// Media threads.
pub fn shards(config: &Config) -> u16 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    match config.media.shards {
        0 => u16::try_from(processors.saturating_sub(1)).unwrap_or(1).max(1),
        count => count,
    }
}

/// The limits for which there are files and sockets, where this process may hold so many.
pub fn fit(config: &Config, descriptors: usize) -> Result<Fit, Text> {
    Fit::of(config, shards(config), (READY_PORTS, PORCH), descriptors)
}

/// The bounds of SIP over TCP.
pub fn tcp(config: &Config) -> tcp::Limits {
    let limits = &config.limits;
    tcp::Limits {
        keep_alive: config.sip.keep_alive,
        pong: PONG,
        connections: limits.connections,
        per_source: limits.connections_per_source,
        message: limits.message_timeout,
        backlog: limits.connection_backlog,
        unserved: limits.connection_unserved,
    }
}

/// The bounds of messages that wait for the switch, one lane for each source.
pub fn lanes(limits: &config::Limits) -> Bounds {
    Bounds { messages: limits.source_waiting, bytes: limits.source_waiting_bytes }
}

fn rests(routes: &config::Routes) -> Rests {
    Rests { shortest: routes.rest_after_failure, longest: routes.rest_max, refusals: routes.refusals }
}

/// The DNS servers of each trunk; none: those of this machine.
pub fn dns(config: &Config) -> BTreeMap<Arc<str>, Vec<SocketAddr>> {
    let enabled = config.trunks.iter().filter(|(_, trunk)| trunk.enabled);
    let servers = |trunk: &config::Trunk| trunk.dns.iter().filter_map(|text| config::dns_server(text)).collect();
    enabled.map(|(name, trunk)| (name.as_str().into(), servers(trunk))).collect()
}

/// Peers that may connect by TCP.
pub fn known(config: &Config) -> admission::Known {
    let mut sources = AccessList::new();
    let trunks = config.trunks.values().filter(|trunk| trunk.enabled).flat_map(|trunk| trunk.addresses.clone());
    let seats = config.seats.values().filter(|seat| seat.enabled).flat_map(config::Seat::sources);
    let phones = config.registrar.networks.iter().filter(|_| config.registrar.enabled).cloned();
    // A network of all the world makes nobody known: its hosts share the places of strangers.
    let mut all = config.sip.unknown_source == config::UnknownSource::Refuse;
    for block in trunks.chain(seats).chain(phones).filter_map(|text| text.parse::<Cidr>().ok()) {
        match block.is_everything() {
            true => all = true,
            false => _ = sources.insert(block, ()),
        }
    }
    admission::Known { all, sources }
}

/// `listen`: the addresses that are really bound, and those of TLS.
pub fn fixed(config: &Config, (listen, tls): (&[SocketAddr], &[SocketAddr]), fit: &Fit) -> Fixed {
    let plain = listen.iter().flat_map(|address| [(Proto::Udp, *address), (Proto::Tcp, *address)]);
    Fixed {
        node: config.node.name.clone(),
        listen: plain.chain(tls.iter().map(|address| (Proto::Tls, *address))).collect(),
        ua: ua(config),
        legs: legs(config),
        resolve_timeout: config.sip.resolve_timeout,
        media: media(config, fit),
        recorded: recorded(&config.recording.lines),
        recordings: if config.records() { config.recording.calls } else { 0 },
        tickets: tickets(&config.http.public_url),
        limits: limits(&config.limits),
    }
}

/// Checked by `config::load`; what is wrong all the same is named.
pub fn live(config: &Config, loaded: Loaded) -> Result<Live, Text> {
    let kept = loaded.plan.kept();
    let trunks = config.trunks.iter().filter(|(_, t)| t.enabled).map(|(name, t)| trunk(config, name, t, &kept));
    let trunks = trunks.collect::<Result<Vec<_>, _>>()?;
    let several = trunks.len() > 1;
    let seats =
        config.seats.iter().filter(|(_, s)| s.enabled).map(|(name, s)| seat(name, s, rules(config, name, s), &loaded.plan));
    let default_route = trunks.iter().position(|t| *t.name == *config.routes.default);
    Ok(Live {
        seats: seats.collect::<Result<_, _>>()?,
        queues: config
            .queues
            .iter()
            .filter(|(_, q)| q.enabled)
            .map(|(name, q)| queue(name, q, several, config.limits.emergency_percent))
            .collect(),
        default_route: default_route.ok_or_else(|| both!("no trunk `{0}`", "没有中继 `{0}`", config.routes.default))?,
        trunks,
        registrar: registrar(config)?,
        plan: Arc::new(loaded.plan),
        policy: Arc::new(policy(config, longest(loaded.prompts.values()))),
        recording: recording(config),
        prompts: Arc::new(loaded.prompts),
        divisions: Arc::new(config.records.areas.iter().map(|(phone, area)| (phone.clone(), division(area))).collect()),
        codes: config.keys.codes(),
        rest: config.shifts.rest,
        emergency_sees_withheld: config.calls.emergency_sees_withheld,
        unknown_source: match config.sip.unknown_source {
            config::UnknownSource::Drop => UnknownSource::Drop,
            config::UnknownSource::Refuse => UnknownSource::Forbid,
        },
        journal_down: match config.records.on_journal_failure {
            config::JournalFailure::Refuse => JournalDown::Refuse,
            config::JournalFailure::CarryOn => JournalDown::CarryOn,
        },
        emergency_wait: config.records.emergency_wait,
        rests: rests(&config.routes),
        pings: (config.routes.ping_misses, config.routes.ping_answers),
        strangers: Rate { per_second: config.limits.source_rate, burst: config.limits.source_burst, max_sources: STRANGERS },
        notices: config.limits.notices,
        peers: Rate { per_second: config.limits.peer_rate, burst: config.limits.peer_burst, max_sources: STRANGERS },
        placing_percent: config.limits.placing_percent,
        retry_after: config.limits.retry_after,
        callbacks: callers::callbacks(config),
        outbound: Arc::new(callers::outbound(config)?),
    })
}

fn trunk(config: &Config, name: &str, trunk: &config::Trunk, kept: &Kept) -> Result<Trunk, Text> {
    let target = Target {
        transport: transport(trunk.transport),
        place: trunk.place().ok_or_else(|| both!("trunk `{name}` has no single address", "中继 `{name}` 没有单独的地址"))?,
    };
    Ok(Trunk {
        name: name.into(),
        sources: trunk.addresses.iter().map(|text| network(text)).collect::<Result<_, _>>()?,
        registrations: accounts::settings(name, trunk, &target)?,
        target,
        others: trunk.others().collect(),
        ping: Some(trunk.ping).filter(|ping| !ping.is_zero()),
        area: Some(trunk.area.as_str()).filter(|area| !area.is_empty()).map(Arc::from),
        codecs: trunk.codecs.iter().map(|codec| self::codec(*codec)).collect(),
        channels: trunk.channels,
        reserved: trunk.reserved,
        dtmf: dtmf(trunk.dtmf),
        srtp: srtp(trunk.srtp),
        reliable: trunk.prack,
        origins: origins(&trunk.addresses, &trunk.media, trunk.nat)?,
        emergency_history: trunk.emergency_history,
        call_data: trunk.call_data,
        session_timer: Interval::of(trunk.session_expires),
        causes: config.causes.get(&trunk.causes).map(|causes| Arc::new(causes.map())),
        numbers: Arc::new(numbers(trunk, kept)),
        dialled_from: trunk.dialled_from.clone(),
        presents: presents(trunk),
    })
}

/// The rules leave alone what the plan has for emergencies.
fn numbers(trunk: &config::Trunk, kept: &Kept) -> Numbers {
    let rules = |side| trunk.read_rules(side).keeping(kept);
    Numbers {
        called_in: rules(Side::CalledIn),
        caller_in: rules(Side::CallerIn),
        called_out: rules(Side::CalledOut),
        caller_out: rules(Side::CallerOut),
    }
}

fn presents(trunk: &config::Trunk) -> Presents {
    Presents {
        identity: match trunk.identity {
            config::Presented::Caller => Presented::Caller,
            config::Presented::Own => Presented::Own,
            config::Presented::CallerWithOwnPai => Presented::CallerWithOwnPai,
        },
        number: Some(trunk.number.as_str()).filter(|number| !number.is_empty()).map(Arc::from),
        history: match trunk.history {
            config::History::HistoryInfo => History::HistoryInfo,
            config::History::Diversion => History::Diversion,
            config::History::Both => History::Both,
            config::History::None => History::None,
        },
    }
}

/// The wrap-up after a call that came by no queue is the longest of the queues that the seat serves.
fn rules(config: &Config, name: &str, seat: &config::Seat) -> Rules {
    let serves = config.queues.values().filter(|queue| queue.enabled && queue.seats.iter().any(|seat| seat == name));
    let sign_in = match seat.sign_in {
        config::SignIn::Always => SignIn::Always,
        config::SignIn::Asked => SignIn::Asked,
        config::SignIn::Registration => SignIn::Registration,
    };
    let config::Shifts { wrap_up_most, pause, heartbeat, .. } = config.shifts;
    Rules {
        sign_in,
        wrap_up: serves.map(|queue| queue.wrap_up).max().unwrap_or_default(),
        wrap_up_most,
        misses: if sign_in == SignIn::Always { 0 } else { seat.misses },
        pause,
        heartbeat,
    }
}

fn seat(name: &str, seat: &config::Seat, rules: Rules, plan: &Plan) -> Result<Seat, Text> {
    // A seat behind a trunk says nothing of itself; it is called at its number there.
    let own = format!("sip:{}@{}", seat.dial, seat.trunk);
    let aor = if seat.is_remote() && seat.aor.is_empty() { &own } else { &seat.aor };
    Ok(Seat {
        name: name.into(),
        label: Some(seat.name.as_str()).filter(|label| !label.is_empty()).map(Arc::from),
        aor: sip::Uri::parse(aor.as_bytes())
            .ok_or_else(|| both!("seat `{name}`: `{0}` is no SIP URI", "座席 `{name}`：`{0}` 不是 SIP URI", seat.aor))?,
        sources: seat.sources().iter().map(|text| network(text)).collect::<Result<_, _>>()?,
        target: seat.place().map(|place| Target { transport: transport(seat.transport), place }),
        remote: seat.is_remote().then(|| Remote {
            trunk: seat.trunk.as_str().into(),
            number: seat.dial.as_str().into(),
            hours: plan.hours(&seat.hours),
        }),
        channels: seat.channels,
        dtmf: dtmf(seat.dtmf),
        srtp: srtp(seat.srtp),
        origins: origins(&seat.sources(), &seat.media, seat.nat)?,
        lines_from: match seat.lines_from {
            config::LinesFrom::Port => LinesFrom::Port,
            config::LinesFrom::Address => LinesFrom::Address,
        },
        skills: seat.skills.iter().map(|(skill, level)| (skill.as_str().into(), *level)).collect(),
        expert: seat.expert,
        rules,
    })
}

/// Where a phone may register, and as whom.
fn registrar(config: &Config) -> Result<Option<Arc<registrar::Config>>, Text> {
    let ours = &config.registrar;
    if !ours.enabled {
        return Ok(None);
    }
    let credentials = Credentials::read_or_begin(&ours.credentials)?;
    let seats = config.seats.iter().filter(|(_, seat)| seat.enabled && seat.register);
    let account = |(name, seat): (&String, &config::Seat)| {
        let known = credentials.of(seat.user(), &ours.realm);
        let offered = if seat.algorithms.is_empty() { &ours.algorithms } else { &seat.algorithms };
        let secret = |offered: &config::Algorithm| known.iter().find(|secret| secret.algorithm() == algorithm(offered)).cloned();
        let secrets = offered.iter().filter_map(secret).collect();
        (seat.user().to_owned(), registrar::Account { seat: name.as_str().into(), secrets })
    };
    Ok(Some(Arc::new(registrar::Config {
        realm: ours.realm.clone(),
        algorithms: ours.algorithms.iter().map(algorithm).collect(),
        networks: ours.networks.iter().map(|text| network(text)).collect::<Result<_, _>>()?,
        expires: ours.expires,
        least_expires: ours.min_expires,
        most_expires: ours.max_expires,
        contacts: ours.contacts,
        nonce_life: ours.nonce_life,
        tries: ours.tries,
        ban: ours.ban,
        accounts: seats.map(account).collect(),
    })))
}

fn algorithm(algorithm: &config::Algorithm) -> Algorithm {
    match algorithm {
        config::Algorithm::Sha256 => Algorithm::Sha256,
        config::Algorithm::Md5 => Algorithm::Md5,
    }
}

/// Where a peer's media may come from besides the address in its SDP.
fn origins(addresses: &[String], media: &[String], nat: bool) -> Result<Arc<Origins>, Text> {
    let networks = addresses.iter().chain(media).map(|text| network(text)).collect::<Result<_, _>>()?;
    Ok(Arc::new(Origins { networks, nat }))
}

fn network(text: &str) -> Result<Cidr, Text> {
    text.parse().map_err(|_| both!("`{text}` is no IP address or network", "`{text}` 不是 IP 地址或网段"))
}

fn tickets(public_url: &str) -> Option<Arc<str>> {
    let base = public_url.trim_end_matches('/');
    (!base.is_empty()).then(|| format!("{base}/t/").into())
}

fn division(area: &config::Area) -> Division {
    Division { code: area.code.clone(), name: area.name.clone() }
}

fn queue(name: &str, queue: &config::Queue, several: bool, emergency_percent: usize) -> queue::Queue {
    let percent = |of: usize, percent: usize| (of * percent).div_ceil(100);
    queue::Queue {
        name: name.into(),
        seats: queue.seats.iter().map(|seat| seat.as_str().into()).collect(),
        strategy: queue.strategy,
        skill: Some(queue.skill.as_str()).filter(|skill| !skill.is_empty()).map(Arc::from),
        levels: queue.levels().unwrap_or_default(),
        experts_after: Some(queue.experts_after).filter(|after| !after.is_zero()),
        sticky_wait: queue.sticky_wait,
        sticky_for: queue.sticky_for,
        ageing: queue.ageing,
        ring_timeout: queue.ring_timeout,
        max_wait: queue.max_wait,
        max_length: queue.max_length,
        // One trunk alone takes from nobody.
        share: if several { percent(queue.max_length, queue.source_percent) } else { queue.max_length },
        reserved: percent(queue.max_length, emergency_percent).min(queue.max_length / 2),
        rest_after_failure: queue.rest_after_failure,
        rest_max: queue.rest_max,
        refusal_max: queue.refusal_max,
        wrap_up: queue.wrap_up,
        without_seats: (queue.when_no_seat == config::WhenNoSeat::Overflow).then_some(queue.no_seat_grace),
    }
}

/// How long a prompt may take to its end, the media thread's delay counted in. A-law has 8000 bytes a second.
fn longest<'a>(prompts: impl Iterator<Item = &'a Arc<Prompt>>) -> Duration {
    let longest = prompts.map(|prompt| prompt.a_law.len() as u64).max().unwrap_or(0);
    Duration::from_millis(longest / 8) + LATE_PROMPT
}

fn policy(config: &Config, longest_prompt: Duration) -> Policy {
    let calls = &config.calls;
    Policy {
        max_talk: calls.max_duration,
        apology: Some(calls.apology.as_str().into()),
        music: calls.music.as_str().into(),
        transfer_failed: Some(calls.transfer_failed.as_str().into()),
        choose_area: Some(calls.choose_area.as_str().into()),
        max_parties: calls.max_parties,
        after_caller: calls.after_caller,
        longest_prompt,
        callers: callers::callers(config),
        hold_alarm: calls.hold_alarm,
        hold_most: calls.hold_most,
        least_talk: calls.least_talk,
    }
}

fn ua(config: &Config) -> Ua {
    let max_transactions = config.limits.calls.saturating_mul(TRANSACTIONS_PER_CALL).max(LEAST);
    let max_per_source = max_transactions * config.limits.source_percent / 100;
    let per_second = config.limits.repeat_rate;
    let repeats = Rate { per_second, burst: per_second.saturating_mul(REPEAT_BURST), max_sources: STRANGERS };
    let config::Sip { t1, t2, t4, timer_c, .. } = config.sip;
    Ua { transaction: Transactions { t1, t2, t4, timer_c, max_transactions, max_per_source, repeats }, ..Ua::default() }
}

fn legs(config: &Config) -> Legs {
    let hop_timeout = config.sip.hop_timeout;
    Legs { hop_timeout, max_legs: config.limits.calls.saturating_mul(LEGS_PER_CALL).max(LEAST), ..Legs::default() }
}

fn media(config: &Config, fit: &Fit) -> MediaSetup {
    let (media, shards) = (&config.media, shards(config));
    let ports = media.first_port..=media.last_port;
    let unproven = Unproven { audio: media.unproven, emergency: media.unproven_emergency };
    let (ready, most, port_rest) = (fit.ready, fit.pairs, media.port_rest);
    MediaSetup { addresses: media.addresses.clone(), ports, shards, ready, most, port_rest, unproven }
}

fn recording(config: &Config) -> RecordingRules {
    let said = |record: QueueRecord| match record {
        QueueRecord::Usual => None,
        QueueRecord::Yes => Some(true),
        QueueRecord::No => Some(false),
    };
    let queues = config.queues.iter().filter(|(_, queue)| queue.enabled);
    RecordingRules {
        queues: queues.filter_map(|(name, queue)| Some((name.as_str().into(), said(queue.record)?))).collect(),
        notice: Some(config.recording.notice.as_str()).filter(|name| !name.is_empty()).map(Arc::from),
        pause_most: config.recording.pause_most,
    }
}

fn recorded(lines: &[String]) -> Recorded {
    match lines {
        [] => Recorded::None,
        lines if lines.iter().any(|line| line == config::ALL_LINES) => Recorded::All,
        lines => Recorded::Hotlines(lines.iter().cloned().collect()),
    }
}

fn limits(limits: &config::Limits) -> Limits {
    let reserved = (limits.calls * limits.emergency_percent).div_ceil(100);
    Limits { calls: limits.calls, reserved, source_percent: limits.source_percent }
}

fn transport(transport: config::Transport) -> Transport {
    match transport {
        config::Transport::Udp => Transport::Udp,
        config::Transport::Tcp => Transport::Tcp,
        config::Transport::Tls => Transport::Tls,
        config::Transport::Ws => Transport::Ws,
        config::Transport::Wss => Transport::Wss,
    }
}

fn dtmf(dtmf: config::Dtmf) -> Dtmf {
    match dtmf {
        config::Dtmf::Auto => Dtmf::Auto,
        config::Dtmf::Rfc4733 => Dtmf::Rfc4733,
        config::Dtmf::Info => Dtmf::Info,
        config::Dtmf::Inband => Dtmf::Inband,
    }
}

fn srtp(srtp: config::Srtp) -> Srtp {
    match srtp {
        config::Srtp::No => Srtp::No,
        config::Srtp::Offer => Srtp::Offer,
        config::Srtp::Require => Srtp::Require,
    }
}

fn codec(codec: config::Codec) -> sip::Codec {
    match codec {
        config::Codec::Pcma => sip::Codec::Pcma,
        config::Codec::Pcmu => sip::Codec::Pcmu,
    }
}
