//! The versions of Prometheus that there are to test with.

use crate::find_binary;
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// Debian releases whose Prometheus `scripts/other-prometheus` fetches.
const OTHERS: [&str; 2] = ["trixie", "sid"];

/// A Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// As it says itself, such as `2.42.0`.
    pub number: String,
    /// The program.
    pub program: PathBuf,
}

/// The installed Prometheus, and those that were fetched beside it; with each that is missing, as a sentence.
pub async fn prometheus_versions() -> anyhow::Result<(Vec<Version>, Vec<String>)> {
    let mut versions = vec![Version::of(find_binary("prometheus")?).await?];
    let mut missing = Vec::new();
    for suite in OTHERS {
        let program = cache_folder().map(|folder| folder.join(suite).join("prometheus"));
        match program.filter(|program| program.is_file()) {
            Some(program) => versions.push(Version::of(program).await?),
            None => missing.push(format!(
                "the Prometheus of Debian {suite} is not there: scripts/other-prometheus fetches it"
            )),
        }
    }
    Ok((versions, missing))
}

impl Version {
    /// Whether it is of this version or a later one.
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut parts = self.number.split('.').map(|part| part.parse().unwrap_or(0));
        let own = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        own >= (major, minor)
    }

    async fn of(program: PathBuf) -> anyhow::Result<Self> {
        let output = Command::new(&program).arg("--version").output().await;
        let output = output.with_context(|| format!("cannot start {}", program.display()))?;
        let said = [output.stdout, output.stderr].concat();
        let number = number(&String::from_utf8_lossy(&said)).with_context(|| unknown(&program))?;
        Ok(Self { number, program })
    }
}

fn unknown(program: &Path) -> String {
    format!("{} does not tell its version", program.display())
}

/// The number in `prometheus, version 2.42.0+ds (branch: …`.
fn number(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("version ")?;
    let number = rest
        .split(|c: char| c != '.' && !c.is_ascii_digit())
        .next()?;
    (!number.is_empty()).then(|| number.to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test bed is an edge: it finds caches as the user's shell does"
)]
fn cache_folder() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty());
    let cache = cache.map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    Some(cache.or_else(home)?.join("foreshadow/prometheus"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_what_the_program_says() {
        let said =
            "prometheus, version 2.53.3+ds1 (branch: debian/sid, revision: 2)\n  build user: x\n";
        assert_eq!(number(said), Some("2.53.3".to_owned()));
        assert_eq!(number("usage: prometheus"), None);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = |number: &str| Version {
            number: number.to_owned(),
            program: PathBuf::new(),
        };
        assert!(version("2.55.1").is_at_least(2, 55) && version("3.5.3").is_at_least(2, 55));
        assert!(!version("2.6.0").is_at_least(2, 55));
    }

    #[tokio::test]
    async fn the_installed_one_is_always_among_them_and_none_is_passed_over() {
        let (versions, missing) = prometheus_versions().await.unwrap();
        assert!(versions[0].number.starts_with(|c: char| c.is_ascii_digit()));
        assert_eq!(versions.len() + missing.len(), 1 + OTHERS.len());
    }
}
