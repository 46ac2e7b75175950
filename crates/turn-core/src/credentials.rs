//! Who may allocate: users with a kept key, and secrets that vouch for time-limited usernames.

use std::{collections::BTreeMap, fmt};

use stun_wire::{IntegrityKey, PrepareError, long_term_key_md5, prepare_opaque_string};
use turn_credentials::{Parsed, Secret, derive_password, parse_username};

use crate::config::Realm;

/// Holds static users and shared secrets; both work at the same time.
#[derive(Clone)]
pub struct Credentials {
    /// Strangers only look up here, they never insert, so that no hashing needs defence.
    users: BTreeMap<String, IntegrityKey>,
    secrets: Vec<Secret>,
    separator: char,
}

impl Default for Credentials {
    /// Nobody; the separator of time-limited usernames is a colon.
    fn default() -> Self {
        Self {
            users: BTreeMap::new(),
            secrets: Vec::new(),
            separator: ':',
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
        let key = long_term_key_md5(&name, realm.as_str(), &password);
        self.users.insert(name.into_owned(), IntegrityKey::new(&key));
        Ok(())
    }

    /// Adds a user by the key MD5(name ":" realm ":" password), which hides the password itself.
    ///
    /// # Errors
    ///
    /// When the name holds characters that OpaqueString forbids.
    pub fn add_key(&mut self, name: &str, key: [u8; 16]) -> Result<(), PrepareError> {
        let name = prepare_opaque_string(name)?;
        self.users.insert(name.into_owned(), IntegrityKey::new(&key));
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

    /// Tells whether nobody could ever allocate.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.secrets.is_empty()
    }

    pub(crate) fn static_key(&self, username: &str) -> Option<&IntegrityKey> {
        self.users.get(username)
    }

    /// Reads a time-limited username, if there is a secret that could vouch for it.
    pub(crate) fn time_limited<'a>(&self, username: &'a str) -> Option<Parsed<'a>> {
        if self.secrets.is_empty() {
            None
        } else {
            parse_username(username, self.separator)
        }
    }

    /// Derives the key that each secret in turn gives a time-limited username.
    pub(crate) fn derived_keys<'a>(
        &'a self,
        realm: &'a Realm,
        username: &'a str,
    ) -> impl Iterator<Item = IntegrityKey> {
        self.secrets.iter().map(move |secret| {
            let password = derive_password(secret, username);
            IntegrityKey::new(&long_term_key_md5(username, realm.as_str(), &password))
        })
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

/// Reads the 32 hexadecimal digits of a user's key; `0x` may stand in front, as coturn writes it.
pub fn parse_key(text: &str) -> Option<[u8; 16]> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 16];
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_hexadecimal_digits_with_or_without_0x() {
        let key = [0x0a, 0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
        assert_eq!(parse_key("0x0aff000102030405060708090A0B0C0D"), Some(key));
        assert_eq!(parse_key("0aff000102030405060708090a0b0c0d"), Some(key));
        for wrong in [
            "",
            "0x",
            "0aff",
            "0aff000102030405060708090a0b0c0d0e",
            "+aff000102030405060708090a0b0c0d",
        ] {
            assert_eq!(parse_key(wrong), None, "{wrong}");
        }
    }

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
        assert!(Credentials::default().add_key("", [0; 16]).is_err());
    }
}
