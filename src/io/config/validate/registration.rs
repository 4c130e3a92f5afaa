//! Our accounts with carriers.

use super::Check;
use crate::io::config::Trunk;
use crate::io::config::registration::not_an_identity;
use crate::io::config::schema::Config;
use std::collections::BTreeMap;
use std::time::Duration;

const EXPIRES: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(7 * 24 * 3600);
const LONGEST_USER: usize = 64;

impl Check<'_> {
    pub fn registrations(&mut self, config: &Config) {
        let trunks = || config.trunks.iter().filter(|(_, trunk)| trunk.enabled);
        let accounts = |trunk: &Trunk| trunk.registrations.values().filter(|account| account.enabled).count();
        let (all, most) = (trunks().map(|(_, trunk)| accounts(trunk)).sum::<usize>(), config.limits.accounts);
        self.require(all <= most, &["limits", "accounts"], || {
            both!(
                "{most} accounts may be registered with carriers, {all} are configured",
                "最多 {most} 个注册账号，实际配置了 {all} 个"
            )
        });
        let mut places = BTreeMap::new();
        for (name, trunk) in trunks() {
            let proxy = trunk.place();
            for (account, registration) in trunk.registrations.iter().filter(|(_, account)| account.enabled) {
                let at = |key| ["trunks", name.as_str(), "registrations", account.as_str(), key];
                let identity = registration.identity();
                self.require(identity.is_some(), &at("aor"), not_an_identity);
                let password = registration.password();
                let of_file = !registration.file.as_os_str().is_empty() && registration.secret.is_empty();
                let key = if of_file { "file" } else { "secret" };
                self.require(password.is_ok(), &at(key), || password.err().unwrap_or_default());
                self.require(EXPIRES.contains(&registration.expires), &at("expires"), || {
                    both!("is not from 1m to 7 days", "应在 1 分钟至 7 天之间")
                });
                let contact = registration.contact();
                let plain = contact.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-_.~".contains(&b));
                self.require(plain && contact.len() <= LONGEST_USER, &at("contact"), || {
                    both!(
                        "is a number or a name of at most {LONGEST_USER} letters, digits and `+-_.~`",
                        "应为号码或名称，最多 {LONGEST_USER} 个字母、数字及 `+-_.~`"
                    )
                });
                let Some(number) = identity.map(|uri| uri.address_of_record()) else { continue };
                let other = places.insert((number, proxy.clone()), (name.as_str(), account.as_str()));
                self.require(other.is_none(), &at("aor"), || {
                    let (trunk, other) = other.unwrap_or_default();
                    both!(
                        "is that of `{other}` of trunk `{trunk}` too, at the same proxy: they would undo each other",
                        "与中继 `{trunk}` 的账号 `{other}` 相同，且代理地址相同，会互相覆盖"
                    )
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::io::config::{Layers, judged};
    use crate::plan::Source;
    use std::collections::BTreeMap;

    fn findings(account: &str) -> Vec<String> {
        let site = format!("[trunks.loopback.registrations.main]\n{account}");
        let layers = Layers::new(Some(Source::new("site.toml", &site)), BTreeMap::new());
        let wrong = judged(&layers).err().unwrap_or_default();
        wrong.iter().map(|finding| format!("{finding} {}", finding.told().zh)).collect()
    }

    #[test]
    fn a_number_may_be_registered_at_another_proxy() {
        let good = "aor = 'sip:+862112345678@sh.ctcims.cn'\nsecret = 'S3CRET'\n";
        let other = "[trunks.a]\naddresses = ['192.0.2.1']\n[trunks.a.registrations.x]\naor = 'sip:+862112345678@sh.ctcims.cn'\nsecret = 'x'";
        assert_eq!(findings(&format!("{good}{other}")), Vec::<String>::new());
    }

    #[test]
    fn the_number_of_accounts_has_a_limit() {
        let accounts: String =
            (0..4).map(|n| format!("[trunks.loopback.registrations.a{n}]\naor = 'sip:{n}@ims.cn'\nsecret = 'x'\n")).collect();
        let with =
            |limit: usize| findings(&format!("aor = 'sip:9@ims.cn'\nsecret = 'x'\n{accounts}[limits]\naccounts = {limit}"));
        assert_eq!(with(5), Vec::<String>::new());
        let found = with(4).concat();
        assert!(
            found.starts_with("site.toml:17:1: ") && found.contains("4 accounts may be registered") && found.contains("5 个"),
            "{found}"
        );
        assert!(with(0).concat().contains("is 0"));
    }

    #[test]
    fn an_account_is_whole_or_told() {
        let good = "aor = 'sip:+862112345678@sh.ctcims.cn'\nsecret = 'S3CRET'\n";
        assert_eq!(findings(good), Vec::<String>::new());
        let other = "[trunks.loopback.registrations.other]\naor = 'sip:+862112345679@sh.ctcims.cn'\nsecret = 'x'\nroute = true";
        assert_eq!(findings(&format!("{good}user = '+86@x'\ncontact = 'a'\n{other}")), Vec::<String>::new());
        let same = "[trunks.loopback.registrations.other]\naor = 'sip:+862112345678@sh.ctcims.cn'\nsecret = 'x'";
        let elsewhere = "[trunks.z]\naddress = '127.0.0.1:5071'\naddresses = ['127.0.0.1/32']\n[trunks.z.registrations.x]\n\
                         aor = 'sip:+862112345678@SH.ctcims.cn;user=phone'\nsecret = 'x'";
        for (account, line, en, zh) in [
            ("secret = 'S3CRET'".to_owned(), 1, "is the number at the carrier's domain", "号码@运营商域名"),
            ("aor = 'tel:+8621'\nsecret = 'S3CRET'".to_owned(), 2, "is the number at the carrier's domain", "号码@运营商域名"),
            ("aor = 'sip:sh.ctcims.cn'\nsecret = 'S3CRET'".to_owned(), 2, "is the number at", "号码@"),
            ("aor = 'sip:1@a'".to_owned(), 1, "set exactly one of `file`, `secret`", "须且只能设置一个"),
            ("aor = 'sip:1@a'\nsecret = 'S3CRET'\nfile = '/x'".to_owned(), 3, "set exactly one of", "须且只能设置一个"),
            ("aor = 'sip:1@a'\nfile = '/nowhere'".to_owned(), 3, "/nowhere: No such file", "没有这个文件"),
            (format!("{good}expires = '10s'"), 4, "is not from 1m to 7 days", "1 分钟至 7 天"),
            (format!("{good}contact = 'a b'"), 4, "is a number or a name", "号码或名称"),
            (format!("{good}{same}"), 5, "is that of `main` of trunk `loopback` too", "会互相覆盖"),
            (format!("{good}{same}\ncontact = 'b'"), 5, "is that of `main` of trunk `loopback` too", "会互相覆盖"),
            (format!("{good}{elsewhere}"), 8, "is that of `main` of trunk `loopback` too", "会互相覆盖"),
        ] {
            let found = findings(&account);
            let is = |one: &String| one.starts_with(&format!("site.toml:{line}:")) && one.contains(en) && one.contains(zh);
            assert!(found.iter().any(is), "{account}: {found:#?}");
            assert!(!format!("{found:?}").contains("S3CRET"), "{found:#?}");
        }
    }
}
