//! An explanation as people read it.

use super::explain::{ExplainedKey, ExplainedStep, ExplainedTarget, Explanation};
use super::number;
use crate::base::{Shown, Text};
use std::fmt::{Display, Formatter, Result};

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(&self.text().en)
    }
}

impl Explanation {
    /// All of it, a line each.
    pub fn text(&self) -> Text {
        let unit = self.unit.as_deref().map_or(Text::default(), |unit| both!(" ({unit})", "（{unit}）"));
        let (number, line, dialled, at) = (&self.number, &self.line, &self.dialled, &self.at);
        let code = self.area.code.as_deref().map_or(both!("unknown", "未知"), Text::foreign);
        let phase = self.phase.map_or(both!("none: not dated, or in force", "无：没有日期，或已生效"), Text::foreign);
        let notice = self.plan.notice.as_deref().map_or(Text::default(), |notice| both!(", {notice}", "，{notice}"));
        let revision = &self.plan.revision;
        let read = self.normalised.iter().map(|how| number::in_words(how)).collect::<Vec<_>>();
        let mut all = vec![Text::foreign(format_args!("{number} {line}")).then(&unit)];
        all.push(field(
            both!("dialled", "所拨"),
            Text::foreign(format_args!("{dialled} → {number}")).then(&both!(": ", "：")).then(&Text::joined(&read)),
        ));
        all.push(field(both!("at", "时间"), Text::foreign(at)));
        let holidays = self.holidays.join(", ");
        all.extend((!holidays.is_empty()).then(|| field(both!("holiday", "假日"), Text::foreign(holidays))));
        all.extend(self.caller.iter().map(|caller| field(both!("caller", "主叫"), Text::foreign(caller))));
        all.push(field(both!("area", "区号"), code.then(&both!(" ({})", "（{}）"; source(self.area.source)))));
        all.extend(self.tenant.iter().map(|tenant| field(both!("tenant", "租户"), Text::foreign(tenant))));
        all.push(field(both!("mode", "模式"), Text::foreign(self.mode)));
        all.push(field(both!("phase", "阶段"), phase));
        all.extend(list(both!("steps", "步骤"), self.steps.iter().enumerate().map(|(i, step)| step.text(i + 1))));
        all.push(field(both!("else", "否则"), self.in_the_end()));
        all.push(field(both!("ticket", "工单"), self.ticket()));
        all.extend(self.record.map(|record| field(both!("recorded", "录音"), recorded(record))));
        all.extend(self.survey.map(|survey| field(both!("survey", "评价"), asked(survey))));
        let rules = self.matched.iter().map(|rule| Text::foreign(format_args!("{}:{}: {}", rule.file, rule.line, rule.rule)));
        all.extend(list(both!("matched", "依据"), rules));
        let plan = Text::foreign(&self.plan.name).then(&notice);
        all.push(field(both!("plan", "方案"), plan.then(&both!(", revision {revision}", "，版本 {revision}"))));
        // As its snapshot in the tests ends.
        let all: Vec<Text> = all.iter().map(Text::shown).collect();
        Text::lines(&all).then(&Text::foreign("\n"))
    }

    /// The field `otherwise`, which programs read in English.
    fn in_the_end(&self) -> Text {
        let zh = match self.steps.last() {
            Some(ExplainedStep::Queue { .. }) => "队列已满或等待超时，则播放致歉并以 480 结束",
            Some(ExplainedStep::Ring { .. }) => "最后一个目标自己的拒绝；无人接听则为 480",
            Some(ExplainedStep::Reject { .. }) => "到此为止：未接通，不计费",
            Some(ExplainedStep::Callback { .. } | ExplainedStep::Message { .. }) => "播放致歉并以 480 结束",
            Some(ExplainedStep::Announce { .. } | ExplainedStep::Offer { .. } | ExplainedStep::Menu { .. }) | None => "480",
        };
        Text { en: self.otherwise.to_owned(), zh: zh.to_owned() }
    }
}

fn recorded(record: bool) -> Text {
    match record {
        true => both!("yes, from its first moment", "是，自呼入起"),
        false => both!("no, unless a seat starts it", "否，除非座席主动开始"),
    }
}

fn asked(survey: bool) -> Text {
    match survey {
        true => both!("yes, after the seat has hung up", "是，座席挂机后询问"),
        false => both!("no", "否"),
    }
}

fn source(source: &str) -> Text {
    match source {
        "dialled" => both!("dialled", "来自所拨号码"),
        "trunk" => both!("trunk", "来自中继"),
        "prefix-table" => both!("prefix-table", "来自号段表"),
        "plan" => both!("plan", "来自方案"),
        other => both!("{other}", "未知"),
    }
}

impl Explanation {
    /// One line of a table: number, mode, phase, steps, name, unit.
    pub fn row(&self) -> String {
        let steps: Vec<&str> = self.steps.iter().map(ExplainedStep::verb).collect();
        let (phase, unit) = (self.phase.unwrap_or("-"), self.unit.as_deref().unwrap_or("-"));
        let (number, mode, steps, line) = (&self.number, self.mode, steps.join(", "), &self.line);
        Shown::whole(&format!("{number:<12} {mode:<12} {phase:<20} {steps:<17} {line} ({unit})"))
    }

    /// The time of day, then the row.
    pub fn turn(&self) -> String {
        format!("{} {}", self.at.get(11..16).unwrap_or("--:--"), self.row())
    }

    /// Says what the record carries of this, and to whom.
    fn ticket(&self) -> Text {
        let mut parts = vec![Text::foreign(format_args!("{} {}", self.number, self.line))];
        parts.extend(self.unit.iter().map(|unit| both!("unit {unit}", "单位 {unit}")));
        parts.push(Text::foreign(self.mode));
        parts.extend(self.phase.map(Text::foreign));
        parts.extend(self.area.code.iter().map(|area| both!("area {area}", "区号 {area}")));
        parts.extend(self.caller.iter().map(|caller| both!("caller {caller}", "主叫 {caller}")));
        let to = self.tickets.join(", ");
        let mut told = Text::joined(&parts);
        if !self.tickets.is_empty() {
            told = told.then(&both!("; to {to}", "；推送到 {to}"));
        }
        self.tagged.iter().fold(told, |told, tag| {
            let (backend, either, one) = (&tag.backend, tag.subjects.join(" or "), tag.subjects.join("、"));
            told.then(&both!("; to {backend} once tagged {either}", "；标注 {one} 时推送到 {backend}"))
        })
    }
}

impl ExplainedStep {
    fn verb(&self) -> &'static str {
        match self {
            ExplainedStep::Announce { .. } => "announce",
            ExplainedStep::Queue { .. } => "queue",
            ExplainedStep::Ring { .. } => "ring",
            ExplainedStep::Offer { .. } => "offer",
            ExplainedStep::Menu { .. } => "menu",
            ExplainedStep::Callback { .. } => "callback",
            ExplainedStep::Message { .. } => "message",
            ExplainedStep::Reject { .. } => "reject",
        }
    }
}

fn list(name: Text, values: impl Iterator<Item = Text>) -> Vec<Text> {
    values.enumerate().map(|(i, value)| field(if i == 0 { name.clone() } else { Text::default() }, value)).collect()
}

/// A line of the answer: its name, and what stands beside it.
pub fn field(name: Text, value: Text) -> Text {
    let zh = if name.zh.is_empty() { "    " } else { &name.zh };
    // Chinese characters are two columns wide.
    Text { en: format!("  {:<8} {}", name.en, value.en), zh: format!("  {zh}     {}", value.zh) }
}

impl ExplainedStep {
    fn text(&self, number: usize) -> Text {
        let told = match self {
            ExplainedStep::Announce { prompt, text, answered } => {
                let when = match *answered {
                    true => both!("announce {prompt} (after the answer)", "播放 {prompt}（接通后）"),
                    false => both!("announce {prompt} (before the answer, free of charge)", "播放 {prompt}（接通前，不计费）"),
                };
                when.then(&text.as_ref().map_or(Text::default(), |text| both!(": {text}", "：{text}")))
            }
            ExplainedStep::Queue { queue, priority } => {
                let usual = *priority != "high";
                let how = if usual { both!("{priority}", "普通") } else { both!("{priority}", "高") };
                both!("queue {queue} ({} priority) until a seat answers", "排入队列 {queue}（{}优先级），直到座席接听"; how)
            }
            ExplainedStep::Ring { targets, timeout, advance_on } => {
                let all: Vec<Text> = targets.iter().map(ExplainedTarget::text).collect();
                let (en, zh): (Vec<&str>, Vec<&str>) = all.iter().map(|one| (one.en.as_str(), one.zh.as_str())).unzip();
                let (first, then, after) = (en.join(", then "), zh.join("，再 "), advance_on.join(", "));
                both!(
                    "ring {first} for {timeout} s each, going on after {after}",
                    "振铃 {then}，各 {timeout} 秒，遇 {after} 则继续"
                )
            }
            ExplainedStep::Offer { key, wait } => {
                both!("go on when key {key} is pressed within {wait} s", "{wait} 秒内按 {key} 键则继续")
            }
            ExplainedStep::Menu { prompt, text, keys, wait, tries } => {
                let all: Vec<String> = keys.iter().map(ExplainedKey::told).collect();
                let all = all.join(", ");
                let told = both!(
                    "menu {prompt}: {all}; no such key within {wait} s, asked {tries} times: go on",
                    "按键菜单 {prompt}：{all}；问 {tries} 次、每次 {wait} 秒内未按有效键则继续"
                );
                told.then(&text.as_ref().map_or(Text::default(), |text| both!(": {text}", "：{text}")))
            }
            ExplainedStep::Callback { prompt, key, wait } => {
                both!(
                    "offer to ring back ({prompt}): key {key} within {wait} s, else go on",
                    "提供回电（{prompt}）：{wait} 秒内按 {key} 键，否则继续"
                )
            }
            ExplainedStep::Message { prompt, key, most } => {
                both!(
                    "take a message ({prompt}) until key {key}, at most {most} s; where none can be taken, go on",
                    "留言（{prompt}），按 {key} 键结束，最长 {most} 秒；无法录音则继续"
                )
            }
            ExplainedStep::Reject { status, q850 } => {
                both!("reject with {status} (Q.850 cause {q850})", "以 {status} 拒绝（Q.850 原因 {q850}）")
            }
        };
        Text::foreign(format_args!("{number}. ")).then(&told)
    }
}

impl ExplainedKey {
    fn told(&self) -> String {
        format!("{} → {}", self.key, self.queue.as_deref().or(self.line.as_deref()).unwrap_or_default())
    }
}

impl ExplainedTarget {
    fn text(&self) -> Text {
        let by = self.trunk.as_ref().map_or(Text::default(), |trunk| both!(" by {trunk}", "（经中继 {trunk}）"));
        Text::foreign(&self.number).then(&by)
    }
}
