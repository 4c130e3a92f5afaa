//! The templates and predicates of one profile, compiled once.

use super::callback::{Callback, Proof};
use super::{File, Request};
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value};
use std::collections::BTreeMap;

/// Steps of the engine that one template may take: an endless loop ends.
const FUEL: u64 = 100_000;

pub(super) struct Templates {
    engine: Environment<'static>,
    predicates: BTreeMap<String, String>,
}

impl Templates {
    pub fn new(file: &File) -> Result<Templates, String> {
        let mut templates = Templates { engine: engine(), predicates: BTreeMap::new() };
        let requests = file.find.iter().map(|request| ("find".to_owned(), request));
        let requests = requests.chain([("create".to_owned(), &file.create)]);
        let updates = file.update.iter().map(|(kind, request)| (format!("update.{kind}"), request));
        for (name, request) in requests.chain(updates) {
            templates.request(&name, request)?;
        }
        for (name, predicate) in [("unauthorised", &file.unauthorised), ("busy", &file.busy)] {
            predicate.iter().try_for_each(|text| templates.predicate(name.to_owned(), text))?;
        }
        if let Some(Callback { auth: Proof::Sign(sealed), .. }) = &file.callback {
            templates.add("callback.text".to_owned(), &sealed.text)?;
        }
        for (name, text) in file.link.iter().map(|text| ("link".to_owned(), text.as_str())).chain(file.auth.templates()) {
            templates.add(name, text)?;
        }
        Ok(templates)
    }

    /// The words that templates whose names begin so read of `table`, such as `secret`.
    pub fn read<'a>(&'a self, prefix: &'a str, table: &'a str) -> impl Iterator<Item = String> + 'a {
        let templates = self.engine.templates().filter(move |(name, _)| name.starts_with(prefix));
        let names = templates.flat_map(|(_, template)| template.undeclared_variables(true));
        names.filter_map(move |name| Some(name.strip_prefix(table)?.strip_prefix('.')?.to_owned()))
    }

    pub fn render(&self, name: &str, context: &Value) -> Result<String, String> {
        let template = self.engine.get_template(name).map_err(|e| told(name, &e))?;
        template.render(context.clone()).map_err(|e| told(name, &e))
    }

    /// A predicate that cannot be computed does not hold.
    pub fn holds(&self, name: &str, context: &Value) -> bool {
        let Some(text) = self.predicates.get(name) else { return false };
        let computed = self.engine.compile_expression(text).and_then(|predicate| predicate.eval(context.clone()));
        computed.is_ok_and(|value| value.is_true())
    }

    fn request(&mut self, name: &str, request: &Request) -> Result<(), String> {
        self.add(format!("{name}.path"), &request.path)?;
        for (header, text) in &request.headers {
            self.add(format!("{name}.headers.{header}"), text)?;
        }
        if let Some(body) = &request.body {
            self.add(content(&format!("{name}.body"), &request.content), body)?;
        }
        self.predicate(format!("{name}.ok"), &request.ok)
    }

    fn add(&mut self, name: String, text: &str) -> Result<(), String> {
        self.engine.add_template_owned(name.clone(), text.to_owned()).map_err(|e| told(&name, &e))
    }

    fn predicate(&mut self, name: String, text: &str) -> Result<(), String> {
        self.engine.compile_expression(text).map_err(|e| told(&name, &e))?;
        self.predicates.insert(name, text.to_owned());
        Ok(())
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
    engine
}

/// The kind and the place; never the detail.
fn told(name: &str, error: &Error) -> String {
    let line = error.line().map_or(String::new(), |line| format!(" at line {line}"));
    format!("template {}{line}: {}", name.trim_end_matches(".json"), error.kind())
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
