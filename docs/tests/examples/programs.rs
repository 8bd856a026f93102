//! The programs that examples are held to.

use std::{
    path::{Path, PathBuf},
    process::Command,
};
use testbed::find_binary;

/// The program `foreshadow`, as it was built with these tests.
pub(crate) fn foreshadow() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().unwrap().with_file_name("foreshadow");
    assert!(
        built.exists(),
        "{} is not there: cargo build -p exporter",
        built.display()
    );
    built
}

/// What a program that checks a file in `dir` complains of; nothing when it is content.
pub(crate) fn complaint(program: &Path, args: &[&str], dir: &Path) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.args(args).current_dir(dir).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (!output.status.success()).then_some(said)
}

/// What `promtool` complains of.
pub(crate) fn promtool(args: &[&str], dir: &Path) -> Option<String> {
    complaint(&find_binary("promtool").unwrap(), args, dir)
}

/// What `amtool` complains of.
pub(crate) fn amtool(args: &[&str], dir: &Path) -> Option<String> {
    complaint(&find_binary("amtool").unwrap(), args, dir)
}
