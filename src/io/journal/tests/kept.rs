//! Tests of what is kept and how: entries sealed, callers found by their hash, calls purged some time after their delivery.

use super::*;
use crate::io::journal::Caller;
use crate::io::journal::dead_letters::{Decision, Selection};
use crate::io::journal::search::Search;
use crate::record::amendment::Update;
use crate::record::delivery::Settlement;
use crate::record::seal::Sealer;
use std::collections::BTreeMap;

const NUMBER: &str = "13812345678";

fn sealer(keys: &[(&str, u8)], current: &str) -> Arc<Sealer> {
    let keys: BTreeMap<_, _> = keys.iter().map(|(name, byte)| (name.to_string(), [*byte; 32])).collect();
    Arc::new(Sealer::new(&keys, Some(current), Some(&[7; 32])))
}

fn offered_by(n: u128, caller: &str) -> Entry {
    let offered =
        Offered { leg: 1, caller: Some(caller.into()), caller_raw: caller.into(), node: "a".into(), ..Offered::default() };
    entry(n, 1, What::Offered(Box::new(offered)))
}

fn path(dir: &TempDir) -> PathBuf {
    dir.path().join("var/journal.db")
}

fn store(dir: &TempDir, sealer: Arc<Sealer>) -> Result<sqlite::Store, Error> {
    fs::create_dir_all(dir.path().join("var")).unwrap();
    sqlite::Store::open(&path(dir), None, options(dir).outbox)?.sealing(sealer)
}

fn append(store: &mut sqlite::Store, entries: &[Entry]) {
    store.transaction(|tx| entries.iter().try_for_each(|entry| tx.append(entry))).unwrap();
}

/// Everything that the disk has of it.
fn bytes(dir: &TempDir) -> Vec<u8> {
    Connection::open(path(dir)).unwrap().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    fs::read_dir(dir.path().join("var")).unwrap().flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn sealed_entries_show_nothing_and_outlive_a_change_of_keys() {
    let dir = tempfile::tempdir().unwrap();
    append(&mut store(&dir, Arc::default()).unwrap(), &[offered_by(1, "12345000000"), ended(1, 2)]);
    let (old, both) = (sealer(&[("old", 1)], "old"), sealer(&[("old", 1), ("new", 2)], "new"));
    append(&mut store(&dir, old.clone()).unwrap(), &[offered_by(2, NUMBER), ended(2, 2)]);
    append(&mut store(&dir, both.clone()).unwrap(), &[offered_by(3, NUMBER), ended(3, 2)]);
    let disk = bytes(&dir);
    assert!(holds(&disk, "12345000000") && !holds(&disk, NUMBER), "sealed from the second call on");

    let all = reader(&dir).unsealing(both).records(None, 10).unwrap();
    let callers: Vec<_> = all.iter().filter_map(|record| record.caller.as_deref()).collect();
    assert_eq!(callers, [NUMBER, NUMBER, "12345000000"]);
    assert!(reader(&dir).unsealing(old.clone()).record(call(2)).is_ok());
    let missing = reader(&dir).unsealing(old).record(call(3)).unwrap_err().to_string();
    assert!(missing.contains("sealed with the key `new`, which is not in [records.keys]"), "{missing}");
    assert!(reader(&dir).record(call(2)).is_err() && reader(&dir).record(call(1)).is_ok());
    let wrong = store(&dir, sealer(&[("old", 1), ("new", 3)], "new")).err().unwrap().to_string();
    assert!(wrong.contains("`new` of [records.keys] is not the key"), "{wrong}");
}

/// One needle for each kind of what is told of a call: in the clear on the disk without a key, and nowhere with one.
#[test]
fn what_others_tell_is_sealed_too() {
    let needles = ["GD-needle", "https://t.example/needle", "source-needle", "subject-needle", "13899990000"];
    let tell = |store: &mut sqlite::Store| {
        let linked =
            Update::Linked { backend: "rt".into(), id: needles[0].into(), url: Some(needles[1].into()), instead_of: None };
        let updates = vec![linked, Update::Surveyed { score: 1, scale: 3, source: needles[2].into() }];
        let callback = Callback { backend: "rt".into(), id: "m".into(), seal: None, sent: START, call: call(1), updates };
        let tagging = Tagging { call: call(1), subjects: vec![needles[3].into()], backends: Vec::new(), by: "desk".into() };
        let report = serde_json::json!({ "source": "tax", "line": "", "mode": "", "unit": null, "tickets": [], "area_name": null,
            "plan": "", "plan_revision": "", "node": "a", "report": { "id": "1", "hotline": "12366", "caller": needles[4],
            "start": "2021-12-01T08:00:00+08:00", "ended": "2021-12-01T08:03:00+08:00", "result": "answered" } });
        let reported = entry(2, 1, What::Reported(serde_json::from_value(report).unwrap()));
        store
            .transaction(|tx| {
                tx.append(&offered_by(1, NUMBER))?;
                tx.called_back(&callback, START, START, Duration::MAX)?;
                tx.tagged(&tagging, START)?;
                tx.report(&reported).map(drop)
            })
            .unwrap();
    };
    let (plain, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let key = sealer(&[("k", 1)], "k");
    // Both stay open: the log goes with the last who has it open.
    let (mut open, mut sealing) = (store(&plain, Arc::default()).unwrap(), store(&dir, key.clone()).unwrap());
    [&mut open, &mut sealing].into_iter().for_each(tell);
    // The log is read before what it holds goes into the file, and after.
    let log = |dir: &TempDir| fs::read(path(dir).with_extension("db-wal")).unwrap_or_default();
    for (clear, hidden) in [(log(&plain), log(&dir)), (bytes(&plain), bytes(&dir))] {
        for needle in needles {
            assert!(holds(&clear, needle) && !holds(&hidden, needle), "{needle}");
        }
    }
    let record = reader(&dir).unsealing(key).record(call(1)).unwrap().unwrap();
    assert_eq!((record.tickets.len(), record.survey.is_some(), record.subjects), (1, true, vec![needles[3].to_owned()]));
    assert!(reader(&dir).record(call(1)).is_err(), "without the key nobody is told half of it");
}

#[test]
fn after_a_clean_stop_the_file_alone_has_everything() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(Options::new(path(&dir)), START, |_| ()).unwrap();
    // Others read it until the end.
    let _reader = journal.reader(Zone::default()).unwrap();
    assert!(journal.appender().append(1, offered_by(1, NUMBER)));
    journal.close();
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir_all(path(&copy).parent().unwrap()).unwrap();
    fs::copy(path(&dir), path(&copy)).unwrap();
    assert_eq!(reader(&copy).calls(None, 10).unwrap(), [call(1)]);
}

/// A recipe that runs its parts together signs the same text when digits move from one part to the next.
#[test]
fn a_message_is_known_by_what_was_signed_however_it_is_parted() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(&dir, Arc::default()).unwrap();
    append(&mut store, &[offered_by(1, NUMBER)]);
    let mut tell = |id: &str, seal: &str, sent: Wall, score: u8| {
        let updates = vec![Update::Surveyed { score, scale: 5, source: "plat".into() }];
        let callback = Callback { backend: "plat".into(), id: id.into(), seal: Some(seal.into()), sent, call: call(1), updates };
        let mut taken = None;
        store.transaction(|tx| tx.called_back(&callback, START, START, Duration::MAX).map(|it| taken = Some(it))).unwrap();
        taken.unwrap()
    };
    assert_eq!(tell("n1", "abc", START, 1), Acceptance::New(call(1)));
    assert_eq!(tell("n2", "def", START, 5), Acceptance::New(call(1)));
    assert_eq!(tell("000n1", "abc", Wall(START.0 / 1_000_000 * 1_000_000), 1), Acceptance::Replayed);
    assert_eq!(tell("n1", "abc", START, 1), Acceptance::Replayed);
    assert_eq!(tell("n1", "ghi", Wall(START.0 + 1), 1), Acceptance::Known(call(1)), "sent again");
    drop(store);
    assert_eq!(reader(&dir).record(call(1)).unwrap().unwrap().survey.unwrap().score, 5);
}

fn caller(number: &str) -> Caller {
    Caller { number: number.into(), written: format!("+86{number}") }
}

#[test]
fn a_caller_is_found_by_the_index_as_by_reading_all() {
    let dir = tempfile::tempdir().unwrap();
    let sealer = sealer(&[("k", 1)], "k");
    let as_written = format!("+86{NUMBER}");
    let calls = [offered_by(1, NUMBER), offered_by(2, "110"), offered_by(3, &as_written)];
    append(&mut store(&dir, sealer.clone()).unwrap(), &calls);
    let calls_of = |reader: Reader, limit| {
        let found = reader.search(&Search { caller: Some(caller(NUMBER)), limit, look: u32::MAX, ..Search::default() }).unwrap();
        found.records.into_iter().map(|record| record.call_id.parse().unwrap()).collect::<Vec<CallId>>()
    };
    let by_index = calls_of(reader(&dir).unsealing(sealer), 10);
    assert_eq!(by_index, [call(3), call(1)]);
    let plain = tempfile::tempdir().unwrap();
    append(&mut store(&plain, Arc::default()).unwrap(), &calls);
    assert_eq!(calls_of(reader(&plain), 10), by_index);
    assert_eq!(calls_of(reader(&plain), 1), [call(3)]);
}

fn settle(store: &mut sqlite::Store, n: u128, verdict: Verdict, at: Wall) {
    let settlement =
        Settlement { call: call(n), sequence: Kind::Record.sequence(2), merged: Vec::new(), change: Change::None, verdict };
    store.transaction(|tx| tx.settle("webhook", &settlement, at, at)).unwrap();
}

#[test]
fn what_was_delivered_goes_after_its_time_and_nothing_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(&dir, Arc::default()).unwrap();
    for n in 1..=4 {
        append(&mut store, &[offered_by(n, &format!("{NUMBER}{n}")), ended(n, 2)]);
    }
    append(&mut store, &[offered_by(5, "still talking")]);
    settle(&mut store, 1, Verdict::Done, START);
    settle(&mut store, 2, Verdict::Done, Wall(START.0 + 10));
    settle(&mut store, 3, Verdict::Dead { error: "no".into() }, START);
    assert_eq!(store.purge(START, 10).unwrap(), (0, 0), "not yet");
    assert_eq!(store.purge(Wall(START.0 + 5), 10).unwrap(), (2, 1), "the dead letter stays");
    let left = |dir: &TempDir| reader(dir).records(None, 10).unwrap().iter().filter_map(|r| r.caller.clone()).collect::<Vec<_>>();
    let numbered = |n| format!("{NUMBER}{n}");
    assert_eq!(left(&dir), ["still talking".to_string(), numbered(4), numbered(3), numbered(2)]);
    let disk = bytes(&dir);
    assert!(!holds(&disk, &numbered(1)) && holds(&disk, &numbered(2)), "deleted bytes are overwritten");
    assert_eq!(store.purge(Wall(START.0 + 5), 10).unwrap(), (0, 0), "nothing is looked at twice");

    store.transaction(|tx| tx.decide(&Decision::Drop(Selection::default())).map(drop)).unwrap();
    assert_eq!(store.purge(Wall(i64::MAX), 10).unwrap(), (2, 2), "given up: it may go");
    assert_eq!(left(&dir), ["still talking".to_string(), numbered(4)]);
    assert_eq!(reader(&dir).calls(None, 10).unwrap().len(), 5, "ids stay");
}

#[test]
fn space_comes_back_bit_by_bit() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(&dir, Arc::default()).unwrap();
    for n in 1..=2000 {
        append(&mut store, &[offered(n), ended(n, 2)]);
        settle(&mut store, n, Verdict::Done, START);
    }
    let size = |dir: &TempDir| {
        bytes(dir);
        fs::metadata(path(dir)).unwrap().len()
    };
    let (before, mut steps) = (size(&dir), 0);
    while store.purge(Wall(i64::MAX), 64).unwrap().1 > 0 {
        steps += 1;
    }
    assert_eq!(steps, 2000_usize.div_ceil(64));
    assert!(size(&dir) < before / 2, "{before} → {}", size(&dir));
}

#[test]
fn the_running_journal_purges_and_counts() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = store(&dir, Arc::default()).unwrap();
    for n in 1..=3 {
        append(&mut before, &[offered_by(n, NUMBER), ended(n, 2)]);
    }
    (1..=2).for_each(|n| settle(&mut before, n, Verdict::Done, START));
    drop(before);
    let (journal, ..) = open(Options { keep: Some(Duration::ZERO), ..options(&dir) });
    let until = std::time::Instant::now() + SOON;
    while journal.appender().purged() < 2 {
        assert!(std::time::Instant::now() < until, "nothing is purged");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!((journal.appender().purged(), reader(&dir).records(None, 10).unwrap().len()), (2, 1));
}

#[test]
fn the_running_journal_purges_nothing_by_a_clock_that_jumped() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = store(&dir, Arc::default()).unwrap();
    append(&mut before, &[offered_by(1, NUMBER), ended(1, 2)]);
    settle(&mut before, 1, Verdict::Done, START);
    drop(before);
    // The process before this one believed that the call was delivered a minute ago.
    fs::write(path(&dir).with_extension("clock"), (START.0 + 60_000_000).to_string()).unwrap();
    let (journal, _, reports) = open(Options { keep: Some(Duration::from_secs(3600)), ..options(&dir) });
    // It looks whether anything is to be purged after each batch.
    for (ticket, entry) in (1..).zip([offered(2), ended(2, 2)]) {
        assert!(journal.appender().append(ticket, entry));
        durable(&reports, ticket);
    }
    assert_eq!((journal.appender().purged(), reader(&dir).records(None, 10).unwrap().len()), (0, 2));
    assert!(journal.clock().doubts());
}
