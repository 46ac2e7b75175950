//! Who the clients say they are.

use std::time::{SystemTime, UNIX_EPOCH};

use stun_wire::{IntegrityKey, long_term_key_md5, prepare_opaque_string};
use turn_credentials::{Secret, mint};

/// How long minted credentials are good for, in seconds: longer than any run.
const MINTED_FOR: u64 = 24 * 3600;

/// How clients prove who they are.
#[derive(Clone)]
pub enum Account {
    /// One user with a password; all clients are this user.
    User {
        /// The name as it was given.
        username: String,
        /// The password as it was given.
        password: String,
    },
    /// A secret shared with the server; each client mints a name of its own, so that no quota per user is met.
    Secret(Secret),
}

/// A client's name and the key that signs its requests.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) username: String,
    pub(crate) realm: String,
    pub(crate) key: IntegrityKey,
}

impl Account {
    /// The credentials of one client in a realm. MD5 and SHA-1: what every server takes (RFC 8489 §9.2.2).
    pub(crate) fn credentials(&self, client: u32, realm: &str) -> Credentials {
        let (username, password) = match self {
            Self::User { username, password } => (prepared(username), prepared(password)),
            Self::Secret(secret) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let expires = now.map_or(0, |since| since.as_secs()) + MINTED_FOR;
                let minted = mint(secret, Some(&format!("bench-{client}")), expires);
                (minted.username, minted.password)
            }
        };
        let key = long_term_key_md5(&username, &prepared(realm), &password);
        Credentials {
            username,
            realm: realm.to_owned(),
            key: IntegrityKey::new(&key),
        }
    }

    /// Whether all clients have the same credentials.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::User { .. })
    }
}

/// As RFC 8265 asks; what it forbids is sent as it is, for the server to judge.
fn prepared(text: &str) -> String {
    prepare_opaque_string(text).map_or_else(|_| text.to_owned(), Into::into)
}
