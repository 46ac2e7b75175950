//! Opens the addresses that clients reach.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use datagram_io::{Socket, is_missing_ipv6, open_listeners};
use tracing::info;

use crate::{Config, StartError};

/// What one worker listens on.
#[derive(Default)]
pub(super) struct Listeners {
    pub(super) datagrams: Vec<Socket>,
    pub(super) streams: Vec<TcpListener>,
}

/// Everything that is listened on.
pub(super) struct Opened {
    /// UDP addresses, ports never 0.
    pub(super) udp: Vec<SocketAddr>,
    /// TCP addresses, ports never 0.
    pub(super) tcp: Vec<SocketAddr>,
    pub(super) workers: Vec<Listeners>,
}

/// Opens every address for `count` workers.
pub(super) fn open(config: &Config, count: usize) -> Result<Opened, StartError> {
    let mut opened = Opened {
        udp: Vec::new(),
        tcp: Vec::new(),
        workers: (0..count).map(|_| Listeners::default()).collect(),
    };
    let mut ports_of_choice = Vec::new();
    for &address in &config.listen {
        let Some(sockets) = udp(config, address, count)? else {
            continue;
        };
        opened.udp.push(sockets[0].local_address());
        ports_of_choice.push(address.port() != 0);
        for (worker, socket) in opened.workers.iter_mut().zip(sockets) {
            worker.datagrams.push(socket);
        }
    }
    match &config.listen_tcp {
        Some(addresses) => {
            for &address in addresses {
                let listeners = tcp(address, count)?;
                opened.add_tcp(listeners)?;
            }
        }
        None => {
            for (address, of_choice) in opened.udp.clone().into_iter().zip(ports_of_choice) {
                let listeners = tcp_beside_udp(address, of_choice, count)?;
                opened.add_tcp(listeners)?;
            }
        }
    }
    Ok(opened)
}

impl Opened {
    fn add_tcp(&mut self, listeners: Vec<TcpListener>) -> Result<(), StartError> {
        let address = listeners[0].local_addr();
        self.tcp.push(address.map_err(|source| StartError::System {
            what: "a TCP listener",
            source,
        })?);
        for (worker, listener) in self.workers.iter_mut().zip(listeners) {
            worker.streams.push(listener);
        }
        Ok(())
    }
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

fn tcp(address: SocketAddr, count: usize) -> Result<Vec<TcpListener>, StartError> {
    stream_io::open_listeners(address, count).map_err(|source| StartError::ListenTcp { address, source })
}

/// The same port as UDP has; if that one was the system's choice and TCP has given it away, another one.
fn tcp_beside_udp(
    address: SocketAddr,
    of_choice: bool,
    count: usize,
) -> Result<Vec<TcpListener>, StartError> {
    match tcp(address, count) {
        Err(StartError::ListenTcp { source, .. })
            if !of_choice && source.kind() == io::ErrorKind::AddrInUse =>
        {
            tcp(SocketAddr::new(address.ip(), 0), count)
        }
        opened => opened,
    }
}
