//! Evaluates rules, and answers from what they remember.

mod census;
mod curve;
mod families;
mod fitting;
mod forecaster;
mod foreseen;
mod gauges;
mod grid;
mod history;
mod issued;
mod labelling;
mod models;
mod reader;
mod recorder;
mod restoring;
mod samples;
mod saving;
mod state;
mod status;
mod tracked;
mod vintage;

pub use curve::{CurveError, CurvePlan};
pub use families::{Family, Predicted};
pub use foreseen::{Course, Foreseen, Input};
pub use gauges::Meaning;
pub use issued::Bookmark;
pub use restoring::{Refused, Restored, Restoring};
pub use saving::Saving;
pub use status::RuleStatus;

use crate::{Failure, FailureReason, Group, GroupReport, RuleKind, RuleReport, Source, identity};
use labelling::Labelling;
use prometheus_api::{Answer, LeftOut};
use series::{Labels, Timestamp};
use state::State;
use std::{
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::available_parallelism,
    time::Duration,
};
use tokio::{sync::Semaphore, time::Instant};

/// All rules and all that they remember.
///
/// What a rule gives is served while its last successful evaluation is at most two intervals old. After that it
/// serves nothing, and Prometheus marks the series as stale: an old forecast must not pass for a new one.
pub struct Engine<S> {
    source: S,
    groups: Vec<Group>,
    /// The rules of each group.
    states: Vec<Vec<Arc<State>>>,
    options: Options,
    /// One permit for each core; fitting takes one, so that a thousand series do not start a thousand threads.
    cores: Arc<Semaphore>,
}

/// What holds for all groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// For groups that name no interval; longer than zero.
    pub default_interval: Duration,
    /// For groups that name no query offset.
    pub query_offset: Duration,
    /// Added to each series that lacks them.
    pub external_labels: Labels,
    /// The most samples that one call may ask of the curves.
    pub max_curve_samples: usize,
    /// Samples of history that a rule holds at once. What it has more is read and taken batch by batch.
    pub max_batch_samples: usize,
}

impl Default for Options {
    /// Intervals and offset as in Prometheus. Ten million samples of 16 bytes, with which all curves of four
    /// thousand series can be asked for at once, and half a gigabyte of them for histories.
    fn default() -> Self {
        Self {
            default_interval: Duration::from_mins(1),
            query_offset: Duration::ZERO,
            external_labels: Labels::default(),
            max_curve_samples: 10_000_000,
            max_batch_samples: 32_000_000,
        }
    }
}

/// How many intervals old an evaluation may be and still be served: one may fail, two are a silence.
const INTERVALS_SERVED: u32 = 2;

impl<S: Source> Engine<S> {
    /// Takes checked groups. Rules that `previous` has, letter by letter, keep what they remember; those that differ in
    /// their quantiles alone keep their models.
    pub fn new(source: S, groups: Vec<Group>, options: Options, previous: Option<&Self>) -> Self {
        let n_cores = available_parallelism().map_or(1, NonZero::get);
        let cores = previous.map_or_else(
            || Arc::new(Semaphore::new(n_cores)),
            |engine| Arc::clone(&engine.cores),
        );
        let state = |kind: &RuleKind| {
            let external = &options.external_labels;
            let known = previous.and_then(|engine| engine.remembers(kind, external));
            known.unwrap_or_else(|| {
                let models = previous.and_then(|engine| engine.has_models_for(kind, external));
                let (kind, external) = (kind.clone(), external.clone());
                Arc::new(match models {
                    Some(other) => State::on_models_of(other, kind, external),
                    None => State::new(kind, external),
                })
            })
        };
        let of_group = |group: &Group| group.rules.iter().map(|rule| state(&rule.kind)).collect();
        Self {
            states: groups.iter().map(of_group).collect(),
            source,
            groups,
            options,
            cores,
        }
    }

    fn remembers(&self, kind: &RuleKind, external_labels: &Labels) -> Option<Arc<State>> {
        let is_same = |state: &&Arc<State>| {
            state.kind == *kind && state.labelling.external_labels() == external_labels
        };
        self.states().find(is_same).cloned()
    }

    fn has_models_for(&self, kind: &RuleKind, external_labels: &Labels) -> Option<&Arc<State>> {
        let wanted = identity::of(kind, external_labels)?;
        self.states().find(|state| {
            identity::of(&state.kind, state.labelling.external_labels()) == Some(wanted)
        })
    }

    /// Evaluates the rules of a group, one after the other, for the time `now`.
    ///
    /// # Panics
    /// When there is no such group.
    pub async fn evaluate(&self, group_idx: usize, now: Timestamp) -> GroupReport {
        let begun = Instant::now();
        let (group, states) = (&self.groups[group_idx], &self.states[group_idx]);
        let mut reports = Vec::with_capacity(states.len());
        for state in states {
            reports.push(self.evaluate_rule(group_idx, state, now).await);
        }
        GroupReport {
            file: group.file.clone(),
            group: group.name.clone(),
            at: now,
            duration: begun.elapsed(),
            interval: self.interval(group_idx),
            iterations: 1,
            missed: 0,
            rules: reports,
        }
    }

    /// Evaluates one rule of a group, given by its place, for the time `now`.
    pub(crate) async fn evaluate_one(
        &self,
        group_idx: usize,
        rule_idx: usize,
        now: Timestamp,
    ) -> RuleReport {
        let state = &self.states[group_idx][rule_idx];
        self.evaluate_rule(group_idx, state, now).await
    }

    async fn evaluate_rule(
        &self,
        group_idx: usize,
        state: &Arc<State>,
        now: Timestamp,
    ) -> RuleReport {
        // After a reload, the engine before this one may still be at work on the same rule.
        let _turn = state.turn.lock().await;
        let begun = Instant::now();
        let group = &self.groups[group_idx];
        let offset = group.query_offset.unwrap_or(self.options.query_offset);
        let context = Context {
            source: &self.source,
            cores: &self.cores,
            now,
            queried_at: now - offset,
            interval: self.interval(group_idx),
            limit: group.limit,
            max_batch: self.options.max_batch_samples,
            n_read: AtomicUsize::new(0),
            left_out: Mutex::default(),
        };
        let outcome = match &state.kind {
            RuleKind::Forecast(rule) => forecaster::evaluate(&context, state, rule).await,
            RuleKind::Record(rule) => recorder::evaluate(&context, state, rule).await,
        };
        let served_for = self.interval(group_idx).saturating_mul(INTERVALS_SERVED);
        RuleReport {
            rule: state.kind.name().to_owned(),
            at: now,
            duration: begun.elapsed(),
            samples_read: context.n_read.load(Relaxed),
            outcome: state.note(now, served_for, outcome),
            left_out: context.take_left_out(),
        }
    }

    /// The groups, as they were read.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The time between two evaluations of a group.
    ///
    /// # Panics
    /// When there is no such group.
    pub fn interval(&self, group_idx: usize) -> Duration {
        let own = self.groups[group_idx].interval;
        own.unwrap_or(self.options.default_interval)
    }

    fn states(&self) -> impl Iterator<Item = &Arc<State>> {
        self.states.iter().flatten()
    }
}

/// What an evaluation works with.
struct Context<'e, S> {
    source: &'e S,
    cores: &'e Arc<Semaphore>,
    /// The time that is evaluated for.
    now: Timestamp,
    /// The same, less the query offset.
    queried_at: Timestamp,
    /// The time until the next evaluation.
    interval: Duration,
    /// Series that the expression may give.
    limit: usize,
    /// Samples that may be held at once.
    max_batch: usize,
    /// Samples that Prometheus answered with.
    n_read: AtomicUsize,
    /// What the answers held less than was asked for.
    left_out: Mutex<LeftOut>,
}

impl<S> Context<'_, S> {
    /// The value of an answer without warnings. One with warnings may hold half a fleet, and would look like all. What
    /// cannot be a series of numbers is noted, and the others are none the worse for it.
    fn complete<T>(&self, answer: Answer<T>) -> Result<T, Failure> {
        self.leave_out(answer.left_out);
        if answer.warnings.is_empty() {
            return Ok(answer.value);
        }
        let warnings = answer.warnings.join("; ");
        let message = format!("the answer may be partial: {warnings}");
        Err(Failure::new(FailureReason::Partial, message))
    }

    fn leave_out(&self, left_out: LeftOut) {
        if !left_out.is_none() {
            let mut all = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
            all.merge(left_out);
        }
    }

    fn take_left_out(&self) -> LeftOut {
        let mut all = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut all)
    }

    fn n_read(&self) -> usize {
        self.n_read.load(Relaxed)
    }

    /// Notes samples that came from Prometheus.
    fn count(&self, n_samples: usize) {
        self.n_read.fetch_add(n_samples, Relaxed);
    }
}
