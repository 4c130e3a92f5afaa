//! Every word of the language, with what it takes and what it means: the reader knows no other, and the reference and
//! the schema for editors are printed from here.

/// A word of one kind of table.
#[derive(Debug)]
pub struct Word {
    pub name: &'static str,
    pub kind: Kind,
    pub doc: &'static str,
}

/// A kind of what stands after a word's `=`.
#[derive(Debug)]
pub enum Kind {
    Text,
    /// A text or a list of texts.
    Texts,
    Flag,
    /// `"30s"`
    Duration,
    /// A date, a date and time, or one with an offset.
    Moment,
    Dates,
    OneOf(&'static [&'static str]),
    Table(Words),
    /// `[[word]]`
    Tables(Words),
    /// `[word.NAME]`, the name being the author's.
    Named(Words),
    /// A text or a table, or a list of them.
    Targets(Words),
    /// `[word]` with `NAME = "text"`, the names being the author's.
    Variables,
    /// Where the values of other words come from.
    Source,
}

/// The words of a table: its own, then those that it shares.
pub type Words = &'static [&'static [Word]];

const fn word(name: &'static str, kind: Kind, doc: &'static str) -> Word {
    Word { name, kind, doc }
}

pub const TOP: Words = &[&[
    word("include", Kind::Texts, "Files whose tables are read as if they stood here, beside this file."),
    word("variables", Kind::Variables, "Texts for `{NAME}` in prompts, targets, trunks and queues. The including file's win."),
    word("plan", Kind::Table(HEAD), "What the plan is, and what all its lines share."),
    word("modes", Kind::Table(MODES), "What all lines of a mode share."),
    word("line", Kind::Tables(LINE), "A row of the notice: its numbers and their fate."),
    word("prompts", Kind::Named(PROMPT), "A spoken text. Its sound is NAME.al, or NAME-NUMBER.al where the text has `{number}`."),
    word("tickets", Kind::Named(TICKETS), "A ticket backend that lines may name, or a call's subject."),
    word("calendars", Kind::Named(CALENDAR), "Hours in which somebody is there."),
    word("holidays", Kind::Named(HOLIDAY), "A holiday: its days, and the weekend days that are worked for it (调休)."),
    word("tenant", Kind::Tables(TENANT), "A place that is served here because it has no platform of its own."),
    word("expect", Kind::Tables(EXPECT), "A test, run by `hotline check`: calls, and what must come of each."),
]];

pub const HEAD: Words = &[
    &[
        word("name", Kind::Text, "The plan's name."),
        word("notice", Kind::Text, "The notice that it carries out (文号)."),
        word("area", Kind::Text, "Area code without its leading 0, used when no trunk is named."),
        word("zone", Kind::Text, "Time zone of all dates without an offset. Usual: `Asia/Shanghai`."),
        word("prefixes", Kind::Text, "A file of `PREFIX,AREA` lines: the area of callers whose number begins so."),
        word("languages", Kind::Texts, "Prompts are played in these, one after another; `NAME-LANGUAGE` after the first."),
    ],
    RULES,
];

pub const LINE: Words = &[
    &[
        word("number", Kind::Texts, "The number or numbers, as the notice writes them."),
        word("name", Kind::Text, "The hotline's name (热线名称). Usual: the number."),
        word("unit", Kind::Text, "The responsible unit (责任单位), without spaces; tickets carry it."),
        word("mode", Kind::OneOf(MODE_NAMES), "How the number takes part."),
        word("when", Kind::Table(WHEN), "Only for some calls. Lines of the same number are tried from the top."),
    ],
    RULES,
];

pub const MODE_NAMES: &[&str] =
    &["front", "merged", "parallel", "sub-center", "remote-seats", "linked", "emergency", "guided", "platform"];

/// The keys of a telephone.
pub const KEYS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"];

pub const MODES: Words = &[&[
    word("front", Kind::Table(&[RULES]), "12345 itself: answered by a human seat. Steps: queue."),
    word(
        "merged",
        Kind::Table(&[RULES]),
        "整体并入, 直接合并: retired in phases. Steps: ring its own seats; announce and queue; announce and reject (410); reject (404).",
    ),
    word(
        "parallel",
        Kind::Table(&[RULES]),
        "双号并行: the number is kept. Steps: queue; with `seats = \"kept\"` ring, then queue.",
    ),
    word("sub-center", Kind::Table(&[RULES]), "设分中心: number and seats are kept. Steps: ring."),
    word("remote-seats", Kind::Table(&[RULES]), "设置远端座席: the unit's phones are seats of 12345. Steps: ring, then queue."),
    word("linked", Kind::Table(&[RULES]), "对接联通: a utility keeps answering and shares its data. Steps: ring."),
    word("emergency", Kind::Table(&[RULES]), "话务转接: 110, 119, 120, 122, 12122. Steps: ring."),
    word(
        "guided",
        Kind::Table(&[RULES]),
        "暂不纳入, 话务引导: not part of 12345. Steps: ring where `targets` are named, or on the key of `offer`, else reject (404).",
    ),
    word("platform", Kind::Table(&[RULES]), "另一级或另一地的12345平台: moves callers here and there. Steps: ring."),
]];

/// Words that a line may say, or its mode's section, or the head; the nearest wins.
pub const RULES: &[Word] = &[
    word("from", Kind::Moment, "From when the mode holds; before, the number rings its targets. Not for merged lines."),
    word("connect-from", Kind::Moment, "Merged: from when a prompt plays and 12345 answers."),
    word("announce-only-from", Kind::Moment, "Merged: from when a prompt says to dial 12345, and nobody answers."),
    word("released-from", Kind::Moment, "Merged: from when the number is no hotline any more."),
    word("opened", Kind::Flag, "false: nobody ever answered it here, and nobody will."),
    word("seats", Kind::OneOf(&["merged", "kept"]), "Parallel: whether the unit kept its seats. Usual: `merged`."),
    word("expert-seats", Kind::Flag, "The unit has experts among the seats of 12345 (专家座席)."),
    word("queue", Kind::Text, "Whose seats answer. Usual: `12345`."),
    word("priority", Kind::OneOf(&["normal", "high"]), "Its place in the queue. Usual: `normal`."),
    word("targets", Kind::Targets(TARGET), "Whom the number itself rings, one after another. Usual: the number."),
    word("ring", Kind::Duration, "How long each target rings. Usual: 60 s."),
    word(
        "advance-on",
        Kind::Texts,
        "The causes after which the next target rings: `busy`, `no-answer`, `rejected`, `failed`. With another one the caller gets the target's own refusal. Usual: all.",
    ),
    word("prompt", Kind::Text, "Played first, while the mode is in force."),
    word("connect-prompt", Kind::Text, "Merged: played before connecting. Usual: `connect`."),
    word("announce-only-prompt", Kind::Text, "Merged: played instead of connecting. Usual: `announce-only`."),
    word("guide-prompt", Kind::Text, "Guided: what a seat plays to a caller who needs the number."),
    word(
        "offer",
        Kind::OneOf(KEYS),
        "The key that connects: after its prompt (guided: `guide-prompt`) only a caller who presses it goes on.",
    ),
    word("offer-for", Kind::Duration, "How long that key is waited for. Usual: 10 s."),
    word("menu", Kind::Table(MENU), "A key menu before the queue (企业专席按 2). Who presses nothing comes to the queue."),
    word("survey", Kind::Flag, "Whether its callers are asked for an opinion, whatever their queue says."),
    word("survey-prompt", Kind::Text, "How they are asked. Usual: the configuration's."),
    word("early-max", Kind::Duration, "How long a caller may wait unanswered; `0s`: answered at once. Usual: 30 s."),
    word("tickets", Kind::Texts, "The ticket backends that get its calls. Usual: all that have no `subjects`."),
    word(
        "record",
        Kind::Flag,
        "true or false: its calls are recorded, or are not. Usual: as its queue says, or `recording.lines` of the configuration.",
    ),
    word(
        "source",
        Kind::Source,
        "Marks words whose values are `inferred` or set by the `operator`; the others are the notice's.",
    ),
    word("note", Kind::Text, "What people should know."),
];

pub const TARGET: Words = &[&[
    word("number", Kind::Text, "The number to call."),
    word("trunk", Kind::Text, "The trunk to call it by. Usual: the configuration's default route."),
    word("ring", Kind::Duration, "How long this one rings."),
    word("area", Kind::Texts, "Only for calls from these areas: each city's 110 is its own."),
    word("open", Kind::Text, "Only in the hours of this calendar."),
]];

/// How often a menu may be asked.
pub const TRIES: &[&str] = &["1", "2", "3"];

pub const MENU: Words = &[&[
    word("prompt", Kind::Text, "The question, which says what each key is for."),
    word("wrong", Kind::Text, "Spoken before it is asked again to who presses another key. Usual: `wrong-key`."),
    word("keys", Kind::Tables(MENU_KEY), "The keys."),
    word("wait", Kind::Duration, "How long a key is waited for, each time it is asked; at most 15 s. Usual: 5 s."),
    word("tries", Kind::OneOf(TRIES), "How often it is asked at most. Usual: `2`."),
]];

pub const MENU_KEY: Words = &[&[
    word("key", Kind::OneOf(KEYS), "The key."),
    word("queue", Kind::Text, "The queue that takes the place of the line's."),
    word("line", Kind::Text, "The number of another line of this plan; should nobody answer there, this line goes on."),
]];

pub const WHEN: Words = &[&[
    word("trunk", Kind::Texts, "It came by one of these trunks."),
    word("caller", Kind::Texts, "The caller's number begins so."),
    word("area", Kind::Texts, "It is from one of these areas."),
    word("open", Kind::Text, "It comes in the hours of this calendar."),
    word("closed", Kind::Text, "It comes outside the hours of this calendar."),
    word("holiday", Kind::Texts, "It comes on a day of one of these holidays."),
]];

pub const PROMPT: Words = &[&[
    word("text", Kind::Text, "What is said; `{number}` is the number of the line."),
    word("pinyin", Kind::Text, "How the recipe's voice says it."),
    word("numbers", Kind::Text, "The numbers for which the recipe makes a sound."),
]];

pub const TICKETS: Words = &[&[
    word("name", Kind::Text, "The system's name."),
    word(
        "subjects",
        Kind::Texts,
        "A call that is tagged with one of these goes to it at once, whatever its line; of the others it gets those of lines that name it.",
    ),
    word("note", Kind::Text, "What people should know."),
]];

pub const CALENDAR: Words = &[&[
    word("hours", Kind::Texts, "Such as `mon-fri 08:30-12:00`, `sat,sun 09:00-17:00` or `daily 00:00-24:00`."),
    word("holidays", Kind::Dates, "Days on which nobody is there."),
    word("workdays", Kind::Dates, "Weekend days that are worked instead (调休), with the hours of a Monday."),
    word(
        "closed",
        Kind::Texts,
        "The `[holidays.NAME]` on which nobody is there; the days that are worked for them count as workdays.",
    ),
]];

pub const HOLIDAY: Words = &[&[
    word("from", Kind::Dates, "Its first day."),
    word("to", Kind::Dates, "Its last day. Usual: the first."),
    word("workdays", Kind::Dates, "Weekend days that are worked instead (调休), with the hours of a Monday."),
]];

pub const TENANT: Words = &[&[
    word("area", Kind::Text, "Its area code without the leading 0."),
    word("name", Kind::Text, "The place."),
    word("queue", Kind::Text, "Its callers' queue, in place of the line's."),
]];

pub const EXPECT: Words = &[&[
    word("number", Kind::Texts, "As dialled; each of them."),
    word("at", Kind::Moment, "When. Without it the row holds in every phase."),
    word("key", Kind::Text, "The key that the caller presses at the menu; what follows is of who pressed it."),
    word("trunk", Kind::Text, "By which trunk it comes."),
    word("trunk-area", Kind::Text, "The trunk's area."),
    word("caller", Kind::Text, "Who calls."),
    word("line", Kind::Text, "The line's name."),
    word("unit", Kind::Text, "The unit, or `none`."),
    word("mode", Kind::Text, "The mode, or `unknown`."),
    word("phase", Kind::Text, "The phase, or `none`."),
    word("steps", Kind::Texts, "The verbs in order: `announce`, `queue`, `ring`, `reject`."),
    word("area", Kind::Text, "The area, or `none`."),
    word("tenant", Kind::Text, "The tenant, or `none`."),
    word("prompt", Kind::Texts, "The prompts in order, or `none`."),
    word("queue", Kind::Texts, "The queue, or `none`."),
    word("target", Kind::Texts, "The targets in order, or `none`."),
    word("advance-on", Kind::Texts, "The causes after which the next target rings, or `none`."),
    word("menu", Kind::Texts, "The keys of the menu, as `2 → expert`, or `none`."),
    word("status", Kind::Text, "The SIP status of a refusal, or `none`."),
    word("tickets", Kind::Texts, "The ticket backends, or `none`."),
]];

/// The words of a plan as people call them.
pub const CHINESE: &[(&str, &str)] = &[
    ("号码", "number"),
    ("名称", "name"),
    ("单位", "unit"),
    ("责任单位", "unit"),
    ("模式", "mode"),
    ("方式", "mode"),
    ("归并方式", "mode"),
    ("队列", "queue"),
    ("目标", "targets"),
    ("提示音", "prompt"),
    ("文本", "text"),
    ("区号", "area"),
    ("时段", "hours"),
    ("节假日", "holidays"),
    ("备注", "note"),
];

/// The names in `words`.
pub fn names(words: Words) -> impl Iterator<Item = &'static str> + Clone {
    words.iter().flat_map(|group| group.iter().map(|w| w.name))
}
