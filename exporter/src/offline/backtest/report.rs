//! The report of a backtest: a line each series and horizon, and the totals.

use super::{Breach, Reported, Test, Tried};
use crate::{
    cli::{ReportFormat, Threshold},
    offline::{input::Named, plot::number, terminal},
    say::say,
    table::{Align, table},
};
use forecast::backtest::{Row, relative, summarise};
use serde_json::json;
use std::time::Duration;

/// One line of the report.
struct Line<'a> {
    series: &'a str,
    horizon: &'a str,
    model: &'static str,
    row: Row,
    breaches: Option<Breaches>,
    fit: f64,
    predict: f64,
}

/// Prints all lines as the request wants them.
pub(super) fn print(series: &[Named], tried: &[Tried], test: &Test<'_>) {
    let (horizons, thresholds) = (&test.horizons, &test.request.thresholds);
    let lines = lines(series, tried, horizons);
    match test.request.format {
        ReportFormat::Json => lines
            .iter()
            .for_each(|line| say(&format!("{}\n", to_json(line)))),
        ReportFormat::Table => {
            let (rows, totals) = (rows(&lines, terminal::width()), totals(&lines, horizons));
            say(&format!("{rows}\n{totals}"));
            if !thresholds.is_empty() {
                say(&format!("\n{}", breaches(tried, horizons, thresholds)));
            }
            say(&format!("\n{}", legend(!thresholds.is_empty())));
        }
    }
}

/// What the columns mean. No line is longer than 78 columns.
fn legend(with_breaches: bool) -> String {
    let scores = "\
MASE, SQL   error of the median; loss over all quantiles (scaled: the unit is
            the naive forecast's mean error in the history, a day before)
REL MASE,   the same relative to a seasonal naive forecast on the same windows:
REL SQL     below 1 is better
COV 80, 95  share of values inside the 80 % and 95 % band
FIT MS,     milliseconds for one model and for one forecast
PREDICT MS
";
    let breaches = "\
CAME        share of windows in which the threshold was passed
FORESEEN    mean of the chances that were foreseen
BRIER       mean squared difference of the two: 0 is perfect
SKILL       1 is perfect, 0 no better than always saying CAME
";
    let breaches = if with_breaches { breaches } else { "" };
    format!("{scores}{breaches}")
}

fn lines<'a>(series: &'a [Named], tried: &[Tried], horizons: &[Reported<'a>]) -> Vec<Line<'a>> {
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
                breaches: first_breaches(&of_series, column),
                fit,
                predict,
            });
        }
    }
    lines
}

/// How breaches of a series' first threshold were foreseen.
fn first_breaches(of_series: &[&Tried], column: usize) -> Option<Breaches> {
    let first = of_series.first()?.breaches.first()?.threshold;
    Breaches::of(of_series.iter().copied(), first, column)
}

fn to_json(line: &Line) -> serde_json::Value {
    let Line { row, .. } = line;
    let mut object = json!({
        "series": line.series, "horizon": line.horizon, "model": line.model,
        "origins": row.origins, "mase": row.ours.mase, "rel_mase": row.rel_mase, "sql": row.ours.sql,
        "rel_sql": row.rel_sql, "cov80": row.ours.cov80, "cov95": row.ours.cov95,
        "fit_seconds": line.fit, "predict_seconds": line.predict,
    });
    if let Some(breaches) = line.breaches {
        object["breach_share"] = json!(breaches.came);
        object["breach_probability"] = json!(breaches.foreseen);
        object["brier"] = json!(breaches.brier);
    }
    object
}

/// The titles of a line's figures.
const FIGURES: [&str; 10] = [
    "HORIZON",
    "ORIGINS",
    "MASE",
    "REL MASE",
    "SQL",
    "REL SQL",
    "COV 80",
    "COV 95",
    "FIT MS",
    "PREDICT MS",
];

fn figures(line: &Line) -> [String; 10] {
    let Line { row, .. } = line;
    [
        line.horizon.to_owned(),
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
}

/// One table; where its lines do not fit into a terminal, one a series, with the series above it.
fn rows(lines: &[Line], width: Option<usize>) -> String {
    let whole = one_table(lines);
    let longest = whole.lines().map(|line| line.chars().count()).max();
    match (width, longest) {
        (Some(width), Some(longest)) if longest > width => a_table_a_series(lines),
        _ => whole,
    }
}

fn one_table(lines: &[Line]) -> String {
    use Align::{Left, Right};
    let columns = FIGURES.map(|title| (title, Right));
    let columns = with_names(columns, [("SERIES", Left), ("MODEL", Left)]);
    let row = |line: &Line| {
        let names = [line.series, line.model].map(str::to_owned);
        with_names(figures(line), names)
    };
    table(columns, &lines.iter().map(row).collect::<Vec<_>>())
}

/// The cells of a row: the series before the horizon, and the model after it.
fn with_names<T>(figures: [T; 10], [series, model]: [T; 2]) -> [T; 12] {
    let (mut figures, mut names) = (figures.into_iter(), [series, model].into_iter());
    std::array::from_fn(|idx| {
        let cell = match idx {
            0 | 2 => names.next(),
            _ => figures.next(),
        };
        cell.expect("there are twelve cells")
    })
}

fn a_table_a_series(lines: &[Line]) -> String {
    let mut series: Vec<&str> = Vec::new();
    for line in lines {
        if !series.contains(&line.series) {
            series.push(line.series);
        }
    }
    let columns = FIGURES.map(|title| (title, Align::Right));
    let block = |name: &str| {
        let of_series: Vec<_> = lines.iter().filter(|line| line.series == name).collect();
        let model = of_series.first().map_or("", |line| line.model);
        let rows: Vec<_> = of_series.into_iter().map(figures).collect();
        format!("{name} ({model})\n{}", table(columns, &rows))
    };
    series.into_iter().map(block).collect::<Vec<_>>().join("\n")
}

/// One line a horizon: geometric means over series of the figures relative to SeasonalNaive.
fn totals(lines: &[Line], horizons: &[Reported<'_>]) -> String {
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

/// How breaches were foreseen over some windows.
#[derive(Debug, Clone, Copy)]
struct Breaches {
    n: usize,
    /// The share of windows in which one came.
    came: f64,
    /// The mean probability.
    foreseen: f64,
    /// The mean squared difference of the two (Brier 1950).
    brier: f64,
}

impl Breaches {
    /// Of the windows that have a probability and a known outcome; `None` when there are none.
    fn of<'t>(
        tried: impl Iterator<Item = &'t Tried>,
        threshold: usize,
        column: usize,
    ) -> Option<Self> {
        let is_meant = |breach: &&Breach| breach.threshold == threshold && breach.horizon == column;
        let breaches = tried.filter_map(|one| one.breaches.iter().find(is_meant));
        let checked = |breach: &Breach| {
            let came = f64::from(u8::from(breach.came?));
            Some((breach.foreseen?, came))
        };
        let pairs: Vec<(f64, f64)> = breaches.filter_map(checked).collect();
        let mean =
            |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
        (!pairs.is_empty()).then(|| Self {
            n: pairs.len(),
            came: mean(|pair| pair.1),
            foreseen: mean(|pair| pair.0),
            brier: mean(|pair| (pair.0 - pair.1).powi(2)),
        })
    }

    /// How much better than always saying the share of windows with a breach: 1 is perfect, 0 no better. NaN where
    /// all windows ended alike.
    fn skill(self) -> f64 {
        1.0 - self.brier / (self.came * (1.0 - self.came))
    }
}

/// One line a threshold and horizon: what was foreseen of breaches, and what came.
fn breaches(tried: &[Tried], horizons: &[Reported<'_>], thresholds: &[Threshold]) -> String {
    use Align::{Left, Right};
    let columns = [
        ("BREACH", Left),
        ("HORIZON", Right),
        ("WINDOWS", Right),
        ("CAME", Right),
        ("FORESEEN", Right),
        ("BRIER", Right),
        ("SKILL", Right),
    ];
    let mut rows = Vec::new();
    for (idx, threshold) in thresholds.iter().enumerate() {
        for (column, (horizon, _)) in horizons.iter().enumerate() {
            let Some(all) = Breaches::of(tried.iter(), idx, column) else {
                continue;
            };
            let skill = Some(all.skill()).filter(|skill| skill.is_finite());
            rows.push([
                threshold.to_string(),
                (*horizon).to_owned(),
                all.n.to_string(),
                format!("{:.3}", all.came),
                format!("{:.3}", all.foreseen),
                format!("{:.3}", all.brier),
                skill.map_or_else(|| "-".to_owned(), |skill| format!("{skill:.3}")),
            ]);
        }
    }
    table(columns, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_the_legend_is_too_long_for_a_terminal() {
        assert!(legend(true).lines().all(|line| line.chars().count() <= 79));
    }
}
