//! The pages of documents, taken apart: their blocks of commands, their headings, and the names that stand in code marks.

use std::fs;
use std::path::{Path, PathBuf};

/// English pages in the order in which their commands are run; each of them but the last four is there in Chinese too.
pub const ENGLISH: &[&str] = &[
    "README.md",
    "docs/trunk.md",
    "docs/trunk-in-an-hour.md",
    "docs/dial-plan.md",
    "docs/operate.md",
    "docs/metrics.md",
    "docs/seats.md",
    "docs/figures.md",
    "docs/toolbar.md",
    "docs/recordings.md",
    "docs/tickets.md",
    "docs/journal.md",
    "docs/security.md",
    "docs/load-test.md",
    "docs/rfc.md",
    "docs/DEPENDENCIES.md",
    "docs/ARCHITECTURE.md",
    "docs/CONTRIBUTING.md",
];

pub struct Page {
    pub path: String,
    pub text: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Page {
    pub fn read(path: &str) -> Page {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        Page { path: path.to_owned(), text }
    }

    pub fn english() -> Vec<Page> {
        ENGLISH.iter().map(|path| Page::read(path)).collect()
    }

    pub fn chinese() -> Vec<Page> {
        ENGLISH[..ENGLISH.len() - 4].iter().map(|path| Page::read(&in_chinese(path))).collect()
    }

    /// The blocks of commands.
    pub fn blocks(&self) -> Vec<&str> {
        self.text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n")).collect()
    }

    /// Those that are run as they stand.
    pub fn run(&self) -> Vec<&str> {
        self.blocks().into_iter().filter_map(|block| block.strip_prefix("# $\n")).collect()
    }

    /// The text outside of blocks.
    pub fn prose(&self) -> String {
        self.text.split("```").step_by(2).collect()
    }

    pub fn headings(&self) -> Vec<String> {
        self.prose().lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect()
    }

    /// The names between code marks in the text.
    pub fn names(&self) -> Vec<String> {
        self.prose().split('`').skip(1).step_by(2).map(|name| name.replace('\n', " ")).collect()
    }

    /// The files that it links to.
    pub fn links(&self) -> Vec<PathBuf> {
        let prose = self.prose();
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let folder = root().join(&self.path).parent().unwrap().to_path_buf();
        targets.filter(|to| !to.starts_with("http")).map(|to| folder.join(to.split('#').next().unwrap())).collect()
    }
}

pub fn in_chinese(path: &str) -> String {
    format!("docs/zh/{}", path.trim_start_matches("docs/"))
}

pub fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..'\u{a000}').contains(&c)
}

/// A command without the remark after it.
pub fn bare(line: &str) -> &str {
    line.split(" # ").next().unwrap().trim_end()
}
