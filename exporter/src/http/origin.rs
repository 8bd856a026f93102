//! Whether a request that changes something was made by a page of another site.
//!
//! Browsers send a user's credentials along with whatever a page makes them send, so a page that an operator happens
//! to look at could decide for them. Browsers say where a request comes from; programs say nothing, and may pass.

use axum::http::{HeaderMap, HeaderValue, Uri, header, uri::Authority};
use std::net::IpAddr;
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

/// Refuses what was sent to a name that is not known to be this server's. Another site may have its own name lead here,
/// and its pages then pass for ours; addresses, `localhost` and the name that the server listens on it cannot have.
pub(super) fn check_name(headers: &HeaderMap, uri: &Uri, own: &[&str]) -> Result<(), String> {
    let sent_to = headers.get_all(header::HOST).iter().map(|host| {
        let host = text(host).and_then(|host| host.parse::<Authority>().ok());
        host.map_or_else(String::new, |host| host.host().to_owned())
    });
    // Programs of old name no host; browsers always do.
    let in_uri = uri.authority().map(|authority| authority.host().to_owned());
    let Some(name) = sent_to.chain(in_uri).find(|name| !is_own(name, own)) else {
        return Ok(());
    };
    Err(format!(
        "this was sent to {name:?}, a name that is not known to be this server's, and nobody has to prove who they are: \
         use localhost or an address, start it with --web.external-url=http://{name}, or configure users"
    ))
}

fn is_own(name: &str, own: &[&str]) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    bare.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        || (!name.is_empty() && own.iter().any(|own| name.eq_ignore_ascii_case(own)))
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

    #[track_caller]
    fn check_sent_to(host: &'static str, expect: bool) {
        let headers = [(header::HOST, HeaderValue::from_static(host))];
        let checked = check_name(
            &headers.into_iter().collect(),
            &Uri::default(),
            &["", "box"],
        );
        assert_eq!(checked.is_ok(), expect, "{host}: {checked:?}");
    }

    #[test]
    fn names_that_others_may_have_lead_here_are_not_ours() {
        for host in [
            "127.0.0.1:9755",
            "127.0.0.1",
            "[::1]:9755",
            "localhost:9755",
            "LOCALHOST.",
            "f.localhost",
            "box:9755",
        ] {
            check_sent_to(host, true);
        }
        for host in [
            "evil.example:9755",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "",
            "a b",
        ] {
            check_sent_to(host, false);
        }
        let uri: Uri = "http://evil.example/actions".parse().unwrap();
        assert!(check_name(&HeaderMap::new(), &uri, &["box"]).is_err());
        assert!(check_name(&HeaderMap::new(), &Uri::default(), &[]).is_ok());
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
