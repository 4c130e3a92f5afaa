//! Numbers that calls show to others, and those of seats behind trunks: no emergency line is called, or calls, under them.

use super::finding::Finding;
use super::schema::Config;
use crate::base::Text;
use crate::plan::{Plan, is_emergency};

impl Config {
    /// Each by its key.
    pub fn numbers(&self) -> impl Iterator<Item = (Vec<&str>, &str)> {
        let trunks = self.trunks.iter().filter(|(_, trunk)| trunk.enabled);
        let trunks = trunks.map(|(name, trunk)| (vec!["trunks", name.as_str(), "number"], trunk.number.as_str()));
        let seats = self.seats.iter().filter(|(_, seat)| seat.enabled);
        let seats = seats.map(|(name, seat)| (vec!["seats", name.as_str(), "dial"], seat.dial.as_str()));
        let outbound = [(vec!["outbound", "number"], self.outbound.number.as_str())];
        trunks.chain(seats).chain(outbound).filter(|(_, number)| !number.is_empty())
    }
}

/// Complains of numbers that are shown to others, or are a seat's, and which the plan knows as an emergency line; those that are one
/// everywhere are refused without a plan.
pub fn emergencies(config: &Config, plan: &Plan) -> Vec<Text> {
    // An extension may end in an emergency line's digits: 22110.
    let whole = |number: &str| number.starts_with(['0', '+']) || plan.number(number, None) == number;
    let urgent = |number: &str| whole(number) && plan.is_emergency(number, None) && !is_emergency(number);
    let numbers = config.numbers().filter(|(_, number)| urgent(number));
    let told = |(key, number): (Vec<&str>, &str)| {
        let key = key.join(".");
        let why = both!("`{number}` is an emergency line of the plan", "`{number}` 为方案中的紧急热线");
        match config.places.numbers.get(&key).cloned() {
            Some(place) => Finding::of_value(place, "", why).told(),
            None => Text::foreign(key).then(&both!(": ", "：")).then(&why),
        }
    };
    numbers.map(told).collect()
}
