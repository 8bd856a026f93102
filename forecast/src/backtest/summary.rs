//! Scores of many windows as one row a series, and of many series as one figure.

use super::Score;
use crate::statistics::mean;

/// The scores of one series up to one horizon: means over its windows, ours and the seasonal naive model's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Windows that count.
    pub origins: usize,
    /// Our scores.
    pub ours: Score,
    /// Our MASE over the seasonal naive model's.
    pub rel_mase: f64,
    /// Our quantile loss over the seasonal naive model's.
    pub rel_sql: f64,
}

/// A whole test up to one horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Relative {
    /// Series that count.
    pub series: usize,
    /// Geometric mean over series of the relative MASE.
    pub rel_mase: f64,
    /// Geometric mean over series of the relative quantile loss.
    pub rel_sql: f64,
    /// Mean over series of the 80 % band's coverage.
    pub cov80: f64,
    /// Mean over series of the 95 % band's coverage.
    pub cov95: f64,
}

/// Means below this count as this: a perfect forecast is not infinitely better than a nearly perfect one.
const FLOOR: f64 = 1e-4;

/// The row of a series from its windows' scores, ours beside the naive ones; `None` without any.
pub fn summarise(windows: &[(Score, Score)]) -> Option<Row> {
    let over = |get: fn(&(Score, Score)) -> f64| mean(windows.iter().map(get));
    let ratio = |ours: f64, naive: f64| ours.max(FLOOR) / naive.max(FLOOR);
    let ours = Score {
        mase: over(|(ours, _)| ours.mase),
        sql: over(|(ours, _)| ours.sql),
        cov80: over(|(ours, _)| ours.cov80),
        cov95: over(|(ours, _)| ours.cov95),
    };
    (!windows.is_empty()).then(|| Row {
        origins: windows.len(),
        rel_mase: ratio(ours.mase, over(|(_, naive)| naive.mase)),
        rel_sql: ratio(ours.sql, over(|(_, naive)| naive.sql)),
        ours,
    })
}

/// One figure for many series; `None` for none.
pub fn relative(rows: &[Row]) -> Option<Relative> {
    let over = |get: fn(&Row) -> f64| mean(rows.iter().map(get));
    (!rows.is_empty()).then(|| Relative {
        series: rows.len(),
        rel_mase: over(|row| row.rel_mase.ln()).exp(),
        rel_sql: over(|row| row.rel_sql.ln()).exp(),
        cov80: over(|row| row.ours.cov80),
        cov95: over(|row| row.ours.cov95),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(size: f64) -> Score {
        Score {
            mase: size,
            sql: size / 2.0,
            cov80: 0.8,
            cov95: 0.9,
        }
    }

    #[test]
    fn a_series_is_the_ratio_of_means_and_many_are_the_geometric_mean_of_ratios() {
        let row = summarise(&[(score(1.0), score(3.0)), (score(3.0), score(5.0))]).unwrap();
        assert!((row.rel_mase - 0.5).abs() < 1e-12 && row.origins == 2);
        let perfect = summarise(&[(score(0.0), score(1.0))]).unwrap();
        assert!((perfect.rel_mase - FLOOR).abs() < 1e-12);
        let all = relative(&[row, perfect]).unwrap();
        assert!((all.rel_mase - (0.5 * FLOOR).sqrt()).abs() < 1e-12);
        assert!((all.cov80 - 0.8).abs() < 1e-12 && all.series == 2);
        assert!(summarise(&[]).is_none() && relative(&[]).is_none());
    }
}
