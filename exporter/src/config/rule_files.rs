//! The predictive rule files that a configuration names.

use rules::Group;
use std::{
    collections::BTreeSet,
    io::{self, ErrorKind, Read as _},
    path::{Path, PathBuf},
};
use yaml::{Node, Problem, Problems};

/// Loads every file that the list of patterns picks. Problems inside the files are returned beside the
/// groups, so that those of the configuration can be reported with them.
pub(super) fn load(node: &Node, base: &Path) -> Option<(Vec<Group>, Vec<Problem>)> {
    let files = node.list(|pattern| find(pattern, base))?;
    // A file that two patterns pick is read once.
    let files: BTreeSet<_> = files.into_iter().flatten().collect();
    Some(parse_all(files))
}

/// Parses files, and holds them against each other.
pub(crate) fn parse_all(files: impl IntoIterator<Item = PathBuf>) -> (Vec<Group>, Vec<Problem>) {
    let (mut groups, mut problems) = (Vec::new(), Vec::new());
    for path in files {
        // Sound rules of a file that has problems are held against the others all the same.
        let (found, wrong) = parse(&path);
        groups.extend(found);
        problems.extend(wrong);
    }
    if let Err(found) = rules::check_all(&groups) {
        problems.extend(found);
    }
    (groups, problems)
}

fn parse(path: &Path) -> (Vec<Group>, Vec<Problem>) {
    let name = path.display().to_string();
    match read(path) {
        Ok(text) => rules::read(&name, &text),
        Err(error) => {
            let problems = Problems::unreadable(&name, &error).into_iter();
            (Vec::new(), problems.collect())
        }
    }
}

/// The text, or a little more of it than a rule file may have.
fn read(path: &Path) -> io::Result<String> {
    let limit = rules::MAX_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    files::open(path)?.take(limit).read_to_end(&mut bytes)?;
    let is_cut = bytes.len() as u64 == limit;
    String::from_utf8(bytes).or_else(|error| {
        // A letter may have been cut in two; the size is what is told then.
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        is_cut
            .then_some(text)
            .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, error))
    })
}

/// The files that a pattern picks. A pattern without wildcards must pick one, as a typing error would not.
fn find(node: &Node, base: &Path) -> Option<Vec<PathBuf>> {
    let pattern = node.string()?;
    let full = base.join(&pattern);
    let paths = node.accept(glob::glob(&full.to_string_lossy()))?;
    let files: Vec<PathBuf> = paths.filter_map(Result::ok).collect();
    if files.is_empty() && !pattern.contains(['*', '?', '[']) {
        node.problem(format!("no such file: {}", full.display()));
    }
    Some(files)
}
