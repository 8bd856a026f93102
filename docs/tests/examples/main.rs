//! Every fenced example of the documentation, held to the program that it is for.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may panic as tests do"
)]

mod commands;
mod configurations;
mod demo_config;
mod programs;
mod readme;

use docs::{Block, Kind, blocks, root};

/// Every example with its kind.
fn examples() -> Vec<(Kind, Block)> {
    let blocks = blocks(&root()).unwrap();
    let (known, unknown): (Vec<_>, Vec<_>) = blocks
        .into_iter()
        .map(|block| Kind::of(&block).map(|kind| (kind, block)))
        .partition(Result::is_ok);
    let sentences: Vec<String> = unknown.into_iter().filter_map(Result::err).collect();
    assert!(sentences.is_empty(), "\n{}\n", sentences.join("\n"));
    known.into_iter().filter_map(Result::ok).collect()
}

/// The examples of some kinds.
fn of(kinds: &[Kind]) -> Vec<(Kind, Block)> {
    let found: Vec<_> = examples()
        .into_iter()
        .filter(|(kind, _)| kinds.contains(kind))
        .collect();
    assert!(!found.is_empty(), "the documentation has no {kinds:?}");
    found
}

#[track_caller]
fn none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}
