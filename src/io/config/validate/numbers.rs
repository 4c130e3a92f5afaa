//! Number rules that are wrong, that nothing is left to, or that do not give what their examples say.

use super::Check;
use crate::io::config::numbers::{Expect, Side};
use crate::io::config::peers::{Presented, Trunk};
use crate::io::config::schema::Config;
use crate::plan::is_emergency;

const MOST: usize = 64;
const LONGEST_NUMBER: usize = 20;

impl Check<'_> {
    pub fn numbers(&mut self, config: &Config) {
        for (name, trunk) in config.trunks.iter().filter(|(_, trunk)| trunk.enabled) {
            self.presented(name, trunk);
            let wrong = self.findings.len();
            Side::ALL.into_iter().for_each(|side| self.rules(name, trunk, side));
            // An example of wrong rules shows nothing.
            if self.findings.len() == wrong {
                trunk.expect.iter().enumerate().for_each(|(at, expect)| self.expectation(name, trunk, at, expect));
            }
        }
    }

    fn presented(&mut self, name: &str, trunk: &Trunk) {
        let (at, number) = (|key| ["trunks", name, key], &trunk.number);
        self.require(!trunk.dialled_from.is_empty(), &at("dialled_from"), || both!("names no place", "没有写任何位置"));
        let digits = number.strip_prefix('+').unwrap_or(number).bytes().all(|b| b.is_ascii_digit());
        self.require(digits && number.len() <= LONGEST_NUMBER, &at("number"), || {
            both!("is no number of digits, perhaps behind a `+`", "应为由数字组成的号码，可以 `+` 开头")
        });
        self.require(!is_emergency(number), &at("number"), || {
            both!("is an emergency line: nobody is called in its name", "为紧急号码：不能以其名义外呼")
        });
        self.require(trunk.identity == Presented::Caller || !number.is_empty(), &at("identity"), || {
            both!("shows the trunk's own number: set `number`", "需要显示中继自己的号码：请设置 `number`")
        });
    }

    fn rules(&mut self, name: &str, trunk: &Trunk, side: Side) {
        let rules = trunk.rules(side);
        self.require(rules.len() <= MOST, &["trunks", name, side.key()], || {
            both!("has more than {MOST} rules", "超过 {MOST} 条规则")
        });
        let mut good = true;
        for (at, rule) in rules.iter().enumerate().take(MOST) {
            if let Err((key, why)) = rule.read() {
                good = false;
                self.require(false, &["trunks", name, side.key(), &at.to_string(), key], || why);
            }
        }
        if !good || rules.len() > MOST {
            return;
        }
        let layers = self.layers;
        for (at, earlier) in trunk.read_rules(side).idle() {
            self.require(false, &["trunks", name, side.key(), &at.to_string(), "match"], || {
                let line = layers.place(&["trunks", name, side.key(), &earlier.to_string()]).line();
                both!("never matches: an earlier rule takes all that it would{}", "永远不会匹配：前面的规则已全部匹配{}"; line)
            });
        }
    }

    fn expectation(&mut self, name: &str, trunk: &Trunk, at: usize, expect: &Expect) {
        let Expect { direction, number, gives } = expect;
        let given = trunk.read_rules(*direction).apply(number);
        let by =
            given.as_ref().map(|given| given.rules.iter().map(|place| (place + 1).to_string()).collect::<Vec<_>>().join(", "));
        let given = given.map_or(number.clone(), |given| given.number);
        self.require(given == *gives, &["trunks", name, "expect", &at.to_string(), "gives"], || {
            let key = direction.key();
            match by {
                Some(by) => both!(
                    "`{number}` becomes `{given}`, by rule {by} of {key}",
                    "`{number}` 变为 `{given}`（{key} 第 {by} 条规则）"
                ),
                None => both!("`{number}` stays as it is: no rule of {key} matches", "`{number}` 保持不变：{key} 没有匹配的规则"),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::io::config::Layers;
    use crate::io::config::validate::validate;
    use crate::plan::Source;
    use std::collections::BTreeMap;

    fn found(site: &str) -> Vec<String> {
        let layers = Layers::new(Some(Source::new("site.toml", site)), BTreeMap::new());
        let found = validate(&layers.merge().unwrap(), &layers);
        found.iter().map(|finding| format!("{finding} {}", finding.told().zh)).collect()
    }

    #[test]
    fn what_is_wrong_with_rules_is_named_at_its_place() {
        for (rules, place, en, zh) in [
            ("{ match = '12x' }", "3:3", "`12x` is no pattern", "不是号码模式"),
            ("{ match = '123', strip = 4 }", "3:18", "takes off 4 characters", "去掉 4 个字符"),
            ("{ match = '123', strip = 3 }", "3:18", "leaves nothing", "全部去掉"),
            ("{ match = '123', prepend = 'a' }", "3:18", "no beginning of a number", "不是号码的开头"),
            ("{ match = '0691*' },\n{ match = '069112*', strip = 1 }", "4:3", "never matches", "永远不会匹配"),
        ] {
            for key in ["called_in", "caller_in", "called_out", "caller_out"] {
                let found = found(&format!("[trunks.loopback]\n{key} = [\n{rules},\n]\n"));
                let is = |one: &String| one.starts_with(&format!("site.toml:{place}: ")) && one.contains(en) && one.contains(zh);
                assert!(found.iter().any(is), "{key} {rules}: {found:#?}");
            }
        }
    }

    #[test]
    fn an_identity_without_its_number_is_named() {
        for (line, en, zh) in [
            ("identity = 'own'", "set `number`", "请设置 `number`"),
            ("number = '12a'", "no number of digits", "数字组成"),
            ("number = '110'", "an emergency line", "紧急号码"),
            ("dialled_from = []", "names no place", "没有写任何位置"),
        ] {
            let found = found(&format!("[trunks.loopback]\n{line}\n"));
            let is = |one: &String| one.starts_with("site.toml:2:1: ") && one.contains(en) && one.contains(zh);
            assert!(found.iter().any(is), "{line}: {found:#?}");
        }
        assert_eq!(found("[trunks.loopback]\nidentity = 'own'\nnumber = '+8669112345'\n"), [""; 0]);
    }

    #[test]
    fn an_example_that_fails_is_named_with_what_comes_of_it() {
        let site = "[trunks.loopback]\ncalled_in = [{ match = '+86*', strip = 3, prepend = '0' }]\n\
                    [[trunks.loopback.expect]]\ndirection = 'called-in'\nnumber = '+866912122110'\n";
        assert_eq!(found(&format!("{site}gives = '06912122110'\n")), [""; 0]);
        let fails = found(&format!("{site}gives = '6912122110'\n"));
        assert!(
            fails[0].starts_with("site.toml:6:1: `+866912122110` becomes `06912122110`, by rule 1 of called_in"),
            "{fails:?}"
        );
        let fails =
            found(&site.replace("called-in", "caller-out").replace("+86691", "086691").replace("number", "gives = '1'\nnumber"));
        assert!(fails[0].starts_with("site.toml:5:1: ") && fails[0].contains("stays as it is"), "{fails:?}");
    }
}
