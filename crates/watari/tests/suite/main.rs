//! The real program, run as a user and as a script would.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod check;
mod check_config;
mod https;
mod nat;
mod support;
mod up;
mod verbs;
