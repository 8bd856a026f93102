//! What a rule's models have learned, as bytes to be kept, a batch of series at a time.

use super::{Engine, State, models::Models, tracked};
use crate::{
    ForecastRule, RuleKind, Source,
    bytes::put,
    frames::{Kind, preamble, put_frame},
    identity,
};
use series::{Labels, Timestamp};
use std::sync::Arc;

/// Series that are written while evaluations are kept from the models: a few milliseconds' work, a few megabytes.
const BATCH: usize = 256;

/// The models of one rule, as an iterator over the bytes of its file from the first to the last.
///
/// An evaluation may come in between, so that some series are saved as they were before it and others as they are
/// after it. The time up to which samples were taken is therefore read before the first series: what came after
/// it is asked for again, and series that had it already pass over it.
pub struct Saving {
    state: Arc<State>,
    rule: ForecastRule,
    saved_at: Timestamp,
    next: Next,
    n_series: u64,
}

enum Next {
    Head,
    SeriesAfter(Option<Labels>),
    Nothing,
}

impl<S: Source> Engine<S> {
    /// One for each forecast rule that has been evaluated, or that goes on from a file.
    pub fn savings(&self, now: Timestamp) -> Vec<Saving> {
        let saving = |state: &Arc<State>| {
            let RuleKind::Forecast(rule) = &state.kind else {
                return None;
            };
            state.with_models(Models::taken_upto)?;
            Some(Saving {
                state: Arc::clone(state),
                rule: rule.clone(),
                saved_at: now,
                next: Next::Head,
                n_series: 0,
            })
        };
        self.states().filter_map(saving).collect()
    }
}

impl Saving {
    /// The name of the rule's file, the same at each start.
    pub fn file_name(&self) -> String {
        identity::file_name(&self.rule)
    }

    fn head(&self, models: &Models) -> Option<Vec<u8>> {
        let external = self.state.labelling.external_labels();
        let mut head = Vec::new();
        head.extend(identity::fingerprint(&self.rule, external).to_le_bytes());
        head.extend(self.saved_at.as_millis().to_le_bytes());
        head.extend(models.taken_upto()?.as_millis().to_le_bytes());
        put(&mut head, self.rule.name.as_bytes());
        let mut bytes = preamble();
        put_frame(&mut bytes, Kind::Head, &head);
        Some(bytes)
    }

    /// The next series, and the last among them; the end when there are none.
    fn batch(&mut self, after: Option<&Labels>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut last = None;
        self.state.with_models(|models| {
            for (labels, series) in models.after(after).take(BATCH) {
                put_frame(
                    &mut bytes,
                    Kind::Series,
                    &tracked::encode(labels, series, &self.rule),
                );
                self.n_series += 1;
                last = Some(labels.clone());
            }
        });
        self.next = if last.is_some() {
            Next::SeriesAfter(last)
        } else {
            put_frame(&mut bytes, Kind::End, &self.n_series.to_le_bytes());
            Next::Nothing
        };
        bytes
    }
}

impl Iterator for Saving {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Head => {
                self.next = Next::SeriesAfter(None);
                self.state.with_models(|models| self.head(models))
            }
            Next::SeriesAfter(last) => Some(self.batch(last.as_ref())),
            Next::Nothing => None,
        }
    }
}
