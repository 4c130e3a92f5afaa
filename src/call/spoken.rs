//! Numbers as a Chinese voice says them, as names of prompts: 12 is 十二, two people are 两位, a seat's number is read digit by
//! digit.

use super::waiting::Waiting;
use std::sync::Arc;
use std::time::Duration;

/// No caller believes more, and nobody records the words for it.
const MOST_AHEAD: u32 = 999;
const MOST_MINUTES: u32 = 120;
/// A number of more digits would keep the caller from the seat.
pub const LONGEST_SEAT_NUMBER: usize = 8;

const DIGITS: [&str; 10] =
    ["digit-0", "digit-1", "digit-2", "digit-3", "digit-4", "digit-5", "digit-6", "digit-7", "digit-8", "digit-9"];
const TEN: &str = "digit-10";
const HUNDRED: &str = "digit-100";
const TWO_OF: &str = "digit-two";
const NEXT: &str = "queue-next";
const AHEAD: &str = "queue-ahead";
const PEOPLE: &str = "queue-people";
const SOON: &str = "queue-soon";
const ABOUT: &str = "queue-about";
const MINUTES: &str = "queue-minutes";
const NUMBER: &str = "seat-number";
const SERVES: &str = "seat-serves";
const CALL: &str = "accept-call";
const TAKE: &str = "accept-take";

/// The sound after which a caller speaks its message.
pub const TONE: &str = "message-tone";
/// The words of an announcement with numbers, and of a seat's number.
pub const QUEUE_WORDS: [&str; 6] = [NEXT, AHEAD, PEOPLE, SOON, ABOUT, MINUTES];
pub const SEAT_WORDS: [&str; 2] = [NUMBER, SERVES];
/// The words in which a seat is asked to accept a caller.
pub const ACCEPT_WORDS: [&str; 2] = [CALL, TAKE];

/// All words of which numbers are made.
pub fn number_words() -> impl Iterator<Item = &'static str> {
    DIGITS.into_iter().chain([TEN, HUNDRED, TWO_OF])
}

/// The name of a word's prompt in this voice.
pub fn in_voice(voice: &str, word: &str) -> Arc<str> {
    if voice.is_empty() { word.into() } else { format!("{voice}-{word}").into() }
}

/// Minutes that are worth saying; none: too many to be.
pub(super) fn minutes(wait: Duration) -> Option<u32> {
    let minutes = u32::try_from(wait.as_secs().div_ceil(60)).unwrap_or(u32::MAX);
    (minutes <= MOST_MINUTES).then_some(minutes)
}

/// 您前面还有十二位，预计等待五分钟; 您是下一位，预计等待不到一分钟.
pub(super) fn place(waiting: &Waiting, ahead: Option<u32>, minutes: Option<u32>) -> Vec<Arc<str>> {
    let mut words = Vec::new();
    match ahead {
        Some(0) => words.push(NEXT),
        Some(ahead) => {
            words.push(AHEAD);
            quantity(ahead.min(MOST_AHEAD), &mut words);
            words.push(PEOPLE);
        }
        None => {}
    }
    match minutes {
        Some(0 | 1) => words.push(SOON),
        Some(minutes) => {
            words.push(ABOUT);
            quantity(minutes, &mut words);
            words.push(MINUTES);
        }
        None => {}
    }
    words.into_iter().map(|word| in_voice(&waiting.voice, word)).chain(waiting.prompt.clone()).collect()
}

/// 工号八零一二为您服务.
pub(super) fn seat_number(waiting: &Waiting, number: &str) -> Vec<Arc<str>> {
    let digits = number.chars().filter_map(|c| DIGITS.get(c.to_digit(10)? as usize)).take(LONGEST_SEAT_NUMBER);
    std::iter::once(&NUMBER).chain(digits).chain([&SERVES]).map(|word| in_voice(&waiting.voice, word)).collect()
}

/// 12345 来电，请按 1 接听. A queue that is named by no number is left out.
pub(super) fn asks_to_accept(queue: &str, key: char) -> Vec<Arc<str>> {
    let digit = |c: char| DIGITS.get(c.to_digit(10)? as usize).copied();
    let number = Some(queue).filter(|queue| queue.len() <= LONGEST_SEAT_NUMBER && queue.bytes().all(|b| b.is_ascii_digit()));
    let number = number.into_iter().flat_map(|number| number.chars()).filter_map(digit);
    number.chain([CALL]).chain(digit(key)).chain([TAKE]).map(Arc::from).collect()
}

/// Says how many there are of something, up to 999.
fn quantity(n: u32, words: &mut Vec<&'static str>) {
    let digit = |n: u32| DIGITS.get(n as usize).copied();
    let (hundreds, tens, ones) = (n / 100, n / 10 % 10, n % 10);
    if n == 2 {
        return words.push(TWO_OF);
    }
    if hundreds > 0 {
        words.extend(digit(hundreds).into_iter().chain([HUNDRED]));
    }
    match tens {
        0 if hundreds > 0 && ones > 0 => words.extend(digit(0)),
        0 => {}
        // 十二, and not 一十二, where nothing stands before.
        1 if hundreds == 0 => words.push(TEN),
        _ => words.extend(digit(tens).into_iter().chain([TEN])),
    }
    if ones > 0 || n == 0 {
        words.extend(digit(ones));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        let said = |n| {
            let mut words = Vec::new();
            quantity(n, &mut words);
            words.iter().map(|word| word.trim_start_matches("digit-")).collect::<Vec<_>>().join(" ")
        };
        for (n, want) in [
            (0, "0"),
            (1, "1"),
            (2, "two"),
            (9, "9"),
            (10, "10"),
            (12, "10 2"),
            (20, "2 10"),
            (99, "9 10 9"),
            (100, "1 100"),
            (105, "1 100 0 5"),
            (110, "1 100 1 10"),
            (112, "1 100 1 10 2"),
            (200, "2 100"),
            (999, "9 100 9 10 9"),
        ] {
            assert_eq!(said(n), want, "{n}");
        }
    }

    #[test]
    fn every_word_that_is_said_is_one_that_is_asked_for() {
        let known: Vec<&str> = number_words().chain(QUEUE_WORDS).chain(SEAT_WORDS).chain(ACCEPT_WORDS).collect();
        let asked = asks_to_accept("12345", '9').into_iter().chain(asks_to_accept("税务", '1'));
        for word in asked {
            assert!(known.contains(&&*word), "{word}");
        }
        assert_eq!(asks_to_accept("96", '1'), ["digit-9", "digit-6", "accept-call", "digit-1", "accept-take"].map(Arc::from));
        let waiting = Waiting { voice: "bo".into(), prompt: Some("hold".into()), ..Waiting::default() };
        let all = (0..1200).flat_map(|n| place(&waiting, Some(n), Some(n))).chain(seat_number(&waiting, "0123456789"));
        for word in all.filter(|word| &**word != "hold") {
            assert!(known.contains(&word.strip_prefix("bo-").unwrap()), "{word}");
        }
        assert_eq!(place(&waiting, None, None), ["hold".into()]);
        assert_eq!(
            seat_number(&Waiting::default(), "80-1"),
            ["seat-number", "digit-8", "digit-0", "digit-1", "seat-serves"].map(Arc::from)
        );
    }

    #[test]
    fn a_wait_that_nobody_would_believe_is_not_said() {
        assert_eq!(minutes(Duration::ZERO), Some(0));
        assert_eq!(minutes(Duration::from_secs(61)), Some(2));
        assert_eq!(minutes(Duration::from_secs(7201)), None);
    }
}
