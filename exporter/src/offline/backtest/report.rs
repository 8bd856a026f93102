//! The report of a backtest: a line each series and horizon, and the totals.

use super::{Breach, Reported, Tried};
use crate::{
    cli::{Backtest, ReportFormat},
    offline::{input::Named, plot::number},
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
pub(super) fn print(
    series: &[Named],
    tried: &[Tried],
    horizons: &[Reported<'_>],
    request: &Backtest,
) {
    let lines = lines(series, tried, horizons);
    match request.format {
        ReportFormat::Json => lines
            .iter()
            .for_each(|line| say(&format!("{}\n", to_json(line)))),
        ReportFormat::Table => {
            say(&format!("{}\n{}", rows(&lines), totals(&lines, horizons)));
            if let Some(threshold) = request.threshold {
                say(&format!("\n{}", breaches(tried, horizons, threshold)));
            }
        }
    }
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
                breaches: Breaches::of(of_series.iter().copied(), column),
                fit,
                predict,
            });
        }
    }
    lines
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
    fn of<'t>(tried: impl Iterator<Item = &'t Tried>, column: usize) -> Option<Self> {
        let breaches = tried.filter_map(|one| one.breaches.get(column));
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

/// One line a horizon: what was foreseen of breaches, and what came.
fn breaches(tried: &[Tried], horizons: &[Reported<'_>], threshold: f64) -> String {
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
    let row = |(column, (horizon, _)): (usize, &Reported<'_>)| {
        let all = Breaches::of(tried.iter(), column)?;
        let skill = Some(all.skill()).filter(|skill| skill.is_finite());
        Some([
            format!("> {threshold}"),
            (*horizon).to_owned(),
            all.n.to_string(),
            format!("{:.3}", all.came),
            format!("{:.3}", all.foreseen),
            format!("{:.3}", all.brier),
            skill.map_or_else(|| "-".to_owned(), |skill| format!("{skill:.3}")),
        ])
    };
    let rows: Vec<_> = horizons.iter().enumerate().filter_map(row).collect();
    table(columns, &rows)
}
