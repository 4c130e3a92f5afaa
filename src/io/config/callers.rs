//! The caller's side of a configuration: announcements in queues, overflow, opinions, call-backs.

use super::peers::Seat;
use super::queues::MESSAGE;
use super::schema::Config;
use crate::base::Text;
use crate::call::Callers;
use crate::call::Messages;
use crate::call::Survey;
use crate::call::Waiting;
use crate::call::spoken;
use crate::list::Limits;
use crate::plan::{Advance, Calendar, Step, Target};
use crate::switch::Outbound;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// One link of a queue's overflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overflow {
    Queue(String),
    Target { number: String, trunk: Option<String> },
    Callback,
    Message,
}

/// Reads what stands in `overflow`: `queue:NAME`, `target:NUMBER`, `target:NUMBER@TRUNK`, `callback`, `message`.
pub fn overflow(text: &str) -> Result<Overflow, Text> {
    let number = |number: &str| number.chars().all(|c| c.is_ascii_digit()) && (2..=20).contains(&number.len());
    match (text, text.split_once(':')) {
        ("callback", _) => Ok(Overflow::Callback),
        (MESSAGE, _) => Ok(Overflow::Message),
        (_, Some(("queue", name))) if !name.is_empty() => Ok(Overflow::Queue(name.to_owned())),
        (_, Some(("target", target))) => {
            let (digits, trunk) = target.split_once('@').map_or((target, None), |(digits, trunk)| (digits, Some(trunk)));
            if number(digits) {
                return Ok(Overflow::Target { number: digits.to_owned(), trunk: trunk.map(str::to_owned) });
            }
            Err(both!("`{digits}` is no number", "`{digits}` 不是号码"))
        }
        _ => Err(both!(
            "`{text}` is none of queue:NAME, target:NUMBER, target:NUMBER@TRUNK, callback, message",
            "`{text}` 应为 queue:队列、target:号码、target:号码@中继、callback 或 message"
        )),
    }
}

/// Queues whose overflow leads back to them, one circle each, from its first name on. `line`: the queues that answer a number that
/// the default trunk would bring back.
pub fn circles(config: &Config, line: impl Fn(&str) -> Vec<String>) -> Vec<Vec<String>> {
    let link = |text: &String| match overflow(text) {
        Ok(Overflow::Queue(next)) => vec![next],
        Ok(Overflow::Target { number, trunk: None }) => line(&number),
        _ => Vec::new(),
    };
    let queues = config.queues.iter().filter(|(_, queue)| queue.enabled);
    let ways: BTreeMap<&str, Vec<String>> =
        queues.map(|(name, queue)| (name.as_str(), queue.overflow.iter().flat_map(link).collect())).collect();
    let back = |name: &str| {
        let (mut next, mut seen) = (vec![vec![name.to_owned()]], BTreeSet::new());
        while let Some(way) = next.pop() {
            for to in ways.get(way.last()?.as_str()).into_iter().flatten() {
                if to == name {
                    return Some(way);
                }
                if seen.insert(to.clone()) {
                    next.push(way.iter().chain([to]).cloned().collect());
                }
            }
        }
        None
    };
    let first = |way: &Vec<String>| way.iter().min() == way.first();
    ways.keys().filter_map(|name| back(name)).filter(first).collect()
}

/// The circle in words.
pub fn leads_back(circle: &[String]) -> Text {
    let way: Vec<&str> = circle.iter().chain(circle.first()).map(String::as_str).collect();
    let way = way.join(" → ");
    both!("leads back into the queue itself: {way}", "又回到本队列：{way}")
}

/// Why a queue does not overflow into an emergency line.
pub fn leads_to_emergency(number: &str) -> Text {
    both!("leads to `{number}`, an emergency line: a seat fetches it by one key", "`{number}` 为紧急热线：应由座席一键转接")
}

/// The prompts that callers of these queues hear.
pub fn prompts(config: &Config) -> Vec<String> {
    let mut names = Vec::new();
    let queues = || config.queues.values().filter(|queue| queue.enabled);
    for queue in queues() {
        let said = !queue.announce_every.is_zero();
        let numbers = (said && (queue.announce_position || queue.announce_wait)) || queue.seat_number;
        let words = numbers.then(spoken::number_words).into_iter().flatten();
        let queue_words = spoken::QUEUE_WORDS.into_iter().filter(|_| said && (queue.announce_position || queue.announce_wait));
        let seat_words = spoken::SEAT_WORDS.into_iter().filter(|_| queue.seat_number);
        let words = words.chain(queue_words).chain(seat_words);
        names.extend(words.map(|word| spoken::in_voice(&queue.voice, word).to_string()));
        names.extend(Some(&queue.announce_prompt).filter(|name| said && !name.is_empty()).cloned());
    }
    if config.seats.values().any(|seat| seat.enabled && !seat.accept.is_empty()) {
        names.extend(spoken::number_words().chain(spoken::ACCEPT_WORDS).map(str::to_owned));
    }
    if queues().any(|queue| queue.survey) {
        names.extend([&config.survey.prompt, &config.survey.thanks].into_iter().filter(|name| !name.is_empty()).cloned());
    }
    if queues().any(|queue| queue.overflow.iter().any(|text| text == "callback")) {
        names.extend([&config.callbacks.prompt, &config.callbacks.taken].into_iter().filter(|name| !name.is_empty()).cloned());
    }
    if queues().any(|queue| queue.overflow.iter().any(|text| text == MESSAGE)) {
        names.extend([&config.messages.prompt, &config.messages.thanks].into_iter().filter(|name| !name.is_empty()).cloned());
        names.push(spoken::TONE.to_owned());
    }
    names.extend(Some(&config.recording.notice).filter(|name| !name.is_empty()).cloned());
    names.extend(Some(&config.calls.blocked).filter(|name| !name.is_empty()).cloned());
    names.sort();
    names.dedup();
    names
}

/// As calls are told it.
pub fn callers(config: &Config) -> Callers {
    let queues = config.queues.iter().filter(|(_, queue)| queue.enabled);
    let named = |name: &str| Some(name).filter(|name| !name.is_empty()).map(Arc::from);
    let waiting = queues.map(|(name, queue)| {
        let waiting = Waiting {
            announce_after: queue.announce_after,
            announce_every: queue.announce_every,
            position: queue.announce_position,
            wait: queue.announce_wait,
            prompt: named(&queue.announce_prompt),
            voice: queue.voice.as_str().into(),
            overflow: queue.overflow.iter().filter_map(|text| step(config, queue.overflow_ring, text)).collect(),
            overflow_within: queue.overflow_within,
            seat_number: queue.seat_number,
            survey: queue.survey,
        };
        (Arc::from(name.as_str()), Arc::new(waiting))
    });
    let survey = &config.survey;
    let seats = || config.seats.iter().filter(|(_, seat)| seat.enabled);
    Callers {
        waiting: waiting.collect(),
        seat_numbers: seat_numbers(config),
        survey: Some(Survey {
            prompt: survey.prompt.as_str().into(),
            thanks: named(&survey.thanks),
            keys: survey.keys.as_str().into(),
            wait: survey.wait,
            tries: survey.retries.saturating_add(1),
        }),
        accept: seats().filter_map(|(name, seat)| Some((name.as_str().into(), seat.accept.chars().next()?))).collect(),
        unheard: seats().filter(|(_, seat)| seat.is_remote()).map(|(name, _)| name.as_str().into()).collect(),
        blocked: named(&config.calls.blocked),
        callback_taken: named(&config.callbacks.taken),
        messages: Messages {
            least: config.messages.least,
            silence: config.messages.silence,
            thanks: named(&config.messages.thanks),
        },
    }
}

/// The bounds of the callback list.
pub fn callbacks(config: &Config) -> Limits {
    let callbacks = &config.callbacks;
    Limits { losses: callbacks.losses.clone(), rows: callbacks.most, keep: callbacks.keep, lease: callbacks.lease }
}

/// The policy of calls that seats place.
pub fn outbound(config: &Config) -> Result<Outbound, Text> {
    let ours = &config.outbound;
    let named = |name: &str| Some(name).filter(|name| !name.is_empty()).map(Arc::from);
    let hours = Calendar::weekly(ours.hours.iter().map(String::as_str));
    Ok(Outbound {
        enabled: ours.enabled,
        trunk: named(&ours.trunk),
        shown: named(&ours.number),
        hours: hours.ok_or_else(|| both!("outbound.hours: no hours", "outbound.hours：不是时段"))?,
        refuse: ours.refuse.clone(),
        per_callee: ours.per_callee,
        per_seat: ours.per_seat,
        per_hotline: ours.per_hotline,
        per_trunk: ours.per_trunk,
        leave_percent: ours.leave_percent,
        ring_seat: ours.ring_seat,
        ring: ours.ring,
        preview: ours.preview,
        after_refusal: ours.after_refusal,
    })
}

/// A seat's number, or its name where that is one.
fn seat_numbers(config: &Config) -> BTreeMap<Arc<str>, Arc<str>> {
    let number = |(name, seat): (&String, &Seat)| {
        let number = if seat.number.is_empty() { name } else { &seat.number };
        is_seat_number(number).then(|| (Arc::from(name.as_str()), Arc::from(number.as_str())))
    };
    config.seats.iter().filter(|(_, seat)| seat.enabled).filter_map(number).collect()
}

/// True for what can be read out.
pub fn is_seat_number(number: &str) -> bool {
    (1..=spoken::LONGEST_SEAT_NUMBER).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
}

fn step(config: &Config, ring: Duration, text: &str) -> Option<Step> {
    let step = match overflow(text).ok()? {
        Overflow::Queue(queue) => Step::Queue { queue: queue.into(), high: false },
        Overflow::Target { number, trunk } => {
            let target = Target { number: number.into(), trunk: trunk.map(Arc::from), emergency: false };
            Step::Ring { targets: vec![target], timeout: ring, advance: Advance::default() }
        }
        Overflow::Callback => Step::Callback {
            prompt: config.callbacks.prompt.as_str().into(),
            key: config.callbacks.key.chars().next()?,
            wait: config.callbacks.wait,
        },
        Overflow::Message => Step::Message {
            prompt: config.messages.prompt.as_str().into(),
            key: config.messages.key.chars().next()?,
            most: config.messages.most,
        },
    };
    Some(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_a_chain_are_read_or_told() {
        let target = |number: &str, trunk: Option<&str>| Overflow::Target { number: number.into(), trunk: trunk.map(Into::into) };
        for (text, want) in [
            ("queue:expert", Overflow::Queue("expert".into())),
            ("target:12366", target("12366", None)),
            ("target:12366@tax", target("12366", Some("tax"))),
            ("callback", Overflow::Callback),
            ("message", Overflow::Message),
        ] {
            assert_eq!(overflow(text), Ok(want), "{text}");
        }
        for text in
            ["", "queue:", "queue", "target:", "target:abc", "target:1", "Callback", "message:long", "seat:8001", "target:+8610"]
        {
            assert!(overflow(text).is_err(), "{text}");
        }
    }
}
