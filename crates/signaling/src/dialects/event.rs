//! What the server says in the room protocol, the same objects in both of its dialects.

use serde::Serialize;
use serde_json::value::RawValue;

use super::request::CANDIDATE;
use crate::{
    ice::IceServer,
    names::{MemberId, RoomName},
    problem::Problem,
    rooms::{Notice, Peer},
};

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
        #[serde(skip_serializing_if = "Option::is_none")]
        resume: Option<ComeBack>,
    },
    /// What changed meanwhile follows as the events that were missed.
    #[serde(rename_all = "camelCase")]
    Resumed {
        #[serde(rename = "self")]
        this: &'a Peer,
        room: &'a RoomName,
        received: u64,
        ice_servers: &'a [IceServer],
        ice_ttl: u64,
        resume: ComeBack,
    },
    PeerJoined(&'a Peer),
    PeerReconnecting {
        id: MemberId,
    },
    PeerReconnected {
        id: MemberId,
    },
    PeerLeft {
        id: MemberId,
    },
    Waiting {},
    Description {
        #[serde(skip)]
        kind: &'static str,
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
        #[serde(skip_serializing_if = "Option::is_none")]
        resume: Option<ComeBack>,
    },
    /// The answer to a classic sample's client when the room is full.
    Full(&'a RoomName),
    Problem {
        code: &'static str,
        message: &'static str,
    },
}

/// How to come back after the connection was lost.
#[derive(Debug, Serialize)]
pub(crate) struct ComeBack {
    pub(crate) token: String,
    /// How long the place is kept.
    pub(crate) seconds: u64,
}

/// An event with the number that it has for a member that may come back.
#[derive(Debug, Serialize)]
pub(crate) struct Numbered<'a> {
    #[serde(flatten)]
    event: &'a Event<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
}

impl<'a> Event<'a> {
    /// What a notice is on the wire; a join's answer also needs what only the joining session knows.
    pub(crate) fn of(notice: &'a Notice) -> Option<Self> {
        Some(match notice {
            Notice::PeerJoined(peer) => Self::PeerJoined(peer),
            Notice::PeerReconnecting(id) => Self::PeerReconnecting { id: *id },
            Notice::PeerReconnected(id) => Self::PeerReconnected { id: *id },
            Notice::PeerLeft(id) => Self::PeerLeft { id: *id },
            Notice::Waiting => Self::Waiting {},
            Notice::Signal { from, signal, .. } if signal.label == CANDIDATE => Self::Candidate {
                from: from.id,
                candidate: &signal.body,
            },
            Notice::Signal { from, signal, .. } => Self::Description {
                kind: signal.label,
                from: from.id,
                description: &signal.body,
            },
            Notice::Joined { .. } | Notice::Unanswered(_) | Notice::Forgotten => return None,
        })
    }

    pub(crate) fn numbered(&'a self, seq: Option<u64>) -> Numbered<'a> {
        Numbered { event: self, seq }
    }

    /// The event's name on the wire; `None` for what is only an acknowledgement.
    pub(crate) fn name(&self) -> Option<&'static str> {
        Some(match self {
            Self::Done {} => return None,
            Self::Joined { .. } => "joined",
            Self::Resumed { .. } => "resumed",
            Self::PeerJoined(_) => "peer-joined",
            Self::PeerReconnecting { .. } => "peer-reconnecting",
            Self::PeerReconnected { .. } => "peer-reconnected",
            Self::PeerLeft { .. } => "peer-left",
            Self::Waiting {} => "waiting",
            Self::Description { kind, .. } => kind,
            Self::Candidate { .. } => CANDIDATE,
            Self::Ice { .. } => "ice",
            Self::Full(_) => "full",
            Self::Problem { .. } => "problem",
        })
    }
}

impl From<Problem> for Event<'_> {
    fn from(problem: Problem) -> Self {
        Self::Problem {
            code: problem.code(),
            message: problem.message(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{names::MemberName, rooms::Signal};

    #[test]
    fn a_signal_is_passed_on_to_the_byte_with_its_number() {
        let body: Box<RawValue> = serde_json::from_str("{\"sdp\":\"v=0\\r\\n\", \"\\u0061\": 1.0}").unwrap();
        let text = body.get().to_owned();
        let notice = Notice::Signal {
            from: Peer {
                id: MemberId::new(1),
                name: MemberName::new("").unwrap(),
                reconnecting: false,
            },
            signal: Signal {
                label: "answer",
                body: body.into(),
            },
            members: 2,
        };
        let event = Event::of(&notice).unwrap();
        assert_eq!(event.name(), Some("answer"));
        assert_eq!(
            serde_json::to_string(&event.numbered(Some(7))).unwrap(),
            format!(r#"{{"from":"00000000000000000000000000000001","description":{text},"seq":7}}"#)
        );
    }
}
