//! Season lengths: those given, or those found in the history.

use crate::{History, gaps, scale::Scale, statistics};
use augurs::seasons::{Detector, PeriodogramDetector};
use series::Step;
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(7 * 24);

/// Parts of a day in which machines repeat themselves.
const PARTS_OF_A_DAY: [Duration; 5] = [
    HOUR,
    Duration::from_hours(4),
    Duration::from_hours(6),
    Duration::from_hours(8),
    Duration::from_hours(12),
];

/// The most seasons that a model is given; every one costs a smoothing of the whole history at each fit.
const MAX_SEASONS: usize = 4;

/// A season is one when differences across it are at most this share of the differences across lags beside it.
/// Noise makes the two alike to within a few percent, and a random walk makes the longer lag the worse one.
const DISTINCT: f64 = 0.85;

/// Pairs that a difference is averaged over: good to about two percent.
const MAX_PAIRS: usize = 4_096;

/// The same while the best of many lags is looked for.
const MAX_DRAFT_PAIRS: usize = 512;

/// The longest stretch of history that is searched for seasons that no calendar knows.
const MAX_SEARCHED: usize = 8_192;

/// Season lengths in steps, ascending: those given, or those found where none are given. Those that do not fit
/// in the history twice are left out.
pub(crate) fn lengths(history: &History, given: Option<&[Duration]>) -> Vec<usize> {
    let longest = history.values().len() / 2;
    let mut seasons = match given {
        Some(given) => steps_of(given, history.step()),
        None => find(history),
    };
    seasons.retain(|season| *season <= longest);
    let surplus = seasons.len().saturating_sub(MAX_SEASONS);
    seasons.drain(..surplus);
    seasons
}

/// Durations as whole steps, ascending; shorter than two steps is no season.
pub(crate) fn steps_of(durations: &[Duration], step: Step) -> Vec<usize> {
    let step = step.get().as_millis().max(1);
    let rounded = durations.iter().map(|d| (d.as_millis() + step / 2) / step);
    let mut steps: Vec<usize> = rounded
        .map(|n| usize::try_from(n).unwrap_or(usize::MAX))
        .filter(|n| *n >= 2)
        .collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// Looks for the calendar's seasons, and with a periodogram for shorter ones that fit better.
fn find(history: &History) -> Vec<usize> {
    let values = history.values();
    // On logarithms, where they exist, growth shifts all differences alike and cannot hide a season.
    let Some(scale) = Scale::candidates(values).pop() else {
        return vec![];
    };
    let scaled: Vec<f64> = values.iter().map(|v| scale.forward(*v)).collect();
    let step = history.step();
    let one = |duration| steps_of(&[duration], step).first().copied();

    let mut found = vec![];
    for season in steps_of(&PARTS_OF_A_DAY, step).into_iter().chain(one(DAY)) {
        if stands_out(&scaled, season, found.last().copied()) {
            // A longer season holds whatever repeats within it.
            found = vec![season];
        }
    }
    // A multiple of another season that falls near the calendar looks like the calendar's, only less so. Near
    // twice the other it may be a little less than twice: a period of 37 passes for one of 72.
    if let Some(other) = off_the_calendar(&scaled)
        && found.iter().all(|known| {
            5 * other <= 3 * *known && difference(&scaled, other) < difference(&scaled, *known)
        })
    {
        found = vec![other];
    }
    if let Some(week) = one(WEEK)
        && stands_out(&scaled, week, found.last().copied())
    {
        found.push(week);
    }
    found
}

/// Whether values a season apart are clearly more alike than values a little more or less apart. Beside a
/// shorter season, "a little" is that one, or the shorter season alone would make the longer look like one.
fn stands_out(scaled: &[f64], season: usize, shorter: Option<usize>) -> bool {
    let aside = shorter.unwrap_or(season / 4).max(1);
    if season <= aside || season > scaled.len() / 2 {
        return false;
    }
    let Some(across) = difference(scaled, season) else {
        return false;
    };
    let beside = [season - aside, season + aside];
    let beside = beside.iter().filter_map(|lag| difference(scaled, *lag));
    beside
        .reduce(f64::min)
        .is_some_and(|beside| across < DISTINCT * beside)
}

/// How much values a lag apart differ, beyond a common shift; `None` where too few pairs are known.
fn difference(scaled: &[f64], lag: usize) -> Option<f64> {
    difference_of(scaled, lag, MAX_PAIRS)
}

fn difference_of(scaled: &[f64], lag: usize, max_pairs: usize) -> Option<f64> {
    let n_pairs = scaled.len().checked_sub(lag)?;
    let stride = n_pairs.div_ceil(max_pairs).max(1);
    let mut differences: Vec<f64> = (lag..scaled.len())
        .step_by(stride)
        .map(|idx| scaled[idx] - scaled[idx - lag])
        .filter(|d| !d.is_nan())
        .collect();
    if differences.len() < 8 {
        return None;
    }
    let shift = statistics::quantile_of(&mut differences, 0.5);
    Some(statistics::mean(
        differences.iter().map(|d| (d - shift).abs()),
    ))
}

/// The strongest peak of a periodogram that proves to be a season. Its periods are those of a Fourier transform
/// over a power of two (256 for a true 288), so the best lag around each is taken.
fn off_the_calendar(scaled: &[f64]) -> Option<usize> {
    let recent = &scaled[scaled.len().saturating_sub(MAX_SEARCHED)..];
    if recent.len() < 64 || recent.iter().all(|v| v.is_nan()) {
        return None;
    }
    let longest = u32::try_from(recent.len() / 3).unwrap_or(u32::MAX);
    let detector = PeriodogramDetector::builder()
        .max_period(longest)
        .threshold(0.3)
        .build();
    // Strongest last.
    let peaks = detector.detect(&gaps::fill(recent, &[]));
    peaks.iter().rev().take(3).find_map(|peak| {
        let peak = usize::try_from(*peak).unwrap_or(usize::MAX);
        let around = (peak - peak / 4)..=(peak + peak / 4).min(recent.len() / 2);
        let draft = |lag| Some((lag, difference_of(recent, lag, MAX_DRAFT_PAIRS)?));
        let lags = around.filter_map(draft);
        let (season, _) = lags.min_by(|(_, one), (_, other)| one.total_cmp(other))?;
        (season >= 4 && stands_out(recent, season, None)).then_some(season)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use series::{Sample, Timestamp};

    fn noise(i: usize) -> f64 {
        let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 40) as f64 / f64::from(1 << 24) - 0.5
    }

    fn wave(i: usize, period: f64) -> f64 {
        (i as f64 * std::f64::consts::TAU / period).sin()
    }

    #[track_caller]
    fn check(n: usize, minutes: u64, value: impl Fn(usize) -> f64, expect: &[usize]) {
        let step = Step::new(Duration::from_mins(minutes)).unwrap();
        let samples: Vec<Sample> = (0..n)
            .map(|i| Sample {
                at: Timestamp::default() + step.get() * u32::try_from(i).unwrap(),
                value: value(i),
            })
            .collect();
        let history = History::from_samples(&samples, step).unwrap();
        assert_eq!(lengths(&history, None), expect);
    }

    #[test]
    fn a_day_and_a_week_are_found() {
        let weekday = |i: usize| if (i / 288) % 7 < 5 { 10.0 } else { 7.0 };
        check(
            6_048,
            5,
            |i| weekday(i) + 3.0 * wave(i, 288.0) + noise(i),
            &[288, 2016],
        );
    }

    #[test]
    fn a_growing_day_is_found_and_no_week_invented() {
        check(
            6_048,
            5,
            |i| 1.0002_f64.powf(i as f64) * (20.0 + 5.0 * wave(i, 288.0) + noise(i)),
            &[288],
        );
    }

    #[test]
    fn an_hourly_job_is_an_hour() {
        check(
            3_000,
            1,
            |i| if i % 60 < 5 { 9.0 } else { 1.0 } + noise(i),
            &[60],
        );
    }

    #[test]
    fn a_season_off_the_calendar_is_found_by_its_periodogram() {
        check(2_000, 1, |i| wave(i, 37.0) + 0.3 * noise(i), &[37]);
    }

    #[test]
    fn noise_constants_lines_and_random_walks_have_no_season() {
        check(4_000, 5, noise, &[]);
        check(4_000, 5, |_| 3.0, &[]);
        check(4_000, 5, |i| i as f64, &[]);
        let walk: Vec<f64> = (0..4_000)
            .scan(0.0, |level, i| {
                *level += noise(i);
                Some(*level)
            })
            .collect();
        check(4_000, 5, |i| walk[i], &[]);
    }

    #[test]
    fn given_seasons_become_steps_and_what_does_not_fit_is_left_out() {
        let step = Step::new(HOUR).unwrap();
        let samples: Vec<Sample> = (0..100)
            .map(|i| Sample {
                at: Timestamp::from_seconds(i * 3_600),
                value: 1.0,
            })
            .collect();
        let history = History::from_samples(&samples, step).unwrap();
        let given = [WEEK, DAY, HOUR, DAY, Duration::MAX];
        assert_eq!(lengths(&history, Some(&given)), [24]);
    }
}
