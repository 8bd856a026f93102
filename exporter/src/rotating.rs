//! Clients whose secrets may be rotated in their files while the program runs.

use crate::{
    config::{SecretFiles, Upstream},
    redact::redacted,
};
use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tracing::{info, warn};

/// Time for a look at the files of secrets; where they hang, requests go on with those that were read before.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// A client that is built anew when one of its files of secrets has changed.
pub(crate) struct Rotating<C>(Arc<Shared<C>>);

struct Shared<C> {
    upstream: Upstream,
    build: Box<Build<C>>,
    current: Mutex<(SecretFiles, C)>,
}

/// Makes a client of what the configuration says and of the HTTP client that it speaks by.
type Build<C> = dyn Fn(&Upstream, reqwest::Client) -> C + Send + Sync;

impl<C: Clone + Send + 'static> Rotating<C> {
    /// Builds the first client, and reads its files.
    pub(crate) fn new(
        upstream: Upstream,
        build: impl Fn(&Upstream, reqwest::Client) -> C + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        // Before the client: what is written between the two is noticed at the next look.
        let secrets = upstream.http.secret_files();
        let client = build(&upstream, upstream.client()?);
        let current = Mutex::new((secrets, client));
        Ok(Self(Arc::new(Shared {
            upstream,
            build: Box::new(build),
            current,
        })))
    }

    /// The client for the next request.
    pub(crate) async fn client(&self) -> C {
        let shared = &self.0;
        if let Some(file) = shared.upstream.http.secret_paths().first() {
            let looking = Arc::clone(shared);
            let looked = files::within(file, LOOK_LIMIT, move || looking.look_again());
            if let Err(error) = looked.await {
                let url = redacted(&shared.upstream.url);
                warn!(%url, %error, "credentials cannot be read again, going on with those from before");
            }
        }
        shared.current().1.clone()
    }
}

impl<C> Shared<C> {
    /// Builds another client where a file has changed.
    fn look_again(&self) {
        let secrets = self.upstream.http.secret_files();
        if self.current().0 == secrets {
            return;
        }
        let url = redacted(&self.upstream.url);
        match self.upstream.client() {
            Ok(http) => {
                info!(%url, "credentials changed, connecting anew");
                *self.current() = (secrets, (self.build)(&self.upstream, http));
            }
            // Half-written files are read again at the next query.
            Err(error) => {
                let error = format!("{error:#}");
                warn!(%url, error, "new credentials are unusable");
            }
        }
    }

    fn current(&self) -> MutexGuard<'_, (SecretFiles, C)> {
        self.current
            .lock()
            .expect("no holder of this lock can panic")
    }
}
