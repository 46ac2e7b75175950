//! The parsers of what strangers send, for the fuzz targets and their seeds; no part of the interface.

use crate::{
    config::{Hidden, KeyAlgorithm, RoomKeyConfig, RoomTokensConfig},
    dialects,
    doors::Doors,
    names::RoomName,
};

/// Signs the tokens that [`opens`] takes.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Reads a text as a message of each dialect.
///
/// # Panics
/// When something is passed on that did not stand in the text so, or is no JSON.
pub fn any_message(text: &str) {
    dialects::any_message(text);
}

/// Tells whether a token opens the room `north`.
pub fn opens(token: &str) -> bool {
    let key = RoomKeyConfig {
        id: None,
        algorithm: KeyAlgorithm::HS256,
        secret: Some(Hidden(SECRET.to_owned())),
        public_key: None,
        file: None,
    };
    let doors = Doors::new(&RoomTokensConfig {
        required: true,
        keys: vec![key],
        ..RoomTokensConfig::default()
    });
    let room = RoomName::new("north");
    doors
        .ok()
        .zip(room)
        .is_some_and(|(doors, room)| doors.open(Some(token), &room).is_ok())
}
