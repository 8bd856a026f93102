//! The program under test: a `foreshadow serve` with one forecast rule over all series.

use crate::{usage::Usage, world::STEPS};
use anyhow::{Context as _, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use testbed::{Process, free_port, http_client};
use tokio::time::{Instant, sleep};

/// How often it is asked whether an iteration is over.
const POLL: Duration = Duration::from_millis(250);

/// How long a start, a scrape or an iteration may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_mins(15);

/// A running program.
pub(crate) struct Service {
    pub(crate) process: Process,
    url: String,
    http: reqwest::Client,
    folder: PathBuf,
}

/// A scrape of the predictions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scrape {
    pub(crate) bytes: usize,
    pub(crate) lines: usize,
    pub(crate) took: Duration,
}

/// Writes the configuration: models of the whole past, two horizons, three quantiles.
pub(crate) fn configure(folder: &Path, prometheus: &str, interval: Duration) -> anyhow::Result<()> {
    let step = interval.as_secs();
    let history = step * u64::from(STEPS);
    let (near, far) = (step * 15, step * 60);
    let rules = format!(
        "groups:\n- name: bench\n  interval: {step}s\n  limit: 0\n  rules:\n  - forecast: bench\n    expr: bench_load\n    \
         step: {step}s\n    history: {history}s\n    horizons: [{near}s, {far}s]\n    quantiles: [0.05, 0.5, 0.95]\n"
    );
    let config = format!(
        "prometheus: {{url: {prometheus}}}\nrule_files: [rules.yml]\nstorage: {{path: data}}\n"
    );
    fs::write(folder.join("rules.yml"), rules).context("writing the rules")?;
    fs::write(folder.join("foreshadow.yml"), config).context("writing the configuration")
}

impl Service {
    /// Starts the program and waits until it answers.
    pub(crate) async fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let args = [
            "serve",
            "--config.file",
            "foreshadow.yml",
            "--web.listen-address",
            &address,
        ];
        let mut process = Process::spawn(folder, "foreshadow", program, args)?;
        let url = format!("http://{address}");
        process
            .wait_until_up(&format!("{url}/-/healthy"), PATIENCE)
            .await?;
        let http = http_client(PATIENCE)?;
        let folder = folder.to_owned();
        Ok(Self {
            process,
            url,
            http,
            folder,
        })
    }

    /// Waits until so many iterations were worked on, and tells how long the last one took.
    pub(crate) async fn iteration(&self, n: u64) -> anyhow::Result<Duration> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let metrics = self.metrics().await?;
            if sum(&metrics, "rule_evaluation_failures_total").unwrap_or(0.0) > 0.0 {
                bail!("an evaluation failed:\n{}", self.process.log_tail());
            }
            let count = |name| sum(&metrics, name).unwrap_or(0.0);
            let missed = count("rule_group_iterations_missed_total");
            if count("rule_group_iterations_total") - missed >= n as f64 {
                let took = sum(&metrics, "rule_group_last_duration_seconds");
                return Ok(Duration::from_secs_f64(took.context("no duration")?));
            }
            sleep(POLL).await;
        }
        bail!("iteration {n} did not end\n{}", self.process.log_tail())
    }

    /// One of its metrics, summed over labels.
    pub(crate) async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let metrics = self.metrics().await?;
        sum(&metrics, name).with_context(|| format!("there is no metric foreshadow_{name}"))
    }

    /// Asks for the predictions as Prometheus does.
    pub(crate) async fn scrape(&self) -> anyhow::Result<Scrape> {
        let begun = Instant::now();
        let mut answer = self
            .http
            .get(format!("{}/predictions", self.url))
            .send()
            .await?
            .error_for_status()?;
        let (mut bytes, mut lines) = (0, 0);
        while let Some(chunk) = answer.chunk().await? {
            bytes += chunk.len();
            lines += chunk.split(|byte| *byte == b'\n').count() - 1;
        }
        let took = begun.elapsed();
        Ok(Scrape { bytes, lines, took })
    }

    /// What it takes of the machine.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.process.pid().context("the program has ended")?)
    }

    /// Bytes of saved models.
    pub(crate) fn saved(&self) -> anyhow::Result<u64> {
        let folder = self.folder.join("data/models");
        let mut n_bytes = 0;
        for entry in
            fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))?
        {
            n_bytes += entry?.metadata()?.len();
        }
        Ok(n_bytes)
    }

    async fn metrics(&self) -> anyhow::Result<String> {
        let answer = self.http.get(format!("{}/metrics", self.url)).send();
        Ok(answer.await?.error_for_status()?.text().await?)
    }
}

/// The sum of all series of one of the program's own metrics; `None` where there is none.
fn sum(metrics: &str, name: &str) -> Option<f64> {
    let values = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix("foreshadow_")?.strip_prefix(name)?;
        let is_whole = rest.starts_with(['{', ' ']);
        rest.rsplit(' ').next().filter(|_| is_whole)?.parse().ok()
    });
    values.reduce(|all: f64, one: f64| all + one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_and_told_from_longer_names() {
        let text = "# HELP foreshadow_a x\nforeshadow_a{g=\"x y\"} 2\nforeshadow_a{g=\"z\"} 3\nforeshadow_a_b 9\n";
        assert_eq!(sum(text, "a"), Some(5.0));
        assert_eq!(sum(text, "a_b"), Some(9.0));
        assert_eq!(sum(text, "c"), None);
    }
}
