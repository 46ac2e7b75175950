//! Opens the addresses that clients reach.

use std::net::{SocketAddr, TcpListener};

use datagram_io::{Socket, is_missing_ipv6, open_listeners};
use stream_io::{ListenError, Neighbour, beside, open_beside};
use tracing::{info, warn};

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
        Ok(sockets) => {
            enlarge(config, address, &sockets);
            Ok(Some(sockets))
        }
        Err(error) if config.listens_by_default() && is_missing_ipv6(address, &error) => {
            info!(%address, "this machine has no IPv6, listening on IPv4 only");
            Ok(None)
        }
        Err(source) => Err(StartError::Listen { address, source }),
    }
}

/// A burst that finds no room is lost before anybody could count it.
fn enlarge(config: &Config, address: SocketAddr, sockets: &[Socket]) {
    let wanted = config.listen_buffer;
    let given = sockets.iter().map(|socket| socket.ask_for_buffers(wanted));
    match given.min_by_key(|given| given.as_ref().ok().copied()) {
        Some(Ok(given)) if given < wanted => warn!(
            %address,
            wanted,
            given,
            "bursts may be lost: the kernel gives listeners smaller buffers than turn.listen_buffer asks for; raise \
             net.core.rmem_max and net.core.wmem_max, or ask for less"
        ),
        Some(Err(error)) => warn!(%address, %error, "the size of a listener's buffer is not known"),
        Some(Ok(_)) | None => {}
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpStream;

    use super::*;

    /// The kernel deals connections out by a hash of their addresses: five standard deviations are 80.
    #[test]
    fn a_thousand_tcp_clients_are_spread_over_the_workers() {
        let config = Config {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            ..Config::default()
        };
        let opened = open(&config, false, 2).unwrap();
        let listeners: Vec<_> = opened.workers.iter().map(|worker| &worker.streams[0]).collect();
        for listener in &listeners {
            listener.set_nonblocking(true).unwrap();
        }
        let mut accepted = [0; 2];
        for _ in 0..1000 {
            let _client = TcpStream::connect(opened.tcp[0]).unwrap();
            for (listener, count) in listeners.iter().zip(&mut accepted) {
                *count += usize::from(listener.accept().is_ok());
            }
        }
        assert_eq!(accepted.iter().sum::<usize>(), 1000);
        assert!(
            accepted.iter().all(|count| (420..=580).contains(count)),
            "{accepted:?}"
        );
    }

    #[test]
    fn a_listener_tells_what_buffer_the_kernel_gives_it() {
        let sockets = open_listeners("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let modest = 1 << 16;
        assert_eq!(sockets[0].ask_for_buffers(modest).unwrap(), modest);
        let most = std::fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap();
        let most: usize = most.trim().parse().unwrap();
        assert_eq!(sockets[0].ask_for_buffers(most + 4096).unwrap(), most);
    }
}
