//! Tests of the rights, endpoint by endpoint.

use super::*;

/// The rights that each endpoint asks for, said once more.
const LEAVE: &[(&str, &str, &str)] = &[
    ("GET", "/healthz", "everybody"),
    ("GET", "/readyz", "everybody"),
    ("GET", "/metrics", "monitor viewer operator admin"),
    ("GET", "/api/v1/openapi.json", "everybody"),
    ("GET", "/api/v1/status", "monitor viewer operator admin"),
    ("POST", "/api/v1/drain", "admin"),
    ("DELETE", "/api/v1/drain", "admin"),
    ("POST", "/api/v1/reload", "admin"),
    ("GET", "/api/v1/calls", "viewer operator admin"),
    ("GET", "/api/v1/calls/{id}", "viewer operator admin"),
    ("POST", "/api/v1/calls/{id}/transfer", "operator"),
    ("POST", "/api/v1/calls/{id}/transfer/{act}", "operator"),
    ("DELETE", "/api/v1/calls/{id}/legs/{leg}", "operator"),
    ("POST", "/api/v1/calls/{id}/subjects", "operator"),
    ("GET", "/api/v1/events", "feed"),
    ("GET", "/api/v1/records", "viewer operator admin"),
    ("POST", "/api/v1/records", "source"),
    ("POST", "/api/v1/callbacks/{backend}", "everybody"),
    ("GET", "/t/{id}", "everybody"),
    ("GET", "/api/v1/recordings/{id}", "listener"),
];

#[test]
fn each_endpoint_is_in_the_table_of_who_may() {
    let served: Vec<_> = endpoints().iter().map(|e| (e.method.to_string(), e.path)).collect();
    let told: Vec<_> = LEAVE.iter().map(|(method, path, _)| (method.to_string(), *path)).collect();
    assert_eq!(served, told);
}

#[tokio::test]
async fn each_endpoint_serves_the_roles_that_it_should_and_no_other() {
    let (desk, outlet) = desk_of(&one_for_each_role());
    let _switch = serve_switch(&desk, outlet, Reply::Refused(Why::NoSuchCall));
    let address = serve(&desk).await;
    for (method, path, roles) in LEAVE {
        let path = path.replace("{id}", "01890000-0000-7000-8000-000000000000").replace("{act}", "cancel").replace("{leg}", "1");
        // A number that was never given: the feed itself has no end.
        let path = path.replace("/events", "/events?since=9");
        let stranger = ask_with(address, method, &path, &[]).await;
        assert_eq!(stranger.status == 401, *roles != "everybody", "{method} {path}: {}", stranger.body);
        for role in Role::ALL {
            let token = format!("Bearer {}", secret(role));
            let answer = ask_with(address, method, &path, &[("authorization", &token)]).await;
            let may = *roles == "everybody" || roles.split(' ').any(|name| name == role.name());
            assert_eq!(answer.status != 403, may, "{method} {path} as {role:?}: {}", answer.body);
            assert_ne!(answer.status, 401);
            if !may {
                assert_eq!(answer.kind, "application/problem+json");
                let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
                assert_eq!(body["needs"], serde_json::json!(roles.split(' ').collect::<Vec<_>>()));
                assert_eq!(answer.challenge, format!("Bearer error=\"insufficient_scope\", scope=\"{roles}\""));
            }
        }
    }
}
