//! Bounds of conversations.

use super::Check;
use crate::io::config::Config;
use std::time::Duration;

/// A party that talks longer than this has talked.
const LONGEST_BRIEF: Duration = Duration::from_secs(10);

impl Check<'_> {
    pub(super) fn calls(&mut self, config: &Config) {
        let calls = &config.calls;
        for (value, key) in
            [(calls.max_duration, "max_duration"), (calls.after_caller, "after_caller"), (calls.hold_alarm, "hold_alarm")]
        {
            self.positive(value, &["calls", key]);
        }
        let brief = calls.least_talk <= LONGEST_BRIEF;
        self.require(brief, &["calls", "least_talk"], || {
            both!("is longer than 10 s: people have talked by then", "长于 10 秒：此时双方已经通话")
        });
        self.require(calls.max_parties > 0, &["calls", "max_parties"], || both!("is 0", "不能为 0"));
        self.require(calls.hold_most >= calls.hold_alarm, &["calls", "hold_most"], || {
            both!(
                "is shorter than hold_alarm: the seat would lose its caller unwarned",
                "比 hold_alarm 短：座席未经提醒就会失去来电人"
            )
        });
    }
}
