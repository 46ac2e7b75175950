//! The room protocol's messages, the same objects in both dialects.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    ice::IceServer,
    names::{MemberId, MemberName, RoomName},
    rooms::{Peer, Refusal},
};

/// A client's message once its envelope is off: the event's name and its JSON object.
pub(crate) struct Envelope<'a> {
    pub(crate) event: Cow<'a, str>,
    pub(crate) payload: &'a RawValue,
}

/// What a client asks for, checked as far as one message shows.
#[derive(Debug)]
pub(crate) enum Request<'a> {
    Join { room: RoomName, name: MemberName },
    Relay { to: MemberId, signal: Signal<'a> },
    Ice,
    Leave,
}

/// A description or candidate on its way between two members; its content is theirs alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signal<'a> {
    kind: SignalKind,
    body: &'a RawValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignalKind {
    Offer,
    Answer,
    Candidate,
}

impl SignalKind {
    fn name(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::Candidate => "candidate",
        }
    }
}

impl<'a> Request<'a> {
    /// Reads the payload that `envelope` says it has.
    pub(crate) fn parse(envelope: &Envelope<'a>) -> Result<Self, Problem> {
        let payload = envelope.payload;
        match &*envelope.event {
            "join" => Self::join(payload),
            "offer" => Self::relay(SignalKind::Offer, payload),
            "answer" => Self::relay(SignalKind::Answer, payload),
            "candidate" => Self::relay(SignalKind::Candidate, payload),
            "ice" => Ok(Self::Ice),
            "leave" => Ok(Self::Leave),
            _ => Err(Problem::BadMessage),
        }
    }

    /// The event's name, for metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Join { .. } => "join",
            Self::Relay { signal, .. } => signal.kind.name(),
            Self::Ice => "ice",
            Self::Leave => "leave",
        }
    }

    fn join(payload: &RawValue) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Payload {
            #[serde(default)]
            room: String,
            #[serde(default)]
            name: String,
        }
        let Payload { room, name } = read(payload)?;
        Ok(Self::Join {
            room: RoomName::new(&room).ok_or(Problem::BadRoom)?,
            name: MemberName::new(&name).ok_or(Problem::BadName)?,
        })
    }

    fn relay(kind: SignalKind, payload: &'a RawValue) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Payload<'a> {
            #[serde(default)]
            to: String,
            #[serde(borrow)]
            description: Option<&'a RawValue>,
            #[serde(borrow, default = "absent")]
            candidate: &'a RawValue,
        }
        let payload: Payload<'a> = read(payload)?;
        let body = match kind {
            SignalKind::Offer | SignalKind::Answer => payload.description.filter(is_object),
            // A null candidate says that there are no more.
            SignalKind::Candidate => {
                Some(payload.candidate).filter(|body| is_object(body) || body.get() == "null")
            }
        };
        Ok(Self::Relay {
            to: MemberId::parse(&payload.to).ok_or(Problem::UnknownPeer)?,
            signal: Signal {
                kind,
                body: body.ok_or(Problem::BadMessage)?,
            },
        })
    }
}

fn read<'a, T: Deserialize<'a>>(payload: &'a RawValue) -> Result<T, Problem> {
    // Without the check an array of the fields in order would pass too.
    let object = Some(payload).filter(is_object).ok_or(Problem::BadMessage)?;
    serde_json::from_str(object.get()).map_err(|_| Problem::BadMessage)
}

fn is_object(body: &&RawValue) -> bool {
    body.get().starts_with('{')
}

/// Stands for a missing field, which a null would otherwise be taken for.
fn absent<'a>() -> &'a RawValue {
    RawValue::TRUE
}

/// What the server tells a client; serializes as the payload, without the event's name.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Event<'a> {
    /// The answer to a request that has no other; only a Socket.IO acknowledgement carries it.
    Done {},
    #[serde(rename_all = "camelCase")]
    Joined {
        #[serde(rename = "self")]
        this: &'a Peer,
        room: &'a RoomName,
        peers: &'a [Peer],
        waiting: bool,
        ice_servers: &'a [IceServer],
        ice_ttl: u64,
    },
    PeerJoined(&'a Peer),
    PeerLeft {
        id: MemberId,
    },
    Waiting {},
    Description {
        #[serde(skip)]
        kind: SignalKind,
        from: MemberId,
        description: &'a RawValue,
    },
    Candidate {
        from: MemberId,
        candidate: &'a RawValue,
    },
    #[serde(rename_all = "camelCase")]
    Ice {
        ice_servers: &'a [IceServer],
        ice_ttl: u64,
    },
    Problem {
        code: &'static str,
        message: &'static str,
    },
}

impl<'a> Event<'a> {
    pub(crate) fn signal(from: MemberId, signal: Signal<'a>) -> Self {
        let Signal { kind, body } = signal;
        match kind {
            SignalKind::Offer | SignalKind::Answer => Self::Description {
                kind,
                from,
                description: body,
            },
            SignalKind::Candidate => Self::Candidate {
                from,
                candidate: body,
            },
        }
    }

    /// The event's name on the wire; `None` for what is only an acknowledgement.
    pub(crate) fn name(&self) -> Option<&'static str> {
        Some(match self {
            Self::Done {} => return None,
            Self::Joined { .. } => "joined",
            Self::PeerJoined(_) => "peer-joined",
            Self::PeerLeft { .. } => "peer-left",
            Self::Waiting {} => "waiting",
            Self::Description { kind, .. } => kind.name(),
            Self::Candidate { .. } => SignalKind::Candidate.name(),
            Self::Ice { .. } => "ice",
            Self::Problem { .. } => "problem",
        })
    }
}

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
    TooLarge,
    TooFast,
    TooSlow,
    Closing,
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
            Self::TooLarge => "too_large",
            Self::TooFast => "too_fast",
            Self::TooSlow => "too_slow",
            Self::Closing => "closing",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::BadRoom => "a room's name has 1 to 64 characters and no control characters",
            Self::BadName => "a name has at most 64 characters and no control characters",
            Self::BadMessage => "this is no message of the room protocol",
            Self::RoomFull => "the room is full",
            Self::ServerFull => "the server has no place for another room",
            Self::AlreadyJoined => "leave the room before joining another",
            Self::NotJoined => "join a room first",
            Self::UnknownPeer => "nobody else in this room has that id",
            Self::TooLarge => "the message is too large",
            Self::TooFast => "too many messages, slow down",
            Self::TooSlow => "messages were not received fast enough",
            Self::Closing => "the server is stopping, connect again later",
        }
    }

    pub(crate) fn event(self) -> Event<'static> {
        Event::Problem {
            code: self.code(),
            message: self.message(),
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(event: &str, payload: &str) -> Result<String, Problem> {
        let payload: Box<RawValue> = serde_json::from_str(payload).unwrap();
        let envelope = Envelope {
            event: event.into(),
            payload: &payload,
        };
        Request::parse(&envelope).map(|request| format!("{request:?}"))
    }

    const TO: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_room_that_is_no_text_is_a_bad_message_and_one_without_a_name_a_bad_room() {
        assert_eq!(parse("join", r#"{"room":7}"#), Err(Problem::BadMessage));
        assert_eq!(parse("join", r#"["north"]"#), Err(Problem::BadMessage));
        assert_eq!(parse("join", "{}"), Err(Problem::BadRoom));
        assert_eq!(parse("join", r#"{"room":"a\u0000"}"#), Err(Problem::BadRoom));
        let long = "n".repeat(10_000);
        let payload = format!(r#"{{"room":"a","name":"{long}"}}"#);
        assert_eq!(parse("join", &payload), Err(Problem::BadName));
    }

    #[test]
    fn a_description_is_an_object_and_a_candidate_may_be_null() {
        for body in ["null", "7", "\"v=0\"", "[]"] {
            let payload = format!(r#"{{"to":"{TO}","description":{body}}}"#);
            assert_eq!(parse("offer", &payload), Err(Problem::BadMessage), "{body}");
        }
        assert!(parse("offer", &format!(r#"{{"to":"{TO}","description":{{}}}}"#)).is_ok());
        assert!(parse("candidate", &format!(r#"{{"to":"{TO}","candidate":null}}"#)).is_ok());
        let nothing = format!(r#"{{"to":"{TO}"}}"#);
        assert_eq!(parse("candidate", &nothing), Err(Problem::BadMessage));
        assert_eq!(parse("answer", &nothing), Err(Problem::BadMessage));
    }

    #[test]
    fn an_id_that_nobody_can_have_is_an_unknown_peer() {
        for to in ["", "x", "../..", "0123456789ABCDEF0123456789ABCDEF"] {
            let payload = format!(r#"{{"to":"{to}","candidate":{{}}}}"#);
            assert_eq!(parse("candidate", &payload), Err(Problem::UnknownPeer));
        }
    }

    #[test]
    fn an_event_nobody_defined_is_a_bad_message() {
        for event in ["", "joined", "message", "__proto__", "disconnect"] {
            assert_eq!(parse(event, "{}"), Err(Problem::BadMessage));
        }
    }

    #[test]
    fn a_signal_is_passed_on_to_the_byte() {
        let body: Box<RawValue> = serde_json::from_str("{\"sdp\":\"v=0\\r\\n\", \"\\u0061\": 1.0}").unwrap();
        let signal = Signal {
            kind: SignalKind::Answer,
            body: &body,
        };
        let event = Event::signal(MemberId::new(1), signal);
        assert_eq!(event.name(), Some("answer"));
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            format!(
                r#"{{"from":"00000000000000000000000000000001","description":{}}}"#,
                body.get()
            )
        );
    }
}
