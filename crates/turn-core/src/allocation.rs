//! What one client holds: an allocation with a relay in one family or in both.

use std::time::Instant;

use stun_wire::TransactionId;

use crate::{
    answer::{Allocated, Asked},
    channel::Channels,
    integrity::{MacKey, Scheme},
    mobility::Mobile,
    permission::Permissions,
    ports::Want,
    quota::Account,
    slots::Key,
    third_party::Proof,
    types::{Family, FiveTuple, RelayId, RelayTransport, RelayedAddress, ReservationToken},
};

/// What a datagram needs comes first, so that it lies on as few cache lines as can be.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Allocation {
    pub(crate) five_tuple: FiveTuple,
    /// By [`Family::index`].
    pub(crate) relays: [Option<RelayId>; 2],
    pub(crate) transport: RelayTransport,
    /// Set for a client that asked to be able to move.
    pub(crate) mobile: Option<Box<Mobile>>,
    pub(crate) channels: Channels,
    pub(crate) permissions: Permissions,
    pub(crate) username: Box<str>,
    pub(crate) holder: Holder,
    /// When a time-limited username ceases to be valid.
    pub(crate) credential_expires: Option<u64>,
    /// Ready to verify and to sign what is like the Allocate.
    pub(crate) key: MacKey,
    /// What made it.
    pub(crate) proof: Proof,
    /// Under which of the server's credentials it was last found to be good.
    pub(crate) vouched: Vouched,
    pub(crate) created_at: Instant,
    /// The Allocate that made it: its retransmits get the same answer.
    pub(crate) transaction: TransactionId,
    pub(crate) phase: Phase,
}

/// Numbers the credentials that a server has had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Vouched(u32);

impl Vouched {
    /// The number of the next ones.
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Says whom the ledger counts an allocation for, from its first moment to its last.
#[derive(Debug)]
pub(crate) enum Holder {
    /// The user of this name.
    Username,
    /// The one behind a time-limited username.
    UserId(Box<str>),
    /// The bearer of the token it was made with.
    Token { kid: Box<str>, token: u64 },
}

/// Opening a relay socket is two-phase: nobody is promised an address that failed to bind.
#[derive(Debug)]
pub(crate) enum Phase {
    Opening(Box<Opening>),
    /// Holds what the Allocate was answered, for its retransmits.
    Ready(Box<Allocated>),
}

/// Holds what is needed to answer Allocate once its sockets are open.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) asked: Asked,
    pub(crate) lifetime: u32,
    /// Sockets still to open.
    pub(crate) outstanding: u8,
    pub(crate) want: Want,
    /// The family that could not be served of two, and its error code.
    pub(crate) failed: Option<(Family, u16)>,
}

/// What a datagram needs comes first, as in [`Allocation`].
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Relay {
    pub(crate) allocation: Key,
    pub(crate) expires_at: Instant,
    pub(crate) state: RelayState,
    pub(crate) address: RelayedAddress,
    /// The earliest entry in the heap that wakes it.
    pub(crate) wakes_at: Option<Instant>,
    /// Set when its port came from a reservation; then the ledger, not a pool, gets it back.
    pub(crate) claimed: Option<ReservationToken>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RelayState {
    /// Waits for `relay_opened`.
    Opening {
        /// How many ports were tried.
        tries: u8,
    },
    /// Never got a socket; waits for its twin of the other family.
    Failed,
    /// Waits for `relay_opened` only to close what it opened: its allocation is gone.
    Abandoned,
    Open,
}

impl Allocation {
    /// Tells whom the ledger counts this allocation for.
    pub(crate) fn account(&self) -> Account<'_> {
        match &self.holder {
            Holder::Username => Account::User(&self.username),
            Holder::UserId(id) => Account::User(id),
            Holder::Token { kid, token } => Account::Token { kid, token: *token },
        }
    }

    /// Tells whether peers connect instead of sending datagrams (RFC 6062).
    pub(crate) fn is_tcp(&self) -> bool {
        self.transport == RelayTransport::Tcp
    }

    /// Gives the key for requests of this scheme, unless it must be derived anew.
    pub(crate) fn key_for(&self, scheme: Scheme) -> Option<MacKey> {
        match &self.proof {
            Proof::Password(algorithm) if *algorithm != scheme.algorithm => None,
            Proof::Password(_) => self.key.narrowed(scheme.macs),
            Proof::Token(grant) => self.key.narrowed(scheme.macs).or_else(|| Some(grant.key(scheme))),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready(_))
    }

    /// The five-tuples it is found by: its own, and one that its client has announced.
    pub(crate) fn five_tuples(&self) -> impl Iterator<Item = FiveTuple> + use<> {
        let next = self.mobile.as_ref().and_then(|mobile| mobile.next());
        [Some(self.five_tuple), next].into_iter().flatten()
    }

    pub(crate) fn relay_ids(&self) -> impl Iterator<Item = RelayId> + use<> {
        self.relays.into_iter().flatten()
    }

    /// The token of the port that was reserved with it.
    pub(crate) fn token(&self) -> Option<ReservationToken> {
        match &self.phase {
            Phase::Ready(allocated) => allocated.token,
            Phase::Opening(_) => None,
        }
    }
}
