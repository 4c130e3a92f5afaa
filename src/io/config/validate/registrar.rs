//! Where phones may register, and what they need for it.

use super::Check;
use crate::base::Text;
use crate::io::config::credentials::Credentials;
use crate::io::config::schema::{Config, Sip};
use crate::io::config::{Seat, secrets};
use crate::io::net::tls::{self, Roots};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

impl Check<'_> {
    pub fn listens(&mut self, addresses: &[SocketAddr], key: &str) {
        for (i, address) in addresses.iter().enumerate() {
            self.require(!address.ip().is_unspecified(), &["sip", key], || {
                both!(
                    "{address}: peers must reach us by this address, so name one",
                    "{address}：对端要能访问此地址，请写明具体地址"
                )
            });
            self.require(!addresses[..i].contains(address), &["sip", key], || {
                both!("{address} stands there twice", "{address} 写了两次")
            });
        }
    }

    pub fn by_tls(&mut self, sip: &Sip) {
        self.listens(&sip.listen_tls, "listen_tls");
        let taken = sip.listen_tls.iter().find(|address| address.port() != 0 && sip.listen.contains(address));
        self.require(taken.is_none(), &["sip", "listen_tls"], || {
            both!(
                "stands in `listen` too: TLS needs a port of its own, such as 5061",
                "与 `listen` 重复：TLS 须用单独的端口，例如 5061"
            )
        });
        let stray = sip.client_ca_at.iter().find(|at| !sip.listen_tls.contains(at));
        self.require(stray.is_none(), &["sip", "client_ca_at"], || {
            let at = stray.map(ToString::to_string).unwrap_or_default();
            both!("{at} is not in `listen_tls`", "{at} 不在 `listen_tls` 中")
        });
        let of_clients = sip.client_ca.as_os_str();
        self.require(sip.client_ca_at.is_empty() || !of_clients.is_empty(), &["sip", "client_ca_at"], || {
            both!("needs `client_ca`", "须设置 `client_ca`")
        });
        let roots = tls::client(Roots::File(&sip.client_ca)).err().filter(|_| !of_clients.is_empty());
        self.require(roots.is_none(), &["sip", "client_ca"], || {
            let file = sip.client_ca.display();
            both!("{file}: ", "{file}：").then(&roots.unwrap_or_default())
        });
        match secrets::sip_identity(sip) {
            Ok(identity) => self.require(sip.listen_tls.is_empty() || identity.is_some(), &["sip", "listen_tls"], || {
                both!("needs `certificate` and `key`", "须设置 `certificate` 和 `key`")
            }),
            Err(fault) => self.faults([fault]),
        }
    }

    /// A seat is called at an address, or where its phone registers.
    pub fn one_place(&mut self, name: &str, seat: &Seat) {
        let somewhere = seat.register || seat.is_remote() || !seat.address.is_empty();
        self.require(somewhere, &["seats", name, "address"], || {
            both!(
                "is missing: address and port, or `register = true`",
                "缺少地址和端口（例如 192.0.2.7:5060），或设置 `register = true`"
            )
        });
        self.require(!seat.register || seat.address.is_empty(), &["seats", name, "register"], || {
            both!("and `address` exclude each other", "与 `address` 不能同时设置")
        });
    }

    pub fn registrar(&mut self, config: &Config) {
        let registrar = &config.registrar;
        let mut users = BTreeMap::new();
        for (name, seat) in config.seats.iter().filter(|(_, seat)| seat.enabled && seat.register) {
            self.require(registrar.enabled, &["seats", name, "register"], || {
                both!("nobody can register: [registrar] is not enabled", "[registrar] 未启用，无法注册")
            });
            let other = users.insert(seat.user(), name);
            self.require(other.is_none(), &["seats", name, "aor"], || {
                let other = other.map_or("", String::as_str);
                both!("seat `{other}` registers as the same user", "座席 `{other}` 以同一用户名注册")
            });
            let good = !seat.user().is_empty() && !seat.user().contains([':', '"', '\\']);
            self.require(good, &["seats", name, "aor"], || {
                both!("has no user that a phone could sign with", "没有可供话机认证的用户名")
            });
        }
        if !registrar.enabled {
            return;
        }
        let at = |key| ["registrar", key];
        let plain = !registrar.realm.is_empty() && !registrar.realm.contains([':', '"', '\\']);
        self.require(plain, &at("realm"), || both!("is empty, or holds one of : \" \\", "不能为空，也不能含有 : \" \\"));
        self.networks(&registrar.networks, &at("networks"));
        self.require(!registrar.networks.is_empty(), &at("networks"), || {
            both!("names no network from which phones may register", "没有写允许话机注册的网段")
        });
        self.require(!registrar.algorithms.is_empty(), &at("algorithms"), || both!("names no algorithm", "没有写任何算法"));
        let named = !registrar.credentials.as_os_str().is_empty();
        self.require(named, &at("credentials"), || {
            both!("names no file for the passwords of `hotline seats add`", "没有写密码文件（由 `hotline seats add` 创建）")
        });
        let read = Credentials::read_or_begin(&registrar.credentials);
        self.require(read.is_ok(), &at("credentials"), || {
            let (name, why) = (registrar.credentials.display(), read.err().unwrap_or_default());
            both!("{name}: ", "{name}：").then(&why)
        });
        for (value, key) in [(registrar.min_expires, "min_expires"), (registrar.nonce_life, "nonce_life"), (registrar.ban, "ban")]
        {
            self.positive(value, &at(key));
        }
        let ordered = registrar.min_expires <= registrar.expires && registrar.expires <= registrar.max_expires;
        self.require(ordered, &at("expires"), || {
            both!("is not between min_expires and max_expires", "不在 min_expires 与 max_expires 之间")
        });
        for (value, key) in [(registrar.contacts, "contacts"), (registrar.tries as usize, "tries")] {
            self.require((1..=MOST).contains(&value), &at(key), || both!("is not 1 to {MOST}", "应为 1 至 {MOST}"));
        }
    }

    /// A phone whose network is cut while it talks is to be noticed in time.
    pub fn noticed_late(&mut self, config: &Config) {
        let phones = config.seats.values().any(|seat| seat.enabled && seat.register) && config.registrar.enabled;
        self.require(!phones || config.media.silence <= LONGEST_SILENCE, &["media", "silence"], || {
            let most = LONGEST_SILENCE.as_secs();
            both!(
                "a phone that is cut off while it talks is noticed only 12 s later; at most {most}s keeps that within 32 s",
                "通话中断网的话机要再过 12 秒才会被发现；不超过 {most}s 方可保证 32 秒内发现"
            )
        });
    }

    /// A seat that registers and has no password is never reached.
    pub fn without_password(&mut self, config: &Config) {
        let registrar = &config.registrar;
        let Ok(credentials) = Credentials::read_or_begin(&registrar.credentials) else { return };
        for (name, seat) in config.seats.iter().filter(|(_, seat)| seat.enabled && seat.register && registrar.enabled) {
            let known = !credentials.of(seat.user(), &registrar.realm).is_empty();
            self.require(known, &["seats", name, "register"], || {
                without_password(name, credentials.is_elsewhere(seat.user(), &registrar.realm))
            });
        }
    }
}

/// With the time that a phone has to answer when it is asked, and a second to notice, this makes 32 s (64·T1).
const LONGEST_SILENCE: Duration = Duration::from_secs(19);
/// Nobody has more phones, nor mistypes more often.
const MOST: usize = 64;

fn without_password(name: &str, elsewhere: bool) -> Text {
    match elsewhere {
        true => both!(
            "its password was made for another realm: `hotline seats passwd {name}`",
            "其密码属于另一个 realm：请执行 `hotline seats passwd {name}`"
        ),
        false => both!("it has no password yet: `hotline seats add {name}`", "尚无密码：请执行 `hotline seats add {name}`"),
    }
}
