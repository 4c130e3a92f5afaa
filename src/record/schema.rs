//! The JSON Schemas (2020-12) of what leaves and enters as JSON. `config/schemas` has them as files.

use super::callback::{Message, Tag};
use super::cloudevent::CloudEvent;
use super::shape::Record;
use crate::event::Report;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// (name, schema) of each.
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("event", outgoing::<CloudEvent>()),
        ("record", outgoing::<Record>()),
        ("report", report()),
        ("callback", incoming::<Message>()),
        ("tag", incoming::<Tag>()),
    ]
}

/// The schema of a record that others hand in.
pub fn report() -> Value {
    let mut schema = incoming::<Report>();
    // The process of the sender is not ours to have died.
    if let Some(results) = schema.pointer_mut("/$defs/Result").and_then(Value::as_object_mut) {
        results.insert("not".to_owned(), json!({ "const": "interrupted" }));
    }
    schema
}

pub fn outgoing<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().to_value()
}

/// A value that is not known is left out, not null: so a complaint can name the very place.
pub fn incoming<T: JsonSchema>() -> Value {
    let mut schema = SchemaSettings::draft2020_12().for_deserialize().into_generator().into_root_schema_for::<T>().to_value();
    without_null(&mut schema);
    schema
}

fn without_null(schema: &mut Value) {
    if let Some([one, null]) = schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice)
        && *null == json!({ "type": "null" })
    {
        *schema = one.clone();
    }
    if let Some([one, null]) = schema.get("type").and_then(Value::as_array).map(Vec::as_slice)
        && null == "null"
    {
        schema["type"] = one.clone();
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(without_null),
        Value::Array(list) => list.iter_mut().for_each(without_null),
        _ => {}
    }
}
