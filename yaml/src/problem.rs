//! What is wrong in a file, and where.

use std::fmt;

/// One thing to mend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file's name as the user gave it.
    pub file: String,
    /// Counted from one; zero when the file could not be read at all.
    pub line: usize,
    /// The path of the key, such as `groups[0].rules[2].expr`; empty for the document itself.
    pub key: String,
    /// What is wrong, as a sentence without full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All that is wrong; never empty, sorted by file and line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Takes problems together; `None` when there are none.
    pub fn collect(problems: impl IntoIterator<Item = Problem>) -> Option<Self> {
        let mut problems: Vec<_> = problems.into_iter().collect();
        problems.sort();
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// A file that could not be read.
    pub fn unreadable(file: impl Into<String>, error: &std::io::Error) -> Self {
        let message = format!("cannot be read: {error}");
        Self(vec![Problem {
            file: file.into(),
            line: 0,
            key: String::new(),
            message,
        }])
    }

    /// The problems in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Problems {
    /// One problem a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, problem) in self.0.iter().enumerate() {
            let lead = if idx == 0 { "" } else { "\n" };
            write!(f, "{lead}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
