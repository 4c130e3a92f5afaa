//! Calls, seats and queues as the API shows them: the types that its document is made from.

use crate::base::{CallId, Masked, Wall};
use crate::control::seat::PreviewView;
use crate::control::{CallView, Numbers, QueueView, SeatView};
use crate::event::seat::{Author, BreakKind, Device, Misses, Skills};
use crate::event::{DialledFrom, Intent, SeatEntry, Strategy};
use crate::record::zone::Zone;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A call in progress.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Call", deny_unknown_fields)]
pub struct CallShown {
    #[schemars(extend("format" = "uuid"))]
    id: String,
    /// inbound: its caller dialled the hotline; outbound: a seat calls in the hotline's name 呼入或呼出
    #[schemars(extend("enum" = ["inbound", "outbound"]))]
    direction: &'static str,
    /// The line's name in the plan
    line: String,
    /// The number that was dialled, normalised
    pub number: String,
    /// Where it stood in the INVITE 被叫取自
    dialled_from: DialledFrom,
    /// The rules of the trunk's `called_in` that have rewritten it, from 1 改写被叫的规则
    dialled_by_rules: Vec<usize>,
    /// Masked unless it may be seen in full; null where it was withheld
    pub caller: Option<String>,
    /// announcing, queued, ringing, talking …
    state: &'static str,
    legs: Vec<LegShown>,
    /// How its recording stands 录音状态
    #[schemars(extend("enum" = ["recording", "paused", "masked", "off"]))]
    recording: &'static str,
    /// Call data that seats have set; null stands for a value that may not be seen 随路数据
    data: BTreeMap<String, Option<String>>,
}

/// A party of a call.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Leg", deny_unknown_fields)]
struct LegShown {
    leg: u64,
    /// caller, the seat's name or the target's number
    party: String,
    #[schemars(extend("enum" = ["ringing", "talking", "aside", "waiting", "supervising"]))]
    state: &'static str,
    on_hold: bool,
    /// A seat that the others do not hear, by its own wish 静音
    muted: bool,
    /// The suite by which its audio is sealed, left out where it is not 语音加密（SRTP）套件
    #[serde(skip_serializing_if = "Option::is_none")]
    srtp: Option<&'static str>,
}

impl CallShown {
    pub fn of(call: &CallView) -> CallShown {
        let leg = |leg: &crate::control::LegView| LegShown {
            leg: leg.leg,
            party: leg.party.clone(),
            state: leg.state,
            on_hold: leg.on_hold,
            muted: leg.muted,
            srtp: leg.srtp.map(|suite| suite.name()),
        };
        CallShown {
            id: call.id.to_string(),
            direction: call.direction.name(),
            line: call.line.clone(),
            number: call.number.clone(),
            dialled_from: call.dialled_from,
            dialled_by_rules: call.dialled_by_rules.clone(),
            caller: call.caller.clone(),
            state: call.state,
            legs: call.legs.iter().map(leg).collect(),
            recording: call.recording,
            data: call.data.iter().cloned().collect(),
        }
    }
}

/// A seat's two axes at one moment: its intent, and its device. 座席的意愿与话机
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Seat")]
pub struct SeatShown {
    /// The log of seats stood here: follow its events after this number
    n: u64,
    seat: String,
    /// Its name for people
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// logged_out, ready, break or wrap_up
    intent: &'static str,
    /// The break's kind 示忙或小休
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<BreakKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Since when it has been so
    since: String,
    since_seconds: u64,
    /// Until it ends by itself, or is overdue
    #[serde(skip_serializing_if = "Option::is_none")]
    left_seconds: Option<u64>,
    overdue: bool,
    /// The intent that follows when its call is over
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
    /// The one who wanted it so 由谁设置
    by: Author,
    /// gone, idle, ringing or talking: it follows from the phone's registration and its calls
    device: &'static str,
    /// The phone that it has said it uses
    phone: Device,
    skills: Skills,
    auto_answer: bool,
    /// Calls of queues that came to it in vain since it last talked 未接次数
    misses: u32,
    /// The same by cause: busy, rejected, no_answer, not_registered, unreachable, dnd, dropped, ours 按原因
    missed: Misses,
    queues: Vec<String>,
    /// The ids of its calls
    calls: Vec<String>,
    /// The call that it is to place, or to decline 预览外呼
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<PreviewShown>,
}

/// A call that a seat is shown before it places it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Preview")]
pub struct PreviewShown {
    /// Masked unless it may be seen in full
    pub to: String,
    hotline: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    left_seconds: u64,
}

impl PreviewShown {
    pub fn of(view: &PreviewView, numbers: Numbers) -> PreviewShown {
        PreviewShown {
            to: match numbers {
                Numbers::Masked => Masked(&view.to).to_string(),
                Numbers::Full => view.to.clone(),
            },
            hotline: view.hotline.to_string(),
            callback: view.callback.as_deref().map(str::to_owned),
            ticket: view.ticket.as_deref().map(str::to_owned),
            left_seconds: view.left.as_secs(),
        }
    }
}

impl SeatShown {
    pub fn of(view: &SeatView, now: Wall, times: &Zone) -> SeatShown {
        let (kind, reason) = match &view.intent {
            Intent::Break { kind, reason, .. } => (Some(*kind), Some(reason.to_string())),
            _ => (None, None),
        };
        let since = Wall(now.0.saturating_sub(i64::try_from(view.since.as_micros()).unwrap_or(i64::MAX)));
        SeatShown {
            n: view.n,
            seat: view.seat.to_string(),
            label: view.label.as_deref().map(str::to_owned),
            intent: view.intent.name(),
            kind,
            reason,
            since: times.write(since),
            since_seconds: view.since.as_secs(),
            left_seconds: view.left.map(|left| left.as_secs()),
            overdue: view.overdue,
            next: view.next.as_ref().map(Intent::name),
            by: view.by.clone(),
            device: view.device.name(),
            phone: view.phone,
            skills: view.skills.clone(),
            auto_answer: view.auto_answer,
            misses: view.missed.values().sum(),
            missed: view.missed.clone(),
            queues: view.queues.iter().map(ToString::to_string).collect(),
            calls: view.calls.iter().map(CallId::to_string).collect(),
            preview: view.preview.as_ref().map(|preview| PreviewShown::of(preview, Numbers::Masked)),
        }
    }
}

/// A queue at one moment: figures, nothing of any caller.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Queue")]
pub struct QueueShown {
    queue: String,
    /// The order in which its free seats are rung 派话策略
    strategy: Strategy,
    /// Callers that wait 排队数
    waiting: usize,
    longest_wait_seconds: u64,
    /// Its seats
    seats: usize,
    /// Those that are ready 示闲
    ready: usize,
    /// Those that take a call now: ready, and their phone is idle 空闲
    free: usize,
    /// Those that talk 通话
    talking: usize,
    /// Those on a break of any kind, or in wrap-up 示忙、小休、话后整理
    on_break: usize,
}

impl QueueShown {
    pub fn of(view: &QueueView) -> QueueShown {
        QueueShown {
            queue: view.queue.to_string(),
            strategy: view.strategy,
            waiting: view.waiting,
            longest_wait_seconds: view.longest.as_secs(),
            seats: view.seats,
            ready: view.ready,
            free: view.free,
            talking: view.talking,
            on_break: view.on_break,
        }
    }
}

/// A queue with the seats that serve it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueueWithSeats")]
pub struct QueueInFull {
    #[serde(flatten)]
    pub queue: QueueShown,
    /// The seats that serve it, by name, for whoever may look at seats: whom to consult, to transfer to, to pick up for 座席名单
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<MemberShown>>,
}

/// A seat as its colleagues see it: nothing of its calls.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueueMember")]
pub struct MemberShown {
    seat: String,
    /// Its name for people
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// logged_out, ready, break or wrap_up
    intent: &'static str,
    /// gone, idle, ringing or talking
    device: &'static str,
}

impl MemberShown {
    pub fn of(view: &SeatView) -> MemberShown {
        MemberShown {
            seat: view.seat.to_string(),
            label: view.label.as_deref().map(str::to_owned),
            intent: view.intent.name(),
            device: view.device.name(),
        }
    }
}

/// Something that happened to a seat. 座席事件
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SeatEvent")]
pub struct EventShown {
    /// Its number: they only rise, over all seats, with gaps
    pub n: u64,
    at: String,
    pub seat: String,
    /// The kind: `logged_in`, `ringing`, `talking` … or `gap`
    #[serde(rename = "type")]
    pub kind: String,
    /// Its particulars, as the kind has them
    pub data: Value,
    /// The call that rings or talks, as long as the seat is in it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<CallShown>,
    /// The call that the seat is to place or to decline, as long as it stands
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<PreviewShown>,
}

impl EventShown {
    pub fn of(line: &SeatEntry, call: Option<CallShown>, times: &Zone) -> EventShown {
        // Each kind is a word, or an object with the word as its one key.
        let (kind, data) = match json!(line.what) {
            Value::Object(one) => one.into_iter().next().unwrap_or_default(),
            Value::String(kind) => (kind, json!({})),
            _ => Default::default(),
        };
        EventShown { n: line.n, at: times.write(line.wall), seat: line.seat.to_string(), kind, data, call, preview: None }
    }
}

/// All that a toolbar shows when it opens, or comes back after it was away for too long. 快照
#[derive(Serialize, JsonSchema)]
pub struct Snapshot {
    pub seat: SeatShown,
    pub calls: Vec<CallShown>,
    pub queues: Vec<QueueShown>,
}

#[derive(Serialize, JsonSchema)]
pub struct Seats {
    pub seats: Vec<SeatShown>,
}

#[derive(Serialize, JsonSchema)]
pub struct Queues {
    pub queues: Vec<QueueShown>,
}
