//! Fenced blocks of Markdown files.

use anyhow::{Context as _, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// One fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The file, seen from the root of the repository.
    pub file: String,
    /// The line of the opening fence, counted from one.
    pub line: usize,
    /// The first word behind the opening fence; empty where there is none.
    pub language: String,
    /// The text between the fences, with its last line feed.
    pub text: String,
}

impl Block {
    /// `FILE:LINE`, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// All fenced blocks of the repository's own documents, in order of file and line: `*.md` at the root and in `docs`.
///
/// # Errors
/// When a file cannot be read, or a fence stays open.
pub fn blocks(root: &Path) -> anyhow::Result<Vec<Block>> {
    let mut files = Vec::new();
    for folder in ["", "docs"] {
        let path = root.join(folder);
        let listed = fs::read_dir(&path).with_context(|| format!("cannot list {folder:?}"))?;
        for entry in listed {
            let path = entry.context("cannot list a folder")?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut found = Vec::new();
    for path in files {
        let name = path.strip_prefix(root).unwrap_or(&path).display();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
        found.extend(in_text(&name.to_string(), &text)?);
    }
    Ok(found)
}

fn in_text(file: &str, text: &str) -> anyhow::Result<Vec<Block>> {
    let (mut found, mut open) = (Vec::new(), None::<Block>);
    for (idx, line) in text.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        open = match (open, fence) {
            (None, None) => None,
            (None, Some(info)) => Some(Block {
                file: file.to_owned(),
                line: idx + 1,
                language: info.split_whitespace().next().unwrap_or("").to_owned(),
                text: String::new(),
            }),
            (Some(block), Some(_)) => {
                found.push(block);
                None
            }
            (Some(mut block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
                Some(block)
            }
        };
    }
    let at = open.map(|block| block.place());
    ensure!(
        at.is_none(),
        "the fence at {} stays open",
        at.unwrap_or_default()
    );
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_knows_its_line_its_language_and_its_text() {
        let found = in_text(
            "a.md",
            "x\n```yaml title\na: 1\n\nb: 2\n```\ny\n```\nz\n```\n",
        )
        .unwrap();
        let told: Vec<_> = found
            .iter()
            .map(|block| (block.place(), &*block.language, &*block.text))
            .collect();
        assert_eq!(
            told,
            [
                ("a.md:2".to_owned(), "yaml", "a: 1\n\nb: 2\n"),
                ("a.md:8".to_owned(), "", "z\n")
            ]
        );
    }

    #[test]
    fn a_fence_that_stays_open_is_refused() {
        let error = in_text("a.md", "```sh\nls\n").unwrap_err();
        assert_eq!(error.to_string(), "the fence at a.md:1 stays open");
    }
}
