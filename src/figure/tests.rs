//! Figures against a model that goes straight over the list of calls, and the ways in which figures go wrong elsewhere.

mod placed;

use super::*;
use crate::base::Mono;
use crate::event::seat::{BreakKind, Device, LogoutWhy, MissCause};
use crate::event::{
    Author, By as Ender, CallDirection, Mode, Offered, Party, Result, SeatWhat, TransferKind, TransferResult, What,
};
use proptest::prelude::*;
use uuid::Uuid;

const START: i64 = 1_700_000_000_000_000 / MINUTE * MINUTE;
const WITHIN: Duration = Duration::from_secs(15);
const SECOND: u64 = 1_000_000;

/// A call's log as it grows; moments are seconds after the start of the test.
#[derive(Debug)]
struct Log {
    call: u128,
    entries: Vec<Entry>,
}

fn seat(name: &str) -> Party {
    Party::Seat { name: name.into(), queue: "front".into() }
}

impl Log {
    fn new(call: u128, at: u64, number: &str) -> Log {
        let offered = Offered { leg: 1, number: number.into(), mode: Mode::Front, ..Offered::default() };
        Log { call, entries: Vec::new() }.then(at, What::Offered(Box::new(offered)))
    }

    fn then(mut self, at: u64, what: What) -> Log {
        let (seq, mono) = (self.entries.len() as u32 + 1, Mono(7_000_000_000 + at * SECOND));
        let wall = Wall(START + (at * SECOND) as i64);
        self.entries.push(Entry { call: CallId(Uuid::from_u128(self.call)), seq, wall, mono, what });
        self
    }

    fn queued(self, at: u64, queue: &str) -> Log {
        self.then(at, What::Queued { queue: queue.into() })
    }

    fn rings(self, at: u64, leg: u64, party: Party) -> Log {
        self.then(at, What::Ringing { leg, party, sip_call_id: None, label: None, choice: None })
    }

    fn joins(self, at: u64, leg: u64, party: Party) -> Log {
        self.then(at, What::Joined { leg, party, sip_call_id: None, label: None })
    }

    fn leaves(self, at: u64, leg: u64) -> Log {
        self.then(at, What::LegEnded { leg, by: Ender::Callee, status: None, q850: None })
    }

    fn ends(self, at: u64, result: Result) -> Log {
        self.then(at, What::Ended { result, by: Ender::Caller, status: None, q850: None })
    }
}

fn folded(logs: &[&Log]) -> Figures {
    let mut figures = Figures::new(WITHIN);
    logs.iter().flat_map(|log| &log.entries).for_each(|entry| figures.entry(entry));
    figures
}

fn all_day(figures: &Figures) -> Table {
    let end = Wall(START + 26 * 60 * MINUTE);
    figures.window(Wall(START), end, end)
}

#[test]
fn each_loss_is_told_apart_and_counted_for_the_hotline_that_was_dialled() {
    let losses = [
        Result::AbandonedAnnouncement,
        Result::AbandonedQueue,
        Result::AbandonedRinging,
        Result::NoSeat,
        Result::QueueFull,
        Result::Timeout,
        Result::Failed,
        Result::Rejected,
        Result::Message,
    ];
    let mut logs = Vec::new();
    for (n, result) in (1..).zip(losses) {
        let log = Log::new(n, n as u64, if n % 2 == 0 { "12345" } else { "12315" });
        let waits = !matches!(result, Result::AbandonedAnnouncement | Result::Rejected);
        let log = if waits { log.queued(20, "front") } else { log };
        logs.push(log.ends(30, result));
    }
    let table = all_day(&folded(&logs.iter().collect::<Vec<_>>()));
    assert_eq!((table.all.offered, table.all.handed, table.all.answered, table.all.all_lost()), (9, 7, 0, 9));
    assert!(losses.iter().all(|loss| table.all.lost_as(*loss) == 1));
    assert_eq!(table.hotlines["12345"].lost.len() + table.hotlines["12315"].lost.len(), 9);
    assert_eq!((table.all.wait_of_lost.count, table.all.wait_of_lost.sum_ms), (7, 70_000));
    assert_eq!((table.queues["front"].offered, table.queues["front"].all_lost()), (7, 7));
    assert_eq!(table.all.answered_share(), Some(0.0), "of those that were handed to people");
}

#[test]
fn the_clock_of_an_answer_starts_at_the_hand_over_and_the_one_from_the_start_is_kept_too() {
    for (answered, within) in [(25, 1), (26, 0)] {
        let log = Log::new(1, 0, "12345").queued(10, "front").rings(12, 2, seat("zhang")).joins(answered, 2, seat("zhang"));
        let counts = all_day(&folded(&[&log])).all;
        assert_eq!((counts.answered, counts.within, counts.undecided()), (1, within, 0));
        assert_eq!((counts.wait.sum_ms, counts.wait_from_start.sum_ms), ((answered - 10) * 1000, answered * 1000));
    }
    // A phone that rings without a queue is a hand-over, too.
    let log = Log::new(1, 0, "12345").rings(4, 2, seat("zhang")).joins(9, 2, seat("zhang"));
    assert_eq!(all_day(&folded(&[&log])).all.wait.sum_ms, 5000);
}

#[test]
fn row_14_a_call_that_comes_back_to_its_queue_is_counted_once() {
    let log = Log::new(1, 0, "12345").queued(0, "front").rings(1, 2, seat("zhang")).joins(5, 2, seat("zhang"));
    // The phone dies, the caller is at the queue's head again, and another seat takes it.
    let log = log.leaves(60, 2).queued(60, "front").rings(61, 3, seat("li")).joins(65, 3, seat("li")).joins(66, 3, seat("li"));
    let log = log.leaves(100, 3).ends(100, Result::Answered);
    let table = all_day(&folded(&[&log]));
    for counts in [&table.all, &table.queues["front"]] {
        assert_eq!((counts.offered, counts.answered, counts.within, counts.wait.count, counts.all_lost()), (1, 1, 1, 1, 0));
    }
    assert_eq!((table.seats["zhang"].answered, table.seats["li"].answered), (1, 1));
    assert_eq!((table.seats["zhang"].talk_ms, table.seats["li"].talk_ms), (55_000, 35_000));
    assert_eq!((table.all.talk.count, table.all.talk.sum_ms), (1, 90_000), "the caller's, as the record has it");
}

#[test]
fn row_14_after_a_transfer_the_seat_s_talk_is_its_own_alone() {
    let target = Party::Target { number: "12366".into() };
    let log = Log::new(1, 0, "12345").queued(0, "front").rings(0, 2, seat("zhang")).joins(3, 2, seat("zhang"));
    let log = log.then(60, What::TransferStarted { seq: 1, kind: TransferKind::Consult, by: 2, to: "12366".into() });
    let log = log.rings(60, 3, target.clone()).joins(70, 3, target).leaves(70, 2);
    let log = log.then(71, What::TransferEnded { seq: 1, result: TransferResult::Completed });
    // The caller talks on for an hour.
    let log = log.leaves(3671, 3).ends(3671, Result::Answered);
    let figures = folded(&[&log]);
    let table = all_day(&figures);
    assert_eq!((table.seats["zhang"].talk_ms, table.seats["zhang"].longest_talk_ms), (67_000, 67_000));
    assert_eq!(table.all.talk.sum_ms, 3_668_000);
    let transfers = |all: &[Transfer]| {
        all.iter().map(|t| (t.moved.kind.to_string(), t.to.clone(), t.moved.result.to_string(), t.count)).collect::<Vec<_>>()
    };
    let expected = vec![("consult".to_owned(), "12366".to_owned(), "completed".to_owned(), 1)];
    assert_eq!(transfers(&table.all.transfers), expected);
    assert_eq!(transfers(&table.seats["zhang"].transfers), expected, "though its leg was gone by then");
    // And in the quarter of an hour after it there is nothing of the seat any more.
    let later = figures.last(15, Wall(START + 30 * MINUTE));
    assert_eq!(later.seats.get("zhang"), None);
}

#[test]
fn whoever_goes_on_to_another_queue_is_no_loss_of_the_first() {
    let log = Log::new(1, 0, "12345").queued(0, "front").queued(100, "night").joins(
        110,
        2,
        Party::Seat { name: "li".into(), queue: "night".into() },
    );
    let table = all_day(&folded(&[&log]));
    let (front, night) = (&table.queues["front"], &table.queues["night"]);
    assert_eq!((front.offered, front.moved_on, front.answered, front.undecided()), (1, 1, 0, 0));
    assert_eq!((night.offered, night.answered, night.within, night.wait.sum_ms), (1, 1, 1, 10_000));
    assert_eq!((table.all.within, table.all.wait.sum_ms), (0, 110_000), "the caller waited for all of it");
}

#[test]
fn emergencies_count_and_a_person_s_number_is_told_nowhere() {
    let log = Log::new(1, 0, "12345").queued(0, "front").joins(3, 2, seat("zhang"));
    let log = log.then(4, What::TransferStarted { seq: 1, kind: TransferKind::Emergency, by: 2, to: "110".into() });
    let log = log.then(5, What::TransferEnded { seq: 1, result: TransferResult::Joined });
    let log = log.then(6, What::TransferStarted { seq: 2, kind: TransferKind::Blind, by: 2, to: "13812345678".into() });
    let log = log.then(7, What::TransferEnded { seq: 2, result: TransferResult::Failed });
    let table = all_day(&folded(&[&log]));
    assert_eq!((table.all.emergencies, table.queues["front"].emergencies), (1, 1));
    assert!(!format!("{table:?}").contains("13812345678"));
    let mut stranger = Log::new(2, 0, "13812345678");
    if let What::Offered(offered) = &mut stranger.entries[0].what {
        offered.mode = Mode::Unknown;
    }
    assert_eq!(all_day(&folded(&[&stranger])).hotlines.keys().collect::<Vec<_>>(), [OTHERS]);
}

#[test]
fn opinions_count_by_their_score_and_are_no_talk() {
    let mut logs = Vec::new();
    for (n, score) in (1..).zip([Some(3), Some(3), Some(1), None]) {
        let log = Log::new(n, 0, "12345").queued(0, "front").joins(3, 2, seat("zhang")).leaves(63, 2);
        logs.push(log.then(80, What::Survey { score, scale: 3 }).ends(80, Result::Answered));
    }
    logs.push(Log::new(9, 0, "12345").queued(0, "front").then(60, What::CallbackWanted).ends(61, Result::Timeout));
    let table = all_day(&folded(&logs.iter().collect::<Vec<_>>()));
    for counts in [&table.all, &table.queues["front"]] {
        assert_eq!((counts.surveys.clone(), counts.surveys_unanswered), (BTreeMap::from([(1, 1), (3, 2)]), 1));
        assert_eq!((counts.callbacks_wanted, counts.talk.sum_ms), (1, 240_000));
    }
}

#[test]
fn a_call_in_which_the_process_died_is_told_as_that_and_its_talk_ends_with_the_last_sign_of_life() {
    let talked = Log::new(1, 0, "12345").queued(0, "front").joins(3, 2, seat("zhang")).then(10, What::Held { leg: 2 });
    let waited = Log::new(2, 0, "12345").queued(5, "front");
    // The entry that says so has the clocks of another process.
    let [talked, waited] = [talked, waited].map(|log| log.then(90_000, What::Interrupted));
    let table = all_day(&folded(&[&talked, &waited]));
    assert_eq!((table.all.answered, table.all.interrupted, table.all.lost_as(Result::Interrupted)), (1, 1, 1));
    assert_eq!((table.all.talk.sum_ms, table.seats["zhang"].talk_ms), (7000, 7000));
}

fn outbound(log: &mut Log) {
    if let What::Offered(offered) = &mut log.entries[0].what {
        offered.direction = CallDirection::Outbound;
    }
}

fn line(n: u64, at: u64, what: SeatWhat) -> SeatEntry {
    let (wall, mono) = (Wall(START + (at * SECOND) as i64), Mono(9_000_000_000 + at * SECOND));
    SeatEntry { n, seat: "zhang".into(), wall, mono, what }
}

fn a_break(reason: &str) -> SeatWhat {
    SeatWhat::Break { kind: BreakKind::Rest, reason: reason.into(), seconds: Some(600), by: Author::gateway() }
}

fn login() -> SeatWhat {
    SeatWhat::LoggedIn { by: Author::gateway(), device: Device::Sip, kicked: false }
}

#[test]
fn a_seat_s_time_is_shared_out_among_its_states_and_breaks_by_reason() {
    let ready = || SeatWhat::Ready { by: Author::gateway() };
    let call = CallId(Uuid::from_u128(1));
    let log = [
        line(1, 0, login()),
        line(2, 60, a_break("lunch")),
        line(3, 90, SeatWhat::BreakOverdue { reason: "lunch".into() }),
        line(4, 100, ready()),
        line(5, 150, SeatWhat::WrapUp { call: Some(call), seconds: 30, by: Author::gateway() }),
        line(6, 170, ready()),
        line(7, 180, SeatWhat::Missed { call, cause: MissCause::NoAnswer }),
        line(8, 200, a_break("")),
        line(9, 230, SeatWhat::LoggedOut { by: Author::gateway(), why: LogoutWhy::Asked }),
    ];
    let mut figures = folded(&[&Log::new(1, 100, "12345").joins(100, 2, seat("zhang")).leaves(150, 2)]);
    log.iter().for_each(|entry| figures.seat(entry));
    let table = all_day(&figures);
    let of = &table.seats["zhang"];
    assert_eq!((of.signed_in_ms, of.ready_ms, of.wrap_up_ms, of.break_ms), (230_000, 140_000, 20_000, 70_000));
    assert_eq!(of.breaks, BTreeMap::from([("lunch".to_owned(), 40_000), ("rest".to_owned(), 30_000)]));
    assert_eq!((of.overdue, of.missed.clone(), of.talk_ms), (1, BTreeMap::from([("no_answer".into(), 1)]), 50_000));
    assert_eq!(of.occupancy(), Some(70.0 / 160.0));
    // A window has its part of each state, and what lasts is counted up to now.
    let part = figures.window(Wall(START + MINUTE), Wall(START + 2 * MINUTE), Wall(START + 2 * MINUTE)).seats["zhang"].clone();
    assert_eq!((part.signed_in_ms, part.break_ms, part.ready_ms, part.talk_ms), (60_000, 40_000, 20_000, 20_000));
    let mut lasting = Figures::new(WITHIN);
    lasting.seat(&log[0]);
    assert_eq!(lasting.last(15, Wall(START + 90_000_000)).seats["zhang"].ready_ms, 90_000);
}

#[test]
fn a_jump_of_the_wall_clock_bends_no_duration() {
    let mut log = Log::new(1, 0, "12345").queued(0, "front").joins(5, 2, seat("zhang")).leaves(65, 2).ends(65, Result::Answered);
    // An hour back after the answer.
    log.entries[3..].iter_mut().for_each(|entry| entry.wall.0 -= 3_600_000_000);
    let table = all_day(&folded(&[&log]));
    assert_eq!((table.all.talk.sum_ms, table.seats["zhang"].talk_ms), (60_000, 60_000));
    let mut figures = Figures::new(WITHIN);
    let mut lines = [line(1, 0, login()), line(2, 60, a_break("tea")), line(3, 120, SeatWhat::Ready { by: Author::gateway() })];
    // A day ahead, and back again.
    lines[1].wall.0 += 86_400_000_000;
    lines.iter().for_each(|line| figures.seat(line));
    let end = Wall(START + 48 * 60 * MINUTE);
    let of = figures.window(Wall(START), end, Wall(START + 120_000_000)).seats.remove("zhang").unwrap();
    assert_eq!((of.ready_ms, of.break_ms), (60_000, 0), "the break stands where the clock said, and is a minute long");
    assert_eq!(figures.window(Wall(START), end, end).seats["zhang"].break_ms, 60_000);
    // Another boot of the machine counts its clock anew.
    let mut figures = Figures::new(WITHIN);
    let mut lines = [line(1, 0, login()), line(2, 60, a_break("tea"))];
    lines[1].mono = Mono(5);
    lines.iter().for_each(|line| figures.seat(line));
    assert_eq!(figures.last(15, Wall(START + 60_000_000)).seats["zhang"].ready_ms, 60_000);
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut figures = Figures::new(WITHIN);
    for n in 0..2 * MINUTES as u128 {
        let at = n as u64 * 60;
        let log = Log::new(n, at, &format!("9{n}")).queued(at, &format!("q{n}"));
        log.entries.iter().for_each(|entry| figures.entry(entry));
        figures.seat(&line(n as u64 + 1, at, a_break(&format!("reason {n}"))));
    }
    assert!(figures.minutes.len() <= MINUTES && figures.names.len() <= NAMES + 1 && figures.reasons.len() <= REASONS + 1);
    assert!(figures.times.values().all(|times| times.held() <= 6000));
    // The oldest calls are forgotten whose end was lost.
    let mut figures = Figures::new(WITHIN);
    let offered = Log::new(0, 0, "12345").entries.remove(0);
    for n in 0..OPEN as u128 + 10 {
        figures.entry(&Entry { call: CallId(Uuid::from_u128(n)), ..offered.clone() });
    }
    assert_eq!((figures.open.len(), figures.last(1, Wall(START)).all.offered), (OPEN, OPEN as u64 + 10));
}

#[test]
fn a_table_is_told_in_two_languages_and_as_csv() {
    let log = Log::new(1, 0, "12345").queued(10, "front").joins(20, 2, seat("=1+1")).leaves(80, 2).ends(80, Result::Answered);
    let table = all_day(&folded(&[&log]));
    let told = table.told(By::Hotline);
    assert!(told.en.starts_with("HOTLINE  OFFERED  ANSWERED    RATE   <=15s"), "{}", told.en);
    assert!(told.zh.lines().nth(1).unwrap().contains("100.0%"), "{}", told.zh);
    assert!(told.en.lines().nth(2).unwrap().starts_with("* "));
    let csv = table.csv(By::Hotline);
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert!(lines[0].starts_with("hotline,offered,answered,answered_share,within_share,abandoned_announcement,"), "{csv}");
    assert!(lines[1].starts_with("12345,1,1,100.0,100.0,0,"), "{csv}");
    assert!(table.csv(By::Seat).contains("\r\n'=1+1,0,1,0,60.0,"), "a spreadsheet carries nothing out");
}

/// Adds a step that may come next in a call's log, by a number.
fn step(log: Log, at: u64, n: u8) -> Log {
    let names = ["zhang", "li", "wang"];
    let name = names[usize::from(n) % 3];
    let queue = ["front", "night"][usize::from(n / 3) % 2];
    let party = || Party::Seat { name: name.into(), queue: queue.into() };
    let leg = 2 + u64::from(n % 3);
    match n % 11 {
        0 | 1 => log.queued(at, queue),
        2 | 3 => log.rings(at, leg, party()),
        4 | 5 => log.joins(at, leg, party()),
        6 => log.then(at, What::RingFailed { leg, status: Some(486), q850: None }),
        7 => log.leaves(at, leg),
        8 => log.then(at, What::TransferStarted { seq: leg as u32, kind: TransferKind::Emergency, by: leg, to: "110".into() }),
        9 => log.then(at, What::TransferEnded { seq: leg as u32, result: TransferResult::Joined }),
        _ => log.then(at, What::Heard { leg }),
    }
}

prop_compose! {
    fn a_log()(start in 0_u64..4000, number in 0_usize..3, steps in proptest::collection::vec((0_u64..90, any::<u8>()), 0..25), end in proptest::option::of((0_u64..90, 0_usize..10)), placed in proptest::bool::weighted(0.2)) -> Log {
        let (mut at, mut log) = (start, Log::new(0, start, ["12345", "12315", "12366"][number]));
        if placed {
            outbound(&mut log);
        }
        for (pause, n) in steps {
            at += pause;
            log = step(log, at, n);
        }
        match end {
            Some((pause, result)) => log.ends(at + pause, Result::ALL[result]),
            None => log,
        }
    }
}

/// The figures of the model, gathered call by call.
#[derive(Debug, Default, PartialEq)]
struct Model {
    offered: u64,
    handed: u64,
    answered: u64,
    within: u64,
    lost: u64,
    waited_ms: u64,
    emergencies: u64,
    placed: u64,
    placed_answered: u64,
    placed_lost: u64,
}

fn found(log: &Log, wanted: impl Fn(&What) -> bool) -> Option<&Entry> {
    log.entries.iter().find(|entry| wanted(&entry.what))
}

fn model(log: &Log) -> Model {
    let handed = found(log, |what| matches!(what, What::Queued { .. } | What::Ringing { .. } | What::Joined { .. }));
    let joined = found(log, |what| matches!(what, What::Joined { .. }));
    let ended = found(log, |what| matches!(what, What::Ended { .. }));
    let waited = joined.zip(handed).map(|(joined, handed)| (joined.mono.0 - handed.mono.0) / 1000);
    let emergency = |entry: &&Entry| matches!(entry.what, What::TransferStarted { kind: TransferKind::Emergency, .. });
    if matches!(&log.entries[0].what, What::Offered(offered) if offered.direction == CallDirection::Outbound) {
        return Model {
            placed: 1,
            placed_answered: joined.is_some().into(),
            placed_lost: (joined.is_none() && ended.is_some()).into(),
            emergencies: log.entries.iter().filter(emergency).count() as u64,
            ..Model::default()
        };
    }
    Model {
        offered: 1,
        handed: handed.is_some().into(),
        answered: joined.is_some().into(),
        within: waited.is_some_and(|waited| waited <= 15_000).into(),
        lost: (joined.is_none() && ended.is_some()).into(),
        waited_ms: waited.unwrap_or(0),
        emergencies: log.entries.iter().filter(emergency).count() as u64,
        ..Model::default()
    }
}

fn told(counts: &Counts) -> Model {
    Model {
        offered: counts.offered,
        handed: counts.handed,
        answered: counts.answered,
        within: counts.within,
        lost: counts.all_lost(),
        waited_ms: counts.wait.sum_ms,
        emergencies: counts.emergencies,
        placed: counts.outbound.placed,
        placed_answered: counts.outbound.answered,
        placed_lost: counts.outbound.lost.values().sum(),
    }
}

fn sum(all: impl Iterator<Item = Model>) -> Model {
    all.fold(Model::default(), |a, b| Model {
        offered: a.offered + b.offered,
        handed: a.handed + b.handed,
        answered: a.answered + b.answered,
        within: a.within + b.within,
        lost: a.lost + b.lost,
        waited_ms: a.waited_ms + b.waited_ms,
        emergencies: a.emergencies + b.emergencies,
        placed: a.placed + b.placed,
        placed_answered: a.placed_answered + b.placed_answered,
        placed_lost: a.placed_lost + b.placed_lost,
    })
}

/// A seat's conversations: from a leg's first joining to its end, or the call's.
fn talks<'a>(log: &'a Log, name: &'a str) -> Vec<(u64, u64)> {
    let (mut talks, mut legs) = (Vec::new(), BTreeMap::<u64, (String, Option<u64>)>::new());
    for entry in &log.entries {
        let now = entry.mono.0;
        let gone: Vec<u64> = match &entry.what {
            What::Ringing { leg, party, .. } => {
                legs.entry(*leg).or_insert_with(|| (party.name().to_owned(), None));
                continue;
            }
            What::Joined { leg, party, .. } => {
                let of = legs.entry(*leg).or_insert_with(|| (party.name().to_owned(), None));
                // Whoever is joined talks, whosoever's leg rang.
                if of.1.is_none() {
                    *of = (party.name().to_owned(), Some(now));
                }
                continue;
            }
            What::RingFailed { leg, .. } | What::LegEnded { leg, .. } => vec![*leg],
            What::Ended { .. } => legs.keys().copied().collect(),
            _ => continue,
        };
        for (who, since) in gone.iter().filter_map(|leg| legs.remove(leg)) {
            talks.extend(since.filter(|_| who == name).map(|since| (since, now)));
        }
    }
    let open = legs.into_values().filter(|(who, _)| who == name);
    talks.extend(open.filter_map(|(_, since)| Some((since?, u64::MAX))));
    talks
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn figures_are_those_of_a_model_that_knows_no_minutes(mut logs in proptest::collection::vec(a_log(), 0..12), from in 0_i64..80, length in 1_i64..80) {
        for (n, log) in logs.iter_mut().enumerate() {
            log.call = n as u128 + 1;
            log.entries.iter_mut().for_each(|entry| entry.call = CallId(Uuid::from_u128(n as u128 + 1)));
        }
        // As they come: all calls' entries by their moment.
        let mut entries: Vec<&Entry> = logs.iter().flat_map(|log| &log.entries).collect();
        entries.sort_by_key(|entry| entry.mono);
        let mut figures = Figures::new(WITHIN);
        entries.iter().for_each(|entry| figures.entry(entry));
        let (from, to) = (START + from * MINUTE, START + (from + length) * MINUTE);
        let table = figures.window(Wall(from), Wall(to), Wall(to));
        let within = |log: &&Log| (from..to).contains(&log.entries[0].wall.0);
        prop_assert_eq!(told(&table.all), sum(logs.iter().filter(within).map(model)));
        for number in ["12345", "12315", "12366"] {
            let of = |log: &&Log| matches!(&log.entries[0].what, What::Offered(offered) if offered.number == number);
            let counts = table.hotlines.get(number).cloned().unwrap_or_default();
            prop_assert_eq!(told(&counts), sum(logs.iter().filter(within).filter(of).map(model)));
        }
        for name in ["zhang", "li", "wang"] {
            let share = |(since, until): (u64, u64)| {
                let wall = |mono: u64| START + (mono - 7_000_000_000) as i64;
                let until = if until == u64::MAX { to } else { wall(until) };
                u64::try_from((until.min(to) - wall(since).max(from)) / 1000).unwrap_or(0)
            };
            let expected: u64 = logs.iter().flat_map(|log| talks(log, name)).map(share).sum();
            prop_assert_eq!(table.seats.get(name).map_or(0, |counts| counts.talk_ms), expected, "{}", name);
        }
        // Calls one after another give the same as all at once.
        let mut apart = Figures::new(WITHIN);
        logs.iter().flat_map(|log| &log.entries).for_each(|entry| apart.entry(entry));
        prop_assert_eq!(apart.window(Wall(from), Wall(to), Wall(to)), table);
    }
}
