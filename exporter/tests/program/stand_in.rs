//! Servers that stand in for Prometheus, and for a proxy before it, and keep what they were sent.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
};
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::TcpStream,
};

/// Answers each query with one series of the value 1.
#[derive(Clone, Default)]
pub(crate) struct StandIn {
    requests: Arc<Mutex<Vec<HeaderMap>>>,
    /// The `Authorization` without which nothing is answered.
    demanded: Arc<Mutex<Option<String>>>,
}

impl StandIn {
    /// Serves HTTP, and returns its address.
    pub(crate) fn plain(&self) -> String {
        let (listener, address) = listen();
        let server = axum_server::from_tcp(listener).unwrap();
        tokio::spawn(server.serve(self.router().into_make_service()));
        format!("http://{address}")
    }

    /// Serves HTTPS, and returns its address.
    pub(crate) fn secure(&self, config: ServerConfig) -> String {
        let (listener, address) = listen();
        let config = RustlsConfig::from_config(Arc::new(config));
        let server = axum_server::from_tcp_rustls(listener, config).unwrap();
        tokio::spawn(server.serve(self.router().into_make_service()));
        format!("https://{address}")
    }

    fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    /// From now on, answers those alone who send this.
    pub(crate) fn demand(&self, authorization: &str) {
        *self.demanded.lock().unwrap() = Some(authorization.to_owned());
    }

    /// A header of the last request that was answered; empty when it was not there.
    pub(crate) fn header(&self, name: &str) -> String {
        let requests = self.requests.lock().unwrap();
        let values = requests.last().unwrap().get_all(name).into_iter();
        let values: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
        values.join(" and ")
    }

    pub(crate) fn n_answered(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

async fn answer(State(stand_in): State<StandIn>, headers: HeaderMap) -> Response {
    let demanded = stand_in.demanded.lock().unwrap().clone();
    let sent = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    if demanded.is_some() && demanded.as_deref().map(str::as_bytes) != sent {
        return (StatusCode::UNAUTHORIZED, "who are you?").into_response();
    }
    stand_in.requests.lock().unwrap().push(headers);
    let one = r#"{"metric":{},"value":[1,"1"]}"#;
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{one}]}}}}"#)
        .into_response()
}

/// A proxy that keeps the head of each request that it was sent.
#[derive(Clone, Default)]
pub(crate) struct ProxyStandIn(Arc<Mutex<Vec<String>>>);

impl ProxyStandIn {
    /// Serves, and returns its `host:port`. Opens tunnels, and does nothing else for anybody.
    pub(crate) fn start(&self) -> String {
        let (listener, address) = listen();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let heads = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(heads.clone().serve(stream));
            }
        });
        address
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        self.0.lock().unwrap().push(head.clone());
        let Some(target) = head.strip_prefix("connect ") else {
            let refusal = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(refusal).await.unwrap();
            return;
        };
        let (target, _) = target.split_once(' ').unwrap();
        let mut server = TcpStream::connect(target).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut server).await;
    }

    /// The head of the last request, in lower case; empty before the first.
    pub(crate) fn last_head(&self) -> String {
        self.0.lock().unwrap().last().cloned().unwrap_or_default()
    }

    pub(crate) fn n_heads(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}
