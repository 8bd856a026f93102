//! The workspace keeps to its own rules.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may panic as tests do"
)]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn metadata() -> cargo_metadata::Metadata {
    let mut command = cargo_metadata::MetadataCommand::new();
    command
        .manifest_path(root().join("Cargo.toml"))
        .exec()
        .unwrap()
}

#[track_caller]
fn none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

#[test]
fn dependencies_point_down() {
    none(&xtask::layers::offences(&metadata()));
}

#[test]
fn crates_that_think_do_no_io() {
    none(&xtask::layers::impurities(&metadata()));
}

#[test]
fn every_licence_is_compatible() {
    none(&xtask::licences::offences(&metadata(), &root().join("deny.toml")).unwrap());
}

#[test]
fn sources_are_tidy() {
    none(&xtask::tidy::offences(&root()).unwrap());
}
