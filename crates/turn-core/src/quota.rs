//! What all workers share: how many allocations each user has, and ports reserved for a second client.

use std::{borrow::Borrow, collections::BTreeMap, num::NonZeroU32, time::Instant};

use crate::types::{RelayedAddress, ReservationToken};

/// Keeps the counts and reservations of the whole process; a shell with several workers puts one [`Quota`]
/// behind a lock. It is called when an allocation or a connection to a peer begins or ends and when a reservation's
/// timer fires, never on the datagram path.
pub trait Ledger {
    /// Counts one more allocation of `user`, or tells which bound is reached.
    ///
    /// # Errors
    ///
    /// [`LedgerFull`]; then nothing is counted.
    fn reserve(&mut self, user: Account<'_>) -> Result<(), LedgerFull>;

    /// Counts one allocation of `user` less.
    fn release(&mut self, user: Account<'_>);

    /// Counts one more connection between a TCP allocation of `user` and a peer, or tells which bound is reached.
    ///
    /// # Errors
    ///
    /// [`LedgerFull`]; then nothing is counted.
    fn reserve_connection(&mut self, user: Account<'_>) -> Result<(), LedgerFull>;

    /// Counts one such connection less.
    fn release_connection(&mut self, user: Account<'_>);

    /// Puts a reserved port on display until someone claims it by its token (RFC 8656 §7.2, EVEN-PORT).
    fn park(&mut self, token: ReservationToken, parked: Parked);

    /// Takes a parked port for a relay of `worker`, if the token is known, unclaimed, not expired and `user`'s
    /// own.
    fn claim(&mut self, now: Instant, token: ReservationToken, user: &str, worker: u16) -> Option<Parked>;

    /// Returns a claimed port after use.
    fn give_back(&mut self, token: ReservationToken);

    /// Takes a port off display, so that its home worker has it again, or tells which worker still uses it.
    fn unpark(&mut self, token: ReservationToken) -> Option<u16>;
}

/// Says whom an allocation is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account<'a> {
    /// A user id.
    User(&'a str),
    /// The bearer of a token, who has no other name, and the key of the authorization server that vouches for him.
    Token {
        /// The key's id.
        kid: &'a str,
        /// What tells the token from others.
        token: u64,
    },
}

impl<'a> Account<'a> {
    /// Tells who may claim what was reserved: of bearers of tokens those with one key.
    pub fn owner(self) -> &'a str {
        match self {
            Self::User(user) => user,
            Self::Token { kid, .. } => kid,
        }
    }
}

/// Says which bound an allocation or a connection would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFull {
    /// The user's; the client gets 486.
    #[error("the user has as many as one may have")]
    User,
    /// That of all users together; the client gets 508.
    #[error("the server has as many as it may have")]
    Total,
}

/// Describes a reserved port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The worker whose share the port belongs to.
    pub home: u16,
    /// The address a relay gets by claiming it.
    pub address: RelayedAddress,
    /// The user who reserved it and who alone may claim it.
    pub user: Box<str>,
    /// When the token ceases to be valid.
    pub expires_at: Instant,
}

/// Counts allocations and connections per user and in total: the plain [`Ledger`].
#[derive(Debug)]
pub struct Quota {
    allocations: Tally,
    connections: Tally,
    parked: BTreeMap<ReservationToken, (Parked, Claim)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Waiting,
    By(u16),
    Returned,
}

/// Counts of something how many each user has.
#[derive(Debug)]
struct Tally {
    per_user: NonZeroU32,
    per_key: NonZeroU32,
    most: NonZeroU32,
    total: u32,
    users: BTreeMap<Box<str>, u32>,
    tokens: BTreeMap<u64, u32>,
    keys: BTreeMap<Box<str>, u32>,
}

/// Bounds what one user id and what all together may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaLimits {
    /// Allocations of one user id, however many usernames were minted for it.
    pub per_user: NonZeroU32,
    /// Allocations of everybody.
    pub total: NonZeroU32,
    /// Allocations of all tokens of one authorization server's key; one token may have what one user may.
    pub per_key: NonZeroU32,
    /// Connections between TCP allocations of one user id and peers.
    pub connections_per_user: NonZeroU32,
    /// Such connections of everybody.
    pub connections: NonZeroU32,
}

impl Default for QuotaLimits {
    /// One call of a Chromium with three TURN URIs makes 10 allocations, an ICE restart 10 more while the old ones
    /// live, and who calls three others has three times as many: 60, and 80 with a tab that was closed without a word.
    /// That is half a percent of the default port range, so one credential cannot take the ports. The total is that
    /// range's size.
    ///
    /// An authorization server has many users, but may not be the only one: a quarter of all.
    ///
    /// A connection to a peer takes up to six descriptors once it is spliced: 1024 take six thousand, and one user
    /// a sixteenth of them.
    fn default() -> Self {
        Self {
            per_user: NonZeroU32::MIN.saturating_add(79),
            total: NonZeroU32::MIN.saturating_add(16_383),
            per_key: NonZeroU32::MIN.saturating_add(4095),
            connections_per_user: NonZeroU32::MIN.saturating_add(63),
            connections: NonZeroU32::MIN.saturating_add(1023),
        }
    }
}

impl Quota {
    /// Starts with no allocation.
    pub fn new(limits: QuotaLimits) -> Self {
        Self {
            allocations: Tally::new(limits.per_user, limits.per_key, limits.total),
            connections: Tally::new(
                limits.connections_per_user,
                limits.connections,
                limits.connections,
            ),
            parked: BTreeMap::new(),
        }
    }

    /// Counts within other limits from here on. What exceeds them already stays.
    pub fn set_limits(&mut self, limits: QuotaLimits) {
        self.allocations
            .set_limits(limits.per_user, limits.per_key, limits.total);
        self.connections.set_limits(
            limits.connections_per_user,
            limits.connections,
            limits.connections,
        );
    }

    /// Tells how many allocations are counted in all.
    pub fn total(&self) -> u32 {
        self.allocations.total
    }

    /// Tells how many users have one, which is what the table costs.
    pub fn users(&self) -> usize {
        self.allocations.users.len() + self.allocations.tokens.len()
    }

    /// Tells how many connections to peers are counted in all.
    pub fn connections(&self) -> u32 {
        self.connections.total
    }

    /// Tells how many ports are parked or claimed.
    pub fn reservations(&self) -> usize {
        self.parked.len()
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self::new(QuotaLimits::default())
    }
}

impl Ledger for Quota {
    fn reserve(&mut self, user: Account<'_>) -> Result<(), LedgerFull> {
        self.allocations.reserve(user)
    }

    fn release(&mut self, user: Account<'_>) {
        self.allocations.release(user);
    }

    fn reserve_connection(&mut self, user: Account<'_>) -> Result<(), LedgerFull> {
        self.connections.reserve(user)
    }

    fn release_connection(&mut self, user: Account<'_>) {
        self.connections.release(user);
    }

    fn park(&mut self, token: ReservationToken, parked: Parked) {
        self.parked.insert(token, (parked, Claim::Waiting));
    }

    fn claim(&mut self, now: Instant, token: ReservationToken, user: &str, worker: u16) -> Option<Parked> {
        let (parked, claim) = self.parked.get_mut(&token)?;
        if *claim != Claim::Waiting || *parked.user != *user || parked.expires_at <= now {
            return None;
        }
        *claim = Claim::By(worker);
        Some(parked.clone())
    }

    fn give_back(&mut self, token: ReservationToken) {
        if let Some((_, claim)) = self.parked.get_mut(&token) {
            *claim = Claim::Returned;
        }
    }

    fn unpark(&mut self, token: ReservationToken) -> Option<u16> {
        if let Some((_, Claim::By(worker))) = self.parked.get(&token) {
            return Some(*worker);
        }
        self.parked.remove(&token);
        None
    }
}

impl Tally {
    fn new(per_user: NonZeroU32, per_key: NonZeroU32, most: NonZeroU32) -> Self {
        Self {
            per_user,
            per_key,
            most,
            total: 0,
            users: BTreeMap::new(),
            tokens: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    fn set_limits(&mut self, per_user: NonZeroU32, per_key: NonZeroU32, most: NonZeroU32) {
        (self.per_user, self.per_key, self.most) = (per_user, per_key, most);
    }

    fn reserve(&mut self, account: Account<'_>) -> Result<(), LedgerFull> {
        if self.total >= self.most.get() {
            return Err(LedgerFull::Total);
        }
        match account {
            Account::User(user) => add_one(&mut self.users, user, || user.into(), self.per_user)?,
            Account::Token { kid, token } => {
                add_one(&mut self.keys, kid, || kid.into(), self.per_key)?;
                if let Err(full) = add_one(&mut self.tokens, &token, || token, self.per_user) {
                    take_one(&mut self.keys, kid);
                    return Err(full);
                }
            }
        }
        self.total += 1;
        Ok(())
    }

    fn release(&mut self, account: Account<'_>) {
        match account {
            Account::User(user) => take_one(&mut self.users, user),
            Account::Token { kid, token } => {
                take_one(&mut self.keys, kid);
                take_one(&mut self.tokens, &token);
            }
        }
        self.total = self.total.saturating_sub(1);
    }
}

fn add_one<K, Q>(
    counts: &mut BTreeMap<K, u32>,
    key: &Q,
    own: impl FnOnce() -> K,
    most: NonZeroU32,
) -> Result<(), LedgerFull>
where
    K: Borrow<Q> + Ord,
    Q: Ord + ?Sized,
{
    match counts.get_mut(key) {
        Some(count) if *count >= most.get() => return Err(LedgerFull::User),
        Some(count) => *count += 1,
        None => {
            counts.insert(own(), 1);
        }
    }
    Ok(())
}

fn take_one<K, Q>(counts: &mut BTreeMap<K, u32>, key: &Q)
where
    K: Borrow<Q> + Ord,
    Q: Ord + ?Sized,
{
    let Some(count) = counts.get_mut(key) else {
        debug_assert!(false, "released more often than reserved");
        return;
    };
    *count -= 1;
    if *count == 0 {
        counts.remove(key);
    }
}

#[cfg(test)]
mod tests;
