//! What the crates below ask of each other, tied together: nothing here decides anything.

use crate::app::Running;
use arc_swap::ArcSwap;
use futures::{FutureExt as _, future::BoxFuture};
use remediation::{Alerting, Evidence, Foreseen, Foresight, Question, Silence, Warning, alerting};
use rules::Source;
use series::{Labels, Timestamp};
use std::sync::Arc;

/// What runs at present, for those who outlive a reload.
#[derive(Clone)]
pub(crate) struct Live(Arc<ArcSwap<Running>>);

impl Live {
    /// Begins with the first configuration.
    pub(crate) fn new(running: Running) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(running)))
    }

    /// What runs now.
    pub(crate) fn get(&self) -> Arc<Running> {
        self.0.load_full()
    }

    /// Puts another in its place.
    pub(crate) fn replace(&self, running: Running) {
        self.0.store(Arc::new(running));
    }
}

impl Evidence for Live {
    fn query<'a>(
        &'a self,
        expr: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<(Labels, f64)>, String>> {
        async move {
            let answer = self.get().source.instant(expr, at).await;
            let answer = answer.map_err(|e| format!("{:#}", anyhow::Error::new(e)))?;
            match answer.warnings.first() {
                Some(warning) => Err(format!("the answer is not complete: {warning}")),
                None => Ok(answer
                    .value
                    .into_iter()
                    .map(|(l, sample)| (l, sample.value))
                    .collect()),
            }
        }
        .boxed()
    }
}

impl Foresight for Live {
    fn demand(&self, question: Question<'_>, now: Timestamp) -> Option<Foreseen> {
        let ahead = (question.quantile, question.within);
        let rules::Foreseen {
            value,
            at,
            horizon,
            current,
        } = self.get().engine.foreseen_within(
            question.forecast,
            &pairs(question.labels),
            ahead,
            now,
        )?;
        Some(Foreseen {
            value,
            at,
            horizon,
            current: Some(current),
        })
    }

    fn course(&self, question: Question<'_>, now: Timestamp) -> Option<remediation::Course> {
        let (name, within) = (question.forecast, question.within);
        let pairs = pairs(question.labels);
        let course = self.get().engine.course_within(name, &pairs, within, now)?;
        let mut values = course.low.iter().chain(&course.median).chain(&course.high);
        values
            .all(|value| value.is_finite())
            .then(|| remediation::Course {
                start: course.start.as_millis(),
                spacing: u64::try_from(course.spacing.as_millis()).unwrap_or(u64::MAX),
                low: course.low.clone(),
                median: course.median.clone(),
                high: course.high.clone(),
            })
    }

    fn standing(&self, question: Question<'_>, now: Timestamp) -> Option<remediation::Standing> {
        let running = self.get();
        let pairs = pairs(question.labels);
        let (name, within) = (question.forecast, question.within);
        let known = running.engine.standing_within(name, &pairs, within, now)?;
        Some(remediation::Standing {
            mase: known.mase.unwrap_or(f64::NAN),
            coverage: known.coverage80,
            band: 0.8,
        })
    }
}

/// Label pairs as the engine takes them.
fn pairs(labels: &Labels) -> Vec<(String, String)> {
    let pairs = labels.iter();
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

impl Alerting for Live {
    fn silenced<'a>(
        &'a self,
        fingerprints: &'a [String],
    ) -> BoxFuture<'a, Result<Option<String>, String>> {
        async move {
            match self.get().alertmanager().await {
                Some(client) => alerting::silenced(&client, fingerprints).await,
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn silence<'a>(&'a self, silence: &'a Silence) -> BoxFuture<'a, Result<(), String>> {
        async move {
            match self.get().alertmanager().await {
                Some(client) => alerting::silence(&client, silence).await,
                None => Err("`alertmanager` is not configured".to_owned()),
            }
        }
        .boxed()
    }

    fn warn<'a>(&'a self, warning: &'a Warning) -> BoxFuture<'a, Result<(), String>> {
        async move {
            match self.get().alertmanager().await {
                Some(client) => alerting::warn(&client, warning).await,
                None => Ok(()),
            }
        }
        .boxed()
    }
}
