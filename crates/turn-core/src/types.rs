//! The words every other module speaks: who sent, when, and which relay.

use std::{
    fmt,
    hash::{Hash, Hasher},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use stun_wire::AddressFamily;

/// Holds one reading of both clocks, taken once a batch of datagrams.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For deadlines: never goes back.
    pub instant: Instant,
    /// Time since 1970, for nonces and credentials that carry a date.
    pub unix: Duration,
}

/// Names a listening UDP socket of the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId(pub u16);

/// Names a client's own connection (TCP, TLS or DTLS) in the shell. The index is dense; the generation tells a
/// slot's present tenant from its former ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// The worker that has it, counted as in `Share`.
    pub worker: u16,
    /// Place in the shell's table.
    pub index: u32,
    /// How often that place was given away before.
    pub generation: u32,
}

/// Says where bytes for a client leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Link {
    /// By a listening socket that it shares with other clients.
    Listener(ListenerId),
    /// By its own connection.
    Connection(ConnectionId),
}

/// Says how bytes travel between a client and the server (RFC 8656 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream, in which ChannelData is padded (RFC 8656 §12.5).
    Tcp,
    /// A stream within TLS.
    Tls,
    /// Datagrams within DTLS (RFC 7350).
    Dtls,
}

impl Transport {
    /// Every transport, in the order counters keep them.
    pub const ALL: [Self; 4] = [Self::Udp, Self::Tcp, Self::Tls, Self::Dtls];

    /// Names the transport as metrics label it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Dtls => "dtls",
        }
    }

    /// Tells whether bytes arrive in a stream without bounds of its own.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }
}

/// Identifies a client's connection to the server (RFC 8656 §2). IPv4 addresses mapped into IPv6 are
/// already unmapped by the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FiveTuple {
    /// Where answers leave.
    pub link: Link,
    /// How the client speaks to us.
    pub transport: Transport,
    /// Where the client sends from, as seen here.
    pub client: SocketAddr,
    /// The address of ours it sent to; answers leave from it.
    pub server: SocketAddr,
}

impl FiveTuple {
    /// A client that sends datagrams to a listener.
    pub fn udp(listener: ListenerId, client: SocketAddr, server: SocketAddr) -> Self {
        Self {
            link: Link::Listener(listener),
            transport: Transport::Udp,
            client,
            server,
        }
    }

    /// Tells whether answers reach the client and nobody else: a connection was set up before, by a handshake that
    /// went both ways.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.link, Link::Connection(_))
    }
}

impl Hash for FiveTuple {
    /// Every datagram of a client is found by it: so it is packed into a few words instead of a word for each field.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let link = match self.link {
            Link::Listener(ListenerId(id)) => u64::from(id),
            Link::Connection(id) => {
                state.write_u16(id.worker);
                u64::from(id.index) << 32 | u64::from(id.generation)
            }
        };
        let ports =
            u64::from(self.client.port()) << 32 | u64::from(self.server.port()) << 16 | self.transport as u64;
        match (self.client.ip(), self.server.ip()) {
            (IpAddr::V4(client), IpAddr::V4(server)) => {
                state.write_u64(u64::from(client.to_bits()) << 32 | u64::from(server.to_bits()));
            }
            (client, server) => {
                for ip in [client, server] {
                    state.write_u128(match ip {
                        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
                        IpAddr::V6(ip) => ip.to_bits(),
                    });
                }
            }
        }
        state.write_u64(ports);
        state.write_u64(link);
    }
}

/// Names a relay socket. The index is dense, so that a shell keeps its sockets in a `Vec`; the generation
/// tells a slot's present tenant from its former ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelayId {
    /// Place in the table.
    pub index: u32,
    /// How often that place was given away before.
    pub generation: u32,
}

/// Says what a relayed transport address speaks towards peers (RFC 8656 §18.8, REQUESTED-TRANSPORT).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelayTransport {
    /// Datagrams.
    Udp,
    /// Connections (RFC 6062).
    Tcp,
}

/// Names a connection between a TCP relay and a peer, the peer data connection of RFC 6062. The index is dense;
/// the generation tells a slot's present tenant from its former ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerConnectionId {
    /// Place in the table.
    pub index: u32,
    /// How often that place was given away before.
    pub generation: u32,
}

/// Names such a connection to its client: the value of CONNECTION-ID (RFC 6062 §6.2.1). Which worker made it is
/// part of it, see [`Share::owner_of_connection`](crate::Share::owner_of_connection).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionNumber(pub u32);

/// Tells the two address families apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both families, in the order counters keep them.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// Tells an address's family.
    pub fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Names the family as metrics label it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }

    pub(crate) fn index(self) -> usize {
        match self {
            Self::V4 => 0,
            Self::V6 => 1,
        }
    }
}

impl From<AddressFamily> for Family {
    fn from(family: AddressFamily) -> Self {
        match family {
            AddressFamily::V4 => Self::V4,
            AddressFamily::V6 => Self::V6,
        }
    }
}

impl From<Family> for AddressFamily {
    fn from(family: Family) -> Self {
        match family {
            Family::V4 => Self::V4,
            Family::V6 => Self::V6,
        }
    }
}

/// Holds the eight random bytes that claim a reserved port (RFC 8656 §18.9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReservationToken(pub [u8; 8]);

impl fmt::Debug for ReservationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReservationToken(..)")
    }
}

/// Names the two forms of a relayed transport address: where the socket is bound and what peers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RelayedAddress {
    /// Where the socket is bound.
    pub local: SocketAddr,
    /// What XOR-RELAYED-ADDRESS shows; differs from `local` behind a 1:1 NAT. The port is the same.
    pub external: SocketAddr,
}
