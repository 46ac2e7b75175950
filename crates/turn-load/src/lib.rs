//! Loads any TURN server with allocations and datagrams, and measures what comes through.
//!
//! [`measure`] makes the allocations of a [`Plan`] at a [`Server`], loads them, and tells in [`Round`] what it cost. Clients
//! and peers are both here, so that every datagram is checked where it arrives and its latency is told by one clock:
//!
//! ```text
//!            ┌── Ends: clients' sockets ──▶ server ──▶ relays ──┐
//!   Flows ───┤    (many addresses, sendmmsg)                    ├──▶ Tally
//!            └── Ends: peers' sockets   ◀── relays ◀── server ◀─┘
//! ```
//!
//! It shares the codec with our own server and nothing of its state machine, so that a mistake there is not made here too.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod account;
mod client;
mod control;
mod drops;
mod ends;
mod error;
mod flows;
mod load;
mod measure;
mod metric;
mod payload;
mod plan;
pub mod process;
pub mod rounds;
mod set_up;
mod tally;
mod trust;
mod worker;

pub use account::Account;
pub use control::Control;
pub use error::{Error, Refusal};
pub use measure::{Round, measure};
pub use metric::{Figures, Metric};
pub use payload::MIN_PAYLOAD;
pub use plan::{Direction, Load, Pace, Plan, Server, Subject, Tls, Traffic, Transport};
pub use trust::{TrustError, Trusted, authorities};
