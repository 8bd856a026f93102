//! What controllers and nodes of a real cluster would make of a change, at once.

use crate::cluster::{Cluster, Key, Object};
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// How nodes take to being asked for other sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// They do it at once.
    Prompt,
    /// There is no room now.
    Deferred,
    /// There will never be.
    Infeasible,
}

/// Brings the cluster to what its objects ask for.
pub(crate) fn reconcile(cluster: &mut Cluster) {
    keep_floors(cluster);
    keep_pods(cluster);
    resize_pods(cluster);
}

fn keys_of(cluster: &Cluster, plural: &str) -> Vec<Key> {
    let all = cluster.objects.keys();
    all.filter(|(_, known, _, _)| known == plural)
        .cloned()
        .collect()
}

/// Autoscalers keep what they govern within their bounds, also without metrics.
fn keep_floors(cluster: &mut Cluster) {
    for key in keys_of(cluster, "horizontalpodautoscalers") {
        let spec = cluster.objects[&key].value["spec"].clone();
        let target = &spec["scaleTargetRef"];
        let governed = cluster
            .objects
            .iter()
            .find(|((_, _, namespace, name), object)| {
                *namespace == key.2
                    && target["name"] == name.as_str()
                    && object.value["kind"] == target["kind"]
            });
        let Some((governed, object)) = governed.map(|(key, object)| (key.clone(), object.clone()))
        else {
            continue;
        };
        let there = object.value["spec"]["replicas"].as_i64().unwrap_or(1);
        let (min, max) = (spec["minReplicas"].as_i64(), spec["maxReplicas"].as_i64());
        let (min, max) = (min.unwrap_or(1), max.unwrap_or(i64::MAX));
        let wanted = there.clamp(min, max.max(min));
        if there != 0 && wanted != there {
            change(cluster, &governed, |value| {
                value["spec"]["replicas"] = json!(wanted);
                let generation = value["metadata"]["generation"].as_i64().unwrap_or(1);
                value["metadata"]["generation"] = json!(generation + 1);
            });
        }
    }
}

fn change(cluster: &mut Cluster, key: &Key, act: impl FnOnce(&mut Value)) {
    let Some(mut object) = cluster.objects.get(key).cloned() else {
        return;
    };
    let before = object.value.clone();
    act(&mut object.value);
    if object.value != before {
        cluster.stamp(&mut object.value, false);
        cluster.objects.insert(key.clone(), object);
    }
}

/// As many pods as there are to be, each made from the template as it is now; and what controllers say of them.
fn keep_pods(cluster: &mut Cluster) {
    let mut keys = keys_of(cluster, "deployments");
    keys.extend(keys_of(cluster, "statefulsets"));
    for key in keys {
        let owner = cluster.objects[&key].value.clone();
        let hash = hash(&owner["spec"]["template"]);
        let fleet = Fleet::of(cluster, &key, &hash);
        let wanted = owner["spec"]["replicas"].as_u64().unwrap_or(1);
        let wanted = usize::try_from(wanted).unwrap_or_default();
        if is_held_back(&owner["spec"]) && !fleet.old.is_empty() {
            fleet.resize_old(cluster, wanted);
        } else if owner["spec"]["strategy"]["type"] == "Recreate"
            || cluster.ready && is_schedulable(&owner["spec"]["template"]["spec"])
        {
            fleet.renew(cluster, (&key, &owner, &hash), wanted);
        } else {
            // What runs is kept until what is new is ready, but for one more.
            let beside = usize::from(!fleet.old.is_empty());
            let new = if beside == 0 { wanted } else { beside };
            fleet.resize_old(cluster, wanted);
            fleet.make(cluster, (&key, &owner, &hash), new);
        }
        let status = Fleet::of(cluster, &key, &hash).status(cluster, &owner, wanted);
        change(cluster, &key, |value| value["status"] = status);
    }
}

/// The pods of one owner, by template.
struct Fleet {
    current: Vec<Key>,
    old: Vec<Key>,
}

impl Fleet {
    fn of(cluster: &Cluster, key: &Key, hash: &str) -> Self {
        let pods = pods_of(cluster, key);
        let (current, old) = pods.into_iter().partition(|pod| pod.3.contains(hash));
        Self { current, old }
    }

    fn renew(&self, cluster: &mut Cluster, owner: (&Key, &Value, &str), wanted: usize) {
        for pod in &self.old {
            cluster.objects.remove(pod);
        }
        self.make(cluster, owner, wanted);
    }

    /// So many of the present template.
    fn make(&self, cluster: &mut Cluster, (key, owner, hash): (&Key, &Value, &str), wanted: usize) {
        for pod in self.current.iter().skip(wanted) {
            cluster.objects.remove(pod);
        }
        for _ in self.current.len()..wanted {
            make_pod(cluster, key, owner, hash);
        }
    }

    /// So many of the template before.
    fn resize_old(&self, cluster: &mut Cluster, wanted: usize) {
        for pod in self.old.iter().skip(wanted) {
            cluster.objects.remove(pod);
        }
        let Some(one) = self.old.first() else { return };
        for _ in self.old.len()..wanted {
            let Some(mut object) = cluster.objects.get(one).cloned() else {
                return;
            };
            cluster.stamp(&mut object.value, true);
            let version = object.value["metadata"]["resourceVersion"].as_str();
            let name = format!("{}-{}", one.3, version.unwrap_or_default());
            object.value["metadata"]["name"] = json!(name);
            let key = (one.0.clone(), one.1.clone(), one.2.clone(), name);
            cluster.objects.insert(key, object);
        }
    }

    /// The status of the owner.
    fn status(&self, cluster: &Cluster, owner: &Value, wanted: usize) -> Value {
        let is_ready = |key: &&Key| cluster.ready && is_running(&cluster.objects[*key].value);
        let ready = |pods: &[Key]| pods.iter().filter(is_ready).count();
        let (new, old) = (ready(&self.current), ready(&self.old));
        let (updated, all) = (self.current.len(), self.current.len() + self.old.len());
        let mut status = json!({
            "observedGeneration": owner["metadata"]["generation"], "replicas": all,
            "updatedReplicas": updated, "readyReplicas": new + old, "availableReplicas": new + old,
        });
        if owner["kind"] == "StatefulSet" {
            let is_renewed = self.old.is_empty();
            status["updateRevision"] = json!("new");
            status["currentRevision"] = json!(if is_renewed { "new" } else { "old" });
            return status;
        }
        let is_over = owner["spec"]["progressDeadlineSeconds"]
            .as_u64()
            .is_some_and(|seconds| seconds < SHORT_DEADLINE);
        let is_late = is_over && (updated < wanted || !self.old.is_empty() || new < updated);
        let (holds, reason) = if is_late {
            ("False", "ProgressDeadlineExceeded")
        } else {
            ("True", "NewReplicaSetAvailable")
        };
        status["conditions"] = json!([{"type": "Progressing", "status": holds, "reason": reason,
            "message": "ReplicaSet has timed out progressing."}]);
        status
    }
}

/// A progress deadline below this counts as missed at once.
const SHORT_DEADLINE: u64 = 60;

/// Whether the template's change reaches no pod.
fn is_held_back(spec: &Value) -> bool {
    spec["paused"] == true || spec["updateStrategy"]["type"] == "OnDelete"
}

/// Whether there is a node for such pods: none has any labels.
fn is_schedulable(pod: &Value) -> bool {
    let selector = pod["nodeSelector"].as_object();
    selector.is_none_or(serde_json::Map::is_empty)
}

fn is_running(pod: &Value) -> bool {
    pod["status"]["phase"] == "Running"
}

fn hash(template: &Value) -> String {
    let mut hasher = DefaultHasher::new();
    template.to_string().hash(&mut hasher);
    format!("{:08x}", hasher.finish() & 0xffff_ffff)
}

fn pods_of(cluster: &Cluster, owner: &Key) -> Vec<Key> {
    let prefix = format!("{}-", owner.3);
    let all = cluster.objects.iter();
    let own = all.filter(|((_, plural, namespace, _), object)| {
        let reference = &object.value["metadata"]["ownerReferences"][0]["name"];
        let by = reference.as_str().unwrap_or_default();
        let is_own = by == owner.3
            || by
                .strip_prefix(&prefix)
                .is_some_and(|hash| !hash.contains('-'));
        plural == "pods" && *namespace == owner.2 && is_own
    });
    own.map(|(key, _)| key.clone()).collect()
}

fn make_pod(cluster: &mut Cluster, owner: &Key, value: &Value, hash: &str) {
    let mut pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {}, "spec": value["spec"]["template"]["spec"]});
    cluster.stamp(&mut pod, true);
    let version = pod["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default();
    let name = format!("{}-{hash}-{version:0>5}", owner.3);
    let mut labels = value["spec"]["template"]["metadata"]["labels"].clone();
    labels["pod-template-hash"] = json!(hash);
    let (kind, by) = match owner.1.as_str() {
        "deployments" => ("ReplicaSet", format!("{}-{hash}", owner.3)),
        _ => ("StatefulSet", owner.3.clone()),
    };
    let metadata = &mut pod["metadata"];
    metadata["name"] = json!(name);
    metadata["namespace"] = json!(owner.2);
    metadata["generation"] = json!(1);
    metadata["labels"] = labels;
    metadata["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": kind, "name": by, "controller": true}]);
    let statuses = pod["spec"]["containers"].as_array().into_iter().flatten();
    let statuses: Vec<_> = statuses
        .map(|one| json!({"name": one["name"], "ready": true, "resources": one["resources"]}))
        .collect();
    pod["status"] = if is_schedulable(&pod["spec"]) {
        json!({
            "phase": "Running", "containerStatuses": statuses, "conditions": [{"type": "Ready", "status": "True"}],
        })
    } else {
        json!({"phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
        }]})
    };
    let key = (String::new(), "pods".to_owned(), owner.2.clone(), name);
    let object = Object {
        value: pod,
        ..Object::default()
    };
    cluster.objects.insert(key, object);
}

/// Nodes give pods what they ask for, or say why not.
fn resize_pods(cluster: &mut Cluster) {
    let node = cluster.node;
    for key in keys_of(cluster, "pods") {
        change(cluster, &key, |pod| {
            let wanted: Vec<Value> = pod["spec"]["containers"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let Some(statuses) = pod["status"]["containerStatuses"].as_array_mut() else {
                return;
            };
            let is_behind = |status: &Value| {
                let mut same = wanted.iter().filter(|one| one["name"] == status["name"]);
                same.any(|one| one["resources"] != status["resources"])
            };
            let waits = statuses.iter().any(is_behind);
            let mut conditions = json!([{"type": "Ready", "status": "True"}]);
            if node == Node::Prompt {
                for status in statuses {
                    let mut same = wanted.iter().filter(|one| one["name"] == status["name"]);
                    if let Some(one) = same.next() {
                        status["resources"] = one["resources"].clone();
                    }
                }
            } else if waits {
                let (reason, message) = match node {
                    Node::Deferred => ("Deferred", "Node didn't have enough resource: cpu"),
                    _ => ("Infeasible", "Node didn't have enough capacity: cpu"),
                };
                if let Some(all) = conditions.as_array_mut() {
                    all.push(json!({
                        "type": "PodResizePending", "status": "True", "reason": reason, "message": message,
                    }));
                }
            }
            pod["status"]["conditions"] = conditions;
        });
    }
}
