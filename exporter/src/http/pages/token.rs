//! Tokens that tell our own forms from those of other sites.
//!
//! Basic authentication has no session that a token could belong to. A token is an HMAC, under a secret that lives as
//! long as the process, of who was shown the form and what it is about; a page of another site cannot read one.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{hmac, rand::SystemRandom};

/// Makes tokens and knows its own.
pub(super) struct Tokens(hmac::Key);

impl Tokens {
    /// Begins with a new secret; forms from before a restart have to be loaded again.
    pub(super) fn new() -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        Self(key.expect("the system that TLS rests on gives random bytes"))
    }

    /// The token of a form about `subject` that `name` is shown.
    pub(super) fn issue(&self, name: &str, subject: &str) -> String {
        let tag = hmac::sign(&self.0, message(name, subject).as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(tag)
    }

    /// Whether `name` was shown a form about `subject` with this token.
    pub(super) fn is_ours(&self, name: &str, subject: &str, token: &str) -> bool {
        let Ok(tag) = BASE64_URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        hmac::verify(&self.0, message(name, subject).as_bytes(), &tag).is_ok()
    }
}

/// Two texts of which neither can be moved into the other.
fn message(name: &str, subject: &str) -> String {
    format!("{}:{name}{subject}", name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_person_one_subject_and_one_process() {
        let tokens = Tokens::new();
        let token = tokens.issue("ann", "a1");
        assert!(tokens.is_ours("ann", "a1", &token));
        assert!(!tokens.is_ours("bob", "a1", &token));
        assert!(!tokens.is_ours("ann", "a2", &token));
        assert!(!tokens.is_ours("anna", "1", &token));
        assert!(!tokens.is_ours("ann", "a1", ""));
        assert!(!tokens.is_ours("ann", "a1", "not base64!"));
        assert!(!Tokens::new().is_ours("ann", "a1", &token));
    }
}
