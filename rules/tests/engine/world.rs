//! A source that answers from functions of time, and helpers that speak of it.

use prometheus_api::{Answer, QueryError};
use rules::{Engine, Evaluated, Failure, GroupReport, Options, Source};
use series::{Labels, PromDuration, Sample, Series, Step, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

/// What there is to query. Cheap to clone; all clones are the same world.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<Inner>>);

#[derive(Default)]
pub(crate) struct Inner {
    /// Series by the expression that gives them.
    series: BTreeMap<String, Vec<Script>>,
    /// Expressions that fail, and how.
    pub(crate) failing: BTreeMap<String, fn() -> QueryError>,
    /// Every question fails after so many more.
    pub(crate) fails_after: Option<usize>,
    /// Put into each answer.
    pub(crate) warnings: Vec<String>,
    /// All that was asked for since it was last looked at.
    asked: Vec<String>,
    /// How long each answer takes.
    pub(crate) delay: Duration,
    /// How long the answers to some expressions take.
    pub(crate) delays: BTreeMap<String, Duration>,
    /// What becomes of a range, by its first and last second and its points.
    pub(crate) refuses: Option<Refuses>,
}

/// Whether a range is refused, and how.
pub(crate) type Refuses = Box<dyn Fn(i64, i64, i64) -> Option<QueryError> + Send>;

/// A series: its labels, and its value at a time in seconds.
struct Script {
    labels: Labels,
    value: Box<dyn Fn(i64) -> Option<f64> + Send>,
}

impl World {
    /// A world in which `load` is one series with a daily season.
    pub(crate) fn with_load() -> Self {
        let world = Self::default();
        world.add("load", &[("__name__", "load"), ("app", "shop")], |t| {
            Some(load(t))
        });
        world
    }

    pub(crate) fn add(
        &self,
        expr: &str,
        labels: &[(&str, &str)],
        value: impl Fn(i64) -> Option<f64> + Send + 'static,
    ) {
        let labels = Labels::new(labels.iter().copied()).unwrap();
        let value = Box::new(value);
        let mut inner = self.inner();
        let scripts = inner.series.entry(expr.to_owned()).or_default();
        scripts.push(Script { labels, value });
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// What was asked since the last look: `expr at T` or `expr START..END/STEP`, in seconds.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.inner().asked)
    }

    /// Notes the question, and fails where the world says so.
    async fn hear(&self, expr: &str, question: String) -> Result<(), QueryError> {
        let delay = {
            let inner = self.inner();
            inner.delays.get(expr).copied().unwrap_or(inner.delay)
        };
        tokio::time::sleep(delay).await;
        let mut inner = self.inner();
        inner.asked.push(format!("{expr} {question}"));
        if let Some(left) = &mut inner.fails_after {
            *left = left.checked_sub(1).ok_or_else(unavailable)?;
        }
        inner.failing.get(expr).map_or(Ok(()), |error| Err(error()))
    }

    fn read(&self, expr: &str, times: &[Timestamp]) -> Vec<Series> {
        let inner = self.inner();
        let scripts = inner.series.get(expr).into_iter().flatten();
        let series = scripts.map(|script| Series {
            labels: script.labels.clone(),
            samples: times.iter().filter_map(|at| script.sample(*at)).collect(),
        });
        series.filter(|series| !series.samples.is_empty()).collect()
    }
}

/// What a Prometheus says that is not up yet.
pub(crate) fn unavailable() -> QueryError {
    QueryError::ServerError {
        status: 503,
        message: "starting".to_owned(),
    }
}

impl Script {
    fn sample(&self, at: Timestamp) -> Option<Sample> {
        let value = (self.value)(at.as_millis() / 1000)?;
        Some(Sample { at, value })
    }
}

impl Source for World {
    async fn instant(
        &self,
        expr: &str,
        at: Timestamp,
    ) -> Result<Answer<Vec<(Labels, Sample)>>, QueryError> {
        self.hear(expr, format!("at {}", at.as_millis() / 1000))
            .await?;
        let series = self.read(expr, &[at]).into_iter();
        let samples = series.map(|series| (series.labels, series.samples[0]));
        let warnings = self.inner().warnings.clone();
        Ok(Answer::new(samples.collect(), warnings, Vec::new()))
    }

    async fn range(
        &self,
        expr: &str,
        start: Timestamp,
        end: Timestamp,
        step: Step,
    ) -> Result<Answer<Vec<Series>>, QueryError> {
        let [from, to] = [start, end].map(|at| at.as_millis() / 1000);
        self.hear(expr, format!("{from}..{to}/{step}")).await?;
        let n_points = (to - from) / i64::try_from(step.get().as_secs()).unwrap() + 1;
        if let Some(refuses) = &self.inner().refuses
            && let Some(error) = refuses(from, to, n_points)
        {
            return Err(error);
        }
        let times = std::iter::successors(Some(start), |at| Some(*at + step.get()));
        let times: Vec<_> = times.take_while(|at| *at <= end).collect();
        let warnings = self.inner().warnings.clone();
        Ok(Answer::new(self.read(expr, &times), warnings, Vec::new()))
    }
}

/// Between 80 and 120, with a season of a day.
pub(crate) fn load(seconds: i64) -> f64 {
    let phase = (seconds % 86_400) as f64 / 86_400.0;
    100.0 + 20.0 * (phase * std::f64::consts::TAU).sin()
}

/// Where most tests begin: a whole day, and with it a whole step.
pub(crate) const NOW: i64 = 1_000 * 86_400;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

/// A rule on ten-minute steps that is quick to fit.
pub(crate) const LOAD: &str = "forecast: 'shop:load', expr: load, step: 10m, history: 4d, \
    horizons: [30m, 6h], quantiles: [0.1, 0.5, 0.9], seasons: [1d], model: seasonal_naive";

/// The same with a model that is saved.
pub(crate) fn online() -> String {
    LOAD.replace("seasonal_naive", "online")
}

/// An engine with one group of these rules, evaluated each minute.
pub(crate) fn engine(world: &World, rules: &[&str]) -> Engine<World> {
    engine_after(world, rules, None)
}

/// The same after a reload.
pub(crate) fn engine_after(
    world: &World,
    rules: &[&str],
    previous: Option<&Engine<World>>,
) -> Engine<World> {
    let rules = rules.iter().map(|rule| format!("  - {{{rule}}}\n"));
    let text = format!(
        "groups:\n- name: g\n  interval: 1m\n  limit: 50\n  rules:\n{}",
        rules.collect::<String>()
    );
    let groups = rules::parse("r.yml", &text).unwrap_or_else(|problems| panic!("{problems}"));
    Engine::new(world.clone(), groups, options(), previous)
}

pub(crate) fn options() -> Options {
    let cluster = Labels::new([("cluster", "eu"), ("app", "none")]).unwrap();
    Options {
        external_labels: cluster,
        max_curve_samples: 10_000,
        ..Options::default()
    }
}

/// What the last rule of a report came to.
pub(crate) fn outcome(report: GroupReport) -> Result<Evaluated, Failure> {
    report.rules.into_iter().next_back().unwrap().outcome
}

/// Evaluates the only group, and expects its last rule to succeed.
pub(crate) async fn evaluate(engine: &Engine<World>, now: i64) -> Evaluated {
    outcome(engine.evaluate(0, at(now)).await).unwrap()
}

/// The value of a predicted series, by its whole text.
#[track_caller]
pub(crate) fn value(engine: &Engine<World>, now: i64, series: &str) -> f64 {
    let predictions = engine.predictions(at(now));
    let found = predictions.iter().find(|p| p.labels.to_string() == series);
    found
        .unwrap_or_else(|| panic!("no {series} among {predictions:#?}"))
        .value
}

/// The length of a duration as Prometheus writes it, in seconds.
pub(crate) fn seconds(text: &str) -> i64 {
    let length: PromDuration = text.parse().unwrap();
    i64::try_from(length.get().as_secs()).unwrap()
}
