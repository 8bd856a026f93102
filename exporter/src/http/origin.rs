//! Whether a request that changes something was made by a page of another site.
//!
//! Browsers send a user's credentials along with whatever a page makes them send, so a page that an operator happens
//! to look at could decide for them. Browsers say where a request comes from; programs say nothing, and may pass.

use axum::http::{HeaderMap, HeaderValue, header};
use url::Url;

/// What browsers say of the way from the page to the server.
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Refuses what a browser says another site's page made it send.
pub(super) fn check(headers: &HeaderMap) -> Result<(), &'static str> {
    if is_foreign(headers) {
        return Err("this was sent by a page of another site, so it is not done");
    }
    Ok(())
}

fn is_foreign(headers: &HeaderMap) -> bool {
    // `none` is a person who typed the address or followed a bookmark.
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    // Where the server is neither local nor on TLS, browsers send the origin alone.
    let Some(origin) = headers.get(header::ORIGIN) else {
        return false;
    };
    let host = headers.get(header::HOST).and_then(text);
    authority(origin).is_none_or(|from| host.is_none_or(|host| !same(&from, host)))
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

/// `host:port` of an origin; none for `null`.
fn authority(origin: &HeaderValue) -> Option<String> {
    let url: Url = text(origin)?.parse().ok()?;
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// Whether these name the same server. Either may leave out a port that its scheme implies.
fn same(from: &str, host: &str) -> bool {
    let bare = |text: &str| {
        let implied = [":80", ":443"];
        let stripped = implied.iter().find_map(|port| text.strip_suffix(port));
        stripped.unwrap_or(text).to_ascii_lowercase()
    };
    bare(from) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_headers(headers: &[(&'static str, &'static str)], expect: bool) {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        let headers: HeaderMap = headers.collect();
        assert_eq!(check(&headers).is_ok(), expect, "{headers:?}");
    }

    #[test]
    fn programs_and_our_own_pages_may_pass() {
        check_headers(&[("host", "f:9755")], true);
        check_headers(&[("host", "f:9755"), ("origin", "http://f:9755")], true);
        check_headers(&[("host", "f"), ("origin", "https://F")], true);
        check_headers(&[("host", "f:443"), ("origin", "https://f")], true);
        check_headers(&[("sec-fetch-site", "same-origin")], true);
        check_headers(&[("sec-fetch-site", "none")], true);
    }

    #[test]
    fn pages_of_other_sites_may_not() {
        check_headers(
            &[("host", "f:9755"), ("origin", "http://evil.example")],
            false,
        );
        check_headers(&[("host", "f:9755"), ("origin", "http://f:9756")], false);
        check_headers(&[("host", "f:9755"), ("origin", "null")], false);
        check_headers(&[("origin", "http://f")], false);
        for site in ["cross-site", "same-site", "odd"] {
            let site: &'static str = site;
            check_headers(&[("sec-fetch-site", site), ("host", "f")], false);
        }
        // What Fetch says counts, whatever else is said.
        let both = [
            ("sec-fetch-site", "cross-site"),
            ("host", "f"),
            ("origin", "http://f"),
        ];
        check_headers(&both, false);
    }
}
