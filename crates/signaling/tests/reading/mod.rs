//! Feeds the parsers any bytes; the fuzz targets and the random tests share it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::Value;
use signaling::exercise::{SECRET, any_message, opens};

/// Takes a message of any dialect.
pub(crate) fn message(bytes: &[u8]) {
    any_message(&String::from_utf8_lossy(bytes));
}

/// Takes a byte that says whether the rest is a room token as it comes, or the claims of one that is signed.
pub(crate) fn room_token(bytes: &[u8]) {
    let Some((order, rest)) = bytes.split_first() else {
        return;
    };
    if order & 1 == 0 {
        assert!(!opens(&String::from_utf8_lossy(rest)), "nobody signed it");
        return;
    }
    if !opens(&signed(rest)) {
        return;
    }
    let claims: Value = serde_json::from_slice(rest).expect("claims that open a room are JSON");
    let room = claims["room"].as_str().map(str::trim);
    assert_eq!(room, Some("north"), "it is for the room");
    assert!(
        claims["exp"].as_f64().is_some_and(|exp| exp > 1.7e9),
        "it ends, and has not"
    );
}

fn signed(claims: &[u8]) -> String {
    let parts = [br#"{"alg":"HS256"}"#.as_slice(), claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let text = parts.join(".");
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = crypto::sign(text.as_bytes(), &key, Algorithm::HS256).expect("a signature");
    format!("{text}.{signature}")
}
