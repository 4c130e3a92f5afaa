//! A power cut in the middle of writing: of what was written since the last sync, any sectors may have reached the disk.

use super::*;
use crate::base::Rng;

const SECTOR: usize = 512;
/// Enough that the log is copied into the database on the way.
const GROUPS: u64 = 90;

/// The two files that a crash leaves.
#[derive(Clone, PartialEq)]
struct Disk {
    db: Vec<u8>,
    wal: Vec<u8>,
}

impl Disk {
    fn read(dir: &TempDir) -> Disk {
        let file = |name: &str| fs::read(dir.path().join(name)).unwrap_or_default();
        Disk { db: file("journal.db"), wal: file("journal.db-wal") }
    }

    fn write(&self) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("journal.db"), &self.db).unwrap();
        fs::write(dir.path().join("journal.db-wal"), &self.wal).unwrap();
        dir
    }
}

/// A commit goes to the log and is synced; only then, if at all, the log is copied into the database.
fn cut(rng: &mut Rng, before: &Disk, after: &Disk) -> Disk {
    if before.db == after.db || rng.chance(300) {
        return Disk { db: before.db.clone(), wal: mixed(rng, &begun(&before.wal, &after.wal), &after.wal) };
    }
    Disk { db: mixed(rng, &before.db, &after.db), wal: after.wal.clone() }
}

/// A log that begins anew has its head synced before anything else of it is written: else its old beginning would be believed
/// once more.
fn begun(before: &[u8], after: &[u8]) -> Vec<u8> {
    const HEAD: usize = 32;
    let mut wal = before.to_vec();
    if wal.len() >= HEAD && after.len() >= HEAD {
        wal[..HEAD].copy_from_slice(&after[..HEAD]);
    }
    wal
}

/// Some sectors as they were, some as they became; what lies past a torn end was never written.
fn mixed(rng: &mut Rng, before: &[u8], after: &[u8]) -> Vec<u8> {
    let share = rng.below(1001);
    let mut disk = before.to_vec();
    disk.resize(before.len().max(after.len()), 0);
    for (at, sector) in after.chunks(SECTOR).enumerate() {
        if rng.chance(share) {
            disk[at * SECTOR..][..sector.len()].copy_from_slice(sector);
        }
    }
    if rng.chance(500) {
        disk.truncate(before.len().max(rng.below(disk.len() as u64 + 1) as usize));
    }
    disk
}

#[test]
fn whatever_sectors_reach_the_disk_a_group_is_there_wholly_or_not_at_all() {
    let (mut whole, mut absent, mut copied) = (0, 0, 0);
    for seed in 0..4 {
        let mut acknowledged = 0;
        let (mut rng, dir) = (Rng::from_number(seed), tempfile::tempdir().unwrap());
        let mut store = Store::open(&dir.path().join("journal.db"), None, options(&dir).outbox).unwrap();
        let mut before = Disk::read(&dir);
        for group in 1..=GROUPS {
            let calls = 5 + rng.below(20);
            let add = |tx: &sqlite::Transaction<'_>| {
                (0..calls).try_for_each(|n| tx.append(&offered(u128::from(group * 100 + n))).map(drop))
            };
            store.transaction(add).unwrap();
            let after = Disk::read(&dir);
            copied += u64::from(before.db != after.db);
            if before.db != after.db || rng.chance(200) {
                let found = survivors(&cut(&mut rng, &before, &after)).checked_sub(acknowledged);
                assert!([Some(0), Some(calls)].contains(&found), "seed {seed}, group {group}: {found:?} of {calls}");
                *(if found == Some(0) { &mut absent } else { &mut whole }) += 1;
            }
            (acknowledged, before) = (acknowledged + calls, after);
        }
    }
    assert!(whole > 0 && absent > 10 && copied > 2, "{whole} {absent} {copied}");
}

/// Counts the calls that a new process finds open, each with its record to be delivered.
fn survivors(disk: &Disk) -> u64 {
    let dir = disk.write();
    let path = dir.path().join("journal.db");
    let mut store = Store::open(&path, None, options(&dir).outbox).unwrap();
    let open = store.interrupt(START).unwrap();
    let check = |db: Connection| db.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(check(Connection::open(&path).unwrap()), "ok");
    let reader = Reader::open(&path, Zone::default()).unwrap();
    assert_eq!(reader.due("webhook", START, 100_000).unwrap().len(), open.len());
    open.len() as u64
}
