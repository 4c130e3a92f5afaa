//! Subjects: who gets a call for them, when, and how often.

use super::*;
use crate::io::journal::dead_letters::{Decision, Replay};

/// `main` gets every call that names nobody, `tourism` only for its subjects.
fn backends() -> Vec<Backend> {
    let backend = |name: &str, kinds: &[Kind]| Backend {
        name: name.into(),
        kinds: kinds.to_vec(),
        later: vec![Kind::Tagged],
        always: false,
    };
    vec![backend("main", &Kind::ALL), backend("tourism", &Kind::ALL), backend("finals", &[Kind::Record])]
}

fn with_three(dir: &TempDir) -> Options {
    Options { outbox: Outbox { backends: backends(), feed: 1000 }, ..options(dir) }
}

fn offered_to(n: u128, tickets: &[&str]) -> Entry {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let withheld = if tickets.is_empty() { names(&["tourism", "finals"]) } else { Vec::new() };
    entry(n, 1, What::Offered(Box::new(Offered { tickets: names(tickets), withheld, node: "a".into(), ..Offered::default() })))
}

fn tag(journal: &Journal, n: u128, subject: &str, backends: &[&str]) -> Acceptance {
    let (done, taken) = unbounded();
    let backends = backends.iter().map(ToString::to_string).collect();
    let tagging = Tagging { call: call(n), subjects: vec![subject.into()], backends, by: "desk".into() };
    journal.settler().tagged(tagging, move |taken| done.send(taken).unwrap());
    taken.recv_timeout(SOON).unwrap()
}

/// The events that wait for a backend: call, event, and the subjects in it.
fn due(dir: &TempDir, backend: &str) -> Vec<(u128, &'static str, String)> {
    let reader = reader(dir);
    let told = |item: crate::record::delivery::Item| {
        let event = reader.event(&item).unwrap().unwrap();
        (item.call.0.as_u128() - call(0).0.as_u128(), event.kind, event.data.subjects.join(" "))
    };
    reader.due(backend, Wall(i64::MAX), 100).unwrap().into_iter().map(told).collect()
}

fn list(expected: &[(u128, &'static str, &str)]) -> Vec<(u128, &'static str, String)> {
    expected.iter().map(|(n, kind, subjects)| (*n, *kind, (*subjects).to_owned())).collect()
}

#[test]
fn a_tagged_call_goes_to_its_backend_at_once_and_from_then_on_also_after_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(with_three(&dir));
    (1..).zip([offered_to(1, &[]), offered_to(2, &[])]).for_each(|(n, entry)| assert!(journal.appender().append(n, entry)));
    durable(&reports, 2);
    assert_eq!(due(&dir, "tourism"), []);
    assert_eq!(tag(&journal, 1, "旅游投诉", &["tourism"]), Acceptance::New(call(1)));
    assert_eq!(due(&dir, "tourism"), list(&[(1, "call.tagged", "旅游投诉")]), "in real time");

    // The process dies right after it has answered.
    let dir = crashed(&dir);
    let (journal, recovered, reports) = open(with_three(&dir));
    assert_eq!(recovered.interrupted, [call(1), call(2)]);
    let tagged = [(1, "call.tagged", "旅游投诉"), (1, "call.ended", "旅游投诉"), (1, "call.record", "旅游投诉")];
    assert_eq!(due(&dir, "tourism"), list(&tagged));
    let main = [(1, "call.offered", ""), tagged[0], tagged[1], tagged[2]];
    let untagged = [(2, "call.offered", ""), (2, "call.ended", ""), (2, "call.record", "")];
    assert_eq!(due(&dir, "main"), list(&[&main[..], &untagged].concat()));
    assert_eq!(due(&dir, "finals"), []);
    // Sent again, because the answer was lost: nothing is told twice.
    assert_eq!(tag(&journal, 1, "旅游投诉", &["tourism"]), Acceptance::Known(call(1)));
    assert_eq!(due(&dir, "tourism").len(), 3);
    drop(reports);
}

#[test]
fn a_call_that_has_ended_comes_with_its_record_once() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(with_three(&dir));
    (1..).zip([offered_to(1, &[]), ended(1, 2)]).for_each(|(n, entry)| assert!(journal.appender().append(n, entry)));
    durable(&reports, 2);
    for _ in 0..2 {
        tag(&journal, 1, "退货", &["tourism", "finals"]);
        assert_eq!(due(&dir, "tourism"), list(&[(1, "call.record", ""), (1, "call.tagged", "退货")]));
        assert_eq!(due(&dir, "finals"), due(&dir, "tourism"), "who has the record must hear what has changed in it");
        assert_eq!(due(&dir, "main").iter().filter(|(_, kind, _)| *kind == "call.record").count(), 1);
    }
    assert_eq!(reader(&dir).record(call(1)).unwrap().unwrap().subjects, ["退货"]);
    let fed = reader(&dir).feed(0, 100).unwrap();
    assert_eq!(fed.iter().map(|fed| fed.item.as_ref().unwrap().sequence).collect::<Vec<_>>(), [1000, 2000, 2001, 2002]);
}

#[test]
fn lines_that_name_their_backends_keep_them_and_a_subject_adds_one() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(with_three(&dir));
    let entries = [offered_to(1, &["finals"]), offered_to(2, &["main", "tourism"])];
    (1..).zip(entries).for_each(|(n, entry)| assert!(journal.appender().append(n, entry)));
    durable(&reports, 2);
    assert_eq!(due(&dir, "tourism"), list(&[(2, "call.offered", "")]), "its line names it");
    assert_eq!(tag(&journal, 1, "旅游投诉", &["tourism"]), Acceptance::New(call(1)));
    assert_eq!(due(&dir, "tourism"), list(&[(1, "call.tagged", "旅游投诉"), (2, "call.offered", "")]));
    assert_eq!(due(&dir, "main"), list(&[(2, "call.offered", "")]), "it was not named, and is not now");
}

#[test]
fn a_subject_that_nobody_has_is_kept_and_goes_on_once_the_plan_has_learned_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(with_three(&dir));
    journal.appender().append(1, offered_to(1, &[]));
    durable(&reports, 1);
    assert_eq!(tag(&journal, 1, "其他", &[]), Acceptance::New(call(1)));
    assert_eq!(tag(&journal, 1, "其他", &[]), Acceptance::Known(call(1)));
    assert_eq!((due(&dir, "tourism"), reader(&dir).record(call(1)).unwrap().unwrap().subjects), (vec![], vec!["其他".into()]));
    assert_eq!(tag(&journal, 1, "其他", &["tourism"]), Acceptance::New(call(1)));
    assert_eq!(due(&dir, "tourism"), list(&[(1, "call.tagged", "其他")]));
}

#[test]
fn what_cannot_be_tagged_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(with_three(&dir));
    journal.appender().append(1, offered_to(1, &[]));
    durable(&reports, 1);
    assert_eq!(tag(&journal, 9, "x", &["tourism"]), Acceptance::NoSuchCall);
    let taken: Vec<Acceptance> = (0..40).map(|n| tag(&journal, 1, &n.to_string(), &["tourism"])).collect();
    assert_eq!(taken.iter().filter(|taken| **taken == Acceptance::New(call(1))).count(), 32);
    assert_eq!(taken[32], Acceptance::TooMany);
    assert_eq!(tag(&journal, 1, "31", &["tourism"]), Acceptance::Known(call(1)), "what is there already needs no room");
    let purged = Connection::open(journal.path()).unwrap();
    purged.busy_timeout(SOON).unwrap();
    purged.execute("DELETE FROM entries", []).unwrap();
    assert_eq!(tag(&journal, 1, "x", &["tourism"]), Acceptance::NoSuchCall, "of a purged call nothing more is taken");
}

/// Calls of before: journalled while nothing waited for subjects, or by a release that did not write down who gets a call.
fn of_before(dir: &TempDir, backends: Vec<Backend>, older_release: bool) {
    let outbox = Outbox { backends, feed: 1000 };
    let (journal, _, reports) = open(Options { outbox, ..options(dir) });
    let offered = entry(1, 1, What::Offered(Box::new(Offered { node: "a".into(), ..Offered::default() })));
    (1..).zip([offered, ended(1, 2)]).for_each(|(n, entry)| assert!(journal.appender().append(n, entry)));
    durable(&reports, 2);
    journal.close();
    if older_release {
        let db = Connection::open(dir.path().join("var/journal.db")).unwrap();
        db.execute_batch("UPDATE calls SET chosen = NULL; DELETE FROM recipients").unwrap();
    }
}

#[test]
fn a_backend_that_came_later_gets_a_call_of_before_only_when_it_is_tagged_and_then_with_its_record() {
    for older_release in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        of_before(&dir, backends()[..1].to_vec(), older_release);
        let (journal, _, _reports) = open(with_three(&dir));
        tag(&journal, 1, "其他", &[]);
        assert_eq!(due(&dir, "tourism"), [], "news of a call that is none of its");
        let main = [(1, "call.offered", ""), (1, "call.ended", ""), (1, "call.record", ""), (1, "call.tagged", "其他")];
        assert_eq!(due(&dir, "main"), list(&main), "who had it hears on");
        tag(&journal, 1, "旅游投诉", &["tourism", "finals"]);
        let tagged = list(&[(1, "call.record", ""), (1, "call.tagged", "其他 旅游投诉")]);
        assert_eq!((due(&dir, "tourism"), due(&dir, "finals")), (tagged.clone(), tagged));
        assert_eq!(tag(&journal, 1, "旅游投诉", &["tourism"]), Acceptance::Known(call(1)));
    }
}

#[test]
fn records_sent_anew_go_to_whom_they_are_for_and_to_others_when_that_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    of_before(&dir, backends(), true);
    let (journal, _, reports) = open(with_three(&dir));
    let entries = [offered_to(2, &[]), offered_to(3, &["tourism"]), ended(2, 2), ended(3, 2)];
    (1..).zip(entries).for_each(|(n, entry)| assert!(journal.appender().append(n, entry)));
    durable(&reports, 4);
    let replay = |backend: &str, all: bool, dry_run: bool| {
        let ended = reader(&dir).ended_calls(backend, Wall(0)).unwrap();
        let calls: Vec<CallId> = ended.iter().filter(|ended| all || ended.its_own).map(|ended| ended.call).collect();
        let counts = (calls.len(), ended.len() - calls.len());
        if !dry_run {
            assert_eq!(decide(&journal, Decision::Replay(Replay { backend: backend.into(), calls })), counts.0);
        }
        counts
    };
    // The first: everybody got it.
    assert_eq!(replay("main", false, true), (2, 1));
    assert_eq!(replay("finals", false, true), (1, 2));
    assert_eq!(replay("tourism", false, false), (2, 1));
    let calls = |backend| due(&dir, backend).iter().map(|(n, ..)| *n).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(calls("tourism"), [1, 3].into());
    assert_eq!((replay("tourism", true, true), calls("tourism")), ((3, 0), [1, 3].into()));
    assert_eq!((replay("tourism", true, false), calls("tourism")), ((3, 0), [1, 2, 3].into()));
    assert_eq!(replay("tourism", false, true), (3, 0), "they are its own now");
    tag(&journal, 2, "其他", &[]);
    assert_eq!(due(&dir, "tourism").iter().filter(|(n, ..)| *n == 2).count(), 2, "and it hears on");
}

/// Only its line named it: it was not configured then, or it was and has everything.
#[test]
fn a_record_comes_first_to_who_has_none_and_nothing_waits_for_who_has_it() {
    for there in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let all = backends();
        let outbox = Outbox { backends: all[..if there { 2 } else { 1 }].to_vec(), feed: 1000 };
        let (journal, _, reports) = open(Options { outbox, ..options(&dir) });
        (1..).zip([offered_to(1, &["tourism"]), ended(1, 2)]).for_each(|(n, e)| assert!(journal.appender().append(n, e)));
        durable(&reports, 2);
        journal.close();
        let db = Connection::open(dir.path().join("var/journal.db")).unwrap();
        // All was delivered.
        db.execute_batch("UPDATE deliveries SET state = 'done'; DELETE FROM lanes;").unwrap();
        let mute = Backend { kinds: vec![Kind::Record], later: Vec::new(), ..all[1].clone() };
        let (journal, _, _reports) = open(Options { outbox: Outbox { backends: vec![mute], feed: 1000 }, ..options(&dir) });
        tag(&journal, 1, "旅游投诉", &["tourism"]);
        let expected: &[_] = if there { &[] } else { &[(1, "call.record", "")] };
        assert_eq!(due(&dir, "tourism"), list(expected));
        let lanes = db.query_row("SELECT count(*) FROM lanes", [], |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!(lanes as usize, expected.len(), "a lane with nothing to send takes another's place");
    }
}

/// They were open when the older release ended, and lose nothing by that.
#[test]
fn a_call_that_an_older_release_began_ends_for_everybody() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _, reports) = open(with_three(&dir));
    journal.appender().append(1, offered_to(1, &[]));
    durable(&reports, 1);
    journal.close();
    let db = Connection::open(dir.path().join("var/journal.db")).unwrap();
    db.execute_batch("UPDATE calls SET chosen = NULL; DELETE FROM recipients").unwrap();
    let (_journal, recovered, _reports) = open(with_three(&dir));
    assert_eq!(recovered.interrupted, [call(1)]);
    assert_eq!(due(&dir, "finals"), list(&[(1, "call.record", "")]));
}

/// All that is told while a call lasts stands in its record; only what comes later is a message of its own.
#[test]
fn who_gets_final_records_hears_of_what_changes_them_later() {
    let dir = tempfile::tempdir().unwrap();
    let outbox =
        Outbox { backends: vec![Backend::of_all_calls("webhook", false), Backend::of_all_calls("all", true)], feed: 1000 };
    let (journal, _, reports) = open(Options { outbox, ..options(&dir) });
    journal.appender().append(1, offered(1));
    durable(&reports, 1);
    tag(&journal, 1, "a", &[]);
    assert_eq!(due(&dir, "webhook"), []);
    journal.appender().append(2, ended(1, 2));
    durable(&reports, 2);
    tag(&journal, 1, "b", &[]);
    assert_eq!(due(&dir, "webhook"), list(&[(1, "call.record", "a"), (1, "call.tagged", "a b")]));
    assert_eq!(due(&dir, "all").len(), 5, "call.offered, tagged, ended, record, tagged");
}
