//! How one kind of ticket system is spoken to, as data: a TOML file of requests with templates, predicates and pointers.
//!
//! `event` is the event as it leaves the gateway and `data` the snapshot in it; `ticket` is the ticket's id where there
//! is one; `vars` are the profile's words, which a backend may replace; `base` is the backend's address. Only what
//! authenticates sees `secret`. An undefined name is an error. In a JSON body each `{{ value }}` prints as JSON, quotes
//! included, and the whole must be JSON before it is sent.
//!
//! The template engine's words on an error may hold a caller's number in detail: only its kind and line are told.

mod auth;
mod callback;
mod template;

pub use auth::{Auth, Fresh, Secrets, Signing, TokenRequest};
pub use callback::{Callback, Proof, Proven};

use super::cloudevent::{CloudEvent, Kind};
use super::error_text::error_text;
use super::exchange::{Reply, Step, Way};
use crate::base::Text;
use minijinja::value::{Serde, Value as Jinja};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use template::{Templates, content};
use toml::de::DeTable;
use toml::{Deserializer, Spanned};

/// Those that come with the program: (name, file).
const BUILT_IN: &[(&str, &str)] = &[
    ("webhook", include_str!("../../config/backends/webhook.toml")),
    ("request-tracker-5", include_str!("../../config/backends/request-tracker-5.toml")),
    ("redmine-5", include_str!("../../config/backends/redmine-5.toml")),
    ("zammad", include_str!("../../config/backends/zammad.toml")),
    ("platform-12345", include_str!("../../config/backends/platform-12345.toml")),
];

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The events that it wants; all where none is named.
    #[serde(default)]
    events: Vec<String>,
    /// A later event of a call stands for those that wait; otherwise each is sent.
    #[serde(default = "yes")]
    merge: bool,
    #[serde(default = "minute", with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    settle: Duration,
    #[serde(default)]
    vars: BTreeMap<String, String>,
    #[serde(default)]
    auth: Auth,
    /// A create only makes the ticket; an update with the same event fills it.
    #[serde(default)]
    fill: bool,
    find: Option<Request>,
    create: Request,
    /// By the event's type; `default` for the rest. An event with none of them changes nothing.
    #[serde(default)]
    update: BTreeMap<String, Request>,
    /// The ticket's page.
    link: Option<String>,
    /// True when a body under a status of success says that our credentials do not hold.
    unauthorised: Option<String>,
    /// True when it says to come again later.
    busy: Option<String>,
    /// The requests that it posts to us.
    callback: Option<Callback>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: Method,
    /// After the backend's address.
    #[serde(default)]
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(rename = "type", default = "json")]
    content: String,
    /// Without one the event itself is sent, except with GET.
    body: Option<String>,
    /// Over `status` and `body`.
    #[serde(default = "success")]
    ok: String,
    /// A JSON pointer (RFC 6901) to the ticket's id.
    id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
        }
    }
}

impl File {
    /// A ticket that cannot be found again would be made twice.
    fn unfound(&self) -> Option<Flaw> {
        let lacks = |name| {
            Flaw::at(&[name], both!("needs an `id`: where the answer names the ticket", "缺少 `id`：应答中工单编号的位置"))
        };
        match &self.find {
            None if self.create.id.is_some() => Some(Flaw::at(
                &["create"],
                both!(
                    "a profile that makes tickets needs a [find]: a create without an answer would be doubled",
                    "建立工单的对接方案需要 [find]：否则没有应答的新建会重复"
                ),
            )),
            Some(find) if find.id.is_none() => Some(lacks("find")),
            Some(_) if self.create.id.is_none() => Some(lacks("create")),
            _ => None,
        }
    }
}

fn no_event(name: &str) -> Flaw {
    let known = Kind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    Flaw::at(&["events"], both!("there is no event `{name}`; known are {known}", "没有事件 `{name}`；可用的有 {known}"))
}

/// A request ready to be sent, but for its authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
}

pub struct Profile {
    file: File,
    templates: Templates,
    events: Vec<Kind>,
    /// The backend's address; without a slash at its end where a path follows.
    base: String,
}

/// A mistake in a profile, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The key; the file's table `vars` where the backend's is meant.
    pub path: Vec<String>,
    /// In a text of several lines, counted from 1.
    pub line: Option<usize>,
    /// A word of the backend, not of the profile, is wrong.
    pub of_backend: bool,
    pub what: Text,
}

impl Flaw {
    fn at(path: &[&str], what: Text) -> Flaw {
        Flaw { path: path.iter().map(ToString::to_string).collect(), line: None, of_backend: false, what }
    }
}

impl Profile {
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The text of a profile that comes with the program.
    pub fn built_in(name: &str) -> Option<&'static str> {
        BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// The first that the reader of TOML finds wrong.
    pub fn misread(table: DeTable<'_>) -> Option<toml::de::Error> {
        File::deserialize(Deserializer::from(Spanned::new(0..0, table))).err()
    }

    /// The profile of a text that [`Profile::misread`] finds good.
    pub fn parse(text: &str, base: &str, vars: &BTreeMap<String, String>) -> Result<Profile, Vec<Flaw>> {
        let mut file: File = toml::from_str(text).map_err(|e| vec![Flaw::at(&[], Text::foreign(e.message()))])?;
        let unknown = vars.keys().filter(|name| !file.vars.contains_key(*name)).map(|name| {
            let what = both!("the profile has no variable `{name}`", "该对接方案没有变量 `{name}`");
            Flaw { of_backend: true, ..Flaw::at(&["vars", name], what) }
        });
        let mut flaws: Vec<Flaw> = unknown.collect();
        file.vars.extend(vars.clone());
        flaws.extend(file.events.iter().filter(|name| Kind::named(name).is_none()).map(|name| no_event(name)));
        flaws.extend(file.unfound());
        let templates = Templates::new(&file).map_err(|more| flaws.extend(more)).ok();
        let read: Vec<_> = templates.iter().flat_map(|templates| templates.read("", "vars")).collect();
        let unknown = read.into_iter().find(|(_, name)| !file.vars.contains_key(name));
        flaws.extend(unknown.map(|(path, name)| {
            let what = both!("reads `vars.{name}`, which [vars] does not have", "用到了 `vars.{name}`，而 [vars] 中没有这个变量");
            Flaw { path, ..Flaw::at(&[], what) }
        }));
        let templates = templates.filter(|_| flaws.is_empty()).ok_or(flaws)?;
        let base = if file.create.path.is_empty() { base } else { base.trim_end_matches('/') };
        let events: Vec<Kind> = file.events.iter().filter_map(|name| Kind::named(name)).collect();
        let events = if events.is_empty() { Kind::ALL.to_vec() } else { events };
        Ok(Profile { templates, events, base: base.to_owned(), file })
    }

    pub fn events(&self) -> &[Kind] {
        &self.events
    }

    pub fn merges(&self) -> bool {
        self.file.merge
    }

    pub fn auth(&self) -> &Auth {
        &self.file.auth
    }

    pub fn way(&self) -> Way {
        if self.file.find.is_some() { Way::Ticket { settle: self.file.settle, fill: self.file.fill } } else { Way::Post }
    }

    /// None: this event changes nothing there.
    pub fn render(&self, step: &Step, event: &CloudEvent) -> Result<Option<Rendered>, Text> {
        let Some((name, request)) = self.request(step, event.kind) else { return Ok(None) };
        let context = self.context(step, event);
        let path = self.templates.render(&format!("{name}.path"), &context)?;
        let mut headers = Vec::new();
        for header in request.headers.keys() {
            headers.push((header.clone(), self.templates.render(&format!("{name}.headers.{header}"), &context)?));
        }
        let body = match (request.method, &request.body) {
            (Method::Get, _) => None,
            (_, Some(_)) => Some(self.body(&name, request, &context)?),
            (_, None) => Some(serde_json::to_vec(event).map_err(|_| both!("the event does not print", "事件无法写成 JSON"))?),
        };
        if body.is_some() {
            headers.push(("content-type".to_owned(), request.content.clone()));
        }
        Ok(Some(Rendered { method: request.method, url: format!("{}{path}", self.base), headers, body }))
    }

    /// Says what an answer means; `retry_after` is passed on with a status that is no success.
    pub fn judge(&self, step: &Step, kind: &str, code: u16, retry_after: Option<Duration>, body: &[u8]) -> Reply {
        let Some((name, request)) = self.request(step, kind) else { return Reply::Good { id: None, url: None } };
        let parsed: Option<Value> = serde_json::from_slice(body).ok();
        let context = minijinja::context! { status => code, body => parsed.as_ref().map(|body| Jinja::from(Serde(body))) };
        let says = |what: &str| self.templates.holds(what, &context);
        let success = (200..300).contains(&code);
        if success && says("unauthorised") {
            return Reply::Status { code: 401, retry_after, said: error_text(body) };
        }
        if success && says("busy") {
            return Reply::Status { code: 429, retry_after, said: error_text(body) };
        }
        let id = request.id.as_ref().and_then(|at| parsed.as_ref()?.pointer(at)).and_then(id_text);
        let url = id.as_ref().and_then(|id| self.link(id));
        match (says(&format!("{name}.ok")), success) {
            (true, _) => Reply::Good { id, url },
            (false, false) => Reply::Status { code, retry_after, said: error_text(body) },
            (false, true) if parsed.is_none() && !body.is_empty() => Reply::Broken(format!("HTTP {code}, and no JSON")),
            (false, true) => {
                Reply::Refused { why: format!("HTTP {code}, and the answer refuses: {}", error_text(body)), id, url }
            }
        }
    }

    pub fn link(&self, id: &str) -> Option<String> {
        self.file.link.as_ref()?;
        let context = minijinja::context! { base => &self.base, ticket => id, vars => &self.file.vars };
        self.templates.render("link", &context).ok()
    }

    fn request(&self, step: &Step, kind: &str) -> Option<(String, &Request)> {
        match step {
            Step::Find => self.file.find.as_ref().map(|request| ("find".to_owned(), request)),
            Step::Create => Some(("create".to_owned(), &self.file.create)),
            Step::Update { .. } => self.update(kind),
            Step::Post => self.update(kind).or(Some(("create".to_owned(), &self.file.create))),
        }
    }

    fn update(&self, kind: &str) -> Option<(String, &Request)> {
        let (name, request) = self.file.update.get_key_value(kind).or_else(|| self.file.update.get_key_value("default"))?;
        Some((format!("update.{name}"), request))
    }

    fn context(&self, step: &Step, event: &CloudEvent) -> Jinja {
        let ticket = match step {
            Step::Update { id } => Jinja::from(id.as_str()),
            _ => Jinja::UNDEFINED,
        };
        let (event, data) = (Jinja::from(Serde(event)), Jinja::from(Serde(&event.data)));
        minijinja::context! { event => event, data => data, ticket => ticket, vars => &self.file.vars, base => &self.base }
    }

    fn body(&self, name: &str, request: &Request, context: &Jinja) -> Result<Vec<u8>, Text> {
        let text = self.templates.render(&content(&format!("{name}.body"), &request.content), context)?;
        if !request.content.contains("json") {
            return Ok(text.into_bytes());
        }
        let parsed: Value = serde_json::from_str(&text).map_err(|e| {
            let line = e.line();
            both!(
                "[{name}] body: what the template makes is no JSON at line {line}",
                "[{name}] body：模板生成的内容第 {line} 行不是 JSON"
            )
        })?;
        serde_json::to_vec(&parsed).map_err(|_| both!("[{name}] body does not print", "[{name}] body 无法写成 JSON"))
    }
}

/// A number or a text, and neither empty nor nothing.
fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn yes() -> bool {
    true
}

fn minute() -> Duration {
    Duration::from_secs(60)
}

fn json() -> String {
    "application/json".to_owned()
}

fn success() -> String {
    "status >= 200 and status < 300".to_owned()
}

#[cfg(test)]
mod tests;
