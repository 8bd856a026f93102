//! What Prometheus answered, with all that it said about the answer.

use crate::LeftOut;

/// A value and the notes that came with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// What is missing or doubtful in the answer; none when it is complete.
    pub warnings: Vec<String>,
    /// Hints on the query, which take nothing from the answer.
    pub infos: Vec<String>,
    /// What Prometheus knows and cannot be a series of numbers.
    pub left_out: LeftOut,
}

/// How Prometheus 2.48 to 2.55 began a hint, which they sent among the warnings.
const INFO_PREFIX: &str = "PromQL info:";

/// How Prometheus begins what it says of single series: histograms among floats in one sum, a bucket without a bound.
/// It leaves out those that it concerns; the others are all there.
const SERIES_PREFIX: &str = "PromQL warning:";

impl<T> Answer<T> {
    /// Takes a value and its notes; hints among the warnings are put where they belong.
    pub fn new(value: T, warnings: Vec<String>, mut infos: Vec<String>) -> Self {
        let (hints, warnings) = warnings
            .into_iter()
            .partition::<Vec<_>, _>(|warning| warning.starts_with(INFO_PREFIX));
        infos.extend(hints);
        let (of_series, warnings) = warnings
            .into_iter()
            .partition::<Vec<_>, _>(|warning| warning.starts_with(SERIES_PREFIX));
        let mut left_out = LeftOut::default();
        for reason in of_series {
            left_out.give_reason(reason);
        }
        Self {
            value,
            warnings,
            infos,
            left_out,
        }
    }

    /// A complete answer.
    pub fn complete(value: T) -> Self {
        Self::new(value, Vec::new(), Vec::new())
    }

    /// The same, with what it leaves out.
    #[must_use]
    pub(crate) fn leaving_out(mut self, left_out: LeftOut) -> Self {
        self.left_out.merge(left_out);
        self
    }

    /// The same notes on a value that was checked, which may note what it left out.
    pub(crate) fn try_map<U, E>(
        mut self,
        check: impl FnOnce(T, &mut LeftOut) -> Result<U, E>,
    ) -> Result<Answer<U>, E> {
        Ok(Answer {
            value: check(self.value, &mut self.left_out)?,
            warnings: self.warnings,
            infos: self.infos,
            left_out: self.left_out,
        })
    }
}
