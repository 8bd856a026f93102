//! What is forecast and how, settled: by flags, or as a rule says.

use crate::{
    cli::{self, Named, Written},
    config::parse_rule_files,
};
use anyhow::{Context as _, bail};
use forecast::{Bounds, ModelKind, Settings};
use rules::{ForecastRule, RuleKind};
use series::Step;
use std::time::Duration;

/// Series and the way they are forecast.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) source: &'a cli::Source,
    /// PromQL of the flag or of the rule; none where files are read.
    pub(crate) query: Option<String>,
    pub(crate) step: Step,
    pub(crate) history: Duration,
    /// Shortest first, at least one.
    pub(crate) horizons: Vec<Written>,
    model: ModelKind,
    seasons: Option<Vec<Duration>>,
    bounds: Option<Bounds>,
}

impl<'a> Subject<'a> {
    /// What some flags ask for; `horizons` are those of a request without a rule.
    pub(crate) fn of(flags: &'a cli::Subject, horizons: Vec<Written>) -> anyhow::Result<Self> {
        if let Some(named) = &flags.source.rule {
            return Ok(Self::of_rule(&flags.source, find(named)?));
        }
        let seasons: Vec<_> = flags.season.iter().map(|season| season.get()).collect();
        Ok(Self {
            source: &flags.source,
            query: flags.source.query.clone(),
            step: Step::new(flags.step.get())?,
            history: flags.history.get(),
            horizons,
            model: flags.model.into(),
            seasons: Some(seasons).filter(|seasons| !seasons.is_empty()),
            bounds: flags.bounds,
        })
    }

    fn of_rule(source: &'a cli::Source, rule: ForecastRule) -> Self {
        let horizons = rule.horizons.iter().map(|horizon| Written {
            text: horizon.text.clone(),
            length: horizon.horizon.get(),
        });
        Self {
            source,
            horizons: horizons.collect(),
            query: Some(rule.expr),
            step: rule.step,
            history: rule.history,
            model: rule.settings.model,
            seasons: rule.settings.seasons,
            bounds: Some(rule.settings.bounds),
        }
    }

    /// How far ahead the furthest horizon is.
    pub(crate) fn furthest(&self) -> Duration {
        self.horizons
            .iter()
            .map(|horizon| horizon.length)
            .max()
            .unwrap_or_default()
    }

    /// How a series is forecast; `otherwise` are its bounds where none were asked for.
    pub(crate) fn settings(&self, otherwise: Bounds) -> Settings {
        Settings {
            model: self.model,
            seasons: self.seasons.clone(),
            bounds: self.bounds.unwrap_or(otherwise),
            max_horizon: self.furthest(),
        }
    }
}

/// The forecast rule of a name. Its file must be sound.
fn find(named: &Named) -> anyhow::Result<ForecastRule> {
    let file = named.file.display();
    let (groups, problems) = parse_rule_files([named.file.clone()]);
    if let Some(problems) = yaml::Problems::collect(problems) {
        return Err(problems).with_context(|| format!("reading {file}"));
    }
    let rules = groups.into_iter().flat_map(|group| group.rules);
    let forecasts = rules.filter_map(|rule| match rule.kind {
        RuleKind::Forecast(rule) => Some(rule),
        RuleKind::Record(_) => None,
    });
    let mut others = Vec::new();
    for rule in forecasts {
        if rule.name == named.name {
            return Ok(rule);
        }
        others.push(rule.name);
    }
    match &others[..] {
        [] => bail!("{file} has no forecast rule"),
        others => bail!(
            "{file} has no forecast rule `{}`; it has {}",
            named.name,
            others.join(", ")
        ),
    }
}
