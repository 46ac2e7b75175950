//! The pages: a call that shows which path it took, a checker of STUN and TURN servers, and a look into ICE,
//! as embedded assets.
//!
//! [`router`] serves them at `/`, `/check` and `/inspect`, and what they load beside them; nothing comes from
//! another host. In a debug build the files are read from the checkout at each request, in a release build
//! they are inside the binary, compressed. Signaling is not here: the pages ask `/config.json` where to find it.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod config;
mod headers;
mod page;
mod standalone;

pub use self::standalone::{PROGRAM, main};
pub use config::{Config, SignalingUrl, UrlError};
pub use page::router;

#[cfg(test)]
mod tests;
