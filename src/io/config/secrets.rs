//! The keys that records are sealed with, read from where the configuration says.

use super::finding::KeyFault;
use super::peers::{Transport, Trunk};
use super::schema::{Config, Http, Records, SealingKey, Sip};
use crate::base::{Cidr, Place, Text};
use crate::io::net::tls::{self, Identity};
use crate::io::net::trunk_tls::TrunkTls;
use crate::io::process::files;
use crate::record::seal::{Sealer, Secret};
use data_encoding::HEXLOWER_PERMISSIVE;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A name is written into each entry.
const LONGEST_NAME: usize = 32;

pub fn sealer(records: &Records) -> Result<Sealer, Vec<KeyFault>> {
    let (mut keys, mut faults) = (BTreeMap::new(), Vec::new());
    for (name, key) in &records.keys {
        let fault = |message: Text| KeyFault::new(&["records", "keys", name], message);
        match read(key) {
            _ if name.len() > LONGEST_NAME => {
                faults.push(fault(both!("its name has more than {LONGEST_NAME} characters", "名称超过 {LONGEST_NAME} 个字符")))
            }
            Ok(secret) => drop(keys.insert(name.clone(), secret)),
            Err(message) => faults.push(fault(message)),
        }
    }
    let mut known = |name: &str, key: &str| {
        let found = keys.get(name).copied();
        if found.is_none() && !name.is_empty() && !records.keys.contains_key(name) {
            faults.push(KeyFault::new(&["records", key], unknown(name)));
        }
        found
    };
    let (current, index) = (known(&records.sealed_with, "sealed_with"), known(&records.callers_by, "callers_by"));
    if faults.is_empty() {
        return Ok(Sealer::new(&keys, current.map(|_| records.sealed_with.as_str()), index.as_ref()));
    }
    Err(faults)
}

/// The key that signs links to recordings, where there is one.
pub fn link(records: &Records, name: &str) -> Result<Option<Secret>, Text> {
    if name.is_empty() {
        return Ok(None);
    }
    let key = records.keys.get(name).ok_or_else(|| unknown(name))?;
    read(key).map(Some).map_err(|what| both!("records.keys.{name} ", "records.keys.{name} ").then(&what))
}

/// The certificate of the HTTP interface and its key, where it is to speak TLS.
pub fn identity(http: &Http) -> Result<Option<Identity>, KeyFault> {
    shown("http", &http.certificate, &http.key)
}

/// The same of SIP.
pub fn sip_identity(sip: &Sip) -> Result<Option<Identity>, KeyFault> {
    shown("sip", &sip.certificate, &sip.key)
}

/// How each trunk is connected to, by its networks. `ours`: the certificate of SIP, which is shown where the trunk names none.
#[allow(clippy::type_complexity)]
pub fn trunks(config: &Config, ours: Option<&Arc<Identity>>) -> Result<Vec<(Vec<Cidr>, Option<Arc<TrunkTls>>)>, KeyFault> {
    let enabled = config.trunks.iter().filter(|(_, trunk)| trunk.enabled);
    let known = enabled.map(|(name, trunk)| {
        let networks = trunk.addresses.iter().filter_map(|text| text.parse().ok()).collect();
        Ok((networks, trunk_tls(name, trunk, ours)?.map(Arc::new)))
    });
    known.collect()
}

/// None for a trunk that is not connected to by TLS.
pub fn trunk_tls(name: &str, trunk: &Trunk, ours: Option<&Arc<Identity>>) -> Result<Option<TrunkTls>, KeyFault> {
    if trunk.transport != Transport::Tls {
        return Ok(None);
    }
    let path = ["trunks", name];
    let own = pair(&path, ["tls_certificate", "tls_key"], &trunk.tls_certificate, &trunk.tls_key)?;
    let ca = Some(trunk.tls_ca.as_path()).filter(|path| !path.as_os_str().is_empty());
    let host = match trunk.place() {
        _ if !trunk.tls_name.is_empty() => trunk.tls_name.clone(),
        Some(Place::Named(host, _)) => host.to_string(),
        Some(Place::At(at)) => at.ip().to_string(),
        None => return Ok(None),
    };
    let made = TrunkTls::new(ca, &host, own.map(Arc::new).or(ours.cloned()));
    made.map(Some).map_err(|why| match ca {
        Some(file) => KeyFault::new(&["trunks", name, "tls_ca"], both!("{0}: ", "{0}：", file.display()).then(&why)),
        None => KeyFault::new(&["trunks", name, "tls_name"], why),
    })
}

fn shown(table: &str, certificate: &Path, private: &Path) -> Result<Option<Identity>, KeyFault> {
    pair(&[table], ["certificate", "key"], certificate, private)
}

/// A certificate and its key, each under its name in a table.
fn pair(table: &[&str], names: [&str; 2], certificate: &Path, private: &Path) -> Result<Option<Identity>, KeyFault> {
    let fault = |key: usize, message| KeyFault::new(&[table, &names[key..=key]].concat(), message);
    let [of_certificate, of_key] = names;
    match (certificate.as_os_str().is_empty(), private.as_os_str().is_empty()) {
        (true, true) => Ok(None),
        (true, false) => {
            Err(fault(1, both!("set `{of_certificate}` too, or neither", "须同时设置 `{of_certificate}`，或两者都不设")))
        }
        (false, true) => Err(fault(0, both!("set `{of_key}` too, or neither", "须同时设置 `{of_key}`，或两者都不设"))),
        (false, false) => Identity::read(certificate, private).map(Some).map_err(|wrong| {
            let (key, path, why) = match wrong {
                tls::Fault::Certificate(why) => (0, certificate.display(), why),
                tls::Fault::Key(why) => (1, private.display(), why),
            };
            fault(key, both!("{path}: ", "{path}：").then(&why))
        }),
    }
}

fn unknown(name: &str) -> Text {
    both!("no key `{name}` in [records.keys]", "[records.keys] 中没有密钥 `{name}`")
}

fn read(key: &SealingKey) -> Result<Secret, Text> {
    let file = !key.file.as_os_str().is_empty();
    let text = match (file, key.secret.is_empty()) {
        (true, true) => files::secret(&key.file).map_err(|why| {
            let name = key.file.display();
            both!("{name}: ", "{name}：").then(&why)
        })?,
        (false, false) => key.secret.clone(),
        _ => return Err(both!("set exactly one of `file`, `secret`", "`file`、`secret` 须且只能设置一个")),
    };
    let wrong = || {
        both!(
            "is not 64 hexadecimal digits: take them from `openssl rand -hex 32`",
            "不是 64 位十六进制数字，请用 `openssl rand -hex 32` 生成"
        )
    };
    let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes());
    bytes.ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(keys: &[(&str, &str)], sealed_with: &str, callers_by: &str) -> Records {
        let key = |secret: &str| SealingKey { secret: secret.to_owned(), ..SealingKey::default() };
        let keys = keys.iter().map(|(name, secret)| (name.to_string(), key(secret))).collect();
        Records { keys, sealed_with: sealed_with.to_owned(), callers_by: callers_by.to_owned(), ..Records::default() }
    }

    #[test]
    fn keys_are_read_and_what_is_wrong_is_told_without_them() {
        let hex = "0123456789abcdef".repeat(4);
        let sealer = sealer(&records(&[("a", &hex), ("b", &hex)], "a", "b")).unwrap();
        assert!(sealer.current() == Some("a") && sealer.has("b") && sealer.hash("1").is_some());
        let none = super::sealer(&records(&[], "", "")).unwrap();
        assert!(none.current().is_none() && none.hash("1").is_none());
        let told = |records: &Records| KeyFault::told(&super::sealer(records).err().unwrap()).en;
        assert_eq!(told(&records(&[], "a", "")), "records.sealed_with: no key `a` in [records.keys]");
        assert!(told(&records(&[("a", "12")], "a", "")).starts_with("records.keys.a: is not 64 hex"));
        assert!(told(&records(&[("a", "")], "a", "")).contains("set exactly one of `file`, `secret`"));
        let mut both = records(&[("a", &hex)], "a", "");
        both.keys.entry("a".to_owned()).and_modify(|key| key.file = "/nowhere".into());
        assert!(!told(&both).contains(&hex));
        let nowhere = SealingKey { file: "/nowhere/key".into(), ..SealingKey::default() };
        both.keys.insert("a".to_owned(), nowhere);
        assert!(told(&both).starts_with("records.keys.a: /nowhere/key: No such file"));
    }
}
