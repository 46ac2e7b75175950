//! TCP listeners, one a worker on the same address: the kernel spreads connections over them.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

/// Connections that may wait to be accepted; the kernel caps this at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Opens `count` listeners on one address, for as many workers.
///
/// The first is bound without sharing, so that a port held by another process, even by one that would share it, is
/// reported and not silently split with it.
///
/// # Errors
/// As `bind` and `listen` say.
pub fn open_listeners(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let first = socket(address)?;
    first.bind(&address.into())?;
    first.set_reuse_port(count > 1)?;
    first.listen(BACKLOG)?;
    let first = TcpListener::from(first);
    let address = first.local_addr()?;

    let mut listeners = vec![first];
    for _ in 1..count {
        let socket = socket(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        listeners.push(socket.into());
    }
    Ok(listeners)
}

/// An address of UDP that TCP shall be found beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Where it is, the port never 0.
    pub address: SocketAddr,
    /// Whether the operator chose the port, and not the system.
    pub of_choice: bool,
}

/// An address that cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on TCP {address}: {source}")]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

/// Opens the addresses of `neighbours`, on the same ports, each for `count` workers.
///
/// # Errors
/// [`ListenError`], unless only a port of the system's choice is taken: then another one is.
pub fn open_beside(neighbours: &[Neighbour], count: usize) -> Result<Vec<Vec<TcpListener>>, ListenError> {
    let open = |address| open_listeners(address, count).map_err(|source| ListenError { address, source });
    let beside = |neighbour: &Neighbour| match open(neighbour.address) {
        Err(error) if !neighbour.of_choice && error.source.kind() == io::ErrorKind::AddrInUse => {
            open(SocketAddr::new(neighbour.address.ip(), 0))
        }
        opened => opened,
    };
    neighbours.iter().map(beside).collect()
}

/// Says where `port` is beside `neighbours`, each address once; beside those of the system's choice it is, too.
pub fn beside(neighbours: &[Neighbour], port: u16) -> Vec<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for neighbour in neighbours {
        let port = if neighbour.of_choice { port } else { 0 };
        let address = SocketAddr::new(neighbour.address.ip(), port);
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Connections of a former run that linger in TIME-WAIT do not hold the port.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_the_systems_choice_may_be_another_one_for_tcp() {
        let taken = open_listeners("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let neighbour = |of_choice| Neighbour {
            address: taken[0].local_addr().unwrap(),
            of_choice,
        };
        let opened = open_beside(&[neighbour(false)], 2).unwrap();
        assert_eq!(opened[0].len(), 2);
        let error = open_beside(&[neighbour(true)], 1).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
        let tls = |of_choice| beside(&[neighbour(of_choice), neighbour(of_choice)], 5349);
        assert_eq!(tls(true), ["127.0.0.1:5349".parse().unwrap()]);
        assert_eq!(tls(false), ["127.0.0.1:0".parse().unwrap()]);
    }

    #[test]
    fn workers_share_an_address_that_nobody_else_may_take() {
        let listeners = open_listeners("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let address = listeners[0].local_addr().unwrap();
        assert!(
            listeners
                .iter()
                .all(|listener| listener.local_addr().unwrap() == address)
        );
        for count in [1, 2] {
            let error = open_listeners(address, count).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        }
    }
}
