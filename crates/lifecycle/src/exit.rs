//! Exit codes, after `sysexits.h`.

/// All went well.
pub const OK: u8 = 0;
/// Something failed while running.
pub const FAILURE: u8 = 1;
/// The command line is wrong (EX_USAGE).
pub const USAGE: u8 = 64;
/// A port or service that is needed is not to be had (EX_UNAVAILABLE).
pub const UNAVAILABLE: u8 = 69;
/// The configuration is wrong (EX_CONFIG).
pub const CONFIG: u8 = 78;
