//! What the core and the sockets call the same things.

use std::net::SocketAddr;

use datagram_io::{ConnectionId, HeaderFields, SocketId};
use turn_core::{FiveTuple, Link, ListenerId, RelayId, Transport};

/// A client by the connection it has to this `worker`.
pub(super) fn connected(
    worker: u16,
    id: ConnectionId,
    secure: bool,
    client: SocketAddr,
    server: SocketAddr,
) -> FiveTuple {
    FiveTuple {
        link: Link::Connection(turn_core::ConnectionId {
            worker,
            index: id.index,
            generation: id.generation,
        }),
        transport: if secure { Transport::Tls } else { Transport::Tcp },
        client,
        server,
    }
}

/// A connection of this `worker`; others have theirs.
pub(super) fn connection(worker: u16, id: turn_core::ConnectionId) -> Option<ConnectionId> {
    (id.worker == worker).then_some(ConnectionId {
        index: id.index,
        generation: id.generation,
    })
}

pub(super) fn listener(id: ListenerId) -> SocketId {
    SocketId {
        index: id.0.into(),
        generation: 0,
    }
}

pub(super) fn relay_id(listeners: u32, socket: SocketId) -> RelayId {
    RelayId {
        index: socket.index - listeners,
        generation: socket.generation,
    }
}

pub(super) fn relay_socket(listeners: u32, relay: RelayId) -> SocketId {
    SocketId {
        index: listeners + relay.index,
        generation: relay.generation,
    }
}

/// What sockets read out of an IP header, in the words of the core.
pub(super) fn arrived(fields: HeaderFields) -> turn_core::HeaderFields {
    turn_core::HeaderFields {
        hop_limit: fields.hop_limit,
        traffic_class: fields.traffic_class,
        dont_fragment: fields.dont_fragment,
    }
}

/// What the core wants in an IP header, in the words of the sockets.
pub(super) fn leaving(fields: turn_core::HeaderFields) -> HeaderFields {
    HeaderFields {
        hop_limit: fields.hop_limit,
        traffic_class: fields.traffic_class,
        dont_fragment: fields.dont_fragment,
    }
}
