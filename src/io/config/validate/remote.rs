//! Seats behind trunks, and keys by which seats accept callers.

use super::Check;
use crate::io::config::schema::Config;
use crate::io::config::{Seat, SignIn};
use crate::plan::{is_emergency, suggestion};

impl Check<'_> {
    pub fn remote(&mut self, config: &Config, name: &str, seat: &Seat) {
        let at = |key| ["seats", name, key];
        let key = seat.accept.is_empty() || seat.accept.len() == 1 && seat.accept.bytes().all(|b| b.is_ascii_digit());
        self.require(key, &at("accept"), || both!("is one key from 0 to 9", "应为 0 至 9 的一个按键"));
        if !seat.is_remote() {
            for (value, key) in [(&seat.dial, "dial"), (&seat.hours, "hours")] {
                let text =
                    || both!("is for seats behind a trunk: name that by `trunk`", "仅用于经中继呼叫的座席：请设置 `trunk`");
                self.require(value.is_empty(), &at(key), text);
            }
            return;
        }
        let layers = self.layers;
        let known = config.trunks.get(&seat.trunk);
        self.require(known.is_some_and(|trunk| trunk.enabled), &at("trunk"), || {
            let trunk = &seat.trunk;
            let trunks = config.trunks.iter().filter(|(_, trunk)| trunk.enabled).map(|(name, _)| name.as_str());
            match known {
                Some(_) => Self::disabled(layers, "trunks", trunk),
                None => both!("no trunk `{trunk}`", "没有中继 `{trunk}`").then(&suggestion(trunk, trunks)),
            }
        });
        let digits = seat.dial.bytes().all(|b| b.is_ascii_digit()) && (2..=20).contains(&seat.dial.len());
        self.require(digits, &at("dial"), || {
            both!("is the number that is called by the trunk, such as 087112345678", "应为经中继呼叫的号码，例如 087112345678")
        });
        self.require(!is_emergency(&seat.dial), &at("dial"), || {
            both!("is an emergency line, and no seat of a queue", "为紧急号码，不能作为队列座席")
        });
        let elsewhere = seat.register || !seat.address.is_empty();
        self.require(!elsewhere, &at("trunk"), || {
            both!("and `address` or `register` exclude each other", "与 `address`、`register` 不能同时设置")
        });
        self.require(seat.sign_in != SignIn::Registration, &at("sign_in"), || {
            both!("cannot be \"registration\": nobody registers behind a trunk", "不能为 \"registration\"：中继之后的座席不注册")
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::io::config::Layers;
    use crate::io::config::validate::validate;
    use crate::plan::Source;
    use std::collections::BTreeMap;

    fn findings(seat: &str) -> Vec<String> {
        let site = format!("[seats.tax]\n{seat}");
        let layers = Layers::new(Some(Source::new("site.toml", &site)), BTreeMap::new());
        let wrong = validate(&layers.merge().unwrap(), &layers);
        wrong.iter().map(|finding| format!("{finding} {}", finding.told().zh)).collect()
    }

    #[test]
    fn a_seat_behind_a_trunk_is_whole_or_told() {
        let good = "trunk = 'loopback'\ndial = '087112345678'\n";
        assert_eq!(findings(good), Vec::<String>::new());
        assert_eq!(findings(&format!("{good}accept = '1'\nhours = 'office'\nsign_in = 'asked'")), Vec::<String>::new());
        for (seat, line, en, zh) in [
            ("trunk = 'loopbak'\ndial = '12366'", 2, "no trunk `loopbak`; did you mean `loopback`?", "没有中继"),
            ("trunk = 'loopback'", 1, "is the number that is called by the trunk", "号码"),
            ("trunk = 'loopback'\ndial = '+8610'", 3, "is the number that is called by the trunk", "号码"),
            ("trunk = 'loopback'\ndial = '110'", 3, "is an emergency line", "紧急号码"),
            ("trunk = 'loopback'\ndial = '12366'\nregister = true", 2, "exclude each other", "不能同时"),
            ("trunk = 'loopback'\ndial = '12366'\naddress = '192.0.2.1:5060'", 2, "exclude each other", "不能同时"),
            ("trunk = 'loopback'\ndial = '12366'\nsign_in = 'registration'", 4, "nobody registers", "不注册"),
            ("trunk = 'loopback'\ndial = '12366'\naccept = '#'", 4, "one key from 0 to 9", "一个按键"),
            ("trunk = 'loopback'\ndial = '12366'\naccept = '12'", 4, "one key from 0 to 9", "一个按键"),
            ("aor = 'sip:x@x'\naddress = '192.0.2.1:5060'\ndial = '12366'", 4, "is for seats behind a trunk", "仅用于"),
            ("aor = 'sip:x@x'\naddress = '192.0.2.1:5060'\nhours = 'office'", 4, "is for seats behind a trunk", "仅用于"),
        ] {
            let found = findings(seat);
            let is = |one: &String| one.starts_with(&format!("site.toml:{line}:")) && one.contains(en) && one.contains(zh);
            assert!(found.iter().any(is), "{seat}: {found:#?}");
        }
    }
}
