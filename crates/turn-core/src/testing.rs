//! What unit tests share: a clock of their own and short ways to say things.

#[path = "../tests/tokens/mod.rs"]
pub(crate) mod tokens;

use std::{
    net::SocketAddr,
    sync::OnceLock,
    time::{Duration, Instant},
};

use crate::types::{FiveTuple, ListenerId, Now};

/// The moment at which every test's clock starts.
pub(crate) fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant has no other origin; nothing compares it to the clock"
    )]
    *START.get_or_init(Instant::now)
}

/// The reading of both clocks `seconds` after that.
pub(crate) fn now_at(seconds: u64) -> Now {
    Now {
        instant: start() + Duration::from_secs(seconds),
        unix: Duration::from_secs(seconds),
    }
}

/// The five-tuple of a client with this port.
pub(crate) fn five_tuple(port: u16) -> FiveTuple {
    FiveTuple::udp(
        ListenerId(0),
        SocketAddr::from(([198, 51, 100, 7], port)),
        SocketAddr::from(([192, 0, 2, 1], 3478)),
    )
}
