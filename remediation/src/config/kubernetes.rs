//! Actuators of the kind `kubernetes`, and the objects that workloads name for them.

mod setting;

#[cfg(feature = "kubernetes")]
pub(crate) use setting::Rendered;
pub use setting::{Container, Setting, Values};

use super::scalars::{positive_duration, words};
use crate::{Target, shape::Colour};
use setting::setting;
use std::{fmt, path::PathBuf, time::Duration};
use yaml::{Fields, Node};

/// One that asks the API server of a Kubernetes cluster.
#[derive(Debug, Clone)]
pub struct KubernetesActuator {
    /// A file that says where the cluster is and who asks; without one, what the client infers.
    pub kubeconfig: Option<PathBuf>,
    /// Which of the file's contexts, if not its current one.
    pub context: Option<String>,
    /// The limit of one request.
    pub timeout: Duration,
    /// Whether an autoscaler's maximum may be raised where the floor would be above it.
    pub raise_max: bool,
}

/// An object of the cluster that a workload acts on; all of it is from the configuration.
#[derive(Debug, Clone)]
pub struct Object {
    /// The group of its API; empty for the core.
    pub group: String,
    /// The version of its API.
    pub version: String,
    /// What it is.
    pub kind: String,
    /// The kind's name in paths, where it is known; else the API server is asked.
    pub plural: Option<String>,
    /// The namespace that it is in.
    pub namespace: String,
    /// Its name there.
    pub name: String,
    /// The two fleets that it stands for, where it does.
    pub fleets: Option<FleetsOf>,
    /// What a number is turned into; none where it is the number of replicas.
    pub setting: Option<Setting>,
}

/// Two Deployments, named after the object with `-blue` and `-green`, and the Service that picks one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetsOf {
    /// The Service.
    pub service: String,
    /// The label by which it picks; its value is the colour.
    pub label: String,
}

/// Answers take milliseconds; admission webhooks, which may take ten seconds each by default, are the reason for more.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Kinds whose API and plural need not be looked up.
const KNOWN: [(&str, &str, &str, &str); 4] = [
    ("Deployment", "apps", "v1", "deployments"),
    ("StatefulSet", "apps", "v1", "statefulsets"),
    ("ReplicaSet", "apps", "v1", "replicasets"),
    ("ConfigMap", "", "v1", "configmaps"),
];

impl Object {
    /// What templates may use.
    pub fn as_target(&self) -> Target {
        let text = |key: &str, value: &String| (key.to_owned(), value.clone());
        Target::from([
            text("kind", &self.kind),
            text("namespace", &self.namespace),
            text("name", &self.name),
        ])
    }

    /// The group and version as objects carry them.
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// One of the two that stand in its place, where there are fleets.
    pub(crate) fn fleet(&self, colour: Colour) -> Self {
        Self {
            name: format!("{}-{}", self.name, colour.as_str()),
            ..self.clone()
        }
    }

    /// All that is written to on its account.
    pub(super) fn touched(&self) -> Vec<String> {
        let namespace = &self.namespace;
        if let Some(FleetsOf { service, .. }) = &self.fleets {
            let fleet = |colour| self.fleet(colour).to_string();
            let [blue, green] = [Colour::Blue, Colour::Green].map(fleet);
            return vec![blue, green, format!("Service {namespace}/{service}")];
        }
        let canary = self.setting.as_ref().and_then(Setting::canary);
        let canary = canary.map(|name| format!("{} {namespace}/{name}", self.kind));
        std::iter::once(self.to_string()).chain(canary).collect()
    }

    /// Makes what would be written for the fewest and the most that the workload may have, and for what there is.
    pub(super) fn probe(&self, min: u32, max: u32) -> Result<(), String> {
        let Some(setting) = &self.setting else {
            return Ok(());
        };
        let written = |number| {
            let all = setting.values.rendered(self, number)?;
            Ok::<_, String>(format!("{all:?}"))
        };
        let (least, most) = (written(min)?, written(max)?);
        written(setting.initial)?;
        if least == most && min != max {
            return Err("what is set does not depend on {{ replicas }}".to_owned());
        }
        Ok(())
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            namespace,
            name,
            ..
        } = self;
        write!(f, "{kind} {namespace}/{name}")
    }
}

pub(super) fn kubernetes(fields: &Fields) -> KubernetesActuator {
    if !cfg!(feature = "kubernetes") {
        fields
            .node()
            .problem("this build has no Kubernetes support");
    }
    let kubeconfig = fields.optional("kubeconfig", |node| {
        let path = PathBuf::from(words(node)?);
        if !path.is_absolute() {
            node.problem(format!("`{}` must be an absolute path", path.display()));
            return None;
        }
        Some(path)
    });
    let context = fields.optional("context", words);
    if context.is_some() && !fields.has("kubeconfig") {
        fields.problem("context", "is one of a `kubeconfig`, which is missing");
    }
    #[cfg(feature = "kubernetes")]
    if let Some(path) = &kubeconfig
        && let Err(problem) =
            crate::actuator::kubernetes::check_kubeconfig(path, context.as_deref())
    {
        fields.problem("kubeconfig", problem);
    }
    let timeout = fields.optional("timeout", positive_duration);
    let raise_max = fields.optional("raise_max", Node::bool);
    KubernetesActuator {
        kubeconfig,
        context,
        timeout: timeout.unwrap_or(TIMEOUT),
        raise_max: raise_max.unwrap_or(false),
    }
}

pub(super) fn object(fields: &Fields) -> Option<Object> {
    let kind = fields.required("kind", |node| checked(node, is_kind, "kind"));
    let api = fields.optional("api_version", api_version);
    let plural = fields.optional("plural", |node| checked(node, is_label, "plural"));
    let namespace = fields.required("namespace", |node| checked(node, is_label, "namespace"));
    let name = fields.required("name", |node| checked(node, is_name, "name"));
    let setting = fields.optional("set", |node| node.map(setting));
    let fleets = fields.optional("fleets", |node| node.map(fleets));
    let kind = kind?;
    let known = KNOWN.iter().find(|(known, ..)| *known == kind);
    let known = known.filter(|(_, group, version, _)| {
        api.as_ref()
            .is_none_or(|(g, v)| (g.as_str(), v.as_str()) == (*group, *version))
    });
    if known.is_none() && !fields.has("api_version") {
        let problem = format!("`{kind}` needs its `api_version`, like example.com/v1");
        fields.problem("kind", problem);
    }
    let (group, version, plural) = if let Some((_, group, version, known)) = known {
        let plural = plural.unwrap_or_else(|| (*known).to_owned());
        ((*group).to_owned(), (*version).to_owned(), Some(plural))
    } else {
        let (group, version) = api?;
        (group, version, plural)
    };
    let canary = setting.as_ref().and_then(Setting::canary);
    if canary.is_some() && (kind != "Deployment" || canary == name.as_deref()) {
        let problem = "a canary is a second Deployment beside a first, with a name of its own";
        fields.problem("set", problem);
    }
    if fields.has("fleets") && (kind != "Deployment" || fields.has("set")) {
        let problem = "are two Deployments, of which the replicas are set";
        fields.problem("fleets", problem);
    }
    if let Some(problem) = misfit(&kind, &group, fields.has("set"), setting.as_ref()) {
        fields.node().problem(problem);
    }
    if fields.has("set") && setting.is_none() || fields.has("fleets") && fleets.is_none() {
        return None;
    }
    Some(Object {
        group,
        version,
        kind,
        plural,
        namespace: namespace?,
        name: name?,
        fleets,
        setting,
    })
}

fn fleets(fields: &Fields) -> Option<FleetsOf> {
    let service = fields.required("service", |node| checked(node, is_label, "name"));
    let label = fields.required("label", |node| checked(node, is_label_key, "label"));
    Some(FleetsOf {
        service: service?,
        label: label?,
    })
}

/// What cannot be done to a kind.
fn misfit(
    kind: &str,
    group: &str,
    has_setting: bool,
    setting: Option<&Setting>,
) -> Option<&'static str> {
    let has_template = group == "apps" && matches!(kind, "Deployment" | "StatefulSet");
    match (kind, setting.map(|setting| &setting.values)) {
        ("ConfigMap", None) if group.is_empty() && !has_setting => {
            Some("a ConfigMap has no replicas, so `set` is needed")
        }
        ("ConfigMap", Some(Values::Container(_))) => {
            Some("a ConfigMap has no containers: set its `data`")
        }
        (_, Some(Values::Data(_))) if kind != "ConfigMap" => Some("only a ConfigMap has `data`"),
        (_, Some(Values::Container(_))) if !has_template => {
            Some("only containers of a Deployment or a StatefulSet can be set")
        }
        _ => None,
    }
}

fn api_version(node: &Node) -> Option<(String, String)> {
    let text = node.string()?;
    let (group, version) = text.split_once('/').unwrap_or(("", &text));
    let is_version = version.starts_with('v') && is_label(version);
    if !is_version || !(group.is_empty() || is_name(group)) {
        node.problem(format!("`{text}` is no API version: write it like apps/v1"));
        return None;
    }
    Some((group.to_owned(), version.to_owned()))
}

fn checked(node: &Node, is_good: fn(&str) -> bool, what: &str) -> Option<String> {
    let text = node.string()?;
    if !is_good(&text) {
        node.problem(format!("`{text}` is no {what} of Kubernetes"));
        return None;
    }
    Some(text)
}

fn is_kind(text: &str) -> bool {
    let is_word = text.chars().all(|c| c.is_ascii_alphanumeric());
    is_word && text.len() <= 63 && text.starts_with(|c: char| c.is_ascii_uppercase())
}

/// RFC 1123: what stands in a path as it is.
fn is_label(text: &str) -> bool {
    let is_good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ends_well = !text.starts_with('-') && !text.ends_with('-');
    !text.is_empty() && text.len() <= 63 && ends_well && text.chars().all(is_good)
}

fn is_label_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').unwrap_or(("a", text));
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    is_name(prefix) && !name.is_empty() && name.len() <= 63 && name.chars().all(is_word)
}

/// RFC 1123: labels with dots between them.
fn is_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}
