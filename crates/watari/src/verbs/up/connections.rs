//! HTTP/1.1 on the connections of one listener.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::serve::Listener;
use lifecycle::Shutdown;
use tokio::task::JoinSet;

use super::{limited::Connection, service::Service};

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For the TLS handshake, and for the head of a request, counted from when it could have begun: an idle
    /// connection ends too.
    pub(super) head: Duration,
    /// For answers that are under way once the end was asked for.
    pub(super) drain: Duration,
}

/// Answers what `listener` accepts until the shutdown, then ends what is open.
pub(super) async fn serve(
    mut listener: impl Listener<Io = Connection, Addr = SocketAddr>,
    service: Service,
    patience: Patience,
    shutdown: Shutdown,
) -> Result<(), Infallible> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (mut connection, peer) = listener.accept() => {
                signaling::tune(&mut connection.stream);
                connections.spawn(service.clone().attend(connection, peer, patience.head, shutdown.clone()));
            }
            Some(_) = connections.join_next() => {}
            () = shutdown.wait() => break,
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(patience.drain, drained).await.is_err() {
        tracing::debug!(left = connections.len(), "connections are cut");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use axum::{Router, extract::ConnectInfo, routing::get};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        task::JoinHandle,
    };

    use super::*;
    use crate::verbs::up::limited::{Limited, Limits};

    const HEAD: Duration = Duration::from_secs(1);

    async fn server(per_address: usize) -> (SocketAddr, Shutdown, JoinHandle<Result<(), Infallible>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits::new(100, per_address, &[]);
        let slow = || async {
            tokio::time::sleep(2 * HEAD).await;
            "late"
        };
        let whom = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() };
        let router = Router::new().route("/", get(whom)).route("/slow", get(slow));
        let patience = Patience {
            head: HEAD,
            drain: 10 * HEAD,
        };
        let shutdown = Shutdown::new();
        let served = serve(
            Limited { listener, limits },
            Service::plain(router),
            patience,
            shutdown.clone(),
        );
        (address, shutdown, tokio::spawn(served))
    }

    /// What the server sends until it closes the connection, or nothing if it resets it.
    async fn rest(mut stream: TcpStream) -> String {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes));
        // A reset ends the connection as well as a close does.
        let _ = read.await.expect("the connection is still open after 10 s");
        String::from_utf8(bytes).unwrap()
    }

    async fn ask(address: SocketAddr, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn unfinished_heads_are_cut_off_and_make_room_for_others() {
        let (address, _shutdown, _served) = server(3).await;
        let start = Instant::now();
        let unfinished = ask(address, "GET / HTTP/1.1\r\nHost: a\r\n").await;
        let silent = ask(address, "").await;
        let idle = ask(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let refused = ask(address, "").await;
        assert_eq!(rest(refused).await, "", "the address has its share");
        assert!(start.elapsed() < HEAD, "{:?}", start.elapsed());
        assert!(!rest(unfinished).await.contains("200 OK"));
        assert!(!rest(silent).await.contains("200 OK"));
        assert!(rest(idle).await.ends_with("127.0.0.1"));
        assert!(start.elapsed() >= HEAD, "{:?}", start.elapsed());
        let answer = rest(ask(address, "GET / HTTP/1.0\r\n\r\n").await).await;
        assert!(answer.starts_with("HTTP/1.0 200 OK"), "{answer}");
    }

    #[tokio::test]
    async fn an_answer_may_take_longer_than_a_head_and_is_finished_at_the_end() {
        let (address, shutdown, served) = server(3).await;
        let stream = ask(address, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
        tokio::time::sleep(HEAD).await;
        shutdown.request();
        let answer = rest(stream).await;
        assert!(answer.ends_with("late"), "{answer}");
        served.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
