//! What Prometheus answered, with all that it said about the answer.

/// A value and the notes that came with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// What is missing or doubtful in the answer; none when it is complete.
    pub warnings: Vec<String>,
    /// Hints on the query, which take nothing from the answer.
    pub infos: Vec<String>,
}

/// How Prometheus 2.48 to 2.55 began a hint, which they sent among the warnings.
const INFO_PREFIX: &str = "PromQL info:";

impl<T> Answer<T> {
    /// Takes a value and its notes; hints among the warnings are put where they belong.
    pub fn new(value: T, warnings: Vec<String>, mut infos: Vec<String>) -> Self {
        let (hints, warnings) = warnings
            .into_iter()
            .partition::<Vec<_>, _>(|warning| warning.starts_with(INFO_PREFIX));
        infos.extend(hints);
        Self {
            value,
            warnings,
            infos,
        }
    }

    /// A complete answer.
    pub fn complete(value: T) -> Self {
        Self::new(value, Vec::new(), Vec::new())
    }

    /// The same notes on a value that was checked.
    pub(crate) fn try_map<U, E>(self, f: impl FnOnce(T) -> Result<U, E>) -> Result<Answer<U>, E> {
        Ok(Answer {
            value: f(self.value)?,
            warnings: self.warnings,
            infos: self.infos,
        })
    }
}
