//! Characters that Chinese keyboards, word processors and web pages put where a file wants ASCII: each is named, and
//! what to write instead.

use super::ascii::{Class, in_ascii, meant};
use super::dates;
use crate::base::Text;

/// A mistake in a file: where it stands, counted from 1 in characters, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    pub line: usize,
    pub column: usize,
    pub width: usize,
    pub class: Class,
    pub text: Text,
}

/// Those that nobody sees and no script needs: joiners belong to Mongolian and Uighur words.
pub fn hidden(c: char) -> bool {
    meant(c).is_some_and(|(_, class)| class == Class::Invisible) && !matches!(c, '\u{200c}' | '\u{200d}' | '\u{ad}')
}

/// Says what the run of characters is, and what to write.
pub fn message(run: &str, class: Class, fix: &str) -> Text {
    let first = run.chars().next().unwrap_or(' ');
    let code = u32::from(first);
    match class {
        Class::Quote => both!(
            "`{run}` (U+{code:04X}) is a Chinese quotation mark: write {fix}",
            "`{run}`（U+{code:04X}）是中文引号，请改为半角引号 {fix}"
        ),
        Class::Space => both!(
            "U+{code:04X} is a wide or no-break space: write a plain space",
            "U+{code:04X} 是全角空格或不间断空格，请改为半角空格"
        ),
        Class::Invisible => both!("U+{code:04X} is an invisible character: delete it", "U+{code:04X} 是不可见字符，请删除"),
        Class::Dash => {
            both!("`{run}` (U+{code:04X}) is a dash: write `{fix}`", "`{run}`（U+{code:04X}）是破折号，请改为半角减号 `{fix}`")
        }
        Class::Date if !dates::exists(fix) => both!("there is no day {run}", "没有 {run} 这一天"),
        Class::Date => both!("a date is written year-month-day: write {fix}", "日期应写成 年-月-日，请改为 {fix}"),
        Class::LineEnd => both!(
            "the lines end with CR alone, as on an old Mac: save the file with LF line ends",
            "行尾只有回车符 CR（旧 Mac 格式），请以 LF 换行另存文件"
        ),
        Class::Mark | Class::Digit | Class::Letter if fix.trim().is_empty() => {
            both!("`{run}` (U+{code:04X}) does not belong here: delete it", "`{run}`（U+{code:04X}）不应出现在这里，请删除")
        }
        Class::Mark | Class::Digit | Class::Letter => {
            both!("`{run}` (U+{code:04X}) is full-width: write `{fix}`", "`{run}`（U+{code:04X}）是全角字符，请改为半角 `{fix}`")
        }
    }
}

/// For a value that was refused: whether it is one only for its characters, and how it is written. None where it holds
/// other writing too, in which such characters are at home.
pub fn hint(value: &str) -> Option<Text> {
    let odd: String = value.chars().filter(|c| meant(*c).is_some() && *c != '`').collect();
    let plain = in_ascii(value);
    let writing = !plain.is_ascii();
    let first = odd.chars().find(|c| !writing || !matches!(meant(*c), Some((_, Class::Quote | Class::Mark | Class::Dash))))?;
    let (fix, class) = meant(first)?;
    let told = message(&first.to_string(), class, &fix.to_string());
    let whole = if writing { Text::default() } else { both!("; all of it: `{plain}`", "；全文应为 `{plain}`") };
    Some(told.then(&whole))
}

/// A file's text as it was meant, line for line, and each slip in it.
pub fn repair(text: &str) -> (String, Vec<Slip>) {
    let out = String::with_capacity(text.len());
    let mut pen = Pen { rest: text, out, line: 1, column: 1, depth: 0, slips: Vec::new() };
    while let Some(c) = pen.peek() {
        pen.bare(c);
    }
    (pen.out, pen.slips)
}

/// Reads TOML as far as is needed to know what stands outside of texts and remarks.
struct Pen<'a> {
    rest: &'a str,
    out: String,
    line: usize,
    column: usize,
    /// Brackets that are open.
    depth: i32,
    slips: Vec<Slip>,
}

impl<'a> Pen<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Takes a character over as it is; a CR that stands alone ends a line.
    fn keep(&mut self) {
        let Some(c) = self.peek() else { return };
        self.rest = &self.rest[c.len_utf8()..];
        let alone = c == '\r' && !self.rest.starts_with('\n');
        if alone {
            self.slip(1, Class::LineEnd, message("\r", Class::LineEnd, ""));
        }
        self.out.push(if alone { '\n' } else { c });
        self.column += 1;
        if alone || c == '\n' {
            (self.line, self.column) = (self.line + 1, 1);
        }
    }

    fn slip(&mut self, width: usize, class: Class, text: Text) {
        self.slips.push(Slip { line: self.line, column: self.column, width, class, text });
    }

    /// Writes `fix` in place of the next characters.
    fn mend(&mut self, run: &'a str, class: Class, fix: &str) {
        let width = run.chars().count();
        self.slip(width, class, message(run, class, fix));
        self.out.push_str(fix);
        self.rest = &self.rest[run.len()..];
        self.column += width;
    }

    fn bare(&mut self, c: char) {
        let before = self.out.chars().next_back().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'));
        match c {
            '#' => self.rest_of_line(),
            '"' | '\'' => self.string(c, c),
            _ if !before && dates::begins(self.rest).is_some() => self.date(),
            // A text without its quotation marks: the parser says so.
            _ if c.is_alphabetic() && !c.is_ascii() && meant(c).is_none() => self.rest_of_line(),
            '`' => self.keep(),
            _ => match meant(c) {
                Some((quote, Class::Quote)) => {
                    let run = &self.rest[..c.len_utf8()];
                    self.mend(run, Class::Quote, &quote.to_string());
                    self.rest_of_string(quote, c);
                }
                Some(('#', class)) => {
                    self.mend(&self.rest[..c.len_utf8()], class, "#");
                    self.rest_of_line();
                }
                Some((_, class)) => self.run(class),
                None => {
                    self.count(c);
                    self.keep();
                }
            },
        }
    }

    fn count(&mut self, c: char) {
        self.depth += i32::from(matches!(c, '[' | '{')) - i32::from(matches!(c, ']' | '}'));
    }

    /// True when nothing but a remark follows in this line.
    fn ends_line(&self, run: &str) -> bool {
        let after = self.rest.get(run.len()..).unwrap_or_default().trim_start_matches([' ', '\t', '\u{3000}', '\u{a0}']);
        after.is_empty() || after.starts_with(['\n', '\r', '#', '＃'])
    }

    /// Neighbours of one class are one mistake.
    fn run(&mut self, class: Class) {
        let same = |c: char| meant(c).is_some_and(|(_, other)| other == class);
        let length = match class {
            Class::Mark => self.peek().map_or(0, char::len_utf8),
            _ => self.rest.find(|c| !same(c)).unwrap_or(self.rest.len()),
        };
        let run = &self.rest[..length];
        let fix: String = match (run, class) {
            (_, Class::Invisible) => String::new(),
            ("；", _) => " ".to_owned(),
            // A sentence's end; in a list a comma goes on.
            ("。" | "．", _) if self.ends_line(run) => " ".to_owned(),
            ("，" | "、", _) if self.depth <= 0 && self.ends_line(run) => " ".to_owned(),
            // A moment has colons between digits; elsewhere it stands for what parts word and value.
            ("：", _) if !self.out.ends_with(|c: char| c.is_ascii_digit()) => "=".to_owned(),
            _ => run.chars().filter_map(meant).map(|(plain, _)| plain).collect(),
        };
        fix.chars().for_each(|c| self.count(c));
        self.mend(run, class, &fix);
    }

    fn date(&mut self) {
        let Some((length, fix)) = dates::begins(self.rest) else { return };
        let run = &self.rest[..length];
        if run == fix {
            return (0..run.chars().count()).for_each(|_| self.keep());
        }
        self.mend(run, Class::Date, &fix);
    }

    fn rest_of_line(&mut self) {
        while self.peek().is_some_and(|c| !matches!(c, '\n' | '\r')) {
            self.keep();
        }
    }

    fn string(&mut self, quote: char, opened: char) {
        let long = if quote == '"' { "\"\"\"" } else { "'''" };
        if self.rest.starts_with(long) {
            return self.long_string(long);
        }
        self.keep();
        self.rest_of_string(quote, opened);
    }

    fn long_string(&mut self, end: &str) {
        (0..3).for_each(|_| self.keep());
        while !self.rest.is_empty() && !self.rest.starts_with(end) {
            self.inside();
        }
        let closing = self.rest.chars().take_while(|c| end.starts_with(*c)).count().min(5);
        (0..closing).for_each(|_| self.keep());
    }

    /// Up to the mark that ends it, which may be a Chinese one where it began so, or where nothing else can be meant.
    fn rest_of_string(&mut self, quote: char, opened: char) {
        let foreign = quote != opened;
        let mut inner = 0usize;
        while let Some(c) = self.peek().filter(|c| !matches!(c, '\n' | '\r')) {
            let alike = meant(c).is_some_and(|(plain, class)| class == Class::Quote && plain == quote);
            match c {
                _ if c == quote => return self.keep(),
                '\\' if quote == '"' => {
                    self.keep();
                    self.keep();
                }
                _ if alike && (foreign || inner == 0 && self.ends_value(c)) => {
                    let run = &self.rest[..c.len_utf8()];
                    return self.mend(run, Class::Quote, &quote.to_string());
                }
                '“' | '‘' | '「' | '『' => {
                    inner += 1;
                    self.keep();
                }
                '”' | '’' | '」' | '』' => {
                    inner = inner.saturating_sub(1);
                    self.keep();
                }
                _ => self.inside(),
            }
        }
    }

    /// True when this mark stands where a value ends.
    fn ends_value(&self, mark: char) -> bool {
        let after = self.rest[mark.len_utf8()..].trim_start_matches([' ', '\t', '\u{3000}']).chars().next();
        after.is_none_or(|c| matches!(c, ',' | ']' | '}' | '#' | '\n' | '\r' | '，' | '、' | '］' | '】' | '｝' | '＃'))
    }

    /// A character of a text: all are at home there but those that nobody can see.
    fn inside(&mut self) {
        match self.peek() {
            Some(c) if hidden(c) => self.run(Class::Invisible),
            _ => self.keep(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text as it was meant, and `line:column message` of each slip.
    fn read(text: &str) -> (String, Vec<String>) {
        let (repaired, slips) = repair(text);
        (repaired, slips.iter().map(|slip| format!("{}:{} {}", slip.line, slip.column, slip.text)).collect())
    }

    #[test]
    fn what_is_well_written_stays() {
        for text in [
            "# “注”，１２\nname = \"他说“好”，１\" # ：\nat = 2026-10-01T08:00:00+08:00\nx = '‘a’'\n",
            "text = \"\"\"\n“一”\n”，\"\"\"\nb = [1, 2]\r\nc = \"a\\\"”b\"\n",
            "text = \"说“好”, “坏”\"\n",
            "a = 192\nb = 1.5e3\n[x.\"名\"]\n",
            "a = 07:32:00\nb = 2026-10-01\nc = 2026-10-01 08:00:00Z\n",
        ] {
            assert_eq!(read(text), (text.to_string(), Vec::new()));
        }
    }

    #[test]
    fn each_mistake_is_named_and_mended() {
        for (text, meant, told) in [
            ("name ＝ \"x\"", "name = \"x\"", "1:6 `＝` (U+FF1D) is full-width: write `=`"),
            ("name： \"x\"", "name= \"x\"", "1:5 `：` (U+FF1A) is full-width: write `=`"),
            ("［plan]", "[plan]", "1:1 `［` (U+FF3B) is full-width: write `[`"),
            ("a = [1， 2]", "a = [1, 2]", "1:7 `，` (U+FF0C) is full-width: write `,`"),
            ("a = １２３", "a = 123", "1:5 `１２３` (U+FF11) is full-width: write `123`"),
            ("ｍode = 1", "mode = 1", "1:1 `ｍ` (U+FF4D) is full-width: write `m`"),
            ("a\u{3000}= 1", "a = 1", "1:2 U+3000 is a wide or no-break space: write a plain space"),
            ("a\u{a0}= 1", "a = 1", "1:2 U+00A0 is a wide or no-break space: write a plain space"),
            ("\u{200b}a = 1", "a = 1", "1:1 U+200B is an invisible character: delete it"),
            ("a = \"x\u{200b}y\"", "a = \"xy\"", "1:7 U+200B is an invisible character: delete it"),
            ("a = 2026年10月1日", "a = 2026-10-01", "1:5 a date is written year-month-day: write 2026-10-01"),
            ("a = 2026/10/1", "a = 2026-10-01", "1:5 a date is written year-month-day: write 2026-10-01"),
            ("a = 2026-10-1", "a = 2026-10-01", "1:5 a date is written year-month-day: write 2026-10-01"),
            ("a = \"x”\n", "a = \"x\"\n", "1:7 `”` (U+201D) is a Chinese quotation mark: write \""),
            ("a = [\"x”, \"y\"]", "a = [\"x\", \"y\"]", "1:8 `”` (U+201D) is a Chinese quotation mark: write \""),
            ("a = 1 ＃ “注”", "a = 1 # “注”", "1:7 `＃` (U+FF03) is full-width: write `#`"),
            ("connect–from = 1", "connect-from = 1", "1:8 `–` (U+2013) is a dash: write `-`"),
            ("a = 1；", "a = 1 ", "1:6 `；` (U+FF1B) does not belong here: delete it"),
            ("a = \"x\"。", "a = \"x\" ", "1:8 `。` (U+3002) does not belong here: delete it"),
            ("a = 1， # x", "a = 1  # x", "1:6 `，` (U+FF0C) does not belong here: delete it"),
            ("a = [1，\n2]", "a = [1,\n2]", "1:7 `，` (U+FF0C) is full-width: write `,`"),
            ("a = 2026年13月1日", "a = 2026-13-01", "1:5 there is no day 2026年13月1日"),
        ] {
            assert_eq!(read(text), (meant.to_string(), vec![told.to_string()]), "{text}");
        }
        let (meant, told) = read("a = “x”\rb = ‘y’");
        assert_eq!((meant.as_str(), told.len()), ("a = \"x\"\nb = 'y'", 5), "{told:?}");
        assert!(told[2].starts_with("1:8 the lines end with CR alone") && told[3].starts_with("2:5 "), "{told:?}");
    }

    #[test]
    fn a_refused_value_gets_a_hint_only_for_its_characters() {
        let hint = |value: &str| hint(value).map(|text| text.en).unwrap_or_default();
        assert_eq!(hint("１２３45"), "`１` (U+FF11) is full-width: write `1`; all of it: `12345`");
        assert_eq!(hint("12345\u{200b}"), "U+200B is an invisible character: delete it; all of it: `12345`");
        assert_eq!(hint("某市\u{3000}局"), "U+3000 is a wide or no-break space: write a plain space");
        assert_eq!((hint("某市，某县"), hint("12345"), hint("")), Default::default());
    }
}
