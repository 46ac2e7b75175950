//! Opens the addresses that clients reach.

use std::net::{SocketAddr, TcpListener};

use datagram_io::{Socket, is_missing_ipv6, open_listeners};
use stream_io::{ListenError, Neighbour, beside, open_beside};
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
    /// Further TCP addresses, for TLS.
    pub(super) tls: Vec<SocketAddr>,
    pub(super) workers: Vec<Listeners>,
}

/// Where TURN over TLS is found unless a URI says otherwise (RFC 7065 §3.2).
const TLS_PORT: u16 = 5349;

/// A TCP listener for each worker, on one address.
type OfAll = Vec<TcpListener>;

/// Opens every address for `count` workers, those for TLS only if there is a certificate.
pub(super) fn open(config: &Config, has_certificate: bool, count: usize) -> Result<Opened, StartError> {
    let mut opened = Opened {
        udp: Vec::new(),
        tcp: Vec::new(),
        tls: Vec::new(),
        workers: (0..count).map(|_| Listeners::default()).collect(),
    };
    let mut neighbours = Vec::new();
    for &address in &config.listen {
        let Some(sockets) = udp(config, address, count)? else {
            continue;
        };
        opened.udp.push(sockets[0].local_address());
        neighbours.push(Neighbour {
            address: sockets[0].local_address(),
            of_choice: address.port() != 0,
        });
        for (worker, socket) in opened.workers.iter_mut().zip(sockets) {
            worker.datagrams.push(socket);
        }
    }
    for listeners in tcp(config, &neighbours, count)? {
        let address = opened.add(listeners)?;
        opened.tcp.push(address);
    }
    if has_certificate {
        for listeners in tls(config, &neighbours, count)? {
            let address = opened.add(listeners)?;
            opened.tls.push(address);
        }
    }
    Ok(opened)
}

impl Opened {
    fn add(&mut self, listeners: OfAll) -> Result<SocketAddr, StartError> {
        let address = listeners[0].local_addr().map_err(|source| StartError::System {
            what: "a TCP listener",
            source,
        })?;
        for (worker, listener) in self.workers.iter_mut().zip(listeners) {
            worker.streams.push(listener);
        }
        Ok(address)
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

/// The addresses configured, or those of UDP.
fn tcp(config: &Config, neighbours: &[Neighbour], count: usize) -> Result<Vec<OfAll>, StartError> {
    const KEY: &str = "turn.listen_tcp";
    if let Some(addresses) = &config.listen_tcp {
        return listen(KEY, addresses, count);
    }
    open_beside(neighbours, count).map_err(|ListenError { address, source }| StartError::ListenTcp {
        key: KEY,
        address,
        source,
    })
}

/// The addresses configured, or those of UDP on the port of TLS.
fn tls(config: &Config, neighbours: &[Neighbour], count: usize) -> Result<Vec<OfAll>, StartError> {
    const KEY: &str = "turn.listen_tls";
    match &config.listen_tls {
        Some(addresses) => listen(KEY, addresses, count),
        None => listen(KEY, &beside(neighbours, TLS_PORT), count),
    }
}

fn listen(key: &'static str, addresses: &[SocketAddr], count: usize) -> Result<Vec<OfAll>, StartError> {
    let open = |&address: &SocketAddr| {
        stream_io::open_listeners(address, count).map_err(|source| StartError::ListenTcp {
            key,
            address,
            source,
        })
    };
    addresses.iter().map(open).collect()
}
