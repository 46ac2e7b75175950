//! Passes SDP and candidates between the members of a room, with fresh TURN credentials in the join reply.
//!
//! [`rooms`] is the heart, a state machine without sockets. Thin dialects bring messages to it: Socket.IO v4
//! on `/socket.io/`, with the events of classic samples, plain WebSocket on `/ws`, PeerJS below `/peerjs` and
//! y-webrtc on `/y-webrtc`. Beside them `/turn` and `/ice` hand
//! credentials to other applications. `docs/signaling.md` describes all of it from the outside.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

#[doc(hidden)]
pub mod exercise;
pub mod names;
pub mod rooms;

mod address;
mod bucket;
mod config;
mod credentials;
mod descriptors;
mod dialects;
mod doors;
mod gate;
mod hub;
mod ice;
mod journal;
mod meter;
mod metrics;
mod problem;
mod service;
mod session_token;
mod site;
mod standalone;
mod terms;
mod tuning;

pub use self::standalone::{PROGRAM, main};
pub use config::{
    AdminConfig, ClassicConfig, ClusterConfig, Config, CredentialsConfig, Hidden, IceConfig, KeyAlgorithm,
    LimitsConfig, NodeConfig, PeerJsConfig, ResumeConfig, RoomKeyConfig, RoomTokensConfig, RoomsConfig,
    WHILE_RUNNING, YWebRtcConfig,
};
pub use doors::RoomKeyError;
pub use hub::ClusterError;
pub use ice::{IceServers, SecretError};
pub use service::{Drained, SetupError, Signaling, router};
pub use terms::{Prepared, Reloader};
pub use tuning::tune;
