//! What an answer holds less than the query asked for, although it is whole.

use series::Labels;

/// Series that are no floats, and those that Prometheus itself left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Series of the answer without a float sample.
    pub n_series: usize,
    /// Why there are some, as sentences; the first of each kind.
    pub reasons: Vec<String>,
}

/// Sentences that are kept; there is one for each kind of cause.
const MAX_REASONS: usize = 5;

impl LeftOut {
    /// Whether nothing is.
    pub fn is_none(&self) -> bool {
        self.n_series == 0 && self.reasons.is_empty()
    }

    /// Takes a series without float samples.
    pub(crate) fn note(&mut self, labels: &Labels) {
        if self.n_series == 0 {
            self.give_reason(format!(
                "{labels} has no float samples; take a quantile, a rate or a sum of a native histogram"
            ));
        }
        self.n_series += 1;
    }

    pub(crate) fn give_reason(&mut self, reason: String) {
        if self.reasons.len() < MAX_REASONS && !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    /// Joins what two answers about the same series left out: each counts its own series, so the larger number stands.
    pub fn merge(&mut self, other: Self) {
        self.n_series = self.n_series.max(other.n_series);
        for reason in other.reasons {
            self.give_reason(reason);
        }
    }
}
