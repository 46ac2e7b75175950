//! The events of classic samples, over Socket.IO: `create or join`, `created`, `joined`, `ready`, `full`,
//! `message`, `bye`.
//!
//! Their clients know no ids: what one says goes to everybody else in its room. Rooms entered this way are
//! apart from those of the room protocol, whose members would not understand them.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::request::{Envelope, Request};
use crate::{
    names::{MemberId, MemberName, RoomKey, RoomName, Space},
    problem::Problem,
    rooms::{Notice, Output, Signal},
};

/// What members of a classic room tell each other.
const PASSED_ON: [&str; 8] = [
    "message",
    "ready",
    "offer",
    "answer",
    "candidate",
    "ice-candidate",
    "got user media",
    "bye",
];

/// Tells whether a message is a classic sample's: it enters a room by its bare name, or is already in one.
pub(super) fn concerns(envelope: &Envelope<'_>, is_inside: bool) -> bool {
    match &*envelope.event {
        "create or join" => true,
        "join" => envelope.payload.get().starts_with('"'),
        "ice" => false,
        _ => is_inside,
    }
}

pub(super) fn parse(envelope: &Envelope<'_>) -> Result<Request, Problem> {
    let event = &*envelope.event;
    if matches!(event, "create or join" | "join") {
        return Ok(Request::Join {
            room: RoomKey {
                space: Space::Classic,
                name: room(envelope.payload)?,
            },
            name: MemberName::default(),
            token: None,
            resume: false,
        });
    }
    if event == "leave" {
        return Ok(Request::Leave);
    }
    let label = PASSED_ON.into_iter().find(|label| *label == event);
    Ok(Request::Publish(Signal {
        label: label.ok_or(Problem::BadMessage)?,
        body: Arc::from(envelope.payload.to_owned()),
    }))
}

/// Samples name rooms by a text or a number.
fn room(payload: &RawValue) -> Result<RoomName, Problem> {
    let text = serde_json::from_str::<String>(payload.get())
        .or_else(|_| serde_json::from_str::<u64>(payload.get()).map(|number| number.to_string()))
        .map_err(|_| Problem::BadMessage)?;
    RoomName::new(&text).ok_or(Problem::BadRoom)
}

/// What stands behind an event's name.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Arguments<'a> {
    Room(&'a RoomName),
    RoomAndId(&'a RoomName, MemberId),
    Id(MemberId),
    Body(&'a RawValue),
}

/// What a notice is to a classic sample's client.
pub(super) fn events(told: &Output) -> Vec<(&'static str, Arguments<'_>)> {
    let room = &told.room.name;
    let ready = ("ready", Arguments::Room(room));
    match &told.notice {
        Notice::Joined { this, peers, .. } if peers.is_empty() => {
            vec![("created", Arguments::RoomAndId(room, this.id))]
        }
        Notice::Joined { this, .. } => vec![("joined", Arguments::RoomAndId(room, this.id)), ready],
        Notice::PeerJoined(_) => vec![("join", Arguments::Room(room)), ready],
        Notice::PeerLeft(id) => vec![("bye", Arguments::Id(*id))],
        Notice::Signal { signal, .. } => vec![(signal.label, Arguments::Body(&signal.body))],
        Notice::PeerReconnecting(_)
        | Notice::PeerReconnected(_)
        | Notice::Waiting
        | Notice::Unanswered(_)
        | Notice::Forgotten => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::LABELS;

    #[test]
    fn other_nodes_know_what_members_tell_each_other() {
        assert!(PASSED_ON.iter().all(|label| LABELS.contains(label)));
    }
}
