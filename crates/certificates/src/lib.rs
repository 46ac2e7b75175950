//! Certificates of TLS and DTLS listeners: loaded from files, chosen by name, swapped while serving.
//!
//! [`Certificates`] is a cheap handle to a live set of [`Pair`]s. TLS listeners take a [`rustls::ServerConfig`] from
//! it once, which looks into the live set at each handshake; a DTLS listener takes [`Certificates::pairs`] again
//! whenever [`Certificates::generation`] has risen.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod acme;
mod authority;
mod believer;
mod config;
mod files;
mod live;
mod metrics;
mod mistake;
mod names;
mod pair;
mod tls;
mod trust;
mod watch;

#[cfg(test)]
mod testing;

pub use acme::{Acme, AcmeConfig, AcmeError, Challenge, Challenges};
pub use authority::{Authority, AuthorityError, Host};
pub use believer::Believer;
pub use config::{MinVersion, PairConfig, TlsConfig};
pub use files::FileError;
pub use live::Certificates;
pub use mistake::{Mistake, Problem};
pub use pair::{Pair, for_name};
pub use trust::Trust;
pub use watch::Watch;
