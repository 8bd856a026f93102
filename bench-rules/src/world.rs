//! A real Prometheus that holds the series, and goes on scraping them.

use crate::fleet::Fleet;
use anyhow::Context as _;
use axum::{Router, extract::State, routing::get};
use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use testbed::{Prometheus, create_blocks};

/// Steps of the past that Prometheus begins with.
pub(crate) const STEPS: u32 = 120;

/// Writes a past that ends now, loads it, and starts Prometheus with a target that tells the present.
pub(crate) async fn start(
    folder: &Path,
    fleet: Fleet,
    interval: Duration,
) -> anyhow::Result<Prometheus> {
    let address = tell(fleet).await?;
    load_past(folder, fleet, interval).await?;
    let interval = interval.as_secs();
    let timeout = interval.min(30);
    let config = format!(
        "global: {{scrape_interval: {interval}s, scrape_timeout: {timeout}s}}\n\
         scrape_configs:\n- job_name: bench\n  honor_labels: true\n  static_configs: [{{targets: ['{address}']}}]\n"
    );
    Prometheus::start(folder, &config, &[]).await
}

async fn load_past(folder: &Path, fleet: Fleet, interval: Duration) -> anyhow::Result<()> {
    let seconds = i64::try_from(interval.as_secs()).context("the interval is too long")?;
    let end = now_seconds() / seconds * seconds;
    let times = (0..i64::from(STEPS)).rev().map(|n| end - n * seconds);
    let file = folder.join("past.om");
    let mut to = BufWriter::new(File::create(&file).context("creating the past")?);
    fleet
        .write_past(times, &mut to)
        .context("writing the past")?;
    to.flush().context("writing the past")?;
    create_blocks(&file, &Prometheus::data_dir(folder)).await?;
    std::fs::remove_file(&file).context("removing the past's text")
}

/// Serves the fleet's state on a free loopback port.
async fn tell(fleet: Fleet) -> anyhow::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let scrape = async |State(fleet): State<Fleet>| fleet.exposition(now_seconds());
    let router = Router::new()
        .route("/metrics", get(scrape))
        .with_state(fleet);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark is an edge: the real Prometheus has the real clock"
)]
fn now_seconds() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
