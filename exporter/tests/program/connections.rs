//! Connections on which nothing moves keep nobody out.

use crate::world::{Foreshadow, PATIENCE, configure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const NOWHERE: &str = "http://127.0.0.1:9/replicas";

/// Opens a connection, and begins a request on it that never goes on.
async fn stalled(f: &Foreshadow, beginning: &str) -> TcpStream {
    let host = f.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.unwrap();
    // The server may have given it up already.
    let _ = stream.write_all(beginning.as_bytes()).await;
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_never_end_make_room_for_others() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "http://127.0.0.1:9", NOWHERE);
    let f = Foreshadow::start(dir.path(), &["--web.max-connections", "4"]).await;
    let head = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nx-";
    let body = "POST /api/v1/webhook/alertmanager HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n{";
    let mut all = Vec::new();
    for beginning in ["", head, body] {
        for _ in 0..8 {
            all.push(stalled(&f, beginning).await);
        }
        // The connection that was kept for this may be the one that gives way.
        f.until("others are let in", async |f| {
            f.get("/-/healthy").await.0 == 200
        })
        .await;
    }
    let (_, metrics) = f.get("/metrics").await;
    let made_room = metrics.lines().find(|line| {
        line.starts_with("foreshadow_http_connections_given_up_total{reason=\"made_room\"}")
    });
    assert!(
        made_room.is_some_and(|line| !line.ends_with(" 0")),
        "{metrics}"
    );
    let open = f.metric("foreshadow_http_connections").await;
    assert!(open.is_some_and(|n| n <= 4.0), "{open:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "http://127.0.0.1:9", NOWHERE);
    let f = Foreshadow::start(dir.path(), &[]).await;
    // The last one has been answered, and keeps its connection.
    let beginnings = [
        "",
        "PRI * HT",
        "GET /metrics HTTP/1.1\r\nx-",
        "GET /-/healthy HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ];
    let mut all = Vec::new();
    for beginning in beginnings {
        all.push(stalled(&f, beginning).await);
    }
    for (mut stream, beginning) in all.into_iter().zip(beginnings) {
        let mut said = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut said)).await;
        assert!(ended.is_ok(), "{beginning:?} is waited for");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_handshake_that_never_ends_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), "http://127.0.0.1:9", NOWHERE);
    let servers = crate::authority::Authority::new("servers");
    servers.certify("server").write(dir.path(), "server");
    let web = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n";
    std::fs::write(dir.path().join("web.yml"), web).unwrap();
    let f = Foreshadow::spawn(dir.path(), &["--web.config.file", "web.yml"]);
    f.until("it listens", async |f| {
        TcpStream::connect(f.url.trim_start_matches("http://"))
            .await
            .is_ok()
    })
    .await;
    let mut stream = stalled(&f, "\u{16}\u{3}\u{1}").await;
    let mut said = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "the handshake is waited for");
}
