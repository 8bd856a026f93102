//! Who a client certificate names, handed on to the requests of its connection.

use crate::connections::{TrackingAcceptor, Watched};
use axum_server::{
    accept::Accept,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use futures::{FutureExt as _, future::BoxFuture};
use rustls::pki_types::CertificateDer;
use std::{io, time::Duration};
use tower_http::add_extension::AddExtension;
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

/// The name in the certificate that a caller showed; none where it showed none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certified(pub(crate) Option<String>);

/// Time for a TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// Accepts TLS connections, and notes on each whose it is.
#[derive(Clone)]
pub(crate) struct CertifiedAcceptor(RustlsAcceptor<TrackingAcceptor>);

impl CertifiedAcceptor {
    /// Shows the certificate of a configuration, which may be replaced later.
    pub(crate) fn new(config: RustlsConfig) -> Self {
        let acceptor = RustlsAcceptor::new(config).handshake_timeout(HANDSHAKE_LIMIT);
        Self(acceptor.acceptor(TrackingAcceptor))
    }
}

/// What the server's own acceptor makes of a connection.
type Tls<S> = <RustlsAcceptor<TrackingAcceptor> as Accept<Watched, S>>::Stream;

/// The service that it hands the connection to.
type Inner<S> = <RustlsAcceptor<TrackingAcceptor> as Accept<Watched, S>>::Service;

impl<S: Send + 'static> Accept<Watched, S> for CertifiedAcceptor {
    type Stream = Tls<S>;
    type Service = AddExtension<Inner<S>, Certified>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: Watched, service: S) -> Self::Future {
        let accepted = self.0.accept(stream, service);
        async move {
            let (stream, service) = accepted.await?;
            let (_, session) = stream.get_ref();
            let shown = session.peer_certificates().and_then(<[_]>::first);
            let certified = Certified(shown.and_then(name));
            Ok((stream, AddExtension::new(service, certified)))
        }
        .boxed()
    }
}

/// The common name of the subject or, where there is none, the first alternative name that is a text.
fn name(certificate: &CertificateDer) -> Option<String> {
    let (_, parsed) = parse_x509_certificate(certificate).ok()?;
    let common = parsed.subject().iter_common_name().next();
    if let Some(common) = common.and_then(|name| name.as_str().ok()) {
        return Some(common.to_owned());
    }
    let alternatives = parsed.subject_alternative_name().ok()??;
    let texts = alternatives.value.general_names.iter();
    let mut texts = texts.filter_map(|name| match name {
        GeneralName::RFC822Name(text) | GeneralName::DNSName(text) | GeneralName::URI(text) => {
            Some((*text).to_owned())
        }
        _ => None,
    });
    texts.next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    fn certificate(common: Option<&str>, alternatives: &[&str]) -> CertificateDer<'static> {
        let alternatives: Vec<_> = alternatives.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(alternatives).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(common) = common {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn a_certificate_names_its_subject_or_else_an_alternative() {
        let named = |common, alternatives: &[&str]| name(&certificate(common, alternatives));
        assert_eq!(named(Some("ann"), &["host"]).as_deref(), Some("ann"));
        assert_eq!(named(None, &["127.0.0.1", "host"]).as_deref(), Some("host"));
        assert_eq!(named(None, &[]), None);
        assert_eq!(name(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
