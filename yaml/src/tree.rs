//! A document as a tree of what was written, where each value knows its line.

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

/// Collections inside one another. Configurations have ten; what is deeper was made to exhaust somebody.
const MAX_DEPTH: usize = 100;

/// Values that a document may come to once its aliases are followed: each may stand for all before it, and twice.
const MAX_VALUES: usize = 1 << 20;

/// The key that takes the entries of other mappings.
const MERGE: &str = "<<";

/// A value, and where it stands in its collection.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// The line of its key, or of the value where it has none; counted from one.
    pub(crate) line: usize,
    /// Set where the value was written elsewhere, so that the lines below it are not those of the document.
    pub(crate) is_shared: bool,
    pub(crate) value: Rc<Value>,
}

/// One value.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) kind: Kind,
    /// Values in it, itself included and aliases followed.
    size: usize,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Item>),
    /// In the order of the file, merged entries last; none twice.
    Map(Vec<Entry>),
    /// A value of a type that no configuration has.
    Tagged(String),
}

/// A text as it was written.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Set where it may be a number, a boolean or nothing: neither quoted nor tagged as a text.
    pub(crate) is_plain: bool,
}

/// An entry of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// `None` for a key that is no text.
    pub(crate) key: Option<String>,
    pub(crate) item: Item,
}

/// What is wrong with the syntax, and where.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) line: usize,
    pub(crate) key: String,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn at(line: usize, message: impl Into<String>) -> Self {
        Self {
            line,
            key: String::new(),
            message: message.into(),
        }
    }
}

impl Value {
    fn new(kind: Kind) -> Self {
        let below: usize = match &kind {
            Kind::List(items) => sum(items.iter()),
            Kind::Map(entries) => sum(entries.iter().map(|entry| &entry.item)),
            Kind::Scalar(_) | Kind::Tagged(_) => 0,
        };
        let size = below.saturating_add(1);
        Self { kind, size }
    }

    fn nothing() -> Self {
        Self::new(Kind::Scalar(Scalar {
            text: String::new(),
            is_plain: true,
        }))
    }
}

fn sum<'a>(items: impl Iterator<Item = &'a Item>) -> usize {
    items.fold(0, |sum, item| sum.saturating_add(item.value.size))
}

/// Reads a text of one document; further ones must be empty.
pub(crate) fn read(text: &str) -> Result<Item, Vec<Fault>> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let taken = match event {
            Ok((event, span)) => builder.take(event, span.start.line()),
            Err(error) => Err(Fault::at(error.marker().line(), error.to_string())),
        };
        if let Err(fault) = taken {
            builder.faults.push(fault);
            return Err(builder.faults);
        }
    }
    if !builder.faults.is_empty() {
        return Err(builder.faults);
    }
    Ok(builder.root.unwrap_or_else(|| Item {
        line: 1,
        is_shared: false,
        value: Rc::new(Value::nothing()),
    }))
}

/// A collection that is not closed yet.
struct Frame {
    anchor: usize,
    line: usize,
    tag: Option<String>,
    content: Content,
}

enum Content {
    List(Vec<Item>),
    Map {
        entries: Vec<Entry>,
        merged: Vec<Item>,
        key: Option<Key>,
    },
}

/// The key of an entry whose value is yet to come.
struct Key {
    text: Option<String>,
    is_merge: bool,
    line: usize,
}

#[derive(Default)]
struct Builder {
    frames: Vec<Frame>,
    anchors: HashMap<usize, Rc<Value>>,
    root: Option<Item>,
    /// Keys that are there twice; the document is read to its end to find all of them.
    faults: Vec<Fault>,
}

impl Builder {
    fn take(&mut self, event: Event, line: usize) -> Result<(), Fault> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(text.into_owned(), style, tag.as_deref());
                self.close(anchor, line, Value::new(value))
            }
            Event::Alias(anchor) => {
                let Some(value) = self.anchors.get(&anchor).map(Rc::clone) else {
                    let message = "an alias stands inside the value that it refers to";
                    return Err(Fault::at(line, message));
                };
                let is_shared = true;
                self.put(Item {
                    line,
                    is_shared,
                    value,
                })
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(anchor, line, tag.as_deref(), Content::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    merged: Vec::new(),
                    key: None,
                };
                self.open(anchor, line, tag.as_deref(), content)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.frames.pop() {
                Some(frame) => self.end(frame),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn open(
        &mut self,
        anchor: usize,
        line: usize,
        tag: Option<&Tag>,
        content: Content,
    ) -> Result<(), Fault> {
        if self.frames.len() >= MAX_DEPTH {
            let message = format!("is nested deeper than the {MAX_DEPTH} levels allowed");
            return Err(Fault::at(line, message));
        }
        let tag = tag.filter(|tag| core_tag(tag).is_none_or(|core| !matches!(core, "map" | "seq")));
        self.frames.push(Frame {
            anchor,
            line,
            tag: tag.map(name_of),
            content,
        });
        Ok(())
    }

    fn end(&mut self, frame: Frame) -> Result<(), Fault> {
        let kind = match (frame.tag, frame.content) {
            (Some(tag), _) => Kind::Tagged(tag),
            (None, Content::List(items)) => Kind::List(items),
            (
                None,
                Content::Map {
                    mut entries,
                    merged,
                    ..
                },
            ) => {
                self.note_twins(&entries);
                merge(&mut entries, merged)?;
                Kind::Map(entries)
            }
        };
        self.close(frame.anchor, frame.line, Value::new(kind))
    }

    /// Notes keys that are there twice, which Prometheus refuses, too.
    fn note_twins(&mut self, entries: &[Entry]) {
        let mut first = HashMap::new();
        for entry in entries {
            let Some(key) = &entry.key else { continue };
            let line = entry.item.line;
            if let Some(earlier) = first.insert(key.as_str(), line) {
                self.faults.push(Fault {
                    line,
                    key: key.clone(),
                    message: format!("key is there twice, first in line {earlier}"),
                });
            }
        }
    }

    /// Puts a value that is whole where it belongs, and remembers it under its anchor.
    fn close(&mut self, anchor: usize, line: usize, value: Value) -> Result<(), Fault> {
        let value = Rc::new(value);
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&value));
        }
        let is_shared = false;
        self.put(Item {
            line,
            is_shared,
            value,
        })
    }

    fn put(&mut self, item: Item) -> Result<(), Fault> {
        if item.value.size > MAX_VALUES {
            let message =
                format!("has more than the {MAX_VALUES} values allowed, aliases followed");
            return Err(Fault::at(item.line, message));
        }
        let Some(frame) = self.frames.last_mut() else {
            return self.put_root(item);
        };
        match &mut frame.content {
            Content::List(items) => items.push(item),
            Content::Map {
                key: key @ None, ..
            } => *key = Some(Key::of(&item)),
            Content::Map {
                entries,
                merged,
                key,
            } => {
                let Some(Key {
                    text,
                    is_merge,
                    line,
                }) = key.take()
                else {
                    return Ok(());
                };
                let item = Item { line, ..item };
                if is_merge {
                    merged.push(item);
                } else {
                    entries.push(Entry { key: text, item });
                }
            }
        }
        Ok(())
    }

    fn put_root(&mut self, item: Item) -> Result<(), Fault> {
        let is_nothing = matches!(&item.value.kind, Kind::Scalar(scalar) if scalar.is_null());
        match &self.root {
            None => self.root = Some(item),
            Some(_) if is_nothing => {}
            Some(_) => {
                let message = "a second document begins here, and one file holds one";
                return Err(Fault::at(item.line, message));
            }
        }
        Ok(())
    }
}

impl Key {
    fn of(item: &Item) -> Self {
        let scalar = match &item.value.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        };
        Self {
            text: scalar.map(|scalar| scalar.text.clone()),
            is_merge: scalar.is_some_and(|scalar| scalar.is_plain && scalar.text == MERGE),
            line: item.line,
        }
    }
}

/// Adds the entries of merged mappings, of which earlier ones and those of the mapping itself come first.
fn merge(entries: &mut Vec<Entry>, merged: Vec<Item>) -> Result<(), Fault> {
    if merged.is_empty() {
        return Ok(());
    }
    let known = entries.iter().filter_map(|entry| entry.key.clone());
    let mut known: HashSet<_> = known.collect();
    for item in merged {
        let maps = match &item.value.kind {
            Kind::List(items) => items.iter().map(|item| &item.value).collect(),
            _ => vec![&item.value],
        };
        for map in maps {
            let Kind::Map(others) = &map.kind else {
                let message = "`<<` takes a mapping, or a list of mappings";
                return Err(Fault::at(item.line, message));
            };
            for Entry { key, item: other } in others {
                if key.as_ref().is_none_or(|key| known.insert(key.clone())) {
                    entries.push(Entry {
                        key: key.clone(),
                        item: Item {
                            line: item.line,
                            is_shared: true,
                            value: Rc::clone(&other.value),
                        },
                    });
                }
            }
        }
    }
    Ok(())
}

fn scalar(text: String, style: ScalarStyle, tag: Option<&Tag>) -> Kind {
    let is_plain = match tag.map(|tag| (tag, core_tag(tag))) {
        None => style == ScalarStyle::Plain,
        Some((_, Some("str"))) => false,
        Some((_, Some("int" | "float" | "bool" | "null"))) => true,
        // The tag for whatever a text without one is.
        Some((tag, None)) if tag.handle.is_empty() && tag.suffix == "!" => false,
        Some((tag, _)) => return Kind::Tagged(name_of(tag)),
    };
    Kind::Scalar(Scalar { text, is_plain })
}

/// The name of a type that every reader of YAML knows.
fn core_tag(tag: &Tag) -> Option<&str> {
    tag.is_yaml_core_schema().then_some(tag.suffix.as_str())
}

fn name_of(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}
