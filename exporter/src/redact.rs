//! Addresses as they may be shown: in logs, in problems, on a terminal.

use url::Url;

/// What stands in place of a password, as in Prometheus' own logs.
const HIDDEN: &str = "xxxxx";

/// The address without its password, and without the values of its parameters: InfluxDB takes a password there.
pub(crate) fn redacted(url: &Url) -> Url {
    let mut shown = url.clone();
    if shown.password().is_some() {
        shown
            .set_password(Some(HIDDEN))
            .expect("an address that has a password can have another");
    }
    // `ann:secret@host:9090`, where somebody forgot the scheme.
    if shown.cannot_be_a_base()
        && let Some((_, host)) = url.path().rsplit_once('@')
    {
        shown.set_path(&format!("{HIDDEN}@{host}"));
    }
    if let Some(query) = url.query() {
        let hidden = query.split('&').map(|part| match part.split_once('=') {
            Some((name, _)) => format!("{name}={HIDDEN}"),
            None => HIDDEN.to_owned(),
        });
        shown.set_query(Some(&hidden.collect::<Vec<_>>().join("&")));
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
    fn passwords_and_parameters_are_hidden_and_nothing_else() {
        check("http://ann:secret@host:1/x", "http://ann:xxxxx@host:1/x");
        check("http://ann@host/", "http://ann@host/");
        check("http://host/", "http://host/");
        check("ann:secret@host:9090", "ann:xxxxx@host:9090");
        let shown = "http://host/write?db=xxxxx&p=xxxxx&xxxxx";
        check("http://host/write?db=x&p=s3cret&token", shown);
    }
}
