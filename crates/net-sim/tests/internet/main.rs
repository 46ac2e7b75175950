//! The behaviour of the simulated internet, seen from its hosts.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod determinism;
mod nat_behaviour;
mod support;
