//! What a number is turned into, where it is not the number of replicas.

use super::{Object, checked, is_label};
use crate::{
    Shape, Template,
    config::{Quantity, scalars::count},
    template::{PLAIN, Place},
};
use std::collections::BTreeMap;
use yaml::{Fields, Node};

/// What is written into an object instead of a number of replicas.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The number that what is there stands for as long as none was written.
    pub initial: u32,
    /// What is set.
    pub values: Values,
}

/// What a number is turned into.
#[derive(Debug, Clone)]
pub enum Values {
    /// Parts of a container in the template of a Deployment or `StatefulSet`.
    Container(Container),
    /// Keys of a `ConfigMap`.
    Data(BTreeMap<String, Template>),
}

/// See [`Values`].
#[derive(Debug, Clone)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// `requests` and `limits`, each with amounts by resource.
    pub resources: BTreeMap<String, BTreeMap<String, Template>>,
    /// Variables of its environment.
    pub env: BTreeMap<String, Template>,
    /// The name of a second Deployment on which a size is tried out, in rollouts of the kind `canary`.
    pub canary: Option<String>,
    /// Whether the running pods are resized, and the template is left as it is.
    pub in_place: bool,
}

/// What is written, by where: `["resources", "requests", "cpu"]` and the like.
pub(crate) type Rendered = Vec<([String; 3], String)>;

impl Setting {
    /// The name of the copy on which a size is tried out, where there may be one.
    pub fn canary(&self) -> Option<&str> {
        match &self.values {
            Values::Container(container) => container.canary.as_deref(),
            Values::Data(_) => None,
        }
    }
}

impl Values {
    /// The container whose running pods are resized, where they are.
    pub fn in_place(&self) -> Option<&Container> {
        match self {
            Self::Container(container) if container.in_place => Some(container),
            _ => None,
        }
    }

    /// What a number is turned into for an object.
    ///
    /// # Errors
    /// A sentence where a template fails or yields no amount.
    pub(crate) fn rendered(&self, object: &Object, number: u32) -> Result<Rendered, String> {
        let target = object.as_target();
        let render = |template: &Template| {
            let text = template.render(&target, Some(Shape::of(number)));
            text.map_err(|error| error.to_string())
        };
        let mut all = Rendered::new();
        let mut put = |[a, b, c]: [&str; 3], text| {
            all.push(([a.to_owned(), b.to_owned(), c.to_owned()], text));
        };
        match self {
            Self::Data(data) => {
                for (key, template) in data {
                    put(["data", "", key], render(template)?);
                }
            }
            Self::Container(container) => {
                for (part, amounts) in &container.resources {
                    for (resource, template) in amounts {
                        let text = render(template)?;
                        let amount: Result<Quantity, _> = text.parse();
                        amount.map_err(|error| format!("{part}.{resource}: {error}"))?;
                        put(["resources", part, resource], text);
                    }
                }
                for (name, template) in &container.env {
                    put(["env", "", name], render(template)?);
                }
            }
        }
        Ok(all)
    }
}

pub(super) fn setting(fields: &Fields) -> Option<Setting> {
    let initial = fields.required("initial", count);
    let data = fields.optional("data", |node| templates(node, Place::plain(PLAIN)));
    let container = fields.optional("container", |node| checked(node, is_label, "container"));
    let resources = fields.optional("resources", |node| {
        all_or_none(node, |part, node| {
            if !matches!(part, "requests" | "limits") {
                node.problem(format!("`{part}` is not one of requests, limits"));
                return None;
            }
            templates(node, Place::plain("[0-9.]{1,20}"))
        })
    });
    let env = fields.optional("env", |node| templates(node, Place::plain(PLAIN)));
    let in_place = fields.optional("in_place", Node::bool).unwrap_or(false);
    let canary = fields.optional("canary", |node| checked(node, is_label, "name"));
    if fields.has("data") == fields.has("container") {
        let problem = "must have `data` for a ConfigMap, or `container`";
        fields.node().problem(problem);
    }
    let has = |key| fields.has(key);
    if has("container") && !has("resources") && !has("env") {
        fields
            .node()
            .problem("must say what of the container is set: `resources` or `env`");
    }
    if in_place && has("canary") {
        fields.problem(
            "canary",
            "a copy has pods of its own, so none is resized `in_place`",
        );
    }
    if has("data")
        && ["resources", "env", "in_place", "canary"]
            .iter()
            .any(|key| has(key))
    {
        fields.node().problem("a ConfigMap has `data` alone");
    }
    if in_place && has("env") {
        fields.problem("in_place", "the environment of a running pod cannot change");
    }
    let is_broken = has("resources") && resources.is_none() || has("env") && env.is_none();
    let values = match (data, container) {
        _ if is_broken => return None,
        (Some(data), None) => Values::Data(data),
        (None, Some(name)) => Values::Container(Container {
            name,
            resources: resources.unwrap_or_default(),
            env: env.unwrap_or_default(),
            canary,
            in_place,
        }),
        _ => return None,
    };
    Some(Setting {
        initial: initial?,
        values,
    })
}

fn templates(
    node: &Node,
    place: Result<Place, regex::Error>,
) -> Option<BTreeMap<String, Template>> {
    let place = place.expect("the pattern is an expression of ours");
    let all = all_or_none(node, |key, node| {
        let is_good = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if key.is_empty() || key.len() > 253 || !key.chars().all(is_good) {
            node.problem(format!("`{key}` is no key"));
            return None;
        }
        node.accept(Template::new(node.string()?, place.clone()))
    })?;
    if all.is_empty() {
        node.problem("must not be empty");
        return None;
    }
    Some(all)
}

/// The entries of a map, unless one of them has a problem: what is left would have others, which nobody made.
fn all_or_none<T>(
    node: &Node,
    mut read: impl FnMut(&str, &Node) -> Option<T>,
) -> Option<BTreeMap<String, T>> {
    let mut n_entries = 0;
    let all = node.entries(|key, node| {
        n_entries += 1;
        Some((key.to_owned(), read(key, node)?))
    })?;
    (all.len() == n_entries).then(|| all.into_iter().collect())
}
