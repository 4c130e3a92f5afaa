use std::fmt;

/// A telephone number as logs and the API may show it: the first three and the last two characters, or fewer of a
/// short one. Short codes of up to six digits (12345, 110) name a service, not a person, and stay readable.
pub struct Masked<'a>(pub &'a str);

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.chars().count();
        if count <= 6 {
            return f.write_str(self.0);
        }
        for (i, c) in self.0.chars().enumerate() {
            let c = if i < 3 || i + 2 >= count { c } else { '*' };
            write!(f, "{c}")?;
        }
        Ok(())
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
    }
}
