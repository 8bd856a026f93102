//! A plot in the terminal: what was measured, the median foreseen, its band, and the line of now, over clock times.

mod axis;

use axis::{Clock, Scale};
use series::Timestamp;
use std::time::Duration;

/// What is drawn, on one scale of time; every list oldest first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plot {
    /// Values up to now; NaN is a gap.
    pub(crate) actual: Vec<f64>,
    /// Lower end of the band, median and upper end, after now.
    pub(crate) foreseen: Vec<[f64; 3]>,
    /// The time of the last value.
    pub(crate) now: Timestamp,
    /// Time from value to value.
    pub(crate) step: Duration,
}

/// Rows of the drawing, without its axis.
const HEIGHT: usize = 16;

/// The fewest columns that anything can be seen in.
const MIN_WIDTH: usize = 20;

/// The inside of the band.
const SHADE: char = '░';

/// The columns of the drawing, and the one of now.
struct Canvas {
    columns: Vec<[char; HEIGHT]>,
    now: usize,
}

impl Plot {
    /// Draws into text whose lines have at most so many columns, as long as there are enough for a drawing at all.
    pub(crate) fn draw(&self, width: usize) -> String {
        let (low, high) = self.range();
        let scale = Scale::of(low, high);
        let edge = scale.width();
        let width = width.saturating_sub(edge + 2).max(MIN_WIDTH);
        let canvas = self.canvas(width, (low, high));
        let labels: Vec<(usize, String)> = scale
            .labels()
            .map(|(value, text)| (row_of(value, (low, high)), text))
            .collect();
        let mut lines: Vec<String> = (0..HEIGHT)
            .map(|row| {
                let label = labels.iter().find(|(at, _)| *at == row);
                let (text, mark) = label.map_or(("", '│'), |(_, text)| (text, '┤'));
                let drawn: String = canvas.columns.iter().map(|column| column[row]).collect();
                format!("{text:>edge$} {mark}{}", drawn.trim_end())
            })
            .collect();
        let clock = self.clock(width);
        lines.extend(
            clock
                .axis(canvas.now)
                .map(|line| format!("{:edge$} {line}", "")),
        );
        let drawn = format!("{:edge$}  • measured  ━ median  {SHADE} 5 % to 95 %", "");
        let now = format!("│ now, {} UTC", axis::day_and_time(self.now));
        let legend = format!("{drawn}  {now}");
        if legend.chars().count() <= edge + 2 + width {
            lines.push(legend);
        } else {
            lines.extend([drawn, format!("{:edge$}  {now}", "")]);
        }
        lines.join("\n") + "\n"
    }

    fn n_steps(&self) -> usize {
        (self.actual.len() + self.foreseen.len()).max(1)
    }

    /// The clock times of columns.
    fn clock(&self, width: usize) -> Clock {
        let n_before = u32::try_from(self.actual.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let n_steps = u32::try_from(self.n_steps()).unwrap_or(u32::MAX);
        Clock {
            start: self.now - self.step.saturating_mul(n_before),
            span: self.step.saturating_mul(n_steps),
            width,
        }
    }

    fn canvas(&self, width: usize, range: (f64, f64)) -> Canvas {
        let total = self.n_steps();
        let now = (self.actual.len() * width / total).min(width - 1);
        let mut columns = vec![[' '; HEIGHT]; width];
        columns[now] = ['│'; HEIGHT];
        for (idx, column) in columns.iter_mut().enumerate() {
            let first = idx * total / width;
            let last = ((idx + 1) * total / width).max(first + 1);
            for (row, sign) in (first..last).flat_map(|step| self.signs(step, range)) {
                // Shade goes behind everything else.
                if sign != SHADE || matches!(column[row], ' ' | '│') {
                    column[row] = sign;
                }
            }
        }
        Canvas { columns, now }
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

    fn waves(n: i32) -> Plot {
        let wave = |i: i32| 50.0 + 40.0 * (f64::from(i) / 6.0).sin();
        let foreseen = (n..2 * n).map(|i| {
            let spread = f64::from(i - n + 2) / 3.0;
            [wave(i) - spread, wave(i), wave(i) + spread]
        });
        Plot {
            actual: (0..n).map(wave).collect(),
            foreseen: foreseen.collect(),
            now: Timestamp::from_seconds(1_764_593_700),
            step: Duration::from_mins(5),
        }
    }

    #[test]
    fn actual_band_median_and_the_line_of_now_are_drawn() {
        insta::assert_snapshot!(waves(36).draw(80));
    }

    #[test]
    fn every_line_fits_the_width_and_the_drawing_fills_it() {
        for width in [60, 80, 120, 200] {
            let drawn = waves(36).draw(width);
            let widths = drawn.lines().map(|line| line.chars().count());
            assert!(widths.clone().all(|n| n <= width), "{drawn}");
            assert_eq!(widths.max(), Some(width), "{drawn}");
        }
    }

    #[test]
    fn nothing_and_level_lines_can_be_drawn_too() {
        let cases: [(Vec<f64>, Vec<[f64; 3]>); 4] = [
            (vec![], vec![]),
            (vec![5.0; 3], vec![[5.0; 3]]),
            (vec![f64::NAN], vec![[0.0, f64::MAX, f64::INFINITY]]),
            (vec![-f64::MAX, f64::MAX], vec![[0.0; 3]]),
        ];
        for (actual, foreseen) in cases {
            let plot = Plot {
                actual,
                foreseen,
                ..waves(1)
            };
            assert_eq!(plot.draw(80).lines().count(), HEIGHT + 3);
        }
    }
}
