//! The policy of calls that seats place.

use super::Check;
use crate::io::config::schema::Config;
use crate::plan::{Calendar, is_emergency, suggestion};

const LONGEST_NUMBER: usize = 20;

impl Check<'_> {
    pub fn outbound(&mut self, config: &Config) {
        let ours = &config.outbound;
        let at = |key| ["outbound", key];
        if !ours.trunk.is_empty() {
            let known = config.trunks.iter().filter(|(_, trunk)| trunk.enabled).map(|(name, _)| name.as_str());
            let (there, layers) = (config.trunks.get(&ours.trunk), self.layers);
            self.require(there.is_some_and(|trunk| trunk.enabled), &at("trunk"), || match there {
                Some(_) => Self::disabled(layers, "trunks", &ours.trunk),
                None => both!("no trunk `{0}`", "没有中继 `{0}`", ours.trunk).then(&suggestion(&ours.trunk, known)),
            });
        }
        let digits = |text: &str| text.len() <= LONGEST_NUMBER && text.bytes().all(|b| b.is_ascii_digit());
        let shown = ours.number.is_empty() || digits(&ours.number) && ours.number.len() >= 3;
        self.require(shown, &at("number"), || {
            both!("is no number: 3 to {LONGEST_NUMBER} digits", "不是号码：应为 3 至 {LONGEST_NUMBER} 位数字")
        });
        self.require(!is_emergency(&ours.number), &at("number"), || {
            both!("is an emergency line: nobody is called in its name", "为紧急号码：不能以其名义外呼")
        });
        for prefix in &ours.refuse {
            self.require(digits(prefix) && !prefix.is_empty(), &at("refuse"), || {
                both!("`{prefix}` is no beginning of a number", "`{prefix}` 不是号段")
            });
        }
        for text in &ours.hours {
            self.require(Calendar::weekly([text.as_str()].into_iter()).is_some(), &at("hours"), || {
                both!(
                    "`{text}` is not written as `mon-fri 08:30-12:00` or `daily 08:00-21:00`",
                    "`{text}` 应写作 `mon-fri 08:30-12:00` 或 `daily 08:00-21:00`"
                )
            });
        }
        self.require(!ours.enabled || !ours.hours.is_empty(), &at("hours"), || {
            both!("has no hours: nobody could be called", "没有时段：无法外呼")
        });
        let counts = [(ours.per_callee as usize, "per_callee"), (ours.per_seat as usize, "per_seat")];
        let more = [(ours.per_hotline, "per_hotline"), (ours.per_trunk, "per_trunk")];
        for (count, key) in counts.into_iter().chain(more) {
            self.require(count > 0, &at(key), || both!("is 0", "不能为 0"));
        }
        self.require(ours.leave_percent < 100, &at("leave_percent"), || {
            both!("must be less than 100: nobody could be called", "应小于 100：否则无法外呼")
        });
        for (value, key) in [(ours.ring_seat, "ring_seat"), (ours.ring, "ring"), (ours.preview, "preview")] {
            self.positive(value, &at(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::io::config::Layers;
    use crate::io::config::validate::validate;
    use crate::plan::Source;
    use std::collections::BTreeMap;

    #[test]
    fn contradictions_of_the_policy_are_named_at_their_key() {
        for (line, en, zh) in [
            ("trunk = 'nowhere'", "no trunk `nowhere`", "没有中继"),
            ("number = '+86691'", "is no number", "不是号码"),
            ("number = '1'", "is no number", "不是号码"),
            ("number = '0086110'", "is an emergency line", "紧急号码"),
            ("number = '110'", "is an emergency line", "紧急号码"),
            ("refuse = ['00', 'x']", "`x` is no beginning", "不是号段"),
            ("hours = ['always']", "`always` is not written as", "应写作"),
            ("hours = []", "nobody could be called", "没有时段"),
            ("per_callee = 0", "is 0", "不能为 0"),
            ("per_trunk = 0", "is 0", "不能为 0"),
            ("leave_percent = 100", "less than 100", "小于 100"),
            ("ring = '0s'", "longer than zero", "大于零"),
        ] {
            let site = format!("[outbound]\n{line}\n");
            let layers = Layers::new(Some(Source::new("site.toml", &site)), BTreeMap::new());
            let found = validate(&layers.merge().unwrap(), &layers);
            let found: Vec<String> = found.iter().map(|finding| format!("{finding} {}", finding.told().zh)).collect();
            let is = |one: &String| one.starts_with("site.toml:2:") && one.contains(en) && one.contains(zh);
            assert!(found.iter().any(is), "{line}: {found:#?}");
        }
    }
}
