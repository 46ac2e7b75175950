//! Batches of datagrams in and out of UDP sockets; worker threads; the only unsafe code of the workspace.
//!
//! A worker owns a [`Sockets`] table, a [`Batch`] and an [`Inbox`]. It waits on `mio`, receives into the
//! batch, lets a core decide about each [`Slot`], and sends what the slots were marked with:
//!
//! ```text
//!   Sockets::receive ──▶ Batch of Slots ──▶ Slot::send(socket, window, from, to) ──▶ Sockets::send
//!                            ▲    └── Outbox::hand_over ──▶ another worker's Inbox
//!                            └──────── Inbox::receive ◀── another worker's Outbox
//! ```
//!
//! Nothing here allocates, locks or logs per datagram, and no error of one datagram ends a loop: it is
//! counted in [`IoCounters`].
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod backend;
mod batch;
mod buffer;
mod clock;
mod cores;
mod handover;
mod limits;
#[cfg(target_os = "linux")]
mod linux;
mod portable;
mod ready;
mod route;
mod socket;
mod sockets;
mod trains;
mod worker;

pub use backend::{Backend, Native, Received, Sent};
pub use batch::{Batch, ConnectionId, HEADROOM, HeaderFields, Icmp, Origin, Outgoing, Reported, Slot};
pub use buffer::SLOT_CAPACITY;
pub use clock::clock_is_synchronised;
pub use cores::{CAN_PIN, pin_to_core};
pub use handover::{HandoverFull, Inbox, Outbox, handover};
pub use limits::{DescriptorLimit, raise_descriptor_limit};
#[cfg(target_os = "linux")]
pub use linux::{Mmsg, Pipe};
pub use portable::Portable;
pub use ready::ReadyList;
pub use route::{host_addresses, local_address_towards};
pub use socket::{
    LISTENER_BUFFER, RELAY_BUFFER, Socket, bind_advice, is_missing_ipv6, open_listeners, open_relay,
    overlapping, tcp_bind_advice,
};
pub use sockets::{IoCounters, Readiness, SocketId, Sockets};
pub use worker::{Crew, Stop, WorkerError};
