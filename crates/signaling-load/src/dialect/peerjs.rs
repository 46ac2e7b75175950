//! PeerJS, whose clients choose their ids.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::json;

use super::{
    Heard, Kind, Names,
    sample::{self, Stamp},
};

pub(super) const HEARTBEAT: &str = r#"{"type":"HEARTBEAT"}"#;

/// The names are letters, digits and dashes; each client's token is its own name, which nobody else takes.
pub(super) fn query(names: &Names) -> String {
    let own = &names.own;
    format!("?key=peerjs&id={own}&token={own}&version=1.5.5")
}

pub(super) fn signal(to: &str, kind: Kind, at: u64) -> String {
    let event = match kind {
        Kind::Offer => "OFFER",
        Kind::Answer => "ANSWER",
        Kind::Candidate => "CANDIDATE",
    };
    let body = sample::body(kind, at);
    format!(r#"{{"type":"{event}","dst":{},"payload":{body}}}"#, json!(to))
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    event: Cow<'a, str>,
    payload: Option<Payload>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Payload {
    Stamp(Stamp),
    Other(serde::de::IgnoredAny),
}

pub(super) fn hear(text: &str, names: &Names) -> Heard {
    let Ok(message) = serde_json::from_str::<Message<'_>>(text) else {
        return Heard::Other;
    };
    if let (Some(kind), Some(Payload::Stamp(Stamp { at }))) = (sample::kind(&message.event), message.payload)
    {
        return Heard::Signal { kind, at };
    }
    match &*message.event {
        "OPEN" => Heard::Entered(names.own.clone()),
        code @ ("ERROR" | "ID-TAKEN" | "EXPIRE") => Heard::Problem(code.to_owned()),
        _ => Heard::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_says_is_what_the_other_hears() {
        let names = Names {
            room: String::new(),
            own: "anna".to_owned(),
        };
        for kind in [Kind::Offer, Kind::Answer, Kind::Candidate] {
            let said = signal("ben", kind, 7).replace("{\"type", "{\"src\":\"anna\",\"type");
            assert_eq!(hear(&said, &names), Heard::Signal { kind, at: 7 }, "{said}");
        }
        assert_eq!(
            hear(r#"{"type":"OPEN"}"#, &names),
            Heard::Entered("anna".to_owned())
        );
        let taken = r#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}"#;
        assert_eq!(hear(taken, &names), Heard::Problem("ID-TAKEN".to_owned()));
    }
}
