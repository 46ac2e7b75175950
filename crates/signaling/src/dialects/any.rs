//! Any text, read as a message of each dialect.

use std::sync::Arc;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{
    classic,
    peerjs::{self, Answer},
    request::{Envelope, Request},
    socket_io, web_socket,
    y_webrtc::{self, Press},
};
use crate::{
    names::{MemberId, MemberName, RoomKey, RoomName, Space},
    rooms::{Notice, Output, Peer, Signal},
};

pub(crate) fn any_message(text: &str) {
    for envelope in [socket_io::open(text), web_socket::open(text)] {
        envelope.iter().for_each(|envelope| room_protocol(text, envelope));
    }
    if let Ok(peerjs::Request::Send { signal, .. }) = peerjs::Request::parse(text) {
        stands_in(text, &signal);
        let answer = pass_on(signal).and_then(|told| Some(Answer::of(&told, "\"own\"")?.text()));
        answer.iter().for_each(|answer| is_json(answer));
    }
    if let Some(y_webrtc::Message::Publish { .. }) = y_webrtc::Message::parse(text)
        && let Ok(body) = serde_json::from_str::<Box<RawValue>>(text)
    {
        let printed = Press::default().print(&Arc::from(body), 7);
        is_json(&printed.unwrap_or_default());
    }
}

fn room_protocol(text: &str, envelope: &Envelope<'_>) {
    for is_inside in [false, true] {
        let request = match classic::concerns(envelope, is_inside) {
            true => classic::parse(envelope),
            false => Request::parse(envelope),
        };
        match request {
            Ok(Request::Send { signal, number, .. }) => {
                assert_ne!(number, Some(0), "numbers begin with 1");
                stands_in(text, &signal);
            }
            Ok(Request::Publish(signal)) => stands_in(text, &signal),
            Ok(Request::Join { room, .. }) => assert!(!room.name.as_str().is_empty(), "a room has a name"),
            Ok(Request::Resume { .. } | Request::Ice | Request::Leave) | Err(_) => {}
        }
    }
}

fn stands_in(text: &str, signal: &Signal) {
    let body = signal.body.get();
    // A body that is missing is a null.
    assert!(text.contains(body) || body == "null", "{body} is not in {text}");
}

fn is_json(text: &str) {
    assert!(serde_json::from_str::<IgnoredAny>(text).is_ok(), "{text}");
}

/// The signal as another member gets it.
fn pass_on(signal: Signal) -> Option<Output> {
    let from = Peer {
        id: MemberId::new(1),
        name: MemberName::new("\"anna\\")?,
        reconnecting: false,
    };
    Some(Output {
        to: MemberId::new(2),
        room: RoomKey {
            space: Space::Peers,
            name: RoomName::new("peerjs")?,
        },
        number: None,
        notice: Notice::Signal {
            from,
            signal,
            members: 2,
        },
    })
}
