//! Long-term credentials (RFC 8489 §9.2): who asks, and may he be believed. It leaves no state behind.

use stun_wire::{IntegrityKey, Message, Method};

use crate::{
    answer::{Refusal, Refused, Standing},
    counters::AuthFailure,
    nonce::NonceCheck,
    server::Server,
    slots::Key,
    types::{FiveTuple, Now},
};

/// Holds who is known to have sent a request.
#[derive(Debug)]
pub(crate) struct Identity<'m> {
    pub(crate) username: &'m str,
    /// Whom quotas count: stays the same when a time-limited username is renewed.
    pub(crate) user_id: &'m str,
    /// Signs the answer.
    pub(crate) key: IntegrityKey,
    pub(crate) expires_unix: Option<u64>,
    /// The allocation that the request is about; it is this user's.
    pub(crate) allocation: Option<Key>,
    /// Whether its relay is open, so that the client may know of it.
    ready: bool,
}

impl Identity<'_> {
    /// Gives the allocation that requests after Allocate need.
    pub(crate) fn ready_allocation(&self) -> Result<Key, Refusal> {
        self.allocation
            .filter(|_| self.ready)
            .ok_or(Refusal::AllocationMismatch)
    }
}

/// Holds a refusal, and why in the server's own words.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) failure: AuthFailure,
    pub(crate) refused: Refused,
}

impl Rejected {
    fn new(failure: AuthFailure, refusal: Refusal, standing: Standing) -> Self {
        Self {
            failure,
            refused: Refused::unsigned(refusal, standing),
        }
    }
}

/// Holds the attributes of the long-term credential mechanism.
struct Presented<'m> {
    username: &'m str,
    realm: &'m str,
    nonce: &'m [u8],
}

/// Holds what the credentials say about a username.
struct Candidate<'m> {
    user_id: &'m str,
    expires_unix: Option<u64>,
    key: IntegrityKey,
}

impl Server {
    /// Finds out who sent a request.
    ///
    /// An unknown user and a wrong password cost the same time and get the same answer. An expired credential
    /// is noticed only after its password was found right.
    pub(crate) fn authenticate<'m>(
        &self,
        now: Now,
        from: FiveTuple,
        message: &Message<'m>,
    ) -> Result<Identity<'m>, Rejected> {
        let presented = presented(message)?;
        let nonce = self.check_nonce(now, from, message, presented.nonce);
        let standing = if nonce == NonceCheck::Foreign {
            Standing::Unproven
        } else {
            Standing::Proven
        };
        let rejected = |failure, refusal| Rejected::new(failure, refusal, standing);

        let candidate = self.candidate(from, presented.username, message);
        let candidate = candidate.map_err(|failure| rejected(failure, Refusal::Unauthorized))?;
        if presented.realm != self.config.realm.as_str() {
            return Err(rejected(AuthFailure::WrongRealm, Refusal::Unauthorized));
        }
        if nonce != NonceCheck::Fresh {
            return Err(rejected(AuthFailure::StaleNonce, Refusal::StaleNonce));
        }
        if self.is_over(now, &candidate, message) {
            return Err(rejected(AuthFailure::Expired, Refusal::Unauthorized));
        }
        self.identify(from, presented.username, candidate, message)
    }

    /// Joins the user with the allocation that the request is about; other users than its own get 441, or 437
    /// for Allocate.
    fn identify<'m>(
        &self,
        from: FiveTuple,
        username: &'m str,
        candidate: Candidate<'m>,
        message: &Message<'m>,
    ) -> Result<Identity<'m>, Rejected> {
        let existing = self
            .subject(from, message)
            .and_then(|key| Some((key, self.table.allocation(key)?)));
        let own = existing.filter(|(_, allocation)| *allocation.username == *username);
        if existing.is_some() && own.is_none() {
            let refusal = if message.method() == Method::ALLOCATE {
                Refusal::AllocationMismatch
            } else {
                Refusal::WrongCredentials
            };
            let refused = Refused::signed(refusal, candidate.key);
            return Err(Rejected {
                failure: AuthFailure::OtherUser,
                refused,
            });
        }
        let ready = own.is_some_and(|(_, allocation)| allocation.is_ready());
        let allocation = own.map(|(key, _)| key);
        let Candidate {
            user_id,
            expires_unix,
            key,
        } = candidate;
        Ok(Identity {
            username,
            user_id,
            key,
            expires_unix,
            allocation,
            ready,
        })
    }

    /// Finds the key under which the message's integrity holds.
    fn candidate<'m>(
        &self,
        from: FiveTuple,
        username: &'m str,
        message: &Message<'m>,
    ) -> Result<Candidate<'m>, AuthFailure> {
        let verifies = |key: &IntegrityKey| message.verify_integrity(key).is_ok();
        if let Some(known) = self.known(from, username, message) {
            let right = verifies(&known.key);
            return if right {
                Ok(known)
            } else {
                Err(AuthFailure::WrongPassword)
            };
        }
        let credentials = &self.config.credentials;
        let Some(parsed) = credentials.time_limited(username) else {
            // The work of a known user, so that time does not tell which names exist.
            std::hint::black_box(verifies(&self.nobodys_key));
            return Err(AuthFailure::UnknownUser);
        };
        let mut derived = credentials.derived_keys(&self.config.realm, username);
        let key = derived.find(verifies).ok_or(AuthFailure::WrongPassword)?;
        Ok(Candidate {
            user_id: parsed.user_id,
            expires_unix: Some(parsed.expires_unix),
            key,
        })
    }

    /// Finds a user whose key is kept: the owner of the allocation that the request is about, or a static user.
    fn known<'m>(&self, from: FiveTuple, username: &'m str, message: &Message<'m>) -> Option<Candidate<'m>> {
        let existing = self
            .subject(from, message)
            .and_then(|key| self.table.allocation(key));
        let (key, expires_unix) = match existing.filter(|allocation| *allocation.username == *username) {
            Some(allocation) => (&allocation.key, allocation.credential_expires),
            None => (self.config.credentials.static_key(username)?, None),
        };
        Some(Candidate {
            user_id: username,
            expires_unix,
            key: key.clone(),
        })
    }

    /// Tells whether a time-limited credential is past its time and this request minds. Refresh minds only
    /// when so configured, and never when it frees the allocation.
    fn is_over(&self, now: Now, candidate: &Candidate<'_>, message: &Message<'_>) -> bool {
        let minds = match message.method() {
            Method::ALLOCATE => true,
            Method::REFRESH => !self.config.refresh_after_expiry && message.lifetime() != Some(Ok(0)),
            _ => false,
        };
        minds
            && candidate
                .expires_unix
                .is_some_and(|expires| expires <= now.unix.as_secs())
    }
}

fn presented<'m>(message: &Message<'m>) -> Result<Presented<'m>, Rejected> {
    if !message.has_integrity() {
        return Err(Rejected::new(
            AuthFailure::Missing,
            Refusal::Unauthorized,
            Standing::Newcomer,
        ));
    }
    let incomplete = || Rejected::new(AuthFailure::Incomplete, Refusal::BadRequest, Standing::Unproven);
    Ok(Presented {
        username: message.username().and_then(Result::ok).ok_or_else(incomplete)?,
        realm: message.realm().and_then(Result::ok).ok_or_else(incomplete)?,
        nonce: message.nonce().ok_or_else(incomplete)?,
    })
}
