//! Trunks: whose they are, where they are called, and how.

use super::Check;
use crate::base::{AccessList, Cidr, Place};
use crate::dialog::Interval;
use crate::io::config::{self, Config, Sip, Transport, Trunk, secrets};
use crate::plan::suggestion;
use std::net::SocketAddr;

/// One call tries no more.
const MOST_TARGETS: usize = 8;
/// Each is waited for in turn.
const MOST_SERVERS: usize = 4;

impl Check<'_> {
    pub fn trunks(&mut self, config: &Config) {
        let mut owners = AccessList::new();
        for (name, trunk) in config.trunks.iter().filter(|(_, trunk)| trunk.enabled) {
            self.trunk(name, trunk);
            self.by_tls_to(name, trunk, &config.sip);
            self.pinged(trunk, &config.sip, &["trunks", name, "ping"]);
            for block in trunk.addresses.iter().filter_map(|text| text.parse::<Cidr>().ok()) {
                let other = owners.insert(block, name.as_str());
                let path = ["trunks", name.as_str(), "addresses"];
                self.require(other.is_none(), &path, || {
                    let other = other.unwrap_or_default();
                    both!("{block} belongs to trunk `{other}` too", "{block} 也属于中继 `{other}`")
                });
            }
        }
        let routes = &config.routes;
        let counts = [(routes.refusals, "refusals"), (routes.ping_misses, "ping_misses"), (routes.ping_answers, "ping_answers")];
        for (count, key) in counts {
            self.require(count > 0, &["routes", key], || both!("is 0", "不能为 0"));
        }
        let default = config.trunks.get(&config.routes.default).filter(|trunk| trunk.enabled);
        let layers = self.layers;
        self.require(default.is_some(), &["routes", "default"], || {
            let name = &config.routes.default;
            let near = suggestion(name, config.trunks.iter().filter(|(_, trunk)| trunk.enabled).map(|(name, _)| name.as_str()));
            match config.trunks.contains_key(name) {
                true => Self::disabled(layers, "trunks", name),
                false => both!("no trunk `{name}`", "没有中继 `{name}`").then(&near),
            }
        });
    }

    fn trunk(&mut self, name: &str, trunk: &Trunk) {
        let at = |key| ["trunks", name, key];
        self.networks(&trunk.addresses, &at("addresses"));
        self.networks(&trunk.media, &at("media"));
        let unread = trunk.addresses.iter().any(|text| text.parse::<Cidr>().is_err());
        self.carried(trunk.transport, &at("transport"));
        self.place(&trunk.address, &trunk.addresses, name, "trunks");
        self.targets(trunk, &at("targets"));
        self.servers(trunk, &at("dns"));
        self.require(
            unread || !trunk.address.is_empty() || !trunk.targets.is_empty() || trunk.place().is_some(),
            &at("addresses"),
            || {
                both!(
                    "names no single address, so that calls to the trunk have nowhere to go",
                    "没有单独的地址，呼往该中继的呼叫无处可去"
                )
            },
        );
        self.require(trunk.port != 0, &at("port"), || both!("is 0", "不能为 0"));
        let area = trunk.area.bytes().all(|b| b.is_ascii_digit()) && trunk.area.len() <= 4 && !trunk.area.starts_with('0');
        self.require(area, &at("area"), || {
            both!("is an area code without its leading 0, such as 691", "应为不带首位 0 的区号，例如 691")
        });
        let timer = trunk.session_expires.is_zero() || Interval::of(trunk.session_expires).is_some();
        self.require(timer, &at("session_expires"), || {
            both!(
                "is less than 90s, the least that RFC 4028 lets a session timer be; 0s for none",
                "小于 RFC 4028 规定的下限 90s；0s 为不使用"
            )
        });
        self.require(!trunk.codecs.is_empty(), &at("codecs"), || both!("names no codec", "没有写任何编码"));
        self.require(trunk.channels > 0, &at("channels"), || both!("is 0", "不能为 0"));
        self.require(trunk.reserved < trunk.channels.max(1), &at("reserved"), || {
            both!("leaves none of {0} channels to ordinary calls", "{0} 路中没有一路留给普通呼叫", trunk.channels)
        });
    }

    /// One that is asked too often is asked again before it could answer.
    fn pinged(&mut self, trunk: &Trunk, sip: &Sip, path: &[&str]) {
        let often = trunk.ping.is_zero() || trunk.ping >= sip.hop_timeout.saturating_mul(2);
        self.require(often, path, || both!("is shorter than twice sip.hop_timeout", "短于 sip.hop_timeout 的两倍"));
    }

    /// DNS servers of a trunk's own.
    fn servers(&mut self, trunk: &Trunk, path: &[&str]) {
        let unread = trunk.dns.iter().find(|text| config::dns_server(text).is_none());
        self.require(unread.is_none(), path, || {
            let text = unread.map_or("", String::as_str);
            both!(
                "`{text}` is no IP address of a DNS server, such as 10.0.0.53",
                "`{text}` 不是 DNS 服务器的 IP 地址，例如 10.0.0.53"
            )
        });
        self.require(trunk.dns.len() <= MOST_SERVERS, path, || {
            both!("more than {MOST_SERVERS} servers", "超过 {MOST_SERVERS} 个服务器")
        });
        let named = matches!(trunk.place(), Some(Place::Named(..)));
        self.require(trunk.dns.is_empty() || named, path, || {
            both!("is for a host name, and `address` is none", "只用于主机名，而 address 不是主机名")
        });
    }

    /// Addresses of a trunk, each one of its own.
    fn targets(&mut self, trunk: &Trunk, path: &[&str]) {
        let networks: Vec<Cidr> = trunk.addresses.iter().filter_map(|text| text.parse().ok()).collect();
        for text in &trunk.targets {
            let at = text.parse::<SocketAddr>().ok();
            self.require(at.is_some_and(|at| at.port() != 0), path, || {
                both!(
                    "`{text}` is not an address with a port, such as 192.0.2.7:5060",
                    "`{text}` 不是带端口的地址，例如 192.0.2.7:5060"
                )
            });
            let listed = at.is_none_or(|at| networks.iter().any(|block| block.contains(at.ip())));
            self.require(listed, path, || {
                both!(
                    "`{text}` is not among `addresses`, so that its answers would not be heard",
                    "`{text}` 不在 addresses 之内，收不到它的应答"
                )
            });
        }
        self.require(trunk.targets.len() <= MOST_TARGETS, path, || {
            both!("more than {MOST_TARGETS} addresses", "超过 {MOST_TARGETS} 个地址")
        });
        self.require(trunk.targets.is_empty() || trunk.address.is_empty(), path, || {
            both!("set either this or `address`", "与 address 只能设置一个")
        });
    }

    /// How a trunk is connected to by TLS.
    fn by_tls_to(&mut self, name: &str, trunk: &Trunk, sip: &Sip) {
        let path = ["trunks", name, "transport"];
        if trunk.transport != Transport::Tls {
            let keys = [&trunk.tls_ca, &trunk.tls_certificate, &trunk.tls_key];
            let unused = trunk.tls_name.is_empty() && keys.iter().all(|file| file.as_os_str().is_empty());
            return self
                .require(unused, &path, || both!("is not \"tls\", which `tls_…` is for", "不是 \"tls\"，而 `tls_…` 只用于 TLS"));
        }
        self.require(!sip.listen_tls.is_empty(), &path, || {
            both!(
                "needs an address in sip.listen_tls: there the trunk finds us within a call",
                "须设置 sip.listen_tls：通话中对端由此地址找到本机"
            )
        });
        self.faults(secrets::trunk_tls(name, trunk, None).err());
    }
}
