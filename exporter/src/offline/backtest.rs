//! `foreshadow backtest`: how good forecasts would have been.

mod report;

use super::{input, input::Named};
use crate::cli::{Backtest, Written};
use anyhow::{Context as _, ensure};
use forecast::{
    BreachOdds, Fitted,
    backtest::{Forecast, LEVELS, Protocol, Score, Window, windows},
};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde_json::{Map, Value, json};
use series::{PromDuration, Step};
use std::{
    fs::File,
    io::{BufWriter, IsTerminal as _, Write as _},
    path::Path,
    time::{Duration, Instant},
};

/// Beside the whole horizon, the first hour is reported: the two are different trades.
const SHORT_HORIZON: (&str, Duration) = ("1h", Duration::from_hours(1));

/// The season of the naive yardstick and of the scale.
const NAIVE_SEASON: Duration = Duration::from_hours(24);

/// One window, forecast and scored.
struct Tried {
    series: usize,
    forecast: Forecast,
    model: &'static str,
    /// Ours and the naive one's, for each horizon reported.
    scores: Vec<Option<(Score, Score)>>,
    /// For each horizon reported; empty where no threshold was given.
    breaches: Vec<Breach>,
    fit: Duration,
    predict: Duration,
}

/// What was foreseen of a breach within a horizon, and whether it came.
#[derive(Debug, Clone, Copy)]
struct Breach {
    /// The probability; `None` where the history was too short to check one.
    foreseen: Option<f64>,
    /// `None` where a gap may hide one.
    came: Option<bool>,
}

/// A horizon that is reported: its name, and how many steps it has.
type Reported<'a> = (&'a str, usize);

/// Forecasts every window of every series, in parallel over the cores, and prints how they turned out.
pub(crate) fn run(request: &Backtest) -> anyhow::Result<()> {
    let step = Step::new(request.subject.step.get())?;
    let horizon = step.count(request.horizon.length);
    ensure!(horizon > 0, "the horizon must be longer than 0s");
    ensure!(
        request.origins < 2 || step.count(request.stride.get()) > 0,
        "the stride from one origin to the next must be a step at least"
    );
    let protocol = Protocol {
        horizon,
        origins: request.origins,
        stride: step.count(request.stride.get()),
        history: step.count(request.subject.history.get()),
        season: step.count(NAIVE_SEASON).max(2),
    };
    let stretch = request.stride.get() * u32::try_from(request.origins).unwrap_or(u32::MAX);
    let reach = request.subject.history.get() + request.horizon.length + stretch;
    let input = input::read(&request.subject.source, step, reach)?;
    let series = &input.series;
    let horizons = horizons(&request.horizon, step);
    for named in series {
        if windows(&named.history, protocol).is_empty() {
            eprintln!(
                "foreshadow: {} is left out: {}",
                named.name,
                unfit(named, protocol)
            );
        }
    }
    let tried = try_all(series, protocol, request, &horizons);
    ensure!(!tried.is_empty(), "there is no window to try in any series");
    if let Some(file) = &request.forecasts {
        write_forecasts(file, series, &tried, &horizons)?;
    }
    report::print(series, &tried, &horizons, request);
    input.check()
}

/// Why a series has no window.
fn unfit(named: &Named, protocol: Protocol) -> String {
    let (n, step) = (named.history.values().len(), named.history.step().get());
    let need = 3 * protocol.season + protocol.horizon;
    let length = |n: usize| PromDuration::new(step * u32::try_from(n).unwrap_or(u32::MAX));
    if n >= need {
        let sentence = "its history repeats itself exactly, or is too short";
        return format!("{sentence} (three days of it must lie before an origin)");
    }
    let (long, needed) = (length(n), length(need));
    format!(
        "it is {long} long, and three days before an origin and the horizon behind it are {needed}; is the step right?"
    )
}

fn horizons(whole: &Written, step: Step) -> Vec<Reported<'_>> {
    let short = Some(SHORT_HORIZON).filter(|(_, short)| *short < whole.length);
    let all = short
        .into_iter()
        .chain([(whole.text.as_str(), whole.length)]);
    all.map(|(name, ahead)| (name, step.count(ahead))).collect()
}

fn try_all(
    series: &[Named],
    protocol: Protocol,
    request: &Backtest,
    horizons: &[Reported<'_>],
) -> Vec<Tried> {
    let all: Vec<(usize, Window)> = series
        .iter()
        .enumerate()
        .flat_map(|(idx, named)| {
            windows(&named.history, protocol)
                .into_iter()
                .map(move |w| (idx, w))
        })
        .collect();
    let bar = progress(all.len());
    let tried = all.par_iter().filter_map(|(idx, window)| {
        let tried = try_one(*idx, window, request, horizons);
        bar.inc(1);
        tried
            .map_err(|e| bar.println(format!("foreshadow: {}: {e}", series[*idx].name)))
            .ok()
    });
    let tried = tried.collect();
    bar.finish_and_clear();
    tried
}

/// A bar on a terminal, nothing elsewhere.
fn progress(n_windows: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} windows, {eta} left");
    ProgressBar::new(n_windows as u64).with_style(style.expect("the template is a valid one"))
}

fn try_one(
    series: usize,
    window: &Window,
    request: &Backtest,
    horizons: &[Reported<'_>],
) -> Result<Tried, forecast::FitError> {
    let settings = request.subject.settings(window.bounds(), &request.horizon);
    let begun = Instant::now();
    let fitted = forecast::fit(&window.history, &settings)?;
    let fit = begun.elapsed();
    let begun = Instant::now();
    let forecast = Forecast::of(&*fitted, window.came.len());
    let predict = begun.elapsed();
    let naive = window.naive();
    let scores = horizons.iter().map(|(_, n_steps)| {
        Some((
            window.score(&forecast, *n_steps)?,
            window.score(&naive, *n_steps)?,
        ))
    });
    let scores = scores.collect();
    let breaches = request
        .threshold
        .map(|threshold| breaches(&*fitted, window, threshold, request, horizons));
    Ok(Tried {
        series,
        forecast,
        model: fitted.model(),
        scores,
        breaches: breaches.unwrap_or_default(),
        fit,
        predict,
    })
}

fn breaches(
    fitted: &dyn Fitted,
    window: &Window,
    threshold: f64,
    request: &Backtest,
    horizons: &[Reported<'_>],
) -> Vec<Breach> {
    let settings = request.subject.settings(window.bounds(), &request.horizon);
    let lengths: Vec<usize> = horizons.iter().map(|(_, n_steps)| *n_steps).collect();
    let odds = BreachOdds::replayed(&window.history, &settings, &lengths).unwrap_or_default();
    let breach = |(idx, n_steps): (usize, &usize)| {
        let odds = odds.get(idx);
        let foreseen = odds.and_then(|odds| odds.probability(fitted, threshold, SEED));
        Breach {
            foreseen: foreseen.map(series::Probability::get),
            came: has_breached(&window.came[..*n_steps], threshold),
        }
    };
    lengths.iter().enumerate().map(breach).collect()
}

fn has_breached(came: &[f64], threshold: f64) -> Option<bool> {
    let is_seen = came.iter().any(|value| *value > threshold);
    let is_whole = came.iter().all(|value| !value.is_nan());
    (is_seen || is_whole).then_some(is_seen)
}

/// Sample paths are drawn with this seed, so that a backtest gives the same numbers each time.
const SEED: u64 = 1;

fn write_forecasts(
    file: &Path,
    series: &[Named],
    tried: &[Tried],
    horizons: &[Reported<'_>],
) -> anyhow::Result<()> {
    let writing = || format!("writing {}", file.display());
    let mut out = BufWriter::new(File::create(file).with_context(writing)?);
    for one in tried {
        let named = &series[one.series];
        let origin = named.stamp(one.forecast.origin).as_millis() / 1_000;
        let mut line = json!({
            "series": named.name,
            "origin": origin,
            "model": one.model,
            "levels": LEVELS,
            "values": one.forecast.values,
        });
        if !one.breaches.is_empty() {
            let chances = one.breaches.iter().map(|breach| json!(breach.foreseen));
            let horizons = horizons.iter().map(|(name, _)| (*name).to_owned());
            let all: Map<String, Value> = horizons.zip(chances).collect();
            line["breach_probability"] = Value::Object(all);
        }
        writeln!(out, "{line}").with_context(writing)?;
    }
    out.flush().with_context(writing)
}
