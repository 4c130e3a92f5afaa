mod copies;
mod damage;
mod flips;
mod kept;
mod panics;
mod seats;
mod tagged;
mod torn;

use super::dead_letters::Decision;
use super::writer::BATCH;
use super::*;
use crate::base::{Mono, Text};
use crate::event::{By, Entry, Offered, Result as CallResult, What};
use crate::io::journal::Reader;
use crate::io::journal::sqlite;
use crate::record::cloudevent::Kind;
use crate::record::delivery::{Settlement, Verdict};
use crate::record::exchange::Change;
use crate::record::recording::{Recorded, State};
use crate::record::zone::Zone;
use crossbeam_channel::Receiver;
use rusqlite::Connection;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use tempfile::TempDir;
use uuid::Uuid;

const START: Wall = Wall(1_638_316_800_000_000);
const SOON: Duration = Duration::from_secs(20);

fn call(n: u128) -> CallId {
    CallId(Uuid::from_u128(0x0193_583f_7a10_7000_8000_0000_0000_0000 + n))
}

fn entry(n: u128, seq: u32, what: What) -> Entry {
    let step = u64::from(seq) * 1_000_000;
    Entry { call: call(n), seq, wall: Wall(START.0 + step as i64), mono: Mono(step), what }
}

fn offered(n: u128) -> Entry {
    let offered = Offered { leg: 1, caller_raw: "x".repeat(600), node: "a".into(), ..Offered::default() };
    entry(n, 1, What::Offered(Box::new(offered)))
}

fn ended(n: u128, seq: u32) -> Entry {
    entry(n, seq, What::Ended { result: CallResult::Answered, by: By::Caller, status: Some(200), q850: Some(16) })
}

fn options(dir: &TempDir) -> Options {
    let webhook = Backend::of_all_calls("webhook", false);
    let retry = Duration::from_millis(5);
    Options { retry, outbox: Outbox { backends: vec![webhook], feed: 1000 }, ..Options::new(dir.path().join("var/journal.db")) }
}

fn open(options: Options) -> (Journal, Recovered, Receiver<Report>) {
    let (tell, reports) = unbounded();
    let (journal, recovered) =
        Journal::open(options, Wall(START.0 + 3_600_000_000), move |report| drop(tell.send(report))).unwrap();
    (journal, recovered, reports)
}

fn reader(dir: &TempDir) -> Reader {
    Reader::open(&dir.path().join("var/journal.db"), Zone::default()).unwrap()
}

/// Waits for what satisfies, skipping other reports.
fn wait(reports: &Receiver<Report>, wanted: impl Fn(&Report) -> bool) -> Report {
    loop {
        let report = reports.recv_timeout(SOON).unwrap();
        if wanted(&report) {
            return report;
        }
    }
}

fn durable(reports: &Receiver<Report>, ticket: u64) {
    wait(reports, |report| matches!(report, Report::Durable(upto) if *upto >= ticket));
}

/// The file as a power cut would leave it: a copy made beside the living journal.
fn crashed(dir: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("var")).unwrap();
    for name in ["var/journal.db", "var/journal.db-wal"] {
        fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    copy
}

#[test]
fn what_is_acknowledged_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, recovered, reports) = open(options(&dir));
    assert_eq!(recovered.interrupted, []);
    let log = [offered(1), entry(1, 2, What::CallerAnswered), ended(1, 3)];
    let appender = journal.appender();
    for (ticket, entry) in (1..).zip(log.clone()) {
        assert!(appender.append(ticket, entry));
    }
    durable(&reports, 3);
    assert_eq!(reader(&dir).entries(call(1), 10).unwrap(), log, "read while the journal runs");
    journal.close();
    let (_journal, recovered, _) = open(options(&dir));
    assert_eq!(recovered.interrupted, []);
    assert_eq!(reader(&dir).entries(call(1), 10).unwrap(), log);
    assert_eq!(reader(&dir).record(call(1)).unwrap().unwrap().result, Some(CallResult::Answered));
}

#[test]
fn closing_writes_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, _) = open(options(&dir));
    (1..=10_000).for_each(|n| assert!(journal.appender().append(n, offered(u128::from(n)))));
    journal.close();
    assert_eq!(reader(&dir).records(None, 20_000).unwrap().len(), 10_000);
}

#[test]
fn open_calls_become_interrupted_once_however_often_it_dies() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(options(&dir));
    let appender = journal.appender();
    for (ticket, entry) in (1..).zip([offered(1), offered(2), ended(2, 2), offered(3), entry(3, 2, What::CallerAnswered)]) {
        appender.append(ticket, entry);
    }
    durable(&reports, 5);
    let mut dir = crashed(&dir);
    for expected in [vec![call(1), call(3)], vec![], vec![]] {
        let (_journal, recovered, _) = open(options(&dir));
        assert_eq!(recovered.interrupted, expected);
        dir = crashed(&dir);
    }
    let reader = reader(&dir);
    for (n, entries, at) in [(1, 2, "08:00:01"), (3, 3, "08:00:02")] {
        let record = reader.record(call(n)).unwrap().unwrap();
        assert_eq!((record.result, record.estimated), (Some(CallResult::Interrupted), true));
        assert_eq!(record.ended, Some(format!("2021-12-01T{at}.000+08:00")), "the last sign of life, not the restart");
        assert_eq!(reader.entries(call(n), 10).unwrap().len(), entries);
        assert_eq!(reader.deliveries(call(n)).unwrap().len(), 1);
    }
    assert_eq!(reader.record(call(2)).unwrap().unwrap().result, Some(CallResult::Answered));
    let due = reader.due("webhook", START, 10).unwrap();
    assert_eq!(due.iter().map(|item| (item.call, item.kind)).collect::<Vec<_>>(), [1, 2, 3].map(|n| (call(n), Kind::Record)));
}

#[test]
fn a_torn_tail_of_the_log_loses_only_what_was_not_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(options(&dir));
    let wal = dir.path().join("var/journal.db-wal");
    journal.appender().append(1, offered(1));
    durable(&reports, 1);
    let sound = fs::metadata(&wal).unwrap().len() as usize;
    journal.appender().append(2, ended(1, 2));
    durable(&reports, 2);
    let whole = fs::read(&wal).unwrap();
    assert!(whole.len() > sound);
    for cut in [sound, sound + 1, sound + 24, sound + 2000, whole.len() - 1] {
        let copy = crashed(&dir);
        let mut torn = whole.clone();
        // None of them as it was, whatever that is.
        torn[cut..].iter_mut().for_each(|byte| *byte ^= 0xa5);
        fs::write(copy.path().join("var/journal.db-wal"), torn).unwrap();
        let (_journal, recovered, _) = open(options(&copy));
        assert_eq!(recovered.interrupted, [call(1)], "cut at {cut}");
    }
}

/// The bound stands for the disk: SQLite reports both as SQLITE_FULL. Space returns as old calls are deleted.
#[test]
fn a_full_disk_is_reported_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(options(&dir));
    (1..=400).for_each(|n| assert!(journal.appender().append(n, ended(u128::from(n), 1))));
    (401..=900).for_each(|n| assert!(journal.appender().append(n, offered(u128::from(n)))));
    durable(&reports, 900);
    journal.close();
    let size = fs::metadata(dir.path().join("var/journal.db")).unwrap().len();

    let (journal, recovered, reports) = open(Options { max_bytes: Some(size + 300_000), ..options(&dir) });
    assert_eq!(recovered.interrupted.len(), 500);
    let appender = journal.appender();
    (1..=600).for_each(|n| assert!(appender.append(n, offered(1000 + u128::from(n)))));
    let Report::Down(why) = wait(&reports, |report| matches!(report, Report::Down(_))) else { unreachable!() };
    assert!(why.contains("journal.db") && why.contains("full") && why.contains("free space"), "{why}");
    assert!(reports.try_iter().all(|report| !matches!(report, Report::Durable(600..) | Report::Up)));

    let purge = Connection::open(journal.path()).unwrap();
    purge.busy_timeout(SOON).unwrap();
    purge.execute("DELETE FROM entries WHERE call <= ?1", [call(900).0.as_bytes()]).unwrap();
    wait(&reports, |report| *report == Report::Up);
    durable(&reports, 600);
    assert_eq!(reader(&dir).records(None, 599).unwrap().len(), 599);
}

/// A call that begins and is settled while the disk refuses: its first entry is on disk before what follows from it.
#[test]
fn nothing_overtakes_the_entries_it_is_about() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(options(&dir));
    let gate = Connection::open(journal.path()).unwrap();
    gate.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(journal.appender().append(1, offered(1)));
    wait(&reports, |report| matches!(report, Report::Down(_)));
    let recorded = Offered { recorded: true, ..Offered::default() };
    assert!(journal.appender().append(2, entry(2, 1, What::Offered(Box::new(recorded)))));
    assert!(journal.appender().append(3, ended(2, 2)));
    let (done, taken) = bounded(1);
    journal.settler().recorded(call(2), Recorded::without_file(State::Missing), move |taken| done.send(taken).unwrap());
    // A try with what came first, and what came later at hand.
    std::thread::sleep(Duration::from_millis(50));
    gate.execute_batch("COMMIT").unwrap();
    assert_eq!(taken.recv_timeout(SOON), Ok(Acceptance::New(call(2))));
    assert_eq!(reader(&dir).owed_recordings().unwrap(), []);
}

#[test]
fn memory_is_bounded_and_a_loss_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(Options { queue: 10, ..options(&dir) });
    let gate = Connection::open(journal.path()).unwrap();
    gate.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let appender = journal.appender();
    let kept = (1..=BATCH as u64 + 100).filter(|n| appender.append(*n, offered(u128::from(*n)))).count();
    assert!(kept < BATCH + 100 && appender.lost() == BATCH as u64 + 100 - kept as u64, "{kept}");
    gate.execute_batch("COMMIT").unwrap();
    journal.close();
    assert_eq!(reader(&dir).records(None, 10_000).unwrap().len(), kept);
    drop(reports);
}

#[test]
fn a_file_that_is_no_journal_is_refused_with_a_remedy() {
    let refused = |path: &Path| Journal::open(Options::new(path), START, |_| ()).err().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("photo.db");
    fs::write(&other, vec![7; 8192]).unwrap();
    assert!(refused(&other).contains("another kind of file"), "{}", refused(&other));
    let below_a_file = other.join("journal.db");
    assert!(refused(&below_a_file).contains("cannot make its directory"), "{}", refused(&below_a_file));

    let (journal, _, _) = open(options(&dir));
    assert!(refused(journal.path()).contains("another gateway is writing it"));
    let path = journal.path().to_owned();
    journal.close();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(refused(&path).contains("version 99"), "{}", refused(&path));
}

#[test]
fn a_damaged_entry_is_left_out_and_the_rest_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(options(&dir));
    journal.appender().append(1, offered(1));
    journal.appender().append(2, entry(1, 2, What::CallerAnswered));
    durable(&reports, 2);
    let vandal = Connection::open(journal.path()).unwrap();
    vandal.execute("UPDATE entries SET what = '{' WHERE seq = 2", []).unwrap();
    assert_eq!(reader(&dir).entries(call(1), 10).unwrap(), [offered(1)]);
}

#[test]
fn the_list_is_newest_first_and_can_begin_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(options(&dir));
    let mut rng = crate::base::Rng::from_number(1);
    let ids: Vec<CallId> = (0..5).map(|n| CallId::new(Wall(START.0 + n * 1_000_000), &mut rng)).collect();
    for (ticket, id) in (1..).zip(&ids) {
        journal.appender().append(ticket, Entry { call: *id, ..offered(0) });
    }
    durable(&reports, 5);
    let list = |since, limit| {
        let records = reader(&dir).records(since, limit).unwrap();
        records.into_iter().map(|record| record.call_id.parse::<CallId>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 3), [ids[4], ids[3], ids[2]]);
    assert_eq!(list(Some(Wall(START.0 + 3_000_000)), 10), [ids[4], ids[3]]);
}

/// Tells the journal that an attempt at the webhook was done.
fn settlement(n: u128, seq: u32, change: Change) -> Settlement {
    let sequence = Kind::Record.sequence(seq);
    Settlement { call: call(n), sequence, merged: Vec::new(), verdict: Verdict::Done, change }
}

fn linked(id: &str) -> Change {
    Change::Linked { id: id.into(), url: Some(format!("http://t/{id}")) }
}

#[test]
fn a_ticket_is_an_event_of_its_own_and_stands_in_what_follows() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox { backends: vec![Backend::of_all_calls("webhook", true)], feed: 1000 };
    let (journal, _, reports) = open(Options { outbox, ..options(&dir) });
    let settle = |settlement| {
        let (done, written) = unbounded();
        journal.settler().settle("webhook", settlement, move || done.send(()).unwrap());
        written.recv_timeout(SOON).unwrap();
    };
    journal.appender().append(1, offered(1));
    durable(&reports, 1);
    settle(Settlement { sequence: Kind::Offered.sequence(1), ..settlement(1, 1, linked("7")) });
    journal.appender().append(2, entry(1, 2, What::Queued { queue: "q".into() }));
    journal.appender().append(3, ended(1, 3));
    durable(&reports, 3);
    settle(settlement(1, 3, linked("7")));
    settle(settlement(1, 3, linked("8")));

    let reader = reader(&dir);
    let events = reader.feed(0, 100).unwrap();
    assert_eq!(events.iter().map(|fed| fed.n).collect::<Vec<_>>(), (1..=6).collect::<Vec<_>>());
    let told = events.into_iter().map(|fed| {
        let event = reader.event(&fed.item.unwrap()).unwrap().unwrap();
        let tickets: Vec<String> = event.data.tickets.iter().map(|ticket| ticket.id.clone()).collect();
        (event.kind, event.sequence.trim_start_matches('0').to_owned(), tickets.join(" "))
    });
    let expected = [
        ("call.offered", "1000", ""),
        ("ticket.linked", "1002", "7"),
        ("call.queued", "2000", "7"),
        ("call.ended", "3000", "7"),
        ("call.record", "3001", "7"),
        ("ticket.linked", "3002", "8"),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected.map(|(kind, n, ids)| (kind, n.to_owned(), ids.to_owned())));
    assert_eq!(reader.ticket("webhook", call(1)).unwrap().id.as_deref(), Some("8"));
    let due = reader.due("webhook", Wall(START.0 * 2), 10).unwrap();
    assert!(due.iter().any(|item| item.kind == Kind::TicketLinked), "{due:?}");
}

#[test]
fn what_is_handed_in_again_is_known_though_the_plan_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, _) = open(options(&dir));
    let hand_in = |n: u128, line: &str| {
        let report = serde_json::json!({ "id": n.to_string(), "hotline": "12366", "start": "2021-12-01T08:00:00+08:00",
            "ended": "2021-12-01T08:03:00+08:00", "result": "answered" });
        let reported = serde_json::json!({ "source": "tax", "report": report, "line": line, "mode": "sub-center", "unit": null,
            "tickets": [], "area_name": null, "plan": "", "plan_revision": line, "node": "a" });
        let (done, taken) = unbounded();
        let what = What::Reported(serde_json::from_value(reported).unwrap());
        journal.settler().report(entry(n, 1, what), move |taken| done.send(taken).unwrap());
        taken.recv_timeout(SOON).unwrap()
    };
    assert_eq!(hand_in(1, "before"), Acceptance::New(call(1)));
    assert_eq!(hand_in(1, "after"), Acceptance::Known(call(1)));
    assert_eq!(hand_in(2, "after"), Acceptance::New(call(2)));
}

#[test]
fn the_feed_forgets_its_oldest_events_and_never_counts_back() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox { backends: Vec::new(), feed: 300 };
    let (journal, _, reports) = open(Options { outbox, ..options(&dir) });
    (1..=600).for_each(|n| assert!(journal.appender().append(n, offered(u128::from(n)))));
    assert_eq!(wait(&reports, |report| *report == Report::Fed(600)), Report::Fed(600));
    assert_eq!(reader(&dir).feed_ends().unwrap(), (213, 600), "the last 300 at 512");
    journal.close();
    let purge = Connection::open(dir.path().join("var/journal.db")).unwrap();
    purge.execute("DELETE FROM feed", []).unwrap();
    let (_journal, recovered, _) = open(options(&dir));
    assert_eq!(recovered.interrupted.len(), 600);
    assert_eq!(reader(&dir).feed_ends().unwrap().1, 1800);
}

/// A journal of the release before, with a call whose ticket is known and whose record waits.
#[test]
fn an_older_journal_is_brought_up() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(options(&dir));
    (1..).zip([offered(1), ended(1, 2)]).for_each(|(n, entry)| assert!(journal.appender().append(n, entry)));
    durable(&reports, 2);
    journal.close();
    let old = Connection::open(dir.path().join("var/journal.db")).unwrap();
    old.execute_batch(
        "DROP TABLE seat_entries; DROP TABLE facts;
         ALTER TABLE calls RENAME COLUMN chosen TO backends; DROP TABLE recipients;
         DROP INDEX dead_letters; DROP INDEX lanes_aside; ALTER TABLE lanes DROP COLUMN aside;
         DROP INDEX owed_recordings; ALTER TABLE calls DROP COLUMN recording;
         DROP INDEX settled_calls; ALTER TABLE calls DROP COLUMN settled; DROP TABLE seals; DROP TABLE callers;
         DROP TABLE header; DROP TABLE damaged; ALTER TABLE entries DROP COLUMN sum;
         DROP TABLE feed; DROP TABLE postscripts; DROP TABLE reports; DROP TABLE callbacks;
         ALTER TABLE calls DROP COLUMN line; ALTER TABLE tickets ADD COLUMN after INTEGER;
         UPDATE deliveries SET sequence = sequence / 1000 * 2 + sequence % 1000;
         PRAGMA user_version = 2;",
    )
    .unwrap();
    let ticket = "INSERT INTO tickets (backend, call, id, url, after) VALUES (?1, ?2, '7', 'http://t/7', 1)";
    for name in ["a", "b"] {
        old.execute(ticket, rusqlite::params![name, call(1).0.as_bytes()]).unwrap();
    }
    drop(old);
    let (_journal, _, _) = open(options(&dir));
    let reader = reader(&dir);
    let due = reader.due("webhook", START, 10).unwrap();
    assert_eq!(due[0].sequence, 2001);
    let event = reader.event(&due[0]).unwrap().unwrap();
    let tickets: Vec<&str> = event.data.tickets.iter().map(|ticket| ticket.backend.as_str()).collect();
    assert_eq!((event.sequence.as_str(), tickets), ("0000002001", vec!["a", "b"]));
}

/// Has a person's decision carried out, and waits until it is on disk.
fn decide(journal: &Journal, decision: Decision) -> usize {
    let (done, decided) = bounded(1);
    journal.settler().decide(decision, move |count| done.send(count).unwrap());
    decided.recv_timeout(SOON).unwrap()
}

/// A journal of the release before named a call's recipients in one text.
#[test]
fn the_recipients_of_an_older_journal_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let backend = |name: &str| Backend { always: false, ..Backend::of_all_calls(name, true) };
    let outbox = Outbox { backends: ["a", "ab", "工单"].map(backend).to_vec(), feed: 1000 };
    let open = || open(Options { outbox: outbox.clone(), ..options(&dir) });
    let (journal, _, reports) = open();
    for n in 1..=5 {
        journal.appender().append(2 * n, offered(n.into()));
        journal.appender().append(2 * n + 1, ended(n.into(), 2));
    }
    durable(&reports, 11);
    journal.close();
    let old = Connection::open(dir.path().join("var/journal.db")).unwrap();
    old.execute_batch(
        "DROP TABLE seat_entries; DROP TABLE facts; DROP TABLE recipients; ALTER TABLE calls RENAME COLUMN chosen TO backends; DELETE FROM deliveries; DELETE FROM lanes;
         UPDATE header SET totals = NULL; PRAGMA user_version = 9;",
    )
    .unwrap();
    let named = [Some("a"), Some("工单\nab"), Some(""), None, Some("gone\na")];
    for (n, names) in (1..).zip(named) {
        let sql = "UPDATE calls SET backends = ?2 WHERE call = ?1";
        assert_eq!(old.execute(sql, rusqlite::params![call(n).0.as_bytes(), names]).unwrap(), 1);
    }
    drop(old);
    let (journal, _, _reports) = open();
    let own = |backend: &str| {
        let ended = reader(&dir).ended_calls(backend, Wall(0)).unwrap();
        (1..=5).filter(|n| ended.iter().any(|ended| ended.its_own && ended.call == call(*n))).collect::<Vec<_>>()
    };
    assert_eq!(["a", "ab", "b", "工单", "gone", ""].map(own), [vec![1, 5], vec![2], vec![], vec![2], vec![5], vec![]]);
    // An event of later goes to them, and to nobody else; of a call without any names to those that had something of it.
    for n in 1..=5 {
        let (done, taken) = bounded(1);
        let tagging = Tagging { call: call(n), subjects: vec!["s".into()], backends: Vec::new(), by: "desk".into() };
        journal.settler().tagged(tagging, move |taken| done.send(taken).unwrap());
        taken.recv_timeout(SOON).unwrap();
    }
    let due = |backend: &str| {
        let due = reader(&dir).due(backend, Wall(i64::MAX - 1), 10).unwrap();
        (1..=5).filter(|n| due.iter().any(|item| item.call == call(*n))).collect::<Vec<_>>()
    };
    assert_eq!(["a", "ab", "工单"].map(due), [vec![1, 5], vec![2], vec![2]]);
    journal.close();
    assert!(sqlite::scan::scan(&dir.path().join("var/journal.db"), &|| true).unlike.is_empty());
}

/// Run again by the test below, in a process of its own that is killed in the middle of its work.
#[test]
fn child_that_is_killed() {
    let Ok(dir) = std::env::var("HOTLINE_TEST_JOURNAL") else { return };
    let (tell, reports) = unbounded();
    let open = Journal::open(Options::new(dir), START, move |report| drop(tell.send(report)));
    let (journal, _) = open.unwrap();
    for n in 1_u64.. {
        journal.appender().append(n, offered(u128::from(n)));
        if n % 50 == 0 {
            durable(&reports, n);
            println!("durable {n}");
        }
    }
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "io::journal::tests::child_that_is_killed", "--nocapture"])
        .env("HOTLINE_TEST_JOURNAL", dir.path().join("var/journal.db"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let acknowledged = lines.by_ref().filter_map(|line| line.split_once("durable ")?.1.parse::<usize>().ok()).nth(4).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let acknowledged = lines.filter_map(|line| line.split_once("durable ")?.1.parse().ok()).last().unwrap_or(acknowledged);
    let (_journal, recovered, _) = open(options(&dir));
    assert!(recovered.interrupted.len() >= acknowledged, "{} of {acknowledged}", recovered.interrupted.len());
    assert_eq!(reader(&dir).due("webhook", START, 100_000).unwrap().len(), recovered.interrupted.len());
}
