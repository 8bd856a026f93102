//! Connections over real sockets.

use super::*;
use crate::metrics::Metrics;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A listener with room for so many, and its address.
fn listener(max: usize) -> (Listener, SocketAddr) {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    let metrics = Metrics::new().unwrap().connections;
    let listener = Listener::new(socket, Connections::new(max, metrics)).unwrap();
    (listener, address)
}

/// Reads until the connection ends, as the server's own task would.
async fn until_it_ends(mut stream: Watched) -> io::ErrorKind {
    let mut buf = [0; 64];
    loop {
        match stream.read(&mut buf).await {
            Ok(0) => return io::ErrorKind::UnexpectedEof,
            Ok(_) => {}
            Err(error) => return error.kind(),
        }
    }
}

#[tokio::test]
async fn where_all_places_are_taken_the_longest_idle_connection_gives_way() {
    let (listener, address) = listener(2);
    let mut clients = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..4 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nX-").await.unwrap();
        clients.push(client);
        let (stream, _) = listener.accept_stream().await.unwrap();
        ends.push(tokio::spawn(until_it_ends(stream)));
    }
    for end in ends.drain(..2) {
        assert_eq!(end.await.unwrap(), io::ErrorKind::ConnectionAborted);
    }
    assert_eq!(listener.connections.open().by_number.len(), 2);
    assert!(ends.iter().all(|end| !end.is_finished()));
}

#[tokio::test]
async fn connections_that_are_worked_for_give_no_way_and_others_are_refused() {
    let (listener, address) = listener(1);
    let first = TcpStream::connect(address).await.unwrap();
    let (busy, _) = listener.accept_stream().await.unwrap();
    busy.connection().enter(Stage::Working);
    let mut second = TcpStream::connect(address).await.unwrap();
    let refused = async {
        let mut buf = [0; 1];
        // The end of the connection, or its reset.
        matches!(second.read(&mut buf).await, Ok(0) | Err(_))
    };
    tokio::select! {
        _ = listener.accept_stream() => panic!("there is no room"),
        refused = refused => assert!(refused),
    }
    drop((first, busy));
    let _third = TcpStream::connect(address).await.unwrap();
    assert!(listener.accept_stream().await.is_ok());
}

#[tokio::test]
async fn a_caller_who_takes_nothing_is_given_up() {
    let (listener, address) = listener(1);
    let _client = TcpStream::connect(address).await.unwrap();
    let (mut stream, _) = listener.accept_stream().await.unwrap();
    let connection = Arc::clone(stream.connection());
    connection.enter(Stage::Working);
    tokio::time::pause();
    let piece = vec![b'x'; 1 << 20];
    let error = loop {
        if let Err(error) = stream.write_all(&piece).await {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(connection.waiting_since().is_some());
}

#[test]
fn half_of_the_descriptors_are_kept_for_all_else() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let half = limit.unwrap_or(u64::MAX) / 2;
    assert!(affordable(usize::MAX) as u64 <= half);
    assert_eq!(affordable(3), 3);
}
