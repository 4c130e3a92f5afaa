//! The modes of lines, as plans and as notices spell them.

use super::problem::{self, nearest};
use super::{Mode, words};
use crate::base::Text;

/// How a plan spells the modes.
pub const MODES: &[Mode] = &[
    Mode::Front,
    Mode::Merged,
    Mode::Parallel,
    Mode::SubCenter,
    Mode::RemoteSeats,
    Mode::Linked,
    Mode::Emergency,
    Mode::Guided,
    Mode::Platform,
];

/// The names that notices have for the modes.
const CHINESE: &[(&str, Mode)] = &[
    ("前台", Mode::Front),
    ("总机", Mode::Front),
    ("整体并入", Mode::Merged),
    ("直接合并", Mode::Merged),
    ("并入", Mode::Merged),
    ("合并", Mode::Merged),
    ("双号并行", Mode::Parallel),
    ("并行", Mode::Parallel),
    ("设分中心", Mode::SubCenter),
    ("分中心", Mode::SubCenter),
    ("设置远端座席", Mode::RemoteSeats),
    ("设置远端坐席", Mode::RemoteSeats),
    ("远端座席", Mode::RemoteSeats),
    ("远端坐席", Mode::RemoteSeats),
    ("对接联通", Mode::Linked),
    ("联通", Mode::Linked),
    ("话务转接", Mode::Emergency),
    ("紧急", Mode::Emergency),
    ("紧急热线", Mode::Emergency),
    ("暂不纳入", Mode::Guided),
    ("话务引导", Mode::Guided),
    ("省市州一键互转", Mode::Platform),
    ("省/市州一键互转", Mode::Platform),
    ("一键互转", Mode::Platform),
    ("平台", Mode::Platform),
];

/// How a plan spells a mode that somebody wrote as the notices do.
pub fn chinese(name: &str) -> Option<&'static str> {
    let found = CHINESE.iter().find(|(known, _)| known.chars().eq(name.chars().filter(|c| !c.is_whitespace())));
    found.map(|(_, mode)| mode.name())
}

/// `; did you mean …` for the name of a mode in either language.
pub fn suggestion(name: &str) -> Text {
    let near = || nearest(name, CHINESE.iter().map(|(known, _)| *known)).filter(|_| !name.is_ascii()).and_then(chinese);
    match chinese(name).or_else(near) {
        Some(mode) => both!("; did you mean `{mode}`?", "；是不是 `{mode}`？"),
        None => problem::suggestion(name, words::names(words::MODES)),
    }
}
