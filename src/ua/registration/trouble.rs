//! Why an account is not registered, in words for operators.

use crate::base::{Mono, Text};
use crate::sip::Status;

/// The last attempt's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub cause: Cause,
    /// The carrier's answer; none where there was none.
    pub status: Option<Status>,
    pub at: Mono,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its trunk's host name has no address that may be called.
    NoAddress,
    /// Nothing came.
    Silence,
    /// No connection.
    Unreachable,
    /// It cannot serve us now.
    Unavailable,
    /// The answer to its challenge was wrong.
    WrongPassword,
    /// It challenges for another realm than the account's.
    WrongRealm,
    /// It challenges in no way that we know.
    UnknownChallenge,
    /// It challenges, or asks for something else, again and again.
    Endless,
    /// It refuses the account.
    Refused,
    /// It took the REGISTER, and registered nothing.
    NotBound,
}

impl Cause {
    /// True where nothing but an operator's or the carrier's act will help: no call goes by it, and it is tried again slowly.
    pub fn is_refusal(self) -> bool {
        matches!(self, Cause::WrongPassword | Cause::WrongRealm | Cause::UnknownChallenge | Cause::Refused)
    }

    /// In a word, as programs read it.
    pub fn name(self) -> &'static str {
        match self {
            Cause::NoAddress => "no_address",
            Cause::Silence => "silence",
            Cause::Unreachable => "unreachable",
            Cause::Unavailable => "unavailable",
            Cause::WrongPassword => "wrong_password",
            Cause::WrongRealm => "wrong_realm",
            Cause::UnknownChallenge => "unknown_challenge",
            Cause::Endless => "endless",
            Cause::Refused => "refused",
            Cause::NotBound => "not_bound",
        }
    }

    /// The one at fault, and what helps.
    pub fn words(self) -> Text {
        match self {
            Cause::NoAddress => both!(
                "the trunk's host name has no address within `addresses`; it is tried again by itself",
                "中继主机名没有落在 `addresses` 之内的地址；将自动重试"
            ),
            Cause::Silence => both!(
                "the carrier gives no answer; it is tried again by itself: ask the carrier for its present proxy",
                "运营商没有应答；将自动重试，请向运营商核对现用的代理地址"
            ),
            Cause::Unreachable => both!(
                "there is no way to the carrier's address and port; it is tried again by itself",
                "无法连到运营商的地址和端口；将自动重试"
            ),
            Cause::Unavailable => {
                both!("the carrier cannot serve us now; it is tried again by itself", "运营商暂时无法提供服务；将自动重试")
            }
            Cause::WrongPassword => both!(
                "the carrier does not take `user` with this `secret`: mend them and reload",
                "运营商不接受此 `user` 与 `secret`：请更正后重载"
            ),
            Cause::WrongRealm => both!(
                "the carrier challenges for another realm than `realm`: mend it, or leave it empty, and reload",
                "运营商质询的认证域与 `realm` 不同：请更正或留空后重载"
            ),
            Cause::UnknownChallenge => both!(
                "the carrier asks for a proof other than Digest with MD5 or SHA-256: ask it for one of these",
                "运营商要求的认证方式不是 MD5 或 SHA-256 的 Digest：请与其协商"
            ),
            Cause::Endless => {
                both!("the carrier asks for ever more; it is tried again by itself", "运营商反复要求重新注册；将自动重试")
            }
            Cause::Refused => both!(
                "the carrier refuses this account: ask it whether `aor` and `user` are right and in service",
                "运营商拒绝此账号：请与其核对 `aor`、`user` 及是否已开通、欠费"
            ),
            Cause::NotBound => both!(
                "the carrier took the registration and did not keep it; it is tried again by itself",
                "运营商接受了注册却没有保留；将自动重试"
            ),
        }
    }
}
