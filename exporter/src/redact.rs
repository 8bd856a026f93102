//! Addresses as they may be shown: in logs, in problems, on a terminal.

use url::Url;

/// What stands in place of a password, as in Prometheus' own logs.
const HIDDEN: &str = "xxxxx";

/// The address without its password.
pub(crate) fn redacted(url: &Url) -> Url {
    let mut shown = url.clone();
    if shown.password().is_some() {
        shown
            .set_password(Some(HIDDEN))
            .expect("an address that has a password can have another");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expect: &str) {
        assert_eq!(redacted(&url.parse().unwrap()).as_str(), expect);
    }

    #[test]
    fn passwords_are_hidden_and_nothing_else() {
        check("http://ann:secret@host:1/x", "http://ann:xxxxx@host:1/x");
        check("http://ann@host/", "http://ann@host/");
        check("http://host/", "http://host/");
    }
}
