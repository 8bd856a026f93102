//! What other forecasters reached on the development series, by the same protocol.

/// Where the figures come from.
pub(super) const ORIGIN: &str = "Measured once on 40 public series of five minutes (200 windows: CloudWatch metrics of the Numenta \
     Anomaly Benchmark, container usage from crane, server metrics of the Server Machine Dataset, web requests to NASA), \
     with statsforecast, prophet, flaircast and fracast from PyPI and augurs from crates.io, on two cores. They do not \
     change with the folder.";

/// One model at one horizon.
pub(super) struct Reference {
    model: &'static str,
    horizon: &'static str,
    rel_mase: f64,
    rel_sql: f64,
    cov80: f64,
    /// Absent where the model gives no such band.
    cov95: Option<f64>,
    cpu_ms: f64,
}

impl Reference {
    pub(super) fn row(&self) -> Vec<String> {
        vec![
            self.model.to_owned(),
            self.horizon.to_owned(),
            format!("{:.3}", self.rel_mase),
            format!("{:.3}", self.rel_sql),
            format!("{:.2}", self.cov80),
            self.cov95
                .map_or("–".to_owned(), |share| format!("{share:.2}")),
            format!("{:.0}", self.cpu_ms),
        ]
    }
}

const fn known(
    model: &'static str,
    horizon: &'static str,
    [rel_mase, rel_sql, cov80, cov95]: [f64; 4],
    cpu_ms: f64,
) -> Reference {
    let cov95 = if cov95.is_nan() { None } else { Some(cov95) };
    Reference {
        model,
        horizon,
        rel_mase,
        rel_sql,
        cov80,
        cov95,
        cpu_ms,
    }
}

const NONE: f64 = f64::NAN;

/// Ascending by the quantile loss. Plain AutoETS has no finite loss at a day.
pub(super) const REFERENCES: [Reference; 15] = [
    known(
        "Fracast 0.1.0, pretrained",
        "1h",
        [0.492, 0.420, 0.84, NONE],
        262.0,
    ),
    known("FLAIR 0.6.1", "1h", [0.602, 0.466, 0.77, 0.89], 21.0),
    known(
        "MSTL + AutoETS, statsforecast",
        "1h",
        [0.689, 0.565, 0.81, 0.90],
        616.0,
    ),
    known(
        "AutoTheta, statsforecast (last origin)",
        "1h",
        [0.545, 0.609, 0.82, 0.88],
        2489.0,
    ),
    known(
        "MSTL + AutoETS, augurs 0.10",
        "1h",
        [0.765, 0.657, 0.75, 0.84],
        51.0,
    ),
    known(
        "Prophet (two origins)",
        "1h",
        [1.732, 0.905, 0.77, 0.89],
        364.0,
    ),
    known("Naive", "1h", [0.518, 0.928, 0.89, 0.94], 1.0),
    known("SeasonalNaive", "1h", [1.000, 1.000, 0.84, 0.89], 1.0),
    known(
        "Fracast 0.1.0, pretrained",
        "24h",
        [0.887, 0.716, 0.77, NONE],
        262.0,
    ),
    known("FLAIR 0.6.1", "24h", [1.028, 0.789, 0.74, 0.87], 21.0),
    known(
        "Prophet (two origins)",
        "24h",
        [1.244, 0.978, 0.74, 0.84],
        364.0,
    ),
    known(
        "AutoTheta, statsforecast (last origin)",
        "24h",
        [0.729, 0.989, 0.94, 0.97],
        2489.0,
    ),
    known("SeasonalNaive", "24h", [1.000, 1.000, 0.84, 0.89], 1.0),
    known(
        "MSTL + AutoETS, statsforecast",
        "24h",
        [1.127, 1.035, 0.90, 0.95],
        616.0,
    ),
    known(
        "MSTL + AutoETS, augurs 0.10",
        "24h",
        [1.120, 1.098, 0.86, 0.92],
        51.0,
    ),
];
