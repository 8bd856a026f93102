//! Answers of the query API: each step takes the latest sample of the five minutes before it, as PromQL does.

use super::Picked;
use series::{Labels, Sample, Series, Timestamp, is_stale_marker};
use std::time::Duration;

/// How far back a selector looks for a sample.
pub(crate) const LOOK_BACK: Duration = Duration::from_mins(5);

/// The times of a range query, both ends included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) step: Duration,
}

impl Grid {
    /// How many times there are.
    pub(crate) fn len(self) -> usize {
        if self.end < self.start {
            return 0;
        }
        let steps = self.end.since(self.start).as_millis() / self.step.as_millis().max(1);
        usize::try_from(steps)
            .unwrap_or(usize::MAX)
            .saturating_add(1)
    }

    /// A series without labels that has one value at all times.
    pub(crate) fn constant(self, value: f64) -> Series {
        Series {
            labels: Labels::default(),
            samples: self.times().map(|at| Sample { at, value }).collect(),
        }
    }

    fn times(self) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(Some(self.start), move |at| Some(*at + self.step))
            .take_while(move |at| *at <= self.end)
            .take(self.len())
    }
}

/// The value of each picked series at one time. `fetch` gives the picked series within a time, ends included.
pub(crate) fn instant<E>(
    picked: &Picked,
    time: Timestamp,
    fetch: impl FnOnce(Timestamp, Timestamp) -> Result<Vec<Series>, E>,
) -> Result<Vec<(Labels, Sample)>, E> {
    let at = picked.time(time, (time, time));
    let series = fetch(at - LOOK_BACK, at)?;
    let value = |series: Series| {
        let value = latest(&series.samples, at)?;
        Some((series.labels, Sample { at: time, value }))
    };
    Ok(series.into_iter().filter_map(value).collect())
}

/// The values of each picked series on a grid.
pub(crate) fn range<E>(
    picked: &Picked,
    grid: Grid,
    fetch: impl FnOnce(Timestamp, Timestamp) -> Result<Vec<Series>, E>,
) -> Result<Vec<Series>, E> {
    let (from, to) = looked_at(picked, grid);
    let series = fetch(from, to)?;
    let values = |series: Series| {
        let samples = on_grid(picked, grid, &series.samples);
        (!samples.is_empty()).then_some(Series {
            labels: series.labels,
            samples,
        })
    };
    Ok(series.into_iter().filter_map(values).collect())
}

/// The times of the samples that a range query looks at, both ends included.
pub(crate) fn looked_at(picked: &Picked, grid: Grid) -> (Timestamp, Timestamp) {
    let looked_at = |at| picked.time(at, (grid.start, grid.end));
    (looked_at(grid.start) - LOOK_BACK, looked_at(grid.end))
}

/// The values of one series on a grid, from samples in order of time.
pub(crate) fn on_grid(picked: &Picked, grid: Grid, samples: &[Sample]) -> Vec<Sample> {
    let value = |at| {
        let looked_at = picked.time(at, (grid.start, grid.end));
        let value = latest(samples, looked_at)?;
        Some(Sample { at, value })
    };
    grid.times().filter_map(value).collect()
}

/// The samples of each picked series in a stretch of time, as they are.
pub(crate) fn samples<E>(
    (picked, length): (&Picked, Duration),
    time: Timestamp,
    fetch: impl FnOnce(Timestamp, Timestamp) -> Result<Vec<Series>, E>,
) -> Result<Vec<Series>, E> {
    let at = picked.time(time, (time, time));
    let from = at - length;
    let mut all = fetch(from, at)?;
    for series in &mut all {
        let is_in = |sample: &Sample| sample.at > from && !is_stale_marker(sample.value);
        series.samples.retain(is_in);
    }
    all.retain(|series| !series.samples.is_empty());
    Ok(all)
}

/// The value that is true at a time: of the latest sample, unless it is too old or marks the end of the series.
fn latest(samples: &[Sample], at: Timestamp) -> Option<f64> {
    let after = samples.partition_point(|sample| sample.at <= at);
    let sample = samples[..after].last()?;
    let is_fresh = sample.at > at - LOOK_BACK;
    (is_fresh && !is_stale_marker(sample.value)).then_some(sample.value)
}

#[cfg(test)]
mod tests {
    use super::super::Question;
    use super::*;
    use series::STALE_MARKER;
    use std::convert::Infallible;

    const AT: fn(i64) -> Timestamp = Timestamp::from_seconds;

    /// A curve of one sample a minute whose value is its minute, from minute 10 to 20, and its end.
    fn curve() -> Vec<Series> {
        let sample = |minute: i64| Sample {
            at: AT(60 * minute),
            value: if minute > 20 {
                STALE_MARKER
            } else {
                minute as f64
            },
        };
        vec![Series {
            labels: Labels::new([("__name__", "a")]).unwrap(),
            samples: (10..=21).map(sample).collect(),
        }]
    }

    fn picked(text: &str) -> Picked {
        match Question::read(text).unwrap() {
            Question::Vector(picked) | Question::Matrix(picked, _) => picked,
            Question::Scalar(_) => panic!("{text} is a number"),
        }
    }

    #[track_caller]
    fn on_grid(text: &str, minutes: [i64; 3], expect: &[(i64, f64)]) {
        let [start, end, step] = minutes;
        let grid = Grid {
            start: AT(60 * start),
            end: AT(60 * end),
            step: Duration::from_secs(60 * step.unsigned_abs()),
        };
        let got = range(&picked(text), grid, |_, _| Ok::<_, Infallible>(curve())).unwrap();
        let got: Vec<(i64, f64)> = got
            .iter()
            .flat_map(|series| &series.samples)
            .map(|sample| (sample.at.as_millis() / 60_000, sample.value))
            .collect();
        assert_eq!(got, expect, "{text}");
    }

    #[test]
    fn each_step_takes_the_latest_sample_until_the_curve_ends() {
        on_grid(
            "a",
            [8, 26, 3],
            &[(11, 11.0), (14, 14.0), (17, 17.0), (20, 20.0)],
        );
        on_grid(
            "a offset -5m",
            [5, 20, 5],
            &[(5, 10.0), (10, 15.0), (15, 20.0)],
        );
        on_grid("a @ 900", [0, 2, 1], &[(0, 15.0), (1, 15.0), (2, 15.0)]);
        on_grid("a @ end()", [10, 18, 8], &[(10, 18.0), (18, 18.0)]);
        on_grid("a", [30, 20, 1], &[]);
    }

    #[test]
    fn what_is_fetched_is_what_is_looked_at() {
        let mut asked = None;
        let fetch = |start, end| {
            asked = Some((start, end));
            Ok::<_, Infallible>(vec![])
        };
        let grid = Grid {
            start: AT(1_000),
            end: AT(2_000),
            step: Duration::from_secs(10),
        };
        range(&picked("a offset -1h"), grid, fetch).unwrap();
        assert_eq!(asked, Some((AT(4_300), AT(5_600))));
    }

    #[test]
    fn an_instant_has_the_time_of_the_question() {
        let ask =
            |text, at| instant(&picked(text), AT(at), |_, _| Ok::<_, Infallible>(curve())).unwrap();
        assert_eq!(
            ask("a offset -5m", 600)[0].1,
            Sample {
                at: AT(600),
                value: 15.0
            }
        );
        assert!(ask("a", 21 * 60).is_empty());
    }

    #[test]
    fn a_stretch_is_open_at_its_beginning_and_leaves_out_the_marker() {
        let picked = picked("a[2m]");
        let ask = |at| {
            let question = (&picked, Duration::from_mins(2));
            let got = samples(question, AT(at), |_, _| Ok::<_, Infallible>(curve())).unwrap();
            got.first().map_or(0, |series| series.samples.len())
        };
        // The stand-in gives the whole curve; later samples are the fetch's business.
        assert_eq!([ask(19 * 60), ask(60 * 60)], [3, 0]);
    }

    #[test]
    fn a_grid_without_end_is_counted_not_walked() {
        let grid = Grid {
            start: Timestamp::from_millis(i64::MIN),
            end: Timestamp::from_millis(i64::MAX),
            step: Duration::from_millis(1),
        };
        assert!(grid.len() > 1 << 60);
    }
}
