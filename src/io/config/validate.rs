//! What a type cannot say: values that contradict each other or the machine.

use crate::io::config::{ALL_LINES, Backend, Config, Finding, Layers, Trunk};
use crate::io::deliver::{Target, WEBHOOK};
use crate::io::keys;
use crate::io::tokens::Tokens;
use crate::record::signature::Keys;
use crate::record::zone::Zone;
use crate::transport::{AccessList, Cidr};
use std::net::SocketAddr;
use std::time::Duration;

/// Linux gives these to anyone (`net.ipv4.ip_local_port_range`).
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32768..=60999;

const MOST_QUEUED: usize = 1_000_000;

/// Every contradiction, each at the place of its key.
pub fn validate(config: &Config, layers: &Layers) -> Vec<Finding> {
    let mut check = Check { layers, findings: Vec::new() };
    check.sip(config);
    check.trunks(config);
    check.seats_and_queues(config);
    check.keys(config);
    check.media(config);
    check.limits(config);
    check.recording(config);
    check.outside(config);
    check.findings
}

struct Check<'a> {
    layers: &'a Layers,
    findings: Vec<Finding>,
}

impl Check<'_> {
    fn require(&mut self, good: bool, path: &[&str], message: impl FnOnce() -> String) {
        if !good {
            self.findings.push(Finding { place: self.layers.place(path), message: message() });
        }
    }

    fn positive(&mut self, value: Duration, path: &[&str]) {
        self.require(!value.is_zero(), path, || "must be longer than zero".to_string());
    }

    fn sip(&mut self, config: &Config) {
        let sip = &config.sip;
        self.require(!sip.listen.is_empty(), &["sip", "listen"], || "names no address".to_string());
        self.require(sip.listen.len() <= 8, &["sip", "listen"], || "more than 8 addresses".to_string());
        for (i, address) in sip.listen.iter().enumerate() {
            let concrete = !address.ip().is_unspecified();
            self.require(concrete, &["sip", "listen"], || format!("{address}: peers must reach us by this address, so name one"));
            self.require(!sip.listen[..i].contains(address), &["sip", "listen"], || format!("{address} stands there twice"));
        }
        for (value, key) in [(sip.t1, "t1"), (sip.t2, "t2"), (sip.t4, "t4"), (sip.timer_c, "timer_c")] {
            self.positive(value, &["sip", key]);
        }
        self.require(sip.t2 >= sip.t1, &["sip", "t2"], || "is shorter than t1".to_string());
        // RFC 3261 §16.6 step 11.
        let long = sip.timer_c > Duration::from_secs(180);
        self.require(long, &["sip", "timer_c"], || "RFC 3261 asks for more than 3m".to_string());
        self.require(!config.node.name.is_empty(), &["node", "name"], || "is empty".to_string());
    }

    fn trunks(&mut self, config: &Config) {
        let mut owners = AccessList::new();
        for (name, trunk) in config.trunks.iter().filter(|(_, trunk)| trunk.enabled) {
            self.trunk(name, trunk);
            for block in trunk.addresses.iter().filter_map(|text| text.parse::<Cidr>().ok()) {
                let other = owners.insert(block, name.as_str());
                let path = ["trunks", name.as_str(), "addresses"];
                self.require(other.is_none(), &path, || format!("{block} belongs to trunk `{}` too", other.unwrap_or_default()));
            }
        }
        let default = config.trunks.get(&config.routes.default).filter(|trunk| trunk.enabled);
        self.require(default.is_some(), &["routes", "default"], || format!("no trunk `{}`", config.routes.default));
    }

    fn trunk(&mut self, name: &str, trunk: &Trunk) {
        let at = |key| ["trunks", name, key];
        for text in &trunk.addresses {
            let block = text.parse::<Cidr>();
            self.require(block.is_ok(), &at("addresses"), || block.err().unwrap_or_default());
        }
        self.require(trunk.peer().is_some(), &at("addresses"), || {
            "names no single address, so that calls to the trunk have nowhere to go".to_string()
        });
        self.require(trunk.port != 0, &at("port"), || "is 0".to_string());
        let area = trunk.area.bytes().all(|b| b.is_ascii_digit()) && trunk.area.len() <= 4 && !trunk.area.starts_with('0');
        self.require(area, &at("area"), || "is an area code without its leading 0, such as 691".to_string());
        self.require(!trunk.codecs.is_empty(), &at("codecs"), || "names no codec".to_string());
        self.require(trunk.channels > 0, &at("channels"), || "is 0".to_string());
        self.require(trunk.reserved < trunk.channels.max(1), &at("reserved"), || {
            format!("leaves none of {} channels to ordinary calls", trunk.channels)
        });
    }

    fn seats_and_queues(&mut self, config: &Config) {
        for (name, seat) in config.seats.iter().filter(|(_, seat)| seat.enabled) {
            let at = |key| ["seats", name.as_str(), key];
            self.require(seat.aor.starts_with("sip:"), &at("aor"), || "is a URI such as sip:seat@192.0.2.7".to_string());
            self.require(seat.address.is_some(), &at("address"), || "is missing: address and port".to_string());
            self.require(seat.channels > 0, &at("channels"), || "is 0".to_string());
        }
        for (name, queue) in config.queues.iter().filter(|(_, queue)| queue.enabled) {
            let at = |key| ["queues", name.as_str(), key];
            self.require(!queue.seats.is_empty(), &at("seats"), || "names no seat".to_string());
            for seat in &queue.seats {
                let known = config.seats.get(seat).is_some_and(|seat| seat.enabled);
                self.require(known, &at("seats"), || format!("no seat `{seat}`"));
            }
            self.positive(queue.ring_timeout, &at("ring_timeout"));
            self.positive(queue.max_wait, &at("max_wait"));
            self.require(queue.max_length > 0, &at("max_length"), || "is 0".to_string());
        }
    }

    fn keys(&mut self, config: &Config) {
        let codes = config.keys.codes();
        let starred = codes.all().all(|code| code.starts_with('*') && code.chars().all(|c| "0123456789*#".contains(c)));
        self.require(starred, &["keys"], || "a code begins with * and holds only 0-9, * and #".to_string());
        for (a, b) in codes.clashes() {
            self.require(false, &["keys"], || format!("`{a}` and `{b}` begin alike: one of them could never be typed"));
        }
    }

    fn media(&mut self, config: &Config) {
        let media = &config.media;
        self.require(!media.addresses.is_empty(), &["media", "addresses"], || "names no address".to_string());
        let concrete = media.addresses.iter().all(|address| !address.is_unspecified());
        self.require(concrete, &["media", "addresses"], || "peers must reach us by these: name them".to_string());
        let (first, last) = (media.first_port, media.last_port);
        let range = first >= 1024 && first < last;
        self.require(range, &["media", "last_port"], || format!("{first}-{last} is no range above 1023"));
        let apart = last < *EPHEMERAL.start() || first > *EPHEMERAL.end();
        self.require(apart, &["media", "last_port"], || {
            format!("{first}-{last} meets the system's ephemeral ports {}-{}", EPHEMERAL.start(), EPHEMERAL.end())
        });
        let listens = config.sip.listen.iter().chain([&config.http.listen]);
        let inside = listens.map(SocketAddr::port).find(|port| (first..=last).contains(port));
        self.require(inside.is_none(), &["media", "first_port"], || {
            format!("port {} of sip.listen or http.listen is in the range", inside.unwrap_or_default())
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
            (limits.connection_backlog, "connection_backlog"),
        ];
        for (value, key) in counts {
            self.require(value > 0, &["limits", key], || "is 0".to_string());
        }
        let pairs = usize::from(config.media.last_port.saturating_sub(config.media.first_port)).div_ceil(2);
        let room = pairs * config.media.addresses.len();
        self.require(limits.emergency_percent <= 50, &["limits", "emergency_percent"], || {
            format!("{} of 100 calls: too few are left for others", limits.emergency_percent)
        });
        self.require(limits.calls * 2 <= room, &["limits", "calls"], || {
            format!("{} calls need {} port pairs, the media range has {room}", limits.calls, limits.calls * 2)
        });
        self.positive(config.calls.max_duration, &["calls", "max_duration"]);
        self.require(config.calls.max_parties > 0, &["calls", "max_parties"], || "is 0".to_string());
    }

    fn recording(&mut self, config: &Config) {
        let recording = &config.recording;
        let at = |key| ["recording", key];
        let number = |line: &String| line == ALL_LINES || !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit());
        let wrong = recording.lines.iter().find(|line| !number(line));
        let message = || format!("`{}` is no hotline's number, and not `{ALL_LINES}`", wrong.map_or("", String::as_str));
        self.require(wrong.is_none(), &at("lines"), message);
        for (value, key) in [(recording.calls, "calls"), (recording.queue, "queue"), (recording.buffer, "buffer")] {
            self.require(value > 0, &at(key), || "is 0".to_string());
        }
        let bounded = recording.queue <= MOST_QUEUED;
        self.require(bounded, &at("queue"), || format!("is more than {MOST_QUEUED}, which fill half a gigabyte"));
        let key = keys::link(&config.records, &recording.link_key);
        self.require(key.is_ok(), &at("link_key"), || key.err().unwrap_or_default());
        self.require(recording.link_days > 0, &at("link_days"), || "is 0".to_string());
    }

    fn outside(&mut self, config: &Config) {
        self.require(config.http.connections > 0, &["http", "connections"], || "is 0".to_string());
        self.positive(config.http.timeout, &["http", "timeout"]);
        for (path, message) in Tokens::of(&config.http).err().unwrap_or_default() {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            self.require(false, &path, || message);
        }
        let own = &config.http.public_url;
        let web = own.is_empty() || own.starts_with("http://") || own.starts_with("https://");
        let plain = !own.contains(['<', '>', '"', ' ', '?', '#']);
        self.require(web && plain, &["http", "public_url"], || "is no http:// or https:// address".to_string());
        self.require(config.records.inbound_rate > 0, &["records", "inbound_rate"], || "is 0".to_string());
        self.require(config.records.feed_keep > 0, &["records", "feed_keep"], || "is 0".to_string());
        self.positive(config.records.callback_tolerance, &["records", "callback_tolerance"]);
        self.positive(config.records.retry_after_max, &["records", "retry_after_max"]);
        let url = &config.records.webhook.url;
        let web = url.is_empty() || url.starts_with("http://") || url.starts_with("https://");
        self.require(web, &["records", "webhook", "url"], || "is no http:// or https:// address".to_string());
        self.positive(config.records.webhook.timeout, &["records", "webhook", "timeout"]);
        self.proxy(&config.records.webhook.proxy, &["records", "webhook", "proxy"]);
        let keys = Keys::parse(&config.records.webhook.secret);
        self.require(keys.is_ok(), &["records", "webhook", "secret"], || keys.err().unwrap_or_default().to_string());
        for (name, backend) in config.records.backends.iter().filter(|(_, backend)| backend.enabled) {
            self.backend(name, backend);
        }
        for (path, message) in keys::sealer(&config.records).err().unwrap_or_default() {
            let path: Vec<&str> = std::iter::once("records").chain(path.iter().map(String::as_str)).collect();
            self.require(false, &path, || message);
        }
        let zone = Zone::named(&config.records.zone);
        self.require(zone.is_ok(), &["records", "zone"], || zone.err().unwrap_or_default());
        for (phone, area) in &config.records.areas {
            let path = ["records", "areas", phone.as_str()];
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let six = digits(&area.code) && area.code.len() == 6 && !area.name.is_empty();
            self.require(six, &path, || "is a division: code (six digits, GB/T 2260) and name".to_string());
            self.require(digits(phone) && !phone.starts_with('0'), &path, || "is an area code without its leading 0".to_string());
        }
        let filter = tracing_subscriber::EnvFilter::try_new(&config.log.level);
        self.require(filter.is_ok(), &["log", "level"], || "is no filter such as `info` or `hotline=debug,info`".to_string());
        self.require(config.log.buffer >= 65_536, &["log", "buffer"], || "is below 65536".to_string());
    }

    fn proxy(&mut self, proxy: &str, path: &[&str]) {
        let web = proxy.starts_with("http://") || proxy.starts_with("https://");
        let good = proxy.is_empty() || web && reqwest::Proxy::all(proxy).is_ok();
        self.require(good, path, || "is no address such as http://192.0.2.1:3128".to_string());
    }

    fn backend(&mut self, name: &str, backend: &Backend) {
        let path = |key| ["records", "backends", name, key];
        let web = backend.url.starts_with("http://") || backend.url.starts_with("https://");
        self.require(web, &path("url"), || "is no http:// or https:// address".to_string());
        self.positive(backend.timeout, &path("timeout"));
        self.proxy(&backend.proxy, &path("proxy"));
        self.require((1..=64).contains(&backend.parallel), &path("parallel"), || "is not from 1 to 64".to_string());
        self.require(name != WEBHOOK, &["records", "backends", name], || "the name belongs to [records.webhook]".to_string());
        let target = Target::backend(name, backend, Zone::default());
        let known = target.as_ref().map_or(Ok(()), |target| target.profile.rehearse(&target.secrets));
        self.require(known.is_ok(), &path("credentials"), || known.err().unwrap_or_default());
        self.require(target.is_ok(), &path("profile"), || target.err().unwrap_or_default());
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
    fn contradictions_are_found_at_their_key() {
        complains("[http]\nlisten = '0.0.0.0:8080'", "site.toml:2:1: ", "set a token in [http.tokens.NAME]");
        complains("[sip]\nlisten = []", "site.toml:2:1: ", "names no address");
        complains("[sip]\nlisten = ['0.0.0.0:5060']", "site.toml:2:1: ", "so name one");
        complains("[queues.12345]\nseats = ['nobody']", "site.toml:2:1: ", "no seat `nobody`");
        complains("[seats.desk]\nenabled = false", "config/default.toml:", "no seat `desk`");
        complains("[trunks.x]\nport = 5060", "site.toml:1:9: ", "nowhere to go");
        complains("[trunks.x]\naddresses = ['192.0.2.300']", "site.toml:2:1: ", "`192.0.2.300` is not an IP address");
        complains("[trunks.x]\naddresses = ['127.0.0.1/8', '192.0.2.1']", "site.toml:2:1: ", "belongs to trunk `loopback`");
        complains("[trunks.loopback]\nchannels = 5\nreserved = 5", "site.toml:3:1: ", "leaves none of 5 channels");
        complains("[media]\nlast_port = 40000", "site.toml:2:1: ", "ephemeral");
        complains("[media]\nfirst_port = 5000\nlast_port = 9000", "site.toml:2:1: ", "in the range");
        complains("[recording]\nqueue = 2000000", "site.toml:2:1: ", "more than 1000000");
        complains("[recording]\nlines = ['12345', '税务']", "site.toml:2:1: ", "`税务` is no hotline's number");
        complains("[recording]\nlink_key = 'x'", "site.toml:2:1: ", "no key `x` in [records.keys]");
        complains("[limits]\ncalls = 100000", "site.toml:2:1: ", "port pairs");
        complains("[routes]\ndefault = 'x'", "site.toml:2:1: ", "no trunk `x`");
        complains("[keys]\nswap = '*11'", "site.toml:1:2: ", "begin alike");
        complains("[keys]\nswap = '11'", "site.toml:1:2: ", "begins with *");
        complains("[log]\nlevel = 'a=b=c'", "site.toml:2:1: ", "no filter");
        complains("[records.webhook]\nurl = 'redmine'", "site.toml:2:1: ", "no http://");
        complains("[records.webhook]\nproxy = 'socks5://a:1'", "site.toml:2:1: ", "no address such as http://");
        let backend = "[records.backends.a]\nurl = 'http://192.0.2.1'\nprofile = ";
        complains(&format!("{backend}'platform-12345'"), "site.toml:1:", "`credentials` lack `app_key`, `app_secret`");
        complains(&format!("{backend}'request-tracker-5'\ncredentials = {{ tokn = 'x' }}"), "site.toml:4:1: ", "lack `token`");
        complains("[sip]\ntimer_c = '1m'", "site.toml:2:1: ", "more than 3m");
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
