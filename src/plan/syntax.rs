//! TOML, and what its parser says in words that an operator can act on.

use super::ascii::Class;
use super::problem::{At, Problem, Severity, Source};
use super::{dates, modes, words};
use crate::base::Text;
use std::sync::Arc;
use toml::Spanned;
use toml::de::DeTable;

/// Something wrong with a file's characters or its grammar.
pub struct Mistake {
    pub problem: Problem,
    /// True when the rest of the file cannot be read for it.
    pub fatal: bool,
}

/// Nobody reads more of one file at once.
const MOST: usize = 50;

/// A file's tables, and each mistake once: what only follows from another is not told.
pub fn parse(source: &Arc<Source>) -> (Spanned<DeTable<'_>>, Vec<Mistake>) {
    let slips = source.slips().into_iter().map(|problem| Mistake { problem, fatal: false });
    let mut mistakes: Vec<Mistake> = slips.collect();
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let end = source.text.len();
    let mut found: Vec<(At, &str)> = errors
        .iter()
        .map(|error| (At { source: source.clone(), span: error.span().unwrap_or(end..end) }, error.message()))
        .collect();
    found.sort_by_key(|(at, _)| at.span.start);
    let mut told = 0;
    for (at, message) in found {
        let line = at.line();
        if line == told || source.is_mended(line) {
            continue;
        }
        told = line;
        mistakes.push(Mistake { problem: Problem::new(Severity::Error, &at, words(message, &at)), fatal: true });
        // All that comes behind a bracket or a quotation mark that is never closed is read as part of it.
        if mistakes.len() >= MOST || swallows(message) {
            break;
        }
    }
    (table, mistakes)
}

fn swallows(message: &str) -> bool {
    const ENDLESS: &[&str] =
        &["in array", "array elements", "unclosed array, ", "inline table", "key-value pairs", "invalid multi-line"];
    ENDLESS.iter().any(|part| message.contains(part))
}

/// The parser's words in both languages, and what to do. Words that it may use one day and has not yet are told as they are.
fn words(message: &str, at: &At) -> Text {
    let near = at.source.text.get(at.span.clone()).unwrap_or_default().trim();
    let says = |part: &str| message.contains(part);
    match message {
        _ if says("carriage return") => super::characters::message("\r", Class::LineEnd, ""),
        _ if says("string values must be quoted") => unquoted(near),
        _ if says("key with no value") => both!("`=` and a value are missing after this word", "此词之后缺少 `=` 和值"),
        _ if says("invalid unquoted key") || says("unquoted keys cannot be empty") => match modes::chinese(near) {
            Some(mode) => both!(
                "a word has only letters, digits, `-` and `_`; did you mean `{mode}`?",
                "词只能由英文字母、数字、`-` 和 `_` 组成；是不是 `{mode}`？"
            ),
            None => both!("a word has only letters, digits, `-` and `_`", "词只能由英文字母、数字、`-` 和 `_` 组成")
                .then(&key(near, at)),
        },
        _ if says("duplicate key") => {
            both!("`{near}` is said twice: keep one", "`{near}` 重复出现，请只保留一处")
        }
        _ if says("unclosed array table") => both!("`]]` is missing", "缺少 `]]`"),
        _ if says("unclosed table") => both!("`]` is missing", "缺少 `]`"),
        _ if says("array") => both!(
            "a list is wrong here: `,` stands between its entries and `]` at its end",
            "列表有误：各项之间用 `,` 分隔，末尾为 `]`"
        ),
        _ if says("inline table") || says("key-value pairs") => {
            both!(
                "a table is wrong here: `,` stands between its entries and `}}` at its end",
                "表有误：各项之间用 `,` 分隔，末尾为 `}}`"
            )
        }
        _ if says("invalid multi-line") => {
            both!("this text never ends: its three quotation marks are missing", "此段文字没有结束：缺少末尾的三个引号")
        }
        _ if says("expected `\"`") || says("expected `'`") => {
            both!("the quotation mark at the end of the text is missing", "缺少文字末尾的引号")
        }
        _ if says("invalid basic string") || says("invalid literal string") => {
            both!("a text cannot hold this character", "文字中不能有此字符")
        }
        _ if says("escape") => both!(
            "`\\` begins a special character: write `\\\\`, or put the text between single quotes",
            "`\\` 表示转义：请写作 `\\\\`，或用单引号括起"
        ),
        _ if says("invalid date") || says("invalid time") => Text {
            en: message.replace('\n', ", "),
            zh: format!("日期或时间 `{near}` 无效，应写作 2026-10-01 或 2026-10-01T08:00:00（{}）", message.replace('\n', ", ")),
        },
        _ if says("unexpected key or value") && at.source.text[at.span.start..].starts_with("//") => {
            both!("a remark begins with `#`: write `#` for `//`", "注释以 `#` 开头，请把 `//` 改为 `#`")
        }
        _ if says("unexpected key or value") => {
            both!("this does not belong here: one word and one value stand in a line", "此处多余：每行只写一个词和一个值")
        }
        _ if says("extra `=`") => both!("one `=` too many", "多了一个 `=`"),
        _ if says("missing table open") => both!("`[` is missing", "缺少 `[`"),
        _ if says("leading zero") => both!(
            "a number does not begin with 0; a telephone number stands between quotes: \"{near}\"",
            "数字不能以 0 开头；电话号码要加引号：\"{near}\""
        ),
        _ if says("digits") || says("mantissa") || says("fraction") || says("exponent") => {
            both!("`{near}` is no number", "`{near}` 不是数字")
        }
        _ if says("boolean") => both!("`{near}` is neither true nor false", "`{near}` 既不是 true 也不是 false"),
        _ => both!("{}", "TOML 语法错误：{}", message.replace('\n', ", ")),
    }
}

/// A value that is none: what was meant by it.
fn unquoted(near: &str) -> Text {
    let meant = match near {
        "是" | "真" | "开" | "yes" | "on" | "True" | "TRUE" => Some("true".to_owned()),
        "否" | "假" | "关" | "no" | "off" | "False" | "FALSE" => Some("false".to_owned()),
        near => modes::chinese(near).map(str::to_owned).or_else(|| dates::duration(near)).map(|meant| format!("\"{meant}\"")),
    };
    if let Some(meant) = meant {
        return both!("`{near}`: write {meant}", "`{near}`：请写作 {meant}");
    }
    if near.contains('年') && near.contains('月') {
        return both!(
            "`{near}`: a date is written year-month-day, such as 2026-10-01",
            "`{near}`：日期应写成 年-月-日，例如 2026-10-01"
        );
    }
    let missing = both!("a value is missing, or a text without quotes", "缺少值，或文字没有加引号");
    match near {
        ">" => both!("`=>`: write `=`", "`=>`：请写作 `=`"),
        "" => missing,
        near if near.contains(['"', '\n']) => missing,
        near => missing.then(&both!(": \"{near}\"", "：\"{near}\"")),
    }
}

/// The key to write for one that is none.
fn key(near: &str, at: &At) -> Text {
    let known = words::CHINESE.iter().find(|(chinese, _)| *chinese == near).map(|(_, word)| *word);
    let rest = at.source.text.get(at.span.start..).unwrap_or_default();
    match known {
        Some(word) => both!("; did you mean `{word}`?", "；是不是 `{word}`？"),
        None if rest.starts_with(':') => both!("; for `:` write `=`", "；请把 `:` 改为 `=`"),
        None if !near.is_empty() && near.chars().all(char::is_alphanumeric) => {
            both!("; a name in other letters stands between quotes: \"{near}\"", "；含其他文字的名称要加引号：\"{near}\"")
        }
        None => Text::default(),
    }
}
