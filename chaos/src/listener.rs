//! Loopback servers that can be away: connections are refused meanwhile.

use anyhow::Context as _;
use axum::{
    Router,
    http::{HeaderValue, header::CONNECTION},
    middleware::map_response,
    response::Response,
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU16, Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

/// First port of those that are handed out, below the ports of outgoing connections: a port that is closed for a while
/// would else be connected to itself.
const FIRST_PORT: u16 = 20_000;

/// Ports from there on.
const N_PORTS: u16 = 10_000;

/// Time between two attempts to listen again.
const AGAIN: Duration = Duration::from_millis(30);

/// A port of loopback that nobody listened on a moment ago, and that no other call returns.
pub fn port() -> anyhow::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % 97).unwrap_or(0) * 101;
    for _ in 0..N_PORTS {
        let idx = (own + NEXT.fetch_add(1, Relaxed) % N_PORTS) % N_PORTS;
        let port = FIRST_PORT + idx;
        if std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!(
        "no port of loopback between {FIRST_PORT} and {} is free",
        FIRST_PORT + N_PORTS
    )
}

/// A server that can be away.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    away: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves on a port of its own. Connections are closed after each answer, so that an absence is felt at once.
    pub async fn start(router: Router) -> anyhow::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port()?));
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}"))?;
        let (away, is_away) = watch::channel(false);
        let listener = Listener {
            address,
            socket: Some(listener),
            is_away,
        };
        let router = router.layer(map_response(close));
        let task = tokio::spawn(async move {
            // It ends with the task alone.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            away,
            task,
        })
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses connections from now on.
    pub fn go_away(&self) {
        self.away.send_replace(true);
    }

    /// Takes connections again.
    pub fn come_back(&self) {
        self.away.send_replace(false);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn close(mut response: Response) -> Response {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

/// Accepts connections unless it is away.
struct Listener {
    address: SocketAddr,
    socket: Option<TcpListener>,
    is_away: watch::Receiver<bool>,
}

impl axum::serve::Listener for Listener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            if *self.is_away.borrow_and_update() {
                self.socket = None;
                if self.is_away.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                continue;
            }
            let Some(socket) = &self.socket else {
                self.socket = TcpListener::bind(self.address).await.ok();
                if self.socket.is_none() {
                    sleep(AGAIN).await;
                }
                continue;
            };
            let mut is_away = self.is_away.clone();
            tokio::select! {
                accepted = socket.accept() => match accepted {
                    Ok(connection) => return connection,
                    Err(_) => sleep(AGAIN).await,
                },
                Ok(()) = is_away.changed() => {}
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;

    #[tokio::test]
    async fn a_server_that_is_away_refuses_connections_until_it_is_back() {
        let router = Router::new().route("/", get(|| async { "here" }));
        let server = Server::start(router).await.unwrap();
        let http = testbed::http_client(Duration::from_secs(10)).unwrap();
        let url = format!("http://{}/", server.address());
        let answers = async || http.get(&url).send().await;
        assert!(answers().await.is_ok());
        server.go_away();
        while answers().await.is_ok() {}
        assert!(answers().await.unwrap_err().is_connect());
        server.come_back();
        while answers().await.is_err() {}
    }

    #[test]
    fn ports_are_handed_out_once() {
        assert_ne!(port().unwrap(), port().unwrap());
    }
}
