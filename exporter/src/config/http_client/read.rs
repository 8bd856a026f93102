//! Reads the keys of `http_config`.

use super::{
    Credentials, Headers, HttpConfig, ProxyConfig, TlsConfig,
    secret::{self, Secret},
};
use reqwest::{header::HeaderName, tls::Version};
use std::path::Path;
use yaml::{Fields, Node};

/// Headers that the protocol or other keys set; Prometheus refuses them too.
const RESERVED: [&str; 8] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "user-agent",
];

impl HttpConfig {
    /// Reads the keys of `remote_read` and `remote_write`: those of `http_config`, and `headers: {NAME: VALUE}`.
    pub(crate) fn read_remote(fields: &Fields, base: &Path) -> Self {
        let mut config = Self::read(fields, base);
        let plain = fields.optional("headers", |node| {
            node.entries(|name, node| {
                let (name, value) = (header_name(name, node), node.string());
                Some((name?, vec![Secret::Inline(value?)]))
            })
        });
        config.headers.extend(plain.unwrap_or_default());
        config
    }

    /// Reads the keys of `http_config` that stand among others in one mapping. `base` is the folder that
    /// relative file names start from.
    pub(crate) fn read(fields: &Fields, base: &Path) -> Self {
        fields.optional("oauth2", refuse);
        // HTTP/1.1 is spoken either way.
        fields.optional("enable_http2", Node::bool);
        let tls = fields.optional("tls_config", |n| tls(n, base));
        let headers = fields.optional("http_headers", |n| headers(n, base));
        let follow_redirects = fields.optional("follow_redirects", Node::bool);
        Self {
            credentials: credentials(fields, base),
            tls: tls.unwrap_or_default(),
            proxy: proxy(fields),
            headers: headers.unwrap_or_default(),
            follow_redirects: follow_redirects.unwrap_or(true),
        }
    }
}

fn refuse(node: &Node) -> Option<()> {
    node.problem("is not available in this version");
    None
}

fn credentials(fields: &Fields, base: &Path) -> Credentials {
    let basic = fields.optional("basic_auth", |node| {
        node.map(|f| {
            let username = secret::required(f, ["username", "username_file"], base);
            let password = secret::required(f, ["password", "password_file"], base);
            Some(Credentials::Basic {
                username: username?,
                password: password?,
            })
        })
    });
    let authorization = fields.optional("authorization", |node| {
        node.map(|f| {
            let scheme = f.optional("type", Node::string);
            let scheme = scheme.unwrap_or_else(|| "Bearer".to_owned());
            if scheme.eq_ignore_ascii_case("basic") {
                f.problem("type", "use `basic_auth` for basic authentication");
            }
            let credentials = secret::required(f, ["credentials", "credentials_file"], base)?;
            Some(Credentials::Authorization {
                scheme,
                credentials,
            })
        })
    });
    // The older way of writing `authorization`, which Prometheus still reads.
    let bearer = secret::optional(fields, ["bearer_token", "bearer_token_file"], base);
    let bearer = bearer.map(|credentials| Credentials::Authorization {
        scheme: "Bearer".to_owned(),
        credentials,
    });
    let ways = [
        "basic_auth",
        "bearer_token",
        "bearer_token_file",
        "authorization",
    ];
    let written: Vec<_> = ways.into_iter().filter(|key| fields.has(key)).collect();
    if let [one, .., other] = written[..] {
        let problem = format!("at most one of `{one}` and `{other}` may be set");
        fields.problem(other, problem);
    }
    basic
        .or(authorization)
        .or(bearer)
        .unwrap_or(Credentials::None)
}

fn tls(node: &Node, base: &Path) -> Option<TlsConfig> {
    node.map(|f| {
        f.optional("server_name", refuse);
        let has = |keys: [&str; 2]| keys.into_iter().any(|key| f.has(key));
        if has(["cert", "cert_file"]) != has(["key", "key_file"]) {
            f.node()
                .problem("a client certificate takes both `cert_file` and `key_file`");
        }
        let skip = f.optional("insecure_skip_verify", Node::bool);
        Some(TlsConfig {
            ca: secret::optional(f, ["ca", "ca_file"], base),
            cert: secret::optional(f, ["cert", "cert_file"], base),
            key: secret::optional(f, ["key", "key_file"], base),
            min_version: f.optional("min_version", version),
            max_version: f.optional("max_version", version),
            insecure_skip_verify: skip.unwrap_or(false),
        })
    })
}

fn version(node: &Node) -> Option<Version> {
    match node.string()?.as_str() {
        "TLS10" => Some(Version::TLS_1_0),
        "TLS11" => Some(Version::TLS_1_1),
        "TLS12" => Some(Version::TLS_1_2),
        "TLS13" => Some(Version::TLS_1_3),
        other => {
            node.problem(format!("`{other}` is none of TLS10, TLS11, TLS12, TLS13"));
            None
        }
    }
}

fn proxy(fields: &Fields) -> ProxyConfig {
    let connect_headers = fields.optional("proxy_connect_header", connect_headers);
    let from_environment = fields.optional("proxy_from_environment", Node::bool);
    let proxy = ProxyConfig {
        url: fields.optional("proxy_url", Node::parse),
        no_proxy: fields.optional("no_proxy", Node::string),
        connect_headers: connect_headers.unwrap_or_default(),
        from_environment: from_environment.unwrap_or(false),
    };
    if proxy.from_environment && fields.has("proxy_url") {
        fields.problem(
            "proxy_url",
            "at most one of `proxy_url` and `proxy_from_environment` may be set",
        );
    }
    for key in ["no_proxy", "proxy_connect_header"] {
        if fields.has(key) && !fields.has("proxy_url") {
            fields.problem(key, "has no meaning without `proxy_url`");
        }
    }
    proxy
}

/// `http_headers: {NAME: {values: […], secrets: […], files: […]}}`.
fn headers(node: &Node, base: &Path) -> Option<Headers> {
    node.entries(|name, node| {
        let name = header_name(name, node);
        let values = node.map(|f| {
            let inline = |n: &Node| n.list(|n| n.string().map(Secret::Inline));
            let values = f.optional("values", inline);
            let secrets = f.optional("secrets", inline);
            let files = f.optional("files", |n| n.list(|n| secret::in_file(n, base)));
            let all = [values, secrets, files].into_iter().flatten();
            Some(all.flatten().collect())
        });
        Some((name?, values?))
    })
}

fn header_name(name: &str, node: &Node) -> Option<HeaderName> {
    let name = node.accept(name.parse::<HeaderName>())?;
    if RESERVED.contains(&name.as_str()) {
        node.problem("may not be set here");
    }
    Some(name)
}

/// `proxy_connect_header: {NAME: [VALUE, …]}`.
fn connect_headers(node: &Node) -> Option<Headers> {
    node.entries(|name, node| {
        let name = node.accept(name.parse::<HeaderName>());
        let values = node.list(|n| n.string().map(Secret::Inline));
        Some((name?, values?))
    })
}
