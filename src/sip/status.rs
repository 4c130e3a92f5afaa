/// A response's status code, 100 to 699 (RFC 3261 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u16);

impl Status {
    pub fn provisional(self) -> bool {
        self.0 < 200
    }

    pub fn success(self) -> bool {
        (200..300).contains(&self.0)
    }

    pub fn is_final(self) -> bool {
        self.0 >= 200
    }

    /// The standard reason phrase.
    pub fn reason(self) -> &'static str {
        todo!()
    }
}
