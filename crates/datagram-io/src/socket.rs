//! UDP sockets as a relay needs them: nonblocking, one address family each, sized for their purpose.

use std::{
    cell::Cell,
    io,
    net::{IpAddr, SocketAddr},
};

use mio::net::UdpSocket;
use socket2::{Domain, Protocol, Type};

use crate::Reported;

/// Listeners carry everyone's traffic through one queue; the kernel caps this at `net.core.rmem_max`.
pub const LISTENER_BUFFER: usize = 8 << 20;
/// A relay socket serves one client: room for the longest datagram or about fifty of a video frame's.
pub const RELAY_BUFFER: usize = 64 << 10;

/// A bound UDP socket.
#[derive(Debug)]
pub struct Socket {
    pub(crate) io: UdpSocket,
    pub(crate) local: SocketAddr,
    /// Whether the kernel queues ICMP errors for it, and then tells of one in place of a datagram, too.
    pub(crate) reports_errors: bool,
    /// Which header fields it reads.
    pub(crate) reported: Reported,
    /// Whether its datagrams leave with DF at the moment.
    pub(crate) dont_fragment: Cell<bool>,
    /// To whom the last datagram was that was too long to leave with DF, until the kernel has told why.
    pub(crate) too_long_for: Cell<Option<SocketAddr>>,
    /// Whether runs arrive in one piece.
    pub(crate) joins_runs: bool,
    /// How many runs were refused since the last one that was sent.
    pub(crate) runs_refused: Cell<u8>,
}

impl Socket {
    /// The address it is bound to, the port never 0.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// Whether it is bound to a wildcard address, so that each datagram tells its own destination.
    pub fn is_wildcard(&self) -> bool {
        self.local.ip().is_unspecified()
    }

    /// Asks for buffers of so many bytes in both directions, and returns how many the kernel gives to what is received.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn ask_for_buffers(&self, bytes: usize) -> io::Result<usize> {
        let socket = socket2::SockRef::from(&self.io);
        enlarge(bytes, |size| socket.set_recv_buffer_size(size));
        enlarge(bytes, |size| socket.set_send_buffer_size(size));
        let given = socket.recv_buffer_size()?;
        // Linux counts its own overhead, too, and so doubles what it was asked for.
        Ok(if cfg!(target_os = "linux") {
            given / 2
        } else {
            given
        })
    }

    fn new(socket: socket2::Socket) -> io::Result<Self> {
        let io = UdpSocket::from_std(socket.into());
        let local = io.local_addr()?;
        Ok(Self::at(local, io))
    }

    fn at(local: SocketAddr, io: UdpSocket) -> Self {
        Self {
            io,
            local,
            reports_errors: false,
            reported: Reported::default(),
            dont_fragment: Cell::new(false),
            too_long_for: Cell::new(None),
            joins_runs: false,
            runs_refused: Cell::new(0),
        }
    }
}

/// Opens `count` sockets on one address, for as many workers: the kernel spreads clients over them.
///
/// The first is bound without sharing, so that a port held by another process, even by one that would
/// share it, is reported and not silently split with it.
///
/// # Errors
/// As `bind` says: [`io::ErrorKind::AddrInUse`], [`io::ErrorKind::AddrNotAvailable`], or
/// `EAFNOSUPPORT` where the family is switched off.
pub fn open_listeners(address: SocketAddr, count: usize) -> io::Result<Vec<Socket>> {
    let first = listener(address)?;
    first.bind(&address.into())?;
    if count > 1 {
        first.set_reuse_port(true)?;
    }
    let first = Socket::new(first)?;
    let address = first.local_address();

    let mut sockets = vec![first];
    for _ in 1..count {
        let socket = listener(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        sockets.push(Socket::new(socket)?);
    }
    Ok(sockets)
}

/// Finds two addresses that cannot both be listened on, as places in the list: the same one twice, or one and the
/// wildcard address of its family with the same port.
pub fn overlapping(addresses: &[SocketAddr]) -> Option<(usize, usize)> {
    let overlap = |one: &SocketAddr, other: &SocketAddr| {
        let same_port = one.port() == other.port() && one.port() != 0;
        let covered = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
        same_port && covered && one.is_ipv4() == other.is_ipv4()
    };
    let mut pairs = (0..addresses.len()).flat_map(|later| (0..later).map(move |earlier| (earlier, later)));
    pairs.find(|&(earlier, later)| overlap(&addresses[earlier], &addresses[later]))
}

/// Says what to do about an `address`, set by `key`, that could not be bound; empty or a sentence after ". ".
pub fn bind_advice(address: SocketAddr, error: &io::Error, key: &str) -> String {
    advice(address, error, key, "ss -lunp")
}

/// As [`bind_advice`], for an address of a TCP listener.
pub fn tcp_bind_advice(address: SocketAddr, error: &io::Error, key: &str) -> String {
    advice(address, error, key, "ss -ltnp")
}

fn advice(address: SocketAddr, error: &io::Error, key: &str, lister: &str) -> String {
    let port = address.port();
    if error.kind() == io::ErrorKind::AddrInUse {
        format!(
            ". Another program holds the port: `{lister} 'sport = :{port}'` shows which. Stop it, or choose \
             another address in {key}"
        )
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        format!(". Ports below 1024 need the capability CAP_NET_BIND_SERVICE: grant it, or correct {key}")
    } else if error.kind() == io::ErrorKind::AddrNotAvailable {
        format!(". No interface has that address: `ip address` lists those there are. Correct {key}")
    } else {
        String::new()
    }
}

/// Whether an address could not be bound because the machine has no IPv6.
pub fn is_missing_ipv6(address: SocketAddr, error: &io::Error) -> bool {
    let unknown_family = error.raw_os_error() == Some(libc::EAFNOSUPPORT);
    address.is_ipv6() && (unknown_family || error.kind() == io::ErrorKind::AddrNotAvailable)
}

/// Opens a socket on a relayed transport address, shared with nobody, that asks for so many bytes of `buffer` for what it
/// receives.
///
/// # Errors
/// As `socket` and `bind` say.
pub fn open_relay(address: SocketAddr, buffer: usize) -> io::Result<Socket> {
    let socket = udp(address)?;
    enlarge(buffer, |size| socket.set_recv_buffer_size(size));
    socket.bind(&address.into())?;
    Ok(Socket::at(address, UdpSocket::from_std(socket.into())))
}

fn listener(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = udp(address)?;
    enlarge(LISTENER_BUFFER, |size| socket.set_recv_buffer_size(size));
    enlarge(LISTENER_BUFFER, |size| socket.set_send_buffer_size(size));
    #[cfg(target_os = "linux")]
    if address.ip().is_unspecified() {
        crate::linux::report_destinations(&socket, address.ip())?;
    }
    Ok(socket)
}

fn udp(address: SocketAddr) -> io::Result<socket2::Socket> {
    let (domain, protocol) = (Domain::for_address(address), Some(Protocol::UDP));
    // Two system calls fewer where an allocation is made.
    #[cfg(target_os = "linux")]
    let socket = socket2::Socket::new(domain, Type::DGRAM.nonblocking(), protocol)?;
    #[cfg(not(target_os = "linux"))]
    let socket = socket2::Socket::new(domain, Type::DGRAM, protocol)?;
    #[cfg(not(target_os = "linux"))]
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    #[cfg(target_os = "linux")]
    crate::linux::allow_fragments(&socket, address.ip())?;
    Ok(socket)
}

/// Less is not worth asking for.
const SMALLEST_BUFFER: usize = 4 << 10;

/// Linux cuts a size it does not permit, the BSDs refuse it: so halve until it is taken.
fn enlarge(mut size: usize, set: impl Fn(usize) -> io::Result<()>) {
    while size >= SMALLEST_BUFFER && set(size).is_err() {
        size /= 2;
    }
}

/// Undoes ::ffff:a.b.c.d, so that one host has one name; clears what is no part of the address.
pub(crate) fn plain(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(mut v6) => {
            if let Some(v4) = v6.ip().to_ipv4_mapped() {
                return SocketAddr::new(IpAddr::V4(v4), v6.port());
            }
            v6.set_flowinfo(0);
            SocketAddr::V6(v6)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_held_by_another_socket_is_reported_even_if_it_would_share() {
        let ours = open_listeners("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let refused = open_listeners(ours[0].local_address(), 2).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        let advice = bind_advice("0.0.0.0:3478".parse().unwrap(), &refused, "turn.listen");
        for part in ["ss -lunp 'sport = :3478'", "turn.listen"] {
            assert!(advice.contains(part), "{advice}");
        }
    }

    #[test]
    fn all_listeners_of_one_address_share_the_port_the_kernel_chose() {
        let sockets = open_listeners("[::1]:0".parse().unwrap(), 3).unwrap();
        assert_ne!(sockets[0].local_address().port(), 0);
        assert!(
            sockets
                .iter()
                .all(|socket| socket.local_address() == sockets[0].local_address())
        );
    }

    #[test]
    fn both_families_can_listen_on_the_same_port() {
        let v4 = open_listeners("0.0.0.0:0".parse().unwrap(), 1).unwrap();
        let port = v4[0].local_address().port();
        let v6 = open_listeners(SocketAddr::new("::".parse().unwrap(), port), 1).unwrap();
        assert!(v6[0].is_wildcard());
    }

    #[test]
    fn a_machine_without_ipv6_is_told_from_other_trouble() {
        let (v4, v6) = ("0.0.0.0:1".parse().unwrap(), "[::]:1".parse().unwrap());
        let no_family = io::Error::from_raw_os_error(libc::EAFNOSUPPORT);
        assert!(is_missing_ipv6(v6, &no_family) && !is_missing_ipv6(v4, &no_family));
        assert!(!is_missing_ipv6(v6, &io::ErrorKind::AddrInUse.into()));
    }

    #[test]
    fn addresses_that_exclude_each_other_are_found() {
        let list = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        assert_eq!(
            overlapping(&list(&["0.0.0.0:1", "[::]:1", "127.0.0.1:2", "127.0.0.2:2"])),
            None
        );
        assert_eq!(overlapping(&list(&["127.0.0.1:0", "127.0.0.1:0"])), None);
        assert_eq!(
            overlapping(&list(&["[::1]:1", "127.0.0.1:1", "0.0.0.0:1"])),
            Some((1, 2))
        );
        assert_eq!(
            overlapping(&list(&["[::1]:1", "127.0.0.1:1", "[::1]:1"])),
            Some((0, 2))
        );
    }

    #[test]
    fn a_v4_mapped_address_is_shown_as_ipv4() {
        let mapped = plain("[::ffff:192.0.2.1]:7".parse().unwrap());
        assert_eq!(mapped, "192.0.2.1:7".parse().unwrap());
    }
}
