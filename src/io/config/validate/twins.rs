//! Seats that could not be told apart, or hardly.

use super::Check;
use crate::io::config::schema::Config;
use std::collections::BTreeMap;

impl Check<'_> {
    /// Two phones have no address in common; two seats behind an exchange do.
    pub fn side_by_side(&mut self, config: &Config) {
        let mut seen = BTreeMap::new();
        for (name, seat) in config.seats.iter().filter(|(_, seat)| seat.enabled) {
            let other = seat.place().and_then(|place| seen.insert(place, name));
            self.require(other.is_none(), &["seats", name, "address"], || {
                let other = other.map_or("", String::as_str);
                both!(
                    "is seat `{other}`'s, too: right only behind an exchange",
                    "与座席 `{other}` 的地址相同：仅在同一交换机之后才正确"
                )
            });
        }
    }

    /// A seat that calls is known by its address and by who it says it is.
    pub fn same_seats(&mut self, config: &Config) {
        let mut seen = BTreeMap::new();
        for (name, seat) in config.seats.iter().filter(|(_, seat)| seat.enabled) {
            let user = seat.aor.split('@').next().unwrap_or_default();
            let other = seat.place().and_then(|place| seen.insert((place, user), name));
            self.require(other.is_none(), &["seats", name, "address"], || {
                let other = other.map_or("", String::as_str);
                both!("seat `{other}` has this address too, and the same user", "座席 `{other}` 的地址和用户与此相同")
            });
        }
    }
}
