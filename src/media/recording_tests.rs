use super::*;
use crate::base::{Rng, Wall};

const SEAT: u64 = 1;
const TARGET: u64 = 2;
/// Loud, soft, and the other way.
const LOUD: u8 = 0xAA;
const SOFT: u8 = 0xD0;
const DOWN: u8 = 0x2A;

/// One call, in time that only `say` and `until` move.
struct Bench {
    recordings: Recordings,
    call: CallId,
    made: Vec<Made>,
}

impl Bench {
    fn new() -> Bench {
        let mut recordings = Recordings::new(Format::Pcm, 2, MapSeed(1, 2));
        let call = CallId::new(Wall(0), &mut Rng::from_number(1));
        assert!(recordings.begin(Mono(0), call));
        Bench { recordings, call, made: Vec::new() }
    }

    /// A frame of 20 ms of one code that comes at this millisecond.
    fn frame(&mut self, leg: u64, side: Side, at: u64, timestamp: u32, code: u8) {
        let tapped = Tapped { call: self.call, leg, side, law: Law::A, timestamp, at: ms(at) };
        self.recordings.frame(&tapped, &[code; 160]);
    }

    fn say(&mut self, leg: u64, at: std::ops::Range<u64>, code: u8) {
        // Each party counts from somewhere else, and past the end of its numbers.
        let first = u32::MAX.wrapping_sub(1000).wrapping_mul(leg as u32 + 1);
        for at in at.step_by(20) {
            self.frame(leg, Side::Said, at, first.wrapping_add(at as u32 * 8), code);
        }
    }

    fn play(&mut self, at: std::ops::Range<u64>, code: u8) {
        at.step_by(20).for_each(|at| self.frame(CALLER, Side::Played, at, at as u32 * 8, code));
    }

    fn until(&mut self, at: u64) {
        self.recordings.advance(ms(at), &mut self.made);
    }

    /// Everything, and whether some of it may have been lost.
    fn end(&mut self, at: u64) -> (Vec<i16>, Vec<i16>, bool) {
        self.recordings.end(ms(at), self.call);
        self.until(at);
        assert!(self.recordings.is_empty());
        let (mut left, mut right, mut whole) = (Vec::new(), Vec::new(), None);
        for made in self.made.drain(..) {
            match made {
                Made::Audio { call, .. } | Made::Whole { call, .. } if call != self.call => {}
                Made::Audio { bytes, .. } => bytes.chunks_exact(4).for_each(|b| {
                    left.push(i16::from_le_bytes([b[0], b[1]]));
                    right.push(i16::from_le_bytes([b[2], b[3]]));
                }),
                Made::Discarded { .. } => unreachable!(),
                Made::Whole { lost, .. } => assert!(whole.replace(lost).is_none()),
            }
        }
        (left, right, whole.unwrap())
    }
}

fn ms(at: u64) -> Mono {
    Mono(at * 1000)
}

fn value(code: u8) -> i16 {
    Law::A.decode(code)
}

/// The one value that fills this time, in milliseconds.
#[track_caller]
fn all(samples: &[i16], at: std::ops::Range<usize>) -> i16 {
    let piece = &samples[at.start * 8..at.end * 8];
    assert!(piece.iter().all(|sample| *sample == piece[0]), "more than one value in {at:?}");
    piece[0]
}

#[test]
fn left_is_the_caller_and_right_is_everybody_else_also_in_a_consultation() {
    let mut b = Bench::new();
    b.play(0..100, SOFT);
    b.until(100);
    b.say(CALLER, 100..600, LOUD);
    b.say(SEAT, 100..500, SOFT);
    // The caller hears music while seat and target speak.
    b.play(200..400, DOWN);
    b.say(TARGET, 200..600, LOUD);
    let (left, right, lost) = b.end(700);
    assert_eq!((left.len(), right.len(), lost), (600 * 8, 600 * 8, false));
    assert_eq!((all(&left, 0..100), all(&left, 100..600)), (0, value(LOUD)));
    assert_eq!((all(&right, 0..100), all(&right, 100..200)), (value(SOFT), value(SOFT)));
    assert_eq!(all(&right, 200..500), value(SOFT) + value(LOUD), "two voices, and no music over them");
    assert_eq!(all(&right, 500..600), value(LOUD));
}

#[test]
fn what_is_missing_is_silence_or_music_and_nobody_moves_in_time() {
    let mut b = Bench::new();
    b.say(CALLER, 0..20, LOUD);
    b.say(SEAT, 40..60, SOFT);
    b.until(1000);
    b.say(CALLER, 1000..1020, LOUD);
    b.play(1100..1200, DOWN);
    b.say(SEAT, 1140..1160, SOFT);
    let (left, right, _) = b.end(3000);
    assert_eq!((all(&left, 0..20), all(&left, 20..1000), all(&left, 1000..1020)), (value(LOUD), 0, value(LOUD)));
    assert_eq!((all(&right, 0..40), all(&right, 40..60), all(&right, 60..1100)), (0, value(SOFT), 0));
    assert_eq!(
        (all(&right, 1100..1140), all(&right, 1140..1160), all(&right, 1160..1200)),
        (value(DOWN), value(SOFT), value(DOWN))
    );
    assert_eq!(left.len(), 1200 * 8, "the file ends with the last sound");
}

#[test]
fn jitter_order_and_repetition_leave_no_mark() {
    let mut b = Bench::new();
    for (at, timestamp) in [(0, 0), (70, 160), (71, 480), (72, 320), (73, 320), (80, 640)] {
        b.frame(CALLER, Side::Said, at, timestamp, LOUD);
        b.frame(SEAT, Side::Said, at, timestamp, SOFT);
        b.until(at);
    }
    let (left, right, lost) = b.end(1000);
    assert_eq!((all(&left, 0..100), all(&right, 0..100), left.len(), lost), (value(LOUD), value(SOFT), 800, false));
}

#[test]
fn a_timestamp_that_jumps_or_drifts_gives_way_to_the_time_of_arrival() {
    let mut b = Bench::new();
    b.say(CALLER, 0..100, LOUD);
    b.until(100);
    (100..200).step_by(20).for_each(|at| b.frame(CALLER, Side::Said, at, 7_000_000 + at as u32 * 8, SOFT));
    b.until(300);
    let (left, ..) = b.end(1000);
    assert_eq!((all(&left, 0..100), all(&left, 100..200), left.len()), (value(LOUD), value(SOFT), 1600));

    // A clock that is one in a hundred too fast, for a minute: never further off than may be.
    let mut b = Bench::new();
    for n in 0..3000u64 {
        b.frame(CALLER, Side::Said, n * 20, (n * 20 * 8) as u32 / 100 * 101, LOUD);
        b.until(n * 20);
    }
    let (left, ..) = b.end(61_000);
    assert!(left.len() as i64 - 60_000 * 8 <= SLIP, "{}", left.len());
}

#[test]
fn what_comes_too_late_is_left_out_and_a_late_thread_loses_nothing() {
    let mut b = Bench::new();
    b.say(CALLER, 0..400, LOUD);
    b.until(400);
    b.frame(SEAT, Side::Said, 400, 0, SOFT);
    b.frame(SEAT, Side::Said, 400, 160_u32.wrapping_neg(), DOWN);
    b.frame(CALLER, Side::Said, 401, 0, LOUD);
    b.until(1000);
    // Frames waited for the thread for two seconds: it sees them all at once.
    b.say(CALLER, 1000..3000, SOFT);
    b.until(3000);
    let (left, right, lost) = b.end(3300);
    assert_eq!((all(&left, 0..400), all(&left, 1000..3000), left.len(), lost), (value(LOUD), value(SOFT), 24_000, false));
    assert_eq!((all(&right, 380..400), all(&right, 400..420)), (value(DOWN), value(SOFT)));
}

#[test]
fn time_in_which_the_process_stood_still_is_left_out() {
    let mut b = Bench::new();
    b.say(CALLER, 0..100, LOUD);
    b.until(100);
    // An hour would be a hundred megabytes of silence at once.
    b.say(CALLER, 3_600_000..3_600_100, SOFT);
    b.until(3_600_100);
    b.say(CALLER, 3_600_100..3_600_200, SOFT);
    let (left, _, lost) = b.end(3_601_000);
    let soft = left.iter().filter(|sample| **sample == value(SOFT)).count();
    assert!(soft == 200 * 8 && left.len() < 16_000 && lost, "{soft} of {}", left.len());
    assert_eq!(all(&left, 0..100), value(LOUD));
}

#[test]
fn audio_leaves_as_it_comes_and_ends_when_the_call_is_said_to() {
    let mut b = Bench::new();
    let other = CallId::new(Wall(1), &mut Rng::from_number(2));
    let tapped = Tapped { call: other, leg: 0, side: Side::Said, law: Law::A, timestamp: 0, at: ms(1) };
    b.recordings.frame(&tapped, &[LOUD; 160]);
    assert_eq!(b.recordings.len(), 1, "only what was begun is recorded");
    for second in 0..100 {
        b.say(CALLER, second * 1000..second * 1000 + 1000, LOUD);
        b.until(second * 1000 + 1000);
        assert!(b.recordings.calls[&b.call].left.len() < BLOCK);
    }
    b.recordings.end(ms(100_500), b.call);
    b.until(100_499);
    assert_eq!(b.recordings.len(), 1, "frames of it may still be on their way");
    let (left, _, lost) = b.end(100_500);
    assert_eq!((all(&left, 0..100_000), left.len(), lost), (value(LOUD), (100_499 - 200) * 8, false));
}

#[test]
fn bounds_hold() {
    let mut b = Bench::new();
    let call = |n| CallId::new(Wall(1), &mut Rng::from_number(n));
    assert!(b.recordings.begin(Mono(0), call(2)) && !b.recordings.begin(Mono(0), call(3)));
    for party in 0..LANES as u64 {
        b.say(party, 0..100, LOUD);
    }
    assert!(!b.recordings.calls[&b.call].lost);
    b.say(50, 80..100, LOUD);
    assert!(b.recordings.calls[&b.call].lost, "so many cannot talk at once");
    b.until(1000);
    b.say(51, 1000..1020, SOFT);
    assert_eq!(b.recordings.calls[&b.call].lanes.len(), 1, "who is silent makes room");
    b.recordings.lose();
    b.until(1020 + 3_599_000);
    assert_eq!(b.recordings.len(), 1, "the other one never said anything");
    let (.., lost) = b.end(1020 + 3_600_000);
    assert!(lost);
}

#[test]
fn a_panic_costs_the_recording_of_one_call() {
    use crate::base::trap::{self, Trap};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let mut b = Bench::new();
    let other = CallId::new(Wall(1), &mut Rng::from_number(2));
    assert!(b.recordings.begin(Mono(0), other));
    b.say(SEAT, 0..1000, LOUD);
    let broken = Tapped { call: other, leg: SEAT, side: Side::Said, law: Law::A, timestamp: 0, at: ms(500) };
    b.recordings.end(ms(400), other);
    trap::set(Trap::Recording, 0);
    assert!(catch_unwind(AssertUnwindSafe(|| b.recordings.frame(&broken, &[SOFT; 160]))).is_err());
    assert!(b.recordings.recover(&mut b.made));
    assert_eq!(b.made, [Made::Whole { call: other, lost: true }]);
    assert_eq!((b.recordings.len(), b.recordings.ends.len()), (1, 0), "it leaves nothing behind");
    // The call itself goes on: it is not recorded again, and its end is told no second time.
    b.recordings.frame(&broken, &[SOFT; 160]);
    b.recordings.end(ms(900), other);
    b.until(950);
    assert_eq!(b.made.iter().filter(|made| matches!(made, Made::Whole { .. })).count(), 1);
    b.say(SEAT, 1000..2000, LOUD);
    let (_, right, lost) = b.end(2000);
    assert!(!lost && right.len() == 16_000 && right.iter().all(|sample| *sample == value(LOUD)));
}

/// Caller and seat speak all the time, and what is kept changes at these moments.
fn spoken(turns: &[(u64, Keeping)], until: u64) -> (Vec<i16>, Vec<i16>) {
    let mut b = Bench::new();
    for at in (0..until).step_by(20) {
        for (_, keeping) in turns.iter().filter(|(turn, _)| (at..at + 20).contains(turn)) {
            b.recordings.turn(ms(at), b.call, *keeping);
        }
        b.say(CALLER, at..at + 20, LOUD);
        b.say(SEAT, at..at + 20, SOFT);
        b.until(at);
    }
    let (left, right, lost) = b.end(until);
    assert!(!lost && left.len() == right.len());
    (left, right)
}

#[test]
fn what_is_masked_is_silent_and_exactly_as_long_as_it_was() {
    let (left, right) = spoken(&[(1000, Keeping::Silence), (3000, Keeping::Sound)], 5000);
    assert_eq!(left.len(), 5000 * 8, "the times stay true");
    assert_eq!((all(&left, 0..1000), all(&right, 0..1000)), (value(LOUD), value(SOFT)));
    assert_eq!((all(&left, 1000..3000), all(&right, 1000..3000)), (0, 0));
    assert_eq!((all(&left, 3000..5000), all(&right, 3000..5000)), (value(LOUD), value(SOFT)));
}

#[test]
fn what_is_paused_is_a_gap_that_no_word_of_it_stands_in() {
    let (left, _) = spoken(&[(1000, Keeping::Nothing), (3000, Keeping::Sound)], 5000);
    assert_eq!((left.len(), all(&left, 0..3000)), (3000 * 8, value(LOUD)));
}

#[test]
fn a_call_that_ends_while_it_is_masked_is_as_long_as_it_was_and_one_that_was_stopped_is_not() {
    let (left, _) = spoken(&[(1000, Keeping::Silence)], 2000);
    assert_eq!((left.len(), all(&left, 0..1000), all(&left, 1000..2000)), (2000 * 8, value(LOUD), 0));
    let (left, _) = spoken(&[(1000, Keeping::Nothing)], 2000);
    assert_eq!(left.len(), 1000 * 8);
    let (left, _) = spoken(&[(0, Keeping::Silence), (500, Keeping::Sound)], 1000);
    assert_eq!((left.len(), all(&left, 520..1000)), (1000 * 8, value(LOUD)), "masked from the first packet on");
}

#[test]
fn words_that_come_late_out_of_a_masked_time_are_not_in_the_file_either() {
    let mut b = Bench::new();
    b.say(CALLER, 0..1000, SOFT);
    b.until(900);
    b.recordings.turn(ms(1000), b.call, Keeping::Silence);
    // Spoken within it, and on the way until it is over; and what had been spoken before it comes within it.
    b.frame(CALLER, Side::Said, 1500, 1980 * 8, LOUD);
    b.recordings.turn(ms(2000), b.call, Keeping::Sound);
    b.frame(CALLER, Side::Said, 2010, 1940 * 8, LOUD);
    b.say(CALLER, 2020..2400, SOFT);
    let (left, _, _) = b.end(2500);
    assert!(!left.contains(&value(LOUD)), "a word of it is heard");
    assert_eq!((all(&left, 0..1000), all(&left, 1000..2000), all(&left, 2020..2400)), (value(SOFT), 0, value(SOFT)));
}

#[test]
fn nothing_is_kept_of_what_is_discarded() {
    let mut b = Bench::new();
    b.say(CALLER, 0..400, LOUD);
    b.recordings.discard(ms(400), b.call);
    b.recordings.advance(ms(500), &mut b.made);
    assert!(b.recordings.is_empty());
    assert_eq!(b.made.last(), Some(&Made::Discarded { call: b.call }));
}
