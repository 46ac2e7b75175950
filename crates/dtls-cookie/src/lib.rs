//! Answers DTLS ClientHellos with a cookie and remembers nothing (RFC 6347 §4.2.1).
//!
//! A [`ClientHello`] without a good cookie is answered with a HelloVerifyRequest, which is always shorter. One that
//! [`Cookies::recognise`] knows comes from where it says it comes from, and a handshake may begin. Time and secret
//! are arguments; nothing is allocated on the way of a stranger.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod cookie;
mod hello;
mod record;

pub use cookie::{Cookies, Way};
pub use hello::{COOKIE, ClientHello, HELLO_VERIFY_REQUEST_LEN, HelloError};
pub use record::{Content, Record, renumber};
