//! A TCP listener that no stranger can fill.
//!
//! Connections that ask for nothing cost a descriptor each, and the relay in the same process needs those.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use axum::serve::Listener;
use ipnet::IpNet;
use telemetry::warn_sparingly;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// How many connections may be open at a time; clones share the count.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    all: Arc<Semaphore>,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug)]
struct Counts {
    open: HashMap<IpAddr, usize>,
    /// The most that there were ever to be in all.
    most: usize,
    per_address: usize,
    proxies: Box<[IpNet]>,
}

impl Limits {
    /// `all` connections, `per_address` of them from one IPv4 address or IPv6 /64; `proxies` may use up all.
    pub(crate) fn new(all: usize, per_address: usize, proxies: &[IpNet]) -> Self {
        let most = all.min(Semaphore::MAX_PERMITS);
        Self {
            all: Arc::new(Semaphore::new(most)),
            counts: Arc::new(Mutex::new(Counts {
                open: HashMap::new(),
                most,
                per_address,
                proxies: proxies.into(),
            })),
        }
    }

    /// Counts within other limits from here on. Places that there were once stay: they keep strangers from all descriptors,
    /// and signaling knows a lower limit of its own.
    pub(crate) fn set(&self, all: usize, per_address: usize, proxies: &[IpNet]) {
        let mut counts = self.counts();
        let all = all.min(Semaphore::MAX_PERMITS);
        self.all.add_permits(all.saturating_sub(counts.most));
        counts.most = counts.most.max(all);
        counts.per_address = per_address;
        counts.proxies = proxies.into();
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection that was accepted elsewhere, or refuses one too many.
    pub(crate) fn admit_now(&self, ip: IpAddr) -> Option<Admission> {
        let permit = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let admitted = self.admit(ip)?;
        Some(Admission {
            _permit: permit,
            _admitted: admitted,
        })
    }

    /// Counts a connection, or refuses one too many of the same address.
    fn admit(&self, ip: IpAddr) -> Option<Admitted> {
        let ip = ip.to_canonical();
        let mut counts = self.counts();
        if counts.proxies.iter().any(|network| network.contains(&ip)) {
            return Some(Admitted {
                address: None,
                limits: self.clone(),
            });
        }
        let address = network_of(ip);
        let per_address = counts.per_address;
        let count = counts.open.entry(address).or_default();
        if *count >= per_address {
            return None;
        }
        *count += 1;
        Some(Admitted {
            address: Some(address),
            limits: self.clone(),
        })
    }
}

/// One site counts once: hosts choose freely within their IPv6 /64.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// A counted connection; dropped, it is counted no more.
#[derive(Debug)]
struct Admitted {
    address: Option<IpAddr>,
    limits: Limits,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut counts = self.limits.counts();
        if let Some(count) = counts.open.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.open.remove(&address);
            }
        }
    }
}

/// A connection's place within the [`Limits`]; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Admission {
    _permit: OwnedSemaphorePermit,
    _admitted: Admitted,
}

/// A listener that accepts within [`Limits`].
#[derive(Debug)]
pub(crate) struct Limited {
    pub(crate) listener: TcpListener,
    pub(crate) limits: Limits,
}

impl Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let Ok(permit) = Arc::clone(&self.limits.all).acquire_owned().await else {
                // Nobody closes the semaphore; without it there is nothing to accept.
                std::future::pending().await
            };
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if let Some(admitted) = self.limits.admit(address.ip()) {
                let admission = Admission {
                    _permit: permit,
                    _admitted: admitted,
                };
                return (
                    Connection {
                        stream,
                        _admission: admission,
                    },
                    address,
                );
            }
            warn_sparingly!("refused a connection: its address has too many open");
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that counts while it is open.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) _admission: Admission,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let limits = Limits::new(100, 2, &[]);
        let first = limits.admit(ip("192.0.2.1")).unwrap();
        let _second = limits.admit(ip("::ffff:192.0.2.1")).unwrap();
        assert!(limits.admit(ip("192.0.2.1")).is_none());
        assert!(limits.admit(ip("192.0.2.2")).is_some());
        drop(first);
        assert!(limits.admit(ip("192.0.2.1")).is_some());
    }

    #[test]
    fn an_ipv6_site_counts_as_one_address() {
        let limits = Limits::new(100, 1, &[]);
        let _held = limits.admit(ip("2001:db8:0:1::1")).unwrap();
        assert!(limits.admit(ip("2001:db8:0:1:ffff::2")).is_none());
        assert!(limits.admit(ip("2001:db8:0:2::1")).is_some());
    }

    #[test]
    fn a_trusted_proxy_stands_for_many() {
        let limits = Limits::new(100, 1, &["10.0.0.0/8".parse().unwrap()]);
        let held: Vec<_> = (0..5).map(|_| limits.admit(ip("10.0.0.1")).unwrap()).collect();
        assert_eq!(held.len(), 5);
        assert!(limits.counts().open.is_empty(), "and nothing is kept of it");
    }

    #[tokio::test]
    async fn what_is_one_too_many_is_closed_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut limited = Limited {
            listener,
            limits: Limits::new(100, 1, &[]),
        };
        let _first = TcpStream::connect(address).await.unwrap();
        let accepted = limited.accept().await;
        let second = TcpStream::connect(address).await.unwrap();
        let waiting = tokio::spawn(async move { limited.accept().await.1 });
        assert_eq!(
            tokio::io::AsyncReadExt::read(&mut { second }, &mut [0])
                .await
                .unwrap_or(0),
            0
        );
        drop(accepted);
        let third = TcpStream::connect(address).await.unwrap();
        assert_eq!(waiting.await.unwrap(), third.local_addr().unwrap());
    }

    #[test]
    fn limits_are_raised_and_lowered_while_connections_are_open() {
        let limits = Limits::new(2, 1, &[]);
        let first = limits.admit_now(ip("192.0.2.1")).unwrap();
        assert!(limits.admit_now(ip("192.0.2.1")).is_none());
        limits.set(3, 2, &[]);
        let second = limits.admit_now(ip("192.0.2.1")).unwrap();
        let third = limits.admit_now(ip("192.0.2.2")).unwrap();
        assert!(limits.admit_now(ip("192.0.2.3")).is_none(), "three in all");
        limits.set(2, 1, &["192.0.2.0/24".parse().unwrap()]);
        drop((first, second, third));
        let held: Vec<_> = (0..3).map(|_| limits.admit_now(ip("192.0.2.1"))).collect();
        assert!(
            held.iter().all(Option::is_some),
            "of a proxy as many as there are"
        );
    }
}
