//! Finding the programs, a port for each, and a past for Prometheus.

use anyhow::{Context, bail};
use std::{
    ffi::OsStr,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};
use tokio::process::Command;

/// Looks for a program where the shell would.
#[expect(
    clippy::disallowed_methods,
    reason = "a test bed is an edge: it finds programs as the user's shell does"
)]
pub fn find_binary(name: &str) -> anyhow::Result<PathBuf> {
    find_in(&std::env::var_os("PATH").unwrap_or_default(), name)
}

fn find_in(path: &OsStr, name: &str) -> anyhow::Result<PathBuf> {
    std::env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .with_context(|| format!("`{name}` is not installed: run scripts/setup"))
}

/// A loopback port that was free a moment ago.
pub fn free_port() -> anyhow::Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no loopback port is free")?;
    Ok(listener
        .local_addr()
        .context("a bound port has no address")?
        .port())
}

/// One block of this length holds two months: promtool reads the whole file once for each block, and
/// Prometheus keeps what ends within its retention.
const BLOCK: &str = "1500h";

/// Turns an OpenMetrics file into blocks in a Prometheus data folder, which must not be in use.
pub async fn create_blocks(openmetrics: &Path, data_dir: &Path) -> anyhow::Result<()> {
    let promtool = find_binary("promtool")?;
    let output = Command::new(&promtool)
        .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"])
        .arg(format!("--max-block-duration={BLOCK}"))
        .arg(openmetrics)
        .arg(data_dir)
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot start {}", promtool.display()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!(
            "promtool cannot load {}: {}",
            openmetrics.display(),
            words.trim()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_says_how_to_get_it() {
        let error = find_in(OsStr::new("/nowhere:/proc"), "prometheus").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`prometheus` is not installed: run scripts/setup"
        );
    }

    #[test]
    fn a_free_port_can_be_bound() {
        let port = free_port().unwrap();
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    }

    #[tokio::test]
    async fn what_is_no_openmetrics_is_refused_with_promtools_words() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("bad.om");
        std::fs::write(&file, "up 1 1700000000\n").unwrap();
        let error = create_blocks(&file, dir.path()).await.unwrap_err();
        assert!(error.to_string().contains("EOF"), "{error:#}");
    }
}
