//! Maps of causes that contradict themselves, and trunks that name none.

use super::Check;
use crate::io::config::causes::{Answer, Ours, Whose};
use crate::io::config::schema::Config;
use crate::plan::suggestion;
use crate::sip::Rest;
use std::time::Duration;

const MOST: usize = 100;
const LONGEST: usize = 120;
const LONGEST_REST: Duration = Duration::from_secs(30 * 86_400);
/// Final refusals (RFC 3261 §21).
const CODES: std::ops::Range<u16> = 300..700;

impl Check<'_> {
    pub fn causes(&mut self, config: &Config) {
        for (name, trunk) in config.trunks.iter().filter(|(_, trunk)| trunk.enabled && !trunk.causes.is_empty()) {
            let wanted = &trunk.causes;
            self.require(config.causes.contains_key(wanted), &["trunks", name, "causes"], || {
                let near = suggestion(wanted, config.causes.keys().map(String::as_str));
                both!("no map of causes `{wanted}` ([causes.{wanted}])", "没有原因码表 `{wanted}`（[causes.{wanted}]）")
                    .then(&near)
            });
        }
        for (name, map) in &config.causes {
            for (key, count) in [("answers", map.answers.len()), ("ours", map.ours.len())] {
                self.require(count <= MOST, &["causes", name, key], || both!("has more than {MOST} entries", "超过 {MOST} 条"));
            }
            for (at, answer) in map.answers.iter().enumerate().take(MOST) {
                self.answer(name, &at.to_string(), answer);
                let first = map.answers[..at].iter().position(|earlier| earlier.takes_all_of(answer));
                self.shadowed(name, "answers", at, first);
            }
            for (at, ours) in map.ours.iter().enumerate().take(MOST) {
                self.ours(name, &at.to_string(), ours);
                let first = map.ours[..at].iter().position(|earlier| earlier.takes_all_of(ours));
                self.shadowed(name, "ours", at, first);
            }
        }
    }

    fn answer(&mut self, name: &str, at: &str, answer: &Answer) {
        let key = |key| ["causes", name, "answers", at, key];
        self.code(answer.code, &key("code"));
        self.code(if answer.status == 0 { answer.code } else { answer.status }, &key("status"));
        self.cause(answer.q850, &key("q850"));
        let rest = answer.rest().filter(|rest| !matches!(rest, Rest::For(time) if *time > LONGEST_REST));
        self.require(rest.is_some(), &key("rest"), || {
            both!(
                "is neither \"hours\" nor a time of at most 30 days, such as \"30m\"",
                "应为 \"hours\"，或不超过 30 天的时长，例如 \"30m\""
            )
        });
        self.require(answer.rest.is_empty() || answer.about == Whose::Number, &key("rest"), || {
            both!("is for `about = \"number\"` alone: a line does not rest", "仅用于 `about = \"number\"`：线路没有暂歇")
        });
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let means = !answer.means.is_empty() && answer.means.len() <= LONGEST && answer.means.bytes().all(word);
        self.require(means, &key("means"), || {
            both!("is a word of a-z, 0-9 and _, such as `daily_limit`", "应为由 a-z、0-9 和 _ 组成的词，例如 `daily_limit`")
        });
        for (text, path) in [(&answer.en, key("en")), (&answer.zh, key("zh"))] {
            let good = !text.trim().is_empty() && text.chars().count() <= LONGEST && !text.contains(char::is_control);
            self.require(good, &path, || {
                both!("is no sentence of at most {LONGEST} characters", "应为不超过 {LONGEST} 个字符的文字")
            });
        }
    }

    fn ours(&mut self, name: &str, at: &str, ours: &Ours) {
        let key = |key| ["causes", name, "ours", at, key];
        self.code(ours.code, &key("code"));
        self.code(ours.sends, &key("sends"));
        self.require(!CODES.contains(&ours.sends) || stands_alone(ours.sends), &key("sends"), || {
            let code = ours.sends;
            both!(
                "{code} says nothing without a header or body that belongs to it: take one that stands alone, such as 403, 404, 480, 486, 503 or 603",
                "{code} 需要与之配套的头域或消息体才有意义：请选用可单独使用的码，例如 403、404、480、486、503、603"
            )
        });
        self.cause(ours.q850, &key("q850"));
        // A carrier goes elsewhere with a call that gets 503, and nowhere after a 6xx.
        self.require(ours.code != 503 || ours.sends < 600, &key("sends"), || {
            let code = ours.sends;
            both!("{code} for 503 would have callers given up in overload", "以 {code} 代替 503，会使过载时的来话被彻底放弃")
        });
    }

    fn code(&mut self, code: u16, path: &[&str]) {
        self.require(CODES.contains(&code), path, || {
            both!("{code} is no code of a refusal: 300 to 699", "{code} 不是拒绝码（300 至 699）")
        });
    }

    fn cause(&mut self, q850: u8, path: &[&str]) {
        self.require(q850 < 128, path, || both!("{q850} is no Q.850 cause: 1 to 127", "{q850} 不是 Q.850 原因值（1 至 127）"));
    }

    /// An entry that an earlier one leaves nothing to.
    fn shadowed(&mut self, name: &str, list: &str, at: usize, first: Option<usize>) {
        let (at, layers) = (at.to_string(), self.layers);
        self.require(first.is_none(), &["causes", name, list, &at], || {
            let earlier = first.unwrap_or_default().to_string();
            let line = layers.place(&["causes", name, list, &earlier]).line();
            both!("never holds: an earlier entry takes all that it would{}", "永远不会生效：前面的条目已全部匹配{}"; line)
        });
    }
}

/// A caller who gets one of these looks for what must stand with it: where to go (3xx), a challenge (401, 407, 494), what is allowed,
/// accepted, supported or required (405, 415, 417, 420, 421, 469, 489), a bound (422, 423, 440), what was wrong with which part (424,
/// 428, 429, 436, 437, 438, 439, 470, 493, 580), more digits (484), or who rejects (608).
fn stands_alone(code: u16) -> bool {
    let with_more = [
        401, 405, 407, 412, 415, 417, 420, 421, 422, 423, 424, 428, 429, 436, 437, 438, 439, 440, 469, 470, 484, 489, 493, 494,
        580, 608,
    ];
    code >= 400 && !with_more.contains(&code)
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
    fn what_contradicts_itself_is_named_at_its_entry() {
        let words = "means = 'x', en = 'x', zh = 'x'";
        for (entries, place, en, zh) in [
            (format!("{{ code = 482, {words} }},\n{{ code = 482, {words} }}"), "3:1", "never holds", "永远不会生效"),
            (format!("{{ code = 200, {words} }}"), "2:3", "200 is no code", "不是拒绝码"),
            (format!("{{ code = 480, status = 700, {words} }}"), "2:15", "700 is no code", "不是拒绝码"),
            (format!("{{ code = 480, q850 = 128, {words} }}"), "2:15", "128 is no Q.850 cause", "原因值"),
            ("{ code = 480, means = 'a b', en = 'x', zh = 'x' }".into(), "2:15", "is a word of", "组成的词"),
            ("{ code = 480, means = 'a', en = 'x' }".into(), "2:1", "is no sentence", "文字"),
            (format!("{{ code = 480, rest = 'soon', {words} }}"), "2:15", "neither \"hours\" nor a time", "时长"),
            (format!("{{ code = 480, rest = '721h', {words} }}"), "2:15", "neither \"hours\" nor a time", "时长"),
            (format!("{{ code = 480, about = 'line', rest = '1h', {words} }}"), "2:31", "a line does not rest", "线路"),
        ] {
            let found = found(&format!("[causes.a]\nanswers = [\n{entries},\n]\n"));
            let place = place.split_once(':').unwrap();
            let line = place.0.parse::<usize>().unwrap() + 1;
            let start = format!("site.toml:{line}:{}: ", place.1);
            assert!(
                found.iter().any(|one| one.starts_with(&start) && one.contains(en) && one.contains(zh)),
                "{entries}: {found:#?}"
            );
        }
        let found_ = found("[causes.a]\n[[causes.a.ours]]\ncode = 480\nsends = 99\n[trunks.loopback]\ncauses = 'ims-ch'\n");
        assert!(found_.iter().any(|one| one.starts_with("site.toml:4:1: 99 is no code")), "{found_:#?}");
        let unknown =
            |one: &String| one.starts_with("site.toml:6:1: no map of causes `ims-ch`") && one.contains("did you mean `ims-cn`?");
        assert!(found_.iter().any(unknown), "{found_:#?}");
    }

    #[test]
    fn a_code_of_ours_needs_nothing_beside_it() {
        for sends in [300, 302, 380, 401, 405, 407, 415, 420, 421, 422, 423, 424, 469, 484, 489, 494, 580, 608] {
            let found = found(&format!("[causes.a]\nours = [\n  {{ code = 480, sends = {sends} }},\n]\n"));
            let is =
                |one: &String| one.starts_with(&format!("site.toml:3:17: {sends} says nothing without")) && one.contains("配套");
            assert!(found.len() == 1 && found.iter().any(is), "{sends}: {found:#?}");
        }
        let given_up = found("[causes.a]\nours = [\n  { code = 503, sends = 603 },\n]\n");
        assert!(given_up.len() == 1 && given_up[0].starts_with("site.toml:3:17: 603 for 503"), "{given_up:#?}");
        for sends in [403, 404, 480, 486, 500, 503, 600, 603] {
            assert_eq!(found(&format!("[causes.a]\nours = [{{ code = 410, sends = {sends} }}]\n")), [""; 0]);
        }
    }

    #[test]
    fn an_entry_that_asks_for_less_may_follow_one_that_asks_for_more() {
        let words = "means = 'x', en = 'x', zh = 'x'";
        let entry = |more: &str| format!("{{ code = 486, {more} {words} }},\n");
        let site = ["text = 'Concurrency',", "q850 = 34,", ""].map(entry).concat();
        assert_eq!(found(&format!("[causes.a]\nanswers = [\n{site}]\n[trunks.loopback]\ncauses = 'a'\n")), [""; 0]);
        let site = ["text = 'concurr',", "text = 'over Concurrency',"].map(entry).concat();
        assert_eq!(found(&format!("[causes.a]\nanswers = [\n{site}]\n")).len(), 1);
    }
}
