//! Secrets in the text of a configuration, found even where the text is broken, so that no complaint quotes one: complaints
//! show the line that they are about, and readers of TOML quote values of their own accord.

use crate::plan::letters;

/// Where everything is a secret but what is known to be none.
const TABLES: &[&[&str]] = &[&["http", "tokens"], &["records", "keys"], &["records", "backends"], &["records", "webhook"]];
const HARMLESS: &[&str] = &["all_events", "enabled", "file", "final_only", "link_key", "parallel", "profile", "roles", "timeout"];
/// Parts of the names of secrets, as people write and mistype them.
const NAMES: &[&str] = &["secr", "token", "passw", "pwd", "cred", "key", "sha256", "auth", "proxy"];
/// Feature codes on phones' keys.
const FEATURE_CODES: &str = "keys";
/// A shorter word is no secret, and may be any word of a complaint.
const SHORTEST: usize = 4;
/// A name is shorter, where it has letters and digits and nothing between them.
const LONG: usize = 32;
const HIDDEN: &str = "…";

/// Every secret of a file's text, the longest first.
pub fn of_text(text: &str) -> Vec<String> {
    let (mut found, mut table, mut before) = (Vec::new(), Vec::new(), true);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(header) = header(line) {
            (table, before) = (header, false);
            continue;
        }
        // A line that belongs to no key that could be read may belong to a secret.
        let (secret, value) = match key_and_value(line) {
            Some((key, value)) => {
                let path: Vec<String> = table.iter().cloned().chain(words(key)).collect();
                (is_secret(&path, value), value)
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
    is_secret(&path, value).then(|| value.to_owned()).filter(|value| !value.is_empty())
}

pub fn hide(text: &str, secrets: &[String]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), HIDDEN))
}

fn header(line: &str) -> Option<Vec<String>> {
    // Brackets and letters may be Chinese ones.
    let line = letters::in_ascii(line);
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
    let address = value.contains("://") && value.contains(['@', '?']);
    !own && (named && !harmless || inside || address || looks_like_one(value))
}

/// Where a key's, a file's or a role's name belongs, somebody has put the secret itself.
fn looks_like_one(value: &str) -> bool {
    let value = value.trim_matches(|c: char| "\"'“”‘’".contains(c));
    let plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "+/=_-".contains(c));
    let mixed = value.contains(|c: char| c.is_ascii_digit()) && value.contains(|c: char| c.is_ascii_alphabetic());
    value.starts_with("whsec_") || value.len() >= LONG && plain && mixed && !value.starts_with('/')
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
    let quotes = |c: char| "\"'“”‘’".contains(c);
    let breaks = |c: char| quotes(c) || c.is_whitespace() || "[]{},=".contains(c);
    let parts = value.split(quotes).chain(value.split(breaks)).map(str::trim);
    let parts = parts.filter(|part| part.len() >= SHORTEST && !HARMLESS.contains(part) && !NAMES.contains(part));
    found.extend(parts.map(str::to_owned));
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert!(!hidden(text).contains("S3CRET"), "{text}\n{}", hidden(text));
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
            "[recording]\nlink_key = 'links-of-2026'",
        ] {
            assert_eq!(hidden(text), text);
        }
    }
}
