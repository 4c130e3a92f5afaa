//! Configuration: the built-in defaults, a site file and the environment, layered; every mistake found at once.

mod accounts;
mod callers;
mod causes;
pub mod credentials;
mod finding;
pub mod fit;
mod layers;
mod level;
mod list;
mod live;
mod media;
mod numbers;
pub mod outward;
mod peers;
pub mod plans;
mod queues;
mod redact;
mod registrar;
mod registration;
pub mod reload;
mod schema;
pub mod secrets;
pub mod setup;
mod shown;
pub mod tokens;
pub mod trail;
mod validate;
mod variables;
mod wording;

pub use finding::{Finding, KeyFault, Place};
pub use layers::{Layers, check_file, find_value, site_file};
pub use live::LIVE;
pub use media::Media;
pub use numbers::Side;
pub use peers::{Codec, DialledFrom, Dtmf, History, LinesFrom, Presented, Seat, SignIn, Srtp, Transport, Trunk, dns_server};
pub use queues::{Callbacks, Messages, Queue, QueueRecord, Survey, WhenNoSeat};
pub use registrar::{Algorithm, Registrar};
pub use registration::Registration;
pub use schema::*;

use std::collections::BTreeMap;
use std::path::Path;

/// Reads and checks everything. Without `file` that of [`site_file`] counts, if it is there.
pub fn load(file: Option<&Path>) -> Result<Config, Vec<Finding>> {
    judged(&Layers::read(file)?)
}

/// Merges and checks the layers. Nothing that is told of them quotes a secret.
fn judged(layers: &Layers) -> Result<Config, Vec<Finding>> {
    let secrets = layers.secrets();
    let checked = layers.merge().and_then(|mut config| match validate::validate(&config, layers) {
        findings if findings.is_empty() => {
            config.places.plan = Some(layers.place(&["plan", "file"]));
            let overflow = |name: &String| (name.clone(), layers.place(&["queues", name, "overflow"]));
            config.places.overflow = config.queues.keys().map(overflow).collect();
            config.places.rules = rules(&config, layers);
            let place = |(key, _): (Vec<&str>, &str)| (key.join("."), layers.place(&key));
            config.places.numbers = config.numbers().map(place).collect();
            let doubts = validate::doubts(&config, layers).into_iter();
            config.warnings = doubts.map(|doubt| redact::hidden(&doubt.warning(), &secrets)).collect();
            Ok(config)
        }
        findings => Err(findings),
    });
    checked.map_err(|findings| findings.into_iter().map(|finding| finding.hiding(&secrets)).collect())
}

/// The place of each number rule.
fn rules(config: &Config, layers: &Layers) -> BTreeMap<(String, &'static str, usize), Place> {
    let mut all = BTreeMap::new();
    for (name, trunk) in config.trunks.iter().filter(|(_, trunk)| trunk.enabled) {
        for key in Side::ALL.into_iter().flat_map(|side| (0..trunk.rules(side).len()).map(move |at| (side.key(), at))) {
            all.insert((name.clone(), key.0, key.1), layers.place(&["trunks", name, key.0, &key.1.to_string(), "match"]));
        }
    }
    all
}
