//! The log of seats and the facts: what is acknowledged is there after a crash, and what is damaged is named.

use super::*;
use crate::base::trap::{self, Trap};
use crate::event::seat::{AuthorKind, BreakKind, Device, MissCause};
use crate::event::{Author, Fact, FactKind, Intent, Keep, SeatEntry, SeatFact, SeatWhat};
use crate::io::journal::sqlite::scan::scan;
use crate::record::seal::Sealer;
use std::collections::BTreeMap;

pub(super) fn entry(n: u64, seat: &str) -> SeatEntry {
    let by = Author { kind: AuthorKind::Seat, name: seat.into() };
    let what = SeatWhat::Break { kind: BreakKind::Busy, reason: format!("reason {n}").into(), seconds: None, by };
    let seconds = n as i64 * 1_000_000;
    SeatEntry { n, seat: seat.into(), wall: Wall(START.0 + seconds), mono: Mono(n * 1_000_000), what }
}

pub(super) fn fact(seat: &str, reason: &str) -> Fact {
    Fact::Seat(SeatFact {
        seat: seat.into(),
        intent: Intent::Break { kind: BreakKind::Rest, reason: reason.into(), seconds: Some(600) },
        since: START,
        until: Some(Wall(START.0 + 600_000_000)),
        overdue: false,
        next: None,
        by: Author::gateway(),
        holder: None,
        device: Device::Sip,
        skills: Some(BTreeMap::from([("tax".into(), 5)])),
        auto_answer: true,
        missed: BTreeMap::from([(MissCause::NoAnswer, 2)]),
    })
}

fn forget(seat: &str) -> Added {
    Added::Keep(Keep::Forget { kind: FactKind::Seat, key: seat.into() })
}

fn set(seat: &str, reason: &str) -> Added {
    Added::Keep(Keep::Set(Box::new(fact(seat, reason))))
}

fn path(dir: &TempDir) -> PathBuf {
    dir.path().join("var/journal.db")
}

fn store(dir: &TempDir) -> sqlite::Store {
    fs::create_dir_all(dir.path().join("var")).unwrap();
    sqlite::Store::open(&path(dir), None, options(dir).outbox).unwrap()
}

/// Adds these, under tickets from 1, and waits until all are on disk.
fn add(journal: &Journal, reports: &Receiver<Report>, all: Vec<Added>) {
    let last = all.len() as u64;
    (1..).zip(all).for_each(|(ticket, added)| assert!(journal.appender().add(ticket, added)));
    durable(reports, last);
}

#[test]
fn seats_and_facts_share_the_tickets_of_calls_and_are_there_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, recovered, reports) = open(options(&dir));
    assert_eq!(recovered.kept, Kept::default());
    let all = vec![
        set("zhang", "lunch"),
        Added::Seat(entry(1, "zhang")),
        Added::Entry(offered(1)),
        set("li", "tea"),
        Added::Seat(entry(2, "li")),
        set("zhang", "training"),
        Added::Seat(entry(3, "zhang")),
        set("wang", "tea"),
        forget("wang"),
        forget("nobody"),
    ];
    add(&journal, &reports, all.clone());
    let told: Vec<Added> = reports
        .try_iter()
        .filter_map(|report| if let Report::Added(all) = report { Some(all) } else { None })
        .flatten()
        .collect();
    assert!(told.len() <= all.len() && all.ends_with(&told), "others are told of them in order");
    let facts = [fact("li", "tea"), fact("zhang", "training")];
    let is_there = |dir: &TempDir| {
        let reader = reader(dir);
        assert_eq!(reader.facts().unwrap(), facts);
        assert_eq!(reader.seat_entries(None, 0, 10).unwrap(), [entry(1, "zhang"), entry(2, "li"), entry(3, "zhang")]);
        assert_eq!(reader.seat_entries(Some("zhang"), 1, 10).unwrap(), [entry(3, "zhang")]);
        assert_eq!(reader.seat_entries(None, 1, 1).unwrap(), [entry(2, "li")]);
        assert_eq!(reader.seat_entries(Some("nobody"), 0, 10).unwrap(), []);
        assert_eq!([2, 3, 4].map(|s| reader.seat_entries_before(Wall(START.0 + s * 1_000_000)).unwrap()), [1, 2, u64::MAX]);
    };
    is_there(&dir);
    let crash = crashed(&dir);
    is_there(&crash);
    let (_journal, recovered, _) = open(options(&crash));
    assert_eq!(recovered.kept, Kept { facts: facts.to_vec(), seat_n: 3 });
    journal.close();
    let (_journal, recovered, _) = open(options(&dir));
    assert_eq!(recovered.kept, Kept { facts: facts.to_vec(), seat_n: 3 });
    is_there(&dir);
}

#[test]
fn a_number_that_comes_twice_keeps_its_first_entry() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(options(&dir));
    add(&journal, &reports, vec![Added::Seat(entry(1, "zhang")), Added::Seat(entry(1, "zhang")), Added::Seat(entry(1, "li"))]);
    assert_eq!(reader(&dir).seat_entries(None, 0, 10).unwrap(), [entry(1, "zhang")]);
}

#[test]
fn what_is_sealed_shows_nothing_and_opens_with_its_key_alone() {
    let dir = tempfile::tempdir().unwrap();
    let keys: BTreeMap<String, [u8; 32]> = [("k".to_owned(), [1; 32])].into();
    let sealer = Arc::new(Sealer::new(&keys, Some("k"), None));
    let (journal, _, reports) = open(Options { sealer: sealer.clone(), ..options(&dir) });
    add(&journal, &reports, vec![set("zhang", "13812345678"), Added::Seat(entry(1, "zhang"))]);
    journal.close();
    let bytes: Vec<u8> =
        fs::read_dir(dir.path().join("var")).unwrap().flat_map(|f| fs::read(f.unwrap().path()).unwrap()).collect();
    for text in ["13812345678", "reason 1"] {
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
    assert_eq!((reader(&dir).facts().unwrap(), reader(&dir).seat_entries(None, 0, 9).unwrap()), (vec![], vec![]));
    let reader = reader(&dir).unsealing(sealer);
    assert_eq!(reader.facts().unwrap(), [fact("zhang", "13812345678")]);
    assert_eq!(reader.seat_entries(None, 0, 9).unwrap(), [entry(1, "zhang")]);
    // A row that is put in another's place does not open there.
    let vandal = Connection::open(path(&dir)).unwrap();
    vandal.execute("UPDATE facts SET key = 'li'", []).unwrap();
    assert_eq!(reader.facts().unwrap(), []);
}

#[test]
fn old_entries_go_and_facts_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(&dir);
    store
        .transaction(|tx| {
            (1..=10).try_for_each(|n| tx.seat(&entry(n, "zhang")))?;
            tx.keep(&Keep::Set(Box::new(fact("zhang", "tea"))))
        })
        .unwrap();
    let at = |seconds: i64| Wall(START.0 + seconds * 1_000_000);
    assert_eq!(store.purge_seats(at(1), 100).unwrap(), 0);
    assert_eq!(store.purge_seats(at(6), 3).unwrap(), 3);
    assert_eq!(store.purge_seats(at(6), 3).unwrap(), 2);
    assert_eq!(reader(&dir).seat_entries(None, 0, 1).unwrap(), [entry(6, "zhang")]);
    assert_eq!(store.purge_seats(Wall(i64::MAX), 100).unwrap(), 5);
    store.checkpoint();
    drop(store);
    assert!(scan(&path(&dir), &|| true).unlike.is_empty());
    let store = self::store(&dir);
    assert_eq!(store.kept().unwrap(), Kept { facts: vec![fact("zhang", "tea")], seat_n: 0 });
}

#[test]
fn the_thread_purges_them_after_their_days() {
    let dir = tempfile::tempdir().unwrap();
    let day = Duration::from_secs(86_400);
    let (journal, _, reports) = open(Options { keep: Some(day), ..options(&dir) });
    // Years ago, by the clock of today.
    add(&journal, &reports, (1..=5).map(|n| Added::Seat(entry(n, "zhang"))).collect());
    let began = std::time::Instant::now();
    while !reader(&dir).seat_entries(None, 0, 10).unwrap().is_empty() {
        assert!(began.elapsed() < SOON, "they are not purged");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_damaged_row_is_named_and_set_aside_and_the_others_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(&dir);
    store
        .transaction(|tx| {
            (1..=3).try_for_each(|n| tx.seat(&entry(n, "zhang")))?;
            ["zhang", "li"].iter().try_for_each(|seat| tx.keep(&Keep::Set(Box::new(fact(seat, "tea")))))
        })
        .unwrap();
    let vandal = Connection::open(path(&dir)).unwrap();
    vandal.execute("UPDATE seat_entries SET seat = 'wang' WHERE n = 2", []).unwrap();
    vandal.execute("UPDATE facts SET value = replace(value, 'tea', 'sea') WHERE key = 'li'", []).unwrap();
    // Nobody is served what is not as it was written.
    let numbers = || reader(&dir).seat_entries(None, 0, 9).unwrap().iter().map(|entry| entry.n).collect::<Vec<_>>();
    assert_eq!((numbers(), reader(&dir).facts().unwrap()), (vec![1, 3], vec![fact("zhang", "tea")]));
    let found = scan(&path(&dir), &|| true);
    assert_eq!(found.unlike, ["seat_entries", "facts"]);
    store.set_aside(&found).unwrap();
    let places: Vec<String> = damage(&path(&dir)).unwrap().into_iter().map(|one| one.place).collect();
    assert_eq!(places, ["table seat_entries", "seat entry 2", "table facts", "fact seat li"]);
    assert!(scan(&path(&dir), &|| true).unlike.is_empty(), "it is told once");
    assert_eq!((numbers(), store.kept().unwrap().facts), (vec![1, 3], vec![fact("zhang", "tea")]));
}

#[test]
fn of_a_broken_file_all_is_kept_that_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(&dir);
    store
        .transaction(|tx| {
            (1..=40).try_for_each(|n| tx.seat(&entry(n, "zhang")))?;
            ["zhang", "li"].iter().try_for_each(|seat| tx.keep(&Keep::Set(Box::new(fact(seat, "tea")))))
        })
        .unwrap();
    store.checkpoint();
    drop(store);
    let mut bytes = fs::read(path(&dir)).unwrap();
    let at = |bytes: &[u8], text: &str| bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    let spoilt = at(&bytes, "reason 7\"");
    bytes[spoilt] ^= 1;
    fs::write(path(&dir), bytes).unwrap();
    sqlite::repair::mend(&path(&dir), &Text::foreign("broken"), None, &options(&dir).outbox).unwrap();
    let (journal, recovered, _) = open(options(&dir));
    assert_eq!(recovered.kept.facts, [fact("li", "tea"), fact("zhang", "tea")]);
    assert_eq!(recovered.kept.seat_n, 40);
    let numbers: Vec<u64> = reader(&dir).seat_entries(None, 0, 100).unwrap().iter().map(|entry| entry.n).collect();
    assert_eq!(numbers, (1..=40).filter(|n| *n != 7).collect::<Vec<u64>>());
    let places: Vec<String> = damage(&path(&dir)).unwrap().into_iter().map(|one| one.place).collect();
    assert_eq!(places, ["seat entry 7", "journal"]);
    journal.close();
}

#[test]
fn a_copy_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(options(&dir));
    add(&journal, &reports, vec![set("zhang", "tea"), Added::Seat(entry(1, "zhang"))]);
    let copy = dir.path().join("copy.db");
    crate::io::journal::backup(&path(&dir), &copy).unwrap();
    journal.close();
    crate::io::journal::restore(&copy, &path(&dir), true).unwrap();
    let (_journal, recovered, _) = open(options(&dir));
    assert_eq!(recovered.kept, Kept { facts: vec![fact("zhang", "tea")], seat_n: 1 });
    assert_eq!(reader(&dir).seat_entries(None, 0, 9).unwrap(), [entry(1, "zhang")]);
}

#[test]
fn a_panic_in_an_entry_of_a_seat_costs_that_entry() {
    let dir = tempfile::tempdir().unwrap();
    let (tell, reports) = unbounded();
    let report = move |report| {
        if report == Report::Durable(1) {
            trap::set(Trap::Journal, 1);
        }
        drop(tell.send(report));
    };
    let (journal, _) = Journal::open(options(&dir), START, report).unwrap();
    add(&journal, &reports, vec![set("zhang", "tea")]);
    (2..=4).for_each(|n| assert!(journal.appender().add(n, Added::Seat(entry(n, "zhang")))));
    durable(&reports, 4);
    let left: Vec<u64> = reader(&dir).seat_entries(None, 0, 9).unwrap().iter().map(|entry| entry.n).collect();
    assert_eq!((left, journal.appender().lost(), reader(&dir).facts().unwrap().len()), (vec![2, 4], 1, 1));
}

/// Run again by the test below, in a process of its own that is killed in the middle of its work.
#[test]
fn child_that_is_killed() {
    let Ok(dir) = std::env::var("HOTLINE_TEST_SEATS") else { return };
    let (tell, reports) = unbounded();
    let (journal, _) = Journal::open(Options::new(dir), START, move |report| drop(tell.send(report))).unwrap();
    for n in 1_u64.. {
        journal.appender().add(2 * n, Added::Seat(entry(n, "zhang")));
        journal.appender().add(2 * n + 1, set("zhang", &n.to_string()));
        if n % 50 == 0 {
            durable(&reports, 2 * n + 1);
            println!("durable {n}");
        }
    }
}

#[test]
fn kill_9_loses_no_state_of_a_seat_that_was_acknowledged() {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "io::journal::tests::seats::child_that_is_killed", "--nocapture"])
        .env("HOTLINE_TEST_SEATS", path(&dir))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let acknowledged = lines.by_ref().filter_map(|line| line.split_once("durable ")?.1.parse::<u64>().ok()).nth(4).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let acknowledged = lines.filter_map(|line| line.split_once("durable ")?.1.parse().ok()).last().unwrap_or(acknowledged);
    let (_journal, recovered, _) = open(options(&dir));
    let written = recovered.kept.seat_n;
    assert!(written >= acknowledged, "{written} of {acknowledged}");
    let [Fact::Seat(SeatFact { intent: Intent::Break { reason, .. }, .. })] = &recovered.kept.facts[..] else { unreachable!() };
    assert!(reason.parse::<u64>().unwrap() >= acknowledged, "{reason} of {acknowledged}");
}
