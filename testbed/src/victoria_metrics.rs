//! A real VictoriaMetrics in a folder of its own.

use crate::{Process, find_binary, free_port, http_client};
use anyhow::Context;
use prometheus_api::{Client, Limits};
use std::{path::Path, time::Duration};
use url::Url;

const START: Duration = Duration::from_secs(30);
/// How long a query may take.
const QUERY: Duration = Duration::from_secs(30);

/// A running VictoriaMetrics of a single node; dropping it kills it.
#[derive(Debug)]
pub struct VictoriaMetrics {
    /// The program itself, to be terminated or killed.
    pub process: Process,
    url: Url,
}

impl VictoriaMetrics {
    /// Starts on a free loopback port, with its data in `dir`.
    ///
    /// # Errors
    /// When the program is missing or not ready in time, with the last lines of its log.
    pub async fn start(dir: &Path, extra_args: &[&str]) -> anyhow::Result<Self> {
        let program = find_binary("victoria-metrics")?;
        let port = free_port()?;
        let mut args = vec![
            format!("-storageDataPath={}", dir.join("data").display()),
            format!("-httpListenAddr=127.0.0.1:{port}"),
            "-retentionPeriod=100y".to_owned(),
        ];
        args.extend(extra_args.iter().map(ToString::to_string));
        let mut process = Process::spawn(dir, "victoria-metrics", &program, args)?;
        let url = Url::parse(&format!("http://127.0.0.1:{port}/")).context("not an address")?;
        process
            .wait_until_up(&format!("{url}health"), START)
            .await?;
        Ok(Self { process, url })
    }

    /// Makes all that was written so far visible to queries, which else takes a second or two.
    pub async fn flush(&self) -> anyhow::Result<()> {
        let url = self.url.join("internal/force_flush")?;
        let answer = http_client(QUERY)?.get(url).send().await?;
        answer.error_for_status().context("cannot flush")?;
        Ok(())
    }

    /// A client of its query API, which is that of Prometheus.
    pub fn api(&self) -> anyhow::Result<Client> {
        let http = http_client(QUERY)?;
        Ok(Client::new(self.url.clone(), http, Limits::default()))
    }

    /// Its address, with a slash at the end.
    pub fn url(&self) -> &Url {
        &self.url
    }
}
