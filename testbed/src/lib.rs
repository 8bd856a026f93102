//! Real servers on loopback, for tests and the demo: Prometheus, Alertmanager, VictoriaMetrics, InfluxDB.

mod alertmanager;
mod http;
mod influx_db;
mod process;
mod programs;
mod prometheus;
mod versions;
mod victoria_metrics;

pub use alertmanager::Alertmanager;
pub use http::http_client;
pub use influx_db::InfluxDb;
pub use process::Process;
pub use programs::{create_blocks, find_binary, free_port};
pub use prometheus::Prometheus;
pub use versions::{Version, prometheus_versions};
pub use victoria_metrics::VictoriaMetrics;
