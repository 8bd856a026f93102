//! The section `actuators`.

use super::scalars::{positive_duration, words};
use crate::Template;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use url::Url;
use yaml::{Fields, Node};

/// How the world is reached, by the names that workloads use.
#[derive(Debug, Clone)]
pub struct Actuators {
    usable: BTreeMap<String, HttpActuator>,
    /// Those with problems too, so that a workload that names one is not blamed as well.
    named: BTreeSet<String>,
}

/// One that sets and reads a replica count by HTTP. Its addresses are fixed: nothing is templated into them.
#[derive(Debug, Clone)]
pub struct HttpActuator {
    /// Where the count is set.
    pub url: Url,
    /// How.
    pub method: Method,
    /// With what.
    pub body: Template,
    /// Sent with every request, reading ones included.
    pub headers: HeaderMap,
    /// The limit of one request.
    pub timeout: Duration,
    /// Where the count is read.
    pub observe: Observation,
}

/// Where an HTTP actuator reads what there is.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Asked with GET; answers JSON.
    pub url: Url,
    /// A JSON pointer (RFC 6901) to the count in the answer.
    pub field: String,
}

/// How a count is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// PUT, the default: its very meaning is to ensure a state.
    Put,
    /// POST
    Post,
    /// PATCH
    Patch,
}

/// Long enough for an API that asks another, short enough that a tick is not held up.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The field that most replica APIs have at the top.
const FIELD: &str = "/replicas";

impl Actuators {
    /// What there is when the section is left out.
    pub fn none() -> Self {
        Self {
            usable: BTreeMap::new(),
            named: BTreeSet::new(),
        }
    }

    /// The actuator of this name.
    pub fn get(&self, name: &str) -> Option<&HttpActuator> {
        self.usable.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &HttpActuator)> {
        self.usable.iter()
    }

    /// Whether the section has this name, be it usable or not.
    pub fn is_named(&self, name: &str) -> bool {
        self.named.contains(name)
    }
}

/// Reads the section `actuators`.
pub fn read_actuators(node: &Node) -> Option<Actuators> {
    let mut named = BTreeSet::new();
    let usable = node.entries(|name, node| {
        named.insert(name.to_owned());
        Some((name.to_owned(), actuator(node)?))
    })?;
    Some(Actuators {
        usable: usable.into_iter().collect(),
        named,
    })
}

fn actuator(node: &Node) -> Option<HttpActuator> {
    node.map(|fields| {
        let http = fields.optional("http", |node| node.map(http));
        let others = ["kubernetes", "exec"].map(|kind| {
            fields.optional(kind, |node| -> Option<()> {
                node.problem("is not available in this version; use http");
                None
            });
            fields.has(kind)
        });
        if !fields.has("http") && others == [false, false] {
            fields.node().problem("must say how: `http` is missing");
        }
        http
    })
}

fn http(fields: &Fields) -> Option<HttpActuator> {
    let url = fields.required("url", address);
    let method = fields.optional("method", method).unwrap_or(Method::Put);
    let body = fields.required("body", |node| node.accept(Template::new(node.string()?)));
    let headers = fields.optional("headers", headers).unwrap_or_default();
    let timeout = fields.optional("timeout", positive_duration);
    let observe = fields.optional("observe", |node| {
        node.map(|fields| {
            Some((
                fields.optional("url", address),
                fields.optional("field", pointer),
            ))
        })
    });
    let (observe_url, field) = observe.unwrap_or_default();
    let url = url?;
    Some(HttpActuator {
        method,
        body: body?,
        headers: with_content_type(headers),
        timeout: timeout.unwrap_or(TIMEOUT),
        observe: Observation {
            url: observe_url.unwrap_or_else(|| url.clone()),
            field: field.unwrap_or_else(|| FIELD.to_owned()),
        },
        url,
    })
}

fn address(node: &Node) -> Option<Url> {
    let text = words(node)?;
    if text.contains("{{") || text.contains("{%") {
        node.problem("an address is not a template: only the body is");
        return None;
    }
    let url: Url = node.accept(text.parse().map_err(|e| format!("`{text}` is no URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        node.problem("must begin with http:// or https:// and name a host");
        return None;
    }
    if !url.username().is_empty() || url.password().is_some() {
        node.problem("must not hold credentials: put them under `headers`");
        return None;
    }
    Some(url)
}

fn method(node: &Node) -> Option<Method> {
    match node.string()?.as_str() {
        "PUT" => Some(Method::Put),
        "POST" => Some(Method::Post),
        "PATCH" => Some(Method::Patch),
        other => {
            node.problem(format!("`{other}` is not one of PUT, POST, PATCH"));
            None
        }
    }
}

fn headers(node: &Node) -> Option<HeaderMap> {
    let pairs = node.entries(|name, node| {
        let value = node.string()?;
        let name = HeaderName::try_from(name).map_err(|_| format!("`{name}` is no header name"));
        let name = node.accept(name)?;
        let value = HeaderValue::try_from(value).map_err(|_| "is no header value");
        let mut value = node.accept(value)?;
        value.set_sensitive(true);
        Some((name, value))
    })?;
    Some(pairs.into_iter().collect())
}

fn with_content_type(mut headers: HeaderMap) -> HeaderMap {
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    headers
}

fn pointer(node: &Node) -> Option<String> {
    let text = node.string()?;
    if !text.is_empty() && !text.starts_with('/') {
        node.problem(format!(
            "`{text}` is not a JSON pointer: write it like /spec/replicas"
        ));
        return None;
    }
    Some(text)
}

impl HttpActuator {
    /// Whether bodies are JSON, as the headers say.
    pub fn sends_json(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        kind.is_some_and(|kind| kind.starts_with(b"application/") && kind.ends_with(b"json"))
    }
}
