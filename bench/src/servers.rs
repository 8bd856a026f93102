//! The two servers, each with something to serve.

use crate::{Args, data};
use anyhow::{Context, bail};
use series::Timestamp;
use std::{
    path::Path,
    time::{Duration, Instant},
};
use testbed::{Process, Prometheus, create_blocks, free_port, http_client};
use url::Url;

/// A server that answers remote read.
pub(crate) struct Served {
    pub(crate) name: String,
    pub(crate) url: Url,
    /// The name of its series.
    pub(crate) series: String,
    pub(crate) pid: u32,
    /// What answers, or what Foreshadow evaluates its rules against; killed when it is let go.
    prometheus: Prometheus,
    _foreshadow: Option<Process>,
}

/// Prometheus with all series in a block.
pub(crate) async fn prometheus(
    dir: &Path,
    now: Timestamp,
    n_models: u32,
) -> anyhow::Result<Served> {
    let file = dir.join("data.om");
    data::write(&file, now, n_models)?;
    let dir = dir.join("prometheus");
    create_blocks(&file, &Prometheus::data_dir(&dir)).await?;
    std::fs::remove_file(&file).context("cannot remove the data once it is loaded")?;
    let prometheus = Prometheus::start(&dir, "global: {}", &[]).await?;
    Ok(Served {
        name: "Prometheus, stored".to_owned(),
        url: prometheus.url().join("api/v1/read")?,
        series: data::STORED.to_owned(),
        pid: prometheus.process.pid().context("Prometheus has ended")?,
        prometheus,
        _foreshadow: None,
    })
}

/// Foreshadow with its models fitted to the history in Prometheus.
pub(crate) async fn foreshadow(dir: &Path, args: &Args, source: Served) -> anyhow::Result<Served> {
    let dir = dir.join("foreshadow");
    std::fs::create_dir_all(&dir)?;
    let n_quantiles = data::N_SERIES / args.models;
    let base = source.url.join("/")?;
    std::fs::write(dir.join("foreshadow.yml"), config(&base))?;
    std::fs::write(dir.join("rules.yml"), rules(n_quantiles))?;
    let program = args.foreshadow.canonicalize();
    let program = program.with_context(|| format!("there is no {}", args.foreshadow.display()))?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let flags = [
        "serve",
        "--config.file=foreshadow.yml",
        &format!("--web.listen-address={address}"),
    ];
    let mut process = Process::spawn(&dir, "foreshadow", &program, flags)?;
    let base = Url::parse(&format!("http://{address}/"))?;
    process
        .wait_until_up(&format!("{base}-/ready"), PATIENCE)
        .await?;
    wait_for_curves(&base, &process).await?;
    Ok(Served {
        name: format!("Foreshadow, {} models × {n_quantiles}", args.models),
        url: base.join("api/v1/read")?,
        series: format!("{}:forecast_curve", data::INPUT),
        pid: process.pid().context("Foreshadow has ended")?,
        prometheus: source.prometheus,
        _foreshadow: Some(process),
    })
}

fn config(prometheus: &Url) -> String {
    format!("prometheus: {{url: {prometheus}}}\nrule_files: [rules.yml]\n")
}

/// Levels in the order in which people ask for them.
const LEVELS: [&str; data::MAX_QUANTILES as usize] = [
    "0.5", "0.95", "0.05", "0.9", "0.1", "0.75", "0.25", "0.99", "0.01",
];

/// A curve of four hours at a sample a minute, and the marker of its end.
fn rules(n_quantiles: u32) -> String {
    let mut levels = LEVELS[..n_quantiles as usize].to_vec();
    levels.sort_unstable();
    format!(
        "groups:\n- name: bench\n  interval: 1m\n  rules:\n  - forecast: {input}\n    expr: {input}\n    \
         step: 1m\n    history: 12h\n    seasons: [1h]\n    horizons: [4h]\n    quantiles: [{}]\n",
        levels.join(", "),
        input = data::INPUT,
    )
}

/// How long a server may take until it serves.
const PATIENCE: Duration = Duration::from_mins(5);

/// Waits for the first evaluation, which reads the history and fits the models.
async fn wait_for_curves(base: &Url, process: &Process) -> anyhow::Result<()> {
    let http = http_client(Duration::from_secs(30))?;
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let answer = http.get(base.join("predictions")?).send().await?;
        if answer.text().await?.contains(data::INPUT) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bail!(
        "Foreshadow had no predictions within {PATIENCE:?}\n{}",
        process.log_tail()
    )
}
