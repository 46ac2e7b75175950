//! What is counted about sessions, for metrics.

use dtls_io::{Counters, DropReason, Outcome};

use crate::metrics::Shape;

/// Names one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    Open,
    HalfOpen,
    Cookies,
    Handshakes(Outcome),
    Dropped(DropReason),
}

impl Figure {
    /// Every one there is.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Open, Self::HalfOpen, Self::Cookies];
        all.extend(Outcome::ALL.iter().map(|&outcome| Self::Handshakes(outcome)));
        all.extend(DropReason::ALL.iter().map(|&reason| Self::Dropped(reason)));
        all
    }

    /// Ways a datagram dies here, with their labels.
    pub(crate) fn drops() -> Vec<(&'static str, Self)> {
        let drops = DropReason::ALL.iter();
        drops
            .map(|&reason| (reason.name(), Self::Dropped(reason)))
            .collect()
    }

    /// The metrics beside those of all transports.
    pub(crate) fn shapes() -> Vec<Shape<Self>> {
        let outcomes = Outcome::ALL.iter();
        vec![
            Shape {
                name: "turn_dtls_sessions",
                help: "DTLS sessions now.",
                is_gauge: true,
                label: None,
                series: vec![("", Self::Open)],
            },
            Shape {
                name: "turn_dtls_half_open",
                help: "DTLS handshakes going on now.",
                is_gauge: true,
                label: None,
                series: vec![("", Self::HalfOpen)],
            },
            Shape {
                name: "turn_dtls_cookies_total",
                help: "HelloVerifyRequests sent; nothing is kept for them.",
                is_gauge: false,
                label: None,
                series: vec![("", Self::Cookies)],
            },
            Shape {
                name: "turn_dtls_handshakes_total",
                help: "DTLS handshakes that had a good cookie, by how they ended.",
                is_gauge: false,
                label: Some(&["result"]),
                series: outcomes
                    .map(|&outcome| (outcome.name(), Self::Handshakes(outcome)))
                    .collect(),
            },
        ]
    }

    pub(crate) fn read(self, from: &Counters) -> u64 {
        match self {
            Self::Open => from.open,
            Self::HalfOpen => from.half_open,
            Self::Cookies => from.cookies,
            Self::Handshakes(outcome) => from.handshakes(outcome),
            Self::Dropped(reason) => from.dropped(reason),
        }
    }
}
