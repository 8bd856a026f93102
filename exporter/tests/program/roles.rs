//! What each role may do, by password and by certificate.

use crate::{
    authority::Authority,
    world::{Foreshadow, answer, configure, firing},
};
use reqwest::Method;
use std::fs;

const NOWHERE: &str = "http://127.0.0.1:9/replicas";

/// Some action; whether there is one is asked only of those who may decide.
const APPROVE: &str = "/api/v1/actions/01890a5d-ac96-774b-bcce-b302099a8057/approve";

const WEBHOOK: &str = "/api/v1/webhook/alertmanager";

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_looks_a_sender_sends_and_an_operator_does_both_and_decides() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "http://127.0.0.1:9", NOWHERE);
    let hash = bcrypt::hash("secret", 4).unwrap();
    let web = format!(
        "basic_auth_users: {{ann: &h '{hash}', bob: *h, am: *h}}\nroles: {{operator: [ann], sender: [am]}}\n"
    );
    fs::write(dir.path().join("web.yml"), web).unwrap();
    let f = Foreshadow::start(dir.path(), &["--web.config.file", "web.yml"]).await;
    let status = async |user: &str, method: Method, path: &str| {
        let request = f.request(method, path).basic_auth(user, Some("secret"));
        answer(request.body(firing())).await
    };
    let of = async |user: &str| {
        [
            status(user, Method::GET, "/-/healthy").await.0,
            status(user, Method::GET, "/metrics").await.0,
            status(user, Method::GET, "/actions").await.0,
            status(user, Method::GET, "/api/v1/actions/export").await.0,
            status(user, Method::POST, WEBHOOK).await.0,
            status(user, Method::POST, "/-/reload").await.0,
        ]
    };
    assert_eq!(of("ann").await, [200, 200, 200, 200, 200, 200]);
    assert_eq!(of("bob").await, [200, 200, 200, 200, 403, 403]);
    assert_eq!(of("am").await, [200, 403, 403, 403, 200, 403]);
    for user in ["bob", "am"] {
        let (status, said) = status(user, Method::POST, APPROVE).await;
        assert!(
            status == 403 && said.contains("decide is for operators"),
            "{said}"
        );
    }

    let foreign = f
        .request(Method::POST, WEBHOOK)
        .basic_auth("ann", Some("secret"));
    let foreign = foreign
        .header("sec-fetch-site", "cross-site")
        .body(firing());
    let (status, said) = answer(foreign).await;
    assert!(status == 403 && said.contains("another site"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_proves_who_they_are_a_strange_name_is_told_nothing_but_health() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "http://127.0.0.1:9", NOWHERE);
    let url = "http://foreshadow.example:9755/";
    let f = Foreshadow::start(dir.path(), &["--web.external-url", url]).await;
    let told = async |host: &str, method: Method, path: &str| {
        let request = f.request(method, path).header("host", host);
        answer(request.body(firing())).await
    };
    let all = [
        (Method::GET, "/"),
        (Method::GET, "/-/ready"),
        (Method::GET, "/metrics"),
        (Method::GET, "/predictions"),
        (Method::GET, "/actions"),
        (Method::GET, "/actions/style.css"),
        (Method::GET, "/api/v1/actions"),
        (Method::GET, "/api/v1/actions/export"),
        (Method::GET, "/api/v1/unattended"),
        (Method::GET, "/api/v1/query?query=1"),
        (Method::GET, "/api/v1/labels"),
        (Method::POST, "/api/v1/read"),
        (Method::POST, WEBHOOK),
        (Method::POST, APPROVE),
        (Method::POST, "/actions/kill-switch"),
        (Method::POST, "/-/reload"),
        (Method::GET, "/nowhere"),
    ];
    for (method, path) in all {
        let (status, said) = told("evil.example:9755", method.clone(), path).await;
        assert_eq!(status, 403, "{path}: {said}");
        let way_out = "start it with --web.external-url=http://evil.example";
        assert!(said.contains(way_out), "{path}: {said}");
        // Asks for a form's token.
        if path.ends_with("kill-switch") {
            continue;
        }
        for own in ["localhost:9755", "foreshadow.example", "127.0.0.1:1"] {
            let (status, said) = told(own, method.clone(), path).await;
            assert_ne!(status, 403, "{own}{path}: {said}");
        }
    }
    assert_eq!(told("evil.example", Method::GET, "/-/healthy").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_names_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "http://127.0.0.1:9", NOWHERE);
    let [servers, clients] = ["servers", "clients"].map(Authority::new);
    servers.certify("server").write(dir.path(), "server");
    fs::write(dir.path().join("clients.crt"), clients.pem()).unwrap();
    let web = "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: clients.crt, \
               client_auth_type: VerifyClientCertIfGiven}\nroles: {operator: [ann]}\n";
    fs::write(dir.path().join("web.yml"), web).unwrap();
    let f = Foreshadow::spawn(dir.path(), &["--web.config.file", "web.yml"]);
    let url = f.url.replace("http://", "https://");
    let stranger = crate::tls::caller(&servers, None);
    f.until("the server answers", async |_| {
        answer(stranger.get(format!("{url}/-/healthy"))).await.0 == 200
    })
    .await;
    let [ann, bob] = ["ann", "bob"].map(|name| {
        let identity = clients.certify(name);
        crate::tls::caller(&servers, Some(&identity))
    });
    let reload =
        async |caller: &reqwest::Client| answer(caller.post(format!("{url}/-/reload"))).await;
    assert_eq!(reload(&ann).await.0, 200);
    let (status, said) = reload(&bob).await;
    assert!(status == 403 && said.contains("bob is a viewer"), "{said}");
    let (status, said) = reload(&stranger).await;
    assert!(
        status == 403 && said.contains("anonymous is a viewer"),
        "{said}"
    );
    let page = answer(ann.get(format!("{url}/actions"))).await.1;
    assert!(page.contains(">ann<"), "{page}");
}
