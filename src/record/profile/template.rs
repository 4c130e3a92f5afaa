//! The templates and predicates of one profile, compiled once.

use super::callback::{Callback, Proof};
use super::{File, Flaw, Request};
use crate::base::Text;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value, escape_formatter, filters};
use std::collections::BTreeMap;

/// Steps of the engine that one template may take: an endless loop ends.
const FUEL: u64 = 100_000;
/// Characters and elements of one value that it may write. The engine charges for JSON only when all of it is there, and
/// `[1] * 99999999` is no more than a promise until then.
const WRITTEN: usize = 1 << 18;

pub(super) struct Templates {
    engine: Environment<'static>,
    predicates: BTreeMap<String, String>,
    /// By a template's name, its key in the file.
    paths: BTreeMap<String, Vec<String>>,
}

impl Templates {
    pub fn new(file: &File) -> Result<Templates, Vec<Flaw>> {
        let mut templates = Templates { engine: engine(), predicates: BTreeMap::new(), paths: BTreeMap::new() };
        let mut flaws = Vec::new();
        let requests = file.find.iter().map(|request| (vec!["find"], request));
        let requests = requests.chain([(vec!["create"], &file.create)]);
        let updates = file.update.iter().map(|(kind, request)| (vec!["update", kind.as_str()], request));
        for (path, request) in requests.chain(updates) {
            flaws.extend(templates.request(&path, request));
        }
        for (name, predicate) in [("unauthorised", &file.unauthorised), ("busy", &file.busy)] {
            flaws.extend(predicate.iter().filter_map(|text| templates.predicate(&[name], text)));
        }
        if let Some(Callback { auth: Proof::Sign(sealed), .. }) = &file.callback {
            flaws.extend(templates.add("callback.text".to_owned(), &["callback", "auth", "text"], &sealed.text));
        }
        flaws.extend(file.link.iter().filter_map(|text| templates.add("link".to_owned(), &["link"], text)));
        for (path, text) in file.auth.templates() {
            flaws.extend(templates.add(path.join("."), &path, text));
        }
        if flaws.is_empty() { Ok(templates) } else { Err(flaws) }
    }

    /// The words that templates whose names begin so read of `table`, such as `secret`; each with its place.
    pub fn read<'a>(&'a self, prefix: &'a str, table: &'a str) -> impl Iterator<Item = (Vec<String>, String)> + 'a {
        let templates = self.engine.templates().filter(move |(name, _)| name.starts_with(prefix));
        let names = templates.flat_map(|(name, template)| {
            let path = self.paths.get(name).cloned().unwrap_or_default();
            template.undeclared_variables(true).into_iter().map(move |read| (path.clone(), read))
        });
        names.filter_map(move |(path, read)| Some((path, read.strip_prefix(table)?.strip_prefix('.')?.to_owned())))
    }

    pub fn render(&self, name: &str, context: &Value) -> Result<String, Text> {
        let template = self.engine.get_template(name).map_err(|e| told(name, &e))?;
        template.render(context.clone()).map_err(|e| told(name, &e))
    }

    /// A predicate that cannot be computed does not hold.
    pub fn holds(&self, name: &str, context: &Value) -> bool {
        let Some(text) = self.predicates.get(name) else { return false };
        let computed = self.engine.compile_expression(text).and_then(|predicate| predicate.eval(context.clone()));
        computed.is_ok_and(|value| value.is_true())
    }

    fn request<'a>(&mut self, path: &[&'a str], request: &'a Request) -> Vec<Flaw> {
        let name = path.join(".");
        let below = |more: &[&'a str]| -> Vec<&'a str> { path.iter().chain(more).copied().collect() };
        let mut flaws: Vec<Flaw> = self.add(format!("{name}.path"), &below(&["path"]), &request.path).into_iter().collect();
        for (header, text) in &request.headers {
            flaws.extend(self.add(format!("{name}.headers.{header}"), &below(&["headers", header]), text));
        }
        if let Some(body) = &request.body {
            flaws.extend(self.add(content(&format!("{name}.body"), &request.content), &below(&["body"]), body));
        }
        flaws.extend(self.predicate(&below(&["ok"]), &request.ok));
        flaws
    }

    fn add(&mut self, name: String, path: &[&str], text: &str) -> Option<Flaw> {
        self.paths.insert(name.clone(), path.iter().map(ToString::to_string).collect());
        self.engine.add_template_owned(name, text.to_owned()).err().map(|error| flaw(path, &error))
    }

    fn predicate(&mut self, path: &[&str], text: &str) -> Option<Flaw> {
        let error = self.engine.compile_expression(text).err().map(|error| flaw(path, &error));
        self.predicates.insert(path.join("."), text.to_owned());
        error
    }
}

/// A template's name says how it escapes.
pub(super) fn content(name: &str, content_type: &str) -> String {
    if content_type.contains("json") { format!("{name}.json") } else { name.to_owned() }
}

fn engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.set_auto_escape_callback(|name| if name.ends_with(".json") { AutoEscape::Json } else { AutoEscape::None });
    engine.add_test("containing", |text: String, part: String| text.contains(&part));
    engine.add_filter("url", url);
    engine.add_filter("local", local);
    engine.add_filter("utc", utc);
    engine.add_filter("tojson", tojson);
    engine.set_formatter(|out, state, value| {
        bounded(value, &mut WRITTEN.clone())?;
        escape_formatter(out, state, value)
    });
    engine
}

fn tojson(value: &Value, indent: Option<Value>, more: Kwargs) -> Result<Value, Error> {
    bounded(value, &mut WRITTEN.clone())?;
    filters::tojson(value, indent, more)
}

fn bounded(value: &Value, left: &mut usize) -> Result<(), Error> {
    let length = 1 + value.as_str().map_or(0, str::len);
    *left = left.checked_sub(length).ok_or_else(|| Error::from(ErrorKind::OutOfFuel))?;
    match value.kind() {
        ValueKind::Map => value.try_iter()?.try_for_each(|key| bounded(&value.get_item(&key)?, left)),
        ValueKind::Seq | ValueKind::Iterable => value.try_iter()?.try_for_each(|element| bounded(&element, left)),
        _ => Ok(()),
    }
}

/// The kind and the place; never the detail.
fn told(name: &str, error: &Error) -> Text {
    let (name, kind) = (name.trim_end_matches(".json"), kind(error));
    match error.line() {
        Some(line) => both!("template {0} at line {line}: ", "模板 {0} 第 {line} 行：", name).then(&kind),
        None => both!("template {name}: ", "模板 {name}：").then(&kind),
    }
}

fn flaw(path: &[&str], error: &Error) -> Flaw {
    Flaw { line: error.line(), ..Flaw::at(path, both!("the template is wrong: {}", "模板有误：{}"; kind(error))) }
}

fn kind(error: &Error) -> Text {
    use ErrorKind::*;
    let kind = error.kind();
    match kind {
        SyntaxError => both!("{kind}", "语法错误"),
        UndefinedError => both!("{kind}", "用到了没有的值"),
        UnknownFilter => both!("{kind}", "没有这个过滤器"),
        UnknownTest => both!("{kind}", "没有这个判断"),
        UnknownFunction => both!("{kind}", "没有这个函数"),
        UnknownMethod => both!("{kind}", "没有这个方法"),
        InvalidOperation => both!("{kind}", "不能这样运算"),
        OutOfFuel => both!("{kind}", "运算步数过多"),
        _ => both!("{kind}", "出错（{kind}）"),
    }
}

/// RFC 3986 §2.3.
fn url(text: String) -> String {
    crate::record::cloudevent::percent_encoded(&text)
}

/// A time of the record in its own zone, without naming the zone; nothing stays nothing.
fn local(time: Value, format: String) -> Result<Value, Error> {
    written(time, &format, |at| Some(at.datetime()))
}

fn utc(time: Value, format: String) -> Result<Value, Error> {
    written(time, &format, |at| Some(at.with_time_zone(jiff::tz::TimeZone::UTC).datetime()))
}

type Clock = fn(&jiff::Zoned) -> Option<jiff::civil::DateTime>;

fn written(time: Value, format: &str, clock: Clock) -> Result<Value, Error> {
    if time.is_none() {
        return Ok(time);
    }
    let wrong = || Error::new(minijinja::ErrorKind::InvalidOperation, "not a time");
    let at = time.as_str().and_then(zoned).ok_or_else(wrong)?;
    let text = clock(&at).and_then(|at| jiff::fmt::strtime::format(format, at).ok()).ok_or_else(wrong)?;
    Ok(Value::from(text))
}

/// RFC 3339, with the offset as its zone.
fn zoned(text: &str) -> Option<jiff::Zoned> {
    let pieces = jiff::fmt::temporal::Pieces::parse(text).ok()?;
    let offset = pieces.to_numeric_offset()?;
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::fixed(offset)))
}
