//! Calls that seats place.

use super::*;

#[test]
fn calls_that_seats_place_are_counted_apart_and_in_no_answer_time() {
    let placed = |n: u128| {
        let mut log = Log::new(n, 0, "12345").rings(0, 1, Party::Seat { name: "zhang".into(), queue: String::new() });
        outbound(&mut log);
        log.then(5, What::Dialled { leg: 1, sip_call_id: None })
    };
    let zhang = Party::Seat { name: "zhang".into(), queue: String::new() };
    let talked = placed(1).then(30, What::CallerAnswered).joins(30, 1, zhang).leaves(90, 1).ends(90, Result::Answered);
    let busy = placed(2).ends(20, Result::Failed);
    // The seat's phone died, and the person waits at the queue's head.
    let zhang = Party::Seat { name: "zhang".into(), queue: String::new() };
    let lost = placed(3).joins(30, 1, zhang).leaves(40, 1).queued(40, "front").joins(60, 3, seat("li")).leaves(70, 3);
    let lost = lost.ends(70, Result::Answered);
    let table = all_day(&folded(&[&talked, &busy, &lost]));
    let counts = &table.all;
    assert_eq!((counts.offered, counts.handed, counts.answered, counts.within, counts.all_lost()), (0, 0, 0, 0, 0));
    assert_eq!((counts.wait.count, counts.talk.count, table.queues.len()), (0, 0, 0));
    let of = |outbound: &Outbound| (outbound.placed, outbound.answered, outbound.lost.values().sum::<u64>(), outbound.talk.count);
    assert_eq!((of(&counts.outbound), of(&table.seats["zhang"].outbound)), ((3, 2, 1, 2), (3, 2, 1, 2)));
    assert_eq!(counts.outbound.lost, BTreeMap::from([("failed".into(), 1)]));
    assert_eq!((table.seats["zhang"].rung, table.seats["zhang"].answered, table.seats["zhang"].talk_ms), (0, 0, 70_000));
    assert!(table.csv(By::Hotline).lines().next().unwrap().ends_with(",outbound,outbound_answered"));
}
