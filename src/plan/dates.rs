//! Dates and times as people write them: 2026年10月1日, 2026/10/1, 30秒.

use super::ascii::in_ascii;
use jiff::SignedDuration;
use jiff::civil::Date;

/// A date at the beginning of a text, and a time after it: how long it is, and how it is written.
pub fn begins(text: &str) -> Option<(usize, String)> {
    let mut eye = Scanner { rest: text };
    let year = eye.number(4, 4)?;
    let first = eye.one_of("年-/.－／．")?;
    let month = eye.number(1, 2)?;
    let parted = if first == '年' { eye.one_of("月")? } else { eye.one_of("-/.－／．")? };
    // 2026-10/1 is anything.
    if first != '年' && parted != first {
        return None;
    }
    let day = eye.number(1, 2)?;
    if eye.one_of("日号").is_none() && eye.rest.starts_with(|c: char| c.is_alphanumeric() && c != 'T') {
        return None;
    }
    let date = format!("{year}-{month:0>2}-{day:0>2}");
    let length = text.len() - eye.rest.len();
    match time(eye.rest) {
        Some((more, time)) => Some((length + more, format!("{date}{time}"))),
        None => Some((length, date)),
    }
}

/// ` 8:00`, `T08:00:00`, `8时30分`.
fn time(text: &str) -> Option<(usize, String)> {
    let mut eye = Scanner { rest: text };
    let parted = eye.one_of("T \u{3000}").unwrap_or(' ');
    let hour = eye.number(1, 2)?;
    let hours = eye.one_of(":：时点")?;
    let minute = eye.number(2, 2).or_else(|| (hours != ':').then(|| "00".to_owned()))?;
    let _ = eye.one_of("分");
    let mut after = Scanner { rest: eye.rest };
    let second = after.one_of(":：").and_then(|_| after.number(2, 2));
    if second.is_some() {
        eye.rest = after.rest;
    }
    let seconds = second.unwrap_or_else(|| "00".to_owned());
    let parted = if parted == 'T' || !text.starts_with(' ') { 'T' } else { ' ' };
    Some((text.len() - eye.rest.len(), format!("{parted}{hour:0>2}:{minute}:{seconds}")))
}

/// How a whole value is written, if it is a date at all.
pub fn date(value: &str) -> Option<String> {
    let value = value.trim();
    begins(value).filter(|(length, date)| *length == value.len() && exists(date)).map(|(_, date)| date)
}

/// True when a calendar has this date, which may have a time behind it.
pub fn exists(date: &str) -> bool {
    date.get(..10).is_some_and(|date| date.parse::<Date>().is_ok())
}

/// `30`, `30秒`, `5分钟`, `１小时`: how that much time is written.
pub fn duration(value: &str) -> Option<String> {
    let plain = in_ascii(value);
    let days = plain.strip_suffix('天').or(plain.strip_suffix('日')).and_then(|days| days.trim().parse::<u32>().ok());
    if let Some(days) = days {
        return Some(format!("{}h", u64::from(days) * 24));
    }
    let mut out = plain.replace("毫秒", "ms").replace("小时", "h").replace("分钟", "m").replace("秒钟", "s");
    for (word, unit) in [("秒", "s"), ("分", "m"), ("时", "h")] {
        out = out.replace(word, unit);
    }
    if !out.is_empty() && out.bytes().all(|b| b.is_ascii_digit()) {
        out.push('s');
    }
    (out != value && out.parse::<SignedDuration>().is_ok()).then_some(out)
}

struct Scanner<'a> {
    rest: &'a str,
}

impl Scanner<'_> {
    /// Digits, full-width ones too.
    fn number(&mut self, least: usize, most: usize) -> Option<String> {
        let digit = |c: &char| c.is_ascii_digit() || ('０'..='９').contains(c);
        let taken: String = self.rest.chars().take_while(digit).take(most + 1).collect();
        if !(least..=most).contains(&taken.chars().count()) {
            return None;
        }
        self.rest = &self.rest[taken.len()..];
        Some(in_ascii(&taken))
    }

    fn one_of(&mut self, choices: &str) -> Option<char> {
        let c = self.rest.chars().next().filter(|c| choices.contains(*c))?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_people_write_them() {
        for (text, want) in [
            ("2026年10月1日", "2026-10-01"),
            ("2026年1月1号", "2026-01-01"),
            ("２０２６年１０月１日", "2026-10-01"),
            ("2026/10/1", "2026-10-01"),
            ("2026.10.01", "2026-10-01"),
            ("2026-1-1", "2026-01-01"),
            ("2026年10月1日 8:00", "2026-10-01 08:00:00"),
            ("2026年10月1日8时30分", "2026-10-01T08:30:00"),
            ("2026/10/1 08：00：05", "2026-10-01 08:00:05"),
            ("2026-10-01", "2026-10-01"),
        ] {
            assert_eq!(date(text).as_deref(), Some(want), "{text}");
        }
        for text in ["192.0.2.1", "2026-10/1", "20261001", "2026-10", "2026年10月", "5060", "2026-10-01x", ""] {
            assert_eq!(date(text), None, "{text}");
        }
        assert_eq!(begins("2026-10-01T08:00:00+08:00"), Some((19, "2026-10-01T08:00:00".into())));
        assert_eq!(begins("2026-10-01T08:00:00.5Z").map(|found| found.0), Some(19));
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, want) in
            [("30", "30s"), ("30秒", "30s"), ("５分钟", "5m"), ("1小时", "1h"), ("500毫秒", "500ms"), ("２天", "48h")]
        {
            assert_eq!(duration(text).as_deref(), Some(want), "{text}");
        }
        for text in ["soon", "", "很久", "天"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
