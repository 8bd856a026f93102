//! A receiver of remote write that answers as it is told and keeps what it got.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use remote_read::{
    Limits,
    write::{self, Protocol},
};
use series::Series;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use url::Url;

/// What one request got for an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) words: &'static str,
}

pub(crate) const fn told(status: u16) -> Told {
    Told {
        status,
        headers: &[],
        words: "",
    }
}

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) headers: HeaderMap,
    /// Read as its content type says; nothing where the receiver was told to be deaf to 2.0.
    pub(crate) series: Vec<Series>,
}

#[derive(Debug, Default)]
struct Memory {
    /// Answers to give in turn; then 204.
    script: VecDeque<Told>,
    got: Vec<Got>,
}

#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    memory: Arc<Mutex<Memory>>,
    pub(crate) url: Url,
}

impl Receiver {
    pub(crate) async fn start(script: impl IntoIterator<Item = Told>) -> Self {
        let memory = Memory {
            script: script.into_iter().collect(),
            got: Vec::new(),
        };
        let memory = Arc::new(Mutex::new(memory));
        let router = Router::new()
            .route("/push", post(receive))
            .with_state(memory.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/push", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            memory,
            url: url.parse().unwrap(),
        }
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.memory.lock().unwrap().got.clone()
    }
}

async fn receive(
    State(memory): State<Arc<Mutex<Memory>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = headers["content-type"].to_str().unwrap();
    let protocol = Protocol::of_content_type(content_type).unwrap();
    let series = write::decode(protocol, &body, &Limits::default()).unwrap();
    let mut memory = memory.lock().unwrap();
    let told = memory.script.pop_front().unwrap_or(told(204));
    memory.got.push(Got { headers, series });
    let status = StatusCode::from_u16(told.status).unwrap();
    let mut response = (status, told.words).into_response();
    for (name, value) in told.headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}
