//! The words in which the reader of a configuration says that a value does not fit: those of the trade, in both languages.

use crate::base::Text;
use crate::plan::{dates, nearest};

/// The names that the reader has for a type, and those that people have. The first that is found in the message counts.
const WANTED: &[(&str, &str, &str)] = &[
    ("expected u16", "a whole number from 0 to 65535", "0 到 65535 的整数"),
    ("expected u8", "a whole number from 0 to 255", "0 到 255 的整数"),
    ("expected u32", "a whole number from 0 to 4294967295", "0 到 4294967295 的整数"),
    ("expected u64", "a whole number, not below 0", "不小于 0 的整数"),
    ("expected usize", "a whole number, not below 0", "不小于 0 的整数"),
    ("expected u", "a whole number, not below 0", "不小于 0 的整数"),
    ("expected i", "a whole number", "整数"),
    ("an integer", "a whole number", "整数"),
    ("invalid digit", "a whole number", "整数"),
    ("number too large", "a smaller whole number", "更小的整数"),
    ("out of range", "a smaller whole number", "更小的整数"),
    ("expected f", "a number", "数字"),
    ("a boolean", "true or false", "true 或 false"),
    ("bool", "true or false", "true 或 false"),
    ("duration", "a time such as \"30s\" or \"1m30s\"", "时长，例如 \"30s\" 或 \"1m30s\""),
    ("socket address", "address and port, such as \"192.0.2.10:5060\"", "地址和端口，例如 \"192.0.2.10:5060\""),
    ("IP address", "an address such as \"192.0.2.10\"", "IP 地址，例如 \"192.0.2.10\""),
    ("a list", "a list such as [\"a\", \"b\"]", "列表，例如 [\"a\", \"b\"]"),
    ("a sequence", "a list such as [\"a\", \"b\"]", "列表，例如 [\"a\", \"b\"]"),
    ("struct", "a table of its own", "一个表"),
    ("a map", "a table of its own", "一个表"),
    ("path", "a file's name between quotes", "引号括起的文件名"),
    ("a string", "a text between quotes", "引号括起的文字"),
    ("enum", "a text between quotes", "引号括起的文字"),
];

/// `message` in other words; `value` is what was written, without its quotation marks.
pub fn told(message: &str, value: &str) -> Text {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.contains("unknown field") || message.contains("unknown variant") {
        let wrong = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.filter(|known| !known.contains("__") && !known.contains('.')).collect();
        return unknown(message.contains("unknown field"), wrong, &known);
    }
    if message.contains("missing field") {
        let name = quoted.next().unwrap_or_default();
        return both!("`{name}` is missing", "缺少 `{name}`");
    }
    let Some((_, en, zh)) = WANTED.iter().find(|(sign, ..)| message.contains(sign)) else {
        return Text { en: message.replace('\n', ", "), zh: format!("值不正确（{}）", message.replace('\n', ", ")) };
    };
    let fix = if en.starts_with("a time") { dates::duration(value) } else { None };
    let fix = fix.map_or(Text::default(), |fix| both!("; write \"{fix}\"", "，请写作 \"{fix}\""));
    let value = value.trim();
    let shown = if value.is_empty() || value.contains('\n') || value.chars().count() > 60 { "" } else { value };
    let told = if shown.is_empty() {
        both!("wants {en}", "应为{zh}")
    } else {
        both!("`{shown}`: wants {en}", "`{shown}`：应为{zh}")
    };
    told.then(&fix)
}

fn unknown(field: bool, wrong: &str, known: &[&str]) -> Text {
    let told = match field {
        true => both!("unknown field `{wrong}`", "不认识的键 `{wrong}`"),
        false => both!("`{wrong}` is not known here", "不认识的值 `{wrong}`"),
    };
    let all: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
    let all = all.join(", ");
    match nearest(wrong, known.iter().copied()) {
        Some(near) if field => told.then(&both!("; did you mean `{near}`?", "；是不是 `{near}`？")),
        Some(near) => told.then(&both!(", but {all}; did you mean `{near}`?", "，只能是 {all}；是不是 `{near}`？")),
        None if known.is_empty() => told,
        None => told.then(&both!("; known are {all}", "；可用的有 {all}")),
    }
}
