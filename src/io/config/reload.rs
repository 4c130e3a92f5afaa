//! Configuration, plan and prompts taken over by a running gateway: read and checked as a whole, compared with what
//! runs, swapped in the switch at once. A configuration that is wrong changes nothing.

use super::finding::{Finding, KeyFault};
use super::outward::{Outward, Ways};
use super::plans::{self, Prompts};
use super::schema::Config;
use super::secrets;
use super::setup;
use super::tokens::Tokens;
use super::trail::Trail;
use crate::base::{Text, Tongue};
use crate::io::inbox::Inbox;
use crate::io::inbox::figures::SwitchFigures;
use crate::io::metrics::Metric;
use crate::io::net::admission::Admission;
use crate::io::net::tls::Identity;
use crate::io::process::log;
use crate::plan::{Change, Plan, Problem};
use crate::switch::{Input, Live};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::sleep;

/// How often files are looked at. A change is taken over when the file has not changed again for so long.
const LOOK: Duration = Duration::from_secs(2);
/// The switch reports every 100 ms.
const PATIENCE: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(10);

/// Values under these keys are never shown.
const SECRET: &[&str] = &["secret", "sha256", "credentials", "proxy", "url", "vars"];
/// Shown as tables of their own.
const NAMED: &[&str] = &["queues", "seats", "trunks"];

/// The outcome of a reload.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// True when anything is different from before.
    pub changed: bool,
    pub plan: RunningPlan,
    /// The revision before.
    pub previous: String,
    pub numbers: Change,
    pub seats: Change,
    pub queues: Change,
    pub trunks: Change,
    pub prompts: Change,
    pub settings: Vec<String>,
    /// Settings that differ from those the gateway was started with, and stay as they were until a restart.
    pub needs_restart: Vec<String>,
    #[serde(skip)]
    pub warnings: Vec<Text>,
}

impl Report {
    /// All of it, its warnings in this language.
    pub fn told(&self, tongue: Tongue) -> Value {
        let mut told = json!(self);
        told["warnings"] = self.warnings.iter().map(|warning| warning.told(tongue)).collect();
        told
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunningPlan {
    pub name: String,
    pub revision: String,
}

/// Reads the part of the configuration that a reload may change, as it is now.
pub type Handle = Arc<dyn Fn() -> Arc<Live> + Send + Sync>;

/// Reloads a running gateway.
pub struct Reloader {
    file: Option<PathBuf>,
    inbox: Inbox,
    switch_figures: Arc<SwitchFigures>,
    admission: Arc<Admission>,
    tokens: Arc<Tokens>,
    identity: Option<Arc<Identity>>,
    sip_identity: Option<Arc<Identity>>,
    outward: Outward,
    /// One reload at a time.
    running: tokio::sync::Mutex<Running>,
    /// The part that everybody beside the switch reads, also while a reload is under way.
    shown: Mutex<Arc<Live>>,
    failed: AtomicU64,
}

/// The configuration that the switch was told last.
pub struct Running {
    /// As it runs: keys that a reload does not take over are those of the start.
    pub config: Config,
    pub live: Arc<Live>,
    pub trail: Trail,
}

/// Where the reloader finds the gateway.
pub struct Site {
    /// The configuration's file; none: the usual one, if it is there.
    pub file: Option<PathBuf>,
    pub inbox: Inbox,
    pub switch_figures: Arc<SwitchFigures>,
    pub admission: Arc<Admission>,
    pub tokens: Arc<Tokens>,
    /// The certificate of the HTTP interface, where it speaks TLS.
    pub identity: Option<Arc<Identity>>,
    /// The same of SIP.
    pub sip_identity: Option<Arc<Identity>>,
    pub outward: Outward,
}

impl Reloader {
    pub fn new(site: Site, running: Running) -> Reloader {
        let Site { file, inbox, switch_figures, admission, tokens, identity, sip_identity, outward } = site;
        let shown = Mutex::new(running.live.clone());
        note_site(&running.trail, file.as_deref());
        note_identity(&running.trail, &running.config);
        let failed = AtomicU64::new(0);
        let running = tokio::sync::Mutex::new(running);
        Reloader { file, inbox, switch_figures, admission, tokens, identity, sip_identity, outward, running, shown, failed }
    }

    /// Reads everything anew. All that is wrong comes back, and nothing has changed then.
    pub async fn reload(&self, why: &str) -> Result<Report, NotReloaded> {
        let mut running = self.running.lock().await;
        let outcome = self.take_over(&mut running).await;
        match &outcome {
            Ok(report) => tell(why, report),
            Err(refused) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!(why, "not reloaded, nothing has changed:\n{}", Text::lines(&refused.told()));
            }
        }
        outcome
    }

    /// Reloads whenever a file has changed that was read, or that was looked for in vain.
    pub async fn watch(self: Arc<Reloader>) {
        let mut before = self.running.lock().await.trail.again();
        loop {
            sleep(LOOK).await;
            let (known, now) = {
                let running = self.running.lock().await;
                (running.trail.clone(), running.trail.again())
            };
            if now != known && now == before {
                // The log has what becomes of it.
                let _ = self.reload("a file has changed").await;
            }
            before = now;
        }
    }

    /// For others, who ask for it when they need it.
    pub fn handle(self: &Arc<Reloader>) -> Handle {
        let reloader = self.clone();
        Arc::new(move || reloader.live())
    }

    pub fn live(&self) -> Arc<Live> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn metrics(&self) -> Vec<Metric> {
        let RunningPlan { name, revision } = shown(&self.live().plan);
        let failed = self.failed.load(Ordering::Relaxed);
        vec![
            Metric::info("plan_info", "The dial plan that new calls meet.", &[("name", &name), ("revision", &revision)]),
            Metric::counter("reloads_failed_total", "Reloads refused: something was wrong in a file.", failed),
        ]
    }

    async fn take_over(&self, running: &mut Running) -> Result<Report, NotReloaded> {
        let trail = Trail::default();
        let read = tokio::task::block_in_place(|| read(self.file.as_deref(), &running.config, &trail));
        trail.join(&running.trail);
        running.trail = trail;
        let Read { config, needs_restart, identities, mut loaded } = read.map_err(NotReloaded::Wrong)?;
        keep_equal(&mut loaded.prompts, &running.live.prompts);
        let warnings = loaded.warnings.iter().map(Problem::told).collect();
        let live = setup::live(&config, loaded).map_err(|problem| NotReloaded::Wrong(vec![problem]))?;
        let report = compare(running, &config, &live, needs_restart, warnings);
        let reloads = self.switch_figures.read().counters.reloads;
        let ways = tokio::task::block_in_place(|| Ways::read(&config, self.sip_identity.as_ref()));
        let ways = ways.map_err(|fault| NotReloaded::Wrong(vec![KeyFault::told(&[fault])]))?;
        // Peers that the new configuration brings may connect before it counts; those that are gone, no longer after it.
        self.tokens.set(&config.http).map_err(|faults| NotReloaded::Wrong(vec![KeyFault::told(&faults)]))?;
        self.outward.set(ways);
        for (shown, new) in [&self.identity, &self.sip_identity].into_iter().zip(identities) {
            if let (Some(shown), Some(new)) = (shown, new) {
                shown.replace(new);
            }
        }
        self.admission.set(setup::known(&config));
        if !self.inbox.send(Input::Reload(Box::new(live.clone()))) {
            return Err(NotReloaded::Gone);
        }
        self.wait_for_switch(reloads).await?;
        log::change(&config.log.level).map_err(|problem| NotReloaded::Wrong(vec![problem]))?;
        let live = Arc::new(live);
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = live.clone();
        (running.config, running.live) = (config, live);
        Ok(report)
    }

    async fn wait_for_switch(&self, before: u64) -> Result<(), NotReloaded> {
        let mut waited = Duration::ZERO;
        while self.switch_figures.read().counters.reloads == before {
            if waited >= PATIENCE {
                return Err(NotReloaded::Late);
            }
            sleep(STEP).await;
            waited += STEP;
        }
        Ok(())
    }
}

/// Why a reload came to nothing: whose fault it is, and what helps.
#[derive(Clone, Debug, PartialEq)]
pub enum NotReloaded {
    /// Files or variables are wrong, each said with its place. Nothing has changed: mend them, and reload again.
    Wrong(Vec<Text>),
    /// The switch has not answered in time. It has the new configuration in its inbox: look again later.
    Late,
    /// The switch thread has ended: only a restart helps.
    Gone,
}

impl NotReloaded {
    pub fn told(&self) -> Vec<Text> {
        match self {
            NotReloaded::Wrong(problems) => problems.clone(),
            NotReloaded::Late => vec![both!(
                "the switch does not answer; it will take the new configuration over when it does",
                "交换线程没有应答；恢复后会采用新配置"
            )],
            NotReloaded::Gone => vec![both!("the switch is gone; restart the gateway", "交换线程已退出，请重启网关")],
        }
    }
}

struct Read {
    /// The configuration that is to run.
    config: Config,
    /// Keys that the files change and a running gateway does not take over.
    needs_restart: Vec<String>,
    /// The certificates of the HTTP interface and of SIP as their files are now.
    identities: [Option<Identity>; 2],
    loaded: plans::Loaded,
}

/// Configuration, plan and prompts as they are now, or all that is wrong with them. They must be sound by themselves, for
/// the next start, and together with what stays as it was.
fn read(file: Option<&Path>, running: &Config, trail: &Trail) -> Result<Read, Vec<Text>> {
    note_site(trail, file);
    let new = super::load(file).map_err(|findings| findings.iter().map(Finding::told).collect::<Vec<_>>())?;
    let config = running.with_live(&new);
    let needs_restart = settings(&config, &new);
    note_identity(trail, &config);
    let told = |fault| vec![KeyFault::told(&[fault])];
    let identities = [secrets::identity(&config.http).map_err(told)?, secrets::sip_identity(&config.sip).map_err(told)?];
    let loaded = plans::load_noting(&config, trail).map_err(|problems| {
        let left = needs_restart
            .iter()
            .map(|setting| both!("a restart is needed before this counts: {setting}", "此项须重启后才生效：{setting}"));
        problems.into_iter().chain(left).collect::<Vec<_>>()
    })?;
    Ok(Read { config, needs_restart, identities, loaded })
}

fn compare(old: &Running, config: &Config, live: &Live, needs_restart: Vec<String>, warnings: Vec<Text>) -> Report {
    let mut report = Report {
        changed: false,
        plan: shown(&live.plan),
        previous: old.live.plan.revision.to_string(),
        numbers: old.live.plan.difference(&live.plan),
        seats: Change::between(&old.config.seats, &config.seats),
        queues: Change::between(&old.config.queues, &config.queues),
        trunks: Change::between(&old.config.trunks, &config.trunks),
        prompts: Change::between(&sounds(&old.live.prompts), &sounds(&live.prompts)),
        settings: settings(&old.config, config),
        needs_restart,
        warnings,
    };
    let tables = [&report.numbers, &report.seats, &report.queues, &report.trunks, &report.prompts];
    let same = tables.iter().all(|change| change.is_empty()) && report.settings.is_empty();
    report.changed = !same || report.plan.revision != report.previous;
    report
}

fn note_site(trail: &Trail, file: Option<&Path>) {
    trail.note(super::site_file(file));
}

/// A certificate that somebody renews is shown as soon as it stands there, and a new password counts, a phone's or ours.
fn note_identity(trail: &Trail, config: &Config) {
    let Config { http, sip, registrar, .. } = config;
    let files = [&http.certificate, &http.key, &sip.certificate, &sip.key, &registrar.credentials].into_iter();
    let accounts = config.trunks.values().flat_map(|trunk| trunk.registrations.values()).map(|account| &account.file);
    let trunks = config.trunks.values().flat_map(|trunk| [&trunk.tls_ca, &trunk.tls_certificate, &trunk.tls_key]);
    files.chain(accounts).chain(trunks).filter(|path| !path.as_os_str().is_empty()).for_each(|path| trail.note(path));
}

/// Sounds that did not change stay where they are in memory, shared with the calls in progress.
fn keep_equal(new: &mut Prompts, old: &Prompts) {
    for (name, prompt) in new {
        if let Some(same) = old.get(name).filter(|before| before.a_law == prompt.a_law) {
            *prompt = same.clone();
        }
    }
}

fn sounds(prompts: &Prompts) -> BTreeMap<&str, &[u8]> {
    prompts.iter().map(|(name, prompt)| (name.as_str(), prompt.a_law.as_slice())).collect()
}

fn shown(plan: &Plan) -> RunningPlan {
    RunningPlan { name: plan.name.to_string(), revision: plan.revision.to_string() }
}

fn tell(why: &str, report: &Report) {
    let Report { plan, numbers, seats, queues, trunks, prompts, .. } = report;
    tracing::info!(
        why, changed = report.changed, plan = %plan.name, revision = %plan.revision, previous = %report.previous, %numbers, %seats,
        %queues, %trunks, %prompts, settings = %report.settings.join("; "), "reloaded"
    );
    report.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    if !report.needs_restart.is_empty() {
        tracing::warn!(settings = %report.needs_restart.join("; "), "these need a restart");
    }
}

/// The settings that differ, as `calls.music: "a" → "b"`, but for the tables that are shown by themselves.
fn settings(old: &Config, new: &Config) -> Vec<String> {
    let (old, new) = (serde_json::to_value(old).unwrap_or_default(), serde_json::to_value(new).unwrap_or_default());
    let mut found = Vec::new();
    differences("", &old, &new, &mut found);
    let within = |path: &str, all: &[&str]| {
        all.iter().any(|one| path.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    found.retain(|(path, _)| !within(path, NAMED));
    found.into_iter().map(|(path, text)| format!("{path}{text}")).collect()
}

fn differences(path: &str, old: &Value, new: &Value, found: &mut Vec<(String, String)>) {
    if let (Value::Object(old), Value::Object(new)) = (old, new) {
        for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let value = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
            differences(&path, &value(old), &value(new), found);
        }
    } else if old != new {
        let hidden = path.split('.').any(|part| SECRET.contains(&part));
        let told = match (old, new) {
            _ if hidden => String::new(),
            (Value::Null, Value::Object(_)) => ": new".to_owned(),
            (Value::Object(_), Value::Null) => ": gone".to_owned(),
            _ => format!(": {old} → {new}"),
        };
        found.push((path.to_string(), told));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::config::Layers;
    use crate::plan::Source;

    fn config(site: &str) -> Config {
        Layers::new(Some(Source::new("site.toml", site)), BTreeMap::new()).merge().unwrap()
    }

    #[test]
    fn settings_tell_what_is_taken_over_and_what_is_not() {
        let new = config("[calls]\nmax_duration = '2h'\n[http]\nlisten = '127.0.0.1:9'\n[trunks.loopback]\nport = 1");
        let old = config("");
        let running = old.with_live(&new);
        assert_eq!(settings(&old, &running), ["calls.max_duration: \"4h\" → \"2h\""]);
        assert_eq!(settings(&running, &new), ["http.listen: \"127.0.0.1:8080\" → \"127.0.0.1:9\""]);
        assert!(settings(&old, &old).is_empty() && settings(&new, &new).is_empty());
    }

    #[test]
    fn secrets_are_not_told() {
        let new = config(
            "[http.tokens.a]\nroles = ['viewer']\nsecret = 'hidden'\nsha256 = 'hidden'\n[records.backends.b]\nurl = 'http://b'\n\
             credentials = { app_key = 'hidden' }\n[records.webhook]\nsecret = 'hidden'",
        );
        let other = config("[http.tokens.a]\nsecret = 'hid'\n[records.backends.b]\ncredentials = { app_key = 'hid' }");
        let gone = ["http.tokens.a: gone", "records.backends.b: gone", "records.webhook.secret"];
        assert_eq!(settings(&new, &config("")), gone);
        let told = settings(&other, &new);
        assert!(told.contains(&"records.backends.b.credentials.app_key".to_string()), "{told:?}");
        assert!(!format!("{told:?}").contains("hid"));
    }
}
