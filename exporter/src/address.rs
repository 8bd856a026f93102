//! The address of a server on the command line. It may hold a password, so it is never repeated as it was given.

use anyhow::{Context as _, ensure};
use std::{convert::Infallible, str::FromStr};
use url::Url;

/// An address that is looked at when it is needed: the parser of the command line would repeat a wrong one.
#[derive(Debug, Clone)]
pub(crate) struct Address(String);

impl FromStr for Address {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl Address {
    /// The address, which `flag` gave.
    pub(crate) fn url(&self, flag: &str) -> anyhow::Result<Url> {
        let way_out = || {
            let without_password = self.0.rsplit('@').next().unwrap_or_default();
            format!(
                "--{flag} takes an address such as http://localhost:9090, got `{without_password}`"
            )
        };
        let url = self.0.parse::<Url>().with_context(way_out)?;
        let speaks_http = matches!(url.scheme(), "http" | "https") && url.has_host();
        ensure!(speaks_http, "{}", way_out());
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let Ok(address) = text.parse::<Address>();
        let told = match address.url("url") {
            Ok(url) => url.to_string(),
            Err(error) => format!("{error:#}"),
        };
        assert_eq!(told, expect);
    }

    #[test]
    fn a_wrong_address_is_told_without_its_password() {
        let takes = "--url takes an address such as http://localhost:9090, got";
        check("http://ann:s3cret@host:1/", "http://ann:s3cret@host:1/");
        check("ann:s3cret@host:9090", &format!("{takes} `host:9090`"));
        check("localhost:9090", &format!("{takes} `localhost:9090`"));
        check(
            "http://ann:s3cret@host:port/",
            &format!("{takes} `host:port/`: invalid port number"),
        );
        check("", &format!("{takes} ``: relative URL without a base"));
    }
}
