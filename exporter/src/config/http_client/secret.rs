//! Secrets, which stand in the configuration or in files beside it, and are never shown.

use anyhow::Context as _;
use std::{
    fmt,
    path::{Path, PathBuf},
};
use yaml::{Fields, Node};

/// Size of a file of secrets; bundles of CA certificates are the largest.
pub(super) const MAX_BYTES: u64 = 4 << 20;

/// A secret in the configuration or in a file beside it.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Secret {
    Inline(String),
    File(PathBuf),
}

impl Secret {
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Inline(_) => None,
            Self::File(path) => Some(path),
        }
    }

    /// The text; one from a file is trimmed, since editors end files with a line feed.
    pub(super) fn text(&self) -> anyhow::Result<String> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::File(path) => {
                let text = files::read_to_string(path, MAX_BYTES);
                let text = text.with_context(|| format!("reading {}", path.display()))?;
                Ok(text.trim_start_matches('\u{feff}').trim().to_owned())
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("<secret>"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A secret under one of two keys, of which one must be there.
pub(super) fn required(f: &Fields, keys: [&'static str; 2], base: &Path) -> Option<Secret> {
    let [inline, file] = keys;
    if !f.has(inline) && !f.has(file) {
        f.node()
            .problem(format!("`{inline}` or `{file}` is missing"));
    }
    optional(f, keys, base)
}

/// A secret under one of two keys: as a text, or in a file.
pub(super) fn optional(
    f: &Fields,
    [inline, file]: [&'static str; 2],
    base: &Path,
) -> Option<Secret> {
    let text = f.optional(inline, Node::string).map(Secret::Inline);
    let path = f.optional(file, |n| in_file(n, base));
    if f.has(inline) && f.has(file) {
        f.problem(
            file,
            format!("at most one of `{inline}` and `{file}` may be set"),
        );
    }
    text.or(path)
}

/// A secret in a file, which must be there already.
pub(super) fn in_file(node: &Node, base: &Path) -> Option<Secret> {
    let path = base.join(node.string()?);
    let opened = files::open(&path);
    node.accept(opened.map_err(|e| format!("cannot read {}: {e}", path.display())))?;
    Some(Secret::File(path))
}
