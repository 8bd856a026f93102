//! Two Deployments side by side, and a Service that picks the one that serves.

use super::{
    Found, Means,
    api::{Api, Effect, Order},
    arrival::{Wanted, of_instances},
    autoscaler,
    scale::{self, number, uid, version},
};
use crate::{
    Colour, Fleets, Shape,
    actuator::{ActuatorError, Arrival},
    config::{FleetsOf, Object},
};
use serde_json::{Value, json};

/// What there is of both.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    label: String,
    /// The one that serves, and the other.
    sides: [Side; 2],
}

#[derive(Debug, Clone)]
struct Side {
    colour: Colour,
    /// The path of the Deployment.
    path: String,
    found: Found,
}

/// Reads which of the two serves, and how many each has.
pub(super) async fn look(
    api: &Api,
    object: &Object,
    names: &FleetsOf,
) -> Result<Found, ActuatorError> {
    let FleetsOf { service, label } = names;
    let path = format!("/api/v1/namespaces/{}/services/{service}", object.namespace);
    let value = api.get(&path).await?;
    let picked = value["spec"]["selector"][label]
        .as_str()
        .unwrap_or_default();
    let active: Colour = picked.parse().map_err(|why| {
        ActuatorError::NotOurs(format!("Service {service} picks {label}={picked}: {why}"))
    })?;
    let autoscalers = autoscaler::all(api, &object.namespace).await?;
    let (serving, idle) = (
        side(api, object, active, &autoscalers).await?,
        side(api, object, active.other(), &autoscalers).await?,
    );
    let [one, other] = [&serving, &idle].map(|side| side.found.shape.identity);
    Ok(Found {
        shape: Shape {
            fleets: Some(Fleets {
                active,
                idle: idle.found.shape.replicas,
            }),
            identity: one.zip(other).map(|(one, other)| one.with(other)),
            ..serving.found.shape
        },
        version: version(&value)?,
        uid: uid(&value),
        path,
        means: Means::Fleets(Box::new(Pair {
            label: label.clone(),
            sides: [serving, idle],
        })),
    })
}

async fn side(
    api: &Api,
    object: &Object,
    colour: Colour,
    autoscalers: &Value,
) -> Result<Side, ActuatorError> {
    let named = object.fleet(colour);
    if autoscaler::one(autoscalers, &named)?.is_some() {
        let why = format!("an autoscaler governs {named}, and one fleet must be able to be empty");
        return Err(ActuatorError::NotOurs(why));
    }
    let path = scale::path(&named, "deployments");
    Ok(Side {
        colour,
        found: scale::look(api, &path).await?,
        path,
    })
}

/// Brings both to a shape. The Service is not switched to a fleet that is not ready.
pub(super) async fn carry_out(
    api: Effect<'_>,
    (found, pair): (&Found, &Pair),
    shape: Shape,
) -> Result<(), ActuatorError> {
    for order in pair.orders(found, shape)? {
        let is_switch = order.path == found.path;
        if is_switch {
            pair.await_ready(&api, shape).await?;
        }
        let answer = api.send(&order).await?;
        pair.confirm(&order, &answer, is_switch)?;
    }
    Ok(())
}

/// How far the instances of both are.
pub(super) async fn arrival(
    api: &Api,
    object: &Object,
    pair: &Pair,
    shape: Shape,
) -> Result<Arrival, ActuatorError> {
    let Some(wanted) = shape.fleets else {
        return Ok(Arrival::AS_SET);
    };
    let (mut all, mut remarks) = (Some(0), Vec::new());
    for side in &pair.sides {
        let named = object.fleet(side.colour);
        let count = Wanted::Ready(count(shape, wanted, side.colour));
        let colour = side.colour.as_str();
        match of_instances(api, &named, (&side.path, count)).await? {
            Arrival::Arrived { instances, remark } => {
                all = all.zip(instances).map(|(all, more)| all + more);
                remarks.extend(remark);
            }
            Arrival::Underway(why) => return Ok(Arrival::Underway(format!("{colour}: {why}"))),
            Arrival::Stuck(why) => return Ok(Arrival::Stuck(format!("{colour}: {why}"))),
        }
    }
    Ok(Arrival::Arrived {
        instances: all,
        remark: remarks.into_iter().next(),
    })
}

/// Tries out what a shape takes, and says what was tried.
pub(super) async fn rehearse(
    api: &Api,
    (found, pair): (&Found, &Pair),
    shape: Shape,
) -> Result<String, ActuatorError> {
    let mut said = Vec::new();
    for order in pair.orders(found, shape)? {
        api.dry_run(&order).await?;
        said.push(order.rehearsed());
    }
    Ok(said.join("; "))
}

impl Pair {
    /// The identity of the Deployment that has a colour, as the server writes it.
    pub(super) fn uid(&self, colour: Colour) -> Option<String> {
        let mut sides = self.sides.iter();
        let side = sides.find(|side| side.colour == colour)?;
        side.found.uid.clone()
    }

    /// What is to be sent, in this order: first whoever grows, then the switch, then whoever shrinks.
    pub(super) fn orders(&self, found: &Found, shape: Shape) -> Result<Vec<Order>, ActuatorError> {
        let Some(wanted) = shape.fleets else {
            let why = "the plan is not about two fleets".to_owned();
            return Err(ActuatorError::NotOurs(why));
        };
        let change = |side: &Side| {
            let count = count(shape, wanted, side.colour);
            let there = side.found.shape.replicas;
            (count != there).then(|| (count > there, scale::order(&side.found, count)))
        };
        let changes: Vec<_> = self.sides.iter().filter_map(change).collect();
        let of = |grows: bool| {
            let some = changes.iter().filter(move |(does, _)| *does == grows);
            some.map(|(_, order)| order.clone())
        };
        let switch = (wanted.active != self.sides[0].colour).then(|| {
            let body = json!({
                "metadata": {"resourceVersion": found.version},
                "spec": {"selector": {&self.label: wanted.active.as_str()}},
            });
            Order::merge(found.path.clone(), body)
        });
        Ok(of(true).chain(switch).chain(of(false)).collect())
    }

    /// Whether the fleet that is to serve has all its instances ready.
    async fn await_ready(&self, api: &Api, shape: Shape) -> Result<(), ActuatorError> {
        let active = shape.fleets.map(|fleets| fleets.active);
        let Some(side) = self.sides.iter().find(|side| Some(side.colour) == active) else {
            return Ok(());
        };
        let deployment = api.get(&side.path).await?;
        let ready = number(&deployment, "/status/readyReplicas")?.unwrap_or_default();
        let seen = deployment["status"]["observedGeneration"].as_u64();
        let is_old = seen < deployment["metadata"]["generation"].as_u64() && seen.is_some();
        if ready >= shape.replicas && !is_old {
            return Ok(());
        }
        let (colour, wanted) = (side.colour.as_str(), shape.replicas);
        let why = format!("{ready} of {wanted} instances of {colour} are ready");
        Err(ActuatorError::Unfinished(why))
    }

    fn confirm(&self, order: &Order, answer: &Value, is_switch: bool) -> Result<(), ActuatorError> {
        let at = if is_switch {
            format!("/spec/selector/{}", self.label.replace('/', "~1"))
        } else {
            "/spec/replicas".to_owned()
        };
        // Zero is left out of a Scale.
        let zero = json!(0);
        let (asked, made) = (order.body.pointer(&at), answer.pointer(&at));
        if asked == Some(made.unwrap_or(&zero)) {
            return Ok(());
        }
        let why = format!("the API server made something else of {}", order.body);
        Err(ActuatorError::Impossible(why))
    }
}

fn count(shape: Shape, wanted: Fleets, colour: Colour) -> u32 {
    if colour == wanted.active {
        shape.replicas
    } else {
        wanted.idle
    }
}
