//! Moments, names and numbers as a person types them.

use crate::base::Text;
pub use crate::io::moment::{Moment, day, end, moment};
use crate::plan::letters;

/// A name or a number, without the characters that only look like those of one.
pub fn word(text: &str) -> Result<String, Text> {
    match letters::hint(text) {
        Some(hint) => Err(both!("`{text}`: {}", "`{text}`：{}"; hint)),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_no_full_width_digits() {
        assert!(word("１２３４５").unwrap_err().en.contains("all of it: `12345`"));
        assert_eq!(word("旅游投诉，1").unwrap(), "旅游投诉，1");
    }
}
