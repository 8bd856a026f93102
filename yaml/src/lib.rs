//! YAML files read to the last problem: every complaint carries its file, line and key.
//!
//! `serde_yaml` reads the values, and this crate alone knows it, since it is archived upstream. It does not
//! tell where a value stood, so `saphyr-parser` adds the lines.

mod lines;
mod node;
mod problem;

pub use node::{Document, Fields, Node};
pub use problem::{Problem, Problems};
