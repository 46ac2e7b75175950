//! What clients are told when something is wrong.

use crate::rooms::Refusal;

/// Why a message had no effect or a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    BadRoom,
    BadName,
    BadMessage,
    RoomFull,
    ServerFull,
    AlreadyJoined,
    NotJoined,
    UnknownPeer,
    TokenRequired,
    BadToken,
    Forbidden,
    CannotResume,
    IdTaken,
    Replaced,
    TooLarge,
    TooFast,
    TooSlow,
    Closing,
    Unavailable,
}

impl Problem {
    /// The code on the wire, in metrics and in the close frame.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::BadRoom => "bad_room",
            Self::BadName => "bad_name",
            Self::BadMessage => "bad_message",
            Self::RoomFull => "room_full",
            Self::ServerFull => "server_full",
            Self::AlreadyJoined => "already_joined",
            Self::NotJoined => "not_joined",
            Self::UnknownPeer => "unknown_peer",
            Self::TokenRequired => "token_required",
            Self::BadToken => "bad_token",
            Self::Forbidden => "forbidden",
            Self::CannotResume => "cannot_resume",
            Self::IdTaken => "id_taken",
            Self::Replaced => "replaced",
            Self::TooLarge => "too_large",
            Self::TooFast => "too_fast",
            Self::TooSlow => "too_slow",
            Self::Closing => "closing",
            Self::Unavailable => "unavailable",
        }
    }

    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::BadRoom => "a room's name has 1 to 64 characters and no control characters",
            Self::BadName => "a name has at most 64 characters and no control characters",
            Self::BadMessage => "this is no message of the room protocol",
            Self::RoomFull => "the room is full",
            Self::ServerFull => "the server has no place for another room",
            Self::AlreadyJoined => "leave the room before joining another",
            Self::NotJoined => "join a room first",
            Self::UnknownPeer => "nobody else in this room has that id",
            Self::TokenRequired => "rooms here are entered with a token",
            Self::BadToken => "this token is not valid for this room, or has expired",
            Self::Forbidden => "the token with which you came does not permit this",
            Self::CannotResume => "too late to come back, join again",
            Self::IdTaken => "somebody else has this id",
            Self::Replaced => "you came back over another connection",
            Self::TooLarge => "the message is too large",
            Self::TooFast => "too many messages, slow down",
            Self::TooSlow => "messages were not received fast enough",
            Self::Closing => "the server is stopping, connect again later",
            Self::Unavailable => "the server cannot reach its store at the moment, connect again later",
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::RoomFull => Self::RoomFull,
            Refusal::TooManyRooms => Self::ServerFull,
            Refusal::AlreadyJoined => Self::AlreadyJoined,
            Refusal::NotJoined => Self::NotJoined,
            Refusal::UnknownPeer => Self::UnknownPeer,
            Refusal::Forbidden => Self::Forbidden,
            Refusal::CannotResume => Self::CannotResume,
            Refusal::Taken => Self::IdTaken,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What clients of the room protocol may be told.
    const TOLD: [Problem; 18] = [
        Problem::BadRoom,
        Problem::BadName,
        Problem::BadMessage,
        Problem::RoomFull,
        Problem::ServerFull,
        Problem::AlreadyJoined,
        Problem::NotJoined,
        Problem::UnknownPeer,
        Problem::TokenRequired,
        Problem::BadToken,
        Problem::Forbidden,
        Problem::CannotResume,
        Problem::Replaced,
        Problem::TooLarge,
        Problem::TooFast,
        Problem::TooSlow,
        Problem::Closing,
        Problem::Unavailable,
    ];

    #[test]
    fn the_schema_and_the_documentation_know_every_code() {
        let schema = include_str!("../../../docs/signaling.schema.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let events = schema["$defs"]["fromServer"]["oneOf"].as_array().unwrap();
        let problem = events
            .iter()
            .find(|event| event["properties"]["type"]["const"] == "problem");
        let codes = &problem.unwrap()["properties"]["code"]["enum"];
        let told: Vec<_> = TOLD.into_iter().map(Problem::code).collect();
        assert_eq!(codes, &Value::from(told.clone()));
        let table = include_str!("../../../docs/signaling.md");
        for code in told {
            let is_listed = |line: &str| line.starts_with("| `") && line.contains(&format!("`{code}`"));
            assert!(table.lines().any(is_listed), "{code}");
        }
    }
}
