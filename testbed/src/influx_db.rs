//! A real InfluxDB 1.x in a folder of its own, which takes remote write and answers remote read.

use crate::{Process, find_binary, free_port, http_client};
use anyhow::Context;
use std::{path::Path, time::Duration};
use url::Url;

const START: Duration = Duration::from_secs(30);

/// The one database that it holds.
const DATABASE: &str = "prometheus";

/// A running InfluxDB; dropping it kills it.
#[derive(Debug)]
pub struct InfluxDb {
    /// The program itself, to be terminated or killed.
    pub process: Process,
    url: Url,
}

impl InfluxDb {
    /// Writes a configuration to `dir`, starts on free loopback ports and makes a database.
    ///
    /// # Errors
    /// When the program is missing or not ready in time, with the last lines of its log.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        let program = find_binary("influxd")?;
        std::fs::create_dir_all(dir)
            .with_context(|| format!("cannot create the folder {}", dir.display()))?;
        let (port, file) = (free_port()?, dir.join("influxdb.conf"));
        std::fs::write(&file, configuration(dir, port, free_port()?))
            .with_context(|| format!("cannot write {}", file.display()))?;
        let args = [format!("-config={}", file.display())];
        let mut process = Process::spawn(dir, "influxd", &program, args)?;
        let url = Url::parse(&format!("http://127.0.0.1:{port}/")).context("not an address")?;
        process.wait_until_up(&format!("{url}ping"), START).await?;
        let database = Self { process, url };
        database.create().await?;
        Ok(database)
    }

    async fn create(&self) -> anyhow::Result<()> {
        let mut url = self.url.join("query")?;
        url.query_pairs_mut()
            .append_pair("q", &format!("CREATE DATABASE {DATABASE}"));
        let answer = http_client(START)?.post(url).send().await?;
        let answer = answer.error_for_status();
        answer.context("cannot make a database")?;
        Ok(())
    }

    /// Where remote read is answered.
    pub fn read_url(&self) -> Url {
        self.endpoint("api/v1/prom/read")
    }

    /// Where remote write is taken.
    pub fn write_url(&self) -> Url {
        self.endpoint("api/v1/prom/write")
    }

    fn endpoint(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(path);
        url.query_pairs_mut().append_pair("db", DATABASE);
        url
    }
}

/// Nothing listens but HTTP and the port of backups, both on loopback, and nothing is reported home.
fn configuration(dir: &Path, http: u16, backup: u16) -> String {
    let folder = |name: &str| dir.join(name).display().to_string();
    let (meta, data, wal) = (folder("meta"), folder("data"), folder("wal"));
    format!(
        "reporting-disabled = true\nbind-address = \"127.0.0.1:{backup}\"\n\
         [meta]\ndir = \"{meta}\"\n[data]\ndir = \"{data}\"\nwal-dir = \"{wal}\"\nindex-version = \"inmem\"\n\
         [http]\nbind-address = \"127.0.0.1:{http}\"\nlog-enabled = false\n[monitor]\nstore-enabled = false\n"
    )
}
