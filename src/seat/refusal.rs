//! Why a seat's verb was not carried out.

use crate::base::Text;

/// Why a verb was not carried out; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    UnknownSeat,
    SignedOut,
    /// Another is signed in there.
    Taken,
    NotOnBreak,
    NotInWrapUp,
    /// Longer than what is allowed.
    TooLong,
    UnknownSkill,
    /// The seat has no call that this could be about.
    NoCall,
    /// Its phone rings, or it calls somebody who has not answered: nobody talks yet.
    NotAnswered,
    /// It is in a call.
    InCall,
    /// Only two talk: there is nothing to leave.
    NotThree,
    /// Another picks this call up already.
    PickedUp,
    /// Its phone cannot be reached.
    Gone,
    /// The phone answers by nobody's word but its own.
    CannotAnswer,
    /// An emergency call is taken from nobody, and ended by nobody else.
    Emergency,
    /// A verb about another's call is a supervisor's.
    NotSupervisor,
    /// No digits, or too many.
    BadDigits,
    /// Call data has bounds, and keys of a few characters.
    BadData,
    /// Nothing of the call is recorded now that could be left out.
    NotRecorded,
    /// The recording is paused or masked, and goes on by another verb.
    RecordingLeftOut,
    /// This gateway records nothing.
    NoRecorder,
    /// All of an emergency call is recorded.
    EmergencyRecorded,
    /// A verb that toolbars know and that is not carried out here.
    Unsupported,
}

impl Refusal {
    /// In a word, as programs read it.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::UnknownSeat => "unknown_seat",
            Refusal::SignedOut => "signed_out",
            Refusal::Taken => "taken",
            Refusal::NotOnBreak => "not_on_break",
            Refusal::NotInWrapUp => "not_in_wrap_up",
            Refusal::TooLong => "too_long",
            Refusal::UnknownSkill => "unknown_skill",
            Refusal::NoCall => "no_call",
            Refusal::NotAnswered => "not_answered",
            Refusal::InCall => "in_call",
            Refusal::NotThree => "not_three",
            Refusal::PickedUp => "picked_up",
            Refusal::Gone => "gone",
            Refusal::CannotAnswer => "cannot_answer",
            Refusal::Emergency => "emergency",
            Refusal::NotSupervisor => "not_supervisor",
            Refusal::BadDigits => "bad_digits",
            Refusal::BadData => "bad_data",
            Refusal::NotRecorded => "not_recorded",
            Refusal::RecordingLeftOut => "recording_left_out",
            Refusal::NoRecorder => "no_recorder",
            Refusal::EmergencyRecorded => "emergency_recorded",
            Refusal::Unsupported => "unsupported",
        }
    }

    /// One sentence for people, and whether asking again later may help.
    pub fn words(self) -> (Text, bool) {
        match self {
            Refusal::UnknownSeat => (both!("there is no such seat", "没有此座席"), false),
            Refusal::SignedOut => (both!("the seat is signed out: sign in first", "座席未签入：请先签入"), false),
            Refusal::Taken => {
                (both!("another is signed in at this seat: sign in with `force`", "此座席已有他人签入：可强制签入"), false)
            }
            Refusal::NotOnBreak => (both!("the seat is on no break", "座席不在示忙或小休状态"), false),
            Refusal::NotInWrapUp => (both!("the seat is not in wrap-up", "座席不在话后整理状态"), false),
            Refusal::TooLong => (both!("longer than is allowed", "超过允许的时长或长度"), false),
            Refusal::UnknownSkill => (both!("no queue knows this skill", "没有队列使用此技能"), false),
            Refusal::Unsupported => (both!("this verb is not carried out by this gateway", "本网关尚不支持此操作"), false),
            Refusal::NoCall => (both!("the seat has no such call now", "座席目前没有此类通话"), true),
            Refusal::NotAnswered => {
                (both!("nobody has answered this call yet: wait, or hang up", "此通话尚未接通：请等待，或先挂断"), true)
            }
            Refusal::InCall => (both!("the seat is in a call", "座席正在通话"), true),
            Refusal::NotThree => (
                both!(
                    "no three talk that the seat could leave: hang up, or cancel or complete the consultation first",
                    "目前不是三方通话，无法退出：请挂断，或先取消或完成咨询"
                ),
                false,
            ),
            Refusal::PickedUp => (both!("another seat picks this call up already", "此通话已由另一座席代答"), false),
            Refusal::CannotAnswer => (
                both!(
                    "this phone is answered by hand, or by itself with auto-answer on",
                    "此话机只能手动接听；如需自动接听请打开自动应答"
                ),
                false,
            ),
            Refusal::Emergency => {
                (both!("an emergency call is not taken away from its parties", "紧急通话不能被拦截或强拆"), false)
            }
            Refusal::NotSupervisor => (both!("only a supervisor may do that", "仅班长可执行此操作"), false),
            Refusal::BadDigits => (both!("keys are 1 to 32 of 0-9, *, # and A-D", "按键应为 1 至 32 个 0-9、*、# 或 A-D"), false),
            Refusal::BadData => (
                both!(
                    "call data: at most 16 keys of 1 to 32 letters, digits, `.`, `_` or `-`, each of at most 256 characters, 1024 bytes in all",
                    "随路数据最多 16 项、共 1024 字节；键为 1 至 32 个字母、数字、`.`、`_` 或 `-`，值不超过 256 个字符"
                ),
                false,
            ),
            Refusal::NotRecorded => {
                (both!("the call is not recorded now: start the recording first", "此通话目前未在录音：请先开始录音"), true)
            }
            Refusal::RecordingLeftOut => {
                (both!("the recording is paused or masked: resume it", "录音已暂停或屏蔽：请用恢复"), true)
            }
            Refusal::NoRecorder => (
                both!("this gateway records nothing: see recording.on_demand", "本网关未启用录音：见 recording.on_demand"),
                false,
            ),
            Refusal::EmergencyRecorded => (
                both!(
                    "a seat does not pause, mask or stop the recording of an emergency call",
                    "紧急通话的录音不得由座席暂停、屏蔽或停止"
                ),
                false,
            ),
            Refusal::Gone => (both!("the seat's phone cannot be reached", "座席话机无法接通"), true),
        }
    }
}
