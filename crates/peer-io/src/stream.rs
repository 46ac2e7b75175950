//! The sockets of peers: nonblocking streams, bound to relayed transport addresses.

use std::{
    io,
    net::SocketAddr,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
};

use mio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};

/// Peers that may wait to be accepted: an allocation has few connections.
const BACKLOG: i32 = 32;

/// A stream to a peer, or to what stands in for one.
#[derive(Debug)]
pub struct Stream(pub(crate) Socket);

/// Makes two streams that are each other's peer, without a network.
///
/// # Errors
/// If there are no descriptors for them.
pub fn pair() -> io::Result<(Stream, Stream)> {
    let (one, other) = UnixStream::pair()?;
    one.set_nonblocking(true)?;
    other.set_nonblocking(true)?;
    Ok((Stream::from_fd(one), Stream::from_fd(other)))
}

/// Listens on a relayed transport address, from which [`connect`] leaves, too.
///
/// The port is shared only once it is ours, so that one held by somebody else is reported.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.bind(&address.into())?;
    socket.set_reuse_port(true)?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Begins to connect from a relayed transport address that is listened on.
pub(crate) fn connect(from: SocketAddr, to: SocketAddr) -> io::Result<Stream> {
    let socket = socket(from)?;
    socket.set_reuse_port(true)?;
    socket.bind(&from.into())?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
        Ok(()) | Err(_) => {}
    }
    Ok(Stream(socket))
}

fn socket(local: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(local), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Connections of a former allocation that linger in TIME-WAIT do not hold the port.
    socket.set_reuse_address(true)?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

impl Stream {
    pub(crate) fn from_fd(fd: impl Into<OwnedFd>) -> Self {
        Self(Socket::from(fd.into()))
    }

    /// What is written leaves at once: whoever wrote it has decided about its segments.
    pub(crate) fn set_nodelay(&self) {
        // A stream without a network has no such option and no need of it.
        let _ = self.0.set_tcp_nodelay(true);
    }

    /// Whether an attempt to connect has come to an end, and how.
    pub(crate) fn connected(&self) -> Option<bool> {
        match self.0.take_error() {
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => return Some(false),
        }
        match self.0.peer_addr() {
            Ok(_) => Some(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOTCONN) => None,
            Err(_) => Some(false),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn connections_leave_from_the_port_that_is_listened_on() {
        let relay = listen(loopback(0)).unwrap();
        let from = relay.local_addr().unwrap();
        let peers = [0, 1].map(|_| std::net::TcpListener::bind(loopback(0)).unwrap());
        for peer in peers {
            let stream = connect(from, peer.local_addr().unwrap()).unwrap();
            assert_eq!(peer.accept().unwrap().1, from);
            assert_eq!(stream.connected(), Some(true));
        }
        let arriving = std::net::TcpStream::connect(from).unwrap();
        assert_eq!(relay.accept().unwrap().1, arriving.local_addr().unwrap());
    }

    #[test]
    fn a_port_that_is_listened_on_is_not_listened_on_again() {
        let relay = listen(loopback(0)).unwrap();
        let error = listen(relay.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let plain = std::net::TcpListener::bind(loopback(0)).unwrap();
        let error = listen(plain.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_port_is_free_again_although_a_connection_lingers() {
        let relay = listen(loopback(0)).unwrap();
        let address = relay.local_addr().unwrap();
        let arriving = std::net::TcpStream::connect(address).unwrap();
        let accepted = relay.accept().unwrap();
        drop((accepted, relay));
        drop(arriving);
        listen(address).unwrap();
    }

    #[test]
    fn a_refused_connection_is_told_from_one_under_way() {
        let relay = listen(loopback(0)).unwrap();
        let closed = std::net::TcpListener::bind(loopback(0))
            .unwrap()
            .local_addr()
            .unwrap();
        let outcome = connect(relay.local_addr().unwrap(), closed);
        assert!(outcome.is_err() || outcome.is_ok_and(|stream| stream.connected() == Some(false)));
    }
}
