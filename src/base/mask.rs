use super::shown::{Shown, show};
use std::fmt;

/// A telephone number as logs and the API may show it: the first three and the last two characters, or fewer of a
/// short one. Short codes of up to six digits (12345, 110) name a service, not a person, and stay readable.
pub struct Masked<'a>(pub &'a str);

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.chars().count();
        if count <= 6 {
            return Shown(self.0).fmt(f);
        }
        let masked = |(i, c)| if i < 3 || i + 2 >= count { c } else { '*' };
        self.0.chars().enumerate().map(masked).take(Shown::MOST).try_for_each(|c| show(f, c))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_hidden_and_a_service_is_not() {
        assert_eq!(Masked("13800138000").to_string(), "138******00");
        assert_eq!(Masked("12345").to_string(), "12345");
        assert_eq!(Masked("06912122110").to_string(), "069******10");
        assert_eq!(Masked("1\r\n2").to_string(), "1\\u{d}\\u{a}2", "whoever calls chooses the characters");
        assert_eq!(Masked("\u{1b}[2Jxxxx\n").to_string(), "\\u{1b}[2****x\\u{a}");
    }
}
