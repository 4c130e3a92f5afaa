//! Scenarios that are tried, and what must come of each.

/// The party that talks to the caller in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    Seat,
    Target,
    Nobody,
}

#[derive(Debug)]
pub struct Scenario {
    pub number: &'static str,
    /// In English and in Chinese.
    pub title: [&'static str; 2],
    pub mode: &'static str,
    pub phase: Option<&'static str>,
    /// The prompt that the caller hears first, whole.
    pub prompt: Option<&'static str>,
    pub answers: Answers,
    /// The final status of the caller's INVITE.
    pub status: u16,
    /// The record's word for the end.
    pub result: &'static str,
}

/// The merged numbers stand in [`plan`] with dates around today, one for each phase.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        number: "12345",
        title: ["the front number: a seat answers, no menu before it", "政务服务便民热线"],
        mode: "front",
        phase: None,
        prompt: None,
        answers: Answers::Seat,
        status: 200,
        result: "answered",
    },
    Scenario {
        number: "12300",
        title: ["merged, not yet: its own seats answer", "整体并入（未到日期）"],
        mode: "merged",
        phase: Some("not-yet"),
        prompt: None,
        answers: Answers::Target,
        status: 200,
        result: "answered",
    },
    Scenario {
        number: "12336",
        title: ["merged, in transition: the prompt, then a seat of 12345", "整体并入（过渡期提示并转接）"],
        mode: "merged",
        phase: Some("announce-and-connect"),
        prompt: Some("connect-12336"),
        answers: Answers::Seat,
        status: 200,
        result: "answered",
    },
    Scenario {
        number: "12319",
        title: ["merged, announce-only: the prompt, never answered, never charged", "整体并入（只播提示音）"],
        mode: "merged",
        phase: Some("announce-only"),
        prompt: Some("announce-only"),
        answers: Answers::Nobody,
        status: 410,
        result: "rejected",
    },
    Scenario {
        number: "12316",
        title: ["merged, released: the number is nobody's", "整体并入（号码已释放）"],
        mode: "merged",
        phase: Some("released"),
        prompt: None,
        answers: Answers::Nobody,
        status: 404,
        result: "rejected",
    },
    Scenario {
        number: "12348",
        title: ["parallel: the number is kept and rings the seats of 12345", "双号并行"],
        mode: "parallel",
        phase: None,
        prompt: None,
        answers: Answers::Seat,
        status: 200,
        result: "answered",
    },
    Scenario {
        number: "12366",
        title: ["a sub-center: number and seats kept", "设分中心"],
        mode: "sub-center",
        phase: None,
        prompt: None,
        answers: Answers::Target,
        status: 200,
        result: "answered",
    },
    Scenario {
        number: "110",
        title: ["an emergency line: straight through", "紧急热线"],
        mode: "emergency",
        phase: None,
        prompt: None,
        answers: Answers::Target,
        status: 200,
        result: "answered",
    },
    Scenario {
        number: "99999",
        title: ["a number nobody has", "未知号码"],
        mode: "unknown",
        phase: None,
        prompt: None,
        answers: Answers::Nobody,
        status: 404,
        result: "rejected",
    },
];

/// The plan of the trial. `day` counts from today: -1 is yesterday.
pub fn plan(day: impl Fn(i64) -> String) -> String {
    let merged = |number: &str, dates: &str| {
        format!("[[line]]\nnumber = \"{number}\"\nname = \"{number}热线\"\nunit = \"试运行\"\nmode = \"merged\"\n{dates}\n")
    };
    let kept = |number: &str, mode: &str| {
        format!("[[line]]\nnumber = \"{number}\"\nname = \"{number}热线\"\nunit = \"试运行\"\nmode = \"{mode}\"\n\n")
    };
    let lines = [
        merged("12300", &format!("connect-from = {}\n", day(30))),
        merged("12336", &format!("connect-from = {}\nannounce-only-from = {}\n", day(-30), day(30))),
        merged("12319", &format!("connect-from = {}\nannounce-only-from = {}\n", day(-60), day(-30))),
        merged(
            "12316",
            &format!("connect-from = {}\nannounce-only-from = {}\nreleased-from = {}\n", day(-90), day(-60), day(-30)),
        ),
        kept("12345", "front"),
        kept("12348", "parallel"),
        kept("12366", "sub-center"),
        kept("110", "emergency"),
    ];
    let head = "include = [\"prompts/prompts.toml\"]\n\n[plan]\nname = \"试运行\"\narea = \"691\"\nzone = \"Asia/Shanghai\"\nqueue = \"12345\"\n\n";
    format!("{head}{}", lines.concat())
}
