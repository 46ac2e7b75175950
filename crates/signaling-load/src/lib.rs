//! Loads any signaling server with clients in rooms of two, and measures what comes through.
//!
//! [`measure`] opens the connections of a [`Plan`], lets each two of them join a room and exchange an offer, an answer and
//! candidates, and tells in [`Found`] how long that took. Both members of a room are here, so that the time a signal takes is
//! told by one clock:
//!
//! ```text
//!   Load ── Stage ──▶ Room ──▶ Client ──▶ server ──▶ Client ──▶ Room ── Told ──▶ Tally
//! ```
//!
//! It shares nothing with our own server, so that a mistake there is not made here too.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod client;
mod control;
mod dialect;
mod failed;
mod load;
pub mod owner;
mod plan;
mod room;
pub mod sockets;
mod tally;

pub use control::{Control, Progress};
pub use dialect::Dialect;
pub use load::{Error, measure};
pub use plan::Plan;
pub use tally::{Delivery, Found, Memory};
