//! Evenly spaced history, as models read it.

use crate::UpdateError;
use series::{Sample, Step, Timestamp};

/// Values on a grid of whole steps, oldest first; NaN is a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    step: Step,
    /// The time of the last value.
    end: Timestamp,
    values: Vec<f64>,
}

/// Why samples make no history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// Nothing finite was seen.
    #[error("no finite sample in the history")]
    Empty,
    /// Timestamps must ascend.
    #[error("samples are not in order of time: {at}ms does not come after {before}ms")]
    Unsorted {
        /// The timestamp before.
        before: i64,
        /// The timestamp that does not ascend.
        at: i64,
    },
    /// The grid would have more cells than memory should hold.
    #[error("{cells} steps from the first sample to the last are more than the {limit} allowed")]
    TooLong {
        /// Steps between first and last sample.
        cells: usize,
        /// The most that is allowed.
        limit: usize,
    },
}

impl History {
    /// The most cells that a grid may have. Nineteen weeks at one minute: more than any season repeats in, while
    /// two samples far apart cannot ask for gigabytes, nor one series for more than seconds of fitting.
    pub const MAX_CELLS: usize = 200_000;

    /// Puts samples on the grid of whole steps since the epoch. The last sample in a cell is its value; cells
    /// without a sample, and samples that are infinite or NaN, are gaps. Timestamps must ascend strictly.
    pub fn from_samples(samples: &[Sample], step: Step) -> Result<Self, HistoryError> {
        if let Some(pair) = samples.windows(2).find(|pair| pair[1].at <= pair[0].at) {
            return Err(HistoryError::Unsorted {
                before: pair[0].at.as_millis(),
                at: pair[1].at.as_millis(),
            });
        }
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
            return Err(HistoryError::Empty);
        };
        let start = cell(first.at, step);
        let n_cells = distance(start, cell(last.at, step)).saturating_add(1);
        if n_cells > Self::MAX_CELLS {
            return Err(HistoryError::TooLong {
                cells: n_cells,
                limit: Self::MAX_CELLS,
            });
        }
        let mut values = vec![f64::NAN; n_cells];
        for sample in samples {
            values[distance(start, cell(sample.at, step))] = finite_or_gap(sample.value);
        }
        if values.iter().all(|value| value.is_nan()) {
            return Err(HistoryError::Empty);
        }
        let end = time_of(cell(last.at, step), step);
        Ok(Self { step, end, values })
    }

    /// The spacing of the grid.
    pub fn step(&self) -> Step {
        self.step
    }

    /// The time of the last cell, a whole multiple of the step.
    pub fn end(&self) -> Timestamp {
        self.end
    }

    /// One value a cell, oldest first; finite, or NaN for a gap.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Cells that are no gaps; at least one when built from samples.
    pub fn n_finite(&self) -> usize {
        self.values.iter().filter(|value| !value.is_nan()).count()
    }

    /// Some of the cells as a history of their own; `None` when there is nothing finite in them.
    ///
    /// # Panics
    /// When the range reaches beyond the cells.
    pub fn part(&self, cells: std::ops::Range<usize>) -> Option<Self> {
        let behind = self.values.len() - cells.end;
        let values = self.values[cells].to_vec();
        let last = cell(self.end, self.step) - i64::try_from(behind).unwrap_or(i64::MAX);
        values.iter().any(|value| !value.is_nan()).then_some(Self {
            step: self.step,
            end: time_of(last, self.step),
            values,
        })
    }

    /// Appends a sample, with gaps for the steps left out, and forgets the oldest cells so that `keep` or a few
    /// more stay. Returns how many steps the grid has grown.
    pub(crate) fn push(&mut self, sample: Sample, keep: usize) -> Result<usize, UpdateError> {
        let new = cell(sample.at, self.step);
        let advanced = distance(cell(self.end, self.step), new);
        if advanced == 0 {
            return Err(UpdateError::NotAfterOrigin {
                at: sample.at.as_millis(),
                origin: self.end.as_millis(),
            });
        }
        let n_gaps = (advanced - 1).min(keep);
        self.values.resize(self.values.len() + n_gaps, f64::NAN);
        self.values.push(finite_or_gap(sample.value));
        self.end = time_of(new, self.step);
        // Moving the kept cells once in an eighth of their number keeps the cost of one push constant.
        if self.values.len() > keep + keep / 8 + 64 {
            self.values.drain(..self.values.len() - keep);
        }
        Ok(advanced)
    }

    /// How far a time lies after the end: whole steps, and the fraction of one more. Zero before the end.
    pub(crate) fn steps_until(&self, at: Timestamp) -> (usize, f64) {
        steps_between(self.end, at, self.step)
    }
}

/// How far a time lies after another: whole steps, and the fraction of one more. Zero before it.
pub(crate) fn steps_between(from: Timestamp, at: Timestamp, step: Step) -> (usize, f64) {
    let step = millis(step);
    let ahead = at.as_millis().saturating_sub(from.as_millis()).max(0);
    let whole = usize::try_from(ahead / step).unwrap_or(usize::MAX);
    (whole, (ahead % step) as f64 / step as f64)
}

/// The value, or NaN where it is not finite.
pub(crate) fn finite_or_gap(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}

fn millis(step: Step) -> i64 {
    i64::try_from(step.get().as_millis()).unwrap_or(i64::MAX)
}

/// The number of the cell that a time falls into, counted from the epoch.
pub(crate) fn cell(at: Timestamp, step: Step) -> i64 {
    at.as_millis().div_euclid(millis(step))
}

/// The time at which a cell starts.
pub(crate) fn time_of(cell: i64, step: Step) -> Timestamp {
    Timestamp::from_millis(cell.saturating_mul(millis(step)))
}

/// Cells from one to a later one; zero when it is not later.
fn distance(from: i64, to: i64) -> usize {
    usize::try_from(to.saturating_sub(from)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn step() -> Step {
        Step::new(Duration::from_mins(1)).unwrap()
    }

    fn samples(of: &[(i64, f64)]) -> Vec<Sample> {
        of.iter()
            .map(|(seconds, value)| Sample {
                at: Timestamp::from_seconds(*seconds),
                value: *value,
            })
            .collect()
    }

    #[track_caller]
    fn check(of: &[(i64, f64)], expect: Result<&[Option<f64>], HistoryError>) {
        let got = History::from_samples(&samples(of), step());
        let got = got.map(|history| {
            let values = history.values().iter();
            values.map(|v| (!v.is_nan()).then_some(*v)).collect()
        });
        assert_eq!(got, expect.map(<[Option<f64>]>::to_vec));
    }

    #[test]
    fn the_last_sample_in_a_cell_wins() {
        check(
            &[(0, 1.0), (59, 2.0), (60, 3.0)],
            Ok(&[Some(2.0), Some(3.0)]),
        );
    }

    #[test]
    fn what_is_missing_or_not_finite_is_a_gap() {
        check(
            &[(0, 1.0), (60, f64::NAN), (180, f64::INFINITY), (240, 4.0)],
            Ok(&[Some(1.0), None, None, None, Some(4.0)]),
        );
    }

    #[test]
    fn nothing_finite_is_no_history() {
        check(&[], Err(HistoryError::Empty));
        check(&[(0, f64::NAN)], Err(HistoryError::Empty));
    }

    #[test]
    fn samples_out_of_order_or_twice_at_one_time_are_refused() {
        let error = |before, at| Err(HistoryError::Unsorted { before, at });
        check(&[(60, 1.0), (0, 2.0)], error(60_000, 0));
        check(&[(60, 1.0), (60, 2.0)], error(60_000, 60_000));
    }

    #[test]
    fn samples_far_apart_do_not_fill_the_memory() {
        let ends = [i64::MIN, i64::MAX].map(|millis| Sample {
            at: Timestamp::from_millis(millis),
            value: 1.0,
        });
        let got = History::from_samples(&ends, Step::new(Duration::from_millis(1)).unwrap());
        assert!(matches!(got, Err(HistoryError::TooLong { .. })), "{got:?}");
    }

    #[test]
    fn a_pushed_sample_leaves_gaps_behind_and_the_oldest_are_forgotten() {
        let mut history = History::from_samples(&samples(&[(0, 1.0)]), step()).unwrap();
        let [late, far] = [(180, 2.0), (6_000_000, 3.0)].map(|of| samples(&[of])[0]);
        assert_eq!(history.push(late, 10), Ok(3));
        assert_eq!(history.values().len(), 4);
        assert!(history.push(late, 10).is_err());
        assert_eq!(history.push(far, 10), Ok(99_997));
        assert!(history.values().len() <= 10 + 10 / 8 + 64);
        assert_eq!(history.end(), Timestamp::from_seconds(6_000_000));
        assert_eq!(history.values().last(), Some(&3.0));
    }
}
