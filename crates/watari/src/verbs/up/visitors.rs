//! Web connections that came in on a port of TURN.
//!
//! A worker of the relay has looked at the first bytes of a connection, found HTTP or a browser's TLS, and hands it over
//! as it is. From here on it is a connection like those of the web listeners, within the same limits.

use std::{
    future::pending,
    io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
};

use axum::serve::Listener;
use telemetry::warn_sparingly;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use turn_server::Door;

use super::limited::{Admission, Connection, Limits};

/// Where the relay's workers hand connections over.
pub(super) struct Entrance {
    limits: Limits,
    // As long as the limits allow: each waiting connection has its admission.
    waiting: UnboundedSender<Visit>,
}

struct Visit {
    stream: TcpStream,
    peer: SocketAddr,
    admission: Admission,
}

/// The other side of an [`Entrance`], which accepts as a listener does.
pub(super) struct Visitors(UnboundedReceiver<Visit>);

impl Entrance {
    /// An entrance within these limits.
    pub(super) fn new(limits: Limits) -> (Self, Visitors) {
        let (waiting, visits) = unbounded_channel();
        (Self { limits, waiting }, Visitors(visits))
    }

    /// The same as the relay wants it.
    pub(super) fn door(self) -> Door {
        Arc::new(move |visitor| self.receive(visitor.stream, visitor.peer))
    }

    /// Takes a connection of which nothing has been read, or refuses it: then it is to be closed.
    ///
    /// Called by workers of the relay: it neither waits nor reads.
    fn receive(&self, stream: TcpStream, peer: SocketAddr) -> bool {
        let Some(admission) = self.limits.admit_now(peer.ip()) else {
            warn_sparingly!("refused a web connection on a port of TURN: too many are open");
            return false;
        };
        let visit = Visit {
            stream,
            peer,
            admission,
        };
        self.waiting.send(visit).is_ok()
    }
}

impl Listener for Visitors {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let Some(visit) = self.0.recv().await else {
                // The relay is gone, and with it the door.
                pending().await
            };
            let stream = visit.stream;
            let taken = stream
                .set_nonblocking(true)
                .and_then(|()| tokio::net::TcpStream::from_std(stream));
            match taken {
                Ok(stream) => {
                    let connection = Connection {
                        stream,
                        _admission: visit.admission,
                    };
                    return (connection, visit.peer);
                }
                Err(error) => {
                    tracing::debug!(peer = %visit.peer, %error, "a connection could not be taken over")
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok((Ipv4Addr::UNSPECIFIED, 0).into())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    /// A connection to ourselves: the client's side and the accepted one.
    fn connection() -> (TcpStream, TcpStream, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, peer) = listener.accept().unwrap();
        (client, accepted, peer)
    }

    #[tokio::test]
    async fn a_visitor_is_accepted_with_the_address_that_the_relay_tells() {
        let (entrance, mut visitors) = Entrance::new(Limits::new(10, 10, &[]));
        let (_client, accepted, _) = connection();
        let real: SocketAddr = "198.51.100.7:4000".parse().unwrap();
        assert!(entrance.receive(accepted, real));
        assert_eq!(visitors.accept().await.1, real);
    }

    #[tokio::test]
    async fn visitors_count_within_the_limits_and_make_room_again() {
        let (entrance, mut visitors) = Entrance::new(Limits::new(10, 1, &[]));
        let receive = || {
            let (client, accepted, peer) = connection();
            (entrance.receive(accepted, peer), client)
        };
        let first = receive();
        assert!(first.0);
        let (is_taken, mut second) = receive();
        assert!(!is_taken);
        assert_eq!(second.read(&mut [0]).unwrap_or(0), 0, "and closed");
        drop(visitors.accept().await);
        assert!(receive().0);
    }

    #[test]
    fn nobody_is_taken_after_the_end() {
        let (entrance, visitors) = Entrance::new(Limits::new(10, 10, &[]));
        drop(visitors);
        let (_client, accepted, peer) = connection();
        assert!(!entrance.receive(accepted, peer));
    }
}
