//! Ticket systems: their profiles and what they are told to prove who we are.

use super::Check;
use crate::io::config::finding::KeyFault;
use crate::io::config::schema::{Backend, Config};
use crate::io::deliver::{Fault, Target, WEBHOOK};
use crate::plan::suggestion;
use crate::record::zone::Zone;

impl Check<'_> {
    /// Each at the place of its key.
    pub fn faults(&mut self, faults: impl IntoIterator<Item = KeyFault>) {
        for KeyFault { path, message } in faults {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            self.require(false, &path, || message);
        }
    }

    pub fn backend(&mut self, name: &str, backend: &Backend) {
        let path = |key| ["records", "backends", name, key];
        let web = backend.url.starts_with("http://") || backend.url.starts_with("https://");
        self.require(web, &path("url"), || both!("is no http:// or https:// address", "不是 http:// 或 https:// 地址"));
        self.positive(backend.timeout, &path("timeout"));
        self.proxy(&backend.proxy, &path("proxy"));
        self.require((1..=64).contains(&backend.parallel), &path("parallel"), || {
            both!("is not from 1 to 64", "不在 1 到 64 之间")
        });
        self.require(name != WEBHOOK, &["records", "backends", name], || {
            both!("the name belongs to [records.webhook]", "此名称属于 [records.webhook]")
        });
        match Target::backend(name, backend, Zone::default()) {
            Ok(target) => {
                let known = target.profile.rehearse(&target.secrets);
                self.require(known.is_ok(), &path("credentials"), || known.err().unwrap_or_default());
            }
            Err(faults) => faults.into_iter().for_each(|fault| self.fault(name, fault)),
        }
    }

    fn fault(&mut self, name: &str, fault: Fault) {
        match fault {
            // Several backends may have one profile.
            Fault::Profile(finding) if self.findings.iter().any(|known| known.told() == finding.told()) => {}
            Fault::Profile(finding) => self.findings.push(finding),
            Fault::Backend { path, what } => {
                let path: Vec<&str> = ["records", "backends", name].into_iter().chain(path.iter().map(String::as_str)).collect();
                self.require(false, &path, || what);
            }
        }
    }

    /// A credential that the profile does not read is most likely a misspelt one.
    pub fn unread_credentials(&mut self, config: &Config) {
        for (name, backend) in config.records.backends.iter().filter(|(_, backend)| backend.enabled) {
            let Ok(target) = Target::backend(name, backend, Zone::default()) else { continue };
            let (unread, read) = target.profile.unread(&target.secrets);
            for word in unread {
                let near = suggestion(&word, read.iter().map(String::as_str));
                self.require(false, &["records", "backends", name, "credentials", &word], || {
                    both!("the profile reads no credential `{word}`", "对接方案不使用凭据 `{word}`").then(&near)
                });
            }
        }
    }
}
