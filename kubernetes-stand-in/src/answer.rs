//! Answers, refusals above all, in the words of a real server.

use crate::kinds::Kind;
use serde_json::{Value, json};

/// What the server answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) retry_after: Option<u64>,
}

/// A part of why something is invalid.
pub(crate) struct Cause {
    pub(crate) reason: &'static str,
    pub(crate) field: String,
    pub(crate) message: String,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self {
            status: 200,
            body,
            retry_after: None,
        }
    }

    pub(crate) fn created(body: Value) -> Self {
        Self {
            status: 201,
            ..Self::ok(body)
        }
    }

    fn refused(status: u16, reason: &str, message: &str, details: Option<Value>) -> Self {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": status,
        });
        if let Some(details) = details {
            body["details"] = details;
        }
        Self {
            status,
            body,
            retry_after: None,
        }
    }

    pub(crate) fn unauthorized() -> Self {
        Self::refused(401, "Unauthorized", "Unauthorized", None)
    }

    pub(crate) fn nowhere() -> Self {
        let message = "the server could not find the requested resource";
        Self::refused(404, "NotFound", message, Some(json!({})))
    }

    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.qualified());
        Self::refused(404, "NotFound", &message, Some(of(kind, name)))
    }

    pub(crate) fn exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.qualified());
        Self::refused(409, "AlreadyExists", &message, Some(of(kind, name)))
    }

    pub(crate) fn modified(kind: &Kind, name: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": the object has been modified; please apply your changes to \
             the latest version and try again",
            kind.qualified(),
        );
        Self::refused(409, "Conflict", &message, Some(of(kind, name)))
    }

    pub(crate) fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", kind.qualified());
        Self::refused(403, "Forbidden", &message, Some(of(kind, name)))
    }

    /// What the one policy refuses, in the words of its documentation.
    pub(crate) fn denied_by(policy: &str, kind: &Kind, name: &str) -> Self {
        let why = format!(
            "ValidatingAdmissionPolicy '{policy}' with binding '{policy}' denied request: step larger than x2+1"
        );
        Self::denied(kind, name, &why)
    }

    /// What an admission policy refuses.
    fn denied(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", kind.qualified());
        let mut details = of(kind, name);
        details["causes"] = json!([{ "message": why }]);
        Self::refused(422, "Invalid", &message, Some(details))
    }

    /// What cannot be: the kind is the one that the message speaks of.
    pub(crate) fn invalid(kind: &Kind, name: &str, cause: &Cause) -> Self {
        let Cause {
            reason,
            field,
            message,
        } = cause;
        let words = format!(
            "{} \"{name}\" is invalid: {field}: {message}",
            kind.kind_of_group()
        );
        let mut details = json!({ "name": name, "kind": kind.name });
        if !kind.group.is_empty() {
            details["group"] = json!(kind.group);
        }
        details["causes"] = json!([{ "reason": reason, "message": message, "field": field }]);
        Self::refused(422, "Invalid", &words, Some(details))
    }

    pub(crate) fn no_manager() -> Self {
        let options = Kind {
            group: "meta.k8s.io".to_owned(),
            versions: Vec::new(),
            plural: String::new(),
            name: "PatchOptions".to_owned(),
            scales: false,
        };
        let cause = Cause {
            reason: "FieldValueRequired",
            field: "fieldManager".to_owned(),
            message: "Required value: is required for apply patch".to_owned(),
        };
        let mut answer = Self::invalid(&options, "", &cause);
        if let Some(details) = answer.body["details"].as_object_mut() {
            details.remove("name");
        }
        answer
    }

    pub(crate) fn unsupported() -> Self {
        let message = "415: Unsupported Media Type";
        Self::refused(415, "UnsupportedMediaType", message, Some(json!({})))
    }

    pub(crate) fn bad(message: &str) -> Self {
        Self::refused(400, "BadRequest", message, None)
    }

    /// Fields that others own, each with the words for its owner.
    pub(crate) fn owned(conflicts: &[(String, String)]) -> Self {
        let causes: Vec<_> = conflicts
            .iter()
            .map(|(owner, field)| {
                let message = format!("conflict with {owner}");
                json!({ "reason": "FieldManagerConflict", "message": message, "field": field })
            })
            .collect();
        let message = match conflicts {
            [(owner, field)] => {
                format!("Apply failed with 1 conflict: conflict with {owner}: {field}")
            }
            several => {
                let lines = several
                    .iter()
                    .map(|(owner, field)| format!("{owner}:\n- {field}"));
                let lines: Vec<_> = lines.collect();
                let count = several.len();
                format!(
                    "Apply failed with {count} conflicts: conflicts with {}",
                    lines.join("\n")
                )
            }
        };
        Self::refused(409, "Conflict", &message, Some(json!({ "causes": causes })))
    }

    /// What a server says that cannot serve now.
    pub(crate) fn busy(status: u16, retry_after: Option<u64>) -> Self {
        let (reason, message) = match status {
            409 => ("Conflict", "the object has been modified"),
            429 => (
                "TooManyRequests",
                "too many requests, please try again later",
            ),
            503 => (
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
            ),
            _ => (
                "InternalError",
                "an error on the server prevented the request from succeeding",
            ),
        };
        Self {
            retry_after,
            ..Self::refused(status, reason, message, None)
        }
    }
}

fn of(kind: &Kind, name: &str) -> Value {
    let mut details = json!({ "name": name, "kind": kind.plural });
    if !kind.group.is_empty() {
        details["group"] = json!(kind.group);
    }
    details
}
