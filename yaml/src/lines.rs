//! On which line of a document each key stands.

use saphyr_parser::{Event, Parser, ScanError};
use std::collections::HashMap;

/// Lines by key path, counted from one.
#[derive(Debug, Default)]
pub(crate) struct Lines(HashMap<String, usize>);

/// Where the walk through the events stands inside one collection.
enum Frame {
    List {
        path: String,
        idx: usize,
    },
    Map {
        path: String,
        key: Option<(String, usize)>,
    },
}

impl Lines {
    /// Walks a document's events. What stands behind an alias has the line of the alias.
    pub(crate) fn of(text: &str) -> Result<Self, ScanError> {
        let (mut lines, mut frames) = (Self::default(), Vec::new());
        for event in Parser::new_from_str(text) {
            let (event, span) = event?;
            let line = span.start.line();
            match event {
                Event::Scalar(value, ..) => lines.scalar(&mut frames, &value, line),
                Event::Alias(_) => lines.value(&mut frames, line),
                Event::SequenceStart(..) => {
                    let path = lines.enter(&mut frames, line);
                    frames.push(Frame::List { path, idx: 0 });
                }
                Event::MappingStart(..) => {
                    let path = lines.enter(&mut frames, line);
                    frames.push(Frame::Map { path, key: None });
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    frames.pop();
                }
                _ => {}
            }
        }
        Ok(lines)
    }

    /// The line of a key, or of the nearest enclosing one; 1 for the document.
    pub(crate) fn at(&self, path: &str) -> usize {
        let mut path = path;
        loop {
            if let Some(line) = self.0.get(path) {
                return *line;
            }
            let Some(end) = path.rfind(['.', '[']) else {
                return 1;
            };
            path = &path[..end];
        }
    }

    fn scalar(&mut self, frames: &mut [Frame], value: &str, line: usize) {
        match frames.last_mut() {
            Some(Frame::Map {
                key: key @ None, ..
            }) => *key = Some((value.to_owned(), line)),
            _ => self.value(frames, line),
        }
    }

    fn value(&mut self, frames: &mut [Frame], line: usize) {
        self.enter(frames, line);
    }

    /// Notes the value that begins here, and returns its path.
    fn enter(&mut self, frames: &mut [Frame], line: usize) -> String {
        let (path, line) = match frames.last_mut() {
            None => (String::new(), line),
            Some(Frame::List { path, idx }) => {
                let item = format!("{path}[{idx}]");
                *idx += 1;
                (item, line)
            }
            Some(Frame::Map { path, key }) => {
                let (key, line) = key.take().unwrap_or_default();
                (join(path, &key), line)
            }
        };
        self.0.insert(path.clone(), line);
        path
    }
}

/// The path of a key inside the mapping at `path`.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, path: &str, expect: usize) {
        assert_eq!(Lines::of(text).unwrap().at(path), expect);
    }

    #[test]
    fn keys_items_and_nested_values_have_their_lines() {
        let text = "a: 1\nb:\n- x\n- y: 2\n  z:\n    deep: 3\nc: {d: [4,\n  5]}\n";
        check(text, "a", 1);
        check(text, "b", 2);
        check(text, "b[0]", 3);
        check(text, "b[1].y", 4);
        check(text, "b[1].z.deep", 6);
        check(text, "c.d[1]", 8);
    }

    #[test]
    fn an_unknown_path_has_the_line_of_what_encloses_it() {
        check("a:\n  b: 1\n", "a.missing", 1);
        check("x: 1\na:\n- b: 1\n", "a[0].missing.more", 3);
        check("a: 1\n", "missing", 1);
    }

    #[test]
    fn what_stands_behind_an_alias_has_the_line_of_the_alias() {
        check("a: &x\n  b: 1\nc: *x\n", "c.b", 3);
    }
}
