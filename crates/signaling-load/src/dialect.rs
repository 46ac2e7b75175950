//! What is spoken to a server: the same work in the words of each.

mod peerjs;
mod plain;
mod sample;
mod socket_io;

use std::fmt;

use serde::{Deserialize, Serialize};

/// A dialect of signaling, over WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// One JSON object a message, as `docs/signaling.md` says.
    Plain,
    /// PeerJS: two clients with ids of their own, no rooms.
    PeerJs,
    /// The events of classic samples over Socket.IO v4: `create or join`, `message`.
    #[serde(rename = "socket.io")]
    SocketIo,
}

/// What one member says to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Offer,
    Answer,
    Candidate,
}

/// What a client hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It may say the next thing of its greeting.
    Greeted,
    /// It is in, and this is its name for the other member.
    Entered(String),
    /// The other member said something at this time.
    Signal { kind: Kind, at: u64 },
    /// The server wants to know whether the client is there.
    Ping,
    /// It is told of a problem, by this code.
    Problem(String),
    /// Something that this work does not need.
    Other,
}

/// One client's names.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) room: String,
    pub(crate) own: String,
}

impl Dialect {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Plain, Self::PeerJs, Self::SocketIo];

    /// What it is called in flags and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::PeerJs => "peerjs",
            Self::SocketIo => "socket.io",
        }
    }

    /// Where servers have their WebSockets.
    pub fn default_path(self) -> &'static str {
        match self {
            Self::Plain => "/ws",
            Self::PeerJs => "/peerjs",
            Self::SocketIo => "/socket.io/",
        }
    }

    /// What follows the path in the handshake.
    pub(crate) fn query(self, names: &Names) -> String {
        match self {
            Self::Plain => String::new(),
            Self::PeerJs => peerjs::query(names),
            Self::SocketIo => "?EIO=4&transport=websocket".to_owned(),
        }
    }

    /// What a client says to enter, one after the other: the first at once, each other one when it was greeted.
    pub(crate) fn greeting(self, names: &Names) -> Vec<String> {
        match self {
            Self::Plain => vec![plain::join(names)],
            Self::PeerJs => Vec::new(),
            Self::SocketIo => socket_io::greeting(names),
        }
    }

    /// Whether the server speaks first.
    pub(crate) fn waits_to_be_greeted(self) -> bool {
        self == Self::SocketIo
    }

    /// Says something to the member `to`.
    pub(crate) fn signal(self, to: &str, kind: Kind, at: u64) -> String {
        match self {
            Self::Plain => plain::signal(to, kind, at),
            Self::PeerJs => peerjs::signal(to, kind, at),
            Self::SocketIo => socket_io::signal(kind, at),
        }
    }

    pub(crate) fn hear(self, text: &str, names: &Names) -> Heard {
        match self {
            Self::Plain => plain::hear(text),
            Self::PeerJs => peerjs::hear(text, names),
            Self::SocketIo => socket_io::hear(text),
        }
    }

    /// The answer to a ping.
    pub(crate) fn pong(self) -> &'static str {
        match self {
            Self::SocketIo => socket_io::PONG,
            Self::Plain | Self::PeerJs => "",
        }
    }

    /// What a client says from time to time to show that it is there.
    pub(crate) fn heartbeat(self) -> Option<&'static str> {
        match self {
            Self::PeerJs => Some(peerjs::HEARTBEAT),
            Self::Plain | Self::SocketIo => None,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_or_broken_message_is_none_of_this_work() {
        let names = Names {
            room: "room".to_owned(),
            own: "anna".to_owned(),
        };
        for dialect in Dialect::ALL {
            for text in [
                "",
                "{",
                "[]",
                "42",
                "42[",
                "42[1]",
                r#"{"type":"new"}"#,
                r#"42["new",{}]"#,
            ] {
                assert_eq!(dialect.hear(text, &names), Heard::Other, "{dialect} {text}");
            }
        }
    }
}
