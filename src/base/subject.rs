//! A subject of a call, in a seat's word for it: a short line of text. Whoever may see a masked call sees its subjects, so
//! they hold nothing that may be a telephone number.

/// Characters of one.
pub const LONGEST: u32 = 64;
/// Told at once.
pub const MOST: u32 = 16;
/// No control characters, no blank at either end, no number of seven digits or more.
pub const PATTERN: &str = r"^(?!.*[0-9０-９]{7})[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$";
const DIGITS: usize = 7;

/// As [`LONGEST`] and [`PATTERN`] have it.
pub fn fits(text: &str) -> bool {
    let plain = !text.is_empty() && text.trim() == text && !text.chars().any(|c| c.is_ascii_control());
    let number = text.split(|c: char| !c.is_numeric()).any(|run| run.chars().count() >= DIGITS);
    plain && !number && u32::try_from(text.chars().count()).is_ok_and(|count| count <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_short_line() {
        assert!(["旅游投诉", "30天无理由退货", "a b", "x"].into_iter().all(fits));
        assert!(["", " ", "旅游投诉 ", "\u{3000}旅游", "a\nb", "a\u{7f}"].into_iter().all(|text| !fits(text)));
        assert!(fits("工单202611") && !fits("回访13800138000") && !fits("回访１３８００１３"));
        assert!(fits(&"诉".repeat(64)) && !fits(&"诉".repeat(65)));
    }
}
