//! Rules after every check: what the engine may rely on.

use forecast::Settings;
use series::{Horizon, Labels, Quantile, Step};
use std::time::Duration;

/// Rules that are evaluated together, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The file as the user named it.
    pub file: String,
    /// Unique within its file.
    pub name: String,
    /// The time between evaluations; the configuration's where it is left out.
    pub interval: Option<Duration>,
    /// How far queries look back from the evaluation, to let late samples arrive.
    pub query_offset: Option<Duration>,
    /// The most series that one rule's expression may give.
    pub limit: usize,
    /// In the order of the file.
    pub rules: Vec<Rule>,
}

/// A rule and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Counted from one.
    pub line: usize,
    /// What it does.
    pub kind: RuleKind,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleKind {
    /// Foresees the series that an expression gives.
    Forecast(ForecastRule),
    /// Evaluates PromQL, predicted series included, as a recording rule of Prometheus.
    Record(RecordRule),
}

/// A `forecast:` rule.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastRule {
    /// What the predicted series are named after.
    pub name: String,
    /// PromQL that gives the series to foresee.
    pub expr: String,
    /// The label by whose values the expression is evaluated, one after the other; all at once where there is none.
    pub for_each: Option<String>,
    /// The resolution of the models.
    pub step: Step,
    /// How much is read at the first evaluation; longer than the longest horizon.
    pub history: Duration,
    /// Shortest first, at least one.
    pub horizons: Vec<NamedHorizon>,
    /// Ascending, at least one.
    pub quantiles: Vec<Quantile>,
    /// Model, seasons and bounds.
    pub settings: Settings,
    /// Added to each predicted series.
    pub labels: Labels,
}

/// A horizon and how the user wrote it. `24h` stays `24h` in the `horizon` label, although Prometheus would
/// write `1d`: an alert on what is written in the rule must find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedHorizon {
    /// How far ahead.
    pub horizon: Horizon,
    /// The value of the `horizon` label.
    pub text: String,
}

/// A `record:` rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRule {
    /// The metric's name.
    pub name: String,
    /// PromQL.
    pub expr: String,
    /// Added to each series.
    pub labels: Labels,
}

impl Rule {
    /// The same rule with the labels of its group, which give way to its own.
    #[must_use]
    pub(crate) fn with_labels_below(mut self, of_group: &Labels) -> Self {
        let (RuleKind::Forecast(ForecastRule { labels, .. })
        | RuleKind::Record(RecordRule { labels, .. })) = &mut self.kind;
        let own: Vec<_> = labels.iter().collect();
        *labels = of_group.with_all(&own);
        self
    }
}

impl RuleKind {
    /// The name that the rule's series have or begin with.
    pub fn name(&self) -> &str {
        match self {
            Self::Forecast(rule) => &rule.name,
            Self::Record(rule) => &rule.name,
        }
    }
}

impl ForecastRule {
    /// The name of the predicted gauge, `NAME:forecast`.
    pub fn gauge(&self) -> String {
        format!("{}:forecast", self.name)
    }

    /// The name of the future curve, `NAME:forecast_curve`.
    pub fn curve(&self) -> String {
        format!("{}:forecast_curve", self.name)
    }

    /// The furthest that the rule looks ahead.
    pub fn longest_horizon(&self) -> Duration {
        self.settings.max_horizon
    }

    /// Gauges that each series of the input is served as, once its forecasts could be judged: for each horizon the
    /// quantiles, the scaled error and the coverage of two bands, and the score of the last sample.
    pub fn n_gauges(&self) -> usize {
        self.horizons.len() * (self.quantiles.len() + 3) + 1
    }

    /// Samples of one series in a history without gaps.
    pub fn n_history(&self) -> usize {
        self.step.count(self.history)
    }
}

/// What a rule is given where its file is silent.
pub mod defaults {
    use std::time::Duration;

    /// The interval at which most Prometheus servers scrape and evaluate.
    pub const STEP: Duration = Duration::from_mins(1);
    /// Two weeks: the fewest that show a weekly season twice.
    pub const HISTORY: Duration = Duration::from_hours(14 * 24);
    /// Time enough to scale, to call somebody, to plan a shift, and the same hour tomorrow.
    pub const HORIZONS: [&str; 4] = ["15m", "1h", "6h", "24h"];
    /// The median within a band that nine of ten values stay in.
    pub const QUANTILES: [f64; 3] = [0.05, 0.5, 0.95];
    /// Enough for every instance of a large fleet, and far below what a forgotten `by` lets loose.
    pub const LIMIT: usize = 10_000;
}
