//! The lexical rules that all header values share (RFC 3261 §25.1). Nothing here fails loudly or allocates to look.

use std::fmt::{self, Write as _};

/// A character of a `token`.
pub fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// A character that stands unescaped anywhere in a URI.
pub fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')')
}

pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| is_token_byte(*b))
}

/// Decimal digits and nothing else; `None` when it does not fit.
pub fn number<T: TryFrom<u64>>(text: &[u8]) -> Option<T> {
    let more = |n: u64, byte: &u8| {
        let digit = char::from(*byte).to_digit(10)?;
        n.checked_mul(10)?.checked_add(digit.into())
    };
    let number = text.iter().try_fold(0, more).filter(|_| !text.is_empty())?;
    T::try_from(number).ok()
}

pub fn lossy(text: &[u8]) -> String {
    match std::str::from_utf8(text) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(text).into_owned(),
    }
}

/// Where the quoted string that begins at `text[0]` ends: the index behind its closing quote.
pub fn quoted_end(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            b if b.is_ascii() => at += 1,
            _ => at += wide(text.get(at..)?),
        }
    }
}

/// The bytes that the character at the front takes, which is not ASCII. GBK display names are common in China, and the
/// second byte of a GBK character may be a backslash or any letter: it must not be read as an escape.
fn wide(text: &[u8]) -> usize {
    let head = text.get(..4).unwrap_or(text);
    let utf8 = head.utf8_chunks().next().and_then(|c| c.valid().chars().next());
    match (utf8, text) {
        (Some(c), _) => c.len_utf8(),
        (None, [0x81..=0xFE, 0x40..=0xFE, ..]) => 2,
        _ => 1,
    }
}

/// The text of a quoted string; `inner` is without its quotes.
pub fn unquote(inner: &[u8]) -> String {
    if !inner.contains(&b'\\') {
        return lossy(inner);
    }
    let (mut out, mut at) = (Vec::with_capacity(inner.len()), 0);
    while let Some(rest) = inner.get(at..).filter(|r| !r.is_empty()) {
        let (skip, take) = match rest {
            [b'\\', _, ..] => (1, 1),
            [b, ..] if b.is_ascii() => (0, 1),
            _ => (0, wide(rest)),
        };
        let end = (skip + take).min(rest.len());
        out.extend_from_slice(&rest[skip..end]);
        at += end;
    }
    lossy(&out)
}

/// Splits at `separator` where it stands outside quotes and angle brackets; pieces come without white space around.
/// An unclosed quote or bracket reaches to the end.
pub fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = find(text, separator);
        rest = end.and_then(|e| text.get(e + 1..));
        Some(text.get(..end.unwrap_or(text.len()))?.trim_ascii())
    })
}

/// The first `wanted` outside quotes and angle brackets.
pub fn find(text: &[u8], wanted: u8) -> Option<usize> {
    let mut at = 0;
    let mut angle = false;
    while let Some(b) = text.get(at) {
        match b {
            b'"' if !angle => {
                at += quoted_end(&text[at..])?;
                continue;
            }
            b'<' => angle = true,
            b'>' => angle = false,
            b if *b == wanted && !angle => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Writes a quoted string. Control characters become spaces, so that no value can end its line.
pub fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c.is_control() => f.write_char(' ')?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// URI text as it is printed: `%XX` for every byte that is neither unreserved nor in `keep`.
pub struct Escaped<'a> {
    text: &'a [u8],
    keep: &'a [u8],
    raw: bool,
}

impl<'a> Escaped<'a> {
    pub fn new(text: &'a str, keep: &'a [u8]) -> Escaped<'a> {
        Escaped { text: text.as_bytes(), keep, raw: false }
    }

    /// Escapes text that is escaped already: a `%` that begins an escape stays.
    pub fn raw(text: &'a (impl AsRef<[u8]> + ?Sized), keep: &'a [u8]) -> Escaped<'a> {
        Escaped { text: text.as_ref(), keep, raw: true }
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, b) in self.text.iter().enumerate() {
            let escape = self.raw && *b == b'%' && hex_pair(&self.text[i + 1..]).is_some();
            if escape || is_unreserved(*b) || self.keep.contains(b) {
                f.write_char(char::from(*b))?;
            } else {
                write!(f, "%{b:02X}")?;
            }
        }
        Ok(())
    }
}

/// Undoes `%XX`; `None` when a `%` is not followed by two hexadecimal digits.
pub fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(b) = text.get(at) {
        if *b == b'%' {
            out.push(hex_pair(&text[at + 1..])?);
            at += 3;
        } else {
            out.push(*b);
            at += 1;
        }
    }
    Some(out)
}

fn hex_pair(text: &[u8]) -> Option<u8> {
    let digit = |i: usize| char::from(*text.get(i)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_split_outside_quotes_and_angles() {
        let pieces: Vec<_> = split(br#" "a, \"b," <sip:x,y@h> ; p="1,2" , <sip:z> "#, b',').collect();
        assert_eq!(pieces, [&br#""a, \"b," <sip:x,y@h> ; p="1,2""#[..], b"<sip:z>"]);
    }

    #[test]
    fn a_gbk_character_whose_second_byte_is_a_backslash_closes_its_quote() {
        // 0xD5 0x5C is one character in GBK; 0xE8 0xAF 0x9A is its UTF-8 spelling, and there `\"` is an escape.
        assert_eq!(quoted_end(b"\"\xD5\x5C\" <sip:a@b>"), Some(4));
        assert_eq!(quoted_end(b"\"\xE8\xAF\x9A\\\"x\""), Some(8));
        assert_eq!(quoted_end(b"\"caf\xE9\""), Some(6));
        assert_eq!(quoted_end(b"\"open\\\""), None);
        assert_eq!(unquote(b"\xD5\x5Ca\\\"b"), "\u{FFFD}\\a\"b");
    }

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(number::<u8>(b"0068"), Some(68));
        for bad in [&b"+1"[..], b"-1", b"", b"300", b"1 ", b"\xb2", b"99999999999999999999", b"18446744073709551616"] {
            assert_eq!(number::<u8>(bad), None);
            assert_eq!(number::<u64>(bad).is_some(), bad == b"300");
        }
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
    }

    #[test]
    fn escapes_are_undone_or_refused() {
        assert_eq!(unescape(b"a%40%00b").unwrap(), b"a@\0b");
        assert_eq!(unescape(b"a%4"), None);
        assert_eq!(unescape(b"%zz"), None);
    }
}
