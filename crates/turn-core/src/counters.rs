//! Plain numbers a shell sums over its workers and shows; labels are bounded by construction.

use std::time::Duration;

use crate::{
    output::DropReason,
    types::{Family, Transport},
};

/// Holds everything counted since the start of one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    dropped: [u64; DropReason::ALL.len()],
    requests: [[u64; Transport::ALL.len()]; CountedMethod::ALL.len()],
    errors: [[u64; ERROR_CODES.len()]; CountedMethod::ALL.len()],
    auth_failures: [u64; AuthFailure::ALL.len()],
    relayed: [Relayed; Direction::ALL.len()],
    allocations: [[u64; Family::ALL.len()]; Transport::ALL.len()],
    /// ICMP errors that clients were told of.
    pub icmp_relayed: u64,
    /// Allocations made; one with relays in both families counts once.
    pub allocations_created: u64,
    /// Mobility tickets redeemed.
    pub allocations_resumed: u64,
    /// Relay ports held, those reserved for a second client included.
    pub relay_ports_in_use: u64,
    /// How long ended allocations had lived.
    pub durations: Durations,
    /// Connections to peers of TCP allocations, those included that are still being made.
    pub peer_connections: u64,
    refused_peers: [u64; PeerRefusal::ALL.len()],
}

/// Counts what was relayed in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Relayed {
    /// Datagrams.
    pub packets: u64,
    /// Bytes of application data, without any header.
    pub bytes: u64,
}

/// The error codes this server answers with, in the order counters keep them.
pub const ERROR_CODES: [u16; 16] = [
    300, 400, 401, 403, 405, 420, 437, 438, 440, 441, 442, 443, 446, 447, 486, 508,
];

impl Counters {
    /// Counts datagrams that died of `reason`.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason.index()]
    }

    /// Counts requests and indications of `method` that came over `transport`.
    pub fn requests(&self, method: CountedMethod, transport: Transport) -> u64 {
        self.requests[method as usize][transport as usize]
    }

    /// Counts error responses to `method` with `code`, one of [`ERROR_CODES`].
    pub fn errors(&self, method: CountedMethod, code: u16) -> u64 {
        ERROR_CODES
            .iter()
            .position(|&known| known == code)
            .map_or(0, |at| self.errors[method as usize][at])
    }

    /// Counts requests that did not authenticate.
    pub fn auth_failures(&self, failure: AuthFailure) -> u64 {
        self.auth_failures[failure as usize]
    }

    /// Counts what was relayed in `direction`.
    pub fn relayed(&self, direction: Direction) -> Relayed {
        self.relayed[direction as usize]
    }

    /// Counts live relays of `family` whose clients came over `transport`; an allocation with both families counts
    /// in both.
    pub fn allocations(&self, transport: Transport, family: Family) -> u64 {
        self.allocations[transport as usize][family.index()]
    }

    /// Counts connections of peers that were closed at once.
    pub fn refused_peers(&self, refusal: PeerRefusal) -> u64 {
        self.refused_peers[refusal as usize]
    }

    pub(crate) fn count_drop(&mut self, reason: DropReason) {
        self.dropped[reason.index()] += 1;
    }

    pub(crate) fn count_request(&mut self, method: CountedMethod, transport: Transport) {
        self.requests[method as usize][transport as usize] += 1;
    }

    pub(crate) fn count_error(&mut self, method: CountedMethod, code: u16) {
        if let Some(at) = ERROR_CODES.iter().position(|&known| known == code) {
            self.errors[method as usize][at] += 1;
        }
    }

    pub(crate) fn count_auth_failure(&mut self, failure: AuthFailure) {
        self.auth_failures[failure as usize] += 1;
    }

    pub(crate) fn count_relayed(&mut self, direction: Direction, bytes: usize) {
        let relayed = &mut self.relayed[direction as usize];
        relayed.packets += 1;
        relayed.bytes += bytes as u64;
    }

    pub(crate) fn count_relayed_stream(&mut self, direction: Direction, bytes: u64) {
        self.relayed[direction as usize].bytes += bytes;
    }

    pub(crate) fn count_refused_peer(&mut self, refusal: PeerRefusal) {
        self.refused_peers[refusal as usize] += 1;
    }

    pub(crate) fn relay_opened(&mut self, transport: Transport, family: Family) {
        self.allocations[transport as usize][family.index()] += 1;
    }

    pub(crate) fn relay_closed(&mut self, transport: Transport, family: Family) {
        self.allocations[transport as usize][family.index()] -= 1;
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            dropped: [0; _],
            requests: [[0; _]; _],
            errors: [[0; _]; _],
            auth_failures: [0; _],
            relayed: [Relayed::default(); _],
            allocations: [[0; _]; _],
            icmp_relayed: 0,
            allocations_created: 0,
            allocations_resumed: 0,
            relay_ports_in_use: 0,
            durations: Durations::default(),
            peer_connections: 0,
            refused_peers: [0; _],
        }
    }
}

/// Sorts the lifetimes of ended allocations into buckets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Durations {
    counts: [u64; Self::BOUNDS.len() + 1],
    sum: Duration,
}

impl Durations {
    /// The buckets' upper bounds in seconds; one more bucket has no bound.
    pub const BOUNDS: [u64; 8] = [1, 10, 60, 300, 600, 1800, 3600, 14_400];

    /// Shows how many durations fell into each bucket (not cumulated), the unbounded one last.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Adds up all durations.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    pub(crate) fn observe(&mut self, duration: Duration) {
        let bucket = Self::BOUNDS
            .iter()
            .position(|&bound| duration <= Duration::from_secs(bound));
        self.counts[bucket.unwrap_or(Self::BOUNDS.len())] += 1;
        self.sum += duration;
    }
}

/// Declares a label set once: variants, their list and their names.
macro_rules! labels {
    ($(#[doc = $doc:literal])+ $label:ident { $($(#[doc = $variant_doc:literal])+ $variant:ident => $name:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $label { $($(#[doc = $variant_doc])+ $variant,)+ }

        impl $label {
            /// All of them, in the order counters keep them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Gives the text metrics label it with.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

labels! {
    /// Names a method as counters tell them apart.
    CountedMethod {
        /// Binding.
        Binding => "binding",
        /// Allocate.
        Allocate => "allocate",
        /// Refresh.
        Refresh => "refresh",
        /// CreatePermission.
        CreatePermission => "create_permission",
        /// ChannelBind.
        ChannelBind => "channel_bind",
        /// Send.
        Send => "send",
        /// Connect.
        Connect => "connect",
        /// ConnectionBind.
        ConnectionBind => "connection_bind",
        /// Any other.
        Other => "other",
    }
}

labels! {
    /// Says why a request did not authenticate. Clients see 400 for `Incomplete` and `AlgorithmMismatch`, 438 for `StaleNonce`, 441 or
    /// 437 for `OtherUser`, and an indistinguishable 401 for the others.
    AuthFailure {
        /// No MESSAGE-INTEGRITY: the ordinary first request.
        Missing => "missing",
        /// MESSAGE-INTEGRITY without USERNAME, REALM or NONCE.
        Incomplete => "incomplete",
        /// Password algorithms that were not offered so, or one of them alone: someone may have changed the offer.
        AlgorithmMismatch => "algorithm_mismatch",
        /// A realm that is not ours.
        WrongRealm => "wrong_realm",
        /// Nobody of that name.
        UnknownUser => "unknown_user",
        /// An access token that none of our keys opens.
        BadToken => "bad_token",
        /// MESSAGE-INTEGRITY does not match.
        WrongPassword => "wrong_password",
        /// The credential's time is over, or the token's.
        Expired => "expired",
        /// The time-limited username was taken back.
        Revoked => "revoked",
        /// Good until the credentials changed: it made the allocation that the request is about.
        Withdrawn => "withdrawn",
        /// The nonce is old, or was given to another address.
        StaleNonce => "stale_nonce",
        /// Another user's allocation.
        OtherUser => "other_user",
    }
}

impl AuthFailure {
    /// Tells whether it is one of whoever tries names, passwords or tokens, and not of whoever is late or begins.
    pub(crate) fn is_wrong_guess(self) -> bool {
        match self {
            Self::UnknownUser | Self::BadToken | Self::WrongPassword => true,
            Self::Missing
            | Self::Incomplete
            | Self::AlgorithmMismatch
            | Self::WrongRealm
            | Self::Expired
            | Self::Revoked
            | Self::Withdrawn
            | Self::StaleNonce
            | Self::OtherUser => false,
        }
    }
}

labels! {
    /// Says why the connection of a peer to a TCP relay was closed at once.
    PeerRefusal {
        /// The relay is gone, or no TCP relay.
        NoRelay => "no_relay",
        /// No permission for this peer, or it expired.
        NoPermission => "no_permission",
        /// The permission is for our own relays at that address only.
        PeerForbidden => "peer_forbidden",
        /// The allocation, its user or the server has as many connections as it may.
        Limit => "limit",
    }
}

labels! {
    /// Tells the two directions of relaying apart.
    Direction {
        /// From the client to a peer.
        ToPeer => "to_peer",
        /// From a peer to the client.
        ToClient => "to_client",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_the_bucket_that_holds_them() {
        let mut durations = Durations::default();
        for seconds in [0, 1, 2, 600, 14_401] {
            durations.observe(Duration::from_secs(seconds));
        }
        assert_eq!(durations.counts(), [2, 1, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!(durations.sum(), Duration::from_secs(15_004));
    }

    #[test]
    fn errors_are_counted_by_method_and_code() {
        let mut counters = Counters::default();
        counters.count_error(CountedMethod::Refresh, 437);
        assert_eq!(counters.errors(CountedMethod::Refresh, 437), 1);
        assert_eq!(counters.errors(CountedMethod::Allocate, 437), 0);
        assert_eq!(counters.errors(CountedMethod::Refresh, 999), 0);
    }
}
