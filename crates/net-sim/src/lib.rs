//! A seeded in-memory internet for tests: hosts, NATs in RFC 4787 words, latency, loss, a clock.
//!
//! Nothing here opens a socket or waits. The test sends datagrams with [`Internet::send`] and moves time
//! with [`Internet::advance`], which hands over one delivery after another. **The same seed and the same
//! calls give the same deliveries at the same virtual times.**
//!
//! ```
//! use std::time::Duration;
//! use net_sim::{Internet, Link, NatConfig};
//!
//! let mut net = Internet::new(7);
//! let server = net.add_host(&["203.0.113.1".parse().unwrap()], Link::perfect());
//! let home = net.add_nat(NatConfig::symmetric(), &["198.51.100.1".parse().unwrap()], Link::perfect());
//! let laptop = net.add_host_behind(home, &["192.168.1.2".parse().unwrap()], Link::perfect());
//!
//! net.send(laptop, "192.168.1.2:4000".parse().unwrap(), "203.0.113.1:3478".parse().unwrap(), b"hello");
//! let delivery = net.advance(net.now() + Duration::from_secs(1)).unwrap();
//! assert_eq!(delivery.host, server);
//! assert_eq!(delivery.datagram.source.ip(), "198.51.100.1".parse::<std::net::IpAddr>().unwrap());
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod clock;
mod internet;
mod link;
mod nat;
mod queue;
mod routing;
mod topology;
mod trace;

pub use clock::Clock;
pub use internet::{Datagram, Delivery, Internet};
pub use link::Link;
pub use nat::{Behaviour, NatConfig};
pub use topology::{HostId, NatId};
pub use trace::{DropReason, Event, TraceEntry};
