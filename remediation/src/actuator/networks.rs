//! Where a host's name may lead: resolved, checked, and connected to exactly what was checked.

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};

/// Resolves names by the system and lets through what the configuration allows. The connection goes to the
/// addresses that this returns, so a name cannot lead elsewhere between check and use.
#[derive(Debug, Clone)]
pub(super) struct CheckedResolver {
    networks: Vec<IpNet>,
}

/// A name that leads where it must not.
#[derive(Debug, thiserror::Error)]
enum NameError {
    #[error("the name {0} leads to no address")]
    Nowhere(String),
    #[error("the name {name} leads to {ip}, {why}")]
    Forbidden {
        name: String,
        ip: IpAddr,
        why: &'static str,
    },
}

impl CheckedResolver {
    pub(super) fn new(networks: Vec<IpNet>) -> Self {
        Self { networks }
    }

    /// One address that must not be reached spoils them all: a name that leads here and there is not trusted.
    fn check(&self, name: &str, found: &[SocketAddr]) -> Result<(), NameError> {
        if found.is_empty() {
            return Err(NameError::Nowhere(name.to_owned()));
        }
        let is_local = name == "localhost" || name.ends_with(".localhost");
        let objection = |address: &SocketAddr| {
            let ip = address.ip().to_canonical();
            let why = self.objection(ip, is_local)?;
            let name = name.to_owned();
            Some(NameError::Forbidden { name, ip, why })
        };
        found.iter().find_map(objection).map_or(Ok(()), Err)
    }

    fn objection(&self, ip: IpAddr, is_local: bool) -> Option<&'static str> {
        if !self.networks.is_empty() {
            let is_listed = self.networks.iter().any(|network| network.contains(&ip));
            return (!is_listed).then_some("which is in none of the `networks`");
        }
        let (is_link_local, is_broadcast) = match ip {
            IpAddr::V4(ip) => (ip.is_link_local(), ip.is_broadcast()),
            IpAddr::V6(ip) => (ip.is_unicast_link_local(), false),
        };
        if ip.is_unspecified() || ip.is_multicast() || is_broadcast {
            Some("which is no machine's own address")
        } else if is_link_local {
            Some("which is link-local: list it under `networks` if it is meant")
        } else if ip.is_loopback() && !is_local {
            Some("which is this machine itself: list it under `networks` if it is meant")
        } else {
            None
        }
    }
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<_> = found.collect();
            resolver.check(name.as_str(), &found)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(networks: &[&str], name: &str, addresses: &[&str], expect: Result<(), &str>) {
        let networks = networks.iter().map(|text| text.parse().unwrap()).collect();
        let found: Vec<_> = addresses
            .iter()
            .map(|ip| SocketAddr::new(ip.parse().unwrap(), 0))
            .collect();
        let got = CheckedResolver::new(networks).check(name, &found);
        match expect {
            Ok(()) => assert!(got.is_ok(), "{got:?}"),
            Err(words) => assert!(got.unwrap_err().to_string().contains(words)),
        }
    }

    #[test]
    fn names_lead_to_other_machines() {
        check(&[], "fleet", &["10.0.0.7", "2001:db8::1"], Ok(()));
        check(&[], "fleet", &[], Err("leads to no address"));
        check(&[], "fleet", &["127.0.0.1"], Err("this machine itself"));
        check(
            &[],
            "fleet",
            &["::ffff:127.0.0.1"],
            Err("this machine itself"),
        );
        check(&[], "fleet", &["169.254.169.254"], Err("link-local"));
        check(&[], "fleet", &["fe80::1"], Err("link-local"));
        for ip in ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255"] {
            check(&[], "fleet", &[ip], Err("no machine's own address"));
        }
        check(&[], "localhost", &["127.0.0.1", "::1"], Ok(()));
    }

    #[test]
    fn one_forbidden_address_spoils_a_name() {
        check(
            &[],
            "fleet",
            &["10.0.0.7", "127.0.0.1"],
            Err("this machine itself"),
        );
    }

    #[test]
    fn listed_networks_are_all_there_is() {
        let listed = ["127.0.0.0/8", "10.0.0.0/8"];
        check(&listed, "fleet", &["127.0.0.1", "10.1.2.3"], Ok(()));
        check(
            &listed,
            "fleet",
            &["192.168.0.1"],
            Err("none of the `networks`"),
        );
        check(
            &["10.0.0.0/8"],
            "localhost",
            &["127.0.0.1"],
            Err("none of the `networks`"),
        );
    }
}
