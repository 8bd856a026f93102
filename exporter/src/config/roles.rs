//! Who may do what, from the key `roles` of the web configuration file.

use std::collections::HashMap;
use yaml::{Fields, Node};

/// What a caller is to this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reads everything and decides on actions.
    Operator,
    /// Reads everything.
    Viewer,
    /// Delivers alerts, and nothing else.
    Sender,
}

/// What a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// To read.
    Read,
    /// To decide on actions, to turn the kill switch, to have the configuration read again.
    Decide,
    /// To deliver alerts.
    Send,
}

/// Roles by name; where none are configured, everybody who is let in is an operator.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roles(Option<HashMap<String, Role>>);

impl Roles {
    /// The role of a caller. Whom the configuration does not mention may look.
    pub(crate) fn of(&self, name: &str) -> Role {
        match &self.0 {
            None => Role::Operator,
            Some(named) => named.get(name).copied().unwrap_or(Role::Viewer),
        }
    }
}

impl Role {
    /// The word that configuration and pages use.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Viewer => "viewer",
            Self::Sender => "sender",
        }
    }

    /// Whether this role comes with that right.
    pub(crate) const fn may(self, right: Right) -> bool {
        match self {
            Self::Operator => true,
            Self::Viewer => matches!(right, Right::Read),
            Self::Sender => matches!(right, Right::Send),
        }
    }
}

/// Reads `roles: {ROLE: [NAME, …]}`. `is_known` tells whether somebody of this name can come at all.
pub(super) fn read_roles(node: &Node, is_known: impl Fn(&str) -> bool) -> Option<Roles> {
    let mut named = HashMap::new();
    node.map(|fields| {
        for (key, role) in [
            ("operator", Role::Operator),
            ("viewer", Role::Viewer),
            ("sender", Role::Sender),
        ] {
            read_names(fields, key, |name, node| {
                if !is_known(name) {
                    node.problem(format!("there is no user `{name}`"));
                }
                if let Some(other) = named.insert(name.to_owned(), role) {
                    node.problem(format!("`{name}` is {} already", other.as_str()));
                }
            });
        }
        Some(())
    })?;
    Some(Roles(Some(named)))
}

fn read_names(fields: &Fields, key: &'static str, mut note: impl FnMut(&str, &Node)) {
    fields.optional(key, |node| {
        node.list(|node| {
            note(&node.string()?, node);
            Some(())
        })
    });
}
