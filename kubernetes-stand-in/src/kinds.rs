//! Which kinds there are, and how the server says so.

use serde_json::{Value, json};

/// A kind of object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) group: String,
    pub(crate) versions: Vec<String>,
    pub(crate) plural: String,
    /// Its name in objects.
    pub(crate) name: String,
    /// Whether there is a scale subresource.
    pub(crate) scales: bool,
}

/// The kinds of a new cluster: group, versions, plural, kind, and whether it scales.
const BUILT_IN: [(&str, &[&str], &str, &str, bool); 10] = [
    ("", &["v1"], "namespaces", "Namespace", false),
    ("", &["v1"], "pods", "Pod", false),
    ("", &["v1"], "configmaps", "ConfigMap", false),
    ("", &["v1"], "services", "Service", false),
    ("apps", &["v1"], "deployments", "Deployment", true),
    ("apps", &["v1"], "statefulsets", "StatefulSet", true),
    ("apps", &["v1"], "replicasets", "ReplicaSet", true),
    (
        "autoscaling",
        &["v2", "v1"],
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        false,
    ),
    ("events.k8s.io", &["v1"], "events", "Event", false),
    (
        "apiextensions.k8s.io",
        &["v1"],
        "customresourcedefinitions",
        "CustomResourceDefinition",
        false,
    ),
];

impl Kind {
    pub(crate) fn built_in() -> Vec<Self> {
        let kind =
            |(group, versions, plural, kind, scales): (&str, &[&str], &str, &str, bool)| Self {
                group: group.to_owned(),
                versions: versions.iter().map(|&version| version.to_owned()).collect(),
                plural: plural.to_owned(),
                name: kind.to_owned(),
                scales,
            };
        BUILT_IN.into_iter().map(kind).collect()
    }

    /// What a definition of a custom resource adds.
    pub(crate) fn defined_by(definition: &Value) -> Option<Self> {
        let spec = &definition["spec"];
        let versions = spec["versions"].as_array()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Self {
            group: text(&spec["group"])?,
            versions: versions
                .iter()
                .filter_map(|one| text(&one["name"]))
                .collect(),
            plural: text(&spec["names"]["plural"])?,
            name: text(&spec["names"]["kind"])?,
            scales: versions
                .iter()
                .any(|one| one["subresources"]["scale"].is_object()),
        })
    }

    pub(crate) fn has(&self, group: &str, version: &str) -> bool {
        self.group == group && self.versions.iter().any(|known| known == version)
    }

    /// As messages name it: `deployments.apps`, or `pods` where there is no group.
    pub(crate) fn qualified(&self) -> String {
        match self.group.as_str() {
            "" => self.plural.clone(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// As messages about its fields name it: `Scale.autoscaling`, or `Pod`.
    pub(crate) fn kind_of_group(&self) -> String {
        match self.group.as_str() {
            "" => self.name.clone(),
            group => format!("{}.{group}", self.name),
        }
    }

    pub(crate) fn api_version(&self, version: &str) -> String {
        match self.group.as_str() {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        }
    }
}

/// The resources of a group and version; none where there are none.
pub(crate) fn discovery(kinds: &[Kind], group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    for kind in kinds.iter().filter(|kind| kind.has(group, version)) {
        let cluster_wide = matches!(
            kind.plural.as_str(),
            "namespaces" | "customresourcedefinitions"
        );
        resources.push(json!({
            "name": kind.plural, "kind": kind.name, "namespaced": !cluster_wide, "singularName": "",
            "verbs": ["create", "delete", "get", "list", "patch", "update"],
        }));
        if kind.scales {
            resources.push(json!({
                "name": format!("{}/scale", kind.plural), "kind": "Scale", "group": "autoscaling",
                "version": "v1", "namespaced": true, "singularName": "", "verbs": ["get", "patch", "update"],
            }));
        }
    }
    let group_version = match group {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    };
    (!resources.is_empty()).then(|| {
        json!({
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": group_version, "resources": resources,
        })
    })
}
