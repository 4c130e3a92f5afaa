//! A table: its head in the reader's language, its columns under it, also where characters are wide.

use crate::base::{Text, columns};

/// One column: its head, its width, and the side on which its cells stand.
pub struct Column {
    head: Text,
    width: usize,
    pad: fn(&str, usize) -> String,
}

pub fn left(head: Text, width: usize) -> Column {
    Column { head, width, pad: columns::left }
}

pub fn right(head: Text, width: usize) -> Column {
    Column { head, width, pad: columns::right }
}

/// The columns of one kind of table, and its head in the reader's language.
pub struct Table(Vec<Column>);

impl Table {
    pub fn of(columns: impl Into<Vec<Column>>) -> Table {
        Table(columns.into())
    }

    pub fn head(&self) -> Text {
        let line = |head: fn(&Text) -> &str| self.line(self.0.iter().map(|column| head(&column.head)));
        Text { en: line(|head| &head.en), zh: line(|head| &head.zh) }
    }

    pub fn row<const N: usize>(&self, cells: [&str; N]) -> String {
        self.line(cells.into_iter())
    }

    fn line<'a>(&self, cells: impl Iterator<Item = &'a str>) -> String {
        let cells = self.0.iter().zip(cells).map(|(column, cell)| (column.pad)(cell, column.width));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_heads_in_both_languages() {
        let table =
            Table::of([left(both!("NUMBER", "号码"), 8), right(both!("WAIT", "等待"), 6), left(both!("WITH", "对方"), 4)]);
        assert_eq!(table.head().en, "NUMBER      WAIT  WITH");
        assert_eq!(table.head().zh, "号码        等待  对方");
        assert_eq!(table.row(["12345", "3.2 s", "座席甲"]), "12345      3.2 s  座席甲");
        assert_eq!(table.row(["热线", "1 s", ""]), "热线         1 s");
    }
}
