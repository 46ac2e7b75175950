//! A TURN relay (RFC 8656) over UDP and TCP: the shell of sockets and threads around turn-core.
//!
//! [`start`] binds the listeners, spreads them over worker threads, and returns at once. Each worker owns its
//! sockets and its `turn_core::Server` and shares nothing on the way of a datagram.
//!
//! Connections over TCP live in the worker that accepted them: `stream_io` cuts what they bring into frames, and a frame
//! goes the way of a datagram. Connections to the peers of TCP allocations (RFC 6062) are `peer_io`'s, which carries their
//! bytes without asking.
//!
//! ```text
//!  listener ─▶ Batch ─▶ handle_client ─▶ relay socket ─▶ peer
//!  client ◀─ listener ◀─ handle_peer ◀─ Batch ◀─ relay socket
//!                └─ a peer that is a relay of another worker ─▶ its Inbox ─▶ handle_errand
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod address;
mod admin;
mod alternates;
mod clock;
mod config;
mod directory;
mod drain;
mod error;
mod figures;
mod hosts;
mod ledger;
mod metrics;
mod plan;
mod reloader;
mod revoker;
mod running;
mod standalone;
mod upstream;
mod worker;

pub use self::standalone::{PROGRAM, main};
pub use config::{
    Admin, Alternate, AlternateMode, AlternateServer, AlternateTransport, Channels, Coalesce, CoalesceError,
    Config, DEFAULT_FILE, Destination, Dtls, HeaderFields, Hidden, Lifetimes, Limits, Mobility, Oauth,
    OauthAlgorithm, OauthKey, PeerRange, PeerRangeError, Peers, ProxyProtocol, Relay, RelayAddress,
    SharedPort, Streams, TcpRelay, WHILE_RUNNING,
};
pub use error::{RunError, StartError};
pub use reloader::{Prepared, Reloader};
pub use revoker::{RevokeError, Revoker};
pub use running::{Running, Surroundings, start};
pub use stream_io::{Door, Visitor};

/// Says what this library was built with or without: `DTLS (OpenSSL 3.0.22)`, or `without DTLS`.
pub fn built_with() -> String {
    worker::dtls::built_with()
}
