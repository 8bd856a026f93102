//! YAML files read to the last problem: every complaint carries its file, line and key.
//!
//! `saphyr-parser` gives what was written, scalars as they were written included: a label's value `1.10` is not `1.1`.
//! `serde_yaml` speaks the dialect of libyaml, as Prometheus does, and says what is no YAML there; this crate alone
//! knows both, since it is archived upstream.

mod node;
mod problem;
mod scalar;
mod tree;

pub use node::{Document, Fields, Node};
pub use problem::{Problem, Problems};
