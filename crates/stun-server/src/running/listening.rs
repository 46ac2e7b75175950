//! Opens the addresses that clients reach.

use std::net::{SocketAddr, TcpListener};

use datagram_io::{Socket, is_missing_ipv6, open_listeners};
use stream_io::{ListenError, Neighbour, open_beside};
use tracing::info;

use crate::{Config, StartError};

/// What one worker listens on.
#[derive(Default)]
pub(super) struct Listeners {
    pub(super) datagrams: Vec<Socket>,
    pub(super) streams: Vec<TcpListener>,
}

/// Everything that is listened on, ports never 0.
pub(super) struct Opened {
    pub(super) udp: Vec<SocketAddr>,
    pub(super) tcp: Vec<SocketAddr>,
    pub(super) workers: Vec<Listeners>,
}

/// Opens the `wanted` addresses for UDP and those of TCP, for `count` workers.
pub(super) fn open(config: &Config, wanted: &[SocketAddr], count: usize) -> Result<Opened, StartError> {
    let mut opened = Opened {
        udp: Vec::new(),
        tcp: Vec::new(),
        workers: (0..count).map(|_| Listeners::default()).collect(),
    };
    let mut neighbours = Vec::new();
    for &address in wanted {
        let Some(sockets) = udp(config, address, count)? else {
            continue;
        };
        let neighbour = Neighbour {
            address: sockets[0].local_address(),
            of_choice: address.port() != 0,
        };
        opened.udp.push(neighbour.address);
        neighbours.push(neighbour);
        for (worker, socket) in opened.workers.iter_mut().zip(sockets) {
            worker.datagrams.push(socket);
        }
    }
    for listeners in tcp(config, &neighbours, count)? {
        let address = listeners[0].local_addr().map_err(|source| StartError::System {
            what: "a TCP listener",
            source,
        })?;
        opened.tcp.push(address);
        for (worker, listener) in opened.workers.iter_mut().zip(listeners) {
            worker.streams.push(listener);
        }
    }
    Ok(opened)
}

/// Opens one address for all workers; `None` if it is skipped because nobody asked for it by name.
fn udp(config: &Config, address: SocketAddr, count: usize) -> Result<Option<Vec<Socket>>, StartError> {
    match open_listeners(address, count) {
        Ok(sockets) => Ok(Some(sockets)),
        Err(error) if config.listens_by_default() && is_missing_ipv6(address, &error) => {
            info!(%address, "this machine has no IPv6, listening on IPv4 only");
            Ok(None)
        }
        Err(source) => Err(StartError::Listen { address, source }),
    }
}

/// The addresses configured, or those of UDP; a listener for each worker.
fn tcp(config: &Config, neighbours: &[Neighbour], count: usize) -> Result<Vec<Vec<TcpListener>>, StartError> {
    let opened = match &config.listen_tcp {
        Some(addresses) => addresses
            .iter()
            .map(|&address| {
                stream_io::open_listeners(address, count).map_err(|source| ListenError { address, source })
            })
            .collect(),
        None => open_beside(neighbours, count),
    };
    opened.map_err(|ListenError { address, source }| StartError::ListenTcp { address, source })
}
