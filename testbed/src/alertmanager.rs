//! A real Alertmanager in a folder of its own.

use crate::{Process, find_binary, free_port};
use anyhow::Context;
use std::{path::Path, time::Duration};
use url::Url;

const START: Duration = Duration::from_secs(30);

/// A running Alertmanager, alone in its cluster; dropping it kills it.
#[derive(Debug)]
pub struct Alertmanager {
    /// The program itself, to be terminated, killed or told to reload.
    pub process: Process,
    url: Url,
}

impl Alertmanager {
    /// Writes the configuration to `DIR/alertmanager.yml` and starts on a free loopback port.
    ///
    /// # Errors
    /// When the program is missing or not ready in time, with the last lines of its log.
    pub async fn start(dir: &Path, config: &str) -> anyhow::Result<Self> {
        let program = find_binary("prometheus-alertmanager")?;
        std::fs::create_dir_all(dir)
            .with_context(|| format!("cannot create the folder {}", dir.display()))?;
        let file = dir.join("alertmanager.yml");
        std::fs::write(&file, config)
            .with_context(|| format!("cannot write {}", file.display()))?;
        let port = free_port()?;
        let args = [
            format!("--config.file={}", file.display()),
            format!("--storage.path={}", dir.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            // Without peers: the gossip port is no loopback port by default.
            "--cluster.listen-address=".to_owned(),
        ];
        let mut process = Process::spawn(dir, "alertmanager", &program, args)?;
        let url = Url::parse(&format!("http://127.0.0.1:{port}/")).context("not an address")?;
        process
            .wait_until_up(&format!("{url}-/ready"), START)
            .await?;
        Ok(Self { process, url })
    }

    /// Its address, with a slash at the end.
    pub fn url(&self) -> &Url {
        &self.url
    }
}
