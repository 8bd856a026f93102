//! Resizing running pods in place, which is done when their nodes say so.

use super::{
    Found, Means,
    api::{Api, Effect, Order},
    ownership,
    scale::{identity, uid, version},
    setting::{SIZE, annotated, named, odd, rendered, resources, skeleton},
};
use crate::{
    Shape,
    actuator::{ActuatorError, Arrival, Verdict},
    config::{Container, Object, Rendered, Setting},
    template::percent_encoded,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// What is known of pods that are resized in place.
#[derive(Debug, Clone)]
pub(super) struct Resizing {
    container: String,
    /// The paths of the pods.
    pods: String,
    selector: String,
    /// The size that some pods may have by now, where a resize was begun and did not end.
    begun: Option<u32>,
    /// The size before that.
    size: u32,
}

/// The annotation that says how far a resize may have come that did not end.
const BEGUN: &str = "foreshadow/resizing-to";

/// How often nodes are asked how far they are.
const PAUSE: Duration = Duration::from_millis(300);

/// The number that the pods stand for. Where a resize was begun and did not end, that is the size before, so
/// that it is gone on with; on the way back it is the one that was begun, for the same reason.
pub(super) async fn look(
    api: &Api,
    value: &Value,
    (object, setting, container): (&Object, &Setting, &Container),
    path: String,
) -> Result<Found, ActuatorError> {
    ownership::check(value, object, &Vec::new())?;
    let scale = api.get(&format!("{path}/scale")).await?;
    let selector = scale["status"]["selector"].as_str().unwrap_or_default();
    if selector.is_empty() {
        return Err(ActuatorError::Unreadable("it selects no pods".to_owned()));
    }
    let mut resizing = Resizing {
        container: container.name.clone(),
        pods: format!("/api/v1/namespaces/{}/pods", object.namespace),
        selector: percent_encoded(selector),
        begun: annotated(value, BEGUN)?,
        size: annotated(value, SIZE)?.unwrap_or(setting.initial),
    };
    if resizing.begun.is_none() && resizing.size != setting.initial {
        // Pods that were made since have the size of the template.
        let wanted = rendered(object, resizing.size)?;
        let pods = resizing.list(api, object).await?;
        let has_size = |pod: &&Value| resizing.asks(pod, &wanted).is_ok_and(|odd| odd.is_none());
        if !pods.is_empty() && !pods.iter().any(|pod| has_size(&pod)) {
            // Also what a resize that does not come about is taken back to.
            resizing.size = setting.initial;
        }
    }
    Ok(Found {
        shape: Shape {
            identity: identity(value),
            ..Shape::of(resizing.size)
        },
        version: version(value)?,
        uid: uid(value),
        path,
        means: Means::Pods(resizing),
    })
}

impl Found {
    /// The same, as the way back sees it.
    pub(super) fn on_the_way_back(mut self) -> Self {
        if let Means::Pods(Resizing {
            begun: Some(begun), ..
        }) = &self.means
        {
            self.shape = Shape {
                replicas: *begun,
                ..self.shape
            };
        }
        self
    }
}

/// Resizes all pods and waits for their nodes, between two notes: how far it may have come, and that it is done.
pub(super) async fn carry_out(
    api: Effect<'_>,
    object: &Object,
    (found, resizing): (&Found, &Resizing),
    (order, shape, back): (Order, Shape, bool),
) -> Result<(), ActuatorError> {
    let number = shape.set_point();
    // On the way back the note is of what pods may have come to, or half of a way would pass for all of it.
    let begun = if back {
        resizing.begun.unwrap_or(resizing.size)
    } else {
        number
    };
    let notes = json!({SIZE: resizing.size.to_string(), BEGUN: begun.to_string()});
    let note = skeleton(object, &found.version, &notes);
    api.send(&Order::apply(found.path.clone(), note)).await?;
    let done = resizing.resize(api, object, number).await;
    let is_hopeless = done
        .as_ref()
        .is_err_and(|error| error.verdict() == Verdict::GiveUp);
    let mut order = order;
    // The object's status may have moved on meanwhile, and the note is ours alone.
    if let Some(metadata) = order.body["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    if is_hopeless && !back {
        // What some nodes have done is taken back; what that comes to is told by the next reading.
        let _ = resizing.ask(api, object, resizing.size).await;
        order.body["metadata"]["annotations"] = json!({SIZE: resizing.size.to_string()});
        let _ = api.send(&order).await;
        return done;
    }
    done?;
    api.send(&order).await.map(drop)
}

/// Tries whether the server would take it for one of the pods.
pub(super) async fn rehearse(
    api: &Api,
    object: &Object,
    resizing: &Resizing,
    shape: Shape,
) -> Result<(), ActuatorError> {
    let wanted = rendered(object, shape.set_point())?;
    let pods = resizing.list(api, object).await?;
    let Some(pod) = pods.first() else {
        return Err(ActuatorError::Impossible(
            "there are no pods to resize".to_owned(),
        ));
    };
    let answer = api.dry_run(&resizing.order(pod, &wanted)).await?;
    resizing.taken(&answer, &wanted)
}

impl Resizing {
    /// How far the pods are that were asked for a size. Those that were made since have the template's.
    pub(super) async fn arrival(
        &self,
        api: &Api,
        object: &Object,
        number: u32,
    ) -> Result<Arrival, ActuatorError> {
        let wanted = rendered(object, number)?;
        let pods = self.list(api, object).await?;
        let has_size = |pod: &&Value| self.asks(pod, &wanted).is_ok_and(|odd| odd.is_none());
        let asked: Vec<_> = pods.iter().filter(has_size).collect();
        Ok(
            match asked.iter().find_map(|pod| self.awaits(pod, &wanted)) {
                None => Arrival::Arrived {
                    instances: u32::try_from(asked.len()).ok(),
                    remark: (asked.len() < pods.len()).then(|| {
                        let new = pods.len() - asked.len();
                        format!("{new} were made since, and have the amounts of the template")
                    }),
                },
                Some(Ok(why)) => Arrival::Underway(why),
                Some(Err(error)) => Arrival::Stuck(error.to_string()),
            },
        )
    }

    async fn resize(
        &self,
        api: Effect<'_>,
        object: &Object,
        number: u32,
    ) -> Result<(), ActuatorError> {
        let started = Instant::now();
        let wanted = rendered(object, number)?;
        if self.ask(api, object, number).await? == 0 {
            return Err(ActuatorError::Impossible(
                "there are no pods to resize".to_owned(),
            ));
        }
        loop {
            let pods = self.list(&api, object).await?;
            let waiting = pods.iter().find_map(|pod| self.awaits(pod, &wanted));
            let Some(waiting) = waiting else {
                return Ok(());
            };
            let why = waiting?;
            if started.elapsed() > api.config().timeout {
                return Err(ActuatorError::Unfinished(why));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks the server to give all pods a size, and returns how many there are.
    async fn ask(
        &self,
        api: Effect<'_>,
        object: &Object,
        number: u32,
    ) -> Result<usize, ActuatorError> {
        let wanted = rendered(object, number)?;
        let pods = self.list(&api, object).await?;
        for pod in &pods {
            if self.asks(pod, &wanted)?.is_none() {
                continue;
            }
            match api.send(&self.order(pod, &wanted)).await {
                Ok(answer) => self.taken(&answer, &wanted)?,
                // It ended meanwhile, and another comes.
                Err(ActuatorError::Refused {
                    status: 404,
                    message,
                    ..
                }) if message.contains("pods \"") => {}
                Err(error) => return Err(error),
            }
        }
        Ok(pods.len())
    }

    fn order(&self, pod: &Value, wanted: &Rendered) -> Order {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let container = json!({"name": self.container, "resources": resources(wanted.clone())});
        let body = json!({
            "metadata": {"resourceVersion": pod["metadata"]["resourceVersion"]},
            "spec": {"containers": [container]},
        });
        Order {
            content_type: "application/strategic-merge-patch+json",
            ..Order::merge(format!("{}/{name}/resize", self.pods), body)
        }
    }

    /// The pods of the object that are not on their way out; a selector may pick pods of others, too.
    async fn list(&self, api: &Api, object: &Object) -> Result<Vec<Value>, ActuatorError> {
        let path = format!("{}?labelSelector={}", self.pods, self.selector);
        let list = api.get(&path).await?;
        let all = list["items"].as_array().into_iter().flatten();
        let is_ours = |pod: &&Value| {
            let metadata = &pod["metadata"];
            let phase = pod["status"]["phase"].as_str().unwrap_or_default();
            metadata["deletionTimestamp"].is_null()
                && !matches!(phase, "Succeeded" | "Failed")
                && is_owned(metadata, object)
        };
        Ok(all.filter(is_ours).cloned().collect())
    }

    /// What of a pod's wishes is not as wanted.
    fn asks(&self, pod: &Value, wanted: &Rendered) -> Result<Option<String>, ActuatorError> {
        let container = named(&pod["spec"]["containers"], &self.container)?;
        Ok(wanted
            .iter()
            .find_map(|(at, text)| odd(container, at, text)))
    }

    /// Fields that the server drops are dropped without a word.
    fn taken(&self, answer: &Value, wanted: &Rendered) -> Result<(), ActuatorError> {
        self.asks(answer, wanted)?.map_or(Ok(()), |odd| {
            let why = format!("the API server did not take all of it: {odd}");
            Err(ActuatorError::Impossible(why))
        })
    }

    /// What a pod waits for, or why that will not come; none when its node has done it.
    fn awaits(&self, pod: &Value, wanted: &Rendered) -> Option<Result<String, ActuatorError>> {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let mut on = conditions.filter(|one| one["status"] == "True");
        if let Some(pending) = on.find(|one| one["type"] == "PodResizePending") {
            let text = |key: &str| pending[key].as_str().unwrap_or_default().to_owned();
            let why = format!("pod {name}: {}: {}", text("reason"), text("message"));
            let is_hopeless = pending["reason"] == "Infeasible";
            return Some(if is_hopeless {
                Err(ActuatorError::Impossible(why))
            } else {
                Ok(why)
            });
        }
        let status = named(&pod["status"]["containerStatuses"], &self.container);
        let Ok(status) = status else {
            return Some(Ok(format!("pod {name} does not run yet")));
        };
        let odd = wanted.iter().find_map(|(at, text)| odd(status, at, text))?;
        Some(Ok(format!("pod {name}: {odd}")))
    }
}

/// Whether a pod belongs to an object: a Deployment's by way of a `ReplicaSet` that is named after the template.
fn is_owned(metadata: &Value, object: &Object) -> bool {
    let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    let mut owners = owners.filter(|owner| owner["controller"] == true);
    let hash = metadata["labels"]["pod-template-hash"]
        .as_str()
        .unwrap_or_default();
    let by_way = format!("{}-{hash}", object.name);
    owners.any(|owner| match object.kind.as_str() {
        "Deployment" => owner["kind"] == "ReplicaSet" && owner["name"] == by_way.as_str(),
        kind => owner["kind"] == kind && owner["name"] == object.name.as_str(),
    })
}
