//! Signals, draining, supervision, sockets that a service manager passes, exit codes.
//!
//! A process has one [`Shutdown`]; every part waits for it and then drains. [`Supervisor`] keeps the parts:
//! when one of them ends by itself the others are told to drain too, so that a half-dead process never lingers.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

pub mod exit;
mod hangup;
mod passed;
mod shutdown;
mod supervisor;

pub use hangup::{Hangups, on_hangups};
pub use passed::{passed_listener, take_passed_sockets, warn_of_idle_listeners};
pub use shutdown::{Shutdown, on_signals};
pub use supervisor::{Failure, Supervisor};
