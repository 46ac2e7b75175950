//! The TURN server as a state machine: allocations, permissions, channels, authentication, quota, peer policy.
//!
//! It implements RFC 8656 for clients over any transport, RFC 6062 and RFC 8016, and touches neither socket nor clock:
//! datagrams, time and seed come in as arguments, verdicts and outputs go out as data. A shell owns one [`Server`] per
//! worker, hands it each datagram in a [`Packet`], does what the [`Verdict`] says, and performs every [`Output`].
//!
//! **Drain [`Server::poll_output`] to `None` after every call that takes [`Now`].**
#![warn(clippy::iter_over_hash_type)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod access_token;
mod addresses;
mod allocate;
mod allocation;
mod answer;
mod auth;
mod challenge_limit;
mod changing;
mod channel;
mod config;
mod counters;
mod credentials;
mod deadlines;
mod directory;
mod ending;
mod errand;
mod few;
mod freed;
mod header_fields;
mod icmp;
mod indication;
mod integrity;
mod invariants;
mod mobility;
mod nonce;
mod opening;
mod output;
mod packet;
mod peer_policy;
mod permission;
mod ports;
mod quota;
mod redirect;
mod refresh;
mod relay;
mod request;
mod reservations;
mod revoked;
mod routes;
mod server;
mod slots;
#[cfg(test)]
mod stories;
mod table;
mod tcp_relay;
#[cfg(test)]
mod testing;
mod third_party;
mod tickets;
mod types;

pub use stun_wire::{HEALTH_CHECK, Icmp};
pub use turn_credentials::Secret;

pub use crate::{
    access_token::{AccessToken, TokenAlgorithm, TokenKey},
    config::{
        ChannelRange, Config, ConfigError, Lifetimes, Limits, PortRange, Realm, RelayAddress, RelayAddresses,
        Share, TcpRelay, UnauthorizedLimit,
    },
    counters::{
        AuthFailure, CountedMethod, Counters, Direction, Durations, ERROR_CODES, PeerRefusal, Relayed,
    },
    credentials::{Credentials, UserKey},
    directory::Directory,
    errand::Errand,
    header_fields::HeaderFields,
    output::{DropReason, EndReason, OpenError, Output, Verdict, Via},
    packet::{HEADROOM, Packet},
    peer_policy::PeerPolicy,
    quota::{Account, Ledger, LedgerFull, Parked, Quota, QuotaLimits},
    redirect::{Alternate, RedirectWhen},
    revoked::RevokeError,
    server::Server,
    third_party::ThirdParty,
    types::{
        ConnectionId, ConnectionNumber, Family, FiveTuple, Link, ListenerId, Now, PeerConnectionId, RelayId,
        RelayTransport, RelayedAddress, ReservationToken, Transport,
    },
};
