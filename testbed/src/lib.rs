//! Real Prometheus and Alertmanager on loopback, for tests and the demo.

mod alertmanager;
mod http;
mod process;
mod programs;
mod prometheus;
mod versions;

pub use alertmanager::Alertmanager;
pub use http::http_client;
pub use process::Process;
pub use programs::{create_blocks, find_binary, free_port};
pub use prometheus::Prometheus;
pub use versions::{Version, prometheus_versions};
