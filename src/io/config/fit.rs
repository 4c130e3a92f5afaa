//! The limits of a configuration for which this process has files and sockets, where it may hold too few for all of them.

use super::schema::{Config, LEGS_PER_CALL};
use crate::base::Text;
use crate::io::metrics::Metric;
use crate::io::process::descriptors::{self, EACH_DATABASE};
use serde::Serialize;

/// Journal, runtime, standard streams and bells, and what is opened in passing: a plan, the audit log, a clock's file.
const OWN: usize = 40;
/// A reader's database and log, and a name that is looked up.
const EACH_BACKEND: usize = EACH_DATABASE + 2;
/// UDP and TCP.
const EACH_ADDRESS: usize = 2;
/// Its poll and its bell.
const EACH_SHARD: usize = 2;
/// RTP and RTCP.
const PAIR: usize = 2;
/// A client's socket, and the recording that it listens to.
const EACH_CLIENT: usize = 2;
/// Less than this of each is no gateway.
const LEAST: usize = 4;
/// Pairs that a shard keeps bound ahead at least, and one for so many calls.
const LEAST_READY: usize = 8;
const CALLS_PER_READY: usize = 8;
/// Limits are lowered in steps of one in so many.
const PARTS: usize = 10_000;

/// The limits as they are kept to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fit {
    pub calls: usize,
    /// Legs with media.
    pub legs: usize,
    /// SIP connections.
    pub connections: usize,
    pub http_connections: usize,
    pub recordings: usize,
    /// Limit of descriptors for this process.
    pub descriptors: usize,
    /// Descriptors that the whole configuration would take.
    pub descriptors_needed: usize,
    /// Port pairs that each shard keeps bound ahead, and that there are at once in all.
    #[serde(skip)]
    pub ready: usize,
    #[serde(skip)]
    pub pairs: usize,
    /// HTTP clients beyond the limit that are told so.
    #[serde(skip)]
    pub porch: usize,
}

impl Fit {
    /// Each limit has a least, and of what is above that each gets the same part. `ready`: pairs that each shard would keep
    /// bound ahead; `porch`: HTTP clients beyond their limit. Not even the least: what is missing.
    pub fn of(config: &Config, shards: u16, (ready, porch): (usize, usize), limit: usize) -> Result<Fit, Text> {
        let pools = usize::from(shards).max(1) * families(config);
        let own = own(config, shards.into());
        let recordings = if config.records() { config.recording.calls } else { 0 };
        let at = |part: usize| {
            let of = |least: usize, most: usize| {
                let more = most.saturating_sub(least) as u128 * part as u128 / PARTS as u128;
                least.min(most) + usize::try_from(more).unwrap_or(usize::MAX)
            };
            let calls = of(LEAST, config.limits.calls);
            Fit {
                calls,
                legs: of(LEAST * LEGS_PER_CALL, config.limits.legs()),
                connections: of(2 * LEAST, config.limits.connections),
                http_connections: of(LEAST, config.http.connections),
                recordings: of(1, recordings),
                ready: ready.min(LEAST_READY.max(calls / CALLS_PER_READY)),
                porch: of(LEAST, porch),
                ..Fit::default()
            }
        };
        let needs = |part: usize| at(part).taken(pools).saturating_add(own);
        let (least, needed) = (needs(0), needs(PARTS));
        if limit < least {
            return Err(too_few(least, needed, limit));
        }
        // The need grows with the part.
        let (mut fits, mut beyond) = (0, PARTS + 1);
        while beyond - fits > 1 {
            let middle = fits.midpoint(beyond);
            *(if needs(middle) <= limit { &mut fits } else { &mut beyond }) = middle;
        }
        let fit = at(fits);
        // Calls that ring many phones at once have the rest.
        let pairs = fit.legs + fit.ready * pools + (limit - needs(fits)) / PAIR;
        Ok(Fit { pairs, descriptors: limit, descriptors_needed: needed, ..fit })
    }

    /// Descriptors that it takes to reach all limits.
    fn taken(&self, pools: usize) -> usize {
        let legs = self.legs.saturating_mul(PAIR);
        let clients = self.http_connections.saturating_mul(EACH_CLIENT).saturating_add(self.porch);
        legs.saturating_add(clients).saturating_add(self.connections + self.recordings + self.ready * pools * PAIR)
    }

    /// Why less is kept to than is configured.
    pub fn lowered(&self) -> Option<Text> {
        let Fit { calls, connections, http_connections, recordings, descriptors, descriptors_needed, .. } = self;
        (descriptors < descriptors_needed).then(|| {
            both!(
                "all that is configured needs {descriptors_needed} files and sockets, this process may hold {descriptors}: it \
                 takes {calls} calls (limits.calls), {connections} SIP connections, {http_connections} HTTP connections and \
                 {recordings} recordings at once, no more; {}",
                "全部配置需要 {descriptors_needed} 个文件和套接字，而本进程最多可打开 {descriptors} 个：同时只接受 {calls} 路呼叫\
                 （limits.calls）、{connections} 个 SIP 连接、{http_connections} 个 HTTP 连接、{recordings} 路录音；{}";
                remedy(*descriptors_needed)
            )
        })
    }

    /// All that is made once, at the start, is made within them.
    pub fn keep(&self, config: &mut Config) {
        (config.limits.calls, config.limits.legs) = (self.calls, self.legs);
        config.limits.connections = self.connections;
        config.limits.connections_per_source = config.limits.connections_per_source.min(self.connections);
        config.http.connections = self.http_connections;
        config.http.connections_per_source = config.http.connections_per_source.min(self.http_connections);
        if config.records() {
            config.recording.calls = self.recordings;
        }
    }

    pub fn metrics(&self) -> Vec<Metric> {
        let gauges = [
            Metric::gauge(
                "calls_limit",
                "Calls that are taken at once: limits.calls, or what there are descriptors for.",
                self.calls,
            ),
            Metric::gauge(
                "legs_limit",
                "Legs that have media at once: limits.legs, or what there are descriptors for.",
                self.legs,
            ),
            Metric::gauge("tcp_connections_limit", "SIP connections that are taken at once.", self.connections),
            Metric::gauge("http_connections_limit", "HTTP connections that are taken at once.", self.http_connections),
            Metric::gauge("recordings_limit", "Calls that are recorded at once.", self.recordings),
            Metric::gauge("descriptors_limit", "Files and sockets that this process may hold.", self.descriptors),
            Metric::gauge("descriptors_needed", "Files and sockets that all that is configured takes.", self.descriptors_needed),
        ];
        gauges.into_iter().chain(descriptors::metrics()).collect()
    }
}

/// Each has pairs of its own.
fn families(config: &Config) -> usize {
    let of = |v6: bool| usize::from(config.media.addresses.iter().any(|at| at.is_ipv6() == v6));
    (of(false) + of(true)).max(1)
}

/// These do not grow with the load.
fn own(config: &Config, shards: usize) -> usize {
    let backends = config.records.backends.values().filter(|backend| backend.enabled);
    let backends = backends.map(|backend| EACH_BACKEND + backend.parallel);
    let webhook = if config.records.webhook.url.is_empty() { 0 } else { EACH_BACKEND + crate::record::delivery::IN_FLIGHT };
    OWN + EACH_ADDRESS * config.sip.listen.len()
        + config.sip.listen_tls.len()
        + EACH_SHARD * shards
        + backends.sum::<usize>()
        + webhook
}

fn too_few(least: usize, needed: usize, limit: usize) -> Text {
    both!(
        "this process may hold {limit} files and sockets; to start at all it needs {least}, for all that is configured {needed}; {}",
        "本进程最多可打开 {limit} 个文件和套接字；启动至少需要 {least} 个，全部配置需要 {needed} 个；{}";
        remedy(needed)
    )
}

fn remedy(needed: usize) -> Text {
    both!(
        "raise the limit: `LimitNOFILE={needed}` in the systemd unit, `ulimit -n {needed}` in a shell, \
         `--ulimit nofile={needed}` for a container",
        "请提高上限：systemd 单元中写 `LimitNOFILE={needed}`，shell 中用 `ulimit -n {needed}`，容器用 `--ulimit nofile={needed}`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::config::Layers;
    use crate::plan::Source;
    use std::collections::BTreeMap;

    const AHEAD: (usize, usize) = (256, 64);

    fn config(site: &str) -> Config {
        Layers::new(Some(Source::new("site.toml", site)), BTreeMap::new()).merge().unwrap()
    }

    /// Returns the descriptors in use when all limits are reached, and all pairs.
    fn taken(config: &Config, shards: u16, fit: &Fit) -> usize {
        let clients = fit.http_connections * EACH_CLIENT + fit.porch;
        own(config, shards.into()) + fit.pairs * PAIR + fit.connections + clients + fit.recordings
    }

    #[test]
    fn what_is_configured_is_counted_whole() {
        let mut config = config("");
        let plenty = Fit::of(&config, 1, AHEAD, 1 << 20).unwrap();
        let taken_ = taken(&config, 1, &plenty);
        assert!(((1 << 20) - 1..=1 << 20).contains(&taken_) && plenty.pairs > 400_000, "{plenty:?}");
        let fit = Fit::of(&config, 1, AHEAD, plenty.descriptors_needed).unwrap();
        assert_eq!((fit.calls, fit.connections, fit.http_connections, fit.recordings), (5000, 1024, 256, 0));
        assert_eq!((fit.ready, fit.porch, fit.lowered()), (256, 64, None));
        assert_eq!(fit.descriptors_needed, taken(&config, 1, &fit));
        let needed = |config: &Config, shards| Fit::of(config, shards, AHEAD, 1 << 20).unwrap().descriptors_needed;
        let before = needed(&config, 1);
        assert_eq!(needed(&config, 3) - before, 2 * (256 * 2 + 2));
        config.recording.lines = vec!["all".to_owned()];
        assert_eq!(needed(&config, 1) - before, config.recording.calls);
        config.recording.lines.clear();
        config.limits.calls += 1;
        assert_eq!(needed(&config, 1) - before, 4);
        config.limits.legs = config.limits.calls + 300;
        assert_eq!(needed(&config, 1) + 4 * 5000, before + 2 * 5301, "a caller who waits has one leg");
        config.limits.legs = 0;
        config.media.addresses.push("2001:db8::1".parse().unwrap());
        assert_eq!(needed(&config, 1) - before, 4 + 512, "another family has pairs ready of its own");
        config.media.addresses.pop();
        config.sip.listen.push("192.0.2.1:5060".parse().unwrap());
        config.records.webhook.url = "http://192.0.2.1/".to_owned();
        assert!(needed(&config, 1) - before > 4 + 2 + 8);
    }

    #[test]
    fn with_too_few_all_limits_are_lowered_in_proportion_and_kept() {
        let waiting = config("[limits]\ncalls = 5100\nlegs = 5400\n");
        assert!(Fit::of(&waiting, 1, AHEAD, 20_000).unwrap().lowered().is_none(), "most of them wait");
        let recorded = config("[recording]\nlines = ['all']\ncalls = 300\n[limits]\ncalls = 700\n");
        for (config, shards) in [(config(""), 1), (config(""), 7), (recorded, 2), (waiting, 1)] {
            let mut before = 0;
            for limit in (64..40_000).step_by(61) {
                let fit = match Fit::of(&config, shards, AHEAD, limit) {
                    Ok(fit) => fit,
                    Err(why) => {
                        assert!(before == 0 && limit < 250, "{why}");
                        assert!(why.en.contains(&format!("may hold {limit} ")) && why.en.contains("LimitNOFILE="), "{why}");
                        continue;
                    }
                };
                assert!(taken(&config, shards, &fit) <= limit, "{limit}: {fit:?}");
                assert!(fit.legs >= fit.calls && fit.legs <= config.limits.legs());
                assert!(fit.calls >= before.max(LEAST) && fit.porch >= LEAST && fit.ready >= LEAST_READY, "{limit}: {fit:?}");
                let wasted = limit as i64 - own(&config, shards.into()) as i64 - fit.taken(shards.into()) as i64;
                assert!(limit > fit.descriptors_needed || (0..60).contains(&wasted), "{limit}: {wasted} more were there");
                assert_eq!(fit.lowered().is_some(), limit < fit.descriptors_needed);
                before = fit.calls;
                let mut kept = config.clone();
                fit.keep(&mut kept);
                assert!(kept.limits.connections_per_source <= kept.limits.connections);
                assert_eq!((kept.limits.calls, kept.http.connections), (fit.calls, fit.http_connections));
            }
            assert_eq!(before, config.limits.calls);
        }
    }

    #[test]
    fn a_usual_limit_of_1024_is_mostly_calls_and_the_text_says_how_to_raise_it() {
        let config = config("");
        let fit = Fit::of(&config, 1, AHEAD, 1024).unwrap();
        assert!((150..250).contains(&fit.calls), "{fit:?}");
        let Text { en, zh } = fit.lowered().unwrap();
        let needed = fit.descriptors_needed;
        for part in [format!("it takes {} calls", fit.calls), format!("LimitNOFILE={needed}"), format!("ulimit -n {needed}")] {
            assert!(en.contains(&part), "{en}");
        }
        assert!(zh.contains(&format!("LimitNOFILE={needed}")) && zh.contains(&format!("{} 路呼叫", fit.calls)), "{zh}");
    }

    #[test]
    fn a_configuration_smaller_than_the_least_is_no_more_than_it_says() {
        let mut config = config("");
        (config.limits.calls, config.limits.connections, config.http.connections) = (1, 1, 1);
        let fit = Fit::of(&config, 1, (1, 1), 1 << 20).unwrap();
        assert_eq!((fit.calls, fit.connections, fit.http_connections, fit.ready), (1, 1, 1, 1));
        assert!(Fit::of(&config, 1, (1, 1), fit.descriptors_needed).unwrap().lowered().is_none());
        assert!(Fit::of(&config, 1, (1, 1), fit.descriptors_needed - 1).is_err());
        config.limits.calls = usize::MAX / 8;
        assert!(Fit::of(&config, 1, AHEAD, 20_000).unwrap().calls < 5000);
    }
}
