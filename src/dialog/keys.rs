//! Keys that travel by INFO: to a peer, and how peers write them.

use crate::dialog::Event;
use crate::dialog::context::{Context, Purpose};
use crate::dialog::dialog::Dialog;
use crate::sip::Method;
use std::collections::VecDeque;

/// More keys than anyone presses ahead.
const MAX_WAITING: usize = 64;

/// The bodies that keys come in.
pub(super) const FORMS: &str = "application/dtmf-relay, application/dtmf, audio/telephone-event";
const EVENT: &str = "audio/telephone-event";
/// More keys than anyone sends at once.
const MAX_AT_ONCE: usize = 32;
/// The names that peers have for the field with the key.
const FIELDS: [&str; 3] = ["signal", "d", "digit"];

/// The keys that the body of an INFO tells, of one of these kinds; none where there is none, or something that is no key.
/// Nobody has laid it down, so each of the ways is somebody's: `Signal=5`, `d=5`, the key alone, the payload of RFC 4733.
pub(super) fn read(kind: &str, body: &[u8]) -> Option<Vec<char>> {
    match body {
        [event @ 0..16, _, _, _] if kind == EVENT => Some(vec![char::from(b"0123456789*#ABCD"[usize::from(*event)])]),
        _ => in_text(&String::from_utf8_lossy(body)),
    }
}

fn in_text(text: &str) -> Option<Vec<char>> {
    let fields: Vec<&str> = text.split(['\r', '\n', ';', '&']).map(str::trim).filter(|field| !field.is_empty()).collect();
    let named: Vec<&str> = fields.iter().filter_map(|field| value(field)).collect();
    let values = if named.is_empty() { fields.get(..1)? } else { &named[..] };
    let keys: Vec<char> = values.iter().map(|value| in_value(value)).collect::<Option<Vec<_>>>()?.concat();
    (1..=MAX_AT_ONCE).contains(&keys.len()).then_some(keys)
}

/// The value behind the name of a field that has keys.
fn value(field: &str) -> Option<&str> {
    let (name, value) = field.split_once(['=', ':'])?;
    FIELDS.iter().any(|known| name.trim().eq_ignore_ascii_case(known)).then_some(value)
}

/// Some peers number star, hash and the hook flash 10, 11 and 16, as RFC 4733 does; else several digits are several keys.
fn in_value(value: &str) -> Option<Vec<char>> {
    let value = value.trim().trim_matches(['"', '\'']).trim();
    match value {
        "10" => Some(vec!['*']),
        "11" => Some(vec!['#']),
        "16" => None,
        _ => value.chars().filter(|c| !c.is_whitespace()).map(key).collect(),
    }
}

fn key(c: char) -> Option<char> {
    Some(c.to_ascii_uppercase()).filter(|key| matches!(key, '0'..='9' | '*' | '#' | 'A'..='D'))
}

/// Keys to a peer that takes them as INFO. One request at a time: a lost one must not let the next overtake it.
#[derive(Debug, Default)]
pub(super) struct Keys {
    waiting: VecDeque<char>,
    sending: Option<char>,
}

impl Keys {
    pub(super) fn send(&mut self, cx: &mut Context, dialog: &mut Dialog, key: char) {
        if self.waiting.len() < MAX_WAITING && self::key(key) == Some(key) {
            self.waiting.push_back(key);
        }
        self.proceed(cx, dialog);
    }

    /// The INFO is over; to a peer that answers none, what waits would come too late.
    pub(super) fn sent(&mut self, cx: &mut Context, dialog: &mut Dialog, accepted: bool) {
        self.sending = None;
        if !accepted {
            self.waiting.clear();
        }
        self.proceed(cx, dialog);
    }

    /// A peer that refuses one takes no other: whoever wanted them sent may find another way.
    pub(super) fn refused(&mut self, cx: &mut Context) {
        for key in self.sending.take().into_iter().chain(self.waiting.drain(..)) {
            cx.event(Event::KeyRefused { leg: cx.leg.id, key });
        }
    }

    fn proceed(&mut self, cx: &mut Context, dialog: &mut Dialog) {
        if self.sending.is_some() {
            return;
        }
        let Some(key) = self.waiting.pop_front() else { return };
        self.sending = Some(key);
        let info = dialog.request(Method::Info, cx.ua.config().max_forwards);
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        cx.request(dialog.next_hop(), info.with_body("application/dtmf-relay", body.into()), Purpose::Info);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, body: &str) -> Option<String> {
        super::read(kind, body.as_bytes()).map(String::from_iter)
    }

    #[test]
    fn keys_as_phones_write_them() {
        let five = [
            "Signal=5\r\nDuration=160\r\n",
            "signal= 5\r\nduration= 250",
            "Signal = 5 \nDuration = 100",
            "Duration=160\r\nSignal=5\r\n",
            "Signal=\"5\"\r\n",
            "Signal='5'",
            "Signal: 5\r\n",
            "d=5\r\n",
            "D=5;du=100",
            "5",
            "\r\n 5\r\n",
            "\"5\"",
        ];
        for kind in ["application/dtmf-relay", "application/dtmf", EVENT] {
            for body in five {
                assert_eq!(read(kind, body).as_deref(), Some("5"), "{kind}: {body:?}");
            }
            for (body, keys) in [
                ("Signal=55", "55"),
                ("123#", "123#"),
                ("Signal=1 2 3", "123"),
                ("Signal=1\r\nSignal=2\r\n", "12"),
                ("Signal=*", "*"),
                ("Signal=11", "#"),
                ("10", "*"),
                ("Signal=d", "D"),
                ("d", "D"),
            ] {
                assert_eq!(read(kind, body).as_deref(), Some(keys), "{kind}: {body:?}");
            }
        }
        assert_eq!(super::read(EVENT, &[11, 0x8A, 3, 32]), Some(vec!['#']));
        assert_eq!(super::read(EVENT, &[0, 10, 0, 160]), Some(vec!['0']));
        assert_eq!(super::read(EVENT, b"1234"), Some(vec!['1', '2', '3', '4']));
    }

    #[test]
    fn what_is_no_key_is_none() {
        for body in [
            "",
            " \r\n",
            "Signal=",
            "Signal=\"\"",
            "Duration=160",
            "Signal=16",
            "Signal=flash",
            "Signal=5x",
            "!",
            "Signal=5\r\nSignal=hf",
        ] {
            assert_eq!(read("application/dtmf-relay", body), None, "{body:?}");
        }
        assert_eq!(read("application/dtmf", &"5".repeat(33)), None);
        assert_eq!(super::read(EVENT, &[16, 0x8A, 3, 32]), None);
    }
}
