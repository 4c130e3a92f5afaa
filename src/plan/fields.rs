use super::problem::{At, Located, Log, Source, nearest};
use super::words::{self, Words, names};
use super::{dates, modes};
use crate::base::Text;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use toml::de::{DeTable, DeValue};
use toml::value::{Datetime, Offset as TomlOffset};

/// One table of a plan: gives its fields by name, with their places, and logs what is not as it should be.
pub struct Table<'a> {
    pub at: At,
    fields: &'a DeTable<'a>,
    /// Words that are misspelt here: what is said of that is enough.
    meant: Vec<&'static str>,
    log: &'a Log,
}

type Value<'a> = toml::Spanned<DeValue<'a>>;

impl<'a> Table<'a> {
    /// Opens a table and names the words that it does not know.
    pub fn open(
        source: &Arc<Source>,
        span: std::ops::Range<usize>,
        fields: &'a DeTable<'a>,
        words: Words,
        log: &'a Log,
    ) -> Table<'a> {
        let at = At { source: source.clone(), span };
        let mut meant = Vec::new();
        for key in fields.keys() {
            let word: &str = key.get_ref();
            if !names(words).any(|known| known == word) {
                let place = At { source: source.clone(), span: key.span() };
                let near = known(word, words);
                meant.extend(near);
                let near = near.map_or(Text::default(), |near| both!("; did you mean `{near}`?", "；是不是 `{near}`？"));
                log.error(&place, both!("unknown word `{word}`", "不认识的词 `{word}`").then(&near));
            }
        }
        Table { at, fields, meant, log }
    }

    /// A text that is not empty.
    pub fn text(&self, word: &str) -> Option<Located<String>> {
        let value = self.value(word)?;
        self.text_of(word, value)
    }

    /// A text or a list of texts.
    pub fn texts(&self, word: &str) -> Option<Vec<Located<String>>> {
        let value = self.value(word)?;
        let Some(list) = value.get_ref().as_array() else { return self.text_of(word, value).map(|one| vec![one]) };
        Some(list.iter().filter_map(|v| self.text_of(word, v)).collect())
    }

    pub fn flag(&self, word: &str) -> Option<Located<bool>> {
        let value = self.value(word)?;
        let flag = value.get_ref().as_bool();
        self.said(word, value, flag, || both!("true or false", "true 或 false"))
    }

    /// A span of time such as `30s` or `1m 30s`.
    pub fn duration(&self, word: &str) -> Option<Located<Duration>> {
        let value = self.value(word)?;
        let parsed = value.get_ref().as_str().and_then(|t| t.parse::<SignedDuration>().ok());
        let duration = parsed.and_then(|d| Duration::try_from(d).ok()).filter(|d| *d <= LONGEST);
        self.said(word, value, duration, || {
            let want = both!("a time such as \"30s\" or \"1m30s\", at most a day", "时长，例如 \"30s\" 或 \"1m30s\"，最长一天");
            let meant = dates::duration(self.raw(value));
            want.then(&meant.map_or(Text::default(), |fix| both!("; write \"{fix}\"", "，请写作 \"{fix}\"")))
        })
    }

    /// A date (its midnight), a local date and time, or a date and time with an offset.
    pub fn moment(&self, word: &str) -> Option<Located<Moment>> {
        let value = self.value(word)?;
        let moment = value.get_ref().as_datetime().and_then(Moment::from_toml);
        self.said(word, value, moment, || {
            let want = both!(
                "a date such as 2021-09-30 or 2021-09-30T08:00:00+08:00",
                "日期，例如 2021-09-30 或 2021-09-30T08:00:00+08:00"
            );
            want.then(&self.as_date(value))
        })
    }

    /// A date without a time, or several.
    pub fn dates(&self, word: &str) -> Option<Vec<Located<Date>>> {
        let value = self.value(word)?;
        let one = |v: &Value<'_>| {
            let date = v.get_ref().as_datetime().and_then(Moment::from_toml).and_then(Moment::date);
            self.said(word, v, date, || both!("a date such as 2021-10-01", "日期，例如 2021-10-01").then(&self.as_date(v)))
        };
        let Some(list) = value.get_ref().as_array() else { return one(value).map(|d| vec![d]) };
        Some(list.iter().filter_map(one).collect())
    }

    /// The tables `[word.NAME]`, with the names that their author chose.
    pub fn named(&self, word: &str, words: Words) -> Vec<(Located<String>, Table<'a>)> {
        let Some(all) = self.open_table(word) else { return Vec::new() };
        let one = |name: Located<&'a str>| {
            let table = all.table(name.value, words)?;
            Some((Located { value: name.value.to_string(), at: name.at }, table))
        };
        all.names().filter_map(one).collect()
    }

    /// A table below this one.
    pub fn table(&self, word: &str, words: Words) -> Option<Table<'a>> {
        self.as_table(word, self.value(word)?, words)
    }

    /// A list of tables, each `[[word]]` or inline; a text in the list stands for a table with that one word.
    pub fn tables(&self, word: &str, words: Words) -> Vec<Table<'a>> {
        let Some(value) = self.value(word) else { return Vec::new() };
        let Some(list) = value.get_ref().as_array() else {
            self.wrong(word, value, &both!("a list of tables: `[[{word}]]`", "表的列表：`[[{word}]]`"));
            return Vec::new();
        };
        list.iter().filter_map(|v| self.as_table(word, v, words)).collect()
    }

    /// Each entry of a list, with its place, as a text or as a table.
    pub fn mixed(&self, word: &str, words: Words) -> Option<Vec<Mixed<'a>>> {
        let value = self.value(word)?;
        let one = |v: &'a Value<'a>| match v.get_ref() {
            DeValue::String(_) => self.text_of(word, v).map(Mixed::Text),
            _ => self.as_table(word, v, words).map(Mixed::Table),
        };
        let Some(list) = value.get_ref().as_array() else { return one(value).map(|m| vec![m]) };
        Some(list.iter().filter_map(one).collect())
    }

    /// The words of a table whose author chose them.
    pub fn names(&self) -> impl Iterator<Item = Located<&'a str>> + '_ {
        self.fields.keys().map(|k| Located { value: k.get_ref().as_ref(), at: self.place(k.span()) })
    }

    pub fn is_misspelt(&self) -> bool {
        !self.meant.is_empty()
    }

    /// Tells whether the word is said here at all.
    pub fn says(&self, word: &str) -> bool {
        self.value(word).is_some()
    }

    /// Logs that a word is missing when it is.
    pub fn need<T>(&self, word: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.says(word) && !self.meant.contains(&word) {
            self.log.error(&self.at, both!("`{word}` is missing", "缺少 `{word}`"));
        }
        value
    }

    /// A table whose words are names of its author's choice.
    pub fn open_table(&self, word: &str) -> Option<Table<'a>> {
        let value = self.value(word)?;
        let fields = value.get_ref().as_table();
        let said = self.said(word, value, fields, || both!("a table", "一个表"))?;
        Some(Table { at: said.at, fields: said.value, meant: Vec::new(), log: self.log })
    }

    fn as_table(&self, word: &str, value: &'a Value<'a>, words: Words) -> Option<Table<'a>> {
        let said = self.said(word, value, value.get_ref().as_table(), || both!("a table", "一个表"))?;
        Some(Table::open(&said.at.source, said.at.span.clone(), said.value, words, self.log))
    }

    fn text_of(&self, word: &str, value: &Value<'_>) -> Option<Located<String>> {
        let text = value.get_ref().as_str().map(str::trim).filter(|t| !t.is_empty()).map(str::to_string);
        self.said(word, value, text, || {
            let want = both!("a text between quotes", "引号括起的文字");
            let bare = self.raw(value).trim();
            let scalar = !bare.is_empty() && value.get_ref().as_str().is_none() && !bare.contains(['[', '{', '\n']);
            want.then(&if scalar { both!(": \"{bare}\"", "：\"{bare}\"") } else { Text::default() })
        })
    }

    fn said<T>(&self, word: &str, value: &Value<'_>, got: Option<T>, want: impl FnOnce() -> Text) -> Option<Located<T>> {
        if got.is_none() {
            self.wrong(word, value, &want());
        }
        got.map(|value_| Located { value: value_, at: self.place(value.span()) })
    }

    fn wrong(&self, word: &str, value: &Value<'_>, want: &Text) {
        self.log.error(&self.place(value.span()), both!("`{word}` wants ", "`{word}` 应为").then(want));
    }

    /// As it stands in the file, without its quotation marks.
    fn raw<'b>(&'b self, value: &'b Value<'_>) -> &'b str {
        value.get_ref().as_str().or_else(|| self.at.source.text.get(value.span())).unwrap_or_default()
    }

    /// How a text that is a date is written.
    fn as_date(&self, value: &Value<'_>) -> Text {
        let date = value.get_ref().as_str().and_then(dates::date);
        date.map_or(Text::default(), |date| both!("; write {date} without quotes", "，请写作 {date}，不加引号"))
    }

    fn value(&self, word: &str) -> Option<&'a Value<'a>> {
        self.fields.get(word)
    }

    fn place(&self, span: std::ops::Range<usize>) -> At {
        At { source: self.at.source.clone(), span }
    }
}

/// The word of these that was meant by another, in either language.
fn known(word: &str, words: Words) -> Option<&'static str> {
    let chinese = words::CHINESE.iter().find(|(chinese, _)| *chinese == word).map(|(_, known)| *known);
    let exact = modes::chinese(word).or(chinese).filter(|one| names(words).any(|known| known == *one));
    exact.or_else(|| nearest(word, names(words)))
}

/// An entry of a list that is short (a text) or full (a table).
pub enum Mixed<'a> {
    Text(Located<String>),
    Table(Table<'a>),
}

const LONGEST: Duration = Duration::from_secs(86_400);

/// A date as a plan says it, before the plan's time zone is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Moment {
    Local(DateTime),
    Exact(Timestamp),
}

impl Moment {
    /// None for a date that no calendar has.
    pub fn from_toml(said: &Datetime) -> Option<Moment> {
        let date = said.date.as_ref()?;
        let date =
            Date::new(i16::try_from(date.year).ok()?, i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?).ok()?;
        let time = said.time.as_ref().map_or(Some(Time::midnight()), |t| {
            let part = |n: u8| i8::try_from(n).ok();
            Time::new(part(t.hour)?, part(t.minute)?, part(t.second.unwrap_or(0))?, 0).ok()
        })?;
        let local = date.to_datetime(time);
        match said.offset {
            None => Some(Moment::Local(local)),
            Some(TomlOffset::Z) => Offset::UTC.to_timestamp(local).ok().map(Moment::Exact),
            Some(TomlOffset::Custom { minutes }) => {
                let offset = Offset::from_seconds(i32::from(minutes) * 60).ok()?;
                offset.to_timestamp(local).ok().map(Moment::Exact)
            }
        }
    }

    /// The moment in time: a local one is read in `zone`.
    pub fn resolve(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Moment::Exact(at) => Some(at),
            Moment::Local(local) => zone.to_timestamp(local).ok(),
        }
    }

    fn date(self) -> Option<Date> {
        match self {
            Moment::Local(local) if local.time() == Time::midnight() => Some(local.date()),
            _ => None,
        }
    }
}
