//! What the crates below ask of each other, tied together: nothing here decides anything.

use crate::{
    app::Running,
    config::{SecretFiles, Upstream},
};
use anyhow::Context as _;
use arc_swap::ArcSwap;
use futures::{FutureExt as _, future::BoxFuture};
use prometheus_api::{Answer, Client, Limits, QueryError};
use remediation::{Evidence, Foreseen, Foresight};
use rules::Source;
use series::{Labels, Quantile, Sample, Series, Step, Timestamp};
use std::sync::{Arc, Mutex};
use tracing::{info, warn};

/// Prometheus as the engine and the verification see it. Tokens that are rotated in their files are
/// noticed: the client is built anew when one of them changed.
#[derive(Clone)]
pub(crate) struct PromSource(Arc<Rotating>);

struct Rotating {
    upstream: Upstream,
    current: Mutex<(SecretFiles, Client)>,
}

impl PromSource {
    /// Builds the first client.
    pub(crate) fn new(upstream: Upstream) -> anyhow::Result<Self> {
        let secrets = upstream.http.secret_files();
        let client = build(&upstream).context("prometheus")?;
        let current = Mutex::new((secrets, client));
        Ok(Self(Arc::new(Rotating { upstream, current })))
    }

    fn client(&self) -> Client {
        let Rotating { upstream, current } = &*self.0;
        let secrets = upstream.http.secret_files();
        let mut current = current.lock().expect("no holder of this lock can panic");
        if current.0 != secrets {
            match build(upstream) {
                Ok(client) => {
                    info!(url = %upstream.url, "credentials changed, connecting anew");
                    *current = (secrets, client);
                }
                // Half-written files are read again at the next query.
                Err(error) => {
                    warn!(url = %upstream.url, error = %format!("{error:#}"), "new credentials are unusable")
                }
            }
        }
        current.1.clone()
    }
}

fn build(upstream: &Upstream) -> anyhow::Result<Client> {
    Ok(Client::new(
        upstream.url.clone(),
        upstream.client()?,
        Limits::default(),
    ))
}

impl Source for PromSource {
    async fn instant(
        &self,
        expr: &str,
        at: Timestamp,
    ) -> Result<Answer<Vec<(Labels, Sample)>>, QueryError> {
        self.client().instant(expr, at).await
    }

    async fn range(
        &self,
        expr: &str,
        start: Timestamp,
        end: Timestamp,
        step: Step,
    ) -> Result<Answer<Vec<Series>>, QueryError> {
        self.client().range(expr, start, end, step).await
    }
}

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
    fn demand(
        &self,
        name: &str,
        labels: &Labels,
        quantile: Quantile,
        now: Timestamp,
    ) -> Option<Foreseen> {
        let pairs: Vec<_> = labels
            .iter()
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        let rules::Foreseen {
            value,
            at,
            horizon,
            current,
        } = self.get().engine.foreseen(name, &pairs, quantile, now)?;
        Some(Foreseen {
            value,
            at,
            horizon,
            current: Some(current),
        })
    }
}
