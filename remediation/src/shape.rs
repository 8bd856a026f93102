//! The part of a workload that actions set.

mod identity;

pub use identity::Identity;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, str::FromStr};

/// How many instances there are or shall be; the floor under them, where something else scales above it; and,
/// where two fleets stand side by side, which of them serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// How many instances serve.
    pub replicas: u32,
    /// The least that an autoscaler keeps, where one governs the workload: this is what actions set then, and
    /// `replicas` is what the autoscaler has made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<u32>,
    /// The two fleets of a blue/green workload; none where there is but one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleets: Option<Fleets>,
    /// The copy on which another size is tried out, where the workload can have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// The object that it was read from, where objects have identities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The most that another system allows to be set, where one has a say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<u32>,
}

/// A copy of a workload, with another size and fewer instances. Without one, both are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Canary {
    /// The size that is tried out.
    pub size: u32,
    /// How many instances it has, as a percentage of those of the workload.
    pub percent: u32,
}

/// Two fleets of which one serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleets {
    /// The one that serves.
    pub active: Colour,
    /// How many instances the other one has.
    pub idle: u32,
}

/// The name of one of two fleets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// `blue`
    Blue,
    /// `green`
    Green,
}

impl Shape {
    /// One fleet of so many instances.
    pub const fn of(replicas: u32) -> Self {
        Self {
            replicas,
            floor: None,
            fleets: None,
            canary: None,
            identity: None,
            ceiling: None,
        }
    }

    /// The number that actions set: the floor where there is one.
    pub fn set_point(self) -> u32 {
        self.floor.unwrap_or(self.replicas)
    }

    /// The same workload, set to so many, and without a canary. A floor takes away none of the instances above it.
    #[must_use]
    pub fn set_to(self, replicas: u32) -> Self {
        Self {
            replicas: match self.floor {
                Some(_) => self.replicas.max(replicas),
                None => replicas,
            },
            floor: self.floor.map(|_| replicas),
            canary: self.canary.map(|_| Canary::default()),
            ..self
        }
    }

    /// Whether both are set to the same, whatever an autoscaler has made of it.
    pub fn is_set_as(self, other: Self) -> bool {
        let beside = |shape: Self| (shape.floor.is_some(), shape.fleets, shape.canary);
        self.set_point() == other.set_point() && beside(self) == beside(other)
    }

    /// Whether both may be of one object: the same name may stand for one that was made anew. Where an identity is
    /// not known, nothing tells them apart; nor where an autoscaler has come or gone, whose own is in it.
    pub fn is_of_same_object(self, other: Self) -> bool {
        match (self.identity, other.identity) {
            (Some(one), Some(another)) if self.floor.is_some() == other.floor.is_some() => {
                one == another
            }
            _ => true,
        }
    }

    /// The change from here to another shape, in words. Where an autoscaler governs, only its floor is set.
    pub fn change_to(self, other: Self) -> String {
        match (self.floor, other.floor) {
            (Some(from), Some(to)) => format!("floor {from} → {to}"),
            _ => format!("{self} → {other}"),
        }
    }

    /// The shape as the journal keeps it.
    pub fn to_json(self) -> Value {
        serde_json::to_value(self).expect("a shape has numbers and fixed words only")
    }

    /// Reads a shape back from the journal.
    pub fn from_json(json: Option<&Value>) -> Result<Self, String> {
        let json = json.ok_or("the journal does not say what was found before")?;
        Self::deserialize(json).map_err(|e| format!("the journal's pre-image cannot be read: {e}"))
    }
}

impl Colour {
    /// The other fleet.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Blue => Self::Green,
            Self::Green => Self::Blue,
        }
    }

    /// As actuators write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Green => "green",
        }
    }
}

impl FromStr for Colour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "blue" => Ok(Self::Blue),
            "green" => Ok(Self::Green),
            other => {
                let shown: String = other.chars().take(40).collect();
                Err(format!("{shown:?} is neither blue nor green"))
            }
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.replicas.fmt(f)?;
        if let Some(floor) = self.floor {
            write!(f, " (floor {floor})")?;
        }
        if let Some(Canary { size, percent }) = self.canary.filter(|canary| canary.size > 0) {
            write!(f, " beside a canary of {percent}% at {size}")?;
        }
        let Some(Fleets { active, idle }) = self.fleets else {
            return Ok(());
        };
        write!(f, " {}", active.as_str())?;
        if idle > 0 {
            write!(f, " beside {idle} {}", active.other().as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_kept_as_they_always_were_where_there_is_one_fleet() {
        assert_eq!(Shape::of(4).to_json(), serde_json::json!({ "replicas": 4 }));
        assert_eq!(Shape::of(4).to_string(), "4");
    }

    #[test]
    fn two_fleets_are_read_back_and_said_in_words() {
        let shape = Shape {
            fleets: Some(Fleets {
                active: Colour::Blue,
                idle: 7,
            }),
            ..Shape::of(4)
        };
        assert_eq!(Shape::from_json(Some(&shape.to_json())), Ok(shape));
        assert_eq!(shape.to_string(), "4 blue beside 7 green");
        assert_eq!("green".parse(), Ok(Colour::Green));
        assert!("red".parse::<Colour>().is_err());
    }

    #[test]
    fn where_an_autoscaler_governs_its_floor_is_what_is_set() {
        let found = Shape {
            floor: Some(2),
            ..Shape::of(5)
        };
        assert_eq!((found.set_point(), Shape::of(5).set_point()), (2, 5));
        assert_eq!(found.to_string(), "5 (floor 2)");
        assert_eq!(Shape::from_json(Some(&found.to_json())), Ok(found));
        let set = found.set_to(8);
        assert_eq!((set.replicas, set.floor), (8, Some(8)));
        assert_eq!(found.change_to(set), "floor 2 → 8");
        assert_eq!(found.set_to(3).to_string(), "5 (floor 3)");
        let grown = Shape {
            replicas: 11,
            ..set
        };
        assert!(grown.is_set_as(set), "the autoscaler may go above it");
        assert!(!Shape::of(8).is_set_as(set), "the autoscaler is gone");
    }

    #[test]
    fn an_object_that_was_made_anew_is_another() {
        let of = |uid: &str| Shape {
            identity: Identity::of(uid),
            ..Shape::of(4)
        };
        let old = of("8ab236f4-2f65-46fe-af98-a141a343388d");
        let new = of("8ab236f4-2f65-46fe-af98-a141a343388e");
        assert!(old.is_of_same_object(old) && !old.is_of_same_object(new));
        assert!(old.is_of_same_object(Shape::of(4)), "it is not known");
        assert!(old.is_set_as(new), "the number is the same");
        assert_eq!(Shape::from_json(Some(&old.to_json())), Ok(old));
    }
}
