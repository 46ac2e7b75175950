//! Feeds whoever opens access tokens any bytes; the fuzz target and the random test share it.

#[path = "../tokens/mod.rs"]
mod tokens;

use turn_core::{TokenAlgorithm, TokenKey};

const SERVER_NAME: &str = "turn.example.org";
const KEY: [u8; 32] = [7; 32];

/// Takes a byte that says whether the rest is a token as it comes or the inside of one, and for which cipher.
pub(crate) fn any_token(bytes: &[u8]) {
    let Some((&order, rest)) = bytes.split_first() else {
        return;
    };
    let algorithm = if order & 2 == 0 {
        TokenAlgorithm::A256Gcm
    } else {
        TokenAlgorithm::A128Gcm
    };
    let raw = &KEY[..algorithm.key_len()];
    let key = TokenKey::new(algorithm, raw).expect("a key of that length");
    if order & 1 == 0 {
        assert!(key.open(SERVER_NAME, rest).is_none(), "nobody sealed it");
        return;
    }
    // What no stranger could send: the block itself is whatever comes.
    let value = tokens::seal(rest, raw, SERVER_NAME);
    assert!(
        key.open("example.com", &value).is_none(),
        "it is for another server"
    );
    let Some(token) = key.open(SERVER_NAME, &value) else {
        return;
    };
    let (len, key_len) = (rest.len(), token.mac_key.len());
    assert!((20..=64).contains(&key_len) && len == 2 + key_len + 12);
    assert_eq!(token.mac_key.as_slice(), &rest[2..2 + key_len]);
    assert_eq!(token.lifetime.to_be_bytes(), rest[len - 4..]);
}
