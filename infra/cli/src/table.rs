//! Columns of text as wide as what stands in them.

use crate::screen;
use std::fmt;

/// Between two columns.
const GAP: &str = "  ";

/// See the module. A heading that begins with `>` belongs to a column of numbers: they stand at its right.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    numbers: Vec<bool>,
}

impl Table {
    /// With these headings.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let numbers = headings.iter().map(|heading| heading.starts_with('>')).collect();
        let rows = vec![headings.iter().map(|heading| heading.trim_start_matches('>').to_owned()).collect()];
        Self { rows, numbers }
    }

    /// One row more. What has several lines, or control characters, becomes one line.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        let plain = |cell: String| {
            let cell = screen::plain(&cell);
            if cell.trim().is_empty() { "-".to_owned() } else { cell }
        };
        self.rows.push(cells.into_iter().map(plain).collect());
    }

    /// Whether there is nothing below the headings.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wide = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.numbers.len()).map(wide).collect();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), is_number) in row.iter().zip(&widths).zip(&self.numbers) {
                if !line.is_empty() {
                    line.push_str(GAP);
                }
                let cell = if *is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
                line.push_str(&cell);
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let mut table = Table::new(&["NAME", ">N", "WHY"]);
        assert!(table.is_empty());
        table.row(["order".into(), "7".into(), "a\nb\u{1b}[2J".into()]);
        table.row(["a".into(), "1,000".into(), String::new()]);
        assert_eq!(table.to_string(), "NAME       N  WHY\norder      7  a b [2J\na      1,000  -\n");
    }
}
