//! A backend as configured: its profile, its address and what it is told to prove who we are.

use crate::base::Text;
use crate::io::config::{self, Backend, Config, Finding, Place, Webhook};
use crate::io::journal;
use crate::io::process::files;
use crate::plan::{At, Source, suggestion};
use crate::record::cloudevent::Kind;
use crate::record::delivery::Limits;
use crate::record::profile::{Flaw, Profile, Secrets};
use crate::record::signature::Keys;
use crate::record::zone::Zone;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The name of `[records.webhook]` in the journal's outbox.
pub const WEBHOOK: &str = "webhook";
const MAX_PROFILE: u64 = 1 << 20;

pub struct Target {
    /// In the journal's outbox.
    pub name: String,
    pub profile: Profile,
    pub url: String,
    pub secrets: Secrets,
    /// For the profile that signs after Standard Webhooks.
    pub keys: Keys,
    /// For each exchange.
    pub timeout: Duration,
    /// Empty: straight there.
    pub proxy: String,
    pub limits: Limits,
    pub zone: Zone,
    /// Gets every call, whoever its line names.
    always: bool,
    kinds: Vec<Kind>,
    /// And these once a call's record is out.
    later: Vec<Kind>,
}

impl Target {
    /// Every backend of the configuration.
    pub fn all(config: &Config) -> Result<Vec<Target>, Text> {
        let zone = Zone::named(&config.records.zone)?;
        let webhook = Some(&config.records.webhook).filter(|webhook| !webhook.url.is_empty());
        let mut all = webhook.map(|webhook| Target::webhook(webhook, zone.clone())).transpose()?.into_iter().collect::<Vec<_>>();
        for (name, backend) in config.records.backends.iter().filter(|(_, backend)| backend.enabled) {
            let wrong = |faults: Vec<Fault>| Text::lines(&faults.into_iter().map(|fault| fault.told(name)).collect::<Vec<_>>());
            all.push(Target::backend(name, backend, zone.clone()).map_err(wrong)?);
        }
        all.iter_mut().for_each(|target| target.limits.patience = config.records.retry_after_max);
        Ok(all)
    }

    pub fn webhook(webhook: &Webhook, zone: Zone) -> Result<Target, Text> {
        let journal::Backend { kinds, later, .. } = journal::Backend::of_all_calls(WEBHOOK, webhook.all_events);
        let profile = profile(WEBHOOK, &webhook.url, &BTreeMap::new());
        let wrong = |faults: Vec<Fault>| Text::lines(&faults.into_iter().map(|fault| fault.told(WEBHOOK)).collect::<Vec<_>>());
        let profile = profile.map_err(wrong)?;
        Ok(Target {
            name: WEBHOOK.to_owned(),
            url: webhook.url.clone(),
            secrets: Secrets::new(),
            keys: Keys::parse(&webhook.secret)?,
            timeout: webhook.timeout,
            proxy: webhook.proxy.clone(),
            limits: Limits { merge: profile.merges(), ..Limits::default() },
            profile,
            zone,
            always: true,
            kinds,
            later,
        })
    }

    pub fn backend(name: &str, backend: &Backend, zone: Zone) -> Result<Target, Vec<Fault>> {
        let profile = profile(&backend.profile, &backend.url, &backend.vars)?;
        let secrets = backend.credentials.clone();
        let keys = Keys::parse(secrets.get("keys").map_or("", String::as_str));
        let keys = keys.map_err(|what| vec![Fault::Backend { path: vec!["credentials".into(), "keys".into()], what }])?;
        let kinds = profile.events().to_vec();
        Ok(Target {
            name: name.to_owned(),
            url: backend.url.clone(),
            secrets,
            keys,
            timeout: backend.timeout,
            proxy: backend.proxy.clone(),
            limits: Limits { in_flight: backend.parallel, merge: profile.merges(), ..Limits::default() },
            profile,
            zone,
            always: false,
            later: Kind::UPDATES.into_iter().filter(|kind| kinds.contains(kind)).collect(),
            kinds: if backend.final_only { vec![Kind::Record] } else { kinds },
        })
    }

    /// Tells whether it may post to us: its profile says how, and there is a key.
    pub fn calls_back(&self) -> bool {
        self.profile.callback().is_some() && self.secrets.get("callback_keys").is_some_and(|keys| !keys.trim().is_empty())
    }

    /// Its place in the journal's outbox.
    pub fn outbox(&self) -> journal::Backend {
        journal::Backend { name: self.name.clone(), kinds: self.kinds.clone(), later: self.later.clone(), always: self.always }
    }
}

/// A mistake in a backend.
#[derive(Debug)]
pub enum Fault {
    /// In its profile's file.
    Profile(Finding),
    /// In its table of the configuration.
    Backend { path: Vec<String>, what: Text },
}

impl Fault {
    pub fn told(self, name: &str) -> Text {
        match self {
            Fault::Profile(finding) => finding.told(),
            Fault::Backend { path, what } => Finding::whole(format!("records.backends.{name}.{}", path.join(".")), what).told(),
        }
    }
}

/// A profile that comes with the program, or a file's.
pub fn profile(name: &str, url: &str, vars: &BTreeMap<String, String>) -> Result<Profile, Vec<Fault>> {
    let source = source(name).map_err(|what| vec![Fault::Backend { path: vec!["profile".into()], what }])?;
    let misread = config::check_file(&source, Profile::misread);
    if !misread.is_empty() {
        return Err(misread.into_iter().map(Fault::Profile).collect());
    }
    let placed = |flaw: Flaw| match flaw.of_backend {
        true => Fault::Backend { path: flaw.path, what: flaw.what },
        false => Fault::Profile(Finding { place: place(&source, &flaw), message: flaw.what }),
    };
    Profile::parse(&source.text, url, vars).map_err(|flaws| flaws.into_iter().map(placed).collect())
}

fn source(name: &str) -> Result<Arc<Source>, Text> {
    if let Some(text) = Profile::built_in(name) {
        return Ok(Source::new(name, text));
    }
    let bytes = files::read(Path::new(name), MAX_PROFILE).map_err(|why| {
        let known = Profile::names().collect::<Vec<_>>().join(", ");
        let told = both!("`{name}`: {}", "`{name}`：{}"; why);
        told.then(&both!("; name a file or one of {known}", "；应为文件名，或 {known} 之一"))
            .then(&suggestion(name, Profile::names()))
    })?;
    Ok(Source::read(name, &bytes))
}

/// The value that the flaw is in; the line of it, where it has several.
fn place(source: &Arc<Source>, flaw: &Flaw) -> Place {
    let path: Vec<&str> = flaw.path.iter().map(String::as_str).collect();
    let Some(span) = config::find_value(&source.text, &path) else { return Place::Whole(source.name.to_string()) };
    let raw = source.text.get(span.clone()).unwrap_or_default();
    let at = At { source: source.clone(), span };
    // TOML drops a line end right after three quotation marks.
    let dropped = ["\"\"\"\n", "\"\"\"\r\n", "'''\n", "'''\r\n"].iter().any(|open| raw.starts_with(open));
    match flaw.line {
        Some(line) if raw.contains('\n') => Place::File(source.whole_line(at.line() + line - usize::from(!dropped))),
        _ => Place::File(at),
    }
}
