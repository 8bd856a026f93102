//! A real Prometheus in a folder of its own.

use crate::{Process, find_binary, free_port, http_client};
use anyhow::Context;
use prometheus_api::{Client, Limits};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// How long it may take to replay and open its data.
const START: Duration = Duration::from_mins(1);
/// How long a query may take.
const QUERY: Duration = Duration::from_secs(30);

/// A running Prometheus; dropping it kills it.
#[derive(Debug)]
pub struct Prometheus {
    /// The program itself, to be terminated, killed or told to reload.
    pub process: Process,
    url: Url,
}

impl Prometheus {
    /// Writes the configuration to `DIR/prometheus.yml` and starts on a free loopback port.
    ///
    /// The data are in [`Prometheus::data_dir`]; paths in the configuration are relative to `dir`.
    /// Retention is 60 days, since blocks of a generated past would else be deleted at the start.
    ///
    /// # Errors
    /// When the program is missing or not ready within a minute, with the last lines of its log.
    pub async fn start(dir: &Path, config: &str, extra_args: &[&str]) -> anyhow::Result<Self> {
        Self::start_as(&find_binary("prometheus")?, dir, config, extra_args).await
    }

    /// The same with a program that is not the installed one.
    pub async fn start_as(
        program: &Path,
        dir: &Path,
        config: &str,
        extra_args: &[&str],
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)
            .with_context(|| format!("cannot create the folder {}", dir.display()))?;
        let file = dir.join("prometheus.yml");
        std::fs::write(&file, config)
            .with_context(|| format!("cannot write {}", file.display()))?;
        let port = free_port()?;
        let mut args = vec![
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", Self::data_dir(dir).display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--storage.tsdb.retention.time=60d".to_owned(),
            // An alert that fires in the first seconds would else reach Alertmanager a minute late.
            "--rules.alert.resend-delay=5s".to_owned(),
        ];
        args.extend(extra_args.iter().map(ToString::to_string));
        let mut process = Process::spawn(dir, "prometheus", program, args)?;
        let url = Url::parse(&format!("http://127.0.0.1:{port}/")).context("not an address")?;
        process
            .wait_until_up(&format!("{url}-/ready"), START)
            .await?;
        Ok(Self { process, url })
    }

    /// Where a Prometheus started in `dir` keeps its data; blocks may be put there before.
    pub fn data_dir(dir: &Path) -> PathBuf {
        dir.join("data")
    }

    /// A client of its query API.
    pub fn api(&self) -> anyhow::Result<Client> {
        let http = http_client(QUERY)?;
        Ok(Client::new(self.url.clone(), http, Limits::default()))
    }

    /// Its address, with a slash at the end.
    pub fn url(&self) -> &Url {
        &self.url
    }
}
