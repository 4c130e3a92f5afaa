//! The verbs of a seat's toolbar as requests: each with its body's type, which its schema, its bounds and its part of the
//! document are made from.

use crate::control::Right::{self, Supervise, WorkSeats};
use crate::control::seat::{DATA_KEY, DATA_VALUE, DIGITS, NOTICE, Outgoing, RecordVerb, SeatVerb};
use crate::event::TransferKind;
use crate::event::seat::{Device, Skills, SuperviseMode};
use crate::io::http::schemas::fault;
use crate::record::report::Fault;
use crate::record::schema;
use jsonschema::Validator;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

/// A verb as it is asked for.
pub struct VerbOf {
    pub path: &'static str,
    pub name: &'static str,
    /// Its name on toolbars.
    pub zh: &'static str,
    pub summary: &'static str,
    pub right: Right,
    /// The body's schema.
    pub schema: Value,
    validator: Option<Validator>,
    make: Box<dyn Fn(Value) -> Option<SeatVerb> + Send + Sync>,
}

pub static VERBS: LazyLock<Vec<VerbOf>> = LazyLock::new(verbs);

/// More complaints than these help nobody.
const MOST: usize = 20;
/// A request's id in its body; the header `Idempotency-Key` says the same.
const REQUEST_ID: &str = "request_id";

impl VerbOf {
    /// The verb that a body asks for and the id of its request, or all that is wrong with it, each at its place.
    pub fn read(&self, mut body: Value) -> Result<(SeatVerb, Option<String>), Vec<Fault>> {
        let unread = || vec![Fault { pointer: String::new(), what: both!("cannot be read", "无法读取") }];
        let validator = self.validator.as_ref().ok_or_else(unread)?;
        let faults: Vec<Fault> = validator.iter_errors(&body).take(MOST).map(|error| fault(&error, &self.schema)).collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        let id = body.as_object_mut().and_then(|fields| fields.remove(REQUEST_ID));
        let verb = (self.make)(body).ok_or_else(unread)?;
        Ok((verb, id.as_ref().and_then(Value::as_str).map(str::to_owned)))
    }
}

fn verb<B: DeserializeOwned + JsonSchema + 'static>(
    (path, name, zh, summary, right): (&'static str, &'static str, &'static str, &'static str, Right),
    make: fn(B) -> SeatVerb,
) -> VerbOf {
    let mut schema = schema::incoming::<B>();
    let id = json!({ "type": "string", "pattern": "^[!-~]{1,128}$",
        "description": "The request's id: a repeated request with the same gets the first one's answer and does nothing 请求编号" });
    if let Some(fields) = schema.as_object_mut() {
        let properties = fields.entry("properties").or_insert_with(|| json!({}));
        properties[REQUEST_ID] = id;
    }
    let validator = jsonschema::options().build(&schema).ok();
    let make = Box::new(move |body| serde_json::from_value(body).ok().map(make));
    VerbOf { path, name, zh, summary, right, schema, validator, make }
}

macro_rules! verbs {
    ($($name:literal $zh:literal $summary:literal $right:ident $make:expr;)*) => {
        fn verbs() -> Vec<VerbOf> {
            vec![$(verb((concat!("/api/v1/seats/{seat}/", $name), $name, $zh, $summary, $right), $make),)*]
        }
    };
}

verbs! {
    "login" "签入、强制签入" "Signs the seat in" WorkSeats |it: Login| SeatVerb::Login {
        force: it.force, device: it.device, skills: it.skills.map(|skills| skills.0), busy: it.busy
    };
    "logout" "签出、强制签出" "Signs the seat out, after its call where it has one" WorkSeats |_: Nothing| SeatVerb::Logout;
    "ready" "示闲、强制示闲" "Takes calls of its queues" WorkSeats |_: Nothing| SeatVerb::Ready;
    "not-ready" "示忙、强制示忙" "Takes no calls of queues, until it says so" WorkSeats |it: NotReady| SeatVerb::NotReady { reason: it.reason };
    "break" "小休、强制休息" "Takes a break of some minutes" WorkSeats |it: Break| SeatVerb::Break { minutes: it.minutes, reason: it.reason };
    "end-break" "取消小休" "Ends a break, and is ready" WorkSeats |_: Nothing| SeatVerb::EndBreak;
    "wrap-up" "进入话后整理" "Begins to wrap up" WorkSeats |_: Nothing| SeatVerb::WrapUpEnter;
    "end-wrap-up" "退出话后整理" "Ends wrapping up, and is ready" WorkSeats |_: Nothing| SeatVerb::WrapUpLeave;
    "extend-wrap-up" "延长话后整理" "Wraps up for longer" WorkSeats |it: Extend| SeatVerb::WrapUpExtend { seconds: it.seconds };
    "auto-answer" "自动应答" "Has the phone answer by itself, or not" WorkSeats |it: AutoAnswer| SeatVerb::AutoAnswer { on: it.on };
    "skills" "调整技能" "Changes the seat's skills" WorkSeats |it: NewSkills| SeatVerb::SetSkills { skills: it.skills.0 };
    "notice" "便签" "Shows the person at the seat a text" WorkSeats |it: Notice| SeatVerb::Notice { text: it.text };
    "call" "外呼、预览外呼、双呼" "Calls somebody: the seat's phone first, then the number" WorkSeats |it: Call| SeatVerb::Call(it.into());
    "answer" "接听" "Answers the call that rings" WorkSeats |_: Nothing| SeatVerb::Answer;
    "reject" "拒接" "Does not take the call that rings; its caller waits on. Where none rings, declines whom it is shown" WorkSeats |_: Nothing| SeatVerb::Reject;
    "hang-up" "挂断" "Ends the seat's call" WorkSeats |_: Nothing| SeatVerb::HangUp;
    "hold" "保持" "Has the other side wait with music" WorkSeats |_: Nothing| SeatVerb::Hold;
    "retrieve" "取回" "Talks on after hold" WorkSeats |_: Nothing| SeatVerb::Retrieve;
    "mute" "静音" "Is not heard" WorkSeats |_: Nothing| SeatVerb::Mute;
    "unmute" "取消静音" "Is heard again" WorkSeats |_: Nothing| SeatVerb::Unmute;
    "dtmf" "二次拨号" "Sends keys to the other side" WorkSeats |it: Dtmf| SeatVerb::Dtmf { digits: it.digits };
    "consult" "咨询" "Talks to somebody while the caller waits" WorkSeats |it: Consult| SeatVerb::Consult { to: it.to };
    "cancel" "取消咨询、取消转移" "Gives up a consultation or transfer, back to the caller" WorkSeats |_: Nothing| SeatVerb::Cancel;
    "alternate" "切换" "Goes from one to the other" WorkSeats |_: Nothing| SeatVerb::Alternate;
    "transfer" "转移" "Moves the caller to a number, seat:NAME or queue:NAME" WorkSeats |it: Transfer| SeatVerb::Transfer { to: it.to, kind: it.mode.into() };
    "complete" "完成转移" "Leaves the caller with the one consulted" WorkSeats |_: Nothing| SeatVerb::Complete;
    "conference" "三方" "Makes the consultation a three-way call" WorkSeats |_: Nothing| SeatVerb::Conference;
    "leave" "退出三方" "Leaves a three-way call; the others talk on" WorkSeats |_: Nothing| SeatVerb::Leave;
    "retake" "三方取回" "Comes back to those who talk, after it has left them" WorkSeats |_: Nothing| SeatVerb::Retake;
    "pick-up" "代答" "Takes the call that rings at another seat" WorkSeats |it: Other| SeatVerb::PickUp { seat: it.seat };
    "monitor" "监听" "Hears a seat's call, and is heard by nobody" Supervise |it: Other| SeatVerb::Supervise { seat: it.seat, mode: SuperviseMode::Monitor };
    "whisper" "密语" "Speaks to a seat alone" Supervise |it: Other| SeatVerb::Supervise { seat: it.seat, mode: SuperviseMode::Whisper };
    "barge" "强插" "Speaks with all in a seat's call" Supervise |it: Other| SeatVerb::Supervise { seat: it.seat, mode: SuperviseMode::Barge };
    "switch" "切换监听方式" "Changes between the three" Supervise |it: Switch| SeatVerb::SuperviseMode { mode: it.mode };
    "stop" "停止监听" "Leaves the call that it supervises" Supervise |_: Nothing| SeatVerb::StopSupervising;
    "intercept" "拦截、接管" "Takes a seat's call over; that seat is idle, the supervisor goes on" Supervise |it: Other| SeatVerb::Intercept { seat: it.seat };
    "force-drop" "强拆" "Ends this seat's call" Supervise |_: Nothing| SeatVerb::ForceDrop;
    "data" "随路数据" "Sets what goes along with the call, through every transfer and into its record" WorkSeats |it: Data| SeatVerb::SetData { key: it.key, value: it.value };
    "record" "录音开始、暂停、屏蔽" "Starts, pauses or masks the recording" WorkSeats |it: Record| SeatVerb::Record(it.action.into());
}

/// No field
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Skills by name, each with a level from 1 to 9
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
struct Levels(
    #[schemars(extend("maxProperties" = 64, "propertyNames" = { "minLength": 1, "maxLength": 64 },
        "additionalProperties" = { "type": "integer", "minimum": 1, "maximum": 9 }))]
    Skills,
);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    /// Another toolbar that is signed in there is signed out and told so
    #[serde(default)]
    force: bool,
    /// A label for those who look at the seat: its calls go to the phone of the configuration all the same 仅为标注
    #[serde(default)]
    device: Device,
    /// None: those of the configuration
    #[serde(default)]
    skills: Option<Levels>,
    /// Begins with a break of this reason; none: ready at once
    #[serde(default)]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^\P{Cc}+$"))]
    busy: Option<Arc<str>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NotReady {
    #[serde(default)]
    #[schemars(length(max = 64), regex(pattern = r"^\P{Cc}*$"))]
    reason: Arc<str>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Break {
    #[schemars(range(min = 1, max = 1440))]
    minutes: u32,
    #[serde(default)]
    #[schemars(length(max = 64), regex(pattern = r"^\P{Cc}*$"))]
    reason: Arc<str>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Extend {
    #[schemars(range(min = 1, max = 86_400))]
    seconds: u32,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AutoAnswer {
    on: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewSkills {
    skills: Levels,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Notice {
    #[schemars(length(min = 1, max = NOTICE), regex(pattern = r"^[\P{Cc}\n]+$"))]
    text: Arc<str>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Call {
    /// A number; none: the caller of `callback`, or whom the seat was shown
    #[serde(default)]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[^\p{Cc}\s]+$"))]
    to: Option<String>,
    /// The hotline in whose name it is placed
    #[serde(default)]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+$"))]
    hotline: Option<String>,
    /// The row of the callback list that it is for
    #[serde(default)]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^\P{Cc}+$"))]
    callback: Option<String>,
    /// The ticket that it is for
    #[serde(default)]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^\P{Cc}+$"))]
    ticket: Option<String>,
    /// The seat looks at it first, and calls by this verb with nothing, or declines by `reject`
    #[serde(default)]
    preview: bool,
}

impl From<Call> for Outgoing {
    fn from(call: Call) -> Outgoing {
        let Call { to, hotline, callback, ticket, preview } = call;
        Outgoing { to, hotline, callback, ticket, preview, request: None }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Dtmf {
    #[schemars(length(min = 1, max = DIGITS), regex(pattern = "^[0-9*#A-D]*$"))]
    digits: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Consult {
    /// A number of the dial plan, or seat:NAME
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[^\p{Cc}\s]+$"))]
    to: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Transfer {
    /// A number of the dial plan, seat:NAME or queue:NAME
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[^\p{Cc}\s]+$"))]
    to: String,
    #[serde(default)]
    mode: Mode,
}

/// Ways to move a caller
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    #[default]
    Blind,
    Consult,
    ThreeWay,
    Emergency,
}

impl From<Mode> for TransferKind {
    fn from(mode: Mode) -> TransferKind {
        match mode {
            Mode::Blind => TransferKind::Blind,
            Mode::Consult => TransferKind::Consult,
            Mode::ThreeWay => TransferKind::ThreeWay,
            Mode::Emergency => TransferKind::Emergency,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Other {
    /// The other seat's name
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^\P{Cc}+$"))]
    seat: Arc<str>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Switch {
    mode: SuperviseMode,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Data {
    #[schemars(length(min = 1, max = DATA_KEY), regex(pattern = r"^[A-Za-z0-9_.-]*$"))]
    key: String,
    #[schemars(length(max = DATA_VALUE), regex(pattern = r"^[\P{Cc}\n]*$"))]
    value: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Record {
    action: Action,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Action {
    Start,
    Pause,
    Mask,
    Resume,
    Stop,
}

impl From<Action> for RecordVerb {
    fn from(action: Action) -> RecordVerb {
        match action {
            Action::Start => RecordVerb::Start,
            Action::Pause => RecordVerb::Pause,
            Action::Mask => RecordVerb::Mask,
            Action::Resume => RecordVerb::Resume,
            Action::Stop => RecordVerb::Stop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_has_the_name_of_its_command_and_a_schema_that_refuses_what_it_does_not_know() {
        for of in VERBS.iter() {
            let faults = of.read(json!({ "no such field": 1 })).unwrap_err();
            assert!(faults.iter().any(|fault| fault.what.en.contains("dditional")), "{}: {faults:?}", of.name);
            let known = of.schema["properties"].as_object().unwrap();
            let told = |zh: bool, name: &str| faults.iter().any(|it| if zh { &it.what.zh } else { &it.what.en }.contains(name));
            assert!(known.keys().all(|name| told(false, name) && told(true, name)), "{}: {faults:?}", of.name);
            assert!(of.path.ends_with(&format!("/{}", of.name)) && !of.zh.is_empty());
            if let Ok((verb, None)) = of.read(json!({})) {
                assert_eq!(verb.name(), of.name);
            }
        }
    }

    /// Whatever is no word of a list is answered with the whole list, in both languages.
    #[test]
    fn a_word_that_is_none_is_told_all_that_there_are() {
        let mut seen = 0;
        for of in VERBS.iter() {
            let fields = of.schema["properties"].as_object().unwrap();
            let listed = fields.iter().filter_map(|(name, field)| Some((name, choices(field, &of.schema)?)));
            for (name, words) in listed.collect::<Vec<_>>() {
                let faults = of.read(json!({ (name.as_str()): "masq" })).unwrap_err();
                let at = format!("/{name}");
                let fault = faults.iter().find(|fault| fault.pointer == at).unwrap_or_else(|| panic!("{}: {faults:?}", of.name));
                for word in words {
                    assert!(fault.what.en.contains(&word) && fault.what.zh.contains(&word), "{} {name}: {fault:?}", of.name);
                }
                seen += 1;
            }
        }
        assert!(seen >= 4, "{seen}");
        let record = VERBS.iter().find(|of| of.name == "record").unwrap();
        let fault = &record.read(json!({ "action": "masq" })).unwrap_err()[0];
        assert_eq!(fault.what.en, "is one of start, pause, mask, resume, stop");
        assert_eq!(fault.what.zh, "只能是 start, pause, mask, resume, stop 之一");
    }

    /// The words that a field may be, through references.
    fn choices(field: &Value, whole: &Value) -> Option<Vec<String>> {
        if let Some(reference) = field["$ref"].as_str() {
            return choices(whole.pointer(reference.trim_start_matches('#'))?, whole);
        }
        if let Some(words) = field["enum"].as_array() {
            return Some(words.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        }
        let of = field["anyOf"].as_array().or(field["oneOf"].as_array())?;
        if let Some(words) = of.iter().map(|one| one["const"].as_str().map(str::to_owned)).collect::<Option<Vec<_>>>() {
            return Some(words);
        }
        of.iter().find_map(|one| choices(one, whole))
    }

    #[test]
    fn a_fault_quotes_no_number() {
        let call = VERBS.iter().find(|of| of.name == "call").unwrap();
        for body in [json!({ "13800138000": 1 }), json!({ "hotline": 13800138000u64 }), json!({ "to": ["13800138000"] })] {
            let faults = call.read(body).unwrap_err();
            assert!(faults.iter().all(|fault| !format!("{fault:?}").contains("13800138000")), "{faults:?}");
        }
    }
}
