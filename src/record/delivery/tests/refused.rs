//! Events that a backend refuses for themselves, and a backend that refuses all.

use super::*;

/// Each third event is refused for itself: the others get through, none waits for the refused, and nothing is lost.
#[test]
fn events_that_are_refused_for_themselves_stop_nobody() {
    for code in [301, 401, 403] {
        let mut delivery = delivery();
        let bad = |n: u64| n % 3 == 1;
        for n in 1..=60 {
            step(&mut delivery, at(0), Input::Offer(vec![record(n)]));
        }
        let (mut under_way, mut done, mut aside, mut now): (VecDeque<u64>, _, _, _) = ((1..=8).collect(), 0, 0, 0);
        while now < 120 && done + aside < 60 {
            let Some(n) = under_way.pop_front() else {
                now += 1;
                let mut out = Vec::new();
                delivery.tick(at(now), &mut out);
                under_way.extend(sent(&out));
                continue;
            };
            let outputs = answer(&mut delivery, now, n, status(if bad(n) { code } else { 200 }));
            match saved(&outputs.iter().filter(|o| matches!(o, Output::Save(_))).cloned().collect::<Vec<_>>()) {
                Verdict::Done => done += 1,
                Verdict::Aside { .. } => aside += 1,
                other => panic!("{other:?}"),
            }
            under_way.extend(sent(&outputs));
            under_way.extend(sent(&step(&mut delivery, at(now), Input::Saved { call: call(n) })));
        }
        assert_eq!((done, aside), (40, 20), "{code}, {now} s");
    }
}

#[test]
fn one_event_that_is_always_refused_becomes_a_dead_letter_and_no_alarm_of_the_backend_s() {
    let mut delivery = delivery();
    let mut item = record(1);
    for hour in 0..72 {
        let outputs = step(&mut delivery, at(hour * HOUR), Input::Offer(vec![item.clone()]));
        assert_eq!(outputs, [Output::Send(item.clone())]);
        let outputs = answer(&mut delivery, hour * HOUR, 1, status(403));
        let [Output::Save(Settlement { verdict: Verdict::Aside { since, .. }, .. })] = &outputs[..] else {
            panic!("{outputs:?}")
        };
        item = Item { attempts: item.attempts + 1, failing_since: Some(*since), ..item };
        step(&mut delivery, at(hour * HOUR), Input::Saved { call: call(1) });
    }
    step(&mut delivery, at(72 * HOUR), Input::Offer(vec![item]));
    assert!(matches!(saved(&answer(&mut delivery, 72 * HOUR, 1, status(403))), Verdict::Dead { .. }));
}

#[test]
fn a_backend_that_refuses_another_event_too_is_paused_and_nothing_dies() {
    let mut delivery = Delivery::new(Limits { in_flight: 1, ..Limits::default() }, Rng::from_number(7));
    let aged = |n| Item { attempts: 90, failing_since: Some(Wall(0)), ..record(n) };
    step(&mut delivery, at(0), Input::Offer(vec![record(1)]));
    (2..=20).for_each(|n| drop(step(&mut delivery, at(0), Input::Offer(vec![aged(n)]))));
    assert_eq!(answer(&mut delivery, 0, 1, status(401)).len(), 1, "it may be this event");
    assert_eq!(step(&mut delivery, at(0), Input::Saved { call: call(1) }), [Output::Send(aged(2))], "another is the probe");
    let refused = answer(&mut delivery, 0, 2, status(403));
    assert_eq!(refused[0], Output::Alarm(Alarm::Paused("HTTP 403".into())));
    step(&mut delivery, at(0), Input::Saved { call: call(2) });
    let (mut now, mut waits) = (0, Vec::new());
    for n in 3..=8 {
        let next = delivery.deadline().unwrap().since(at(0).mono).as_secs_f64().ceil() as u64;
        waits.push(next - now);
        now = next;
        let mut out = Vec::new();
        delivery.tick(at(now), &mut out);
        assert_eq!(out, [Output::Send(aged(n))], "one probe, and each time another");
        let outputs = answer(&mut delivery, now, n, status(401));
        assert!(
            matches!(&outputs[..], [Output::Save(Settlement { verdict: Verdict::Aside { since, .. }, .. })] if *since == at(now).wall)
        );
        step(&mut delivery, at(now), Input::Saved { call: call(n) });
    }
    assert!(waits[0] <= 6 && waits[4] > 149 && waits.iter().all(|wait| *wait <= 301), "{waits:?}");
    let next = delivery.deadline().unwrap().since(at(0).mono).as_secs_f64().ceil() as u64;
    let mut out = Vec::new();
    delivery.tick(at(next), &mut out);
    let outputs = answer(&mut delivery, next, 9, status(204));
    assert_eq!((&outputs[0], saved(&outputs[..2])), (&Output::Alarm(Alarm::Up), &Verdict::Done));
}
