//! DTLS sessions of clients (RFC 7350) over a worker's datagrams.
//!
//! [`Sessions`] owns no socket and reads no clock. A worker hands it each datagram whose first byte is that of a
//! DTLS record, with the [`Path`] it came by, and gets plaintext back; it hands it plaintext and gets a datagram.
//!
//! ```text
//! ClientHello ──▶ receive ──▶ Answer: a HelloVerifyRequest; nothing is kept
//! ClientHello with the cookie ──▶ receive ──▶ Transmit: a flight of the handshake
//! application data ──▶ receive ──▶ Data ──▶ the core          the core ──▶ seal ──▶ one datagram
//! ```
//!
//! **Call [`Sessions::begin_round`] once in each turn of the loop, or no handshake begins.**
//!
//! **Drain [`Sessions::poll_ended`] to `None` after every `receive`, `next` and `handle_timeout`.**
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod contexts;
mod counters;
mod deadlines;
mod ending;
mod handshake;
mod session;
mod sessions;
mod sieve;
mod table;
mod wire;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use dtls_cookie::Way;

pub use counters::{Counters, DropReason, Outcome};
pub use sessions::{Limits, Received, Sealed, Sessions, Transmit};
pub use table::SessionId;

/// The way between a client and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// The shell's listener.
    pub listener: u32,
    /// Where the client is.
    pub client: SocketAddr,
    /// The address of ours it sends to.
    pub server: SocketAddr,
}

impl Path {
    fn way(&self) -> Way {
        Way {
            client: self.client,
            server: self.server,
        }
    }
}

/// Tells which OpenSSL is linked, as it names itself.
pub fn openssl_version() -> &'static str {
    openssl::version::version()
}
