//! Secrets in the text of a configuration, found even where the text is broken, so that no complaint quotes one: complaints
//! show the line that they are about, and readers of TOML quote values of their own accord.

use crate::base::Text;
use crate::plan::ascii;

/// Where everything is a secret but what is known to be none.
const TABLES: &[&[&str]] = &[&["http", "tokens"], &["records", "keys"], &["records", "backends"], &["records", "webhook"]];
const HARMLESS: &[&str] =
    &["all_events", "enabled", "file", "final_only", "link_key", "parallel", "profile", "queues", "roles", "seat", "timeout"];
/// Parts of the names of secrets, as people write and mistype them.
const NAMES: &[&str] = &["secr", "token", "passw", "pwd", "cred", "key", "sha256", "auth", "proxy"];
/// Feature codes on phones' keys.
const FEATURE_CODES: &str = "keys";
/// A shorter word is no secret, and may be any word of a complaint.
const SHORTEST: usize = 4;
/// A name is shorter, where it has letters and digits and nothing between them; and where it has something between them.
const LONG: usize = 16;
const LONGEST: usize = 32;
/// The name of one of `[records.keys]` belongs there, and a key itself may have been put there.
const NAMES_OF_KEYS: &[&str] = &["sealed_with", "callers_by", "link_key"];
const KEYS: &[&str] = &["records", "keys"];
const HIDDEN: &str = "…";

/// Every secret of a file's text, the longest first.
pub fn of_text(text: &str) -> Vec<String> {
    let (mut found, mut table, mut before) = (Vec::new(), Vec::new(), true);
    let names = names_of_keys(text);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let alone = parts(line).flat_map(|part| part.split('.')).filter(|part| looks_like_one(part));
        found.extend(alone.map(str::to_owned));
        if let Some(header) = header(line) {
            (table, before) = (header, false);
            continue;
        }
        // A line that belongs to no key that could be read may belong to a secret.
        let (secret, value) = match key_and_value(line) {
            Some((key, value)) => {
                let path: Vec<String> = table.iter().cloned().chain(words(key)).collect();
                let one_of_them = path.last().is_some_and(|key| NAMES_OF_KEYS.contains(&key.as_str()));
                (is_secret(&path, value) || one_of_them && !names.contains(&value.trim_matches(quotes).to_owned()), value)
            }
            None => (before || names_a_secret(line) || in_secret_table(&table), line),
        };
        before = secret;
        if secret {
            note(value, &mut found);
        }
    }
    found.sort_by_key(|one| std::cmp::Reverse(one.len()));
    found
}

/// The value of an environment variable, where it is a secret. `key`: without the prefix.
pub fn of_variable(key: &str, value: &str) -> Option<String> {
    let path: Vec<String> = key.split("__").map(str::to_ascii_lowercase).collect();
    let one_of_them = path.last().is_some_and(|key| NAMES_OF_KEYS.contains(&key.as_str()));
    (one_of_them || is_secret(&path, value) || parts(value).any(looks_like_one))
        .then(|| value.to_owned())
        .filter(|value| !value.is_empty())
}

pub fn hide(text: &str, secrets: &[String]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), HIDDEN))
}

pub fn hidden(text: &Text, secrets: &[String]) -> Text {
    Text { en: hide(&text.en, secrets), zh: hide(&text.zh, secrets) }
}

/// The names that a file gives to keys.
fn names_of_keys(text: &str) -> Vec<String> {
    let (mut names, mut table) = (Vec::new(), Vec::new());
    for line in text.lines().map(str::trim) {
        let path: Vec<String> = match (header(line), key_and_value(line)) {
            (Some(header), _) => {
                table = header;
                table.clone()
            }
            (None, Some((key, _))) => table.iter().cloned().chain(words(key)).collect(),
            (None, None) => continue,
        };
        if path.iter().zip(KEYS).all(|(word, part)| word == part) {
            names.extend(path.get(KEYS.len()).cloned());
        }
    }
    names
}

fn header(line: &str) -> Option<Vec<String>> {
    // Brackets and letters may be Chinese ones.
    let line = ascii::in_ascii(line);
    let name = line.strip_prefix('[')?.trim_start_matches('[');
    let name = name.split(']').next().filter(|_| line.contains(']') && !line.contains(['=', ',']))?;
    Some(words(name).collect())
}

fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(['=', '＝'])?;
    let plain = |c: char| c.is_alphanumeric() || "-_. \t\"'“”‘’".contains(c);
    key.chars().all(plain).then(|| (key, value.trim()))
}

fn words(path: &str) -> impl Iterator<Item = String> + '_ {
    path.split('.').map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase())
}

fn is_secret(path: &[String], value: &str) -> bool {
    let harmless = path.last().is_some_and(|key| HARMLESS.contains(&key.as_str()));
    let own = path.first().is_some_and(|first| first == FEATURE_CODES);
    let named = path.iter().any(|word| names_a_secret(word)) || in_secret_table(path);
    let inside = value.contains('{') && names_a_secret(value);
    let address = value.contains("://") && value.contains(['@', '?']) || parts(value).any(has_password);
    !own && (named && !harmless || inside || address)
}

/// `me:secret@host`, also in a SIP URI (RFC 3261 §19.1.1).
fn has_password(address: &str) -> bool {
    let address = ["sip:", "sips:", "tel:"].iter().find_map(|scheme| address.strip_prefix(scheme)).unwrap_or(address);
    address.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// Where a key's, a file's or a role's name belongs, somebody has put the secret itself.
fn looks_like_one(value: &str) -> bool {
    let plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "+/=_-".contains(c));
    let mixed = value.contains(|c: char| c.is_ascii_digit()) && value.contains(|c: char| c.is_ascii_alphabetic());
    let least = if value.contains(['_', '-', '/']) { LONGEST } else { LONG };
    value.starts_with("whsec_") || value.len() >= least && plain && mixed && !value.starts_with('/')
}

fn in_secret_table(path: &[String]) -> bool {
    TABLES.iter().any(|table| path.len() >= table.len() && path.iter().zip(*table).all(|(word, part)| word == part))
}

fn names_a_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    NAMES.iter().any(|name| text.contains(name))
}

/// The value as it stands there, and each word of it: a complaint may quote either.
fn note(value: &str, found: &mut Vec<String>) {
    found.extend(Some(value.to_owned()).filter(|value| value.len() >= SHORTEST));
    let parts = value.split(quotes).chain(parts(value)).map(str::trim);
    let parts = parts.filter(|part| part.len() >= SHORTEST && !HARMLESS.contains(part) && !NAMES.contains(part));
    found.extend(parts.map(str::to_owned));
}

fn quotes(c: char) -> bool {
    "\"'“”‘’".contains(c)
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| quotes(c) || c.is_whitespace() || "[]{},=【】［］＝，".contains(c)).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::layers::Layers;
    use super::super::{Finding, judged};
    use super::*;
    use crate::plan::Source;

    fn hidden(text: &str) -> String {
        hide(text, &of_text(text))
    }

    #[test]
    fn secrets_are_found_however_they_are_written() {
        for text in [
            "[http.tokens.a]\nsecret = 'S3CRET'",
            "[http.tokens.a]\nsecrte = \"S3CRET and more\"",
            "[http.tokens.a]\nroles = ['viewer']\nx = 'S3CRET'",
            "[http]\ntokens = { a = { roles = ['viewer'], secret = 'S3CRET' } }",
            "http.tokens.a.sha256 = \"S3CRET",
            "[http.tokens.a]\nsecret ＝ “S3CRET”",
            "[http.tokens.a]\nsecret: 'S3CRET'",
            "[http.tokens.a]\nsecret S3CRET",
            "[records.webhook]\nsecret = 'whsec_S3CRET!'",
            "[records.webhook]\nurl = 'http://a/?S3CRET'",
            "[records.webhook]\nproxy = 'http://me:S3CRET@192.0.2.1'",
            "[records.backends.a]\ncredentials = { tokn = 'S3CRET' }",
            "[records.backends.a.credentials]\nx = 'S3CRET'",
            "[records.backends.a]\ncredentials = {\n  x = 'S3CRET',\n  'S3CRET'\n}",
            "[records.keys.2026]\nsecret = \"\"\"\nS3CRET\n\"\"\"",
            "[records.keys]\n2026 = S3CRET123",
            "[node]\npassword = S3CRET",
            "S3CRET-and-nothing-else",
            "【http.tokens.a】\nsecret = 'S3CRET'",
            "［ｈttp．tokens.a］\nsecret = 'S3CRET'",
            "[recording]\nlink_key = 'S3CRET0123456789abcdef0123456789abcdef'",
            "[records]\nsealed_with = 'S3CRET0123456789abcdef0123456789abcdef'",
            "[http.tokens.a]\nfile = 'S3CRET0123456789abcdef0123456789abcdef'",
            "[records]\ncallers_by = \"whsec_S3CRET\"",
            "[records]\nsealed_with = 'S3CRET'",
            "[records]\nsealed_with = 'S3CRET word'\n[records.keys.other]\nfile = '/x'",
            "[http.tokens.a]\nroles = ['viewer', 'S3CRET0123456789']",
            "[http.tokens.a]\nroles = [\n  'viewer',\n  'S3CRET0123456789',\n]",
            "[http.tokens.a]\nenabled = S3CRET0123456789",
            "[http.tokens.S3CRET0123456789]\nroles = []",
            "[records.keys.S3CRET0123456789abcdef]\nfile = '/x'",
            "[records.webhook]\ntimeout = 2026-11-26T10:00:00 S3CRET0123456789",
            "[seats.s1]\naor = 'sip:s1:S3CRET@192.0.2.1'",
            "[trunks.x]\nhost = 'me:S3CRET@192.0.2.1'",
            "[[[\n[trunks.x]\nhost = 'http://me:S3CRET@192.0.2.1'\nport = = 1",
        ] {
            assert!(!hidden(text).contains("S3CRET"), "{text}\n{}", hidden(text));
        }
    }

    /// As `check`, the log of a start and the API's 422 tell it.
    fn told(site: &str, variables: &[(&str, &str)]) -> String {
        let all = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let layers = Layers::new(Some(Source::new("site.toml", site)), all);
        let findings = judged(&layers).map(|config| config.warnings).map_err(|findings| {
            let told = |finding: &Finding| [finding.told(), finding.warning()];
            findings.iter().flat_map(told).collect::<Vec<_>>()
        });
        format!("{:?}", findings.unwrap_or_else(|all| all))
    }

    #[test]
    fn no_complaint_quotes_a_secret_of_any_kind_anywhere() {
        let kinds = [
            "S3CRET0123456789",
            "S3CRETs3cretS3CRETs3cret",
            "whsec_S3CRETwebhook",
            "S3CRET0123456789abcdefS3CRET0123456789abcdef0123456789abcdef0123",
            "S3CRET+0123456789/abcdefghijklmnop=",
            "http://me:S3CRET@192.0.2.1:3128",
            "https://t.example/hook?key=S3CRET",
        ];
        let places = [
            "[http.tokens.a]\nroles = ['viewer']\nsecret = '@'\nfile = '@'",
            "[http.tokens.a]\nroles = ['@']\nsecret = '@'",
            "[http.tokens.a]\nroles = '@'",
            "[http.tokens.a]\nroles = ['viewer']\nsha256 = '@'",
            "[http.tokens.a]\nroles = ['viewer']\nenabled = '@'\nsecret = 'x'",
            "[http.tokens.a]\nroles = ['viewer']\nsecret = '@",
            "[http.tokens.a]\nroles = ['viewer'\nsecret = '@'",
            "[http.tokens.a]\nsecret = '@'\n= 1",
            "= 1\n[http.tokens.a]\nsecret = '@'",
            "[http.tokens.a]\nsecret = ['@', 1]",
            "[http.tokens.a]\nsecret = 2026-11-26T@",
            "[http.tokens.a]\nsecret ＝ “@”",
            "[http.tokens.a]\ntokne = '@'",
            "[http]\npublic_url = '@ x'",
            "[records]\nsealed_with = '@'",
            "[records]\ncallers_by = '@'",
            "[recording]\nlink_key = '@'",
            "[records.keys.k]\nsecret = '@'",
            "[records.keys.k]\nsecret = '@'\nfile = '@'",
            "[records.keys]\nk = '@'",
            "[records.webhook]\nurl = 'ftp@'\nproxy = '@'\nsecret = '@'",
            "[records.webhook]\ntimeout = '@'",
            "[records.webhook]\nprxy = '@'",
            "[records.backends.rt]\nprofile = 'request-tracker'\nurl = 'http://t/'\ncredentials = { tokn = '@' }",
            "[records.backends.rt]\nprofile = '@'\ncredentials = '@'",
            "[records.backends.rt]\nprofile = 'request-tracker'\n[records.backends.rt.credentials]\ntoken = ['@']",
        ];
        for kind in kinds {
            for place in places {
                let told = told(&place.replace('@', kind), &[]);
                assert!(!told.contains("S3CRET"), "{kind} in\n{place}\n{told}");
            }
            for variable in [
                "HOTLINE__HTTP__TOKENS__A__SECRET",
                "HOTLINE__HTTP__TOKENS__A__ROLES",
                "HOTLINE__HTTP__TOKENS__A__ENABLED",
                "HOTLINE__HTTP__TOKENS__A__TOKNE",
                "HOTLINE__RECORDS__SEALED_WITH",
                "HOTLINE__RECORDING__LINK_KEY",
                "HOTLINE__RECORDS__WEBHOOK__TIMEOUT",
                "HOTLINE__RECORDS__WEBHOOK__PROXY",
                "HOTLINE__RECORDS__KEYS__K__SECRET",
                "HOTLINE__RECORDS__BACKENDS__RT__CREDENTIALS",
                "HOTLINE_HTTP_TOKENS_A_SECRET",
                "HOTLINE_WHATEVER",
            ] {
                let told = told("", &[(variable, kind)]);
                assert!(!told.contains("S3CRET"), "{variable}={kind}\n{told}");
            }
        }
    }

    #[test]
    fn all_else_is_shown() {
        for text in [
            "[sip]\nlisten = ['127.0.0.1']\nunknwon_source = 'drop'",
            "[trunks.x]\nport = 'many'\ncodecs = ['PCMA',\n  'G729']",
            "[keys]\nswap = '*11'\n[keys.one_key]\n'*110#' = '110'",
            "[http.tokens.a]\nroles = ['viewr']\nenabled = 'maybe'\nfile = '/run/secrets/console'",
            "[records.backends.a]\nprofile = 'request-tracker'\ntimeout = '3 parsecs'",
            "［node］\nname = 'x'",
            "\u{feff}[node]\nname = 'x'",
            "[http.tokens.a]\nfile = '/run/secrets/0123456789abcdef0123456789abcdef'",
            "[recording]\nlink_key = 'links-of-2026'\n[records.keys.links-of-2026]\nfile = '/run/secrets/links'",
            "[seats.s1]\naor = 'sip:s1@192.0.2.1:5060'\naddress = '[2001:db8::1]:5060'",
        ] {
            assert_eq!(hidden(text), text);
        }
    }
}
