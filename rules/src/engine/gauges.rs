//! The series that a rule is served as: names, labels, and what they mean.

use super::state::Row;
use crate::{ForecastRule, RecordRule, RuleKind};
use series::Labels;

/// How far ahead.
pub(super) const HORIZON: &str = "horizon";

/// The level of a forecast.
pub(super) const QUANTILE: &str = "quantile";

/// The share of values that a band is made for.
pub(super) const BAND: &str = "band";

/// The label by which Prometheus knows which queries to send to remote read.
pub(super) const SOURCE: &str = "source";

/// The value of the label [`SOURCE`].
const FORESHADOW: &str = "foreshadow";

/// When a curve was issued, of one that is not the latest.
pub(super) const ORIGIN: &str = "origin";

/// What a curve has besides the labels of its input; only one of an earlier evaluation has an origin.
pub(super) fn of_curve<'a>(origin: &'a str, level: &'a str) -> [(&'static str, &'a str); 3] {
    [(ORIGIN, origin), (QUANTILE, level), (SOURCE, FORESHADOW)]
}

/// All labels of a curve.
pub(super) fn curve_labels(input: &Labels, name: &str, own: [(&str, &str); 3]) -> Labels {
    let [origin, quantile, source] = own;
    input.with_all(&[("__name__", name), origin, quantile, source])
}

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

/// How the samples of one series are handed over: the labels of its input, the labels that are added to them in order
/// of names, and the value.
pub(super) type Take<'t> = dyn FnMut(&Labels, &[(&str, &str)], f64) + 't;

impl RuleKind {
    /// The names that a rule gives its gauges, and what each means.
    pub(crate) fn gauges(&self) -> Vec<(String, Meaning)> {
        match self {
            Self::Record(RecordRule { name, .. }) => vec![(name.clone(), Meaning::Recorded)],
            Self::Forecast(rule) => {
                let name = &rule.name;
                vec![
                    (rule.gauge(), Meaning::Forecast),
                    (format!("{name}:forecast_mase_ratio"), Meaning::Mase),
                    (format!("{name}:forecast_coverage_ratio"), Meaning::Coverage),
                    (format!("{name}:anomaly_score"), Meaning::Anomaly),
                ]
            }
        }
    }
}

impl Row {
    /// Hands over those of its samples that mean this; `levels` are the rule's quantiles as texts.
    pub(super) fn each(
        &self,
        meaning: Meaning,
        (kind, levels): (&RuleKind, &[String]),
        take: &mut Take<'_>,
    ) {
        let labels = &self.labels;
        match (meaning, kind) {
            (Meaning::Recorded, _) | (_, RuleKind::Record(_)) => take(labels, &[], self.values[0]),
            (Meaning::Anomaly, _) => {
                if let Some(score) = self.quality.anomaly {
                    take(labels, &[], score);
                }
            }
            (Meaning::Forecast, RuleKind::Forecast(rule)) => self.forecasts((rule, levels), take),
            (Meaning::Mase | Meaning::Coverage, RuleKind::Forecast(rule)) => {
                self.standings(meaning, rule, take);
            }
        }
    }

    fn forecasts(&self, (rule, levels): (&ForecastRule, &[String]), take: &mut Take<'_>) {
        let of_horizon = self.values.chunks(levels.len());
        for (values, ahead) in of_horizon.zip(&rule.horizons) {
            for (value, level) in values.iter().zip(levels) {
                let added = [(HORIZON, ahead.text.as_str()), (QUANTILE, level.as_str())];
                take(&self.labels, &added, *value);
            }
        }
    }

    fn standings(&self, meaning: Meaning, rule: &ForecastRule, take: &mut Take<'_>) {
        for (standing, ahead) in self.quality.standings.iter().zip(&rule.horizons) {
            let Some(standing) = standing else {
                continue;
            };
            let horizon = (HORIZON, ahead.text.as_str());
            if meaning == Meaning::Mase {
                if let Some(mase) = standing.mase {
                    take(&self.labels, &[horizon], mase);
                }
                continue;
            }
            for (band, share) in [("0.8", standing.coverage80), ("0.95", standing.coverage95)] {
                take(&self.labels, &[(BAND, band), horizon], share);
            }
        }
    }
}
