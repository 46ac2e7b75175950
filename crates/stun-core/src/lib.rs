//! Answers Binding requests, NAT behaviour discovery (RFC 5780) included, as one pure function.
//!
//! [`answer`] takes one datagram and what it must know of it, writes the reply over it in the same buffer and says from
//! which address to which it goes. It holds no state. Replies are small (see [`Reply`]), so that nobody gains by using
//! the server against a third party whose address he forges.

#![warn(clippy::iter_over_hash_type)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod behaviour;
mod reply;
mod request;
mod source;

use std::net::SocketAddr;

use stun_wire::ParseError;
use thiserror::Error;

pub use behaviour::{Behaviour, BehaviourError, MappedAddress};

use request::Request;

/// What a Binding server is told once.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Value of SOFTWARE, at most 763 bytes; sent when it makes the reply no larger than [`Reply`] allows.
    pub software: Option<String>,
    /// Whether RFC 3489 requests, which have no magic cookie, are answered.
    pub classic: bool,
    /// The sets of two addresses and two ports for RFC 5780: none, or one for each family.
    pub behaviours: Vec<Behaviour>,
    /// The addresses that this process listens on; an unspecified one stands for its port on the address a request
    /// came to. Nothing that comes from them is answered.
    pub listeners: Vec<SocketAddr>,
}

/// Where a datagram came from and which of our addresses it reached; both already unmapped from `::ffff:0:0/96`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The client, or the last NAT in front of it.
    pub source: SocketAddr,
    /// The local address and port, never an unspecified address.
    pub destination: SocketAddr,
    /// Whether the client set up a connection or session, so that its address is not forged.
    pub connected: bool,
}

/// A reply that stands at the start of the buffer.
///
/// It is at most 1.6 times as long as the request, but for two cases that have no smaller answer: IPv6 addresses
/// (44 bytes, to a request of 20–27) and listeners of RFC 5780, which tell their other address in every answer
/// (56 bytes over IPv4, 92 over IPv6). A request with PADDING gets no more bytes than it has itself, if it is at least
/// as long as the answer without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Length in bytes.
    pub len: usize,
    /// Which of our local addresses sends it.
    pub from: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
}

/// Why a datagram gets no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Refused {
    /// Not a STUN message.
    #[error("malformed: {0}")]
    Malformed(ParseError),
    /// FINGERPRINT is present and wrong: the datagram belongs to another protocol or was damaged.
    #[error("the fingerprint does not match")]
    Fingerprint,
    /// A response or an indication: two servers would answer each other for ever.
    #[error("not a request")]
    NotRequest,
    /// A request with another method.
    #[error("not a Binding request")]
    NotBinding,
    /// From a port where a service would answer our answer: 0, 17, 19, 53, 123.
    #[error("from a port that is never answered")]
    SourcePort,
    /// From an address that no client can have: unspecified, multicast or broadcast.
    #[error("from an address that is never answered")]
    SourceAddress,
    /// From one of our own listeners.
    #[error("from one of our own listeners")]
    OwnListener,
    /// The buffer has no room for the reply.
    #[error("no room for the reply")]
    NoRoom,
}

impl Refused {
    /// Names the reason in snake case: fit for a metrics label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Fingerprint => "fingerprint",
            Self::NotRequest => "not_request",
            Self::NotBinding => "not_binding",
            Self::SourcePort => "source_port",
            Self::SourceAddress => "source_address",
            Self::OwnListener => "own_listener",
            Self::NoRoom => "no_room",
        }
    }
}

/// Room in bytes for the longest reply to a request without PADDING.
///
/// An RFC 5780 answer over IPv6 with the longest SOFTWARE and FINGERPRINT has 872.
pub const REPLY_ROOM: usize = 1024;

/// Answers the datagram in `buffer[..len]`: success, 400 or 420 (RFC 8489 §6.3.1, RFC 5780 §6.1).
///
/// The reply is written over it from the start of the buffer, which should have room for [`REPLY_ROOM`] bytes.
/// RFC 3489 requests are answered when [`Config::classic`] is set. No credentials are asked for, so integrity
/// attributes are read over.
pub fn answer(config: &Config, received: Received, buffer: &mut [u8], len: usize) -> Result<Reply, Refused> {
    source::check(config, received)?;
    let datagram = buffer.get(..len).ok_or(Refused::NoRoom)?;
    let request = Request::read(config, received, datagram)?;
    reply::write(config, received, &request, buffer).map_err(|_| Refused::NoRoom)
}
