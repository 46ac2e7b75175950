//! The TURN server as a state machine: allocations, permissions, channels, authentication, quota, peer policy.
//!
//! It implements RFC 8656 over UDP and touches neither socket nor clock: datagrams, time and seed come in as
//! arguments, verdicts and outputs go out as data. A shell owns one [`Server`] per worker, hands it each
//! datagram in a [`Packet`], does what the [`Verdict`] says, and performs every [`Output`].
//!
//! **Drain [`Server::poll_output`] to `None` after every `handle_*` and `relay_opened`.**
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod config;
mod counters;
mod credentials;
mod output;
mod packet;
mod peer_policy;
mod quota;
mod server;
mod types;

pub use turn_credentials::Secret;

pub use crate::{
    config::{
        ChannelRange, Config, ConfigError, Lifetimes, Limits, PortRange, Realm, RelayAddress, RelayAddresses,
        Share, UnauthorizedLimit,
    },
    counters::{AuthFailure, CountedMethod, Counters, Direction, Durations, ERROR_CODES, Relayed},
    credentials::{Credentials, parse_key},
    output::{DropReason, EndReason, OpenError, Output, Verdict, Via},
    packet::{HEADROOM, Packet},
    peer_policy::PeerPolicy,
    quota::{Ledger, LedgerFull, Parked, ParkedState, Quota, QuotaLimits},
    server::Server,
    types::{Family, FiveTuple, ListenerId, Now, RelayId, RelayedAddress, ReservationToken},
};
