//! Guesses the encoding of a file that is not UTF-8: Chinese editors save GBK, and Windows UTF-16.

use super::ascii::Class;
use super::characters::Slip;
use crate::base::Text;
use encoding_rs::{Encoding, GB18030, UTF_16BE, UTF_16LE};

/// A file's text, whatever it was saved as, and what is wrong with that.
pub fn decode(bytes: &[u8]) -> (String, Option<Slip>) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Some(kind) = document(bytes) {
        return (String::new(), Some(slip("", kind)));
    }
    if let Some((wide, text)) = utf_16(bytes) {
        let slip = slip(&text, saved_as(wide.name(), "UTF-16"));
        return (text, Some(slip));
    }
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return (text.to_owned(), None),
        Err(error) => error,
    };
    let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
    // Hardly a word of GBK is UTF-8 too; a file of UTF-8 in which something broke has whole characters of Chinese.
    let lossy = String::from_utf8_lossy(bytes);
    let (broken, whole) =
        (lossy.matches('\u{fffd}').count(), lossy.chars().filter(|c| ('\u{2e80}'..'\u{fb00}').contains(c)).count());
    if whole < broken
        && let Some(text) = GB18030.decode_without_bom_handling_and_without_replacement(bytes)
    {
        let slip = slip(&text, saved_as("GBK (GB18030)", "GB18030"));
        return (text.into_owned(), Some(slip));
    }
    let bad = bytes.get(good.len()).copied().unwrap_or_default();
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut slip = slip(
        "",
        both!("byte 0x{bad:02X} is no UTF-8: write the character anew", "字节 0x{bad:02X} 不是 UTF-8，请重新输入该字符"),
    );
    let before = String::from_utf8_lossy(good);
    slip.line = before.matches('\n').count() + 1;
    slip.column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    (text, Some(slip))
}

fn saved_as(name: &str, short: &str) -> Text {
    both!(
        "the file is saved as {name}: save it as UTF-8, for instance by `iconv -f {short} -t UTF-8 FILE > NEW`",
        "文件以 {name} 编码保存，请另存为 UTF-8，例如：`iconv -f {short} -t UTF-8 原文件 > 新文件`"
    )
}

/// At the first character that would look different, or at the beginning.
fn slip(text: &str, what: Text) -> Slip {
    let found = text.lines().enumerate().find_map(|(line, text)| Some((line, text.chars().position(|c| !c.is_ascii())?)));
    let (line, column) = found.unwrap_or((0, 0));
    Slip { line: line + 1, column: column + 1, width: 1, class: Class::Invisible, text: what }
}

/// By its mark, or by the zeros that each ASCII character has on one side. Of Chinese a few have one on the other.
fn utf_16(bytes: &[u8]) -> Option<(&'static Encoding, String)> {
    let zeros = |odd: usize| bytes.iter().skip(odd).step_by(2).take(4096).filter(|byte| **byte == 0).count();
    let pairs = (bytes.len() / 2).min(4096);
    let (first, second) = (zeros(0), zeros(1));
    let many = |count: usize, other: usize| count * 4 > pairs && count > other * 4;
    let wide = match bytes {
        [0xff, 0xfe, ..] => UTF_16LE,
        [0xfe, 0xff, ..] => UTF_16BE,
        _ if many(second, first) => UTF_16LE,
        _ if many(first, second) => UTF_16BE,
        _ => return None,
    };
    let (text, _) = wide.decode_with_bom_removal(bytes);
    Some((wide, text.into_owned()))
}

/// Files that are opened by mistake.
fn document(bytes: &[u8]) -> Option<Text> {
    match bytes {
        [b'P', b'K', 3, 4, ..] | [0xd0, 0xcf, 0x11, 0xe0, ..] => Some(both!(
            "this is a Word or Excel document: save it as plain text in UTF-8",
            "这是 Word 或 Excel 文档，请另存为 UTF-8 纯文本"
        )),
        [b'{', b'\\', b'r', b't', b'f', ..] => {
            Some(both!("this is an RTF document: save it as plain text in UTF-8", "这是 RTF 文档，请另存为 UTF-8 纯文本"))
        }
        [b'%', b'P', b'D', b'F', ..] => {
            Some(both!("this is a PDF document: save its text in UTF-8", "这是 PDF 文档，请将其文字另存为 UTF-8 纯文本"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# x\nname = \"某市12345\"\n";

    fn utf_16(text: &str, mark: bool, big: bool) -> Vec<u8> {
        let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    }

    #[test]
    fn each_encoding_is_told_and_read() {
        assert_eq!(decode(TEXT.as_bytes()), (TEXT.to_owned(), None));
        assert_eq!(decode(format!("\u{feff}{TEXT}").as_bytes()), (TEXT.to_owned(), None));
        let gbk = GB18030.encode(TEXT).0.into_owned();
        let all = [(false, false), (false, true), (true, false), (true, true)];
        let wide = all.into_iter().map(|(mark, big)| (utf_16(TEXT, mark, big), "UTF-16"));
        for (bytes, name) in wide.chain([(gbk, "GBK")]) {
            let (text, slip) = decode(&bytes);
            let slip = slip.unwrap();
            assert_eq!((text.as_str(), slip.line, slip.column), (TEXT, 2, 9), "{name}");
            assert!(slip.text.en.contains(name) && slip.text.zh.contains("UTF-8"), "{slip:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_told() {
        let told = |bytes: &[u8]| decode(bytes).1.unwrap();
        assert!(told(b"PK\x03\x04rest").text.en.contains("Word"));
        let broken = told("名 = 1\nx = \"名\u{0}".as_bytes().split_last().unwrap().1.split_last().unwrap().1);
        assert_eq!((broken.line, broken.column), (2, 6), "{broken:?}");
        assert!(broken.text.en.starts_with("byte 0xE5 is no UTF-8"), "{broken:?}");
        assert_eq!(decode(b""), (String::new(), None));
    }
}
