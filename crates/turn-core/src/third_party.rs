//! Third-party authorization (RFC 7635): an authorization server vouches for clients by tokens.

use std::{collections::BTreeMap, fmt, ops::Range, time::Duration};

use sha2::{Digest as _, Sha256};
use stun_wire::{Message, PasswordAlgorithm};
use zeroize::Zeroizing;

use crate::{
    access_token::{AccessToken, TokenKey, first_bytes},
    config::{ConfigError, Realm},
    counters::AuthFailure,
    integrity::{MacKey, Scheme},
};

/// Holds the name we have with authorization servers, and the keys we share with them.
#[derive(Debug, Clone)]
pub struct ThirdParty {
    server_name: Realm,
    /// Strangers only look up here.
    keys: BTreeMap<Box<str>, ValidKey>,
}

/// A key, and the seconds since 1970 in which it is good.
#[derive(Debug, Clone)]
struct ValidKey {
    key: TokenKey,
    valid: Range<u64>,
}

impl ThirdParty {
    /// Takes the name that tokens are bound to and that clients are told (THIRD-PARTY-AUTHORIZATION).
    ///
    /// # Errors
    ///
    /// [`ConfigError::ServerName`] unless it is like a realm.
    pub fn new(server_name: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            server_name: Realm::new(server_name).map_err(|_| ConfigError::ServerName)?,
            keys: BTreeMap::new(),
        })
    }

    /// Adds the key that goes by this id, good in these seconds since 1970; one of the same id is replaced.
    pub fn add_key(&mut self, kid: &str, key: TokenKey, valid: Range<u64>) {
        self.keys.insert(kid.into(), ValidKey { key, valid });
    }

    /// Tells whether what remains of a token was made with the key that goes by this id now.
    pub(crate) fn made(&self, kid: &str, grant: &Grant) -> bool {
        let fingerprint = self.keys.get(kid).map(|key| key.key.fingerprint);
        fingerprint == Some(grant.made_with)
    }

    pub(crate) fn server_name(&self) -> &str {
        self.server_name.as_str()
    }

    /// Finds out whether the token of a request is good, and what its client signs with (RFC 7635 §7).
    pub(crate) fn authorize(
        &self,
        now: Duration,
        kid: &str,
        value: &[u8],
        scheme: Scheme,
        message: &Message<'_>,
    ) -> Result<(Grant, MacKey), AuthFailure> {
        let (token, made_with) = self.open(now, kid, value)?;
        if !token.is_timely(now) {
            return Err(AuthFailure::Expired);
        }
        let whole = token.mac_key.as_slice();
        // coturn's clients sign MESSAGE-INTEGRITY with the first sixteen bytes alone.
        [whole, &whole[..COTURNS_KEY_LEN]]
            .into_iter()
            .find_map(|mac_key| {
                let key = MacKey::new(scheme.macs, mac_key);
                key.verify(message)
                    .then(|| (Grant::new(kid, &token, made_with, mac_key), key))
            })
            .ok_or(AuthFailure::WrongPassword)
    }

    /// Opens a token; tells also which key made it.
    fn open(&self, now: Duration, kid: &str, value: &[u8]) -> Result<(AccessToken, u64), AuthFailure> {
        let known = self.keys.get(kid);
        // An id that is not known costs the work of one that is.
        let tried = known.or_else(|| self.keys.values().next());
        let tried = tried.ok_or(AuthFailure::BadToken)?;
        let opened = tried.key.open(self.server_name(), value);
        let token = known.and(opened).ok_or(AuthFailure::BadToken)?;
        if !tried.valid.contains(&now.as_secs()) {
            return Err(AuthFailure::Expired);
        }
        Ok((token, tried.key.fingerprint))
    }
}

/// The bytes coturn takes of a key for HMAC-SHA1, those of a long-term key.
const COTURNS_KEY_LEN: usize = 16;

/// Says what proved who asks: what made the key of his messages.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    Password(PasswordAlgorithm),
    /// Rare, and so not in the way of the other.
    Token(Box<Grant>),
}

/// Holds what remains of a token.
#[derive(Clone)]
pub(crate) struct Grant {
    /// What the client signs with.
    mac_key: Zeroizing<Vec<u8>>,
    lifetime: u32,
    /// Since 1970.
    expires: Duration,
    /// Tells tokens apart.
    pub(crate) digest: u64,
    /// The fingerprint of the authorization server's key.
    made_with: u64,
}

impl Proof {
    /// Tells whether it was a token whose time is over.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        matches!(self, Self::Token(grant) if grant.expires <= now)
    }

    /// Cuts a lifetime in seconds to what is left of a token (RFC 7635 §9): one second at least.
    pub(crate) fn cut(&self, now: Duration, seconds: u32) -> u32 {
        let Self::Token(grant) = self else {
            return seconds;
        };
        let left = grant.expires.saturating_sub(now).as_secs();
        seconds
            .min(grant.lifetime)
            .min(u32::try_from(left).unwrap_or(u32::MAX))
            .max(1)
    }
}

impl Grant {
    fn new(kid: &str, token: &AccessToken, made_with: u64, mac_key: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(kid).chain_update(&*token.mac_key);
        Self {
            mac_key: mac_key.to_vec().into(),
            lifetime: token.lifetime,
            expires: token.expires(),
            digest: first_bytes(digest),
            made_with,
        }
    }

    /// Makes the key for requests of this scheme.
    pub(crate) fn key(&self, scheme: Scheme) -> MacKey {
        MacKey::new(scheme.macs, &self.mac_key)
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
