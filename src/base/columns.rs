//! The room that text takes in a terminal, where a Chinese character is as wide as two letters.

/// The cells that a text takes.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// As `{text:<width$}` writes it, by cells.
pub fn left(text: &str, columns: usize) -> String {
    format!("{text}{:1$}", "", columns.saturating_sub(width(text)))
}

/// As `{text:>width$}` writes it, by cells.
pub fn right(text: &str, columns: usize) -> String {
    format!("{:1$}{text}", "", columns.saturating_sub(width(text)))
}

/// As `{text:^width$}` writes it, by cells.
pub fn centre(text: &str, columns: usize) -> String {
    let before = columns.saturating_sub(width(text)) / 2;
    left(&format!("{:before$}{text}", ""), columns)
}

/// Wide and full-width characters (Unicode TR 11), as far as Chinese text has them.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{303e}' | '\u{3041}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}')
        || matches!(c, '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff01}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}')
        || matches!(c, '\u{1f300}'..='\u{1f64f}' | '\u{20000}'..='\u{3fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_takes_two_cells_each() {
        for (text, cells) in [("", 0), ("CALL", 4), ("通话", 4), ("座席1", 5), ("（甲）", 6), ("─▶", 2)] {
            assert_eq!(width(text), cells, "{text}");
        }
        assert_eq!((left("通话", 6), right("通话", 6), centre("通话", 8)), ("通话  ".into(), "  通话".into(), "  通话  ".into()));
        for text in ["a", "通", "longer than that", "比这更长"] {
            assert_eq!(width(&left(text, 3)), width(text).max(3), "{text}");
            assert_eq!(width(&right(text, 3)), width(text).max(3), "{text}");
        }
    }
}
