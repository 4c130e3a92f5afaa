//! Tests of the rights, endpoint by endpoint.

use super::*;

/// The rights that each endpoint asks for, said once more.
const LEAVE: &[(&str, &str, &str)] = &[
    ("GET", "/healthz", "everybody"),
    ("GET", "/readyz", "everybody"),
    ("GET", "/metrics", "monitor viewer operator admin supervisor wallboard"),
    ("GET", "/api/v1/openapi.json", "everybody"),
    ("GET", "/api/v1/status", "monitor viewer operator admin supervisor wallboard"),
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
    ("GET", "/api/v1/figures", "monitor viewer operator admin supervisor wallboard"),
    ("GET", "/api/v1/records", "viewer operator admin"),
    ("GET", "/api/v1/records/{id}", "viewer operator admin"),
    ("POST", "/api/v1/records", "source"),
    ("POST", "/api/v1/dead-letters/retry", "admin"),
    ("POST", "/api/v1/dead-letters/drop", "admin"),
    ("POST", "/api/v1/records/replay", "admin"),
    ("POST", "/api/v1/journal/damage/seen", "admin"),
    ("POST", "/api/v1/callbacks/{backend}", "everybody"),
    ("GET", "/t/{id}", "everybody"),
    ("GET", "/api/v1/recordings/{id}", "listener"),
    ("GET", "/api/v1/seats", "seat supervisor"),
    ("GET", "/api/v1/seats/{seat}", "seat supervisor"),
    ("GET", "/api/v1/queues", "seat supervisor wallboard"),
    ("GET", "/api/v1/queues/{queue}", "seat supervisor wallboard"),
    ("GET", "/api/v1/seats/events", "seat supervisor"),
    ("GET", "/api/v1/seats/{seat}/events", "seat supervisor"),
    ("GET", "/api/v1/queues/events", "seat supervisor wallboard"),
    ("POST", "/api/v1/seats/{seat}/login", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/logout", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/ready", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/not-ready", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/break", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/end-break", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/wrap-up", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/end-wrap-up", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/extend-wrap-up", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/auto-answer", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/skills", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/notice", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/call", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/answer", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/reject", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/hang-up", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/hold", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/retrieve", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/mute", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/unmute", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/dtmf", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/consult", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/cancel", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/alternate", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/transfer", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/complete", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/conference", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/leave", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/retake", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/pick-up", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/monitor", "supervisor"),
    ("POST", "/api/v1/seats/{seat}/whisper", "supervisor"),
    ("POST", "/api/v1/seats/{seat}/barge", "supervisor"),
    ("POST", "/api/v1/seats/{seat}/switch", "supervisor"),
    ("POST", "/api/v1/seats/{seat}/stop", "supervisor"),
    ("POST", "/api/v1/seats/{seat}/intercept", "supervisor"),
    ("POST", "/api/v1/seats/{seat}/force-drop", "supervisor"),
    ("POST", "/api/v1/seats/{seat}/data", "seat supervisor"),
    ("POST", "/api/v1/seats/{seat}/record", "seat supervisor"),
    ("GET", "/api/v1/callback-list", "viewer operator admin seat supervisor"),
    ("POST", "/api/v1/callback-list/{id}/{act}", "seat supervisor"),
    ("DELETE", "/api/v1/callback-list/{id}", "operator"),
    ("GET", "/api/v1/numbers", "viewer operator admin"),
    ("POST", "/api/v1/numbers", "admin"),
    ("POST", "/api/v1/numbers/remove", "admin"),
    ("GET", "/api/v1/trunks", "monitor viewer operator admin supervisor wallboard"),
];

#[test]
fn each_endpoint_is_in_the_table_of_who_may() {
    let served: Vec<_> = endpoints().iter().map(|e| (e.method.to_string(), e.path)).collect();
    let told: Vec<_> = LEAVE.iter().map(|(method, path, _)| (method.to_string(), *path)).collect();
    assert_eq!(served, told);
}

#[tokio::test]
async fn each_endpoint_serves_the_roles_that_it_should_and_no_other() {
    let (state, outlet) = desk_of(&one_for_each_role());
    let _switch = serve_switch(&state, outlet, Reply::Refused(Why::NoSuchCall));
    let address = serve(&state).await;
    for (method, path, roles) in LEAVE {
        let path = path.replace("{id}", "01890000-0000-7000-8000-000000000000").replace("{act}", "cancel").replace("{leg}", "1");
        let path = path.replace("{seat}", "zhang").replace("{queue}", "12345");
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

/// A path of the table as a request has it.
fn asked(path: &str) -> String {
    let path = path.replace("{id}", "01890000-0000-7000-8000-000000000000").replace("{act}", "cancel").replace("{leg}", "1");
    path.replace("/events", "/events?since=9").replace("{seat}", "zhang").replace("{queue}", "12345")
}

/// The status of the answer, without a connection. Headers are told as they are; nothing adds a host.
async fn status(state: &ApiState, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    let request = axum::http::Request::builder().method(method).uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Body::empty()).unwrap();
    TowerToHyperService::new(router(state.clone())).call(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_wrong_token_opens_no_endpoint() {
    let (state, outlet) = desk_of(&one_for_each_role());
    let (long, almost) = (format!("Bearer {}", "x".repeat(9000)), format!("Bearer {}x", secret(Role::Admin)));
    let basic = format!("Basic {}", secret(Role::Admin));
    for (method, path, roles) in LEAVE {
        for wrong in [
            "Bearer wrong",
            "Bearer ",
            "Bearer",
            "",
            &long,
            &almost,
            &basic,
            &format!("Bearer {}", secret(Role::Admin).to_uppercase()),
        ] {
            let methods = if *method == "GET" { &["GET", "HEAD"][..] } else { std::slice::from_ref(method) };
            for method in methods {
                let status = status(&state, method, &asked(path), &[("authorization", wrong)]).await;
                assert_eq!(status == 401, *roles != "everybody", "{method} {path} {wrong:.20}: {status}");
            }
        }
        // Nor does one in the address, where logs keep it.
        let by_address =
            format!("{}{}access_token={}", asked(path), if path.ends_with("/events") { "&" } else { "?" }, secret(Role::Admin));
        let status = status(&state, method, &by_address, &[("host", "127.0.0.1")]).await;
        assert_eq!(status == 401, *roles != "everybody", "{method} {path}: {status}");
    }
    assert!(outlet.take().is_none(), "the switch was told");
}

/// A page somewhere in the world, open in a browser on this machine, which reaches us by our address or by a name that it has
/// turned round to us meanwhile (DNS rebinding).
#[tokio::test]
async fn without_tokens_no_endpoint_opens_for_a_page() {
    let state = state();
    let websocket = [("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-version", "13")];
    let pages = [
        ("origin", "http://evil.example"),
        ("origin", "http://127.0.0.1"),
        ("origin", "null"),
        ("host", "evil.example"),
        ("host", "evil.example:8080"),
        ("host", "localhost.evil.example"),
        ("host", "127.0.0.1.evil.example:8080"),
        ("host", "127.0.0.1@evil.example"),
        ("host", "[::1].evil.example"),
        ("host", "0x7f000001"),
    ];
    for (method, path, roles) in LEAVE {
        for page in pages {
            for more in [&websocket[..0], &websocket[..]] {
                let host = if page.0 == "host" { &[][..] } else { &[("host", "127.0.0.1")] };
                let headers = [host, &[page, ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")], more].concat();
                let status = status(&state, method, &asked(path), &headers).await;
                assert_eq!(status == 401, *roles != "everybody", "{method} {path} {page:?}: {status}");
            }
        }
    }
    assert_eq!(state.inbox.len(), 0);
}

/// A way to a file, to another endpoint or round the token is none in any place where a request may name something.
#[tokio::test]
async fn no_path_leads_anywhere_else() {
    let (state, outlet) = desk_of(&one_for_each_role());
    let _switch = serve_switch(&state, outlet, Reply::Refused(Why::NoSuchCall));
    let tricks = [
        "..",
        ".",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "..%2f..%2faudit.log",
        "..%5c..%5caudit.log",
        "%00",
        "audit.log%00",
        "01890000-0000-7000-8000-000000000000%00",
        "01890000-0000-7000-8000-000000000000.wav",
        "%252e%252e%252f",
        "%c0%ae%c0%ae%2f",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "~root",
        "*",
        "$(id)",
        "%0d%0aSet-Cookie:x=1",
        "2021-12-01",
    ];
    for (method, path, roles) in LEAVE.iter().filter(|(_, path, _)| path.contains('{')) {
        let token = Role::ALL.into_iter().find(|role| roles.split(' ').any(|name| name == role.name())).map(secret);
        let token = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
        for trick in tricks {
            let (before, rest) = path.split_once('{').unwrap();
            let after = rest.split_once('}').unwrap().1;
            let named = format!("{before}{trick}{}", asked(after));
            let found = status(&state, method, &named, &headers).await;
            assert!((400..500).contains(&found), "{method} {named}: {found}");
        }
    }
    for (method, path, _) in LEAVE.iter().filter(|(_, _, roles)| *roles != "everybody") {
        let path = asked(path);
        for round in [
            format!("/healthz/..{path}"),
            format!("/{path}"),
            format!("/.{path}"),
            format!("/t/x/../..{path}"),
            format!("{path}/"),
            path.to_uppercase(),
            path.replacen('a', "%61", 1),
            path.replacen("/", "//", 2),
            path.replacen("/", "/%2e/", 1),
            format!("http://evil.example{path}"),
        ] {
            let found = status(&state, method, &round, &[]).await;
            assert!((400..500).contains(&found), "{method} {round}: {found}");
        }
    }
}
