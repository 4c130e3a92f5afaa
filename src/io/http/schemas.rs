//! JSON held against the schemas of `config/schemas`.

use crate::base::{Masked, Shown, Text};
use crate::record::report::Fault;
use crate::record::schema;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;
use std::sync::LazyLock;

/// More complaints than these help nobody.
const MOST: usize = 20;
/// Unknown fields that are named in one complaint.
const MOST_NAMES: usize = 5;

/// Compiled at first use.
pub struct Schema(LazyLock<Result<Validator, String>>);

pub static EVENT: Schema = Schema(LazyLock::new(|| compile("event")));
pub static REPORT: Schema = Schema(LazyLock::new(|| compile("report")));
pub static CALLBACK: Schema = Schema(LazyLock::new(|| compile("callback")));
pub static TAG: Schema = Schema(LazyLock::new(|| compile("tag")));

impl Schema {
    /// Everything that is wrong with a document, at its place; never what stands there, which may be a caller's number.
    pub fn faults(&self, value: &Value) -> Vec<Fault> {
        let validator = match &*self.0 {
            Ok(validator) => validator,
            Err(why) => return vec![Fault { pointer: String::new(), what: Text::foreign(why) }],
        };
        validator.iter_errors(value).take(MOST).map(|error| fault(&error, &Value::Null)).collect()
    }
}

/// The fault at its place, in our words and without the value, which may be a caller's number. `schema` is the one that was
/// held against, to name the fields that there are.
pub fn fault(error: &ValidationError<'_>, schema: &Value) -> Fault {
    match error.kind() {
        // A value that may be left out, or is one of several: the way that it nearly went says more than that there are several.
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            if let Some(known) = words(context) {
                return Fault { pointer: error.instance_path().to_string(), what: one_of(&known) };
            }
            let near = context.iter().flatten().find(|error| !matches!(error.kind(), Kind::Type { .. } | Kind::Constant { .. }));
            match near {
                Some(near) => fault(near, &Value::Null),
                None => Fault { pointer: error.instance_path().to_string(), what: told(error, schema) },
            }
        }
        _ => Fault { pointer: error.instance_path().to_string(), what: told(error, schema) },
    }
}

fn one_of(known: &[String]) -> Text {
    let known = known.join(", ");
    both!("is one of {known}", "只能是 {known} 之一")
}

/// All the words that a value may be, where each way that it could have gone is a word.
fn words(context: &[Vec<ValidationError<'_>>]) -> Option<Vec<String>> {
    let of = |way: &Vec<ValidationError<'_>>| match way.first()?.kind() {
        Kind::Constant { expected_value } => Some(vec![bare(expected_value)]),
        Kind::Enum { options } => Some(options.as_array()?.iter().map(bare).collect()),
        _ => None,
    };
    Some(context.iter().map(of).collect::<Option<Vec<_>>>()?.concat())
}

fn told(error: &ValidationError<'_>, schema: &Value) -> Text {
    match error.kind() {
        Kind::Enum { options } => {
            let known = options.as_array().into_iter().flatten().filter(|option| !option.is_null()).map(bare);
            one_of(&known.collect::<Vec<_>>())
        }
        Kind::Constant { expected_value } => {
            let only = bare(expected_value);
            both!("is {only}", "只能是 {only}")
        }
        Kind::Required { property } => {
            let name = bare(property);
            both!("`{name}` is missing", "缺少 `{name}`")
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let names =
                unexpected.iter().take(MOST_NAMES).map(|name| format!("`{}`", field(name))).collect::<Vec<_>>().join(", ");
            both!("additional fields that nobody knows: {names}", "有未知的字段：{names}").then(&known_beside(error, schema))
        }
        Kind::Type { kind: TypeKind::Single(kind) } => {
            let kind = kind.to_string();
            let zh = match kind.as_str() {
                "string" => "字符串",
                "integer" => "整数",
                "number" => "数字",
                "boolean" => "true 或 false",
                "object" => "对象",
                "array" => "数组",
                _ => "null",
            };
            both!("is of the type {kind}", "类型应为{zh}")
        }
        Kind::Minimum { limit } => both!("is at least {limit}", "不小于 {limit}"),
        Kind::Maximum { limit } => both!("is at most {limit}", "不大于 {limit}"),
        Kind::MinLength { limit } => both!("has at least {limit} characters", "至少 {limit} 个字符"),
        Kind::MaxLength { limit } => both!("has at most {limit} characters", "最多 {limit} 个字符"),
        Kind::MinItems { limit } | Kind::MinProperties { limit } => both!("has at least {limit} entries", "至少 {limit} 项"),
        Kind::MaxItems { limit } | Kind::MaxProperties { limit } => both!("has at most {limit} entries", "最多 {limit} 项"),
        Kind::Pattern { pattern } => both!("does not match {pattern}", "格式应为 {pattern}"),
        Kind::Format { format } => both!("is no {format}", "不是有效的 {format}"),
        Kind::PropertyNames { error } => {
            both!("a name in it: {}", "其中的名称：{}"; told(error, &Value::Null))
        }
        _ => {
            let why = error.masked().to_string();
            both!("{why}", "不符合要求（{why}）")
        }
    }
}

/// The fields that the object at fault may have.
fn known_beside(error: &ValidationError<'_>, schema: &Value) -> Text {
    let path = error.schema_path().to_string();
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let known = schema.pointer(parent).and_then(|parent| parent["properties"].as_object());
    let known: Vec<&str> = known.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    match known.is_empty() {
        true => Text::default(),
        false => both!("; there are {0}", "；可用字段：{0}", known.join(", ")),
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A field's name is the sender's choice, and may be a number too.
fn field(name: &str) -> String {
    let digits = name.chars().filter(char::is_ascii_digit).count();
    if digits > 6 { Masked(name).to_string() } else { Shown(name).to_string() }
}

fn compile(name: &str) -> Result<Validator, String> {
    let all = schema::all();
    let (_, schema) = all.iter().find(|(known, _)| *known == name).ok_or("no such schema")?;
    jsonschema::options().should_validate_formats(true).build(schema).map_err(|e| format!("the schema `{name}`: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_without_its_value() {
        let report = json!({ "id": "1", "hotline": "12366", "caller": "138 0013 8000", "start": "yesterday",
            "ended": "2021-12-01T08:03:00+08:00", "result": "answered", "survey": { "score": 0, "scale": 3 } });
        let faults = REPORT.faults(&report);
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/caller", "/start", "/survey/score"], "{faults:#?}");
        assert!(faults.iter().all(|fault| !fault.what.en.contains("138")), "{faults:#?}");
        assert!(REPORT.faults(&json!([])).iter().all(|fault| fault.pointer.is_empty()));
    }

    #[test]
    fn every_schema_compiles() {
        for schema in [&EVENT, &REPORT, &CALLBACK] {
            assert!(schema.faults(&json!(7)).iter().all(|fault| !fault.what.en.contains("the schema")));
        }
    }
}
