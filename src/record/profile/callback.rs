//! A ticket system posts to us: this says how it proves who it is, and where its words stand.

use super::{Profile, Secrets, id_text};
use crate::base::{Text, Wall};
use crate::record::callback::{Linked, Message, Surveyed};
use crate::record::digest::{Recipe, Spelling};
use crate::record::report::Fault;
use crate::record::signature::Keys;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use subtle::ConstantTimeEq;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    pub auth: Proof,
    /// JSON pointers; without them the body is the native message.
    #[serde(default)]
    pub fields: Option<Fields>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    call: String,
    ticket: Option<String>,
    url: Option<String>,
    score: Option<String>,
    /// One subject, or a list of them.
    subjects: Option<String>,
    /// The best score.
    #[serde(default = "three")]
    scale: u8,
}

/// The keys are `credentials.callback_keys`, parted by spaces: two while one replaces the other.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Proof {
    /// Standard Webhooks.
    Webhook,
    Sign(Sealed),
}

/// A digest over a text that sees `key`, `timestamp`, `id`, `body` and `secret`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    pub text: String,
    recipe: Recipe,
    #[serde(default)]
    spelling: Spelling,
    /// Names of headers: when it was sent (seconds or milliseconds since 1970), which message it is, its digest.
    timestamp: String,
    id: String,
    sign: String,
}

/// The sender of it is beyond doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    pub id: String,
    /// The digest of all that was signed, where a recipe may run its parts together.
    pub seal: Option<String>,
    pub sent: Wall,
}

type Header<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Profile {
    pub fn callback(&self) -> Option<&Callback> {
        self.file.callback.as_ref()
    }

    /// The message's id and time, or what does not hold. The clocks may be apart by the tolerance.
    pub fn prove(
        &self,
        header: Header<'_>,
        body: &[u8],
        secrets: &Secrets,
        now: Wall,
        tolerance: Duration,
    ) -> Result<Proven, Text> {
        let callback = self
            .callback()
            .ok_or_else(|| both!("this backend's profile takes no callbacks", "该工单系统的对接方案不接收回调"))?;
        let keys = secrets.get("callback_keys").map_or("", String::as_str);
        let names = match &callback.auth {
            Proof::Webhook => ["webhook-id", "webhook-timestamp", "webhook-signature"],
            Proof::Sign(sealed) => [sealed.id.as_str(), &sealed.timestamp, &sealed.sign],
        };
        let [id, at, sign] = names.map(|name| {
            header(name).filter(|value| !value.is_empty()).ok_or_else(|| both!("no header {name}", "没有 {name} 头"))
        });
        let (id, at, sign) = (id?, at?, sign?);
        let seal = match &callback.auth {
            Proof::Webhook => Keys::parse(keys).is_ok_and(|keys| keys.verify(&id, &at, body, &sign)).then_some(None),
            Proof::Sign(sealed) => {
                let mut keys = keys.split_whitespace();
                keys.find_map(|key| self.sealed(sealed, key, [&id, &at, &sign], body, secrets)).map(Some)
            }
        };
        let seal = seal.ok_or_else(|| both!("the signature does not hold", "签名不正确"))?;
        let sent = moment(&at).ok_or_else(|| {
            both!("its time is not ten digits of seconds or thirteen of milliseconds", "时间应为十位的秒数或十三位的毫秒数")
        })?;
        let apart = Duration::from_micros(sent.0.abs_diff(now.0));
        if apart > tolerance {
            let (apart, tolerance) = (apart.as_secs(), tolerance.as_secs());
            return Err(both!(
                "sent {apart} s from our time; the clocks may be {tolerance} s apart",
                "发送时间与本机相差 {apart} 秒，最多允许 {tolerance} 秒"
            ));
        }
        Ok(Proven { id, seal, sent })
    }

    fn sealed(&self, sealed: &Sealed, key: &str, [id, at, sign]: [&str; 3], body: &[u8], secrets: &Secrets) -> Option<String> {
        let body = String::from_utf8_lossy(body);
        let context = minijinja::context! { key => key, id => id, timestamp => at, body => body, secret => secrets };
        let text = self.templates.render("callback.text", &context).ok()?;
        let mut ours = sealed.spelling.spell(&sealed.recipe.sign(key.as_bytes(), text.as_bytes()));
        let mut theirs = sign.to_owned();
        if !matches!(sealed.spelling, Spelling::Base64) {
            ours.make_ascii_lowercase();
            theirs.make_ascii_lowercase();
        }
        bool::from(ours.as_bytes().ct_eq(theirs.as_bytes())).then_some(ours)
    }
}

impl Fields {
    /// The message in our words.
    pub fn message(&self, body: &Value) -> Result<Message, Vec<Fault>> {
        let text = |pointer: &Option<String>| pointer.as_ref().and_then(|at| body.pointer(at)).and_then(id_text);
        let fault = |pointer: &str, what: Text| vec![Fault { pointer: pointer.to_owned(), what }];
        let call_id = body.pointer(&self.call).and_then(id_text);
        let call_id = call_id.ok_or_else(|| fault(&self.call, both!("names no call", "没有通话编号")))?;
        let ticket = text(&self.ticket).map(|id| Linked { id, url: text(&self.url) });
        let survey = match text(&self.score) {
            None => None,
            Some(score) => match score.parse() {
                Ok(score) if (1..=self.scale).contains(&score) => Some(Surveyed { score, scale: self.scale }),
                _ => {
                    let scale = self.scale;
                    let what = both!("is no score from 1 to {scale}", "不是 1 到 {scale} 的评分");
                    return Err(fault(self.score.as_deref().unwrap_or_default(), what));
                }
            },
        };
        let subjects = match self.subjects.as_ref().and_then(|at| body.pointer(at)) {
            Some(Value::Array(all)) => all.iter().filter_map(id_text).collect(),
            one => one.and_then(id_text).into_iter().collect(),
        };
        Ok(Message { call_id, ticket, survey, subjects })
    }
}

/// Seconds or milliseconds since 1970, in just as many digits as they have today and for the next two centuries: a recipe may
/// put the next part behind them without anything between.
fn moment(text: &str) -> Option<Wall> {
    let exact = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    let unit = match text.len() {
        10 if exact => 1_000_000,
        13 if exact => 1_000,
        _ => return None,
    };
    Some(Wall(text.parse::<i64>().ok()?.checked_mul(unit)?))
}

fn three() -> u8 {
    3
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    const NOW: Wall = Wall(1_638_316_800_000_000);
    const KEYS: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3 whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY4";

    fn profile(name: &str) -> Profile {
        Profile::parse(Profile::built_in(name).unwrap(), "https://t.example", &BTreeMap::new()).unwrap()
    }

    fn prove(profile: &Profile, headers: &[(&str, &str)], body: &str, keys: &str) -> Result<Proven, Text> {
        let secrets =
            Secrets::from([("callback_keys", keys), ("app_key", "a")].map(|(name, value)| (name.to_owned(), value.to_owned())));
        let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        profile.prove(&header, body.as_bytes(), &secrets, NOW, Duration::from_secs(300))
    }

    #[test]
    fn a_webhook_is_believed_by_either_key_and_in_time_only() {
        let profile = profile("webhook");
        let second = Keys::parse(KEYS.split(' ').nth(1).unwrap()).unwrap();
        let post = |seconds: i64, body: &str, keys: &str| {
            let (at, sign) = (seconds.to_string(), second.sign("m1", seconds, b"{}").unwrap());
            prove(&profile, &[("webhook-id", "m1"), ("webhook-timestamp", &at), ("webhook-signature", &sign)], body, keys)
        };
        let now = NOW.0 / 1_000_000;
        assert_eq!(post(now, "{}", KEYS), Ok(Proven { id: "m1".into(), seal: None, sent: NOW }));
        for (seconds, body, keys, why) in [
            (now, "{ }", KEYS, "signature"),
            (now, "{}", &KEYS[..38], "signature"),
            (now, "{}", "", "signature"),
            (now - 301, "{}", KEYS, "301 s"),
            (now + 301, "{}", KEYS, "301 s"),
        ] {
            assert!(post(seconds, body, keys).unwrap_err().en.contains(why), "{why}");
        }
        assert_eq!(prove(&profile, &[("webhook-id", "m1")], "{}", KEYS).unwrap_err().en, "no header webhook-timestamp");
    }

    #[test]
    fn a_platform_signs_by_its_recipe() {
        let profile = profile("platform-12345");
        let at = "1638316800000";
        let sign = Spelling::Hex.spell(&Recipe::Sm3.sign(b"", format!("a{at}n1{{}}new").as_bytes()));
        let upper = sign.to_uppercase();
        let headers = |sign| [("timestamp", at), ("nonce", "n1"), ("sign", sign)];
        assert_eq!(
            prove(&profile, &headers(&sign), "{}", "old new"),
            Ok(Proven { id: "n1".into(), seal: Some(sign.clone()), sent: NOW })
        );
        assert_eq!(prove(&profile, &headers(&upper), "{}", "new").unwrap().id, "n1");
        assert!(prove(&profile, &headers(&sign), "{}", "old").is_err());
        // Digits that move from the time to the nonce change nothing of what is signed, so it is the same message.
        let moved = [("timestamp", &at[..10]), ("nonce", "000n1"), ("sign", &sign)];
        assert_eq!(prove(&profile, &moved, "{}", "new").unwrap().seal, Some(sign.clone()));
        for time in ["1638316800", "01638316800", "+638316800000", "163831680000", "16383168000000", "1638316800 000", ""] {
            let rest = format!("a{time}n1{{}}new");
            let sign = Spelling::Hex.spell(&Recipe::Sm3.sign(b"", rest.as_bytes()));
            let proven = prove(&profile, &[("timestamp", time), ("nonce", "n1"), ("sign", &sign)], "{}", "new");
            assert_eq!(proven.is_ok(), time == "1638316800", "{time}");
        }
        assert!(prove(&profile, &headers(&sign), "{}", "").is_err());
    }

    #[test]
    fn a_platforms_words_become_ours() {
        let profile = profile("platform-12345");
        let fields = profile.callback().unwrap().fields.clone().unwrap();
        let body = json!({ "callId": "c", "orderNo": 7, "orderUrl": "https://t/7", "satisfaction": "5" });
        let message = fields.message(&body).unwrap();
        assert_eq!(message.ticket, Some(Linked { id: "7".into(), url: Some("https://t/7".into()) }));
        assert_eq!(message.survey, Some(Surveyed { score: 5, scale: 5 }));
        assert_eq!(fields.message(&json!({})).unwrap_err()[0].pointer, "/callId");
        assert_eq!(fields.message(&json!({ "callId": "c", "satisfaction": 6 })).unwrap_err()[0].pointer, "/satisfaction");
        assert_eq!(
            fields.message(&json!({ "callId": "c" })).unwrap(),
            Message { call_id: "c".into(), ticket: None, survey: None, subjects: Vec::new() }
        );
        let subjects = |said: Value| fields.message(&json!({ "callId": "c", "subjects": said })).unwrap().subjects;
        assert_eq!(subjects(json!(["旅游投诉", "", "退货"])), ["旅游投诉", "退货"]);
        assert_eq!((subjects(json!("旅游投诉")), subjects(Value::Null)), (vec!["旅游投诉".to_owned()], Vec::new()));
    }
}
