//! The keys that records are sealed with, read from where the configuration says.

use super::finding::KeyFault;
use super::schema::{Http, Records, SealingKey, Sip};
use crate::base::Text;
use crate::io::net::tls::{self, Identity};
use crate::io::process::files;
use crate::record::seal::{Sealer, Secret};
use data_encoding::HEXLOWER_PERMISSIVE;
use std::collections::BTreeMap;
use std::path::Path;

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

fn shown(table: &str, certificate: &Path, private: &Path) -> Result<Option<Identity>, KeyFault> {
    let fault = |key: &str, message| KeyFault::new(&[table, key], message);
    match (certificate.as_os_str().is_empty(), private.as_os_str().is_empty()) {
        (true, true) => Ok(None),
        (true, false) => Err(fault("key", both!("set `certificate` too, or neither", "须同时设置 `certificate`，或两者都不设"))),
        (false, true) => Err(fault("certificate", both!("set `key` too, or neither", "须同时设置 `key`，或两者都不设"))),
        (false, false) => Identity::read(certificate, private).map(Some).map_err(|wrong| {
            let (key, path, why) = match wrong {
                tls::Fault::Certificate(why) => ("certificate", certificate.display(), why),
                tls::Fault::Key(why) => ("key", private.display(), why),
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
