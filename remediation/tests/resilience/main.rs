//! Remediation on a simulated world that breaks where a test wants it to, with the real journal on disk.

#![expect(
    clippy::unwrap_used,
    reason = "shared test code may stop the test where it stands"
)]

mod fuzz;
mod laws;
mod report;
mod sim;
mod switch;
