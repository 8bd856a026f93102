//! Identities of objects, which tell one from another that took its name.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;

/// The identity of an object, as an API server gives it: an object that was deleted and made anew has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity(u128);

impl Identity {
    /// Reads an identity as API servers write it: 32 hexadecimal digits, with or without hyphens. None for other text.
    pub fn of(uid: &str) -> Option<Self> {
        let digits = uid.replace('-', "");
        let is_whole = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_whole
            .then(|| u128::from_str_radix(&digits, 16).ok())
            .flatten()
            .map(Self)
    }

    /// The identity of two objects together, in whichever order.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::of(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is no identity")))
    }
}
