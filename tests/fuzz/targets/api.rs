//! The HTTP interface: every request has an answer, which is bounded, quotes no number, and where it refuses is a problem.
//!
//! A case is a request as it is written: its line, its headers, an empty line, its body.

use super::work::counted;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, header};
use hotline::base::{Mono, Text};
use hotline::control::{Reply, Role, Why};
use hotline::io::clock;
use hotline::io::config::plans;
use hotline::io::config::reload::NotReloaded;
use hotline::io::config::setup;
use hotline::io::config::tokens::Tokens;
use hotline::io::config::{Config, Http, Layers, Token};
use hotline::io::http::intake::Intake;
use hotline::io::http::{ApiState, router};
use hotline::io::inbox::figures::{Figures, SwitchFigures};
use hotline::io::inbox::requests::SwitchRequests;
use hotline::io::inbox::{Outlet, inbox};
use hotline::io::journal::disk::Disk;
use hotline::io::journal::{Journal, Options, Outbox};
use hotline::io::process::audit::Audit;
use hotline::io::recorder::store::RecordingStore;
use hotline::switch::Input;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// It stands in the cases as a caller's.
const NUMBER: &str = "13800138000";
const TOKEN: &str = "a-token-of-this-role-";
/// An answer's bytes.
const LONGEST: usize = 256 << 10;

static BENCH: LazyLock<Mutex<Bench>> = LazyLock::new(|| Mutex::new(Bench::new()));

pub fn target(data: &[u8]) {
    let Some(request) = request(data) else { return };
    let told = format!("{} {}", request.method(), request.uri());
    let bench = BENCH.lock().unwrap_or_else(PoisonError::into_inner);
    let (answer, work) = counted(|| bench.runtime.block_on(bench.answer(request)));
    work.is_at_most(data.len(), (100_000, 20), (16 << 20, 2_000));
    let Some((status, kind, body)) = answer else { return };
    assert!((100..600).contains(&status) && status != 500, "{told}: {status} {body}");
    // A path or a key that is none is told by its name; a value is never told.
    let named = told.contains(NUMBER) || names(data);
    assert!(named || !body.contains(NUMBER), "{told}: {body}");
    assert!(told.contains(TOKEN) || !body.contains(TOKEN), "{told}: {body}");
    if status >= 400 && !told.contains("/t/") && !told.starts_with("HEAD ") {
        assert_eq!(kind, "application/problem+json", "{told}: {body}");
        let problem: Value = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{told}: {e}: {body}"));
        assert!(problem["status"] == status && problem["detail"].is_string(), "{told}: {body}");
    }
}

/// The number stands where a key of the body does.
fn names(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    text.match_indices(NUMBER).any(|(at, _)| {
        let rest = text[at + NUMBER.len()..].trim_start_matches(|c| c != '"').trim_start_matches('"');
        rest.trim_start().starts_with(':')
    })
}

/// None: nothing that an HTTP library would hand on.
fn request(data: &[u8]) -> Option<Request<Body>> {
    let end = data.windows(2).position(|two| two == b"\n\n").unwrap_or(data.len());
    let (head, body) = (std::str::from_utf8(&data[..end]).ok()?, data.get(end + 2..).unwrap_or_default());
    let mut lines = head.lines();
    let (method, path) = lines.next()?.split_once(' ')?;
    let request = Request::builder().method(method.as_bytes()).uri(path).header("host", "127.0.0.1");
    let request =
        lines.filter_map(|line| line.split_once(':')).fold(request, |request, (name, value)| request.header(name, value.trim()));
    request.body(Body::from(body.to_vec())).ok()
}

struct Bench {
    runtime: Runtime,
    router: Router,
    _journal: Journal,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Layers::new(None, BTreeMap::new()).merge().unwrap();
        config.node.state = folder.path().to_path_buf();
        config.records.inbound_rate = 100_000;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let (journal, state, outlet) = state(&config);
        runtime.spawn(switch(state.clone(), outlet));
        let router = router(state);
        drop(_inside);
        Bench { runtime, router, _journal: journal, _folder: folder }
    }

    /// Status, kind and text; none for the feed, which has no end.
    async fn answer(&self, request: Request<Body>) -> Option<(u16, String, String)> {
        let answered = timeout(Duration::from_secs(60), TowerToHyperService::new(self.router.clone()).call(request));
        let answer: Response<Body> = answered.await.expect("an answer").unwrap();
        let kind = answer.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = answer.status().as_u16();
        if status == 101 || kind.starts_with("text/event-stream") {
            return None;
        }
        let body = to_bytes(answer.into_body(), LONGEST).await.expect("a bounded answer");
        Some((status, kind, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// Has no calls.
async fn switch(state: ApiState, outlet: Outlet) {
    loop {
        while let Some(input) = outlet.take() {
            if let Input::Command { id, .. } = input {
                state.requests.answer(id, Reply::Refused(Why::NoSuchCall));
            }
        }
        if state.switch_figures.wanted() {
            state.switch_figures.post(|| Figures { at: clock::mono(), ..Figures::default() });
        }
        sleep(Duration::from_millis(1)).await;
    }
}

fn state(config: &Config) -> (Journal, ApiState, Outlet) {
    let outbox = Outbox { backends: Vec::new(), feed: config.records.feed_keep };
    let options = Options { outbox, ..Options::new(config.journal()) };
    let (journal, _) = Journal::open(options, clock::now().wall, |_| {}).unwrap();
    let live = Arc::new(setup::live(config, plans::load(config).unwrap()).unwrap());
    let (_, newest) = watch::channel(0);
    let intake = Intake::new(config, &journal, newest, Arc::new(move || live.clone())).unwrap();
    let (inbox, outlet) = inbox(64).unwrap();
    let token = |roles: Vec<Role>, name: &str| {
        let seat = if roles.contains(&Role::Seat) { "desk".to_owned() } else { String::new() };
        (name.to_owned(), Token { roles, seat, secret: format!("{TOKEN}{name}"), ..Token::default() })
    };
    let mut tokens: BTreeMap<_, _> = Role::ALL.into_iter().map(|role| token(vec![role], role.name())).collect();
    tokens.extend([token(Role::ALL.into_iter().filter(|role| *role != Role::Unmasked).collect(), "all")]);
    let switch_figures = Arc::new(SwitchFigures::default());
    switch_figures.post(|| Figures { at: Mono(clock::mono().0), ..Figures::default() });
    let state = ApiState {
        switch_figures,
        inbox,
        requests: Arc::new(SwitchRequests::default()),
        done: Arc::default(),
        more: Arc::new(Vec::new),
        reload: Arc::new(|| Box::pin(async { Err(NotReloaded::Wrong(vec![Text::foreign("nothing to load")])) })),
        tokens: Arc::new(Tokens::of(&Http { tokens, ..Http::default() }).unwrap_or_else(|_| panic!("the tokens are good"))),
        audit: Arc::new(Audit::of(&config.node.state)),
        recordings: Arc::new(RecordingStore::of(config).unwrap()),
        disk: Arc::new(Disk::of(config.journal(), config.records.max_bytes, config.records.min_free, Arc::default())),
        deliveries: Arc::default(),
        seat_log: Arc::default(),
        figures: Arc::default(),
        patience: Duration::from_secs(10),
        intake: Arc::new(intake),
        fit: Default::default(),
        shortage: || None,
    };
    (journal, state, outlet)
}
