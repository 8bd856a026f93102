//! What an action is to bring about.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// The part of a workload that actions set: today its replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// How many instances there are, or shall be.
    pub replicas: u32,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.replicas.fmt(f)
    }
}

/// What the configuration says of the thing that an actuator reaches; never anything from an alert.
pub type Target = BTreeMap<String, String>;

/// What is to be done, and the figures that it follows from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What to ensure; absolute, so that ensuring it twice is ensuring it once.
    pub target: Shape,
    /// What was found when the plan was made.
    pub observed: Shape,
    /// The demand that is sized for, in the unit of the forecast: the one foreseen, or the present one where
    /// that is more.
    pub demand: f64,
    /// When the largest demand is foreseen, in milliseconds since the epoch.
    pub demand_at: i64,
    /// How far ahead that was.
    pub horizon: String,
    /// The level of the forecast that was taken.
    pub quantile: f64,
    /// The arithmetic, as a sentence.
    pub why: String,
}

impl Plan {
    /// The plan as the journal keeps it.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a plan has texts and finite numbers only")
    }

    /// Reads a plan back from the journal.
    pub fn from_json(json: Option<&Value>) -> Result<Self, String> {
        let json = json.ok_or("the journal holds no plan")?;
        Self::deserialize(json).map_err(|e| format!("the journal's plan cannot be read: {e}"))
    }
}

impl Shape {
    /// The shape as the journal keeps it.
    pub fn to_json(self) -> Value {
        serde_json::json!({ "replicas": self.replicas })
    }

    /// Reads a shape back from the journal.
    pub fn from_json(json: Option<&Value>) -> Result<Self, String> {
        let json = json.ok_or("the journal does not say what was found before")?;
        Self::deserialize(json).map_err(|e| format!("the journal's pre-image cannot be read: {e}"))
    }
}
