//! Copies of the journal, whole ones and others: what is made of them, and what is said.

use super::*;
use crate::io::journal::dead_letters::{Decision, Selection};
use crate::io::journal::sqlite::mark::Mark;
use crate::io::journal::{backup, restore};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::AtomicBool;

fn path(dir: &TempDir) -> PathBuf {
    dir.path().join("var/journal.db")
}

/// With so many calls, each of two entries.
fn filled(calls: u64) -> (TempDir, Journal) {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(options(&dir));
    for n in 1..=calls {
        assert!(journal.appender().append(2 * n - 1, offered(n.into())));
        assert!(journal.appender().append(2 * n, ended(n.into(), 2)));
    }
    durable(&reports, 2 * calls);
    (dir, journal)
}

fn refused(path: &Path) -> [String; 2] {
    let read = Reader::open(path, Zone::default()).err().unwrap();
    let write = decide_alone(path, Arc::default(), &Decision::Retry(Selection::default())).err().unwrap();
    assert_eq!(read, write);
    let text = Text::from(read);
    [text.en, text.zh]
}

#[test]
fn a_backup_is_whole_private_and_overwrites_nothing() {
    let (dir, journal) = filled(50);
    let to = dir.path().join("backup.db");
    let copied = backup(journal.path(), &to).unwrap();
    assert_eq!((copied.calls, copied.entries, copied.gap), (50, 100, None));
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Reader::open(&to, Zone::default()).unwrap().records(None, 100).unwrap().len(), 50);
    assert_eq!(Reader::open(&to, Zone::default()).unwrap().gap().unwrap(), None, "nobody holds it");
    let before = fs::read(&to).unwrap();
    assert!(backup(journal.path(), &to).unwrap_err().to_string().contains("such a file already"));
    assert_eq!(fs::read(&to).unwrap(), before);
    std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
    assert!(backup(journal.path(), &dir.path().join("link")).is_err(), "nor is a link followed");
    assert!(backup(journal.path(), &dir.path().join("no/folder.db")).is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing half made is left: folder, backup, link");
}

#[test]
fn a_backup_under_load_is_of_one_moment_and_holds_nobody_up() {
    let (dir, journal) = filled(500);
    let (appender, stop) = (journal.appender(), Arc::new(AtomicBool::new(false)));
    let written = thread::spawn({
        let stop = stop.clone();
        move || {
            let mut n = 1000_u64;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                assert!(appender.append(2 * n - 1, offered(n.into())) && appender.append(2 * n, ended(n.into(), 2)));
                thread::sleep(Duration::from_micros(300));
            }
            n - 1000
        }
    });
    let mut sizes = Vec::new();
    for n in 0..5 {
        let to = dir.path().join(format!("backup-{n}.db"));
        let copied = backup(journal.path(), &to).unwrap();
        assert!(copied.entries >= 1000 && copied.calls >= 500, "{copied:?}");
        assert_eq!(Reader::open(&to, Zone::default()).unwrap().records(None, u32::MAX).unwrap().len() as u64, copied.calls);
        sizes.push(copied.calls);
    }
    stop.store(true, Ordering::Relaxed);
    let written = written.join().unwrap();
    assert!(sizes.is_sorted() && sizes[0] < sizes[4], "{sizes:?}");
    assert_eq!(journal.appender().lost(), 0);
    journal.close();
    assert_eq!(reader(&dir).calls(None, u32::MAX).unwrap().len() as u64, 500 + written);
}

#[test]
fn a_restored_journal_goes_on() {
    let (dir, journal) = filled(20);
    let to = dir.path().join("backup.db");
    backup(journal.path(), &to).unwrap();
    journal.appender().append(1000, offered(900));
    let held = restore(&to, &path(&dir), true).unwrap_err().to_string();
    assert!(held.contains("another gateway is writing it"), "{held}");
    journal.close();
    let there = restore(&to, &path(&dir), false).unwrap_err();
    assert!(there.to_string().contains("there is a journal already") && Text::from(there).zh.contains("已有日志数据库"));
    let copied = restore(&to, &path(&dir), true).unwrap();
    assert_eq!((copied.calls, reader(&dir).calls(None, 100).unwrap().len()), (20, 20));
    let aside = Reader::open(&copied.aside.unwrap(), Zone::default()).unwrap();
    assert_eq!((aside.calls(None, 100).unwrap().len(), aside.gap().unwrap()), (21, None), "kept, with all that it had");
    assert_eq!(reader(&dir).gap().unwrap(), None, "the mark of the other one says nothing about it");

    let (journal, _, reports) = open(options(&dir));
    journal.appender().append(1, offered(77));
    let Report::Fed(n) = wait(&reports, |report| matches!(report, Report::Fed(_))) else { unreachable!() };
    assert!(n > 1_000_000, "no number of the feed is used again: {n}");
    journal.close();
    // Into a folder where nothing is yet.
    let fresh = tempfile::tempdir().unwrap();
    restore(&to, &path(&fresh), false).unwrap();
    let (_journal, recovered, _) = open(options(&fresh));
    assert_eq!((recovered.interrupted.len(), reader(&fresh).records(None, 100).unwrap().len()), (0, 20));
}

#[test]
fn what_is_no_whole_copy_is_not_restored_and_changes_nothing() {
    let (dir, journal) = filled(200);
    let good = dir.path().join("good.db");
    backup(journal.path(), &good).unwrap();
    journal.close();
    let before = fs::read(path(&dir)).unwrap();
    let bytes = fs::read(&good).unwrap();
    let bad = dir.path().join("bad.db");
    let mut flipped = bytes.clone();
    // Some of it is what stood there before and is nothing now.
    flipped.chunks_exact_mut(300).filter(|chunk| chunk[..60] == [b'x'; 60]).for_each(|chunk| chunk[30] ^= 4);
    let files: [(&str, Vec<u8>); 5] = [
        ("it is empty", Vec::new()),
        ("it is cut off", bytes[..bytes.len() / 2].to_vec()),
        ("is damaged", flipped),
        ("not a database of ours", b"%PDF-1.7 and so on".repeat(500)),
        ("not a database of ours", bytes[4096..].to_vec()),
    ];
    for (what, file) in files {
        fs::write(&bad, file).unwrap();
        let told = restore(&bad, &path(&dir), true).map_or_else(|e| e.to_string(), |copied| format!("{copied:?}"));
        assert!(told.contains(what) && !dir.path().join("var/journal.db.part").exists(), "{what}: {told}");
    }
    fs::write(&bad, &bytes).unwrap();
    Connection::open(&bad).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(restore(&bad, &path(&dir), true).unwrap_err().to_string().contains("version 99"));
    assert!(restore(&dir.path().join("none.db"), &path(&dir), true).unwrap_err().to_string().contains("there is none"));
    assert_eq!(fs::read(path(&dir)).unwrap(), before);
}

#[test]
fn a_file_that_was_copied_without_its_log_says_so() {
    let (dir, journal) = filled(20);
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("var")).unwrap();
    fs::copy(path(&dir), path(&copy)).unwrap();
    let alone = reader(&copy);
    assert!(alone.calls(None, 100).unwrap().len() < 20);
    let gap = alone.gap().unwrap().unwrap();
    assert!(gap.en.contains("copied without its log") && gap.en.contains("it has 0 calls"), "{gap}");
    assert!(gap.zh.contains("没有带上日志文件"));
    // A reader leaves an empty log behind, and the next one is told the same.
    assert!(reader(&copy).gap().unwrap().is_some());
    let restored = tempfile::tempdir().unwrap();
    assert!(restore(&path(&copy), &path(&restored), false).unwrap().gap.is_some());
    assert_eq!(reader(&dir).gap().unwrap(), None, "and nobody is alarmed beside a running gateway");
    // A process that was killed leaves all three.
    let crashed = crashed(&dir);
    fs::copy(Mark::beside(&path(&dir)), Mark::beside(&path(&crashed))).unwrap();
    assert_eq!(reader(&crashed).gap().unwrap(), None);
    assert_eq!(reader(&crashed).calls(None, 100).unwrap().len(), 20);
    // And without the log the mark tells how much is gone.
    fs::remove_file(path(&crashed).with_extension("db-wal")).unwrap();
    let gap = reader(&crashed).gap().unwrap().unwrap();
    assert!(gap.en.contains("groups of entries are missing"), "{gap}");
    journal.close();
}

#[test]
fn every_reader_refuses_what_is_no_journal_of_this_release() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let told = |path: &Path, en: &str, zh: &str| {
        let [told, chinese] = refused(path);
        assert!(told.contains(en) && chinese.contains(zh), "{told}\n{chinese}");
    };
    told(&at("none.db"), "there is none", "没有这个文件");
    fs::write(at("empty.db"), "").unwrap();
    told(&at("empty.db"), "it is empty", "文件为空");
    fs::write(at("text.db"), "calls\n".repeat(1000)).unwrap();
    told(&at("text.db"), "another kind of file", "其他类型的文件");
    let other = Connection::open(at("other.db")).unwrap();
    other.execute_batch("CREATE TABLE calls (x); PRAGMA user_version = 75;").unwrap();
    told(&at("other.db"), "database of another program", "其他程序的数据库");
    let other = Connection::open(at("named.db")).unwrap();
    other.execute_batch("CREATE TABLE calls (x); PRAGMA application_id = 7; PRAGMA user_version = 8;").unwrap();
    told(&at("named.db"), "not a database of ours", "不是本系统");
    told(dir.path(), "it is no file", "不是文件");
    drop(other);
    let before = fs::read(at("other.db")).unwrap();
    let wrong = Journal::open(Options::new(at("other.db")), START, |_| ()).err().unwrap().to_string();
    assert!(wrong.contains("another program"), "{wrong}");
    assert_eq!(fs::read(at("other.db")).unwrap(), before, "a gateway puts nothing into it");

    let (journal, _, _) = open(options(&dir));
    journal.close();
    let version = |n: i64| Connection::open(path(&dir)).unwrap().pragma_update(None, "user_version", n).unwrap();
    version(12);
    told(&path(&dir), "it has version 12 and this release reads up to 11", "其版本为 12");
    assert!(backup(&path(&dir), &at("b.db")).unwrap_err().to_string().contains("version 12"));
    version(7);
    told(&path(&dir), "start the gateway once", "请启动一次网关");
}
