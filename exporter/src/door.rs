//! The door: where the server listens, who is let in, and how it proves itself.

use crate::{
    cli::Serve,
    config::{ServerTls, WebConfig},
    http::Gate,
    listen::{ExternalUrl, ListenAddress},
};
use anyhow::ensure;
use arc_swap::ArcSwap;
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use std::{net::TcpListener, path::PathBuf, sync::Arc};

/// What a start settles, and what a reload may change about it.
pub(crate) struct Door {
    listen_address: ListenAddress,
    external_url: Option<ExternalUrl>,
    allow_unauthenticated: bool,
    web_config_file: Option<PathBuf>,
    tls: Option<RustlsConfig>,
    gate: ArcSwap<Gate>,
}

/// Checked content of the web configuration file.
pub(crate) struct Admission {
    gate: Gate,
    tls: Option<Arc<ServerConfig>>,
}

impl Door {
    /// Reads the web configuration file and takes the address.
    pub(crate) fn open(flags: &Serve) -> anyhow::Result<(Self, TcpListener)> {
        let mut door = Self {
            listen_address: flags.listen_address.clone(),
            external_url: flags.external_url.clone(),
            allow_unauthenticated: flags.allow_unauthenticated,
            web_config_file: flags.web_config_file.clone(),
            tls: None,
            gate: ArcSwap::from_pointee(Gate::default()),
        };
        let Admission { gate, tls } = door.read()?;
        door.gate.store(Arc::new(gate));
        door.tls = tls.map(RustlsConfig::from_config);
        let listener = door.listen_address.listen()?;
        Ok((door, listener))
    }

    /// Reads the files again; nothing changes before [`Door::admit`].
    pub(crate) fn read_again(&self) -> anyhow::Result<Admission> {
        let admission = self.read()?;
        ensure!(
            admission.tls.is_some() == self.tls.is_some(),
            "`tls_server_config` cannot come or go while the server runs: start it anew"
        );
        Ok(admission)
    }

    fn read(&self) -> anyhow::Result<Admission> {
        let web = self.web_config_file.as_deref().map(WebConfig::load);
        let web = web.transpose()?.unwrap_or_default();
        self.check_exposure(&web)?;
        let tls = web.tls.as_ref().map(ServerTls::server_config).transpose()?;
        Ok(Admission {
            gate: Gate::new(web.users, web.roles),
            tls: tls.map(Arc::new),
        })
    }

    /// Whoever reaches the server can have a workload scaled, so strangers must not reach it unawares.
    fn check_exposure(&self, web: &WebConfig) -> anyhow::Result<()> {
        let is_safe =
            self.listen_address.is_loopback() || web.authenticates() || self.allow_unauthenticated;
        ensure!(
            is_safe,
            "{} is not a loopback address and no users are configured: give --web.config.file with \
             basic_auth_users or required client certificates, or say --web.allow-unauthenticated",
            self.listen_address
        );
        Ok(())
    }

    /// Lets in whom the files name now, and shows new callers the certificate that is in them now.
    pub(crate) fn admit(&self, admission: Admission) {
        self.gate.store(Arc::new(admission.gate));
        if let (Some(tls), Some(config)) = (&self.tls, admission.tls) {
            tls.reload_from_config(config);
        }
    }

    /// Who is let in.
    pub(crate) fn gate(&self) -> Arc<Gate> {
        self.gate.load_full()
    }

    /// The names of the server, where callers have to use one of them: they need no password, nobody said that this
    /// is as it should be, and no certificate holds the server to its names.
    pub(crate) fn own_names(&self) -> Option<Vec<&str>> {
        let is_bound = self.allow_unauthenticated || self.tls.is_some() || !self.gate().is_open();
        let external = self.external_url.iter().map(ExternalUrl::host);
        let names = std::iter::once(self.listen_address.host()).chain(external);
        (!is_bound).then(|| names.collect())
    }

    /// How the server proves itself; `None` where it speaks plain HTTP.
    pub(crate) fn tls(&self) -> Option<RustlsConfig> {
        self.tls.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_reload_does_not_open_the_door_to_strangers() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("web.yml");
        let hash = bcrypt::hash("secret", 4).unwrap();
        fs::write(&file, format!("basic_auth_users: {{ann: '{hash}'}}\n")).unwrap();
        let door = Door {
            listen_address: "192.0.2.1:9755".parse().unwrap(),
            external_url: None,
            allow_unauthenticated: false,
            web_config_file: Some(file.clone()),
            tls: None,
            gate: ArcSwap::from_pointee(Gate::default()),
        };
        assert!(door.read_again().is_ok());
        fs::write(&file, "").unwrap();
        let error = door.read_again().err().unwrap().to_string();
        assert!(error.contains("no users are configured"), "{error}");
    }
}
