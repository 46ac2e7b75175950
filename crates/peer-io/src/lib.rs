//! TCP connections to peers in a worker's loop: listened for, made, and joined with a client's.
//!
//! A worker owns a [`Peers`] table beside its sockets and shares its `mio` registry with it. The table listens on
//! relayed transport addresses and connects from them; what has happened, it tells as [`Happening`]s. Once a peer's
//! connection is [joined](Peers::join) with a client's, bytes go both ways without a word to anybody, by splice(2)
//! where both ends are plain sockets, until both have ended or one breaks:
//!
//! ```text
//!   client ─▶ socket ─▶ pipe ─▶ socket ─▶ peer       or, within TLS:  socket ─▶ session ─▶ socket
//! ```
//!
//! A connection holds a pipe or a buffer only while its receiver is slower than its sender, and is not read meanwhile:
//! the window closes. Nothing is read from a peer before it is joined.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod flow;
mod joint;
mod peers;
mod side;
mod stream;
mod tools;

pub use joint::Client;
pub use peers::{FIRST_TOKEN, Happening, Peers};
pub use stream::{Stream, pair};
pub use tools::PIPE_DESCRIPTORS;
