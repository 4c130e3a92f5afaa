//! The ASCII that people mean by characters of other keyboards.

/// The kind of a mistake: a file that has one mostly has many, and they have one cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Quote,
    Mark,
    Digit,
    Letter,
    Dash,
    Space,
    Invisible,
    Date,
    LineEnd,
}

/// The ASCII that a character stands for; a space for one that is to be left out.
pub fn meant(c: char) -> Option<(char, Class)> {
    Some(match c {
        '“' | '”' | '„' | '‟' | '＂' | '「' | '」' | '『' | '』' | '«' | '»' | '〝' | '〞' => {
            ('"', Class::Quote)
        }
        '‘' | '’' | '‚' | '‛' | '＇' | '`' | '´' => ('\'', Class::Quote),
        '【' | '〔' | '〖' => ('[', Class::Mark),
        '】' | '〕' | '〗' => (']', Class::Mark),
        '、' => (',', Class::Mark),
        '。' | '．' => ('.', Class::Mark),
        '–' | '—' | '―' | '−' | '‐' | '‑' | '－' => ('-', Class::Dash),
        '０'..='９' => (narrow(c), Class::Digit),
        'Ａ'..='Ｚ' | 'ａ'..='ｚ' | '＿' => (narrow(c), Class::Letter),
        '！'..='～' => (narrow(c), Class::Mark),
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => (' ', Class::Space),
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
            (' ', Class::Invisible)
        }
        _ => return None,
    })
}

/// A full-width form (U+FF01 to U+FF5E) stands 0xFEE0 above its ASCII.
fn narrow(c: char) -> char {
    char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c)
}

/// The value as it was meant.
pub fn in_ascii(value: &str) -> String {
    let one = |c: char| match meant(c) {
        Some((_, Class::Invisible)) => None,
        Some((plain, _)) => Some(plain),
        None => Some(c),
    };
    value.chars().filter_map(one).collect::<String>().trim().to_owned()
}
