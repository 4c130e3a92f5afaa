//! A backend as configured: its profile, its address and what it is told to prove who we are.

use crate::io::config::{Backend, Config, Webhook};
use crate::io::store;
use crate::record::cloudevent::Kind;
use crate::record::delivery::Limits;
use crate::record::profile::{Profile, Secrets};
use crate::record::signature::Keys;
use crate::record::zone::Zone;
use std::collections::BTreeMap;
use std::time::Duration;

/// The name of `[records.webhook]` in the journal's outbox.
pub const WEBHOOK: &str = "webhook";

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
    pub fn all(config: &Config) -> Result<Vec<Target>, String> {
        let zone = Zone::named(&config.records.zone)?;
        let webhook = Some(&config.records.webhook).filter(|webhook| !webhook.url.is_empty());
        let webhook = webhook.map(|webhook| Target::webhook(webhook, zone.clone()));
        let backends = config.records.backends.iter().filter(|(_, backend)| backend.enabled);
        let backends = backends.map(|(name, backend)| Target::backend(name, backend, zone.clone()));
        let mut all: Vec<Target> = webhook.into_iter().chain(backends).collect::<Result<_, _>>()?;
        all.iter_mut().for_each(|target| target.limits.patience = config.records.retry_after_max);
        Ok(all)
    }

    pub fn webhook(webhook: &Webhook, zone: Zone) -> Result<Target, String> {
        let text = Profile::built_in(WEBHOOK).unwrap_or_default();
        let store::Backend { kinds, later, .. } = store::Backend::of_all_calls(WEBHOOK, webhook.all_events);
        let profile = Profile::parse(text, &webhook.url, &BTreeMap::new())?;
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

    pub fn backend(name: &str, backend: &Backend, zone: Zone) -> Result<Target, String> {
        let wrong = |error: String| format!("records.backends.{name}: {error}");
        let text = profile_text(&backend.profile).map_err(wrong)?;
        let profile = Profile::parse(&text, &backend.url, &backend.vars);
        let profile = profile.map_err(|e| wrong(format!("profile {}: {e}", backend.profile)))?;
        let secrets = backend.credentials.clone();
        let keys = Keys::parse(secrets.get("keys").map_or("", String::as_str)).map_err(|e| wrong(e.to_owned()))?;
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
            later: Kind::NEWS.into_iter().filter(|kind| kinds.contains(kind)).collect(),
            kinds: if backend.final_only { vec![Kind::Record] } else { kinds },
        })
    }

    /// Tells whether it may post to us: its profile says how, and there is a key.
    pub fn calls_back(&self) -> bool {
        self.profile.callback().is_some() && self.secrets.get("callback_keys").is_some_and(|keys| !keys.trim().is_empty())
    }

    /// Its place in the journal's outbox.
    pub fn outbox(&self) -> store::Backend {
        store::Backend { name: self.name.clone(), kinds: self.kinds.clone(), later: self.later.clone(), always: self.always }
    }
}

/// One that comes with the program, or a file's.
pub fn profile_text(name: &str) -> Result<String, String> {
    if let Some(text) = Profile::built_in(name) {
        return Ok(text.to_owned());
    }
    let known = Profile::names().collect::<Vec<_>>().join(", ");
    std::fs::read_to_string(name).map_err(|e| format!("profile `{name}`: {e}; name a file or one of {known}"))
}
