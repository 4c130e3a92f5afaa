//! Files that are damaged bit by bit, cut off, removed and replaced, at rest and in use: what is left is served and
//! delivered, what is lost is named, and nobody is told that all is well.

use super::*;
use crate::base::Rng;
use crate::io::journal::dead_letters::Decision;
use crate::io::journal::sqlite::mark::{Mark, log_of};
use crate::io::journal::{Health, damage};
use std::collections::BTreeSet;
use std::time::Instant;

const CALLS: u64 = 300;

fn path(dir: &TempDir) -> PathBuf {
    dir.path().join("var/journal.db")
}

/// Seeded anew each time, and told: a failure can be had again.
fn seeds(name: &str) -> impl Iterator<Item = u64> {
    let first = match std::env::var("DAMAGE_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => clock::now().wall.0 as u64,
    };
    (first..first + 5).inspect(move |seed| println!("{name}: DAMAGE_SEED={seed}"))
}

fn write(journal: &Journal, reports: &Receiver<Report>, from: u64, calls: u64) {
    for n in from..from + calls {
        assert!(journal.appender().append(2 * n, offered(n.into())));
        assert!(journal.appender().append(2 * n + 1, ended(n.into(), 2)));
    }
    durable(reports, 2 * (from + calls) - 1);
}

/// The files of a gateway that was killed: half of the calls in the database, the others in the log.
fn killed() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(options(&dir));
    write(&journal, &reports, 1, CALLS / 2);
    Connection::open(path(&dir)).unwrap().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    write(&journal, &reports, 1 + CALLS / 2, CALLS / 2);
    let copy = crashed(&dir);
    fs::copy(Mark::beside(&path(&dir)), Mark::beside(&path(&copy))).unwrap();
    copy
}

fn flip(file: &Path, bits: u64, rng: &mut Rng) {
    let mut bytes = fs::read(file).unwrap();
    for _ in 0..bits {
        let at = rng.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << rng.below(8);
    }
    fs::write(file, bytes).unwrap();
}

/// Calls of which all is there.
fn whole(dir: &TempDir) -> BTreeSet<CallId> {
    let reader = reader(dir);
    let all = reader.calls(None, u32::MAX).unwrap();
    all.into_iter()
        .filter(|call| reader.entries(*call, 10).unwrap().iter().any(|e| matches!(e.what, What::Ended { .. })))
        .collect()
}

/// Every call with a record that is still to be delivered, or was.
fn owed(dir: &TempDir) -> BTreeSet<CallId> {
    let due = reader(dir).due("webhook", Wall(i64::MAX), u32::MAX).unwrap();
    due.into_iter().map(|item| item.call).collect()
}

fn until(health: &Arc<Health>, what: impl Fn(&Health) -> bool) {
    let began = Instant::now();
    while !what(health) {
        assert!(began.elapsed() < SOON, "nobody has noticed");
        thread::sleep(Duration::from_millis(20));
    }
}

/// After all that: it is known, it is named, the rest is there, and the journal works.
fn judged(dir: &TempDir, least: usize) {
    let (journal, _, reports) = open(options(dir));
    let health = journal.appender().health();
    let began = Instant::now();
    while health.damaged() == 0 {
        assert!(began.elapsed() < SOON, "nobody has noticed: {:?}", reports.try_iter().next());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(health.obstacle().unwrap().en.contains("the journal is damaged in"));
    let (whole, owed) = (whole(dir), owed(dir));
    assert!(whole.len() >= least, "{} of {CALLS}", whole.len());
    assert!(whole.is_subset(&owed), "{:?}", whole.difference(&owed).collect::<Vec<_>>());
    journal.appender().append(1, offered(90_000));
    durable(&reports, 1);
    decide(&journal, Decision::DamageSeen);
    let named = damage(&path(dir)).unwrap();
    assert!(named.iter().any(|one| one.place == "journal" || one.call.is_some()), "{named:?}");
    health.look(&path(dir));
    assert_eq!(health.obstacle(), None, "somebody has looked");
    assert!(health.damaged() > 0);
    journal.close();
    let check = |db: Connection| db.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(check(Connection::open(path(dir)).unwrap()), "ok");
}

fn copy_of(killed: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("var")).unwrap();
    for file in fs::read_dir(killed.path().join("var")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join("var").join(file.file_name())).unwrap();
    }
    copy
}

#[test]
fn what_was_killed_is_whole_where_nothing_is_damaged() {
    let dir = killed();
    let (journal, recovered, _) = open(options(&dir));
    assert_eq!((recovered.interrupted.len(), journal.appender().health().damaged()), (0, 0));
    assert_eq!((whole(&dir).len(), owed(&dir).len()), (CALLS as usize, CALLS as usize));
}

#[test]
fn fifty_bits_of_the_database_cost_few_calls_and_are_noticed() {
    let sound = killed();
    // In the first of these a text has become sealed bytes.
    for seed in std::iter::once(1_795_680_877_060_777).chain(seeds("database")) {
        let dir = copy_of(&sound);
        flip(&path(&dir), 50, &mut Rng::from_number(seed));
        judged(&dir, CALLS as usize - 120);
        assert!(fs::read_dir(dir.path().join("var")).unwrap().count() >= 2);
    }
}

#[test]
fn bits_of_the_log_cost_no_more_than_their_pages() {
    let sound = killed();
    // In the first two the frame that commits is broken, and with it the whole second half was once given up.
    for seed in [1_795_680_704_110_461, 1_795_680_704_124_662].into_iter().chain(seeds("log")) {
        let dir = copy_of(&sound);
        flip(&log_of(&path(&dir)), 5, &mut Rng::from_number(seed));
        let (journal, _, _) = open(options(&dir));
        until(&journal.appender().health(), |health| health.damaged() > 0);
        drop(journal);
        judged(&dir, CALLS as usize - 40);
    }
}

#[test]
fn a_log_that_is_gone_cut_off_or_of_another_is_noticed() {
    let sound = killed();
    let log = |dir: &TempDir| log_of(&path(dir));
    let gone = copy_of(&sound);
    fs::remove_file(log(&gone)).unwrap();
    judged(&gone, CALLS as usize / 2);
    let cut = copy_of(&sound);
    let length = fs::metadata(log(&cut)).unwrap().len();
    fs::File::options().write(true).open(log(&cut)).unwrap().set_len(length / 2).unwrap();
    judged(&cut, CALLS as usize / 2);
    let other = copy_of(&sound);
    fs::copy(log(&killed()), log(&other)).unwrap();
    judged(&other, CALLS as usize / 2);
    let empty = copy_of(&sound);
    fs::write(log(&empty), "").unwrap();
    judged(&empty, CALLS as usize / 2);
}

#[test]
fn a_database_that_is_gone_empty_or_cut_off_is_set_aside() {
    let sound = killed();
    for (name, bytes) in [("empty", Some(Vec::new())), ("gone", None), ("half", Some(fs::read(path(&sound)).unwrap()))] {
        let dir = copy_of(&sound);
        match bytes {
            Some(bytes) => fs::write(path(&dir), &bytes[..bytes.len() / 2]).unwrap(),
            None => fs::remove_file(path(&dir)).unwrap(),
        }
        println!("{name}");
        // The log still has its half.
        judged(&dir, CALLS as usize / 2);
    }
    let head = copy_of(&sound);
    let mut bytes = fs::read(path(&head)).unwrap();
    bytes[..100].fill(0x55);
    fs::write(path(&head), bytes).unwrap();
    judged(&head, CALLS as usize);
}

#[test]
fn damage_is_noticed_while_it_runs_and_the_rest_goes_on() {
    for seed in seeds("running") {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _, reports) = open(options(&dir));
        let deliverer = journal.reader(Zone::default()).unwrap();
        write(&journal, &reports, 1, CALLS);
        Connection::open(path(&dir)).unwrap().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        flip(&path(&dir), 40, &mut Rng::from_number(seed));
        let health = journal.appender().health();
        until(&health, |health| health.damaged() > 0);
        write(&journal, &reports, CALLS + 1, 10);
        assert!(deliverer.calls(None, u32::MAX).unwrap().len() >= 10, "who had it open reads the new one");
        assert!(journal.appender().lost() == 0 && whole(&dir).len() >= CALLS as usize - 120, "{}", whole(&dir).len());
        journal.close();
    }
}

#[test]
fn files_that_vanish_in_use_cost_nothing() {
    for gone in ["journal.db-wal", "journal.db"] {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _, reports) = open(options(&dir));
        write(&journal, &reports, 1, 50);
        fs::remove_file(dir.path().join("var").join(gone)).unwrap();
        until(&journal.appender().health(), |health| health.damaged() > 0);
        write(&journal, &reports, 51, 50);
        journal.close();
        let whole = whole(&dir).len();
        assert!(whole == 100, "{gone}: {whole}");
    }
}

#[test]
fn a_log_that_is_cut_off_in_use_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(options(&dir));
    write(&journal, &reports, 1, 50);
    fs::File::options().write(true).open(log_of(&path(&dir))).unwrap().set_len(0).unwrap();
    until(&journal.appender().health(), |health| health.damaged() > 0);
    write(&journal, &reports, 51, 50);
    journal.close();
    assert!(whole(&dir).len() >= 50, "what came after it");
}

#[test]
fn one_damaged_entry_is_named_set_aside_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(options(&dir));
    write(&journal, &reports, 1, 3);
    let vandal = Connection::open(path(&dir)).unwrap();
    vandal.execute("UPDATE entries SET wall = wall + 1 WHERE call = ?1 AND seq = 1", [call(2).0.as_bytes()]).unwrap();
    drop(journal);
    let (journal, _, _) = open(options(&dir));
    until(&journal.appender().health(), |health| health.damaged() == 1);
    let named = damage(&path(&dir)).unwrap();
    assert_eq!((named[0].call.as_deref(), named[0].place.as_str()), (Some(call(2).to_string().as_str()), "entry 1"));
    let kept: String = vandal.query_row("SELECT row FROM damaged", [], |row| row.get(0)).unwrap();
    assert!(kept.contains("78787878"), "as it was, byte by byte: {kept}");
    assert_eq!(reader(&dir).records(None, 10).unwrap().len(), 3, "the call's other entry is served");
    assert_eq!(owed(&dir).len(), 3, "and delivered");
}
