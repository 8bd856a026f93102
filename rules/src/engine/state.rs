//! What one rule remembers from one evaluation to the next.

use super::{Labelling, history::HistoryLog, models::Models};
use crate::{Evaluated, Failure, RuleKind};
use forecast::Standing;
use series::{Labels, Timestamp};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

/// One rule with all that it remembers.
pub(super) struct State {
    pub(super) kind: RuleKind,
    pub(super) labelling: Labelling,
    /// Held during an evaluation.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    /// Held for moments only, while models are brought up to date or asked. Empty for a recording.
    models: Arc<RwLock<Models>>,
    board: Mutex<Board>,
    history: Mutex<HistoryLog>,
}

/// How the last evaluations went.
#[derive(Clone, Default)]
pub(super) struct Board {
    pub(super) last_evaluation: Option<Timestamp>,
    /// Why the last evaluation failed; `None` when it did not.
    pub(super) last_error: Option<String>,
    /// What the last successful evaluation gave.
    pub(super) output: Option<Arc<Output>>,
    /// Series that the expression gave then.
    n_series: Option<usize>,
}

/// What an evaluation gave.
pub(super) struct Output {
    pub(super) at: Timestamp,
    /// How long it may be served.
    served_for: Duration,
    pub(super) rows: Vec<Row>,
}

/// The values of one series.
pub(super) struct Row {
    /// With the name for a recording, without for a forecast.
    pub(super) labels: Labels,
    /// One for a recording; one each quantile of each horizon for a forecast, horizon by horizon.
    pub(super) values: Box<[f64]>,
    /// Of a forecast; empty for a recording.
    pub(super) quality: Quality,
}

/// How good the forecasts of a series have been, and how usual its last sample was.
#[derive(Default)]
pub(super) struct Quality {
    /// One each horizon; `None` while too few forecasts came due.
    pub(super) standings: Box<[Option<Standing>]>,
    /// `None` from a model that does not judge.
    pub(super) anomaly: Option<f64>,
}

impl Row {
    /// Samples that it is served as.
    pub(super) fn n_samples(&self) -> usize {
        let judged = self.quality.standings.iter().flatten();
        let of_standings = judged.map(|standing| 2 + usize::from(standing.mase.is_some()));
        let of_anomaly = usize::from(self.quality.anomaly.is_some());
        self.values.len() + of_standings.sum::<usize>() + of_anomaly
    }
}

/// An evaluation that succeeded.
pub(super) struct Done {
    pub(super) figures: Evaluated,
    pub(super) rows: Vec<Row>,
}

impl State {
    pub(super) fn new(kind: RuleKind, external_labels: Labels) -> Self {
        let labelling = match &kind {
            RuleKind::Forecast(rule) => Labelling::forecast(rule.labels.clone(), external_labels),
            RuleKind::Record(rule) => Labelling::record(rule.labels.clone(), external_labels),
        };
        Self {
            kind,
            labelling,
            turn: Arc::default(),
            models: Arc::default(),
            board: Mutex::default(),
            history: Mutex::default(),
        }
    }

    /// For a rule whose models are those of another one: only what is read off them differs.
    pub(super) fn on_models_of(other: &Self, kind: RuleKind, external_labels: Labels) -> Self {
        Self {
            turn: Arc::clone(&other.turn),
            models: Arc::clone(&other.models),
            ..Self::new(kind, external_labels)
        }
    }

    /// Takes what came of an evaluation. One that failed leaves the output before it to grow old.
    pub(super) fn note(
        &self,
        at: Timestamp,
        served_for: Duration,
        outcome: Result<Done, Failure>,
    ) -> Result<Evaluated, Failure> {
        let mut board = self.lock();
        board.last_evaluation = Some(at);
        board.last_error = outcome.as_ref().err().map(ToString::to_string);
        let Done { mut figures, rows } = outcome?;
        figures.series_before = board.n_series.replace(figures.series);
        board.output = Some(Arc::new(Output {
            at,
            served_for,
            rows,
        }));
        Ok(figures)
    }

    /// The last output, while it may be served.
    pub(super) fn fresh(&self, now: Timestamp) -> Option<Arc<Output>> {
        let output = self.lock().output.clone()?;
        // One from the future is no fresher than it is far away: a clock was ahead.
        let distance = now.since(output.at).max(output.at.since(now));
        (distance <= output.served_for).then_some(output)
    }

    pub(super) fn board(&self) -> Board {
        self.lock().clone()
    }

    /// Asks or tells how the reading of the history has gone.
    pub(super) fn with_history<T>(&self, change: impl FnOnce(&mut HistoryLog) -> T) -> T {
        // Each change leaves it whole.
        change(&mut self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the models.
    pub(super) fn with_models<T>(&self, ask: impl FnOnce(&Models) -> T) -> T {
        // A model that panicked is at worst out of date itself; the others are not to fall silent with it.
        ask(&self.models.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Brings the models up to date.
    pub(super) fn with_models_mut<T>(&self, change: impl FnOnce(&mut Models) -> T) -> T {
        change(&mut self.models.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        // Nothing is computed under this lock that could leave the board half written.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
