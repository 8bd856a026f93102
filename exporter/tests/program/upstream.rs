//! Prometheus is spoken to as its own `http_config` says: with credentials, certificates, headers and proxies.

use crate::{
    authority::Authority,
    stand_in::{ProxyStandIn, StandIn},
    world::Foreshadow,
};
use std::{fs, path::Path};

const RULES: &str = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - {record: seen, expr: up}\n";

/// Writes a configuration without anything but this section, one key a line, and a rule that asks each second.
fn configure(dir: &Path, url: &str, http_config: &str) {
    let lines = http_config.lines().map(|line| format!("  {line}\n"));
    let lines: String = lines.collect();
    let config = format!("rule_files: [rules.yml]\nprometheus:\n  url: {url}\n{lines}");
    fs::write(dir.join("rules.yml"), RULES).unwrap();
    fs::write(dir.join("foreshadow.yml"), config).unwrap();
}

async fn until_seen(f: &Foreshadow) {
    f.until("the rule is evaluated", async |f| {
        f.get("/predictions")
            .await
            .1
            .contains(r#"seen{instance="",job=""} 1"#)
    })
    .await;
}

async fn until_failed(f: &Foreshadow, reason: &str) {
    let failed = format!(r#"group="g",reason="{reason}",rule="seen"}} "#);
    f.until("the rule fails", async |f| {
        let (_, metrics) = f.get("/metrics").await;
        let mut lines = metrics.lines().filter(|line| line.contains(&failed));
        lines.any(|line| !line.ends_with(" 0"))
    })
    .await;
}

fn log(f: &Foreshadow) -> String {
    fs::read_to_string(f.process.log()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_auth_and_headers_of_the_users_own_are_sent() {
    let dir = tempfile::tempdir().unwrap();
    let prometheus = StandIn::default();
    prometheus.demand("Basic YW5uOnNlY3JldA==");
    fs::write(dir.path().join("password"), "secret\n").unwrap();
    fs::write(dir.path().join("tenant"), "b\n").unwrap();
    let http_config = "basic_auth: {username: ann, password_file: password}\n\
                       http_headers: {X-Tenant: {values: [a], files: [tenant]}}";
    configure(dir.path(), &prometheus.plain(), http_config);
    let f = Foreshadow::start(dir.path(), &[]).await;
    until_seen(&f).await;
    assert_eq!(prometheus.header("x-tenant"), "a, b");
    assert!(prometheus.header("user-agent").starts_with("Foreshadow/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_rotated_in_its_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    let prometheus = StandIn::default();
    prometheus.demand("Bearer first");
    fs::write(&token, "first\n").unwrap();
    let http_config = "authorization: {credentials_file: token}";
    configure(dir.path(), &prometheus.plain(), http_config);
    let f = Foreshadow::start(dir.path(), &[]).await;
    until_seen(&f).await;

    prometheus.demand("Bearer second");
    until_failed(&f, "rejected").await;
    f.until("what is old is withdrawn", async |f| {
        f.get("/predictions").await.1.is_empty()
    })
    .await;
    fs::write(&token, "second\n").unwrap();
    until_seen(&f).await;
    let log = log(&f);
    assert!(log.contains("credentials changed"), "{log}");
    for secret in ["first", "second"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_and_a_certificate_shown() {
    let dir = tempfile::tempdir().unwrap();
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let prometheus = StandIn::default();
    let url = prometheus.secure(servers.server(Some(&clients)));
    clients.certify("client").write(dir.path(), "client");
    fs::write(dir.path().join("servers.crt"), servers.pem()).unwrap();
    fs::write(dir.path().join("clients.crt"), clients.pem()).unwrap();
    let shown = "cert_file: client.crt, key_file: client.key";

    for bad in [
        "tls_config: {ca_file: servers.crt}",
        &format!("tls_config: {{ca_file: clients.crt, {shown}}}"),
        &format!("tls_config: {{{shown}}}"),
    ] {
        configure(dir.path(), &url, bad);
        let f = Foreshadow::start(dir.path(), &[]).await;
        until_failed(&f, "unreachable").await;
    }
    assert_eq!(prometheus.n_answered(), 0);

    let checked = format!("tls_config: {{ca_file: servers.crt, min_version: TLS13, {shown}}}");
    configure(dir.path(), &url, &checked);
    until_seen(&Foreshadow::start(dir.path(), &[]).await).await;

    let unchecked = format!("tls_config: {{insecure_skip_verify: true, {shown}}}");
    configure(dir.path(), &url, &unchecked);
    until_seen(&Foreshadow::start(dir.path(), &[]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_through_a_proxy_has_the_headers_that_the_proxy_wants() {
    let dir = tempfile::tempdir().unwrap();
    let servers = Authority::new("servers");
    let (prometheus, proxy) = (StandIn::default(), ProxyStandIn::default());
    let url = prometheus.secure(servers.server(None));
    fs::write(dir.path().join("servers.crt"), servers.pem()).unwrap();
    let http_config = format!(
        "tls_config: {{ca_file: servers.crt}}\nproxy_url: http://ann:secret@{}\n\
         proxy_connect_header: {{X-Tunnel: [a, b]}}",
        proxy.start()
    );
    configure(dir.path(), &url, &http_config);
    let f = Foreshadow::start(dir.path(), &[]).await;
    until_seen(&f).await;
    let head = proxy.last_head();
    let host = url.trim_start_matches("https://");
    assert!(head.starts_with(&format!("connect {host} ")), "{head}");
    assert!(head.contains("\r\nx-tunnel: a, b\r\n"), "{head}");
    assert!(head.contains("\r\nproxy-authorization: basic "), "{head}");
    assert_eq!(prometheus.header("x-tunnel"), "");
    assert_eq!(prometheus.header("proxy-authorization"), "");
    assert!(!log(&f).contains("secret"));

    let (directly, around) = (
        StandIn::default(),
        format!("{http_config}\nno_proxy: 127.0.0.1"),
    );
    drop(f);
    let n_heads = proxy.n_heads();
    configure(dir.path(), &directly.plain(), &around);
    until_seen(&Foreshadow::start(dir.path(), &[]).await).await;
    assert_eq!(proxy.n_heads(), n_heads);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_requests_through_a_proxy_do_not_carry_the_headers_of_a_tunnel() {
    let dir = tempfile::tempdir().unwrap();
    let (prometheus, proxy) = (StandIn::default(), ProxyStandIn::default());
    let url = prometheus.plain();
    let http_config = format!(
        "proxy_url: http://{}\nproxy_connect_header: {{X-Tunnel: [a]}}",
        proxy.start()
    );
    configure(dir.path(), &url, &http_config);
    let f = Foreshadow::start(dir.path(), &[]).await;
    until_failed(&f, "server_error").await;
    let head = proxy.last_head();
    assert!(
        head.starts_with(&format!("post {url}/api/v1/query ")),
        "{head}"
    );
    assert!(!head.contains("x-tunnel"), "{head}");
    assert_eq!(prometheus.n_answered(), 0);
}
