//! JSON held against the schemas of `config/schemas`.

use crate::base::Text;
use crate::record::report::Fault;
use crate::record::schema;
use jsonschema::Validator;
use serde_json::Value;
use std::sync::LazyLock;

/// More complaints than these help nobody.
const MOST: usize = 20;

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
        let fault =
            |error: jsonschema::ValidationError<'_>| Fault { pointer: error.instance_path().to_string(), what: told(&error) };
        validator.iter_errors(value).take(MOST).map(fault).collect()
    }
}

/// The library's words, without the value.
fn told(error: &jsonschema::ValidationError<'_>) -> Text {
    let why = error.masked().to_string();
    both!("{why}", "不符合要求（{why}）")
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
