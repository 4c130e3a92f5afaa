//! Checks that no type can make: values may contradict each other or the machine.

mod backends;
mod callers;
mod calls;
mod causes;
mod http;
mod numbers;
mod outbound;
mod place;
mod queues;
mod reach;
mod registrar;
mod registration;
mod remote;
mod srtp;
mod trunks;
mod twins;
mod values;

use super::finding::Finding;
use super::layers::Layers;
use super::schema::{ALL_LINES, Config};
use super::{level, secrets};
use crate::base::{Cidr, Text};
use crate::record::signature::Keys;
use crate::record::zone::Zone;
use std::net::SocketAddr;
use std::time::Duration;

/// Linux gives these to anyone (`net.ipv4.ip_local_port_range`).
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32768..=60999;

const MOST_QUEUED: usize = 1_000_000;
const MOST_FINDINGS: usize = 50;

/// Every contradiction, each at the place of its key.
pub fn validate(config: &Config, layers: &Layers) -> Vec<Finding> {
    let mut check = Check { layers, findings: Vec::new() };
    check.sip(config);
    check.trunks(config);
    check.causes(config);
    check.numbers(config);
    check.seats_and_queues(config);
    check.callers(config);
    check.outbound(config);
    check.registrar(config);
    check.registrations(config);
    check.sealed(config);
    check.keys(config);
    check.media(config);
    check.limits(config);
    check.calls(config);
    check.recording(config);
    check.outside(config);
    check.sizes(config);
    check.values(config);
    check.findings
}

/// Finds values that work, but most likely not as they are meant.
pub fn doubts(config: &Config, layers: &Layers) -> Vec<Finding> {
    let mut check = Check { layers, findings: Vec::new() };
    check.reached(config);
    check.attained(config);
    check.shared(config);
    check.side_by_side(config);
    check.without_password(config);
    check.noticed_late(config);
    check.unread_credentials(config);
    check.untrusted(config);
    check.sealed_in_vain(config);
    check.findings.extend(layers.unread().iter().cloned());
    check.findings
}

struct Check<'a> {
    layers: &'a Layers,
    findings: Vec<Finding>,
}

impl Check<'_> {
    fn require(&mut self, good: bool, path: &[&str], message: impl FnOnce() -> Text) {
        // Nobody reads more at once, and to find a place takes its time.
        if !good && self.findings.len() < MOST_FINDINGS {
            let message = message();
            self.findings.push(self.layers.finding(path, message));
        }
    }

    /// Complains of an entry that another one names and that is disabled.
    fn disabled(layers: &Layers, table: &str, name: &str) -> Text {
        let at = layers.place(&[table, name, "enabled"]).line();
        both!("`{name}` is disabled{}", "`{name}` 已停用{}"; at)
    }

    fn positive(&mut self, value: Duration, path: &[&str]) {
        self.require(!value.is_zero(), path, || both!("must be longer than zero", "必须大于零"));
    }

    fn sip(&mut self, config: &Config) {
        let sip = &config.sip;
        self.require(!sip.listen.is_empty(), &["sip", "listen"], || both!("names no address", "没有写任何地址"));
        self.require(sip.listen.len() <= 8, &["sip", "listen"], || both!("more than 8 addresses", "超过 8 个地址"));
        self.listens(&sip.listen, "listen");
        self.by_tls(sip);
        for (value, key) in [
            (sip.t1, "t1"),
            (sip.t2, "t2"),
            (sip.t4, "t4"),
            (sip.timer_c, "timer_c"),
            (sip.hop_timeout, "hop_timeout"),
            (sip.resolve_timeout, "resolve_timeout"),
        ] {
            self.positive(value, &["sip", key]);
        }
        self.require(sip.t2 >= sip.t1, &["sip", "t2"], || both!("is shorter than t1", "比 t1 短"));
        // RFC 3261 §16.6 step 11.
        let long = sip.timer_c > Duration::from_secs(180);
        self.require(long, &["sip", "timer_c"], || both!("RFC 3261 asks for more than 3m", "RFC 3261 要求大于 3m"));
        self.require(!config.node.name.is_empty(), &["node", "name"], || both!("is empty", "不能为空"));
        let (state, plan) = (&config.node.state, &config.plan.file);
        self.require(!state.as_os_str().is_empty(), &["node", "state"], || both!("is empty", "不能为空"));
        self.require(!plan.as_os_str().is_empty(), &["plan", "file"], || both!("is empty", "不能为空"));
    }

    /// Where a peer's messages or its media come from.
    fn networks(&mut self, texts: &[String], path: &[&str]) {
        for text in texts {
            self.require(text.parse::<Cidr>().is_ok(), path, || {
                both!(
                    "`{text}` is not an IP address, or a network such as 192.0.2.0/24",
                    "`{text}` 不是 IP 地址，也不是 192.0.2.0/24 这样的网段"
                )
            });
        }
    }

    fn seats_and_queues(&mut self, config: &Config) {
        for (name, seat) in config.seats.iter().filter(|(_, seat)| seat.enabled) {
            let at = |key| ["seats", name.as_str(), key];
            let named = seat.aor.starts_with("sip:") || seat.is_remote() && seat.aor.is_empty();
            self.require(named, &at("aor"), || both!("is a URI such as sip:seat@192.0.2.7", "应为 URI，例如 sip:seat@192.0.2.7"));
            self.networks(&seat.media, &at("media"));
            self.one_place(name, seat);
            self.remote(config, name, seat);
            self.networks(&seat.addresses, &at("addresses"));
            self.carried(seat.transport, &at("transport"));
            self.place(&seat.address, &seat.addresses, name, "seats");
            self.require(seat.channels > 0, &at("channels"), || both!("is 0", "不能为 0"));
        }
        self.same_seats(config);
        self.queues(config);
    }

    fn keys(&mut self, config: &Config) {
        let codes = config.keys.codes();
        let starred = codes.all().all(|code| code.starts_with('*') && code.chars().all(|c| "0123456789*#".contains(c)));
        self.require(starred, &["keys"], || {
            both!("a code begins with * and holds only 0-9, * and #", "功能码以 * 开头，只含 0-9、* 和 #")
        });
        for (a, b) in codes.clashes() {
            self.require(false, &["keys"], || {
                both!(
                    "`{a}` and `{b}` begin alike: one of them could never be typed",
                    "`{a}` 与 `{b}` 开头相同，其中一个永远无法输入"
                )
            });
        }
    }

    fn media(&mut self, config: &Config) {
        let media = &config.media;
        self.require(!media.addresses.is_empty(), &["media", "addresses"], || both!("names no address", "没有写任何地址"));
        let concrete = media.addresses.iter().all(|address| !address.is_unspecified());
        self.require(concrete, &["media", "addresses"], || {
            both!("peers must reach us by these: name them", "对端要能访问这些地址，请写明具体地址")
        });
        let (first, last) = (media.first_port, media.last_port);
        let range = first >= 1024 && first < last;
        self.require(range, &["media", "last_port"], || {
            both!("{first}-{last} is no range above 1023", "{first}-{last} 不是 1023 以上的端口范围")
        });
        let apart = last < *EPHEMERAL.start() || first > *EPHEMERAL.end();
        self.require(apart, &["media", "last_port"], || {
            let (from, to) = (EPHEMERAL.start(), EPHEMERAL.end());
            both!(
                "{first}-{last} meets the system's ephemeral ports {from}-{to}",
                "{first}-{last} 与系统临时端口 {from}-{to} 重叠"
            )
        });
        let listens = config.sip.listen.iter().chain([&config.http.listen]);
        let inside = listens.map(SocketAddr::port).find(|port| (first..=last).contains(port));
        self.require(inside.is_none(), &["media", "first_port"], || {
            let port = inside.unwrap_or_default();
            both!(
                "port {port} of sip.listen or http.listen is in the range",
                "sip.listen 或 http.listen 的端口 {port} 在此范围内"
            )
        });
        self.positive(media.silence, &["media", "silence"]);
    }

    fn limits(&mut self, config: &Config) {
        let limits = &config.limits;
        let counts = [
            (limits.calls, "calls"),
            (limits.source_rate as usize, "source_rate"),
            (limits.source_burst as usize, "source_burst"),
            (limits.notices as usize, "notices"),
            (limits.inbox, "inbox"),
            (limits.connections, "connections"),
            (limits.connections_per_source, "connections_per_source"),
            (limits.peer_rate as usize, "peer_rate"),
            (limits.placing_percent as usize, "placing_percent"),
            (limits.source_percent, "source_percent"),
            (limits.accounts, "accounts"),
            (limits.repeat_rate as usize, "repeat_rate"),
            (limits.connection_backlog, "connection_backlog"),
            (limits.connection_unserved, "connection_unserved"),
            (limits.source_waiting, "source_waiting"),
            (limits.source_waiting_bytes, "source_waiting_bytes"),
        ];
        for (value, key) in counts {
            self.require(value > 0, &["limits", key], || both!("is 0", "不能为 0"));
        }
        self.require(limits.emergency_percent <= 50, &["limits", "emergency_percent"], || {
            let percent = limits.emergency_percent;
            both!("{percent} of 100 calls: too few are left for others", "每百路保留 {percent} 路，留给其他呼叫的太少")
        });
        self.positive(limits.turn, &["limits", "turn"]);
    }

    fn recording(&mut self, config: &Config) {
        let recording = &config.recording;
        let at = |key| ["recording", key];
        let number = |line: &String| line == ALL_LINES || !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit());
        let wrong = recording.lines.iter().find(|line| !number(line));
        let wrong_ = wrong.map_or("", String::as_str);
        let message = || {
            both!("`{wrong_}` is no hotline's number, and not `{ALL_LINES}`", "`{wrong_}` 既不是热线号码，也不是 `{ALL_LINES}`")
        };
        self.require(wrong.is_none(), &at("lines"), message);
        for (value, key) in [(recording.calls, "calls"), (recording.queue, "queue"), (recording.buffer, "buffer")] {
            self.require(value > 0, &at(key), || both!("is 0", "不能为 0"));
        }
        let bounded = recording.queue <= MOST_QUEUED;
        self.require(bounded, &at("queue"), || {
            both!("is more than {MOST_QUEUED}, which fill half a gigabyte", "大于 {MOST_QUEUED}（约半 GB）")
        });
        let key = secrets::link(&config.records, &recording.link_key);
        self.require(key.is_ok(), &at("link_key"), || key.err().unwrap_or_default());
        self.positive(recording.pause_most, &at("pause_most"));
        self.require(recording.link_days > 0, &at("link_days"), || both!("is 0", "不能为 0"));
    }

    fn outside(&mut self, config: &Config) {
        self.http(config);
        self.require(config.records.inbound_rate > 0, &["records", "inbound_rate"], || both!("is 0", "不能为 0"));
        self.positive(config.records.inspect_every, &["records", "inspect_every"]);
        self.require((1..=100).contains(&config.records.inspect_percent), &["records", "inspect_percent"], || {
            both!("is not 1 to 100", "应为 1 至 100")
        });
        self.require(config.records.feed_keep > 0, &["records", "feed_keep"], || both!("is 0", "不能为 0"));
        self.require(!config.figures.within.is_zero(), &["figures", "within"], || both!("is 0", "不能为 0"));
        self.require(config.records.seat_log > 0, &["records", "seat_log"], || both!("is 0", "不能为 0"));
        self.positive(config.records.callback_tolerance, &["records", "callback_tolerance"]);
        self.positive(config.records.retry_after_max, &["records", "retry_after_max"]);
        let url = &config.records.webhook.url;
        let web = url.is_empty() || url.starts_with("http://") || url.starts_with("https://");
        self.require(web, &["records", "webhook", "url"], || {
            both!("is no http:// or https:// address", "不是 http:// 或 https:// 地址")
        });
        self.positive(config.records.webhook.timeout, &["records", "webhook", "timeout"]);
        self.proxy(&config.records.webhook.proxy, &["records", "webhook", "proxy"]);
        let keys = Keys::parse(&config.records.webhook.secret);
        self.require(keys.is_ok(), &["records", "webhook", "secret"], || keys.err().unwrap_or_default());
        for (name, backend) in config.records.backends.iter().filter(|(_, backend)| backend.enabled) {
            self.backend(name, backend);
        }
        self.faults(secrets::sealer(&config.records).err().unwrap_or_default());
        let zone = Zone::named(&config.records.zone);
        self.require(zone.is_ok(), &["records", "zone"], || zone.err().unwrap_or_default());
        for (phone, area) in &config.records.areas {
            let path = ["records", "areas", phone.as_str()];
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let six = digits(&area.code) && area.code.len() == 6 && !area.name.is_empty();
            self.require(six, &path, || {
                both!("is a division: code (six digits, GB/T 2260) and name", "应为行政区划：code（六位数字，GB/T 2260）和 name")
            });
            self.require(digits(phone) && !phone.starts_with('0'), &path, || {
                both!("is an area code without its leading 0", "应为不带首位 0 的区号")
            });
        }
        let level = level::wrong(&config.log.level);
        self.require(level.is_none(), &["log", "level"], || level.unwrap_or_default());
        self.positive(config.limits.message_timeout, &["limits", "message_timeout"]);
        self.require(config.log.buffer >= 65_536, &["log", "buffer"], || both!("is below 65536", "小于 65536"));
    }

    fn proxy(&mut self, proxy: &str, path: &[&str]) {
        let web = proxy.starts_with("http://") || proxy.starts_with("https://");
        let good = proxy.is_empty() || web && reqwest::Proxy::all(proxy).is_ok();
        self.require(good, path, || {
            both!("is no address such as http://192.0.2.1:3128", "不是 http://192.0.2.1:3128 这样的地址")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn findings(site: &str) -> Vec<String> {
        let layers = Layers::new(Some(crate::plan::Source::new("site.toml", site)), BTreeMap::new());
        validate(&layers.merge().unwrap(), &layers).iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn complains(site: &str, place: &str, message: &str) {
        let findings = findings(site);
        assert!(findings.iter().any(|f| f.starts_with(place) && f.contains(message)), "{findings:#?}");
    }

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(findings(""), Vec::<String>::new());
    }

    #[test]
    fn a_host_name_needs_the_networks_that_its_addresses_may_be_in() {
        let trunk = "[trunks.x]\naddress = 'sbc.example.cn:5060'\n";
        complains(&format!("{trunk}addresses = []"), "site.toml:3:1: ", "a host name is called only at addresses");
        assert_eq!(findings(&format!("{trunk}addresses = ['192.0.2.0/24']")), Vec::<String>::new());
        complains("[trunks.x]\naddress = '198.51.100.1:5060'\naddresses = ['192.0.2.0/24']", "site.toml:2:1: ", "not among");
        complains(
            &format!("{trunk}addresses = ['192.0.2.0/24']\ndns = ['dns.example.cn']"),
            "site.toml:4:1: ",
            "no IP address of",
        );
        complains("[trunks.loopback]\ndns = ['10.0.0.53']", "site.toml:2:1: ", "is for a host name");
        let listed = "[trunks.x]\naddresses = ['192.0.2.0/24']\ntargets = ";
        assert_eq!(findings(&format!("{listed}['192.0.2.1:5060', '192.0.2.2:5060']")), Vec::<String>::new());
        complains(&format!("{listed}['192.0.2.1']"), "site.toml:3:1: ", "not an address with a port");
        complains(&format!("{listed}['198.51.100.1:5060']"), "site.toml:3:1: ", "not among");
        complains(&format!("{listed}['192.0.2.1:5060']\naddress = '192.0.2.1:5060'"), "site.toml:3:1: ", "set either this");
        let seat = "[seats.x]\naor = 'sip:x@192.0.2.1'\naddress = 'desk.example.cn:5060'";
        complains(seat, "site.toml:1:8: ", "a host name is called only at addresses");
        assert_eq!(findings(&format!("{seat}\naddresses = ['192.0.2.7']")), Vec::<String>::new());
        complains("[seats.desk]\naddress = 'desk.example.cn'", "site.toml:2:1: ", "not an address or a host name with a port");
        for transport in ["tls", "ws", "wss"] {
            let site = format!("[seats.desk]\ntransport = '{transport}'");
            complains(&site, "site.toml:2:1: ", &format!("`{transport}` is not carried yet"));
        }
    }

    #[test]
    fn contradictions_are_found_at_their_key() {
        complains("[http]\nlisten = '0.0.0.0:8080'", "site.toml:2:1: ", "set a token in [http.tokens.NAME]");
        complains("[sip]\nlisten = []", "site.toml:2:1: ", "names no address");
        complains("[sip]\nlisten = ['0.0.0.0:5060']", "site.toml:2:1: ", "so name one");
        complains("[queues.12345]\nseats = ['nobody']", "site.toml:2:1: ", "no seat `nobody`");
        complains("[seats.desk]\nenabled = false", "config/default.toml:", "`desk` is disabled at line 2 of site.toml");
        let twin = "[seats.a]\naor = 'sip:1@192.0.2.1'\naddress = '192.0.2.1:5060'\n[seats.b]\naor = 'sip:1@192.0.2.9'\n";
        complains(&format!("{twin}address = '192.0.2.1:5060'"), "site.toml:6:1: ", "seat `a` has this address too");
        complains("[trunks.x]\nport = 5060", "site.toml:1:9: ", "nowhere to go");
        complains("[trunks.x]\naddresses = ['192.0.2.300']", "site.toml:2:1: ", "`192.0.2.300` is not an IP address");
        complains("[trunks.loopback]\nmedia = ['192.0.2.0/33']", "site.toml:2:", "`192.0.2.0/33` is not an IP address");
        complains("[seats.desk]\nmedia = ['here']", "site.toml:2:", "`here` is not an IP address");
        complains("[trunks.x]\naddresses = ['127.0.0.1/8', '192.0.2.1']", "site.toml:2:1: ", "belongs to trunk `loopback`");
        complains("[trunks.loopback]\nsession_expires = '89s'", "site.toml:2:1: ", "RFC 4028");
        complains("[trunks.loopback]\nchannels = 5\nreserved = 5", "site.toml:3:1: ", "leaves none of 5 channels");
        complains("[media]\nlast_port = 40000", "site.toml:2:1: ", "ephemeral");
        complains("[media]\nfirst_port = 5000\nlast_port = 9000", "site.toml:2:1: ", "in the range");
        complains("[recording]\nqueue = 2000000", "site.toml:2:1: ", "more than 1000000");
        complains("[recording]\nlines = ['12345', '税务']", "site.toml:2:1: ", "`税务` is no hotline's number");
        complains("[recording]\nlink_key = 'x'", "site.toml:2:1: ", "no key `x` in [records.keys]");
        complains("[limits]\ncalls = 100000", "site.toml:2:1: ", "port pairs");
        complains("[limits]\nlegs = 100000", "site.toml:2:1: ", "port pairs");
        complains("[limits]\nlegs = 5000", "site.toml:2:1: ", "too few for 5000 calls");
        complains("[limits]\ninbox = 5000000", "site.toml:2:1: ", "not from 64 to 4000000");
        complains("[limits]\nconnections = 5000000", "site.toml:2:1: ", "more than 1000000");
        complains("[http]\nconnections = 5000000", "site.toml:2:1: ", "more than 1000000");
        complains("[media]\nshards = 300", "site.toml:2:1: ", "300 media threads");
        complains("[limits]\ncalls = 2\n[media]\nlast_port = 10007\nshards = 4", "site.toml:5:1: ", "each needs ports");
        complains("[routes]\ndefault = 'x'", "site.toml:2:1: ", "no trunk `x`");
        complains("[keys]\nswap = '*11'", "site.toml:1:2: ", "begin alike");
        complains("[keys]\nswap = '11'", "site.toml:1:2: ", "begins with *");
        complains("[log]\nlevel = 'a=b=c'", "site.toml:2:1: ", "nothing here logs as `a`");
        complains("[log]\nlevel = 'hotline[=x'", "site.toml:2:1: ", "no filter");
        complains("[records.webhook]\nurl = 'redmine'", "site.toml:2:1: ", "no http://");
        complains("[records.webhook]\nproxy = 'socks5://a:1'", "site.toml:2:1: ", "no address such as http://");
        let backend = "[records.backends.a]\nurl = 'http://192.0.2.1'\nprofile = ";
        complains(&format!("{backend}'platform-12345'"), "site.toml:1:", "`credentials` lack `app_key`, `app_secret`");
        complains(&format!("{backend}'request-tracker-5'\ncredentials = {{ tokn = 'x' }}"), "site.toml:4:1: ", "lack `token`");
        complains("[sip]\ntimer_c = '1m'", "site.toml:2:1: ", "more than 3m");
    }

    #[test]
    fn what_cannot_be_reached_or_told_apart_is_said_and_stops_nothing() {
        let doubts = |site: &str| -> Vec<String> {
            let layers = Layers::new(Some(crate::plan::Source::new("site.toml", site)), BTreeMap::new());
            let config = layers.merge().unwrap();
            assert_eq!(validate(&config, &layers).len(), 0, "{site}");
            doubts(&config, &layers).iter().map(|doubt| doubt.warning().en).collect()
        };
        assert_eq!(doubts(""), Vec::<String>::new(), "a demonstration on one machine is none");
        let seat = "[seats.six]\naor = 'sip:6@x'\naddress = ";
        let lost = doubts(&format!("{seat}'[2001:db8::7]:5060'"));
        assert!(lost[0].starts_with("site.toml:3:1: ") && lost[0].contains("no IPv6 address"), "{lost:?}");
        let six = format!("[sip]\nlisten = ['127.0.0.1:5060', '[::1]:5060']\n{seat}'[2001:db8::7]:5060'\n");
        assert_eq!(doubts(&format!("{six}[media]\naddresses = ['127.0.0.1', '::1']")).len(), 0);
        assert!(doubts("[trunks.six]\naddresses = ['2001:db8::9']")[0].contains("cannot be called"));
        assert!(
            doubts(&format!("[sip]\nlisten = ['127.0.0.1:5060', '[::1]:5060']\n{seat}'[2001:db8::7]:5060'"))[0].contains("voice")
        );
        let over =
            doubts("[limits]\ncalls = 300\nconnections = 32\n[recording]\nlines = ['all']\n[trunks.loopback]\nreserved = 10");
        for (key, what) in [
            ("channels", "4000 channels cannot all be used: limits.calls takes 300"),
            ("max_length", "500 callers will never wait"),
            ("emergency_percent", "keeps 6 calls for emergency lines, trunks reserve 10"),
            ("connections_per_source", "64 connections of one source"),
            ("calls", "1000 calls will never be recorded at once"),
        ] {
            assert!(over.iter().any(|doubt| doubt.contains(key) && doubt.contains(what)), "{what}: {over:#?}");
        }
        assert_eq!(over.len(), 5, "{over:#?}");
        let trunks = "[trunks.a]\naddresses = ['192.0.2.1']\n[trunks.b]\naddresses = ['192.0.2.2']\n";
        assert_eq!(doubts(trunks), Vec::<String>::new(), "of what the operator did not write nothing is told");
        assert!(
            doubts(&format!("{trunks}channels = 4000\nreserved = 101"))[0].contains("trunks reserve"),
            "{:?}",
            doubts(trunks)
        );
        let both = format!("[trunks.sbc]\naddresses = ['192.0.2.0/24', '192.0.2.20']\n{seat}'192.0.2.20:5060'");
        assert!(doubts(&both)[0].contains("an address of trunk `sbc`"), "{:?}", doubts(&both));
    }

    #[test]
    fn all_are_found_at_once() {
        let all = findings("[http]\nlisten = '0.0.0.0:80'\n[sip]\nt1 = '0s'\n[limits]\ncalls = 0\n");
        assert_eq!(all.len(), 3, "{all:#?}");
    }

    #[test]
    fn a_token_opens_http() {
        let site = "[http]\nlisten = '0.0.0.0:8080'\n[http.tokens.a]\nroles = ['viewer']\nsecret = '";
        assert_eq!(findings(&format!("{site}0123456789abcdef'")), Vec::<String>::new());
        complains(&format!("{site}0123'"), "site.toml:5:1: ", "shorter than 16");
    }
}
