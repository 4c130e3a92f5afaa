//! Times as records write them: RFC 3339 with the offset of the city's zone, to the millisecond.

use crate::base::{Text, Wall};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The zone of every record's times, by its IANA name.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of the whole of China.
    pub const CHINA: &str = "Asia/Shanghai";

    pub fn named(name: &str) -> Result<Zone, Text> {
        let example = Self::CHINA;
        TimeZone::get(name).map(Zone).map_err(|_| {
            both!(
                "there is no time zone `{name}`; write an IANA name such as {example}",
                "没有时区 `{name}`，请写 IANA 名称，例如 {example}"
            )
        })
    }

    /// RFC 3339; none for anything else.
    pub fn read(text: &str) -> Option<Wall> {
        text.parse::<Timestamp>().ok().map(|at| Wall(at.as_microsecond()))
    }

    /// The local day of this moment, from its midnight to the next; days of a change of the clocks are longer or shorter.
    pub fn day(&self, at: Wall) -> (Wall, Wall) {
        let at = Timestamp::from_microsecond(at.0).unwrap_or_default().to_zoned(self.0.clone());
        self.of_date(at.date()).unwrap_or_default()
    }

    /// As [`Zone::day`], of a date.
    pub fn of_date(&self, date: Date) -> Option<(Wall, Wall)> {
        let midnight =
            |date: Date| Some(Wall(date.to_zoned(self.0.clone()).ok()?.start_of_day().ok()?.timestamp().as_microsecond()));
        Some((midnight(date)?, midnight(date.tomorrow().ok()?)?))
    }

    /// The date of this moment.
    pub fn date(&self, at: Wall) -> Date {
        Timestamp::from_microsecond(at.0).unwrap_or_default().to_zoned(self.0.clone()).date()
    }

    pub fn write(&self, wall: Wall) -> String {
        let at = Timestamp::from_microsecond(wall.0).unwrap_or_default();
        at.to_zoned(self.0.clone()).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
    }
}

impl Default for Zone {
    /// China's, which has had no other offset than +08:00 since 1991.
    fn default() -> Zone {
        Zone::named(Zone::CHINA).unwrap_or(Zone(TimeZone::UTC))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_carries_its_offset() {
        let wall = Wall(1_638_288_000_123_456);
        assert_eq!(Zone::default().write(wall), "2021-12-01T00:00:00.123+08:00");
        assert_eq!(Zone::named("UTC").unwrap().write(wall), "2021-11-30T16:00:00.123+00:00");
        assert!(Zone::named("Asia/Peking").unwrap_err().en.contains("Asia/Peking"));
    }

    #[test]
    fn a_local_day_is_as_long_as_its_clocks_make_it() {
        let hours = |zone: &str, date: &str| {
            let (from, to) = Zone::named(zone).unwrap().of_date(date.parse().unwrap()).unwrap();
            (to.0 - from.0) / 3_600_000_000
        };
        assert_eq!(hours("Asia/Shanghai", "2021-12-01"), 24);
        // China had summer time once; Cairo's begins at midnight, so that its day has no such moment.
        assert_eq!((hours("Asia/Shanghai", "1990-04-15"), hours("Asia/Shanghai", "1990-09-16")), (23, 25));
        assert_eq!((hours("Europe/Berlin", "2024-03-31"), hours("Europe/Berlin", "2024-10-27")), (23, 25));
        assert_eq!(hours("Africa/Cairo", "2024-04-26"), 23);
        let zone = Zone::default();
        let midnight = Wall(1_638_288_000_000_000);
        assert_eq!(zone.day(midnight), (midnight, Wall(midnight.0 + 86_400_000_000)));
        assert_eq!(zone.day(Wall(midnight.0 - 1)).1, midnight);
        assert_eq!(zone.date(Wall(midnight.0 - 1)).to_string(), "2021-11-30");
    }

    #[test]
    fn an_impossible_time_does_not_panic() {
        assert_eq!(Zone::default().write(Wall(i64::MAX)), "1970-01-01T08:00:00.000+08:00");
    }
}
