//! What the server wants done: one verdict a datagram, and effects that go beyond it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use arrayvec::ArrayVec;

use crate::{
    counters::AuthFailure,
    errand::Errand,
    types::{FiveTuple, PeerConnectionId, RelayId, RelayTransport},
};

/// Says what becomes of the datagram that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The packet's window holds what must be sent.
    Send {
        /// Which of our sockets sends it.
        via: Via,
        /// Where it goes.
        to: SocketAddr,
    },
    /// Nothing is sent.
    Drop(DropReason),
    /// Nothing is sent: it was a word from another worker.
    Done,
    /// The answer follows as [`Output::SendToClient`], once a relay socket is open or a peer is connected.
    Pending,
    /// The packet's window holds the answer to ConnectionBind. Send it on the client's connection: from the next
    /// byte on, in both directions, that connection carries the bytes of this peer and no messages
    /// (RFC 6062 §5.4). Bytes of the client that came after the request are the peer's already.
    Bind {
        /// The client's connection.
        client: FiveTuple,
        /// Whose bytes it carries.
        peer: PeerConnectionId,
    },
    /// The connection is to carry the bytes of a peer that another worker is connected to. Hand it over with this
    /// message still unread; that worker answers it.
    HandOver {
        /// The worker, counted as in `Share`.
        worker: u16,
    },
}

/// Says which socket sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The link of this five-tuple, from its server address; it goes to its client.
    Client(FiveTuple),
    /// This relay socket.
    Relay(RelayId),
    /// No socket: another worker has to do with it. Hand it the bytes; it calls
    /// `handle_errand(now, errand, packet)`.
    Worker {
        /// The worker, counted as in `Share`.
        worker: u16,
        /// What it is to do.
        errand: Errand,
    },
}

/// Asks the shell for an effect, or tells it about an event worth a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Opens a socket bound to `address`; one for TCP listens there, and its port can be connected from at the same
    /// time. **Answer each with exactly one `relay_opened`.**
    OpenRelay {
        /// The name the socket gets.
        relay: RelayId,
        /// The local address to bind.
        address: SocketAddr,
        /// What peers speak to it.
        transport: RelayTransport,
    },
    /// Closes a relay socket that was opened before.
    CloseRelay {
        /// Its name.
        relay: RelayId,
    },
    /// Connects from a relayed transport address to a peer. **Answer with one `peer_connected`, unless
    /// [`Output::ClosePeer`] comes first.**
    ConnectPeer {
        /// The name the connection gets.
        peer: PeerConnectionId,
        /// The local address to bind; a TCP relay listens there.
        from: SocketAddr,
        /// The peer.
        to: SocketAddr,
    },
    /// Connects a relay of ours to another one, without a network between: one end is `peer`, the other one goes to
    /// `relay_arrived` of the worker that owns `to`. **Answer as for [`Output::ConnectPeer`];** it failed if
    /// `relay_arrived` refused.
    ConnectRelay {
        /// The name the connection gets here.
        peer: PeerConnectionId,
        /// The worker that owns the other relay, which may be this one; counted as in `Share`.
        worker: u16,
        /// The relayed transport address it comes from, as clients know it.
        from: SocketAddr,
        /// The local form of the relayed transport address it goes to.
        to: SocketAddr,
    },
    /// Closes the connection to a peer, and the client's connection that carries its bytes if there is one.
    ClosePeer {
        /// Its name.
        peer: PeerConnectionId,
    },
    /// Sends a deferred answer.
    SendToClient {
        /// Whom it goes to, and from where.
        to: FiveTuple,
        /// The UDP payload, or a message on a stream.
        datagram: Vec<u8>,
    },
    /// A client got its relay.
    AllocationCreated {
        /// Whose it is.
        five_tuple: FiveTuple,
        /// The username as sent; it is a stranger's text, so escape it.
        username: Box<str>,
        /// The relayed transport addresses as the client sees them.
        relayed: ArrayVec<SocketAddr, 2>,
        /// The time granted.
        lifetime: Duration,
    },
    /// Hands an errand without a datagram to another worker. **It may get lost when that worker does not keep up.**
    Tell {
        /// The worker, counted as in `Share`.
        worker: u16,
        /// What it is told.
        errand: Errand,
    },
    /// Tells that a client's connection serves an allocation now, or no longer, beside what `AllocationCreated`,
    /// `ClientMoved` and `AllocationEnded` say. It may be another worker's.
    HoldConnection {
        /// The client.
        client: FiveTuple,
        /// Whether it does.
        held: bool,
    },
    /// A client sends from another address and kept its allocation.
    ClientMoved {
        /// Where it was.
        from: FiveTuple,
        /// Where it is.
        to: FiveTuple,
        /// The username as sent; it is a stranger's text, so escape it.
        username: Box<str>,
    },
    /// Somebody tried a name, a password or a token that is not right. **The address is proven**: it belongs to a connection, or
    /// the request brought the nonce that was sent there within the nonce's lifetime. Only with `Config::tell_wrong_guesses`.
    GuessedWrong {
        /// Where he is.
        five_tuple: FiveTuple,
        /// What was wrong.
        failure: AuthFailure,
    },
    /// An allocation is gone.
    AllocationEnded {
        /// Whose it was.
        five_tuple: FiveTuple,
        /// The username as sent; it is a stranger's text, so escape it.
        username: Box<str>,
        /// Why.
        reason: EndReason,
        /// When it was made.
        created_at: Instant,
    },
}

/// Says why an allocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The client sent a Refresh with lifetime 0.
    Freed,
    /// The lifetime passed without a Refresh.
    Expired,
    /// The relay socket could not be opened; the client was told.
    NotOpened,
    /// The client's connection is gone.
    Disconnected,
    /// The username it was made with was taken back.
    Revoked,
}

/// Says why a relay socket could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another program has the port: another one is tried.
    #[error("the port is in use")]
    AddressInUse,
    /// The process may open no more files.
    #[error("too many open files")]
    TooManyDescriptors,
    /// The machine does not have the address.
    #[error("no such local address")]
    AddressNotAvailable,
    /// Anything else.
    #[error("the socket cannot be opened")]
    Other,
}

/// Declares [`DropReason`] once, with its labels beside it.
macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $reason:ident => $name:literal,)+) => {
        /// Says why a datagram died. Each reason has its own counter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum DropReason { $($(#[doc = $doc])+ $reason,)+ }

        impl DropReason {
            /// Every reason, in the order counters keep them.
            pub const ALL: &'static [Self] = &[$(Self::$reason,)+];

            /// Names the reason as metrics label it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$reason => $name,)+ }
            }
        }
    };
}

drop_reasons! {
    /// No bytes at all.
    Empty => "empty",
    /// The first byte belongs to no protocol spoken here (RFC 7983).
    NotTurn => "not_turn",
    /// Neither a STUN message nor ChannelData, though it began like one.
    Malformed => "malformed",
    /// FINGERPRINT does not match.
    BadFingerprint => "bad_fingerprint",
    /// A response; only requests and indications come from clients.
    Response => "response",
    /// A request or indication with a method that is not served here.
    UnknownMethod => "unknown_method",
    /// A Binding indication: a keepalive, which asks for nothing.
    Keepalive => "keepalive",
    /// From one of our own listeners: answering could loop for ever.
    OwnListener => "own_listener",
    /// From a port whose owner answers anything (0, 17, 19, 53, 123): answering could loop for ever.
    ReflectingPort => "reflecting_port",
    /// The answer would exceed its allowance over the request, for an address that proved nothing.
    Amplification => "amplification",
    /// The network this came from had its share of answers to unproven addresses.
    RateLimited => "rate_limited",
    /// The buffer has no room for the answer or the header.
    NoRoom => "no_room",
    /// No allocation has this five-tuple.
    NoAllocation => "no_allocation",
    /// The client's connection is gone; it may come back with its mobility ticket.
    ClientAway => "client_away",
    /// There are as many clients here of other workers as there may be.
    TooManyMoved => "too_many_moved",
    /// The relay is gone or not open yet.
    NoRelay => "no_relay",
    /// No permission for this peer, or it expired.
    NoPermission => "no_permission",
    /// The channel is not bound, or its binding expired.
    ChannelUnbound => "channel_unbound",
    /// The allocation has no relay of the peer's family.
    PeerFamily => "peer_family",
    /// The peer is one of our own listeners, or may be reached as one of our relays only.
    PeerForbidden => "peer_forbidden",
    /// A Send indication without XOR-PEER-ADDRESS or DATA, or with broken ones.
    IncompleteSend => "incomplete_send",
    /// An indication with a comprehension-required attribute that is not known here.
    UnknownAttribute => "unknown_attribute",
    /// Its TTL or hop limit does not last for another hop.
    HopLimit => "hop_limit",
    /// A message too long for UDP once its header is in front.
    TooLong => "too_long",
    /// An ICMP error of a type that clients are not told of (RFC 8656 §11.5).
    IcmpType => "icmp_type",
    /// The Binding request was refused without an answer.
    BindingRefused => "binding_refused",
    /// Another server asks whether clients are taken here, and this one is about to end.
    Draining => "draining",
    /// A Send indication for a TCP allocation, whose peers get no datagrams.
    TcpAllocation => "tcp_allocation",
}

impl DropReason {
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_drop_reason_has_its_own_label_and_its_own_counter() {
        let names: BTreeSet<_> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), DropReason::ALL.len());
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), index);
            assert!(
                reason
                    .name()
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            );
        }
    }
}
