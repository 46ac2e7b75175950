//! The room protocol: one JSON object a message, its `type` names the event.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::json;

use super::{
    Heard, Kind, Names,
    sample::{self, Stamp},
};

pub(super) fn join(names: &Names) -> String {
    json!({ "type": "join", "room": names.room, "name": names.own }).to_string()
}

pub(super) fn signal(to: &str, kind: Kind, at: u64) -> String {
    let (event, field) = match kind {
        Kind::Offer => ("offer", "description"),
        Kind::Answer => ("answer", "description"),
        Kind::Candidate => ("candidate", "candidate"),
    };
    let body = sample::body(kind, at);
    format!(r#"{{"type":"{event}","to":{},"{field}":{body}}}"#, json!(to))
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    event: Cow<'a, str>,
    #[serde(rename = "self")]
    own: Option<Own>,
    #[serde(alias = "candidate")]
    description: Option<Stamp>,
    code: Option<String>,
}

#[derive(Deserialize)]
struct Own {
    id: String,
}

pub(super) fn hear(text: &str) -> Heard {
    let Ok(message) = serde_json::from_str::<Message<'_>>(text) else {
        return Heard::Other;
    };
    if let (Some(kind), Some(Stamp { at })) = (sample::kind(&message.event), message.description) {
        return Heard::Signal { kind, at };
    }
    match (&*message.event, message.own, message.code) {
        ("joined", Some(own), _) => Heard::Entered(own.id),
        ("problem", _, Some(code)) => Heard::Problem(code),
        _ => Heard::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_says_with_another_sender_is_what_the_other_hears() {
        for kind in [Kind::Offer, Kind::Answer, Kind::Candidate] {
            let said = signal("5f0c", kind, 7).replace(r#""to":"5f0c""#, r#""from":"a91e""#);
            assert_eq!(hear(&said), Heard::Signal { kind, at: 7 }, "{said}");
        }
        let joined =
            r#"{"type":"joined","self":{"id":"5f0c","name":""},"room":"r","peers":[],"waiting":true}"#;
        assert_eq!(hear(joined), Heard::Entered("5f0c".to_owned()));
        let problem = r#"{"type":"problem","code":"room_full","message":"the room is full"}"#;
        assert_eq!(hear(problem), Heard::Problem("room_full".to_owned()));
        assert_eq!(
            hear(r#"{"type":"peer-joined","id":"5f0c","name":""}"#),
            Heard::Other
        );
    }
}
