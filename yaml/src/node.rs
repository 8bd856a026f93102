//! Reading a document piece by piece, noting every problem on the way.

use crate::{
    Problem, Problems,
    tree::{self, Entry, Fault, Item, Kind, Scalar},
};
use serde::{Deserialize as _, de::IgnoredAny};
use std::{cell::RefCell, fmt::Display, str::FromStr};

/// One parsed file.
pub struct Document {
    file: String,
    root: Item,
    problems: RefCell<Vec<Problem>>,
}

impl Document {
    /// Parses a text. `file` is the name that problems are reported under.
    pub fn parse(file: impl Into<String>, text: &str) -> Result<Self, Problems> {
        let file = file.into();
        // Editors on Windows write it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // First the reader that counts levels: the other takes time by the square of them.
        let read = tree::read(text).and_then(|root| match check_dialect(text) {
            None => Ok(root),
            Some(fault) => Err(vec![fault]),
        });
        let problem = |fault: Fault| Problem {
            file: file.clone(),
            line: fault.line,
            key: fault.key,
            message: fault.message,
        };
        match read {
            Ok(root) => Ok(Self {
                file,
                root,
                problems: RefCell::default(),
            }),
            Err(faults) => {
                let problems = Problems::collect(faults.into_iter().map(problem));
                Err(problems.expect("a text is refused for a reason"))
            }
        }
    }

    /// Reads the whole document: what `read` makes of it, or everything that it complained of.
    pub fn check<T>(self, read: impl FnOnce(&Node) -> Option<T>) -> Result<T, Problems> {
        let root = Node {
            document: &self,
            item: &self.root,
            line: self.root.line,
            is_shared: self.root.is_shared,
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

/// What libyaml, whose dialect Prometheus speaks, has against the syntax.
fn check_dialect(text: &str) -> Option<Fault> {
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let error = documents.find_map(|document| IgnoredAny::deserialize(document).err())?;
    let line = error.location().map_or(1, |location| location.line());
    Some(Fault::at(line, error.to_string()))
}

/// A value in a document. What is wrong with it is noted in the document; readers then return `None`.
pub struct Node<'a> {
    document: &'a Document,
    item: &'a Item,
    line: usize,
    /// Set below an alias: what stands behind it has the line of the alias.
    is_shared: bool,
    path: String,
}

impl<'a> Node<'a> {
    /// Notes what is wrong with this value.
    pub fn problem(&self, message: impl Display) {
        self.problem_at(self.path.clone(), self.line, message);
    }

    fn problem_at(&self, key: String, line: usize, message: impl Display) {
        self.document.problems.borrow_mut().push(Problem {
            file: self.document.file.clone(),
            line,
            key,
            message: message.to_string(),
        });
    }

    fn expected<T>(&self, what: &str) -> Option<T> {
        let got = describe(&self.item.value.kind);
        self.problem(format!("expected {what}, got {got}"));
        None
    }

    fn scalar(&self) -> Option<&'a Scalar> {
        match &self.item.value.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// Whether nothing is written here, as after `key:`.
    pub fn is_null(&self) -> bool {
        is_null(self.item)
    }

    /// The line that this value stands on, counted from one.
    pub fn line(&self) -> usize {
        self.line
    }

    /// A text as it was written. What looks like a number or a boolean is one, too, since YAML needs no quotes: `1.10`
    /// stays `1.10`.
    pub fn string(&self) -> Option<String> {
        match self.scalar() {
            Some(scalar) if !scalar.is_null() => Some(scalar.text.clone()),
            _ => self.expected("a text"),
        }
    }

    /// The value of a label: a text as it was written, and the empty one where nothing is.
    pub fn label_value(&self) -> Option<String> {
        if self.is_null() {
            return Some(String::new());
        }
        self.string()
    }

    /// A number that is not NaN.
    pub fn number(&self) -> Option<f64> {
        match self.scalar().and_then(Scalar::number) {
            Some(number) if !number.is_nan() => Some(number),
            _ => self.expected("a number"),
        }
    }

    /// A whole number from zero up.
    pub fn integer(&self) -> Option<u64> {
        let integer = self.scalar().and_then(Scalar::integer);
        integer.or_else(|| self.expected("a whole number from 0 up"))
    }

    /// `true` or `false`, or one of the other words that YAML 1.1 has for them.
    pub fn bool(&self) -> Option<bool> {
        let bool = self.scalar().and_then(Scalar::bool);
        bool.or_else(|| self.expected("true or false"))
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
        let Kind::List(items) = &self.item.value.kind else {
            return self.expected("a list");
        };
        let items = items.iter().enumerate();
        let nodes = items.map(|(idx, item)| self.below(format!("{}[{idx}]", self.path), item));
        Some(nodes.filter_map(|node| read(&node)).collect())
    }

    /// A mapping whose keys are the user's own, in the order of the file.
    pub fn entries<T>(&self, mut read: impl FnMut(&str, &Node<'a>) -> Option<T>) -> Option<Vec<T>> {
        let Kind::Map(all) = &self.item.value.kind else {
            return self.expected("a mapping");
        };
        let mut entries = Vec::new();
        for Entry { key, item } in all {
            let Some(key) = key else {
                self.problem("keys must be texts");
                continue;
            };
            let node = self.below(join(&self.path, key), item);
            entries.extend(read(key, &node));
        }
        Some(entries)
    }

    /// A mapping with known keys; those that `read` does not ask for are problems.
    pub fn map<T>(&self, read: impl FnOnce(&Fields<'_, 'a>) -> Option<T>) -> Option<T> {
        let Kind::Map(entries) = &self.item.value.kind else {
            return self.expected("a mapping");
        };
        let fields = Fields {
            node: self,
            entries,
            known: RefCell::default(),
        };
        let value = read(&fields);
        fields.report_unknown();
        value
    }

    fn below(&self, path: String, item: &'a Item) -> Node<'a> {
        Node {
            document: self.document,
            item,
            line: if self.is_shared { self.line } else { item.line },
            is_shared: self.is_shared || item.is_shared,
            path,
        }
    }
}

/// The fields of a mapping with known keys.
pub struct Fields<'n, 'a> {
    node: &'n Node<'a>,
    entries: &'a [Entry],
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
        let item = self.get(key).filter(|item| !is_null(item))?;
        read(&self.node.below(join(&self.node.path, key), item))
    }

    /// Whether a field is there and has a value.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some_and(|item| !is_null(item))
    }

    /// Notes what is wrong with one field, after it was read.
    pub fn problem(&self, key: &str, message: impl Display) {
        let path = join(&self.node.path, key);
        let item = self.get(key);
        let line = item.map_or(self.node.line, |item| {
            self.node.below(String::new(), item).line
        });
        self.node.problem_at(path, line, message);
    }

    /// The mapping itself, for problems that no single field has.
    pub fn node(&self) -> &Node<'a> {
        self.node
    }

    fn get(&self, key: &str) -> Option<&'a Item> {
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.key.as_deref() == Some(key));
        entry.map(|entry| &entry.item)
    }

    fn report_unknown(&self) {
        let known = self.known.borrow();
        for Entry { key, item } in self.entries {
            match key {
                Some(key) if known.contains(&key.as_str()) => {}
                Some(key) => {
                    let node = self.node.below(join(&self.node.path, key), item);
                    node.problem(unknown(key, &known));
                }
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

fn is_null(item: &Item) -> bool {
    matches!(&item.value.kind, Kind::Scalar(scalar) if scalar.is_null())
}

/// The path of a key inside the mapping at `path`.
fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Scalar(scalar) if scalar.is_null() => "nothing".to_owned(),
        Kind::Scalar(scalar) if scalar.number().is_some() || scalar.bool().is_some() => {
            format!("`{}`", scalar.text)
        }
        Kind::Scalar(scalar) => format!("the text {:?}", scalar.text),
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "a mapping".to_owned(),
        Kind::Tagged(tag) => format!("a value tagged {tag}"),
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

    /// What a text reads as where every scalar is taken for a text, or the problems with it.
    fn texts(text: &str) -> String {
        fn read(node: &Node) -> Option<String> {
            match &node.item.value.kind {
                Kind::Scalar(_) => node.label_value(),
                Kind::Map(_) => {
                    let entries = node.entries(|key, node| Some(format!("{key}={}", read(node)?)));
                    Some(format!("{{{}}}", entries?.join(" ")))
                }
                _ => Some(format!("[{}]", node.list(read)?.join(" "))),
            }
        }
        let read = Document::parse("r.yml", text).and_then(|document| document.check(read));
        read.unwrap_or_else(|problems| problems.to_string())
    }

    #[test]
    fn scalars_are_kept_as_they_were_written() {
        let labels = [
            "1.10",
            "2.50",
            "0x1F90",
            "0123",
            "1_000",
            "1e3",
            "+5",
            "-0",
            ".5",
            "1.0",
            "yes",
            "No",
            "TRUE",
            "12345678901234567890123",
            "2024-01-01",
            "12:30:45",
            "1.2.3",
            ".inf",
            ".NaN",
            "0b1",
            "1.10e-05",
        ];
        for label in labels {
            assert_eq!(texts(&format!("a: {label}")), format!("{{a={label}}}"));
            assert_eq!(
                texts(&format!("{{{label}: {label}, b: '{label}'}}")),
                format!("{{{label}={label} b={label}}}")
            );
            assert_eq!(
                texts(&format!(
                    "- !!str {label}\n- \"{label}\"\n- |-\n  {label}\n"
                )),
                format!("[{label} {label} {label}]")
            );
        }
        assert_eq!(
            texts("{a: , b: ~, c: null, d: 'null', e: ''}"),
            "{a= b= c= d=null e=}"
        );
    }

    #[test]
    fn numbers_in_quotes_are_texts() {
        check(
            "- {name: a, share: '1'}\n- {name: a, share: !!str 1}\n- {name: a, share: 0x10, limit: '1'}\n",
            "r.yml:1: [0].share: expected a number, got the text \"1\"\n\
             r.yml:2: [1].share: expected a number, got the text \"1\"\n\
             r.yml:3: [2].limit: expected a whole number from 0 up, got the text \"1\"",
        );
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        assert_eq!(texts("\u{feff}a: 1"), "{a=1}");
        assert_eq!(texts("\u{feff}# a comment\na: 1"), "{a=1}");
        assert_eq!(texts("\u{feff}---\na: '\u{feff}'"), "{a=\u{feff}}");
    }

    #[test]
    fn a_file_holds_one_document_and_others_are_empty() {
        assert_eq!(texts(""), "");
        assert_eq!(texts("---\na: 1\n...\n---\n"), "{a=1}");
        let expect = "r.yml:3: a second document begins here, and one file holds one";
        assert_eq!(texts("a: 1\n---\nb: 2\n"), expect);
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused_and_a_merged_one_gives_way() {
        assert_eq!(
            texts("a: 1\nb: {c: 1, c: 2}\na: 3\n"),
            "r.yml:2: c: key is there twice, first in line 2\n\
             r.yml:3: a: key is there twice, first in line 1"
        );
        assert_eq!(
            texts("- &x {a: 1, b: 1}\n- {<<: *x, b: 2}\n"),
            "[{a=1 b=1} {b=2 a=1}]"
        );
        assert_eq!(
            texts("- &x {a: 1}\n- &y {a: 2, b: 2}\n- {<<: [*x, *y]}\n- {'<<': 1}\n"),
            "[{a=1} {a=2 b=2} {a=1 b=2} {<<=1}]"
        );
        assert_eq!(
            texts("<<: 1\n"),
            "r.yml:1: `<<` takes a mapping, or a list of mappings"
        );
    }

    #[test]
    fn what_stands_behind_an_alias_has_the_line_of_the_alias() {
        check(
            "- &bad {name: [], share: 1}\n-\n  *bad\n- {<<: *bad, share: x}\n",
            "r.yml:1: [0].name: expected a text, got a list\n\
             r.yml:3: [1].name: expected a text, got a list\n\
             r.yml:4: [2].name: expected a text, got a list\n\
             r.yml:4: [2].share: expected a number, got the text \"x\"",
        );
    }

    #[test]
    fn what_would_exhaust_memory_or_time_is_refused() {
        let deep = |open: &str, close: &str, n: usize| open.repeat(n) + "x" + &close.repeat(n);
        let n = 50_000;
        for text in [
            deep("[", "]", n),
            deep("{a: ", "}", n),
            deep("- ", "", n),
            deep("? ", "", n),
            "[".repeat(n),
            (0..1_000).map(|n| " ".repeat(n) + "a:\n").collect(),
        ] {
            let begun = std::time::Instant::now();
            let told = texts(&text);
            let is_refused = told.contains("nested deeper than the 100 levels")
                || told.contains("recursion limit exceeded");
            assert!(is_refused, "{told:.200}");
            assert!(begun.elapsed().as_secs() < 1, "{:?}", begun.elapsed());
        }
        let wide: Vec<_> = (0..60_000)
            .map(|n| ["a", &n.to_string(), ": [x]\n"].concat())
            .collect();
        let wide = wide.concat();
        let begun = std::time::Instant::now();
        check(&wide, "r.yml:1: expected a list, got a mapping");
        let unread = Document::parse("r.yml", &wide);
        let problems = unread
            .and_then(|document| document.check(rule))
            .unwrap_err();
        assert_eq!(problems.iter().count(), 60_002);
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let again = format!("*a{},", n - 1).repeat(10);
            let line = format!("a{n}: &a{n} [{again}]\n");
            laughs.push_str(&line);
        }
        let told = texts(&laughs);
        assert!(
            told.contains("more than the 1048576 values allowed"),
            "{told:.200}"
        );
        let told = texts("a: &a [*a]\n");
        assert!(
            told.contains("inside the value that it refers to"),
            "{told:.200}"
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
