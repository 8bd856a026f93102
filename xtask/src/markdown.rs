//! Tables that read well as text and as Markdown.

/// A table under its titles. The first column stands left, the others right.
pub fn table(titles: &[&str], rows: &[Vec<String>]) -> String {
    let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    let widths: Vec<usize> = (0..titles.len())
        .map(|column| {
            let cells = std::iter::once(&titles).chain(rows);
            cells
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let line = |row: &Vec<String>| {
        let cell = |(column, text): (usize, &String)| {
            let width = widths[column];
            if column == 0 {
                format!("{text:<width$}")
            } else {
                format!("{text:>width$}")
            }
        };
        let cells: Vec<String> = row.iter().enumerate().map(cell).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rules: Vec<String> = widths
        .iter()
        .enumerate()
        .map(|(column, width)| match column {
            0 => "-".repeat(*width),
            _ => format!("{}:", "-".repeat(width - 1)),
        })
        .collect();
    let head = line(&titles) + &format!("| {} |\n", rules.join(" | "));
    rows.iter().fold(head, |text, row| text + &line(row))
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_aligned() {
        let rows = [["online", "0.36"], ["a longer name", "12"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let expect = "\
| model         | score |
| ------------- | ----: |
| online        |  0.36 |
| a longer name |    12 |
";
        assert_eq!(table(&["model", "score"], &rows), expect);
    }
}
