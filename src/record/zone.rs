//! Times as records write them: RFC 3339 with the offset of the city's zone, to the millisecond.

use crate::base::{Text, Wall};
use jiff::Timestamp;
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
    fn an_impossible_time_does_not_panic() {
        assert_eq!(Zone::default().write(Wall(i64::MAX)), "1970-01-01T08:00:00.000+08:00");
    }
}
