//! What an action is, and the states that it goes through.

use crate::{Cause, Ending};
use serde::{Serialize, Serializer};
use serde_json::Value;
use series::Timestamp;
use std::{fmt, str::FromStr};
use uuid::{NoContext, Uuid};

/// One action as the journal holds it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Action {
    /// Sorts by time of creation.
    pub id: ActionId,
    /// The configured workload that it acts on.
    pub workload: String,
    /// Where it stands.
    pub state: State,
    /// Who decides, as the workload's configuration was when the action was proposed.
    pub mode: Mode,
    /// The alert that brought it about.
    pub cause: Cause,
    /// What is to be done and why; none until it has been worked out.
    pub plan: Option<Value>,
    /// What was found in the world before the effect; none until the effect is about to be made.
    pub pre_image: Option<Value>,
    /// The stage of the rollout that is under way, from 0.
    pub stage: u32,
    /// When that stage was ordered; none before the first.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub stage_at: Option<Timestamp>,
    /// Grows with each plan; a [`crate::Change`] can be bound to one.
    #[serde(skip)]
    pub plan_no: u32,
    /// What was measured before and after the effect; none until something was.
    pub effect: Option<Value>,
    /// When it was proposed.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: Timestamp,
    /// When it last changed.
    #[serde(serialize_with = "rfc3339")]
    pub updated_at: Timestamp,
    /// When its effect was first ordered; none if it never was.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub applied_at: Option<Timestamp>,
    /// When the present state runs out; none in states that do not.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub deadline: Option<Timestamp>,
    /// Why it stands where it does, as a sentence.
    pub reason: String,
    /// What its end means to the alerts that called for it; while it is rolled back, what it will mean.
    pub ending: Option<Ending>,
    /// Which attempt it is, from 1: obstacles that passed lead to another one while the alert fires.
    pub attempt: u32,
    /// When the first of these attempts was asked for.
    #[serde(serialize_with = "rfc3339")]
    pub wanted_since: Timestamp,
    /// Since when it waits for its turn behind other actions; none if it never had to.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub queued_at: Option<Timestamp>,
    /// The [`Transition::seq`](crate::Transition::seq) of its first line of history.
    #[serde(skip)]
    pub begun: i64,
    /// The same of its last line.
    #[serde(skip)]
    pub moved: i64,
}

/// A version 7 UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(Uuid);

impl ActionId {
    /// Makes an identifier from a time and the system's randomness.
    pub fn new(now: Timestamp) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        let nanos = u32::try_from(millis % 1_000 * 1_000_000).expect("a second has 1e9 ns");
        let at = uuid::Timestamp::from_unix(NoContext, millis / 1_000, nanos);
        Self(Uuid::new_v7(at))
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ActionId {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| UnknownWord::new("an action identifier", text))
    }
}

impl Serialize for ActionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is not one of a closed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}{}", listed(known))]
pub struct UnknownWord {
    pub(crate) what: &'static str,
    pub(crate) text: String,
    /// The words of the list; none where there are too many to be told.
    pub(crate) known: &'static [&'static str],
}

/// Tells the words that would have been known.
fn listed(known: &[&str]) -> String {
    if known.is_empty() {
        String::new()
    } else {
        format!(": expected {}", known.join(", "))
    }
}

impl UnknownWord {
    pub(crate) fn new(what: &'static str, text: &str) -> Self {
        Self {
            what,
            text: text.chars().take(80).collect(),
            known: &[],
        }
    }

    pub(crate) fn among(what: &'static str, text: &str, known: &'static [&'static str]) -> Self {
        Self {
            known,
            ..Self::new(what, text)
        }
    }
}

/// Writes an enum whose variants are words: `ALL`, `as_str`, `Display`, `FromStr`, `Serialize`.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $what:literal: $($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word that the journal, the API and metric labels use.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(text: &str) -> Result<Self, $crate::UnknownWord> {
                let named = |one: &&Self| one.as_str() == text;
                let found = Self::ALL.iter().find(named).copied();
                found.ok_or_else(|| $crate::UnknownWord::among($what, text, &[$($word),+]))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Where an action stands.
    State, "a state":
    /// Asked for; what to do is being worked out.
    Proposed = "proposed",
    /// A person has to say yes.
    AwaitingApproval = "awaiting_approval",
    /// About to be done; there is still time to object.
    Grace = "grace",
    /// The effect is ordered; whether it is in the world may be unknown.
    Applying = "applying",
    /// The effect is in the world and is being watched.
    Verifying = "verifying",
    /// The effect could be called neither good nor bad; a person has to say whether it stays.
    Paused = "paused",
    /// Done, and found good.
    Succeeded = "succeeded",
    /// A person, a guard or the mode said no.
    Rejected = "rejected",
    /// Nobody, or nothing, answered in time.
    Expired = "expired",
    /// No longer needed.
    Superseded = "superseded",
    /// The way back is ordered.
    RollingBack = "rolling_back",
    /// The world is as it was before.
    RolledBack = "rolled_back",
    /// It could not be carried out, or not undone; a person should look.
    Failed = "failed",
}

impl State {
    /// Whether the action still runs, and holds its workload.
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Proposed
                | Self::AwaitingApproval
                | Self::Grace
                | Self::Applying
                | Self::Verifying
                | Self::Paused
                | Self::RollingBack
        )
    }

    /// Whether the effect may be in the world and is not settled yet.
    pub const fn has_effect(self) -> bool {
        matches!(
            self,
            Self::Applying | Self::Verifying | Self::Paused | Self::RollingBack
        )
    }
}

words! {
    /// Who decides about an action.
    Mode, "a mode":
    /// Nothing is ever done; what would have been is written down.
    Observe = "observe",
    /// A person decides, within a time limit.
    Approve = "approve",
    /// It is done after the grace period.
    Auto = "auto",
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it serializes by reference"
)]
pub(crate) fn rfc3339<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    match jiff::Timestamp::from_millisecond(at.as_millis()) {
        Ok(at) => serializer.collect_str(&at),
        // Beyond the year 9999 there is no RFC 3339 text; the number still says when.
        Err(_) => serializer.serialize_i64(at.as_millis()),
    }
}

#[expect(
    clippy::ref_option,
    reason = "serde passes what it serializes by reference"
)]
pub(crate) fn rfc3339_or_null<S: Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339(at, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(*state));
        }
        let error = "nonsense".parse::<State>().unwrap_err();
        let told = "\"nonsense\" is not a state: expected proposed, awaiting_approval, grace, ";
        assert!(error.to_string().starts_with(told), "{error}");
    }

    #[test]
    fn the_index_and_the_view_of_open_actions_name_exactly_the_open_states() {
        let open: Vec<_> = State::ALL.iter().filter(|s| s.is_open()).collect();
        let words: Vec<_> = open.iter().map(|s| format!("'{s}'")).collect();
        let sql = include_str!("sql/0003_rollouts.sql");
        let lists: Vec<_> = sql.split("WHERE state IN (").skip(1).collect();
        assert_eq!(lists.len(), 2);
        for list in lists {
            let (list, _) = list.split_once(')').unwrap();
            assert_eq!(list, words.join(", "));
        }
    }

    #[test]
    fn identifiers_sort_by_time_and_differ_within_it() {
        let at = |seconds| ActionId::new(Timestamp::from_seconds(seconds));
        assert!(at(1_000) < at(1_001));
        assert_ne!(at(1_000), at(1_000));
        let id = at(5);
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
