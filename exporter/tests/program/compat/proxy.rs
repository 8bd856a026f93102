//! A wire between Prometheus and the program that can be cut.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};

/// Bytes of answers that pass once the wire is to be cut.
const LAST_BYTES: usize = 20_000;

/// Passes connections on.
pub(super) struct Proxy {
    pub(super) address: String,
    is_cut: Arc<AtomicBool>,
}

impl Proxy {
    /// Listens on a free loopback port, and passes everything on to an address.
    pub(super) async fn to(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap().to_string(),
            is_cut: Arc::default(),
        };
        let (address, is_cut) = (address.to_owned(), proxy.is_cut.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, address.clone(), is_cut.clone()));
            }
        });
        proxy
    }

    /// From now on a connection breaks after a few bytes of an answer.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, SeqCst);
    }

    pub(super) fn mend(&self) {
        self.is_cut.store(false, SeqCst);
    }
}

async fn pass(client: TcpStream, address: String, is_cut: Arc<AtomicBool>) {
    // Nobody there: the client sees its connection end.
    let Ok(server) = TcpStream::connect(address).await else {
        return;
    };
    let ((mut from_client, to_client), (from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        () = answer(from_server, to_client, &is_cut) => {}
    }
}

async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_cut: &AtomicBool) {
    let (mut buffer, mut n_since) = ([0; 4_096], 0);
    while let Ok(n_bytes @ 1..) = from.read(&mut buffer).await {
        n_since = if is_cut.load(SeqCst) {
            n_since + n_bytes
        } else {
            0
        };
        if n_since > LAST_BYTES || to.write_all(&buffer[..n_bytes]).await.is_err() {
            return;
        }
    }
}
