//! The messages of PeerJS.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    problem::Problem,
    rooms::{Notice, Output, Signal},
};

/// What one client says to another.
const PASSED_ON: [&str; 5] = ["OFFER", "ANSWER", "CANDIDATE", "LEAVE", "EXPIRE"];

/// What a client asks for.
pub(in crate::dialects) enum Request {
    Heartbeat,
    /// Leaves for good.
    Leave,
    Send {
        to: String,
        signal: Signal,
        /// Whether it is worth keeping for somebody who is not there yet.
        keep: bool,
    },
}

impl Request {
    pub(in crate::dialects) fn parse(text: &str) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Message<'a> {
            #[serde(rename = "type")]
            label: String,
            dst: Option<String>,
            #[serde(borrow)]
            payload: Option<&'a RawValue>,
        }
        let message: Message<'_> = serde_json::from_str(text).map_err(|_| Problem::BadMessage)?;
        let label = match &*message.label {
            "HEARTBEAT" => return Ok(Self::Heartbeat),
            label => PASSED_ON.into_iter().find(|known| *known == label),
        };
        let label = label.ok_or(Problem::BadMessage)?;
        let body = message.payload.unwrap_or(RawValue::NULL).to_owned();
        match message.dst {
            Some(to) => Ok(Self::Send {
                to,
                signal: Signal {
                    label,
                    body: Arc::from(body),
                },
                keep: !matches!(label, "LEAVE" | "EXPIRE"),
            }),
            None if label == "LEAVE" => Ok(Self::Leave),
            None => Err(Problem::BadMessage),
        }
    }

    /// The name in the metrics.
    pub(in crate::dialects) fn name(&self) -> &'static str {
        match self {
            Self::Heartbeat => "HEARTBEAT",
            Self::Leave => "LEAVE",
            Self::Send { signal, .. } => signal.label,
        }
    }
}

/// What the server says.
#[derive(Serialize)]
pub(in crate::dialects) struct Answer<'a> {
    #[serde(rename = "type")]
    label: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    src: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Payload<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Payload<'a> {
    Passed(&'a RawValue),
    Said { msg: &'static str },
}

impl<'a> Answer<'a> {
    pub(in crate::dialects) const OPEN: Self = Self {
        label: "OPEN",
        src: None,
        dst: None,
        payload: None,
    };

    /// What a notice is to the client `own`.
    pub(in crate::dialects) fn of(told: &'a Output, own: &'a str) -> Option<Self> {
        match &told.notice {
            Notice::Signal { from, signal, .. } => Some(Self {
                label: signal.label,
                src: Some(from.name.as_str()),
                dst: Some(own),
                payload: Some(Payload::Passed(&signal.body)),
            }),
            Notice::Unanswered(name) => Some(Self::expired(name.as_str(), own)),
            Notice::Joined { .. } => Some(Self::OPEN),
            Notice::PeerJoined(_)
            | Notice::PeerReconnecting(_)
            | Notice::PeerReconnected(_)
            | Notice::PeerLeft(_)
            | Notice::Waiting
            | Notice::Forgotten => None,
        }
    }

    /// Nobody is there by the id `absent`.
    pub(in crate::dialects) fn expired(absent: &'a str, own: &'a str) -> Self {
        Self {
            label: "EXPIRE",
            src: Some(absent),
            dst: Some(own),
            payload: None,
        }
    }

    pub(in crate::dialects) fn problem(problem: Problem) -> Self {
        // The words are those of PeerJS's own server.
        let (label, msg) = if problem == Problem::IdTaken {
            ("ID-TAKEN", "ID is taken")
        } else if problem == Problem::BadRoom {
            ("INVALID-KEY", "Invalid key provided")
        } else {
            ("ERROR", problem.message())
        };
        Self {
            label,
            src: None,
            dst: None,
            payload: Some(Payload::Said { msg }),
        }
    }

    pub(in crate::dialects) fn text(&self) -> String {
        // Strings and raw JSON always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::LABELS;

    #[test]
    fn other_nodes_know_what_clients_say_to_each_other() {
        assert!(PASSED_ON.iter().all(|label| LABELS.contains(label)));
    }

    #[test]
    fn what_is_no_message_of_a_client_is_refused() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"type":"OPEN"}"#,
            r#"{"type":"ID-TAKEN","dst":"a"}"#,
            r#"{"type":"OFFER","payload":{}}"#,
            r#"{"type":"OFFER","dst":7}"#,
        ] {
            assert!(Request::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn who_leaves_without_saying_whom_leaves_for_good() {
        assert!(matches!(
            Request::parse(r#"{"type":"LEAVE"}"#),
            Ok(Request::Leave)
        ));
        let named = Request::parse(r#"{"type":"LEAVE","dst":"a"}"#);
        assert!(matches!(named, Ok(Request::Send { keep: false, .. })));
    }
}
