#![no_main]

#[path = "../../crates/stun-wire/tests/exercise/mod.rs"]
#[allow(dead_code, reason = "other targets use the rest")]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::channel_data(bytes));
