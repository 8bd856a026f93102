//! Flags of forecasts and backtests.

use super::ReportFormat;
use crate::{address::Address, query::Question};
use clap::{Args, ValueEnum};
use forecast::{Bounds, ModelKind};
use series::{DurationError, Labels, PromDuration};
use std::{num::NonZeroUsize, path::PathBuf, str::FromStr, time::Duration};

/// Where series are read from: one of files, a query, or a rule.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("input").args(["csv", "query", "rule"]).required(true))]
pub(crate) struct Source {
    /// PromQL that gives the series
    #[arg(long, value_name = "EXPR")]
    pub(crate) query: Option<String>,
    /// CSV files, or folders of them: a header, a column `timestamp`, one column a series
    #[arg(long, value_name = "FILE|DIR", num_args = 1..)]
    pub(crate) csv: Vec<PathBuf>,
    /// A forecast rule of a rule file, tried as it will run: its expression, step, history, horizons, seasons, bounds and model
    #[arg(long, value_name = "FILE:NAME")]
    pub(crate) rule: Option<Named>,
    /// Address of the Prometheus that is asked
    #[arg(
        long = "prometheus.url",
        value_name = "URL",
        default_value = "http://127.0.0.1:9090"
    )]
    pub(crate) prometheus_url: Address,
}

/// A rule by its file and name. Names hold colons, so the file ends at the first `:` behind which a rule's name follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) file: PathBuf,
    pub(crate) name: String,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((file, name)) if !file.is_empty() && !name.is_empty() => Ok(Self {
                file: file.into(),
                name: name.to_owned(),
            }),
            _ => Err("a rule is named by its file and its name, like rules.yml:service:http_requests:rate5m".to_owned()),
        }
    }
}

/// A duration, and how it was written: `24h` stays `24h` in reports, although Prometheus would write `1d`.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) length: Duration,
}

impl FromStr for Written {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let length = text.parse::<PromDuration>()?.get();
        Ok(Self {
            text: text.to_owned(),
            length,
        })
    }
}

/// How a forecast is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns
    Table,
    /// One object a line
    Json,
    /// A drawing in the terminal
    Plot,
}

/// The model that forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Model {
    /// Seasons, level and slope that every sample moves a little
    Online,
    /// MSTL where history suffices, the seasonal naive model elsewhere
    Auto,
    /// MSTL with an AutoETS trend
    Mstl,
    /// The value one season ago
    SeasonalNaive,
}

impl From<Model> for ModelKind {
    fn from(model: Model) -> Self {
        match model {
            Model::Online => Self::Online,
            Model::Auto => Self::Auto,
            Model::Mstl => Self::Mstl,
            Model::SeasonalNaive => Self::SeasonalNaive,
        }
    }
}

/// Which series are forecast, and how. A rule says all of it by itself.
#[derive(Debug, Args)]
pub(crate) struct Subject {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Time from sample to sample
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5m",
        conflicts_with = "rule"
    )]
    pub(crate) step: PromDuration,
    /// The most history that a model sees
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "14d",
        conflicts_with = "rule"
    )]
    pub(crate) history: PromDuration,
    /// Season lengths [default: found in the history]
    #[arg(
        long,
        value_name = "DURATION,...",
        value_delimiter = ',',
        conflicts_with = "rule"
    )]
    pub(crate) season: Vec<PromDuration>,
    /// Values that the series cannot leave, like `0,1` or `0,null` [default: found by a backtest, none for a forecast]
    #[arg(long, value_name = "LOW,HIGH", value_parser = bounds, allow_hyphen_values = true, conflicts_with = "rule")]
    pub(crate) bounds: Option<Bounds>,
    /// The model
    #[arg(long, value_enum, default_value = "online", conflicts_with = "rule")]
    pub(crate) model: Model,
}

/// Two values with a comma between them, in brackets or not; nothing or `null` is no limit.
fn bounds(text: &str) -> Result<Bounds, String> {
    let form =
        || "bounds are two numbers in order, like 0,1; null is no limit, as in 0,null".to_owned();
    let inner = text.trim();
    let inner = inner
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(inner);
    let (lower, upper) = inner.split_once(',').ok_or_else(form)?;
    let side = |text: &str, none: f64| match text.trim() {
        "" | "null" => Ok(none),
        number => number
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .ok_or_else(form),
    };
    let bounds = Bounds {
        lower: side(lower, f64::NEG_INFINITY)?,
        upper: side(upper, f64::INFINITY)?,
    };
    Some(bounds)
        .filter(|bounds| bounds.lower < bounds.upper)
        .ok_or_else(form)
}

/// Which series a threshold is for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Whose {
    All,
    /// Those that a selector picks.
    Selected(String),
    /// The one of this name.
    Named(String),
}

/// A value that a series is not to pass, upwards or downwards.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Threshold {
    pub(crate) whose: Whose,
    pub(crate) is_below: bool,
    pub(crate) value: f64,
}

impl FromStr for Threshold {
    type Err = String;

    /// `0.8`, `> 0.8`, `< 0.2`, `{service="checkout"} > 300`, `NAME < 10`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (whose, comparison) = match text.rfind(['<', '>']) {
            Some(at) => text.split_at(at),
            None => ("", text),
        };
        let is_below = comparison.starts_with('<');
        let number = comparison.trim_start_matches(['<', '>']).trim();
        let value = number
            .parse::<f64>()
            .ok()
            .filter(|value| value.is_finite())
            .ok_or_else(|| {
                format!("a threshold is a finite number, or a comparison like '< 0.2' or '{{service=\"checkout\"}} > 300'; `{number}` is no finite number")
            })?;
        let whose = match whose.trim() {
            "" => Whose::All,
            selector if selector.ends_with('}') => {
                Question::selector(selector).map_err(|refused| refused.to_string())?;
                Whose::Selected(selector.to_owned())
            }
            name => Whose::Named(name.to_owned()),
        };
        Ok(Self {
            whose,
            is_below,
            value,
        })
    }
}

impl Threshold {
    /// Whether the threshold is for a series of this name and, where it comes from Prometheus, these labels.
    pub(crate) fn is_for(&self, name: &str, labels: Option<&Labels>) -> bool {
        match &self.whose {
            Whose::All => true,
            Whose::Named(one) => one == name,
            Whose::Selected(selector) => labels.is_some_and(|labels| {
                Question::selector(selector).is_ok_and(|selector| selector.matches(labels))
            }),
        }
    }

    /// Whether a value lies beyond it.
    pub(crate) fn is_passed_by(&self, value: f64) -> bool {
        if self.is_below {
            value < self.value
        } else {
            value > self.value
        }
    }
}

impl std::fmt::Display for Threshold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.whose {
            Whose::All => {}
            Whose::Selected(text) | Whose::Named(text) => write!(f, "{text} ")?,
        }
        let sign = if self.is_below { '<' } else { '>' };
        write!(f, "{sign} {}", self.value)
    }
}

/// A rolling-origin test.
#[derive(Debug, Args)]
pub(crate) struct Backtest {
    #[command(flatten)]
    pub(crate) subject: Subject,
    /// How far ahead each window reaches
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "24h",
        conflicts_with = "rule"
    )]
    pub(crate) horizon: Written,
    /// Windows a series, at least one; the last one ends with the series
    #[arg(long, value_name = "N", default_value = "5", value_parser = at_least_one)]
    pub(crate) origins: NonZeroUsize,
    /// Time from one origin to the next
    #[arg(long, value_name = "DURATION", default_value = "20h50m")]
    pub(crate) stride: PromDuration,
    /// Foresee also the chance of passing a value within each horizon: `0.8`, `'< 0.2'`, `'{service="checkout"} > 300'` or
    /// `'NAME > 300'`; may be given several times
    #[arg(
        long = "threshold",
        value_name = "[SERIES] [>|<] VALUE",
        allow_hyphen_values = true
    )]
    pub(crate) thresholds: Vec<Threshold>,
    /// Write every forecast to a file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub(crate) forecasts: Option<PathBuf>,
    /// How the report is written
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: ReportFormat,
}

fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| {
        "a backtest needs at least one window a series: a whole number from 1 on".to_owned()
    })
}

/// A forecast from now on.
#[derive(Debug, Args)]
pub(crate) struct Forecast {
    #[command(flatten)]
    pub(crate) subject: Subject,
    /// How far ahead
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "6h",
        conflicts_with = "rule"
    )]
    pub(crate) horizon: Written,
    /// How it is written
    #[arg(long, value_enum, default_value = "plot")]
    pub(crate) format: Format,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn threshold(text: &str, expect: Threshold) {
        assert_eq!(text.parse(), Ok(expect), "{text}");
    }

    #[test]
    fn a_threshold_has_a_direction_and_may_be_for_some_series() {
        let all = |is_below, value| Threshold {
            whose: Whose::All,
            is_below,
            value,
        };
        threshold("0.8", all(false, 0.8));
        threshold("> 0.8", all(false, 0.8));
        threshold("<-2", all(true, -2.0));
        threshold("-2", all(false, -2.0));
        let whose = Whose::Named("shop/checkout:load".to_owned());
        let named = Threshold {
            whose,
            ..all(true, 10.0)
        };
        threshold("shop/checkout:load < 10", named);
        let selected: Threshold = r#"{service="checkout"} > 300"#.parse().unwrap();
        assert!(matches!(selected.whose, Whose::Selected(_)));
        for wrong in ["NaN", "> ", "high", "x > y", "{service=} > 3"] {
            assert!(wrong.parse::<Threshold>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn bounds_are_written_as_in_a_rule_or_shorter() {
        let check = |text: &str, lower: f64, upper: f64| {
            assert_eq!(bounds(text), Ok(Bounds { lower, upper }), "{text}");
        };
        check("0,1", 0.0, 1.0);
        check("[0, null]", 0.0, f64::INFINITY);
        check("0,", 0.0, f64::INFINITY);
        check("null,-1.5", f64::NEG_INFINITY, -1.5);
        for wrong in ["1", "1,0", "0,NaN", "a,b", "1,1"] {
            assert!(bounds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rule_is_named_by_file_and_name() {
        let named: Named = "rules/shop.yml:service:load:rate5m".parse().unwrap();
        assert_eq!(named.file.to_str(), Some("rules/shop.yml"));
        assert_eq!(named.name, "service:load:rate5m");
        assert!("rules.yml".parse::<Named>().is_err());
    }
}
