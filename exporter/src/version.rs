//! Which build of the program this is.

/// The version of the release.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit that it is built from, with `-modified` where files were changed; `unknown` without a repository.
pub(crate) const COMMIT: &str = env!("FORESHADOW_COMMIT");
/// The version of the compiler.
pub(crate) const RUSTC: &str = env!("FORESHADOW_RUSTC");
/// The target that it is built for, like `x86_64-unknown-linux-gnu`.
pub(crate) const TARGET: &str = env!("FORESHADOW_TARGET");

/// What `foreshadow --version` prints behind the name.
pub(crate) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\n  commit:   ",
    env!("FORESHADOW_COMMIT"),
    "\n  compiler: rustc ",
    env!("FORESHADOW_RUSTC"),
    "\n  target:   ",
    env!("FORESHADOW_TARGET"),
    "\n  profile:  ",
    env!("FORESHADOW_PROFILE"),
);
