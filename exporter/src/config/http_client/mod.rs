//! `http_config` as Prometheus has it: how to reach another server, with which proof of identity.

mod read;
mod secret;

use super::MAX_FILE_BYTES;
use crate::redact::redacted;
use anyhow::Context as _;
use reqwest::{
    Certificate, ClientBuilder, Identity, NoProxy, Proxy,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
    tls::Version,
};
use secret::Secret;
use std::{path::Path, time::Duration};
use url::Url;
use yaml::{Document, Node, Problems};

/// How the program calls itself when it asks.
pub(crate) const USER_AGENT: &str = concat!("Foreshadow/", env!("CARGO_PKG_VERSION"));

/// How requests to one server are made. Files of secrets are read when a client is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpConfig {
    credentials: Credentials,
    tls: TlsConfig,
    proxy: ProxyConfig,
    headers: Headers,
    follow_redirects: bool,
}

/// The contents of all files of secrets, to be compared with what they were.
#[derive(PartialEq, Eq)]
pub(crate) struct SecretFiles(Vec<Option<Vec<u8>>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Credentials {
    None,
    Basic { username: Secret, password: Secret },
    Authorization { scheme: String, credentials: Secret },
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct TlsConfig {
    ca: Option<Pem>,
    cert: Option<Pem>,
    key: Option<Pem>,
    min_version: Option<Version>,
    max_version: Option<Version>,
    insecure_skip_verify: bool,
}

/// PEM text in the configuration or in a file: the same two places as a secret.
type Pem = Secret;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct ProxyConfig {
    url: Option<Url>,
    no_proxy: Option<String>,
    connect_headers: Headers,
    from_environment: bool,
}

/// Headers with all their values.
type Headers = Vec<(HeaderName, Vec<Secret>)>;

impl HttpConfig {
    /// Reads a file that holds nothing else; relative names in it start from its folder.
    pub(crate) fn load(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let text = files::read_to_string(path, MAX_FILE_BYTES)
            .map_err(|e| Problems::unreadable(&file, &e))?;
        let base = path.parent().unwrap_or(Path::new("."));
        let read = |node: &Node| node.map(|fields| Some(Self::read(fields, base)));
        Document::parse(file, &text)?.check(read)
    }

    /// The same, but going nowhere else than it was told.
    pub(crate) fn without_redirects(self) -> Self {
        Self {
            follow_redirects: false,
            ..self
        }
    }

    /// What the files of secrets hold now; differs from before when one was rotated.
    pub(crate) fn secret_files(&self) -> SecretFiles {
        let paths = self.secret_paths().into_iter();
        SecretFiles(
            paths
                .map(|path| files::read(path, secret::MAX_BYTES).ok())
                .collect(),
        )
    }

    /// The files of secrets.
    pub(crate) fn secret_paths(&self) -> Vec<&Path> {
        let of_tls = [&self.tls.ca, &self.tls.cert, &self.tls.key];
        let of_headers = self.headers.iter().flat_map(|(_, values)| values);
        let all = self.credentials.secrets().into_iter().chain(of_headers);
        all.chain(of_tls.into_iter().flatten())
            .filter_map(Secret::file)
            .collect()
    }

    /// Builds a client whose requests end after `timeout`.
    pub(crate) fn client(&self, timeout: Duration) -> anyhow::Result<reqwest::Client> {
        let mut headers = resolve(&self.headers)?;
        if let Some(value) = self.credentials.header()? {
            headers.insert(AUTHORIZATION, value);
        }
        let redirects = if self.follow_redirects {
            reqwest::redirect::Policy::default()
        } else {
            reqwest::redirect::Policy::none()
        };
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(headers)
            .redirect(redirects)
            .timeout(timeout);
        let builder = self.proxy.apply(builder)?;
        self.tls
            .apply(builder)?
            .build()
            .context("building the HTTP client")
    }
}

impl Credentials {
    fn secrets(&self) -> Vec<&Secret> {
        match self {
            Self::None => Vec::new(),
            Self::Basic { username, password } => vec![username, password],
            Self::Authorization { credentials, .. } => vec![credentials],
        }
    }

    fn header(&self) -> anyhow::Result<Option<HeaderValue>> {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        let text = match self {
            Self::None => return Ok(None),
            Self::Basic { username, password } => {
                let pair = format!("{}:{}", username.text()?, password.text()?);
                format!("Basic {}", BASE64_STANDARD.encode(pair))
            }
            Self::Authorization {
                scheme,
                credentials,
            } => format!("{scheme} {}", credentials.text()?),
        };
        sensitive(&text)
            .context("credentials are no header value")
            .map(Some)
    }
}

impl TlsConfig {
    fn apply(&self, mut builder: ClientBuilder) -> anyhow::Result<ClientBuilder> {
        if let Some(ca) = &self.ca {
            let certificates = Certificate::from_pem_bundle(ca.text()?.as_bytes());
            builder = builder.tls_certs_only(certificates.context("reading the CA certificates")?);
        }
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            let both = format!("{}\n{}\n", cert.text()?, key.text()?);
            let identity = Identity::from_pem(both.as_bytes());
            builder = builder.identity(identity.context("reading the client certificate")?);
        }
        if let Some(version) = self.min_version {
            builder = builder.tls_version_min(version);
        }
        if let Some(version) = self.max_version {
            builder = builder.tls_version_max(version);
        }
        Ok(builder.tls_danger_accept_invalid_certs(self.insecure_skip_verify))
    }
}

impl ProxyConfig {
    fn apply(&self, builder: ClientBuilder) -> anyhow::Result<ClientBuilder> {
        if self.from_environment {
            return Ok(builder);
        }
        let Some(url) = &self.url else {
            return Ok(builder.no_proxy());
        };
        let which = || format!("proxy {}", redacted(url));
        let exceptions = || self.no_proxy.as_deref().and_then(NoProxy::from_string);
        let plain = Proxy::http(url.clone()).with_context(which)?;
        let tunnel = Proxy::https(url.clone()).with_context(which)?;
        // What goes through a tunnel is the proxy's to see, what does not would reach the server behind it.
        let tunnel = tunnel.headers(resolve(&self.connect_headers)?);
        Ok(builder
            .proxy(plain.no_proxy(exceptions()))
            .proxy(tunnel.no_proxy(exceptions())))
    }
}

/// One line for each header: of several default lines, `reqwest` sends the first alone, and a list in one line
/// means the same (RFC 9110, section 5.3).
fn resolve(headers: &Headers) -> anyhow::Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, values) in headers {
        let values: Vec<_> = values
            .iter()
            .map(Secret::text)
            .collect::<anyhow::Result<_>>()?;
        let value = sensitive(&values.join(", "));
        map.insert(
            name,
            value.with_context(|| format!("value of header {name}"))?,
        );
    }
    Ok(map)
}

fn sensitive(text: &str) -> anyhow::Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}
