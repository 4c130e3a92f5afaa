//! The API's words for people: what programs read as `on_break` or `queued` stands in tables in the reader's language. In English
//! a word stays as it is, for whoever looks it up in the docs or gives it as an option.

use crate::base::{Shown, Text};
use serde_json::Value;

/// Each word that the API has for a state, a cause or an event of calls, seats and queues, and its Chinese.
const WORDS: &[(&str, &str)] = &[
    // Sides and directions of a call 呼叫方向
    ("inbound", "呼入"),
    ("outbound", "呼出"),
    ("caller", "主叫"),
    // States of a call and of its legs 通话状态
    ("opening", "建立"),
    ("announcing", "放音"),
    ("offering", "询问"),
    ("asking", "满意度"),
    ("queued", "排队"),
    ("ringing", "振铃"),
    ("calling", "外呼"),
    ("talking", "通话"),
    ("clearing", "结束"),
    ("aside", "咨询"),
    ("waiting", "等待"),
    ("supervising", "监听"),
    // A seat's intent and its device 座席状态
    ("logged_out", "签出"),
    ("logged_in", "签入"),
    ("ready", "示闲"),
    ("break", "示忙或小休"),
    ("wrap_up", "话后整理"),
    ("gone", "离线"),
    ("idle", "空闲"),
    // Addresses of trunks 中继地址
    ("up", "正常"),
    ("down", "探测停用"),
    ("silent", "无响应"),
    ("unavailable", "拒绝呼叫"),
    // Registrations with carriers 注册状态
    ("registered", "已注册"),
    ("trying", "注册中"),
    ("failing", "重试中"),
    ("refused", "被拒绝"),
    ("withdrawn", "已注销"),
    // Kinds of a break 示忙类别
    ("busy", "忙"),
    ("rest", "小休"),
    ("missed", "未接"),
    // Causes of calls in vain 未接原因
    ("rejected", "拒接"),
    ("no_answer", "无应答"),
    ("not_registered", "未注册"),
    ("unreachable", "不可达"),
    ("dnd", "免打扰"),
    ("dropped", "接起即断"),
    ("ours", "网关原因"),
    // Why a seat rings 振铃原因
    ("queue", "队列"),
    ("direct", "直呼"),
    ("callback", "回电"),
    ("consult", "咨询"),
    ("transfer", "转移"),
    ("monitor", "监听"),
    ("whisper", "密语"),
    ("barge", "强插"),
    // Parts of a seat 座席在通话中的角色
    ("main", "主办"),
    ("assistant", "协办"),
    // Moves of a caller, and how they came out 转移方式与结果
    ("blind", "直接转移"),
    ("three-way", "三方"),
    ("return", "转回"),
    ("joined", "已加入"),
    ("completed", "已完成"),
    ("returned", "已转回"),
    ("cancelled", "已取消"),
    // Sides that end a call 释放方
    ("other", "另一方"),
    ("network", "网络"),
    // Authors 操作者
    ("seat", "座席"),
    ("phone", "话机"),
    ("supervisor", "班长"),
    ("operator", "运维"),
    ("gateway", "网关"),
    // Events of a seat 座席事件
    ("planned", "通话后变为"),
    ("break_overdue", "小休超时"),
    ("wrap_up_extended", "延长话后整理"),
    ("skills", "调整技能"),
    ("auto_answer", "自动应答"),
    ("device_gone", "话机离线"),
    ("device_back", "话机恢复"),
    ("held", "保持"),
    ("resumed", "取回"),
    ("hold_forgotten", "保持过久"),
    ("conference", "三方"),
    ("muted", "静音"),
    ("unmuted", "取消静音"),
    ("transfer_started", "转移开始"),
    ("transfer_answered", "咨询接通"),
    ("transfer_ended", "转移结束"),
    ("recording", "录音"),
    ("released", "挂断"),
    ("preview", "预览外呼"),
    ("preview_ended", "预览结束"),
    ("outbound_failed", "外呼未成"),
    ("supervised", "被监听"),
    ("supervision_ended", "监听结束"),
    ("notice", "便签"),
    ("gap", "可能遗漏"),
    // Why something ended 结束原因
    ("asked", "主动"),
    ("heartbeat", "心跳超时"),
    ("unregistered", "注册失效"),
    ("removed", "座席已移除"),
    ("called", "已呼出"),
    ("declined", "已放弃"),
    ("expired", "已过期"),
    ("replaced", "被替换"),
    // Acts on a recording 录音操作
    ("start", "开始"),
    ("started", "开始"),
    ("pause", "暂停"),
    ("paused", "暂停"),
    ("mask", "屏蔽"),
    ("masked", "屏蔽"),
    ("resume", "继续"),
    ("verb", "指令"),
    ("limit", "到时"),
    ("seat_left", "座席离开"),
    ("emergency", "紧急热线"),
    ("call_ended", "通话结束"),
    ("stop", "停止"),
    ("stopped", "停止"),
    // Strategies of queues 派话策略
    ("longest-idle", "最久空闲"),
    ("fewest-calls", "最少接听"),
    ("round-robin", "轮流"),
    ("skill-first", "技能优先"),
    ("ring-all", "同振"),
    // Lists of numbers 名单
    ("blocked", "黑名单"),
    ("priority", "优先"),
    // The matter of a refusal 拒绝所指
    ("number", "号码"),
    ("line", "线路"),
    // Outcomes of a tag 主题标注
    ("tagged", "已标注"),
    ("known", "此前已标注"),
    // How a caller was lost 流失原因
    ("abandoned_announcement", "放音中挂机"),
    ("abandoned_queue", "排队中挂机"),
    ("abandoned_ringing", "振铃中挂机"),
    ("no_seat", "无座席"),
    ("queue_full", "队列已满"),
    ("timeout", "排队超时"),
    ("failed", "失败"),
    ("interrupted", "中断"),
    ("message", "留言"),
    ("answered", "接通"),
    ("open", "进行中"),
];

/// A word of the API; a name stands as it is.
pub fn word(name: &str) -> Text {
    match WORDS.iter().find(|(en, _)| *en == name) {
        Some((en, zh)) => Text { en: (*en).to_owned(), zh: (*zh).to_owned() },
        None => Text::foreign(Shown(name)),
    }
}

/// The same in the reader's language, of a value in an answer.
pub fn told(value: &Value) -> String {
    value.as_str().map_or("-".to_owned(), |name| word(name).told(super::tongue()).to_owned())
}

/// A name or a number that others chose.
pub fn text(value: &Value) -> String {
    value.as_str().map_or("-".to_owned(), |text| Shown(text).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SeatWhat;
    use schemars::schema_for;
    use std::collections::BTreeSet;

    /// The words that a type may be in JSON: its constants and its keys of variants.
    fn words(schema: &Value, found: &mut BTreeSet<String>) {
        match schema {
            Value::Object(fields) => {
                let own = fields.get("enum").and_then(Value::as_array).into_iter().flatten().chain(fields.get("const"));
                found.extend(own.filter_map(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| words(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| words(item, found)),
            _ => {}
        }
    }

    #[test]
    fn each_word_of_a_seat_s_events_has_its_chinese() {
        let schema = serde_json::to_value(schema_for!(SeatWhat)).unwrap();
        let mut all = BTreeSet::new();
        words(&schema, &mut all);
        let kinds = schema["oneOf"].as_array().unwrap().iter().filter_map(|kind| kind["properties"].as_object());
        all.extend(kinds.flat_map(|kind| kind.keys().cloned()));
        assert!(all.len() > 40, "{all:?}");
        // Protocols have one name.
        let named = |name: &&String| !["sip", "webrtc", "pstn"].contains(&name.as_str());
        let missing: Vec<_> = all.iter().filter(named).filter(|name| word(name).zh == **name).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_word_stands_once_and_a_name_as_it_is() {
        let names: BTreeSet<&str> = WORDS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), WORDS.len());
        assert_eq!((word("12345").zh, word("午餐").en, word("a\n").zh), ("12345".into(), "午餐".into(), "a\\u{a}".into()));
    }
}
