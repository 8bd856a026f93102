//! `foreshadow backtest`: how good forecasts would have been.

mod breach;
mod report;

use super::{
    input::{self, Named},
    subject::Subject,
};
use crate::{
    cli::{Backtest, Written},
    say::complain,
};
use anyhow::{Context as _, ensure};
use breach::{Breach, breaches};
use forecast::backtest::{Forecast, LEVELS, Protocol, Score, Window, windows};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde_json::{Map, Value, json};
use series::PromDuration;
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
    /// For each of the series' thresholds and each horizon reported.
    breaches: Vec<Breach>,
    fit: Duration,
    predict: Duration,
}

/// A horizon that is reported: its name, and how many steps it has.
type Reported<'a> = (&'a str, usize);

/// Forecasts every window of every series, in parallel over the cores, and prints how they turned out.
pub(crate) fn run(request: &Backtest) -> anyhow::Result<()> {
    let subject = Subject::of(&request.subject, horizons(&request.horizon))?;
    let protocol = protocol(&subject, request)?;
    let n_origins = u32::try_from(request.origins.get()).unwrap_or(u32::MAX);
    let stretch = request.stride.get().saturating_mul(n_origins);
    let reach = subject.history + subject.furthest() + stretch;
    let input = input::read(&subject, reach)?;
    let series = &input.series;
    for named in series {
        if windows(&named.history, protocol).is_empty() {
            let why = unfit(named, protocol);
            complain(format_args!("{} is left out: {why}", named.name));
        }
    }
    warn_of_idle_thresholds(request, series);
    let test = Test {
        subject: &subject,
        request,
        horizons: reported(&subject),
    };
    let tried = try_all(series, protocol, &test);
    ensure!(!tried.is_empty(), "there is no window to try in any series");
    if let Some(file) = &request.forecasts {
        write_forecasts(file, series, &tried, &test.horizons)?;
    }
    report::print(series, &tried, &test);
    input.check()
}

/// What is tried on each window.
struct Test<'a> {
    subject: &'a Subject<'a>,
    request: &'a Backtest,
    horizons: Vec<Reported<'a>>,
}

fn protocol(subject: &Subject<'_>, request: &Backtest) -> anyhow::Result<Protocol> {
    let (step, origins) = (subject.step, request.origins.get());
    let horizon = step.count(subject.furthest());
    ensure!(
        horizon > 0,
        "the horizon must be a step at least, which is {}",
        PromDuration::new(step.get())
    );
    ensure!(
        origins < 2 || step.count(request.stride.get()) > 0,
        "the stride from one origin to the next must be a step at least, which is {}",
        PromDuration::new(step.get())
    );
    Ok(Protocol {
        horizon,
        origins,
        stride: step.count(request.stride.get()),
        history: step.count(subject.history),
        season: step.count(NAIVE_SEASON).max(2),
    })
}

/// A threshold that is for no series is a typing error most often.
fn warn_of_idle_thresholds(request: &Backtest, series: &[Named]) {
    for (idx, threshold) in request.thresholds.iter().enumerate() {
        let is_used = |named: &Named| {
            breach::for_series(&request.thresholds, named)
                .iter()
                .any(|(used, _)| *used == idx)
        };
        if !series.iter().any(is_used) {
            complain(format_args!(
                "no series is meant by the threshold `{threshold}`"
            ));
        }
    }
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

/// The horizons of a request without a rule.
fn horizons(whole: &Written) -> Vec<Written> {
    let (text, length) = SHORT_HORIZON;
    let text = text.to_owned();
    let short = Some(Written { text, length }).filter(|short| short.length < whole.length);
    short.into_iter().chain([whole.clone()]).collect()
}

/// Horizons with their steps. One that is shorter than a step cannot be told from the next.
fn reported<'a>(subject: &'a Subject<'_>) -> Vec<Reported<'a>> {
    let all = subject.horizons.iter();
    all.map(|horizon| {
        (
            horizon.text.as_str(),
            subject.step.count(horizon.length).max(1),
        )
    })
    .collect()
}

fn try_all(series: &[Named], protocol: Protocol, test: &Test<'_>) -> Vec<Tried> {
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
        let named = &series[*idx];
        let tried = try_one(*idx, named, window, test);
        bar.inc(1);
        tried
            .map_err(|e| bar.println(format!("foreshadow: {}: {e}", named.name)))
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
    named: &Named,
    window: &Window,
    test: &Test<'_>,
) -> Result<Tried, forecast::FitError> {
    let settings = test.subject.settings(window.bounds());
    let begun = Instant::now();
    let fitted = forecast::fit(&window.history, &settings)?;
    let fit = begun.elapsed();
    let begun = Instant::now();
    let forecast = Forecast::of(&*fitted, window.came.len());
    let predict = begun.elapsed();
    let naive = window.naive();
    let scores = test.horizons.iter().map(|(_, n_steps)| {
        Some((
            window.score(&forecast, *n_steps)?,
            window.score(&naive, *n_steps)?,
        ))
    });
    let scores = scores.collect();
    let thresholds = breach::for_series(&test.request.thresholds, named);
    let breaches = breaches(window, &*fitted, &settings, &thresholds, &test.horizons);
    Ok(Tried {
        series,
        forecast,
        model: fitted.model(),
        scores,
        breaches,
        fit,
        predict,
    })
}

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
        // The first threshold of the series; a second one has a line in the report alone.
        if let Some(first) = one.breaches.first() {
            let of_first = one
                .breaches
                .iter()
                .filter(|breach| breach.threshold == first.threshold);
            let chance = |breach: &Breach| {
                let (name, _) = horizons[breach.horizon];
                (name.to_owned(), json!(breach.foreseen))
            };
            let all: Map<String, Value> = of_first.map(chance).collect();
            line["breach_probability"] = Value::Object(all);
        }
        writeln!(out, "{line}").with_context(writing)?;
    }
    out.flush().with_context(writing)
}
