//! What `watari` can do, one module a verb.

pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod check_config;
pub(crate) mod credentials;
pub(crate) mod default_config;
pub(crate) mod health;
pub(crate) mod man_pages;
pub(crate) mod nat;
pub(crate) mod trust;
pub(crate) mod up;
