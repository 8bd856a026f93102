//! The series that a rule is served as: names, labels, and what they mean.

use super::{Predicted, state::Row};
use crate::ForecastRule;
use forecast::Standing;
use series::Labels;

/// How far ahead.
pub(super) const HORIZON: &str = "horizon";

/// The level of a forecast.
pub(super) const QUANTILE: &str = "quantile";

/// The share of values that a band is made for.
pub(super) const BAND: &str = "band";

/// The label by which Prometheus knows which queries to send to remote read.
pub(super) const SOURCE: &str = "source";

/// What a predicted series says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// What a series will be.
    Forecast,
    /// How far off its forecasts were.
    Mase,
    /// How often its bands held.
    Coverage,
    /// How unusual its last sample was.
    Anomaly,
    /// What PromQL gave.
    Recorded,
}

impl Meaning {
    /// One line for `# HELP`.
    pub fn help(self) -> &'static str {
        match self {
            Self::Forecast => "The value foreseen for the time of the sample plus the horizon.",
            Self::Mase => {
                "Mean absolute error of past forecasts, in units of the naive forecast's; 1 is as good as naive."
            }
            Self::Coverage => {
                "Share of past values inside the central band of their forecasts; the band's own level is ideal."
            }
            Self::Anomaly => {
                "How unusual the last sample was: 0 inside the 80 % band, 1 at the edge of the 99 % band."
            }
            Self::Recorded => "Recorded by a rule.",
        }
    }
}

/// The names that a forecast rule gives its series.
pub(super) struct Gauges<'r> {
    rule: &'r ForecastRule,
    forecast: String,
    mase: String,
    coverage: String,
    anomaly: String,
}

impl<'r> Gauges<'r> {
    pub(super) fn of(rule: &'r ForecastRule) -> Self {
        let name = &rule.name;
        Self {
            rule,
            forecast: rule.gauge(),
            mase: format!("{name}:forecast_mase_ratio"),
            coverage: format!("{name}:forecast_coverage_ratio"),
            anomaly: format!("{name}:anomaly_score"),
        }
    }

    /// All samples of one series.
    pub(super) fn expose(&self, row: &Row) -> Vec<Predicted> {
        let mut all = Vec::with_capacity(row.n_samples());
        self.expose_forecasts(row, &mut all);
        let standings = row.quality.standings.iter().zip(&self.rule.horizons);
        for (standing, ahead) in standings {
            if let Some(standing) = standing {
                self.expose_standing(&row.labels.with(HORIZON, &ahead.text), standing, &mut all);
            }
        }
        all.extend(row.quality.anomaly.map(|value| Predicted {
            labels: row.labels.named(&self.anomaly),
            value,
            meaning: Meaning::Anomaly,
        }));
        all
    }

    fn expose_forecasts(&self, row: &Row, all: &mut Vec<Predicted>) {
        let named = row.labels.named(&self.forecast);
        let of_horizon = row.values.chunks(self.rule.quantiles.len());
        for (values, ahead) in of_horizon.zip(&self.rule.horizons) {
            let labels = named.with(HORIZON, &ahead.text);
            let of_level = values.iter().zip(&self.rule.quantiles);
            all.extend(of_level.map(|(value, level)| Predicted {
                labels: labels.with(QUANTILE, level.to_string()),
                value: *value,
                meaning: Meaning::Forecast,
            }));
        }
    }

    fn expose_standing(&self, labels: &Labels, standing: &Standing, all: &mut Vec<Predicted>) {
        all.extend(standing.mase.map(|value| Predicted {
            labels: labels.named(&self.mase),
            value,
            meaning: Meaning::Mase,
        }));
        let bands = [("0.8", standing.coverage80), ("0.95", standing.coverage95)];
        all.extend(bands.map(|(band, value)| Predicted {
            labels: labels.named(&self.coverage).with(BAND, band),
            value,
            meaning: Meaning::Coverage,
        }));
    }
}

/// The one sample of a recording's series.
pub(super) fn recorded(row: &Row) -> Predicted {
    Predicted {
        labels: row.labels.clone(),
        value: row.values[0],
        meaning: Meaning::Recorded,
    }
}
