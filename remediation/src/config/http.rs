//! Actuators of the kind `http`.

use super::{
    actuators::{Fields as ShapeFields, shape_fields},
    scalars::{positive_duration, words},
};
use crate::{
    Shape, Target, Template,
    template::{PLAIN, Place, TemplateError},
};
use ipnet::IpNet;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::{net::IpAddr, time::Duration};
use url::{Host, Url};
use yaml::{Fields, Node};

/// One that sets and reads a replica count by HTTP.
#[derive(Debug, Clone)]
pub struct HttpActuator {
    /// Where the count is set.
    pub url: Address,
    /// How.
    pub method: Method,
    /// With what.
    pub body: Template,
    /// Sent with every request, reading ones included.
    pub headers: HeaderMap,
    /// The limit of one request.
    pub timeout: Duration,
    /// Where the host's name may lead. Where none is named, anywhere but to this machine itself, to its own
    /// link and to multicast.
    pub networks: Vec<IpNet>,
    /// Where the count is read.
    pub observe: Observation,
}

/// Where an HTTP actuator reads what there is.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Asked with GET; answers JSON.
    pub url: Address,
    /// Where the shape is in the answer.
    pub fields: ShapeFields,
}

/// An address whose scheme, host and port are fixed; what follows may hold values of the target.
#[derive(Debug, Clone)]
pub struct Address {
    fixed: Url,
    path: Template,
    query: Option<Template>,
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

impl Address {
    /// The address for a target.
    pub fn at(&self, target: &Target) -> Result<Url, TemplateError> {
        let mut url = self.fixed.clone();
        // `set_path` and `set_query` reach neither host nor port, whatever the text.
        url.set_path(&self.path.render(target, None)?);
        let query = self.query.as_ref().map(|query| query.render(target, None));
        url.set_query(query.transpose()?.as_deref());
        Ok(url)
    }

    /// Scheme, host and port, with an empty path.
    pub fn fixed(&self) -> &Url {
        &self.fixed
    }
}

impl HttpActuator {
    /// Whether bodies are JSON, as the headers say.
    pub fn sends_json(&self) -> bool {
        sends_json(&self.headers)
    }

    /// All that one request would consist of.
    pub(super) fn probe(&self, target: &Target, shape: Shape) -> Result<String, String> {
        let words = |error: TemplateError| error.to_string();
        let body = self.body.render(target, Some(shape)).map_err(words)?;
        self.url.at(target).map_err(words)?;
        self.observe.url.at(target).map_err(words)?;
        if self.sends_json() {
            serde_json::from_str::<serde_json::Value>(&body)
                .map_err(|e| format!("rendered, the body is not JSON: {e}"))?;
        }
        Ok(body)
    }
}

pub(super) fn http(fields: &Fields) -> Option<HttpActuator> {
    let url = fields.required("url", address);
    let method = fields.optional("method", method).unwrap_or(Method::Put);
    let headers = fields.optional("headers", headers).unwrap_or_default();
    let headers = with_content_type(headers);
    let body = fields.required("body", |node| {
        let place = node.accept(place(&headers))?;
        node.accept(Template::new(node.string()?, place))
    });
    let timeout = fields.optional("timeout", positive_duration);
    let networks = fields.optional("networks", |node| node.list(Node::parse::<IpNet>));
    let networks = networks.unwrap_or_default();
    let observe = fields.optional("observe", |node| {
        node.map(|fields| {
            let url = fields.optional("url", address);
            Some((url, shape_fields(fields, FIELD)))
        })
    });
    let standard = || ShapeFields {
        replicas: FIELD.to_owned(),
        fleets: None,
    };
    let (observe_url, observed) = observe.unwrap_or_else(|| (None, standard()));
    let url = url?;
    for (key, address) in [("url", Some(&url)), ("observe", observe_url.as_ref())] {
        if let Some(ip) = address.and_then(|address| literal(&address.fixed))
            && !networks.is_empty()
            && !networks.iter().any(|network| network.contains(&ip))
        {
            fields.problem(key, format!("{ip} is in none of the `networks`"));
        }
    }
    Some(HttpActuator {
        method,
        body: body?,
        headers,
        timeout: timeout.unwrap_or(TIMEOUT),
        networks,
        observe: Observation {
            url: observe_url.unwrap_or_else(|| url.clone()),
            fields: observed,
        },
        url,
    })
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(ip.into()),
        Host::Domain(_) => None,
    }
}

fn place(headers: &HeaderMap) -> Result<Place, regex::Error> {
    let kind = headers
        .get(CONTENT_TYPE)
        .map_or(b"".as_slice(), HeaderValue::as_bytes);
    if sends_json(headers) {
        Ok(Place::Json)
    } else if kind.starts_with(b"application/x-www-form-urlencoded") {
        Ok(Place::Form)
    } else {
        Place::plain(PLAIN)
    }
}

fn sends_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let kind = kind.and_then(|kind| kind.split(|byte| *byte == b';').next());
    kind.is_some_and(|kind| {
        kind.starts_with(b"application/") && kind.trim_ascii().ends_with(b"json")
    })
}

fn address(node: &Node) -> Option<Address> {
    let text = words(node)?;
    let after_scheme = text.find("://").map_or(0, |at| at + 3);
    let path_at = text[after_scheme..].find(['/', '?', '#']);
    let path_at = path_at.map_or(text.len(), |at| after_scheme + at);
    let (fixed, rest) = text.split_at(path_at);
    if fixed.contains("{{") || fixed.contains("{%") {
        node.problem("the scheme, host and port of an address are never templates");
        return None;
    }
    // What stands before an `@` may be a password.
    let shown = fixed.rsplit('@').next().unwrap_or_default();
    let parsed = fixed.parse();
    let url: Url = node.accept(parsed.map_err(|e| format!("`{shown}` is no URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        node.problem("must begin with http:// or https:// and name a host");
        return None;
    }
    if !url.username().is_empty() || url.password().is_some() {
        node.problem("must not hold credentials: put them under `headers`");
        return None;
    }
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let template = |text: &str, place| node.accept(Template::new(text, place));
    Some(Address {
        fixed: url,
        path: template(path, Place::Path)?,
        query: match query {
            Some(query) => Some(template(query, Place::Form)?),
            None => None,
        },
    })
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
