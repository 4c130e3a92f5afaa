//! The wall clock at every odd time, and each thing that goes by a clock: nothing is deleted early, nothing that is over holds
//! again, no delivery waits or is given up, and no arithmetic ends.

use super::*;
use crate::base::{CallId, Rng};
use crate::event::{By, Entry, Offered, Result as CallResult, What};
use crate::io::config::Config;
use crate::io::journal::{Backend, Outbox, Store};
use crate::io::recorder::store::RecordingStore;
use crate::record::cloudevent::Kind;
use crate::record::delivery::{Settlement, Verdict};
use crate::record::exchange::Change;
use crate::record::link::Signer;
use crate::record::zone::Zone;

const DAY: i64 = 86_400_000_000;
const YEAR: i64 = 365 * DAY;
/// 2026-11-26 in the afternoon in China.
const TODAY: i64 = 1_795_680_000_000_000;

/// Moments that a machine may show instead of today.
const SHOWN: [(&str, i64); 11] = [
    ("three years on", TODAY + 3 * YEAR),
    ("three years back", TODAY - 3 * YEAR),
    ("1970", 0),
    ("just set", NEVER),
    ("before it is ever set", NEVER - 1),
    ("2038, where 31 bits end", (1 << 31) * 1_000_000),
    ("2106, where 32 bits end", (1 << 32) * 1_000_000),
    ("2106, a moment before", (1 << 32) * 1_000_000 - 1),
    ("the year 9999", 253_402_300_799_000_000),
    ("the end of the calendar and more", i64::MAX / 2),
    ("the end of numbers", i64::MAX),
];

fn begin() -> Now {
    Now { mono: Mono(7_000_000), wall: Wall(TODAY) }
}

/// A minute on, with this on the wall.
fn jumped(wall: i64) -> Now {
    Now { wall: Wall(wall), ..begin().after(Duration::from_secs(60)) }
}

fn trusted(folder: &tempfile::TempDir) -> Trusted {
    let clock = Trusted::beside(&folder.path().join("journal.db"), begin());
    clock.wall(begin());
    clock
}

#[test]
fn nothing_is_older_and_nothing_that_is_over_holds_again() {
    for (name, wall) in SHOWN {
        let folder = tempfile::tempdir().unwrap();
        let clock = trusted(&folder);
        let right = begin().after(Duration::from_secs(60)).wall;
        assert!(clock.wall(jumped(wall)) <= right, "{name}: for deletions it is no later");
        assert_eq!(clock.likely(jumped(wall)), right, "{name}: for what was signed it is what it was");
        assert!(clock.stamp(jumped(wall)) >= right, "{name}: nothing is finished earlier than now");
        let call = CallId::new(right, &mut Rng::from_number(1));
        let signer = Signer::new(&[1; 32]);
        let holds = |expires: i64| {
            let query = signer.query(call, expires);
            signer.holds(call, expires, query.split("signature=").nth(1).unwrap(), clock.likely(jumped(wall)))
        };
        let second = right.0 / 1_000_000;
        assert!(!holds(second - 1) && holds(second + 60), "{name}: a link");
        // It comes back: all is as if nothing had been.
        let back = begin().after(Duration::from_secs(120));
        assert_eq!((clock.wall(back), clock.likely(back), clock.doubts()), (back.wall, back.wall, false), "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    let clock = trusted(&folder);
    let far = |hours: u64| Now { wall: Wall(TODAY + 3 * YEAR), ..begin() }.after(Duration::from_secs(3600 * hours));
    clock.likely(far(0));
    assert_eq!(clock.likely(far(25)), far(25).wall, "what has lasted a day is believed");
}

#[test]
fn deliveries_know_no_wall_clock_and_messages_are_remembered_as_long_as_they_would_be_believed() {
    let running = Running::from(Wall(TODAY), begin().mono);
    for (name, wall) in SHOWN {
        assert_eq!(running.at(jumped(wall).mono), Wall(TODAY + 60_000_000), "{name}");
    }
    assert_eq!(Running::from(Wall(i64::MAX), Mono(0)).at(Mono(u64::MAX)), Wall(i64::MAX), "it ends nowhere");
}

#[test]
fn no_call_is_purged_by_a_jump_and_none_is_kept_for_ever() {
    const KEEP: i64 = 180 * DAY;
    for (name, wall) in SHOWN {
        let folder = tempfile::tempdir().unwrap();
        let clock = trusted(&folder);
        let outbox = Outbox { backends: vec![Backend::of_all_calls("webhook", false)], feed: 10 };
        let mut store = Store::open(&folder.path().join("journal.db"), None, outbox).unwrap();
        // One was delivered before the jump, one during it; and its calls bear the time that is shown.
        for (n, now) in [(1, begin()), (2, jumped(wall))] {
            let call = CallId::new(now.wall, &mut Rng::from_number(n));
            let entry = |seq, what| Entry { call, seq, wall: now.wall, mono: now.mono, what };
            let ended = What::Ended { result: CallResult::Answered, by: By::Caller, status: Some(200), q850: Some(16) };
            let settlement = Settlement {
                call,
                sequence: Kind::Record.sequence(2),
                merged: Vec::new(),
                verdict: Verdict::Done,
                change: Change::None,
            };
            store
                .transaction(|tx| {
                    tx.append(&entry(1, What::Offered(Box::new(Offered { node: "a".into(), ..Offered::default() }))))?;
                    tx.append(&entry(2, ended))?;
                    tx.settle("webhook", &settlement, now.wall, clock.stamp(now))
                })
                .unwrap();
        }
        let mut purge = |today: Wall, sure: bool| {
            if sure {
                store.restamp(today).unwrap();
            }
            store.purge(Wall(today.0.saturating_sub(KEEP)), 10).unwrap().1
        };
        assert_eq!(purge(clock.wall(jumped(wall)), false), 0, "{name}");
        let right = begin().after(Duration::from_secs(120));
        assert_eq!(purge(clock.wall(right), !clock.doubts()), 0, "{name}, set right");
        let late = Now { wall: Wall(TODAY + KEEP + 2 * DAY), ..right };
        assert_eq!(purge(late.wall, true), 2, "{name}, when their time has come");
    }
}

#[test]
fn every_time_can_be_written_named_and_filed() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.node.state = folder.path().to_owned();
    let store = RecordingStore::of(&config).unwrap();
    for (name, wall) in SHOWN.into_iter().chain([("before 1970", -1), ("the beginning of numbers", i64::MIN)]) {
        let wall = Wall(wall);
        let call = CallId::new(wall, &mut Rng::from_number(1));
        for zone in ["Asia/Shanghai", "UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia"] {
            let written = Zone::named(zone).unwrap().write(wall);
            assert!(Zone::read(&written).is_some(), "{name}: {written}");
        }
        assert_eq!(call.to_string().len(), 36, "{name}");
        drop((store.link(call, wall), store.old_days(wall, 730), store.old_days(wall, u32::MAX)));
        let now = Now { mono: Mono(u64::MAX - 5), wall };
        assert!(now.after(Duration::MAX).wall >= wall);
        let mut steady = Steady::new(now, Some(Wall(TODAY)));
        for at in [now, now.after(Duration::from_secs(86_401))] {
            assert!(steady.look(at).0 <= at.wall, "{name}");
        }
    }
    // The hour that a zone leaves out, and the one that it has twice, are moments like others.
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let at = |text: &str| Zone::read(text).unwrap();
    assert_eq!(berlin.write(at("2026-03-29T00:59:59Z")), "2026-03-29T01:59:59.000+01:00");
    assert_eq!(berlin.write(at("2026-03-29T01:00:00Z")), "2026-03-29T03:00:00.000+02:00");
    assert_eq!(berlin.write(at("2026-10-25T00:30:00Z")), "2026-10-25T02:30:00.000+02:00");
    assert_eq!(berlin.write(at("2026-10-25T01:30:00Z")), "2026-10-25T02:30:00.000+01:00");
}
