//! Tells the program which commit it is built from, by which compiler and for which target.

use std::process::Command;

/// What stands where something cannot be found out, as in an archive without its repository.
const UNKNOWN: &str = "unknown";

fn main() {
    let commit = said("git", &["rev-parse", "--short=12", "HEAD"]);
    let changes = said("git", &["status", "--porcelain", "--untracked-files=no"]);
    let commit = match (commit, changes) {
        (Some(commit), None) => commit,
        (Some(commit), Some(_)) => format!("{commit}-modified"),
        (None, _) => UNKNOWN.to_owned(),
    };
    let compiler = said(&variable("RUSTC"), &["--version"]);
    let compiler = compiler
        .as_deref()
        .and_then(|said| said.split_whitespace().nth(1))
        .unwrap_or(UNKNOWN);
    println!("cargo::rustc-env=FORESHADOW_COMMIT={commit}");
    println!("cargo::rustc-env=FORESHADOW_RUSTC={compiler}");
    println!("cargo::rustc-env=FORESHADOW_TARGET={}", variable("TARGET"));
    println!(
        "cargo::rustc-env=FORESHADOW_PROFILE={}",
        variable("PROFILE")
    );
    println!("cargo::rerun-if-changed=build.rs");
    // Written at each commit and each change of branch.
    if let Some(log) = said("git", &["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
}

/// What a program prints, without the space around it; `None` where it fails or prints nothing.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to build scripts by the environment"
)]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| UNKNOWN.to_owned())
}
