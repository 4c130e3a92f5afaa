//! Calls that seats place: how many went to one number, and how many one seat placed, on one day; and why one is not placed.

use crate::base::{CallId, Text, Wall};
use crate::event::{DialledFact, Fact, FactKind, Keep};
use std::collections::BTreeMap;
use std::sync::Arc;

const DAYS: [(&str, &str); 7] = [
    ("Monday", "周一"),
    ("Tuesday", "周二"),
    ("Wednesday", "周三"),
    ("Thursday", "周四"),
    ("Friday", "周五"),
    ("Saturday", "周六"),
    ("Sunday", "周日"),
];

/// The calls of a day. Another day begins at nothing, in whichever direction the clock went.
#[derive(Debug, Default)]
pub struct Dialled {
    day: u32,
    counts: BTreeMap<Arc<str>, DialledFact>,
}

/// Those whom a count is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom<'a> {
    Number(&'a str),
    Seat(&'a str),
}

impl Dialled {
    /// Takes a row that was kept.
    pub fn remember(&mut self, row: DialledFact) {
        self.day = self.day.max(row.day);
        self.counts.insert(row.whom.clone(), row);
    }

    /// When the number may be called again that its network refused; none: at once.
    pub fn not_before(&self, now: Wall, number: &str) -> Option<Wall> {
        self.counts.get(&*key(Whom::Number(number)))?.not_before.filter(|until| now < *until)
    }

    pub fn of(&self, day: u32, whom: Whom<'_>) -> u32 {
        self.counts.get(&*key(whom)).filter(|row| row.day == day).map_or(0, |row| row.calls)
    }

    /// One call more. The rows of other days go with the first of this one.
    pub fn add(&mut self, now: Wall, day: u32, call: CallId, whom: Whom<'_>, keeps: &mut Vec<Keep>) {
        let row = self.row(now, day, call, whom, keeps);
        row.calls = row.calls.saturating_add(1);
        keeps.push(Keep::Set(Box::new(Fact::Dialled(row.clone()))));
    }

    /// The number's network has refused it: it is not called before `until`.
    pub fn refused(&mut self, now: Wall, day: u32, call: CallId, (number, until): (&str, Wall), keeps: &mut Vec<Keep>) {
        let row = self.row(now, day, call, Whom::Number(number), keeps);
        row.not_before = Some(until);
        keeps.push(Keep::Set(Box::new(Fact::Dialled(row.clone()))));
    }

    fn row(&mut self, now: Wall, day: u32, call: CallId, whom: Whom<'_>, keeps: &mut Vec<Keep>) -> &mut DialledFact {
        self.forget_others(now, day, keeps);
        let key: Arc<str> = key(whom).into();
        let id = match whom {
            Whom::Number(_) => call.to_string().into(),
            Whom::Seat(_) => key.clone(),
        };
        let row = self.counts.entry(key.clone()).or_insert(DialledFact { id, whom: key, day, calls: 0, not_before: None });
        if row.day != day {
            (row.day, row.calls) = (day, 0);
        }
        row
    }

    fn forget_others(&mut self, now: Wall, day: u32, keeps: &mut Vec<Keep>) {
        if self.day == day {
            return;
        }
        self.day = day;
        self.counts.retain(|_, row| {
            let stays = row.day == day || row.not_before.is_some_and(|until| now < until);
            if !stays {
                keeps.push(Keep::Forget { kind: FactKind::Dialled, key: row.id.to_string() });
            }
            stays
        });
    }
}

fn key(whom: Whom<'_>) -> String {
    match whom {
        Whom::Number(number) => format!("to:{number}"),
        Whom::Seat(seat) => format!("seat:{seat}"),
    }
}

/// Why a seat's call is not placed; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCalled {
    /// Seats do not call out here.
    Off,
    /// Neither a number nor a row of the callback list is named.
    Nobody,
    /// The row is another's than this number.
    OtherNumber,
    Emergency,
    /// A hotline of the plan.
    Hotline,
    /// It stands on the list of those who are not to be called, or begins as no number may that is called.
    Blocked,
    Prefix,
    /// It is too short or too long, or has another number behind a carrier's code.
    NotWhole,
    /// There is no such hotline in whose name a call could be placed.
    NoHotline,
    /// Outside the hours; the next begin on this day of the week (0: Monday), at this minute of the day.
    Hours {
        opens: Option<(u8, u16)>,
    },
    /// This number was called so often today; so did this seat call.
    NumberToday(u32),
    SeatToday(u32),
    /// The number's network has refused it, and it may be called again in so many minutes.
    Refused {
        minutes: u64,
    },
    /// As many calls as may be are placed now in the hotline's name, or by the trunk.
    HotlineFull(usize),
    TrunkFull,
    /// Callers come first: the gateway or the trunk is nearly full.
    Busy,
    /// The request's id is that of another one, which has placed a call.
    OtherRequest,
    /// The seat's own phone has no channel left.
    SeatFull,
    /// The gateway has as many calls as this key lets it have.
    GatewayFull(&'static str),
    /// Calls follow each other too soon.
    TooFast,
    /// No new calls are taken for now.
    Draining,
    /// No record could be kept of it.
    JournalDown,
}

impl NotCalled {
    /// In a word, as programs read it.
    pub fn name(self) -> &'static str {
        match self {
            NotCalled::Off => "outbound_off",
            NotCalled::Nobody => "nobody_to_call",
            NotCalled::OtherNumber => "other_number",
            NotCalled::Emergency => "emergency_number",
            NotCalled::Hotline => "hotline_number",
            NotCalled::Blocked => "blocked_number",
            NotCalled::Prefix | NotCalled::NotWhole => "number_not_allowed",
            NotCalled::NoHotline => "unknown_hotline",
            NotCalled::Hours { .. } => "outside_hours",
            NotCalled::NumberToday(_) => "called_too_often",
            NotCalled::SeatToday(_) => "seat_called_too_often",
            NotCalled::Refused { .. } => "refused_by_network",
            NotCalled::HotlineFull(_) => "hotline_full",
            NotCalled::TrunkFull => "trunk_full",
            NotCalled::Busy => "callers_first",
            NotCalled::OtherRequest => "other_request",
            NotCalled::SeatFull => "seat_full",
            NotCalled::GatewayFull(_) => "gateway_full",
            NotCalled::TooFast => "too_fast",
            NotCalled::Draining => "draining",
            NotCalled::JournalDown => "journal_down",
        }
    }

    /// True for what no later moment makes right.
    pub fn is_of_the_request(self) -> bool {
        use NotCalled::{Blocked, Emergency, Hotline, NoHotline, Nobody, NotWhole, OtherNumber, OtherRequest, Prefix};
        matches!(self, Nobody | OtherNumber | OtherRequest | Emergency | Hotline | Blocked | Prefix | NotWhole | NoHotline)
    }

    /// True for what neither the seat nor those whom it calls have to do with.
    pub fn is_of_the_gateway(self) -> bool {
        matches!(self, NotCalled::JournalDown)
    }

    /// One sentence for people, and whether asking again later may help.
    pub fn words(self) -> (Text, bool) {
        let words = match self {
            NotCalled::Off => both!("seats do not call out here (outbound.enabled)", "本网关未开启座席外呼（outbound.enabled）"),
            NotCalled::Nobody => {
                both!("say whom: `to`, or a `callback` of the list", "请说明呼叫对象：`to`，或回电清单的 `callback`")
            }
            NotCalled::OtherNumber => both!("this row is another caller's than `to`", "此条回电的号码与 `to` 不一致"),
            NotCalled::Emergency => {
                both!("an emergency line is not called out to: use the one-key transfer", "紧急号码不能外呼：请用一键转接")
            }
            NotCalled::Hotline => both!("this is a hotline of the dial plan", "这是号码方案中的热线号码，不能外呼"),
            NotCalled::Blocked => both!("this number is on the block list", "此号码在黑名单中"),
            NotCalled::Prefix => {
                both!("numbers that begin so are not called (outbound.refuse)", "不允许呼叫此类号码（outbound.refuse）")
            }
            NotCalled::NotWhole => both!(
                "this is no whole number: 11 digits of a mobile, an area code and a number, or 00 and a country's",
                "号码不完整或过长：应为 11 位手机号、区号加号码，或 00 加国家码的号码"
            ),
            NotCalled::NoHotline => {
                both!("there is no such hotline to call in the name of", "没有此热线，无法以其名义外呼")
            }
            NotCalled::Hours { opens } => return (hours(opens), true),
            NotCalled::NumberToday(most) => both!(
                "this number was called {most} times today (outbound.per_callee): again from midnight",
                "此号码今日已呼叫 {most} 次（outbound.per_callee）：零点后可再呼叫"
            ),
            NotCalled::SeatToday(most) => both!(
                "this seat has placed {most} calls today (outbound.per_seat): again from midnight",
                "此座席今日已外呼 {most} 次（outbound.per_seat）：零点后可再外呼"
            ),
            NotCalled::Refused { minutes } => return (refused(minutes), true),
            NotCalled::HotlineFull(most) => both!(
                "{most} calls are placed in this hotline's name now (outbound.per_hotline)",
                "此热线正在外呼的通话已达 {most} 路（outbound.per_hotline）"
            ),
            NotCalled::TrunkFull => both!(
                "the trunk carries as many placed calls as it may (outbound.per_trunk)",
                "此中继正在外呼的通话已达上限（outbound.per_trunk）"
            ),
            NotCalled::OtherRequest => both!("this request id was used for another request", "此 request_id 已用于另一请求"),
            NotCalled::Busy => both!(
                "callers come first: too few channels are free now (outbound.leave_percent): again when some calls are over",
                "来电优先：目前空闲通道不足（outbound.leave_percent）：有通话结束后可再外呼"
            ),
            NotCalled::SeatFull => both!(
                "all channels of this seat are in use (seats.*.channels): again when one of its calls is over",
                "此座席的通道已全部占用（seats.*.channels）：有通话结束后可再外呼"
            ),
            NotCalled::GatewayFull(key) => both!(
                "as many calls are in progress as may be ({key}): again when some are over",
                "正在进行的通话已达上限（{key}）：有通话结束后可再外呼"
            ),
            NotCalled::TooFast => both!(
                "this seat places calls too fast (limits.placing_percent): again in a second",
                "此座席外呼过于频繁（limits.placing_percent）：一秒后可再外呼"
            ),
            NotCalled::Draining => both!(
                "the gateway takes no new calls now (hotline drain): again when it does",
                "网关正在排空，暂不接受新通话（hotline drain）：恢复后可再外呼"
            ),
            NotCalled::JournalDown => both!(
                "the journal cannot be written, so no record could be kept (records.on_journal_failure): again when it can, tell the operator",
                "日志数据库无法写入，不能留下话单（records.on_journal_failure）：恢复后可再外呼，请告知运维人员"
            ),
        };
        (words, !self.is_of_the_request() && self != NotCalled::Off)
    }
}

fn refused(minutes: u64) -> Text {
    both!(
        "the network refused this number (outbound.after_refusal): again in {minutes} min",
        "运营商网络已拒绝呼叫此号码（outbound.after_refusal）：{minutes} 分钟后可再呼叫"
    )
}

fn hours(opens: Option<(u8, u16)>) -> Text {
    let Some((day, minute)) = opens else {
        return both!("nobody is called at any hour (outbound.hours)", "没有允许外呼的时段（outbound.hours）");
    };
    let (en, zh) = DAYS.get(usize::from(day)).copied().unwrap_or_default();
    let (hour, minute) = (minute / 60, minute % 60);
    both!(
        "nobody is called at this hour (outbound.hours): again on {en} from {hour:02}:{minute:02}",
        "现在不是允许外呼的时段（outbound.hours）：{zh} {hour:02}:{minute:02} 起可呼叫"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kept;
    use uuid::Uuid;

    fn call(n: u128) -> CallId {
        CallId(Uuid::from_u128(n))
    }

    /// As it is after a kill -9.
    fn restarted(kept: &Kept) -> Dialled {
        let mut again = Dialled::default();
        for fact in &kept.facts {
            if let Fact::Dialled(row) = fact {
                again.remember(row.clone());
            }
        }
        again
    }

    #[test]
    fn calls_count_for_their_day_across_restarts_and_no_longer() {
        let (mut dialled, mut kept) = (Dialled::default(), Kept::default());
        let number = Whom::Number("13800138000");
        let mut act = |dialled: &mut Dialled, act: &dyn Fn(&mut Dialled, &mut Vec<Keep>)| {
            let mut keeps = Vec::new();
            act(dialled, &mut keeps);
            keeps.into_iter().for_each(|keep| kept.take(keep));
            restarted(&kept)
        };
        act(&mut dialled, &|it, keeps| it.add(Wall(0), 20_261_126, call(1), number, keeps));
        act(&mut dialled, &|it, keeps| it.add(Wall(0), 20_261_126, call(2), Whom::Seat("zhang"), keeps));
        let again = act(&mut dialled, &|it, keeps| it.add(Wall(0), 20_261_126, call(2), number, keeps));
        for it in [&dialled, &again] {
            assert_eq!((it.of(20_261_126, number), it.of(20_261_126, Whom::Seat("zhang"))), (2, 1));
            assert_eq!(it.of(20_261_127, number), 0, "another day");
        }
        let mut again = again;
        let after = act(&mut again, &|it, keeps| it.add(Wall(0), 20_261_127, call(3), number, keeps));
        assert_eq!((after.counts.len(), after.of(20_261_127, number)), (1, 1), "the day before is forgotten, on the disk too");
        assert_eq!(after.counts["to:13800138000"].id.as_ref(), call(3).to_string(), "no number is a key");
    }

    #[test]
    fn a_number_that_its_network_refused_rests_over_midnight_and_a_restart() {
        let (mut dialled, mut kept) = (Dialled::default(), Kept::default());
        let mut act = |dialled: &mut Dialled, act: &dyn Fn(&mut Dialled, &mut Vec<Keep>)| {
            let mut keeps = Vec::new();
            act(dialled, &mut keeps);
            keeps.into_iter().for_each(|keep| kept.take(keep));
            restarted(&kept)
        };
        let number = Whom::Number("13800138000");
        act(&mut dialled, &|it, keeps| it.add(Wall(0), 20_261_126, call(1), number, keeps));
        let mut again =
            act(&mut dialled, &|it, keeps| it.refused(Wall(0), 20_261_126, call(1), ("13800138000", Wall(500)), keeps));
        assert_eq!((again.not_before(Wall(499), "13800138000"), again.of(20_261_126, number)), (Some(Wall(500)), 1));
        assert_eq!((again.not_before(Wall(500), "13800138000"), again.not_before(Wall(0), "13800138001")), (None, None));
        let mut next = act(&mut again, &|it, keeps| it.add(Wall(100), 20_261_127, call(2), Whom::Number("1"), keeps));
        assert_eq!((next.of(20_261_127, number), next.not_before(Wall(100), "13800138000")), (0, Some(Wall(500))));
        let last = act(&mut next, &|it, keeps| it.add(Wall(600), 20_261_128, call(3), Whom::Number("1"), keeps));
        assert_eq!(last.counts.len(), 1, "what is over is forgotten, on the disk too");
    }

    #[test]
    fn who_is_refused_is_told_when_to_ask_again() {
        let (words, again) = NotCalled::Hours { opens: Some((6, 485)) }.words();
        assert!(again && words.en.ends_with("again on Sunday from 08:05") && words.zh.contains("周日 08:05"), "{words:?}");
        assert!(!NotCalled::Hotline.words().1 && NotCalled::NumberToday(3).words().1);
    }
}
