//! Time-limited usernames and passwords: minted here, re-derived there.
//!
//! The username carries the moment it expires, the password is an HMAC over it, so that a server that
//! knows the secret needs no table of users (draft-uberti-behave-turn-rest-00).
#![warn(clippy::iter_over_hash_type)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod username;

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use zeroize::Zeroizing;

pub use username::{MAX_LIFETIME, MAX_USERNAME, Parsed, parse_username};

/// Stands between expiry and id unless a server is configured otherwise.
pub const SEPARATOR: char = ':';

/// Makes the credential that `id` may use until `expires_unix` (seconds).
///
/// The username is `<expires>:<id>`, or just `<expires>` without an id.
pub fn mint(secret: &Secret, id: Option<&str>, expires_unix: u64) -> Credential {
    mint_separated(secret, SEPARATOR, id, expires_unix)
}

/// Makes a credential for a server that expects `separator` between expiry and id.
pub fn mint_separated(secret: &Secret, separator: char, id: Option<&str>, expires_unix: u64) -> Credential {
    let username = match id {
        Some(id) => format!("{expires_unix}{separator}{id}"),
        None => expires_unix.to_string(),
    };
    let password = derive_password(secret, &username);
    Credential { username, password }
}

/// Derives the password that belongs to `username`: padded base64 of HMAC-SHA1(secret, username).
pub fn derive_password(secret: &Secret, username: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(&secret.0).expect("HMAC takes a key of any length");
    mac.update(username.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Holds a secret shared by those who mint and those who check; it is wiped when dropped and never printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the secret's bytes as they stand, with no decoding.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Self(Zeroizing::new(bytes.as_ref().to_vec()))
    }

    /// Tells whether the secret has no bytes, which configurations refuse.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Names a user for a limited time, as the fields `username` and `credential` of WebRTC's `iceServers`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// `<unix expiry>[<separator><id>]`.
    pub username: String,
    /// Padded base64 of the HMAC.
    pub password: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `printf 1700000000:alice | openssl dgst -sha1 -hmac north -binary | base64`.
    #[test]
    fn the_password_is_what_openssl_computes() {
        let credential = mint(&Secret::new("north"), Some("alice"), 1_700_000_000);
        assert_eq!(credential.username, "1700000000:alice");
        assert_eq!(credential.password, "Cd/49soE35ICqcJF/bCTn8Z4OyE=");
    }

    #[test]
    fn without_an_id_the_username_is_the_bare_expiry() {
        let credential = mint(&Secret::new("north"), None, 1_700_000_000);
        assert_eq!(credential.username, "1700000000");
        assert_eq!(
            credential.password,
            derive_password(&Secret::new("north"), "1700000000")
        );
    }

    #[test]
    fn another_secret_gives_another_password() {
        assert_ne!(
            derive_password(&Secret::new("north"), "1:a"),
            derive_password(&Secret::new("south"), "1:a")
        );
    }

    #[test]
    fn neither_secret_nor_password_is_printed() {
        let secret = Secret::new("north");
        let credential = mint(&secret, Some("alice"), 1);
        let printed = format!("{secret:?} {credential:?}");
        assert!(
            !printed.contains("north") && !printed.contains(&credential.password),
            "{printed}"
        );
    }
}
