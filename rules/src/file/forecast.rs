//! Reads a `forecast:` rule.

use super::{NOT_AVAILABLE, duration, expr, labels, metric_name, positive};
use crate::{ForecastRule, NamedHorizon, rule::defaults, shards::shard};
use forecast::{Bounds, History, ModelKind, Settings};
use series::{Horizon, Labels, PromDuration, Quantile, Step, is_label_name};
use std::time::Duration;
use yaml::{Fields, Node};

/// Labels that tell apart what one rule gives for one series.
pub(super) const TAKEN: [&str; 5] = ["horizon", "quantile", "band", "source", "origin"];

/// Longer than anybody keeps samples; times this far back are still far inside the range of timestamps.
const MAX_HISTORY: Duration = Duration::from_hours(20 * 365 * 24);

/// Keys that are promised for later.
const REFUSED: [&str; 2] = ["calendar", "projections"];

/// Reads the fields, and checks them against one another where they could be read.
pub(super) fn read(fields: &Fields) -> Option<ForecastRule> {
    let name = fields.required("forecast", metric_name);
    let expr = fields.required("expr", expr::read);
    let for_each = or_default(
        fields,
        "for_each",
        |node| label_name(node).map(Some),
        || None,
    );
    let span = Span::read(fields);
    let quantiles = or_default(fields, "quantiles", quantiles, default_quantiles);
    let bounds = or_default(fields, "bounds", bounds, || Bounds::UNLIMITED);
    let model = or_default(fields, "model", model, ModelKind::default);
    let labels = or_default(fields, "labels", |n| labels(n, &TAKEN), Labels::default);
    if fields.has("record") {
        fields.optional("record", Node::string);
        fields.problem("record", "a rule is either `forecast` or `record`");
    }
    for key in REFUSED {
        fields.optional(key, refuse);
    }
    if let (Some(expr), Some(Some(label))) = (&expr, &for_each)
        && let Err(error) = shard(expr, label, "a")
    {
        fields.problem("for_each", format!("the expression {error}"));
    }
    let span = span?;
    let max_horizon = span.horizons.last()?.horizon.get();
    Some(ForecastRule {
        name: name?,
        expr: expr?,
        for_each: for_each?,
        step: span.step,
        history: span.history,
        settings: Settings {
            model: model?,
            seasons: span.seasons,
            bounds: bounds?,
            max_horizon,
        },
        horizons: span.horizons,
        quantiles: quantiles?,
        labels: labels?,
    })
}

fn label_name(node: &Node) -> Option<String> {
    let name = node.string()?;
    if !is_label_name(&name) || name == "__name__" {
        node.problem(format!("`{name}` is not the name of a label"));
    }
    Some(name)
}

fn refuse(node: &Node) -> Option<()> {
    node.problem(NOT_AVAILABLE);
    None
}

/// A field, or its default where the file is silent; `None` where what is written cannot be read.
fn or_default<T>(
    fields: &Fields,
    key: &'static str,
    read: impl FnOnce(&Node) -> Option<T>,
    default: impl FnOnce() -> T,
) -> Option<T> {
    let is_silent = !fields.has(key);
    let value = fields.optional(key, read);
    if is_silent { Some(default()) } else { value }
}

/// All that is said about time.
struct Span {
    step: Step,
    history: Duration,
    horizons: Vec<NamedHorizon>,
    seasons: Option<Vec<Duration>>,
}

impl Span {
    fn read(fields: &Fields) -> Option<Self> {
        let step = or_default(fields, "step", step, default_step);
        let history = or_default(fields, "history", positive, || defaults::HISTORY);
        let horizons = or_default(fields, "horizons", horizons, default_horizons);
        let seasons = or_default(fields, "seasons", |n| seasons(n).map(Some), || None);
        let span = Self {
            step: step?,
            history: history?,
            horizons: horizons?,
            seasons: seasons?,
        };
        span.check_history(fields);
        span.check_seasons(fields);
        Some(span)
    }

    fn check_history(&self, fields: &Fields) {
        let n_samples = self.step.count(self.history);
        let history = PromDuration::new(self.history);
        if n_samples < 2 {
            let step = self.step;
            fields.problem(
                "history",
                format!("{history} holds less than two steps of {step}"),
            );
        }
        if self.history > MAX_HISTORY {
            let limit = PromDuration::new(MAX_HISTORY);
            fields.problem(
                "history",
                format!("{history} is longer than the {limit} allowed"),
            );
        }
        if n_samples > History::MAX_CELLS {
            let limit = History::MAX_CELLS;
            let message = format!("{n_samples} steps are more than the {limit} allowed");
            fields.problem("history", format!("{message}; take a longer step"));
        }
        if let Some(longest) = self.horizons.last()
            && longest.horizon.get() >= self.history
        {
            let longest = &longest.text;
            let message = format!("{history} is no longer than the longest horizon, {longest}");
            fields.problem("history", message);
        }
    }

    fn check_seasons(&self, fields: &Fields) {
        for season in self.seasons.iter().flatten() {
            let written = PromDuration::new(*season);
            if *season < self.step.get() * 2 {
                let step = self.step;
                let message = format!("season {written} is shorter than two steps of {step}");
                fields.problem("seasons", message);
            }
            if *season > self.history {
                fields.problem(
                    "seasons",
                    format!("season {written} is longer than the history"),
                );
            }
        }
    }
}

fn step(node: &Node) -> Option<Step> {
    let length = duration(node)?;
    node.accept(Step::new(length))
}

fn horizons(node: &Node) -> Option<Vec<NamedHorizon>> {
    let horizons = node.list(|item| {
        let text = item.string()?;
        let length: PromDuration = item.parse()?;
        let horizon = item.accept(Horizon::new(length.get()))?;
        Some(NamedHorizon { horizon, text })
    })?;
    ascending(node, &horizons, |a, b| a.horizon < b.horizon);
    Some(horizons)
}

fn quantiles(node: &Node) -> Option<Vec<Quantile>> {
    let quantiles = node.list(|item| item.accept(Quantile::new(item.number()?)))?;
    ascending(node, &quantiles, |a, b| a < b);
    Some(quantiles)
}

fn seasons(node: &Node) -> Option<Vec<Duration>> {
    let seasons = node.list(positive)?;
    ascending(node, &seasons, |a, b| a < b);
    Some(seasons)
}

fn ascending<T>(node: &Node, items: &[T], is_less: impl Fn(&T, &T) -> bool) {
    if items.is_empty() {
        node.problem("needs at least one value");
    }
    if !items.windows(2).all(|pair| is_less(&pair[0], &pair[1])) {
        node.problem("values must ascend, none twice");
    }
}

/// `[lower, upper]`, with `null` for an end that is open.
fn bounds(node: &Node) -> Option<Bounds> {
    let mut n_ends = 0;
    let ends = node.list(|item| {
        n_ends += 1;
        let is_open = item.is_null();
        if is_open {
            Some(None)
        } else {
            item.number().map(Some)
        }
    })?;
    if n_ends != 2 {
        node.problem("expected two values, [lower, upper]");
    }
    let [lower, upper] = ends[..] else {
        return None;
    };
    let bounds = Bounds {
        lower: lower.unwrap_or(f64::NEG_INFINITY),
        upper: upper.unwrap_or(f64::INFINITY),
    };
    if bounds.lower >= bounds.upper {
        node.problem("the lower bound must lie below the upper one");
    }
    Some(bounds)
}

fn model(node: &Node) -> Option<ModelKind> {
    match node.string()?.as_str() {
        "online" => Some(ModelKind::Online),
        "auto" => Some(ModelKind::Auto),
        "mstl" => Some(ModelKind::Mstl),
        "seasonal_naive" => Some(ModelKind::SeasonalNaive),
        other => {
            let known = "online, auto, mstl, seasonal_naive";
            node.problem(format!(
                "`{other}` is not a model, expected one of: {known}"
            ));
            None
        }
    }
}

fn default_step() -> Step {
    Step::new(defaults::STEP).expect("the default is a minute")
}

fn default_horizons() -> Vec<NamedHorizon> {
    let named = |text: &str| {
        let length: PromDuration = text.parse().expect("the default is a duration");
        let horizon = Horizon::new(length.get()).expect("the default is positive");
        let text = text.to_owned();
        NamedHorizon { horizon, text }
    };
    defaults::HORIZONS.into_iter().map(named).collect()
}

fn default_quantiles() -> Vec<Quantile> {
    let quantile = |level| Quantile::new(level).expect("the defaults lie between 0 and 1");
    defaults::QUANTILES.into_iter().map(quantile).collect()
}
