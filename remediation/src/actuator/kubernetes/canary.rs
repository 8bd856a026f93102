//! A second Deployment on which a size is tried out, beside a first that stays as it is.

use super::{
    Found, Means,
    api::{Api, Effect, Order},
    arrival::{Wanted, of_instances},
    scale::{number, version},
    setting::{SIZE, annotated, fill, held_back, rendered},
};
use crate::{
    Canary, Shape,
    actuator::{ActuatorError, Arrival},
    config::{Container, Object, Values},
};
use serde_json::{Value, json};

/// What a copy is made of, and the copy that there is.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    name: String,
    /// The path of the copy.
    path: String,
    /// The path of all Deployments of the namespace.
    all: String,
    /// The Deployment that is copied.
    original: Value,
    /// The identity and version of the copy, where there is one.
    there: Option<(String, String)>,
    has: Canary,
}

/// The label that tells a copy and its pods from the original, and says whose copy it is.
const CANARY_OF: &str = "foreshadow/canary-of";

/// The annotation with the percentage of the original's instances.
const PERCENT: &str = "foreshadow/percent";

/// Looks for the copy beside what was found.
pub(super) async fn look(
    api: &Api,
    original: Value,
    (object, found): (&Object, Found),
    name: &str,
) -> Result<Found, ActuatorError> {
    let all = found.path.rsplit_once('/').map_or("", |(all, _)| all);
    let path = format!("{all}/{name}");
    let copy = match api.get(&path).await {
        Ok(copy) => Some(copy),
        Err(ActuatorError::Refused { status: 404, .. }) => None,
        Err(error) => return Err(error),
    };
    let mut has = Canary::default();
    let mut there = None;
    if let Some(copy) = copy {
        let metadata = &copy["metadata"];
        if metadata["labels"][CANARY_OF] != object.name.as_str() {
            let why = format!("Deployment {name} is there, and is no canary of {object}");
            return Err(ActuatorError::NotOurs(why));
        }
        has.size = annotated(&copy, SIZE)?.unwrap_or_default();
        has.percent = annotated(&copy, PERCENT)?.unwrap_or_default();
        let uid = metadata["uid"].as_str().unwrap_or_default().to_owned();
        // One that is on its way out must be gone before there can be another.
        if !metadata["deletionTimestamp"].is_null() {
            return Err(ActuatorError::Unfinished(format!(
                "Deployment {name} is being deleted"
            )));
        }
        there = Some((uid, version(&copy)?));
    }
    Ok(Found {
        shape: Shape {
            canary: Some(has),
            ..found.shape
        },
        means: Means::Trial(Box::new(Trial {
            name: name.to_owned(),
            all: all.to_owned(),
            path,
            original,
            there,
            has,
        })),
        ..found
    })
}

/// Brings copy and original to a shape: the copy first, so that whatever comes between leaves the original
/// without one rather than with one that is of no use.
pub(super) async fn carry_out(
    api: Effect<'_>,
    object: &Object,
    (found, trial): (&Found, &Trial),
    (order, shape): (Order, Shape),
) -> Result<(), ActuatorError> {
    if let Some(order) = trial.order(object, shape)? {
        api.send(&order).await?;
        if trial.is_in_the_way(shape) {
            return Err(ActuatorError::Unfinished(
                "the canary before had another size".to_owned(),
            ));
        }
    }
    if found.shape.set_point() == shape.set_point() {
        return Ok(());
    }
    let answer = api.send(&order).await?;
    found.confirm(object, &answer, shape)
}

/// How far the copy has come, as long as there is to be one, and the original after that.
pub(super) async fn arrival(
    api: &Api,
    object: &Object,
    (found, trial): (&Found, &Trial),
    shape: Shape,
) -> Result<Arrival, ActuatorError> {
    if shape.canary.unwrap_or_default().size == 0 {
        return of_instances(api, object, (&found.path, Wanted::Renewed)).await;
    }
    let copy = Object {
        name: trial.name.clone(),
        ..object.clone()
    };
    let all = number(&trial.original, "/spec/replicas")?.unwrap_or(1);
    let arrival = of_instances(api, &copy, (&trial.path, Wanted::Renewed)).await?;
    Ok(match arrival {
        // Who counts the workload's instances counts the copy's with them.
        Arrival::Arrived { instances, remark } => Arrival::Arrived {
            instances: instances.map(|copies| copies + all),
            remark,
        },
        Arrival::Underway(why) => Arrival::Underway(format!("Deployment {}: {why}", trial.name)),
        Arrival::Stuck(why) => Arrival::Stuck(format!("Deployment {}: {why}", trial.name)),
    })
}

impl Trial {
    /// Why the original would not be renewed in the end, where it is so.
    pub(super) fn held_back(&self) -> Option<String> {
        held_back(&self.original)
    }

    /// What is to be done to the copy, if something is.
    pub(super) fn order(
        &self,
        object: &Object,
        shape: Shape,
    ) -> Result<Option<Order>, ActuatorError> {
        let wanted = shape.canary.unwrap_or_default();
        match &self.there {
            _ if wanted == self.has => Ok(None),
            None => self.create(object, wanted).map(Some),
            Some((_, version)) if wanted.size == self.has.size => {
                let body = json!({
                    "metadata": {
                        "resourceVersion": version, "annotations": {PERCENT: wanted.percent.to_string()},
                    },
                    "spec": {"replicas": self.instances(wanted)?},
                });
                Ok(Some(Order::merge(self.path.clone(), body)))
            }
            Some((uid, _)) => Ok(Some(Order::delete(self.path.clone(), uid))),
        }
    }

    /// Whether a copy must go before the wanted one can be made.
    fn is_in_the_way(&self, shape: Shape) -> bool {
        let wanted = shape.canary.unwrap_or_default();
        self.there.is_some() && wanted.size > 0 && wanted.size != self.has.size
    }

    /// So many that it is the wanted share of all, and one at least.
    fn instances(&self, wanted: Canary) -> Result<u64, ActuatorError> {
        let all = number(&self.original, "/spec/replicas")?.unwrap_or(1);
        let share = (u64::from(all) * u64::from(wanted.percent)).div_ceil(100);
        Ok(share.max(1))
    }

    /// A copy that nothing of the original's selects but Services and what else goes by its pods' labels.
    fn create(&self, object: &Object, wanted: Canary) -> Result<Order, ActuatorError> {
        let mut spec = self.original["spec"].clone();
        spec["replicas"] = json!(self.instances(wanted)?);
        spec["selector"]["matchLabels"][CANARY_OF] = json!(object.name);
        spec["template"]["metadata"]["labels"][CANARY_OF] = json!(object.name);
        let container = container(object)?;
        let all = spec["template"]["spec"]["containers"].as_array_mut();
        let mut named = all.into_iter().flatten();
        let fields = named.find(|one| one["name"] == container.name.as_str());
        let missing =
            || ActuatorError::Impossible(format!("there is no container {}", container.name));
        fill(fields.ok_or_else(missing)?, rendered(object, wanted.size)?);
        let annotations =
            json!({SIZE: wanted.size.to_string(), PERCENT: wanted.percent.to_string()});
        let body = json!({
            "apiVersion": object.api_version(),
            "kind": object.kind,
            // Labels of the original are left out: what prunes by them would take the copy away.
            "metadata": {
                "name": self.name, "namespace": object.namespace,
                "labels": {CANARY_OF: object.name}, "annotations": annotations,
            },
            "spec": spec,
        });
        Ok(Order::create(self.all.clone(), body))
    }
}

fn container(object: &Object) -> Result<&Container, ActuatorError> {
    match object.setting.as_ref().map(|setting| &setting.values) {
        Some(Values::Container(container)) => Ok(container),
        _ => Err(ActuatorError::Impossible(
            "it has no container to set".to_owned(),
        )),
    }
}
