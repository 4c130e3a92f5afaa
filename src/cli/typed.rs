//! Moments, names and numbers as a person types them.

use crate::base::Text;
pub use crate::io::clock::moment::{Moment, day, end, moment};
use crate::plan::characters;
use jiff::SignedDuration;
use std::time::Duration;

/// A name or a number, without the characters that only look like those of one.
pub fn word(text: &str) -> Result<String, Text> {
    match characters::hint(text) {
        Some(hint) => Err(both!("`{text}`: {}", "`{text}`：{}"; hint)),
        None => Ok(text.to_owned()),
    }
}

/// A time to wait, such as 10m.
pub fn span(text: &str) -> Result<Duration, Text> {
    let span = text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    span.ok_or_else(|| both!("`{text}` is no time such as 30s or 1m30s", "`{text}` 不是 30s 或 1m30s 这样的时长"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_wait_is_not_negative() {
        assert_eq!(span("1m30s").unwrap(), Duration::from_secs(90));
        for wrong in ["-10m", "10", "soon", "", "-1s"] {
            assert!(span(wrong).unwrap_err().zh.contains("这样的时长"), "{wrong}");
        }
    }

    #[test]
    fn words_have_no_full_width_digits() {
        assert!(word("１２３４５").unwrap_err().en.contains("all of it: `12345`"));
        assert_eq!(word("旅游投诉，1").unwrap(), "旅游投诉，1");
    }
}
