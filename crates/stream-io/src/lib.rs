//! TCP and TLS connections of clients in a worker's loop: accepted, told apart, framed, sent to.
//!
//! A worker owns a [`Streams`] table beside its sockets and shares its `mio` registry with it. What arrives is cut into
//! frames, and each whole frame is a datagram in a slot of the worker's batch, [`Origin::Connection`] being where it
//! came from; from there on a core cannot tell it from one that came by UDP:
//!
//! ```text
//!   listener ─▶ accept ─▶ first bytes ─▶ read ─▶ frames ─▶ Batch of Slots ─▶ a core
//!                          client ◀─ one write a batch ◀─ queue, bounded ◀─ Streams::send
//! ```
//!
//! A TLS connection is first asked, by the protocols and the name in its ClientHello, whether it is for TURN or for the
//! web. What is for the web is given to a [`Door`] as it came, since its bytes were only looked at.
//!
//! A connection holds no buffer while nothing is unfinished, and there is neither a task nor a thread for it.
//!
//! [`Origin::Connection`]: datagram_io::Origin::Connection
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod census;
mod config;
mod connection;
mod counters;
mod deadlines;
mod first_bytes;
mod hello;
mod limits;
mod listen;
mod places;
mod pool;
mod proxy;
mod reception;
mod rules;
mod streams;
mod turns;

pub use census::{Census, Member};
pub use config::StreamsConfig;
pub use counters::{Counters, Ending};
pub use first_bytes::{FirstBytes, tell_apart};
pub use hello::{Hello, read_hello};
pub use limits::Limits;
pub use listen::{ListenError, Neighbour, beside, open_beside, open_listeners};
pub use proxy::{ProxyHeader, read_header};
pub use reception::{Door, Reception, Visitor};
pub use rules::{Destination, Rules, TURN_PROTOCOLS};
pub use streams::{Ended, FIRST_TOKEN, Streams, Taken};
