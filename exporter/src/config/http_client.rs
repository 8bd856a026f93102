//! `http_config` as Prometheus has it: how to reach another server, with which proof of identity.

use anyhow::Context as _;
use reqwest::{
    Certificate, Identity, NoProxy, Proxy,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;
use yaml::{Fields, Node};

/// How requests to one server are made. Files of secrets are read when a client is built.
#[derive(Debug, Clone)]
pub(crate) struct HttpConfig {
    credentials: Credentials,
    tls: TlsConfig,
    proxy: ProxyConfig,
    headers: Vec<(HeaderName, Secret)>,
    follow_redirects: bool,
}

/// The contents of all files of secrets, to be compared with what they were.
#[derive(PartialEq, Eq)]
pub(crate) struct SecretFiles(Vec<Option<Vec<u8>>>);

/// A secret in the configuration or in a file beside it.
#[derive(Clone)]
enum Secret {
    Inline(String),
    File(PathBuf),
}

#[derive(Debug, Clone)]
enum Credentials {
    None,
    Basic { username: String, password: Secret },
    Authorization { scheme: String, credentials: Secret },
}

#[derive(Debug, Clone, Default)]
struct TlsConfig {
    ca: Option<Pem>,
    cert: Option<Pem>,
    key: Option<Secret>,
    insecure_skip_verify: bool,
}

/// PEM text in the configuration or in a file: the same two places as a secret.
type Pem = Secret;

#[derive(Debug, Clone, Default)]
struct ProxyConfig {
    url: Option<Url>,
    no_proxy: Option<String>,
    connect_headers: Vec<(HeaderName, Secret)>,
    from_environment: bool,
}

impl HttpConfig {
    /// Reads the keys of `http_config` that stand among others in one mapping. `base` is the folder that
    /// relative file names start from.
    pub(crate) fn read(fields: &Fields, base: &Path) -> Self {
        Self {
            credentials: read_credentials(fields, base),
            tls: fields
                .optional("tls_config", |n| read_tls(n, base))
                .unwrap_or_default(),
            proxy: read_proxy(fields, base),
            headers: fields
                .optional("http_headers", |n| read_headers(n, base))
                .unwrap_or_default(),
            follow_redirects: fields
                .optional("follow_redirects", Node::bool)
                .unwrap_or(true),
        }
    }

    /// What the files of secrets hold now; differs from before when one was rotated.
    pub(crate) fn secret_files(&self) -> SecretFiles {
        let of_credentials = match &self.credentials {
            Credentials::None => None,
            Credentials::Basic {
                password: secret, ..
            }
            | Credentials::Authorization {
                credentials: secret,
                ..
            } => Some(secret),
        };
        let of_tls = [&self.tls.ca, &self.tls.cert, &self.tls.key]
            .into_iter()
            .flatten();
        let of_headers = self.headers.iter().map(|(_, secret)| secret);
        let all = of_credentials.into_iter().chain(of_tls).chain(of_headers);
        SecretFiles(
            all.filter_map(Secret::file)
                .map(|path| fs::read(path).ok())
                .collect(),
        )
    }

    /// Builds a client whose requests end after `timeout`.
    pub(crate) fn client(&self, timeout: Duration) -> anyhow::Result<reqwest::Client> {
        let mut headers = resolve_headers(&self.headers)?;
        if let Some(value) = self.credentials.header()? {
            headers.insert(AUTHORIZATION, value);
        }
        let redirects = if self.follow_redirects {
            reqwest::redirect::Policy::default()
        } else {
            reqwest::redirect::Policy::none()
        };
        let builder = reqwest::Client::builder()
            .user_agent(concat!("Foreshadow/", env!("CARGO_PKG_VERSION")))
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

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("<secret>"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Secret {
    fn file(&self) -> Option<&Path> {
        match self {
            Self::Inline(_) => None,
            Self::File(path) => Some(path),
        }
    }

    /// The text; one from a file is trimmed, since editors end files with a line feed.
    fn text(&self) -> anyhow::Result<String> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::File(path) => {
                let text = fs::read_to_string(path);
                let text = text.with_context(|| format!("reading {}", path.display()))?;
                Ok(text.trim().to_owned())
            }
        }
    }
}

impl Credentials {
    fn header(&self) -> anyhow::Result<Option<HeaderValue>> {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        let text = match self {
            Self::None => return Ok(None),
            Self::Basic { username, password } => {
                let pair = format!("{username}:{}", password.text()?);
                format!("Basic {}", BASE64_STANDARD.encode(pair))
            }
            Self::Authorization {
                scheme,
                credentials,
            } => {
                format!("{scheme} {}", credentials.text()?)
            }
        };
        let mut value = HeaderValue::from_str(&text).context("credentials are no header value")?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl TlsConfig {
    fn apply(&self, mut builder: reqwest::ClientBuilder) -> anyhow::Result<reqwest::ClientBuilder> {
        if let Some(ca) = &self.ca {
            let certificates = Certificate::from_pem_bundle(ca.text()?.as_bytes());
            builder = builder.tls_certs_only(certificates.context("reading the CA certificates")?);
        }
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            let both = format!("{}\n{}\n", cert.text()?, key.text()?);
            let identity = Identity::from_pem(both.as_bytes());
            builder = builder.identity(identity.context("reading the client certificate")?);
        }
        Ok(builder.tls_danger_accept_invalid_certs(self.insecure_skip_verify))
    }
}

impl ProxyConfig {
    fn apply(&self, builder: reqwest::ClientBuilder) -> anyhow::Result<reqwest::ClientBuilder> {
        if self.from_environment {
            return Ok(builder);
        }
        let Some(url) = &self.url else {
            return Ok(builder.no_proxy());
        };
        let exceptions = self.no_proxy.as_deref().and_then(NoProxy::from_string);
        let proxy = Proxy::all(url.clone())
            .with_context(|| format!("proxy {url}"))?
            .no_proxy(exceptions)
            .headers(resolve_headers(&self.connect_headers)?);
        Ok(builder.proxy(proxy))
    }
}

fn resolve_headers(headers: &[(HeaderName, Secret)]) -> anyhow::Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, secret) in headers {
        let value = HeaderValue::from_str(&secret.text()?);
        map.append(
            name,
            value.with_context(|| format!("value of header {name}"))?,
        );
    }
    Ok(map)
}

fn read_credentials(fields: &Fields, base: &Path) -> Credentials {
    let basic = fields.optional("basic_auth", |node| {
        node.map(|f| {
            let username = f.required("username", Node::string);
            let password = secret(f, "password", "password_file", base);
            Some(Credentials::Basic {
                username: username?,
                password: password?,
            })
        })
    });
    let authorization = fields.optional("authorization", |node| {
        node.map(|f| {
            let scheme = f
                .optional("type", Node::string)
                .unwrap_or_else(|| "Bearer".to_owned());
            if scheme.eq_ignore_ascii_case("basic") {
                f.problem("type", "use `basic_auth` for basic authentication");
            }
            let credentials = secret(f, "credentials", "credentials_file", base)?;
            Some(Credentials::Authorization {
                scheme,
                credentials,
            })
        })
    });
    if fields.has("basic_auth") && fields.has("authorization") {
        fields.problem(
            "authorization",
            "at most one of `basic_auth` and `authorization` may be set",
        );
    }
    basic.or(authorization).unwrap_or(Credentials::None)
}

fn read_tls(node: &Node, base: &Path) -> Option<TlsConfig> {
    node.map(|f| {
        let tls = TlsConfig {
            ca: either(f, "ca", "ca_file", base),
            cert: either(f, "cert", "cert_file", base),
            key: either(f, "key", "key_file", base),
            insecure_skip_verify: f
                .optional("insecure_skip_verify", Node::bool)
                .unwrap_or(false),
        };
        if tls.cert.is_some() != tls.key.is_some() {
            f.node()
                .problem("a client certificate takes both `cert_file` and `key_file`");
        }
        Some(tls)
    })
}

fn read_proxy(fields: &Fields, base: &Path) -> ProxyConfig {
    let proxy = ProxyConfig {
        url: fields.optional("proxy_url", Node::parse),
        no_proxy: fields.optional("no_proxy", Node::string),
        connect_headers: fields
            .optional("proxy_connect_header", |n| read_header_lists(n, base))
            .unwrap_or_default(),
        from_environment: fields
            .optional("proxy_from_environment", Node::bool)
            .unwrap_or(false),
    };
    if proxy.from_environment && proxy.url.is_some() {
        fields.problem(
            "proxy_url",
            "at most one of `proxy_url` and `proxy_from_environment` may be set",
        );
    }
    if proxy.url.is_none() && proxy.no_proxy.is_some() {
        fields.problem("no_proxy", "has no meaning without `proxy_url`");
    }
    proxy
}

/// `http_headers: {NAME: {values: […], secrets: […], files: […]}}`.
fn read_headers(node: &Node, base: &Path) -> Option<Vec<(HeaderName, Secret)>> {
    let headers = node.entries(|name, node| {
        let name = node.accept(name.parse::<HeaderName>());
        let values = node.map(|f| {
            let inline = |n: &Node| n.list(Node::string);
            let mut values: Vec<_> = f.optional("values", inline).unwrap_or_default();
            values.extend(f.optional("secrets", inline).unwrap_or_default());
            let files = f.optional("files", inline).unwrap_or_default();
            let files = files.iter().map(|file| Secret::File(base.join(file)));
            Some(
                values
                    .into_iter()
                    .map(Secret::Inline)
                    .chain(files)
                    .collect::<Vec<_>>(),
            )
        });
        let name = name?;
        Some(
            values?
                .into_iter()
                .map(move |value| (name.clone(), value))
                .collect::<Vec<_>>(),
        )
    })?;
    Some(headers.into_iter().flatten().collect())
}

/// `proxy_connect_header: {NAME: [VALUE, …]}`.
fn read_header_lists(node: &Node, _base: &Path) -> Option<Vec<(HeaderName, Secret)>> {
    let headers = node.entries(|name, node| {
        let name = node.accept(name.parse::<HeaderName>());
        let values = node.list(Node::string)?;
        let name = name?;
        Some(
            values
                .into_iter()
                .map(move |v| (name.clone(), Secret::Inline(v)))
                .collect::<Vec<_>>(),
        )
    })?;
    Some(headers.into_iter().flatten().collect())
}

fn secret(f: &Fields, inline: &'static str, file: &'static str, base: &Path) -> Option<Secret> {
    let secret = either(f, inline, file, base);
    if secret.is_none() && !f.has(inline) && !f.has(file) {
        f.node()
            .problem(format!("`{inline}` or `{file}` is missing"));
    }
    secret
}

fn either(f: &Fields, inline: &'static str, file: &'static str, base: &Path) -> Option<Secret> {
    let text = f.optional(inline, Node::string).map(Secret::Inline);
    let path = f
        .optional(file, Node::string)
        .map(|name| Secret::File(base.join(name)));
    if text.is_some() && path.is_some() {
        f.problem(
            file,
            format!("at most one of `{inline}` and `{file}` may be set"),
        );
    }
    text.or(path)
}
