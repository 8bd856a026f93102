//! One series and its model.

mod saved;

pub(super) use saved::{decode, encode};

use super::vintage::{KEPT, Vintage};
use crate::ForecastRule;
use forecast::{FitError, Fitted, History, HistoryError, TrackRecord, UpdateError, fit};
use series::{Sample, Timestamp};
use std::{sync::Arc, time::Duration};

/// A series that a rule foresees.
pub(super) struct Tracked {
    model: Option<Box<dyn Fitted>>,
    /// How the model's forecasts turned out; the record outlives the model.
    record: Option<TrackRecord>,
    /// Why there is no model, or none newer.
    unfit: Option<Unfit>,
    seen: Seen,
    /// How many finite samples make another fit worth its while.
    fit_at: usize,
    /// Curves of earlier evaluations, oldest first.
    vintages: Vec<Arc<Vintage>>,
    /// The first evaluation that found it gone, of those since it was there last.
    absent_since: Option<Timestamp>,
}

/// What is known of a series' samples when they are gone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    /// When it was first seen.
    pub(super) first: Timestamp,
    /// When it was last seen.
    pub(super) last: Timestamp,
    /// The last finite value; NaN when there was none.
    pub(super) current: f64,
    /// Finite samples so far.
    n_finite: usize,
}

/// Why a model could not be fitted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unfit {
    /// Too young: this many finite samples are needed.
    TooYoung(usize),
    /// Anything else, as a sentence.
    Failed(String),
}

impl Seen {
    /// Of a history, or of the one sample by which the series is known where there is none.
    pub(super) fn of(samples: &[Sample], known: Sample) -> Self {
        let mut seen = Self {
            first: samples.first().unwrap_or(&known).at,
            last: samples.last().unwrap_or(&known).at,
            current: f64::NAN,
            n_finite: 0,
        };
        for sample in samples {
            seen.count(*sample);
        }
        seen
    }

    fn count(&mut self, sample: Sample) {
        self.last = sample.at;
        if sample.value.is_finite() {
            self.n_finite = self.n_finite.saturating_add(1);
            self.current = sample.value;
        }
    }
}

impl Tracked {
    /// Fits a model to a history. Takes milliseconds to a second.
    pub(super) fn fit(samples: &[Sample], seen: Seen, rule: &ForecastRule) -> Self {
        let fitted = History::from_samples(samples, rule.step)
            .map_err(Unfit::from)
            .and_then(|history| {
                let model = fit(&history, &rule.settings)?;
                Ok((model, TrackRecord::new(&history, &horizons(rule))))
            });
        Self::new(fitted, seen, rule)
    }

    /// A series whose fit panicked.
    pub(super) fn panicked(seen: Seen, rule: &ForecastRule) -> Self {
        let unfit = Unfit::Failed("the model panicked".to_owned());
        Self::new(Err(unfit), seen, rule)
    }

    fn new(fitted: Result<ModelAndRecord, Unfit>, seen: Seen, rule: &ForecastRule) -> Self {
        let (model, record, unfit) = match fitted {
            Ok((model, record)) => (Some(model), Some(record), None),
            Err(unfit) => (None, None, Some(unfit)),
        };
        let fit_at = next_fit(seen.n_finite, unfit.as_ref(), rule.n_history());
        Self {
            model,
            record,
            unfit,
            seen,
            fit_at,
            vintages: Vec::new(),
            absent_since: None,
        }
    }

    /// Takes samples that are newer than the last.
    pub(super) fn take(&mut self, samples: &[Sample]) {
        for sample in samples {
            if sample.at <= self.seen.last {
                continue;
            }
            self.seen.count(*sample);
            if let Err(error) = self.update(*sample) {
                tracing::debug!(%error, "a model refused a sample");
            }
        }
    }

    fn update(&mut self, sample: Sample) -> Result<(), UpdateError> {
        match (&mut self.model, &mut self.record) {
            (Some(model), Some(record)) => record.observe(&mut **model, sample),
            (Some(model), None) => model.update(sample),
            (None, _) => Ok(()),
        }
    }

    /// Takes the place of what was known before, but keeps the older model when there is none newer, the older record,
    /// which goes on in the units of the newer one, and the curves that were issued.
    pub(super) fn replace(mut self, before: Option<Self>) -> Self {
        if let Some(before) = before {
            self.model = self.model.or(before.model);
            self.record = match (before.record, self.record) {
                (Some(older), Some(newer)) => Some(older.in_units_of(&newer)),
                (older, newer) => older.or(newer),
            };
            self.vintages = before.vintages;
        }
        self
    }

    pub(super) fn model(&self) -> Option<&dyn Fitted> {
        self.model.as_deref()
    }

    pub(super) fn record(&self) -> Option<&TrackRecord> {
        self.record.as_ref()
    }

    /// Curves of earlier evaluations, oldest first.
    pub(super) fn vintages(&self) -> &[Arc<Vintage>] {
        &self.vintages
    }

    /// The curve as it is issued now, where the last that was kept is old enough.
    pub(super) fn issue(&self, now: Timestamp, rule: &ForecastRule) -> Option<Vintage> {
        let last = self.vintages.last();
        let is_due = last.is_none_or(|last| last.is_followed(now, rule));
        self.model()
            .filter(|_| is_due)
            .map(|model| Vintage::of(model, now, rule))
    }

    /// Keeps a curve that was issued, in the place of the oldest.
    pub(super) fn keep(&mut self, vintage: Vintage) {
        if self.vintages.len() >= KEPT {
            self.vintages.remove(0);
        }
        self.vintages.reserve_exact(1);
        self.vintages.push(Arc::new(vintage));
    }

    /// Takes it that the series is there at an evaluation, or not, and tells how long it has been away. That is counted
    /// from evaluation to evaluation: a clock that is put forward makes nothing old.
    pub(super) fn note_presence(&mut self, is_present: bool, at: Timestamp) -> Duration {
        if is_present {
            self.absent_since = None;
            return Duration::ZERO;
        }
        let since = self.absent_since.get_or_insert(at);
        // A clock that was ahead has been put right.
        *since = at.min(*since);
        at.since(*since)
    }

    /// Forgets what came from a future that is not to come: a clock was ahead and has been put right. A model that has
    /// seen samples later than `latest` is gone, and the series due for another; its record and its older curves stay.
    /// Returns whether there was such a model.
    pub(super) fn forget_future(&mut self, latest: Timestamp, now: Timestamp) -> bool {
        self.vintages.retain(|vintage| vintage.at() <= now);
        if self.seen.last <= latest {
            return false;
        }
        (self.model, self.unfit, self.fit_at) = (None, None, 0);
        self.seen.first = self.seen.first.min(latest);
        self.seen.last = latest;
        true
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen
    }

    /// Whether it has grown enough to be fitted again.
    pub(super) fn is_due(&self) -> bool {
        self.seen.n_finite >= self.fit_at
    }

    /// Why the last fit failed, unless for youth.
    pub(super) fn failure(&self) -> Option<&str> {
        match &self.unfit {
            Some(Unfit::Failed(why)) => Some(why),
            Some(Unfit::TooYoung(_)) | None => None,
        }
    }
}

type ModelAndRecord = (Box<dyn Fitted>, TrackRecord);

/// What a record is kept for: the rule's horizons, in its order.
fn horizons(rule: &ForecastRule) -> Vec<Duration> {
    let horizons = rule.horizons.iter();
    horizons.map(|named| named.horizon.get()).collect()
}

/// A young series is fitted again each time that it has doubled, until it fills the history: its seasons show
/// only by and by, and that is a handful of fits in all.
fn next_fit(n_seen: usize, unfit: Option<&Unfit>, n_full: usize) -> usize {
    let doubled = n_seen.saturating_mul(2).max(1);
    match unfit {
        Some(Unfit::TooYoung(need)) => (*need).max(n_seen + n_seen / 8 + 1),
        Some(Unfit::Failed(_)) => doubled,
        // With a few gaps, a whole history is as whole as it will ever be.
        None if n_seen >= n_full - n_full / 10 => usize::MAX,
        None => doubled.min(n_full),
    }
}

impl From<HistoryError> for Unfit {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Empty => Self::TooYoung(1),
            HistoryError::Unsorted { .. } | HistoryError::TooLong { .. } => {
                Self::Failed(error.to_string())
            }
        }
    }
}

impl From<FitError> for Unfit {
    fn from(error: FitError) -> Self {
        if let FitError::NotEnoughHistory { need, .. } = error {
            return Self::TooYoung(need);
        }
        Self::Failed(error.to_string())
    }
}
