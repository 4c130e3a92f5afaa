//! The shape of the source, held by a test: which room may name which, what only the impure rooms may touch, how long files
//! and functions may be, and how comments begin. It reads the text as rustfmt leaves it; it needs no compiler.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod compose;
mod languages;
mod licences;
mod schemas;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room (a folder of `src/`) and what it may name. `event::Mode` allows that one name of a room.
const ROOMS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("event", &["base"]),
    ("sip", &["base"]),
    ("transport", &["base", "sip"]),
    ("transaction", &["base", "sip"]),
    ("ua", &["base", "sip", "transaction"]),
    ("dialog", &["base", "sip", "transaction", "ua"]),
    // Its decision's words stand in the record.
    ("plan", &["base", "event::Mode", "event::Phase"]),
    ("media", &["base"]),
    // Its words stand in its log.
    ("seat", &["base", "event"]),
    // A choice is explained, and a failure named, in the words of the log.
    ("queue", &["base", "event", "seat"]),
    ("call", &["base", "event", "sip", "dialog", "plan", "media", "queue"]),
    ("record", &["base", "event"]),
    // A conversation lasts as long as its record says.
    ("figure", &["base", "event", "record::timing"]),
    ("list", &["base", "event"]),
    ("control", &["base", "event", "call", "queue", "seat", "list::Refusal"]),
    (
        "switch",
        &[
            "base",
            "event",
            "sip",
            "transaction",
            "transport",
            "ua",
            "dialog",
            "plan",
            "media",
            "list",
            "seat",
            "queue",
            "call",
            "record",
            "control",
        ],
    ),
    // It makes what the switch is set up with, which is made of these rooms' settings.
    (
        "io",
        &[
            "base",
            "sip",
            "transport",
            "transaction::Config",
            "ua::Config",
            "ua::Login",
            "ua::registrar",
            "ua::registration",
            "dialog::Config",
            "dialog::Interval",
            "plan",
            "media",
            "list::Limits",
            "list::Refusal",
            "seat",
            "queue",
            "call::Policy",
            "call::Callers",
            "call::Messages",
            "call::Survey",
            "call::Waiting",
            "call::spoken",
            "event",
            "figure",
            "record",
            "control",
            "switch",
        ],
    ),
    ("trial", &["base", "figure", "sip", "transport", "ua", "dialog", "plan", "io"]),
    // It tells the words of the log in the reader's language.
    ("cli", &["base", "event::SeatWhat", "figure", "plan", "media", "record", "control", "io", "trial"]),
];

/// Each room of `io` (a file or folder of `src/io/`) and what it may name of the others. `engine` and `gateway` put the others
/// together.
const IO_ROOMS: &[(&str, &[&str])] = &[
    ("metrics", &[]),
    ("clock", &[]),
    ("process", &["clock", "metrics"]),
    ("inbox", &["clock"]),
    ("net", &["clock", "inbox", "process"]),
    ("shards", &["clock", "process"]),
    ("journal", &["clock", "metrics", "process"]),
    // A configuration's backends are judged by those who will deliver to them.
    ("config", &["clock", "deliver", "inbox", "metrics", "net", "process"]),
    ("deliver", &["clock", "config", "journal", "metrics", "net", "process"]),
    ("recorder", &["clock", "config", "journal", "metrics", "process", "shards::tap"]),
    ("figures", &["clock", "journal", "metrics", "process"]),
    ("seat_log", &["journal"]),
    ("http", &["clock", "config", "deliver", "figures", "inbox", "journal", "metrics", "process", "recorder::store", "seat_log"]),
    ("engine", &["clock", "inbox", "metrics", "net", "process"]),
    (
        "gateway",
        &[
            "clock", "config", "deliver", "engine", "figures", "http", "inbox", "journal", "metrics", "net", "process",
            "recorder", "seat_log", "shards",
        ],
    ),
];

/// Rooms whose files name each other in one direction alone. A folder and the files within it count as one side.
const WITHOUT_CIRCLES: &[&str] = &[
    "base",
    "cli",
    "control",
    "dialog",
    "io/clock",
    "io/config",
    "io/deliver",
    "io/http",
    "io/inbox",
    "io/net",
    "io/process",
    "io/recorder",
    "io/shards",
    "list",
    "media",
    "plan",
    "queue",
    "seat",
    "sip",
    "switch",
    "transaction",
    "transport",
    "trial",
    "ua",
];

/// Rooms that may ask the machine: clocks, sockets, files, threads, randomness.
const IMPURE_ROOMS: &[&str] = &["io", "cli", "trial"];

/// Names that no pure room may use.
const IMPURE: &[&str] = &[
    "Instant",
    "RandomState",
    "SystemTime",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "axum::",
    "crossbeam_channel",
    "dashmap",
    "nix::",
    "reqwest",
    "rusqlite",
    "socket2",
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
    "tokio",
];

/// Maps with an order of their own choosing: only `base::Map` wraps one.
const UNORDERED: &[&str] = &["HashMap", "HashSet"];
const UNORDERED_IN: &[&str] = &["src/base/map.rs"];

/// Calls that read a file. A file that an operator names is read in one place, which reads no device, no pipe and nothing
/// without a bound; the others read files that the program has made itself.
const READING: &[&str] = &["File::open", "fs::read", "read_to_string"];
const READING_IN: &[&str] = &[
    "src/io/process/audit.rs",
    "src/io/clock/mod.rs",
    "src/io/process/files.rs",
    "src/io/http/recordings.rs",
    "src/io/recorder/finalizer.rs",
    "src/io/journal/sqlite/identity.rs",
    "src/trial/gateway.rs",
    "src/trial/mod.rs",
];

/// Ways to start a thread or a task. Those of the gateway are started where each panic has an answer, a counter and a bounded
/// cost.
const STARTING: &[&str] =
    &["thread::Builder", "thread::spawn", "tokio::spawn", "task::spawn", "spawn_blocking", "spawn_local", ".spawn("];
const STARTING_IN: &str = "src/io/process/threads.rs";

/// Ways to the terminal. One place writes there: it shows all of what others chose, none of which acts, and it does not panic
/// when nobody reads on. The log has another.
const PRINTING: &[&str] = &["print!", "println!", "eprint!", "eprintln!", "stdout()", "stderr()"];
const PRINTING_IN: &[&str] = &["src/cli/mod.rs", "src/io/process/log.rs"];

/// Words that mark unfinished or silenced work.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "TODO", "FIXME", "dbg!", "#[ignore]"];

/// Words with which a comment would begin as a question, or as half a sentence. It begins with its subject instead, or with
/// the verb of what it stands on: "The seat that …", "True when …", "Tells whether …".
const NO_SUBJECTS: &[&str] = &[
    "What", "Who", "Whose", "Whom", "Whether", "Which", "Of", "By which", "By whom", "So many", "So often", "So long", "How many",
];
/// Folders with comments, besides the files at the root.
const COMMENTED: &[&str] = &[".ci", "config", "dialplans", "src", "tests"];

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

/// (file, lines) and (file, function, lines) that are longer than the limit. A figure may only go down: shorten the
/// code, then the figure, and delete the row when it fits.
const LONG_FILES: &[(&str, usize)] = &[];
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

/// One file of `src/`, read once.
struct Source {
    /// From the root of the repository: `src/sip/uri.rs`.
    path: String,
    room: String,
    lines: Vec<String>,
}

impl Source {
    /// Line numbers and text without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines.iter().enumerate().map(|(i, line)| (i + 1, line.find("//").map_or(line.as_str(), |at| &line[..at])))
    }
}

#[test]
fn rooms_name_only_what_they_may() {
    let mut wrong = Vec::new();
    for source in sources() {
        if source.room == "lib" || source.room == "main" {
            continue;
        }
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == source.room) else {
            wrong.push(format!("{}: room `{}` is not in the table", source.path, source.room));
            continue;
        };
        for (number, line) in source.code() {
            for named in named_rooms(line) {
                if !is_allowed(&source.room, allowed, named) {
                    wrong.push(format!("{}:{number}: `{}` may not name `{named}`", source.path, source.room));
                }
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn rooms_of_io_name_only_what_they_may() {
    let mut wrong = Vec::new();
    let ours = |source: &&Source| source.room == "io" && source.path != "src/io/mod.rs" && !source.path.contains("tests");
    for source in sources().iter().filter(ours) {
        let room = source.path.split('/').nth(2).unwrap_or_default().trim_end_matches(".rs");
        let Some((_, allowed)) = IO_ROOMS.iter().find(|(known, _)| *known == room) else {
            wrong.push(format!("{}: room `{room}` of io is not in the table", source.path));
            continue;
        };
        let code: Vec<&str> = source.code().map(|(_, line)| line).take_while(|line| !line.contains("#[cfg(test)]")).collect();
        let text = code.join("\n");
        // A file right in `src/io` has the other rooms beside it.
        let beside = if source.path.split('/').count() == 3 { &["crate::io::", "super::"][..] } else { &["crate::io::"] };
        let named = beside.iter().flat_map(|before| named_after(&text, before));
        for named in named.filter(|named| !is_allowed(room, allowed, named)) {
            wrong.push(format!("{}: `{room}` may not name `{named}`", source.path));
        }
    }
    assert_none(&wrong);
}

#[test]
fn no_files_of_a_room_name_each_other_in_a_circle() {
    let sources = sources();
    let mut wrong = Vec::new();
    for room in WITHOUT_CIRCLES {
        let folder = format!("src/{room}/");
        let of_room = sources.iter().filter(|source| source.path.starts_with(&folder) && !source.path.contains("tests"));
        let files: Vec<(String, String)> = of_room.map(|source| (module(&source.path), without_tests(source))).collect();
        assert!(files.len() > 1, "src/{room} was not found");
        wrong.extend(circle(&named_files(&files)).map(|circle| format!("src/{room}: {circle}")));
    }
    assert_none(&wrong);
}

#[test]
fn only_impure_rooms_touch_the_machine() {
    let mut wrong = Vec::new();
    for source in sources() {
        if IMPURE_ROOMS.contains(&source.room.as_str()) || source.room == "main" {
            continue;
        }
        let unordered = if UNORDERED_IN.contains(&source.path.as_str()) { &[] } else { UNORDERED };
        for (number, line) in source.code() {
            for word in IMPURE.iter().chain(unordered).filter(|word| has_word(line, word)) {
                wrong.push(format!("{}:{number}: `{word}` in a pure room", source.path));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn files_are_read_in_one_place() {
    used_in(READING, READING_IN, "instead of `io::process::files`");
}

#[test]
fn the_terminal_is_written_to_in_one_place() {
    used_in(PRINTING, PRINTING_IN, "instead of `say!`, `tell!` or `complain`");
}

/// A second engine can stand beside the journal's database as long as nobody else speaks to it.
#[test]
fn sql_stands_in_one_folder() {
    const FOLDER: &str = "src/io/journal/sqlite/";
    const SQL: &[&str] = &["rusqlite", "SELECT", "INSERT", "PRAGMA", "DELETE FROM", "CREATE TABLE", "ALTER TABLE"];
    let sources = sources();
    assert!(sources.iter().any(|source| source.path.starts_with(FOLDER)), "{FOLDER} was not found");
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| !source.path.starts_with(FOLDER) && !source.path.contains("tests")) {
        for (number, line) in source.code() {
            for word in SQL.iter().filter(|word| has_word(line, word)) {
                wrong.push(format!("{}:{number}: `{word}` outside of {FOLDER}", source.path));
            }
        }
    }
    assert_none(&wrong);
}

/// Finds these words outside of tests in other files than these.
fn used_in(words: &[&str], allowed: &[&str], instead: &str) {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !allowed.contains(&source.path.as_str()) && !source.path.contains("tests")) {
        for (number, line) in source.code().take_while(|(_, line)| !line.contains("#[cfg(test)]")) {
            for word in words.iter().filter(|word| has_word(line, word)) {
                wrong.push(format!("{}:{number}: `{word}` {instead}", source.path));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn threads_and_tasks_are_started_in_one_place() {
    let mut wrong = Vec::new();
    let ours = |source: &&Source| source.room == "io" && source.path != STARTING_IN && !source.path.contains("tests");
    for source in sources().iter().filter(ours) {
        let code = source.code().take_while(|(_, line)| !line.contains("#[cfg(test)]"));
        for (number, line) in code.filter(|(_, line)| !line.contains("threads::")) {
            for word in STARTING.iter().filter(|word| line.contains(**word)) {
                wrong.push(format!("{}:{number}: `{word}` instead of `io::process::threads`", source.path));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn files_and_functions_are_short() {
    let mut wrong = Vec::new();
    for source in sources() {
        let excused = LONG_FILES.iter().find(|(path, _)| *path == source.path).map(|(_, lines)| *lines);
        wrong.extend(judge(&source.path, source.lines.len(), FILE_LINES, excused));
        for (name, lines) in functions(&source.lines) {
            let excused = LONG_FUNCTIONS.iter().find(|(path, function, _)| *path == source.path && *function == name);
            let what = format!("{}: fn {name}", source.path);
            wrong.extend(judge(&what, lines, FUNCTION_LINES, excused.map(|(_, _, lines)| *lines)));
        }
    }
    assert_none(&wrong);
}

#[test]
fn excuses_name_something_that_exists() {
    let sources = sources();
    let find = |path: &str| sources.iter().find(|source| source.path == path);
    for (path, _) in LONG_FILES {
        assert!(find(path).is_some(), "{path} is gone: delete its row");
    }
    for (path, name, _) in LONG_FUNCTIONS {
        let there = find(path).is_some_and(|source| functions(&source.lines).iter().any(|(n, _)| n == name));
        assert!(there, "{path}: fn {name} is gone: delete its row");
    }
}

#[test]
fn nothing_is_left_unfinished() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in source.lines.iter().enumerate() {
            for word in UNFINISHED.iter().filter(|word| has_word(line, word)) {
                wrong.push(format!("{}:{}: {word}", source.path, number + 1));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn comments_begin_with_their_subject() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_file());
    COMMENTED.iter().for_each(|folder| files(&root.join(folder), &mut paths));
    paths.sort();
    let mut wrong = Vec::new();
    for (path, marker) in paths.iter().filter_map(|path| Some((path, marker(path)?))) {
        let bytes = fs::read(path).unwrap();
        for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            if let Some(word) = comment(line, marker).and_then(begins_without_subject) {
                let path = path.strip_prefix(root).unwrap().display();
                wrong.push(format!(
                    "{path}:{}: a comment begins with `{word}`: write a sentence with its subject first",
                    number + 1
                ));
            }
        }
    }
    assert_none(&wrong);
}

/// The judges themselves: a check that cannot fail would be worth nothing.
#[test]
fn the_checks_see_what_they_should() {
    assert_eq!(named_rooms("use crate::sip::{Method, Uri};"), ["sip::"]);
    assert_eq!(named_rooms("fn f(e: &crate::call::event::Entry, s: crate::base::Now)"), ["call::event::Entry", "base::Now"]);
    assert_eq!(named_rooms("use crate::{sip, base};"), ["{"]);
    assert!(is_allowed("record", &["call::event"], "call::event::Entry"));
    assert!(!is_allowed("record", &["call::event"], "call::Leg"));
    assert!(!is_allowed("record", &["call::event"], "call::events::Leg"));
    assert!(has_word("use std::fs;", "std::fs") && !has_word("use std::fsx;", "std::fs"));
    assert!(has_word("    println!(\"x\")", "println!") && !has_word("eprintln!()", "println!"));
    assert!(has_word("std::time::Instant::now()", "Instant") && !has_word("Instantly", "Instant"));
    let tree = |files: [(&str, &str); 3]| circle(&named_files(&files.map(|(name, text)| (name.to_string(), text.to_string()))));
    let found = tree([("a::b", "use crate::a::{X, c::{self, Y}};"), ("a::c", "super::d::f();"), ("a::d", "crate::a::b::Z")]);
    assert_eq!(found.as_deref(), Some("a::b names a::c names a::d names a::b"));
    assert_eq!(tree([("a", "use crate::a::b::X;"), ("a::b", "use crate::a::Y;"), ("a::b::c", "use super::Z;")]), None);
    let text = ["fn a() {", "    x();", "}", "impl B {", "    pub fn b(", "        &self,", "    ) {", "    }", "}"];
    let lines: Vec<String> = text.iter().map(ToString::to_string).collect();
    assert_eq!(functions(&lines), [("a".to_string(), 3), ("b".to_string(), 4)]);
    assert!(judge("x", 501, 500, None).is_some() && judge("x", 500, 500, None).is_none());
    assert!(judge("x", 501, 500, Some(501)).is_none() && judge("x", 502, 500, Some(501)).is_some());
    assert!(judge("x", 500, 500, Some(501)).is_some());
    let begins = |line, marker| comment(line, marker).and_then(begins_without_subject);
    for line in
        ["/// What it is.", "    //! Whether it is so.", "call(); // By which it goes.", "a(\"//\"); // Who calls: they do."]
    {
        assert!(begins(line, "//").is_some(), "{line}");
    }
    for line in
        ["/// Whatever it is, it works.", "/// Tells whether it is so.", "let url = \"// What\";", "What::Ended // It is over."]
    {
        assert_eq!(begins(line, "//"), None, "{line}");
    }
    assert_eq!((begins("a = 1 # Of these", "#"), begins("a = \"# Of these\"", "#")), (Some("Of"), None));
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    files(&root.join("src"), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "rs"));
    paths.sort();
    assert!(paths.len() > 20, "src/ was not found");
    paths.iter().map(|path| read(root, path)).collect()
}

fn files(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, paths);
        } else {
            paths.push(path);
        }
    }
}

fn read(root: &Path, path: &Path) -> Source {
    let path_text = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
    let room = path_text.split('/').nth(1).unwrap().trim_end_matches(".rs").to_string();
    Source { path: path_text, room, lines: fs::read_to_string(path).unwrap().lines().map(String::from).collect() }
}

/// The mark that begins a comment in such a file; scripts have no ending to their names.
fn marker(path: &Path) -> Option<&'static str> {
    match path.extension().map(|ending| ending.to_str().unwrap_or_default()) {
        Some("rs") => Some("//"),
        None | Some("toml" | "yml" | "py" | "service") => Some("#"),
        Some(_) => None,
    }
}

/// The text of the comment in a line, if one stands there outside quotation marks.
fn comment<'a>(line: &'a str, marker: &str) -> Option<&'a str> {
    let apart = |before: &str| before.chars().next_back().is_none_or(char::is_whitespace);
    let begins = |at: &usize| apart(&line[..*at]) && line[..*at].matches('"').count().is_multiple_of(2);
    let at = line.match_indices(marker).map(|(at, _)| at).find(begins)?;
    Some(line[at..].trim_start_matches(['/', '#', '!', ' ']))
}

fn begins_without_subject(comment: &str) -> Option<&'static str> {
    let whole = |rest: &str| !rest.starts_with(char::is_alphanumeric);
    NO_SUBJECTS.iter().find(|word| comment.strip_prefix(**word).is_some_and(whole)).copied()
}

/// The path that follows each `crate::` in a line, up to its end.
fn named_rooms(line: &str) -> Vec<&str> {
    let after = line.match_indices("crate::").map(|(at, found)| &line[at + found.len()..]);
    after.map(|rest| if rest.starts_with('{') { "{" } else { path_prefix(rest) }).collect()
}

/// The paths that follow this in a text; those of a list in braces each for itself.
fn named_after(text: &str, before: &str) -> Vec<String> {
    text.split(before).skip(1).flat_map(paths_of).collect()
}

/// `src/dialog/tests/one.rs` is the module `dialog::tests::one`.
fn module(path: &str) -> String {
    path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::")
}

/// A file's code without its last part, where its tests stand.
fn without_tests(source: &Source) -> String {
    let code: Vec<&str> = source.code().map(|(_, line)| line).collect();
    let code = code.join("\n");
    code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_string()
}

/// The files that each file names, but for those that it stands in and that stand in it.
fn named_files(files: &[(String, String)]) -> BTreeMap<&str, BTreeSet<&str>> {
    let within =
        |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    let mut named = BTreeMap::new();
    for (file, text) in files {
        let above = file.rsplit_once("::").map_or("", |(above, _)| above);
        let mut paths: Vec<String> = text.split("crate::").skip(1).flat_map(paths_of).collect();
        let beside = text.split("super::").skip(1).flat_map(paths_of);
        paths.extend(beside.map(|path| format!("{above}::{path}")));
        // The longest file whose name the path begins with.
        let find =
            |path: &String| files.iter().map(|(name, _)| &**name).filter(|name| within(path, name)).max_by_key(|name| name.len());
        let apart = |name: &&str| !within(name, file) && !within(file, name);
        named.insert(&**file, paths.iter().filter_map(find).filter(apart).collect());
    }
    named
}

/// All paths that a text begins with: `a::{b, c::{self, d}}` are `a::b`, `a::c::self` and `a::c::d`.
fn paths_of(text: &str) -> Vec<String> {
    let start = path_prefix(text);
    let Some(list) = text[start.len()..].strip_prefix('{') else { return vec![start.to_string()] };
    let mut depth = 0;
    let within = list.char_indices().find(|(_, c)| {
        depth += i32::from(*c == '{') - i32::from(*c == '}');
        depth < 0
    });
    let list = &list[..within.map_or(list.len(), |(end, _)| end)];
    let mut depth = 0;
    let parts = list.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    parts.flat_map(|part| paths_of(part.trim())).map(|path| format!("{start}{path}")).collect()
}

/// The first circle, in words.
fn circle(named: &BTreeMap<&str, BTreeSet<&str>>) -> Option<String> {
    named.keys().find_map(|start| {
        let mut ways: Vec<Vec<&str>> = vec![vec![start]];
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop() {
            for next in named.get(way.last()?).into_iter().flatten() {
                if next == start {
                    return Some([&way[..], &[next]].concat().join(" names "));
                }
                if seen.insert(*next) {
                    ways.push([&way[..], &[next]].concat());
                }
            }
        }
        None
    })
}

fn path_prefix(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    &text[..end]
}

fn is_allowed(room: &str, allowed: &[&str], named: &str) -> bool {
    let within = |outer: &str| named == outer || named.strip_prefix(outer).is_some_and(|rest| rest.starts_with("::"));
    within(room) || allowed.iter().any(|outer| within(outer))
}

fn has_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_name);
        let after = line[at + word.len()..].chars().next().is_some_and(is_name);
        !(before || after && word.ends_with(is_name))
    })
}

/// (name, lines) of each function: from its `fn` line to the closing brace at the same indentation.
fn functions(lines: &[String]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let close = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let ends_here = line.ends_with('}') || line.ends_with(';');
        let length = lines[start..].iter().position(|l| *l == close).map_or(1, |n| n + 1);
        found.push((name.to_string(), if ends_here { 1 } else { length }));
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    const BEFORE: &[&str] = &["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe"];
    let mut words = line.split_whitespace().skip_while(|word| BEFORE.contains(word));
    (words.next() == Some("fn")).then(|| words.next().unwrap_or("")).map(|w| w.split(['(', '<']).next().unwrap_or(w))
}

fn judge(what: &str, lines: usize, limit: usize, excused: Option<usize>) -> Option<String> {
    match excused {
        None if lines > limit => Some(format!("{what}: {lines} lines, at most {limit}")),
        Some(figure) if lines > figure => Some(format!("{what}: {lines} lines, its figure is {figure} and may only go down")),
        Some(_) if lines <= limit => Some(format!("{what}: fits now ({lines} lines): delete its row")),
        _ => None,
    }
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
