//! How the sources look: length of files, words that do not belong in them.

use anyhow::Context as _;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Lines of production code that a file may have; what is longer wants to be two files.
pub const MAX_PRODUCTION_LINES: usize = 400;

/// Sentences about sources that are too long, do not say what they are for, or leave work undone.
pub fn offences(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut offences = Vec::new();
    for path in sources(root)? {
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let name = path.strip_prefix(root).unwrap_or(&path).display();
        let only_tests = path.components().any(|part| part.as_os_str() == "tests");
        let production = if only_tests {
            0
        } else {
            production_lines(&text)
        };
        if production > MAX_PRODUCTION_LINES {
            offences.push(format!("{name} has {production} lines of production code"));
        }
        if !text.starts_with("//! ") {
            offences.push(format!(
                "{name} does not open with a sentence about what it is for"
            ));
        }
        // Put together here, so that this file does not accuse itself.
        for undone in [
            concat!("to", "do!("),
            concat!("un", "implemented!("),
            concat!("#[ig", "nore"),
        ] {
            if text.contains(undone) {
                offences.push(format!("{name} contains {undone}"));
            }
        }
    }
    Ok(offences)
}

/// Lines before the tests that close a file.
fn production_lines(text: &str) -> usize {
    text.lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .count()
}

fn sources(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
