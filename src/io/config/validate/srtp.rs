//! Keys of SRTP stand in messages: whoever reads those hears the call.

use super::Check;
use crate::base::Text;
use crate::io::config::schema::Config;
use crate::io::config::{Seat, Srtp, Transport};

impl Check<'_> {
    /// `srtp = "require"` is a promise, which only TLS can keep.
    pub fn sealed(&mut self, config: &Config) {
        for (name, trunk) in config.trunks.iter().filter(|(_, trunk)| trunk.enabled && trunk.srtp == Srtp::Require) {
            self.require(is_secret(trunk.transport), &["trunks", name, "srtp"], not_by_tls);
        }
        for (name, seat) in config.seats.iter().filter(|(_, seat)| seat.enabled && seat.srtp != Srtp::No) {
            let path = ["seats", name.as_str(), "srtp"];
            self.require(!seat.is_remote(), &path, || {
                let trunk = &seat.trunk;
                both!("is that of its trunk: set `srtp` of trunk `{trunk}`", "以其中继为准：请设置中继 `{trunk}` 的 `srtp`")
            });
            if seat.srtp == Srtp::Require && !seat.is_remote() {
                let listens = !config.sip.listen_tls.is_empty();
                self.require(!seat.register || listens, &path, || {
                    both!("needs TLS, and sip.listen_tls names no address", "需要 TLS，而 sip.listen_tls 没有写任何地址")
                });
                self.require(seat.register || is_secret(seat.transport), &path, not_by_tls);
            }
        }
    }

    /// Keys that anybody on the way can read.
    pub fn sealed_in_vain(&mut self, config: &Config) {
        let by_tls = |seat: &Seat| if seat.register { !config.sip.listen_tls.is_empty() } else { is_secret(seat.transport) };
        let trunks = config.trunks.iter().filter(|(_, trunk)| trunk.enabled && trunk.srtp == Srtp::Offer);
        let trunks = trunks.filter(|(_, trunk)| !is_secret(trunk.transport)).map(|(name, _)| ("trunks", name));
        let own = |seat: &Seat| seat.enabled && !seat.is_remote() && seat.srtp == Srtp::Offer;
        let seats = config.seats.iter().filter(|(_, seat)| own(seat) && !by_tls(seat));
        for (table, name) in trunks.chain(seats.map(|(name, _)| ("seats", name))) {
            self.require(false, &[table, name, "srtp"], || {
                both!(
                    "its keys go in the clear, since its messages do not go by TLS: whoever reads them on the way can hear the calls",
                    "信令未走 TLS，密钥以明文传送：途中能读到信令的人就能听到通话"
                )
            });
        }
    }
}

fn is_secret(transport: Transport) -> bool {
    matches!(transport, Transport::Tls | Transport::Wss)
}

fn not_by_tls() -> Text {
    both!(
        "\"require\" needs TLS (`transport`); \"offer\" seals its audio all the same where it agrees",
        "\"require\" 需要 TLS（`transport`）；\"offer\" 在对端同意时同样加密"
    )
}

#[cfg(test)]
mod tests {
    use crate::io::config::Layers;
    use crate::io::config::validate::{doubts, validate};
    use crate::plan::Source;
    use std::collections::BTreeMap;

    fn findings(site: &str) -> (Vec<String>, Vec<String>) {
        let layers = Layers::new(Some(Source::new("site.toml", site)), BTreeMap::new());
        let config = layers.merge().unwrap();
        let told = |found: Vec<crate::io::config::Finding>| {
            let about = |text: &String| text.contains("TLS") || text.contains("trunk `");
            found.iter().map(|finding| format!("{finding} {}", finding.told().zh)).filter(about).collect()
        };
        (told(validate(&config, &layers)), told(doubts(&config, &layers)))
    }

    #[test]
    fn what_is_required_goes_by_tls_and_what_is_offered_without_is_doubted() {
        let tls = "[sip]\nlisten_tls = ['192.0.2.1:5061']\ncertificate = 'a'\nkey = 'b'\n";
        let phone = "[registrar]\nenabled = true\nnetworks = ['192.0.2.0/24']\n[seats.a]\naor = 'sip:1@x'\nregister = true\n";
        let fixed = "[seats.a]\naor = 'sip:1@x'\naddress = '192.0.2.9:5060'\n";
        for (site, wrong, doubt) in [
            ("[trunks.loopback]\nsrtp = 'no'", "", ""),
            ("[trunks.loopback]\nsrtp = 'offer'", "", "site.toml:2:1"),
            ("[trunks.loopback]\nsrtp = 'require'", "site.toml:2:1", ""),
            (&format!("{phone}srtp = 'require'"), "site.toml:7:1", ""),
            (&format!("{phone}srtp = 'offer'"), "", "site.toml:7:1"),
            (&format!("{tls}{phone}srtp = 'require'"), "", ""),
            (&format!("{tls}{phone}srtp = 'offer'"), "", ""),
            (&format!("{tls}{fixed}srtp = 'require'"), "site.toml:8:1", ""),
            (&format!("{tls}{fixed}srtp = 'offer'"), "", "site.toml:8:1"),
            ("[seats.a]\ntrunk = 'loopback'\ndial = '12366'\nsrtp = 'offer'", "site.toml:4:1", ""),
        ] {
            let (errors, warnings) = findings(site);
            for (found, at) in [(&errors, wrong), (&warnings, doubt)] {
                let fits = if at.is_empty() { found.is_empty() } else { found.len() == 1 && found[0].starts_with(at) };
                assert!(fits, "{site}\n{errors:#?} {warnings:#?}");
            }
        }
    }
}
