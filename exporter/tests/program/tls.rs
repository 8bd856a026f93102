//! The server's own TLS: who is let in, and which certificate is shown.

use crate::{
    authority::{Authority, Identity},
    world::{Foreshadow, configure},
};
use std::{fs, path::Path};

const WEB: &str = "tls_server_config: {cert_file: server.crt, key_file: server.key, \
                   client_ca_file: clients.crt, client_auth_type: RequireAndVerifyClientCert}\n";

/// Someone who trusts this authority, and may have a certificate to show.
pub(crate) fn caller(trusted: &Authority, shown: Option<&Identity>) -> reqwest::Client {
    let ca = reqwest::Certificate::from_pem(trusted.pem().as_bytes()).unwrap();
    let mut builder = reqwest::Client::builder().no_proxy().tls_certs_only([ca]);
    if let Some(Identity { cert, key }) = shown {
        let both = format!("{cert}{key}");
        builder = builder.identity(reqwest::Identity::from_pem(both.as_bytes()).unwrap());
    }
    builder.build().unwrap()
}

fn start(dir: &Path) -> (Foreshadow, String) {
    configure(dir, "http://127.0.0.1:9", "http://127.0.0.1:9/replicas");
    let web = ["--web.config.file", "web.yml", "--log.format", "json"];
    let f = Foreshadow::spawn(dir, &web);
    let url = f.url.replace("http://", "https://");
    (f, url)
}

/// The status of an answer; `None` when the connection fails.
async fn ask(caller: &reqwest::Client, url: &str) -> Option<u16> {
    let answer = caller.get(format!("{url}/-/healthy")).send().await.ok()?;
    Some(answer.status().as_u16())
}

async fn reload(caller: &reqwest::Client, url: &str) -> (u16, String) {
    crate::world::answer(caller.post(format!("{url}/-/reload"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_shows_a_certificate_and_a_reload_shows_the_server_s_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let [old, new, clients] = ["old", "new", "clients"].map(Authority::new);
    old.certify("leaf").write(dir.path(), "server");
    fs::write(dir.path().join("clients.crt"), clients.pem()).unwrap();
    fs::write(dir.path().join("web.yml"), WEB).unwrap();
    let (f, url) = start(dir.path());

    let known = clients.certify("leaf");
    let knows_old = caller(&old, Some(&known));
    f.until("the server answers", async |_| {
        ask(&knows_old, &url).await == Some(200)
    })
    .await;
    assert_eq!(ask(&caller(&old, None), &url).await, None);
    let stranger = old.certify("leaf");
    assert_eq!(ask(&caller(&old, Some(&stranger)), &url).await, None);
    assert_eq!(ask(&caller(&new, Some(&known)), &url).await, None);

    new.certify("leaf").write(dir.path(), "server");
    assert_eq!(reload(&knows_old, &url).await.0, 200);
    let knows_new = caller(&new, Some(&known));
    assert_eq!(ask(&knows_new, &url).await, Some(200));
    assert_eq!(ask(&caller(&old, Some(&known)), &url).await, None);

    fs::write(dir.path().join("web.yml"), "").unwrap();
    let (status, body) = reload(&knows_new, &url).await;
    assert_eq!(status, 500);
    assert!(body.contains("tls_server_config"), "{body}");
    assert_eq!(ask(&caller(&new, None), &url).await, None);
    let log = fs::read_to_string(f.process.log()).unwrap();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string() && line["msg"].is_string());
    }
    assert!(log.lines().count() >= 3, "{log}");
}
