//! Where peers are, and who may speak for them.

use super::Check;
use crate::base::{AccessList, Cidr, Place};
use crate::io::config::{Config, Transport};

impl Check<'_> {
    /// An address or a name with a port. What a name comes to is told by others, so it opens no door: the networks in which its
    /// addresses may be are listed beside it.
    pub fn place(&mut self, address: &str, networks: &[String], name: &str, table: &str) {
        let place = address.parse::<Place>();
        // A phone is no domain: only trunks have servers of which the DNS names the ports.
        let place = place.and_then(|place| match place {
            Place::Named(_, None) if table == "seats" => Err(()),
            place => Ok(place),
        });
        self.require(address.is_empty() || place.is_ok(), &[table, name, "address"], || {
            both!(
                "`{address}` is not an address or a host name with a port, such as 192.0.2.7:5060 or sbc.example.cn:5060",
                "`{address}` 不是带端口的地址或主机名，例如 192.0.2.7:5060 或 sbc.example.cn:5060"
            )
        });
        let named = matches!(place, Ok(Place::Named(..)));
        self.require(!named || !networks.is_empty(), &[table, name, "addresses"], || {
            both!(
                "is empty: a host name is called only at addresses that this key lists, or in networks that it lists",
                "不能为空：主机名解析出的地址必须在此处所列的地址或网段之内才会呼叫"
            )
        });
        // A trunk's address is one of its own, or nobody would hear its answers.
        let Ok(Place::At(at)) = place else { return };
        let listed = networks.iter().filter_map(|text| text.parse::<Cidr>().ok()).any(|block| block.contains(at.ip()));
        self.require(table != "trunks" || listed, &[table, name, "address"], || {
            both!("is not among `addresses`, so that its answers would not be heard", "不在 addresses 之内，收不到它的应答")
        });
    }

    pub fn carried(&mut self, transport: Transport, path: &[&str]) {
        let name = match transport {
            Transport::Udp | Transport::Tcp => return,
            Transport::Tls if path.first() == Some(&"trunks") => return,
            Transport::Tls => "tls",
            Transport::Ws => "ws",
            Transport::Wss => "wss",
        };
        self.require(false, path, || {
            both!("`{name}` is not carried yet: set it to \"udp\" or \"tcp\"", "`{name}` 尚未支持，请改为 \"udp\" 或 \"tcp\"")
        });
    }

    /// A peer that shares an address with a trunk cannot be told from its callers. On the loopback nobody calls from outside.
    pub fn shared(&mut self, config: &Config) {
        let mut owners = AccessList::new();
        for (name, trunk) in config.trunks.iter().filter(|(_, trunk)| trunk.enabled) {
            for block in trunk.addresses.iter().filter_map(|text| text.parse::<Cidr>().ok()) {
                owners.insert(block, name.as_str());
            }
        }
        for (name, seat) in config.seats.iter().filter(|(_, seat)| seat.enabled) {
            let at = seat.place().and_then(|place| if let Place::At(at) = place { Some(at.ip()) } else { None });
            let owner = at.filter(|ip| !ip.is_loopback()).and_then(|ip| owners.find(ip));
            self.require(owner.is_none(), &["seats", name, "address"], || {
                let trunk = owner.unwrap_or_default();
                both!(
                    "is an address of trunk `{trunk}`, too: its outside callers can say that they are this seat",
                    "也是中继 `{trunk}` 的地址：该中继的外部来话可以冒充此座席"
                )
            });
        }
    }
}
