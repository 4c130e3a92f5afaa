//! A ticket system's own words on why, for people: a line of its answer in logs and beside dead letters.

use serde_json::Value;

/// Limits the characters shown: enough to see which field it means.
const MOST: usize = 200;
/// A number of so many digits may be the caller's, and a word so long a secret.
const DIGITS: usize = 5;
const WORD: usize = 20;
const HIDDEN: &str = "****";

/// Where an answer repeats words that nobody may see, these are hidden.
pub fn hide_secrets<'a>(text: &mut String, secrets: impl IntoIterator<Item = &'a String>) {
    for secret in secrets.into_iter().flat_map(|secret| secret.split_whitespace()).filter(|secret| secret.len() > 3) {
        *text = text.replace(secret, HIDDEN);
    }
}

/// The beginning of an answer on one line, without whatever of it may be a caller's number or a secret of ours: many answers
/// repeat what they were asked.
pub fn error_text(body: &[u8]) -> String {
    // JSON printed anew: \u0031 is a 1.
    let text = serde_json::from_slice::<Value>(body).map(|body| body.to_string());
    let text = text.unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned());
    let line = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    without_numbers(&without_words(&line.collect::<Vec<_>>().join(" "))).chars().take(MOST).collect()
}

fn without_words(line: &str) -> String {
    let parts = |c: char| !(c.is_ascii_alphanumeric() || "+-_./=%".contains(c));
    line.split_inclusive(parts)
        .map(|word| match word.trim_end_matches(parts) {
            long if long.len() >= WORD => word.replace(long, HIDDEN),
            _ => word.to_owned(),
        })
        .collect()
}

/// Digits are counted across what parts them when they are written in groups.
fn without_numbers(line: &str) -> String {
    let (mut shown, mut run) = (String::new(), String::new());
    let end = |run: &mut String, shown: &mut String| {
        let many = run.chars().filter(|c| c.is_numeric()).count() >= DIGITS;
        let number = run.trim_end_matches(|c: char| !c.is_numeric()).len();
        shown.push_str(if many { HIDDEN } else { &run[..number] });
        shown.push_str(&run[number..]);
        run.clear();
    };
    for c in line.chars() {
        if c.is_numeric() || !run.is_empty() && !c.is_alphabetic() {
            run.push(c);
        } else {
            end(&mut run, &mut shown);
            shown.push(c);
        }
    }
    end(&mut run, &mut shown);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_shown_and_no_number_or_secret() {
        let answer =
            "{\"success\": false,\n \"message\": \"字段 callerNumber \\u0031\\u003380013800 不合法\", \"code\": \"E1001\"}";
        assert_eq!(
            error_text(answer.as_bytes()),
            "{\"code\":\"E1001\",\"message\":\"字段 callerNumber **** 不合法\",\"success\":false}"
        );
        assert_eq!(error_text(b"<h1>404 Not Found</h1>\r\n"), "<h1>404 Not Found</h1>");
        assert_eq!(error_text("no 138 0013-8000, no １３８００１３８０００, (0691) 212 3456".as_bytes()), "no ****, no ****");
        assert_eq!(error_text(b"bad token MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3, you"), "bad token ****, you");
        assert_eq!(error_text("138.0013.8000; 0691–212–3456".as_bytes()), "****");
        assert_eq!(error_text(b""), "");
        let mut text = error_text(b"no user hotline with open-sesame");
        hide_secrets(&mut text, [&"open-sesame".to_owned()]);
        assert_eq!(text, "no user hotline with ****");
        assert_eq!(error_text(&b"no ".repeat(100_000)).chars().count(), MOST);
        assert!(!error_text(&[0xff, b'1', b'2', b'3', b'4', b'5']).contains("123"));
    }
}
