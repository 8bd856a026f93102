//! The Kubernetes actuator, against the stand-in or, with `KUBECONFIG` given, against a real API server.

#![expect(
    clippy::unwrap_used,
    reason = "shared test code may stop the test where it stands"
)]

mod arrival;
mod autoscaler;
mod canary;
mod faults;
mod fleets;
mod handover;
mod role;
mod scale;
mod server;
mod setting;
mod world;
