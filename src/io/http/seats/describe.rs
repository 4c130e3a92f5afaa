//! The document's part on seats and queues, made from the types that are read and shown.

use super::verbs::VERBS;
use crate::event::SeatWhat;
use crate::io::http::shown::{EventShown, QueueInFull, Queues, SeatShown, Seats, Snapshot};
use crate::record::schema;
use schemars::JsonSchema;
use serde_json::{Value, json};

/// Adds paths and schemas to the document.
pub fn add_to(document: &mut Value) {
    for verb in VERBS.iter() {
        let body = adopted(document, verb.schema.clone());
        let required = body["required"].as_array().is_some_and(|fields| !fields.is_empty());
        let request = json!({ "required": required, "content": { "application/json": { "schema": body } } });
        let seat = json!({ "$ref": "#/components/schemas/Seat" });
        let done = json!({ "description": "Carried out, or so already: the seat as it stands. 已执行，或本已如此",
            "content": { "application/json": { "schema": seat } } });
        let mut responses = json!({ "200": done, "202": { "$ref": "#/components/responses/Accepted" } });
        for problem in ["400", "404", "409", "413", "422", "503", "504"] {
            responses[problem] = json!({ "$ref": "#/components/responses/Problem" });
        }
        let operation = format!("seat-{}", verb.name);
        document["paths"][verb.path] = json!({
            "parameters": [parameter("seat"), { "$ref": "#/components/parameters/Key" }],
            "post": { "tags": ["seats"], "operationId": operation, "summary": format!("{} {}", verb.summary, verb.zh),
                "requestBody": request, "responses": responses },
        });
    }
    read::<Seats>(document, "/api/v1/seats", None, ("seats", "Lists the seats that the token reaches 座席列表"));
    read::<Snapshot>(document, "/api/v1/seats/{seat}", Some("seat"), ("seat", "Shows a seat, its calls and its queues 快照"));
    read::<Queues>(document, "/api/v1/queues", None, ("queues", "Lists the queues 队列列表"));
    read::<QueueInFull>(
        document,
        "/api/v1/queues/{queue}",
        Some("queue"),
        ("queue", "Shows a queue: who waits, and how each of its seats is 排队数、空闲座席"),
    );
    component::<SeatShown>(document);
    kinds_of_events(document);
    follow::<EventShown>(document, "/api/v1/seats/{seat}/events", Some("seat"), ("seat-events", "Follows a seat 座席事件流"));
    follow::<EventShown>(
        document,
        "/api/v1/seats/events",
        None,
        ("seats-events", "Follows all seats that the token reaches 全部座席事件流"),
    );
    follow::<Queues>(
        document,
        "/api/v1/queues/events",
        None,
        ("queues-events", "Follows the queues, whole at each change 队列数据流"),
    );
    let look = json!({ "$ref": "#/components/parameters/Unmasked" });
    document["paths"]["/api/v1/seats/{seat}"]["get"]["parameters"] = json!([look]);
    if let Some(tags) = document["tags"].as_array_mut() {
        tags.push(json!({ "name": "seats", "description": "Seats' toolbars and queues 座席软电话条与队列" }));
    }
}

fn parameter(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "description": "Its name in the configuration",
        "schema": { "type": "string" } })
}

fn read<T: JsonSchema>(document: &mut Value, path: &str, of: Option<&str>, (operation, summary): (&str, &str)) {
    let schema = component::<T>(document);
    let mut item = json!({ "get": { "tags": ["seats"], "operationId": operation, "summary": summary, "responses": {
        "200": { "description": "As it stands.", "content": { "application/json": { "schema": schema } } },
        "503": { "$ref": "#/components/responses/Problem" },
    } } });
    if let Some(name) = of {
        item["parameters"] = json!([parameter(name)]);
        item["get"]["responses"]["404"] = json!({ "$ref": "#/components/responses/Problem" });
    }
    document["paths"][path] = item;
}

/// Each kind of event with its particulars: kinds stand in the journal as a word, or as an object with the word as its one key.
fn kinds_of_events(document: &mut Value) {
    component::<EventShown>(document);
    let written = adopted(document, schema::outgoing::<SeatWhat>());
    let of = |kind: &str, data: Value| json!({ "properties": { "type": { "const": kind }, "data": data } });
    let mut kinds = ["gap", "end"].map(|kind| of(kind, json!({ "type": "object" }))).to_vec();
    for variant in written["oneOf"].as_array().into_iter().flatten() {
        let alone = variant["const"]
            .as_str()
            .into_iter()
            .chain(variant["enum"].as_array().into_iter().flatten().filter_map(Value::as_str));
        kinds.extend(alone.map(|kind| of(kind, json!({ "type": "object" }))));
        kinds.extend(variant["properties"].as_object().into_iter().flatten().map(|(kind, data)| of(kind, data.clone())));
    }
    document["components"]["schemas"]["SeatEvent"]["oneOf"] = json!(kinds);
}

fn follow<T: JsonSchema>(document: &mut Value, path: &str, of: Option<&str>, (operation, summary): (&str, &str)) {
    let name = T::schema_name();
    let how = format!(
        "Server-sent events, or WebSocket, as /api/v1/events has them; each event's data is a {}. Whoever comes back says the last \
         id in Last-Event-ID, or in after. An event `gap` says that something may have been missed: take a snapshot, then go on; \
         `end`, the last server-sent event, says why there are no more.",
        name
    );
    let mut item = json!({ "get": { "tags": ["seats"], "operationId": operation, "summary": summary, "description": how,
        "responses": {
            "101": { "description": "Events as they come, over WebSocket." },
            "200": { "description": "Events as they come.", "content": { "text/event-stream": { "schema": { "type": "string" } } } },
    } } });
    for problem in ["400", "404", "426", "503"] {
        item["get"]["responses"][problem] = json!({ "$ref": "#/components/responses/Problem" });
    }
    if let Some(name) = of {
        item["parameters"] = json!([parameter(name)]);
    }
    if path.starts_with("/api/v1/seats") {
        item["get"]["parameters"] = json!([
            { "name": "after", "in": "query", "schema": { "type": "integer", "minimum": 0 } },
            { "name": "Last-Event-ID", "in": "header", "schema": { "type": "integer", "minimum": 0 } },
            { "$ref": "#/components/parameters/Unmasked" },
        ]);
    }
    document["paths"][path] = item;
}

/// Adds a type's schema to the components; the reference to it.
pub fn component<T: JsonSchema>(document: &mut Value) -> Value {
    let schema = adopted(document, schema::outgoing::<T>());
    let name = T::schema_name();
    document["components"]["schemas"][name.as_ref()] = schema;
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The schema with what it defines among the document's components.
fn adopted(document: &mut Value, mut schema: Value) -> Value {
    relocate(&mut schema);
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("$schema");
        if let Some(Value::Object(definitions)) = fields.remove("$defs") {
            for (name, definition) in definitions {
                document["components"]["schemas"][name] = definition;
            }
        }
    }
    schema
}

fn relocate(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                match value {
                    Value::String(to) if key == "$ref" => *to = to.replace("#/$defs/", "#/components/schemas/"),
                    value => relocate(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(relocate),
        _ => {}
    }
}
