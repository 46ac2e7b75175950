//! What members ask of the rooms, and what they are told.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::RawValue;

use super::member::{Holder, Permissions};
use crate::names::{MemberId, MemberName, RoomKey};

/// Shows a member to the others of its room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The address for signals to this member.
    pub id: MemberId,
    /// What to show people.
    pub name: MemberName,
    /// Its connection is lost and it has not come back yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reconnecting: bool,
}

/// What one member says to others; the rooms pass it on without looking inside.
#[derive(Debug, Clone)]
pub struct Signal {
    /// What it is called on the wire; a fixed word of the dialect.
    pub label: &'static str,
    /// JSON as the sender wrote it, to the byte.
    pub body: Arc<RawValue>,
}

/// Every label that a dialect uses.
pub(crate) const LABELS: [&str; 14] = [
    "offer",
    "answer",
    "candidate",
    "message",
    "ready",
    "ice-candidate",
    "got user media",
    "bye",
    "OFFER",
    "ANSWER",
    "CANDIDATE",
    "LEAVE",
    "EXPIRE",
    "publish",
];

impl PartialEq for Signal {
    fn eq(&self, other: &Self) -> bool {
        self.label == other.label && self.body.get() == other.body.get()
    }
}

impl Eq for Signal {}

/// A label and the body as a text: how nodes pass a signal to each other.
impl Serialize for Signal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.label, self.body.get()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (label, body) = <(String, String)>::deserialize(deserializer)?;
        let label = LABELS.into_iter().find(|known| *known == label);
        let body = RawValue::from_string(body).map_err(D::Error::custom)?;
        Ok(Self {
            label: label.ok_or_else(|| D::Error::custom("a signal that is not known here"))?,
            body: body.into(),
        })
    }
}

/// What a newcomer brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// The room to enter; it comes to be if nobody is there.
    pub room: RoomKey,
    /// Members the room takes.
    pub capacity: usize,
    /// The newcomer's name.
    pub name: MemberName,
    /// What the newcomer may do there.
    pub permissions: Permissions,
    /// Who may come back as this member after its connection was lost; without it a lost connection is a farewell.
    pub holder: Option<Holder>,
}

/// One thing a member asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// Enters a room.
    Join(Join),
    /// Enters a room under an id of its own choice, or comes back as the member that has it.
    Claim(Join),
    /// Passes a signal to one other member of the room.
    Send {
        /// The member it is for.
        to: MemberId,
        /// What it says.
        signal: Signal,
        /// The sender's own count of its signals; one that was taken before is not taken again.
        number: Option<u64>,
        /// Keeps the signal for a while if nobody has that id, under the name that the sender knows.
        keep_for: Option<MemberName>,
    },
    /// Passes a signal to all members of the room.
    Publish {
        /// What it says.
        signal: Signal,
        /// Whether the sender hears it too.
        echo: bool,
    },
    /// Leaves the room for good.
    Leave,
    /// The connection is lost; whoever may come back is waited for.
    Lose,
    /// Comes back over another connection.
    Resume {
        /// Shows that the one who comes is the one who left.
        holder: Holder,
        /// The number of the last notice that arrived; `None`: all that came before the loss, and what is no longer
        /// kept is not missed.
        seen: Option<u64>,
    },
    /// The connection was not lost after all: it is told what it missed, and not that it is in.
    Return,
}

/// One notice to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The member it goes to.
    pub to: MemberId,
    /// The room it is about.
    pub room: RoomKey,
    /// Counts what a member that may come back is told.
    pub number: Option<u64>,
    /// What to tell it.
    pub notice: Notice,
}

/// What a member is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// It is in, or in again; `peers` are in the order they came.
    Joined {
        /// The member as the others see it.
        this: Peer,
        /// Everybody else in the room.
        peers: Vec<Peer>,
        /// What it may do here.
        permissions: Permissions,
        /// The number of its last signal that was taken.
        received: u64,
    },
    /// Somebody came in.
    PeerJoined(Peer),
    /// Somebody lost the connection and is waited for.
    PeerReconnecting(MemberId),
    /// Somebody is back, as the same member.
    PeerReconnected(MemberId),
    /// Somebody is gone.
    PeerLeft(MemberId),
    /// It is alone in the room now.
    Waiting,
    /// A signal from a member of the room, whose id the rooms vouch for.
    Signal {
        /// The sender.
        from: Peer,
        /// What it says.
        signal: Signal,
        /// Members of the room.
        members: usize,
    },
    /// Nobody came by this name to take what was kept.
    Unanswered(MemberName),
    /// It was waited for in vain; nobody is there to hear it, but what is kept for it can go.
    Forgotten,
}

/// What a notice costs beside its texts: the same for all builds, as it decides what is kept and who is given up.
const WEIGHT: usize = 128;

impl Notice {
    /// Roughly what keeping it costs, in bytes.
    pub(super) fn weight(&self) -> usize {
        let text = match self {
            Self::Signal { from, signal, .. } => from.name.as_str().len() + signal.body.get().len(),
            Self::PeerJoined(peer) => peer.name.as_str().len(),
            Self::Unanswered(name) => name.as_str().len(),
            Self::Joined { .. }
            | Self::PeerReconnecting(_)
            | Self::PeerReconnected(_)
            | Self::PeerLeft(_)
            | Self::Waiting
            | Self::Forgotten => 0,
        };
        WEIGHT + text
    }
}

/// Why an input changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The room has as many members as it takes.
    RoomFull,
    /// The server has as many rooms as it keeps.
    TooManyRooms,
    /// The sender is already in a room.
    AlreadyJoined,
    /// The sender is in no room.
    NotJoined,
    /// Nobody else in the sender's room has that id.
    UnknownPeer,
    /// The sender may not do that here.
    Forbidden,
    /// Nobody is waited for by that id, or too much was missed.
    CannotResume,
    /// Somebody else holds that id.
    Taken,
}
