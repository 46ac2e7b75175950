//! Who may allocate: users with a kept key, and secrets that vouch for time-limited usernames.

mod user_key;

use std::{collections::BTreeMap, fmt};

use rand::{RngExt as _, rngs::StdRng};
use stun_wire::{
    PasswordAlgorithm, PrepareError, long_term_key_md5, long_term_key_sha256, prepare_opaque_string,
    user_hash,
};
use turn_credentials::{Parsed, Secret, derive_password, parse_username};

pub use self::user_key::UserKey;
use crate::{
    config::Realm,
    integrity::{MacKey, Macs, Scheme},
    third_party::ThirdParty,
};

/// Holds static users and shared secrets; both work at the same time.
#[derive(Clone)]
pub struct Credentials {
    /// Strangers only look up here, they never insert, so that no hashing needs defence.
    users: BTreeMap<Box<str>, User>,
    /// The users' names by what USERHASH says of them.
    hashes: BTreeMap<[u8; 32], Box<str>>,
    /// How many users have a key for MD5 alone.
    md5_only: usize,
    secrets: Vec<Secret>,
    separator: char,
    third_party: Option<ThirdParty>,
}

impl Default for Credentials {
    /// Nobody; the separator of time-limited usernames is a colon.
    fn default() -> Self {
        Self {
            users: BTreeMap::new(),
            hashes: BTreeMap::new(),
            md5_only: 0,
            secrets: Vec::new(),
            separator: ':',
            third_party: None,
        }
    }
}

impl Credentials {
    /// Adds a user by password. Name and password are prepared as RFC 8489 §9.2.2 asks; a user of the same
    /// name is replaced.
    ///
    /// # Errors
    ///
    /// When name or password hold characters that OpaqueString forbids.
    pub fn add_user(&mut self, realm: &Realm, name: &str, password: &str) -> Result<(), PrepareError> {
        let name = prepare_opaque_string(name)?;
        let password = prepare_opaque_string(password)?;
        self.insert(
            realm,
            &name,
            UserKey::of_password(&name, realm.as_str(), &password),
        );
        Ok(())
    }

    /// Adds a user by what is kept in place of the password.
    ///
    /// # Errors
    ///
    /// When the name holds characters that OpaqueString forbids.
    pub fn add_key(&mut self, realm: &Realm, name: &str, key: UserKey) -> Result<(), PrepareError> {
        let name = prepare_opaque_string(name)?;
        self.insert(realm, &name, key);
        Ok(())
    }

    /// Adds a shared secret; several are valid at once, so that they can be changed without a gap.
    pub fn add_secret(&mut self, secret: Secret) {
        self.secrets.push(secret);
    }

    /// Chooses the character between expiry and id of time-limited usernames.
    pub fn set_separator(&mut self, separator: char) {
        self.separator = separator;
    }

    /// Believes tokens of authorization servers, too.
    pub fn set_third_party(&mut self, third_party: ThirdParty) {
        self.third_party = Some(third_party);
    }

    /// Tells whether nobody could ever allocate.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.secrets.is_empty() && self.third_party.is_none()
    }

    /// Lists the password algorithms that every user has a key for, the preferred one first (RFC 8489 §9.2.4).
    pub(crate) fn algorithms(&self) -> &'static [PasswordAlgorithm] {
        if self.md5_only == 0 {
            &[PasswordAlgorithm::Sha256, PasswordAlgorithm::Md5]
        } else {
            &[PasswordAlgorithm::Md5]
        }
    }

    /// Tells whether everybody who may allocate is known by the hash of his name as well. Time-limited usernames
    /// are not: they are not known before they come. Nor are clients with tokens, whose username says the key.
    pub(crate) fn knows_user_hashes(&self) -> bool {
        self.secrets.is_empty() && self.third_party.is_none() && !self.users.is_empty()
    }

    pub(crate) fn third_party(&self) -> Option<&ThirdParty> {
        self.third_party.as_ref()
    }

    /// Finds the name of a static user behind a USERHASH.
    pub(crate) fn name_of(&self, hash: &[u8; 32]) -> Option<&str> {
        self.hashes.get(hash).map(|name| &**name)
    }

    pub(crate) fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// Reads a time-limited username, if there is a secret that could vouch for it.
    pub(crate) fn time_limited<'a>(&self, username: &'a str) -> Option<Parsed<'a>> {
        self.parse(username).filter(|_| !self.secrets.is_empty())
    }

    /// Reads what is written like a time-limited username, whether or not a secret could vouch for it.
    pub(crate) fn parse<'a>(&self, username: &'a str) -> Option<Parsed<'a>> {
        parse_username(username, self.separator)
    }

    /// Derives the keys that each secret in turn gives a time-limited username.
    pub(crate) fn derived_keys<'a>(
        &'a self,
        realm: &'a Realm,
        username: &'a str,
        scheme: Scheme,
    ) -> impl Iterator<Item = MacKey> {
        self.secrets.iter().map(move |secret| {
            let password = derive_password(secret, username);
            let (realm, password) = (realm.as_str(), password.as_str());
            match scheme.algorithm {
                PasswordAlgorithm::Md5 => {
                    MacKey::new(scheme.macs, &long_term_key_md5(username, realm, password))
                }
                PasswordAlgorithm::Sha256 => {
                    MacKey::new(scheme.macs, &long_term_key_sha256(username, realm, password))
                }
            }
        })
    }

    fn insert(&mut self, realm: &Realm, name: &str, key: UserKey) {
        self.hashes.insert(user_hash(name, realm.as_str()), name.into());
        self.md5_only += usize::from(key.sha256().is_none());
        if let Some(former) = self.users.insert(name.into(), User::new(key)) {
            self.md5_only -= usize::from(former.kept.sha256().is_none());
        }
    }
}

/// A static user.
#[derive(Clone)]
pub(crate) struct User {
    kept: UserKey,
    /// What clients of RFC 5389 take, and so nearly everybody.
    ready: MacKey,
}

impl User {
    fn new(kept: UserKey) -> Self {
        let ready = MacKey::new(Macs::Sha1, kept.md5());
        Self { kept, ready }
    }

    /// Makes someone whose password nobody knows.
    pub(crate) fn nobody(rng: &mut StdRng) -> Self {
        Self::new(UserKey::new(rng.random(), Some(rng.random())))
    }

    /// Gives the key for requests of this scheme; none where the user has no key of its algorithm.
    pub(crate) fn key(&self, scheme: Scheme) -> Option<MacKey> {
        let key = match (scheme.algorithm, scheme.macs) {
            (PasswordAlgorithm::Md5, Macs::Sha1) => return Some(self.ready.clone()),
            (PasswordAlgorithm::Md5, Macs::Sha256 | Macs::Both) => self.kept.md5(),
            (PasswordAlgorithm::Sha256, _) => self.kept.sha256()?,
        };
        Some(MacKey::new(scheme.macs, key))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("users", &self.users.len())
            .field("secrets", &self.secrets.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_printed() {
        let mut credentials = Credentials::default();
        credentials
            .add_user(&Realm::new("r").unwrap(), "alice", "wonderland")
            .unwrap();
        credentials.add_secret(Secret::new("north"));
        let printed = format!("{credentials:?}");
        assert!(
            !printed.contains("wonderland") && !printed.contains("north"),
            "{printed}"
        );
    }

    #[test]
    fn a_user_without_a_name_is_refused() {
        assert!(
            Credentials::default()
                .add_key(&Realm::new("r").unwrap(), "", UserKey::new([0; 16], None))
                .is_err()
        );
    }
}
