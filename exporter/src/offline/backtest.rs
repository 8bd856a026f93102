//! `foreshadow backtest`: how good forecasts would have been.

use super::{input, input::Named, plot::number};
use crate::{
    cli::{Backtest, ReportFormat, Written},
    say::say,
    table::{Align, table},
};
use anyhow::{Context as _, ensure};
use forecast::backtest::{
    Forecast, LEVELS, Protocol, Row, Score, Window, relative, summarise, windows,
};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde_json::json;
use series::Step;
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
    fit: Duration,
    predict: Duration,
}

/// Forecasts every window of every series, in parallel over the cores, and prints how they turned out.
pub(crate) fn run(request: &Backtest) -> anyhow::Result<()> {
    let step = Step::new(request.subject.step.get())?;
    let horizon = step.count(request.horizon.length);
    ensure!(horizon > 0, "the horizon must be longer than 0s");
    let protocol = Protocol {
        horizon,
        origins: request.origins,
        stride: step.count(request.stride.get()),
        history: step.count(request.subject.history.get()),
        season: step.count(NAIVE_SEASON).max(2),
    };
    let stretch = request.stride.get() * u32::try_from(request.origins).unwrap_or(u32::MAX);
    let reach = request.subject.history.get() + request.horizon.length + stretch;
    let series = input::read(&request.subject.source, step, reach)?;
    let horizons = horizons(&request.horizon, step);
    let tried = try_all(&series, protocol, request, &horizons);
    ensure!(
        !tried.is_empty(),
        "no series is long enough: an origin wants three days behind it and the horizon ahead of it"
    );
    if let Some(file) = &request.forecasts {
        write_forecasts(file, &series, &tried)?;
    }
    print(&series, &tried, &horizons, request.format);
    Ok(())
}

/// What is reported beside the name of each: how many steps it has.
fn horizons(whole: &Written, step: Step) -> Vec<(&str, usize)> {
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
    horizons: &[(&str, usize)],
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
    horizons: &[(&str, usize)],
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
    Ok(Tried {
        series,
        forecast,
        model: fitted.model(),
        scores,
        fit,
        predict,
    })
}

fn write_forecasts(file: &Path, series: &[Named], tried: &[Tried]) -> anyhow::Result<()> {
    let writing = || format!("writing {}", file.display());
    let mut out = BufWriter::new(File::create(file).with_context(writing)?);
    for one in tried {
        let named = &series[one.series];
        let origin = named.stamp(one.forecast.origin).as_millis() / 1_000;
        let line = json!({
            "series": named.name,
            "origin": origin,
            "model": one.model,
            "levels": LEVELS,
            "values": one.forecast.values,
        });
        writeln!(out, "{line}").with_context(writing)?;
    }
    out.flush().with_context(writing)
}

/// One line of the report.
struct Line<'a> {
    series: &'a str,
    horizon: &'a str,
    model: &'static str,
    row: Row,
    fit: f64,
    predict: f64,
}

fn print(series: &[Named], tried: &[Tried], horizons: &[(&str, usize)], format: ReportFormat) {
    let mut lines = Vec::new();
    for (column, (horizon, _)) in horizons.iter().enumerate() {
        for (idx, named) in series.iter().enumerate() {
            let of_series: Vec<_> = tried.iter().filter(|one| one.series == idx).collect();
            let scores: Vec<_> = of_series
                .iter()
                .filter_map(|one| one.scores[column])
                .collect();
            let (Some(row), Some(first)) = (summarise(&scores), of_series.first()) else {
                continue;
            };
            let mean = |get: fn(&Tried) -> Duration| {
                let sum: f64 = of_series.iter().map(|one| get(one).as_secs_f64()).sum();
                sum / of_series.len() as f64
            };
            let (fit, predict) = (mean(|one| one.fit), mean(|one| one.predict));
            let series = named.name.as_str();
            lines.push(Line {
                series,
                horizon,
                model: first.model,
                row,
                fit,
                predict,
            });
        }
    }
    match format {
        ReportFormat::Json => lines
            .iter()
            .for_each(|line| say(&format!("{}\n", to_json(line)))),
        ReportFormat::Table => {
            say(&format!("{}\n{}", rows(&lines), totals(&lines, horizons)));
        }
    }
}

fn to_json(line: &Line) -> serde_json::Value {
    let Line { row, .. } = line;
    json!({
        "series": line.series, "horizon": line.horizon, "model": line.model,
        "origins": row.origins, "mase": row.ours.mase, "rel_mase": row.rel_mase, "sql": row.ours.sql,
        "rel_sql": row.rel_sql, "cov80": row.ours.cov80, "cov95": row.ours.cov95,
        "fit_seconds": line.fit, "predict_seconds": line.predict,
    })
}

fn rows(lines: &[Line]) -> String {
    use Align::{Left, Right};
    let columns = [
        ("SERIES", Left),
        ("HORIZON", Right),
        ("MODEL", Left),
        ("ORIGINS", Right),
        ("MASE", Right),
        ("REL MASE", Right),
        ("SQL", Right),
        ("REL SQL", Right),
        ("COV 80", Right),
        ("COV 95", Right),
        ("FIT MS", Right),
        ("PREDICT MS", Right),
    ];
    let row = |line: &Line| {
        let Line { row, .. } = line;
        [
            line.series.to_owned(),
            line.horizon.to_owned(),
            line.model.to_owned(),
            row.origins.to_string(),
            number(row.ours.mase),
            number(row.rel_mase),
            number(row.ours.sql),
            number(row.rel_sql),
            format!("{:.2}", row.ours.cov80),
            format!("{:.2}", row.ours.cov95),
            number(line.fit * 1e3),
            number(line.predict * 1e3),
        ]
    };
    table(columns, &lines.iter().map(row).collect::<Vec<_>>())
}

/// One line a horizon: geometric means over series of the figures relative to SeasonalNaive.
fn totals(lines: &[Line], horizons: &[(&str, usize)]) -> String {
    use Align::Right;
    let columns = [
        ("HORIZON", Right),
        ("SERIES", Right),
        ("REL MASE", Right),
        ("REL SQL", Right),
        ("COV 80", Right),
        ("COV 95", Right),
    ];
    let rows = horizons.iter().filter_map(|(horizon, _)| {
        let of_horizon: Vec<Row> = lines
            .iter()
            .filter(|line| line.horizon == *horizon)
            .map(|line| line.row)
            .collect();
        let all = relative(&of_horizon)?;
        Some([
            (*horizon).to_owned(),
            all.series.to_string(),
            number(all.rel_mase),
            number(all.rel_sql),
            format!("{:.3}", all.cov80),
            format!("{:.3}", all.cov95),
        ])
    });
    table(columns, &rows.collect::<Vec<_>>())
}
