//! The web configuration file, in the format that Prometheus' own servers read.

use super::{
    MAX_FILE_BYTES,
    roles::{Roles, read_roles},
};
use anyhow::Context as _;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};
use yaml::{Document, Node, Problems};

/// Who may talk to the server, and how it proves itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct WebConfig {
    /// User names with the bcrypt hash of their password.
    pub(crate) users: HashMap<String, String>,
    /// What each of them may do; where there are no users, what the owners of certificates may.
    pub(crate) roles: Roles,
    pub(crate) tls: Option<ServerTls>,
}

/// Certificate files of the server.
#[derive(Debug, Clone)]
pub(crate) struct ServerTls {
    cert_file: PathBuf,
    key_file: PathBuf,
    client_ca_file: Option<PathBuf>,
    client_auth: ClientAuth,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientAuth {
    None,
    IfGiven,
    Required,
}

impl WebConfig {
    /// Reads a file; relative names in it start from its folder.
    pub(crate) fn load(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let text = files::read_to_string(path, MAX_FILE_BYTES)
            .map_err(|e| Problems::unreadable(&file, &e))?;
        let base = path.parent().unwrap_or(Path::new("."));
        Document::parse(file, &text)?.check(|node| read(node, base))
    }

    /// Whether a caller has to prove who it is.
    pub(crate) fn authenticates(&self) -> bool {
        let by_certificate = |tls: &ServerTls| tls.client_auth == ClientAuth::Required;
        !self.users.is_empty() || self.tls.as_ref().is_some_and(by_certificate)
    }
}

fn read(node: &Node, base: &Path) -> Option<WebConfig> {
    if node.is_null() {
        return Some(WebConfig::default());
    }
    node.map(|f| {
        let tls = f.optional("tls_server_config", |n| read_tls(n, base));
        let users = f.optional("basic_auth_users", |n| {
            n.entries(|user, node| {
                let hash = node.string()?;
                node.accept(hash.parse::<bcrypt::HashParts>())?;
                Some((user.to_owned(), hash))
            })
        });
        let users: HashMap<_, _> = users.unwrap_or_default().into_iter().collect();
        let knows_certificates = tls
            .as_ref()
            .is_some_and(|tls: &ServerTls| tls.client_auth != ClientAuth::None && users.is_empty());
        let is_known = |name: &str| knows_certificates || users.contains_key(name);
        let roles = f.optional("roles", |n| read_roles(n, is_known));
        Some(WebConfig {
            roles: roles.unwrap_or_default(),
            users,
            tls,
        })
    })
}

fn read_tls(node: &Node, base: &Path) -> Option<ServerTls> {
    node.map(|f| {
        let path = |n: &Node| n.string().map(|name| base.join(name));
        let cert_file = f.required("cert_file", path);
        let key_file = f.required("key_file", path);
        let client_ca_file = f.optional("client_ca_file", path);
        let client_auth = f.optional("client_auth_type", read_client_auth);
        let client_auth = client_auth.unwrap_or(ClientAuth::None);
        if client_auth == ClientAuth::None && client_ca_file.is_some() {
            f.problem(
                "client_ca_file",
                "has no meaning without `client_auth_type`",
            );
        }
        if client_auth != ClientAuth::None && client_ca_file.is_none() {
            f.problem("client_auth_type", "takes `client_ca_file` beside it");
        }
        Some(ServerTls {
            cert_file: cert_file?,
            key_file: key_file?,
            client_ca_file,
            client_auth,
        })
    })
}

fn read_client_auth(node: &Node) -> Option<ClientAuth> {
    match node.string()?.as_str() {
        "NoClientCert" => Some(ClientAuth::None),
        "VerifyClientCertIfGiven" => Some(ClientAuth::IfGiven),
        "RequireAndVerifyClientCert" => Some(ClientAuth::Required),
        other => {
            node.problem(format!(
                "`{other}` is none of NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert"
            ));
            None
        }
    }
}

impl ServerTls {
    /// Reads the certificates and builds what the listener needs.
    pub(crate) fn server_config(&self) -> anyhow::Result<ServerConfig> {
        let chain = certificates(&self.cert_file)?;
        let reading = || format!("reading the key in {}", self.key_file.display());
        let key = files::read(&self.key_file, MAX_FILE_BYTES).with_context(reading)?;
        let key = PrivateKeyDer::from_pem_slice(&key).with_context(reading)?;
        let builder = match self.client_verifier()? {
            Some(verifier) => ServerConfig::builder().with_client_cert_verifier(verifier),
            None => ServerConfig::builder().with_no_client_auth(),
        };
        builder
            .with_single_cert(chain, key)
            .context("the certificate and its key do not fit")
    }

    fn client_verifier(&self) -> anyhow::Result<Option<Arc<dyn ClientCertVerifier>>> {
        let Some(file) = &self.client_ca_file else {
            return Ok(None);
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(file)? {
            roots
                .add(certificate)
                .with_context(|| format!("client CA in {}", file.display()))?;
        }
        let builder = WebPkiClientVerifier::builder(Arc::new(roots));
        let builder = match self.client_auth {
            ClientAuth::IfGiven => builder.allow_unauthenticated(),
            ClientAuth::None | ClientAuth::Required => builder,
        };
        builder
            .build()
            .map(Some)
            .context("building the check of client certificates")
    }
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let reading = || format!("reading certificates in {}", file.display());
    let text = files::read(file, MAX_FILE_BYTES).with_context(reading)?;
    let found = CertificateDer::pem_slice_iter(&text);
    let chain: Vec<_> = found.collect::<Result<_, _>>().with_context(reading)?;
    anyhow::ensure!(!chain.is_empty(), "{} holds no certificate", file.display());
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Right, Role};

    const USERS: &str = "basic_auth_users: {ann: &hash $2b$10$I3tv9K/ae2efJ6b8HKbRD.F/.Y6HmgczVbET94EkgzTgsb8H.Es9C, \
                         bob: *hash, am: *hash}\n";

    fn parse(text: &str) -> Result<WebConfig, String> {
        let read = |document: Document| document.check(|node| read(node, Path::new("/")));
        Document::parse("web.yml", text)
            .and_then(read)
            .map_err(|problems| problems.to_string())
    }

    #[test]
    fn whoever_has_no_role_is_a_viewer_once_there_are_roles() {
        let without = parse(USERS).unwrap().roles;
        assert_eq!(without.of("bob"), Role::Operator);
        let text = format!("{USERS}roles: {{operator: [ann], sender: [am]}}\n");
        let roles = parse(&text).unwrap().roles;
        assert_eq!(roles.of("ann"), Role::Operator);
        assert_eq!(roles.of("bob"), Role::Viewer);
        assert_eq!(roles.of("am"), Role::Sender);
        assert_eq!(roles.of("anonymous"), Role::Viewer);
    }

    #[test]
    fn each_role_has_its_rights() {
        let rights = [Right::Read, Right::Decide, Right::Send];
        let of = |role: Role| rights.map(|right| role.may(right));
        assert_eq!(of(Role::Operator), [true, true, true]);
        assert_eq!(of(Role::Viewer), [true, false, false]);
        assert_eq!(of(Role::Sender), [false, false, true]);
    }

    #[test]
    fn roles_for_nobody_and_roles_given_twice_are_problems() {
        let text =
            format!("{USERS}roles:\n  operator: [ann, eve]\n  viewer: [ann]\n  guest: [bob]\n");
        assert_eq!(
            parse(&text).unwrap_err(),
            "web.yml:3: roles.operator[1]: there is no user `eve`\n\
             web.yml:4: roles.viewer[0]: `ann` is operator already\n\
             web.yml:5: roles.guest: unknown key, expected one of: operator, viewer, sender"
        );
    }
}
