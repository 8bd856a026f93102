//! The end comes in good time, whatever is under way.

use crate::world::{Foreshadow, configure};
use std::{fs, time::Duration};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    time::Instant,
};

/// Twice what the program gives to requests under way.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_and_a_silent_prometheus_do_not_hold_up_the_end() {
    let dir = tempfile::tempdir().unwrap();
    // Takes connections, and says nothing on them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let prometheus = format!("http://{}", silent.local_addr().unwrap());
    configure(dir.path(), &prometheus, "http://127.0.0.1:9/replicas");
    let mut f = Foreshadow::start(dir.path(), &[]).await;
    let (_asking, _) = silent.accept().await.unwrap();

    let host = f.url.trim_start_matches("http://");
    let mut stalled = TcpStream::connect(host).await.unwrap();
    let half = format!(
        "POST /api/v1/webhook/alertmanager HTTP/1.1\r\nhost: {host}\r\ncontent-length: 9\r\n\r\n{{"
    );
    stalled.write_all(half.as_bytes()).await.unwrap();
    let idle = TcpStream::connect(host).await.unwrap();

    let asked = Instant::now();
    f.process.terminate(PATIENCE).await.unwrap();
    assert!(asked.elapsed() < PATIENCE, "it had to be killed");
    let log = fs::read_to_string(f.process.log()).unwrap();
    assert!(log.contains("msg=stopped"), "{log}");
    drop(idle);
}
