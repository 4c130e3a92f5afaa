//! Each message that people get is there in both of their languages, held by a look at the source: errors are the one type
//! that takes both, nobody goes around it, and the Chinese half is Chinese.

use std::fs;
use std::path::{Path, PathBuf};

/// Functions whose error is a string for programs and tests: (file, how many).
const STRINGS: &[(&str, usize)] = &[
    // Assertions of the simulation.
    ("src/call/watch.rs", 1),
    ("src/switch/audit.rs", 1),
    // The standard library's trait has it so; whoever reads a network says in both what is wrong.
    ("src/base/cidr.rs", 1),
    // These stand in the journal and the log.
    ("src/io/http/schemas.rs", 1),
    // The reason of a 400 goes to a peer.
    ("src/sip/parse.rs", 1),
    // A helper of tests.
    ("src/plan/mod.rs", 1),
];

/// A file of `src/` without its tests.
struct Source {
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    rust_files(&root.join("src"), &mut paths);
    paths.sort();
    assert!(paths.len() > 20, "src/ was not found");
    let of_tests = |path: &str| path.contains("/tests/") || path.ends_with("tests.rs") || path.ends_with("testing.rs");
    let named = paths.iter().map(|path| (path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), path));
    let read = |(name, path): (String, &PathBuf)| {
        let text = fs::read_to_string(path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        Source { path: name, text }
    };
    named.filter(|(name, _)| !of_tests(name)).map(read).collect()
}

fn rust_files(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, paths);
        } else if path.extension().is_some_and(|e| e == "rs") {
            paths.push(path);
        }
    }
}

fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..'\u{a000}').contains(&c)
}

/// The string literals at the beginning of this text, parted by commas.
fn literals(text: &str) -> Vec<String> {
    let (mut rest, mut found) = (text.trim_start(), Vec::new());
    while let Some(inside) = rest.strip_prefix('"') {
        let mut escaped = false;
        let end = inside.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { break };
        found.push(inside[..end].to_owned());
        rest = inside[end + 1..].trim_start().trim_start_matches(',').trim_start();
    }
    found
}

/// The words of a message, without what is put into it or quoted from a file.
fn words(text: &str) -> String {
    let plain = text.replace("{{", "").replace("}}", "");
    let parts = plain.split(['{', '}']).step_by(2);
    parts.collect::<String>().chars().filter(|c| c.is_alphabetic()).collect()
}

/// The mistakes in one message.
fn judge(en: &str, zh: &str) -> Option<&'static str> {
    match (words(en), words(zh)) {
        (en, _) if en.chars().any(is_chinese) => Some("Chinese in the English half"),
        // Names and marks are the same in both.
        (en, zh) if en == zh => None,
        (_, zh) if !zh.chars().any(is_chinese) => Some("no Chinese"),
        _ => None,
    }
}

#[test]
fn the_chinese_half_is_chinese() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for Source { path, text } in sources() {
        for (at, call) in text.match_indices("both!(").chain(text.match_indices("tell!(")) {
            let both = literals(&text[at + call.len()..]);
            let [en, zh, ..] = both.as_slice() else { continue };
            seen += 1;
            wrong.extend(judge(en, zh).map(|why| format!("{path}: {why}: {en:?} {zh:?}")));
        }
    }
    assert!(seen > 500, "{seen} messages");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The one way around the macro is for words that are not ours.
#[test]
fn words_of_ours_are_not_called_foreign() {
    let mut wrong = Vec::new();
    for Source { path, text } in sources() {
        for (at, call) in text.match_indices("Text::foreign(") {
            let inside = text[at + call.len()..].trim_start();
            let inside = inside.strip_prefix("format_args!(").or(inside.strip_prefix("format!(")).unwrap_or(inside);
            let said = literals(inside).first().map(|said| words(&said.replace("\\n", ""))).unwrap_or_default();
            // `HTTP` and the like are no word of either.
            if said.chars().any(char::is_lowercase) {
                wrong.push(format!("{path}: `{said}` is ours: write both!"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn errors_are_the_type_that_has_both() {
    let mut wrong = Vec::new();
    for Source { path, text } in sources() {
        let function = |line: &&str| line.contains("fn ") || line.trim().starts_with(')');
        let returned = text.lines().filter(function).filter_map(|line| line.split("-> Result<").nth(1));
        let ends = [", String>", ", &'static str>", ", Vec<String>>"];
        let found = returned.filter(|returned| ends.iter().any(|end| returned.contains(end))).count();
        let allowed = STRINGS.iter().find(|(file, _)| *file == path).map_or(0, |(_, count)| *count);
        if found != allowed {
            wrong.push(format!("{path}: {found} functions give an error as a string, {allowed} may"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Answers with words in them are `tell!`, and complaints go through `complain`.
#[test]
fn the_command_line_says_no_word_in_one_language() {
    let mut wrong = Vec::new();
    for Source { path, text } in sources().into_iter().filter(|source| source.path.starts_with("src/cli")) {
        for call in ["say!(", "println!(", "eprintln!("] {
            for (at, _) in text.match_indices(call) {
                if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                // Also heads of columns have both: a table takes each as a text.
                for said in literals(&text[at + call.len()..]).iter().map(|said| words(&said.replace("\\n", ""))) {
                    if !said.is_empty() {
                        wrong.push(format!("{path}: {call}\"{said}\""));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The judges themselves: a check that cannot fail would be worth nothing.
#[test]
fn the_checks_see_what_they_should() {
    assert_eq!(literals(" \"a \\\" b\",\n \"c\", d)"), ["a \\\" b", "c"]);
    assert_eq!(words("{name} is {0:04X}, not {{x}}"), "isnotx");
    assert!(judge("is empty", "is empty too").is_some() && judge("是空的", "是空的").is_some());
    assert!(judge("is empty", "是空的").is_none() && judge("{base}: {e}", "{base}：{e}").is_none());
    assert!(judge("HTTP {code}", "HTTP {code}").is_none() && judge("no", "").is_some());
}
