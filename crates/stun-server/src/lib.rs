//! A STUN binding server over UDP, TCP and TLS with NAT behaviour discovery (RFC 5780).
//!
//! [`start`] binds the listeners and returns at once; worker threads ask `stun_core::answer` about each
//! datagram. With two addresses and two ports a worker holds four sockets, and the reply leaves by the one that
//! the client asked for. Over TCP and TLS, where nothing can answer from elsewhere, its attributes are unknown.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod config;
mod error;
mod metrics;
mod plan;
mod running;
mod standalone;
mod worker;

pub use self::standalone::{PROGRAM, main};
pub use config::{Behaviour, BehaviourAddress, Config, DEFAULT_FILE};
pub use error::{RunError, StartError};
pub use running::{Running, Surroundings, start};
