//! A disk that can fail, and lose its power, under the journal of one gateway: `disk.c`, which stands between the program
//! and the system.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn build(folder: &Path) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/disk.c");
    let built = Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).arg(library(folder)).args([source, "-ldl"]).status();
    assert!(built.expect("cc (Debian: build-essential) is installed").success());
}

/// Settings that the shell gives before the program's name; nothing where the disk is a usual one.
pub fn settings(folder: &Path) -> String {
    let library = library(folder);
    if !library.exists() {
        return String::new();
    }
    format!("LD_PRELOAD='{}' HOTLINE_FAULT='{}'", library.display(), folder.join("fault").display())
}

/// From now on `sync` or `write` fails, recordings find the disk `full`, or nothing does.
pub fn fault(folder: &Path, what: &str) {
    fs::write(folder.join("fault.new"), what).unwrap();
    fs::rename(folder.join("fault.new"), folder.join("fault")).unwrap();
}

/// Bytes that only the system's memory held are lost.
pub fn lose_power(folder: &Path) {
    let var = folder.join("var");
    for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _ = fs::remove_file(var.join(name));
        let _ = fs::rename(var.join(format!("{name}.disk")), var.join(name));
    }
    // Files that are there now are on the disk.
    for name in ["journal.db", "journal.db-wal"] {
        let _ = fs::copy(var.join(name), var.join(format!("{name}.disk")));
    }
}

fn library(folder: &Path) -> PathBuf {
    folder.join("disk.so")
}
