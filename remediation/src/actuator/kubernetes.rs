//! An actuator that sets and reads what a Kubernetes cluster runs.

mod api;
mod arrival;
mod autoscaler;
mod canary;
mod connection;
mod event;
mod fleets;
mod ownership;
mod resize;
mod scale;
mod setting;

pub(crate) use connection::check_kubeconfig;

use super::{Actuator, ActuatorError, Arrival, Occasion};
use crate::{
    Shape,
    config::{KubernetesActuator, Object, Setting},
};
use api::{Api, Effect, Order};
use arrival::Wanted;
use autoscaler::Bounds;
use canary::Trial;
use fleets::Pair;
use futures::future::BoxFuture;
use resize::Resizing;
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use store::State;

/// Carries out what a [`KubernetesActuator`] describes, on the objects that workloads name and on nothing else.
pub struct KubernetesDriver {
    api: Api,
    /// The plurals that the API server was asked for, by group, version and kind.
    plurals: Mutex<HashMap<[String; 3], String>>,
    /// What was found last, by workload. A change is made to this version of the object or not at all.
    seen: Mutex<HashMap<String, Found>>,
}

/// What there is, and how it is changed.
#[derive(Debug, Clone)]
struct Found {
    shape: Shape,
    /// The `resourceVersion` that was read.
    version: String,
    /// The identity of the object itself, as it is written.
    uid: Option<String>,
    /// What a change is sent to.
    path: String,
    means: Means,
}

/// Which number of an object is set.
#[derive(Debug, Clone)]
enum Means {
    /// The replicas of its scale.
    Replicas,
    /// The floor of the autoscaler that governs it.
    Floor(Bounds),
    /// The replicas of two Deployments, and which of them serves.
    Fleets(Box<Pair>),
    /// What the object's configuration turns a number into; and why no instance would get that, where it is so.
    Setting(Option<String>),
    /// The same, tried out on a copy first.
    Trial(Box<Trial>),
    /// The same, in the pods that are running.
    Pods(Resizing),
}

/// How often a plan is rehearsed while controllers change the object in between, as they do in a rollout.
const MAX_REHEARSALS: usize = 4;

impl KubernetesDriver {
    /// Connects to nothing before the first call, and never sends a request twice on its own account.
    pub fn new(config: KubernetesActuator) -> Self {
        Self {
            api: Api::new(config),
            plurals: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    async fn look(&self, occasion: Occasion<'_>) -> Result<Found, ActuatorError> {
        let found = self.look_ahead(named(occasion)?).await?;
        Ok(match occasion.state {
            State::RollingBack => found.on_the_way_back(),
            _ => found,
        })
    }

    async fn look_ahead(&self, object: &Object) -> Result<Found, ActuatorError> {
        if let Some(names) = &object.fleets {
            return fleets::look(&self.api, object, names).await;
        }
        let path = scale::path(object, &self.plural(object).await?);
        if let Some(setting) = &object.setting {
            return self.look_at(object, setting, path).await;
        }
        let (found, autoscaler) = futures::future::try_join(
            scale::look(&self.api, &path),
            autoscaler::governing(&self.api, object),
        )
        .await?;
        match autoscaler {
            None => Ok(found),
            Some(one) => {
                let mut found = autoscaler::found(&one, object, found)?;
                if self.api.config().raise_max {
                    found.shape.ceiling = None;
                }
                Ok(found)
            }
        }
    }

    /// Reads which number an object's fields stand for.
    async fn look_at(
        &self,
        object: &Object,
        setting: &Setting,
        path: String,
    ) -> Result<Found, ActuatorError> {
        let value = self.api.get(&path).await?;
        match setting.values.in_place() {
            None => {
                let found = setting::found(&value, object, setting, path)?;
                match setting.canary() {
                    Some(name) => canary::look(&self.api, value, (object, found), name).await,
                    None => Ok(found),
                }
            }
            Some(container) => {
                resize::look(&self.api, &value, (object, setting, container), path).await
            }
        }
    }

    async fn plural(&self, object: &Object) -> Result<String, ActuatorError> {
        if let Some(plural) = &object.plural {
            return Ok(plural.clone());
        }
        let Object {
            group,
            version,
            kind,
            ..
        } = object;
        let key = [group, version, kind].map(Clone::clone);
        if let Some(plural) = lock(&self.plurals).get(&key) {
            return Ok(plural.clone());
        }
        let plural = scale::discover(&self.api, object).await?;
        lock(&self.plurals).insert(key, plural.clone());
        Ok(plural)
    }

    /// The change from what was found to a shape; none where it is so already.
    fn order(
        &self,
        object: &Object,
        found: &Found,
        shape: Shape,
    ) -> Result<Option<Order>, ActuatorError> {
        if found.shape.is_set_as(shape) {
            return Ok(None);
        }
        let number = shape.set_point();
        match (&found.means, shape.floor) {
            (Means::Replicas, None) => Ok(Some(scale::order(found, number))),
            (Means::Floor(bounds), Some(_)) => {
                let raise_max = self.api.config().raise_max;
                Ok(Some(autoscaler::order(found, *bounds, number, raise_max)))
            }
            (Means::Fleets(pair), _) => {
                let all = pair.orders(found, shape)?;
                Ok(all.into_iter().next())
            }
            (Means::Setting(_) | Means::Trial(_) | Means::Pods(_), _) => {
                setting::order(object, found, number).map(Some)
            }
            (Means::Floor(_), None) => Err(ActuatorError::NotOurs(
                "an autoscaler governs it since the plan was made".to_owned(),
            )),
            (Means::Replicas, Some(_)) => Err(ActuatorError::NotOurs(
                "the autoscaler that governed it when the plan was made is gone".to_owned(),
            )),
        }
    }

    /// Asks how far a shape has come that was found to be set.
    async fn how_far(
        &self,
        occasion: Occasion<'_>,
        shape: Shape,
    ) -> Result<Arrival, ActuatorError> {
        let object = named(occasion)?;
        let seen = lock(&self.seen).get(occasion.workload).cloned();
        let found = match seen {
            Some(found) => found,
            None => self.look(occasion).await?,
        };
        match &found.means {
            Means::Replicas | Means::Floor(_) => {
                let path = scale::path(object, &self.plural(object).await?);
                let wanted = Wanted::Ready(shape.set_point());
                arrival::of_instances(&self.api, object, (&path, wanted)).await
            }
            Means::Fleets(pair) => fleets::arrival(&self.api, object, pair, shape).await,
            Means::Setting(_) => {
                arrival::of_instances(&self.api, object, (&found.path, Wanted::Renewed)).await
            }
            Means::Trial(trial) => canary::arrival(&self.api, object, (&found, trial), shape).await,
            Means::Pods(resizing) => resizing.arrival(&self.api, object, shape.set_point()).await,
        }
    }

    async fn try_out(
        &self,
        occasion: Occasion<'_>,
        shape: Shape,
    ) -> Result<Option<String>, ActuatorError> {
        let object = named(occasion)?;
        let found = self.look(occasion).await?;
        let Some(order) = self.order(object, &found, shape)? else {
            return Ok(Some(format!("nothing to send: there are {}", found.shape)));
        };
        found.may_roll_out(object)?;
        let order = match &found.means {
            Means::Fleets(pair) => {
                let said = fleets::rehearse(&self.api, (&found, pair), shape).await?;
                return Ok(Some(said));
            }
            Means::Trial(trial) => match trial.order(object, shape)? {
                Some(order) => {
                    self.api.dry_run(&order).await?;
                    return Ok(Some(order.rehearsed()));
                }
                None => order,
            },
            _ => order,
        };
        let answer = self.api.dry_run(&order).await?;
        found.confirm(object, &answer, shape)?;
        if let Means::Pods(resizing) = &found.means {
            resize::rehearse(&self.api, object, resizing, shape).await?;
        }
        Ok(Some(order.rehearsed()))
    }
}

impl Found {
    /// What an event is about: the object, or, of two fleets, the one that serves from then on.
    fn regarding(&self, object: &Object, shape: Shape) -> event::Regarding {
        match (&self.means, shape.fleets) {
            (Means::Fleets(pair), Some(fleets)) => event::Regarding {
                uid: pair.uid(fleets.active),
                object: object.fleet(fleets.active),
            },
            _ => event::Regarding {
                uid: self.uid.clone(),
                object: object.clone(),
            },
        }
    }

    /// Refuses what would be set and reach no instance.
    fn may_roll_out(&self, object: &Object) -> Result<(), ActuatorError> {
        let why = match &self.means {
            Means::Setting(held_back) => held_back.clone(),
            Means::Trial(trial) => trial.held_back(),
            _ => None,
        };
        why.map_or(Ok(()), |why| {
            Err(ActuatorError::NotOurs(format!("{object} {why}")))
        })
    }

    /// Whether an answer says what was ordered: a webhook may have made something else of it.
    fn confirm(&self, object: &Object, answer: &Value, shape: Shape) -> Result<(), ActuatorError> {
        let made = match self.means {
            Means::Replicas => scale::replicas(answer)?,
            Means::Floor(_) => autoscaler::floor(answer)?,
            // Each of its orders is confirmed by itself.
            Means::Fleets(_) => return Ok(()),
            Means::Setting(_) | Means::Trial(_) | Means::Pods(_) => {
                return setting::confirm(answer, object, shape);
            }
        };
        let wanted = shape.set_point();
        if made == wanted {
            return Ok(());
        }
        let why = format!("{wanted} were asked for, and the API server made {made} of it");
        Err(ActuatorError::Impossible(why))
    }
}

impl Actuator for KubernetesDriver {
    fn observe<'a>(
        &'a self,
        occasion: Occasion<'a>,
    ) -> BoxFuture<'a, Result<Shape, ActuatorError>> {
        Box::pin(async move {
            let found = self.look(occasion).await?;
            let shape = found.shape;
            lock(&self.seen).insert(occasion.workload.to_owned(), found);
            Ok(shape)
        })
    }

    fn ensure<'a>(
        &'a self,
        occasion: Occasion<'a>,
        shape: Shape,
    ) -> BoxFuture<'a, Result<(), ActuatorError>> {
        Box::pin(async move {
            let object = named(occasion)?;
            let seen = lock(&self.seen).remove(occasion.workload);
            let found = match seen {
                Some(found) => found,
                None => self.look(occasion).await?,
            };
            let Some(order) = self.order(object, &found, shape)? else {
                return Ok(());
            };
            // What was before comes back all the same, whenever it is rolled out.
            if occasion.state != State::RollingBack {
                found.may_roll_out(object)?;
            }
            let effect = Effect {
                api: &self.api,
                guards: occasion.guards,
            };
            match &found.means {
                Means::Pods(resizing) => {
                    let back = occasion.state == State::RollingBack;
                    let (what, how) = ((&found, resizing), (order, shape, back));
                    resize::carry_out(effect, object, what, how).await?;
                }
                Means::Trial(trial) => {
                    canary::carry_out(effect, object, (&found, trial), (order, shape)).await?;
                }
                Means::Fleets(pair) => {
                    fleets::carry_out(effect, (&found, pair), shape).await?;
                }
                Means::Replicas | Means::Floor(_) | Means::Setting(_) => {
                    let answer = effect.send(&order).await?;
                    found.confirm(object, &answer, shape)?;
                }
            }
            let regarding = found.regarding(object, shape);
            event::tell(&self.api, occasion, &regarding, (found.shape, shape)).await;
            Ok(())
        })
    }

    fn arrival<'a>(
        &'a self,
        occasion: Occasion<'a>,
        shape: Shape,
    ) -> BoxFuture<'a, Result<Arrival, ActuatorError>> {
        Box::pin(self.how_far(occasion, shape))
    }

    fn rehearse<'a>(
        &'a self,
        occasion: Occasion<'a>,
        shape: Shape,
    ) -> BoxFuture<'a, Result<Option<String>, ActuatorError>> {
        Box::pin(async move {
            for _ in 1..MAX_REHEARSALS {
                match self.try_out(occasion, shape).await {
                    Err(ActuatorError::Refused { status: 409, .. }) => {}
                    outcome => return outcome,
                }
            }
            self.try_out(occasion, shape).await
        })
    }
}

/// The object that the configuration names.
fn named(occasion: Occasion<'_>) -> Result<&Object, ActuatorError> {
    let missing = || ActuatorError::NotOurs("the workload names no object".to_owned());
    occasion.object.ok_or_else(missing)
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
