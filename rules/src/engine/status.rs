//! How the rules are, for logs and metrics.

use super::{Engine, State};
use crate::{Shortened, Source};
use series::Timestamp;
use std::time::Duration;

/// How one rule is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleStatus {
    /// The file of its group.
    pub file: String,
    /// The name of its group.
    pub group: String,
    /// Its own name.
    pub rule: String,
    /// `None` before the first evaluation.
    pub last_evaluation: Option<Timestamp>,
    /// Why the last evaluation failed; `None` when it did not.
    pub last_error: Option<String>,
    /// The time since the last successful evaluation; `None` before it.
    pub age: Option<Duration>,
    /// Whether its series are served.
    pub is_served: bool,
    /// Series in the last successful evaluation.
    pub series: usize,
    /// The oldest among the last samples that its models have seen; `None` for a recording.
    pub oldest_origin: Option<Timestamp>,
    /// What the history lacked when it was read last, of which Prometheus refused the beginning.
    pub shortened: Option<Shortened>,
}

impl<S: Source> Engine<S> {
    /// How each rule is, in the order of groups and files.
    pub fn status(&self, now: Timestamp) -> Vec<RuleStatus> {
        let grouped = self.groups.iter().zip(&self.states);
        let of_group = grouped.flat_map(|(group, states)| {
            states.iter().map(move |state| RuleStatus {
                file: group.file.clone(),
                group: group.name.clone(),
                ..state.status(now)
            })
        });
        of_group.collect()
    }
}

impl State {
    /// All but the group.
    fn status(&self, now: Timestamp) -> RuleStatus {
        let board = self.board();
        let rows = board
            .output
            .as_deref()
            .map_or(&[][..], |output| &output.rows);
        let oldest_origin = self.with_models(|models| {
            let known = models.of(rows.iter().map(|row| &row.labels));
            known
                .filter_map(|(_, tracked)| Some(tracked.model()?.origin()))
                .min()
        });
        RuleStatus {
            file: String::new(),
            group: String::new(),
            rule: self.kind.name().to_owned(),
            last_evaluation: board.last_evaluation,
            last_error: board.last_error.clone(),
            age: board.output.as_ref().map(|output| now.since(output.at)),
            is_served: self.fresh(now).is_some(),
            series: rows.len(),
            oldest_origin,
            shortened: self.with_history(|log| log.shortened().cloned()),
        }
    }
}
