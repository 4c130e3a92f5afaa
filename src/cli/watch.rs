//! `hotline seats watch`: what happens to seats, line by line as it happens. A stream that breaks off goes on after the last line.

use super::api::{Client, Follow};
use super::words::{text, word};
use crate::base::{Shown, Text};
use serde_json::Value;

/// The particulars of an event that people read, in this order, each with its label.
const PARTICULARS: &[(&str, &str, &str)] = &[
    ("/data/intent", "", ""),
    ("/data/kind", "", ""),
    ("/data/reason", "reason", "原因"),
    ("/data/cause", "cause", "起因"),
    ("/data/why", "because", "因为"),
    ("/data/action", "", ""),
    ("/data/mode", "", ""),
    ("/data/queue", "queue", "队列"),
    ("/data/hotline", "hotline", "热线"),
    ("/data/callback", "callback", "回电"),
    ("/data/ticket", "ticket", "工单"),
    ("/data/alarm", "to", "告知"),
    ("/data/text", "", ""),
    ("/data/status", "SIP", "SIP"),
    ("/data/seconds", "seconds", "秒"),
    ("/preview/to", "number", "号码"),
    ("/call/direction", "", ""),
    ("/call/caller", "caller", "主叫"),
    ("/call/number", "called", "被叫"),
    ("/data/call", "call", "通话"),
];

/// Those of them that are words of the API; whoever names a queue or gives a reason chooses freely.
const OURS: &[&str] =
    &["/data/intent", "/data/kind", "/data/cause", "/data/why", "/data/action", "/data/mode", "/data/alarm", "/call/direction"];

/// The seats that are followed, and how.
pub struct Wanted<'a> {
    /// None: all that the token reaches.
    pub seat: Option<&'a str>,
    /// The number after which to begin; none: from now on.
    pub after: Option<u64>,
    pub unmasked: bool,
    pub json: bool,
}

/// Follows until the terminal is closed, or the gateway refuses.
pub fn run(client: &Client, wanted: &Wanted<'_>) -> Result<(), Text> {
    let path = match wanted.seat {
        Some(seat) => format!("/api/v1/seats/{seat}/events"),
        None => "/api/v1/seats/events".to_owned(),
    };
    let mut query = Vec::new();
    query.extend(wanted.after.map(|n| ("after", n.to_string())));
    query.extend(wanted.unmasked.then(|| ("unmasked", "true".to_owned())));
    client.follow(&path, &query, |news| match news {
        Follow::Begun => super::complain(&both!("following; end with Ctrl-C", "正在跟踪，按 Ctrl-C 结束")),
        Follow::Event(event) if wanted.json => say_json!("{event}"),
        Follow::Event(event) => say!("{}", line(&event).told(super::tongue())),
        Follow::Lost(why) => super::complain(&both!("{}; trying again", "{}；正在重连"; why)),
    })
}

/// An event as one line: its number, its time, its seat, its kind and its particulars.
fn line(event: &Value) -> Text {
    let kind = event["type"].as_str().unwrap_or_default();
    let head = format!("{}  {}  {}  ", event["n"], text(&event["at"]), text(&event["seat"]));
    let said = match kind {
        "gap" => both!("something may have been missed: see `hotline seats show`", "可能遗漏了事件：请看 `hotline seats show`"),
        kind => word(kind),
    };
    let parts: Vec<Text> = PARTICULARS.iter().filter_map(|of| particular(event, of)).chain(by(event)).collect();
    let all = Text::foreign(head).then(&said);
    if parts.is_empty() { all } else { all.then(&Text::foreign("  ")).then(&Text::joined(&parts)) }
}

fn particular(event: &Value, (pointer, en, zh): &(&str, &str, &str)) -> Option<Text> {
    let value = match event.pointer(pointer)? {
        Value::String(value) if value.is_empty() => return None,
        Value::String(value) if OURS.contains(pointer) => word(value),
        Value::String(value) => Text::foreign(Shown(value)),
        Value::Number(value) => Text::foreign(value),
        Value::Object(one) => word(one.keys().next()?),
        _ => return None,
    };
    let labelled = |label: &str, value: &str| if label.is_empty() { value.to_owned() } else { format!("{label} {value}") };
    Some(Text { en: labelled(en, &value.en), zh: labelled(zh, &value.zh) })
}

/// The one who did it, where it was not the seat's own doing.
fn by(event: &Value) -> Option<Text> {
    let (kind, name) = (event.pointer("/data/by/kind")?.as_str()?, event.pointer("/data/by/name")?.as_str()?);
    let (kind, name) = (word(kind), Shown(name));
    Some(both!("by the {} {name}", "{} {name} 操作"; kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_a_line_in_both_languages_and_acts_nowhere() {
        let ringing = json!({ "n": 41, "at": "2026-10-01T08:00:00.000+08:00", "seat": "desk", "type": "ringing",
            "data": { "call": "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80", "cause": "queue", "queue": "12345" },
            "call": { "caller": "138******00", "number": "12345", "direction": "inbound" } });
        let told = line(&ringing);
        assert_eq!(
            told.en,
            "41  2026-10-01T08:00:00.000+08:00  desk  ringing  cause queue, queue 12345, inbound, caller 138******00, called 12345, call 0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80"
        );
        assert_eq!(
            told.zh,
            "41  2026-10-01T08:00:00.000+08:00  desk  振铃  起因 队列；队列 12345；呼入；主叫 138******00；被叫 12345；通话 0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80"
        );
        let rest = json!({ "n": 1, "at": "x", "seat": "desk", "type": "break",
            "data": { "kind": "rest", "reason": "ready\u{1b}[2J", "seconds": 600, "by": { "kind": "seat", "name": "tool" } } });
        assert_eq!(line(&rest).zh, "1  x  desk  示忙或小休  小休；原因 ready\\u{1b}[2J；秒 600；座席 tool 操作");
        let planned = json!({ "n": 2, "at": "x", "seat": "d", "type": "planned", "data": { "intent": { "wrap_up": {} } } });
        assert_eq!(line(&planned).en, "2  x  d  planned  wrap_up");
        assert!(line(&json!({ "n": 9, "type": "gap", "data": {} })).zh.contains("遗漏"));
    }
}
