//! Descriptions and candidates of usual sizes, with the time at which they were sent.

use std::sync::LazyLock;

use serde::Deserialize;

use super::Kind;

/// The time in what the other member sent; all else in it is for a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Stamp {
    pub(super) at: u64,
}

/// Bytes of a call with audio and video in the offer, and of the shorter list of codecs in the answer.
const OFFER_BYTES: usize = 3000;
const ANSWER_BYTES: usize = 2000;

static OFFER: LazyLock<String> = LazyLock::new(|| sdp(OFFER_BYTES));
static ANSWER: LazyLock<String> = LazyLock::new(|| sdp(ANSWER_BYTES));

/// The body of a signal as JSON.
pub(super) fn body(kind: Kind, at: u64) -> String {
    match kind {
        Kind::Offer => format!(r#"{{"type":"offer","sdp":"{}","at":{at}}}"#, *OFFER),
        Kind::Answer => format!(r#"{{"type":"answer","sdp":"{}","at":{at}}}"#, *ANSWER),
        Kind::Candidate => format!(
            r#"{{"type":"candidate","candidate":"candidate:842163049 1 udp 1677729535 192.0.2.7 46154 typ srflx raddr 10.0.0.17 rport 46154 generation 0 ufrag kR2v network-cost 999","sdpMid":"0","sdpMLineIndex":0,"at":{at}}}"#
        ),
    }
}

/// Lines of a session description, with line ends as JSON writes them.
fn sdp(bytes: usize) -> String {
    let mut text = r"v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n".to_owned();
    for codec in 96.. {
        if text.len() >= bytes {
            break;
        }
        text += &format!(
            r"a=rtpmap:{codec} VP8/90000\r\na=rtcp-fb:{codec} goog-remb\r\na=rtcp-fb:{codec} nack pli\r\n"
        );
    }
    text
}

/// What kind of signal the word `type` names.
pub(super) fn kind(word: &str) -> Option<Kind> {
    match word.to_ascii_lowercase().as_str() {
        "offer" => Some(Kind::Offer),
        "answer" => Some(Kind::Answer),
        "candidate" => Some(Kind::Candidate),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_json_and_hold_their_time() {
        for (kind, bytes) in [
            (Kind::Offer, OFFER_BYTES),
            (Kind::Answer, ANSWER_BYTES),
            (Kind::Candidate, 200),
        ] {
            let body = body(kind, 71);
            assert_eq!(serde_json::from_str::<Stamp>(&body).unwrap(), Stamp { at: 71 });
            assert!((bytes..bytes + 300).contains(&body.len()), "{}", body.len());
        }
    }
}
