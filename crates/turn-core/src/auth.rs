//! Long-term credentials (RFC 8489 §9.2): who asks, and may he be believed. It leaves no state behind.

mod presented;

use std::borrow::Cow;

use arrayvec::ArrayVec;
use stun_wire::{AttributeType, Message, Method, user_hash};

use self::presented::{Name, Presented};
use crate::{
    allocation::{Allocation, Holder},
    answer::{Refusal, Refused, Standing},
    counters::AuthFailure,
    integrity::{MacKey, Scheme},
    nonce::NonceCheck,
    quota::Account,
    server::Server,
    slots::Key,
    third_party::{Proof, ThirdParty},
    types::{FiveTuple, Now},
};

/// Holds who is known to have sent a request.
#[derive(Debug)]
pub(crate) struct Identity<'m> {
    pub(crate) username: Cow<'m, str>,
    /// Whom quotas count where that is not the username.
    id: Option<&'m str>,
    /// Signs the answer.
    pub(crate) key: MacKey,
    /// What made it.
    pub(crate) proof: Proof,
    pub(crate) expires_unix: Option<u64>,
    /// The allocation that the request is about; it is this user's.
    pub(crate) allocation: Option<Key>,
    /// Whether its relay is open, so that the client may know of it.
    ready: bool,
}

impl Identity<'_> {
    /// Tells whom quotas count: it stays the same when a time-limited username is renewed.
    pub(crate) fn account(&self) -> Account<'_> {
        match &self.proof {
            Proof::Password(_) => Account::User(self.id.unwrap_or(&self.username)),
            Proof::Token(grant) => Account::Token {
                kid: &self.username,
                token: grant.digest,
            },
        }
    }

    /// The same, to be kept beside the username.
    pub(crate) fn holder(&self) -> Holder {
        match self.account() {
            Account::User(id) if *id == *self.username => Holder::Username,
            Account::User(id) => Holder::UserId(id.into()),
            Account::Token { kid, token } => Holder::Token {
                kid: kid.into(),
                token,
            },
        }
    }

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
    /// Whether the request brought a nonce that its address was given, and lately. An older one does not tell who has the
    /// address now.
    pub(crate) with_fresh_nonce: bool,
}

impl Rejected {
    fn new(failure: AuthFailure, refusal: Refusal, standing: Standing) -> Self {
        Self {
            failure,
            refused: Refused::unsigned(refusal, standing),
            with_fresh_nonce: false,
        }
    }
}

/// Holds what the credentials say about a username.
struct Candidate<'m> {
    id: Option<&'m str>,
    expires_unix: Option<u64>,
    /// For all that the scheme takes.
    key: MacKey,
    proof: Proof,
}

impl Candidate<'_> {
    /// Tells whether an allocation is this user's. Whoever brings a token has no other name: he is known by the token
    /// itself, and with a new one by being where the allocation's client is.
    fn owns(&self, from: FiveTuple, username: &str, allocation: &Allocation) -> bool {
        match (&self.proof, &allocation.proof) {
            (Proof::Password(_), Proof::Password(_)) => *allocation.username == *username,
            (Proof::Token(theirs), Proof::Token(ours)) => {
                theirs.digest == ours.digest || allocation.has_client_at(from)
            }
            (Proof::Password(_), Proof::Token(_)) | (Proof::Token(_), Proof::Password(_)) => false,
        }
    }
}

impl Server {
    /// Finds out who sent a request, by the checks of RFC 8489 §9.2.4 in their order.
    ///
    /// An unknown user and a wrong password cost the same time and get the same answer. An expired or revoked
    /// credential is noticed only after its password was found right.
    pub(crate) fn authenticate<'m>(
        &self,
        now: Now,
        from: FiveTuple,
        message: &Message<'m>,
    ) -> Result<Identity<'m>, Rejected> {
        let presented = Presented::by(message)?;
        let (nonce, offer) = self.check_nonce(now, from, message, presented.nonce);
        let standing = if nonce == NonceCheck::Foreign {
            Standing::Unproven
        } else {
            Standing::Proven
        };
        let rejected = |failure, refusal| Rejected {
            with_fresh_nonce: nonce == NonceCheck::Fresh,
            ..Rejected::new(failure, refusal, standing)
        };

        let scheme = presented::scheme(message, offer, self.config.credentials.algorithms());
        let scheme = scheme.ok_or_else(|| match presented::scheme(message, offer, self.offered_before) {
            // Not a bid-down: that is what this client was offered, before the credentials changed.
            Some(_) => rejected(AuthFailure::StaleNonce, Refusal::StaleNonce),
            None => rejected(AuthFailure::AlgorithmMismatch, Refusal::BadRequest),
        })?;
        let third_party = self.config.credentials.third_party();
        let candidate = match (message.attribute(AttributeType::ACCESS_TOKEN), third_party) {
            (None, _) => self.candidate(from, presented.name, scheme, message),
            (Some(token), Some(third_party)) => {
                bearer(now, third_party, presented.name, token, scheme, message)
            }
            (Some(_), None) => {
                let unknown = ArrayVec::from_iter([AttributeType::ACCESS_TOKEN]);
                return Err(rejected(
                    AuthFailure::BadToken,
                    Refusal::UnknownAttributes(unknown),
                ));
            }
        };
        let (username, candidate) = candidate.map_err(|failure| {
            let was_believed = self.was_believed(from, presented.name, scheme, message);
            let failure = if was_believed {
                AuthFailure::Withdrawn
            } else {
                failure
            };
            rejected(failure, Refusal::Unauthorized)
        })?;
        if presented.realm != self.config.realm.as_str() {
            return Err(rejected(AuthFailure::WrongRealm, Refusal::Unauthorized));
        }
        if nonce != NonceCheck::Fresh {
            return Err(rejected(AuthFailure::StaleNonce, Refusal::StaleNonce));
        }
        if self.is_over(now, &candidate, message) {
            return Err(rejected(AuthFailure::Expired, Refusal::Unauthorized));
        }
        if candidate.expires_unix.is_some() && self.revoked.holds(&username) {
            return Err(rejected(AuthFailure::Revoked, Refusal::Unauthorized));
        }
        self.identify(from, username, candidate, scheme, message)
    }

    /// Joins the user with the allocation that the request is about; other users than its own get 441, or 437
    /// for Allocate.
    fn identify<'m>(
        &self,
        from: FiveTuple,
        username: Cow<'m, str>,
        candidate: Candidate<'m>,
        scheme: Scheme,
        message: &Message<'m>,
    ) -> Result<Identity<'m>, Rejected> {
        let existing = self
            .subject(from, message)
            .and_then(|key| Some((key, self.table.allocation(key)?)));
        let own = existing.filter(|(_, allocation)| candidate.owns(from, &username, allocation));
        let key = candidate.key.narrowed(scheme.sign).unwrap_or(candidate.key);
        if existing.is_some() && own.is_none() {
            let refusal = if message.method() == Method::ALLOCATE {
                Refusal::AllocationMismatch
            } else {
                Refusal::WrongCredentials
            };
            return Err(Rejected {
                failure: AuthFailure::OtherUser,
                refused: Refused::signed(refusal, key),
                with_fresh_nonce: true,
            });
        }
        Ok(Identity {
            username,
            id: candidate.id,
            key,
            proof: candidate.proof,
            expires_unix: candidate.expires_unix,
            allocation: own.map(|(key, _)| key),
            ready: own.is_some_and(|(_, allocation)| allocation.is_ready()),
        })
    }

    /// Finds the user under whose key the message's integrity holds, and his name.
    fn candidate<'m>(
        &self,
        from: FiveTuple,
        name: Name<'m>,
        scheme: Scheme,
        message: &Message<'m>,
    ) -> Result<(Cow<'m, str>, Candidate<'m>), AuthFailure> {
        let credentials = &self.config.credentials;
        let known = match name {
            Name::Plain(name) => Some(name),
            Name::Hash(hash) => credentials.name_of(&hash),
        };
        if let Some(known_as) = known
            && let Some((key, proof, expires_unix)) = self.kept_key(from, known_as, scheme, message)
        {
            if !key.verify(message) {
                return Err(AuthFailure::WrongPassword);
            }
            let username = match name {
                Name::Plain(name) => Cow::Borrowed(name),
                Name::Hash(_) => Cow::Owned(known_as.to_owned()),
            };
            let candidate = Candidate {
                id: None,
                expires_unix,
                key,
                proof,
            };
            return Ok((username, candidate));
        }
        let Name::Plain(username) = name else {
            return Err(self.unknown_user(scheme, message));
        };
        let Some(parsed) = credentials.time_limited(username) else {
            return Err(self.unknown_user(scheme, message));
        };
        let mut derived = credentials.derived_keys(&self.config.realm, username, scheme);
        let key = derived.find(|key| key.verify(message));
        let candidate = Candidate {
            id: Some(parsed.user_id),
            expires_unix: Some(parsed.expires_unix),
            key: key.ok_or(AuthFailure::WrongPassword)?,
            proof: Proof::Password(scheme.algorithm),
        };
        Ok((Cow::Borrowed(username), candidate))
    }

    /// Finds a key that needs no deriving, what made it, and when it expires: of the owner of the allocation that the request is
    /// about, or of a static user.
    fn kept_key(
        &self,
        from: FiveTuple,
        username: &str,
        scheme: Scheme,
        message: &Message<'_>,
    ) -> Option<(MacKey, Proof, Option<u64>)> {
        let existing = self
            .subject(from, message)
            .and_then(|key| self.table.allocation(key));
        let is_his = |allocation: &&Allocation| *allocation.username == *username;
        if let Some(allocation) = existing.filter(is_his)
            && self.vouches_for(allocation)
            && let Some(key) = allocation.key_for(scheme)
        {
            return Some((key, allocation.proof.clone(), allocation.credential_expires));
        }
        let key = self.config.credentials.user(username)?.key(scheme)?;
        Some((key, Proof::Password(scheme.algorithm), None))
    }

    /// Tells whether a request that is not believed would have been before the credentials changed: the kept key of its
    /// allocation holds, and nobody vouches for it any more. Its sender guesses nothing.
    fn was_believed(&self, from: FiveTuple, name: Name<'_>, scheme: Scheme, message: &Message<'_>) -> bool {
        let existing = self
            .subject(from, message)
            .and_then(|key| self.table.allocation(key));
        let is_his = |allocation: &&Allocation| match name {
            Name::Plain(name) => *allocation.username == *name,
            Name::Hash(hash) => user_hash(&allocation.username, self.config.realm.as_str()) == hash,
        };
        existing
            .filter(is_his)
            .filter(|allocation| !self.vouches_for(allocation))
            .and_then(|allocation| allocation.key_for(scheme))
            .is_some_and(|key| key.verify(message))
    }

    /// Does the work of a known user, so that time does not tell which names exist.
    fn unknown_user(&self, scheme: Scheme, message: &Message<'_>) -> AuthFailure {
        let key = self.nobody.key(scheme);
        std::hint::black_box(key.is_some_and(|key| key.verify(message)));
        AuthFailure::UnknownUser
    }

    /// Tells whether a credential is past its time and this request minds. Refresh minds a time-limited username only when
    /// so configured, a token always (RFC 7635 §9), and neither when it frees the allocation.
    fn is_over(&self, now: Now, candidate: &Candidate<'_>, message: &Message<'_>) -> bool {
        let prolongs = message.method() == Method::REFRESH && message.lifetime() != Some(Ok(0));
        let allocates = message.method() == Method::ALLOCATE;
        let minds = allocates || prolongs && !self.config.refresh_after_expiry;
        let name_is_over = candidate
            .expires_unix
            .is_some_and(|expires| expires <= now.unix.as_secs());
        minds && name_is_over || prolongs && candidate.proof.is_over(now.unix)
    }
}

/// Finds what a token says of its bearer (RFC 7635 §7).
fn bearer<'m>(
    now: Now,
    third_party: &ThirdParty,
    name: Name<'m>,
    token: &[u8],
    scheme: Scheme,
    message: &Message<'m>,
) -> Result<(Cow<'m, str>, Candidate<'m>), AuthFailure> {
    let Name::Plain(kid) = name else {
        return Err(AuthFailure::BadToken);
    };
    let (grant, key) = third_party.authorize(now.unix, kid, token, scheme, message)?;
    let candidate = Candidate {
        id: None,
        expires_unix: None,
        key,
        proof: Proof::Token(Box::new(grant)),
    };
    Ok((Cow::Borrowed(kid), candidate))
}
