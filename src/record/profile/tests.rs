use super::*;
use crate::base::{CallId, Mono, Wall};
use crate::event::{By, Entry, Offered, Party, Result as CallResult, What};
use crate::record::shape::LeftMessage;
use crate::record::tests::joined;
use crate::record::zone::Zone;
use serde_json::json;

fn event(kind: Kind) -> CloudEvent {
    let call: CallId = "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80".parse().unwrap();
    let offered =
        Offered {
            number: "12345".into(), line: "州\"长\"热线".into(), caller: Some("13800138000".into()), ..Offered::default()
        };
    let seat = Party::Seat { name: "1001".into(), queue: "12345".into() };
    let ended = What::Ended { result: CallResult::Answered, by: By::Caller, status: None, q850: Some(16) };
    let log = [What::Offered(Box::new(offered)), joined(2, seat), ended];
    let upto = if kind == Kind::Offered { 1 } else { 3 };
    let at = |seq: u32| i64::from(seq - 1) * 62_000_000;
    let entries: Vec<Entry> = (1..)
        .zip(log)
        .take(upto)
        .map(|(seq, what)| Entry { call, seq, wall: Wall(1_638_288_000_000_000 + at(seq)), mono: Mono(at(seq) as u64), what })
        .collect();
    CloudEvent::new(&entries, kind, &Zone::default()).unwrap()
}

#[test]
fn a_ticket_tells_a_message_with_its_length_and_its_recording() {
    let mut event = event(Kind::Record);
    let note = |event: &CloudEvent| {
        let made = shipped("redmine-5").render(&update(), event).unwrap().unwrap();
        body(&made)["issue"]["notes"].as_str().unwrap().to_owned()
    };
    assert!(note(&event).starts_with("通话结束 answered") && !note(&event).contains("留言"), "{}", note(&event));
    let left = LeftMessage { ms: Some(12_400), recording: Some("the-call".into()), ..LeftMessage::default() };
    event.data.message = Some(left.clone());
    assert!(note(&event).ends_with("，留言 12 秒，录音 the-call"), "{}", note(&event));
    event.data.message = Some(LeftMessage { recording: None, ..left });
    assert!(!note(&event).contains("留言"), "{}", note(&event));
}

fn shipped(name: &str) -> Profile {
    Profile::parse(Profile::built_in(name).unwrap(), "https://t.example/", &BTreeMap::new()).unwrap()
}

fn body(rendered: &Rendered) -> Value {
    serde_json::from_slice(rendered.body.as_deref().unwrap()).unwrap()
}

fn render(profile: &Profile, step: &Step, kind: Kind) -> Rendered {
    profile.render(step, &event(kind)).unwrap().unwrap()
}

fn update() -> Step {
    Step::Update { id: "7/8".into() }
}

fn judge(profile: &Profile, step: &Step, code: u16, body: Value) -> Reply {
    profile.judge(step, "call.record", code, None, body.to_string().as_bytes())
}

#[test]
fn every_shipped_profile_renders_every_step_of_every_event_it_wants() {
    for name in Profile::names() {
        let profile = shipped(name);
        for kind in profile.events() {
            let steps = if profile.way() == Way::Post { vec![Step::Post] } else { vec![Step::Find, Step::Create, update()] };
            for step in steps {
                let made = profile.render(&step, &event(*kind));
                assert!(made.is_ok(), "{name} {kind:?} {step:?}: {made:?}");
                assert!(made.unwrap().is_none_or(|request| request.url.starts_with("https://t.example")), "{name}");
            }
        }
    }
}

#[test]
fn request_tracker_is_asked_as_it_documents() {
    let profile = shipped("request-tracker-5");
    let find = render(&profile, &Step::Find, Kind::Offered);
    assert_eq!(
        find.url,
        "https://t.example/REST/2.0/tickets?per_page=1&query=Queue%3D%27Hotline%27%20AND%20%27CF.%7Bcall_id%7D%27%3D\
         %270193583f-7a10-7c3e-9a3b-2f1d5c6b7a80%27"
    );
    let filled = render(&profile, &update(), Kind::Record);
    assert_eq!((filled.method, filled.url.as_str()), (Method::Put, "https://t.example/REST/2.0/ticket/7%2F8"));
    assert_eq!(
        body(&filled),
        json!({ "Status": "open", "CustomFields": {
            "caller": "13800138000", "called_hotline": "12345", "call_start": "2021-11-30 16:00:00",
            "call_answer": "2021-11-30 16:01:02", "call_end": "2021-11-30 16:02:04", "result": "answered",
            "duration_s": "62", "agent": "1001",
        } })
    );
    let made = body(&render(&profile, &Step::Create, Kind::Offered));
    assert_eq!(made["Subject"], "州\"长\"热线 13800138000", "escaped as JSON");
}

#[test]
fn request_tracker_says_good_only_where_nothing_was_refused() {
    let profile = shipped("request-tracker-5");
    let good = |id: Option<&str>, url: Option<&str>| Reply::Good { id: id.map(Into::into), url: url.map(Into::into) };
    assert_eq!(judge(&profile, &Step::Find, 200, json!({ "total": 0, "items": [] })), good(None, None));
    let link = "https://t.example/Ticket/Display.html?id=12";
    let found = json!({ "total": 1, "items": [{ "id": "12", "type": "ticket" }] });
    assert_eq!(judge(&profile, &Step::Find, 200, found), good(Some("12"), Some(link)));
    let done = json!(["Ticket 1: Subject changed from 'a' to 'b'", "duration_s 7 added", "agent 3 deleted"]);
    assert_eq!(judge(&profile, &update(), 200, done), good(None, None));
    assert_eq!(judge(&profile, &update(), 200, json!([])), good(None, None));
    for refusal in [json!(["duration_s 7 added", "Invalid value for custom field"]), json!({ "message": "?" }), json!("x")] {
        assert!(matches!(judge(&profile, &update(), 200, refusal), Reply::Refused { .. }));
    }
    let gone = json!({ "message": "no such ticket of 13800138000" });
    let said = "{\"message\":\"no such ticket of ****\"}".to_owned();
    assert_eq!(judge(&profile, &update(), 404, gone), Reply::Status { code: 404, retry_after: None, said });
    let page = profile.judge(&update(), "call.record", 200, None, b"<html>proxy</html>");
    assert!(matches!(page, Reply::Broken(_)), "{page:?}");
}

#[test]
fn a_platform_gets_local_times_and_a_signature() {
    let profile = shipped("platform-12345");
    let mut request = render(&profile, &Step::Post, Kind::Record);
    let sent = body(&request);
    assert_eq!((&sent["callTime"], &sent["endTime"]), (&json!("2021-12-01 00:00:00"), &json!("2021-12-01 00:02:04")));
    let secrets = Secrets::from([("app_key".into(), "k".into()), ("app_secret".into(), "s".into())]);
    let fresh = Fresh { millis: 1_700_000_000_123, nonce: "n".into() };
    profile.authenticate(&mut request, &secrets, &fresh).unwrap();
    let text = format!("k1700000000123n{}s", String::from_utf8_lossy(request.body.as_deref().unwrap()));
    let sign = crate::record::digest::Spelling::Hex.spell(&crate::record::digest::Recipe::Sm3.sign(b"", text.as_bytes()));
    for (name, value) in [("appKey", "k"), ("timestamp", "1700000000123"), ("nonce", "n"), ("sign", sign.as_str())] {
        assert!(request.headers.contains(&(name.into(), value.into())), "{name} in {:?}", request.headers);
    }
    assert!(matches!(judge(&profile, &Step::Post, 200, json!({ "success": true })), Reply::Good { .. }));
    assert!(matches!(judge(&profile, &Step::Post, 200, json!({ "success": false, "code": "1001" })), Reply::Refused { .. }));
    for code in [401, 429] {
        let reply = judge(&profile, &Step::Post, 200, json!({ "success": false, "code": code }));
        assert!(matches!(reply, Reply::Status { code: said, .. } if said == code), "{reply:?}");
    }
}

#[test]
fn every_kind_of_authentication_signs_its_request() {
    let with = |auth: &str| {
        let text = format!("[auth]\n{auth}\n[create]\nmethod = 'POST'\n");
        let profile = Profile::parse(&text, "http://t", &BTreeMap::new()).unwrap();
        let mut request = render(&profile, &Step::Post, Kind::Record);
        request.body = Some(b"b".to_vec());
        let secrets = Secrets::from([("a".into(), "Aladdin".into()), ("b".into(), "open sesame".into())]);
        profile.authenticate(&mut request, &secrets, &Fresh { millis: 5_000, nonce: "n".into() }).unwrap();
        (request.headers.last().cloned().unwrap().1, request.url, profile.token_request(&secrets))
    };
    // RFC 7617 §2.
    let basic = "kind = 'basic'\nuser = '{{ secret.a }}'\npassword = '{{ secret.b }}'";
    assert_eq!(with(basic).0, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(with("kind = 'bearer'\ntoken = '{{ secret.a }}'").0, "Bearer Aladdin");
    assert_eq!(with("kind = 'header'\nname = 'x'\nvalue = 'token {{ secret.a }}'").0, "token Aladdin");
    let sign =
        "kind = 'sign'\ntext = '{{ timestamp }}{{ body }}'\nrecipe = 'md5'\nspelling = 'HEX'\nquery = { s = '{{ sign }}' }";
    assert_eq!(with(sign).1, format!("http://t?s={}", md5("5b")));
    let oauth = "kind = 'oauth2'\nurl = '{{ base }}/token'\nid = '{{ secret.a }}'\nsecret = '{{ secret.b }}'";
    let token = TokenRequest {
        url: "http://t/token".into(),
        form: "grant_type=client_credentials&client_id=Aladdin&client_secret=open%20sesame".into(),
    };
    assert_eq!(with(oauth).2.unwrap(), token);
}

fn md5(text: &str) -> String {
    crate::record::digest::Spelling::UpperHex.spell(&crate::record::digest::Recipe::Md5.sign(b"", text.as_bytes()))
}

#[test]
fn a_mistake_in_a_template_is_told_without_what_it_would_have_shown() {
    let with = |body: &str| {
        let text = format!("[create]\nmethod = 'POST'\nbody = '''{body}'''\n");
        Profile::parse(&text, "http://t", &BTreeMap::new()).unwrap().render(&Step::Post, &event(Kind::Record)).unwrap_err()
    };
    let undefined = with("{ \"a\": {{ data.caller }}, \"b\": {{ data.calller }} }");
    assert_eq!(undefined.en, "template create.body at line 1: undefined value");
    assert_eq!(undefined.zh, "模板 create.body 第 1 行：用到了没有的值");
    let detailed = with("{{ data.caller | local('%Y') }}");
    assert!(!detailed.en.contains("138") && !detailed.zh.contains("138"), "{detailed}");
    assert!(with("{ \"a\": {{ data.caller }}").en.contains("no JSON"));
    let endless = with("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}");
    assert!(endless.en.contains("template create.body"), "{endless}");
}

#[test]
fn a_profile_that_cannot_work_is_refused() {
    let flaws = |text: &str| Profile::parse(text, "http://t", &BTreeMap::new()).err().unwrap();
    let refused = |text: &str| flaws(text).into_iter().map(|flaw| (flaw.path.join("."), flaw.what.en)).collect::<Vec<_>>();
    let one = |path: &str, what: &str, text: &str| {
        let found = refused(text);
        assert!(found.len() == 1 && found[0].0 == path && found[0].1.contains(what), "{found:?}");
    };
    one("create", "[find]", "[create]\nmethod = 'POST'\nid = '/id'");
    one("events", "call.offerd", "events = ['call.offerd']\n[create]\nmethod = 'POST'");
    one("create.body", "syntax error", "[create]\nmethod = 'POST'\nbody = '{{ data.'");
    one("create.ok", "syntax error", "[create]\nmethod = 'POST'\nok = 'status =='");
    one("", "unknown field", "[create]\nmethod = 'POST'\nurl = 'x'");
    one("auth.value", "reads `vars.q`", "[auth]\nkind = 'header'\nname = 'a'\nvalue = '{{ vars.q }}'\n[create]\nmethod = 'POST'");
    let all = refused(
        "events = ['x']\nlink = '{{'\n[create]\nmethod = 'POST'\n[update.\"call.record\"]\nmethod = 'PUT'\nheaders.a = '{%'",
    );
    assert_eq!(all.iter().map(|flaw| flaw.0.as_str()).collect::<Vec<_>>(), ["events", "update.call.record.headers.a", "link"]);
    let vars = BTreeMap::from([("quue".to_owned(), String::new())]);
    let text = Profile::built_in("request-tracker-5").unwrap();
    let flaws = Profile::parse(text, "http://t", &vars).err().unwrap();
    assert!(flaws.len() == 1 && flaws[0].of_backend && flaws[0].what.en.contains("quue"), "{flaws:?}");
}

#[test]
fn what_is_lacking_is_told_before_the_first_call() {
    let secrets = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect::<Secrets>();
    let platform = shipped("platform-12345");
    let lacks = |profile: &Profile, pairs| profile.rehearse(&secrets(pairs)).err().map(|text| text.en);
    assert_eq!(lacks(&platform, &[("app_key", "k")]).unwrap(), "`credentials` lack `app_secret`");
    assert_eq!(lacks(&platform, &[("app_key", "k"), ("app_secret", "s")]), None);
    assert_eq!(lacks(&shipped("webhook"), &[]), None, "unsigned");
    let parse = |text: &str| Profile::parse(text, "https://t.example", &BTreeMap::new());
    let oauth = "[auth]\nkind = 'oauth2'\nurl = 'https://t.example'\nid = '{{ secret.id }}'\nsecret = '{{ secret.word }}'\n";
    let oauth = parse(&format!("{oauth}[create]\nmethod = 'POST'")).unwrap();
    assert_eq!(lacks(&oauth, &[]).unwrap(), "`credentials` lack `id`, `word`");
    let unread = |name: &str, pairs| shipped(name).unread(&secrets(pairs)).0;
    assert_eq!(unread("platform-12345", &[("app_key", ""), ("app_secert", ""), ("callback_keys", "")]), ["app_secert"]);
    assert_eq!(unread("webhook", &[("keys", ""), ("key", "")]), ["key"]);
    let unknown = parse("[create]\nmethod = 'POST'\npath = '/{{ vars.queue }}'").err().unwrap();
    assert!(unknown[0].what.en.starts_with("reads `vars.queue`, which [vars] does not have"), "{unknown:?}");
}

/// A loop, a list of a hundred million, a text that doubles: each ends, and the event is not delivered rather than the memory.
#[test]
fn a_template_that_grows_without_end_is_stopped() {
    for body in [
        "{% for i in range(100000) %}{% for j in range(100000) %}{{ j }}{% endfor %}{% endfor %}",
        "{{ [1] * 99999999 }}",
        "{{ [[1] * 99999, [1] * 99999999] }}",
        "{{ {'a': [1] * 99999999} }}",
        "{{ ([1] * 99999999) | tojson }}",
        "{{ (['x' * 1000000] * 1000000) | tojson(indent=2) }}",
        "{{ range(100000) | join('x' * 100000) }}",
        "{{ 'x' * 99999999 }}",
        &format!("{{% set a = 'xxxxxxxxxxxxxxxx' %}}{}{{{{ a }}}}", "{% set a = a ~ a %}".repeat(40)),
    ] {
        for content in ["application/json", "text/plain"] {
            let text = format!("[create]\nmethod = \"POST\"\npath = \"/\"\ntype = \"{content}\"\nbody = \"\"\"{body}\"\"\"\n");
            let profile =
                Profile::parse(&text, "https://t.example", &BTreeMap::new()).map_err(|flaws| format!("{flaws:?}")).unwrap();
            let why = profile.render(&Step::Post, &event(Kind::Record)).unwrap_err();
            assert!(why.en.contains("fuel"), "{body}: {}", why.en);
        }
    }
    let fine = "[create]\nmethod = \"POST\"\npath = \"/\"\nbody = \"\"\"{{ [data, 'x' * 9000, range(500) | list] }}\"\"\"\n";
    let profile = Profile::parse(fine, "https://t.example", &BTreeMap::new()).map_err(|flaws| format!("{flaws:?}")).unwrap();
    assert_eq!(body(&render(&profile, &Step::Post, Kind::Record))[2][499], 499);
}

/// A profile has no way to name another file or template, or to call itself.
#[test]
fn a_template_includes_nothing_and_calls_nothing_of_its_own() {
    for body in [
        "{% include 'create.path' %}",
        "{% extends 'create.path' %}",
        "{% import '/etc/passwd' as x %}",
        "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}",
        "{% block b %}{{ self.b() }}{% endblock %}",
        "{% call m() %}{% endcall %}",
    ] {
        let text = format!("[create]\nmethod = \"POST\"\npath = \"/\"\nbody = \"\"\"{body}\"\"\"\n");
        assert!(Profile::parse(&text, "https://t.example", &BTreeMap::new()).is_err(), "{body}");
    }
}

/// Everything that somebody else may have chosen says this.
fn chosen(words: &str) -> CloudEvent {
    let text = words.to_owned();
    let some = Some(words.to_owned());
    let offered = Offered {
        sip_call_id: text.clone(),
        trunk: text.clone(),
        dialled: text.clone(),
        number: text.clone(),
        caller: some.clone(),
        caller_raw: text.clone(),
        line: text.clone(),
        unit: some.clone(),
        diverted_from: some,
        ..Offered::default()
    };
    let seat = Party::Seat { name: text.clone(), queue: text };
    let ended = What::Ended { result: CallResult::Answered, by: By::Caller, status: None, q850: Some(16) };
    let call: CallId = "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80".parse().unwrap();
    let log = (1..).zip([What::Offered(Box::new(offered)), joined(2, seat), ended]);
    let entries: Vec<Entry> =
        log.map(|(seq, what)| Entry { call, seq, wall: Wall(1_638_288_000_000_000), mono: Mono(0), what }).collect();
    CloudEvent::new(&entries, Kind::Record, &Zone::default()).unwrap()
}

/// The keys and the kinds of values, without what stands in them.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        Value::Array(list) => list.iter().map(shape).collect(),
        Value::String(_) => json!("text"),
        other => other.clone(),
    }
}

#[test]
fn words_of_others_change_the_shape_of_no_request() {
    let hostile = [
        r#"x", "admin": true, "y": "z"#,
        r#"x\"#,
        "{{ 7 * 7 }}{% if true %}{% endif %}",
        "1\r\nX-Injected: 1\r\n\r\n",
        "&id=1#?/../;=%00",
        "\0\u{1b}[2J\u{202e}\u{2028}",
        "' OR ''='; --",
    ];
    for name in Profile::names() {
        let profile = shipped(name);
        let steps = if profile.way() == Way::Post { vec![Step::Post] } else { vec![Step::Find, Step::Create, update()] };
        for step in steps {
            let Some(plain) = profile.render(&step, &chosen("x")).unwrap() else { continue };
            for words in hostile {
                let rendered = profile.render(&step, &chosen(words)).unwrap().unwrap();
                let marks = |url: &str| url.chars().filter(|c| "/?&#=; \r\n".contains(*c)).collect::<String>();
                assert_eq!(marks(&rendered.url), marks(&plain.url), "{name} {step:?} {words:?}");
                assert!(rendered.headers.iter().all(|(_, value)| !value.contains(['\r', '\n'])), "{:?}", rendered.headers);
                if plain.body.is_some() {
                    assert_eq!(shape(&body(&rendered)), shape(&body(&plain)), "{name} {step:?} {words:?}");
                }
            }
        }
    }
}
