//! A TOML file, environment and flags laid over it, every mistake reported with its place.
