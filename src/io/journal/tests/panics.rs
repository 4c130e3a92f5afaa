//! A panic in the journal's thread costs the entry that it was about, and is told.

use super::*;
use crate::base::trap::{self, Trap};
use crate::io::process::threads;

/// Sets a trap in the journal's thread once the first entry is on disk.
fn trapped(dir: &TempDir, after: u32) -> (Journal, Receiver<Report>) {
    let (tell, reports) = unbounded();
    let report = move |report| {
        if report == Report::Durable(1) {
            trap::set(Trap::Journal, after);
        }
        drop(tell.send(report));
    };
    let (journal, _) = Journal::open(options(dir), Wall(START.0 + 3_600_000_000), report).unwrap();
    assert!(journal.appender().append(1, offered(1)));
    durable(&reports, 1);
    (journal, reports)
}

fn caught() -> u64 {
    let ours = |metric: &crate::io::metrics::Metric| {
        metric.labels == [("thread", "journal".to_owned())] && metric.name == "thread_panics_total"
    };
    threads::metrics().iter().find(|metric| ours(metric)).map_or(0, |metric| metric.value)
}

#[test]
fn an_entry_that_panics_is_lost_and_those_beside_it_are_written_once() {
    for after in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let (journal, reports) = trapped(&dir, after);
        let before = caught();
        (2..5).for_each(|n| assert!(journal.appender().append(n, offered(n.into()))));
        durable(&reports, 4);
        assert!(journal.appender().lost() == 1 && caught() > before);
        (5..7).for_each(|n| assert!(journal.appender().append(n, ended((n - 3).into(), 2))));
        durable(&reports, 6);
        journal.close();
        let there: Vec<usize> = (1..5).map(|n| reader(&dir).entries(call(n), 10).unwrap().len()).collect();
        // The ends of calls 2 and 3 came later.
        let lost = after as usize + 1;
        let whole = |n: usize| 1 + usize::from(n == 1 || n == 2) - usize::from(n == lost);
        assert_eq!(there, (0..4).map(whole).collect::<Vec<_>>(), "{after}");
    }
}

#[test]
fn the_call_of_a_lone_entry_that_panics_does_not_wait_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, reports) = trapped(&dir, 0);
    assert!(journal.appender().append(2, offered(2)));
    durable(&reports, 2);
    assert_eq!((journal.appender().lost(), reader(&dir).entries(call(2), 10).unwrap().len()), (1, 0));
}

#[test]
fn what_is_handed_in_and_panics_is_lost_alone_and_so_is_a_word_about_it() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _reports) = trapped(&dir, 0);
    let report = |n: u128, done: Box<dyn FnOnce(Acceptance) + Send>| {
        let report = serde_json::json!({ "id": n.to_string(), "hotline": "12366", "result": "answered",
            "start": "2026-03-02T09:00:00+08:00", "ended": "2026-03-02T09:04:00+08:00" });
        let reported = serde_json::json!({ "source": "s", "report": report, "line": "12366", "mode": "sub-center", "tickets": [],
            "plan": "p", "plan_revision": "1", "node": "a" });
        let what = What::Reported(serde_json::from_value(reported).unwrap());
        journal.settler().report(entry(n, 1, what), done);
    };
    let (told, heard) = unbounded();
    let tell = |n: u32| {
        let told = told.clone();
        Box::new(move |_| told.send(n).unwrap())
    };
    report(2, tell(2));
    report(3, Box::new(|_| panic!("as it was told to")));
    report(4, tell(4));
    assert_eq!(heard.recv_timeout(SOON), Ok(4));
    assert!(heard.try_recv().is_err(), "nobody is told that it is on disk");
    journal.close();
    let there: Vec<usize> = (2..5).map(|n| reader(&dir).entries(call(n), 10).unwrap().len()).collect();
    assert_eq!(there, [0, 1, 1]);
}

#[test]
fn whoever_is_told_may_panic() {
    let dir = tempfile::tempdir().unwrap();
    let (tell, reports) = unbounded();
    let report = move |report| {
        assert!(report != Report::Durable(1), "as it was told to");
        drop(tell.send(report));
    };
    let (journal, _) = Journal::open(options(&dir), Wall(START.0 + 3_600_000_000), report).unwrap();
    assert!(journal.appender().append(1, offered(1)));
    wait(&reports, |report| matches!(report, Report::Fed(_)));
    assert!(journal.appender().append(2, offered(2)));
    durable(&reports, 2);
}

#[test]
fn a_record_that_cannot_be_made_is_left_out_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(options(&dir));
    for n in 1..4 {
        assert!(journal.appender().append(n, offered(n.into())));
    }
    durable(&reports, 3);
    let reader = reader(&dir);
    trap::set(Trap::Record, 1);
    let records = reader.records(None, 10).unwrap();
    assert_eq!(records.len(), 2);
    let told = reader.unreadable();
    assert!(told.len() == 1 && told[0].en.contains(&format!("call {} is left out", call(2))), "{told:?}");
    assert_eq!(reader.records(None, 10).unwrap().len(), 3);
}
