//! The objects of a cluster, and what requests make of them.

use crate::{
    answer::Answer,
    controllers::{self, Node},
    fields::{Manager, Owners, merge, merge_by_name},
    kinds::{Kind, discovery},
    parts,
    route::{Place, Route},
    validation,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Group, plural, namespace and name.
pub(crate) type Key = (String, String, String, String);

/// One object and who owns its fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object {
    pub(crate) value: Value,
    pub(crate) owners: Owners,
}

/// All that there is.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) objects: BTreeMap<Key, Object>,
    pub(crate) node: Node,
    /// Whether pods become ready.
    pub(crate) ready: bool,
    /// What may not be done, and by whom: a part of the qualified resource, and the namespace.
    pub(crate) denials: Vec<(String, String)>,
    /// The most that a scale may grow by in one step: twice and one, with a policy of this name.
    pub(crate) policy: Option<String>,
    pub(crate) token: Option<String>,
    version: u64,
}

/// A request, as far as it matters.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) content_type: String,
    pub(crate) token: Option<String>,
    pub(crate) agent: String,
    pub(crate) body: Value,
    /// The body as it came.
    pub(crate) bytes: Vec<u8>,
    /// The path with the query, as they came.
    pub(crate) uri: String,
}

/// The user that requests come from, as refusals name it.
const USER: &str = "remediator";

impl Place {
    pub(crate) fn key(&self, name: &str) -> Key {
        let kind = &self.kind;
        (
            kind.group.clone(),
            kind.plural.clone(),
            self.namespace.clone(),
            name.to_owned(),
        )
    }
}

impl Request {
    fn is_dry(&self) -> bool {
        self.query.get("dryRun").is_some_and(|value| value == "All")
    }

    pub(crate) fn manager(&self, subresource: Option<&'static str>) -> Manager {
        let named = self.query.get("fieldManager").cloned();
        let agent = || self.agent.split('/').next().unwrap_or_default().to_owned();
        Manager {
            name: named.unwrap_or_else(agent),
            subresource,
            applies: self.content_type.starts_with("application/apply-patch"),
        }
    }

    /// The object with the request's patch, by the request's kind of patch.
    pub(crate) fn patched(&self, object: &Value) -> Result<Value, Answer> {
        let mut after = object.clone();
        match self.content_type.as_str() {
            "application/merge-patch+json" => merge(&mut after, &self.body),
            "application/strategic-merge-patch+json" => merge_by_name(&mut after, &self.body),
            _ => return Err(Answer::unsupported()),
        }
        Ok(after)
    }
}

impl Cluster {
    pub(crate) fn new() -> Self {
        Self {
            kinds: Kind::built_in(),
            objects: BTreeMap::new(),
            node: Node::Prompt,
            ready: true,
            denials: Vec::new(),
            policy: None,
            token: None,
            version: 400,
        }
    }

    /// Answers a request.
    pub(crate) fn answer(&mut self, request: &Request) -> Answer {
        if self.token.is_some() && self.token != request.token {
            return Answer::unauthorized();
        }
        let answer = match Route::of(&request.path, &self.kinds) {
            None => Err(Answer::nowhere()),
            Some(Route::Version) => Ok(Answer::ok(version())),
            Some(Route::Group(group, version)) => discovery(&self.kinds, &group, &version)
                .map(Answer::ok)
                .ok_or_else(Answer::nowhere),
            Some(Route::List(place)) => self.on_list(request, &place),
            Some(Route::One(place, name, part)) => {
                self.on_one(request, &place, &name, part.as_deref())
            }
        };
        controllers::reconcile(self);
        answer.unwrap_or_else(|refusal| refusal)
    }

    fn on_list(&mut self, request: &Request, place: &Place) -> Result<Answer, Answer> {
        self.permit(request, place, "", "")?;
        match request.method.as_str() {
            "GET" => Ok(Answer::ok(self.list(request, place))),
            "POST" => self.create(request, place),
            _ => Err(Answer::nowhere()),
        }
    }

    fn on_one(
        &mut self,
        request: &Request,
        place: &Place,
        name: &str,
        part: Option<&str>,
    ) -> Result<Answer, Answer> {
        self.permit(request, place, name, part.unwrap_or_default())?;
        let method = request.method.as_str();
        match (method, part) {
            (_, Some("scale")) if place.kind.scales => parts::scale(self, request, place, name),
            ("PATCH", Some("resize")) if place.kind.plural == "pods" => {
                parts::resize(self, request, place, name)
            }
            ("GET", None) => {
                let mut object = self.existing(place, name)?;
                let api_version = place.kind.api_version(&place.version);
                let managed = object.owners.managed_fields(&api_version);
                object.value["metadata"]["managedFields"] = managed;
                Ok(Answer::ok(object.value))
            }
            ("PATCH", None) => self.patch(request, place, name),
            ("DELETE", None) => self.delete(request, place, name),
            _ => Err(Answer::nowhere()),
        }
    }

    fn permit(
        &self,
        request: &Request,
        place: &Place,
        name: &str,
        part: &str,
    ) -> Result<(), Answer> {
        let resource = match part {
            "" => place.kind.plural.clone(),
            part => format!("{}/{part}", place.kind.plural),
        };
        let namespace = &place.namespace;
        let is_denied = self
            .denials
            .iter()
            .any(|(what, at)| *what == resource && at == namespace);
        if !is_denied {
            return Ok(());
        }
        let verb = match (request.method.as_str(), name) {
            ("GET", "") => "list",
            ("GET", _) => "get",
            ("POST", _) => "create",
            ("PATCH", _) => "patch",
            _ => "update",
        };
        let group = &place.kind.group;
        let why = format!(
            "User \"{USER}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" in the namespace \"{namespace}\""
        );
        Err(Answer::forbidden(&place.kind, name, &why))
    }

    /// An object, or the refusal that there is none.
    pub(crate) fn existing(&self, place: &Place, name: &str) -> Result<Object, Answer> {
        let object = self.objects.get(&place.key(name)).cloned();
        let mut object = object.ok_or_else(|| Answer::not_found(&place.kind, name))?;
        object.value["apiVersion"] = json!(place.kind.api_version(&place.version));
        Ok(object)
    }

    fn list(&self, request: &Request, place: &Place) -> Value {
        let selector = request.query.get("labelSelector");
        let Place {
            kind, namespace, ..
        } = place;
        let of_place = |(group, plural, at, _): &Key| {
            *group == kind.group
                && *plural == kind.plural
                && (namespace.is_empty() || at == namespace)
        };
        let limit = request
            .query
            .get("limit")
            .and_then(|limit| limit.parse().ok());
        let mut items: Vec<Value> = self
            .objects
            .iter()
            .filter(|(key, object)| of_place(key) && selected(&object.value, selector))
            .map(|(_, object)| object.value.clone())
            .take(limit.unwrap_or(usize::MAX))
            .collect();
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.remove("kind");
            item.remove("apiVersion");
        }
        json!({
            "kind": format!("{}List", kind.name), "apiVersion": kind.api_version(&place.version),
            "metadata": {"resourceVersion": self.version.to_string()}, "items": items,
        })
    }

    fn create(&mut self, request: &Request, place: &Place) -> Result<Answer, Answer> {
        let mut value = request.body.clone();
        let metadata = &mut value["metadata"];
        let name = match (metadata["name"].as_str(), metadata["generateName"].as_str()) {
            (Some(name), _) => name.to_owned(),
            (None, Some(prefix)) => format!("{prefix}{:05}", self.version),
            (None, None) => return Err(Answer::bad("name or generateName is required")),
        };
        metadata["name"] = json!(name);
        if !place.namespace.is_empty() {
            metadata["namespace"] = json!(place.namespace);
        }
        let key = place.key(&name);
        if self.objects.contains_key(&key) {
            return Err(Answer::exists(&place.kind, &name));
        }
        value["kind"] = json!(place.kind.name);
        value["apiVersion"] = json!(place.kind.api_version(&place.version));
        validation::complete(&place.kind, &mut value);
        validation::check(&place.kind, &name, &value)?;
        if let Some(kind) =
            Kind::defined_by(&value).filter(|_| place.kind.plural == "customresourcedefinitions")
        {
            value["status"] = json!({"conditions": [{"type": "Established", "status": "True"}]});
            self.kinds.push(kind);
        }
        let mut object = Object::default();
        object
            .owners
            .update(&Value::Null, &value, &request.manager(None));
        object.value = value;
        self.stamp(&mut object.value, true);
        let answer = object.value.clone();
        if !request.is_dry() {
            self.objects.insert(key, object);
        }
        Ok(Answer::created(answer))
    }

    fn patch(&mut self, request: &Request, place: &Place, name: &str) -> Result<Answer, Answer> {
        let manager = request.manager(None);
        let before = match self.existing(place, name) {
            Err(_) if manager.applies => return self.create(request, place),
            found => found?,
        };
        let mut after = before.clone();
        precondition(request, place, name, &before.value)?;
        if manager.applies {
            if !request.query.contains_key("fieldManager") {
                return Err(Answer::no_manager());
            }
            let force = request
                .query
                .get("force")
                .is_some_and(|value| value == "true");
            let applied = after
                .owners
                .apply(&before.value, &request.body, &manager, force);
            after.value = applied.map_err(|conflicts| Answer::owned(&conflicts))?;
        } else {
            after.value = request.patched(&before.value)?;
            after.value["metadata"]["resourceVersion"] =
                before.value["metadata"]["resourceVersion"].clone();
            after.owners.update(&before.value, &after.value, &manager);
        }
        validation::check(&place.kind, name, &after.value)?;
        let change = (&before.value, &after.value);
        validation::admit(self.policy.as_deref(), &place.kind, name, change)?;
        Ok(Answer::ok(self.keep(request, place, name, after)))
    }

    fn delete(&mut self, request: &Request, place: &Place, name: &str) -> Result<Answer, Answer> {
        let there = self.existing(place, name)?;
        // Where there is a body, only what it says counts.
        let is_dry = match &request.body {
            Value::Null => request.is_dry(),
            body => body["dryRun"] == json!(["All"]),
        };
        if is_dry {
            return Ok(Answer::ok(there.value));
        }
        let uid = request.body["preconditions"]["uid"].as_str();
        if uid.is_some_and(|uid| there.value["metadata"]["uid"] != uid) {
            return Err(Answer::modified(&place.kind, name));
        }
        self.objects.remove(&place.key(name));
        if place.kind.plural == "namespaces" {
            self.objects
                .retain(|(_, _, namespace, _), _| namespace != name);
        }
        Ok(Answer::ok(there.value))
    }

    /// Puts an object in place, unless it is only a rehearsal; what did not change keeps its version.
    pub(crate) fn keep(
        &mut self,
        request: &Request,
        place: &Place,
        name: &str,
        mut object: Object,
    ) -> Value {
        let key = place.key(name);
        let Some(mut there) = self.objects.get(&key).map(|there| there.value.clone()) else {
            return object.value;
        };
        there["apiVersion"] = object.value["apiVersion"].clone();
        if there["spec"] != object.value["spec"] {
            let generation = there["metadata"]["generation"].as_i64().unwrap_or(1);
            object.value["metadata"]["generation"] = json!(generation + 1);
        }
        if request.is_dry() {
            return object.value;
        }
        if there != object.value {
            self.stamp(&mut object.value, false);
        }
        self.objects.insert(key, object.clone());
        object.value
    }

    /// Gives an object the next version, and a new one its identity.
    pub(crate) fn stamp(&mut self, value: &mut Value, is_new: bool) {
        self.version += 1;
        let metadata = &mut value["metadata"];
        metadata["resourceVersion"] = json!(self.version.to_string());
        if is_new {
            metadata["generation"] = json!(1);
            metadata["uid"] = json!(format!("00000000-0000-4000-8000-{:012}", self.version));
            metadata["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
    }
}

/// Refuses a change to another version than the one that there is.
pub(crate) fn precondition(
    request: &Request,
    place: &Place,
    name: &str,
    there: &Value,
) -> Result<(), Answer> {
    let wanted = request.body["metadata"]["resourceVersion"].as_str();
    let version = there["metadata"]["resourceVersion"].as_str();
    if wanted.is_some_and(|wanted| Some(wanted) != version) {
        return Err(Answer::modified(&place.kind, name));
    }
    Ok(())
}

/// Whether an object has the labels of a selector such as `app=api,tier=web`.
fn selected(object: &Value, selector: Option<&String>) -> bool {
    let mut pairs = selector.into_iter().flat_map(|all| all.split(','));
    pairs.all(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        object["metadata"]["labels"][name] == value
    })
}

fn version() -> Value {
    json!({"major": "1", "minor": "36", "gitVersion": "v1.36.2-stand-in", "platform": "linux/amd64"})
}
