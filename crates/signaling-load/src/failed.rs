//! Why a client got no further, as a word that can be counted.

use std::{borrow::Cow, io};

use tokio_tungstenite::tungstenite::{self, protocol::CloseFrame};

/// A word such as `room_full`, `http_429`, `closed_1008`, `no_answer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed(pub(crate) Cow<'static, str>);

impl Failed {
    /// Nothing came in time.
    pub(crate) const NO_ANSWER: Self = Self(Cow::Borrowed("no_answer"));
    /// The server ended the connection without a word.
    pub(crate) const ENDED: Self = Self(Cow::Borrowed("ended"));
    /// Signals did not come in time.
    pub(crate) const NOT_DELIVERED: Self = Self(Cow::Borrowed("not_delivered"));

    /// The server's own word, if it is one: a stranger's text must not fill or steer a terminal.
    pub(crate) fn problem(code: &str) -> Self {
        Self(word(code).map_or("problem".into(), |code| Cow::Owned(code.to_owned())))
    }

    /// The server closed the connection.
    pub(crate) fn closed(frame: Option<&CloseFrame>) -> Self {
        let Some(frame) = frame else { return Self::ENDED };
        let code = u16::from(frame.code);
        Self(Cow::Owned(match word(&frame.reason) {
            Some(reason) => format!("closed_{code}_{reason}"),
            None => format!("closed_{code}"),
        }))
    }
}

fn word(text: &str) -> Option<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let fits = (1..=40).contains(&text.len()) && text.chars().all(is_plain);
    fits.then_some(text)
}

impl From<tungstenite::Error> for Failed {
    fn from(error: tungstenite::Error) -> Self {
        // Their errors are many, and a bench tells apart what one can do something about.
        if let tungstenite::Error::Http(response) = &error {
            return Self(format!("http_{}", response.status().as_u16()).into());
        }
        Self::ENDED
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        const EMFILE: i32 = 24;
        Self(Cow::Borrowed(match (error.kind(), error.raw_os_error()) {
            (_, Some(EMFILE)) => "no_descriptors",
            (io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse, _) => "no_ports",
            (io::ErrorKind::ConnectionRefused, _) => "refused",
            _ => "unreachable",
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_server_are_counted_only_if_they_are_words() {
        assert_eq!(Failed::problem("room_full").0, "room_full");
        assert_eq!(Failed::problem("ID-TAKEN").0, "ID-TAKEN");
        for code in ["", "two words", "\u{1b}[31m", &"x".repeat(41)] {
            assert_eq!(Failed::problem(code).0, "problem", "{code:?}");
        }
        let closed = |code: u16, reason: &str| {
            let frame = CloseFrame {
                code: code.into(),
                reason: reason.into(),
            };
            Failed::closed(Some(&frame)).0
        };
        assert_eq!(closed(1008, "too_slow"), "closed_1008_too_slow");
        assert_eq!(closed(1008, "no answer to ping"), "closed_1008");
        assert_eq!(Failed::closed(None), Failed::ENDED);
    }
}
