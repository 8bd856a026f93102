//! Where the server listens, written as for Prometheus: `127.0.0.1:9755`, `localhost:9755`, `[::1]:9755`, `:9755`.

use anyhow::Context as _;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _},
    str::FromStr,
};
use url::Url;

/// An address as it was written, and what it stands for.
#[derive(Debug, Clone)]
pub(crate) struct ListenAddress {
    text: String,
    /// In the order in which they are tried, at least one.
    candidates: Vec<SocketAddr>,
}

impl ListenAddress {
    /// Whether nobody beyond this machine could reach it, whichever candidate is taken.
    pub(crate) fn is_loopback(&self) -> bool {
        self.candidates.iter().all(|one| one.ip().is_loopback())
    }

    /// The name or address as it was written; empty for a port alone.
    pub(crate) fn host(&self) -> &str {
        self.text.rsplit_once(':').map_or("", |(host, _)| host)
    }

    /// Takes the first candidate that can be had.
    pub(crate) fn listen(&self) -> anyhow::Result<TcpListener> {
        let listener = TcpListener::bind(&self.candidates[..]);
        let listener = listener.with_context(|| format!("listening on {self}"))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut candidates: Vec<_> = if let Some(port) = text.strip_prefix(':') {
            let port = port.parse();
            let port: u16 = port.map_err(|_| "expected a port behind the colon".to_owned())?;
            // An IPv6 socket takes IPv4 callers too; machines without IPv6 have the other.
            let every: [IpAddr; 2] = [Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()];
            every.map(|ip| SocketAddr::new(ip, port)).into()
        } else {
            let found = text.to_socket_addrs().map_err(|error| error.to_string())?;
            found.collect()
        };
        // As in Go, whose programs users know: `localhost` is first of all 127.0.0.1.
        candidates.sort_by_key(|one| one.is_ipv6() && !one.ip().is_unspecified());
        candidates.dedup();
        if candidates.is_empty() {
            return Err(format!("`{text}` stands for no address"));
        }
        let text = text.to_owned();
        Ok(Self { text, candidates })
    }
}

/// Where the server is reached, as `https://foreshadow.example/` or as a host alone.
#[derive(Debug, Clone)]
pub(crate) struct ExternalUrl {
    host: String,
}

impl ExternalUrl {
    /// Its host, in small letters.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

impl FromStr for ExternalUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = match text.parse::<Url>() {
            Ok(url) if url.has_host() => Ok(url),
            // `foreshadow:9755` is a scheme and a path to the standard.
            _ if !text.contains("://") => format!("http://{text}").parse(),
            other => other,
        };
        let url = url.map_err(|error| error.to_string())?;
        let host = url.host_str().ok_or("it names no host")?;
        Ok(Self {
            host: host.to_owned(),
        })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ListenAddress {
        text.parse().unwrap()
    }

    #[test]
    fn a_port_alone_is_every_address_of_the_machine() {
        let every = address(":9755");
        assert!(!every.is_loopback());
        assert_eq!(
            (every.host(), address("localhost:9755").host()),
            ("", "localhost")
        );
        assert_eq!(every.candidates[0].to_string(), "[::]:9755");
        assert_eq!(every.candidates[1].to_string(), "0.0.0.0:9755");
    }

    #[test]
    fn localhost_stays_on_this_machine() {
        let local = address("localhost:0");
        assert!(local.is_loopback());
        assert_eq!(local.candidates[0].to_string(), "127.0.0.1:0");
        assert!(
            local
                .listen()
                .unwrap()
                .local_addr()
                .unwrap()
                .ip()
                .is_loopback()
        );
        assert!(address("[::1]:9755").is_loopback());
    }

    #[test]
    fn an_external_url_names_a_host() {
        let host = |text: &str| text.parse::<ExternalUrl>().map(|url| url.host().to_owned());
        for text in [
            "https://Fore.example:8443/x/",
            "fore.example",
            "fore.example:9755",
        ] {
            assert_eq!(host(text).as_deref(), Ok("fore.example"));
        }
        assert!(host("").is_err() && host("http://").is_err());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ":",
            ":http",
            ":70000",
            "127.0.0.1",
            "127.0.0.1:x",
            "::1:",
        ] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text:?}");
        }
    }
}
