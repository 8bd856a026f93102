//! Fields of objects: patches, and who owns what.

use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// One step on the way to a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Field(String),
    /// An item of a list whose items have names.
    Item(String),
}

/// The way to a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Path(Vec<Step>);

/// Who set a field: a manager, the subresource that it went by, and whether it applied it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Manager {
    pub(crate) name: String,
    pub(crate) subresource: Option<&'static str>,
    pub(crate) applies: bool,
}

/// Who owns which fields of one object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owners(BTreeMap<Path, BTreeSet<Manager>>);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::Field(name) => write!(f, ".{name}"),
            Step::Item(name) => write!(f, "[name=\"{name}\"]"),
        })
    }
}

impl Path {
    fn to(&self, step: Step) -> Self {
        let mut longer = self.0.clone();
        longer.push(step);
        Self(longer)
    }

    /// Notes the way in a set of fields.
    fn mark(&self, set: &mut Value) {
        let mut at = set;
        for step in &self.0 {
            let key = match step {
                Step::Field(name) => format!("f:{name}"),
                Step::Item(name) => format!("k:{}", json!({ "name": name })),
            };
            let is_item = matches!(step, Step::Item(_));
            at = &mut at[key];
            if at.is_null() {
                *at = json!({});
            }
            if is_item {
                at["."] = json!({});
            }
        }
    }

    /// Fields that nobody owns: identity, and what the server keeps itself.
    fn is_kept_by_server(&self) -> bool {
        match self.0.as_slice() {
            [Step::Field(top), ..] if matches!(top.as_str(), "apiVersion" | "kind" | "status") => {
                true
            }
            [Step::Field(top), Step::Field(next), ..] => {
                top == "metadata" && !matches!(next.as_str(), "labels" | "annotations")
            }
            _ => false,
        }
    }

    /// The name by which an item is known is no field to fight over.
    fn is_identity(&self) -> bool {
        matches!(self.0.as_slice(), [.., Step::Item(_), Step::Field(name)] if name == "name")
    }
}

fn names(list: &[Value]) -> Option<Vec<&str>> {
    let names: Option<Vec<_>> = list.iter().map(|item| item.get("name")?.as_str()).collect();
    names.filter(|names| !names.is_empty())
}

/// All fields that hold no further ones.
pub(crate) fn leaves(object: &Value) -> BTreeMap<Path, Value> {
    let mut all = BTreeMap::new();
    gather(&Path::default(), object, &mut all);
    all.retain(|path, _| !path.is_kept_by_server());
    all
}

fn gather(at: &Path, value: &Value, all: &mut BTreeMap<Path, Value>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                gather(&at.to(Step::Field(name.clone())), value, all);
            }
        }
        Value::Array(items) => match names(items) {
            Some(names) => {
                for (name, item) in names.iter().zip(items) {
                    gather(&at.to(Step::Item((*name).to_owned())), item, all);
                }
            }
            None => drop(all.insert(at.clone(), value.clone())),
        },
        _ => drop(all.insert(at.clone(), value.clone())),
    }
}

/// RFC 7386: null removes.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    combine(target, patch, false);
}

/// The same, where items of lists are known by their names.
pub(crate) fn merge_by_name(target: &mut Value, patch: &Value) {
    combine(target, patch, true);
}

fn combine(target: &mut Value, patch: &Value, by_name: bool) {
    match patch {
        Value::Object(fields) => {
            if !target.is_object() {
                *target = Value::Object(Map::new());
            }
            let Some(target) = target.as_object_mut() else {
                return;
            };
            for (name, value) in fields {
                if value.is_null() {
                    target.remove(name);
                } else {
                    combine(
                        target.entry(name.clone()).or_insert(Value::Null),
                        value,
                        by_name,
                    );
                }
            }
        }
        Value::Array(items) if by_name && names(items).is_some() && target.is_array() => {
            let Some(there) = target.as_array_mut() else {
                return;
            };
            for item in items {
                let same = there
                    .iter()
                    .position(|one| one.get("name") == item.get("name"));
                match same {
                    Some(idx) => combine(&mut there[idx], item, by_name),
                    None => there.push(item.clone()),
                }
            }
        }
        _ => *target = patch.clone(),
    }
}

fn remove(object: &mut Value, path: &[Step]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    match first {
        Step::Field(name) => {
            let Some(fields) = object.as_object_mut() else {
                return;
            };
            if rest.is_empty() {
                fields.remove(name);
            } else if let Some(next) = fields.get_mut(name) {
                remove(next, rest);
            }
        }
        Step::Item(name) => {
            let items = object.as_array_mut().into_iter().flatten();
            let named = items.filter(|item| item.get("name").and_then(Value::as_str) == Some(name));
            named.for_each(|item| remove(item, rest));
        }
    }
}

impl Owners {
    /// Notes who changed what between two states of an object.
    pub(crate) fn update(&mut self, before: &Value, after: &Value, manager: &Manager) {
        let (before, after) = (leaves(before), leaves(after));
        self.0.retain(|path, _| after.contains_key(path));
        for (path, value) in after {
            if before.get(&path) != Some(&value) {
                self.0.insert(path, BTreeSet::from([manager.clone()]));
            }
        }
    }

    /// What an applied configuration makes of an object.
    ///
    /// # Errors
    /// The fields that others own and hold another value in, each with the words for its owner.
    pub(crate) fn apply(
        &mut self,
        object: &Value,
        applied: &Value,
        manager: &Manager,
        force: bool,
    ) -> Result<Value, Vec<(String, String)>> {
        let (there, wanted) = (leaves(object), leaves(applied));
        let api_version = applied["apiVersion"].as_str().unwrap_or_default();
        let mut conflicts = Vec::new();
        for (path, value) in &wanted {
            let is_equal = there.get(path) == Some(value);
            let owners = self.0.get(path).into_iter().flatten();
            for owner in
                owners.filter(|owner| *owner != manager && !is_equal && !path.is_identity())
            {
                let by = match owner.subresource {
                    Some(subresource) => format!(" with subresource \"{subresource}\""),
                    None => String::new(),
                };
                let words = format!("\"{}\"{by} using {api_version}", owner.name);
                conflicts.push((words, path.to_string()));
            }
        }
        if !conflicts.is_empty() && !force {
            return Err(conflicts);
        }
        let mut after = object.clone();
        let mut patch = applied.clone();
        if let Some(metadata) = patch["metadata"].as_object_mut() {
            metadata.retain(|key, _| matches!(key.as_str(), "labels" | "annotations"));
        }
        merge_by_name(&mut after, &patch);
        self.let_go(&mut after, &wanted, manager);
        for (path, value) in wanted {
            let owners = self.0.entry(path.clone()).or_default();
            if there.get(&path) != Some(&value) {
                owners.clear();
            }
            owners.insert(manager.clone());
        }
        Ok(after)
    }

    /// The owners as objects carry them.
    pub(crate) fn managed_fields(&self, api_version: &str) -> Value {
        let mut all: BTreeMap<&Manager, Value> = BTreeMap::new();
        for (path, owners) in &self.0 {
            for owner in owners {
                path.mark(all.entry(owner).or_insert_with(|| json!({})));
            }
        }
        let entries = all.into_iter().map(|(owner, fields)| {
            let mut entry = json!({
                "manager": owner.name, "operation": if owner.applies { "Apply" } else { "Update" },
                "apiVersion": api_version, "time": "2026-01-01T00:00:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": fields,
            });
            if let Some(subresource) = owner.subresource {
                entry["subresource"] = json!(subresource);
            }
            entry
        });
        entries.collect()
    }

    /// What a manager applied before and does not any more is gone, unless somebody else has it, too.
    fn let_go(&mut self, object: &mut Value, wanted: &BTreeMap<Path, Value>, manager: &Manager) {
        self.0.retain(|path, owners| {
            if !wanted.contains_key(path) && owners.remove(manager) && owners.is_empty() {
                remove(object, &path.0);
            }
            !owners.is_empty()
        });
    }
}
