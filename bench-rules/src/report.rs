//! The figures as a page.

use crate::{
    Args,
    measure::{Figures, Restart, Steady},
    world::STEPS,
};
use std::time::Duration;
use xtask::{machine::machine, markdown::table};

/// Writes the page.
pub(crate) fn report(args: &Args, figures: &Figures) -> String {
    let (n_series, interval) = (args.series, args.interval);
    let mut rows = steady(figures);
    rows.extend(memory(&figures.steady));
    rows.extend(restart(&figures.restart));
    format!(
        "# Rules at scale\n\nOne forecast rule over {n_series} series, evaluated every {interval} s by the release build, \
         against a real Prometheus beside it that holds and scrapes them: {STEPS} steps of history, 2 horizons, 3 \
         quantiles. Printed by `make bench-rules`.\n\n{}\n\n{}",
        machine(),
        table(&["what", "Foreshadow", "Prometheus"], &rows)
    )
}

type Row = Vec<String>;

fn row(what: &str, foreshadow: String, prometheus: impl Into<String>) -> Row {
    vec![what.to_owned(), foreshadow, prometheus.into()]
}

fn steady(figures: &Figures) -> Vec<Row> {
    let steady = &figures.steady;
    let cpu = |[before, after]: [crate::usage::Usage; 2]| {
        after.cpu_since(before).div_f64(steady.n_intervals)
    };
    let (mine, theirs) = (cpu(steady.foreshadow), cpu(steady.prometheus));
    let unasked = seconds(figures.prometheus_alone);
    let counts = format!("{}, {}", steady.took.len(), steady.missed);
    vec![
        row("series forecast", steady.n_forecast.to_string(), ""),
        row(
            "first iteration, with the history",
            seconds(figures.first),
            "",
        ),
        row("an iteration, median", seconds(median(&steady.took)), ""),
        row("an iteration, longest", seconds(longest(&steady.took)), ""),
        row("iterations after the first, and left out", counts, ""),
        row(
            "CPU an interval",
            seconds(mine),
            format!("{} ({unasked} unasked)", seconds(theirs)),
        ),
    ]
}

fn memory(steady: &Steady) -> Vec<Row> {
    let (mine, theirs) = (steady.foreshadow, steady.prometheus);
    let scrape = steady.scrape;
    let size = mebibytes(scrape.bytes as u64);
    vec![
        row(
            "resident after the first iteration",
            mebibytes(mine[0].resident),
            mebibytes(theirs[0].resident),
        ),
        row(
            "resident after the last",
            mebibytes(mine[1].resident),
            mebibytes(theirs[1].resident),
        ),
        row(
            "most ever resident",
            mebibytes(mine[1].peak),
            mebibytes(theirs[1].peak),
        ),
        row(
            "a scrape of /predictions",
            format!("{}, {size}, {} lines", seconds(scrape.took), scrape.lines),
            "",
        ),
    ]
}

fn restart(restart: &Restart) -> Vec<Row> {
    let restored = format!("{}, {} series", seconds(restart.start), restart.restored);
    vec![
        row("saved models", mebibytes(restart.saved_bytes), ""),
        row("stop, models saved", seconds(restart.stop), ""),
        row("start, models restored", restored, ""),
    ]
}

fn seconds(length: Duration) -> String {
    format!("{:.2} s", length.as_secs_f64())
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

fn longest(all: &[Duration]) -> Duration {
    all.iter().copied().max().unwrap_or_default()
}

fn median(all: &[Duration]) -> Duration {
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
