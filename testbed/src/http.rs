//! An HTTP client for loopback.

use anyhow::Context;
use std::time::Duration;

/// A client that asks no proxy and gives up after `timeout`; it works in programs that set up no TLS.
pub fn http_client(timeout: Duration) -> anyhow::Result<reqwest::Client> {
    // Refused when there is one already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(timeout)
        .no_proxy()
        .build()
        .context("cannot build an HTTP client")
}
