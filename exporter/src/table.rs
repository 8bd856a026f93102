//! Aligned columns for a terminal.

use crate::visible::visible;

/// Which side a column's cells stand at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Sets rows under titles, two spaces between columns.
pub(crate) fn table<const N: usize>(columns: [(&str, Align); N], rows: &[[String; N]]) -> String {
    let titles = columns.map(|(title, _)| title.to_owned());
    // A cell is one line, whatever it holds.
    let row = |row: &[String; N]| row.each_ref().map(|cell| visible(cell).into_owned());
    let rows: Vec<[String; N]> = rows.iter().map(row).collect();
    let all = || std::iter::once(&titles).chain(&rows);
    let width = |idx: usize| all().map(|row| row[idx].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let cell = |row: &[String; N], idx: usize| match columns[idx].1 {
        Align::Left => format!("{:<1$}", row[idx], widths[idx]),
        Align::Right => format!("{:>1$}", row[idx], widths[idx]),
    };
    let line = |row: &[String; N]| {
        let cells: [String; N] = std::array::from_fn(|idx| cell(row, idx));
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    all().map(line).collect()
}
