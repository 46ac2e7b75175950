//! Passes SDP and candidates between the members of a room, with fresh TURN credentials in the join reply.
//!
//! [`rooms`] is the protocol's heart, a state machine without sockets. Two thin dialects bring messages to
//! it: Socket.IO v4 on `/socket.io/` and plain WebSocket on `/ws`. Beside them `/turn` and `/ice` hand
//! credentials to other applications. `docs/signaling.md` describes all of it from the outside.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

pub mod names;
pub mod rooms;

mod address;
mod bucket;
mod config;
mod credentials;
mod gate;
mod hub;
mod ice;
mod metrics;
mod protocol;
mod service;
mod session;
mod site;
mod socket_io;
mod standalone;
mod tuning;
mod web_socket;

pub use self::standalone::main;
pub use config::{Config, CredentialsConfig, Hidden, IceConfig, LimitsConfig, RoomsConfig};
pub use ice::{IceServers, SecretError};
pub use service::{Drained, SetupError, Signaling, router};
pub use tuning::tune;
