//! One bit, value or row of any table that is not as it was written: either nothing has changed by it, or it is told.

use super::*;
use crate::base::Rng;
use crate::event::Keep;
use crate::io::journal::dead_letters::{Decision, Replay};
use crate::io::journal::sqlite::scan::scan;
use crate::io::journal::{Health, damage};
use crate::record::amendment::Update;
use crate::record::seal::Sealer;
use std::collections::BTreeMap;
use std::time::Instant;

const TABLES: [&str; 15] = [
    "calls",
    "entries",
    "postscripts",
    "deliveries",
    "lanes",
    "tickets",
    "feed",
    "reports",
    "callbacks",
    "seals",
    "callers",
    "damaged",
    "recipients",
    "seat_entries",
    "facts",
];

fn path(dir: &TempDir) -> PathBuf {
    dir.path().join("var/journal.db")
}

fn sealer() -> Arc<Sealer> {
    let keys: BTreeMap<String, [u8; 32]> = [("k".to_owned(), [1; 32])].into();
    Arc::new(Sealer::new(&keys, Some("k"), Some(&[7; 32])))
}

/// A row or more in each table, and nothing in the log.
fn seeded() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("var")).unwrap();
    let outbox = options(&dir).outbox;
    let mut store = sqlite::Store::open(&path(&dir), None, outbox).unwrap().sealing(sealer()).unwrap();
    let linked = Update::Linked { backend: "webhook".into(), id: "7".into(), url: Some("http://t/7".into()), instead_of: None };
    let callback =
        Callback { backend: "webhook".into(), id: "m".into(), seal: None, sent: START, call: call(2), updates: vec![linked] };
    let report = serde_json::json!({ "source": "tax", "line": "12366", "mode": "", "unit": null, "tickets": [],
        "plan": "", "plan_revision": "", "node": "a", "report": { "id": "1", "hotline": "12366", "caller": "13800138000",
        "start": "2021-12-01T08:00:00+08:00", "ended": "2021-12-01T08:03:00+08:00", "result": "answered" } });
    let tickets = vec!["desk".to_owned()];
    let caller = Offered { caller: Some("13800138000".into()), node: "a".into(), recorded: true, tickets, ..Offered::default() };
    store
        .transaction(|tx| {
            for n in 1..4 {
                tx.append(&entry(n, 1, What::Offered(Box::new(caller.clone()))))?;
                tx.append(&ended(n, 2))?;
            }
            tx.append(&offered(4))?;
            let settlement = Settlement {
                call: call(1),
                sequence: Kind::Record.sequence(2),
                merged: Vec::new(),
                verdict: Verdict::Done,
                change: Change::None,
            };
            tx.settle("webhook", &settlement, START, START)?;
            tx.creating("webhook", call(3), START)?;
            (1..3).try_for_each(|n| tx.seat(&seats::entry(n, "zhang")))?;
            ["zhang", "li"].iter().try_for_each(|seat| tx.keep(&Keep::Set(Box::new(seats::fact(seat, "lunch")))))?;
            tx.called_back(&callback, START, START, Duration::MAX)?;
            tx.report(&entry(9, 1, What::Reported(serde_json::from_value(report.clone()).unwrap()))).map(drop)
        })
        .unwrap();
    store.set_aside(&scan_of_one_bad_row(&dir)).unwrap();
    store.checkpoint();
    drop(store);
    dir
}

/// So that something is known to be damaged already.
fn scan_of_one_bad_row(dir: &TempDir) -> sqlite::scan::Found {
    let vandal = Connection::open(path(dir)).unwrap();
    vandal.execute("UPDATE entries SET wall = wall + 1 WHERE call = ?1 AND seq = 1", [call(4).0.as_bytes()]).unwrap();
    let found = scan(&path(dir), &|| true);
    assert_eq!((found.bad.len(), found.unlike.len(), found.broken.clone()), (1, 0, None));
    found
}

fn copy_of(dir: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("var")).unwrap();
    for file in fs::read_dir(dir.path().join("var")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join("var").join(file.file_name())).unwrap();
    }
    copy
}

/// All that is in the tables.
fn content(path: &Path) -> rusqlite::Result<Vec<String>> {
    let db = Connection::open(path)?;
    let mut all = Vec::new();
    for table in TABLES.into_iter().chain(["header"]) {
        let names = "SELECT group_concat('quote(\"' || name || '\")', '||'',''||') FROM pragma_table_info(?1)";
        let columns: String = db.query_row(names, [table], |row| row.get(0))?;
        let mut rows = db.prepare(&format!("SELECT {columns} FROM {table} ORDER BY 1"))?;
        for row in rows.query_map([], |row| row.get::<_, String>(0))? {
            all.push(format!("{table}: {}", row?));
        }
    }
    Ok(all)
}

/// As a start and the first look find it.
fn is_told(dir: &TempDir) -> bool {
    let opened = sqlite::Store::open(&path(dir), None, options(dir).outbox).map(drop);
    let found = scan(&path(dir), &|| true);
    opened.is_err() || found.broken.is_some() || !found.bad.is_empty() || !found.unlike.is_empty()
}

#[test]
fn a_sound_journal_is_told_to_be_sound_whatever_was_written() {
    let dir = seeded();
    let all = content(&path(&dir)).unwrap();
    for table in TABLES {
        assert!(all.iter().any(|row| row.starts_with(&format!("{table}:"))), "{table} is empty");
    }
    assert!(!is_told(&dir));
    // Others write it, too: who looks at damage, who decides about dead letters, who restores a copy.
    decide_alone(&path(&dir), Arc::default(), &Decision::DamageSeen).unwrap();
    assert_eq!(damage(&path(&dir)).unwrap().len(), 1);
    for backend in ["webhook", "another"] {
        let ended = reader(&dir).unsealing(sealer()).ended_calls(backend, Wall(0)).unwrap();
        let calls = ended.iter().map(|ended| ended.call).collect();
        let replay = Decision::Replay(Replay { backend: backend.into(), calls });
        assert!(decide_alone(&path(&dir), sealer(), &replay).unwrap() > 0);
    }
    assert!(!is_told(&dir));
    let copy = tempfile::tempdir().unwrap();
    let there = copy.path().join("copy.db");
    crate::io::journal::backup(&path(&dir), &there).unwrap();
    crate::io::journal::restore(&there, &path(&dir), true).unwrap();
    assert!(!is_told(&dir));
    // A purge deletes rows, and a clock that was ahead is put right.
    let mut store = sqlite::Store::open(&path(&dir), None, options(&dir).outbox).unwrap();
    store.restamp(Wall(5)).unwrap();
    store.purge(Wall(i64::MAX), 100).unwrap();
    drop(store);
    assert!(!is_told(&dir));
}

#[test]
fn a_file_of_the_release_before_is_counted_when_it_is_brought_up() {
    let dir = seeded();
    let old = Connection::open(path(&dir)).unwrap();
    let before =
        "DROP TABLE seat_entries; DROP TABLE facts; ALTER TABLE calls RENAME COLUMN chosen TO backends; DROP TABLE recipients;
         ALTER TABLE header DROP COLUMN totals; ALTER TABLE header DROP COLUMN sum; PRAGMA user_version = 8;";
    old.execute_batch(before).unwrap();
    drop(old);
    assert!(!is_told(&dir));
    let vandal = Connection::open(path(&dir)).unwrap();
    vandal.execute("DELETE FROM tickets", []).unwrap();
    drop(vandal);
    assert!(is_told(&dir));
}

#[test]
fn each_value_and_each_row_of_each_table_counts() {
    let sound = seeded();
    for table in TABLES {
        let db = Connection::open(path(&sound)).unwrap();
        let mut columns = db.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
        let columns: Vec<String> = columns.query_map([table], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let another = |column: &String| {
            format!(
                "UPDATE {table} SET \"{column}\" = CASE typeof(\"{column}\") WHEN 'integer' THEN \"{column}\" + 64
                 WHEN 'text' THEN \"{column}\" || 'x' WHEN 'null' THEN 1
                 ELSE CAST(substr(\"{column}\", 2) AS BLOB) END
                 WHERE rowid_of = 1"
            )
        };
        // The first row, in a table that is its own index, too.
        let first = format!("({}) = (SELECT {} FROM {table} LIMIT 1)", key(table), key(table));
        let changes = columns.iter().map(|column| another(column).replace("rowid_of = 1", &first));
        for sql in changes.chain([format!("DELETE FROM {table} WHERE {first}")]) {
            let dir = copy_of(&sound);
            let vandal = Connection::open(path(&dir)).unwrap();
            vandal.execute_batch("PRAGMA ignore_check_constraints = ON").unwrap();
            assert_eq!(vandal.execute(&sql, []).unwrap_or_else(|e| panic!("{sql}: {e}")), 1, "{sql}");
            drop(vandal);
            assert!(is_told(&dir), "{sql}");
        }
    }
    for column in ["id", "groups", "at", "clock"] {
        let dir = copy_of(&sound);
        let vandal = Connection::open(path(&dir)).unwrap();
        let value = if column == "id" { "randomblob(16)".to_owned() } else { format!("{column} + 64") };
        vandal.execute(&format!("UPDATE header SET {column} = {value}"), []).unwrap();
        drop(vandal);
        assert!(is_told(&dir), "{column}");
    }
}

fn key(table: &str) -> &'static str {
    match table {
        "calls" => "call",
        "entries" => "call, seq",
        "postscripts" => "call, sequence",
        "deliveries" => "backend, call, sequence",
        "lanes" | "tickets" => "backend, call",
        "feed" | "damaged" => "n",
        "reports" => "source, id",
        "callbacks" => "backend, id",
        "seals" => "key",
        "recipients" => "call, backend",
        "seat_entries" => "n",
        "facts" => "kind, key",
        _ => "hash, call",
    }
}

#[test]
fn a_bit_of_the_file_changes_nothing_or_is_told() {
    let sound = seeded();
    let bytes = fs::read(path(&sound)).unwrap();
    let before = content(&path(&sound)).unwrap();
    let seed = std::env::var("DAMAGE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(clock::now().wall.0 as u64);
    println!("DAMAGE_SEED={seed}");
    let mut rng = Rng::from_number(seed);
    let mut told = 0;
    for _ in 0..400 {
        let (at, bit) = (rng.below(bytes.len() as u64) as usize, rng.below(8));
        let dir = copy_of(&sound);
        let mut other = bytes.clone();
        other[at] ^= 1 << bit;
        fs::write(path(&dir), other).unwrap();
        let same = content(&path(&dir)).is_ok_and(|now| now == before);
        let is_told = is_told(&dir);
        told += u32::from(is_told);
        assert!(same || is_told, "byte {at} (page {}), bit {bit}", at / 4096 + 1);
    }
    assert!(told > 0);
}

fn until(health: &Arc<Health>, what: impl Fn(&Health) -> bool) {
    let began = Instant::now();
    while !what(health) {
        assert!(began.elapsed() < SOON, "nobody has noticed");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_gateway_tells_it_makes_good_what_it_can_and_goes_on() {
    let unknown = format!("UPDATE deliveries SET kind = 'call.recorc' WHERE call = x'{}'", call(2).0.simple());
    let open_again = format!("UPDATE calls SET open = 1 WHERE call = x'{}'", call(1).0.simple());
    for (table, sql) in [
        ("lanes", "DELETE FROM lanes"),
        ("lanes", "UPDATE lanes SET next_at = 9000000000000000"),
        ("calls", open_again.as_str()),
        ("deliveries", unknown.as_str()),
        ("tickets", "DELETE FROM tickets"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let inspection = Inspection { every: Duration::from_millis(50), percent: 100 };
        let (journal, _, reports) = open(Options { inspection, ..options(&dir) });
        for n in 1..3 {
            assert!(journal.appender().append(2 * n, offered(n.into())));
            assert!(journal.appender().append(2 * n + 1, ended(n.into(), 2)));
        }
        durable(&reports, 5);
        let created = journal.settler();
        let (done, noted) = bounded(1);
        created.creating("webhook", call(1), START, move || done.send(()).unwrap());
        noted.recv_timeout(SOON).unwrap();
        let health = journal.appender().health();
        assert_eq!(health.obstacle(), None);
        let vandal = Connection::open(path(&dir)).unwrap();
        vandal.busy_timeout(SOON).unwrap();
        assert!(vandal.execute(sql, []).unwrap() > 0, "{sql}");
        until(&health, |health| health.damaged() > 0);
        decide(&journal, Decision::DamageSeen);
        let named = damage(&path(&dir)).unwrap();
        assert_eq!(named.iter().map(|one| one.place.as_str()).collect::<Vec<_>>(), [format!("table {table}")], "{sql}");
        until(&health, |health| health.obstacle().is_none());
        // It is told once, and what follows from the entries is as it was.
        assert!(scan(&path(&dir), &|| true).unlike.is_empty(), "{sql}");
        let due = reader(&dir).due("webhook", Wall(i64::MAX - 1), 10).unwrap();
        assert_eq!(due.len(), 2, "{sql}");
        let next = reader(&dir).due("webhook", Wall(1), 10).unwrap();
        assert_eq!(next.len(), 2, "nobody waits for ever: {sql}");
        assert!(journal.appender().append(6, offered(3)));
        durable(&reports, 6);
        journal.close();
        assert_eq!(open(options(&dir)).1.interrupted, [call(3)], "{sql}");
    }
}
