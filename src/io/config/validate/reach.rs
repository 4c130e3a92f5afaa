//! Limits that contradict each other or cannot be reached, and hops that cannot be called.

use super::Check;
use crate::base::{Place, Text};
use crate::io::config::schema::{Config, LEGS_PER_CALL};
use std::net::{IpAddr, SocketAddr};

/// Room for so many inputs is made at the start: some two hundred bytes each.
const INBOX: std::ops::RangeInclusive<usize> = 64..=4_000_000;
/// Nobody means more, and no machine has them.
const MOST_CONNECTIONS: usize = 1_000_000;
const MOST_SHARDS: u16 = 256;
const CALLS: &[&str] = &["limits", "calls"];
const PERCENT: &[&str] = &["limits", "emergency_percent"];

impl Check<'_> {
    /// Sizes that the program could not make room for, or would make it for nothing.
    pub fn sizes(&mut self, config: &Config) {
        let (limits, media) = (&config.limits, &config.media);
        let pairs = usize::from(media.last_port.saturating_sub(media.first_port)).div_ceil(2) * media.addresses.len();
        let needed = limits.legs();
        self.require(needed <= pairs, &["limits", if limits.legs == 0 { "calls" } else { "legs" }], || {
            let calls = limits.calls;
            both!(
                "{calls} calls need {needed} port pairs, the media range has {pairs}",
                "{calls} 路呼叫需要 {needed} 对端口，媒体端口范围只有 {pairs} 对"
            )
        });
        self.require(limits.legs == 0 || needed > limits.calls, &["limits", "legs"], || {
            let calls = limits.calls;
            both!(
                "{needed} legs are too few for {calls} calls: each caller has one, and whoever answers has another",
                "{needed} 条支路不足以承载 {calls} 路呼叫：每位来电者占一条，每位接听者另占一条"
            )
        });
        let shards = usize::from(media.shards);
        let fed = media.shards <= MOST_SHARDS && shards.saturating_mul(LEGS_PER_CALL) <= pairs.max(LEGS_PER_CALL);
        self.require(fed, &["media", "shards"], || {
            both!(
                "{shards} media threads: no more than {MOST_SHARDS}, and each needs ports for a call ({pairs} pairs are in the range)",
                "{shards} 个媒体线程：最多 {MOST_SHARDS} 个，且每个线程至少要有一路呼叫的端口（范围内共 {pairs} 对）"
            )
        });
        self.require(limits.inbox == 0 || INBOX.contains(&limits.inbox), &["limits", "inbox"], || {
            let (least, most) = (INBOX.start(), INBOX.end());
            both!("is not from {least} to {most}", "不在 {least} 到 {most} 之间")
        });
        for (count, path) in [(limits.connections, ["limits", "connections"]), (config.http.connections, ["http", "connections"])]
        {
            self.require(count <= MOST_CONNECTIONS, &path, || {
                both!("is more than {MOST_CONNECTIONS}", "大于 {MOST_CONNECTIONS}")
            });
        }
    }

    /// Complains at the first of these keys where the operator has written one of them.
    fn doubt(&mut self, good: bool, paths: &[&[&str]], message: impl FnOnce() -> Text) {
        if !good && self.layers.has_written(paths) {
            self.require(false, paths.first().copied().unwrap_or_default(), message);
        }
    }

    /// Limits that another one makes unreachable: so many will never be there at once.
    pub fn attained(&mut self, config: &Config) {
        let limits = &config.limits;
        let calls = limits.calls;
        for (name, trunk) in config.trunks.iter().filter(|(_, trunk)| trunk.enabled) {
            let channels = trunk.channels;
            let path = ["trunks", name, "channels"];
            self.doubt(channels as usize <= calls, &[&path, CALLS], || {
                both!(
                    "{channels} channels cannot all be used: limits.calls takes {calls} calls at once",
                    "{channels} 路无法全部使用：limits.calls 同时只接受 {calls} 路呼叫"
                )
            });
        }
        for (name, queue) in config.queues.iter().filter(|(_, queue)| queue.enabled) {
            let length = queue.max_length;
            let path = ["queues", name, "max_length"];
            self.doubt(length <= calls, &[&path, CALLS], || {
                both!(
                    "{length} callers will never wait: limits.calls takes {calls} calls at once",
                    "不会有 {length} 人同时排队：limits.calls 同时只接受 {calls} 路呼叫"
                )
            });
        }
        let kept = (calls * limits.emergency_percent).div_ceil(100);
        let reserved: usize = config.trunks.values().filter(|trunk| trunk.enabled).map(|trunk| trunk.reserved as usize).sum();
        let of_trunks: Vec<[&str; 3]> = config.trunks.keys().map(|name| ["trunks", name.as_str(), "reserved"]).collect();
        let of_trunks = of_trunks.iter().map(|path| &path[..]);
        let paths: Vec<&[&str]> = [PERCENT, CALLS].into_iter().chain(of_trunks).collect();
        self.doubt(reserved <= kept, &paths, || {
            both!(
                "keeps {kept} calls for emergency lines, trunks reserve {reserved} channels for them: when all other calls are \
                 taken, {kept} get through",
                "为紧急热线预留 {kept} 路，而各中继共预留 {reserved} 路：其余呼叫占满时只有 {kept} 路紧急来话能接入"
            )
        });
        let (share, connections) = (limits.connections_per_source, limits.connections);
        let paths: [&[&str]; 2] = [&["limits", "connections_per_source"], &["limits", "connections"]];
        self.doubt(share <= connections, &paths, || {
            both!(
                "{share} connections of one source will never be there: limits.connections is {connections}",
                "单一来源不会有 {share} 个连接：limits.connections 为 {connections}"
            )
        });
        let (share, connections) = (config.http.connections_per_source, config.http.connections);
        let paths: [&[&str]; 2] = [&["http", "connections_per_source"], &["http", "connections"]];
        self.doubt(share <= connections, &paths, || {
            both!(
                "{share} connections of one source will never be there: http.connections is {connections}",
                "单一来源不会有 {share} 个连接：http.connections 为 {connections}"
            )
        });
        let (recorded, some) = (config.recording.calls, config.records());
        self.doubt(!some || recorded <= calls, &[&["recording", "calls"], CALLS], || {
            both!(
                "{recorded} calls will never be recorded at once: limits.calls takes {calls}",
                "不会同时录音 {recorded} 路：limits.calls 同时只接受 {calls} 路呼叫"
            )
        });
    }

    /// We call a peer from an address of its own family, and so is its voice.
    pub fn reached(&mut self, config: &Config) {
        let listens = |hop: SocketAddr| config.sip.listen.iter().any(|at| at.is_ipv4() == hop.is_ipv4());
        let speaks = |hop: SocketAddr| config.media.addresses.iter().any(|at: &IpAddr| at.is_ipv4() == hop.is_ipv4());
        let trunks = config.trunks.iter().filter(|(_, t)| t.enabled).map(|(name, t)| (["trunks", name, "addresses"], t.place()));
        let seats = config.seats.iter().filter(|(_, s)| s.enabled).map(|(name, s)| (["seats", name, "address"], s.place()));
        for (path, place) in trunks.chain(seats) {
            let Some(Place::At(hop)) = place else { continue };
            let family = if hop.is_ipv4() { "IPv4" } else { "IPv6" };
            self.require(listens(hop), &path, || {
                both!("cannot be called: sip.listen names no {family} address", "无法呼叫：sip.listen 没有 {family} 地址")
            });
            self.require(!listens(hop) || speaks(hop), &path, || {
                both!(
                    "cannot be called: media.addresses names no {family} address for its voice",
                    "无法呼叫：media.addresses 没有可用于其语音的 {family} 地址"
                )
            });
        }
    }
}
