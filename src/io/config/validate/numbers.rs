//! Number rules that are wrong, that nothing is left to, or that do not give what their examples say.

use super::Check;
use crate::io::config::numbers::{Expect, Side};
use crate::io::config::peers::{DialledFrom, Presented, Trunk};
use crate::io::config::schema::Config;
use crate::plan::is_emergency;

const MOST: usize = 64;
const LONGEST_NUMBER: usize = 20;

/// The digits of a number that may be shown (E.164 allows 15, and no country's code begins with 0).
fn is_whole(number: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match number.strip_prefix('+') {
        Some(international) => {
            digits(international) && (7..=15).contains(&international.len()) && !international.starts_with('0')
        }
        None => digits(number) && (3..=LONGEST_NUMBER).contains(&number.len()),
    }
}

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

    /// Warns of stories that may name an emergency line, and are believed for nothing.
    pub fn untrusted(&mut self, config: &Config) {
        for (name, trunk) in config.trunks.iter().filter(|(_, trunk)| trunk.enabled && !trunk.emergency_history) {
            let told = |place: &DialledFrom| matches!(place, DialledFrom::HistoryInfo | DialledFrom::Diversion);
            self.require(!trunk.dialled_from.iter().any(told), &["trunks", name, "dialled_from"], || {
                both!(
                    "a call for help that only these headers name goes before nobody: set `emergency_history` where the carrier strips what callers write there",
                    "仅由这些头域认定的紧急呼叫不享有优先：若运营商会清除主叫自填的内容，请设置 `emergency_history`"
                )
            });
        }
    }

    fn presented(&mut self, name: &str, trunk: &Trunk) {
        let (at, number) = (|key| ["trunks", name, key], &trunk.number);
        self.require(!trunk.dialled_from.is_empty(), &at("dialled_from"), || both!("names no place", "没有写任何位置"));
        self.require(!trunk.dialled_from.contains(&DialledFrom::Account), &at("dialled_from"), || {
            both!("`account` is no place of a request", "`account` 不是请求中的位置")
        });
        self.require(number.is_empty() || is_whole(number), &at("number"), || {
            both!(
                "is no number: 3 to {LONGEST_NUMBER} digits, or a `+` with 7 to 15 digits that begin with a country's code",
                "不是号码：应为 3 至 {LONGEST_NUMBER} 位数字，或 `+` 加以国家码开头的 7 至 15 位数字"
            )
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
    use crate::io::config::validate::{doubts, validate};
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
            ("number = '12a'", "is no number", "不是号码"),
            ("number = '+'", "is no number", "不是号码"),
            ("number = '12'", "is no number", "不是号码"),
            ("number = '+08669112345'", "is no number", "不是号码"),
            ("number = '+8669112345678901'", "is no number", "不是号码"),
            ("number = '0691 12345'", "is no number", "不是号码"),
            ("number = '110'", "an emergency line", "紧急号码"),
            ("number = '+86691110'", "an emergency line", "紧急号码"),
            ("number = '0086119'", "an emergency line", "紧急号码"),
            ("dialled_from = []", "names no place", "没有写任何位置"),
            ("dialled_from = ['account']", "no place of a request", "不是请求中的位置"),
        ] {
            let found = found(&format!("[trunks.loopback]\n{line}\n"));
            let is = |one: &String| one.starts_with("site.toml:2:1: ") && one.contains(en) && one.contains(zh);
            assert!(found.iter().any(is), "{line}: {found:#?}");
        }
        assert_eq!(found("[trunks.loopback]\nidentity = 'own'\nnumber = '+8669112345'\n"), [""; 0]);
    }

    #[test]
    fn a_story_that_gives_a_call_for_help_no_precedence_is_told() {
        let story = "dialled_from = ['to', 'diversion']\n";
        let trusted = format!("{story}emergency_history = true\n");
        for (keys, told) in [(story, 1), ("dialled_from = ['to']\n", 0), (trusted.as_str(), 0)] {
            let layers = Layers::new(Some(Source::new("site.toml", &format!("[trunks.loopback]\n{keys}"))), BTreeMap::new());
            let doubts = doubts(&layers.merge().unwrap(), &layers);
            let is = |one: &String| one.starts_with("site.toml:2:1: ") && one.contains("goes before nobody");
            assert_eq!(doubts.iter().map(ToString::to_string).filter(is).count(), told, "{keys}");
        }
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
