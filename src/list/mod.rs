//! Lists of numbers that must be there after a restart: callers who were missed and are to be rung back, numbers that are turned
//! away, and numbers that go before others; how often seats called whom, and by which requests. Rows in, rows out: the switch keeps what changes.

mod callbacks;
mod dialled;
#[cfg(test)]
mod message_tests;
mod numbers;
mod requests;

use crate::base::Text;
pub use callbacks::{Callbacks, Limits, Missed};
pub use dialled::{Dialled, NotCalled, Whom};
pub use numbers::Numbers;
pub use requests::Requests;

/// A lost caller's message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageLeft {
    #[default]
    No,
    /// The call's recording holds it.
    Kept,
    /// The caller would have left one, and nothing could be recorded.
    NoRoom,
}

/// Why a list was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such row, or there is no more.
    NoSuchRow,
    /// Another seat has it.
    Leased,
    /// It is being rung back at this moment.
    UnderWay,
    /// The list is as long as it may be.
    Full,
    /// Nobody's number.
    NoNumber,
    /// It would end before it begins.
    NotAllowed,
    /// A seat's call is not placed.
    NotCalled(NotCalled),
}

impl Refusal {
    /// In a word, as programs read it.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::NoSuchRow => "no_such_row",
            Refusal::Leased => "leased",
            Refusal::UnderWay => "under_way",
            Refusal::Full => "full",
            Refusal::NoNumber => "no_number",
            Refusal::NotAllowed => "not_allowed",
            Refusal::NotCalled(why) => why.name(),
        }
    }

    /// One sentence for people, and whether asking again later may help.
    pub fn words(self) -> (Text, bool) {
        match self {
            Refusal::NoSuchRow => (both!("the list has no such row, or has it no more", "列表中没有此条，或已删除"), false),
            Refusal::Leased => (both!("another seat has this row", "此条已由另一座席领取"), true),
            Refusal::UnderWay => (both!("this caller is being rung back at this moment", "正在给此来电人回电"), true),
            Refusal::Full => (both!("the list is as long as it may be", "列表已满"), false),
            Refusal::NoNumber => (both!("this is no telephone number", "不是电话号码"), false),
            Refusal::NotAllowed => (both!("it would end before it begins", "有效期已过"), false),
            Refusal::NotCalled(why) => why.words(),
        }
    }
}
