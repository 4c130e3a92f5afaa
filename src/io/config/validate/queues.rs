//! Queues that nobody could serve, and keys of theirs that contradict each other.

use super::Check;
use crate::event::Strategy;
use crate::io::config::peers::Seat;
use crate::io::config::queues::wait;
use crate::io::config::schema::Config;
use crate::io::config::{Queue, WhenNoSeat};
use crate::plan::suggestion;
use std::collections::BTreeSet;
use std::time::Duration;

/// The highest level of a skill.
const MOST: u8 = 9;

impl Check<'_> {
    pub fn queues(&mut self, config: &Config) {
        for (name, queue) in config.queues.iter().filter(|(_, queue)| queue.enabled) {
            let at = |key| ["queues", name.as_str(), key];
            self.served(config, name, queue);
            self.positive(queue.ring_timeout, &at("ring_timeout"));
            self.positive(queue.max_wait, &at("max_wait"));
            self.positive(queue.ageing, &at("ageing"));
            self.require(queue.max_length > 0, &at("max_length"), || both!("is 0", "不能为 0"));
            for (value, key) in [(queue.experts_after, "experts_after"), (queue.sticky_wait, "sticky_wait")] {
                self.in_time(value, queue, &at(key));
            }
            if queue.when_no_seat == WhenNoSeat::Overflow {
                self.in_time(queue.no_seat_grace, queue, &at("no_seat_grace"));
            }
            if self.levels(name, queue) {
                self.skilled(config, name, queue);
                self.experts(config, name, queue);
            }
        }
        self.skills_of_seats(config);
    }

    fn served(&mut self, config: &Config, name: &str, queue: &Queue) {
        let (at, layers) = (["queues", name, "seats"], self.layers);
        self.require(!queue.seats.is_empty(), &at, || both!("names no seat", "没有写任何座席"));
        for seat in &queue.seats {
            let known = config.seats.get(seat).is_some_and(|seat| seat.enabled);
            let seats = config.seats.iter().filter(|(_, seat)| seat.enabled).map(|(name, _)| name.as_str());
            self.require(known, &at, || match config.seats.contains_key(seat) {
                true => Self::disabled(layers, "seats", seat),
                false => both!("no seat `{seat}`", "没有座席 `{seat}`").then(&suggestion(seat, seats)),
            });
        }
    }

    /// A wait after which nobody waits any more changes nothing.
    fn in_time(&mut self, after: Duration, queue: &Queue, path: &[&str]) {
        self.require(after < queue.max_wait, path, || {
            let most = queue.max_wait;
            both!("never comes: nobody waits longer than max_wait, {most:?}", "不会到来：max_wait 为 {most:?}，无人等待更久")
        });
    }

    /// True when they are levels that fall with the wait.
    fn levels(&mut self, name: &str, queue: &Queue) -> bool {
        let known = self.findings.len();
        for (after, level) in &queue.levels {
            let path = ["queues", name, "levels", after.as_str()];
            let read = wait(after);
            self.require(read.is_some(), &path, || both!("`{after}` is no wait such as 20s", "`{after}` 不是 20s 这样的时长"));
            self.require(*level <= MOST, &path, || both!("is a level from 0 to {MOST}", "等级应为 0 到 {MOST}"));
            read.iter().for_each(|after| self.in_time(*after, queue, &path));
        }
        let Some(levels) = queue.levels() else { return false };
        let path = ["queues", name, "levels"];
        let starts = levels.first().is_none_or(|(after, _)| after.is_zero());
        self.require(starts, &path, || both!("says nothing for \"0s\", where a wait begins", "缺少等待开始时（\"0s\"）的等级"));
        let falls = levels.windows(2).all(|pair| pair[1].1 < pair[0].1);
        self.require(falls, &path, || both!("a longer wait must ask for less", "等待越久，要求的等级应越低"));
        let skill = ["queues", name, "skill"];
        let asked = queue.skill.is_empty() || !levels.is_empty() || queue.strategy == Strategy::SkillFirst;
        self.require(asked, &skill, || {
            both!(
                "is asked of nobody: set `levels`, or strategy \"skill-first\"",
                "不起作用：请设置 levels，或将 strategy 设为 \"skill-first\""
            )
        });
        known == self.findings.len()
    }

    /// A caller who waits long enough finds a seat that has what is asked for.
    fn skilled(&mut self, config: &Config, name: &str, queue: &Queue) {
        let least = queue.levels.values().copied().min().unwrap_or_default();
        let levels = |seat: &Seat| match queue.skill.as_str() {
            "" => seat.skills.values().copied().max().unwrap_or_default(),
            skill => seat.skills.get(skill).copied().unwrap_or_default(),
        };
        let most = members(config, queue).map(levels).max().unwrap_or_default();
        self.require(least <= most, &["queues", name, "levels"], || {
            let skill = if queue.skill.is_empty() { "any skill" } else { &queue.skill };
            let of = if queue.skill.is_empty() { "任何技能" } else { &queue.skill };
            both!(
                "asks for {least} at the least, and no seat of the queue has more than {most} of `{skill}`: nobody could serve it",
                "至少要求等级 {least}，而队列中没有座席的 `{of}` 等级高于 {most}：无人能接"
            )
        });
    }

    /// No seat stands in a queue by which it is never rung.
    fn experts(&mut self, config: &Config, name: &str, queue: &Queue) {
        let asks = !queue.levels.is_empty() || queue.strategy == Strategy::SkillFirst;
        let asked = |seat: &Seat| match queue.skill.as_str() {
            "" => !seat.skills.is_empty(),
            skill => seat.skills.contains_key(skill),
        };
        for seat in &queue.seats {
            let Some(found) = config.seats.get(seat).filter(|seat| seat.enabled && seat.expert) else { continue };
            let rung = !queue.experts_after.is_zero() || asks && asked(found);
            self.require(rung, &["queues", name, "seats"], || {
                both!(
                    "`{seat}` is an expert, whom this queue never rings: set `experts_after`, or a skill of the expert's",
                    "`{seat}` 是专家座席，此队列永远不会呼叫：请设置 experts_after，或其技能"
                )
            });
        }
    }

    fn skills_of_seats(&mut self, config: &Config) {
        let asking = |queue: &&Queue| queue.enabled && (!queue.levels.is_empty() || queue.strategy == Strategy::SkillFirst);
        let queues: Vec<&Queue> = config.queues.values().filter(asking).collect();
        let named: BTreeSet<&str> = queues.iter().map(|queue| queue.skill.as_str()).collect();
        for (name, seat) in config.seats.iter().filter(|(_, seat)| seat.enabled) {
            for (skill, level) in &seat.skills {
                let path = ["seats", name.as_str(), "skills", skill.as_str()];
                self.require((1..=MOST).contains(level), &path, || both!("is a level from 1 to {MOST}", "等级应为 1 到 {MOST}"));
                // A queue without a skill of its own asks for the hotline that was called.
                let known = named.contains("") || named.contains(skill.as_str());
                self.require(known, &path, || {
                    let near = suggestion(skill, named.iter().copied());
                    both!("no queue asks for the skill `{skill}`", "没有队列要求技能 `{skill}`").then(&near)
                });
            }
        }
    }
}

fn members<'a>(config: &'a Config, queue: &'a Queue) -> impl Iterator<Item = &'a Seat> {
    queue.seats.iter().filter_map(|seat| config.seats.get(seat)).filter(|seat| seat.enabled)
}

#[cfg(test)]
mod tests {
    use crate::io::config::Layers;
    use crate::io::config::validate::validate;
    use crate::plan::Source;
    use std::collections::BTreeMap;

    fn findings(queue: &str, seats: &str) -> Vec<String> {
        let site = format!("[queues.12345]\n{queue}\n[seats.a]\naor = 'sip:a@x'\naddress = '192.0.2.1:5060'\n{seats}");
        let layers = Layers::new(Some(Source::new("site.toml", &site)), BTreeMap::new());
        let wrong = validate(&layers.merge().unwrap(), &layers);
        wrong.iter().map(|finding| format!("{finding} {}", finding.told().zh)).collect()
    }

    #[test]
    fn what_a_queue_asks_for_its_seats_can_have() {
        for (queue, seats) in [
            ("strategy = 'one-by-one'", ""),
            ("strategy = 'all'", ""),
            ("strategy = 'round-robin'", ""),
            ("strategy = 'skill-first'\nseats = ['a']", "skills = { 12315 = 3 }"),
            ("levels = { 0s = 5, 20s = 3, 1m = 0 }\nskill = '税务'\nseats = ['a']", "skills = { '税务' = 9 }"),
            ("seats = ['a', 'desk']\nexperts_after = '1m'", "expert = true"),
            ("seats = ['a', 'desk']\nlevels = { 0s = 1, 9m = 0 }\nskill = 'x'", "expert = true\nskills = { x = 1 }"),
        ] {
            assert_eq!(findings(queue, seats), Vec::<String>::new(), "{queue}");
        }
    }

    #[test]
    fn contradictions_of_a_queue_are_named_at_their_key() {
        for (queue, seats, place, en, zh) in [
            ("levels = { 20s = 5 }", "", "2:", "says nothing for \"0s\"", "缺少等待开始时"),
            ("levels = { 0s = 3, 20s = 3 }", "", "2:", "must ask for less", "越低"),
            ("levels = { soon = 3 }", "", "2:", "`soon` is no wait such as 20s", "不是 20s 这样的时长"),
            ("levels = { 0s = 10 }", "", "2:", "is a level from 0 to 9", "0 到 9"),
            ("levels = { 0s = 5, 20m = 0 }", "", "2:", "never comes", "不会到来"),
            (
                "levels = { 0s = 5, 20s = 3 }\nseats = ['a']\nskill = 'x'",
                "skills = { x = 2 }",
                "2:",
                "more than 2 of `x`",
                "无人能接",
            ),
            ("levels = { 0s = 1 }\nseats = ['a']", "", "2:", "more than 0 of `any skill`", "任何技能"),
            ("skill = 'x'", "", "2:", "is asked of nobody", "不起作用"),
            ("seats = ['a']", "expert = true", "2:", "whom this queue never rings", "永远不会呼叫"),
            ("seats = ['a']", "skills = { x = 1 }", "6:", "no queue asks for the skill `x`", "没有队列要求技能"),
            ("strategy = 'skill-first'", "skills = { x = 0 }", "6:", "is a level from 1 to 9", "1 到 9"),
            ("sticky_wait = '10m'", "", "2:", "never comes", "不会到来"),
            ("ageing = '0s'", "", "2:", "longer than zero", "大于零"),
        ] {
            let found = findings(queue, seats);
            let is = |one: &String| one.starts_with(&format!("site.toml:{place}")) && one.contains(en) && one.contains(zh);
            assert!(found.iter().any(is), "{queue} {seats}: {found:#?}");
        }
    }
}
