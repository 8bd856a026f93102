//! Clients whose secrets may be rotated in their files while the program runs.

use crate::{
    config::{SecretFiles, Upstream},
    redact::redacted,
};
use std::sync::Mutex;
use tracing::{info, warn};

/// A client that is built anew when one of its files of secrets has changed.
pub(crate) struct Rotating<C> {
    upstream: Upstream,
    build: Box<Build<C>>,
    current: Mutex<(SecretFiles, C)>,
}

/// Makes a client of what the configuration says and of the HTTP client that it speaks by.
type Build<C> = dyn Fn(&Upstream, reqwest::Client) -> C + Send + Sync;

impl<C: Clone> Rotating<C> {
    /// Builds the first client.
    pub(crate) fn new(
        upstream: Upstream,
        build: impl Fn(&Upstream, reqwest::Client) -> C + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        // Before the client: what is written between the two is noticed at the next look.
        let secrets = upstream.http.secret_files();
        let client = build(&upstream, upstream.client()?);
        let current = Mutex::new((secrets, client));
        Ok(Self {
            upstream,
            build: Box::new(build),
            current,
        })
    }

    /// The client for the next request.
    pub(crate) fn client(&self) -> C {
        let secrets = self.upstream.http.secret_files();
        let mut current = self
            .current
            .lock()
            .expect("no holder of this lock can panic");
        if current.0 != secrets {
            let url = redacted(&self.upstream.url);
            match self.upstream.client() {
                Ok(http) => {
                    info!(%url, "credentials changed, connecting anew");
                    *current = (secrets, (self.build)(&self.upstream, http));
                }
                // Half-written files are read again at the next query.
                Err(error) => {
                    let error = format!("{error:#}");
                    warn!(%url, error, "new credentials are unusable");
                }
            }
        }
        current.1.clone()
    }
}
