//! What clients say in the room protocol, the same objects in both of its dialects.

use std::{borrow::Cow, num::NonZeroU64, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    names::{MemberId, MemberName, RoomKey, RoomName, Space},
    problem::Problem,
    rooms::Signal,
};

/// The label of candidates; other signals are descriptions.
pub(crate) const CANDIDATE: &str = "candidate";

/// A client's message once its envelope is off: the event's name and its JSON object.
pub(crate) struct Envelope<'a> {
    pub(crate) event: Cow<'a, str>,
    pub(crate) payload: &'a RawValue,
}

/// What a client asks for, checked as far as one message shows.
#[derive(Debug)]
pub(crate) enum Request {
    Join {
        room: RoomKey,
        name: MemberName,
        /// Opens the room, where one is needed.
        token: Option<String>,
        /// Whether the client means to come back after a lost connection.
        resume: bool,
    },
    Resume {
        token: String,
        seen: u64,
    },
    Send {
        to: MemberId,
        signal: Signal,
        number: Option<u64>,
    },
    /// To everybody else in the room; classic samples know no ids.
    Publish(Signal),
    Ice,
    Leave,
}

impl Request {
    /// Reads the payload that `envelope` says it has.
    pub(crate) fn parse(envelope: &Envelope<'_>) -> Result<Self, Problem> {
        let payload = envelope.payload;
        match &*envelope.event {
            "join" => Self::join(payload),
            "resume" => Self::resume(payload),
            "offer" => Self::send("offer", payload),
            "answer" => Self::send("answer", payload),
            CANDIDATE => Self::send(CANDIDATE, payload),
            "ice" => Ok(Self::Ice),
            "leave" => Ok(Self::Leave),
            _ => Err(Problem::BadMessage),
        }
    }

    /// The event's name, for metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Join { .. } => "join",
            Self::Resume { .. } => "resume",
            Self::Send { signal, .. } | Self::Publish(signal) => signal.label,
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
            token: Option<String>,
            #[serde(default)]
            resume: bool,
        }
        let payload: Payload = read(payload)?;
        let name = RoomName::new(&payload.room).ok_or(Problem::BadRoom)?;
        Ok(Self::Join {
            room: RoomKey {
                space: Space::Calls,
                name,
            },
            name: MemberName::new(&payload.name).ok_or(Problem::BadName)?,
            token: payload.token,
            resume: payload.resume,
        })
    }

    fn resume(payload: &RawValue) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Payload {
            token: String,
            #[serde(default)]
            seen: u64,
        }
        let Payload { token, seen } = read(payload)?;
        Ok(Self::Resume { token, seen })
    }

    fn send(label: &'static str, payload: &RawValue) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Payload<'a> {
            #[serde(default)]
            to: String,
            #[serde(borrow)]
            description: Option<&'a RawValue>,
            #[serde(borrow, default = "absent")]
            candidate: &'a RawValue,
            seq: Option<NonZeroU64>,
        }
        let payload: Payload<'_> = read(payload)?;
        let body = match label == CANDIDATE {
            false => payload.description.filter(is_object),
            // A null candidate says that there are no more.
            true => Some(payload.candidate).filter(|body| is_object(body) || body.get() == "null"),
        };
        let body = body.ok_or(Problem::BadMessage)?.to_owned();
        Ok(Self::Send {
            to: MemberId::parse(&payload.to).ok_or(Problem::UnknownPeer)?,
            signal: Signal {
                label,
                body: Arc::from(body),
            },
            number: payload.seq.map(NonZeroU64::get),
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
    fn a_number_that_is_none_is_a_bad_message() {
        for seq in ["0", "-1", "1.5", "\"1\"", "1e99"] {
            let payload = format!(r#"{{"to":"{TO}","candidate":null,"seq":{seq}}}"#);
            assert_eq!(parse("candidate", &payload), Err(Problem::BadMessage), "{seq}");
        }
        assert_eq!(
            parse("resume", r#"{"token":"x","seen":-1}"#),
            Err(Problem::BadMessage)
        );
        assert_eq!(parse("resume", "{}"), Err(Problem::BadMessage));
    }
}
