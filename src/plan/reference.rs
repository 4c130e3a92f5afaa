//! The language as people and editors read it, printed from its words: `dialplans/LANGUAGE.md` and `dialplans/schema.json`.

use super::words::{self, Kind, RULES, Word, Words};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Every word of the language, table by table, in Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# The language of dial plans\n\nPrinted from the program; `docs/dial-plan.md` is the guide. A plan is a TOML file. \
         Unknown words are errors.\n\n## Top of the file\n",
    );
    list(&mut out, words::TOP);
    out.push_str("\n## Shared by `[plan]`, `[modes.MODE]` and `[[line]]`\n\nThe nearest wins: the line's, then its mode's, then the plan's.\n\n");
    RULES.iter().for_each(|word| item(&mut out, word));
    for word in words::TOP.iter().flat_map(|group| group.iter()) {
        if let Some(table) = below(&word.kind) {
            section(&mut out, &heading(word), table);
        }
    }
    section(&mut out, "`when` of a line", words::WHEN);
    section(&mut out, "An entry of `targets`", words::TARGET);
    section(&mut out, "`menu`", words::MENU);
    section(&mut out, "An entry of a menu's `keys`", words::MENU_KEY);
    out
}

/// The same as a JSON Schema, for editors that complete and check TOML.
pub fn schema() -> Value {
    let mut schema = object(words::TOP);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["$defs"] = json!({ "rules": properties(&[RULES]) });
    schema["title"] = json!("Hotline dial plan");
    schema
}

fn section(out: &mut String, title: &str, table: Words) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "\n## {title}\n");
    table.iter().filter(|group| !is_rules(group)).flat_map(|group| group.iter()).for_each(|word| item(out, word));
}

/// By their names: a constant has no address of its own, so where it lies tells nothing.
fn is_rules(group: &[Word]) -> bool {
    group.iter().map(|word| word.name).eq(RULES.iter().map(|word| word.name))
}

fn list(out: &mut String, table: Words) {
    out.push('\n');
    table.iter().flat_map(|group| group.iter()).for_each(|word| item(out, word));
}

fn item(out: &mut String, word: &Word) {
    let _ = writeln!(out, "- `{}` ({}): {}", word.name, kind(&word.kind), word.doc);
}

fn heading(word: &Word) -> String {
    match word.kind {
        Kind::Named(_) => format!("`[{}.NAME]`", word.name),
        Kind::Tables(_) => format!("`[[{}]]`", word.name),
        _ => format!("`[{}]`", word.name),
    }
}

fn below(kind: &Kind) -> Option<Words> {
    match kind {
        Kind::Table(table) | Kind::Tables(table) | Kind::Named(table) => Some(table),
        _ => None,
    }
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Text => "text".into(),
        Kind::Texts => "text or list of texts".into(),
        Kind::Flag => "true or false".into(),
        Kind::Duration => "time such as `\"30s\"`".into(),
        Kind::Moment => "date, or date and time".into(),
        Kind::Dates => "date or list of dates".into(),
        Kind::OneOf(choices) => choices.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", "),
        Kind::Table(_) => "table".into(),
        Kind::Tables(_) => "tables".into(),
        Kind::Named(_) => "named tables".into(),
        Kind::Targets(_) => "number or table, or a list of them".into(),
        Kind::Variables => "texts by name".into(),
        Kind::Source => "`inferred`, `operator` or `notice` for each word".into(),
    }
}

fn object(table: Words) -> Value {
    if matches!(table, [only] if is_rules(only)) { json!({ "$ref": "#/$defs/rules" }) } else { properties(table) }
}

fn properties(table: Words) -> Value {
    let words = table.iter().flat_map(|group| group.iter());
    let properties: Map<String, Value> = words.map(|word| (word.name.to_string(), property(word))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn property(word: &Word) -> Value {
    let mut value = shape(&word.kind);
    value["description"] = json!(word.doc);
    value
}

fn shape(kind: &Kind) -> Value {
    let text = || json!({ "type": "string" });
    let or_list = |one: Value| json!({ "anyOf": [one, { "type": "array", "items": one }] });
    match kind {
        Kind::Text => text(),
        Kind::Texts => or_list(text()),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Duration => json!({ "type": "string", "examples": ["30s", "1m30s"] }),
        Kind::Moment => json!({ "anyOf": [{ "format": "date" }, { "format": "date-time" }] }),
        Kind::Dates => or_list(json!({ "format": "date" })),
        Kind::OneOf(choices) => json!({ "enum": choices }),
        Kind::Table(table) => object(table),
        Kind::Tables(table) => json!({ "type": "array", "items": object(table) }),
        Kind::Named(table) => json!({ "type": "object", "additionalProperties": object(table) }),
        Kind::Targets(table) => or_list(json!({ "anyOf": [text(), object(table)] })),
        Kind::Variables => json!({ "type": "object", "additionalProperties": text() }),
        Kind::Source => json!({ "type": "object", "additionalProperties": { "enum": ["notice", "inferred", "operator"] } }),
    }
}
