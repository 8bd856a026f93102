//! The models of one rule, series by series.

use super::{
    samples::Samples,
    state::{Done, Quality, Row},
    tracked::Tracked,
    vintage::Vintage,
};
use crate::{Evaluated, ForecastRule};
use forecast::Fitted;
use series::{Labels, Sample, Timestamp};
use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
    time::Duration,
};

/// All series that a rule foresees, and those that vanished not long ago.
#[derive(Default)]
pub(super) struct Models {
    /// The grid step up to which samples were taken.
    upto: Option<Timestamp>,
    /// The last evaluation; `None` before the first.
    evaluated_at: Option<Timestamp>,
    series: BTreeMap<Labels, Tracked>,
}

/// A series that is there, but whose model is missing or was fitted to half as many samples.
pub(super) struct Due {
    pub(super) labels: Labels,
    /// The sample that shows that it is there.
    pub(super) known: Sample,
    /// When it was first seen; `None` for one that is seen for the first time.
    pub(super) first: Option<Timestamp>,
}

/// How long a vanished series is remembered, or two steps where that is more: a restart or a deployment is over
/// within the hour, and what stays away longer is read anew when it comes back.
const REMEMBERED: Duration = Duration::from_hours(1);

/// What a clock may be ahead without anything being forgotten for it.
const MOMENTS: Duration = Duration::from_secs(10);

impl Models {
    /// The time up to which samples were taken, unless a whole history has passed since.
    pub(super) fn upto(&self, end: Timestamp, rule: &ForecastRule) -> Option<Timestamp> {
        self.upto.filter(|upto| end.since(*upto) < rule.history)
    }

    /// The time up to which samples were taken; `None` before the first evaluation.
    pub(super) fn taken_upto(&self) -> Option<Timestamp> {
        self.upto
    }

    /// Goes on with series that were saved; does nothing where an evaluation came first.
    pub(super) fn go_on(&mut self, upto: Timestamp, series: BTreeMap<Labels, Tracked>) {
        if self.upto.is_none() {
            *self = Self {
                upto: Some(upto),
                evaluated_at: None,
                series,
            };
        }
    }

    /// Makes ready for an evaluation at `now`, whose samples end at `end`, and returns how many models were forgotten,
    /// because they have seen what is yet to come. High-water marks in the future are not believed: a clock was ahead
    /// and has been put right, here or in the program that saved the models.
    pub(super) fn begin(&mut self, now: Timestamp, end: Timestamp, rule: &ForecastRule) -> usize {
        let before = self.evaluated_at.replace(now);
        let goes_on = before.is_some_and(|before| before <= now);
        if goes_on && self.upto.is_none_or(|upto| upto <= end) {
            return 0;
        }
        // Clocks are put right by moments all the time.
        let latest = end + rule.step.get().max(MOMENTS);
        let forgotten = self
            .series
            .values_mut()
            .map(|tracked| usize::from(tracked.forget_future(latest, now)));
        let n_forgotten = forgotten.sum();
        if self.upto.is_some_and(|upto| upto > end) {
            let seen = self.series.values().map(|tracked| tracked.seen().last);
            self.upto = seen.max().map(|last| last.min(end));
        }
        n_forgotten
    }

    /// The series behind some labels, or from the first on, in order of labels.
    pub(super) fn after(&self, last: Option<&Labels>) -> impl Iterator<Item = (&Labels, &Tracked)> {
        let begin = last.map_or(Unbounded, Excluded);
        self.series.range((begin, Unbounded))
    }

    /// How many series there are, vanished ones included.
    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    /// Those of the present series that are to be fitted.
    pub(super) fn due(&self, present: &[(Labels, Sample)]) -> Vec<Due> {
        let tracked = self.beside(present.iter().map(|(labels, _)| labels));
        let due = |((labels, known), tracked): (&(Labels, Sample), Option<Entry>)| {
            let is_due = tracked.is_none_or(|(_, tracked)| tracked.is_due());
            is_due.then(|| Due {
                labels: labels.clone(),
                known: *known,
                first: tracked.map(|(_, tracked)| tracked.seen().first),
            })
        };
        present.iter().zip(tracked).filter_map(due).collect()
    }

    /// Takes new samples up to `end`, and forgets series that vanished long ago.
    pub(super) fn advance(&mut self, recent: &Samples, end: Timestamp, rule: &ForecastRule) {
        let remembered = REMEMBERED.max(rule.step.get() * 2);
        let mut recent = recent.iter().peekable();
        self.series.retain(|labels, tracked| {
            while recent.next_if(|(other, _)| *other < labels).is_some() {}
            let samples = recent.next_if(|(other, _)| *other == labels);
            let samples = samples.map_or(&[][..], |(_, samples)| samples);
            tracked.take(samples);
            let is_present = samples.last().is_some_and(|last| is_there(last, end));
            tracked.note_presence(is_present, end) <= remembered
        });
        self.upto = self.upto.max(Some(end));
    }

    /// Takes series that were fitted.
    pub(super) fn adopt(&mut self, fitted: Vec<(Labels, Tracked)>) {
        if self.series.is_empty() {
            // Made from all at once, the tree has no room that stays empty.
            self.series = fitted.into_iter().collect();
            return;
        }
        for (labels, tracked) in fitted {
            let before = self.series.remove(&labels);
            self.series.insert(labels, tracked.replace(before));
        }
    }

    /// The curves that are to be kept as they are now.
    pub(super) fn issue(&self, now: Timestamp, rule: &ForecastRule) -> Vec<(Labels, Vintage)> {
        let issue = |(labels, tracked): Entry| Some((labels.clone(), tracked.issue(now, rule)?));
        self.series.iter().filter_map(issue).collect()
    }

    /// Keeps curves that were issued.
    pub(super) fn keep(&mut self, issued: Vec<(Labels, Vintage)>) {
        for (labels, vintage) in issued {
            if let Some(tracked) = self.series.get_mut(&labels) {
                tracked.keep(vintage);
            }
        }
    }

    /// What the present series look like from `now`.
    pub(super) fn foresee(
        &self,
        present: &[(Labels, Sample)],
        rule: &ForecastRule,
        now: Timestamp,
    ) -> Done {
        let mut rows = Vec::with_capacity(present.len());
        let mut figures = Evaluated {
            series: present.len(),
            ..Evaluated::default()
        };
        for (labels, tracked) in self.of(present.iter().map(|(labels, _)| labels)) {
            match (tracked.model(), tracked.failure()) {
                (Some(model), _) => {
                    let origin = model.origin();
                    let oldest = figures.oldest_origin.get_or_insert(origin);
                    *oldest = origin.min(*oldest);
                    rows.push(Row {
                        labels: labels.clone(),
                        values: gauges(model, rule, now),
                        quality: quality(tracked, model, rule),
                    });
                }
                (None, None) => figures.not_enough_history += 1,
                (None, Some(error)) => {
                    tracing::debug!(rule = rule.name, series = %labels, error, "no model fits");
                    figures.failed_fits += 1;
                }
            }
        }
        figures.samples = rows.iter().map(Row::n_samples).sum();
        Done { figures, rows }
    }

    /// One series.
    pub(super) fn get(&self, labels: &Labels) -> Option<&Tracked> {
        self.series.get(labels)
    }

    /// Those of some series that are known; their labels must ascend.
    pub(super) fn of<'m>(
        &'m self,
        labels: impl Iterator<Item = &'m Labels>,
    ) -> impl Iterator<Item = Entry<'m>> {
        self.beside(labels).flatten()
    }

    /// What is known under some labels, which must ascend: the two are gone through side by side, since looking up
    /// each of a hundred thousand takes a tenth of a second.
    fn beside<'m>(
        &'m self,
        labels: impl Iterator<Item = &'m Labels>,
    ) -> impl Iterator<Item = Option<Entry<'m>>> {
        let mut known = self.series.iter().peekable();
        labels.map(move |labels| {
            while known.next_if(|(known, _)| *known < labels).is_some() {}
            known.next_if(|(known, _)| *known == labels)
        })
    }
}

/// Whether a series is there, by its last sample: one that is NaN or infinite says nothing that could be foreseen.
pub(super) fn is_there(last: &Sample, end: Timestamp) -> bool {
    last.at == end && last.value.is_finite()
}

/// A series with what is known of it.
type Entry<'m> = (&'m Labels, &'m Tracked);

/// How good the forecasts of a series have been, and how usual its last sample was.
fn quality(tracked: &Tracked, model: &dyn Fitted, rule: &ForecastRule) -> Quality {
    let standings = tracked.record().map(|record| {
        let horizons = 0..rule.horizons.len();
        horizons.map(|idx| record.standing(idx)).collect()
    });
    Quality {
        standings: standings.unwrap_or_default(),
        anomaly: model.anomaly().map(|anomaly| f64::from(anomaly.score)),
    }
}

/// The quantiles of each horizon, horizon by horizon.
fn gauges(model: &dyn Fitted, rule: &ForecastRule, now: Timestamp) -> Box<[f64]> {
    let mut values = Vec::with_capacity(rule.horizons.len() * rule.quantiles.len());
    for ahead in &rule.horizons {
        let foreseen = model.predict(now + ahead.horizon.get());
        values.extend(rule.quantiles.iter().map(|level| foreseen.quantile(*level)));
    }
    values.into()
}
