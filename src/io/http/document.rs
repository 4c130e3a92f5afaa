//! The OpenAPI document: what is written down and what follows from types, with who may do it as the table of endpoints has it.

use super::endpoint::Endpoint;
use super::{figures, seats, trunks};
use crate::control::Missing;
use axum::response::Json;
use serde_json::{Value, json};
use std::sync::LazyLock;

const WRITTEN: &str = include_str!("openapi.json");

pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| document(&super::endpoints()));

pub async fn show() -> Json<&'static Value> {
    Json(&DOCUMENT)
}

/// All that is served, without who may.
fn described() -> Value {
    // Read by a test of every build.
    let mut document: Value = serde_json::from_str(WRITTEN).unwrap_or_default();
    seats::describe::add_to(&mut document);
    figures::describe(&mut document);
    trunks::describe(&mut document);
    document
}

fn document(endpoints: &[Endpoint]) -> Value {
    let mut document = described();
    for endpoint in endpoints {
        // Whatever is wrong with a request, the answer is a problem.
        let operation = &mut document["paths"][endpoint.path][endpoint.method.as_str().to_ascii_lowercase()];
        operation["responses"]["default"] = json!({ "$ref": "#/components/responses/Problem" });
        let Some(right) = endpoint.right else { continue };
        let roles: Vec<&str> = Missing(right).roles().collect();
        operation["security"] = json!([{ "token": [] }]);
        operation["x-roles"] = json!(roles);
        for refusal in ["401", "403"] {
            operation["responses"][refusal] = json!({ "$ref": "#/components/responses/Problem" });
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERBS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

    /// Lists as `METHOD path` what the document says is served.
    fn operations(document: &Value) -> Vec<String> {
        let paths = document["paths"].as_object().unwrap();
        let verbs =
            |item: &Value| item.as_object().unwrap().keys().filter(|key| VERBS.contains(&key.as_str())).cloned().collect();
        let mut all: Vec<String> = paths
            .iter()
            .flat_map(|(path, item)| {
                let verbs: Vec<String> = verbs(item);
                verbs.into_iter().map(move |verb| format!("{} {path}", verb.to_uppercase()))
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn the_document_tells_of_each_endpoint_and_of_no_other() {
        serde_json::from_str::<Value>(WRITTEN).unwrap();
        let written = described();
        let mut served: Vec<String> = super::super::endpoints().iter().map(|e| format!("{} {}", e.method, e.path)).collect();
        served.sort();
        assert_eq!(operations(&written), served);
        assert_eq!(operations(&DOCUMENT), served);
    }

    #[test]
    fn each_operation_tells_who_may_and_has_an_id_of_its_own() {
        let mut ids = std::collections::BTreeSet::new();
        for endpoint in super::super::endpoints() {
            let operation = &DOCUMENT["paths"][endpoint.path][endpoint.method.as_str().to_ascii_lowercase()];
            assert_eq!(operation["x-roles"].is_array(), endpoint.right.is_some(), "{}", endpoint.path);
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{}", endpoint.path);
            assert!(operation["summary"].is_string() && operation["tags"].is_array(), "{}", endpoint.path);
        }
        assert_eq!(DOCUMENT["paths"]["/api/v1/drain"]["post"]["x-roles"], json!(["admin"]));
    }

    #[test]
    fn each_path_names_its_parameters() {
        for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
            let named: Vec<&str> = path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
            let parameters = item["parameters"].as_array().cloned().unwrap_or_default();
            let told: Vec<Value> = parameters.iter().map(resolved).filter(|p| p["in"] == "path").collect();
            let told: Vec<&str> = told.iter().map(|p| p["name"].as_str().unwrap()).collect();
            assert_eq!(told, named, "{path}");
        }
    }

    #[test]
    fn each_reference_leads_somewhere() {
        fn follow(value: &Value) {
            match value {
                Value::Object(map) => {
                    assert!(!map.contains_key("$ref") || !resolved(value).is_null(), "{value}");
                    map.values().for_each(follow);
                }
                Value::Array(items) => items.iter().for_each(follow),
                _ => {}
            }
        }
        follow(&DOCUMENT);
    }

    #[test]
    fn each_kind_of_event_that_a_seat_may_have_is_described() {
        let kinds = DOCUMENT["components"]["schemas"]["SeatEvent"]["oneOf"].as_array().unwrap();
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind["properties"]["type"]["const"].as_str().unwrap()).collect();
        for kind in ["gap", "logged_in", "break", "break_overdue", "ringing", "talking", "released", "device_gone", "notice"] {
            assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
        }
        assert!(kinds.len() > 20, "{kinds:?}");
    }

    #[test]
    fn each_body_names_its_bounds() {
        let verb = |name: &str| &DOCUMENT["paths"][format!("/api/v1/seats/{{seat}}/{name}")]["post"]["requestBody"];
        let body = |name: &str| &verb(name)["content"]["application/json"]["schema"];
        assert_eq!(body("break")["properties"]["minutes"]["maximum"], 1440);
        assert_eq!((&body("break")["additionalProperties"], &body("break")["required"]), (&json!(false), &json!(["minutes"])));
        assert_eq!((&verb("break")["required"], &verb("ready")["required"]), (&json!(true), &json!(false)));
    }

    fn resolved(value: &Value) -> Value {
        let Some(reference) = value["$ref"].as_str() else { return value.clone() };
        DOCUMENT.pointer(reference.trim_start_matches('#')).cloned().unwrap_or_default()
    }
}
