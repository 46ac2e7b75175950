//! Socket.IO v4 over Engine.IO 4, by WebSocket alone, with the events of classic samples.

use serde_json::{json, value::RawValue};

use super::{
    Heard, Kind, Names,
    sample::{self, Stamp},
};

/// Engine.IO's answer to a ping.
pub(super) const PONG: &str = "3";

/// Into the namespace, then into the room.
pub(super) fn greeting(names: &Names) -> Vec<String> {
    let join = json!(["create or join", names.room]);
    vec!["40".to_owned(), format!("42{join}")]
}

pub(super) fn signal(kind: Kind, at: u64) -> String {
    let body = sample::body(kind, at);
    format!(r#"42["message",{body}]"#)
}

pub(super) fn hear(text: &str) -> Heard {
    if let Some(event) = text.strip_prefix("42") {
        return hear_event(event).unwrap_or(Heard::Other);
    }
    // Engine.IO: 0 opens, 2 pings. Socket.IO within 4: 0 connects, 4 refuses.
    match text.as_bytes() {
        [b'0', b'{', ..] | [b'4', b'0', b'{', ..] => Heard::Greeted,
        b"2" => Heard::Ping,
        [b'4', b'4', ..] => Heard::Problem("connect_error".to_owned()),
        _ => Heard::Other,
    }
}

fn hear_event(text: &str) -> Option<Heard> {
    let parts: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let (name, first) = (parts.first()?.get(), parts.get(1).map(|first| first.get()));
    Some(match name {
        r#""message""# => said(first?)?,
        // Whom it is for needs no name: all others in the room hear it.
        r#""created""# | r#""joined""# => Heard::Entered(String::new()),
        r#""full""# => Heard::Problem("full".to_owned()),
        r#""problem""# => Heard::Problem(code(first?)?),
        _ => Heard::Other,
    })
}

fn said(body: &str) -> Option<Heard> {
    #[derive(serde::Deserialize)]
    struct Said<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        #[serde(flatten)]
        stamp: Stamp,
    }
    let Said { kind, stamp } = serde_json::from_str(body).ok()?;
    let kind = sample::kind(kind)?;
    Some(Heard::Signal { kind, at: stamp.at })
}

fn code(problem: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Problem {
        code: String,
    }
    let problem: Problem = serde_json::from_str(problem).ok()?;
    Some(problem.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_says_is_what_the_other_hears() {
        for kind in [Kind::Offer, Kind::Answer, Kind::Candidate] {
            assert_eq!(hear(&signal(kind, 7)), Heard::Signal { kind, at: 7 });
        }
        let entered = Heard::Entered(String::new());
        assert_eq!(hear(r#"42["created","room","id"]"#), entered);
        assert_eq!(hear(r#"42["joined","room","id"]"#), entered);
        assert_eq!(hear(r#"42["join","room"]"#), Heard::Other);
        assert_eq!(hear(r#"0{"sid":"x","upgrades":[]}"#), Heard::Greeted);
        assert_eq!(hear(r#"40{"sid":"x"}"#), Heard::Greeted);
        assert_eq!(hear("2"), Heard::Ping);
        let problem = r#"42["problem",{"code":"too_fast","message":"slow down"}]"#;
        assert_eq!(hear(problem), Heard::Problem("too_fast".to_owned()));
    }
}
