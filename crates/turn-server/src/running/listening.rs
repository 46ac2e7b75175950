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
    let beside: Vec<_> = opened.udp.iter().copied().zip(ports_of_choice).collect();
    for listeners in tcp(config, &beside, count)? {
        let address = opened.add(listeners)?;
        opened.tcp.push(address);
    }
    if has_certificate {
        for listeners in tls(config, &beside, count)? {
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

/// The addresses configured, or those `beside` them: UDP's, and whether their port was of the operator's choice.
fn tcp(config: &Config, beside: &[(SocketAddr, bool)], count: usize) -> Result<Vec<OfAll>, StartError> {
    const KEY: &str = "turn.listen_tcp";
    if let Some(addresses) = &config.listen_tcp {
        return addresses.iter().map(|&at| listen(KEY, at, count)).collect();
    }
    let same_port = |&(address, of_choice): &(SocketAddr, bool)| match listen(KEY, address, count) {
        // The system chose it among the ports of UDP; of those of TCP, somebody has it.
        Err(StartError::ListenTcp { source, .. })
            if !of_choice && source.kind() == io::ErrorKind::AddrInUse =>
        {
            listen(KEY, SocketAddr::new(address.ip(), 0), count)
        }
        opened => opened,
    };
    beside.iter().map(same_port).collect()
}

/// As [`tcp`], on the port of TLS.
fn tls(config: &Config, beside: &[(SocketAddr, bool)], count: usize) -> Result<Vec<OfAll>, StartError> {
    const KEY: &str = "turn.listen_tls";
    if let Some(addresses) = &config.listen_tls {
        return addresses.iter().map(|&at| listen(KEY, at, count)).collect();
    }
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for &(address, of_choice) in beside {
        let port = if of_choice { TLS_PORT } else { 0 };
        let address = SocketAddr::new(address.ip(), port);
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses.iter().map(|&at| listen(KEY, at, count)).collect()
}

fn listen(key: &'static str, address: SocketAddr, count: usize) -> Result<OfAll, StartError> {
    stream_io::open_listeners(address, count).map_err(|source| StartError::ListenTcp { key, address, source })
}
