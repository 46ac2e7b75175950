//! Connections of the web that arrive on ports of TURN, passed on to a web server as they are.
//!
//! One thread of its own carries their bytes, so that no worker waits for a web server.

use std::{
    cell::Cell,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    thread,
    time::Duration,
};

use stream_io::{Door, Visitor};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    runtime,
    sync::{Semaphore, mpsc, oneshot},
    task::LocalSet,
    time::{Instant, sleep_until, timeout},
};
use tracing::debug;

use crate::config::SharedPort;

/// Connections that may wait for the thread.
const WAITING: usize = 256;
/// How long the web server may take to accept one.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection may be silent in both directions: more than any keep-alive of a web server.
const IDLE: Duration = Duration::from_secs(600);
/// Bytes carried at a time, in each direction.
const CHUNK: usize = 16 << 10;

/// Passes connections on until it is dropped; those under way are cut then.
pub(crate) struct Upstream {
    visitors: mpsc::Sender<Visitor>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Upstream {
    pub(crate) fn start(address: SocketAddr, config: &SharedPort) -> io::Result<Self> {
        let (visitors, arrivals) = mpsc::channel(WAITING);
        let (stop, stopped) = oneshot::channel();
        let passing = Passing {
            address,
            introduces: config.upstream_proxy_protocol,
            places: Arc::new(Semaphore::new(config.upstream_connections as usize)),
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new()
            .name("turn-upstream".to_owned())
            .spawn(move || {
                LocalSet::new().block_on(&runtime, async {
                    tokio::select! {
                        () = passing.attend(arrivals) => {}
                        // Its sender is gone.
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            visitors,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The way in; it refuses when too many wait.
    pub(crate) fn door(&self) -> Door {
        let visitors = self.visitors.clone();
        Arc::new(move |visitor| visitors.try_send(visitor).is_ok())
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

struct Passing {
    address: SocketAddr,
    introduces: bool,
    places: Arc<Semaphore>,
}

impl Passing {
    async fn attend(self, mut arrivals: mpsc::Receiver<Visitor>) {
        while let Some(visitor) = arrivals.recv().await {
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                // Dropped, it is closed.
                continue;
            };
            let (address, introduces) = (self.address, self.introduces);
            tokio::task::spawn_local(async move {
                let _place = place;
                let peer = visitor.peer;
                if let Err(error) = pass(visitor, address, introduces).await {
                    debug!(%peer, %error, "a web connection ended early");
                }
            });
        }
    }
}

async fn pass(visitor: Visitor, address: SocketAddr, introduces: bool) -> io::Result<()> {
    let (peer, local) = (visitor.peer, visitor.local);
    // Counted for its address until it ends.
    let _member = visitor.member;
    let mut client = TcpStream::from_std(visitor.stream)?;
    let mut server = timeout(CONNECT, TcpStream::connect(address)).await??;
    server.set_nodelay(true)?;
    if introduces {
        server.write_all(&introduction(peer, local)).await?;
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    let active = Cell::new(Instant::now());
    let carried = async {
        tokio::try_join!(
            carry(from_client, to_server, &active),
            carry(from_server, to_client, &active),
        )
    };
    tokio::select! {
        done = carried => done.map(drop),
        () = silence(&active) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Carries one direction to its end, and then says that it has ended.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    active: &Cell<Instant>,
) -> io::Result<()> {
    let mut bytes = vec![0; CHUNK];
    loop {
        let len = from.read(&mut bytes).await?;
        active.set(Instant::now());
        if len == 0 {
            return to.shutdown().await;
        }
        to.write_all(&bytes[..len]).await?;
        active.set(Instant::now());
    }
}

/// Ends once nothing was carried for long.
async fn silence(active: &Cell<Instant>) {
    loop {
        let end = active.get() + IDLE;
        if end <= Instant::now() {
            return;
        }
        sleep_until(end).await;
    }
}

/// A header of version 2 of the PROXY protocol (its specification, section 2.2).
fn introduction(peer: SocketAddr, local: SocketAddr) -> Vec<u8> {
    let mut addresses = Vec::with_capacity(36);
    let family = match (peer.ip(), local.ip()) {
        (IpAddr::V4(peer), IpAddr::V4(local)) => {
            addresses.extend(peer.octets());
            addresses.extend(local.octets());
            0x11
        }
        // A proxy in front of us may have another family than we have.
        (peer, local) => {
            addresses.extend(mapped(peer));
            addresses.extend(mapped(local));
            0x21
        }
    };
    addresses.extend(peer.port().to_be_bytes());
    addresses.extend(local.port().to_be_bytes());
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    header.push(family);
    header.extend((addresses.len() as u16).to_be_bytes());
    header.extend(addresses);
    header
}

fn mapped(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

#[cfg(test)]
mod tests {
    use stream_io::{ProxyHeader, read_header};

    use super::*;

    #[test]
    fn an_introduction_is_what_a_server_reads_from_a_proxy() {
        for (peer, local, told) in [
            ("192.0.2.7:50000", "203.0.113.1:443", "192.0.2.7:50000"),
            ("[2001:db8::7]:50000", "[2001:db8::1]:443", "[2001:db8::7]:50000"),
            ("192.0.2.7:50000", "[2001:db8::1]:443", "[::ffff:192.0.2.7]:50000"),
        ] {
            let header = introduction(peer.parse().unwrap(), local.parse().unwrap());
            let expected = ProxyHeader::Complete {
                len: header.len(),
                client: Some(told.parse().unwrap()),
            };
            assert_eq!(read_header(&header), expected);
        }
    }
}
