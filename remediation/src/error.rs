//! What keeps the whole of remediation from working.

/// A failure that concerns more than one action.
#[derive(Debug, thiserror::Error)]
pub enum RemediationError {
    /// The journal cannot be read or written; nothing is done without it.
    #[error("cannot go on without the action journal")]
    Journal(#[from] store::StoreError),
    /// The HTTP client of the actuators cannot be built.
    #[error("cannot build the HTTP client of the actuators")]
    Client(#[source] reqwest::Error),
    /// An actuator is configured that this program was built without.
    #[error("this build has no Kubernetes support")]
    NoKubernetes,
}

/// An error with its causes in one line, for reasons that the journal keeps.
pub(crate) fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let words: Vec<_> = causes.map(ToString::to_string).collect();
    words.join(": ")
}
