//! Reading a document piece by piece, noting every problem on the way.

use crate::{
    Problem, Problems,
    lines::{Lines, join},
};
use serde_yaml::Value;
use std::{cell::RefCell, fmt::Display, str::FromStr};

/// One parsed file.
pub struct Document {
    file: String,
    root: Value,
    lines: Lines,
    problems: RefCell<Vec<Problem>>,
}

impl Document {
    /// Parses a text. `file` is the name that problems are reported under.
    pub fn parse(file: impl Into<String>, text: &str) -> Result<Self, Problems> {
        let file = file.into();
        let syntax = |line, message: String| Problem {
            file: file.clone(),
            line,
            key: String::new(),
            message,
        };
        let parsed = parse_value(text)
            .map_err(|e| syntax(e.location().map_or(1, |l| l.line()), e.to_string()))
            .and_then(|root| {
                let lines =
                    Lines::of(text).map_err(|e| syntax(e.marker().line(), e.to_string()))?;
                Ok((root, lines))
            });
        match parsed {
            Ok((root, lines)) => Ok(Self {
                file,
                root,
                lines,
                problems: RefCell::default(),
            }),
            Err(problem) => Err(Problems::collect([problem]).expect("one problem was given")),
        }
    }

    /// Reads the whole document: what `read` makes of it, or everything that it complained of.
    pub fn check<T>(self, read: impl FnOnce(&Node) -> Option<T>) -> Result<T, Problems> {
        let root = Node {
            document: &self,
            value: &self.root,
            path: String::new(),
        };
        let value = read(&root);
        if value.is_none() && self.problems.borrow().is_empty() {
            root.problem("cannot be read");
        }
        match (Problems::collect(self.problems.take()), value) {
            (None, Some(value)) => Ok(value),
            (Some(problems), _) => Err(problems),
            (None, None) => unreachable!("a missing value was given a problem above"),
        }
    }
}

fn parse_value(text: &str) -> Result<Value, serde_yaml::Error> {
    let mut root: Value = serde_yaml::from_str(text)?;
    root.apply_merge()?;
    Ok(root)
}

/// A value in a document. What is wrong with it is noted in the document; readers then return `None`.
pub struct Node<'a> {
    document: &'a Document,
    value: &'a Value,
    path: String,
}

impl<'a> Node<'a> {
    /// Notes what is wrong with this value.
    pub fn problem(&self, message: impl Display) {
        self.problem_at(&self.path, message);
    }

    fn problem_at(&self, path: &str, message: impl Display) {
        self.document.problems.borrow_mut().push(Problem {
            file: self.document.file.clone(),
            line: self.document.lines.at(path),
            key: path.to_owned(),
            message: message.to_string(),
        });
    }

    fn expected<T>(&self, what: &str) -> Option<T> {
        self.problem(format!("expected {what}, got {}", describe(self.value)));
        None
    }

    /// Whether nothing is written here, as after `key:`.
    pub fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// The line that this value stands on, counted from one.
    pub fn line(&self) -> usize {
        self.document.lines.at(&self.path)
    }

    /// A text. Numbers and booleans are taken as they would be written, since YAML needs no quotes.
    pub fn string(&self) -> Option<String> {
        match self.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(bool) => Some(bool.to_string()),
            _ => self.expected("a text"),
        }
    }

    /// A number that is not NaN.
    pub fn number(&self) -> Option<f64> {
        match self.value.as_f64() {
            Some(number) if !number.is_nan() => Some(number),
            _ => self.expected("a number"),
        }
    }

    /// A whole number from zero up.
    pub fn integer(&self) -> Option<u64> {
        self.value
            .as_u64()
            .or_else(|| self.expected("a whole number from 0 up"))
    }

    /// `true` or `false`.
    pub fn bool(&self) -> Option<bool> {
        self.value
            .as_bool()
            .or_else(|| self.expected("true or false"))
    }

    /// A text that parses as `T`.
    pub fn parse<T>(&self) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.string()?;
        self.accept(text.parse())
    }

    /// The value of a check made by the caller, or `None` with its error noted here.
    pub fn accept<T, E: Display>(&self, checked: Result<T, E>) -> Option<T> {
        checked.map_err(|error| self.problem(error)).ok()
    }

    /// A list, each item read on its own; what is wrong with one does not hide the others.
    pub fn list<T>(&self, mut read: impl FnMut(&Node<'a>) -> Option<T>) -> Option<Vec<T>> {
        let Some(items) = self.value.as_sequence() else {
            return self.expected("a list");
        };
        let child = |(idx, value)| Node {
            document: self.document,
            value,
            path: format!("{}[{idx}]", self.path),
        };
        Some(
            items
                .iter()
                .enumerate()
                .map(child)
                .filter_map(|node| read(&node))
                .collect(),
        )
    }

    /// A mapping whose keys are the user's own, in the order of the file.
    pub fn entries<T>(&self, mut read: impl FnMut(&str, &Node<'a>) -> Option<T>) -> Option<Vec<T>> {
        let Some(mapping) = self.value.as_mapping() else {
            return self.expected("a mapping");
        };
        let mut entries = Vec::new();
        for (key, value) in mapping {
            let Some(key) = key_text(key) else {
                self.problem("keys must be texts");
                continue;
            };
            let node = self.child(&key, value);
            entries.extend(read(&key, &node));
        }
        Some(entries)
    }

    /// A mapping with known keys; those that `read` does not ask for are problems.
    pub fn map<T>(&self, read: impl FnOnce(&Fields<'_, 'a>) -> Option<T>) -> Option<T> {
        if self.value.as_mapping().is_none() {
            return self.expected("a mapping");
        }
        let fields = Fields {
            node: self,
            known: RefCell::default(),
        };
        let value = read(&fields);
        fields.report_unknown();
        value
    }

    fn child(&self, key: &str, value: &'a Value) -> Node<'a> {
        Node {
            document: self.document,
            value,
            path: join(&self.path, key),
        }
    }
}

/// The fields of a mapping with known keys.
pub struct Fields<'n, 'a> {
    node: &'n Node<'a>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'_, 'a> {
    /// Reads a field that must be there.
    pub fn required<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Node<'a>) -> Option<T>,
    ) -> Option<T> {
        if !self.has(key) {
            self.known.borrow_mut().push(key);
            self.node.problem(format!("`{key}` is missing"));
            return None;
        }
        self.optional(key, read)
    }

    /// Reads a field that may be left out; one without a value counts as left out.
    pub fn optional<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Node<'a>) -> Option<T>,
    ) -> Option<T> {
        self.known.borrow_mut().push(key);
        let value = self.node.value.get(key).filter(|value| !value.is_null())?;
        read(&self.node.child(key, value))
    }

    /// Whether a field is there and has a value.
    pub fn has(&self, key: &str) -> bool {
        self.node
            .value
            .get(key)
            .is_some_and(|value| !value.is_null())
    }

    /// Notes what is wrong with one field, after it was read.
    pub fn problem(&self, key: &str, message: impl Display) {
        self.node.problem_at(&join(&self.node.path, key), message);
    }

    /// The mapping itself, for problems that no single field has.
    pub fn node(&self) -> &Node<'a> {
        self.node
    }

    fn report_unknown(&self) {
        let known = self.known.borrow();
        let keys = self
            .node
            .value
            .as_mapping()
            .into_iter()
            .flat_map(serde_yaml::Mapping::keys);
        for key in keys {
            match key_text(key) {
                Some(key) if known.contains(&key.as_str()) => {}
                Some(key) => self.problem(&key, unknown(&key, &known)),
                None => self.node.problem("keys must be texts"),
            }
        }
    }
}

fn unknown(key: &str, known: &[&'static str]) -> String {
    let nearest = known
        .iter()
        .map(|name| (strsim::osa_distance(key, name), name))
        .min();
    match nearest {
        Some((distance, name)) if distance <= 2 => format!("unknown key, did you mean `{name}`?"),
        _ => format!("unknown key, expected one of: {}", known.join(", ")),
    }
}

fn key_text(key: &Value) -> Option<String> {
    match key {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        _ => None,
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(bool) => format!("`{bool}`"),
        Value::Number(number) => format!("`{number}`"),
        Value::String(text) => format!("the text {text:?}"),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
        Value::Tagged(tagged) => format!("a value tagged {}", tagged.tag),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "seen through Debug alone")]
    struct Rule {
        name: String,
        limit: u64,
        share: f64,
    }

    fn rule(node: &Node) -> Option<Rule> {
        node.map(|fields| {
            let name = fields.required("name", Node::string);
            let limit = fields.optional("limit", Node::integer).unwrap_or(7);
            let share = fields.required("share", Node::number);
            Some(Rule {
                name: name?,
                limit,
                share: share?,
            })
        })
    }

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let read = Document::parse("r.yml", text).and_then(|d| d.check(|n| n.list(rule)));
        assert_eq!(
            read.map_or_else(|p| p.to_string(), |rules| format!("{rules:?}")),
            expect
        );
    }

    #[test]
    fn a_good_document_is_read() {
        check(
            "- {name: a, share: 0.5}\n- {name: 5, share: 1, limit: 2}\n",
            r#"[Rule { name: "a", limit: 7, share: 0.5 }, Rule { name: "5", limit: 2, share: 1.0 }]"#,
        );
    }

    #[test]
    fn every_problem_is_reported_with_its_line_and_key() {
        check(
            "- name: a\n  shaer: 1\n- name: [x]\n  share: high\n  limit: -1\n- 5\n",
            "r.yml:1: [0]: `share` is missing\n\
             r.yml:2: [0].shaer: unknown key, did you mean `share`?\n\
             r.yml:3: [1].name: expected a text, got a list\n\
             r.yml:4: [1].share: expected a number, got the text \"high\"\n\
             r.yml:5: [1].limit: expected a whole number from 0 up, got `-1`\n\
             r.yml:6: [2]: expected a mapping, got `5`",
        );
    }

    #[test]
    fn a_broken_syntax_has_its_line() {
        let problems = Document::parse("r.yml", "a: 1\nb: [\n").err().unwrap();
        assert!(problems.to_string().starts_with("r.yml:"), "{problems}");
    }

    #[test]
    fn merge_keys_and_anchors_work() {
        check(
            "- &base {name: a, share: 1}\n- {<<: *base, limit: 3}\n",
            r#"[Rule { name: "a", limit: 7, share: 1.0 }, Rule { name: "a", limit: 3, share: 1.0 }]"#,
        );
    }
}
