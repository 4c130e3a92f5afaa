//! Contradictions in how callers are treated while they wait, and after they were served.

use super::Check;
use crate::base::Text;
use crate::io::config::callers::{self, Overflow};
use crate::io::config::queues::{MESSAGE, Queue, QueueRecord};
use crate::io::config::schema::Config;
use crate::plan::{is_emergency, suggestion};
use std::time::Duration;

/// An announcement more often than this leaves no music, and each is work for 5,000 callers.
const LEAST_EVERY: Duration = Duration::from_secs(10);
const MOST_LINKS: usize = 8;
const MOST_CALLBACKS: usize = 100_000;
const MOST_RETRIES: u32 = 2;

fn nothing_recorded() -> Text {
    both!("nothing is recorded: set recording.on_demand = true", "未启用录音：请设 recording.on_demand = true")
}

impl Check<'_> {
    pub fn callers(&mut self, config: &Config) {
        for (name, queue) in config.queues.iter().filter(|(_, queue)| queue.enabled) {
            let at = |key| ["queues", name.as_str(), key];
            let often = queue.announce_every.is_zero() || queue.announce_every >= LEAST_EVERY;
            self.require(often, &at("announce_every"), || both!("is less than 10s; 0s is off", "不得短于 10s；0s 表示关闭"));
            self.positive(queue.overflow_within, &at("overflow_within"));
            self.positive(queue.overflow_ring, &at("overflow_ring"));
            self.require(queue.overflow.len() <= MOST_LINKS, &at("overflow"), || {
                both!("has more than {MOST_LINKS} links", "超过 {MOST_LINKS} 项")
            });
            let asks = queue.record == QueueRecord::Yes;
            self.require(!asks || config.records(), &at("record"), nothing_recorded);
            for text in &queue.overflow {
                self.link(config, name, text);
            }
            self.takes_messages(config, queue, &at("overflow"));
        }
        for (name, seat) in config.seats.iter().filter(|(_, seat)| seat.enabled && !seat.number.is_empty()) {
            self.require(callers::is_seat_number(&seat.number), &["seats", name, "number"], || {
                both!("is no number of 1 to 8 digits", "应为 1 至 8 位数字")
            });
        }
        for circle in callers::circles(config, |_| Vec::new()) {
            let first = circle.first().map_or("", String::as_str);
            self.require(false, &["queues", first, "overflow"], || callers::leads_back(&circle));
        }
        self.questions(config);
        self.messages(config);
    }

    fn link(&mut self, config: &Config, queue: &str, text: &str) {
        let at = ["queues", queue, "overflow"];
        match callers::overflow(text) {
            Err(why) => self.require(false, &at, || why),
            Ok(Overflow::Queue(next)) => {
                let known = config.queues.iter().filter(|(_, queue)| queue.enabled).map(|(name, _)| name.as_str());
                let layers = self.layers;
                let there = config.queues.get(&next).is_some_and(|queue| queue.enabled);
                self.require(there, &at, || match config.queues.contains_key(&next) {
                    true => Self::disabled(layers, "queues", &next),
                    false => both!("no queue `{next}`", "没有队列 `{next}`").then(&suggestion(&next, known)),
                });
            }
            // Such a call would be an ordinary one: without a reserved channel, and with a caller who is listed as missed.
            Ok(Overflow::Target { number, .. }) if is_emergency(&number) => {
                self.require(false, &at, || callers::leads_to_emergency(&number));
            }
            Ok(Overflow::Target { trunk: Some(trunk), .. }) => {
                let there = config.trunks.get(&trunk).is_some_and(|trunk| trunk.enabled);
                let known = config.trunks.iter().filter(|(_, trunk)| trunk.enabled).map(|(name, _)| name.as_str());
                self.require(there, &at, || both!("no trunk `{trunk}`", "没有中继 `{trunk}`").then(&suggestion(&trunk, known)));
            }
            Ok(Overflow::Target { .. } | Overflow::Callback | Overflow::Message) => {}
        }
    }

    /// A message ends the call: only who could leave none goes on, and is not to wait for somebody once more.
    fn takes_messages(&mut self, config: &Config, queue: &Queue, at: &[&str]) {
        let Some(place) = queue.overflow.iter().position(|link| link == MESSAGE) else { return };
        self.require(config.records(), at, nothing_recorded);
        let rest = &queue.overflow[place + 1..];
        self.require(rest.iter().all(|link| link == "callback"), at, || {
            both!(
                "goes on after `message`, which ends the call: only `callback` may follow, for when nothing can be recorded",
                "`message` 之后通话结束：其后只可接 callback（用于无法录音时）"
            )
        });
    }

    fn messages(&mut self, config: &Config) {
        let messages = &config.messages;
        let at = |key| ["messages", key];
        let one = messages.key.len() == 1 && messages.key.chars().all(|key| "0123456789*#".contains(key));
        self.require(one, &at("key"), || both!("must be one key: 0-9, * or #", "应为一个按键：0-9、* 或 #"));
        self.require(!messages.prompt.is_empty(), &at("prompt"), || both!("is empty", "不能为空"));
        self.positive(messages.most, &at("most"));
        self.positive(messages.least, &at("least"));
        self.require(messages.least < messages.most, &at("least"), || {
            both!("no message would be kept: `most` is no longer", "不会保留任何留言：most 不比它长")
        });
        let in_time = messages.silence.is_zero() || messages.silence > messages.least;
        self.require(in_time, &at("silence"), || {
            both!("would end a message before it is long enough: `least` is no shorter; 0s is off", "不得短于 least；0s 表示关闭")
        });
    }

    fn questions(&mut self, config: &Config) {
        let survey = &config.survey;
        let keys: Vec<char> = survey.keys.chars().collect();
        let distinct = keys.iter().enumerate().all(|(i, key)| key.is_ascii_digit() && !keys[..i].contains(key));
        self.require((2..=9).contains(&keys.len()) && distinct, &["survey", "keys"], || {
            both!("must be 2 to 9 different digits, the best first", "应为 2 至 9 个不同的数字，最满意的在前")
        });
        self.require(!survey.prompt.is_empty(), &["survey", "prompt"], || both!("is empty", "不能为空"));
        self.require(survey.retries <= MOST_RETRIES, &["survey", "retries"], || both!("is more than 2", "不得超过 2"));
        self.positive(survey.wait, &["survey", "wait"]);
        let callbacks = &config.callbacks;
        let one = callbacks.key.len() == 1 && callbacks.key.chars().all(|key| "0123456789*#".contains(key));
        self.require(one, &["callbacks", "key"], || both!("must be one key: 0-9, * or #", "应为一个按键：0-9、* 或 #"));
        self.require(!callbacks.prompt.is_empty(), &["callbacks", "prompt"], || both!("is empty", "不能为空"));
        self.positive(callbacks.wait, &["callbacks", "wait"]);
        self.positive(callbacks.keep, &["callbacks", "keep"]);
        self.positive(callbacks.lease, &["callbacks", "lease"]);
        self.require(callbacks.most <= MOST_CALLBACKS, &["callbacks", "most"], || {
            both!("is more than {MOST_CALLBACKS}", "超过 {MOST_CALLBACKS}")
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::io::config::Layers;
    use crate::io::config::validate::validate;
    use crate::plan::Source;
    use std::collections::BTreeMap;

    /// The faults of a site file, in both languages.
    fn findings(site: &str) -> Vec<String> {
        let layers = Layers::new(Some(Source::new("site.toml", site)), BTreeMap::new());
        let findings = validate(&layers.merge().unwrap(), &layers);
        findings.iter().map(|finding| format!("{finding} {}", finding.told().zh)).collect()
    }

    #[test]
    fn messages_that_nobody_could_leave_are_refused_where_they_stand() {
        let queue = |overflow: &str| format!("[recording]\non_demand = true\n[queues.12345]\noverflow = {overflow}\n");
        for (site, at, en, zh) in [
            ("[queues.12345]\noverflow = ['message']\n", "2:", "nothing is recorded", "未启用录音"),
            (&queue("['message', 'target:12366']"), "4:", "ends the call", "之后通话结束"),
            (&queue("['message', 'message']"), "4:", "only `callback` may follow", "其后只可接"),
            ("[messages]\nmost = '0s'\n", "2:", "0", "0"),
            ("[messages]\nmost = '1h'\n", "2:", "is longer than 30m", "不得长于 30m"),
            ("[messages]\nleast = '0s'\n", "2:", "0", "0"),
            ("[messages]\nleast = '2m'\n", "2:", "no message would be kept", "不会保留任何留言"),
            ("[messages]\nsilence = '2s'\n", "2:", "long enough", "不得短于 least"),
            ("[messages]\nkey = '##'\n", "2:", "must be one key", "应为一个按键"),
            ("[messages]\nprompt = ''\n", "2:", "is empty", "不能为空"),
        ] {
            let found = findings(site);
            let told = |one: &String| one.starts_with(&format!("site.toml:{at}")) && one.contains(en) && one.contains(zh);
            assert!(found.iter().any(told), "{site}: {found:#?}");
        }
        for right in ["['message']", "['queue:other', 'message', 'callback']", "['callback', 'message']"] {
            let site = queue(right) + "[queues.other]\nseats = ['desk']\n";
            assert!(!findings(&site).iter().any(|one| one.contains("message")), "{right}");
        }
    }

    #[test]
    fn no_queue_overflows_into_itself_by_whatever_way() {
        let queue = |name: &str, link: &str| format!("[queues.{name}]\nseats = ['desk']\noverflow = ['{link}']\n");
        let found = |site: &str| {
            let layers = Layers::new(Some(Source::new("site.toml", site)), BTreeMap::new());
            let findings = validate(&layers.merge().unwrap(), &layers);
            findings.iter().map(|finding| format!("{finding} {}", finding.told().zh)).collect::<Vec<_>>()
        };
        for (site, way) in [
            (queue("a", "queue:a"), "a → a"),
            (queue("a", "queue:b") + &queue("b", "queue:a"), "a → b → a"),
            (queue("a", "queue:b") + &queue("b", "queue:c") + &queue("c", "queue:a"), "a → b → c → a"),
        ] {
            let found = found(&site);
            assert!(found.len() == 1 && found[0].starts_with("site.toml:3:1: ") && found[0].contains(way), "{found:#?}");
            assert!(found[0].contains("leads back into the queue itself") && found[0].contains("又回到本队列"), "{found:#?}");
        }
        let tail = queue("a", "queue:b") + &queue("b", "queue:c") + &queue("c", "queue:b");
        assert!(found(&tail).len() == 1 && found(&tail)[0].contains("b → c → b"), "{:#?}", found(&tail));
        let chain = queue("a", "queue:b") + &queue("b", "queue:c") + &queue("c", "callback");
        assert_eq!(found(&chain), Vec::<String>::new());
    }

    #[test]
    fn a_queue_overflows_into_no_emergency_line() {
        let found = |link: &str| findings(&format!("[queues.12345]\noverflow = ['{link}']\n"));
        for link in ["target:110", "target:0691110", "target:12110@loopback"] {
            let is =
                |one: &String| one.starts_with("site.toml:2:") && one.contains("an emergency line") && one.contains("紧急热线");
            assert!(found(link).iter().any(is), "{link}: {:#?}", found(link));
        }
        assert!(!found("target:12366").iter().any(|one| one.contains("an emergency line")));
    }
}
