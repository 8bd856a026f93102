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

/// The inside of the band.
const SHADE: char = '░';

/// Room for the numbers on the left.
const AXIS: usize = 10;

impl Plot {
    /// Draws into text. `before` and `after` say how far the plot reaches to the left and right of now.
    pub(crate) fn draw(&self, before: &str, after: &str) -> String {
        let (low, high) = self.range();
        let n_before = self.actual.len();
        let total = (n_before + self.foreseen.len()).max(1);
        let now = n_before * WIDTH / total;
        let mut columns = vec![[' '; HEIGHT]; WIDTH];
        columns[now.min(WIDTH - 1)] = ['│'; HEIGHT];
        for (idx, column) in columns.iter_mut().enumerate() {
            let first = idx * total / WIDTH;
            let last = ((idx + 1) * total / WIDTH).max(first + 1);
            for (row, sign) in (first..last).flat_map(|step| self.signs(step, (low, high))) {
                // Shade goes behind everything else.
                if sign != SHADE || matches!(column[row], ' ' | '│') {
                    column[row] = sign;
                }
            }
        }
        frame(&columns, (low, high), now, (before, after))
    }

    /// What is drawn for one step: rows and signs, the shade first.
    fn signs(&self, idx: usize, range: (f64, f64)) -> Vec<(usize, char)> {
        let n_before = self.actual.len();
        if let Some(value) = self.actual.get(idx) {
            let sign = value.is_finite().then(|| (row_of(*value, range), '•'));
            return sign.into_iter().collect();
        }
        let Some([lower, median, upper]) = self.foreseen.get(idx - n_before) else {
            return Vec::new();
        };
        let shade = row_of(*upper, range)..=row_of(*lower, range);
        let shade = shade.map(|row| (row, SHADE));
        shade.chain([(row_of(*median, range), '━')]).collect()
    }

    fn range(&self) -> (f64, f64) {
        let all = self
            .actual
            .iter()
            .copied()
            .chain(self.foreseen.iter().flatten().copied());
        let finite = all.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(v), h.max(v))
        });
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

/// The row of a value, the highest at the top.
fn row_of(value: f64, (low, high): (f64, f64)) -> usize {
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of 0 to 1 gives a row of 0 to HEIGHT - 1"
    )]
    let row = (share * (HEIGHT - 1) as f64).round() as usize;
    HEIGHT - 1 - row
}

fn frame(
    columns: &[[char; HEIGHT]],
    (low, high): (f64, f64),
    now: usize,
    (before, after): (&str, &str),
) -> String {
    let row = |idx: usize| {
        let share = 1.0 - idx as f64 / (HEIGHT - 1) as f64;
        let is_labelled = idx.is_multiple_of(5);
        let label = if is_labelled {
            number(low + share * (high - low))
        } else {
            String::new()
        };
        let row: String = columns.iter().map(|column| column[idx]).collect();
        format!("{label:>AXIS$} ┤{}", row.trim_end())
    };
    let mut lines: Vec<String> = (0..HEIGHT).map(row).collect();
    let line: String = (0..WIDTH)
        .map(|column| if column == now { '┴' } else { '─' })
        .collect();
    lines.push(format!("{:>AXIS$} └{line}", ""));
    let left = format!("-{before}");
    let to_now = (now + 1).saturating_sub(left.chars().count() + 1).max(1);
    let to_end = WIDTH
        .saturating_sub(now + 3 + after.chars().count() + 1)
        .max(1);
    lines.push(format!(
        "{:>AXIS$}  {left}{:to_now$}now{:to_end$}+{after}",
        "", "", ""
    ));
    lines.join("\n") + "\n"
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
        let actual = (0..36)
            .map(|i| 50.0 + 40.0 * (f64::from(i) / 6.0).sin())
            .collect();
        let foreseen = (36..72).map(|i| {
            let (median, spread) = (
                50.0 + 40.0 * (f64::from(i) / 6.0).sin(),
                f64::from(i - 34) / 3.0,
            );
            [median - spread, median, median + spread]
        });
        let plot = Plot {
            actual,
            foreseen: foreseen.collect(),
        };
        insta::assert_snapshot!(plot.draw("3h", "3h"));
    }

    #[test]
    fn nothing_and_level_lines_can_be_drawn_too() {
        for plot in [
            Plot {
                actual: vec![],
                foreseen: vec![],
            },
            Plot {
                actual: vec![5.0; 3],
                foreseen: vec![[5.0; 3]],
            },
            Plot {
                actual: vec![f64::NAN],
                foreseen: vec![[0.0, f64::MAX, f64::INFINITY]],
            },
        ] {
            assert_eq!(plot.draw("1h", "1h").lines().count(), HEIGHT + 2);
        }
    }
}
