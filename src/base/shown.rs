//! Text that somebody else chose, as it may be printed: whoever reads a log, a table or an export sees every character of it,
//! and none of them does anything.

use std::fmt::{self, Write as _};

/// Foreign text in a line of ours. Beyond [`Shown::MOST`] characters it is cut.
pub struct Shown<'a>(pub &'a str);

impl Shown<'_> {
    pub const MOST: usize = 128;

    /// All of it, where a file has room.
    pub fn whole(foreign: &str) -> String {
        let mut whole = String::with_capacity(foreign.len());
        // Writing to a String cannot fail.
        foreign.chars().for_each(|c| show(&mut whole, c).unwrap_or_default());
        whole
    }
}

impl Shown<'_> {
    /// Lines of ours with what others chose in them; a table's columns may be parted by tabs.
    pub fn lines(text: &str) -> String {
        let mut lines = String::with_capacity(text.len());
        for c in text.chars() {
            // Writing to a String cannot fail.
            if matches!(c, '\n' | '\t') { lines.push(c) } else { show(&mut lines, c).unwrap_or_default() }
        }
        lines
    }

    /// A line of a log, or several, of which all but the first are set in: none that others chose stands by itself. `coloured`:
    /// the log's own colours are left.
    pub fn event(text: &str, coloured: bool) -> String {
        let mut event = String::with_capacity(text.len());
        let (lines, end) = text.strip_suffix('\n').map_or((text, ""), |lines| (lines, "\n"));
        for c in lines.chars() {
            match c {
                '\n' => event.push_str("\n    "),
                '\u{1b}' if coloured => event.push(c),
                // Writing to a String cannot fail.
                _ => show(&mut event, c).unwrap_or_default(),
            }
        }
        event + end
    }

    /// JSON, in which nothing acts but inside of texts, where it can be written otherwise (RFC 8259 §7).
    pub fn json(text: &str) -> String {
        let mut json = String::with_capacity(text.len());
        for c in text.chars() {
            if acts(c) && c != '\n' {
                let mut units = [0; 2];
                // Writing to a String cannot fail.
                c.encode_utf16(&mut units).iter().for_each(|unit| write!(json, "\\u{unit:04x}").unwrap_or_default());
            } else {
                json.push(c);
            }
        }
        json
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.0.chars();
        chars.by_ref().take(Shown::MOST).try_for_each(|c| show(f, c))?;
        if chars.next().is_some() { f.write_char('…') } else { Ok(()) }
    }
}

/// One character of it: what would move the cursor, end the line, colour it or turn its direction stands as `\u{1b}`.
pub(super) fn show(f: &mut impl fmt::Write, c: char) -> fmt::Result {
    if acts(c) { write!(f, "\\u{{{:x}}}", u32::from(c)) } else { f.write_char(c) }
}

/// Controls, line and paragraph ends, what turns the direction of writing (Unicode TR 36 §2.5), and what cannot be seen.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_no_line_that_others_chose() {
        let told = "2026 WARN a \u{1b}[2J\u{202e}\r\nFORGED\n\nb\n";
        assert_eq!(Shown::event(told, false), "2026 WARN a \\u{1b}[2J\\u{202e}\\u{d}\n    FORGED\n    \n    b\n");
        assert_eq!(Shown::event("\u{1b}[2m张\u{9b}\n", true), "\u{1b}[2m张\\u{9b}\n");
    }

    #[test]
    fn nothing_acts_in_lines_and_json() {
        assert_eq!(Shown::lines("a\tb\n\u{1b}[2J\r\u{202e}"), "a\tb\n\\u{1b}[2J\\u{d}\\u{202e}");
        let odd = "\u{7f}\u{9b}\u{202e}\u{feff}\u{e0041}张";
        let json = Shown::json(&format!("{:#}", serde_json::json!({ "a": odd })));
        assert!(!json.chars().any(|c| acts(c) && c != '\n'), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["a"], odd);
    }

    #[test]
    fn nothing_that_is_shown_acts() {
        for (foreign, shown) in [
            ("12345", "12345"),
            ("张三 <sip:1@h>", "张三 <sip:1@h>"),
            ("1\r\n2026-11-26 ERROR forged", "1\\u{d}\\u{a}2026-11-26 ERROR forged"),
            ("\u{1b}[2J\u{7f}\u{9b}31m\0", "\\u{1b}[2J\\u{7f}\\u{9b}31m\\u{0}"),
            ("110\u{202e}543", "110\\u{202e}543"),
            ("a\u{200b}\u{feff}\u{2028}b\u{2066}\u{e0041}", "a\\u{200b}\\u{feff}\\u{2028}b\\u{2066}\\u{e0041}"),
        ] {
            assert_eq!(Shown(foreign).to_string(), shown);
        }
        let long = "长".repeat(10_000);
        assert_eq!(Shown(&long).to_string().chars().count(), Shown::MOST + 1);
        for c in (0..=0x10ffff).filter_map(char::from_u32) {
            let text = Shown(c.encode_utf8(&mut [0; 4])).to_string();
            assert!(!text.chars().any(char::is_control), "{c:?}");
        }
    }
}
