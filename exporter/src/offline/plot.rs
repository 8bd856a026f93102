//! A plot in the terminal: what was measured, the median foreseen, its band, and the line of now.

/// What is drawn, on one scale of time; every list oldest first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plot {
    /// Values before now; NaN is a gap.
    pub(crate) actual: Vec<f64>,
    /// Lower end of the band, median and upper end, after now.
    pub(crate) foreseen: Vec<[f64; 3]>,
}

/// The size of the drawing, without its axis.
const WIDTH: usize = 72;
const HEIGHT: usize = 16;

/// Room for the numbers on the left.
const AXIS: usize = 10;

impl Plot {
    /// Draws into text. `before` and `after` say how far the plot reaches to the left and right of now.
    pub(crate) fn draw(&self, before: &str, after: &str) -> String {
        let (low, high) = self.range();
        let n_before = self.actual.len();
        let total = (n_before + self.foreseen.len()).max(1);
        let now = n_before * WIDTH / total;
        let row_of = |value: f64| {
            let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to HEIGHT")]
            let row = (share * (HEIGHT - 1) as f64).round() as usize;
            HEIGHT - 1 - row
        };
        let mut cells = vec![[' '; WIDTH]; HEIGHT];
        for row in &mut cells {
            row[now.min(WIDTH - 1)] = '│';
        }
        for column in 0..WIDTH {
            let span = column * total / WIDTH..((column + 1) * total / WIDTH).max(column * total / WIDTH + 1);
            for idx in span {
                if let Some(value) = self.actual.get(idx).filter(|value| value.is_finite()) {
                    cells[row_of(*value)][column] = '•';
                } else if let Some([lower, median, upper]) = idx.checked_sub(n_before).and_then(|i| self.foreseen.get(i)) {
                    for row in &mut cells[row_of(*upper)..=row_of(*lower)] {
                        if row[column] == ' ' || row[column] == '│' {
                            row[column] = '░';
                        }
                    }
                    cells[row_of(*median)][column] = '━';
                }
            }
        }
        frame(&cells, (low, high), now, (before, after))
    }

    fn range(&self) -> (f64, f64) {
        let all = self.actual.iter().copied().chain(self.foreseen.iter().flatten().copied());
        let finite = all.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low < high {
            (low, high)
        } else if low.is_finite() {
            // A level line stands in the middle.
            (low - 1.0, low + 1.0)
        } else {
            (0.0, 1.0)
        }
    }
}

fn frame(cells: &[[char; WIDTH]], (low, high): (f64, f64), now: usize, (before, after): (&str, &str)) -> String {
    let mut text = String::new();
    for (idx, row) in cells.iter().enumerate() {
        let share = 1.0 - idx as f64 / (HEIGHT - 1) as f64;
        let label = if idx % 5 == 0 { number(low + share * (high - low)) } else { String::new() };
        let row: String = row.iter().collect();
        text += &format!("{label:>AXIS$} ┤{}\n", row.trim_end());
    }
    let line: String = (0..WIDTH).map(|column| if column == now { '┴' } else { '─' }).collect();
    text += &format!("{:>AXIS$} └{line}\n", "");
    let left = format!("-{before}");
    let to_now = (now + 1).saturating_sub(left.chars().count() + 1).max(1);
    let to_end = WIDTH.saturating_sub(now + 3 + after.chars().count() + 1).max(1);
    text += &format!("{:>AXIS$}  {left}{:to_now$}now{:to_end$}+{after}\n", "", "", "");
    text
}

/// Four digits that matter.
pub(crate) fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-3..1e6).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = match magnitude {
        m if m >= 1000.0 => 0,
        m if m >= 100.0 => 1,
        m if m >= 10.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actual_band_median_and_the_line_of_now_are_drawn() {
        let actual = (0..36).map(|i| 50.0 + 40.0 * (f64::from(i) / 6.0).sin()).collect();
        let foreseen = (36..72).map(|i| {
            let (median, spread) = (50.0 + 40.0 * (f64::from(i) / 6.0).sin(), f64::from(i - 34) / 3.0);
            [median - spread, median, median + spread]
        });
        let plot = Plot { actual, foreseen: foreseen.collect() };
        insta::assert_snapshot!(plot.draw("3h", "3h"));
    }

    #[test]
    fn nothing_and_level_lines_can_be_drawn_too() {
        for plot in [
            Plot { actual: vec![], foreseen: vec![] },
            Plot { actual: vec![5.0; 3], foreseen: vec![[5.0; 3]] },
            Plot { actual: vec![f64::NAN], foreseen: vec![[0.0, f64::MAX, f64::INFINITY]] },
        ] {
            assert_eq!(plot.draw("1h", "1h").lines().count(), HEIGHT + 2);
        }
    }
}
